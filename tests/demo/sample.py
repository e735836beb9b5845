"""What the demonstration sends: the factories' patients and modalities, and the files that pydicom brings along."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import AllTransferSyntaxes, UID_dictionary

from deid.elements.pseudonyms import SOP_INSTANCE_UID
from deid.encoding.reader import read_data_set
from deid.errors import Refused
from tests import factories, objects
from tests.factories import Study
from tests.people import PATIENTS
from tests.sender import SOP_CLASS_UID, outgoing

_IMAGES = (factories.ct, factories.mr, factories.cr, factories.mg, factories.pt, factories.us, factories.sc)
_OBJECTS = (
    objects.enhanced_ct,
    objects.enhanced_mr,
    objects.segmentation,
    objects.rt_structure_set,
    objects.structured_report,
    objects.presentation_state,
    objects.ecg,
    objects.encapsulated_pdf,
)


def _made() -> Iterator[Dataset]:
    """Yield every kind of object for the first patient, two CT studies for each of the others."""
    first = Study()
    for slice_number in range(6):
        yield factories.ct(first, slice_number, size=128)
    for make in (*_IMAGES[1:], *_OBJECTS):
        yield make(first)
    yield factories.us(first, 1, compression="rle")
    yield objects.structured_report(first, 1, depth=12)
    cut = factories.ct(first, 99)
    cut.PixelData = cut.PixelData[:1000]  # what a broken transfer leaves: for quarantine
    yield cut
    for patient in PATIENTS:
        for number in (2, 3):
            study = replace(Study(patient), number=number)
            yield from (factories.ct(study), factories.ct(study, 1), factories.mr(study))


def _bundled() -> Iterator[Path]:
    """Yield pydicom's own test files, where they can be sent at all: one for each SOP Instance UID."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    seen = set[str]()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix in {".py", ".txt", ".json", ".md"}:
            continue
        try:
            instance = outgoing(path)
            data_set = read_data_set(b"".join(instance.data_set), instance.transfer_syntax)
        except Refused:
            continue  # broken: nothing that a modality could send
        if not {SOP_CLASS_UID, SOP_INSTANCE_UID} <= data_set.elements.keys():
            continue  # no SOP Instance
        known = (
            instance.transfer_syntax in AllTransferSyntaxes
            and "Storage" in UID_dictionary.get(instance.sop_class_uid, ("",))[0]
        )
        if known and instance.sop_class_uid != "1.2.840.10008.1.3.10" and instance.sop_instance_uid not in seen:
            seen.add(instance.sop_instance_uid)
            yield path


def write_sample(folder: Path) -> list[Path]:
    """Write the factories' instances below `folder`; return them and pydicom's, in the order to be sent."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(_made()):
        path = folder / f"{number:03d}-{ds.Modality}.dcm"
        path.write_bytes(factories.to_bytes(ds))
        paths.append(path)
    return [*paths, *_bundled()]


def read(path: Path) -> Dataset:
    """Read a file for showing it: whatever pydicom would warn about is of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        ds.decode()
        return ds

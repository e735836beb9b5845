"""An independent look for identifiers: read by pydicom from the source, searched in the bytes that came out.

It shares no code with `deid.verify`, so that the two can disagree.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID_dictionary
from pydicom.valuerep import PersonName

_TEXT = frozenset(
    {
        "PatientID",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "PatientTelecomInformation",
        "MedicalRecordLocator",
        "MilitaryRank",
        "AccessionNumber",
        "AdmissionID",
        "InstitutionName",
        "InstitutionAddress",
        "InsurancePlanIdentification",
        "DeviceSerialNumber",
        "PlateID",
        "CassetteID",
        "DetectorID",
        "GantryID",
        "PersonAddress",
        "PersonTelephoneNumbers",
        "StationName",
        "ServiceEpisodeID",
        "RequestingService",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "PerformedProcedureStepID",
        "CountryOfResidence",
        "FillerOrderNumberImagingServiceRequest",
        "PlacerOrderNumberImagingServiceRequest",
        "IssuerOfPatientID",
        "OtherPatientIDs",
        "PatientComments",
        "SecondaryCaptureDeviceID",
        "PatientInstitutionResidence",
        "CurrentPatientLocation",
    }
)
_BULK_BYTES = 4096
_SHORT = 6
"""Shorter needles are looked for outside bulk data only: four letters turn up in megabytes of pixels by chance."""

# What stands in such fields without identifying anybody: the words of the standard's own attribute names ("Perfusion",
# "Text"), and what vendors and people who de-identified before wrote there.
_COMMON = frozenset(
    word.lower().encode() for name in DicomDictionary.values() for word in re.findall(r"[A-Za-z]{3,}", name[2])
) | {
    b"anonymous",
    b"anonymized",
    b"anonymised",
    b"canon",
    b"clinic",
    b"deidentified",
    b"general",
    b"head",
    b"here",
    b"hospital",
    b"none",
    b"null",
    b"perfusion",
    b"philips",
    b"removed",
    b"siemens",
    b"toshiba",
    b"university",
    b"unknown",
}

# UIDs of classes and schemes name what kind of thing something is, private ones included.
_CLASSES = frozenset({"CodingSchemeUID", "ImplementationClassUID", "SOPClassUID", "ReferencedSOPClassUID"})


@dataclass(frozen=True, slots=True)
class Needle:
    """One identifying text.

    Attributes
    ----------
    keyword
        of the attribute that it was read from
    encoded
        lower-case bytes
    """

    keyword: str
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Leak:
    """An identifier found: where from, where to; never the value."""

    source_keyword: str
    found_in: str


def needles(source: Path) -> set[Needle]:
    """Return what identifies the patient, the staff or the instance in `source`, at all depths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(source, stop_before_pixels=True)
        return {
            needle
            for keyword, text, codec in _texts(ds, "latin-1")
            for needle in _needles(keyword, text, codec)
            if needle.encoded not in _COMMON
        }


def _texts(ds: Dataset, codec: str) -> Iterator[tuple[str, str, str]]:
    encodings = getattr(ds, "_character_set", None) or [codec]
    codec = encodings if isinstance(encodings, str) else encodings[-1]
    for tag in list(ds.keys()):
        try:
            element = ds[tag]
        except Exception:  # noqa: BLE001, S112 -- what pydicom can't read, this look can't harvest
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item, codec)
        elif element.keyword in _CLASSES:
            continue
        elif element.value is not None and (element.VR in {"PN", "UI", "DA", "DT"} or element.keyword in _TEXT):
            values = element.value if isinstance(element.value, MultiValue) else [element.value]
            for value in values:
                yield from ((element.keyword or element.VR, text, codec) for text in _parts(value, element.VR))


def _parts(value: object, vr: str) -> Iterator[str]:
    text = str(value).strip(" \0")
    if vr == "PN" or isinstance(value, PersonName):
        yield from (part for part in re.split(r"[\^=, ]+", text) if len(part) > 2)
    elif vr == "UI":
        if text not in UID_dictionary and not text.startswith("1.2.840.10008."):
            yield text
    elif vr in {"DA", "DT"}:
        digits = text[:8]
        if re.fullmatch(r"(19|20)\d{6}", digits):
            yield digits
            yield f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
            yield f"{digits[:4]}.{digits[4:6]}.{digits[6:]}"
    else:
        yield text


def _needles(keyword: str, text: str, codec: str) -> Iterator[Needle]:
    for name in {codec, "utf-8"}:
        try:
            encoded = text.encode(name).lower()
        except (LookupError, UnicodeEncodeError):
            continue
        if len(encoded) >= 4 and not re.fullmatch(rb"[0x\W_]*", encoded):
            yield Needle(keyword, encoded)


def leaks(wanted: set[Needle], output: Path) -> list[Leak]:
    """Return which of `wanted` occur in `output`, as words of their own."""
    data = output.read_bytes().lower()
    present = [needle for needle in wanted if needle.encoded in data]
    if not present:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(_places(pydicom.dcmread(output, force=True), ""))
    hits = set()
    for needle in present:
        word = re.compile(rb"(?<![0-9a-z.])" + re.escape(needle.encoded) + rb"(?![0-9a-z])")
        for place, value in found:
            if (len(needle.encoded) >= _SHORT or len(value) < _BULK_BYTES) and word.search(value):
                hits.add(Leak(needle.keyword, place))
    return sorted(hits, key=lambda leak: (leak.source_keyword, leak.found_in))


def _places(ds: Dataset, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield every leaf's name and raw bytes, lower-case; the File Meta Information is the archive's own."""
    for tag in list(ds.keys()):
        raw = ds.get_item(tag)
        name = f"{path}{tag:08x}"
        value = raw.value
        if raw.VR == "SQ" or isinstance(value, pydicom.Sequence):
            for item in ds[tag].value:
                yield from _places(item, f"{name}/")
        elif isinstance(value, bytes):
            yield name, value.lower()
        elif value is not None:
            yield name, str(value).encode("utf-8", "replace").lower()

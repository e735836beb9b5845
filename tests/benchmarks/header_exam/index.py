"""The elements of an instance as MIDI-B's validator names and prints them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from pydicom import config, dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

config.settings.reading_validation_mode = config.IGNORE
config.settings.writing_validation_mode = config.IGNORE
# In implicit VR pydicom's dictionary and the vendor may think differently of a private element's VR.
config.convert_wrong_length_to_UN = True

# What is too big to be printed
_NOT_PRINTED = frozenset({"Pixel Data", "Overlay Data", "File Meta Information Version"})

Position = tuple[int, ...]
"""Tag of a Sequence, number of the item, …, tag of the element."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """One instance as the validator sees it.

    Attributes
    ----------
    values
        path of an element -> its value in angle brackets
    names
        path of an element -> its name
    paths
        where an element is -> its path
    """

    modality: str
    sop_class_uid: str
    patient_id: str
    study_uid: str
    series_uid: str
    instance_uid: str
    digest: str
    values: dict[str, str]
    names: dict[str, str]
    paths: dict[Position, str]


def index(file: bytes) -> Indexed:
    """Read a Part 10 file."""
    data_set = dcmread(BytesIO(file), force=True)
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    paths: dict[Position, str] = {}
    for path, position, element in _walk(data_set, "", ()):
        printed = "REMOVED" if element.name in _NOT_PRINTED else _print(element)
        values[path], names[path], paths[position] = f"<{printed}>", element.name, path
    return Indexed(
        modality=str(data_set.get("Modality", "")),
        sop_class_uid=str(data_set.get("SOPClassUID", "")),
        patient_id=str(data_set.get("PatientID", "")),
        study_uid=str(data_set.get("StudyInstanceUID", "")),
        series_uid=str(data_set.get("SeriesInstanceUID", "")),
        instance_uid=str(data_set.get("SOPInstanceUID", "")),
        digest=_digest(data_set),
        values=values,
        names=names,
        paths=paths,
    )


def _print(element: DataElement) -> str:
    if element.VR == "UN" and isinstance(element.value, bytes):  # as the same text under its own VR
        return element.value.decode("latin-1").strip("\0 ")
    return "" if element.value is None else str(element.value).strip()


def _digest(data_set: Dataset) -> str:
    return hashlib.md5(data_set.PixelData).hexdigest() if "PixelData" in data_set else ""  # noqa: S324  MIDI-B's choice


def _walk(data_set: Dataset, prefix: str, above: Position) -> Iterator[tuple[str, Position, DataElement]]:
    for element in data_set:
        path = f"{prefix}<{_label(element)}>"
        position = (*above, int(element.tag))
        yield path, position, element
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _walk(item, f"{path}[<{number:04d}>]", (*position, number))


def _label(element: DataElement) -> str:
    """Return ``(gggg,eeee)``, or ``(gggg,"CREATOR",ee)`` for a private element whose creator is known."""
    group, number = f"{element.tag.group:04x}", f"{element.tag.element:04x}"
    if element.tag.is_private and element.private_creator:
        return f'({group},"{str(element.private_creator).upper()}",{number[2:]})'
    return f"({group},{number})"

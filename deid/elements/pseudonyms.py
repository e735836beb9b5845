"""Who the patient of a Data Set is, and the code that stands for them."""

from __future__ import annotations

from dataclasses import dataclass

from deid.encoding.element import DataSet
from deid.encoding.text import decode_lenient
from deid.identity import Subject

ACCESSION_NUMBER = 0x0008_0050
PATIENT_NAME = 0x0010_0010
PATIENT_ID = 0x0010_0020
ISSUER_OF_PATIENT_ID = 0x0010_0021
BIRTH_DATE = 0x0010_0030
STUDY_INSTANCE_UID = 0x0020_000D
SERIES_INSTANCE_UID = 0x0020_000E
SOP_INSTANCE_UID = 0x0008_0018


@dataclass(frozen=True, slots=True, repr=False)
class Patient:
    """The patient of an instance as they will be called.

    Attributes
    ----------
    pseudonym
        the new Patient ID and Patient's Name
    accession_number, new_accession_number
        the study's, and what replaces it; None: what the profile's rule says
    """

    pseudonym: str
    accession_number: str = ""
    new_accession_number: str | None = None

    def __repr__(self) -> str:
        """Say only what may be known."""
        return f"<Patient {self.pseudonym}>"


def subject_of(data_set: DataSet) -> Subject:
    """Read whose instance this is."""
    return Subject(
        patient_id=value_text(data_set, PATIENT_ID),
        issuer=value_text(data_set, ISSUER_OF_PATIENT_ID),
        name=value_text(data_set, PATIENT_NAME),
        birth_date=value_text(data_set, BIRTH_DATE),
        study_uid=value_text(data_set, STUDY_INSTANCE_UID) or value_text(data_set, SOP_INSTANCE_UID),
        accession_number=value_text(data_set, ACCESSION_NUMBER),
    )


def value_text(data_set: DataSet, tag: int) -> str:
    """Return the text of a top-level element without padding; empty if there is none."""
    element = data_set.elements.get(tag)
    if element is None or not isinstance(element.value, bytes | memoryview):
        return ""
    return decode_lenient(element.value, element.vr, data_set.charset)[0].strip(" \0")

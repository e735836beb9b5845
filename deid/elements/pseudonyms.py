"""Who the patient is, and the code that stands for them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from deid.encoding.element import DataSet
from deid.encoding.text import decode_lenient

PATIENT_NAME = 0x0010_0010
PATIENT_ID = 0x0010_0020
BIRTH_DATE = 0x0010_0030
STUDY_INSTANCE_UID = 0x0020_000D
SERIES_INSTANCE_UID = 0x0020_000E
SOP_INSTANCE_UID = 0x0008_0018

PSEUDONYM_PREFIX = "DN-"


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient of an instance.

    Attributes
    ----------
    identity
        what tells this patient from others, as text: input of the keyed codes, never shown
    pseudonym
        the new Patient ID and Patient's Name
    """

    identity: str
    pseudonym: str


def patient_of(data_set: DataSet, key: bytes) -> Patient:
    """Return the patient of `data_set` with the pseudonym under `key`.

    The identity is Patient ID; without one, name and birth date; without those, the study, so that two patients nobody
    named never share a pseudonym. Issuer of Patient ID is left out: within one hospital some devices send it and some
    don't, and a patient split in two is lost to a study.
    """
    identity = _identity(data_set)
    digest = hmac.digest(key, identity.encode("utf-8", "surrogateescape"), hashlib.sha256)
    code = base64.b32encode(digest[:10]).decode("ascii")
    return Patient(identity, f"{PSEUDONYM_PREFIX}{code}")


def _identity(data_set: DataSet) -> str:
    patient_id = value_text(data_set, PATIENT_ID)
    if patient_id:
        return f"id\x1f{patient_id}"
    name = value_text(data_set, PATIENT_NAME)
    if name.strip("^= "):
        return "\x1f".join(("name", name.casefold(), value_text(data_set, BIRTH_DATE)))
    study = value_text(data_set, STUDY_INSTANCE_UID) or value_text(data_set, SOP_INSTANCE_UID)
    return f"study\x1f{study}"


def value_text(data_set: DataSet, tag: int) -> str:
    """Return the text of a top-level element without padding; empty if there is none."""
    element = data_set.elements.get(tag)
    if element is None or not isinstance(element.value, bytes | memoryview):
        return ""
    return decode_lenient(element.value, element.vr, data_set.charset)[0].strip(" \0")

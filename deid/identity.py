"""Who an instance's patient is, and who they become: a pseudonym, perhaps a new accession number, a shift of dates.

By default all of it is derived from the secret key. A list that people keep, or a table of chance, is given to the
engine as another `Identity` in its Context; then "equal Context" includes what that says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Protocol

from deid.elements.dates import shift_days
from deid.errors import Reason, Refused
from deid.keys import Keys

PSEUDONYM_PREFIX = "DN-"
CODE_BYTES = 10

_SEPARATOR = "\x1f"  # LO, PN and UI hold no control characters (PS3.5 Table 6.2-1)
_SHORTEST_WITHIN = 5
_SHORTEST_NAME_PART = 4
_LETTERS = re.compile(r"[^\W\d_]+")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """What an instance says of whose it is; texts without padding, empty where it says nothing.

    Attributes
    ----------
    patient_id, issuer
        (0010,0020) and (0010,0021)
    name, birth_date
        (0010,0010) and (0010,0030)
    study_uid
        (0020,000D); without one, the SOP Instance UID
    accession_number
        (0008,0050) of the study
    """

    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    study_uid: str = ""
    accession_number: str = ""

    def __repr__(self) -> str:
        """Say nothing of it."""
        return "<Subject>"


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """Who the patient becomes.

    Attributes
    ----------
    pseudonym
        the new Patient ID and Patient's Name: ASCII
    shift_days
        of all dates; None: derived from the pseudonym under the key
    accession_number
        the new one; None: what the profile's rule says
    is_chosen
        by people, who make mistakes: the engine looks whether it holds what it replaces
    """

    pseudonym: str
    shift_days: int | None = None
    accession_number: str | None = None
    is_chosen: bool = False


class Identity(Protocol):
    """Gives patients new identities; to equal subjects the same one for as long as a Context lives."""

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        """Return who `subject` becomes.

        Raises
        ------
        Refused
            UNMAPPED_PATIENT if that is not known yet, NO_PATIENT if it never can be.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeyedIdentity:
    """Everything by HMAC under the key: nodes that share it agree without talking to one another.

    Attributes
    ----------
    tell_issuers_apart
        whether one Patient ID of two issuers is two patients
    """

    tell_issuers_apart: bool = False

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        """Return the subject's pseudonym and shift under `keys`."""
        person = person_of(subject, tell_issuers_apart=self.tell_issuers_apart)
        digest = hmac.digest(keys.patient, encoded(person), hashlib.sha256)
        return NewIdentity(pseudonym_of(digest[:CODE_BYTES]), shift_days(keys.date, person))


def person_of(subject: Subject, *, tell_issuers_apart: bool) -> str:
    """Return what tells this person from others, as one text.

    It is the Patient ID; without one, name and birth date; without those, the study, so that two patients nobody named
    never share a pseudonym. Unless `tell_issuers_apart`, Issuer of Patient ID is left out: within one hospital some
    devices send it and some don't, and a patient split in two is lost to a study.
    """
    if subject.patient_id and subject.issuer and tell_issuers_apart:
        # with its length, so that no other pair of ID and issuer makes the same text
        return _SEPARATOR.join(("issued", str(len(subject.patient_id)), subject.patient_id, subject.issuer))
    if subject.patient_id:
        return _SEPARATOR.join(("id", subject.patient_id))
    if subject.name.strip("^= "):
        return _SEPARATOR.join(("name", subject.name.casefold(), subject.birth_date))
    return _SEPARATOR.join(("study", subject.study_uid))


def pseudonym_of(code: bytes) -> str:
    """Write ten bytes, an HMAC or chance, as a Patient ID."""
    return f"{PSEUDONYM_PREFIX}{base64.b32encode(code).decode('ascii')}"


def unmapped(subject: Subject, keys: Keys) -> Refused:
    """Return the refusal of a subject that is not mapped yet.

    Its detail is a keyed code, the same for all instances that wait for the same mapping.
    """
    values = (subject.patient_id, subject.issuer, subject.accession_number)
    text = _SEPARATOR.join(("unmapped", *(f"{len(value)}:{value}" for value in values)))
    return Refused(Reason.UNMAPPED_PATIENT, hmac.digest(keys.patient, encoded(text), hashlib.sha256)[:8].hex())


def shift_of(new: NewIdentity, keys: Keys) -> int:
    """Return the shift of dates in days."""
    if new.shift_days is not None:
        return new.shift_days
    return shift_days(keys.date, _SEPARATOR.join(("pseudonym", new.pseudonym)))


def check_chosen(new: NewIdentity, subject: Subject) -> None:
    """Look whether what people chose holds what it is to replace.

    Raises
    ------
    Refused
        If it does.
    """
    if not new.is_chosen:
        return
    for tag, text in (("(0010,0020)", new.pseudonym), ("(0008,0050)", new.accession_number or "")):
        if _reveals(text, subject):
            raise Refused(Reason.IDENTIFIER_LEFT, f"{tag} in the crosswalk")


def _reveals(text: str, subject: Subject) -> bool:
    plain = _NO_WORD.sub("", text).casefold()
    for value in (subject.patient_id, subject.accession_number, subject.birth_date):
        old = _NO_WORD.sub("", value).casefold()
        if old and (old == plain or (len(old) >= _SHORTEST_WITHIN and old in plain)):
            return True
    parts = {part.casefold() for part in _LETTERS.findall(subject.name) if len(part) >= _SHORTEST_NAME_PART}
    return not parts.isdisjoint(part.casefold() for part in _LETTERS.findall(text))


def encoded(text: str) -> bytes:
    """Return the bytes of a text for a keyed code, whatever is in it."""
    return text.encode("utf-8", "surrogateescape")

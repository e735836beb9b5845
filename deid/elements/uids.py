"""New UIDs for old ones (action U of PS3.15 Table E.1-1a)."""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache

from pydicom._uid_dict import UID_dictionary

from deid.standard import is_known_sop_class
from deid.standard.beyond import PUBLIC_UIDS_OF_OTHERS

_DICOM_ROOT = "1.2.840.10008."

# Families of PS3.6 Annex A that grow with each edition: transfer syntaxes, storage SOP Classes, context groups, coding
# schemes. Few short arcs, so that neither a number nor a date of a patient fits into them.
_WELL_KNOWN_FAMILY = re.compile(
    r"1\.2\.840\.10008\.(?:1\.2\.[1-9](?:\.\d{1,3}){0,2}|5\.1\.4\.1\.1\.\d{1,3}(?:\.\d{1,2})?|6\.1\.\d{1,4}|2\.16\.\d{1,3})"
)


@lru_cache(maxsize=4096)
def is_well_known(uid: str) -> bool:
    """Tell whether `uid` names a concept and no patient: the standard registered it (PS3.6 Annex A), or a maker did."""
    if not uid.startswith(_DICOM_ROOT):
        return uid in PUBLIC_UIDS_OF_OTHERS
    return uid in UID_dictionary or _WELL_KNOWN_FAMILY.fullmatch(uid) is not None or is_known_sop_class(uid)


@lru_cache(maxsize=65536)
def new_uid(key: bytes, uid: str) -> str:
    """Return the UID that stands for `uid` under `key`.

    A UUID-derived UID (PS3.5 Section B.2) of version 8 (RFC 9562) whose free bits are an HMAC.
    """
    digest = bytearray(hmac.digest(key, uid.encode("utf-8", "surrogateescape"), hashlib.sha256)[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(digest)}"


def map_uid(key: bytes, uid: str) -> str:
    """Return `uid` if it is well known or empty, else its replacement."""
    return uid if not uid or is_well_known(uid) else new_uid(key, uid)


def map_ui_value(key: bytes, value: bytes) -> bytes:
    r"""Map each UID of a UI value; values are separated by ``\`` and padded with NUL (PS3.5 Section 6.2)."""
    text = value.decode("latin-1")
    return "\\".join(map_uid(key, part.strip(" \0")) for part in text.split("\\")).encode("latin-1")

"""New UIDs for old ones (action U of PS3.15 Table E.1-1a)."""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache

from pydicom._uid_dict import UID_dictionary

_DICOM_ROOT = "1.2.840.10008."

# Families of PS3.6 Annex A that grow with each edition: storage and other SOP Classes, transfer syntaxes, context
# groups. A few short arcs only, so that nothing of a patient fits into them.
_WELL_KNOWN_FAMILY = re.compile(
    r"1\.2\.840\.10008\.(?:1\.2(?:\.\d{1,3}){1,3}|5\.1\.4(?:\.\d{1,3}){1,8}|6\.1\.\d{1,4}|2\.16\.\d{1,3})"
)


@lru_cache(maxsize=4096)
def is_well_known(uid: str) -> bool:
    """Tell whether the standard itself registered `uid` (PS3.6 Annex A), so that it names a concept, not a patient."""
    if not uid.startswith(_DICOM_ROOT):
        return False
    return uid in UID_dictionary or _WELL_KNOWN_FAMILY.fullmatch(uid) is not None


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

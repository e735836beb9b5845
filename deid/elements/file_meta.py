"""File Meta Information, written afresh (PS3.10 2024e Section 7.1): nothing of the sender's survives."""

from __future__ import annotations

import struct
from typing import Final

from deid.errors import Misconfigured

IMPLEMENTATION_CLASS_UID: Final = "2.25.194760059156812782775778084971954320580"
"""Names this implementation; made once from a random UUID (PS3.5 Section B.2)."""

IMPLEMENTATION_VERSION_NAME: Final = "DEID_NODE"

_PREAMBLE: Final = bytes(128) + b"DICM"
_VERSION: Final = struct.pack("<HH2s2xL2s", 0x0002, 0x0001, b"OB", 2, b"\x00\x01")
_HEADER: Final = struct.Struct("<HH2sH")


def part10_header(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax: str,
    source_ae: str = "",
    sending_ae: str = "",
    receiving_ae: str = "",
) -> bytes:
    """Return everything that precedes the Data Set in a file.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax
        UIDs, as in the Data Set that follows
    source_ae, sending_ae, receiving_ae
        Application Entity Titles; left out when empty

    Raises
    ------
    Misconfigured
        when a UID or a title isn't ASCII or is longer than 64 characters
    """
    elements = [
        _VERSION,
        _element(0x0002, b"UI", sop_class_uid),
        _element(0x0003, b"UI", sop_instance_uid),
        _element(0x0010, b"UI", transfer_syntax),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    ]
    titles = ((0x0016, source_ae), (0x0017, sending_ae), (0x0018, receiving_ae))
    elements += [_element(number, b"AE", title) for number, title in titles if title]
    meta = b"".join(elements)
    return _PREAMBLE + _HEADER.pack(0x0002, 0x0000, b"UL", 4) + struct.pack("<L", len(meta)) + meta


def _element(number: int, vr: bytes, text: str) -> bytes:
    """Encode one element of group 0002, padded to even length."""
    if not text.isascii() or len(text) > 64:
        raise Misconfigured(f"(0002,{number:04X}) is no UID and no AE title")
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return _HEADER.pack(0x0002, number, vr, len(value)) + value

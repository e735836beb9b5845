"""Which study a clean instance is of: one look along the headers of its first elements, without reading it."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from deid.encoding.syntax import transfer_syntax

if TYPE_CHECKING:
    from deid.encoding.element import Buffer

STUDY_INSTANCE_UID = 0x0020000D

_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_HEAD_BYTES = 64 << 10  # of a deflated data set
_MAX_HEADERS = 5_000
_UID_BYTES = 64


def study_instance_uid(data_set: Buffer, syntax_uid: str) -> str:
    """Return the Study Instance UID of a data set; empty if it has none, or none that is soon found."""
    syntax = transfer_syntax(syntax_uid)
    try:
        if syntax.deflated:
            data_set = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set, _HEAD_BYTES)
        return _found(data_set, "<" if syntax.little_endian else ">", implicit=syntax.implicit_vr)
    except (struct.error, zlib.error):
        return ""


def _found(data_set: Buffer, order: str, *, implicit: bool) -> str:
    header = struct.Struct(f"{order}HHI" if implicit else f"{order}HH2sH").unpack_from
    long = struct.Struct(f"{order}I").unpack_from
    at = depth = 0
    for _ in range(_MAX_HEADERS):
        if implicit:
            group, element, length = header(data_set, at)
        else:
            group, element, vr, length = header(data_set, at)
            if group == 0xFFFE:
                (length,) = long(data_set, at + 4)
            elif vr in _LONG_VRS:
                (length,) = long(data_set, at + 8)
                at += 4
        at += 8
        tag = group << 16 | element
        if depth == 0 and tag >= STUDY_INSTANCE_UID:
            return _text(data_set[at : at + length]) if tag == STUDY_INSTANCE_UID and length <= _UID_BYTES else ""
        # what is inside of undefined lengths is passed element by element
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
        elif length == _UNDEFINED:
            depth += 1
        else:
            at += length
    return ""


def _text(value: Buffer) -> str:
    return bytes(value).rstrip(b"\0 ").decode("ascii", "replace")

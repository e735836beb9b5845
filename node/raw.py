"""The head of a raw file: what the receiver wrote before the data set (PS3.10 Section 7.1), read back."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.errors import Reason, Refused
from node.spares import open_whole

if TYPE_CHECKING:
    from pathlib import Path

    from deid.encoding.element import Buffer

_PREAMBLE_BYTES = 128
_HEAD_BYTES = 4096  # our header has less than 800
_TRANSFER_SYNTAX, _CALLING_AE, _CALLED_AE = 0x0010, 0x0016, 0x0018
_GROUP_LENGTH = struct.Struct("<4sHH2sHI")
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2s2xI")
_LONG_VRS = frozenset({b"OB", b"UN"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Whence a raw file came and how it is to be read.

    Attributes
    ----------
    calling_ae, called_ae
        of the association that brought it (0002,0016) and (0002,0018)
    offset
        of the data set in the file, in bytes
    """

    calling_ae: str
    called_ae: str
    transfer_syntax: str
    offset: int


def raw_origin(path: Path) -> Origin:
    """Read the head of a raw file.

    Raises
    ------
    Refused
        NOT_DICOM if the file doesn't begin as the receiver begins its files
    FileNotFoundError
        if there is no such file
    """
    with open_whole(path) as fd:
        return origin_of(os.read(fd, _HEAD_BYTES))


def origin_of(raw: Buffer) -> Origin:
    """Read the head of a raw file that is in memory, or its first 4 KiB.

    Raises
    ------
    Refused
        as `raw_origin`
    """
    head = bytes(raw[:_HEAD_BYTES])
    try:
        values, offset = _file_meta(head)
        return Origin(values.get(_CALLING_AE, ""), values.get(_CALLED_AE, ""), values[_TRANSFER_SYNTAX], offset)
    except (struct.error, KeyError, UnicodeDecodeError):
        raise Refused(Reason.NOT_DICOM, "file meta information") from None


def _file_meta(head: bytes) -> tuple[dict[int, str], int]:
    magic, group, element, _vr, _size, length = _GROUP_LENGTH.unpack_from(head, _PREAMBLE_BYTES)
    at = _PREAMBLE_BYTES + _GROUP_LENGTH.size
    end = at + length
    if magic != b"DICM" or (group, element) != (2, 0) or end > len(head):
        raise Refused(Reason.NOT_DICOM, "file meta information")
    values = {}
    while at < end:
        _group, element, vr, size = _SHORT.unpack_from(head, at)
        header_bytes = _SHORT.size
        if vr in _LONG_VRS:
            size = _LONG.unpack_from(head, at)[3]
            header_bytes = _LONG.size
        at += header_bytes
        if vr not in _LONG_VRS:
            values[element] = head[at : at + size].decode("ascii").strip(" \0")
        at += size
    return values, end

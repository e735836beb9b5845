"""Reading files and Data Sets: strict, bounded, without copies (PS3.5 2024e Section 7, PS3.10 2024e Section 7).

Nothing is allocated by a length that the bytes claim; values are slices of the input. What can't be read with
certainty is refused: a reader that guesses would let pass what it didn't understand.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from deid.encoding.element import Buffer, DataSet
from deid.encoding.limits import Limits
from deid.encoding.parser import Parser
from deid.encoding.syntax import transfer_syntax
from deid.errors import Reason, Refused

__all__ = ["FileMeta", "Limits", "Part10", "read_data_set", "read_part10"]

_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"
_META_START: Final = _PREAMBLE_BYTES + len(_PREFIX)
_MAX_META_BYTES: Final = 1 << 20
_DEFLATED_STEP_BYTES: Final = 1 << 16
_INFLATED_STEP_BYTES: Final = 1 << 20
_GZIP_TRAILER: Final = struct.Struct("<LL")
_META_HEADER: Final = struct.Struct("<HH2sH").unpack_from
_LONG_LENGTH: Final = struct.Struct("<L").unpack_from
_META_LONG_VRS: Final = frozenset((b"OB", b"UN", b"UR"))


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the File Meta Information says (PS3.10 Table 7.1-1), empty strings for what it doesn't.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax
        Media Storage SOP Class UID, Media Storage SOP Instance UID, Transfer Syntax UID
    source_ae, sending_ae, receiving_ae
        Source, Sending and Receiving Application Entity Title
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    source_ae: str
    sending_ae: str
    receiving_ae: str


@dataclass(frozen=True, slots=True)
class Part10:
    """A file of PS3.10, its Data Set still encoded.

    Attributes
    ----------
    meta
        the File Meta Information
    transfer_syntax
        UID, as in the meta
    data_set_bytes
        everything after the File Meta Information, uncopied
    """

    meta: FileMeta
    transfer_syntax: str
    data_set_bytes: memoryview


_META_TAGS: Final = (0x00020002, 0x00020003, 0x00020010, 0x00020016, 0x00020017, 0x00020018)
_DEFAULT_LIMITS: Final = Limits()


def read_part10(data: Buffer, limits: Limits = _DEFAULT_LIMITS) -> Part10:
    """Read preamble and File Meta Information of a file.

    Raises
    ------
    Refused
        NOT_DICOM, without prefix or Transfer Syntax UID; TRUNCATED or MALFORMED, when the meta can't be read;
        TOO_LARGE, when it is longer than 1 MiB; UNSUPPORTED_TRANSFER_SYNTAX
    """
    view = memoryview(data).cast("B")
    if bytes(view[_PREAMBLE_BYTES:_META_START]) != _PREFIX:
        raise Refused(Reason.NOT_DICOM, "no DICM prefix")
    values, pos = _meta_values(view, limits)
    meta = FileMeta(*(_text(values.get(tag, b"")) for tag in _META_TAGS))
    if not meta.transfer_syntax:
        raise Refused(Reason.NOT_DICOM, "no Transfer Syntax UID")
    transfer_syntax(meta.transfer_syntax)
    return Part10(meta, meta.transfer_syntax, view[pos:])


def _meta_values(view: memoryview, limits: Limits) -> tuple[dict[int, memoryview], int]:
    """Return the values of group 0002 by tag, and where it ends: at the first element of another group."""
    values: dict[int, memoryview] = {}
    pos = _META_START
    while pos + 8 <= len(view):
        group, number, vr, length = _META_HEADER(view, pos)
        if group != 0x0002:
            break
        start = pos + 8
        if vr in _META_LONG_VRS:
            if start + 4 > len(view):
                raise Refused(Reason.TRUNCATED, "in the File Meta Information")
            start, length = start + 4, _LONG_LENGTH(view, start)[0]
        elif not (vr.isalpha() and vr.isupper()):
            raise Refused(Reason.MALFORMED, "File Meta Information without VR")
        pos = start + length
        if pos > len(view):
            raise Refused(Reason.TRUNCATED, "in the File Meta Information")
        if pos > _MAX_META_BYTES or len(values) > limits.max_elements:
            raise Refused(Reason.TOO_LARGE, "File Meta Information")
        values[0x00020000 | number] = view[start:pos]
    return values, pos


def _text(value: Buffer) -> str:
    """Return a UID or an AE title; what isn't ASCII matches no UID and no AE title."""
    return bytes(value).decode("ascii", "replace").strip(" \0")


def read_data_set(data: Buffer, transfer_syntax_uid: str, limits: Limits = _DEFAULT_LIMITS) -> DataSet:
    """Read a Data Set; its values are slices of `data`.

    Group lengths and Data Set Trailing Padding are dropped. ``UN`` becomes the VR of PS3.6 where there is one, and a
    sequence sent as ``UN`` becomes a sequence (PS3.5 Section 6.2.2, Notes). Tags out of order are put in order.

    Parameters
    ----------
    data
        the Data Set without File Meta Information
    transfer_syntax_uid
        how it is encoded
    limits
        what it may ask for

    Raises
    ------
    Refused
        UNSUPPORTED_TRANSFER_SYNTAX; TRUNCATED, when a length passes the end; TRAILING_BYTES; TOO_DEEP; TOO_LARGE;
        MALFORMED, for anything else which isn't a Data Set of PS3.5
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    view = memoryview(data).cast("B")
    if syntax.deflated:
        view = inflate(view, limits)
    parser = Parser(view, syntax, limits)
    read = parser.implicit if syntax.implicit_vr else parser.explicit
    return read(0, len(view))[0]


def inflate(data: Buffer, limits: Limits = _DEFAULT_LIMITS) -> memoryview:
    """Inflate a Data Set, a raw deflate stream (PS3.5 Section A.5), step by step within the limits.

    One NUL may follow, which makes the length even, or the trailer of gzip (RFC 1952) that some writers append, if it
    tells the truth.

    Raises
    ------
    Refused
        TOO_LARGE, when it inflates to more than the limits allow; TRUNCATED, without an end; MALFORMED, when it is no
        such stream; TRAILING_BYTES, when anything else follows
    """
    view = memoryview(data).cast("B")
    by_ratio = max(limits.max_inflate_ratio * len(view), limits.inflate_ratio_from_bytes)
    most_bytes = min(limits.max_inflated_bytes, by_ratio)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = bytearray()
    pos = 0
    while not inflater.eof:
        pending: Buffer = inflater.unconsumed_tail
        if not len(pending):
            pending = view[pos : pos + _DEFLATED_STEP_BYTES]
            pos += len(pending)
        chunk = _inflate_step(inflater.decompress, pending)
        if not chunk and not len(pending):
            raise Refused(Reason.TRUNCATED, "the deflate stream has no end")
        inflated += chunk
        if len(inflated) > most_bytes:
            raise Refused(Reason.TOO_LARGE, f"inflates to more than {most_bytes} bytes")
    _check_trailer(inflater.unused_data + view[pos : pos + _GZIP_TRAILER.size + 1], inflated)
    return memoryview(inflated).toreadonly()


def _inflate_step(decompress: Callable[[Buffer, int], bytes], pending: Buffer) -> bytes:
    try:
        return decompress(pending, _INFLATED_STEP_BYTES)
    except zlib.error:
        raise Refused(Reason.MALFORMED, "not a deflate stream") from None


def _check_trailer(rest: bytes, inflated: bytearray) -> None:
    """Refuse what follows a deflate stream, unless it says nothing."""
    gzip_trailer = _GZIP_TRAILER.pack(zlib.crc32(inflated), len(inflated) & 0xFFFFFFFF)
    if rest not in (b"", b"\0", gzip_trailer):
        raise Refused(Reason.TRAILING_BYTES, "after the deflate stream")

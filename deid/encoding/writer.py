"""Writing Data Sets (PS3.5 2024e Section 7 and Annex A): big values uncopied, small ones merged into few pieces.

Sequences and items get defined lengths, but for private sequences with implicit VR; no group lengths, no trailing
padding.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

from pydicom.datadict import get_private_entry

from deid.encoding.element import Buffer, DataSet, Element, Fragments, Pieces
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.encoding.tags import (
    ITEM,
    PIXEL_DATA,
    PIXEL_REPRESENTATION,
    SEQUENCE_DELIMITATION,
    UNDEFINED_LENGTH,
    show,
)
from deid.encoding.vr import (
    LONG_VRS,
    MAX_SHORT_LENGTH_BYTES,
    SHORT_VRS,
    SIGNED_BY_PIXEL_REPRESENTATION,
    TEXT_VRS,
    implied_vr,
    swapped,
)
from deid.errors import Reason, Refused

BULK_BYTES: Final = 1 << 14
"""Values from this size on become pieces of their own; below it, copying is cheaper than another piece."""

_DEFLATE_LEVEL: Final = 6
_SHORT_CODES: Final = {vr: vr.encode() for vr in SHORT_VRS}
_PADDING: Final = dict.fromkeys(SHORT_VRS | LONG_VRS, b"\0") | dict.fromkeys(TEXT_VRS, b" ")


def write_data_set(data_set: DataSet, transfer_syntax_uid: str) -> list[Buffer]:
    """Encode a Data Set whose values already have this syntax's byte order.

    Values of odd length are padded. A value too long for the 16-bit length of its VR is written as ``UN`` (PS3.5
    Section 6.2.2), a sequence that came as ``UN`` as ``SQ``.

    Parameters
    ----------
    data_set
        as read from this syntax, or from `convert`
    transfer_syntax_uid
        how to encode it

    Returns
    -------
    list of bytes or memoryview
        the pieces, in order; each value of `BULK_BYTES` or more is a piece by itself

    Raises
    ------
    Refused
        UNSUPPORTED_TRANSFER_SYNTAX, for an unknown one, and for fragments in a syntax without them; TOO_LARGE, for a
        length beyond 32 bits; MALFORMED, for a VR that PS3.5 doesn't know
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    writer = _Writer(syntax)
    write = writer.implicit if syntax.implicit_vr else writer.explicit
    write(data_set)
    pieces = writer.pieces()
    return _deflated(pieces) if syntax.deflated else pieces


def convert(data_set: DataSet, from_uid: str, to_uid: str) -> DataSet:
    """Return the Data Set as `write_data_set` needs it for another syntax; pixels are not transcoded.

    Words are swapped where the byte order differs. Where implicit VR left it open whether a value is ``US`` or ``SS``,
    Pixel Representation decides (PS3.5 Section A.1).

    Raises
    ------
    Refused
        UNSUPPORTED_TRANSFER_SYNTAX, for an unknown one, and between native and encapsulated pixels; MALFORMED, when a
        value isn't a whole number of words
    """
    source, target = transfer_syntax(from_uid), transfer_syntax(to_uid)
    if source.encapsulated != target.encapsulated and PIXEL_DATA in data_set.elements:
        raise Refused(Reason.UNSUPPORTED_TRANSFER_SYNTAX, "pixels would have to be transcoded")
    settle = source.implicit_vr and not target.implicit_vr
    swap = source.little_endian != target.little_endian
    return _converted(data_set, "US", settle=settle, swap=swap) if settle or swap else data_set


def _converted(data_set: DataSet, signedness: str, *, settle: bool, swap: bool) -> DataSet:
    """Convert one Data Set and all nested in it; items inherit Pixel Representation."""
    representation = data_set.elements.get(PIXEL_REPRESENTATION)
    if representation is not None and isinstance(representation.value, (bytes, memoryview)):
        signedness = "SS" if any(representation.value) else "US"
    elements = {}
    for tag, element in data_set.elements.items():
        vr, value = element.vr, element.value
        if settle and vr == "US" and tag in SIGNED_BY_PIXEL_REPRESENTATION:
            vr = signedness
        if isinstance(value, list):
            value = [_converted(item, signedness, settle=settle, swap=swap) for item in value]
        elif swap and not isinstance(value, Fragments):
            value = swapped(bytes(value) if isinstance(value, Pieces) else value, vr, tag)
        elements[tag] = Element(tag, vr, value)
    return DataSet(elements, data_set.charset)


def _deflated(pieces: list[Buffer]) -> list[Buffer]:
    """Deflate as PS3.5 Section A.5 asks: a raw stream, padded to even length."""
    deflater = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = b"".join([deflater.compress(piece) for piece in pieces] + [deflater.flush()])
    return [stream + b"\0" * (len(stream) % 2)]


class _Writer:
    """The parts of one Data Set, in order; a header whose length isn't known yet is filled in later."""

    __slots__ = ("_bulk", "_encapsulated", "_item", "_long", "_parts", "_short", "_swap")

    def __init__(self, syntax: TransferSyntax) -> None:
        order = "<" if syntax.little_endian else ">"
        self._parts: list[Buffer] = []
        self._bulk: list[int] = []
        self._encapsulated = syntax.encapsulated
        self._swap = not syntax.little_endian
        self._short = struct.Struct(order + "HH2sH").pack
        self._long = struct.Struct(order + "HH2s2xL").pack
        self._item = struct.Struct(order + "HHL").pack

    def pieces(self) -> list[Buffer]:
        """Return what was written, with all but the bulk values merged."""
        pieces: list[Buffer] = []
        start = 0
        for index in self._bulk:
            pieces += (b"".join(self._parts[start:index]), self._parts[index])
            start = index + 1
        pieces.append(b"".join(self._parts[start:]))
        return [piece for piece in pieces if len(piece)]

    def explicit(self, data_set: DataSet) -> int:
        """Write elements with explicit VR; return their length in bytes."""
        append, header, code_of = self._parts.append, self._short, _SHORT_CODES.get
        total = 0
        for tag, element in data_set.elements.items():
            value = element.value
            code = code_of(element.vr)
            if code is None or isinstance(value, (list, Fragments, Pieces)):
                total += self._uncommon(element)
                continue
            length = len(value)
            if length > MAX_SHORT_LENGTH_BYTES:
                total += self._too_long(element, value)
                continue
            odd = length & 1
            append(header(tag >> 16, tag & 0xFFFF, code, length + odd))
            append(value)
            if odd:
                append(_PADDING[element.vr])
            total += length + odd + 8
        return total

    def implicit(self, data_set: DataSet) -> int:
        """Write elements with implicit VR; return their length in bytes."""
        parts, header = self._parts, self._item
        total = 0
        for tag, element in data_set.elements.items():
            value = element.value
            if isinstance(value, Fragments):
                raise Refused(Reason.UNSUPPORTED_TRANSFER_SYNTAX, "fragments in a syntax without them")
            if isinstance(value, list) and implied_vr(tag) != "SQ" and not _is_known_sequence(tag, data_set):
                total += self._open_sequence(tag, value)
                continue
            index = len(parts)
            parts.append(b"")
            length = self._items(value, self.implicit) if isinstance(value, list) else self._leaf(element.vr, value)
            _refuse_too_long(tag, length)
            parts[index] = header(tag >> 16, tag & 0xFFFF, length)
            total += length + 8
        return total

    def _open_sequence(self, tag: int, items: list[DataSet]) -> int:
        """Write a sequence that no dictionary knows: with implicit VR only an undefined length tells what it is.

        One that pydicom's private dictionary knows by its creator gets a defined length: pydicom forgets the creator of
        a private element of undefined length.
        """
        self._parts.append(self._item(tag >> 16, tag & 0xFFFF, UNDEFINED_LENGTH))
        length = self._items(items, self.implicit)
        self._parts.append(self._item(SEQUENCE_DELIMITATION >> 16, SEQUENCE_DELIMITATION & 0xFFFF, 0))
        return length + 16

    def _uncommon(self, element: Element) -> int:
        """Write an element with a 32-bit length and explicit VR; return its length in bytes."""
        tag, vr, value = element.tag, element.vr, element.value
        if isinstance(value, Fragments):
            return self._fragments(tag, value)
        index = len(self._parts)
        self._parts.append(b"")
        if isinstance(value, list):
            if vr not in ("SQ", "UN"):
                raise Refused(Reason.MALFORMED, f"{show(tag)} holds items and is no sequence")
            vr, length = "SQ", self._items(value, self.explicit)
        else:
            length = self._leaf(vr, value)
        _refuse_too_long(tag, length)
        self._parts[index] = self._long(tag >> 16, tag & 0xFFFF, vr.encode("ascii"), length)
        return length + 12

    def _too_long(self, element: Element, value: Buffer) -> int:
        """Write a value too long for its VR as ``UN``, which is little endian always; return its length in bytes."""
        tag = element.tag
        _refuse_too_long(tag, len(value))
        self._parts.append(self._long(tag >> 16, tag & 0xFFFF, b"UN", len(value) + (len(value) & 1)))
        if self._swap:
            value = swapped(value, element.vr, tag)
        return 12 + self._leaf(element.vr, value)

    def _leaf(self, vr: str, value: Buffer | Pieces) -> int:
        """Write a value and its padding; return their length in bytes."""
        if vr not in _PADDING or (vr == "SQ" and len(value)):
            raise Refused(Reason.MALFORMED, "a value without a VR of PS3.5")
        length = len(value)
        for part in value.parts if isinstance(value, Pieces) else (value,):
            if len(part) >= BULK_BYTES:
                self._bulk.append(len(self._parts))
            self._parts.append(part)
        if length & 1:
            self._parts.append(_PADDING[vr])
        return length + (length & 1)

    def _items(self, items: list[DataSet], write: Callable[[DataSet], int]) -> int:
        """Write the items of a sequence; return their length in bytes."""
        parts = self._parts
        total = 0
        for item in items:
            index = len(parts)
            parts.append(b"")
            length = write(item)
            _refuse_too_long(ITEM, length)
            parts[index] = self._item(ITEM >> 16, ITEM & 0xFFFF, length)
            total += length + 8
        return total

    def _fragments(self, tag: int, fragments: Fragments) -> int:
        """Write encapsulated Pixel Data (PS3.5 Section A.4); return its length in bytes."""
        if not self._encapsulated:
            raise Refused(Reason.UNSUPPORTED_TRANSFER_SYNTAX, "fragments in a syntax without them")
        self._parts.append(self._long(tag >> 16, tag & 0xFFFF, b"OB", UNDEFINED_LENGTH))
        total = 12
        for item in (fragments.offsets, *fragments.items):
            _refuse_too_long(ITEM, len(item))
            self._parts.append(self._item(ITEM >> 16, ITEM & 0xFFFF, len(item) + (len(item) & 1)))
            total += 8 + self._leaf("OB", item)
        self._parts.append(self._item(SEQUENCE_DELIMITATION >> 16, SEQUENCE_DELIMITATION & 0xFFFF, 0))
        return total + 8


def _is_known_sequence(tag: int, data_set: DataSet) -> bool:
    """Tell whether pydicom's private dictionary says that a private element of `data_set` is a sequence."""
    creator = data_set.elements.get(tag & 0xFFFF_0000 | tag >> 8 & 0xFF)
    if creator is None or not isinstance(creator.value, (bytes, memoryview)):
        return False
    try:
        return get_private_entry(tag, bytes(creator.value).decode("latin-1").strip(" \0"))[0] == "SQ"
    except KeyError:
        return False


def _refuse_too_long(tag: int, length: int) -> None:
    if length >= UNDEFINED_LENGTH:
        raise Refused(Reason.TOO_LARGE, f"{show(tag)} needs a length beyond 32 bits")

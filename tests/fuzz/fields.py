"""Where the elements of a well-formed Data Set lie in its bytes, so that each part of one can be broken by itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from pydicom.datadict import dictionary_VR

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
SHORT_VRS = (
    *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM"),
    *("UI", "UL", "US"),
)
TEXT_VRS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
_ITEM_GROUP = 0xFFFE


@dataclass(frozen=True, slots=True)
class Field:
    """One element, item, fragment or delimiter.

    Attributes
    ----------
    start, end
        all of it, items included
    length_at, length_bytes
        where its length is, in 2 or 4 bytes
    value
        where its value begins
    vr
        empty for items, and with implicit VR
    depth
        number of enclosing sequences
    """

    start: int
    end: int
    tag: int
    vr: str
    length_at: int
    length_bytes: int
    value: int
    depth: int

    @property
    def is_item(self) -> bool:
        return self.tag >> 16 == _ITEM_GROUP


@dataclass(frozen=True)
class Seed:
    """A well-formed instance that mutants are made of.

    Attributes
    ----------
    syntax
        UID; of a deflated one `data` is what was deflated
    """

    name: str
    syntax: str
    data: bytes

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return walk(self.data, self.syntax)

    @cached_property
    def top(self) -> tuple[Field, ...]:
        """Elements of the Data Set itself."""
        return tuple(field for field in self.fields if field.depth == 0 and not field.is_item)

    @cached_property
    def containers(self) -> tuple[Field, ...]:
        """Items and sequences that say how long they are."""
        starts = {field.start for field in self.fields}
        return tuple(
            field
            for field in self.fields
            if field.value in starts
            and field.end > field.value
            and self.data[field.length_at : field.value] != b"\xff" * field.length_bytes
        )

    @property
    def order(self) -> str:
        return ">" if self.syntax == BIG_ENDIAN else "<"

    @property
    def is_implicit(self) -> bool:
        return self.syntax == IMPLICIT

    def find(self, tag: int) -> Field | None:
        return next((field for field in self.top if field.tag == tag), None)


def walk(data: bytes, syntax: str) -> tuple[Field, ...]:
    """List all that has a header, in the order of the bytes.

    Raises
    ------
    ValueError
        if the bytes are not well-formed
    """
    walker = _Walker(data, ">" if syntax == BIG_ENDIAN else "<", implicit=syntax == IMPLICIT)
    try:
        end = walker.elements(0, len(data), 0)
    except (struct.error, RecursionError):
        raise ValueError("not well-formed") from None
    if end != len(data):
        raise ValueError("not well-formed")
    return tuple(sorted(walker.found, key=lambda field: (field.start, -field.end)))


class _Walker:
    def __init__(self, data: bytes, order: str, *, implicit: bool) -> None:
        self.data, self.order, self.implicit = data, order, implicit
        self.found: list[Field] = []

    def elements(self, at: int, end: int, depth: int) -> int:
        """Walk to `end`, or to an Item Delimitation Item, which is walked too."""
        while at < end:
            group, number = struct.unpack_from(self.order + "HH", self.data, at)
            if group == _ITEM_GROUP:
                self.found.append(Field(at, at + 8, group << 16 | number, "", at + 4, 4, at + 8, depth))
                return at + 8
            at = self.element(at, group << 16 | number, depth)
        return at

    def element(self, at: int, tag: int, depth: int) -> int:
        vr, length_at, length_bytes = "", at + 4, 4
        if not self.implicit:
            vr = self.data[at + 4 : at + 6].decode("latin-1")
            length_at, length_bytes = (at + 8, 4) if vr in LONG_VRS else (at + 6, 2)
        value = length_at + length_bytes
        code = self.order + ("H" if length_bytes == 2 else "L")
        length = struct.unpack_from(code, self.data, length_at)[0]
        is_sequence = vr == "SQ" or (self.implicit and _vr_of(tag) == "SQ")
        if is_sequence or length == UNDEFINED:
            end = self.items(value, length, depth, fragments=vr in {"OB", "OW"})
        else:
            end = value + length
        if end > len(self.data):
            raise ValueError("not well-formed")
        self.found.append(Field(at, end, tag, vr, length_at, length_bytes, value, depth))
        return end

    def items(self, at: int, length: int, depth: int, *, fragments: bool) -> int:
        stop = len(self.data) if length == UNDEFINED else at + length
        while at < stop:
            group, number, item_length = struct.unpack_from(self.order + "HHL", self.data, at)
            tag = group << 16 | number
            if tag == 0xFFFEE0DD:
                self.found.append(Field(at, at + 8, tag, "", at + 4, 4, at + 8, depth))
                return at + 8
            if tag != 0xFFFEE000:
                raise ValueError("not well-formed")
            if fragments:
                end = at + 8 + item_length
            elif item_length == UNDEFINED:
                end = self.elements(at + 8, stop, depth + 1)
            else:
                end = self.elements(at + 8, at + 8 + item_length, depth + 1)
            self.found.append(Field(at, end, tag, "", at + 4, 4, at + 8, depth))
            at = end
        return at


def _vr_of(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"

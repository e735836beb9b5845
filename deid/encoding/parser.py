"""The parser of Data Sets (PS3.5 2024e Section 7 and Annex A).

One tight loop for explicit VR and one for implicit VR; what is rare in them (32-bit lengths, sequences, encapsulated
Pixel Data, malformations that real senders produce) is done out of line.
"""

from __future__ import annotations

import struct
from typing import Final

from deid.encoding.element import Buffer, DataSet, Element, Fragments
from deid.encoding.limits import Limits
from deid.encoding.syntax import TransferSyntax
from deid.encoding.tags import (
    DATA_SET_TRAILING_PADDING,
    ITEM,
    ITEM_DELIMITATION,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    SPECIFIC_CHARACTER_SET,
    UNDEFINED_LENGTH,
    show,
)
from deid.encoding.vr import LONG_VRS, MAX_SHORT_LENGTH_BYTES, SHORT_VRS, implied_vr, swapped_element
from deid.errors import Reason, Refused

_MAX_CHARSET_BYTES: Final = 1024
_FIRST_DELIMITER: Final = 0xFFFE0000
_LAST_DELIMITER: Final = 0xFFFEFFFF
_LITTLE: Final = struct.Struct("<HHL").unpack_from


def _codes(order: str, vrs: frozenset[str]) -> dict[int, str]:
    """Return VRs by their two letters read as a number."""
    return {struct.unpack(order + "H", vr.encode())[0]: vr for vr in sorted(vrs)}


_SHORT: Final = {order: _codes(order, SHORT_VRS) for order in "<>"}
_LONG: Final = {order: _codes(order, LONG_VRS) for order in "<>"}


def charset_of(value: Buffer) -> tuple[str, ...]:
    """Return the values of Specific Character Set (PS3.3 C.12.1.1.2), empty for the default repertoire.

    Raises
    ------
    Refused
        MALFORMED, when the value is longer than makes sense
    """
    if len(value) > _MAX_CHARSET_BYTES:
        raise Refused(Reason.MALFORMED, f"{show(SPECIFIC_CHARACTER_SET)} is too long")
    text = bytes(value).decode("latin-1").strip(" \0")
    return tuple(term.strip(" \0") for term in text.split("\\")) if text else ()


class Parser:
    """The bytes of one Data Set, and what is left of its limits.

    Parameters
    ----------
    view
        the bytes, not deflated; values will be slices of it
    syntax
        how they are encoded
    limits
        what they may ask for
    """

    __slots__ = (
        "_budget",
        "_encapsulated",
        "_header",
        "_item_header",
        "_length",
        "_little_endian",
        "_long",
        "_max_depth",
        "_short",
        "_view",
    )

    def __init__(self, view: memoryview, syntax: TransferSyntax, limits: Limits) -> None:
        order = "<" if syntax.little_endian else ">"
        self._view = view
        self._budget = limits.max_elements
        self._max_depth = limits.max_depth
        self._encapsulated = syntax.encapsulated
        self._little_endian = syntax.little_endian
        self._header = struct.Struct(order + "HHHH").unpack_from
        self._item_header = struct.Struct(order + "HHL").unpack_from
        self._length = struct.Struct(order + "L").unpack_from
        self._short = _SHORT[order]
        self._long = _LONG[order]

    def explicit(
        self, pos: int, end: int, inherited: tuple[str, ...] = (), depth: int = 0, *, delimited: bool = False
    ) -> tuple[DataSet, int]:
        """Read elements with explicit VR.

        Parameters
        ----------
        pos, end
            where the first element starts; where the Data Set, or what encloses it, ends
        inherited
            Specific Character Set of the enclosing Data Set
        depth
            number of enclosing sequences
        delimited
            an Item Delimitation Item ends the Data Set

        Returns
        -------
        DataSet, int
            the elements, and the position after them

        Raises
        ------
        Refused
            as `deid.encoding.reader.read_data_set`
        """
        view, header, short_get = self._view, self._header, self._short.get
        elements: dict[int, Element] = {}
        last, ordered, last_start = -1, True, end - 8
        while pos <= last_start:
            group, number, code, length = header(view, pos)
            tag = group << 16 | number
            vr = short_get(code)
            if vr is not None:
                start = pos + 8
                pos = start + length
                if pos > end:
                    raise _past_the_end(tag)
                element: Element | None = Element(tag, vr, view[start:pos])
                self._budget -= 1
            elif tag == ITEM_DELIMITATION and delimited:
                return self._finish(elements, last, inherited, ordered=ordered), pos + 8
            else:
                element, pos = self._uncommon(tag, code, pos, end, self._charset(elements, inherited), depth)
            if not number or element is None:
                _refuse_zeros(tag)
                continue
            if tag > last:
                last = tag
            else:
                ordered = False
                _refuse_duplicate(tag, elements)
            elements[tag] = element
            if self._budget < 0:
                raise Refused(Reason.TOO_LARGE, "too many elements")
        _check_end(pos, end, depth, delimited=delimited)
        return self._finish(elements, last, inherited, ordered=ordered), pos

    def implicit(
        self, pos: int, end: int, inherited: tuple[str, ...] = (), depth: int = 0, *, delimited: bool = False
    ) -> tuple[DataSet, int]:
        """Read elements with implicit VR, which is always little endian; otherwise as `explicit`."""
        view, header = self._view, _LITTLE
        elements: dict[int, Element] = {}
        last, ordered, last_start = -1, True, end - 8
        if not depth:
            self._refuse_explicit_vr(pos, end)
        while pos <= last_start:
            group, number, length = header(view, pos)
            tag = group << 16 | number
            if tag == ITEM_DELIMITATION and delimited:
                return self._finish(elements, last, inherited, ordered=ordered), pos + 8
            element, pos = self._implied(tag, length, pos + 8, end, elements, inherited, depth)
            if not number or tag == DATA_SET_TRAILING_PADDING:
                _refuse_zeros(tag)
                continue
            if tag > last:
                last = tag
            else:
                ordered = False
                _refuse_duplicate(tag, elements)
            elements[tag] = element
        _check_end(pos, end, depth, delimited=delimited)
        return self._finish(elements, last, inherited, ordered=ordered), pos

    def _implied(
        self,
        tag: int,
        length: int,
        start: int,
        end: int,
        elements: dict[int, Element],
        inherited: tuple[str, ...],
        depth: int,
    ) -> tuple[Element, int]:
        """Read the value of an element with implicit VR."""
        self._spend(1)
        vr = implied_vr(tag)
        if vr == "SQ" or length == UNDEFINED_LENGTH:
            if vr not in ("SQ", "UN"):
                raise Refused(Reason.MALFORMED, f"{show(tag)} is {vr} of undefined length")
            items, pos = self._sequence(
                tag, length, start, end, self._charset(elements, inherited), depth, implied=True
            )
            return Element(tag, vr, items), pos
        pos = start + length
        if pos > end:
            raise _past_the_end(tag)
        return Element(tag, vr, self._view[start:pos]), pos

    def _uncommon(
        self, tag: int, code: int, pos: int, end: int, charset: tuple[str, ...], depth: int
    ) -> tuple[Element | None, int]:
        """Read an element whose VR is none of those with a 16-bit length; None for one that is to be dropped."""
        vr = self._long.get(code)
        if vr is None and not _are_letters(code):
            return self._without_vr(tag, pos, end, charset, depth)
        start = pos + 12
        if start > end:
            raise _past_the_end(tag)
        length = self._length(self._view, pos + 8)[0]
        self._spend(1)
        if vr is None or vr == "UN":
            return self._unknown(tag, length, start, end, charset, depth)
        if vr == "SQ":
            items, pos = self._sequence(tag, length, start, end, charset, depth)
            return Element(tag, vr, items), pos
        if length == UNDEFINED_LENGTH:
            fragments, pos = self._fragments(tag, start, end)
            return Element(tag, vr, fragments), pos
        pos = start + length
        if pos > end:
            raise _past_the_end(tag)
        return None if tag == DATA_SET_TRAILING_PADDING else Element(tag, vr, self._view[start:pos]), pos

    def _without_vr(
        self, tag: int, pos: int, end: int, charset: tuple[str, ...], depth: int
    ) -> tuple[Element | None, int]:
        """Read an element with implicit VR among those with explicit VR, as some senders mix them."""
        if pos == 0 or _FIRST_DELIMITER <= tag <= _LAST_DELIMITER:
            raise Refused(Reason.MALFORMED, f"{show(tag)} has no VR")
        self._spend(1)
        length = self._length(self._view, pos + 4)[0]
        vr = implied_vr(tag)
        if length == UNDEFINED_LENGTH or vr == "SQ":
            items, pos = self._sequence(tag, length, pos + 8, end, charset, depth)
            return Element(tag, "SQ", items), pos
        start, pos = pos + 8, pos + 8 + length
        if pos > end:
            raise _past_the_end(tag)
        return Element(tag, vr, self._view[start:pos]), pos

    def _unknown(
        self, tag: int, length: int, start: int, end: int, charset: tuple[str, ...], depth: int
    ) -> tuple[Element, int]:
        """Read an element of VR ``UN``: always implicit VR little endian inside (PS3.5 Section 6.2.2)."""
        vr = implied_vr(tag)
        if length == UNDEFINED_LENGTH or vr == "SQ":
            items, pos = self._sequence(tag, length, start, end, charset, depth, implied=True)
            element = Element(tag, vr if vr == "SQ" else "UN", items)
        else:
            pos = start + length
            if pos > end:
                raise _past_the_end(tag)
            known = length <= MAX_SHORT_LENGTH_BYTES or vr in LONG_VRS
            element = Element(tag, vr if known else "UN", self._view[start:pos])
        return element if self._little_endian else swapped_element(element), pos

    def _sequence(
        self,
        tag: int,
        length: int,
        start: int,
        end: int,
        charset: tuple[str, ...],
        depth: int,
        *,
        implied: bool = False,
    ) -> tuple[list[DataSet], int]:
        """Read the items of a sequence (PS3.5 Section 7.5); return them and the position after."""
        if depth >= self._max_depth:
            raise Refused(Reason.TOO_DEEP, f"more than {self._max_depth} sequences within each other")
        delimited = length == UNDEFINED_LENGTH
        pos, stop = start, end if delimited else start + length
        if stop > end:
            raise _past_the_end(tag)
        header = _LITTLE if implied else self._item_header
        read = self.implicit if implied else self.explicit
        items: list[DataSet] = []
        while pos < stop or delimited:
            if pos + 8 > stop:
                raise _past_the_end(tag)
            group, number, item_length = header(self._view, pos)
            item_tag = group << 16 | number
            pos += 8
            if item_tag == SEQUENCE_DELIMITATION and delimited:
                break
            if item_tag != ITEM:
                raise Refused(Reason.MALFORMED, f"{show(tag)} holds {show(item_tag)} instead of an item")
            is_open = item_length == UNDEFINED_LENGTH
            item_end = stop if is_open else pos + item_length
            if item_end > stop:
                raise _past_the_end(tag)
            self._spend(1)
            item, pos = read(pos, item_end, charset, depth + 1, delimited=is_open)
            items.append(item)
        return items, pos

    def _fragments(self, tag: int, pos: int, end: int) -> tuple[Fragments, int]:
        """Read encapsulated Pixel Data (PS3.5 Section A.4); return it and the position after."""
        if tag != PIXEL_DATA or not self._encapsulated:
            raise Refused(Reason.MALFORMED, f"{show(tag)} is of undefined length and no sequence")
        view = self._view
        items: list[Buffer] = []
        while True:
            if pos + 8 > end:
                raise _past_the_end(tag)
            group, number, length = _LITTLE(view, pos)
            pos += 8
            item_tag = group << 16 | number
            if item_tag == SEQUENCE_DELIMITATION:
                break
            if item_tag != ITEM:
                raise Refused(Reason.MALFORMED, f"{show(tag)} holds {show(item_tag)} instead of a fragment")
            if pos + length > end:
                raise _past_the_end(tag)
            self._spend(1)
            items.append(view[pos : pos + length])
            pos += length
        if not items:
            raise Refused(Reason.MALFORMED, f"{show(tag)} has no Basic Offset Table item")
        return Fragments(items[0], items[1:]), pos

    def _charset(self, elements: dict[int, Element], inherited: tuple[str, ...]) -> tuple[str, ...]:
        """Return the Specific Character Set in force after these elements."""
        element = elements.get(SPECIFIC_CHARACTER_SET)
        if element is None:
            return inherited
        if not isinstance(element.value, (bytes, memoryview)):
            raise Refused(Reason.MALFORMED, f"{show(SPECIFIC_CHARACTER_SET)} is no string")
        return charset_of(element.value)

    def _finish(self, elements: dict[int, Element], last: int, inherited: tuple[str, ...], *, ordered: bool) -> DataSet:
        """Make the Data Set: its tags in order, its character set known to all that is nested in it."""
        if last >= _FIRST_DELIMITER and any(_FIRST_DELIMITER <= tag <= _LAST_DELIMITER for tag in elements):
            raise Refused(Reason.MALFORMED, "a delimiter where an element was expected")
        charset = self._charset(elements, inherited)
        if charset != inherited and (not ordered or next(iter(elements)) != SPECIFIC_CHARACTER_SET):
            elements = dict(sorted(elements.items()))
            _pass_on(elements, charset)
        elif not ordered:
            elements = dict(sorted(elements.items()))
        return DataSet(elements, charset)

    def _refuse_explicit_vr(self, pos: int, end: int) -> None:
        """Refuse a Data Set whose first element evidently has the explicit VR that its syntax rules out."""
        if pos + 8 > end:
            return
        group, number, length = _LITTLE(self._view, pos)
        tag = group << 16 | number
        vr = _SHORT["<"].get(length & 0xFFFF) or _LONG["<"].get(length & 0xFFFF)
        if vr is not None and (vr == implied_vr(tag) or pos + 8 + length > end):
            raise Refused(Reason.MALFORMED, f"{show(tag)} has explicit VR")

    def _spend(self, count: int) -> None:
        self._budget -= count
        if self._budget < 0:
            raise Refused(Reason.TOO_LARGE, "too many elements")


def _are_letters(code: int) -> bool:
    return 0x41 <= code >> 8 <= 0x5A and 0x41 <= code & 0xFF <= 0x5A


def _past_the_end(tag: int) -> Refused:
    return Refused(Reason.TRUNCATED, f"{show(tag)} passes the end")


def _refuse_duplicate(tag: int, elements: dict[int, Element]) -> None:
    if tag in elements:
        raise Refused(Reason.MALFORMED, f"{show(tag)} occurs twice")


def _refuse_zeros(tag: int) -> None:
    """Refuse (0000,0000): what looks like a group length of the command group is zeros behind the Data Set."""
    if not tag:
        raise Refused(Reason.TRAILING_BYTES, "zeros instead of an element")


def _check_end(pos: int, end: int, depth: int, *, delimited: bool) -> None:
    """Refuse what is left where no element fits any more."""
    if delimited:
        raise Refused(Reason.TRUNCATED, "an item has no delimiter")
    if pos != end:
        reason = Reason.MALFORMED if depth else Reason.TRAILING_BYTES
        raise Refused(reason, f"{end - pos} bytes after the last element")


def _pass_on(elements: dict[int, Element], charset: tuple[str, ...]) -> None:
    """Give the character set to the items that have none of their own, and were read before it."""
    for element in elements.values():
        if isinstance(element.value, list):
            for item in element.value:
                if SPECIFIC_CHARACTER_SET not in item.elements:
                    item.charset = charset
                    _pass_on(item.elements, charset)

"""Texts in UTF-8, whatever they came in (PS3.3 2024e Section C.12.1.1.2, PS3.5 2024e Section 6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.tags import SPECIFIC_CHARACTER_SET, show
from deid.encoding.text import BY_CHARSET_VRS, decode, encodings
from deid.encoding.vr import public_vr
from deid.errors import Reason, Refused

UTF8 = ("ISO_IR 192",)
"""Specific Character Set of what `in_utf8` returns."""

_ESC = 0x1B


@dataclass(frozen=True, slots=True)
class Recoded:
    """A Data Set in UTF-8, and what had to change for it.

    Attributes
    ----------
    data_set
        in UTF-8 at all depths
    texts
        what was not in UTF-8, as it was, each with the Data Set or Item that it was in
    declarations
        of each Specific Character Set that is another now, or gone, the tag of the Sequence it was in; 0 at the top
        level, where it is another, and elsewhere gone
    """

    data_set: DataSet
    texts: tuple[tuple[DataSet, Element], ...]
    declarations: tuple[int, ...]


def in_utf8(data_set: DataSet) -> Recoded:
    """Encode every text of a Data Set in UTF-8, and say so once, at the top level.

    Parameters
    ----------
    data_set
        with the character sets in force known in it and in its items; it is not changed

    Returns
    -------
    Recoded
        A text has as many characters as before, so that it is within its VR's limit if it was. What is ASCII stays as
        it is, byte for byte, and Specific Character Set stays absent where all is and nothing was declared. Opaque
        values stay too: nobody knows what of them is text.

    Raises
    ------
    Refused
        UNDECODABLE_TEXT, when a text is neither in its own character set nor in UTF-8.
    """
    recoder = _Recoder()
    out = recoder.data_set(data_set, 0)
    elements = out.elements
    declared = data_set.elements.get(SPECIFIC_CHARACTER_SET)
    if declared is not None and _is_utf8_term(declared):
        elements[SPECIFIC_CHARACTER_SET] = declared
        recoder.declarations.remove(0)
    elif recoder.declarations or recoder.is_beyond_ascii:
        elements[SPECIFIC_CHARACTER_SET] = Element(SPECIFIC_CHARACTER_SET, "CS", UTF8[0].encode("ascii"))
    out.elements = dict(sorted(elements.items()))
    return Recoded(out, tuple(recoder.texts), tuple(recoder.declarations))


def _is_utf8_term(element: Element) -> bool:
    return isinstance(element.value, bytes | memoryview) and bytes(element.value).strip(b" ") == UTF8[0].encode("ascii")


@dataclass(slots=True)
class _Recoder:
    """One walk over a Data Set; what it changes, as in `Recoded`.

    Attributes
    ----------
    is_beyond_ascii
        whether a text needs Specific Character Set to be declared, though none may have been left
    """

    texts: list[tuple[DataSet, Element]] = field(default_factory=list)
    declarations: list[int] = field(default_factory=list)
    is_beyond_ascii: bool = False

    def data_set(self, source: DataSet, parent: int) -> DataSet:
        """Return a Data Set or Item in UTF-8, without Specific Character Set."""
        elements = dict(source.elements)
        if elements.pop(SPECIFIC_CHARACTER_SET, None) is not None:
            self.declarations.append(parent)
        for tag, element in elements.items():
            value = element.value
            if isinstance(value, list):
                elements[tag] = Element(tag, element.vr, [self.data_set(item, tag) for item in value])
            elif not isinstance(value, Fragments) and element.vr in _LOOKED_AT_VRS:
                elements[tag] = self._text(element, bytes(value), source)
        return DataSet(elements, UTF8)

    def _text(self, element: Element, value: bytes, owner: DataSet) -> Element:
        if value.isascii() and _ESC not in value:
            return element
        vr = element.vr if element.vr != "UN" else public_vr(element.tag) or "UN"
        if vr not in BY_CHARSET_VRS:
            return element
        self.is_beyond_ascii = True
        if encodings(owner.charset) == ("utf_8",):
            return element
        text = _decoded(Element(element.tag, vr, value), owner.charset)
        self.texts.append((owner, Element(element.tag, vr, value)))
        # Padding goes: UTF-8 may need one byte more or less of it, which would count as a character.
        return Element(element.tag, element.vr, text.rstrip(" \0").encode("utf-8"))


_LOOKED_AT_VRS = BY_CHARSET_VRS | {"UN"}


def _decoded(element: Element, charset: tuple[str, ...]) -> str:
    """Decode in the character set in force, or else in UTF-8: nothing else looks like it."""
    for terms in (charset, UTF8):
        try:
            text = decode(element.value, element.vr, terms)  # type: ignore[arg-type]  # a leaf
        except Refused:
            continue
        # An escape that is left, as GB18030 lets it, was meant to shift to a repertoire nobody declared.
        if chr(_ESC) not in text:
            return text
    raise Refused(Reason.UNDECODABLE_TEXT, f"{show(element.tag)} is not in its character set")

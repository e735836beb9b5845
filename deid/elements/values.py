"""What stays is what its VR says: the form of PS3.5 Table 6.2-1, as many values as PS3.6 gives the attribute, no more.

A code, a number or a UID has no room for a name if it is held to its form. Deviations that real devices are known for
(long decimals, integers with a point, codes in lower case) have none either, and stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import get_entry

from deid.elements.dummies import dummy_element
from deid.encoding.element import Buffer, Element, Fragments, Pieces
from deid.encoding.tags import SPECIFIC_CHARACTER_SET
from deid.encoding.text import decode, encode, known_terms
from deid.encoding.vr import WORD_BYTES
from deid.errors import Refused
from deid.standard import is_defined_term

_LONGEST_REMEMBERED_BYTES = 256
_BULK_BYTES = 2048
_MOST_VALUE_CHARS = 32
_TAG_BYTES = 4
_LONGEST_CUT_BYTES = 4
_PRIVATE = 0x10000

_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_PIXEL_GROUP = 0x7FE0
_ENCAPSULATED = frozenset({"OB", "OW", "UN"})
_STRINGS = _TEXTS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_ONE_TEXT = frozenset({"LT", "ST", "UR", "UT"})
"""Where a backslash is a character like others."""

# One value of each VR. Possessive throughout: time grows with the length and no faster.
_NUMBER = rb"[+-]?+(?:\d{1,16}+(?:[.,]\d{0,24}+)?+|[.,]\d{1,24}+)(?:[eE][+-]?+\d{1,3}+)?+"
_VALUE = {
    "AE": rb"[!-\[\]-~][ -\[\]-~]{0,15}+",
    "AS": rb"\d{3}[DWMYdwmy]",
    "CS": rb"[A-Za-z0-9_.+/:#*%-][A-Za-z0-9_ .+/:#*%-]{0,15}+",
    "DA": rb"\d{4}+(?:\.?+\d\d){2}+",
    "DS": _NUMBER + rb"|[+-]?+(?:nan|NaN|NAN|inf|Inf|INF)",
    "DT": rb"\d{4}(?:\d\d){0,5}+(?:\.\d{1,6}+)?+(?:[+-]\d{4})?+",
    "IS": _NUMBER,
    "TM": rb"\d\d(?::?+\d\d){0,2}+(?:\.\d{1,6}+)?+",
    "UI": rb"\d[0-9.]{0,63}+",
    "UR": rb"(?:urn|oid|https?):[!-~]{1,1024}+",
}
_PATTERNS = {
    vr: re.compile(rb" *+(?:(?:%b) *+)?+(?:\\ *+(?:(?:%b) *+)?+)*+" % (value, value)) for vr, value in _VALUE.items()
}
_OF_NUMBERS = b"0123456789+-.,eE \\"


@dataclass(frozen=True, slots=True)
class _Form:
    """What an element of one tag and VR may hold.

    Attributes
    ----------
    is_apt
        the VR is of the kind that PS3.6 gives the attribute
    is_free
        nothing is held to a form: bytes
    most
        number of values, 0 for any
    word_bytes
        size of one number, 0 for strings
    vr
        the one that says how to read the value: PS3.6's for ``UN``
    patterns
        all of which a string has to match
    """

    is_apt: bool
    is_free: bool
    most: int
    word_bytes: int
    vr: str
    patterns: tuple[re.Pattern[bytes], ...]


@lru_cache(maxsize=8192)
def _form(tag: int, vr: str) -> _Form:
    choices, most = _entry(tag, vr)
    actual = choices[0] if vr == "UN" else vr
    is_apt = actual in choices or any(_alike(actual, choice) for choice in choices)
    held_to = dict.fromkeys((actual, *(choice for choice in choices if choice in _STRINGS and actual in _STRINGS)))
    patterns = tuple(_PATTERNS[name] for name in held_to if name in _PATTERNS)
    word_bytes = (_TAG_BYTES if actual == "AT" else WORD_BYTES[actual]) if actual in _NUMBERS else 0
    is_free = actual in _BYTES or actual in {"UN", "SQ"}
    is_countless = actual in _ONE_TEXT or not _BYTES.isdisjoint(choices)
    return _Form(is_apt, is_free, 0 if is_countless else most, word_bytes, actual, patterns)


def _entry(tag: int, vr: str) -> tuple[tuple[str, ...], int]:
    """Return the VRs and the largest number of values that PS3.6 gives an attribute; a private one's are open."""
    if tag & _PRIVATE:
        return (vr,), 0
    try:
        entry = get_entry(tag)
    except KeyError:
        return (vr,), 0
    most = entry[1].rsplit("-", maxsplit=1)[-1]
    return tuple(entry[0].split(" or ")), int(most) if most.isdigit() else 0


def _alike(actual: str, choice: str) -> bool:
    """Tell whether a VR is of the same kind as that of PS3.6; numbers where bytes are due hide no more than bytes."""
    return (
        (actual in _STRINGS and choice in _STRINGS)
        or (actual in _NUMBERS and choice in _NUMBERS | _BYTES)
        or (actual in _BYTES and choice in _BYTES)
    )


def fitted(element: Element, charset: tuple[str, ...]) -> Element | None:
    """Return a leaf that is to stay as it is, or shortened to what belongs to its value.

    Parameters
    ----------
    element
        as it came
    charset
        Specific Character Set in force

    Returns
    -------
    Element or None
        None if the VR isn't the attribute's, or the value is none of that VR, or a text isn't in the character set
        that it is said to be in. A text in UTF-8 stays whatever is declared, since nothing else looks like it.
    """
    value = element.value
    if isinstance(value, list | Fragments | Pieces):
        return None if isinstance(value, Fragments) and not _may_be_encapsulated(element) else element
    form = _form(element.tag, element.vr)
    length = len(value)
    if not form.is_apt:
        return None if length else element
    if form.is_free or not length:
        return element
    if form.word_bytes:
        return _numbers(element, value, form)
    settle = _settled_before if length <= _LONGEST_REMEMBERED_BYTES else _settled
    kept = settle(element.tag, element.vr, bytes(value), charset)
    if kept is None:
        return None
    return element if kept == value else Element(element.tag, element.vr, kept)


def _may_be_encapsulated(element: Element) -> bool:
    """Tell whether fragments are where they may be: only pixels are, as bytes (PS3.5 Section A.4)."""
    return element.tag >> 16 == _PIXEL_GROUP and element.vr in _ENCAPSULATED


def _numbers(element: Element, value: Buffer, form: _Form) -> Element | None:
    """Return whole numbers, as many as the attribute has; none if what would be left of more could be a word."""
    kept_bytes = len(value) - len(value) % form.word_bytes
    if form.most:
        kept_bytes = min(kept_bytes, form.most * form.word_bytes)
    if kept_bytes == len(value):
        return element
    return None if kept_bytes > _LONGEST_CUT_BYTES else Element(element.tag, element.vr, value[:kept_bytes])


def _settled(tag: int, vr: str, value: bytes, charset: tuple[str, ...]) -> bytes | None:
    """Return what of a string belongs to its value; None if it is not one of its VR."""
    form = _form(tag, vr)
    whole = value.rstrip(b"\0 ")
    text = whole.partition(b"\0")[0]
    kept: bytes | None
    if tag == SPECIFIC_CHARACTER_SET:
        kept = _terms_alone(text)
    elif form.vr in _TEXTS:
        kept = _text(text, form, charset)
    else:
        kept = _string(_first_values(text, form.most), form)
    return value if kept == whole else kept


_settled_before = lru_cache(maxsize=16384)(_settled)  # a series repeats most of its values


def _terms_alone(text: bytes) -> bytes:
    terms = [term.strip(" ") for term in text.decode("latin-1").split("\\")]
    known = known_terms(tuple(terms))
    return text if len(known) == len(terms) else "\\".join(known).encode("latin-1")


def _first_values(text: bytes, most: int) -> bytes:
    if not most or text.count(b"\\") < most:
        return text
    return b"\\".join(text.split(b"\\", most)[:most])


def _string(text: bytes, form: _Form) -> bytes | None:
    """Return a string if it is of its VR; of several codes those that aren't give way to empty values."""
    if len(text) > _BULK_BYTES and form.vr in {"DS", "IS"}:
        is_of_numbers = not text.translate(None, _OF_NUMBERS) and max(map(len, text.split(b"\\"))) <= _MOST_VALUE_CHARS
        return text if is_of_numbers else None
    if all(pattern.fullmatch(text) for pattern in form.patterns):
        return text
    if form.vr != "CS" or len(form.patterns) > 1:
        return None
    values = text.split(b"\\")
    fitting = [value if _is_code(value) else b"" for value in values]
    return b"\\".join(fitting) if any(value.strip(b" ") for value in fitting) else None


def _is_code(value: bytes) -> bool:
    return _PATTERNS["CS"].fullmatch(value) is not None or (value.isascii() and is_defined_term(value.decode("ascii")))


def _text(text: bytes, form: _Form, charset: tuple[str, ...]) -> bytes | None:
    """Return a text, cut behind the last of its values, if its bytes are what they are declared to be."""
    if text.isascii() and b"\x1b" not in text:
        kept = _first_values(text, form.most)
    else:
        readable = _readable(text, form, charset)
        if readable is None:
            return None
        kept = readable
    return kept if all(pattern.fullmatch(kept) for pattern in form.patterns) else None


def _readable(text: bytes, form: _Form, charset: tuple[str, ...]) -> bytes | None:
    try:
        decoded = decode(text, form.vr, charset)
    except Refused:
        return _utf8(text, form)
    if "\x1b" in decoded:
        return None  # an escape sequence in a repertoire that has none: the label is wrong
    if not form.most or decoded.count("\\") < form.most:
        return text
    try:
        return encode("\\".join(decoded.split("\\", form.most)[: form.most]), charset)
    except Refused:
        return None


def _utf8(text: bytes, form: _Form) -> bytes | None:
    try:
        text.decode("utf-8")
    except UnicodeError:
        return None
    return _first_values(text, form.most) if b"\x1b" not in text else None


def stand_in(element: Element, type_: str | None, uid_key: bytes) -> Element | None:
    """Return what stands for a value that may not stay, as the attribute's Type in the IOD demands.

    Parameters
    ----------
    element
        as it came
    type_
        ``1``, ``1C``, ``2``, ``2C``, ``3`` or None
    uid_key
        key of the UID mapping

    Returns
    -------
    Element or None
        A dummy for Type 1, an empty element for Type 2, None for others; in PS3.6's VR if the element's isn't.
    """
    if element.tag & _PRIVATE or element.tag == SPECIFIC_CHARACTER_SET or type_ not in {"1", "1C", "2", "2C"}:
        return None
    choices, _ = _entry(element.tag, element.vr)
    vr = element.vr if element.vr in choices else choices[0]
    if type_ in {"2", "2C"} or vr == "SQ":
        return Element(element.tag, vr, [] if vr == "SQ" else b"")
    return dummy_element(Element(element.tag, vr, b""), uid_key)

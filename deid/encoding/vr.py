"""Value Representations as tables (PS3.5 2024e Table 6.2-1, Section 7.1.2 and Section 7.8.1)."""

from __future__ import annotations

from array import array
from typing import Final

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from deid.encoding.element import Buffer, DataSet, Element
from deid.encoding.tags import show
from deid.errors import Reason, Refused

SHORT_VRS: Final = frozenset(
    (
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    )
)
"""VRs with a 16-bit length in Explicit VR (PS3.5 Table 7.1-2)."""

LONG_VRS: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
"""VRs with two reserved bytes and a 32-bit length in Explicit VR (PS3.5 Table 7.1-1)."""

MAX_SHORT_LENGTH_BYTES: Final = 0xFFFE
"""The longest even value whose length fits the 16-bit field."""

TEXT_VRS: Final = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT")
)
"""Character strings padded with a space; UI is padded with NUL (PS3.5 Section 6.2)."""

WORD_BYTES: Final[dict[str, int]] = (
    dict.fromkeys(("AT", "OW", "SS", "US"), 2)
    | dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4)
    | dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
)
"""Size of the words that byte ordering swaps; other VRs are strings of single bytes (PS3.5 Section 7.3)."""

SIGNED_BY_PIXEL_REPRESENTATION: Final = frozenset(
    tag for tag, entry in DicomDictionary.items() if entry[0].startswith("US or SS")
)
"""Elements which are US or SS as Pixel Representation (0028,0103) says (PS3.5 Section A.1 and PS3.6)."""

_AMBIGUOUS: Final = {
    "US or SS": "US",
    "US or SS or OW": "OW",
    "US or OW": "OW",
    "OB or OW": "OW",
    "NONE": "UN",
}
_TYPECODES: Final = {2: "H", 4: "I", 8: "Q"}
_PUBLIC: Final[dict[int, str]] = {tag: _AMBIGUOUS.get(entry[0], entry[0]) for tag, entry in DicomDictionary.items()}


def _repeaters() -> tuple[tuple[int, int, str], ...]:
    """Return the repeating groups and elements as (mask, tag, VR)."""
    rows = []
    for pattern, entry in RepeatersDictionary.items():
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        rows.append((mask, int(pattern.replace("x", "0"), 16), _AMBIGUOUS.get(entry[0], entry[0])))
    return tuple(rows)


_REPEATERS: Final = _repeaters()


def public_vr(tag: int) -> str | None:
    """Return the VR of a standard element, None for one that PS3.6 doesn't know.

    Where PS3.6 leaves a choice, ``US`` stands for "US or SS" and ``OW`` for every choice with OW in it.
    """
    vr = _PUBLIC.get(tag)
    if vr is None and not tag & 0x10000:
        vr = next((row[2] for row in _REPEATERS if tag & row[0] == row[1]), None)
    return vr


def implied_vr(tag: int) -> str:
    """Return the VR that a reader has to assume where none is encoded.

    ``LO`` for Private Creators (PS3.5 Section 7.8.1), ``UN`` for what is private or unknown.
    """
    if tag & 0x10000:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    return public_vr(tag) or "UN"


def swapped(value: Buffer, vr: str, tag: int) -> Buffer:
    """Return a value in the other byte order; itself if it is a string of single bytes.

    Raises
    ------
    Refused
        MALFORMED, when the value isn't a whole number of words
    """
    word_bytes = WORD_BYTES.get(vr)
    if word_bytes is None:
        return value
    if len(value) % word_bytes:
        raise Refused(Reason.MALFORMED, f"{show(tag)} is no whole number of {vr} values")
    words = array(_TYPECODES[word_bytes], bytes(value))
    words.byteswap()
    return words.tobytes()


def swapped_element(element: Element) -> Element:
    """Return an element in the other byte order, and all that is nested in it.

    Raises
    ------
    Refused
        MALFORMED, when a value isn't a whole number of words
    """
    value = element.value
    if isinstance(value, list):
        value = [_swapped_item(item) for item in value]
    elif isinstance(value, (bytes, memoryview)):
        value = swapped(value, element.vr, element.tag)
    return Element(element.tag, element.vr, value)


def _swapped_item(item: DataSet) -> DataSet:
    return DataSet({tag: swapped_element(element) for tag, element in item.elements.items()}, item.charset)

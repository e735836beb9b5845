"""Private elements that may stay (PS3.15 Section E.3.10): blocks, opaque values, dates and UIDs in them."""

from __future__ import annotations

import re
import struct

from deid.elements.dates import SHIFT_BY_VR, shift_da, shift_dt, shift_value
from deid.elements.uids import map_ui_value
from deid.encoding.element import Buffer, DataSet, Element
from deid.encoding.limits import Limits
from deid.encoding.reader import read_data_set
from deid.encoding.vr import WORD_BYTES, swapped_element
from deid.errors import Reason, Refused

PRIVATE = 0x10000
"""Bit of a tag that is set in odd groups (PS3.5 Section 7.8)."""

OPAQUE_VRS = frozenset({"OB", "OW", "UN"})
"""VRs of a value that nobody described; what they hold may still be known."""

_IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_SPECIFIC_CHARACTER_SET = 0x0008_0005
_ANY_SEQUENCE = 0x0008_1115
_FIRST_ITEM = b"\xfe\xff\x00\xe0"
_FIRST_CREATOR, _LAST_CREATOR = 0x10, 0xFF
_SECONDS_A_DAY = 86_400
_EARLIEST_EPOCH, _LATEST_EPOCH = 400_000_000, 4_102_444_800  # 1982 to 2100: smaller numbers are durations

_NUMBERS = {"SL": "i", "UL": "I", "SV": "q", "UV": "Q", "FD": "d"}
_TEXT = re.compile(rb"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]*")
_FITTING = {
    "AS": re.compile(rb"[0-9DWMY \\]*"),
    "CS": re.compile(rb"[A-Za-z0-9_ \\+\-.:/]*"),
    "DA": re.compile(rb"[0-9.\-: \\]*"),
    "DS": re.compile(rb"[0-9eE+\-. \\]*"),
    "DT": re.compile(rb"[0-9.:+\- \\]*"),
    "IS": re.compile(rb"[0-9+\- \\]*"),
    "TM": re.compile(rb"[0-9.:\- \\]*"),
    "UI": re.compile(rb"[0-9. \\]*"),
    **dict.fromkeys(("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"), _TEXT),
}
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)+")
_DATE_WITH_SEPARATORS = re.compile(r"(\d{4})([-/])(\d{2})\2(\d{2})(?:([ T])(\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?))?")


def is_creator(tag: int) -> bool:
    """Tell whether a private tag is that of a Private Creator, (gggg,0010) to (gggg,00FF)."""
    return _FIRST_CREATOR <= tag & 0xFFFF <= _LAST_CREATOR


def block_of_creator(tag: int) -> int:
    """Return the block that a Private Creator reserves: of (gggg,00bb) 0xGGGGBB."""
    return tag >> 16 << 8 | tag & 0xFF


def block_of(tag: int) -> int:
    """Return the block of a private element: of (gggg,bbee) 0xGGGGBB."""
    return tag >> 8


def creator_name(element: Element) -> str:
    """Return the value of a Private Creator without padding, empty if there is none."""
    if not isinstance(element.value, bytes | memoryview):
        return ""
    return bytes(element.value).decode("latin-1").strip(" \0")


def drop_unowned(data_set: DataSet) -> list[int]:
    """Remove Private Creators without elements, and elements without creator; return the tags that went."""
    private = [tag for tag in data_set.elements if tag & PRIVATE]
    used = {block_of(tag) for tag in private if not is_creator(tag)}
    owned = {block_of_creator(tag) for tag in private if is_creator(tag)}
    gone = [
        tag for tag in private if (block_of_creator(tag) not in used if is_creator(tag) else block_of(tag) not in owned)
    ]
    for tag in gone:
        del data_set.elements[tag]
    return gone


# Values that came without their VR


def disclosed(element: Element, vr: str, charset: tuple[str, ...], *, little_endian: bool) -> Element | None:
    """Return a private element with the VR that it is known to have; None if it holds items that can't be read.

    Parameters
    ----------
    element
        as it came; one whose VR says what it is stays as it is
    vr
        the known VR, ``UN`` if nobody knows
    charset
        Specific Character Set in force, for items in it
    little_endian
        byte order of the transfer syntax

    Notes
    -----
    An opaque value that is known to be a Sequence, or begins as one, is read as Implicit VR Little Endian (PS3.5
    Section 6.2.2); nothing in it can hide then. UN becomes the known VR if the value is one of that VR.
    """
    value = element.value
    if element.vr not in OPAQUE_VRS or not isinstance(value, bytes | memoryview):
        return element
    if vr == "SQ" or bytes(value[:4]) == _FIRST_ITEM:
        items = _items(value, charset)
        if items is None:
            return None
        sequence = Element(element.tag, "SQ", items)
        return sequence if little_endian else swapped_element(sequence)
    if element.vr != "UN" or vr == "UN" or not _fits(value, vr):
        return element
    known = Element(element.tag, vr, value)
    return known if little_endian else swapped_element(known)


def _items(value: Buffer, charset: tuple[str, ...]) -> list[DataSet] | None:
    """Read items with implicit VR, None if that is not strictly what they are."""
    term = "\\".join(charset).encode("latin-1")
    term += b" " * (len(term) % 2)
    head = _header(_SPECIFIC_CHARACTER_SET, len(term)) + term if charset else b""
    data = head + _header(_ANY_SEQUENCE, len(value)) + bytes(value)
    try:
        read = read_data_set(data, _IMPLICIT_VR_LITTLE_ENDIAN, Limits())
    except Refused as refusal:
        if refusal.reason in {Reason.TOO_DEEP, Reason.TOO_LARGE}:
            raise
        return None
    items = read.elements[_ANY_SEQUENCE].value
    return items if isinstance(items, list) else None


def _header(tag: int, length: int) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)


def _fits(value: Buffer, vr: str) -> bool:
    word_bytes = WORD_BYTES.get(vr)
    if word_bytes is not None:
        return len(value) % word_bytes == 0
    pattern = _FITTING.get(vr)
    return pattern is None or pattern.fullmatch(bytes(value).rstrip(b"\0")) is not None


# Dates and UIDs


def shift_private(element: Element, days: int) -> bytes | None:
    """Shift a private date, be it DA, DT or a date in a text; None if there is none that can be read."""
    value = element.value
    if not isinstance(value, bytes | memoryview) or (element.vr in WORD_BYTES and element.vr not in OPAQUE_VRS):
        return None
    if element.vr in SHIFT_BY_VR:
        return shift_value(element.vr, bytes(value), days)
    shifted = [_shift_text(part, days) for part in bytes(value).decode("latin-1").rstrip("\0 ").split("\\")]
    return None if None in shifted else "\\".join(map(str, shifted)).encode("latin-1")


def _shift_text(text: str, days: int) -> str | None:
    """Shift ``YYYYMMDD``, a DT, ``YYYY-MM-DD`` or ``YYYY/MM/DD``, the last two with or without a time."""
    if not text.strip(" "):
        return text
    match = _DATE_WITH_SEPARATORS.fullmatch(text.strip(" "))
    if match is None:
        return shift_da(text, days) or (shift_dt(text, days) if len(text.strip(" ")) >= 8 else None)
    year, separator, month, day, blank, time = match.groups()
    moved = shift_da(year + month + day, days)
    if moved is None:
        return None
    return separator.join((moved[:4], moved[4:6], moved[6:])) + (f"{blank}{time}" if time else "")


def shift_epoch(element: Element, days: int, *, little_endian: bool) -> bytes | None:
    """Shift a date in seconds since 1970, be it a number or written in digits; None if there is none.

    Zero, which stands for no date, stays. A value before 1982 or after 2100 is taken for something else.
    """
    value = element.value
    if not isinstance(value, bytes | memoryview):
        return None
    code = _NUMBERS.get(element.vr)
    if code is None:
        return _shift_digits(bytes(value), days) if element.vr not in WORD_BYTES else None
    layout = struct.Struct(("<" if little_endian else ">") + code)
    if len(value) % layout.size:
        return None
    moved = [_moved(number, days) for (number,) in layout.iter_unpack(bytes(value))]
    return None if None in moved else b"".join(layout.pack(number) for number in moved)


def _shift_digits(value: bytes, days: int) -> bytes | None:
    shifted: list[bytes] = []
    for part in value.rstrip(b"\0 ").split(b"\\"):
        text = part.strip(b" ")
        moved = _moved(int(text), days) if text.isdigit() and len(text) <= 10 else None
        if moved is None and text:
            return None
        shifted.append(str(moved).encode("ascii") if text else b"")
    return b"\\".join(shifted)


def _moved(seconds: float, days: int) -> float | None:
    if not seconds:
        return seconds
    return seconds + days * _SECONDS_A_DAY if _EARLIEST_EPOCH <= seconds <= _LATEST_EPOCH else None


def map_private_uids(element: Element, key: bytes) -> bytes | None:
    """Replace the UIDs of a private element, whatever its VR; None if it holds anything else."""
    value = element.value
    if not isinstance(value, bytes | memoryview):
        return None
    text = bytes(value).rstrip(b"\0 ")
    if all(not part.strip(b" ") or _UID.fullmatch(part.strip(b" ")) for part in text.split(b"\\")):
        return map_ui_value(key, text)
    return None

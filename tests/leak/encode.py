"""A writer of Data Sets that writes whatever it is told to, however wrong (PS3.5 Section 7 and Annex A).

It shares no code with `deid`, nor with pydicom, which would refuse much of what has to be planted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"

NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)

_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_WORD_BYTES = {"AT": 2, "OW": 2, "SS": 2, "US": 2, "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4} | {
    "FD": 8,
    "OD": 8,
    "OV": 8,
    "SV": 8,
    "UV": 8,
}
_OPEN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Pixel Data in fragments: the bytes of the Basic Offset Table's item, and those of each fragment."""

    table: bytes
    fragments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class El:
    """One element to be written.

    Attributes
    ----------
    tag, vr
        as they will stand in the bytes
    value
        little endian bytes, items, or fragments
    is_open
        items and sequence get undefined lengths
    """

    tag: int
    vr: str
    value: bytes | Sequence[Sequence[El]] | Encapsulated
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that stand as they are where an element would."""

    tag: int
    encoded: bytes


def data_set(elements: Iterable[El | Raw], syntax: str) -> bytes:
    """Encode elements in the order given; deflate them where the syntax says so."""
    order = ">" if syntax == BIG_ENDIAN else "<"
    encoded = b"".join(_element(element, order, is_implicit=syntax == IMPLICIT) for element in elements)
    return deflate(encoded) if syntax == DEFLATED else encoded


def deflate(data: bytes) -> bytes:
    """Return a raw deflate stream."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def _element(element: El | Raw, order: str, *, is_implicit: bool) -> bytes:
    if isinstance(element, Raw):
        return element.encoded
    value, length = _value(element, order, is_implicit=is_implicit)
    tag = struct.pack(order + "HH", element.tag >> 16, element.tag & 0xFFFF)
    if is_implicit:
        return tag + struct.pack("<L", length) + value
    vr = element.vr.encode("ascii")
    if element.vr in _LONG:
        return tag + vr + struct.pack(order + "HL", 0, length) + value
    return tag + vr + struct.pack(order + "H", length) + value


def _value(element: El, order: str, *, is_implicit: bool) -> tuple[bytes, int]:
    value = element.value
    if isinstance(value, bytes):
        encoded = swapped(value, _WORD_BYTES.get(element.vr, 1)) if order == ">" else value
        return encoded, len(encoded)
    if isinstance(value, Encapsulated):
        items = b"".join(
            struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in (value.table, *value.fragments)
        )
        return items + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), _OPEN
    if element.vr == "UN":  # always implicit VR little endian inside (PS3.5 Section 6.2.2)
        order, is_implicit = "<", True
    encoded = b"".join(_item(item, order, is_implicit=is_implicit, is_open=element.is_open) for item in value)
    if element.is_open:
        return encoded + struct.pack(order + "HHL", 0xFFFE, 0xE0DD, 0), _OPEN
    return encoded, len(encoded)


def _item(item: Sequence[El], order: str, *, is_implicit: bool, is_open: bool) -> bytes:
    encoded = b"".join(_element(element, order, is_implicit=is_implicit) for element in item)
    header = struct.pack(order + "HHL", 0xFFFE, 0xE000, _OPEN if is_open else len(encoded))
    return header + encoded + (struct.pack(order + "HHL", 0xFFFE, 0xE00D, 0) if is_open else b"")


def swapped(value: bytes, word_bytes: int) -> bytes:
    """Reverse the bytes of each word; what is no whole word stays."""
    whole = len(value) // word_bytes * word_bytes
    words = (value[at : at + word_bytes][::-1] for at in range(0, whole, word_bytes))
    return b"".join(words) + value[whole:]


def even(value: bytes, padding: bytes = b"\0") -> bytes:
    """Pad to an even length."""
    return value + padding * (len(value) % 2)


def part10(data: bytes, syntax: str, preamble: bytes = bytes(128), meta: Sequence[El] = ()) -> bytes:
    """Return a file with the File Meta Information that must be, and `meta` beside or instead of it."""
    elements = {
        element.tag: element
        for element in (
            El(0x0002_0001, "OB", b"\0\1"),
            El(0x0002_0002, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
            El(0x0002_0003, "UI", b"1.2.3.4\0"),
            El(0x0002_0010, "UI", even(syntax.encode("ascii"))),
            El(0x0002_0012, "UI", b"1.2.3\0"),
            *meta,
        )
    }
    encoded = data_set([elements[tag] for tag in sorted(elements)], EXPLICIT)
    length = data_set([El(0x0002_0000, "UL", struct.pack("<L", len(encoded)))], EXPLICIT)
    return preamble[:128].ljust(128, b"\0") + b"DICM" + length + encoded + data

"""ICC profiles with what colours need and nothing else (ICC.1:2022, PS3.3 Section C.11.15)."""

from __future__ import annotations

import struct

_HEADER_BYTES = 128
_ENTRY_BYTES = 12
_MOST_TAGS = 64
_SIGNATURE = b"acsp"
_DATE = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
_TEXT = b"removed"

# Tags whose values are numbers (ICC.1:2022 Section 9.2), and their types.
_NUMBERS = frozenset(
    {
        *(b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"bkpt", b"lumi", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"chad", b"chrm"),
        *(b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"gamt", b"pre0", b"pre1", b"pre2", b"tech", b"meas"),
        *(b"cicp", b"rig0", b"rig2"),
    }
)
_TEXTS = (b"desc", b"cprt")
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
_FIXED_BYTES = {b"XYZ ": 20, b"sf32": 44, b"sig ": 12, b"meas": 36, b"chrm": 36, b"cicp": 12}


def strip_icc(profile: bytes) -> bytes | None:
    """Return a profile made of the tags that colours need, with fixed texts; None if it can't be read.

    The result is the same for all that comes out of here, so that cleaning it again changes nothing.
    """
    tags = _tags(profile)
    if tags is None:
        return None
    is_new = profile[8] >= 4
    kept = {signature: value for signature, value in tags.items() if signature in _NUMBERS and value is not None}
    kept |= {signature: _text(signature, is_new=is_new) for signature in _TEXTS}
    return _written(profile, kept)


def _tags(profile: bytes) -> dict[bytes, bytes | None] | None:
    if len(profile) < _HEADER_BYTES + 4 or profile[36:40] != _SIGNATURE:
        return None
    count = int.from_bytes(profile[_HEADER_BYTES : _HEADER_BYTES + 4])
    first = _HEADER_BYTES + 4
    if not count or count > _MOST_TAGS or first + count * _ENTRY_BYTES > len(profile):
        return None
    entries = struct.iter_unpack(">4sLL", profile[first : first + count * _ENTRY_BYTES])
    return {signature: _number(profile[start : start + size]) for signature, start, size in entries}


def _number(value: bytes) -> bytes | None:
    """Return as much of a tag's value as its type needs; None for a type that may hold a text, or too short a value."""
    kind = value[:4]
    if kind in _FIXED_BYTES:
        size = _FIXED_BYTES[kind]
    elif kind == b"curv" and len(value) >= 12:
        size = 12 + 2 * int.from_bytes(value[8:12])
    elif kind == b"para" and len(value) >= 12:
        size = 12 + 4 * _PARAMETERS.get(int.from_bytes(value[8:10]), len(value))
    elif kind in {b"mft1", b"mft2"} and len(value) >= 52:
        size = _table_bytes(value, kind)
    elif kind in {b"mAB ", b"mBA "}:
        size = len(value)
    else:
        return None
    if len(value) < size:
        return None
    return kind + bytes(4) + value[8:size]


def _table_bytes(value: bytes, kind: bytes) -> int:
    """Return the length of a lookup table of type lut8Type or lut16Type (ICC.1:2022 Sections 10.10 and 10.11)."""
    inputs, outputs, grid = value[8:11]
    table = int(pow(grid, inputs)) * outputs
    if kind == b"mft1":
        return 48 + 256 * (inputs + outputs) + table
    steps_in, steps_out = struct.unpack_from(">2H", value, 48)
    return 52 + 2 * (int(steps_in) * inputs + int(steps_out) * outputs + table)


def _text(signature: bytes, *, is_new: bool) -> bytes:
    if is_new:
        words = _TEXT.decode("ascii").encode("utf-16-be")
        return b"mluc" + bytes(4) + struct.pack(">LL4sLL", 1, 12, b"enUS", len(words), 28) + words
    if signature == b"desc":
        return b"desc" + bytes(4) + struct.pack(">L", len(_TEXT) + 1) + _TEXT + bytes(1 + 4 + 4 + 2 + 1 + 67)
    return b"text" + bytes(4) + _TEXT + b"\0"


def _written(profile: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Write a profile with equal values once; of its header stay version, class, spaces, intent and illuminant."""
    place = _HEADER_BYTES + 4 + _ENTRY_BYTES * len(tags)
    entries, data = b"", b""
    places: dict[bytes, int] = {}
    for signature, value in tags.items():
        if value not in places:
            places[value] = place + len(data)
            data += value + bytes(-len(value) % 4)
        entries += struct.pack(">4sLL", signature, places[value], len(value))
    size = place + len(data)
    head = struct.pack(">L4x", size) + profile[8:10] + bytes(2) + profile[12:24] + _DATE + _SIGNATURE + bytes(24)
    head += profile[64:80] + bytes(_HEADER_BYTES - 80)
    return head + len(tags).to_bytes(4) + entries + data

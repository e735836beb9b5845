"""What comes with pixels and samples, exactly as long as its description says: lookup tables, palettes, waveforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deid.encoding.element import Buffer, DataSet, Element
from deid.pixels.colour import strip_icc

_ICC_PROFILE = 0x0028_2000
_LUT_DATA, _LUT_DESCRIPTOR = 0x0028_3006, 0x0028_3002
_DESCRIPTOR_OF_LUT = {
    _LUT_DATA: _LUT_DESCRIPTOR,
    0x0028_1201: 0x0028_1101,
    0x0028_1202: 0x0028_1102,
    0x0028_1203: 0x0028_1103,
    0x0028_1204: 0x0028_1104,
    0x0028_1408: 0x0028_1407,
}
_DESCRIPTOR_OF_SEGMENTS = {
    0x0028_1221: 0x0028_1101,
    0x0028_1222: 0x0028_1102,
    0x0028_1223: 0x0028_1103,
    0x0028_1224: 0x0028_1104,
}
_WAVEFORM_DATA, _WAVEFORM_BITS = 0x5400_1010, 0x5400_1004
_CHANNELS, _SAMPLES = 0x003A_0005, 0x003A_0010
_ONE_SAMPLE = (0x5400_0110, 0x5400_0112, 0x5400_100A)  # Channel Minimum and Maximum Value, Waveform Padding Value
_MOST_ENTRIES = 0x10000
_LARGEST_SAMPLE_BYTES = 8
_OFFSET_BYTES = 4
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def trim_tables(data_set: DataSet, byte_order: str) -> None:
    """Cut the tables and waveforms of one Data Set, not those in its items, to their length; drop what has none.

    Parameters
    ----------
    data_set
        changed in place
    byte_order
        ``little`` or ``big``
    """
    elements = data_set.elements
    read = _Reader(data_set, byte_order)
    for tag, trim in _TRIM_BY_TAG.items():
        element = elements.get(tag)
        if element is None or not isinstance(element.value, bytes | memoryview) or not len(element.value):
            continue
        kept = trim(read, tag, element.value)
        if kept is None:
            del elements[tag]
        elif len(kept) != len(element.value) or isinstance(kept, bytes):
            elements[tag] = Element(tag, element.vr, kept)


@dataclass(frozen=True, slots=True)
class _Reader:
    data_set: DataSet
    byte_order: str

    def numbers(self, tag: int, size_bytes: int = 2) -> list[int]:
        """Return the unsigned numbers of an element, none if it isn't there."""
        element = self.data_set.elements.get(tag)
        if element is None or not isinstance(element.value, bytes | memoryview):
            return []
        value = bytes(element.value)
        starts = range(0, len(value) - size_bytes + 1, size_bytes)
        return [int.from_bytes(value[start : start + size_bytes], self.byte_order) for start in starts]  # type: ignore[arg-type]

    def descriptor(self, tag: int) -> tuple[int, int] | None:
        """Return number of entries and bytes of each (PS3.3 Section C.11.1.1), None without a descriptor."""
        numbers = self.numbers(tag)
        if len(numbers) != 3:
            return None
        return numbers[0] or _MOST_ENTRIES, 1 if numbers[2] <= 8 else 2


def _lut(read: _Reader, tag: int, value: Buffer) -> Buffer | None:
    described = read.descriptor(_DESCRIPTOR_OF_LUT[tag])
    if described is None:
        return None
    entries, entry_bytes = described
    if entry_bytes == 1 and len(value) >= 2 * entries:
        entry_bytes = 2  # eight bits, each in a word of its own
    return value[: entries * entry_bytes + entries * entry_bytes % 2]


def _segments(read: _Reader, tag: int, value: Buffer) -> Buffer | None:
    """Cut segmented palette data where its segments have made all entries (PS3.3 Section C.7.9.2)."""
    described = read.descriptor(_DESCRIPTOR_OF_SEGMENTS[tag])
    if described is None:
        return None
    entries, size = described
    if size == 1 and len(value) % 2 == 0 and bytes(value[1:2]) == b"\0" and read.byte_order == "little":
        size = 2 if _end_of_segments(read, value, entries, 2) is not None else 1
    end = _end_of_segments(read, value, entries, size)
    return None if end is None else value[: end + end % 2]


def _end_of_segments(read: _Reader, value: Buffer, entries: int, size: int) -> int | None:
    data = bytes(value)
    words = [int.from_bytes(data[at : at + size], read.byte_order) for at in range(0, len(data) - size + 1, size)]  # type: ignore[arg-type]
    lengths: dict[int, int] = {}
    pos = made = 0
    while made < entries:
        if pos + 2 > len(words):
            return None
        kind, count = words[pos], words[pos + 1]
        if kind == _INDIRECT:
            made += _copied(words, pos, size, lengths)
            pos += 2 + _OFFSET_BYTES // size
        elif kind in {_DISCRETE, _LINEAR}:
            lengths[pos] = count
            made += count
            pos += 2 + (count if kind == _DISCRETE else 1)
        else:
            return None
        if pos > len(words) or not count:
            return None
    return pos * size


def _copied(words: list[int], pos: int, size: int, lengths: dict[int, int]) -> int:
    """Return how many entries an indirect segment makes: those of as many segments as it says, from an offset on."""
    offset = sum(
        word << 8 * size * index for index, word in enumerate(words[pos + 2 : pos + 2 + _OFFSET_BYTES // size])
    )
    copied = [length for start, length in lengths.items() if start >= offset // size]
    return sum(copied[: words[pos + 1]])


def _waveform(read: _Reader, tag: int, value: Buffer) -> Buffer | None:
    """Cut a multiplex group's samples to their number (PS3.3 Section C.10.9)."""
    bits = read.numbers(_WAVEFORM_BITS)[:1]
    if tag in _ONE_SAMPLE:
        return value[: (bits[0] + 15) // 16 * 2 if bits else _LARGEST_SAMPLE_BYTES]
    channels, samples = read.numbers(_CHANNELS)[:1], read.numbers(_SAMPLES, 4)[:1]
    if not (bits and channels and samples):
        return None
    size = (bits[0] + 7) // 8 * channels[0] * samples[0]
    return value[: size + size % 2]


def _icc(read: _Reader, tag: int, value: Buffer) -> Buffer | None:
    del read, tag
    return strip_icc(bytes(value))


_Trim = Callable[[_Reader, int, Buffer], "Buffer | None"]
_TRIM_BY_TAG: dict[int, _Trim] = {
    **dict.fromkeys(_DESCRIPTOR_OF_LUT, _lut),
    **dict.fromkeys(_DESCRIPTOR_OF_SEGMENTS, _segments),
    **dict.fromkeys((_WAVEFORM_DATA, *_ONE_SAMPLE), _waveform),
    _ICC_PROFILE: _icc,
}
TAGS_OF_TABLES = frozenset(_TRIM_BY_TAG)

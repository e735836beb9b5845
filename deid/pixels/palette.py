"""The colours of PALETTE COLOR (PS3.3 Sections C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.pixels.attributes import ByteOrder, described_table, table, value_of
from deid.pixels.format import Format

_DESCRIPTORS = (0x0028_1101, 0x0028_1102, 0x0028_1103)
_DATA = (0x0028_1201, 0x0028_1202, 0x0028_1203)
_SEGMENTED = (0x0028_1221, 0x0028_1222, 0x0028_1223)
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_LUMA = (299, 587, 114)  # of red, green and blue, in thousandths (ITU-R BT.601)


@dataclass(frozen=True, slots=True)
class Palette:
    """A colour for each stored value.

    Attributes
    ----------
    first
        the stored value of the first entry: smaller ones have its colour too
    colours
        (entries, 3), red, green and blue; larger stored values have the last one's
    bits
        of an entry
    """

    first: int
    colours: NDArray[Any]
    bits: int
    smallest: int
    largest: int

    @classmethod
    def of(cls, data_set: DataSet, syntax: TransferSyntax, form: Format) -> Palette | None:
        """Read a Data Set's palette, segmented or not; None if there is none, or not for all three colours."""
        order: ByteOrder = "little" if syntax.little_endian else "big"
        described = described_table(data_set, _DESCRIPTORS[0], order, is_signed=form.is_signed)
        channels = [_channel(data_set, index, order, form) for index in range(3)]
        found = [channel for channel in channels if channel is not None]
        if described is None or len(found) < 3:
            return None
        length = min(map(len, found))
        smallest = -(1 << form.bits_stored - 1) if form.is_signed else 0
        largest = smallest + (1 << form.bits_stored) - 1
        colours = np.stack([channel[:length] for channel in found], axis=1)
        return cls(described[1], colours, described[2], smallest, largest)

    @property
    def darkest(self) -> int:
        """Return the stored value of least luminance, the smallest of those that are equal."""
        luminance = self.colours.astype(np.int64) @ np.array(_LUMA)
        values = np.clip(np.arange(len(luminance)) + self.first, self.smallest, self.largest)
        inputs = np.clip(values - self.first, 0, len(luminance) - 1)
        return int(values[luminance[inputs].argmin()])


def _channel(data_set: DataSet, index: int, order: ByteOrder, form: Format) -> NDArray[Any] | None:
    read = table(data_set, _DESCRIPTORS[index], _DATA[index], order, is_signed=form.is_signed)
    if read is not None:
        return read[1]
    described = described_table(data_set, _DESCRIPTORS[index], order, is_signed=form.is_signed)
    raw = value_of(data_set, _SEGMENTED[index])
    if described is None or len(raw) < 6:
        return None
    entries, _, bits = described
    code = "u1" if bits <= 8 else "<u2" if order == "little" else ">u2"
    expanded = _expanded(np.frombuffer(raw[: len(raw) & ~1], code).tolist(), entries, 1 if bits <= 8 else 2)
    return np.array(expanded, np.uint16) if expanded else None


def _expanded(words: list[int], entries: int, size_bytes: int) -> list[int]:
    """Return the entries that segments make (PS3.3 Section C.7.9.2); fewer, if they end early."""
    out: list[int] = []
    pos = 0
    while len(out) < entries and pos + 2 < len(words):
        if words[pos] == _INDIRECT:
            parts = words[pos + 2 : pos + 2 + 4 // size_bytes]
            at = sum(part << 8 * size_bytes * index for index, part in enumerate(parts)) // size_bytes
            for _ in range(words[pos + 1]):
                if len(out) >= entries or at + 2 >= len(words):
                    break
                at = _segment(words, at, out)
            pos += 2 + 4 // size_bytes
        else:
            pos = _segment(words, pos, out)
    return out[:entries]


def _segment(words: list[int], pos: int, out: list[int]) -> int:
    """Append the entries of a discrete or linear segment at `pos`; return where the next one begins."""
    kind, count = words[pos], words[pos + 1]
    if kind == _DISCRETE:
        out += words[pos + 2 : pos + 2 + count]
        return pos + 2 + count
    if kind == _LINEAR and out:
        begin, end = out[-1], words[pos + 2]
        out += [round(begin + (end - begin) * step / count) for step in range(1, count + 1)]
        return pos + 3
    return len(words)

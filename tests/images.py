"""Data Sets of nothing but an Image Pixel module, in every shape that pixels come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.pixels.codecs import encode
from deid.pixels.format import Format
from deid.pixels.native import swap_bytes

IMPLICIT, EXPLICIT, BIG_ENDIAN = (transfer_syntax(f"1.2.840.10008.1.2{end}") for end in ("", ".1", ".2"))
_PIXEL_DATA_BY_BITS = {32: 0x7FE0_0008, 64: 0x7FE0_0009}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an image is like."""

    photometric: str = "MONOCHROME2"
    allocated: int = 16
    stored: int = 16
    is_signed: bool = False
    planar: int = 0
    float_bits: int = 0
    high: int | None = None
    padding: int | None = None

    @property
    def samples(self) -> int:
        return 3 if self.photometric[:3] in {"RGB", "YBR"} else 1

    def form(self, rows: int, columns: int, frames: int) -> Format:
        return Format(
            rows=rows,
            columns=columns,
            samples=self.samples,
            frames=frames,
            bits_allocated=self.float_bits or self.allocated,
            bits_stored=self.float_bits or self.stored,
            high_bit=(self.float_bits or self.stored) - 1 if self.high is None else self.high,
            is_signed=self.is_signed,
            is_subsampled=self.photometric.endswith("_422"),
            padding_value=self.padding,
            photometric=self.photometric,
            planar=self.planar,
            float_bits=self.float_bits,
        )


def noise(kind: Kind, rows: int, columns: int, seed: int = 0) -> NDArray[np.generic]:
    """Return a frame of values that use all stored bits."""
    form = kind.form(rows, columns, 1)
    random = np.random.default_rng(seed)
    if kind.float_bits:
        return random.normal(0, 1000, form.shape).astype(form.dtype)
    least = -(1 << kind.stored - 1) if kind.is_signed else 0
    values = random.integers(least, least + (1 << kind.stored), form.shape)
    if form.is_subsampled:
        values[:, 1::2, 1:] = values[:, ::2, 1:]
    return (values << form.low_bit).astype(form.dtype)


def image(kind: Kind, frames: Sequence[NDArray[np.generic]], syntax: TransferSyntax = EXPLICIT) -> DataSet:
    """Return a Data Set of these frames."""
    form = kind.form(*frames[0].shape[:2], len(frames))
    order = "little" if syntax.little_endian else "big"
    numbers = {
        0x0028_0002: kind.samples,
        0x0028_0006: kind.planar,
        0x0028_0010: form.rows,
        0x0028_0011: form.columns,
        0x0028_0100: form.bits_allocated,
        0x0028_0101: form.bits_stored,
        0x0028_0102: form.high_bit,
        0x0028_0103: int(kind.is_signed),
    }
    if kind.padding is not None:
        numbers[0x0028_0120] = kind.padding
    elements = {tag: Element(tag, "US", number.to_bytes(2, order)) for tag, number in numbers.items()}  # type: ignore[arg-type]
    text = kind.photometric.encode() + b" " * (len(kind.photometric) % 2)
    elements[0x0028_0004] = Element(0x0028_0004, "CS", text)
    elements[0x0028_0008] = Element(0x0028_0008, "IS", str(len(frames)).encode())
    tag = _PIXEL_DATA_BY_BITS.get(kind.float_bits, 0x7FE0_0010)
    if syntax.encapsulated:
        stored = [encode(np.asarray(frame), replace(form, frames=1), syntax) for frame in frames]
        value: bytes | Fragments = Fragments(b"\0" * 4, [frame + b"\0" * (len(frame) % 2) for frame in stored])
    elif form.sample_bits == 1:
        value = np.packbits(np.concatenate([frame.ravel() for frame in frames]), bitorder="little").tobytes()
    else:
        value = b"".join(encode(np.asarray(frame), replace(form, frames=1), syntax) for frame in frames)
    vr = "OF" if kind.float_bits == 32 else "OD" if kind.float_bits else "OB" if syntax.encapsulated else "OW"
    if vr == "OW" and form.sample_bits <= 8 and not syntax.little_endian:
        assert isinstance(value, bytes)
        value = swap_bytes(value + bytes(len(value) % 2))
    elements[tag] = Element(tag, vr, value)
    return DataSet(dict(sorted(elements.items())))

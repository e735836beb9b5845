"""The Image Pixel module of a Data Set: number of pixels, and what a stored value is (PS3.3 Section C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.errors import Reason, Refused

PIXEL_DATA = 0x7FE0_0010
BITS_OF_FLOAT_PIXELS = {0x7FE0_0008: 32, 0x7FE0_0009: 64}
"""Float and Double Float Pixel Data, and how many bits a sample of theirs has."""

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x0028_0002, 0x0028_0004, 0x0028_0006, 0x0028_0008
_ROWS, _COLUMNS = 0x0028_0010, 0x0028_0011
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT, _REPRESENTATION = 0x0028_0100, 0x0028_0101, 0x0028_0102, 0x0028_0103
_PADDING_VALUE = 0x0028_0120
_SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
_DTYPES = {1: "u1", 8: "u1", 16: "u2", 32: "u4", 64: "u8"}


@dataclass(frozen=True, slots=True)
class Format:
    """The attributes that say how long the pixels are, and how to read them.

    Attributes
    ----------
    rows, columns
        of a frame
    samples
        per pixel
    frames
        Number of Frames, 1 if there is none
    bits_allocated, bits_stored, high_bit
        of a sample; stored values lie in the bits from ``high_bit`` downwards
    is_signed
        Pixel Representation is 1
    is_subsampled
        native pixels have one pair of chroma samples for two pixels of a row
    padding_value
        Pixel Padding Value as unsigned number of 16 bits, None if there is none
    photometric
        Photometric Interpretation, empty if there is none
    planar
        Planar Configuration: 0 pixel by pixel, 1 plane by plane
    float_bits
        32 for Float, 64 for Double Float Pixel Data, 0 for integers
    """

    rows: int
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_subsampled: bool
    padding_value: int | None
    photometric: str = ""
    planar: int = 0
    float_bits: int = 0

    @classmethod
    def of(cls, data_set: DataSet, syntax: TransferSyntax) -> Format | None:
        """Read them from a Data Set; None if one that is needed is missing."""
        number = _Numbers(data_set, "little" if syntax.little_endian else "big")
        rows, columns = number.unsigned(_ROWS), number.unsigned(_COLUMNS)
        allocated = number.unsigned(_BITS_ALLOCATED)
        if not rows or not columns or not allocated:
            return None
        stored = number.unsigned(_BITS_STORED) or allocated
        photometric = number.text(_PHOTOMETRIC)
        return cls(
            rows=rows,
            columns=columns,
            samples=number.unsigned(_SAMPLES) or 1,
            frames=number.frames(),
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=stored - 1 if (high := number.unsigned(_HIGH_BIT)) is None else high,
            is_signed=number.unsigned(_REPRESENTATION) == 1,
            is_subsampled=photometric in _SUBSAMPLED,
            padding_value=number.unsigned(_PADDING_VALUE),
            photometric=photometric,
            planar=number.unsigned(_PLANAR) or 0,
            float_bits=_float_bits(data_set),
        )

    @property
    def sample_bits(self) -> int:
        """Return how many bits a sample takes in native pixels."""
        return self.float_bits or self.bits_allocated

    @property
    def low_bit(self) -> int:
        """Return the lowest of the stored bits; 0 unless High Bit is above Bits Stored - 1."""
        return max(self.high_bit + 1 - self.bits_stored, 0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of a decoded frame: rows, columns and, of more than one sample, samples."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Return the type of a decoded sample, in this machine's byte order; one bit becomes a byte of 0 or 1.

        Raises
        ------
        Refused
            PIXELS_NOT_CLEANABLE, for samples of 12, 24 or another number of bits that no array has, and for stored
            bits beyond the allocated ones
        """
        if self.float_bits:
            return np.dtype(f"f{self.float_bits // 8}")
        if max(self.high_bit + 1, self.bits_stored) > self.bits_allocated:
            bits = f"Bits Allocated {self.bits_allocated}, Bits Stored {self.bits_stored}, High Bit {self.high_bit}"
            raise Refused(Reason.PIXELS_NOT_CLEANABLE, bits)
        code = _DTYPES.get(self.bits_allocated)
        if code is None:
            raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"Bits Allocated {self.bits_allocated}")
        return np.dtype(code.replace("u", "i") if self.is_signed and self.bits_allocated > 1 else code)

    @property
    def one_frame(self) -> Format:
        """Return the format of a single frame."""
        return replace(self, frames=1)

    def size_bytes(self, bits: int) -> int:
        """Return the length of all frames with `bits` per sample, without padding."""
        samples = self.rows * self.columns * self.frames * self.samples
        if self.is_subsampled:
            samples = samples * 2 // 3
        return (samples * bits + 7) // 8


def _float_bits(data_set: DataSet) -> int:
    elements = data_set.elements
    if PIXEL_DATA in elements:
        return 0
    return next((bits for tag, bits in BITS_OF_FLOAT_PIXELS.items() if tag in elements), 0)


@dataclass(frozen=True, slots=True)
class _Numbers:
    data_set: DataSet
    byte_order: str

    def _value(self, tag: int) -> bytes:
        element = self.data_set.elements.get(tag)
        return bytes(element.value) if element is not None and isinstance(element.value, bytes | memoryview) else b""

    def unsigned(self, tag: int) -> int | None:
        value = self._value(tag)[:2]
        return int.from_bytes(value, self.byte_order) if len(value) == 2 else None  # type: ignore[arg-type]

    def text(self, tag: int) -> str:
        return self._value(tag).decode("latin-1").strip(" \0")

    def frames(self) -> int:
        text = self.text(_FRAMES)
        return int(text) if text.isdigit() and int(text) else 1

"""Which stored value displays as background, whatever window a viewer chooses.

Burned-in text is replaced by one value, so that no window brings anything of it back; which one, says how the box
looks:

- ``MONOCHROME1`` and ``MONOCHROME2`` of more than 8 bits, signed, or float: the darkest value that the frame has
  outside the boxes. A window never falls, so in each of them the box is as dark as the darkest that the frame shows.
  The smallest number that the bits can hold is not taken: a window or a normalisation made from the range of the
  values would stretch to it, and rescaled it would be no Hounsfield number. Where pixels at the dark end hold the
  Pixel Padding Value, it is the darkest; one at the bright end, shown bright by a viewer that doesn't know it, is not
  taken.
- the same of up to 8 bits, unsigned: 0 for ``MONOCHROME2``, all ones for ``MONOCHROME1``: the ends of a range that is
  shown whole anyway.
- What is dark, Photometric Interpretation says (``MONOCHROME1`` shows the lowest value brightest; Presentation LUT
  Shape only repeats that), turned round once more where Rescale Slope, of the instance or of the frame's functional
  groups, is negative. With a Modality LUT it is the value whose output is darkest. VOI LUTs are taken to rise.
- ``PALETTE COLOR``: the entry of least luminance; Pixel Padding Value if there is one, as label maps have it for what
  is no segment.
- colours: black in the components that are stored (PS3.3 Section C.7.6.3.1.2), Cb and Cr in the middle of their
  range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.pixels.attributes import ByteOrder, items, numbers, table
from deid.pixels.format import Format
from deid.pixels.frames import clear_unused_bits
from deid.pixels.native import Samples
from deid.pixels.palette import Palette

_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x5200_9229, 0x5200_9230
_PIXEL_VALUE_TRANSFORMATION, _RESCALE_SLOPE = 0x0028_9145, 0x0028_1053
_MODALITY_LUT, _LUT_DESCRIPTOR, _LUT_DATA = 0x0028_3000, 0x0028_3002, 0x0028_3006
_MOST_BITS_WITH_ENDS = 8
_PALETTE_COLOR = "PALETTE COLOR"


def _black(luma_shift: int | None, bits: int) -> tuple[int, int, int]:
    half = 1 << bits - 1
    return (0 if luma_shift is None else 1 << bits - luma_shift, half, half)


# Black of each Photometric Interpretation, by Bits Stored. Decoders undo the transforms of JPEG 2000: those are RGB.
_BLACK: Mapping[str, Callable[[int], tuple[int, ...]]] = {
    **dict.fromkeys(("RGB", "YBR_RCT", "YBR_ICT", "HSV"), lambda _: (0, 0, 0)),
    **dict.fromkeys(("YBR_FULL", "YBR_FULL_422"), lambda bits: _black(None, bits)),
    **dict.fromkeys(("YBR_PARTIAL_422", "YBR_PARTIAL_420"), lambda bits: _black(4, bits)),
    "ARGB": lambda _: (0, 0, 0, 0),
    "CMYK": lambda bits: (0, 0, 0, (1 << bits) - 1),
}


@dataclass(frozen=True, slots=True)
class Background:
    """What tells the background of an instance's frames.

    Attributes
    ----------
    form
        the instance's Image Pixel module
    slopes
        Rescale Slope of each frame, or one for all
    modality_lut
        its first input and its entries, None if there is none
    palette
        the colours of ``PALETTE COLOR``, None of anything else
    """

    form: Format
    slopes: tuple[float, ...]
    modality_lut: tuple[int, NDArray[Any]] | None = None
    palette: Palette | None = None

    @classmethod
    def of(cls, data_set: DataSet, syntax: TransferSyntax, form: Format) -> Background:
        """Read what an instance says of how it is displayed."""
        order: ByteOrder = "little" if syntax.little_endian else "big"
        palette = Palette.of(data_set, syntax, form) if form.photometric == _PALETTE_COLOR else None
        lut = None
        for item in items(data_set, _MODALITY_LUT)[:1]:
            lut = table(item, _LUT_DESCRIPTOR, _LUT_DATA, order, is_signed=form.is_signed)
        return cls(form, _slopes(data_set, form.frames), lut, palette)

    def samples(self, array: Samples, covered: NDArray[np.bool_], frame: int = 0) -> Samples:
        """Return the value of each sample of a masked pixel.

        Parameters
        ----------
        array
            the stored values, (rows, columns) or (rows, columns, samples)
        covered
            (rows, columns), True under the boxes: nothing there decides on the value, unless all is covered
        frame
            index of the frame

        Returns
        -------
        numpy.ndarray
            (1,) or (samples,), of the array's type
        """
        form = self.form
        if form.samples > 1:
            make = _BLACK.get(form.photometric)
            black = make(form.bits_stored) if make else ()
            values = black if len(black) == form.samples else (0,) * form.samples
        elif form.photometric == _PALETTE_COLOR:
            values = (self._index(),)
        elif form.bits_stored <= _MOST_BITS_WITH_ENDS and not form.is_signed and not form.float_bits:
            ends = np.arange(1 << form.bits_stored, dtype=np.uint16)
            values = (int(ends[self._darkest(ends, frame)]),)
        else:
            at = self._darkest_outside(array, covered, frame)
            return array.reshape(-1)[at : at + 1]
        return np.array([value << form.low_bit for value in values]).astype(array.dtype)

    def _index(self) -> int:
        if self.form.padding_value is not None:
            return self.form.padding_value
        return 0 if self.palette is None else self.palette.darkest

    def _darkest_outside(self, array: Samples, covered: NDArray[np.bool_], frame: int) -> int:
        """Return the place, in the flat array, of the darkest pixel outside the boxes."""
        values = stored_values(array, self.form)
        if covered.all():
            return self._darkest(values, frame)
        if values.dtype.kind == "f":
            return int(np.flatnonzero(~covered)[self._darkest(values[~covered], frame)])
        if self.modality_lut is not None:
            found = np.unique(values[~covered])
            return int(np.flatnonzero((values == found[self._darkest(found, frame)]) & ~covered)[0])
        limits = np.iinfo(values.dtype)
        brightest = limits.min if self._is_dark_above(frame) else limits.max
        return self._darkest(np.where(covered, values.dtype.type(brightest), values), frame)

    def _darkest(self, values: Samples, frame: int) -> int:
        """Return the place of the value that is displayed darkest; no NaN or infinity, unless all are."""
        flat = values.reshape(-1)
        if flat.dtype.kind == "f":
            worst = -np.inf if self._is_dark_above(frame) else np.inf
            flat = np.where(np.isfinite(flat), flat, worst)
        elif self.modality_lut is not None:
            first, entries = self.modality_lut
            flat = entries[np.clip(flat.astype(np.int64) - first, 0, len(entries) - 1)]
        return int(flat.argmax() if self._is_dark_above(frame) else flat.argmin())

    def _is_dark_above(self, frame: int) -> bool:
        """Tell whether of two values, or outputs of the Modality LUT, the larger is displayed darker."""
        slope = 1.0 if self.modality_lut is not None else self.slopes[frame if len(self.slopes) > 1 else 0]
        return (self.form.photometric == "MONOCHROME1") != (slope < 0)


def stored_values(array: Samples, form: Format) -> Samples:
    """Return samples as numbers: unused bits cleared, signs extended, High Bit taken down to Bits Stored - 1.

    `array` itself if the samples are numbers already.
    """
    if form.float_bits or form.bits_stored >= form.bits_allocated:
        return array
    clean = clear_unused_bits(array, form)
    return clean >> clean.dtype.type(form.low_bit) if form.low_bit else clean


def _slopes(data_set: DataSet, frames: int) -> tuple[float, ...]:
    own = _slope(data_set)
    for group in items(data_set, _SHARED_GROUPS):
        own = _grouped(group, own)
    each = [_grouped(group, own) for group in items(data_set, _PER_FRAME_GROUPS)]
    return tuple(each) if len(each) == frames and len(set(each)) > 1 else (each[0] if each else own,)


def _grouped(group: DataSet, default: float) -> float:
    for item in items(group, _PIXEL_VALUE_TRANSFORMATION):
        default = _slope(item)
    return default


def _slope(data_set: DataSet) -> float:
    return next(iter(numbers(data_set, _RESCALE_SLOPE)), 1.0) or 1.0

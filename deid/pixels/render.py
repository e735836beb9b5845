"""A frame as a picture in which text can be found, whatever window would hide it on a screen.

A frame of one sample becomes three channels, each a table of the stored values:

- by rank: the more pixels a value has, the more of the range, so that text shows which differs little from its ground
- its whole range, but for the few values at either end
- as the Data Set has it displayed: Modality LUT, then VOI LUT or window (PS3.3 Sections C.11.1 and C.11.2)

A frame of several samples becomes red, green and blue, each with a little of its ranks; one without colour is taken for
a frame of one sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.errors import Reason, Refused
from deid.pixels.attributes import ByteOrder, items, numbers, table, text_of, words
from deid.pixels.format import Format
from deid.pixels.frames import clear_unused_bits
from deid.pixels.opencv import cv2
from deid.pixels.palette import Palette

Picture: TypeAlias = NDArray[np.uint8]
"""Shape (rows, columns, 3)."""
_Table: TypeAlias = tuple[int, NDArray[Any]]
_Numbers: TypeAlias = NDArray[np.float64]

_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x5200_9229, 0x5200_9230
_PIXEL_VALUE_TRANSFORMATION, _FRAME_VOI_LUT = 0x0028_9145, 0x0028_9132
_INTERCEPT, _SLOPE = 0x0028_1052, 0x0028_1053
_CENTRE, _WIDTH, _FUNCTION = 0x0028_1050, 0x0028_1051, 0x0028_1056
_MODALITY_LUTS, _VOI_LUTS, _LUT_DESCRIPTOR, _LUT_DATA = 0x0028_3000, 0x0028_3010, 0x0028_3002, 0x0028_3006
_PADDING_LIMIT = 0x0028_0121

_PALETTE_COLOR, _INVERSE = "PALETTE COLOR", "MONOCHROME1"
_FULL_RANGE, _PARTIAL_RANGE = ("YBR_FULL", "YBR_FULL_422"), ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
_CMYK = "CMYK"

_MOST_LEVELS = 1 << 16
_STEPS = 4096  # of a frame with more levels than that, in each of the ways to divide it
_SAMPLED = 1 << 16  # pixels of such a frame that tell where its values are
_CUT_OFF = 5e-5  # of the pixels, at either end of the whole range
_USUAL = 0.01  # of the pixels are beyond the window, at either end, where the Data Set has none
_GRAIN_PX = 3
_GRAINY, _GRAINIER = 2.0, 2.0  # of 255: a first channel that differs so from a smooth one, and so much more
_NEARLY_GREY = 0.02  # of the range
_CLEARLY = 0.25  # of the pixels
_RANKS_OF_COLOUR = 0.1  # how much they count, beside what is stored; more hides text in what JPEG leaves around it
_RANK_POWER = 0.75  # 1 gives noise in air half of the range, 0 gives each value that occurs the same


@dataclass(frozen=True, slots=True, eq=False)
class Display:
    """How stored values are displayed.

    Attributes
    ----------
    form
        what a stored value is
    slope, intercept
        Rescale Slope and Intercept
    modality
        the Modality LUT, first input value and entries, instead of them; None if there is none
    window
        Window Center and Width, the first if there are several; None if there is none
    function
        VOI LUT Function
    voi
        the VOI LUT instead of the window; None if there is none
    palette
        of PALETTE COLOR; None if there is none
    padding
        the smallest and the largest of the stored values that are no image; None if there are none
    """

    form: Format
    slope: float = 1.0
    intercept: float = 0.0
    modality: _Table | None = None
    window: tuple[float, float] | None = None
    function: str = ""
    voi: _Table | None = None
    palette: Palette | None = None
    padding: tuple[int, int] | None = None

    @classmethod
    def of(cls, data_set: DataSet, syntax: TransferSyntax, frame: int = 0) -> Display:
        """Read it from a Data Set.

        Parameters
        ----------
        data_set, syntax
            of the instance
        frame
            index of the frame whose functional groups count (PS3.3 Section C.7.6.16)

        Raises
        ------
        Refused
            MALFORMED, if Rows, Columns or Bits Allocated is missing
        """
        form = Format.of(data_set, syntax)
        if form is None:
            raise Refused(Reason.MALFORMED, "pixels without Rows, Columns or Bits Allocated")
        order: ByteOrder = "little" if syntax.little_endian else "big"
        rescale = _group(data_set, frame, _PIXEL_VALUE_TRANSFORMATION)
        shown = _group(data_set, frame, _FRAME_VOI_LUT)
        slope, intercept = numbers(rescale, _SLOPE), numbers(rescale, _INTERCEPT)
        centre, width = numbers(shown, _CENTRE), numbers(shown, _WIDTH)
        return cls(
            form=form,
            slope=slope[0] if slope and slope[0] else 1.0,
            intercept=intercept[0] if intercept else 0.0,
            modality=_lut(data_set, _MODALITY_LUTS, order, is_signed=form.is_signed),
            window=(centre[0], width[0]) if centre and width else None,
            function=text_of(shown, _FUNCTION),
            voi=_lut(data_set, _VOI_LUTS, order, is_signed=form.is_signed),
            palette=Palette.of(data_set, syntax, form) if form.photometric == _PALETTE_COLOR else None,
            padding=_padding(data_set, form, order),
        )


def _group(data_set: DataSet, frame: int, tag: int) -> DataSet:
    """Return the item of a functional group for a frame; the Data Set itself if it has no such group."""
    per_frame = items(data_set, _PER_FRAME_GROUPS)
    candidates = per_frame[frame : frame + 1] + items(data_set, _SHARED_GROUPS)
    return next((found for groups in candidates for found in items(groups, tag)), data_set)


def _lut(data_set: DataSet, tag: int, order: ByteOrder, *, is_signed: bool) -> _Table | None:
    found = (table(item, _LUT_DESCRIPTOR, _LUT_DATA, order, is_signed=is_signed) for item in items(data_set, tag))
    return next((each for each in found if each is not None), None)


def _padding(data_set: DataSet, form: Format, order: ByteOrder) -> tuple[int, int] | None:
    if form.padding_value is None or form.float_bits:
        return None
    first = form.padding_value - (form.padding_value >> 15 << 16 if form.is_signed else 0)
    limits = words(data_set, _PADDING_LIMIT, order, is_signed=form.is_signed)
    last = limits[0] if limits else first
    return min(first, last), max(first, last)


def render(values: NDArray[Any], display: Display) -> Picture:
    """Return a picture of a frame.

    Parameters
    ----------
    values
        stored values, shape (rows, columns) or (rows, columns, samples), any numbers; bits that aren't stored are left
        out of account
    display
        of this frame

    Returns
    -------
    numpy.ndarray
        unsigned bytes, of shape (rows, columns, 3)
    """
    stored = without_unused_bits(values, display.form)
    if stored.ndim == 2 and display.palette is not None:
        return _of_colours(by_palette(stored, display.palette))
    if stored.ndim == 2:
        return _of_one_sample(stored, display)
    is_ybr = stored.shape[2] >= 3 and stores_ybr(stored, display.form)
    if stored.shape[2] < 3 or is_colourless(stored, display.form.photometric, is_ybr=is_ybr):
        return _of_one_sample(np.ascontiguousarray(stored[..., 0]), display)
    return _of_colours(red_green_blue(stored, display.form, is_ybr=is_ybr))


def shown(values: NDArray[Any], display: Display) -> Picture:
    """Return a frame as a viewer shows it, for people to look at; parameters as of `render`."""
    stored = without_unused_bits(values, display.form)
    if stored.ndim == 2 and display.palette is not None:
        return by_palette(stored, display.palette)
    is_ybr = stored.ndim == 3 and stored.shape[2] >= 3 and stores_ybr(stored, display.form)
    if stored.ndim == 3 and stored.shape[2] >= 3 and not is_colourless(stored, display.form.photometric, is_ybr=is_ybr):
        return red_green_blue(stored, display.form, is_ybr=is_ybr)
    grey = stored if stored.ndim == 2 else np.ascontiguousarray(stored[..., 0])
    return np.repeat(_of_one_sample(grey, display)[..., 2:], 3, axis=2)


def resized(picture: Picture, scale: float) -> Picture:
    """Return a picture with its sides multiplied."""
    if scale == 1:
        return picture
    rows, columns = (max(round(side * scale), 1) for side in picture.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (columns, rows), interpolation=how), np.uint8)


def without_unused_bits(values: NDArray[Any], form: Format) -> NDArray[Any]:
    """Return the values without what native words hold above and below the stored bits."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind not in "iu" or values.dtype.itemsize * 8 != form.bits_allocated:
        return values
    cleared = clear_unused_bits(values, form)
    return cleared >> form.low_bit if form.low_bit else cleared


# One sample


def _of_one_sample(stored: NDArray[Any], display: Display) -> Picture:
    codes, levels, counts = _levels(stored, display)
    is_image = counts > 0
    if display.padding is not None:
        is_padding = (levels >= display.padding[0]) & (levels <= display.padding[1])
        is_image = is_image & ~is_padding if (is_image & ~is_padding).any() else is_image
    full = _between(levels, *_range(levels, np.where(is_image, counts, 0), _CUT_OFF))
    with np.errstate(over="ignore", invalid="ignore"):
        shown = displayed(levels, display)
    if shown is None or np.ptp(shown[is_image]) * 255 < 1:
        shown = _between(levels, *_range(levels, np.where(is_image, counts, 0), _USUAL))
    channels = np.stack((_ranks(counts), full, shown), axis=1)  # in this order the network finds most
    if display.form.photometric == _INVERSE:
        channels = 1 - channels
    return np.take(_bytes(channels), codes, axis=0)


def _levels(stored: NDArray[Any], display: Display) -> tuple[NDArray[Any], _Numbers, NDArray[Any]]:
    """Return each pixel's level, the levels' values and how many pixels each has."""
    if stored.dtype.kind == "f":
        stored = _finite(stored)
    smallest, largest = stored.min(), stored.max()
    if stored.dtype.kind in "iu" and int(largest) - int(smallest) < _MOST_LEVELS:
        codes = stored if stored.dtype.itemsize == 1 and smallest >= 0 else _offset(stored, int(smallest))
        first = 0 if codes is stored else int(smallest)
        levels = np.arange(first, int(largest) + 1, dtype=np.float64)
    else:
        levels = _edges(stored, display)
        codes = (np.searchsorted(levels, stored.ravel(), side="right") - 1).clip(0).astype(np.uint16)
        codes = codes.reshape(stored.shape)
    return codes, levels, np.bincount(codes.ravel(), minlength=len(levels))


def _finite(stored: NDArray[Any]) -> NDArray[Any]:
    """Return floats with the largest or smallest finite one instead of the infinite, the latter also of no number."""
    is_finite = np.isfinite(stored)
    if is_finite.all():
        return stored
    smallest, largest = (stored[is_finite].min(), stored[is_finite].max()) if is_finite.any() else (0, 0)
    finite: NDArray[Any] = np.nan_to_num(stored, nan=smallest, posinf=largest, neginf=smallest)
    return finite


def _offset(stored: NDArray[Any], smallest: int) -> NDArray[np.uint16]:
    if stored.dtype.itemsize <= 2:  # modulo 65536 is right, as the difference is less
        wide = stored.astype(np.uint16, copy=False) if stored.dtype.itemsize == 1 else stored.view(np.uint16)
        return wide - np.uint16(smallest % _MOST_LEVELS)
    return (stored.astype(np.int64) - smallest).astype(np.uint16)


def _edges(stored: NDArray[Any], display: Display) -> _Numbers:
    """Divide what has too many levels: evenly, by the pixels, and what the window shows evenly once more."""
    sample = stored.ravel()[:: max(stored.size // _SAMPLED, 1)].astype(np.float64)
    steps = np.linspace(0, 1, _STEPS)
    divisions = [_spread(float(stored.min()), float(stored.max()), steps), np.quantile(sample, steps)]
    if display.window is not None and display.modality is None:
        centre, width = display.window
        ends = ((centre + sign * width / 2 - display.intercept) / display.slope for sign in (-1, 1))
        first, last = (min(max(end, float(stored.min())), float(stored.max())) for end in ends)
        divisions.append(_spread(min(first, last), max(first, last), steps))
    return np.unique(np.concatenate(divisions))


def _spread(first: float, last: float, steps: _Numbers) -> _Numbers:
    return first * (1 - steps) + last * steps  # no overflow, as last - first could


def _range(levels: _Numbers, counts: NDArray[Any], share: float) -> tuple[float, float]:
    """Return the levels between which all pixels but a share at either end are."""
    cumulated = np.cumsum(counts)
    most = cumulated[-1]
    first = int(np.searchsorted(cumulated, most * share, side="right"))
    last = int(np.searchsorted(cumulated, most * (1 - share), side="left"))
    last = min(last, len(levels) - 1)
    return float(levels[min(first, last)]), float(levels[last])


def _between(levels: _Numbers, first: float, last: float) -> _Numbers:
    half = last / 2 - first / 2 or 0.5
    between: _Numbers = np.clip((levels / 2 - first / 2) / half, 0, 1)
    return between


def _ranks(counts: NDArray[Any], power: float = _RANK_POWER) -> _Numbers:
    weights = counts.astype(np.float64) ** power
    middle = np.cumsum(weights) - weights / 2
    first, last = middle[np.flatnonzero(counts)[[0, -1]]]
    ranks: _Numbers = np.clip((middle - first) / ((last - first) or 1.0), 0, 1)
    return ranks


def displayed(levels: _Numbers, display: Display) -> _Numbers | None:
    """Return what the Data Set says levels look like, from 0 to 1; None if it doesn't say."""
    modality = display.modality
    values = levels * display.slope + display.intercept if modality is None else _looked_up(levels, modality)
    if display.voi is not None:
        entries = _looked_up(values, display.voi)
        return _between(entries, float(entries.min()), float(entries.max()))
    if display.window is None:
        return None
    centre, width = display.window
    if display.function == "SIGMOID":
        exponents: _Numbers = (-4 * (values - centre) / (width or 1.0)).clip(-700, 700)
        return 1 / (1 + np.exp(exponents))
    if display.function == "LINEAR_EXACT":
        shown = (values - centre) / (width or 1.0) + 0.5
    else:
        shown = (values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5
    clipped: _Numbers = np.clip(shown, 0, 1)
    return clipped


def _looked_up(values: _Numbers, lut: _Table) -> _Numbers:
    first, entries = lut
    return entries[(values - first).clip(0, len(entries) - 1).astype(np.int64)].astype(np.float64)


def _bytes(channels: _Numbers) -> Picture:
    return np.ascontiguousarray(np.nan_to_num(channels) * 255 + 0.5).astype(np.uint8)


# Colours


def stores_ybr(stored: NDArray[Any], form: Format) -> bool:
    """Tell whether samples are luminance and chrominance: as most pixels, being grey, show, or as the Data Set says.

    Files lie about that, and text taken for the other is lost.
    """
    step = max(int((stored.shape[0] * stored.shape[1] / _SAMPLED) ** 0.5), 1)
    sample = stored[::step, ::step, :3].astype(np.float64)
    near = (1 << form.bits_stored) * _NEARLY_GREY
    middle = 1 << form.bits_stored - 1
    is_grey = np.ptp(sample, axis=2) <= near
    has_no_chrominance = (np.abs(sample[..., 1:] - middle) <= near).all(axis=2)
    difference = float(has_no_chrominance.mean() - is_grey.mean())
    declared = form.photometric in (*_FULL_RANGE, *_PARTIAL_RANGE)
    return declared if abs(difference) < _CLEARLY else difference > 0


def is_colourless(stored: NDArray[Any], photometric: str, *, is_ybr: bool) -> bool:
    """Tell whether all pixels are grey."""
    first, second, third = (stored[..., sample] for sample in range(3))
    if is_ybr:
        return bool(np.ptp(second) <= 1 and np.ptp(third) <= 1)
    return photometric != _CMYK and np.array_equal(first, second) and np.array_equal(first, third)


def by_palette(stored: NDArray[Any], palette: Palette) -> Picture:
    """Return the colours of a palette (PS3.3 Section C.7.9)."""
    colours = palette.colours
    largest = max(int(colours.max()), 1)
    places = (stored.astype(np.int64) - palette.first).clip(0, len(colours) - 1)
    return np.take(_bytes(colours / largest), places, axis=0)


def red_green_blue(stored: NDArray[Any], form: Format, *, is_ybr: bool) -> Picture:
    """Return eight bits of red, green and blue (PS3.3 Section C.7.6.3.1.2)."""
    if form.photometric == "ARGB" and stored.shape[2] > 3:
        stored = stored[..., 1:]
    if stored.dtype != np.uint8 or form.bits_stored < 8:
        first, last = min(float(stored.min()), 0.0), max(float(stored.max()), float((1 << form.bits_stored) - 1))
        stored = _bytes(_between(stored.astype(np.float64), first, last))
    if form.photometric == _CMYK and stored.shape[2] > 3:
        inks = stored.astype(np.uint16)
        return ((255 - inks[..., :3]) * (255 - inks[..., 3:4]) // 255).astype(np.uint8)
    if not is_ybr:
        return np.ascontiguousarray(stored[..., :3])
    picture = np.asarray(cv2.cvtColor(stored[..., (0, 2, 1)], cv2.COLOR_YCrCb2RGB), np.uint8)
    return picture if form.photometric not in _PARTIAL_RANGE else _bytes(_between(picture.astype(np.float64), 16, 235))


def _of_colours(picture: Picture) -> Picture:
    """Return the picture with a little of its ranks in each channel."""
    channels = []
    identity = np.arange(256) / 255
    for channel in range(3):
        plane = np.ascontiguousarray(picture[..., channel])
        counts = np.bincount(plane.ravel(), minlength=256)
        channels.append(_bytes(identity * (1 - _RANKS_OF_COLOUR) + _ranks(counts) * _RANKS_OF_COLOUR)[plane])
    return np.stack(channels, axis=2)


def calmed(picture: Picture) -> Picture:
    """Return a picture without the grain in its first channel; the same, if that isn't much grainier than the others.

    Ranks make of noise, which most of the pixels are, most of the range: text drowns in it that the others show well.
    """
    first, *others = (np.ascontiguousarray(picture[..., channel]) for channel in range(3))
    smooth = cv2.medianBlur(first, _GRAIN_PX)
    grain = float(cv2.absdiff(first, smooth).mean())
    if grain < _GRAINY + _GRAINIER * max(
        float(cv2.absdiff(each, cv2.medianBlur(each, _GRAIN_PX)).mean()) for each in others
    ):
        return picture
    return np.dstack([smooth, *others])

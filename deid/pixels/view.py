"""A frame as a person wants to see it: with a window of theirs, in part or as a whole, no larger than their screen.

A large frame is shown piece by piece: beside the frame itself, as it is stored, there are only a few megabytes in
memory, however many pixels it has. Where it has to be made smaller, each pixel is the mean of those that it stands
for, so that thin text stays visible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import DataSet
from deid.errors import Reason, Refused
from deid.pixels.box import Box
from deid.pixels.components import decoded_form
from deid.pixels.format import Format
from deid.pixels.opencv import cv2
from deid.pixels.palette import Palette
from deid.pixels.render import (
    Display,
    Picture,
    by_palette,
    displayed,
    is_colourless,
    red_green_blue,
    stores_ybr,
    without_unused_bits,
)
from deid.pixels.stored import Frames

MOST_PIXELS: Final = 1 << 29
"""Of a frame that is decoded to be looked at."""

_PIECE_PX = 1 << 20
_SAMPLED_PX = 1 << 18
_USUAL_PERCENT = (0.5, 99.5)  # between which the window lies where the Data Set has none
_INVERSE = "MONOCHROME1"


@dataclass(frozen=True, slots=True)
class View:
    """What is wanted of a frame.

    Attributes
    ----------
    window
        centre and width, after the Modality LUT; None for what the Data Set says, or else for what shows nearly all
    part
        of the frame; None for all of it
    largest_px
        that a side of the picture may have
    """

    window: tuple[float, float] | None = None
    part: Box | None = None
    largest_px: int = 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """What a viewer has to know of a frame.

    Attributes
    ----------
    rows, columns, frames
        of the instance
    has_window
        whether a window changes anything: not in colours
    centre, width
        of the window that it is shown with
    lowest, highest
        of the values that a window is about
    is_declared
        whether the Data Set says how it is shown, by a window or a VOI LUT
    """

    rows: int
    columns: int
    frames: int
    has_window: bool
    centre: float = 0.0
    width: float = 1.0
    lowest: float = 0.0
    highest: float = 1.0
    is_declared: bool = True


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame, decoded, and how it is displayed."""

    values: NDArray[Any]
    display: Display
    is_ybr: bool
    is_grey: bool


def facts(source: DataSet, frames: Frames, frame: int) -> Facts:
    """Say what there is to be seen in a frame.

    Parameters
    ----------
    source
        the Data Set whose window, palette and LUTs count
    frames
        rebuilt, of the same instance
    frame
        index, from 0

    Raises
    ------
    Refused
        If the frame can't be decoded, is too large, or isn't there.
    """
    rows, columns, count = frames.form.rows, frames.form.columns, len(frames)
    opened = _opened(source, frames, frame)
    if not opened.is_grey:
        return Facts(rows, columns, count, has_window=False)
    values = _values(_sample(opened), opened.display)
    lowest, highest = float(values.min()), float(values.max())
    centre, width = _window(opened)
    is_declared = opened.display.window is not None or opened.display.voi is not None
    return Facts(rows, columns, count, True, centre, width, lowest, highest, is_declared)  # noqa: FBT003  as in the class


def picture(source: DataSet, frames: Frames, frame: int, view: View) -> Picture:
    """Return a picture of a frame, or of a part of it; parameters and errors as of `facts`.

    Returns
    -------
    numpy.ndarray
        red, green and blue, unsigned bytes, (rows, columns, 3)
    """
    opened = _opened(source, frames, frame)
    values = opened.values
    if view.part is not None:
        x0, y0, x1, y1 = _within(view.part, *values.shape[:2])
        values = values[y0:y1, x0:x1]
    display = opened.display
    if opened.is_grey and (view.window or (display.window is None and display.voi is None)):
        display = replace(display, window=view.window or _window(opened), voi=None, function="")
    rows, columns = values.shape[:2]
    # first by a whole number, piece by piece; what is left to do then is of the size of the result
    step = max(max(rows, columns) // max(view.largest_px, 1), 1)
    piece = max(_PIECE_PX // columns // step, 1) * step
    shades = _shades(values.dtype, display) if opened.is_grey else None
    shown = [
        _smaller(_coloured(values[start : start + piece], replace(opened, display=display), shades), step)
        for start in range(0, rows, piece)
    ]
    whole = np.concatenate(shown)
    scale = min(view.largest_px / max(whole.shape[:2]), 1.0)
    size = max(round(whole.shape[1] * scale), 1), max(round(whole.shape[0] * scale), 1)
    return whole if scale == 1 else np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)


def png(shown: Picture) -> bytes:
    """Return a picture as a file (ISO/IEC 15948)."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    return bytes(encoded)


def _opened(source: DataSet, frames: Frames, frame: int) -> _Frame:
    if not 0 <= frame < len(frames):
        raise Refused(Reason.MALFORMED, f"no frame {frame + 1}; there are {len(frames)}")
    form = frames.form
    if form.rows * form.columns > MOST_PIXELS:
        raise Refused(Reason.TOO_LARGE, f"a frame of {form.rows} x {form.columns} pixels")
    values = frames.array(frame)
    if not frames.is_native:
        form = decoded_form(frames.stored(frame), form, frames.syntax)
    display = replace(Display.of(source, frames.syntax, frame), form=form)
    if values.ndim == 2:
        return _Frame(values, display, is_ybr=False, is_grey=display.palette is None)
    if values.shape[2] < 3:
        return _Frame(values[..., 0], display, is_ybr=False, is_grey=True)
    sample = without_unused_bits(np.ascontiguousarray(_thinned(values)), form)
    is_ybr = stores_ybr(sample, form)
    if is_colourless(sample, form.photometric, is_ybr=is_ybr) and form.photometric == _INVERSE:
        return _Frame(values[..., 0], display, is_ybr=False, is_grey=True)
    return _Frame(values, display, is_ybr=is_ybr, is_grey=False)


def _within(part: Box, rows: int, columns: int) -> Box:
    x0, y0 = min(max(part.x0, 0), columns - 1), min(max(part.y0, 0), rows - 1)
    return Box(x0, y0, min(max(part.x1, x0 + 1), columns), min(max(part.y1, y0 + 1), rows))


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    step = max(int((values.shape[0] * values.shape[1] / _SAMPLED_PX) ** 0.5), 1)
    return values[::step, ::step]


def _sample(opened: _Frame) -> NDArray[Any]:
    """Return stored values from all over a frame, without those that are no image."""
    sample = without_unused_bits(np.ascontiguousarray(_thinned(opened.values)), opened.display.form).ravel()
    if sample.dtype.kind == "f":
        finite = sample[np.isfinite(sample)]
        sample = finite if len(finite) else np.zeros(1)
    if opened.display.padding is not None:
        first, last = opened.display.padding
        image = sample[(sample < first) | (sample > last)]
        sample = image if len(image) else sample
    return sample


def _values(stored: NDArray[Any], display: Display) -> NDArray[np.float64]:
    """Return what stored values mean, once the Modality LUT or Rescale Slope and Intercept are applied."""
    levels = stored.astype(np.float64)
    if display.modality is None:
        return levels * display.slope + display.intercept
    first, entries = display.modality
    return entries[(levels - first).clip(0, len(entries) - 1).astype(np.int64)].astype(np.float64)


def _window(opened: _Frame) -> tuple[float, float]:
    """Return the window of the Data Set, or one that shows nearly all."""
    if opened.display.window is not None:
        return opened.display.window
    first, last = np.percentile(_values(_sample(opened), opened.display), _USUAL_PERCENT)
    return float(first + last) / 2, max(float(last - first), 1e-6)


def _shades(kind: np.dtype[Any], display: Display) -> NDArray[np.uint8] | None:
    """Return the shade of each value that samples can have, from the least; None if these are too many for a table."""
    if kind.kind == "b":
        levels = np.arange(2, dtype=np.float64)
    elif kind.kind in "iu" and kind.itemsize <= 2:
        limits = np.iinfo(kind)
        levels = np.arange(limits.min, limits.max + 1, dtype=np.float64)
    else:
        return None
    return _shade(levels, display)


def _shade(levels: NDArray[np.float64], display: Display) -> NDArray[np.uint8]:
    with np.errstate(over="ignore", invalid="ignore"):
        found = displayed(levels, display)
    shown = np.zeros_like(levels) if found is None else np.nan_to_num(found)
    if display.form.photometric == _INVERSE:
        shown = 1 - shown
    return (shown * 255 + 0.5).astype(np.uint8)


def _coloured(values: NDArray[Any], opened: _Frame, shades: NDArray[np.uint8] | None) -> Picture:
    """Return some rows of a frame as red, green and blue."""
    display = opened.display
    stored = without_unused_bits(np.ascontiguousarray(values), display.form)
    if not opened.is_grey:
        return _in_colour(stored, display.form, display.palette, is_ybr=opened.is_ybr)
    if shades is None:
        grey = _shade(stored.astype(np.float64), display)
    else:
        least = 0 if stored.dtype.kind in "bu" else int(np.iinfo(stored.dtype).min)
        grey = shades[stored.astype(np.int32) - least]
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _in_colour(stored: NDArray[Any], form: Format, palette: Palette | None, *, is_ybr: bool) -> Picture:
    return by_palette(stored, palette) if palette is not None else red_green_blue(stored, form, is_ybr=is_ybr)


def _smaller(shown: Picture, step: int) -> Picture:
    if step == 1:
        return shown
    size = max(-(-shown.shape[1] // step), 1), max(-(-shown.shape[0] // step), 1)
    return np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.uint8)

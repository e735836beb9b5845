"""Thin strokes, and the parts of a picture that is too large to be looked at as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid.pixels.opencv import cv2
from deid.pixels.quads import Quad
from deid.pixels.render import Picture

_OVERLAP_PX = 128
_MOST_PIXELS = 1700 * 1700  # what a network needs grows by 250 bytes with each: 0.7 GB
_PART_PX = 640
_STROKE_PX = 9  # strokes of small text are thinner
_STROKE_CONTRAST = 56  # of 255
_LEAST_STROKE_PIXELS = 24  # a letter or two
_AROUND_PX = 6
_SAMPLED_SIDE = 128


def tiles(rows: int, columns: int) -> list[tuple[slice, slice]]:
    """Return the parts, which overlap, that a network looks at one by one; the whole, if it isn't too large.

    The cut goes through the longer side: lines are cut the least often.
    """
    parts = 1
    while True:
        longer, shorter = max(rows, columns), min(rows, columns)
        length = -(-(longer + (parts - 1) * _OVERLAP_PX) // parts)
        if length * shorter <= _MOST_PIXELS or length <= 2 * _OVERLAP_PX:
            break
        parts += 1
    starts = [min(index * (length - _OVERLAP_PX), longer - length) for index in range(parts)]
    cuts = [slice(start, start + length) for start in starts]
    whole = slice(0, shorter)
    return [(cut, whole) if rows >= columns else (whole, cut) for cut in cuts]


def spots(picture: Picture, found: Sequence[Quad]) -> list[tuple[slice, slice]]:
    """Return the parts of a large picture with strokes as thin as those of small text that are of no line found.

    Parameters
    ----------
    picture
        as large as it is
    found
        lines, in its pixels
    """
    strokes = _strokes(picture[..., 1]) | _strokes(picture[..., 2])
    for quad in found:
        left, top = np.floor(quad.min(axis=0)).astype(int).clip(_AROUND_PX) - _AROUND_PX
        right, bottom = np.ceil(quad.max(axis=0)).astype(int) + _AROUND_PX
        strokes[top:bottom, left:right] = False
    rows, columns = strokes.shape
    parts = [(down, across) for down in _cuts(rows) for across in _cuts(columns)]
    return [part for part in parts if np.count_nonzero(strokes[part]) >= _LEAST_STROKE_PIXELS]


def _cuts(side: int) -> list[slice]:
    starts = range(0, max(side - _OVERLAP_PX, 1), _PART_PX - _OVERLAP_PX)
    firsts = (max(min(start, side - _PART_PX), 0) for start in starts)
    return [slice(first, min(first + _PART_PX, side)) for first in firsts]


def is_coloured(picture: Picture) -> bool:
    """Tell whether its planes are colours; those of a grey image, three ways to see the same values, rise together."""
    rows, columns = picture.shape[:2]
    some = picture[:: max(rows // _SAMPLED_SIDE, 1), :: max(columns // _SAMPLED_SIDE, 1)].reshape(-1, 3)
    return any(_falls(some[:, one], some[:, other]) for one, other in ((1, 0), (1, 2), (2, 0)))


def _falls(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Tell whether somewhere the one plane rises and the other falls."""
    order = np.argsort(one, kind="stable")
    firsts = np.flatnonzero(np.diff(one[order].astype(np.int16), prepend=-1))
    lowest = np.minimum.reduceat(other[order], firsts)
    highest = np.maximum.accumulate(np.maximum.reduceat(other[order], firsts))
    return bool((lowest[1:] < highest[:-1]).any())


def stroked(picture: Picture) -> Picture:
    """Return the thin strokes of a picture, of whatever colours, bright upon black."""
    strengths = [_strengths(picture[..., plane]) for plane in range(picture.shape[2])]
    return np.repeat(np.maximum.reduce(strengths)[..., None], 3, axis=2)


def _strokes(plane: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(_strengths(plane) >= _STROKE_CONTRAST)


def _strengths(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much brighter or darker than all around each pixel of a stroke is, 0 to 255."""
    plane = np.ascontiguousarray(plane)
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright = cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, kernel)
    dark = cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, kernel)
    return np.asarray(np.maximum(bright, dark), np.uint8)

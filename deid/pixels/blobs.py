"""Where lines are, by a network's map of how probably each pixel is within one.

In the map, letters that stand close make one blob; around the blob is the line. Where what lies behind the text looks
like text a little as well, the blobs of a low level run together, several lines or a line and the anatomy that it
crosses; so a blob that hasn't the form of a line, or is mostly improbable, is taken apart at higher levels. Every blob
counts, however many there are: noise has thousands, and the line may be the last.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deid.pixels.opencv import cv2
from deid.pixels.quads import Quad, Scored, is_likely, size

Map = NDArray[np.float32]
"""Shape (rows, columns): from 0 to 1."""

_LEVELS = (0.2, 0.4, 0.6, 0.8)
_LEAST_SCORE = 0.45  # the mean of the map in a quadrilateral
_LEAST_SIDE_PX = 3
_WIDER = 1.4  # the network's blobs are narrower than the lines: by this times area by circumference
_UNSCORED = 0.0


def lines_in(probable: Map) -> list[Scored]:
    """Return what may be lines, in pixels of the map.

    Parameters
    ----------
    probable
        the map

    Returns
    -------
    list
        quadrilaterals, each with the mean of the map in it: of any form, if they are of the lowest level. The parts
        into which those are taken that aren't lines by their form have that form, and 0 instead of a mean: at a higher
        level that would say nothing
    """
    return list(_blobs(np.ascontiguousarray(probable, np.float32), probable.shape, 0, (0, 0)))


def _blobs(probable: Map, whole: tuple[int, ...], level: int, at: tuple[int, int]) -> Iterator[Scored]:
    """Yield what there is at a level in a part of a map of some size, which lies at x, y."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((probable > _LEVELS[level]).astype(np.uint8))
    sizes = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].min(axis=1)
    for blob in range(1, count):
        if sizes[blob] < _LEAST_SIDE_PX:
            continue
        x, y, width, height = (int(number) for number in stats[blob, :4])
        around = probable[y : y + height, x : x + width]
        own = np.where(labels[y : y + height, x : x + width] == blob, around, np.float32(0))
        if float(own.max()) >= _LEAST_SCORE:
            yield from _of_blob(own, around, whole, level, (at[0] + x, at[1] + y))


def _of_blob(own: Map, around: Map, whole: tuple[int, ...], level: int, at: tuple[int, int]) -> Iterator[Scored]:
    """Yield a blob, and its parts if it has not the form of a line: `own` has nothing of others that `around` has."""
    corners = _rectangle(own > 0)
    if min(size(corners)) < _LEAST_SIDE_PX:
        return
    score = _mean(around, corners)
    quad = _widened(corners) + np.array(at, np.float32)
    is_line = is_likely(quad, whole[0], whole[1])
    if level == 0 and score >= _LEAST_SCORE:
        yield quad, score
    elif level and is_line and score >= _LEAST_SCORE:
        yield quad, _UNSCORED
    if level + 1 < len(_LEVELS) and not (is_line and score >= _LEAST_SCORE):
        yield from _blobs(own, whole, level + 1, at)


def _rectangle(inside: NDArray[np.bool_]) -> Quad:
    """Return the smallest rectangle around a blob, clockwise from the corner at the top left."""
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = sorted(cv2.boxPoints(cv2.minAreaRect(np.concatenate(contours))), key=lambda corner: float(corner[0]))
    (top_left, bottom_left), (top_right, bottom_right) = (
        sorted(side, key=lambda corner: float(corner[1])) for side in (corners[:2], corners[2:])
    )
    return np.array((top_left, top_right, bottom_right, bottom_left), np.float32)


def _mean(probable: Map, corners: Quad) -> float:
    """Return the mean of the map in a quadrilateral."""
    filled = np.zeros(probable.shape, np.uint8)
    cv2.fillPoly(filled, [corners.astype(np.int32)], (1,))
    return float(cv2.mean(probable, filled)[0])


def _widened(corners: Quad) -> Quad:
    width, height = size(corners)
    further = _WIDER * width * height / (2 * (width + height))
    across, down = (corners[1] - corners[0]) / max(width, 1e-6), (corners[3] - corners[0]) / max(height, 1e-6)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    moved: Quad = corners + (signs[:, :1] * across + signs[:, 1:] * down) * np.float32(further)
    return moved

"""From the quadrilateral around a line to boxes of whole pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from deid.pixels.box import Box
from deid.pixels.opencv import cv2
from deid.pixels.quads import size

Corners: TypeAlias = "tuple[tuple[int, int], ...]"
"""Corners x, y, clockwise, as `deid.pixels.ocr.Line` has them."""

_UPRIGHT_SHARE = 0.7
_STRIP_PX = 8
_PAD_PX = 2  # what deid.pixels.quads.widened adds on all sides, and along the line the line's height beside it


def bounds(corners: Corners) -> Box:
    """Return the box around a quadrilateral."""
    xs, ys = zip(*corners, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))


def boxes_of(corners: Corners) -> list[Box]:
    """Return boxes that cover a quadrilateral: one, or strips of 8 rows where it lies aslant."""
    whole = bounds(corners)
    width, height = whole.x1 - whole.x0, whole.y1 - whole.y0
    area = cv2.contourArea(np.array(corners, np.float32))
    if area >= _UPRIGHT_SHARE * width * height or height <= _STRIP_PX:
        return [whole]
    filled = np.zeros((height + 1, width + 1), np.uint8)
    cv2.fillConvexPoly(filled, np.array(corners, np.int32) - (whole.x0, whole.y0), (1,))
    boxes = []
    for top in range(0, height, _STRIP_PX):
        columns = np.flatnonzero(filled[top : top + _STRIP_PX].any(axis=0))
        if len(columns):
            left, right = whole.x0 + int(columns[0]), min(whole.x0 + int(columns[-1]) + 1, whole.x1)
            boxes.append(Box(left, whole.y0 + top, right, min(whole.y0 + top + _STRIP_PX, whole.y1)))
    return boxes


def aspect(corners: Corners, rows: int, columns: int) -> float:
    """Return how much longer a line is than high, without what was added around it.

    Where the frame ends, nobody knows how much was added: then the line counts as longer than it may be, so that it is
    masked rather than taken for a marker.
    """
    short, long = sorted(size(np.array(corners, np.float32)))
    height = max(short - 2 * _PAD_PX, 1.0)
    box = bounds(corners)
    at_ends = (box.x0 <= 0, box.x1 >= columns) if box.x1 - box.x0 >= box.y1 - box.y0 else (box.y0 <= 0, box.y1 >= rows)
    added = (_PAD_PX + height) * (2 - sum(at_ends))
    return max(long - added, height) / height

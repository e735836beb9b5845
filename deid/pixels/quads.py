"""Quadrilaterals around lines of text: their form, what lies in them, how they are widened and united."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deid.pixels.opencv import cv2

Quad: TypeAlias = NDArray[np.float32]
"""Shape (4, 2): corners x, y in pixels, clockwise from the one at the top left."""
Scored: TypeAlias = tuple[Quad, float]
"""A quadrilateral, and how certainly it is text, from 0 to 1."""
_Box: TypeAlias = tuple[float, ...]

_LARGE_SHARE, _LARGEST_SHARE = 0.12, 0.25  # a line's height, of the picture's shorter side; the latter up to …
_LARGE_PX = 32
_SMALLEST_PX = 4
_LEAST_ASPECT = 1.3
_TALL = 1.5
_PAD_PX = 2
_COVERED = 0.7
_BESIDE = 2.0
_SAME_LINE = 0.6  # of the lower one's height that two parts of a line have in common


def size(quad: Quad) -> tuple[float, float]:
    """Return width and height in pixels, the means of opposite sides."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2


def is_likely(quad: Quad, rows: int, columns: int) -> bool:
    """Tell whether it has the form of a line of text in a picture of some size: no giant, no speck, no square."""
    short, long = sorted(size(quad))
    return short >= _SMALLEST_PX and long >= _LEAST_ASPECT * short and not is_giant(quad, rows, columns)


def is_giant(quad: Quad, rows: int, columns: int) -> bool:
    """Tell whether it is higher than lines of text mostly are in a picture of some size."""
    side = min(rows, columns)
    return min(size(quad)) > max(_LARGE_SHARE * side, min(_LARGEST_SHARE * side, _LARGE_PX))


def is_very_large(quad: Quad, rows: int, columns: int) -> bool:
    """Tell whether it is higher than a line of text ever is in a picture of some size, but for a short title."""
    return min(size(quad)) > max(_LARGEST_SHARE * min(rows, columns), 2 * _LARGE_PX)


def aspect(quad: Quad) -> float:
    """Return how many times longer than high it is, whichever way it runs."""
    short, long = sorted(size(quad))
    return long / max(short, 1.0)


def is_tall(quad: Quad) -> bool:
    """Tell whether a line in it runs up or down."""
    width, height = size(quad)
    return height >= _TALL * width


def cropped(picture: NDArray[Any], quad: Quad) -> NDArray[Any]:
    """Return what lies in it, straightened; at least one pixel."""
    width, height = (max(round(side), 1) for side in size(quad))
    left, top = np.floor(quad.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int)
    if abs(right - left - width) <= 1 and abs(bottom - top - height) <= 1:
        part = picture[top:bottom, left:right]
        if part.size:
            return np.ascontiguousarray(part)
    straight = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(np.ascontiguousarray(quad, np.float32), straight)
    return np.asarray(
        cv2.warpPerspective(picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    )


def loosened(quad: Quad, share: float) -> Quad:
    """Return it larger on all sides by a share of its shorter side."""
    width, height = size(quad)
    across, down = (_unit(quad[1] + quad[2] - quad[0] - quad[3]), _unit(quad[2] + quad[3] - quad[0] - quad[1]))
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    further = np.float32(share * min(width, height))
    return np.asarray(quad + (signs[:, :1] * across + signs[:, 1:] * down) * further, np.float32)


def is_beside(one: Quad, other: Quad) -> bool:
    """Tell whether two may be of one line: within twice the height of the higher one, and as high to a half."""
    box, far = (*one.min(axis=0), *one.max(axis=0)), (*other.min(axis=0), *other.max(axis=0))
    for along in (0, 1):
        gap = max(box[along], far[along]) - min(box[along + 2], far[along + 2])
        common = min(box[3 - along], far[3 - along]) - max(box[1 - along], far[1 - along])
        heights = [each[3 - along] - each[1 - along] for each in (box, far)]
        if gap <= _BESIDE * max(heights) and common >= min(heights) / 2:
            return True
    return False


def widened(quad: Quad, rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Return its corners 2 px further out, and along the line by the line's height, in whole pixels of the picture."""
    width, height = size(quad)
    across, down = (_unit(quad[1] + quad[2] - quad[0] - quad[3]), _unit(quad[2] + quad[3] - quad[0] - quad[1]))
    along_x, along_y = (_PAD_PX + height, _PAD_PX) if width >= height else (_PAD_PX, _PAD_PX + width)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    moved = quad + signs[:, :1] * across * along_x + signs[:, 1:] * down * along_y
    middle = moved.mean(axis=0)
    outwards = np.where(moved > middle, np.ceil(moved), np.floor(moved))
    within = outwards.clip(0, (columns, rows)).astype(int)
    return tuple((int(x), int(y)) for x, y in within)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else np.zeros(2, np.float32)


def turned_back(quad: Quad, rows: int) -> Quad:
    """Return where a quadrilateral of a picture turned clockwise by a quarter was before.

    Parameters
    ----------
    quad
        of the turned picture
    rows
        of the picture before
    """
    before: Quad = np.stack((quad[:, 1], rows - quad[:, 0]), axis=-1)
    return np.roll(before, -1, axis=0)  # the corner that is now at the top left was at the top right


def not_covered(quads: Sequence[Quad], others: Sequence[Quad], rows: int, columns: int) -> list[Quad]:
    """Return those of which less than 70 % is covered by others."""
    cover = np.zeros((rows, columns), np.uint8)
    for other in others:
        cv2.fillConvexPoly(cover, np.round(other).astype(np.int32), (1,))
    return [quad for quad in quads if _covered_share(quad, cover) < _COVERED]


def _covered_share(quad: Quad, cover: NDArray[np.uint8]) -> float:
    left, top = np.floor(quad.min(axis=0)).astype(int).clip(0)
    part = cover[top : int(np.ceil(quad[:, 1].max())) + 1, left : int(np.ceil(quad[:, 0].max())) + 1]
    own = np.zeros(part.shape, np.uint8)
    cv2.fillConvexPoly(own, np.round(quad - (left, top)).astype(np.int32), (1,))
    pixels = int(own.sum())
    return float((own & part).sum()) / pixels if pixels else 1.0


def united(found: Sequence[Scored]) -> list[Scored]:
    """Join what overlapping tiles found of the same line: upright boxes around those that lie on the same line."""
    out: list[tuple[_Box, float]] = []
    for quad, score in sorted(found, key=lambda each: tuple(each[0].min(axis=0))):
        box, best = (*quad.min(axis=0), *quad.max(axis=0)), score
        while (other := next((each for each in out if _continues(each[0], box)), None)) is not None:
            out.remove(other)
            box = (*np.minimum(other[0][:2], box[:2]), *np.maximum(other[0][2:], box[2:]))
            best = max(best, other[1])
        out.append((box, best))
    return [(_upright(box), score) for box, score in out]


def _upright(box: _Box) -> Quad:
    x0, y0, x1, y1 = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def _continues(one: _Box, other: _Box) -> bool:
    """Tell whether two boxes are parts of the same line, or one is mostly within the other."""
    common = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    if (common <= 0).any():
        return False
    (width, height), (other_width, other_height) = np.subtract(one[2:], one[:2]), np.subtract(other[2:], other[:2])
    shares = common / np.minimum((width, height), (other_width, other_height))
    if (width >= height) == (other_width >= other_height):
        return bool(shares[1 if width >= height else 0] >= _SAME_LINE)
    return bool(shares.min() >= _SAME_LINE)

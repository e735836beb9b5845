"""How much of a face's surface is left: what can be seen of it at any level, from five sides, within 3 mm.

Whoever wants the face back isn't bound to one level: after the cleaning the surface is looked for at several, in the
values as they are and in smoothed ones (noise that was filled in averages out). Whatever can be seen, skin that is
still there under something counts too: values just below the surface that weren't changed. The worst counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from deid.deface.render import Surface, View, places, surface
from deid.deface.volume import Stack
from tests.benchmarks.face_exam.volume import Volume

NEAR_MM = 3.0
_PIXEL_MM = 2.0
_CELL_MM = 1.5
_END_VOXELS = 1.2
_BELOW_MM = (0.8, 2.2)
_SINGLE_MM = 2.5
_FEWEST_AROUND = 7
_HALVES = (View.FRONT, View.THREE_QUARTER, View.OTHER_THREE_QUARTER)
_FACTORS_OF_MR = (0.7, 2.0)
_LEVELS_OF_CT = (-500.0, -100.0)

Points = NDArray[np.float32]
Within = Callable[[Points], NDArray[np.bool_]]
"""Of points in the patient, (n, 3), which belong to the front of the face."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a face.

    Attributes
    ----------
    points
        how many of its surface were looked for
    share
        how much of it is there at the level that shows most
    level
        which that is, in the modality's units
    """

    points: int
    share: float
    level: str


def face_points(volume: Volume, within: Within) -> Points:
    """Return the surface of the face, (n, 3), about evenly."""
    seen = [_hits(volume.stack, volume.air, view) for view in View]
    points = np.concatenate(seen)
    points = points[within(points) & ~_is_at_end(volume.stack, points)]
    return _thinned(points)


def left(volume: Volume, after: Stack, points: Points) -> Left:
    """Measure what is left.

    Parameters
    ----------
    volume
        as it was
    after
        the same slices, cleaned
    points
        of `face_points`
    """
    if not len(points):
        return Left(0, 0.0, "")
    best = Left(len(points), _share_kept(volume, after, points), "kept")
    for name, stack, level, views in _attacks(volume, after):
        share = share_near(points, np.concatenate([_hits(stack, level, view) for view in views]))
        if share > best.share:
            best = Left(len(points), share, name)
    return best


def _attacks(volume: Volume, after: Stack) -> list[tuple[str, Stack, float, tuple[View, ...]]]:
    smooth = replace(after, values=smoothed(after.values))
    is_ct = volume.air < 0
    levels = _LEVELS_OF_CT if is_ct else tuple(volume.air * factor for factor in _FACTORS_OF_MR)
    attacks = [("as it is", after, volume.air, tuple(View))]
    attacks += [(f"smooth {level:.0f}", smooth, level, _HALVES) for level in levels]
    return attacks


def smoothed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth slices by some voxels, and neighbours with one another."""
    blurred = np.stack([cv2.GaussianBlur(np.ascontiguousarray(each, np.float32), (0, 0), 1.2) for each in values])
    padded = np.pad(blurred, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return np.asarray(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:], np.float32)


def _hits(stack: Stack, level: float, view: View) -> Points:
    """Return where rays hit; specks that stand alone are left out."""
    seen = surface(stack, level, view, _size_px(stack))
    depth = np.nan_to_num(seen.depth_mm, nan=-1e3)
    steady = np.abs(depth - cv2.medianBlur(depth, 3)) < _SINGLE_MM
    return np.asarray(seen.points_mm[np.isfinite(seen.depth_mm) & steady])


def _share_kept(volume: Volume, after: Stack, points: Points) -> float:
    """Return of how many points the values just below, where values rise, are what they were."""
    slopes = np.stack(
        [_values(volume.stack, points + step) - _values(volume.stack, points - step) for step in _STEPS_MM], axis=1
    )
    inwards = slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-6)
    kept = _values(_unchanged_around(volume, after), points + _BELOW_MM[0] * inwards) >= _FEWEST_AROUND
    for deep_mm in _BELOW_MM:
        kept &= _values(volume.stack, points + deep_mm * inwards) == _values(after, points + deep_mm * inwards)
    return float(kept.mean())


def _unchanged_around(volume: Volume, after: Stack) -> Stack:
    """Return of how many of the 27 voxels around each the values are what they were.

    A single one is drawn again by chance, by any method that draws: of a face, others beside it are left too.
    """
    same = (volume.stack.values == after.values).astype(np.float32)
    in_slices = np.stack(
        [cv2.boxFilter(each, -1, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE) for each in same]
    )
    padded = np.pad(in_slices, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return replace(after, values=padded[:-2] + padded[1:-1] + padded[2:])


_STEPS_MM = 2.0 * np.eye(3, dtype=np.float32)


def _values(stack: Stack, points: Points) -> NDArray[np.float32]:
    at = np.rint(places(stack, points.astype(np.float64))).astype(int)
    at = np.clip(at, 0, np.array(stack.values.shape) - 1)
    return np.asarray(stack.values[at[:, 0], at[:, 1], at[:, 2]])


def _size_px(stack: Stack) -> int:
    corners = stack.corners()
    return int(np.ceil(np.ptp(corners, axis=0).max() / _PIXEL_MM))


def _is_at_end(stack: Stack, points: Points) -> NDArray[np.bool_]:
    """Tell which points are where the field of view ends: there flesh is cut, and no skin.

    So near to it that whatever is there in the end, the cut is within 3 mm of them.
    """
    at = places(stack, points.astype(np.float64))
    last = np.array(stack.values.shape) - 1
    gap_mm = float(stack.positions_mm[-1] - stack.positions_mm[0]) / max(len(stack.positions_mm) - 1, 1)
    steps_mm = np.array([gap_mm, np.linalg.norm(stack.along_column), np.linalg.norm(stack.along_row)])
    near = np.maximum(NEAR_MM / steps_mm, _END_VOXELS)
    return np.any((at < near) | (at > last - near), axis=1)


def _thinned(points: Points) -> Points:
    cells = np.floor(points / _CELL_MM).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return points[np.sort(first)]


def share_near(points: Points, found: Points) -> float:
    """Return of how many points another is within 3 mm."""
    if not len(found):
        return 0.0
    index = cv2.flann_Index(np.ascontiguousarray(found), {"algorithm": 4, "leaf_max_size": 12})
    _, squares = index.knnSearch(np.ascontiguousarray(points), 1, params={})
    return float((squares[:, 0] <= NEAR_MM**2).mean())


def seen_from(stack: Stack, level: float, view: View, size_px: int) -> Surface:
    """Return what a viewer sees; the exam's pictures are made of it."""
    return surface(stack, level, view, size_px)

"""What a volume looks like from outside: its surface at one level, shaded, as anyone could have it drawn.

Rays run from a side of the patient into the volume (parallel projection) until two samples in a row reach the level.
The geometry is the patient's (PS3.3 Section C.7.6.2.1.1: x to the left, y to the back, z to the head), so the order,
spacing, tilt and orientation of slices don't matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from deid.deface.vectors import Vector
from deid.deface.volume import Stack

_Floats = NDArray[np.float32]

_STEP_MM = 1.5
_BLOCK = 4  # voxels
_UNEVEN_MM = 0.1
_GRADIENT_MM, _GRADIENT_STEPS = (1.6, 4.0), 0.7  # wide enough that neither noise nor single voxels show
_HALVINGS = 4
_MOST_MM = 420.0  # of a long volume the part towards the head is drawn
_AMBIENT, _DIFFUSE = 50.0, 190.0
_LIGHT = (-0.35, -0.45, 1.0)  # in the picture: from above on the viewer's left, and mostly from where the viewer is


class View(Enum):
    """From where it is looked at: where rays go, where the picture's right and its top lie, in patient coordinates."""

    FRONT = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    PROFILE = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    OTHER_PROFILE = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))
    THREE_QUARTER = ((-0.70710678, 0.70710678, 0.0), (0.70710678, 0.70710678, 0.0), (0.0, 0.0, 1.0))
    OTHER_THREE_QUARTER = ((0.70710678, 0.70710678, 0.0), (0.70710678, -0.70710678, 0.0), (0.0, 0.0, 1.0))

    @property
    def into(self) -> tuple[float, float, float]:
        """Return which way rays go."""
        return self.value[0]

    @property
    def right(self) -> tuple[float, float, float]:
        """Return what is on the right of the picture."""
        return self.value[1]

    @property
    def up(self) -> tuple[float, float, float]:
        """Return what is on top of it."""
        return self.value[2]


def places(stack: Stack, points_mm: Vector | _Floats) -> Vector:
    """Return where points lie in a stack.

    Parameters
    ----------
    points_mm
        (n, 3), in the patient

    Returns
    -------
    ndarray
        (n, 3): frame, row and column, with fractions; beyond the ends where a point lies outside
    """
    along = stack.positions_mm
    numbers = np.arange(len(along), dtype=np.float64)
    depth = points_mm @ stack.normal
    half = float(along[-1] - along[0]) / max(len(along) - 1, 1) / 2
    frame = np.interp(depth, along, numbers)
    # A leaning stack's frames are shifted in their planes.
    inverse = np.linalg.inv(np.stack([stack.along_column, stack.along_row, stack.normal], axis=1))[:2]
    starts = stack.origins @ inverse.T
    shift = np.stack([np.interp(frame, numbers, start) for start in starts.T], axis=1)
    frame = np.where((depth < along[0] - half) | (depth > along[-1] + half), -2.0, frame)
    return np.column_stack([frame, points_mm @ inverse.T - shift])


class _Samples:
    """Values between voxels, of points in patient coordinates."""

    def __init__(self, stack: Stack, level: float) -> None:
        self._stack, self._outside = stack, np.float32(level - 1.0)
        self._flat = np.ascontiguousarray(stack.values).reshape(-1)
        self._limits = np.array(stack.values.shape, np.float32) - 1
        self._affine = _affine(stack)
        self._blocks = _blocks(stack.values, level)

    def __call__(self, points_mm: Vector | _Floats) -> _Floats:
        return self._at(self._where(points_mm))

    def reach(self, points_mm: Vector | _Floats, level: float) -> NDArray[np.bool_]:
        """Tell which points reach the level; where nothing near does, values aren't looked at."""
        where = self._where(points_mm)
        block = (where + 0.5).astype(np.int32) // _BLOCK + 1
        ends = np.array(self._blocks.shape, np.int32) - 1
        block = np.minimum(np.maximum(block, 0), ends)
        found: NDArray[np.bool_] = self._blocks[block[:, 0], block[:, 1], block[:, 2]]
        near = np.flatnonzero(found)
        found[near] = self._at(where[near]) >= level
        return found

    def _where(self, points_mm: Vector | _Floats) -> _Floats:
        if self._affine is None:
            return places(self._stack, points_mm).astype(np.float32)
        return np.asarray(points_mm.astype(np.float32) @ self._affine[0] + self._affine[1])

    def _at(self, where: _Floats) -> _Floats:
        inside = np.flatnonzero(np.all((where >= -0.5) & (where <= self._limits + 0.5), axis=1))
        result = np.full(len(where), self._outside, np.float32)
        result[inside] = self._between(np.clip(where[inside], 0, self._limits))
        return result

    def _between(self, where: _Floats) -> _Floats:
        shape = self._stack.values.shape
        low = [np.minimum(where[:, axis].astype(np.int64), max(shape[axis] - 2, 0)) for axis in range(3)]
        part = [where[:, axis] - low[axis].astype(np.float32) for axis in range(3)]
        first = (low[0] * shape[1] + low[1]) * shape[2] + low[2]
        up, down, right = (
            width if count > 1 else 0 for width, count in zip((shape[1] * shape[2], shape[2], 1), shape, strict=True)
        )
        planes = []
        for start in (first, first + up):
            above = self._mixed(start, start + right, part[2])
            below = self._mixed(start + down, start + down + right, part[2])
            planes.append(above + part[1] * (below - above))
        return planes[0] + part[0] * (planes[1] - planes[0])

    def _mixed(self, start: NDArray[np.int64], end: NDArray[np.int64], part: _Floats) -> _Floats:
        one = self._flat[start].astype(np.float32, copy=False)
        return one + part * (self._flat[end] - one)


def _blocks(values: _Floats, level: float) -> NDArray[np.bool_]:
    """Return which blocks of voxels have any near that reaches the level; around them one of none."""
    found = values >= level
    for axis in range(3):
        found = np.logical_or.reduceat(found, np.arange(0, found.shape[axis], _BLOCK), axis=axis)
    found = np.pad(found, 2)
    near = found.copy()
    for axis in range(3):
        spread = near.copy()
        for shift in (-1, 1):
            spread |= np.roll(near, shift, axis)  # what is rolled in is empty
        near = spread
    return near[1:-1, 1:-1, 1:-1]


def _affine(stack: Stack) -> tuple[_Floats, _Floats] | None:
    """Return what turns points into places, if slices are evenly spaced: much faster than looking for each."""
    count = len(stack.positions_mm)
    step = (stack.origins[-1] - stack.origins[0]) / max(count - 1, 1)
    even = stack.origins[0] + np.arange(count)[:, None] * step
    if count < 2 or np.abs(even - stack.origins).max() > _UNEVEN_MM:
        return None
    inverse = np.linalg.inv(np.stack([step, stack.along_column, stack.along_row], axis=1)).T
    return inverse.astype(np.float32), (-stack.origins[0] @ inverse).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Surface:
    """What a ray meets first, for each pixel of a picture.

    Attributes
    ----------
    depth_mm
        (rows, columns): how far into the volume; nan where nothing is met
    points_mm
        (rows, columns, 3): where in the patient
    normals
        (rows, columns, 3): which way the surface looks, in the picture: right, up, towards the viewer; length 1
    """

    depth_mm: _Floats
    points_mm: _Floats
    normals: _Floats


def surface(stack: Stack, level: float, view: View, size_px: int = 256) -> Surface:
    """Find the surface that one sees.

    Parameters
    ----------
    level
        what is at least as large isn't air, in the values of the stack
    size_px
        the picture's longer side
    """
    axes = np.array([view.right, view.up, view.into], np.float64)
    low, high, pixel_mm = _frame(stack, axes, size_px)
    rights = np.arange(low[0], high[0], pixel_mm) + pixel_mm / 2
    ups = np.arange(high[1], low[1], -pixel_mm) - pixel_mm / 2
    starts = np.stack(np.broadcast_arrays(rights[None, :], ups[:, None]), axis=-1).reshape(-1, 2)
    samples = _Samples(stack, level)
    depths = _first(samples, level, starts, axes, (low[2], high[2]))
    hit = np.isfinite(depths)
    points = np.column_stack([starts, depths])[hit] @ axes
    normals = np.zeros((len(starts), 3), np.float32)
    normals[hit] = _normals(samples, points, axes, _reach_mm(stack))
    placed = np.full((len(starts), 3), np.nan, np.float32)
    placed[hit] = points
    shape = (len(ups), len(rights))
    return Surface(
        (depths - low[2]).astype(np.float32).reshape(shape), placed.reshape(*shape, 3), normals.reshape(*shape, 3)
    )


def render(stack: Stack, level: float, view: View, size_px: int = 256) -> NDArray[np.uint8]:
    """Draw the surface.

    Returns
    -------
    ndarray
        (rows, columns) of grey, the longer side of `size_px`; black is where nothing is
    """
    return shaded(surface(stack, level, view, size_px))


def shaded(seen: Surface) -> NDArray[np.uint8]:
    """Draw a surface as matt."""
    light = np.array(_LIGHT) / np.linalg.norm(_LIGHT)
    grey = _AMBIENT + _DIFFUSE * np.clip(seen.normals @ light.astype(np.float32), 0, 1)
    return np.where(np.isfinite(seen.depth_mm), grey, 0).astype(np.uint8)


def _frame(stack: Stack, axes: Vector, size_px: int) -> tuple[Vector, Vector, float]:
    """Return from where to where the picture goes, right, up and into, and the width of its pixels."""
    corners = stack.corners() @ axes.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    low[1] = max(low[1], high[1] - _MOST_MM)
    return low, high, float(max(high[0] - low[0], high[1] - low[1], 1.0) / size_px)


def _first(
    samples: _Samples,
    level: float,
    starts: Vector,
    axes: Vector,
    between_mm: tuple[float, float],
) -> Vector:
    """Return how deep each ray gets, nan for what goes through."""
    found = np.full(len(starts), np.nan)
    base, into = (starts @ axes[:2]).astype(np.float32), axes[2].astype(np.float32)
    going, before = np.arange(len(starts)), np.zeros(len(starts), np.bool_)
    for depth in np.arange(between_mm[0] - _STEP_MM, between_mm[1] + 2 * _STEP_MM, _STEP_MM):
        here = samples.reach(base[going] + np.float32(depth) * into, level)
        ended = here & before
        found[going[ended]] = depth - _STEP_MM
        going, before = going[~ended], here[~ended]
        if not len(going):
            break
    hit = np.flatnonzero(np.isfinite(found))
    inner, outer = found[hit], found[hit] - _STEP_MM
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        is_in = samples.reach(base[hit] + middle[:, None].astype(np.float32) * into, level)
        inner, outer = np.where(is_in, middle, inner), np.where(is_in, outer, middle)
    found[hit] = (inner + outer) / 2
    return found


def _reach_mm(stack: Stack) -> float:
    """Return how far from a point its slope is taken: some of the longest step."""
    steps = (float(np.linalg.norm(stack.along_row)), float(np.linalg.norm(stack.along_column)), stack.gap_mm)
    return float(np.clip(_GRADIENT_STEPS * max(steps), *_GRADIENT_MM))


def _normals(samples: _Samples, points_mm: Vector, axes: Vector, reach_mm: float) -> _Floats:
    """Return which way a surface looks, by how values fall."""
    slopes = np.stack(
        [samples(points_mm - reach_mm * axis) - samples(points_mm + reach_mm * axis) for axis in axes], axis=1
    )
    slopes[:, 2] *= -1  # towards the viewer
    lengths = np.linalg.norm(slopes, axis=1, keepdims=True)
    return np.asarray(slopes / np.maximum(lengths, 1e-6), np.float32)

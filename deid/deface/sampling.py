"""The values of stacks of frames at the cells of a grid that lies in any way: linear between pixels and frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from deid.deface.vectors import Vector, dot, length
from deid.deface.volume import STEP_MM, Grid, Stack

_Floats: TypeAlias = "NDArray[np.float32]"

_UNEVEN_FRAMES, _UNEVEN_PIXELS = 0.004, 0.01
_KNOT_MM = 0.02
_AROUND_CELLS = 4


def sample_all(stacks: Sequence[Stack], grid: Grid) -> _Floats:
    """Return the values of several stacks at the cells of a grid: of the first that has one; NaN where none has."""
    found = sample(stacks[0], grid, np.nan)
    for stack in stacks[1:]:
        missing = np.isnan(found)
        if not missing.any():
            break
        found[missing] = sample(stack, grid, np.nan)[missing]
    return found


def seen_part(grid: Grid, stacks: Sequence[Stack]) -> Grid:
    """Return the part of a grid that stacks are in, with some cells around it that they are not in."""
    low, high = [], []
    for stack in stacks:
        rows, columns = stack.values.shape[1:]
        sides = [
            a * stack.along_column * (rows - 1) + b * stack.along_row * (columns - 1) for a in (0, 1) for b in (0, 1)
        ]
        cells = grid.cell(np.concatenate([stack.origins + side for side in sides]))
        pixel_mm = float(length(stack.along_row) + length(stack.along_column))
        beyond = (stack.gap_mm / 2 + pixel_mm) / grid.step_mm + _AROUND_CELLS
        low.append(np.floor(cells.min(axis=0) - beyond))
        high.append(np.ceil(cells.max(axis=0) + beyond))
    shape = np.array(grid.shape)
    first = np.clip(np.min(low, axis=0), 0, shape - 1).astype(int)
    count = np.clip(np.max(high, axis=0) + 1, first + 1, shape).astype(int) - first
    return Grid(grid.point(first), grid.axes, (int(count[0]), int(count[1]), int(count[2])))


def sample(stack: Stack, grid: Grid, outside: float) -> _Floats:
    """Return the values of a stack at the cells of a grid.

    Parameters
    ----------
    stack
        the frames
    grid
        where to look
    outside
        the value of cells beyond the stack

    Returns
    -------
    numpy.ndarray
        of the grid's shape
    """
    found = np.full(grid.shape, outside, np.float32)
    lines = _Lines.of(stack, grid)
    into = found.reshape(grid.shape[0], -1)
    for level in range(grid.shape[0]):
        where, is_inside = lines.at(level)
        cells = np.flatnonzero(is_inside)
        if len(cells) == len(is_inside):
            into[level] = _linear(stack.values, where)
        elif len(cells):
            into[level, cells] = _linear(stack.values, [each.take(cells) for each in where])
    return found


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where the cells of a grid lie in a stack: frames, rows and columns, each linear along the axes of the grid.

    Attributes
    ----------
    stack
        what they lie in
    planes
        for the cells of a level, of the first one: frame, row and column; where frames aren't even, a place along the
        normal, and rows and columns as if no frame were shifted
    steps
        what of each a level adds
    uneven
        of a stack whose frames are: for places along the normal, one every `_KNOT_MM` from the first that it reaches,
        the frame, with a fraction, and how far rows and columns are shifted; None if they are even
    """

    stack: Stack
    planes: tuple[_Floats, _Floats, _Floats]
    steps: Vector
    uneven: tuple[_Floats, _Floats, _Floats] | None

    @classmethod
    def of(cls, stack: Stack, grid: Grid) -> _Lines:
        row, column, along = stack.along_row, stack.along_column, stack.positions_mm
        ways = np.array([stack.normal, column / dot(column, column), row / dot(row, row)])
        starts = np.stack([along, dot(stack.origins, ways[1]), dot(stack.origins, ways[2])])
        numbers = np.arange(len(along))
        step = (starts[:, -1] - starts[:, 0]) / max(len(along) - 1, 1)
        if len(along) < 2:
            step[0] = 2 * STEP_MM
        limits = np.array([_UNEVEN_FRAMES * step[0], _UNEVEN_PIXELS, _UNEVEN_PIXELS])
        is_even = bool((np.abs(starts - starts[:, :1] - step[:, None] * numbers) <= limits[:, None]).all())
        shift, uneven = starts[:, 0].copy(), None
        if is_even:
            ways[0], shift[0] = ways[0] / step[0], shift[0] / step[0]
            for axis in (1, 2):
                ways[axis], shift[axis] = ways[axis] - step[axis] * ways[0], shift[axis] - step[axis] * shift[0]
        else:
            half = (along[1] - along[0]) / 2
            knots = np.arange(along[0] - half, along[-1] + half + _KNOT_MM, _KNOT_MM)
            tables = [np.interp(knots, along, each).astype(np.float32) for each in (numbers, starts[1], starts[2])]
            uneven = tables[0], tables[1], tables[2]
            ways[0], shift[:] = ways[0] / _KNOT_MM, (knots[0] / _KNOT_MM - 0.5, 0.0, 0.0)
        first, second, third = (dot(axis, ways) for axis in grid.axes)
        begin = dot(grid.origin, ways) - shift
        across, along = (np.arange(count, dtype=np.float64) for count in grid.shape[1:])
        number, rows, columns = (
            np.add.outer(begin[axis] + across * second[axis], along * third[axis]).astype(np.float32).reshape(-1)
            for axis in range(3)
        )
        return cls(stack, (number, rows, columns), first, uneven)

    def at(self, level: int) -> tuple[list[_Floats], NDArray[np.bool_]]:
        """Return frame, row and column of the cells of a level, with fractions, and which of them lie in the stack."""
        frames, rows, columns = self.stack.values.shape
        number, row, column = (
            plane + np.float32(level * step) for plane, step in zip(self.planes, self.steps, strict=True)
        )
        if self.uneven is None:
            is_inside = (number >= np.float32(-0.5)) & (number <= np.float32(frames - 0.5))
        else:
            last = len(self.uneven[0]) - 1
            is_inside = (number >= 0) & (number < np.float32(last + 1))
            knot = np.minimum(np.maximum(number, 0), np.float32(last)).astype(np.intp)
            number, shifted_rows, shifted_columns = (each.take(knot) for each in self.uneven)
            row -= shifted_rows
            column -= shifted_columns
        for each, count in ((row, rows), (column, columns)):
            is_inside &= each > -1
            is_inside &= each < count
        return [number, row, column], is_inside


def _linear(values: _Floats, where: list[_Floats]) -> _Floats:
    """Return values at places in a volume, which are changed; what is beyond its ends has the value of the end."""
    start = np.zeros(1, np.intp)
    offsets, parts = [0], []
    for at, count, stride in zip(where, values.shape, (values[0].size, values.shape[2], 1), strict=True):
        np.maximum(at, 0, out=at)
        np.minimum(at, np.float32(count - 1), out=at)
        low = at.astype(np.intp)
        np.minimum(low, max(count - 2, 0), out=low)
        parts.append(np.subtract(at, low.astype(np.float32), out=at))
        low *= stride
        start = low + start
        offsets = [offset + further for offset in offsets for further in (0, stride if count > 1 else 0)]
    flat = values.reshape(-1)
    found = [flat[offset:].take(start) for offset in offsets]
    for part in reversed(parts):
        found = [_between(one, other, part) for one, other in zip(found[::2], found[1::2], strict=True)]
    return found[0]


def _between(one: _Floats, other: _Floats, part: _Floats) -> _Floats:
    other -= one
    other *= part
    other += one
    return other

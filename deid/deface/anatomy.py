"""What is known of a head before its face is worked on, on a grid that is turned as the head is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid.deface.morphology import Mask, dilate, joined_to, opened
from deid.deface.vectors import Vector, mixed
from deid.deface.volume import Grid

UP, FRONT, LEFT = 0, 1, 2
"""The axes of all arrays here: cells are counted towards the vertex, the face, and the patient's left."""

_NOSTRIL_MM = 6.0
_AROUND_MM = np.array([24.0, 32.0, 16.0])
_BELOW_MM, _ABOVE_MM, _BEHIND_MM, _BEFORE_MM, _BESIDE_MM = 205.0, 125.0, 130.0, 155.0, 118.0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A head.

    Attributes
    ----------
    grid
        where its cells lie
    values
        in units of the modality, the lowest outside the field of view
    seen
        what is in the field of view
    tissue
        what is no air
    outside
        the air around the head, with what is thin in it; not that in nostrils, mouth and airways
    bone
        what stays where it is in any case, none where it can't be told
    protected
        brain and all else inside the skull, with a margin
    brow, chin
        levels (of `UP`) between which the face lies, each with a margin
    ears
        where (of `FRONT`) the ears end: the face lies before
    middle
        of the head, in cells
    scale
        how large the skull is, of an adult's
    blurred_mm
        how far its surface is smeared, where that is more than a slice of CT or MR does
    """

    grid: Grid
    values: NDArray[np.float32]
    seen: Mask
    tissue: Mask
    outside: Mask
    bone: Mask
    protected: Mask
    brow: int
    chin: int
    ears: int
    middle: tuple[int, int, int]
    scale: float = 1.0
    blurred_mm: float = 0.0

    def cells(self, length_mm: float) -> int:
        """Return how many cells a length is."""
        return round(length_mm / self.grid.step_mm)


def head_grid(centre: Vector, axes: Vector, step_mm: float, body_mm: Vector | None = None) -> Grid:
    """Return a grid that holds a head.

    Parameters
    ----------
    centre
        the middle of its brain, in mm
    axes
        (3, 3), unit vectors up, to the front and to the left
    step_mm
        of the grid
    body_mm
        (2, 3), from where to where the body goes that it belongs to, along the axes from the centre; None if that isn't
        known
    """
    first, last = np.array([_BELOW_MM, _BEHIND_MM, _BESIDE_MM]), np.array([_ABOVE_MM, _BEFORE_MM, _BESIDE_MM])
    if body_mm is not None:
        last = np.minimum(last, _AROUND_MM + body_mm[1])
        first -= np.maximum((first + body_mm[0] - _AROUND_MM) // step_mm, 0) * step_mm  # the cells stay where they are
    counts = ((first + last) / step_mm).astype(int) + 1
    shape = (int(counts[0]), int(counts[1]), int(counts[2]))
    return Grid(centre - mixed(first, axes), axes * step_mm, shape)


def air_around(tissue: Mask, seen: Mask, step_mm: float, *, is_cut: bool = False) -> Mask:
    """Return the air around a head: where a ball goes from afar that is too large for nostrils and lips.

    What lies outside of the field of view is air if air is beside it.

    Parameters
    ----------
    tissue, seen
        as those of `Anatomy`
    step_mm
        of the grid
    is_cut
        whether the grid ends within the head, above and behind: air there may be that of the skull
    """
    reach = _NOSTRIL_MM / step_mm
    free = opened(~tissue, reach)
    border = np.zeros_like(tissue)
    for axis in range(3):
        ends = np.moveaxis(border, axis, 0)
        ends[-1] |= not (is_cut and axis == UP)
        ends[0] |= not (is_cut and axis == FRONT)
    border |= dilate(~seen, 1)
    return joined_to(border & free, free)


def front_of(outside: Mask, seen: Mask, middle: int, beside: int) -> Vector:
    """Return (levels,): how far to the front a head reaches in its middle, at each level; -1 where there is none.

    Parameters
    ----------
    outside, seen
        as those of `Anatomy`
    middle
        (of `LEFT`) of the head
    beside
        how many cells to each side of it are looked at
    """
    solid = (~outside & seen)[:, :, max(middle - beside, 0) : middle + beside + 1]
    last = solid.shape[FRONT] - 1
    height = np.where(solid.any(axis=FRONT), last - np.flip(solid, axis=FRONT).argmax(axis=FRONT), -1)
    return np.asarray(np.median(height, axis=1), np.float64)


def lowest_before_neck(front: Vector, brow: int, longest: int, recedes: int) -> int:
    """Return the lowest level at which the front of a head isn't that of its neck.

    Parameters
    ----------
    front
        of `front_of`
    brow, longest
        between which levels the face is
    recedes
        by how many cells the neck lies behind the middle of the face
    """
    face = front[(brow + longest) // 2 : brow]
    face = face[face >= 0]
    if not len(face):
        return longest
    levels = np.flatnonzero(front[longest:brow] >= np.median(face) - recedes)
    return longest + int(levels[0]) if len(levels) else longest

"""The anatomy of a head in CT: bone, brain, skin and air by their Hounsfield numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid.deface.anatomy import FRONT, LEFT, UP, Anatomy, air_around, front_of, lowest_before_neck
from deid.deface.head import BONE_HU, GAP_MM, SKIN_HU
from deid.deface.morphology import (
    Mask,
    bounds,
    centroid,
    closed,
    dilate,
    joined_to,
    largest,
    nearest_component,
    of_size,
    opened,
    parted_from,
    spread,
)
from deid.deface.vectors import Vector
from deid.deface.volume import Grid

_AIR_HU = -1000.0
_BRAIN_HU = (-60.0, 130.0)
_INTO_CORNERS_MM = 14.0
_THIN_BONE_MM = 6.0
_MARGIN_MM = 4.0
_THIN_MM = 4.0
_LEAST_BONE_MM3 = 400.0
_MUCH_OF_LARGEST = 0.1

_ABOVE_ORBITS_MM = 22.0
_BELOW_CHIN_MM = 16.0
_POLE_MM = (8.0, 36.0)  # from the foremost brain backwards: where its floor is the roof of the orbits
_POLE_BESIDE_MM = 36.0
_LONGEST_FACE_MM = 165.0
_SHORTEST_FACE_MM = 55.0
_LEAST_TO_CHIN_MM = 95.0
_BELOW_SKIN_MM, _PROFILE_BESIDE_MM, _RECEDES_MM = 6.0, 16.0, 30.0
_LEAST_JAW_MM2 = 120.0
_USUAL_WIDTH_MM = 136.0
_BEFORE_EARS_MM = 16.0
_FROM_POLE_TO_EARS_MM = 64.0
_THICKEST_FOREHEAD_MM = 42.0
_SEEN_FLOOR = 0.4
_MOST_BARE = 0.35
_BROW_ABOVE_MIDDLE_MM = 10.0


def anatomy_of(
    values: NDArray[np.float32], grid: Grid, centre: Vector, gap_mm: float = GAP_MM, shell: Shell | None = None
) -> Anatomy | None:
    """Return what is known of a head.

    Parameters
    ----------
    values
        Hounsfield numbers on a grid around the head, as `deid.deface.anatomy.head_grid` makes it; NaN outside the
        field of view
    grid
        where they lie; without `shell` it may end within the head, above and behind
    centre
        of the brain, in mm
    gap_mm
        half of the widest hole in the skull that is looked over
    shell
        what is known of the skull otherwise, where bone alone doesn't tell

    Returns
    -------
    Anatomy
        None if no face is in the field of view: it ends above the orbits, or there is no skin
    """
    seen = ~np.isnan(values)
    known = np.where(seen, values, np.float32(_AIR_HU))
    bone = known > BONE_HU
    tissue = known > SKIN_HU
    free = ~closed(bone, _THIN_BONE_MM / grid.step_mm) & tissue
    inside = _inside_skull(known, bone, free, grid, (centre, gap_mm, None if shell is None else shell.inside))
    if not inside.any():
        return None
    step = grid.step_mm
    thick = opened(tissue, _THIN_MM / step)
    head = largest(thick) | joined_to(dilate(inside, 1), thick)
    outside = air_around(head, seen, step, is_cut=shell is None)
    inside |= _in_sections(inside, free, outside)
    look = Look.of(grid, seen, outside, bone, inside, grid.cell(centre) if shell is None else None)
    brow = look.brow() if shell is None else look.brow_of(shell)
    if brow is None:
        return None
    ears = look.ears()
    if shell is None and look.is_bare(brow, ears):
        return None
    chin = look.chin(brow, ears) if shell is None else brow - round(_LONGEST_FACE_MM * look.scale() / step)
    middle = look.middle.astype(int).tolist()
    protected = dilate(inside, _MARGIN_MM / step) | (dilate(inside, 3 * _MARGIN_MM / step) & ~seen)
    return Anatomy(
        grid=grid,
        values=known,
        seen=seen,
        tissue=tissue,
        outside=outside,
        bone=of_size(bone, _LEAST_BONE_MM3 / step**3),
        protected=inside | (protected & ~dilate(outside & seen, 1)),  # next to air is skin, however thin a skull is
        brow=brow,
        chin=max(chin, 0),
        ears=ears,
        middle=(middle[0], middle[1], middle[2]),
        scale=look.scale(),
    )


@dataclass(frozen=True, slots=True)
class Shell:
    """The ellipsoid that fits a skull.

    Attributes
    ----------
    inside
        what lies in it
    middle
        the level (of `UP`) of its middle
    """

    inside: Mask
    middle: int


def _inside_skull(
    known: NDArray[np.float32], bone: Mask, free: Mask, grid: Grid, by: tuple[Vector, float, Mask | None]
) -> Mask:
    """Return all that is inside the skull: a room behind bone, and its corners.

    Parameters
    ----------
    known, bone, grid
        as in `anatomy_of`
    free
        what isn't bone, thin gaps of it closed, nor air
    by
        the middle of the brain, half of the widest hole that is looked over, and what is known to hold the skull
    """
    centre, gap_mm, within = by
    cells = gap_mm / grid.step_mm
    soft = (known > _BRAIN_HU[0]) & (known < _BRAIN_HU[1])
    if within is not None:
        soft &= within
    middle = grid.cell(centre).tolist()
    core = nearest_component(soft & ~dilate(bone, cells), tuple(middle), _MUCH_OF_LARGEST)
    if not core.any():
        return core
    if within is not None:
        free = free & within
    room = joined_to(core, dilate(core, cells + 0.5) & free)
    return spread(room, free, round(_INTO_CORNERS_MM / grid.step_mm))


def _in_sections(inside: Mask, free: Mask, outside: Mask) -> Mask:
    """Return what, within a level, is joined to the inside of the skull and doesn't come near air around the head.

    Poles of the brain, where the field of view ends just above them.
    """
    levels = slice(*bounds(inside)[UP])
    found = np.zeros_like(inside)
    found[levels] = parted_from(_next_to(outside[levels]), inside[levels], free[levels])
    return found


def _next_to(mask: Mask) -> Mask:
    """Return a mask with the cells that share a face with it, within their level."""
    grown = mask.copy()
    for axis in (FRONT, LEFT):
        to, of = np.moveaxis(grown, axis, 0), np.moveaxis(mask, axis, 0)
        to[1:] |= of[:-1]
        to[:-1] |= of[1:]
    return grown


@dataclass(frozen=True, slots=True)
class Look:
    """Where the face begins and ends.

    Attributes
    ----------
    grid, seen, outside, bone
        as those of `Anatomy`
    inside
        what is inside the skull
    middle, box
        of that: its mean place, and its first cells and those behind the last, along each axis
    """

    grid: Grid
    seen: Mask
    outside: Mask
    bone: Mask
    inside: Mask
    middle: Vector
    box: list[tuple[int, int]]

    @classmethod
    def of(cls, grid: Grid, seen: Mask, outside: Mask, bone: Mask, inside: Mask, middle: Vector | None = None) -> Look:
        """Look at a head; `middle` where a part of the inside isn't on the grid."""
        return cls(grid, seen, outside, bone, inside, centroid(inside) if middle is None else middle, bounds(inside))

    def _cells(self, length_mm: float) -> int:
        return round(length_mm / self.grid.step_mm)

    def brow(self) -> int | None:
        """Return the level above which the forehead stays; None if the field of view ends above the orbits."""
        first, last = self.box[FRONT]
        pole = slice(max(last - self._cells(_POLE_MM[1]), first), max(last - self._cells(_POLE_MM[0]), first + 1))
        side = round(self.middle[LEFT])
        beside = slice(max(side - self._cells(_POLE_BESIDE_MM), 0), side + self._cells(_POLE_BESIDE_MM))
        columns = self.inside[:, pole, beside]
        there = columns.any(axis=UP)
        floor = np.where(there, columns.argmax(axis=UP), 0)
        top = int(bounds(self.seen)[UP][1])
        if not there.any() or self._forehead_mm(last, side) > _THICKEST_FOREHEAD_MM:
            return top  # the field of view begins below the brow: only the hind part of the brain is in it
        at = np.arange(self.seen.shape[UP])[:, None, None]
        below = (at == floor - self._cells(4.0) - 1) & there
        is_seen = (self.seen[:, pole, beside] & below).any(axis=UP)[there]
        if is_seen.mean() < _SEEN_FLOOR:
            return None
        level = int(np.median(floor[there][is_seen]))
        return min(level + self._cells(_ABOVE_ORBITS_MM), top)

    def brow_of(self, shell: Shell) -> int | None:
        """Return the brow's level by the shape of the skull alone; None if the field of view ends above it."""
        first, last = bounds(self.seen)[UP]
        if shell.middle <= first:
            return None
        level = shell.middle + self._cells(_BROW_ABOVE_MIDDLE_MM)
        return min(level, last)

    def _forehead_mm(self, last: int, side: int) -> float:
        """Return how far it is from the foremost brain to the air before it."""
        near = self.inside[:, last - 1, :]
        up = round(float(np.argwhere(near)[:, 0].mean()))
        ahead = np.asarray(self.outside[up, last:, max(side - 2, 0) : side + 3].all(axis=1), np.bool_)
        return float((int(ahead.argmax()) if ahead.any() else len(ahead)) * self.grid.step_mm)

    def is_bare(self, brow: int, ears: int) -> bool:
        """Tell whether there is bone where skin should be: a phantom, or what was dug out."""
        lowest = max(brow - self._cells(_LONGEST_FACE_MM), 0)
        face = slice(lowest, brow), slice(ears, None)
        first = max(lowest - 2, 0), max(ears - 2, 0)
        air = (self.outside & self.seen)[first[0] : brow + 2, first[1] :]
        second = (dilate(air, 2) & ~dilate(air, 1))[lowest - first[0] :, ears - first[1] :][: brow - lowest]
        skin = second & ~self.outside[face]
        return bool((skin & self.bone[face]).sum() > _MOST_BARE * skin.sum())

    def scale(self) -> float:
        """Return how large the skull is, of an adult's."""
        first, last = self.box[LEFT]
        return float(np.clip((last - first) * self.grid.step_mm / _USUAL_WIDTH_MM, 0.55, 1.15))

    def ears(self) -> int:
        """Return where the ears end."""
        scale = self.scale()
        by_middle = self.middle[FRONT] + self._cells(_BEFORE_EARS_MM * min(scale, 1.0))
        pole = self.box[FRONT][1]
        by_pole = pole - self._cells(_FROM_POLE_TO_EARS_MM * scale)
        return round(float(min(by_middle, by_pole)))

    def chin(self, brow: int, ears: int) -> int:
        """Return the level below the chin: below all bone before the spine, and where the front gives way to the neck.

        No gap ends the face: between jaws, or below the upper one without teeth, there may be any. Rather some of the
        neck goes than a chin stays; where there is no lower jaw to be seen the longest of faces is taken.
        """
        scale = self.scale()
        front = min(ears + self._cells(20.0 * scale), self.bone.shape[FRONT] - 1)
        longest = max(brow - self._cells(_LONGEST_FACE_MM * scale), 0)
        shortest = max(brow - self._cells(_SHORTEST_FACE_MM * scale), longest + 1)
        area = (self.bone & ~self.outside)[longest:shortest, front:].sum(axis=(FRONT, LEFT)) * self.grid.step_mm**2
        levels = np.flatnonzero(area >= _LEAST_JAW_MM2 * scale) + longest
        if not len(levels) or brow - levels[0] < self._cells(_LEAST_TO_CHIN_MM * scale):
            return longest
        skin = front_of(self.outside, self.seen, round(self.middle[LEFT]), self._cells(_PROFILE_BESIDE_MM))
        lowest = lowest_before_neck(skin, brow, longest, self._cells(_RECEDES_MM * scale))
        return max(min(int(levels[0]) - self._cells(_BELOW_CHIN_MM), lowest - self._cells(_BELOW_SKIN_MM)), 0)

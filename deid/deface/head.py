"""The head in a CT volume: its skull, and which way it looks, by its anatomy.

A head is soft tissue all around which bone stands, however it is turned, cut by the borders of the field of view, or
labelled. Where the header's directions agree with the anatomy they are kept; the anatomy counts where they don't.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid.deface.morphology import (
    Mask,
    centroid,
    closed,
    components,
    dilate,
    joined_to,
    largest,
    opened,
    squared_distance,
)
from deid.deface.vectors import Vector, cross, dot, length, unit
from deid.deface.volume import Grid, Problem
from deid.errors import Reason, Refused

SKIN_HU, BONE_HU, AIR_HU = -300.0, 250.0, -400.0
COARSE_MM = 4.0

GAP_MM = 16.0
"""Half of the widest hole in a skull that is looked over."""

LEAST_ENCLOSED = 0.72
"""In which share of the directions from inside a skull there is bone, of those that aren't cut."""

_BRAIN_HU = (-60.0, 130.0)
_LEAST_CORE_ML = 4.0
_LEAST_CAVITY_ML, _LEAST_CUT_CAVITY_ML, _CUT = 180.0, 60.0, 0.06
_REACH_MM = 125.0
_RAYS = 400
_LEAST_RING_MM2 = 300.0
_LEAST_SEEN = 0.3
_SCALP_MM, _LEAST_NEAR_AIR = 40.0, 0.45
_FAR_AWAY_MM = 110.0
_LIKE_HEADER = 0.64  # cosine of 50 degrees
_CLEARLY_BETTER = 0.75
_LEAST_MIRRORED = 0.4
_FACE_AS_LABELLED = 0.45
_LENGTH_COUNTS = 4.0
_LEAST_IN_PLANE = 0.3
_LEAST_OF_FACE_MM3 = 3000.0
_PLACES = 9  # to which sines are the same on every machine
_STEPS_OF_CELL = 1 << 10
_SEEN = 1 << 32
_FEW_OFFSETS_MM, _OFFSETS_MM = (-6.0, 0.0, 6.0), (-8.0, -4.0, 0.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Skull:
    """A skull in a volume.

    Attributes
    ----------
    centre
        of its cavity, in mm
    left, front, up
        unit vectors towards the patient's left, face and vertex
    cavity_ml
        how much of the cavity is in the field of view
    enclosed
        share of the directions in which there is bone, of those that the field of view lets see
    is_as_labelled
        whether the header's directions hold
    body_mm
        (2, 3): from where to where what it belongs to goes, up, to the front and to the left, from its centre
    """

    centre: Vector
    left: Vector
    front: Vector
    up: Vector
    cavity_ml: float
    enclosed: float
    is_as_labelled: bool
    body_mm: Vector

    @property
    def axes(self) -> Vector:
        """Return (3, 3): up, front and left, as the grid of a head has them."""
        return np.array([self.up, self.front, self.left])


@dataclass(frozen=True, slots=True)
class _View:
    """What is seen, on a grid along the patient's axes.

    Attributes
    ----------
    known
        Hounsfield numbers, air outside the field of view
    seen
        what is in the field of view
    grid
        where they lie
    """

    known: NDArray[np.float32]
    seen: Mask
    bone: Mask
    grid: Grid


def find_skull(
    values: NDArray[np.float32], grid: Grid, gap_mm: float = GAP_MM, least_enclosed: float = LEAST_ENCLOSED
) -> Skull | None:
    """Find a skull.

    Parameters
    ----------
    values
        Hounsfield numbers on a grid of `COARSE_MM` whose axes are those of the patient, NaN outside the field of view
    grid
        where they lie
    gap_mm
        half of the widest hole that is looked over
    least_enclosed
        in which share of the directions there has to be bone

    Returns
    -------
    Skull
        None if there is none

    Raises
    ------
    Refused
        FACE_SERIES_UNFIT, if it can't be told which way it looks
    """
    known = np.nan_to_num(values, nan=-1000.0)
    view = _View(known, ~np.isnan(values), known > BONE_HU, grid)
    cavity, enclosed = _cavity(view, gap_mm, least_enclosed)
    if cavity is None:
        return None
    centre = grid.point(centroid(cavity))
    left = _left(view.bone, view.seen, grid, centre)
    front, up, is_as_labelled = _directions(view, cavity, centre, left)
    volume_ml = float(cavity.sum()) * grid.step_mm**3 / 1000
    left = cross(-front, up)
    body = joined_to(cavity, opened(view.known > SKIN_HU, 1)) | cavity
    cells = np.argwhere(body[::2, ::2, ::2]) * 2
    along = dot((grid.point(cells) - centre)[:, None], np.array([up, front, left]))
    body_mm = np.array([along.min(axis=0), along.max(axis=0)])
    return Skull(centre, left, front, up, volume_ml, enclosed, is_as_labelled, body_mm)


def _cavity(view: _View, gap_mm: float, least_enclosed: float) -> tuple[Mask | None, float]:
    """Return the largest room of soft tissue that bone encloses, and how well it does."""
    soft = (view.known > _BRAIN_HU[0]) & (view.known < _BRAIN_HU[1])
    cells = gap_mm / view.grid.step_mm
    cell_ml = view.grid.step_mm**3 / 1000
    labels, sizes = components(soft & ~dilate(view.bone, cells))
    for label in np.argsort(-sizes, kind="stable"):
        if sizes[label] * cell_ml < _LEAST_CORE_ML:
            break
        core = labels == label
        share, cut, near_air = _enclosed(core, view, directions(_RAYS))
        if share < least_enclosed or near_air < _LEAST_NEAR_AIR:
            continue
        cavity = largest(dilate(core, cells + 0.5) & ~view.bone & (view.known > _BRAIN_HU[0]))
        if cavity.sum() * cell_ml >= (_LEAST_CUT_CAVITY_ML if cut > _CUT else _LEAST_CAVITY_ML):
            return cavity, share
    return None, 0.0


def has_ring(values: NDArray[np.float32], step_mm: float) -> bool:
    """Tell whether a single frame shows a skull: soft tissue with bone all around it, and air soon behind that.

    Parameters
    ----------
    values
        (rows, columns), Hounsfield numbers
    step_mm
        between pixels
    """
    known = values[None]
    grid = Grid(np.zeros(3), np.eye(3) * step_mm, (1, values.shape[0], values.shape[1]))
    view = _View(known, np.ones(known.shape, np.bool_), known > BONE_HU, grid)
    soft = (known > _BRAIN_HU[0]) & (known < _BRAIN_HU[1]) & ~dilate(view.bone, GAP_MM / step_mm)
    labels, sizes = components(soft)
    core = labels == int(sizes.argmax())
    if sizes.max() * step_mm**2 < _LEAST_RING_MM2:
        return False
    turns = np.linspace(0, 2 * np.pi, _RAYS // 4, endpoint=False)
    rays = np.round(np.stack([np.zeros_like(turns), np.sin(turns), np.cos(turns)], axis=1), _PLACES)
    share, _, near_air = _enclosed(core, view, rays)
    return share >= LEAST_ENCLOSED and near_air >= _LEAST_NEAR_AIR


def directions(count: int) -> Vector:
    """Return (count, 3): unit vectors spread evenly over the sphere."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    turn = np.pi * (1 + 5**0.5) * index
    flat = np.sqrt(1 - height**2)
    ways = np.stack([height, flat * np.sin(turn), flat * np.cos(turn)], axis=1)
    return np.asarray(np.round(ways, _PLACES), np.float64)


def _enclosed(core: Mask, view: _View, rays: Vector) -> tuple[float, float, float]:
    """Return in which share of the directions bone comes next, which are cut, and how often air follows the bone soon.

    The first is of the directions in which anything is seen, the last of those with bone.

    The directions are those from the middle of a core, or what of it is nearest to that.
    """
    known, where = view.known, np.argwhere(core)
    start = where[int(length(where - where.mean(axis=0)).argmin())]
    steps = np.arange(1, int(_REACH_MM / view.grid.step_mm) + 1)
    cells = np.rint(start + rays[:, None, :] * steps[None, :, None]).astype(np.intp)
    inside = ((cells >= 0) & (cells < np.array(known.shape))).all(axis=2)
    at = tuple(np.moveaxis(cells.clip(0, np.array(known.shape) - 1), 2, 0))
    left_view = ~(inside & view.seen[at])
    is_bone = view.bone[at] & ~left_view
    is_air = (known[at] < SKIN_HU) & ~left_view
    never = len(steps) + 1
    first_bone, first_air, first_end = (
        np.where(each.any(axis=1), each.argmax(axis=1), never) for each in (is_bone, is_air, left_view)
    )
    hit = (first_bone < first_air) & (first_bone < first_end)
    cut = (first_end < first_bone) & (first_end < first_air)
    watched = len(rays) - int(cut.sum())
    share = float(hit.sum() / watched) if watched >= _LEAST_SEEN * len(rays) else 0.0
    soon = round(_SCALP_MM / view.grid.step_mm)
    number = np.arange(len(steps))[None, :]
    behind = (number > first_bone[:, None]) & (number <= first_bone[:, None] + soon)
    followed = ((known[at] < SKIN_HU) & behind & inside).any(axis=1)[hit]
    return share, float(cut.mean()), float(followed.mean()) if len(followed) else 0.0


def _left(bone: Mask, seen: Mask, grid: Grid, centre: Vector) -> Vector:
    """Return the direction across the plane in which the bones mirror best."""
    where = np.argwhere(bone)
    where = where[length(grid.point(where) - centre) < _FAR_AWAY_MM]
    apart = np.rint(np.sqrt(np.arange(17)) * _STEPS_OF_CELL).astype(np.int64)
    mirror = _Mirror.of(apart.take(np.minimum(squared_distance(bone, 4), 16)), seen, grid, centre)
    few, many = (where[:: max(1, len(where) // count)] for count in (500, 1500))
    ways = directions(800)[:400]  # half of the sphere
    costs = np.concatenate([mirror.costs(each, few, _FEW_OFFSETS_MM) for each in np.array_split(ways, 20)])
    as_labelled = np.abs(ways[:, 0]) > _LIKE_HEADER
    best = int(np.where(as_labelled, costs, np.inf).argmin())
    if costs.min() < _CLEARLY_BETTER * costs[best]:
        best = int(costs.argmin())
    left = ways[best]
    for width in (0.06, 0.03):
        first, second = _across(left)
        around = np.array([unit(left + width * (a * first + b * second)) for a in (-1, 0, 1) for b in (-1, 0, 1)])
        left = around[int(mirror.costs(around, many, _OFFSETS_MM).argmin())]
    return np.asarray(left if left[0] >= 0 else -left, np.float64)


def _across(way: Vector) -> tuple[Vector, Vector]:
    """Return two unit vectors that are perpendicular to one, and to each other."""
    first = unit(cross(way, np.eye(3)[int(np.abs(way).argmin())]))
    return first, cross(way, first)


@dataclass(frozen=True, slots=True)
class _Mirror:
    """What tells how alike the two sides of a plane are.

    Attributes
    ----------
    looks
        how far each cell around the centre is away from bone, 4 cells at most, in parts of a cell, and `_SEEN` more
        where it is in the field of view; 0 where it isn't, or is beyond the grid
    first
        which cell of the grid the first of them is
    grid
        where cells lie
    centre
        what planes go through
    """

    looks: NDArray[np.int64]
    first: NDArray[np.int64]
    grid: Grid
    centre: Vector

    @classmethod
    def of(cls, apart: NDArray[np.int64], seen: Mask, grid: Grid, centre: Vector) -> _Mirror:
        reach = int((_FAR_AWAY_MM + 2 * _OFFSETS_MM[-1]) / grid.step_mm) + 2
        first = np.rint(grid.cell(centre)).astype(np.int64) - reach
        looks = np.zeros([2 * reach + 1] * 3, np.int64)
        low, high = np.maximum(first, 0), np.minimum(first + len(looks), grid.shape)
        here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        there = tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))
        looks[there] = (apart[here] + _SEEN) * seen[here]
        return cls(looks, first, grid, centre)

    def costs(self, ways: Vector, where: NDArray[np.int64], offsets: tuple[float, ...]) -> Vector:
        """Return how far from bone the mirror images of bones lie on average, at the best of some offsets.

        Parameters
        ----------
        ways
            (n, 3), across the planes
        where
            (m, 3), cells with bone, no farther than `_FAR_AWAY_MM` from the centre
        offsets
            of the planes, in mm, no more than the last of `_OFFSETS_MM`
        """
        along = dot(self.grid.point(where) - self.centre, ways[:, None])
        steps = 2 * dot(ways[:, None], self.grid.axes) / self.grid.step_mm**2
        best = np.full(len(ways), np.inf)
        mirrored = [where[:, axis] - self.first[axis] - along * steps[:, axis, None] for axis in range(3)]
        count, looks = float(len(self.looks)), self.looks.reshape(-1)
        for offset in offsets:
            index = np.zeros(along.shape)
            for axis in range(3):
                index *= count
                index += np.rint(mirrored[axis] + offset * steps[:, axis, None])
            visible, sums = np.divmod(looks.take(index.astype(np.intp)).sum(axis=1), _SEEN)
            enough = visible >= max(_LEAST_MIRRORED * len(where), 1)
            best[enough] = np.minimum(best[enough], sums[enough] / visible[enough])
        return best


def _directions(view: _View, cavity: Mask, centre: Vector, left: Vector) -> tuple[Vector, Vector, bool]:
    """Return where front and up are, and whether the header says so too.

    The bones of the face and the air in it lie before and below the brain: half way between front and down.
    """
    labelled = _flat(np.array([0.0, -1.0, 0.0]), left), _flat(np.array([0.0, 0.0, 1.0]), left)
    ahead = _flat(_towards_face(view, cavity, centre), left)
    if ahead is None:
        raise Refused(Reason.FACE_SERIES_UNFIT, Problem.UNCLEAR)
    if labelled[0] is not None and labelled[1] is not None:
        front = labelled[0]
        up = _flat(labelled[1] - dot(labelled[1], front) * front, left)
        if up is not None and dot(front - up, ahead) / 2**0.5 > _FACE_AS_LABELLED:
            return front, up, True
    turned = cross(left, ahead)
    choices = []
    for side in (turned, -turned):
        front, up = (ahead + side) / 2**0.5, (side - ahead) / 2**0.5
        evidence = _LENGTH_COUNTS * np.log(_extent(view, cavity, front) / _extent(view, cavity, up))
        evidence += 0.0 if labelled[0] is None else float(np.abs(dot(front, labelled[0])))
        choices.append((float(evidence), front, up))
    _, front, up = max(choices, key=lambda choice: choice[0])
    return front, up, False


def _flat(way: Vector, left: Vector) -> Vector | None:
    """Return a direction within the plane between the two sides; None of one that is nearly across it."""
    flat = way - dot(way, left) * left
    long = float(length(flat))
    return flat / long if long > _LEAST_IN_PLANE * float(length(way)) else None


def _towards_face(view: _View, cavity: Mask, centre: Vector) -> Vector:
    """Return where, from the middle of the cavity, bones outside of the skull and air inside of the head are."""
    body = largest(opened(view.known > SKIN_HU, 1))
    air = closed(body, 20.0 / view.grid.step_mm) & (view.known < AIR_HU) & view.seen
    bone = view.bone & ~dilate(cavity, 12.0 / view.grid.step_mm)
    ways = []
    for mask in (air, bone):
        where = view.grid.point(np.argwhere(mask)) - centre
        where = where[length(where) < _FAR_AWAY_MM]
        if len(where) * view.grid.step_mm**3 > _LEAST_OF_FACE_MM3:
            ways.append(unit(where.mean(axis=0)))
    return np.asarray(np.sum(ways, axis=0) if ways else np.zeros(3), np.float64)


def _extent(view: _View, cavity: Mask, way: Vector) -> float:
    """Return how long the cavity is in a direction, as the spread of its cells."""
    return float(np.std(dot(view.grid.point(np.argwhere(cavity)), way))) + 1.0

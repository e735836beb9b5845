"""A volume from frames that come in any order: what is kept of each is enough to find a head by, and little.

Frames are reduced in their own planes to pixels of about 2 mm, and put in order along their common normal. Spacing
may be uneven, the stack may lean (gantry tilt), and lie in the patient in any way. Where several frames share a
position (time points, echoes), the one with the smallest code stands for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deid.deface.geometry import Header, Place
from deid.deface.vectors import Vector, cross, dot, length, mixed
from deid.errors import Reason, Refused

STEP_MM = 2.0
_REDUCED_MM = 1.6
_SAME_DIRECTION = 0.9995  # cosine of 1.8 degrees
_SAME_POSITION_MM = 0.05
LARGEST_GAP_MM = 12.0
_FEWEST_SLICES = 6
_MOST_CELLS = 40_000_000
_LEAST_DEPTH_MM = 40.0
_MOST_SHIFT = 0.15  # of a leaning stack's places from the straight line through them, per mm


class Problem(StrEnum):
    """Why the frames of a series give no volume: the details of ``face-series-unfit``."""

    NO_GEOMETRY = "no-geometry"
    LOCALIZER = "localizer"
    MIXED_ORIENTATION = "mixed-orientation"
    GAPS = "gaps"
    TOO_FEW = "too-few-slices"
    SEVERAL_FRAMES_OF_REFERENCE = "several-frames-of-reference"
    UNCLEAR = "unclear-anatomy"
    NO_SKULL = "face-without-skull"


@dataclass(frozen=True, slots=True)
class Reduced:
    """A frame with fewer pixels.

    Attributes
    ----------
    place
        where these pixels lie
    normal
        of the place
    values
        (rows, columns), means of the pixels under them, in units of the modality
    code
        a digest that tells it from all others
    """

    place: Place
    normal: Vector
    values: NDArray[np.float32]
    code: bytes


def reduced(place: Place, values: NDArray[np.float32], code: bytes) -> Reduced:
    """Return a frame with pixels of about 2 mm.

    Parameters
    ----------
    place
        where it lies
    values
        (rows, columns) in units of the modality
    code
        as in `Reduced`
    """
    down, across = (max(1, round(_REDUCED_MM / spacing)) for spacing in place.spacing_mm)
    down, across = min(down, values.shape[0]), min(across, values.shape[1])
    if down == across == 1:
        return Reduced(place, place.normal, np.ascontiguousarray(values, np.float32), code)
    rows, columns = values.shape[0] // down * down, values.shape[1] // across * across
    sums = values[:rows:down, :columns].astype(np.float32)
    for step in range(1, down):
        sums += values[step:rows:down, :columns]
    means = sums[:, ::across].copy()
    for step in range(1, across):
        means += sums[:, step::across]
    means /= np.float32(down * across)
    origin = place.origin + place.along_row * (across - 1) / 2 + place.along_column * (down - 1) / 2
    small = Place(origin, place.along_row * across, place.along_column * down)
    return Reduced(small, small.normal, means, code)


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel frames of one size, in order along their normal.

    Attributes
    ----------
    normal
        their common normal
    positions_mm
        where each crosses the normal, ascending
    origins
        (frames, 3), centre of the first pixel of each
    along_row, along_column
        of all of them, as in `deid.deface.geometry.Place`
    values
        (frames, rows, columns)
    """

    normal: Vector
    positions_mm: Vector
    origins: Vector
    along_row: Vector
    along_column: Vector
    values: NDArray[np.float32]

    @property
    def gap_mm(self) -> float:
        """Return the largest distance between neighbours; what it would be for one frame alone is not known."""
        return float(np.diff(self.positions_mm).max()) if len(self.positions_mm) > 1 else 0.0

    @property
    def depth_mm(self) -> float:
        """Return how far it is from the first frame to the last."""
        return float(self.positions_mm[-1] - self.positions_mm[0])

    @property
    def is_volume(self) -> bool:
        """Tell whether there are enough frames, near enough to each other, to see what they show."""
        is_deep = len(self.positions_mm) >= _FEWEST_SLICES and self.depth_mm >= _LEAST_DEPTH_MM
        return is_deep and self.gap_mm <= LARGEST_GAP_MM

    def corners(self) -> Vector:
        """Return (8, 3): where the corners of the stack lie."""
        rows, columns = self.values.shape[1:]
        row, column = self.along_row * (columns - 1), self.along_column * (rows - 1)
        ends = (self.origins[0], self.origins[-1])
        return np.array([end + a * row + b * column for end in ends for a in (0, 1) for b in (0, 1)])


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells in the patient: `origin` + i · `axes[0]` + j · `axes[1]` + k · `axes[2]`.

    Attributes
    ----------
    origin
        centre of the first cell, in mm
    axes
        (3, 3), orthogonal: the step along each axis of an array, in mm
    shape
        number of cells along each
    """

    origin: Vector
    axes: Vector
    shape: tuple[int, int, int]

    @property
    def step_mm(self) -> float:
        """Return the distance of neighbouring cells."""
        return float(length(self.axes[0]))

    def point(self, cell: ArrayLike) -> Vector:
        """Return where a cell, or each of many, lies."""
        return np.asarray(self.origin + mixed(cell, self.axes), np.float64)

    def cell(self, point: Vector) -> Vector:
        """Return the cell, with fractions, of one point or of many."""
        return np.asarray(dot((point - self.origin)[..., None, :], self.axes) / self.step_mm**2, np.float64)


def grid_around(points: Vector, step_mm: float, axes: Vector | None = None) -> Grid:
    """Return the grid with the given axes, unit vectors, that holds all points."""
    unit = np.eye(3)[::-1] if axes is None else axes
    along = dot(points[:, None], unit)
    low, high = along.min(axis=0), along.max(axis=0)
    shape = tuple(int(count) for count in np.floor((high - low) / step_mm + 1e-6) + 1)
    rest = (high - low - (np.array(shape) - 1) * step_mm) / 2
    return Grid(mixed(low + rest, unit), unit * step_mm, (shape[0], shape[1], shape[2]))


def grid_of(stacks: Sequence[Stack], step_mm: float) -> Grid:
    """Return the grid along the patient's axes that holds all stacks.

    Raises
    ------
    Refused
        FACE_SERIES_UNFIT, if that would have too many cells
    """
    grid = grid_around(np.concatenate([stack.corners() for stack in stacks]), step_mm)
    if np.prod(grid.shape) > _MOST_CELLS:
        raise Refused(Reason.FACE_SERIES_UNFIT, f"a volume of {' by '.join(map(str, grid.shape))} cells")
    return grid


@dataclass(slots=True)
class Gathering:
    """Frames of one series as they come.

    Attributes
    ----------
    by_kind
        whether frames of different Image Type or Echo Time are different volumes, as those of MR are
    """

    by_kind: bool
    _groups: dict[tuple[object, ...], dict[int, list[Reduced]]] = field(default_factory=lambda: defaultdict(dict))
    _localizers: int = 0
    _references: set[str] = field(default_factory=set)
    _frames: int = 0

    def add(self, header: Header, values: NDArray[np.float32], code: bytes) -> None:
        """Take in one frame; `values` in units of the modality."""
        self._frames += 1
        if header.is_localizer:
            self._localizers += 1
            return
        self._references.add(header.frame_of_reference)
        place = header.place
        normal = place.normal
        spacing_mm = (round(each, 3) for each in place.spacing_mm)
        position = round(float(dot(place.origin, normal)) / _SAME_POSITION_MM)
        key = (values.shape, *spacing_mm, header.kind if self.by_kind else "")
        same = self._groups[key].setdefault(position, [])
        for index, other in enumerate(same):
            if dot(other.normal, normal) > _SAME_DIRECTION:
                if code < other.code:
                    same[index] = reduced(place, values, code)
                return
        same.append(reduced(place, values, code))

    def stacks(self) -> tuple[list[Stack], Problem | None]:
        """Return the volumes among the frames, the largest first, and what is wrong with the series.

        A stack with gaps is none; nor are single frames, where there is a volume beside them.
        """
        if len(self._references) > 1:
            return [], Problem.SEVERAL_FRAMES_OF_REFERENCE
        stacks = [
            _stack(bundle)
            for group in self._groups.values()
            for bundle in _parallel([each for found in group.values() for each in found])
        ]
        if not stacks:
            return [], Problem.LOCALIZER
        stacks.sort(key=_weight, reverse=True)
        whole = [each for each in stacks if each.is_volume]
        if whole:
            return whole, None
        if stacks[0].gap_mm > LARGEST_GAP_MM:
            return stacks[:1], Problem.GAPS
        is_mixed = any(abs(dot(other.normal, stacks[0].normal)) < _SAME_DIRECTION for other in stacks)
        return stacks[:1], Problem.MIXED_ORIENTATION if is_mixed else Problem.TOO_FEW


def _weight(stack: Stack) -> tuple[float, int, bytes]:
    rows, columns = stack.values.shape[1:]
    area = length(cross(stack.along_row, stack.along_column)) * rows * columns
    return (
        round(float(area) * max(stack.depth_mm, 1.0)),
        len(stack.positions_mm),
        np.round(stack.origins[0], 3).tobytes(),
    )


def _parallel(frames: Sequence[Reduced]) -> list[list[Reduced]]:
    """Return frames in bundles of one direction; sorted first, so that their order doesn't matter."""
    bundles: list[list[Reduced]] = []
    for frame in sorted(frames, key=lambda each: each.code):
        for bundle in bundles:
            if dot(bundle[0].normal, frame.normal) > _SAME_DIRECTION:
                bundle.append(frame)
                break
        else:
            bundles.append([frame])
    return bundles


def _stack(frames: list[Reduced]) -> Stack:
    normal = frames[0].normal
    ordered = sorted(frames, key=lambda each: (float(dot(each.place.origin, normal)), each.code))
    kept = [ordered[0]]
    for frame in ordered[1:]:
        if dot(frame.place.origin - kept[-1].place.origin, normal) > _SAME_POSITION_MM:
            kept.append(frame)
    origins = np.array([each.place.origin for each in kept])
    first = kept[0].place
    values = np.stack([each.values for each in kept])
    return Stack(normal, dot(origins, normal), origins, first.along_row, first.along_column, values)

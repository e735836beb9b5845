"""What is done to the frames of one series: made once of all of them, applied to each.

A plan is in the patient's coordinates, so that a frame that comes late gets what its place needs. Written down it
shows the outline of a face: it is kept as the instances themselves are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.deface.fill import drawn
from deid.deface.geometry import Header, Place
from deid.deface.morphology import Mask
from deid.deface.rules import Mode
from deid.deface.slices import outline_of, palette_of_outline
from deid.deface.vectors import Vector, cross, dot
from deid.deface.volume import Grid, Problem
from deid.errors import Reason, Refused

__all__ = ["Box", "FacePlan", "Kind"]

_MAGIC = b"deid-node face plan 1\n"
_DIGEST_BYTES = 32
_MOST_CELLS = 1 << 27
_ALL_CORNERS = 0xFF
_ENDS = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
_PART_BITS = 16
_ALL_PARTS = np.int32((1 << _PART_BITS) - 1)
_MOST_ALONG_AXIS = 1 << 12  # so that parts of cells, some way beyond the grid's ends too, are 32 bits


class Kind(StrEnum):
    """What a plan has done with the frames of its series."""

    NO_HEAD = "no-head"
    DEFACE = "deface"
    SLICEWISE = "slicewise"


@dataclass(frozen=True, slots=True)
class Box:
    """Where a stack of frames lies.

    Attributes
    ----------
    origin
        one corner, in mm
    axes
        (3, 3), unit vectors, the last one across the frames
    size_mm
        (3,)
    tolerance_mm
        (3,), how far beyond its ends it still holds
    """

    origin: Vector
    axes: Vector
    size_mm: Vector
    tolerance_mm: Vector

    def holds(self, points: Vector) -> bool:
        """Tell whether all points lie in it."""
        first, second, third = self.axes
        sides = np.array([cross(second, third), cross(third, first), cross(first, second)])
        along = dot((points - self.origin)[:, None], sides / dot(first, sides[0]))
        return bool(((along >= -self.tolerance_mm) & (along <= self.size_mm + self.tolerance_mm)).all())


@dataclass(frozen=True, slots=True, eq=False)
class FacePlan:
    """What is done to the frames of one series.

    Attributes
    ----------
    series_code
        whose
    kind
        what
    modality
        CT, MR or PT
    mode, kernel_mm
        of the profile
    problem
        why the series gave no volume, empty if it did
    reference
        a keyed digest of its Frame of Reference UID
    boxes
        where its frames lie
    seed
        what values are drawn by
    palette
        (256,) the values
    grid, touched
        what is touched, None unless the kind is DEFACE
    figures
        counts of cells: what the step's own check has found
    """

    series_code: str
    kind: Kind
    modality: str
    mode: Mode
    kernel_mm: float
    problem: str
    reference: str
    boxes: tuple[Box, ...]
    seed: bytes = field(repr=False)
    palette: NDArray[np.float32] | None = field(default=None, repr=False)
    grid: Grid | None = None
    touched_cells: Mask | None = field(default=None, repr=False)
    figures: tuple[int, ...] = ()

    def touched(self, header: Header, values: NDArray[np.float32] | None, shape: tuple[int, int]) -> Mask | None:
        """Return which pixels of a frame are changed.

        Parameters
        ----------
        header
            of the frame
        values
            of the frame, in units of the modality; only of the kind SLICEWISE they are looked at
        shape
            rows and columns of the frame

        Returns
        -------
        numpy.ndarray
            (rows, columns); None if none is

        Raises
        ------
        Refused
            FACE_SERIES_UNFIT, for a frame that the plan was not made for
        """
        if self.kind is Kind.SLICEWISE:
            assert values is not None  # noqa: S101  the caller has asked `looks_at_values`
            return outline_of(values, header.place.spacing_mm, self.modality, self.kernel_mm)
        self._check(header, shape)
        if self.grid is None or self.touched_cells is None:
            return None
        return cut_through(self.grid, _corners(self), header.place, shape)

    @property
    def looks_at_values(self) -> bool:
        """Tell whether `touched` and `fill` want a frame's values."""
        return self.kind is Kind.SLICEWISE

    def fill(self, header: Header, touched: Mask, values: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Return the new values of the touched pixels, in their order, in units of the modality."""
        palette = self.palette
        if palette is None:
            assert values is not None  # noqa: S101  as above
            palette = palette_of_outline(values, touched, self.modality)
        return drawn(palette, self.seed, header.place, touched)

    def _check(self, header: Header, shape: tuple[int, int]) -> None:
        if header.is_localizer:
            raise Refused(Reason.FACE_SERIES_UNFIT, Problem.LOCALIZER)
        if reference_code(self.seed, header.frame_of_reference) != self.reference:
            raise Refused(Reason.FACE_SERIES_UNFIT, "another-frame-of-reference")
        corners = corners_of(header.place, shape)
        if not any(box.holds(corners) for box in self.boxes):
            raise Refused(Reason.FACE_SERIES_UNFIT, "outside-plan")

    # As bytes

    def to_bytes(self) -> bytes:
        """Return the plan as bytes that `from_bytes` reads: equal plans give equal bytes."""
        grid, mask, palette = self.grid, self.touched_cells, self.palette
        said = {
            "series_code": self.series_code,
            "kind": self.kind,
            "modality": self.modality,
            "mode": self.mode,
            "kernel_mm": self.kernel_mm,
            "problem": self.problem,
            "reference": self.reference,
            "boxes": [
                [each.tolist() for each in (box.origin, box.axes, box.size_mm, box.tolerance_mm)] for box in self.boxes
            ],
            "seed": self.seed.hex(),
            "palette": None if palette is None else palette.astype(float).tolist(),
            "grid": None if grid is None else [grid.origin.tolist(), grid.axes.tolist(), list(grid.shape)],
            "figures": list(self.figures),
        }
        body = json.dumps(said, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"
        body += b"" if mask is None else np.packbits(mask).tobytes()
        return _MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, data: bytes) -> FacePlan:
        """Read a plan.

        Raises
        ------
        ValueError
            The bytes are no plan of this version, or were altered.
        """
        start = len(_MAGIC) + _DIGEST_BYTES
        body = data[start:]
        if data[: len(_MAGIC)] != _MAGIC or hashlib.sha256(body).digest() != data[len(_MAGIC) : start]:
            raise ValueError("no plan of this version, or an altered one")
        text, _, bits = body.partition(b"\n")
        try:
            return _read(json.loads(text), bits)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"a plan with {type(error).__name__}") from None


def _read(said: dict[str, Any], bits: bytes) -> FacePlan:
    grid = mask = None
    if said["grid"] is not None:
        origin, axes, (up, front, left) = said["grid"]
        grid = Grid(np.array(origin), np.array(axes), (up, front, left))
        cells = up * front * left
        is_usual = 0 < min(grid.shape) <= max(grid.shape) <= _MOST_ALONG_AXIS and cells <= _MOST_CELLS
        if not is_usual or len(bits) != (cells + 7) // 8:
            raise ValueError("a plan with another number of cells")
        mask = np.unpackbits(np.frombuffer(bits, np.uint8), count=cells).astype(np.bool_).reshape(grid.shape)
    palette = said["palette"]
    return FacePlan(
        series_code=said["series_code"],
        kind=Kind(said["kind"]),
        modality=said["modality"],
        mode=Mode(said["mode"]),
        kernel_mm=said["kernel_mm"],
        problem=said["problem"],
        reference=said["reference"],
        boxes=tuple(Box(*(np.array(box[at]) for at in range(4))) for box in said["boxes"]),
        seed=bytes.fromhex(said["seed"]),
        palette=None if palette is None else np.array(palette, np.float32),
        grid=grid,
        touched_cells=mask,
        figures=tuple(said["figures"]),
    )


def reference_code(seed: bytes, frame_of_reference: str) -> str:
    """Return what stands for a Frame of Reference UID in a plan."""
    return hmac.digest(seed, frame_of_reference.encode("latin-1", "replace"), hashlib.sha256)[:16].hex()


def corners_of(place: Place, shape: tuple[int, int]) -> Vector:
    """Return (4, 3): where the corners of a frame lie."""
    row, column = place.along_row * (shape[1] - 1), place.along_column * (shape[0] - 1)
    return np.array([place.origin, place.origin + row, place.origin + column, place.origin + row + column])


def cut_through(grid: Grid, corners: NDArray[np.uint8], place: Place, shape: tuple[int, int]) -> Mask | None:
    """Return which pixels of a frame lie in a mask: more than half, linear between its cells.

    Parameters
    ----------
    grid
        where the cells of the mask lie
    corners
        `corners_in` the mask, none of which is True at its borders
    place, shape
        of the frame

    Returns
    -------
    numpy.ndarray
        of `shape`; None if the frame passes the mask by
    """
    apart = grid.point(_ENDS * (np.array(grid.shape) - 1)) - place.origin
    across = dot(apart, place.normal)
    if across.min() > 0 or across.max() < 0:
        return None
    row_of = dot(apart, place.along_column) / dot(place.along_column, place.along_column)
    column_of = dot(apart, place.along_row) / dot(place.along_row, place.along_row)
    top, bottom = max(int(row_of.min()), 0), min(int(row_of.max()) + 2, shape[0])
    left, right = max(int(column_of.min()), 0), min(int(column_of.max()) + 2, shape[1])
    if top >= bottom or left >= right:
        return None
    first = grid.cell(place.origin + top * place.along_column + left * place.along_row)
    down, along = (dot(grid.axes, way) / grid.step_mm**2 for way in (place.along_column, place.along_row))
    rows, columns = np.arange(bottom - top), np.arange(right - left)
    cells = [
        (_parts_of_cells(first[axis] + rows * down[axis]), _parts_of_cells(columns * along[axis])) for axis in range(3)
    ]
    found = np.zeros(shape, np.bool_)
    found[top:bottom, left:right] = _more_than_half(corners, cells)
    return found


def _parts_of_cells(where: Vector) -> NDArray[np.int32]:
    return np.rint(where * (1 << _PART_BITS)).astype(np.int32)


def _more_than_half(corners: NDArray[np.uint8], cells: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]]) -> Mask:
    """Return where, linear between cells, more than half is in a mask; most places lie among cells that are alike.

    Parameters
    ----------
    corners
        of the mask, none of which is True at its borders
    cells
        for each axis where rows of places are, and what each column adds, in parts of cells, of which there are 2 to
        the `_PART_BITS`
    """
    shape = len(cells[0][0]), len(cells[0][1])
    inside = np.ones(shape, np.bool_)
    index = np.zeros(shape, np.int32)
    places = []
    for (rows, columns), count in zip(cells, corners.shape, strict=True):
        places.append(rows[:, None] + columns)
        inside &= places[-1].view(np.uint32) < np.uint32(count << _PART_BITS)  # what is below 0 is large
        index *= np.int32(count)
        index += places[-1] >> np.int32(_PART_BITS)
    index *= inside
    around = corners.reshape(-1).take(index)
    around *= inside
    found = np.asarray(around == _ALL_CORNERS)
    mixed = np.flatnonzero((around - np.uint8(1)) < np.uint8(_ALL_CORNERS - 1))
    if len(mixed):
        parts = [(at.reshape(-1).take(mixed) & _ALL_PARTS) * np.float32(1 / (1 << _PART_BITS)) for at in places]
        found.reshape(-1)[mixed] = _share(around.reshape(-1).take(mixed), parts) > 0.5
    return found


@lru_cache(maxsize=1)  # the instances of a series come one after the other
def _corners(plan: FacePlan) -> NDArray[np.uint8]:
    return corners_in(plan.touched_cells) if plan.touched_cells is not None else np.zeros((0, 0, 0), np.uint8)


def corners_in(mask: Mask) -> NDArray[np.uint8]:
    """Return which of eight neighbours are in a mask, a bit for each: with the next cell along each axis or without."""
    found = np.zeros([count - 1 for count in mask.shape], np.uint8)
    for corner in range(8):
        part = tuple(
            slice(step, count - 1 + step)
            for step, count in zip((corner >> 2 & 1, corner >> 1 & 1, corner & 1), mask.shape, strict=True)
        )
        found |= mask[part].view(np.uint8) << np.uint8(corner)
    return found


def _share(around: NDArray[np.uint8], part: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return which share of places is in a mask, by which of the cells around them are and where they lie between."""
    (up, front, left), bits = part, np.unpackbits(around[None], axis=0, bitorder="little").astype(np.float32)
    for at in (up, front, left):
        half = len(bits) // 2
        bits[half:] -= bits[:half]
        bits[half:] *= at
        bits = bits[:half] + bits[half:]
    return np.asarray(bits[0])

"""How a body is scanned: planes, spacing, tilt and what a scanner makes of the values; and where that puts voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tests.heads.canvas import Canvas
from tests.heads.tissues import CONTRASTS

_POINTS_AT_ONCE = 600_000
_PLANES = {
    # a row's direction, a column's direction
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
}
_TURNS = {  # of an axial picture about the patient's long axis, with the patient's position that suits it
    "HFS": 0, "HFDR": 90, "HFP": 180, "HFDL": 270, "FFS": 0, "FFDR": 90, "FFP": 180, "FFDL": 270,
}  # fmt: skip
_SHADING = 0.18
_NOISE = {"CT": 9.0, "PT": 60.0}
_MR_NOISE = 14.0


class Subject(Protocol):
    """What can be scanned."""

    def own(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn points of the patient's coordinates, (..., 3), into the body's own."""

    def paint(self, canvas: Canvas) -> None:
        """Lay all tissues."""


@dataclass(frozen=True)
class Scan:
    """A way to scan.

    Attributes
    ----------
    contrast
        CT, T1, T2, FLAIR or PT
    shape
        slices, rows, columns
    step_mm
        between slices, rows, columns
    uneven_mm
        between the slices of the half towards the head; 0 for the same
    centre_mm
        where the volume's middle lies in the patient
    tilt_degrees
        of the gantry: slices lean, and yet move along the table
    turned_degrees
        of all planes, about the patient's three axes
    is_circle
        what lies outside of the circle in each slice is padding
    padding
        stored value of what was not measured; None for none
    """

    contrast: str = "CT"
    shape: tuple[int, int, int] = (48, 96, 96)
    step_mm: tuple[float, float, float] = (5.0, 2.6, 2.6)
    plane: str = "axial"
    position: str = "HFS"
    centre_mm: tuple[float, float, float] = (0.0, -6.0, -20.0)
    uneven_mm: float = 0.0
    tilt_degrees: float = 0.0
    turned_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    is_downward: bool = False
    is_circle: bool = False
    slope: float = 1.0
    intercept: float = -1024.0
    is_signed: bool = False
    padding: int | None = None
    noise: float = 1.0

    def with_(self, **changes: object) -> Scan:
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def modality(self) -> str:
        return self.contrast if self.contrast in {"CT", "PT"} else "MR"

    @cached_property
    def directions(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Along a row, along a column, and from slice to slice; each of length 1."""
        row, column = (np.array(each) for each in _PLANES[self.plane])
        if self.plane == "axial":
            turn = _about(2, _TURNS[self.position])
            row, column = turn @ row, turn @ column
        along = np.cross(row, column)
        column = _about(0, self.tilt_degrees) @ column
        turn = _about(2, self.turned_degrees[2]) @ _about(1, self.turned_degrees[1]) @ _about(0, self.turned_degrees[0])
        return turn @ row, turn @ column, turn @ (-along if self.is_downward else along)

    @cached_property
    def offsets_mm(self) -> NDArray[np.float64]:
        """(slices,): how far each is along."""
        count = self.shape[0]
        steps = np.full(max(count - 1, 0), self.step_mm[0])
        if self.uneven_mm:
            upper = slice(0, count // 2) if self.is_downward else slice(count // 2, None)
            steps[upper] = self.uneven_mm
        offsets = np.concatenate([[0.0], np.cumsum(steps)])
        return np.asarray(offsets - offsets[-1] / 2)

    def first_mm(self, number: int) -> NDArray[np.float64]:
        """Return where the first pixel of a slice lies: its Image Position (Patient)."""
        row, column, along = self.directions
        _, rows, columns = self.shape
        middle = np.array(self.centre_mm) + self.offsets_mm[number] * along
        corner = (columns - 1) / 2 * self.step_mm[2] * row + (rows - 1) / 2 * self.step_mm[1] * column
        return np.asarray(middle - corner)

    def points_mm(self, numbers: range) -> NDArray[np.float64]:
        """(slices, rows, columns, 3): where the voxels of some slices lie."""
        row, column, _ = self.directions
        _, rows, columns = self.shape
        firsts = np.stack([self.first_mm(number) for number in numbers])
        down = np.arange(rows)[:, None, None] * self.step_mm[1] * column
        right = np.arange(columns)[None, :, None] * self.step_mm[2] * row
        return np.asarray(firsts[:, None, None] + (down + right)[None])


@dataclass(frozen=True, slots=True)
class Slices:
    """Some slices, scanned.

    Attributes
    ----------
    numbers
        which of the scan's
    stored
        (slices, rows, columns): values as they are stored
    intracranial, head
        (slices, rows, columns): the truth about voxels
    """

    numbers: range
    stored: NDArray[np.int16] | NDArray[np.uint16]
    intracranial: NDArray[np.bool_]
    head: NDArray[np.bool_]


def scanned(subject: Subject, scan: Scan, seed: int = 0, numbers: range | None = None) -> Iterator[Slices]:
    """Scan a body, some slices at a time; what a slice holds depends on nothing but its number."""
    numbers = numbers if numbers is not None else range(scan.shape[0])
    at_once = max(1, _POINTS_AT_ONCE // (scan.shape[1] * scan.shape[2]))
    for start in range(numbers.start, numbers.stop, at_once):
        yield _some(subject, scan, seed, range(start, min(start + at_once, numbers.stop)))


def _some(subject: Subject, scan: Scan, seed: int, numbers: range) -> Slices:
    points = scan.points_mm(numbers)
    own = subject.own(points).astype(np.float32)
    shape = own.shape[:3]
    x, y, z = (np.ascontiguousarray(own[..., axis]).reshape(-1) for axis in range(3))
    canvas = Canvas(x, y, z, min(scan.step_mm[1], scan.step_mm[2]), CONTRASTS[scan.contrast])
    subject.paint(canvas)
    values = canvas.values.reshape(shape)
    values = (
        _noisy(values, scan, seed, numbers) if scan.modality != "MR" else _magnetic(values, points, scan, seed, numbers)
    )
    stored = _stored(values, scan)
    return Slices(numbers, stored, canvas.intracranial.reshape(shape), canvas.head.reshape(shape))


def _chance(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng(Random(f"noise {seed} {number}").randrange(2**63))


def _noisy(values: NDArray[np.float32], scan: Scan, seed: int, numbers: range) -> NDArray[np.float32]:
    level = np.float32(_NOISE[scan.modality] * scan.noise)
    chances = [_chance(seed, number) for number in numbers]
    return values + level * np.stack([each.standard_normal(values.shape[1:], np.float32) for each in chances])


def _magnetic(
    values: NDArray[np.float32], points_mm: NDArray[np.float64], scan: Scan, seed: int, numbers: range
) -> NDArray[np.float32]:
    """Shade the picture as coils do, and add noise of two channels."""
    a, b, c = (Random(f"coil {seed}").uniform(0, 6.28) for _ in range(3))
    bias = np.sin(points_mm[..., 0] / 90 + a) + np.sin(points_mm[..., 1] / 80 + b) + np.sin(points_mm[..., 2] / 100 + c)
    values = (values * (1 + _SHADING / 1.7 * bias)).astype(np.float32)
    level = np.float32(_MR_NOISE * scan.noise)
    for slice_, number in zip(values, numbers, strict=True):
        chance = _chance(seed, number)
        real = slice_ + level * chance.standard_normal(slice_.shape, np.float32)
        slice_[:] = np.hypot(real, level * chance.standard_normal(slice_.shape, np.float32))
    return values


def _stored(values: NDArray[np.float32], scan: Scan) -> NDArray[np.int16] | NDArray[np.uint16]:
    intercept = scan.intercept if scan.modality == "CT" else 0.0
    low, high = (-32768, 32767) if scan.is_signed else (0, 65535)
    stored = np.clip(np.rint((values - intercept) / scan.slope), low, high).astype(
        np.int16 if scan.is_signed else np.uint16
    )
    if scan.is_circle:
        _, rows, columns = scan.shape
        v, u = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
        stored[:, u * u + v * v > 1] = 0 if scan.padding is None else scan.padding
    return stored


def _about(axis: int, degrees: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turns = {
        0: [[1, 0, 0], [0, c, -s], [0, s, c]],
        1: [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        2: [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return np.array(turns[axis])

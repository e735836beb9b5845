"""Series as volumes, read by pydicom alone: what the exam knows of them it doesn't know from the product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from deid.deface.volume import Stack

AIR_HU = -400.0
_MR_AIR = 0.15
_AIR_OF_BRIGHT = 99.0


@dataclass(frozen=True, slots=True)
class Volume:
    """One series.

    Attributes
    ----------
    stack
        values in the modality's units, (slices, rows, columns), ordered along the normal
    stored
        the same as they are stored, in the same order
    order
        which of the data sets each slice is (or frame, of one data set)
    air
        what is at least as much is no air
    """

    stack: Stack
    stored: NDArray[np.int32]
    order: list[int]
    air: float

    @property
    def voxel_mm3(self) -> float:
        area = np.linalg.norm(np.cross(self.stack.along_row, self.stack.along_column))
        return float(area) * self.stack.depth_mm / max(len(self.stack.positions_mm) - 1, 1)

    def with_values(self, values: NDArray[np.float32]) -> Stack:
        return replace(self.stack, values=values)

    def points_mm(self) -> NDArray[np.float32]:
        """(slices, rows, columns, 3): where voxels lie."""
        _, rows, columns = self.stored.shape
        down = np.arange(rows, dtype=np.float32)[:, None, None] * self.stack.along_column.astype(np.float32)
        right = np.arange(columns, dtype=np.float32)[None, :, None] * self.stack.along_row.astype(np.float32)
        return self.stack.origins.astype(np.float32)[:, None, None] + (down + right)[None]


def volume_of(data_sets: Sequence[Dataset], air: float | None = None) -> Volume:
    """Read a series.

    Parameters
    ----------
    data_sets
        its slices in any order, or one enhanced instance
    air
        as of `Volume`; None to find out
    """
    planes = [plane for ds in data_sets for plane in _planes(ds)]
    row, column = np.array(planes[0].orientation[:3]), np.array(planes[0].orientation[3:])
    normal = np.cross(row, column)
    order = sorted(range(len(planes)), key=lambda number: float(planes[number].position @ normal))
    stored = np.stack([planes[number].stored for number in order])
    values = np.stack([planes[number].values for number in order])
    origins = np.array([planes[number].position for number in order])
    down, right = planes[0].spacing_mm
    stack = Stack(normal, origins @ normal, origins, row * right, column * down, values)
    if air is None:
        air = (
            AIR_HU
            if data_sets[0].Modality == "CT"
            else _MR_AIR * float(np.percentile(values[:: max(1, len(values) // 32)], _AIR_OF_BRIGHT))
        )
    return Volume(stack, stored, order, air)


@dataclass(frozen=True, slots=True)
class _Plane:
    position: NDArray[np.float64]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    stored: NDArray[np.int32]
    values: NDArray[np.float32]


def _planes(ds: Dataset) -> Iterable[_Plane]:
    frames = [ds.pixel_array] if ds.pixel_array.ndim == 2 else list(ds.pixel_array)
    for number, frame in enumerate(frames):
        where = _groups(ds, number)
        slope, intercept = float(where.get("RescaleSlope", 1) or 1), float(where.get("RescaleIntercept", 0) or 0)
        values = frame.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        yield _Plane(
            np.array(where.ImagePositionPatient, np.float64),
            tuple(float(each) for each in where.ImageOrientationPatient),
            (float(where.PixelSpacing[0]), float(where.PixelSpacing[1])),
            frame.astype(np.int32),
            values,
        )


def _groups(ds: Dataset, number: int) -> Dataset:
    """Return what the header says of a frame, in one level."""
    found = Dataset()
    shared = ds.get("SharedFunctionalGroupsSequence", [])
    own = ds.get("PerFrameFunctionalGroupsSequence", [])
    for source in [ds, *(_macros(shared[0]) if shared else []), *(_macros(own[number]) if own else [])]:
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "RescaleSlope",
            "RescaleIntercept",
        ):
            if keyword in source:
                found[keyword] = source[keyword]
    return found


def _macros(groups: Dataset) -> list[Dataset]:
    return [element.value[0] for element in groups if element.VR == "SQ" and element.value]

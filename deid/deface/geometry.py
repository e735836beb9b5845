"""Where the pixels of a frame lie in the patient, and what their values mean (PS3.3 2024e Section C.7.6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from deid.deface.hints import hints_at_a_head
from deid.deface.vectors import Vector, cross, length, unit
from deid.encoding.element import DataSet
from deid.errors import Reason, Refused

_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x5200_9229, 0x5200_9230
_PLANE_POSITION, _POSITION = 0x0020_9113, 0x0020_0032
_PLANE_ORIENTATION, _ORIENTATION = 0x0020_9116, 0x0020_0037
_PIXEL_MEASURES, _SPACING = 0x0028_9110, 0x0028_0030
_TRANSFORMATION, _INTERCEPT, _SLOPE = 0x0028_9145, 0x0028_1052, 0x0028_1053
_IMAGE_TYPE, _FRAME_OF_REFERENCE = 0x0008_0008, 0x0020_0052
_ECHO_TIME = 0x0018_0081
_LARGEST_MM = 1e5
_SMALLEST_SPACING_MM, _LARGEST_SPACING_MM = 0.02, 20.0
_SKEW = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels of a frame lie: `origin` + column · `along_row` + row · `along_column`.

    Attributes
    ----------
    origin
        centre of the first pixel in the patient's coordinates, towards left, back and head, in mm
    along_row, along_column
        from a pixel to the next in its row, and in its column, in mm
    """

    origin: Vector
    along_row: Vector
    along_column: Vector

    @property
    def normal(self) -> Vector:
        """Return the unit vector across the frame."""
        return unit(cross(self.along_row, self.along_column))

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Return the distance between rows, and between columns."""
        return float(length(self.along_column)), float(length(self.along_row))


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says of one frame.

    Attributes
    ----------
    place
        where it lies
    slope, intercept
        what makes a stored value a Hounsfield number, or another of its modality
    frame_of_reference
        Frame of Reference UID, empty if there is none
    kind
        Image Type and Echo Time: frames of one kind belong to one volume
    is_localizer
        whether it shows the patient in projection, or to plan by
    is_hinted
        whether a text of it speaks of a head
    """

    place: Place
    slope: float
    intercept: float
    frame_of_reference: str
    kind: str
    is_localizer: bool
    is_hinted: bool = False


def headers(source: DataSet, frames: int) -> list[Header]:
    """Read where the frames of an instance lie.

    Raises
    ------
    Refused
        FACE_SERIES_UNFIT, if a frame says nothing, or nothing possible, of where it lies
    """
    image_type = _text(source, _IMAGE_TYPE).upper()
    kind = f"{image_type} {_text(source, _ECHO_TIME)}"
    reference = _text(source, _FRAME_OF_REFERENCE)
    is_hinted = hints_at_a_head(source)
    is_localizer = "LOCALIZER" in image_type.split("\\")
    return [
        Header(_place(groups), *_rescale(groups), reference, kind, is_localizer, is_hinted)
        for groups in _groups_by_frame(source, frames)
    ]


def _groups_by_frame(source: DataSet, frames: int) -> Iterator[list[DataSet]]:
    """Yield for each frame the Data Sets that may say something of it, the nearest first."""
    shared = _items(source, _SHARED_GROUPS)[:1]
    own = _items(source, _PER_FRAME_GROUPS)
    if own and len(own) != frames:
        raise Refused(Reason.FACE_SERIES_UNFIT, f"{len(own)} functional groups for {frames} frames")
    if not own and frames > 1:
        raise Refused(Reason.FACE_SERIES_UNFIT, "no-geometry")
    for frame in range(frames):
        yield [*own[frame : frame + 1], *shared, source]


def _place(groups: Sequence[DataSet]) -> Place:
    position = _first(groups, _PLANE_POSITION, _POSITION, 3)
    orientation = _first(groups, _PLANE_ORIENTATION, _ORIENTATION, 6)
    spacing = _first(groups, _PIXEL_MEASURES, _SPACING, 2)
    if position is None or orientation is None or spacing is None:
        raise Refused(Reason.FACE_SERIES_UNFIT, "no-geometry")
    row, column = orientation[:3], orientation[3:]
    lengths = sqrt(_product(row, row)), sqrt(_product(column, column))
    across = _product(row, column)
    is_odd = min(lengths) < 1 - _SKEW or max(lengths) > 1 + _SKEW or abs(across) > _SKEW
    is_far = max(map(abs, position)) > _LARGEST_MM
    if is_odd or is_far or min(spacing) < _SMALLEST_SPACING_MM or max(spacing) > _LARGEST_SPACING_MM:
        raise Refused(Reason.FACE_SERIES_UNFIT, "impossible-geometry")
    along_row, along_column = np.array(row) / lengths[0] * spacing[1], np.array(column) / lengths[1] * spacing[0]
    return Place(np.array(position), along_row, along_column)


def _product(one: list[float], other: list[float]) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def _rescale(groups: Sequence[DataSet]) -> tuple[float, float]:
    slope = _first(groups, _TRANSFORMATION, _SLOPE, 1)
    intercept = _first(groups, _TRANSFORMATION, _INTERCEPT, 1)
    return (
        1.0 if slope is None or slope[0] == 0 else slope[0],
        0.0 if intercept is None else intercept[0],
    )


def _first(groups: Sequence[DataSet], sequence: int, tag: int, count: int) -> list[float] | None:
    """Return the numbers of the nearest Data Set that has them, in a functional group or by themselves."""
    for data_set in groups:
        for holder in (*_items(data_set, sequence)[:1], data_set):
            found = _numbers(holder, tag)
            if len(found) == count:
                return found
    return None


def _items(data_set: DataSet, tag: int) -> list[DataSet]:
    element = data_set.elements.get(tag)
    return element.value if element is not None and isinstance(element.value, list) else []


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.elements.get(tag)
    if element is None or not isinstance(element.value, bytes | memoryview):
        return ""
    return bytes(element.value).decode("latin-1").strip(" \0")


def _numbers(data_set: DataSet, tag: int) -> list[float]:
    try:
        found = [float(part) for part in _text(data_set, tag).split("\\") if part.strip()]
    except ValueError:
        return []
    return found if all(map(isfinite, found)) else []

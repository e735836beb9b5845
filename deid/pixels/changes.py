"""What of a frame is another than in a frame before it, so that only that has to be looked at anew.

Of an ultrasound loop most of the screen stands still, and with it most of the text. What is the same, pixel for pixel,
was looked at; what has changed is looked at with what surrounds it, and with all of each line that reaches into it, so
that no line is cut. Every eighth frame is looked at as a whole all the same: what was overlooked in one may be found in
another.

It depends on the frames of the instance alone, never on what a process did before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from deid.pixels.box import AnyBox, Box
from deid.pixels.memory import Sight
from deid.pixels.native import Samples
from deid.pixels.ocr import Line
from deid.pixels.outline import bounds

WHOLE_EVERY: Final = 8
"""So many frames after one that was looked at as a whole, the next is."""

_NEAR_PX = 8  # what changed so close to a line may be part of it
_CONTEXT_PX = 48  # around what is looked at
_LEAST_SIDE_PX = 320  # of what is looked at: text is told from anatomy by how high it is in comparison
_MOST_SHARE = 0.85  # of a frame; more is no easier to look at than all of it
_LARGEST_BYTES = 1 << 26  # of a frame that is kept beside the one that is worked on


@dataclass(frozen=True, slots=True)
class Part:
    """What of a frame is to be looked at.

    Attributes
    ----------
    area
        what has changed, with all lines that reach into it
    crop
        what is looked at: that and its surroundings
    """

    area: Box
    crop: Box

    def placed(self, lines: Sequence[Line]) -> list[Line]:
        """Return those lines of the crop that belong to the area, in pixels of the frame."""
        x, y = self.crop.x0, self.crop.y0
        moved = [replace(line, box=tuple((column + x, row + y) for column, row in line.box)) for line in lines]
        return [line for line in moved if _meet(bounds(line.box), self.area)]


@dataclass(frozen=True, slots=True)
class Before:
    """A frame that was looked at.

    Attributes
    ----------
    array
        its stored values
    sight
        what was seen in it
    depends
        what else that depends on: display, settings
    partly
        how many frames, up to this one, were looked at in parts only
    """

    array: Samples
    sight: Sight
    depends: tuple[object, ...]
    partly: int = 0

    @property
    def is_kept(self) -> bool:
        """Tell whether there is memory for it."""
        return self.array.nbytes <= _LARGEST_BYTES

    def part_of(self, array: Samples, depends: tuple[object, ...]) -> Part | None:
        """Return what of another frame has to be looked at; None if that is all of it."""
        if self.partly + 1 >= WHOLE_EVERY or depends != self.depends or array.shape != self.array.shape:
            return None
        changed = changed_box(self.array, array)
        if changed is None:
            return None
        rows, columns = array.shape[:2]
        area = _with_lines(_wider(changed, _NEAR_PX, rows, columns), self.sight.lines)
        crop = _crop(area, rows, columns)
        share = (crop.x1 - crop.x0) * (crop.y1 - crop.y0) / (rows * columns)
        return Part(area, crop) if share <= _MOST_SHARE else None

    def unchanged(self, part: Part) -> list[tuple[Line, float]]:
        """Return the lines that nothing has changed of, with their strengths."""
        pairs = zip(self.sight.lines, self.sight.strengths, strict=True)
        return [(line, strong) for line, strong in pairs if not _meet(bounds(line.box), part.area)]


def changed_box(before: Samples, after: Samples) -> Box | None:
    """Return the box around all pixels that aren't the same; None if all are."""
    differs = before != after
    if differs.ndim == 3:
        differs = differs.any(axis=2)
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else None


def _with_lines(area: Box, lines: Sequence[Line]) -> Box:
    """Return an area that no line reaches into without being in it as a whole."""
    left = [bounds(line.box) for line in lines]
    while reaching := [box for box in left if _meet(box, area)]:
        left = [box for box in left if not _meet(box, area)]
        x0, y0, x1, y1 = zip(area, *reaching, strict=True)
        area = Box(min(x0), min(y0), max(x1), max(y1))
    return area


def _crop(area: Box, rows: int, columns: int) -> Box:
    x0, y0, x1, y1 = _wider(area, _CONTEXT_PX, rows, columns)
    left, right = _at_least(x0, x1, columns)
    top, bottom = _at_least(y0, y1, rows)
    return Box(left, top, right, bottom)


def _at_least(first: int, last: int, side: int) -> tuple[int, int]:
    """Return a span that isn't shorter than lines need, within a side."""
    missing = max(_LEAST_SIDE_PX - (last - first), 0)
    first = max(min(first - missing // 2, side - max(_LEAST_SIDE_PX, last - first)), 0)
    return first, min(max(last, first + _LEAST_SIDE_PX), side)


def _wider(box: Box, by: int, rows: int, columns: int) -> Box:
    return Box(max(box.x0 - by, 0), max(box.y0 - by, 0), min(box.x1 + by, columns), min(box.y1 + by, rows))


def _meet(one: AnyBox, other: AnyBox) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

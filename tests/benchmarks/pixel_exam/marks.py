"""Marks: which ink still shows, what was masked that shouldn't be, and whether all else is what it was.

The product isn't asked what it did. A pixel is masked if it was changed to one of the few values that all masks of a
frame have; everything else that changed was altered. Ink is gone where it, and what made it stand out, is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.pixel_exam.draw import Line
from tests.benchmarks.pixel_exam.exam import Question

MASKED = 0.95
"""Share of a line's ink that has to be gone."""

_MOST_VALUES = 8
_LEAST_SHARE, _LEAST_PIXELS = 0.02, 12
_LOSSY_STEP = 6 / 255  # of the range of values: how far lossy blocks stray from what was asked of them
_BLOCK_PX = 16  # what a masked pixel of a lossy codec may change around it
_CLOSE_PX = 4


@dataclass(frozen=True, slots=True)
class MarkedLine:
    """A line, and the share of its ink that is gone, in the frame where least of it is."""

    line: Line
    gone: float

    @property
    def is_masked(self) -> bool:
        return self.gone >= MASKED


@dataclass(frozen=True)
class Marked:
    """A marked image.

    Attributes
    ----------
    lines
        one for each line; nothing of any is gone if nothing was handed in
    masked
        share of pixels under what was masked, as boxes around it
    regions
        how many such boxes there are, in all frames
    altered
        pixels outside the masks that are others than before
    cpu_ms, wall_ms
        that the image took
    refused
        why nothing was handed in; empty if something was
    syntax
        transfer syntax of what came out
    dcmtk
        whether DCMTK decodes the same: None if it wasn't asked or has no codec
    """

    question: Question
    lines: tuple[MarkedLine, ...]
    masked: float = 0.0
    regions: int = 0
    altered: int = 0
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    refused: str = ""
    syntax: str = ""
    dcmtk: bool | None = None

    @cached_property
    def phi(self) -> list[MarkedLine]:
        return [each for each in self.lines if not each.line.is_harmless]

    @property
    def is_wholly_clean(self) -> bool:
        """All lines that identify are masked."""
        return not self.refused and all(each.is_masked for each in self.phi)

    @property
    def is_untouched(self) -> bool:
        return not self.refused and not self.regions and not self.altered


def refused(question: Question, reason: str, cpu_ms: float, wall_ms: float) -> Marked:
    """Mark an image that wasn't handed in."""
    return Marked(question, tuple(MarkedLine(line, 0.0) for line in question.lines), 0, 0, 0, cpu_ms, wall_ms, reason)


@dataclass(frozen=True, slots=True)
class Compared:
    """Frames before and after.

    Attributes
    ----------
    gone
        for each line the share of its ink that is gone, where least is
    """

    gone: list[float]
    masked: float
    regions: int
    altered: int


def compared(before: NDArray[Any], after: NDArray[Any], lines: Sequence[Line], *, is_lossless: bool) -> Compared:
    """Mark frames.

    Parameters
    ----------
    before, after
        (frames, rows, columns[, samples])
    is_lossless
        whether decoding gives exactly what was encoded
    """
    gone = [1.0] * len(lines)
    area = regions = altered = 0
    for number in range(len(before)):
        frame = _Frame.of(before[number], after[number], is_lossless=is_lossless)
        for at, line in enumerate(lines):
            if number in line.frames:
                gone[at] = min(gone[at], frame.gone(line))
        if frame.values:
            boxes = _boxes(frame.is_changed & frame.has_mask_value)
            area += sum(boxes)
            regions += len(boxes)
        altered += frame.altered()
    return Compared(gone, area / max(1, int(np.prod(before.shape[:3]))), regions, altered)


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame.

    Attributes
    ----------
    values
        the values that masks have
    has_mask_value
        where there is one of them now
    had_mask_value
        where there was one of them before
    """

    is_changed: NDArray[np.bool_]
    values: list[NDArray[np.float64]]
    has_mask_value: NDArray[np.bool_]
    had_mask_value: NDArray[np.bool_]
    is_lossless: bool

    @classmethod
    def of(cls, before: NDArray[Any], after: NDArray[Any], *, is_lossless: bool) -> _Frame:
        if before.ndim == 2:
            before, after = before[..., None], after[..., None]
        changed = before != after
        if before.dtype.kind == "f":
            changed &= ~(np.isnan(before) & np.isnan(after))
        is_changed = changed.any(axis=-1)
        step = 0.0 if is_lossless else _LOSSY_STEP * max(float(before.max()) - float(before.min()), 1.0)
        values = _values(after[is_changed], step)
        return cls(is_changed, values, _near(after, values, step), _near(before, values, step), is_lossless)

    def gone(self, line: Line) -> float:
        """Return the share of a line's ink that is masked; of ink in the masks' own value what is around it counts."""
        if not line.ink.any():
            return 1.0
        if not self.values:
            return 0.0
        x0, y0, x1, y1 = line.box
        rows, columns = self.is_changed.shape
        around = np.s_[max(y0 - 1, 0) : min(y1 + 1, rows), max(x0 - 1, 0) : min(x1 + 1, columns)]
        ink = np.zeros((rows, columns), np.bool_)
        ink[y0:y1, x0:x1] = line.ink
        ink, now, then = ink[around], self.has_mask_value[around], self.had_mask_value[around]
        telling = ink & ~then
        if telling.sum() * 2 < ink.sum():
            telling = _grown(ink) & ~ink & ~then
        return float((now & telling).sum() / telling.sum()) if telling.any() else 1.0

    def altered(self) -> int:
        """Count pixels that changed and are not masked; lossy blocks around a mask aren't counted."""
        other = self.is_changed & ~self.has_mask_value
        if not self.is_lossless and other.any():
            masked = self.is_changed & self.has_mask_value
            other &= ~_spread(masked, _BLOCK_PX)
        return int(other.sum())


def _values(changed: NDArray[Any], step: float) -> list[NDArray[np.float64]]:
    """Return the values that many of the changed pixels have."""
    if not len(changed):
        return []
    cells = changed.astype(np.float64)
    cells = np.floor(cells / step) if step else cells
    found, places, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    least = max(_LEAST_PIXELS, _LEAST_SHARE * len(changed)) if len(changed) > _LEAST_PIXELS else 1
    most = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    places = places.reshape(-1)
    del found
    return [np.median(changed[places == at].astype(np.float64), axis=0) for at in most if counts[at] >= least]


def _near(frame: NDArray[Any], values: list[NDArray[np.float64]], step: float) -> NDArray[np.bool_]:
    out = np.zeros(frame.shape[:2], np.bool_)
    for value in values:
        if step:
            out |= (np.abs(frame.astype(np.float64) - value) <= step).all(axis=-1)
        else:
            out |= (frame == value.astype(frame.dtype)).all(axis=-1)
    return out


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    return np.logical_or.reduce([padded[dy : dy + rows, dx : dx + columns] for dy in range(3) for dx in range(3)])


def _spread(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).astype(np.bool_)


def _boxes(mask: NDArray[np.bool_]) -> list[int]:
    """Return the areas of boxes around what is masked, near pieces together."""
    import cv2

    if not mask.any():
        return []
    count, _, stats, _ = cv2.connectedComponentsWithStats(_spread(mask, _CLOSE_PX).astype(np.uint8))
    sizes = stats[1:count, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]] - 2 * _CLOSE_PX
    return [int(max(width, 1) * max(height, 1)) for width, height in sizes]

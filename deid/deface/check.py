"""What is left of a face: the surface of the result beside the surface that was there.

What anyone would see who looks for the face: from the front and both sides, at several levels, in the values as they
are and in smoothed ones (noise that was filled in averages out). The level that shows most counts, and so does the
place that does. Where the face ends below is found here anew, so that a chin that was overlooked isn't again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid.deface.anatomy import FRONT, LEFT, UP, Anatomy, front_of
from deid.deface.fill import drawn_cells
from deid.deface.morphology import Mask, dilate, within

NEAR_MM = 3.0
_AWAY_FROM_EDGE_MM = 4.0
_LEVELS_OF_CT = (-500.0, -300.0, -100.0)
_FACTORS_OF_OTHERS = (0.25, 0.4)
_THINGS_MM = 20.0
_PLACE_MM, _FEWEST_OF_PLACE = 24.0, 40
_MIDFACE_MM, _LOWEST_MM = (40.0, 80.0), 145.0
_JAW_BEHIND_SKIN_MM, _JAW_BEFORE_EARS_MM, _JAW_BESIDE_MM = 26.0, 20.0, 28.0
_LEAST_JAW_MM2, _LARGEST_GAP_MM = 80.0, 32.0
_PROFILE_BESIDE_MM, _BEHIND_MIDFACE_MM, _LARGEST_DENT_MM = 12.0, 24.0, 6.0


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a face.

    Attributes
    ----------
    surface
        cells of the face's surface before
    near
        of these, how many have surface within 3 mm after, or are what they were
    protected
        cells inside the skull that are touched
    worst
        share that is left at the place that shows most
    """

    surface: int
    near: int
    protected: int
    worst: float = 0.0

    @property
    def share(self) -> float:
        """Return which share of the surface is left."""
        return self.near / self.surface if self.surface else 0.0


def left_of(head: Anatomy, touched: Mask, palette: NDArray[np.float32], *, is_ct: bool) -> Left:
    """Measure what is left of a face once the cells are touched.

    Parameters
    ----------
    head
        as it was
    touched
        (cells of the grid) what is changed
    palette
        values that are put there, as of `deid.deface.fill`
    is_ct
        whether they are Hounsfield numbers
    """
    edge = head.cells(_AWAY_FROM_EDGE_MM)
    lowest = max(min(face_end(head), head.chin + edge), 0)
    part = slice(lowest, max(head.brow, lowest + 1)), slice(head.ears, None)
    seen, outside, tissue = (each[part] for each in (head.seen, head.outside, head.tissue))
    things = dilate(~outside & seen, head.cells(_THINGS_MM))
    inner = ~dilate(~seen, edge)
    inner[:, :edge] = inner[max(head.brow - edge - lowest, 0) :] = False
    before = seen_surface(tissue & seen & things) & inner & dilate(outside & ~tissue, 1)
    values = head.values[part].copy()
    changed = touched[part]
    values[changed] = drawn_cells(palette, int(changed.sum()))
    soft = head.values[part][tissue & seen & ~head.bone[part]]
    usual = float(np.median(soft)) if len(soft) else 0.0
    levels = _LEVELS_OF_CT if is_ct else tuple(usual * factor for factor in _FACTORS_OF_OTHERS)
    cells = np.flatnonzero(before)
    found, reach = Left(len(cells), 0, int((touched & head.protected).sum())), NEAR_MM / head.grid.step_mm
    if not len(cells):
        return found
    place = _places(cells, before.shape, head.cells(_PLACE_MM))
    kept = ~changed.reshape(-1)[cells]
    for solid in _looks(values, seen, levels):
        near = kept | within(seen_surface(solid), reach * reach).reshape(-1)[cells]
        share = int(near.sum()), _worst_place(place, near)
        found = Left(found.surface, max(found.near, share[0]), found.protected, max(found.worst, share[1]))
    return found


def _looks(values: NDArray[np.float32], seen: Mask, levels: tuple[float, ...]) -> Iterator[Mask]:
    """Yield what is solid at each level, without and with smoothing."""
    smooth = values
    for axis in range(values.ndim):
        summed = smooth + smooth
        of, to = np.moveaxis(smooth, axis, 0), np.moveaxis(summed, axis, 0)
        to[1:] += of[:-1]
        to[:-1] += of[1:]
        to[0] += of[0]
        to[-1] += of[-1]
        smooth = summed
    smooth *= np.float32(1 / 4**values.ndim)
    for level in levels:
        yield (values >= level) & seen
        yield (smooth >= level) & seen


def seen_surface(solid: Mask) -> Mask:
    """Return the cells of a solid that are seen from the front or from a side."""
    sections = np.ascontiguousarray(solid.swapaxes(UP, FRONT))
    first, met = np.empty_like(sections), np.zeros_like(sections[0])
    for section, seen in zip(sections[::-1], first[::-1], strict=True):
        np.greater(section, met, out=seen)
        met |= section
    found = np.ascontiguousarray(first.swapaxes(UP, FRONT))
    rows, hits = solid.reshape(-1, solid.shape[LEFT]), found.reshape(-1, solid.shape[LEFT])
    some = np.flatnonzero(rows.any(axis=1))
    rows = rows[some]
    hits[some, rows.argmax(axis=1)] = True
    hits[some, rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)] = True
    return found


def _places(cells: NDArray[np.int64], shape: tuple[int, ...], size: int) -> NDArray[np.int64]:
    """Return in which place, a cube of so many cells, each of some cells lies."""
    where = [each // size for each in np.unravel_index(cells, shape)]
    return np.asarray(np.ravel_multi_index(where, tuple(count // size + 1 for count in shape)), np.int64)


def _worst_place(place: NDArray[np.int64], near: NDArray[np.bool_]) -> float:
    """Return the largest share of any place that has a surface worth the name."""
    all_cells = np.bincount(place)
    left = np.bincount(place, weights=near)
    large = all_cells >= _FEWEST_OF_PLACE
    return float((left[large] / all_cells[large]).max()) if large.any() else 0.0


def face_end(head: Anatomy) -> int:
    """Return the level where the face ends below: with teeth and jaw right behind the skin, or with the chin."""
    step, scale = head.grid.step_mm, head.scale
    lowest = max(head.brow - round(_LOWEST_MM * scale / step), 0)
    middle = head.middle[LEFT]
    skin = front_of(head.outside, head.seen, middle, head.cells(_PROFILE_BESIDE_MM))
    high, low = (max(head.brow - round(mm * scale / step), 0) for mm in _MIDFACE_MM)
    midface = skin[low : max(high, low + 1)]
    midface = midface[midface >= 0]
    if not len(midface):
        return lowest
    start = max(high, lowest)
    forward = skin >= np.median(midface) - _BEHIND_MIDFACE_MM * scale / step
    by_skin = _run_down(forward, start, lowest, round(_LARGEST_DENT_MM / step))
    beside = slice(max(middle - head.cells(_JAW_BESIDE_MM), 0), middle + head.cells(_JAW_BESIDE_MM))
    at = np.arange(head.bone.shape[FRONT])[None, :]
    foremost = np.maximum(skin - _JAW_BEHIND_SKIN_MM / step, head.ears + _JAW_BEFORE_EARS_MM * scale / step)
    behind = (at > foremost[:, None]) & (skin >= 0)[:, None]
    bone = (head.bone & ~head.outside)[:, :, beside].sum(axis=LEFT) * behind
    jaw = bone.sum(axis=1) * step**2 >= _LEAST_JAW_MM2 * scale
    return min(by_skin, _run_down(jaw, start, lowest, round(_LARGEST_GAP_MM / step)))


def _run_down(there: NDArray[np.bool_], start: int, lowest: int, gap: int) -> int:
    """Return the lowest level of a run that begins at a level and has no gap wider than so many."""
    last = start
    for level in range(start, lowest - 1, -1):
        if there[level]:
            last = level
        elif last - level > gap:
            break
    return last


assert (UP, FRONT) == (0, 1)  # noqa: S101  what the part above is cut by

"""The anatomy of a head in MR, whatever its contrast: by where there is signal, and where there is none.

Cortical bone and air give none in any sequence. Between scalp and brain there is a dark shell, and dark rooms lie
behind the face: read as bone they make of the volume one that the eye for CT (`deid.deface.head`) can look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from deid.deface import ct
from deid.deface.anatomy import UP, Anatomy, air_around, head_grid
from deid.deface.head import LEAST_ENCLOSED, directions, find_skull
from deid.deface.morphology import Mask, bounds, closed, dilate, extreme, largest, of_size, opened
from deid.deface.sampling import sample_all, seen_part
from deid.deface.slices import otsu
from deid.deface.vectors import Vector, solved
from deid.deface.volume import STEP_MM, Grid, Problem, Stack, grid_of
from deid.errors import Reason, Refused

_TISSUE_HU, _DARK_HU, _OUTSIDE_HU = 40.0, 1000.0, -1000.0
_GAP_MM = 9.0
_LEAST_ENCLOSED_IN_PT = 0.6  # bone is less clear, and no trunk is near that
_SHARE_OF_TISSUE, _OVER_NOISE = 0.5, 4.0
_SHELL_MM = 30.0
_SHELL_THICKNESS_MM, _HOLLOW = 6.0, 0.6
_NEAREST_SHELL_MM, _FARTHEST_SHELL_MM, _FAR_FROM_SHELL, _WIDER = 34.0, 115.0, 0.2, 1.04
_RAYS, _FITS, _FEWEST_POINTS = 1500, 4, 150
_SMALLEST_RADII_MM, _LARGEST_RADII_MM = np.array([34.0, 42.0, 34.0]), np.array([125.0, 125.0, 100.0])
_LEAST_DARK_MM3 = 64.0
_LEAST_TISSUE_ML = 20.0
_SULCI_MM, _SKIN_MM = 10.0, 4.0
_THIN_SKULL_MM, _ABOVE_ORBITS_MM = 7.0, 32.0
_SCALP_MM, _BLURRED_MM = 8.0, 6.0  # scalp with the bone below it, of an adult: no brain is nearer to the air
_THIN_MM, _ABOUT_BRAIN_MM, _LEAST_BRAIN_LITRES, _BRIGHTER = 4.0, 6.0, 0.4, 1.3
_AHEAD_MM, _FLOOR_MM = (18.0, 38.0, 86.0), (138.0, 138.0, 120.0)  # before a brain's middle, and far below its top


def head_in(stacks: Sequence[Stack], *, is_hinted: bool, is_pt: bool = False) -> Anatomy | None:
    """Return what is known of the head in a volume; None if there is none, or no face in the field of view.

    Parameters
    ----------
    stacks
        the volume
    is_hinted
        whether the header speaks of a head
    is_pt
        whether it is PET, where some tissue is much brighter than other, and a head that isn't found is no reason to
        say that there is none

    Raises
    ------
    Refused
        FACE_SERIES_UNFIT, if it can't be told which way it looks, or there should be one and isn't
    """
    if is_pt:
        stacks = [replace(stack, values=np.sqrt(np.maximum(stack.values, 0))) for stack in stacks]
    found = _head_in(stacks, _LEAST_ENCLOSED_IN_PT if is_pt else LEAST_ENCLOSED)
    if isinstance(found, Anatomy):
        if is_pt:
            return _in_pt(found)
        return found
    if (is_hinted or is_pt) and found is not _Without.FACE:
        raise Refused(Reason.FACE_SERIES_UNFIT, Problem.UNCLEAR)
    return None


def _in_pt(found: Anatomy) -> Anatomy:
    """Return what is known of a head in PET: so coarse that what is dark is no bone, and skin reaches deep.

    The form of the skull alone takes in parts of the face: they are cut off, below the brain itself where it is
    brighter than all about it, and else well below where brains end.
    """
    step = found.grid.step_mm
    scalp = dilate(found.outside & found.seen, _SCALP_MM * found.scale / step)
    no_bone = np.zeros_like(found.bone)
    pt = replace(found, values=found.values**2, bone=no_bone, blurred_mm=_BLURRED_MM)
    brain = _bright_brain(found)
    if brain is None:
        return replace(pt, protected=found.protected & ~scalp & ~_below_brain(found))
    look = ct.Look.of(found.grid, found.seen, found.outside, no_bone, brain)
    brow = look.brow() or found.brow
    longest = round((found.brow - found.chin) * look.scale() / found.scale)
    above = np.arange(found.grid.shape[UP])[:, None, None] >= brow
    inside = dilate(brain, _ABOUT_BRAIN_MM / step) | (found.protected & above)
    return replace(
        pt,
        protected=inside & ~dilate(found.outside & found.seen, _SKIN_MM / step),
        brow=brow,
        chin=max(min(found.chin, brow - longest), 0),
        ears=look.ears(),
        scale=look.scale(),
    )


def _bright_brain(found: Anatomy) -> Mask | None:
    """Return the brain where it takes up more than all else in a head; None where it doesn't."""
    within = found.protected & found.seen
    values = found.values[within]
    if not len(values):
        return None
    level = otsu(values)
    step = found.grid.step_mm
    bright = largest(opened(within & (found.values > level), _THIN_MM / step))
    rest = found.tissue & found.seen & ~dilate(bright, _SULCI_MM / step)
    litres = float(bright.sum()) * step**3 / 1e6
    if litres < _LEAST_BRAIN_LITRES * found.scale**3 or not rest.any():
        return None
    if np.median(found.values[bright]) < _BRIGHTER * np.percentile(found.values[rest], 75):
        return None
    return closed(bright, _SULCI_MM / step) & found.seen


def _below_brain(found: Anatomy) -> Mask:
    """Return what lies in the face, by how far down and ahead a brain reaches at most."""
    up, front, _ = np.ogrid[tuple(slice(0, count) for count in found.grid.shape)]
    step = found.grid.step_mm / found.scale
    floor = np.interp((front - found.middle[1]) * step, [_AHEAD_MM[0] - 1e-3, *_AHEAD_MM], [np.inf, *_FLOOR_MM])
    top = bounds(found.protected)[UP][1] if found.protected.any() else 0
    return np.asarray(((top - up) * step > floor) & np.ones_like(found.seen))


class _Without(Enum):
    """What a volume hasn't."""

    HEAD = 1
    FACE = 2


def _head_in(stacks: Sequence[Stack], least_enclosed: float) -> Anatomy | _Without:
    grid = grid_of(stacks, STEP_MM)
    values = sample_all(stacks, grid)
    level = tissue_level(values)
    read = as_ct(values, level, grid)
    if read is None:
        return _Without.HEAD
    coarse = Grid(grid.origin, grid.axes * 2, (read.shape[0] // 2, read.shape[1] // 2, read.shape[2] // 2))
    skull = find_skull(_halved(read), coarse, _GAP_MM, least_enclosed)
    if skull is None:
        return _Without.HEAD
    grid = seen_part(head_grid(skull.centre, skull.axes, STEP_MM), stacks)
    values = sample_all(stacks, grid)
    read = as_ct(values, level, grid)
    shell = None if read is None else shell_of(read, grid, skull.centre)
    if read is None or shell is None:
        return _Without.HEAD
    head = ct.anatomy_of(read, grid, skull.centre, _GAP_MM, shell)
    if head is None:
        return _Without.FACE
    brain = closed(head.protected, _SULCI_MM / STEP_MM)
    known = np.where(np.isnan(values), np.float32(np.nanmin(values)), values)
    near = dilate(head.outside & head.seen, _THIN_SKULL_MM * head.scale / STEP_MM)
    above = np.arange(grid.shape[UP])[:, None, None] >= head.brow - head.cells(_ABOVE_ORBITS_MM * head.scale)
    brain |= ~head.outside & ~near & above  # whatever bone and shell look like: no deeper there
    skin = dilate(head.outside & head.seen, _SKIN_MM / STEP_MM)  # dark or not, that is neither bone nor brain
    return replace(head, values=known, protected=brain & ~skin, bone=head.bone & ~skin)


def tissue_level(values: NDArray[np.float32]) -> float:
    """Return from which value on there is signal: far below that of tissue, and above the noise."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    parted = otsu(known)
    noise = known[known < parted]
    darkest = noise[noise <= np.percentile(noise, 50)] if len(noise) else known
    floor = float(np.median(darkest) + _OVER_NOISE * max(float(darkest.std()), 1e-6))
    return float(np.clip(_SHARE_OF_TISSUE * parted, min(floor, 0.8 * parted), 0.8 * parted))


def as_ct(values: NDArray[np.float32], level: float, grid: Grid) -> NDArray[np.float32] | None:
    """Return a volume with the Hounsfield numbers of tissue, of bone where no signal is inside of it, and of air.

    NaN stays outside the field of view. None if there is hardly any tissue.
    """
    seen = ~np.isnan(values)
    signal = np.nan_to_num(values, nan=-np.inf) > level
    signal = of_size(signal, _LEAST_TISSUE_ML * 1000 / grid.step_mm**3)
    if not signal.any():
        return None
    outside = air_around(signal, seen, grid.step_mm)
    dark = (~signal | _hollow(values, grid)) & ~outside & seen
    shell = dilate(outside & seen, round(_SHELL_MM / grid.step_mm))
    dark &= shell | dilate(dark & shell, 1)
    dark = of_size(dark, _LEAST_DARK_MM3 / grid.step_mm**3)
    read = np.where(dark, np.float32(_DARK_HU), np.float32(_TISSUE_HU))
    read[outside] = _OUTSIDE_HU
    read[~seen] = np.nan
    return read


def shell_of(read: NDArray[np.float32], grid: Grid, centre: Vector) -> ct.Shell | None:
    """Return the ellipsoid that fits the dark shell best, as it is seen from the middle of the brain.

    None if it isn't one of a skull's size.
    """
    steps = np.arange(_NEAREST_SHELL_MM, _FARTHEST_SHELL_MM, grid.step_mm) / grid.step_mm
    ways = directions(_RAYS)
    start = grid.cell(centre)
    cells = np.rint(start + ways[:, None, :] * steps[None, :, None]).astype(np.intp)
    inside = ((cells >= 0) & (cells < np.array(grid.shape))).all(axis=2)
    dark = (read[tuple(np.moveaxis(cells.clip(0, np.array(grid.shape) - 1), 2, 0))] == _DARK_HU) & inside
    hit = dark.any(axis=1)
    form = _fitted(ways[hit] * steps[dark.argmax(axis=1)][hit][:, None], grid.step_mm)
    if form is None:
        return None
    value = np.zeros((1, 1, 1))
    for axis, count in enumerate(grid.shape):
        along = ((np.arange(count) - start[axis]) / _WIDER).reshape([-1 if each == axis else 1 for each in range(3)])
        value = value + form[axis] * along**2 + form[3 + axis] * along
    return ct.Shell(np.asarray(value <= 1), round(float(start[0] - form[3] / (2 * form[0]))))


def _fitted(points: Vector, step_mm: float) -> Vector | None:
    """Return what makes squares and coordinates of points on an ellipsoid 1, those set aside that fit badly.

    None if nothing of a skull's size fits.
    """
    form = np.zeros(6)
    for _ in range(_FITS):
        if len(points) < _FEWEST_POINTS:
            return None
        terms = np.concatenate([points**2, points], axis=1).T
        form = _least_squares(terms)
        errors = np.abs(sum(share * term for share, term in zip(form, terms, strict=True)) - 1)
        points = points[errors <= max(_FAR_FROM_SHELL, float(np.percentile(errors, 60)))]
    if (form[:3] <= 0).any():
        return None
    radii = np.sqrt((1 + (form[3:] ** 2 / (4 * form[:3])).sum()) / form[:3]) * step_mm
    return form if ((radii >= _SMALLEST_RADII_MM) & (radii <= _LARGEST_RADII_MM)).all() else None


def _least_squares(terms: Vector) -> Vector:
    """Return with which shares the sum of some terms, (terms, points), comes nearest to 1."""
    scales = np.abs(terms).max(axis=1)
    scaled = [np.ascontiguousarray(term / scale) for term, scale in zip(terms, scales, strict=True)]
    products = [[float((one * other).sum()) for other in scaled] for one in scaled]
    return np.asarray(solved(products, [float(each.sum()) for each in scaled]) / scales, np.float64)


def _hollow(values: NDArray[np.float32], grid: Grid) -> Mask:
    """Return what is much darker than what lies on both sides of it: thin bone between fat and brain, also blurred."""
    known = np.nan_to_num(values, nan=0.0)
    around = extreme(known, round(_SHELL_THICKNESS_MM / grid.step_mm), np.maximum)
    around = extreme(around, round(_SHELL_THICKNESS_MM / grid.step_mm), np.minimum)
    return np.asarray(known < _HOLLOW * around)


def _halved(read: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return every second cell along each axis, dark if any of its neighbours is."""
    shape = [count // 2 for count in read.shape]
    blocks = read[: shape[0] * 2, : shape[1] * 2, : shape[2] * 2]
    blocks = blocks.reshape(shape[0], 2, shape[1], 2, shape[2], 2)
    known = np.nan_to_num(blocks, nan=-np.inf).max(axis=(1, 3, 5))
    return np.where(np.isinf(known), np.float32(np.nan), known)

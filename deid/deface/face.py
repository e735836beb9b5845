"""The face of a head: what of it is touched.

Between brow and chin, before the ears: skin and what lies below it as deep as the kernel, and the air before them.
How deep varies from place to place by a few mm, by the key, so that what is below is no copy of the surface. The air
is filled up to a front with no features smaller than some centimetres. Bone, brain and all else inside the skull are
never part of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deid.deface.anatomy import FRONT, LEFT, UP, Anatomy
from deid.deface.morphology import Mask, bounds, dilate, joined_to, within_each
from deid.deface.rules import FaceRules, Mode

_VARIES_MM, _DEPTHS = 4.0, 5
_VARIES_OVER_MM = 20.0
_BEYOND_KERNEL_MM = 2.0
_ROUND_MM = 24.0
_BEFORE_MM = 10.0
_BESIDE_MM = 10.0
_ERODED_BONE_MM = 7.0
_THINNEST_SKIN_MM = 3.0  # bone that is nearer than that has skin in its cell
_EDGE_MM, _THINGS_MM = 4.0, 20.0
_EARS_BELOW_BROW_MM, _NOD = 40.0, 0.18  # the tangent of 10 degrees
_EAR_BEHIND_MM = 46.0
_EAR_ABOVE_MM, _EAR_BELOW_MM = 20.0, 60.0
_BEYOND_VIEW_CELLS = 3
_AROUND_CELLS = 3


def zone_of(head: Anatomy) -> Mask:
    """Return all cells between brow and chin and before the ears, and beside the jaw, as far back as a nod moves it."""
    levels, front = np.ogrid[: head.grid.shape[UP], : head.grid.shape[FRONT]]
    below_ears = np.maximum(head.brow - head.cells(_EARS_BELOW_BROW_MM * head.scale) - levels, 0)
    rows = (levels >= head.chin) & (levels < head.brow) & (front >= head.ears - np.rint(below_ears * _NOD))
    return np.repeat(rows[:, :, None], head.grid.shape[LEFT], axis=2)


def touched_by(head: Anatomy, rules: FaceRules, seed: bytes) -> Mask:
    """Return the cells that are touched.

    Parameters
    ----------
    head
        whose face it is
    rules
        of the profile
    seed
        what the depth varies by

    Returns
    -------
    numpy.ndarray
        of the grid's shape, none of it protected
    """
    zone = zone_of(head)
    if rules.ears:
        zone |= _ears(head)
    touched = np.zeros_like(zone)
    if zone.any():
        depth_mm = rules.kernel_mm + _BEYOND_KERNEL_MM + head.blurred_mm
        # What is farther away than this has no part in it, nor has what is around it any in the front.
        margin = head.cells(max(depth_mm + _VARIES_MM, _ROUND_MM)) + _AROUND_CELLS
        box = [slice(max(first - margin, 0), last + margin) for first, last in bounds(zone)]
        part = (box[UP], slice(box[FRONT].start, None), box[LEFT])
        near = replace(
            head, **{name: getattr(head, name)[part] for name in ("seen", "tissue", "outside", "bone", "protected")}
        )
        depths_mm = depth_mm + _VARIES_MM * np.linspace(0, 1, _DEPTHS)
        steps = np.minimum(_smooth_noise(head, seed, part) * np.float32(_DEPTHS), _DEPTHS - 1).astype(np.uint8)
        touched[part] = _touched_near(near, zone[part], (depths_mm / head.grid.step_mm, steps), rules.mode)
    return touched


def _touched_near(head: Anatomy, zone: Mask, limit: tuple[NDArray[np.float64], NDArray[np.uint8]], mode: Mode) -> Mask:
    """Return which cells around a zone are touched.

    Parameters
    ----------
    head
        whose masks are those around the zone
    zone
        in which the face is
    limit
        how deep below the skin, in cells, and which of these depths it is in each cell
    mode
        of the profile
    """
    depths, steps = limit
    stays_mm = _ERODED_BONE_MM if mode is Mode.ERODE else _THINNEST_SKIN_MM
    skin, *deep = within_each(head.outside & head.seen, [(stays_mm / head.grid.step_mm) ** 2, *depths**2])
    below = deep[0]
    for step in range(1, len(deep)):
        below |= deep[step] & (steps >= step)
    below &= ~head.outside & zone & ~head.protected & (skin | ~head.bone)
    below = joined_to(dilate(head.outside & head.seen, 1), below)
    before = head.outside & zone & ~head.protected
    if mode is Mode.ERODE:
        before &= dilate(~head.outside, head.cells(_EDGE_MM)) | (
            dilate(head.tissue & head.outside, 1) & dilate(~head.outside, head.cells(_THINGS_MM))
        )
    else:
        before &= _front(head, zone)
    return beyond_view((below | before) & head.seen, head.seen) & ~head.protected


def beyond_view(mask: Mask, seen: Mask) -> Mask:
    """Return a mask with the cells just outside of the field of view as those are that they are next to.

    The outermost frames lie between the last cells that are seen and the first that aren't.
    """
    if not mask.any():
        return mask
    box = tuple(slice(max(first - _BEYOND_VIEW_CELLS, 0), last + _BEYOND_VIEW_CELLS) for first, last in bounds(mask))
    found = mask.copy()
    mask, known = found[box], seen[box].copy()
    for _ in range(_BEYOND_VIEW_CELLS):
        some, others = np.zeros_like(mask), np.zeros_like(mask)
        for axis in range(mask.ndim):
            for to, of in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
                there = tuple(to if each == axis else slice(None) for each in range(mask.ndim))
                here = tuple(of if each == axis else slice(None) for each in range(mask.ndim))
                some[there] |= known[here] & mask[here]
                others[there] |= known[here] & ~mask[here]
        mask |= some & ~others & ~known
        known |= some | others
    return found


def _front(head: Anatomy, zone: Mask) -> Mask:
    """Return what lies behind a front without features, and not far beside the head."""
    # A small nose counts as thin, so it is outside; it still has to lie behind the front.
    things = joined_to(dilate(~head.outside, 1), head.tissue & head.outside & zone)
    things &= dilate(~head.outside & zone, head.cells(_THINGS_MM))
    solid = (~head.outside | things) & zone & head.seen
    columns = np.asarray(solid.any(axis=FRONT), np.bool_)
    last = head.grid.shape[FRONT] - 1
    own = np.where(columns, last - np.flip(solid, axis=FRONT).argmax(axis=FRONT), 0).astype(np.float32)
    height = own
    radius = head.cells(_ROUND_MM)
    for _ in range(2):
        height = _largest_around(height, radius // 2 + 1)
    height = _mean_around(_mean_around(height, radius // 2), radius // 2)
    height = np.maximum(height, _largest_around(own, head.cells(4.0))) + head.cells(_BEFORE_MM)
    near = dilate(columns, head.cells(_BESIDE_MM))
    at = np.arange(last + 1 - solid.shape[FRONT], last + 1, dtype=np.float32)[None, :, None]
    return np.asarray((at <= height[:, None, :]) & near[:, None, :])


def _largest_around(height: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    for axis in (0, 1):
        padded = np.pad(height, [(radius, radius) if each == axis else (0, 0) for each in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis=axis)
        height = windows.max(axis=-1)
    return height


def _mean_around(height: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    for axis in (0, 1):
        padded = np.pad(height, [(radius, radius) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis=axis)
        height = windows.mean(axis=-1, dtype=np.float32)
    return height


def _ears(head: Anatomy) -> Mask:
    """Return where the ears are: beside the skull, behind the face."""
    zone = np.zeros(head.grid.shape, np.bool_)
    level = head.brow - head.cells(12.0)
    up = slice(max(level - head.cells(_EAR_BELOW_MM), 0), level + head.cells(_EAR_ABOVE_MM))
    zone[up, max(head.ears - head.cells(_EAR_BEHIND_MM), 0) : head.ears, :] = True
    first, last = bounds(head.protected)[LEFT]
    zone[:, :, first + 1 : last - 1] = False
    return zone


def _smooth_noise(head: Anatomy, seed: bytes, part: tuple[slice, ...]) -> NDArray[np.float32]:
    """Return numbers from 0 to 1 that vary slowly over the grid, by the key, of a part of it."""
    knots = [int(count * head.grid.step_mm / _VARIES_OVER_MM) + 2 for count in head.grid.shape]
    raw = hashlib.shake_256(b"depth" + seed).digest(int(np.prod(knots)))
    noise = np.frombuffer(raw, np.uint8).reshape(knots).astype(np.float32) / np.float32(255)
    for axis, count in enumerate(head.grid.shape):
        at = np.arange(count)[part[axis]] * head.grid.step_mm / _VARIES_OVER_MM
        low = at.astype(np.intp)
        share = (at - low).astype(np.float32).reshape([-1 if each == axis else 1 for each in range(3)])
        noise = np.take(noise, low, axis) * (1 - share) + np.take(noise, low + 1, axis) * share
    return np.asarray(noise, np.float32)


assert (UP, FRONT, LEFT) == (0, 1, 2)  # noqa: S101  what the arrays above are cut by

"""Shapes in a grid of equal steps: distances, dilations and components of masks, with numpy alone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = "NDArray[np.bool_]"


def squared_distance(mask: Mask, reach: int) -> NDArray[np.uint16]:
    """Return for each cell the square of its distance from the next cell of a mask, in cells.

    Parameters
    ----------
    mask
        of any number of axes
    reach
        up to how many cells along each axis is looked; from 1 to 127

    Returns
    -------
    numpy.ndarray
        exact up to ``reach ** 2``; 0xFFFF where the mask is out of reach
    """
    far = np.uint16(0xFFFF)
    found = np.where(mask, np.uint16(0), far)
    for axis in range(mask.ndim):
        before = np.moveaxis(found, axis, 0)
        after = before.copy()
        for step in range(1, min(reach, len(before) - 1) + 1):
            raised = np.minimum(before, far - np.uint16(step * step)) + np.uint16(step * step)
            np.minimum(after[step:], raised[:-step], out=after[step:])
            np.minimum(after[:-step], raised[step:], out=after[:-step])
        found = np.moveaxis(after, 0, axis)
    return np.ascontiguousarray(np.where(found > reach * reach, far, found))


def dilate(mask: Mask, radius: float) -> Mask:
    """Return all cells that lie within `radius` cells of the mask."""
    reach = int(radius)
    if reach < 1 or not mask.any():
        return mask.copy()
    box = tuple(slice(max(first - reach, 0), last + reach) for first, last in bounds(mask))
    grown = np.zeros_like(mask)
    grown[box] = squared_distance(mask[box], reach) <= radius * radius
    return grown


def erode(mask: Mask, radius: float) -> Mask:
    """Return the cells of a mask that are farther than `radius` cells from all others; beyond the grid it goes on."""
    return ~dilate(~mask, radius)


def opened(mask: Mask, radius: float) -> Mask:
    """Return a mask without what is thinner than twice the radius."""
    return dilate(erode(mask, radius), radius) & mask


def closed(mask: Mask, radius: float) -> Mask:
    """Return a mask with its holes and gaps filled that are thinner than twice the radius."""
    padded = np.pad(mask, int(radius) + 1)  # else it would grow to the borders of the grid
    inner = tuple(slice(int(radius) + 1, -int(radius) - 1) for _ in mask.shape)
    return erode(dilate(padded, radius), radius)[inner] | mask


def extreme(values: NDArray[np.float32], reach: int, choose: np.ufunc) -> NDArray[np.float32]:
    """Return the largest (or smallest) value around each cell, up to `reach` cells along each axis.

    Parameters
    ----------
    values
        of any number of axes
    reach
        in cells
    choose
        ``numpy.maximum`` or ``numpy.minimum``
    """
    found = values
    for axis in range(values.ndim):
        before = np.moveaxis(found, axis, 0)
        after = before.copy()
        for step in range(1, min(reach, len(before) - 1) + 1):
            choose(after[step:], before[:-step], out=after[step:])
            choose(after[:-step], before[step:], out=after[:-step])
        found = np.moveaxis(after, 0, axis)
    return found


def bounds(mask: Mask) -> list[tuple[int, int]]:
    """Return first cell and the one behind the last of a mask that isn't empty, along each axis."""
    found = []
    for axis in range(mask.ndim):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        found.append((int(where[0]), int(where[-1]) + 1))
    return found


def components(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the components of a mask: cells that share a face belong together.

    Returns
    -------
    labels, sizes
        the label of each cell, 0 outside the mask; the number of cells of each label, that of 0 being 0. Labels are in
        the order of the components' first cells
    """
    runs = _runs(mask)
    pairs = []
    for axis in range(mask.ndim - 1):
        lanes = np.moveaxis(runs, axis, 0)
        both = (lanes[:-1] > 0) & (lanes[1:] > 0)
        pairs.append(np.unique(lanes[:-1][both].astype(np.int64) << 32 | lanes[1:][both]))
    joined = np.concatenate(pairs) if pairs else np.zeros(0, np.int64)
    parent = _roots(int(runs.max(initial=0)) + 1, joined >> 32, joined & 0xFFFFFFFF)
    labels = np.unique(parent, return_inverse=True)[1].astype(np.int32)[runs]
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    return labels, sizes


def _runs(mask: Mask) -> NDArray[np.int32]:
    """Return a number for each run of cells along the last axis, from 1, and 0 outside."""
    starts = mask.copy()
    starts[..., 1:] &= ~mask[..., :-1]
    return np.where(mask, np.cumsum(starts, dtype=np.int32).reshape(mask.shape), np.int32(0))


def _roots(nodes: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each node the smallest node that it is joined with, directly or not."""
    parent = np.arange(nodes)
    while len(first):
        low, high = np.minimum(first, second), np.maximum(first, second)
        np.minimum.at(parent, high, low)
        while not np.array_equal(jumped := parent[parent], parent):
            parent = jumped
        first, second = parent[first], parent[second]
        apart = first != second
        first, second = first[apart], second[apart]
    return parent


def largest(mask: Mask) -> Mask:
    """Return the largest component of a mask, the first of them if there are several; nothing of nothing."""
    labels, sizes = components(mask)
    return np.asarray((labels == int(sizes.argmax())) & mask)


def joined_to(seeds: Mask, mask: Mask) -> Mask:
    """Return the components of a mask that hold at least one of the seeds."""
    labels, sizes = components(mask)
    touched = np.zeros(len(sizes), np.bool_)
    touched[labels[seeds & mask]] = True
    touched[0] = False
    return touched[labels]

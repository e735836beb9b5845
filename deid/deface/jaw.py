"""The lower half of a face in CT, where the field of view begins below the brain.

Jaws and teeth lie right behind the skin on one side, spine on the other, air between: that is enough to tell that a
face is there, and not enough to tell where it ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deid.deface.anatomy import air_around
from deid.deface.head import AIR_HU, BONE_HU, SKIN_HU
from deid.deface.morphology import Mask, dilate, largest, opened
from deid.deface.volume import Grid

_AREA_MM2 = (4000.0, 34000.0)
_MOST_AIR = 0.3
_LEAST_JAW_MM2, _LEAST_SPINE_MM2, _LEAST_AIR_MM3 = 500.0, 250.0, 1000.0
_BEHIND_SKIN_MM, _HALF_WIDTH_MM = 28.0, 36.0
_LEAST_HEIGHT_MM, _NEAR_JAW_MM = 12.0, 24.0


def has_jaw(values: NDArray[np.float32], grid: Grid) -> bool:
    """Tell whether a lower face is in a volume.

    Parameters
    ----------
    values
        Hounsfield numbers on a grid along the patient's axes, NaN outside the field of view
    grid
        where they lie
    """
    known = np.nan_to_num(values, nan=-1000.0)
    bone = known > BONE_HU
    body = largest(opened(known > SKIN_HU, 1))
    if not body.any():
        return False
    inner = ~air_around(body, ~np.isnan(values), grid.step_mm) & ~np.isnan(values)
    air = inner & (known < AIR_HU)
    for turn in range(4):
        turned = [np.rot90(each, turn, (1, 2)) for each in (inner, bone, air)]
        found = np.array([_is_jaw(a, b, c, grid.step_mm) for a, b, c in zip(*turned, strict=True)])
        if _longest(found) * grid.step_mm < _LEAST_HEIGHT_MM:
            continue
        near = dilate(found, _NEAR_JAW_MM / grid.step_mm)
        if air[near].sum() * grid.step_mm**3 >= _LEAST_AIR_MM3:
            return True
    return False


def _is_jaw(inner: Mask, bone: Mask, air: Mask, step_mm: float) -> bool:
    """Tell whether a section has a jaw behind its lowest rows, and a spine behind that."""
    cell = step_mm**2
    area = float(inner.sum()) * cell
    inside = float(air.sum()) * cell
    if not _AREA_MM2[0] <= area <= _AREA_MM2[1] or inside > _MOST_AIR * area:
        return False
    rows, columns = np.nonzero(inner)
    first, middle = int(rows.min()), round(float(columns.mean()))
    behind, half = round(_BEHIND_SKIN_MM / step_mm), round(_HALF_WIDTH_MM / step_mm)
    beside = slice(max(middle - half, 0), middle + half)
    jaw = bone[first : first + behind, beside].sum() * cell
    spine = bone[first + 2 * behind :, beside].sum() * cell
    return bool(jaw >= _LEAST_JAW_MM2 and spine >= _LEAST_SPINE_MM2)


def _longest(found: Mask) -> int:
    """Return the length of the longest run of True."""
    longest = run = 0
    for each in found.tolist():
        run = run + 1 if each else 0
        longest = max(longest, run)
    return longest

"""Frames without a volume around them: the outline of whatever lies in each is filled, all the way round.

It is what is left to do where it can't be told where a face is. Of what it hides it takes more than needed; what lies
behind bone it can't reach in CT, and in MR it goes no deeper than the kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deid.deface.candidates import CT
from deid.deface.fill import quantiles
from deid.deface.head import BONE_HU, SKIN_HU
from deid.deface.morphology import Mask, closed, components, dilate, joined_to, squared_distance

_OUTSIDE_MM = 10.0
_REACH_CELLS = 120
_BINS = 256
_LEAST_TISSUE_MM2 = 400.0


def outline_of(
    values: NDArray[np.float32], spacing_mm: tuple[float, float], modality: str, kernel_mm: float
) -> Mask | None:
    """Return the pixels along the outline of what a frame shows: skin, and the air before it.

    Parameters
    ----------
    values
        (rows, columns) in units of the modality
    spacing_mm
        between rows, and between columns
    modality
        CT, MR or PT
    kernel_mm
        how deep

    Returns
    -------
    numpy.ndarray
        (rows, columns); None if there is no tissue
    """
    tissue = values > threshold_of(values, modality)
    step = max(min(spacing_mm), 1e-3)
    labels, sizes = components(tissue)
    tissue = np.asarray((sizes * spacing_mm[0] * spacing_mm[1] >= _LEAST_TISSUE_MM2)[labels])
    if not tissue.any():
        return None
    solid = closed(tissue, min(6.0 / step, _REACH_CELLS))
    border = np.ones_like(solid)
    border[1:-1, 1:-1] = False
    air = joined_to(border, ~solid)
    reach = min(int(kernel_mm / step) + 1, _REACH_CELLS)
    inner = ~air & (squared_distance(air, reach) <= (kernel_mm / step) ** 2)
    if modality == CT:
        inner = joined_to(dilate(air, 1), inner & (values <= BONE_HU))
    outer = air & dilate(solid, min(_OUTSIDE_MM / step, _REACH_CELLS))
    return np.asarray(inner | outer)


def palette_of_outline(values: NDArray[np.float32], touched: Mask, modality: str) -> NDArray[np.float32]:
    """Return 256 values as tissue along the outline has them."""
    found = values[touched & (values > threshold_of(values, modality))]
    return quantiles(found if len(found) else values[touched], is_ct=modality == CT)


def threshold_of(values: NDArray[np.float32], modality: str) -> float:
    """Return from which value on there is tissue: of CT by Hounsfield numbers, else half of what parts best (Otsu)."""
    if modality == CT:
        return SKIN_HU
    return otsu(values) / 2


def otsu(values: NDArray[np.float32]) -> float:
    """Return the value that parts low from high values best (Otsu 1979), the highest hundredth set aside."""
    flat = values.reshape(-1)
    low, high = float(flat.min()), float(np.percentile(flat, 99.0))
    if high <= low:
        return high
    counts, edges = np.histogram(flat.clip(low, high), _BINS, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (sums[-1] - sums) / above
        spread = np.nan_to_num(below * above * apart * apart)
    return float(middles[int(spread.argmax())])

"""The methods of 2-D that others have, written anew from what they do: each slice by itself, as a picture.

``slicer-deid`` takes the two largest regions of air in a slice, ``face-deid-ct`` the largest; both widen them by an
ellipse of some pixels, whatever a pixel's size is, into skin and fat (20 and 35 pixels), and put in random ones of the
values that lie between -125 and 50 HU in the widened rim. Both know CT alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

AIR_HU = -800.0
LOWEST_HU, HIGHEST_HU = -125.0, 50.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """One method.

    Attributes
    ----------
    kernel_px
        how far air is widened
    regions
        how many regions of air
    is_by_slice
        whether values come from the slice at hand, or from all
    """

    name: str
    kernel_px: int
    regions: int
    is_by_slice: bool

    def clean(self, values: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """Return the slices, (slices, rows, columns) in HU, cleaned."""
        chance = np.random.default_rng(seed)
        air = np.stack([self._air(each) for each in values])
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self.kernel_px, self.kernel_px))
        wide = np.stack([cv2.dilate(each, kernel) for each in air]).astype(bool)
        rim = wide & ~air.astype(bool)
        cleaned = values.copy()
        slices = [slice(number, number + 1) for number in range(len(values))] if self.is_by_slice else [slice(None)]
        for part in slices:
            found = np.unique(values[part][rim[part]])
            found = found[(found > LOWEST_HU) & (found < HIGHEST_HU)]
            if len(found):
                cleaned[part][wide[part]] = chance.choice(found, int(wide[part].sum()))
        return cleaned

    def _air(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        count, labels, stats, _ = cv2.connectedComponentsWithStats((values <= AIR_HU).astype(np.uint8), connectivity=8)
        if count < 2:
            return np.zeros(values.shape, np.uint8)
        largest = np.argsort(stats[1:, cv2.CC_STAT_AREA])[-self.regions :] + 1
        return np.isin(labels, largest).astype(np.uint8)


BASELINES = (Baseline("slicer-deid", 20, 2, is_by_slice=True), Baseline("face-deid-ct", 35, 1, is_by_slice=False))

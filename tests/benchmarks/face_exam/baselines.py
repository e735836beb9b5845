"""The methods of 2-D that others have, written anew from what they do: each slice by itself, as a picture.

All take the air in a slice, widen its largest regions by an ellipse into skin and fat, and overwrite what is wide.
``face-deid-ct`` (by F. Kitamura) takes one region and 35 pixels, whatever a pixel's size is, and draws from the values
between -125 and 50 HU that are in the widened rims of all slices. ``slicer-deid`` (by the Payabvash lab) had two
regions, 20 pixels, and the values of the slice at hand; ``slicer-deid-air`` is what it does by now: one region, an
ellipse of 10 to 15 mm by chance, and air. All know CT alone. They are as fast as OpenCV and numpy make them, faster
than their originals, which look for values in whole volumes and read each file twice or three times.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.factories import to_bytes

AIR_HU = -800.0
LOWEST_HU, HIGHEST_HU = -125.0, 50.0
_FILL_HU = -1000

Volume = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Baseline:
    """One method.

    Attributes
    ----------
    kernel_px, kernel_mm
        by which ellipse air is widened: so many pixels, or some width between two
    regions
        how many regions of air
    is_by_slice
        whether values come from the slice at hand, or from all
    is_air
        whether air is put in instead
    """

    name: str
    regions: int
    kernel_px: int = 0
    kernel_mm: tuple[float, float] = (0.0, 0.0)
    is_by_slice: bool = False
    is_air: bool = False

    def clean(self, values: Volume, seed: int, pixel_mm: float) -> Volume:
        """Return the slices, (slices, rows, columns) in HU, cleaned."""
        chance = np.random.default_rng(seed)
        air = np.stack([self._air(each) for each in values])
        wide = np.stack([cv2.dilate(each, self._kernel(chance, pixel_mm)) for each in air]).astype(bool)
        cleaned = values.copy()
        if self.is_air:
            cleaned[wide] = _FILL_HU
            return cleaned
        rim = wide & ~air.astype(bool)
        slices = [slice(number, number + 1) for number in range(len(values))] if self.is_by_slice else [slice(None)]
        for part in slices:
            found = np.unique(values[part][rim[part]])
            found = found[(found > LOWEST_HU) & (found < HIGHEST_HU)]
            if len(found):
                cleaned[part][wide[part]] = chance.choice(found, int(wide[part].sum()))
        return cleaned

    def _kernel(self, chance: np.random.Generator, pixel_mm: float) -> NDArray[np.uint8]:
        low, high = (max(ceil(mm / pixel_mm), 1) for mm in self.kernel_mm)
        size = self.kernel_px or int(chance.integers(low, high + 1))
        return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)

    def _air(self, values: Volume) -> NDArray[np.uint8]:
        count, labels, stats, _ = cv2.connectedComponentsWithStats((values <= AIR_HU).astype(np.uint8), connectivity=8)
        if count < 2:
            return np.zeros(values.shape, np.uint8)
        largest = np.argsort(stats[1:, cv2.CC_STAT_AREA])[-self.regions :] + 1
        return np.isin(labels, largest).astype(np.uint8)


BASELINES = (
    Baseline("slicer-deid", regions=2, kernel_px=20, is_by_slice=True),
    Baseline("slicer-deid-air", regions=1, kernel_mm=(10.0, 15.0), is_air=True),
    Baseline("face-deid-ct", regions=1, kernel_px=35),
)


def by_baseline(baseline: Baseline, files: Sequence[bytes], seed: int) -> tuple[float, float]:
    """Have files cleaned as the originals do it: read with pydicom, all at once, as whole numbers of HU, and written.

    Returns
    -------
    tuple
        CPU seconds of decoded slices to changed ones, and of files to files
    """
    began = time.process_time()
    read = [dcmread(BytesIO(file)) for file in files]
    hounsfield = np.concatenate([_hounsfield(ds) for ds in read])
    decoded = time.process_time()
    cleaned = baseline.clean(hounsfield, seed, pixel_mm(read[0]))
    done = time.process_time()
    for ds, values in zip(read, np.split(cleaned, len(read)), strict=True):
        slope, intercept = _rescale(ds)
        ds.PixelData = ((values - intercept) / slope).astype(np.int16).tobytes()
        to_bytes(ds)
    return done - decoded, time.process_time() - began


def pixel_mm(ds: Dataset) -> float:
    """Return the distance of rows."""
    return float(_group(ds, "PixelMeasuresSequence").PixelSpacing[0])


def _hounsfield(ds: Dataset) -> NDArray[np.int16]:
    slope, intercept = _rescale(ds)
    stored = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
    return np.asarray((stored if slope == 1 else stored * slope).astype(np.int16) + np.int16(intercept), np.int16)


def _rescale(ds: Dataset) -> tuple[float, float]:
    group = _group(ds, "PixelValueTransformationSequence")
    return float(group.get("RescaleSlope", 1) or 1), float(group.get("RescaleIntercept", 0) or 0)


def _group(ds: Dataset, keyword: str) -> Dataset:
    """Return what holds some values: a group that all frames share, or the Data Set."""
    shared = ds.get("SharedFunctionalGroupsSequence", [])
    return shared[0][keyword][0] if shared and keyword in shared[0] else ds

"""What a window shows of stored values, and how much a text stands out from what is around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.pixel_exam.scenes import Scene

INK = 0.25
"""Coverage from which a pixel is ink."""

LUMINANCE = np.array([0.299, 0.587, 0.114])


def levels(scene: Scene, values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Return what the window shows of stored values, 0 to 1 (or 1 to 0, of MONOCHROME1)."""
    if scene.palette is not None:
        return (scene.palette @ LUMINANCE)[values] / 255
    if scene.is_coloured:
        return values @ LUMINANCE / 255
    return np.clip((values.astype(np.float64) - scene.low) / (scene.high - scene.low), 0, 1)


def contrast_of(
    coverage: NDArray[np.float32], ground: NDArray[Any], shown: NDArray[Any], letters: int, *, is_upright: bool = False
) -> tuple[float, float]:
    """Return the contrast of four fifths and of one fifth of the letters, to three quarters of what is around them.

    Parameters
    ----------
    coverage, ground, shown
        (rows, columns): where there is ink, what was displayed before, and what is with it
    letters
        how many there are
    is_upright
        the text runs up or down
    """
    arrays = [each.T if is_upright else each for each in (coverage, ground, shown)]
    count = max(1, min(letters, arrays[0].shape[1]))
    found = []
    for part, behind, inked in zip(*(np.array_split(each, count, axis=1) for each in arrays), strict=True):
        if (part >= INK).any():
            empty = part < 0.05
            core = part >= np.percentile(part[part >= INK], 75)
            steps = np.abs(float(np.mean(inked[core])) - (behind[empty] if empty.any() else behind))
            found.append(float(np.percentile(steps, 25)))
    return (float(np.percentile(found, 20)), float(np.percentile(found, 80))) if found else (0.0, 0.0)

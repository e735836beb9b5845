"""Boxes of a frame replaced by background, everything outside them being what it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.pixels.background import Background
from deid.pixels.box import AnyBox, Box
from deid.pixels.format import Format
from deid.pixels.native import Samples


def fitted_boxes(boxes: Iterable[AnyBox], form: Format) -> list[Box]:
    """Return boxes cut to the image, those without a pixel left out.

    Where two pixels of a row share their chroma samples, a box takes both or none of them.
    """
    pair = 2 if form.is_subsampled else 1
    fitted = []
    for x0, y0, x1, y1 in boxes:
        left, right = max(x0, 0) // pair * pair, min(-(-x1 // pair) * pair, form.columns)
        top, bottom = max(y0, 0), min(y1, form.rows)
        if x0 < x1 and left < right and top < bottom:
            fitted.append(Box(left, top, right, bottom))
    return fitted


def covered_by(boxes: Iterable[AnyBox], form: Format) -> NDArray[np.bool_]:
    """Return (rows, columns), True under the boxes; these lie within the image."""
    covered = np.zeros((form.rows, form.columns), np.bool_)
    for x0, y0, x1, y1 in boxes:
        covered[y0:y1, x0:x1] = True
    return covered


def mask_frame(array: Samples, boxes: Iterable[AnyBox], background: Background, frame: int = 0) -> NDArray[Any]:
    """Return a frame whose pixels under the boxes are all background, and the others what they were, bit for bit.

    Parameters
    ----------
    array
        stored values, (rows, columns) or (rows, columns, samples); left unchanged
    boxes
        what to mask, in pixels; they may pass the image's borders
    background
        of the instance
    frame
        index of the frame

    Returns
    -------
    numpy.ndarray
        a copy; `array` itself if no box has a pixel in the image
    """
    fitted = fitted_boxes(boxes, background.form)
    if not fitted:
        return array
    value = background.samples(array, covered_by(fitted, background.form), frame)
    masked = array.copy()
    for x0, y0, x1, y1 in fitted:
        masked[y0:y1, x0:x1] = value if masked.ndim == 3 else value[0]
    return masked

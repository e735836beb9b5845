"""The values that take the place of a face: of its own skin and fat, or of the air around it, drawn by the key.

Equal places get equal values on every machine; who doesn't have the key can't tell what was drawn.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deid.deface.anatomy import Anatomy
from deid.deface.geometry import Place
from deid.deface.morphology import Mask, bounds, dilate
from deid.deface.rules import FaceRules, Mode

ENTRIES: Final = 256
_FEWEST = 64
_AIR_SHARE = (5.0, 70.0)
_CT_SHARE = (55.0, 97.0)  # more of skin than of fat: smoothed, it has no surface at the level of fat
_OTHER_SHARE = (35.0, 85.0)  # what isn't CT has dark places in skin, that would look like air
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # splitmix64, Steele et al. 2014
_ROUNDED_MM = 0.01


def palette_of(head: Anatomy, touched: Mask, rules: FaceRules, *, is_ct: bool) -> NDArray[np.float32]:
    """Return 256 values in units of the modality, ascending, each as likely as the others.

    Parameters
    ----------
    head, touched
        the head, and what of it is touched
    rules
        of the profile: to ``drown`` takes values of skin and fat, to ``erode`` those of air
    is_ct
        whether they are Hounsfield numbers
    """
    mode = rules.mode
    box = tuple(slice(max(first - 2, 0), last + 2) for first, last in bounds(touched)) if touched.any() else ()
    values, seen, tissue, near = head.values[box], head.seen[box], head.tissue[box], touched[box]
    if mode is Mode.ERODE:
        found = values[head.outside[box] & seen & ~tissue & dilate(near, 2)]
    else:
        found = values[near & ~head.outside[box] & tissue & seen & ~dilate(head.bone[box], 1)]
    if len(found) < _FEWEST:
        found = head.values[head.seen & (head.tissue if mode is Mode.DROWN else ~head.tissue)]
    return _spread(found, _AIR_SHARE) if mode is Mode.ERODE else quantiles(found, is_ct=is_ct)


def quantiles(found: NDArray[np.float32], *, is_ct: bool) -> NDArray[np.float32]:
    """Return 256 values, ascending, as they are spread in the tissue that was found; without its extremes."""
    return _spread(found, _CT_SHARE if is_ct else _OTHER_SHARE)


def _spread(found: NDArray[np.float32], share: tuple[float, float]) -> NDArray[np.float32]:
    return np.asarray(np.percentile(found, np.linspace(*share, ENTRIES)), np.float32)


def drawn(palette: NDArray[np.float32], seed: bytes, place: Place, touched: Mask) -> NDArray[np.float32]:
    """Return a value for each touched pixel of a frame, in the order of the pixels.

    Parameters
    ----------
    palette
        (256,) to draw from
    seed
        secret
    place
        of the frame
    touched
        (rows, columns)
    """
    where = np.rint(np.concatenate([place.origin, place.along_row, place.along_column]) / _ROUNDED_MM)
    own = hashlib.sha256(seed + where.astype("<i8").tobytes()).digest()
    at = np.flatnonzero(touched).astype(np.uint64) + np.frombuffer(own, "<u8", 1)
    at = (at ^ (at >> np.uint64(30))) * _ONE
    at = (at ^ (at >> np.uint64(27))) * _TWO
    return np.asarray(palette[(at >> np.uint64(56)).astype(np.intp)], np.float32)


def drawn_cells(palette: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return so many values of a palette, as evenly mixed as those that are drawn by the key."""
    at = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * _TWO
    at = (at ^ (at >> np.uint64(30))) * _ONE
    return np.asarray(palette[(at >> np.uint64(56)).astype(np.intp)], np.float32)

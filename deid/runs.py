"""Runs of letters or digits in bulk bytes, found at memory speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_RUNS = 4096


SHORTEST_RUN_BYTES = 6


def text_runs(block: bytes) -> list[bytes]:
    """Return the runs of ASCII letters, or of digits, of at least `SHORTEST_RUN_BYTES`.

    Where they are so many that looking at each would cost more, the whole block is returned.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    letters = ((data | 0x20) - np.uint8(ord("a"))) < 26
    digits = (data - np.uint8(ord("0"))) < 10
    starts = np.flatnonzero(_six_in_a_row(letters) | _six_in_a_row(digits))
    if starts.size == 0:
        return []
    if starts.size > _MOST_RUNS:
        return [block]
    breaks = np.flatnonzero(np.diff(starts) > 1)
    firsts = starts[np.concatenate(([0], breaks + 1))]
    lasts = starts[np.concatenate((breaks, [starts.size - 1]))]
    return [
        block[first : last + SHORTEST_RUN_BYTES] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]


def _six_in_a_row(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell for each position whether it and the next five are set."""
    if mask.size < SHORTEST_RUN_BYTES:
        return np.zeros(0, dtype=np.bool_)
    two = mask[:-1] & mask[1:]
    four = two[:-2] & two[2:]
    return four[:-2] & two[4:]

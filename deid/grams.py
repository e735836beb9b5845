"""What follows what in bytes, found once, so that thousands of words needn't each be looked for in all of them."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np

DATE_DIGITS = 8

_UID = re.compile(rb"[0-9.]+")
_DATE = re.compile(rb"[0-9]{8,}")
_GRAM_BYTES = 3
_BLOCK_BYTES = 1 << 20


class Grams:
    """All three bytes in a row, all UIDs and all dates of some bytes.

    Parameters
    ----------
    data, undone
        both are looked at as one; UIDs and dates only of `data`
    """

    def __init__(self, data: bytes, undone: bytes = b"") -> None:
        table = np.zeros(1 << 8 * _GRAM_BYTES, dtype=np.bool_)
        for part in (data, undone):
            for start in range(0, len(part), _BLOCK_BYTES):
                block = np.frombuffer(part[start : start + _BLOCK_BYTES + _GRAM_BYTES - 1], np.uint8).astype(np.uint32)
                table[block[:-2] << 16 | block[1:-1] << 8 | block[2:]] = True
        self._table = table.tobytes()
        self._data = data

    @cached_property
    def uids(self) -> frozenset[bytes]:
        """What could be a UID: digits and points, up to other bytes, or to one that a header beside them looks like."""
        runs = frozenset(_UID.findall(self._data))
        runs = runs.union(run.strip(b".") for run in runs)  # ends of sentences
        return runs.union(run[first:] for run in runs for first in (0, 1)).union(
            run[first:-1] for run in runs for first in (0, 1)
        )

    @cached_property
    def dates(self) -> frozenset[bytes]:
        """What could be a date, or the date of a time: the first eight digits of a run of them, or those after one."""
        runs = _DATE.findall(self._data)
        return frozenset(run[first : first + DATE_DIGITS] for run in runs for first in (0, 1))

    def may_hold(self, word: bytes) -> bool:
        """Tell whether a word can be there; False is certain."""
        last = len(word) - _GRAM_BYTES
        if last < 0:
            return True
        return all(self._table[word[at] << 16 | word[at + 1] << 8 | word[at + 2]] for at in {0, last // 2, last})

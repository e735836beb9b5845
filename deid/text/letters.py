"""What a word that no lexicon knows looks like: how its letters follow one another in names, and in words.

*Kowalewicz* is in no list and yet a name, *spondylodiscitis* is none: a network that cuts words by another language's
vocabulary sees little of it. Each run of two to five letters has a weight, learnt from the lexicon
(`models.ner.letters`).
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKS = 8
"""How many degrees there are, from what is surely a word to what is surely a name."""

SHORTEST = 3
"""Letters of a word that has a look."""

WEIGHTS = 1 << 17
"""How many runs of letters are told apart, each a signed byte."""

UNIT = 1 / 32
"""What one step of a weight stands for, in log odds."""

_LONGEST = 32
_RUNS = (2, 3, 4, 5)
_BOUNDS = (-3.0, -1.8, -0.8, 0.0, 0.8, 1.8, 3.0)


class Letters:
    """Weights of runs of letters.

    Parameters
    ----------
    weights
        `WEIGHTS` signed bytes

    Raises
    ------
    ValueError
        if there are more or fewer
    """

    def __init__(self, weights: bytes) -> None:
        if len(weights) != WEIGHTS:
            raise ValueError(f"{len(weights)} weights of letters instead of {WEIGHTS}")
        self._weights = array("b", weights)

    def look(self, word: str) -> int:
        """Return how much a word looks like a name: 0 to `LOOKS` - 1.

        Parameters
        ----------
        word
            letters in their normal form, as a lexicon has them
        """
        weights, places = self._weights, list(places_of(word))
        return degree(UNIT * sum(weights[place] for place in places) / norm(len(places)))


def norm(count: int) -> float:
    """Return what a sum of so many weights is divided by, so that long words are no surer than short ones."""
    return math.sqrt(max(count, 1))


def places_of(word: str) -> Iterator[int]:
    """Yield where the weights of a word's runs of letters are."""
    marked = f"^{word[:_LONGEST]}$".encode("utf-8", "surrogatepass")
    for length in _RUNS:
        for start in range(len(marked) - length + 1):
            yield crc32(marked[start : start + length], length) % WEIGHTS


def degree(log_odds: float) -> int:
    """Return the degree that log odds are of."""
    return sum(log_odds > bound for bound in _BOUNDS)

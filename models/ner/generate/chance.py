"""Drawing by chance: a few ways that are quick and the same in every process."""

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
PLACEHOLDERS = {
    "#": DIGITS,
    "!": DIGITS[1:],
    "@": UPPER,
    "&": LOWER,
    "~": DIGITS + UPPER,
    "¤": DIGITS + "abcdef",
}


def number(rng: Random, low: int, high: int) -> int:
    """
    Draw a whole number from low to high, both included.

    Returns
    -------
    int
        The number.
    """
    return low + int(rng.random() * (high - low + 1))


def shaped(rng: Random, shape: str) -> str:
    """
    Fill a shape: # digit, ! digit but 0, @ capital, & small letter, ~ digit or capital, ¤ hex, $ year, § short year.

    Returns
    -------
    str
        The shape with every placeholder drawn; all else as it stands.
    """
    out = []
    for mark in shape:
        options = PLACEHOLDERS.get(mark)
        if options:
            out.append(options[int(rng.random() * len(options))])
        elif mark == "$":
            out.append(str(number(rng, 1998, 2026)))
        elif mark == "§":
            out.append(f"{number(rng, 98, 126) % 100:02d}")
        else:
            out.append(mark)
    return "".join(out)


class Weighted(Generic[T]):
    """
    Options with weights.

    Parameters
    ----------
    options : dict
        Option to weight; the weights need not sum to anything.
    """

    def __init__(self, options: dict[T, float]) -> None:
        self.options = tuple(options)
        self.bounds = tuple(accumulate(options.values()))
        self.total = self.bounds[-1]

    def pick(self, rng: Random) -> T:
        """
        Draw one.

        Returns
        -------
        object
            An option, as often as its weight says.
        """
        return self.options[bisect(self.bounds, rng.random() * self.total)]

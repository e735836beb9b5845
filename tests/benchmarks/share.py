"""Shares, and how far they can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

_Z = 1.959964  # of the normal distribution, for 95 %


class Share(NamedTuple):
    """How many of how many."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        return self.part / self.whole if self.whole else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """From where to where the true share is with 95 % (Wilson's interval)."""
        if not self.whole:
            return 0.0, 1.0
        square = _Z**2 / self.whole
        middle = self.value + square / 2
        half = _Z * math.sqrt(self.value * (1 - self.value) / self.whole + square / (4 * self.whole))
        return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))

    def __str__(self) -> str:
        return f"{100 * self.value:.2f}" if self.whole else "-"

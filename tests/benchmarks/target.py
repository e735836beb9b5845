"""What an exam is to reach, and the line that says whether it did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached."""

    name: str
    value: float
    limit: float
    is_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit if self.is_most else self.value >= self.limit  # what is missing (nan) isn't

    def line(self) -> str:
        sign = "at most" if self.is_most else "at least"
        return f"  {'met' if self.is_met else 'MISSED':8}{self.name:62}{self.value:10.4f}   {sign} {self.limit}"

"""A progress bar for a person at a terminal; silent anywhere else."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType

_WIDTH = 32
_EVERY_S = 0.1


class Progress:
    """Counts what is done of `total`; as a context manager it leaves a clean line behind."""

    def __init__(self, total: int, unit: str, stream: TextIO | None = None) -> None:
        self._total = total
        self._unit = unit
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() and total > 1
        self._began_at = time.monotonic()
        self._next_at = 0.0
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def step(self, failed: int) -> None:
        """Count one more; `failed` is how many of all so far went wrong."""
        self._done += 1
        now = time.monotonic()
        if self._shown and (now >= self._next_at or self._done == self._total):
            self._next_at = now + _EVERY_S
            self._stream.write(f"\r{self.line(failed, now)}\033[K")
            self._stream.flush()

    def clear(self) -> None:
        """Remove the bar, so that a line of text can take its place."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def line(self, failed: int, now: float) -> str:
        """Return the bar as text."""
        filled = _WIDTH * self._done // max(1, self._total)
        rate = self._done / max(1e-9, now - self._began_at)
        bar = "#" * filled + "." * (_WIDTH - filled)
        return f"[{bar}] {self._done}/{self._total} {self._unit}, {rate:.0f}/s, {failed} not done"

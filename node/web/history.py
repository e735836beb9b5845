"""What was done in each minute of the last hours: the ledger's sums, looked at now and then, in memory alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.counters import counters
from node.errors import NodeError

if TYPE_CHECKING:
    from node.ledger import Ledger

MINUTES = 60
_EVERY_S = 10.0
NAMES = ("received", "cleaned", "delivered", "quarantined")


@dataclass(frozen=True, slots=True)
class Minute:
    """What was done in a minute.

    Attributes
    ----------
    begins_s
        seconds since 1970
    done
        by name of the sum
    """

    begins_s: float
    done: dict[str, int]


class History:
    """The sums as they were at the beginning of each minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: deque[tuple[int, dict[str, int]]] = deque(maxlen=MINUTES + 1)
        self._now: dict[str, int] = {}
        self._over = threading.Event()

    def begin(self, ledger: Ledger) -> None:
        """Look at the sums from now on."""
        threading.Thread(target=self._run, args=(ledger,), name="history", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def note(self, sums: dict[str, int], at_s: float) -> None:
        """Take the sums as they are at a time (seconds since 1970)."""
        minute = int(at_s // 60)
        with self._lock:
            if not self._sums or self._sums[-1][0] != minute:
                self._sums.append((minute, self._now or sums))
            self._now = sums

    def minutes(self) -> list[Minute]:
        """Give the minutes that were looked at, the oldest first; the last one is not over yet."""
        with self._lock:
            begins, now = list(self._sums), self._now
        ends = [sums for _, sums in begins[1:]] + [now]
        return [
            Minute(minute * 60.0, {name: max(0, end.get(name, 0) - start.get(name, 0)) for name in NAMES})
            for (minute, start), end in zip(begins, ends, strict=True)
        ]

    def _run(self, ledger: Ledger) -> None:
        while not self._over.is_set():
            with suppress(NodeError):
                found = counters(ledger)
                self.note({name: sum(found.get(name, {}).values()) for name in NAMES}, time.time())
            self._over.wait(_EVERY_S)
        ledger.close()

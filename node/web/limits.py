"""How often somebody may fail to log in: by name and by address, the pause doubles with each failure after some."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

_MOST_KEYS = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class LoginLimits:
    """Failures of late.

    Parameters
    ----------
    free
        failures that cost nothing, by name; four times as many by address
    first_pause_s, longest_pause_s
        the pause doubles from the one to the other
    """

    def __init__(self, free: int = 5, first_pause_s: float = 30.0, longest_pause_s: float = 900.0) -> None:
        self._free = {"name": free, "address": 4 * free}
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait_s(self, name: str, address: str) -> float:
        """Say how long nobody may try to log in by that name, or from that address; 0 if now."""
        now = time.monotonic()
        with self._lock:
            return max(self._left_s(key, now) for key in (("name", name), ("address", address)))

    def failed(self, name: str, address: str) -> None:
        """Count a failure."""
        now = time.monotonic()
        with self._lock:
            for key in (("name", name), ("address", address)):
                found = self._failures.pop(key, None)
                if found is None or now - found.last_s > 2 * self._longest_pause_s:
                    found = _Failures(0, now)
                self._failures[key] = _Failures(found.count + 1, now)
            while len(self._failures) > _MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name; not those of an address, which may guess others' passwords."""
        with self._lock:
            self._failures.pop(("name", name), None)

    def _left_s(self, key: tuple[str, str], now: float) -> float:
        found = self._failures.get(key)
        if found is None or found.count < self._free[key[0]]:
            return 0.0
        beyond = min(found.count - self._free[key[0]], 30)
        pause_s = min(self._longest_pause_s, self._first_pause_s * 2.0**beyond)
        return max(0.0, found.last_s + pause_s - now)

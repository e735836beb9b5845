"""How much each peer may do: associations at once, instances and bytes in a minute (in each process that receives).

A rate is a store that holds a minute's worth and fills up evenly: a minute's worth may come at once, after that as much
as the rate says. Who is a little too fast waits before its next instance, which slows it down and fails nothing; who
would have to wait for longer than `LONGEST_WAIT_S` is told A700 (out of resources: it may send again), and its next
association is rejected as a transient condition.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from node.access.settings import Peer
from node.errors import Transient
from node.log import Event, Name, emit

LONGEST_WAIT_S: Final = 2.0

_MINUTE_S = 60.0
_FAREWELL_S = 1.5  # an association that its requestor has released, to ask for the next, takes a moment to go


class Limit(StrEnum):
    """What there was too much of."""

    ASSOCIATIONS = "associations"
    INSTANCES = "instances"
    BYTES = "bytes"


class Exceeded(Transient):
    """A peer has done as much as it may."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(f"too many {limit}")
        self.limit = limit


class _Rate:
    """So much in a minute; its owner holds the lock."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_s = per_minute / _MINUTE_S
        self._most = float(per_minute)
        self._left = self._most
        self._clock = clock
        self._at = clock()

    def wait_s(self, need: float) -> float:
        """Return how long it takes until so much is left."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return max(0.0, (need - self._left) / self._per_s)

    def take(self, amount: float) -> None:
        """Take what is used, also more than there is."""
        self._left -= amount


class Allowance:
    """What one entry of [[peers]] may still do; any number of threads may ask.

    Parameters
    ----------
    clock, sleep
        `time.monotonic` and `time.sleep`
    """

    def __init__(
        self,
        peer: Peer,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._peer = Name(peer.ae_title)
        self._most_associations = peer.max_associations
        self._rates = {
            limit: (_Rate(per_minute, clock), need)
            for limit, per_minute, need in (
                (Limit.INSTANCES, peer.max_instances_per_minute, 1.0),
                (Limit.BYTES, peer.max_bytes_per_minute, 0.0),
            )
            if per_minute
        }
        self._sleep = sleep
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._associations = 0

    def enter(self) -> None:
        """Count an association that begins.

        Raises
        ------
        Exceeded
            if there is one too many, or no instance would be taken on it now
        """
        with self._lock:
            if not self._left.wait_for(self._has_room, _FAREWELL_S):
                raise self._exceeded(Limit.ASSOCIATIONS)
            self._wait_s()
            self._associations += 1

    def leave(self) -> None:
        """Count an association that has ended."""
        with self._lock:
            self._associations -= 1
            self._left.notify()

    def _has_room(self) -> bool:
        return not self._most_associations or self._associations < self._most_associations

    def begin(self) -> None:
        """Count an instance that begins, and wait until it may.

        Raises
        ------
        Exceeded
            if that would take too long
        """
        if not self._rates:
            return
        with self._lock:
            wait_s = self._wait_s()
            if Limit.INSTANCES in self._rates:
                self._rates[Limit.INSTANCES][0].take(1)
        if wait_s:
            self._sleep(wait_s)

    def took(self, size_bytes: int) -> None:
        """Count bytes of an instance that have come."""
        if Limit.BYTES in self._rates:
            with self._lock:
                self._rates[Limit.BYTES][0].take(size_bytes)

    def _exceeded(self, limit: Limit) -> Exceeded:
        emit(Event.PEER_LIMITED, peer=self._peer, limit=limit)
        return Exceeded(limit)

    def _wait_s(self) -> float:
        longest_s = 0.0
        for limit, (rate, need) in self._rates.items():
            wait_s = rate.wait_s(need)
            if wait_s > LONGEST_WAIT_S:
                raise self._exceeded(limit)
            longest_s = max(longest_s, wait_s)
        return longest_s


class Allowances:
    """The allowances of all peers."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._by_peer = {peer: Allowance(peer) for peer in peers}
        self._unlimited = Allowance(Peer("*", "::"))

    def of(self, peer: Peer | None) -> Allowance:
        """Return that of an entry; without one there is no limit."""
        return self._by_peer[peer] if peer else self._unlimited

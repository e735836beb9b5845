"""Which instances the forward role had in hand when it died: written into a mapped file, where the kernel keeps it.

A process that an instance kills each time it is sent would otherwise be started again for ever, and nothing else
would leave. It costs no system call, and a power cut may forget it: the file says nothing that must be known.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.jobs import JobId, NodeReason
from node.log import Event, Name, emit

if TYPE_CHECKING:
    from pathlib import Path

    from node.ledger import Ledger

FLIGHT_FILE = ".forward.flight"
_ID_BYTES = 32
_LANES = 512
_EMPTY = bytes(_ID_BYTES)

_CRASHED = "UPDATE jobs SET attempts = attempts + 1 WHERE id = ? AND state = 'cleaned' RETURNING attempts"
_CLAIMED = "SELECT destination FROM deliveries WHERE job = ? AND state = 'sending'"


@dataclass(slots=True)
class Flight:
    """What one lane has in hand; without a place to write it to, that is told to nobody."""

    places: mmap.mmap | None = None
    at: int = 0

    @contextmanager
    def of(self, job_id: JobId) -> Iterator[None]:
        """Have an instance in hand."""
        self._put(job_id.encode())
        try:
            yield
        finally:
            self._put(_EMPTY)

    def _put(self, content: bytes) -> None:
        if self.places is not None:
            self.places[self.at : self.at + _ID_BYTES] = content


class Flights:
    """The places of all lanes, in a file beside the ledger: one forward role at a time uses them."""

    def __init__(self, folder: Path) -> None:
        fd = os.open(folder / FLIGHT_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, _LANES * _ID_BYTES)
            self._places = mmap.mmap(fd, _LANES * _ID_BYTES)
        finally:
            os.close(fd)
        self._next = 0

    def lane(self) -> Flight:
        """Give the next lane its place; lanes beyond the last one have none."""
        number, self._next = self._next, self._next + 1
        return Flight(self._places, number * _ID_BYTES) if number < _LANES else Flight()

    def begin(self) -> None:
        """Give the places anew, from the first."""
        self._next = 0

    def take(self) -> list[JobId]:
        """Give what a predecessor had in hand when it died, and forget it."""
        found = []
        for at in range(0, _LANES * _ID_BYTES, _ID_BYTES):
            content = self._places[at : at + _ID_BYTES]
            if content != _EMPTY:
                self._places[at : at + _ID_BYTES] = _EMPTY
                with suppress(ValueError):  # not one of ours
                    found.append(JobId(content.decode("ascii", "replace")))
        return found


def count_crashes(flights: Flights, ledger: Ledger, most: int) -> None:
    """Count an attempt for what a predecessor died on; give up what it has died on so often.

    Call it before the claims of the predecessor are given back: they say to which destinations it was sent.

    Raises
    ------
    NoRoom, Transient
        if the ledger fails
    """
    for job_id in flights.take():
        rows = ledger.run(_CRASHED, job_id).fetchall()
        if not rows or rows[0][0] < most:
            continue
        for (destination,) in ledger.run(_CLAIMED, job_id).fetchall():
            reason = NodeReason.FORWARDER_DIED
            emit(Event.DELIVERY_GIVEN_UP, job=job_id, destination=Name(destination), status=None, reason=reason)
            ledger.gave_up(job_id, destination, None, reason)

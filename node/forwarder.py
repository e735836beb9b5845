"""The forward role: from the outbox to the archives.

Each destination has lanes, one for each association it may be given; a lane is a thread. Deliveries that fail are
tried again by `node.retry`; what an archive refuses for good becomes a case for a person (`node.status`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from node.channel import Channel
from node.commitment.clerks import Clerks
from node.decoder import Decoder
from node.errors import Misconfigured
from node.lane import Lane, Reachability, Runner, lane_thread
from node.ledger import open_ledger
from node.log import Event, emit
from node.spool import Spool
from node.wire import tls_context

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from node.ledger import Ledger
    from node.settings import Settings

LOCK_FILE = ".forward.lock"

_LOOK_AFTER_LANES_S = 0.5
_GRACE_S = 8.0
"""How long deliveries under way may take once the role is told to stop."""

_JOIN_S = 5.0


def run(settings: Settings, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Deliver what lies in the outbox until `stop`.

    Raises
    ------
    Misconfigured
        if another forwarder works on this spool, or the ledger or a certificate cannot be used
    """
    senders = [peer.commitment for peer in settings.peers if peer.commitment]
    for tls in [each.tls for each in settings.destinations.values()] + [each.tls for each in senders]:
        if tls:
            tls_context(tls)
    spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
    with _alone(spool.path), Decoder(settings.work) as decode:
        ledger = open_ledger(spool.path)
        ledger.reset_sending()
        while not spool.is_outbox_trusted() and not stop.wait(_LOOK_AFTER_LANES_S):
            pass  # the machine has started anew: the work role looks through the outbox first
        while strays := ledger.give_up_strays(settings.destinations):
            emit(Event.DELIVERY_GIVEN_UP, count=strays)
        _Lanes(settings, spool, ledger, decode, stop).run(ready)


@contextlib.contextmanager
def _alone(spool: Path) -> Iterator[None]:
    """Hold the forwarder's lock on a spool; it goes with the process, however that ends."""
    fd = os.open(spool / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Misconfigured(f"another forwarder works on the spool {spool}; stop it first") from None
    try:
        yield
    finally:
        os.close(fd)


class _Lanes:
    """The lanes to all destinations, and beside them what storage commitment needs."""

    def __init__(
        self, settings: Settings, spool: Spool, ledger: Ledger, decode: Decoder, stop: threading.Event
    ) -> None:
        self._stop = stop
        self._errors: list[BaseException] = []
        self._lanes: list[Runner] = []
        self._threads: list[threading.Thread] = []
        forward = settings.forward
        clerks = Clerks(settings, spool, ledger, stop)
        for name, clerk in clerks.runners():
            self._add(clerk, name)
        for destination in settings.destinations.values():
            channels = [Channel(destination, forward, decode) for _ in range(destination.associations)]
            reachability = Reachability(channels)
            for number, channel in enumerate(channels):
                note = clerks.note_for(destination)
                lane = Lane(channel, reachability, ledger, spool, forward, stop, note)
                self._add(lane, f"{destination.name}-{number}")

    def _add(self, runner: Runner, name: str) -> None:
        self._lanes.append(runner)
        self._threads.append(lane_thread(runner, name, self._errors.append))

    def run(self, ready: Callable[[], None]) -> None:
        """Run all lanes until `stop`; if one dies, stop and raise what killed it: the supervisor starts afresh."""
        for thread in self._threads:
            thread.start()
        ready()
        while not self._errors and not self._stop.wait(_LOOK_AFTER_LANES_S):
            pass
        self._stop.set()
        self._wind_down()
        if self._errors:
            raise self._errors[0]

    def _wind_down(self) -> None:
        """Let what is under way finish, then break it off; each lane gives its claims back."""
        deadline = time.monotonic() + _GRACE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for lane in self._lanes:
            lane.interrupt()
        deadline = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

"""The forward role: from the outbox to the archives.

Each destination has lanes, one for each association it may be given; a lane is a thread. Deliveries that fail are
tried again by `node.retry`; what an archive refuses for good becomes a case for a person (`node.status`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from typing import TYPE_CHECKING

from node.audit.outlet import audited
from node.audit.repository import Courier
from node.commitment.clerks import Clerks
from node.decoder import Decoder
from node.destinations import echoes
from node.destinations.outlet import check_outlet, open_outlet
from node.destinations.watch import Watch
from node.errors import Misconfigured, NoRoom, Transient
from node.flight import Flights, count_crashes
from node.lane import Lane, Reachability, Runner, lane_thread
from node.ledger import open_ledger
from node.log import Event, emit, emit_error
from node.spool import Spool
from node.wire import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from node.ledger import Ledger
    from node.reload import Reload
    from node.settings import Settings

LOCK_FILE = ".forward.lock"

_LOOK_AFTER_LANES_S = 0.5
_GRACE_S = 8.0
"""How long deliveries under way may take once the role is told to stop."""

_RELOAD_GRACE_S = 60.0
"""The same, once there are new settings."""

_JOIN_S = 5.0


def run(settings: Settings, stop: threading.Event, ready: Callable[[], None], reload: Reload | None = None) -> None:
    """Deliver what lies in the outbox until `stop`; with new settings, begin anew by them.

    Raises
    ------
    Misconfigured
        if another forwarder works on this spool, or the ledger or a certificate cannot be used
    """
    _check(settings)
    spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
    with _alone(spool.path):
        ledger = open_ledger(spool.path)
        flights = Flights(ledger.path.parent)
        count_crashes(flights, ledger, settings.work.attempts)
        ledger.reset_sending()
        while not spool.is_outbox_trusted() and not stop.wait(_LOOK_AFTER_LANES_S):
            pass  # the machine has started anew: the work role looks through the outbox first
        in_force: Settings | None = settings
        while in_force:
            while strays := ledger.give_up_strays(in_force.destinations):
                emit(Event.DELIVERY_GIVEN_UP, count=strays)
            with Decoder(in_force.work) as decode:
                in_force = _Lanes(in_force, spool, ledger, decode, stop, reload, flights).run(ready)
            ready = _nothing


def _check(settings: Settings) -> None:
    """Look whether the files are there that the ways out need."""
    for destination in settings.destinations.values():
        check_outlet(destination)
    for peer in settings.peers:
        if peer.commitment and peer.commitment.tls:
            tls_context(peer.commitment.tls)


def _nothing() -> None:
    """Say nothing: who was ready is so still."""


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
    """The lanes to all destinations, and beside them what storage commitment needs, for one version of the settings."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        ledger: Ledger,
        decode: Decoder,
        role_stop: threading.Event,
        reload: Reload | None,
        flights: Flights,
    ) -> None:
        flights.begin()
        self._role_stop = role_stop
        self._reload = reload
        self._ledger = ledger
        self._stop = stop = threading.Event()
        self._errors: list[BaseException] = []
        self._lanes: list[Runner] = []
        self._threads: list[threading.Thread] = []
        forward = settings.forward
        echoes.prepare(ledger)
        echoes.forget_others(ledger, settings.destinations)
        clerks = Clerks(settings, spool, ledger, stop)
        for name, clerk in clerks.runners():
            self._add(clerk, name)
        if repository := settings.audit.repository:
            self._add(Courier(settings, repository, stop), "audit")
        for destination in settings.destinations.values():
            channels = [
                audited(open_outlet(destination, forward, decode), settings) for _ in range(destination.associations)
            ]
            reachability = Reachability(channels)
            self._add(Watch(destination, channels, ledger, forward, stop), f"echo-{destination.name}")
            for number, channel in enumerate(channels):
                note = clerks.note_for(destination)
                lane = Lane(channel, reachability, ledger, spool, forward, stop, note)
                lane.flight = flights.lane()
                self._add(lane, f"{destination.name}-{number}")

    def _add(self, runner: Runner, name: str) -> None:
        self._lanes.append(runner)
        self._threads.append(lane_thread(runner, name, self._errors.append))

    def run(self, ready: Callable[[], None]) -> Settings | None:
        """Run all lanes until the role stops (None) or there are new settings.

        If a lane dies, stop and raise what killed it: the supervisor starts afresh.
        """
        for thread in self._threads:
            thread.start()
        ready()
        settings = None
        while not self._errors and not settings and not self._role_stop.wait(_LOOK_AFTER_LANES_S):
            settings = self._new_settings()
        self._stop.set()
        self._wind_down(_RELOAD_GRACE_S if settings else _GRACE_S)
        if self._errors:
            raise self._errors[0]
        return settings

    def _new_settings(self) -> Settings | None:
        try:
            return self._reload.follow(self._ledger, _check) if self._reload and self._reload.is_due else None
        except (NoRoom, Transient) as error:  # the ledger's disk is full or slow
            emit_error(Event.FAILED, error)
            return None

    def _wind_down(self, grace_s: float) -> None:
        """Let what is under way finish, then break it off; each lane gives its claims back."""
        deadline = time.monotonic() + grace_s
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() < deadline:
                thread.join(_LOOK_AFTER_LANES_S)
                if self._role_stop.is_set():  # told to stop while it changes over; and the manager hears that we live
                    deadline = min(deadline, time.monotonic() + _GRACE_S)
        for lane in self._lanes:
            lane.interrupt()
        deadline = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

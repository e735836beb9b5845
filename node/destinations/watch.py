"""Echoes one destination now and then, and when a person asks for it; a thread of the forward role for each."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from node.destinations import echoes
from node.destinations.echo import Echo, EchoResult, echo
from node.errors import NoRoom, Transient
from node.log import Event, Name, emit, emit_error

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from node.destinations.outlet import Outlet
    from node.ledger import Ledger
    from node.settings import AnyDestination, ForwardSettings

_LOOK_EVERY_S: Final = 0.5
_MOST_PATIENCE_S: Final = 10.0


class Watch:
    """Asks until told to stop.

    Parameters
    ----------
    outlets
        of the lanes to the same destination: while one of them has a connection, that is sign enough, and an archive
        that serves one association at a time is left alone
    """

    def __init__(
        self,
        destination: AnyDestination,
        outlets: Sequence[Outlet],
        ledger: Ledger,
        forward: ForwardSettings,
        stop: threading.Event,
    ) -> None:
        self._destination = destination
        self._outlets = outlets
        self._ledger = ledger
        self._every_s = forward.echo_every_s
        self._patience = replace(
            forward,
            connect_timeout_s=min(forward.connect_timeout_s, _MOST_PATIENCE_S),
            dimse_timeout_s=min(forward.dimse_timeout_s, _MOST_PATIENCE_S),
        )
        self._stop = stop
        self._due_s = 0.0
        self._was_well: bool | None = None

    def run(self) -> None:
        """Ask until the role stops."""
        try:
            echoes.prepare(self._ledger)
            while not self._stop.is_set():
                try:
                    self._step()
                except (NoRoom, Transient) as error:  # the ledger's disk is full or slow
                    emit_error(Event.FAILED, error, destination=Name(self._destination.name))
                self._stop.wait(_LOOK_EVERY_S)
        finally:
            self._ledger.close()

    def interrupt(self) -> None:
        """Nothing: an echo has little patience, and nobody waits for it."""

    def _step(self) -> None:
        is_asked_for = self._ledger.changed() and echoes.is_asked_for(self._ledger, self._destination.name)
        is_due = self._every_s > 0 and time.monotonic() >= self._due_s
        if is_asked_for or is_due:
            self._due_s = time.monotonic() + self._every_s
            self._note(self._asked(even_if_in_use=is_asked_for))

    def _asked(self, *, even_if_in_use: bool) -> Echo:
        if not even_if_in_use and any(each.is_open for each in self._outlets):
            return Echo(self._destination.name, time.time(), EchoResult.IN_USE)
        found = echo(self._destination, self._patience)
        if not found.is_well and any(each.is_open for each in self._outlets):
            return replace(found, result=EchoResult.IN_USE, detail="")
        return found

    def _note(self, found: Echo) -> None:
        echoes.note(self._ledger, found)
        if found.is_well != self._was_well:
            event = Event.ECHO_WELL if found.is_well else Event.ECHO_FAILED
            emit(event, destination=Name(self._destination.name), result=found.result)
        self._was_well = found.is_well

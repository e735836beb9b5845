"""The receive role: from the front door to the spool (or, for `delivery = "direct"`, to the archive)."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NoReturn

import pydicom.config

from node.acceptance import (
    CALLED_AE_NOT_RECOGNIZED,
    CALLING_AE_NOT_RECOGNIZED,
    LOCAL_LIMIT_EXCEEDED,
    Acceptance,
    Acceptor,
    Rejection,
    Request,
    Roles,
    basic_rejection,
    read_request,
)
from node.association import Association, End
from node.commitment.scp import Desk, Visitor, open_office, reporting_destinations
from node.dimse import ProtocolError, a_abort
from node.errors import Transient
from node.frontdoor import Caller, FrontDoor
from node.guard import Line, Patience, close
from node.log import Event, Name, emit
from node.peers import Peers
from node.settings import Settings
from node.sinks import Sinks
from node.store import Arrival, Permission, Store

STOP_S = 5.0
"""How long the instances under way may take once the role is told to stop."""

_LAST_S = 1.0  # for what is left then: to remove its part file and say A-ABORT

_INVALID_PARAMETER = a_abort(source=2, reason=6)

_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # PS3.5 Table 6.2-1; a file's meta header has to keep it

_ENDS: Mapping[End, Event] = {
    End.RELEASED: Event.ASSOCIATION_RELEASED,
    End.ABORTED: Event.ASSOCIATION_ABORTED,
    End.STOPPED: Event.ASSOCIATION_ABORTED,
    End.FAILED: Event.ASSOCIATION_ABORTED,
    End.LOST: Event.CONNECTION_LOST,
    End.TIMED_OUT: Event.DEADLINE_MISSED,
    End.PROTOCOL_ERROR: Event.PROTOCOL_ERROR,
}


def run(settings: Settings, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Receive until `stop` is set.

    Parameters
    ----------
    ready
        called once the port is listened on

    Raises
    ------
    Misconfigured
        if the node cannot listen where it should, or the spool cannot be used
    """
    receiver = Receiver(settings)
    watcher = threading.Thread(target=_stop_when, args=(stop, receiver), name="stop", daemon=True)
    watcher.start()
    emit(Event.LISTENING, port=receiver.port)
    ready()
    # pydicom would warn of each UID that is none, with its text, and Python remembers every text that was warned of.
    reading = pydicom.config.settings
    before, reading.reading_validation_mode = reading.reading_validation_mode, pydicom.config.IGNORE
    try:
        receiver.run()
    finally:
        reading.reading_validation_mode = before
        stop.set()
        watcher.join()


def _stop_when(stop: threading.Event, receiver: Receiver) -> None:
    stop.wait()
    receiver.stop()


class Receiver:
    """The front door and the associations behind it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._peers = Peers.from_settings(settings.peers)
        self._patience = Patience.from_settings(settings.receive)
        self._office = open_office(settings)
        self._sinks = Sinks(settings, self._office.originals if self._office else None)
        self._acceptor = Acceptor(settings.ae_title, settings.receive.max_pdu_bytes)
        self._permissions = {project.name: Permission.from_project(project) for project in settings.projects}
        self._lock = threading.Lock()
        self._live: dict[threading.Thread, str] = {}
        self._associations: set[Association] = set()
        self._stopping = False
        self._door = FrontDoor(settings.receive, self._peers.admits_address, self._enter)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._door.port

    def run(self) -> None:
        """Receive until `stop`; then let the instances under way finish, for `STOP_S` at most."""
        self._door.run()
        self._stopping = True
        self._end_associations(STOP_S, at_once=False)
        self._end_associations(_LAST_S, at_once=True)
        self._sinks.close()

    def _end_associations(self, within_s: float, *, at_once: bool) -> None:
        with self._lock:
            threads = list(self._live)
            associations = list(self._associations)
        for association in associations:
            association.stop(at_once=at_once)
        deadline = time.monotonic() + within_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Make `run` return; may be called from any thread."""
        self._door.stop()

    def _enter(self, caller: Caller) -> bool:
        """Give a caller a thread, if there is room for one more."""
        limits = self._settings.receive
        thread = threading.Thread(target=self._host, args=(caller,), name="association", daemon=True)
        with self._lock:
            here = Counter(self._live.values())[caller.address]
            if len(self._live) >= limits.max_associations or here >= limits.max_associations_per_address:
                _say_rejected(LOCAL_LIMIT_EXCEEDED, caller)
                return False
            self._live[thread] = caller.address
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            self._leave(thread)
            return False
        return True

    def _leave(self, thread: threading.Thread) -> None:
        with self._lock:
            self._live.pop(thread, None)

    def _host(self, caller: Caller) -> None:
        """Do everything for one caller, in its own thread."""
        try:
            self._associate(Line(caller.sock, self._patience), caller)
        except (Transient, OSError):
            emit(Event.CONNECTION_LOST, address=ip_address(caller.address))
        finally:
            close(caller.sock)
            self._sinks.leave_thread()
            if self._office is not None:
                self._office.leave_thread()
            self._leave(threading.current_thread())

    def _associate(self, line: Line, caller: Caller) -> None:
        try:
            request = read_request(caller.request)
            admitted = admit(self._settings, self._peers, request, caller.address)
            acceptance = None if isinstance(admitted, Rejection) else self._accepted(request, admitted)
        except ProtocolError:
            line.send(_INVALID_PARAMETER)
            line.close_after_farewell()
            emit(Event.PROTOCOL_ERROR, address=ip_address(caller.address))
            return
        if isinstance(admitted, Rejection):
            line.send(admitted.pdu())
            line.close_after_farewell()
            _say_rejected(admitted, caller)
        elif acceptance is not None:
            line.send(acceptance.pdu)
            self._serve(line, acceptance, admitted)

    def _accepted(self, request: Request, visitor: Visitor) -> Acceptance:
        roles = Roles(scp=visitor.asks, scu=bool(visitor.destinations))
        return self._acceptor.accept(request, roles, stores=visitor.project is not None)

    def _serve(self, line: Line, acceptance: Acceptance, visitor: Visitor) -> None:
        """Answer messages to the end of the association."""
        facts = {
            "project": Name(visitor.project.name if visitor.project else ""),
            "address": ip_address(visitor.address),
        }
        emit(Event.ASSOCIATION_ACCEPTED, contexts=len(acceptance.contexts), proposed=acceptance.proposed, **facts)
        store = self._store_for(visitor)
        desk = Desk(self._office, visitor) if self._office else None
        association = Association(line, acceptance.contexts, acceptance.max_pdu_bytes, store, desk)
        with self._lock:
            self._associations.add(association)
        if self._stopping:
            association.stop()
        end = End.FAILED
        try:
            end = association.serve()
        finally:
            with self._lock:
                self._associations.discard(association)
            emit(_ENDS[end], end=end, stored=store.stored, refused=store.refused, **facts)

    def _store_for(self, visitor: Visitor) -> Store:
        most_bytes = self._settings.receive.max_instance_bytes
        if visitor.project is None:
            return Store(most_bytes, _no_sink, frozenset())
        open_sink = self._sinks.opener(visitor.project.name, visitor.calling_ae, visitor.called_ae)
        return Store(most_bytes, open_sink, self._permissions[visitor.project.name].classes_for(visitor.calling_ae))


def _no_sink(_arrival: Arrival) -> NoReturn:
    raise Transient("who calls no project may store nothing")


def admit(settings: Settings, peers: Peers, request: Request, address: str) -> Visitor | Rejection:
    """Return who calls, and which project, or why this caller may not associate (PS3.8 Table 9-21).

    An archive that reports on storage commitment may call the node by the AE title under which it was asked, whether
    that is a project's or not.
    """
    if rejection := basic_rejection(request):
        return rejection
    if _AE_TITLE.fullmatch(request.calling_ae) is None or not peers.admits(request.calling_ae, address):
        return CALLING_AE_NOT_RECOGNIZED
    project = settings.project_for(request.called_ae)
    destinations = reporting_destinations(settings, request.calling_ae, request.called_ae)
    if project is None and not destinations:
        return CALLED_AE_NOT_RECOGNIZED
    return Visitor(request.calling_ae, request.called_ae, address, project, destinations)


def _say_rejected(rejection: Rejection, caller: Caller) -> None:
    facts = {"result": rejection.result, "source": rejection.source, "reason": rejection.reason}
    emit(Event.ASSOCIATION_REJECTED, address=ip_address(caller.address), **facts)

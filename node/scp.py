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
    TEMPORARY_CONGESTION,
    USER_NOT_ACCEPTED,
    Acceptance,
    Rejection,
    Request,
    Roles,
    basic_rejection,
    proposed_contexts,
    read_request,
)
from node.access.certificate import Certificate
from node.access.limits import Allowance, Exceeded, Limit
from node.access.user_identity import Passcodes
from node.association import Association, End
from node.commitment.scp import Desk, Visitor, reporting_destinations
from node.contexts import STORAGE_SOP_CLASSES
from node.dimse import ProtocolError, a_abort
from node.errors import NoRoom, Transient
from node.frontdoor import Caller, FrontDoor
from node.guard import Line, close
from node.ledger import Ledger, open_ledger
from node.log import Event, Name, emit, emit_error
from node.memory import settle
from node.peers import Peers
from node.reload import Reload
from node.settings import Settings
from node.store import Arrival, Store
from node.terms import Terms

STOP_S = 5.0
"""How long the instances under way may take once the role is told to stop."""

_LOOK_FOR_SETTINGS_S = 0.25

_LAST_S = 1.0  # for what is left then: to remove its part file and say A-ABORT

_INVALID_PARAMETER = a_abort(source=2, reason=6)

_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # PS3.5 Table 6.2-1; a file's meta header has to keep it

_OVER_LIMIT: Mapping[Limit, Rejection] = {
    Limit.ASSOCIATIONS: LOCAL_LIMIT_EXCEEDED,
    Limit.INSTANCES: TEMPORARY_CONGESTION,
    Limit.BYTES: TEMPORARY_CONGESTION,
}

_ENDS: Mapping[End, Event] = {
    End.RELEASED: Event.ASSOCIATION_RELEASED,
    End.ABORTED: Event.ASSOCIATION_ABORTED,
    End.STOPPED: Event.ASSOCIATION_ABORTED,
    End.FAILED: Event.ASSOCIATION_ABORTED,
    End.LOST: Event.CONNECTION_LOST,
    End.TIMED_OUT: Event.DEADLINE_MISSED,
    End.PROTOCOL_ERROR: Event.PROTOCOL_ERROR,
}


def run(settings: Settings, stop: threading.Event, ready: Callable[[], None], reload: Reload | None = None) -> None:
    """Receive until `stop` is set; who associates after there are new settings is served by them.

    Parameters
    ----------
    ready
        called once the port is listened on
    reload
        asked for new settings

    Raises
    ------
    Misconfigured
        if the node cannot listen where it should, or the spool cannot be used
    """
    receiver = Receiver(settings)
    watcher = threading.Thread(target=_attend, args=(stop, receiver, reload), name="stop", daemon=True)
    watcher.start()
    emit(Event.LISTENING, port=receiver.port)
    ready()
    # pydicom would warn of each UID that is none, with its text, and Python remembers every text that was warned of.
    reading = pydicom.config.settings
    before, reading.reading_validation_mode = reading.reading_validation_mode, pydicom.config.IGNORE
    settle()
    try:
        receiver.run()
    finally:
        reading.reading_validation_mode = before
        stop.set()
        watcher.join()


def _attend(stop: threading.Event, receiver: Receiver, reload: Reload | None) -> None:
    while not stop.wait(_LOOK_FOR_SETTINGS_S if reload else None):
        if reload and reload.is_due:
            receiver.look_for_settings(reload)
    receiver.stop()


class Receiver:
    """The front door and the associations behind it."""

    def __init__(self, settings: Settings) -> None:
        self._terms = self._next_terms = Terms(settings)
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()
        self._live: dict[threading.Thread, str] = {}
        self._associations: set[Association] = set()
        self._stopping = False
        self._door = FrontDoor(settings.receive, self._admits_address, self._enter)

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
        self._terms.sinks.close()

    def _end_associations(self, within_s: float, *, at_once: bool) -> None:
        with self._lock:
            threads = list(self._live)
            associations = list(self._associations)
        for association in associations:
            association.stop(at_once=at_once)
        deadline = time.monotonic() + within_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def look_for_settings(self, reload: Reload) -> None:
        """Serve whoever associates from now on by new settings, if there are some; others end as they began."""
        try:
            self._ledger = self._ledger or open_ledger(self._terms.settings.spool.path)
            settings = reload.follow(self._ledger, self._prepare)
        except (NoRoom, Transient) as error:  # the ledger's disk is full or slow
            emit_error(Event.FAILED, error)
            return
        if settings is not None:
            with self._lock:
                old, self._terms = self._terms, self._next_terms
            self._door.renew(settings.receive)
            old.release()

    def _prepare(self, settings: Settings) -> None:
        self._next_terms = Terms(settings)

    def _admits_address(self, address: str) -> bool:
        return self._terms.peers.admits_address(address)

    def stop(self) -> None:
        """Make `run` return; may be called from any thread."""
        self._door.stop()

    def _enter(self, caller: Caller) -> bool:
        """Give a caller a thread, if there is room for one more."""
        limits = self._terms.settings.receive
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
        with self._lock:
            terms = self._terms.hold()
        try:
            self._associate(Line(caller.sock, terms.patience), caller, terms)
        except (Transient, OSError):
            emit(Event.CONNECTION_LOST, address=ip_address(caller.address))
        finally:
            close(caller.sock)
            terms.leave_thread()
            terms.release()
            self._leave(threading.current_thread())

    def _associate(self, line: Line, caller: Caller, terms: Terms) -> None:
        try:
            request = read_request(caller.request)
            shown = caller.certificate
            admitted = admit(terms.settings, terms.peers, request, caller.address, shown, terms.passcodes)
            if isinstance(admitted, Visitor) and _comes_too_late(request, admitted, terms):
                admitted = TEMPORARY_CONGESTION
            acceptance = None if isinstance(admitted, Rejection) else _accepted(request, admitted, terms)
        except ProtocolError:
            line.send(_INVALID_PARAMETER)
            line.close_after_farewell()
            emit(Event.PROTOCOL_ERROR, address=ip_address(caller.address))
            return
        if isinstance(admitted, Rejection):
            _reject(admitted, line, caller)
        elif acceptance is not None:
            self._serve_within_limits(line, acceptance, admitted, caller, terms)

    def _serve_within_limits(
        self, line: Line, acceptance: Acceptance, visitor: Visitor, caller: Caller, terms: Terms
    ) -> None:
        """Accept, if the peer has not as many associations as it may, or done as much as it may for now."""
        allowance = terms.allowances.of(visitor.peer)
        try:
            allowance.enter()
        except Exceeded as exceeded:
            _reject(_OVER_LIMIT[exceeded.limit], line, caller)
            return
        try:
            line.send(acceptance.pdu)
            self._serve(line, acceptance, visitor, allowance, terms)
        finally:
            allowance.leave()

    def _serve(self, line: Line, acceptance: Acceptance, visitor: Visitor, allowance: Allowance, terms: Terms) -> None:
        """Answer messages to the end of the association."""
        facts = {
            "project": Name(visitor.project.name if visitor.project else ""),
            "address": ip_address(visitor.address),
            "peer": Name(visitor.listed_ae),
        }
        emit(Event.ASSOCIATION_ACCEPTED, contexts=len(acceptance.contexts), proposed=acceptance.proposed, **facts)
        store = _store_for(visitor, allowance, terms)
        desk = Desk(terms.office, visitor) if terms.office else None
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


def _comes_too_late(request: Request, visitor: Visitor, terms: Terms) -> bool:
    """Say whether somebody wants to store something while there is room for hardly more than what is under way.

    Who asks for a sign of life, or reports on commitment (which makes room), is let in.
    """
    if visitor.project is None or not terms.sinks.is_short_of_room(visitor.project.name):
        return False
    return any(str(each.abstract_syntax) in STORAGE_SOP_CLASSES for each in proposed_contexts(request.context_items))


def _accepted(request: Request, visitor: Visitor, terms: Terms) -> Acceptance:
    roles = Roles(scp=visitor.asks, scu=bool(visitor.destinations))
    asked_who = visitor.peer is not None and bool(visitor.peer.users)
    return terms.acceptor.accept(request, roles, stores=visitor.project is not None, confirms_user=asked_who)


def _store_for(visitor: Visitor, allowance: Allowance, terms: Terms) -> Store:
    most_bytes = terms.settings.receive.max_instance_bytes
    if visitor.project is None:
        return Store(most_bytes, _no_sink, frozenset())
    open_sink = terms.sinks.opener(visitor.project.name, visitor.calling_ae, visitor.called_ae)
    classes = terms.permissions[visitor.project.name].classes_for(visitor.calling_ae)
    return Store(most_bytes, open_sink, classes, allowance)


def _no_sink(_arrival: Arrival) -> NoReturn:
    raise Transient("who calls no project may store nothing")


def admit(
    settings: Settings,
    peers: Peers,
    request: Request,
    address: str,
    certificate: Certificate | None = None,
    passcodes: Passcodes | None = None,
) -> Visitor | Rejection:
    """Return who calls, and which project, or why this caller may not associate (PS3.8 Table 9-21).

    An archive that reports on storage commitment may call the node by the AE title under which it was asked, whether
    that is a project's or not.
    """
    if rejection := basic_rejection(request):
        return rejection
    peer = peers.match(request.calling_ae, address, certificate)
    if _AE_TITLE.fullmatch(request.calling_ae) is None or peer is None:
        return CALLING_AE_NOT_RECOGNIZED
    project = settings.project_for(request.called_ae)
    destinations = reporting_destinations(settings, request.calling_ae, request.called_ae)
    if project is None and not destinations:
        return CALLED_AE_NOT_RECOGNIZED
    if peer.users and not (passcodes and passcodes.accepts(request.user_identity, peer.users)):
        return USER_NOT_ACCEPTED
    return Visitor(request.calling_ae, request.called_ae, address, project, destinations, peer)


def _reject(rejection: Rejection, line: Line, caller: Caller) -> None:
    line.send(rejection.pdu())
    line.close_after_farewell()
    _say_rejected(rejection, caller)


def _say_rejected(rejection: Rejection, caller: Caller) -> None:
    facts = {"result": rejection.result, "source": rejection.source, "reason": rejection.reason}
    emit(Event.ASSOCIATION_REJECTED, address=ip_address(caller.address), **facts)

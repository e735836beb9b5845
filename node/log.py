"""What the node says: JSON lines on standard error, in a closed vocabulary.

The only module that knows `logging` and `structlog`. A fact is a number, a member of an enumeration, a name out of the
configuration, a job id or an address: text that comes from an instance or from a library cannot get in, neither by a
mistake of ours (its type is refused) nor by a library that logs, warns or raises with values in its message.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
import traceback
import warnings
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

import structlog

from node.jobs import JobId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from node.settings import LogSettings

Level: TypeAlias = Literal["debug", "info", "warning", "error"]


class Name(str):
    """A name out of the configuration or the program (project, destination, role, type of an error): never a value."""

    __slots__ = ()


Fact: TypeAlias = "int | float | bool | StrEnum | Name | JobId | IPv4Address | IPv6Address | None"

Facts: TypeAlias = "Mapping[str, object]"
"""Facts as they are said: plain values."""


class Event(StrEnum):
    """All that the node ever says."""

    # every role
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CRASHED = "crashed"
    FAILED = "failed"
    MISCONFIGURED = "misconfigured"
    SETTINGS_RELOADED = "settings-reloaded"
    SETTINGS_REJECTED = "settings-rejected"
    SETTINGS_AWAITED = "settings-awaited"
    SETTINGS_NEED_RESTART = "settings-need-restart"
    LIBRARY_WARNING = "library-warning"
    # supervisor
    CHILD_STARTED = "child-started"
    CHILD_READY = "child-ready"
    CHILD_ENDED = "child-ended"
    CHILD_KILLED = "child-killed"
    CHILD_RESTARTING = "child-restarting"
    # receive
    LISTENING = "listening"
    CONNECTION_REFUSED = "connection-refused"
    CONNECTION_DROPPED = "connection-dropped"
    CONNECTION_LOST = "connection-lost"
    TLS_FAILED = "tls-failed"
    FILES_RELOADED = "files-reloaded"
    FILES_REJECTED = "files-rejected"
    PEER_LIMITED = "peer-limited"
    ASSOCIATION_ACCEPTED = "association-accepted"
    ASSOCIATION_REJECTED = "association-rejected"
    ASSOCIATION_RELEASED = "association-released"
    ASSOCIATION_ABORTED = "association-aborted"
    PDU_TOO_LONG = "pdu-too-long"
    DEADLINE_MISSED = "deadline-missed"
    PROTOCOL_ERROR = "protocol-error"
    ECHO_ANSWERED = "echo-answered"
    INSTANCE_RECEIVED = "instance-received"
    INSTANCE_REJECTED = "instance-rejected"
    INSTANCE_RELAYED = "instance-relayed"
    NO_ROOM = "no-room"
    # work
    INSTANCE_CLEANED = "instance-cleaned"
    INSTANCE_QUARANTINED = "instance-quarantined"
    ATTEMPT_FAILED = "attempt-failed"
    WORKER_DIED = "worker-died"
    WORKER_TIMED_OUT = "worker-timed-out"
    WORK_PAUSED = "work-paused"
    PROTECTION_MISSING = "protection-missing"
    RECONCILED = "reconciled"
    INSTANCE_HELD = "instance-held"
    INSTANCE_RESENT = "instance-resent"
    HELD_RELEASED = "held-released"
    INSTANCE_GATHERED = "instance-gathered"
    SERIES_PLANNED = "series-planned"
    SERIES_REFUSED = "series-refused"
    PLANS_REMOVED = "plans-removed"
    DECISION_APPLIED = "decision-applied"
    DECISION_REJECTED = "decision-rejected"
    CROSSWALK_LOADED = "crosswalk-loaded"
    CROSSWALK_REJECTED = "crosswalk-rejected"
    FILES_REMOVED = "files-removed"
    OUTBOX_DISTRUSTED = "outbox-distrusted"
    PARTS_SWEPT = "parts-swept"
    JOBS_FORGOTTEN = "jobs-forgotten"
    # forward
    ASSOCIATION_OPENED = "association-opened"
    ASSOCIATION_FAILED = "association-failed"
    ASSOCIATION_CLOSED = "association-closed"
    CONNECTION_OPENED = "connection-opened"
    CONNECTION_CLOSED = "connection-closed"
    HTTP_REFUSED = "http-refused"
    ECHO_WELL = "echo-well"
    ECHO_FAILED = "echo-failed"
    INSTANCE_DELIVERED = "instance-delivered"
    INSTANCE_TRANSCODED = "instance-transcoded"
    DELIVERY_FAILED = "delivery-failed"
    DELIVERY_GIVEN_UP = "delivery-given-up"
    DESTINATION_AWAY = "destination-away"
    DESTINATION_BACK = "destination-back"
    # storage commitment: receive and forward
    COMMITMENT_ASKED = "commitment-asked"
    COMMITMENT_REPORTED = "commitment-reported"
    COMMITMENT_REPORT_UNKNOWN = "commitment-report-unknown"
    COMMITMENT_REQUESTED = "commitment-requested"
    COMMITMENT_REFUSED = "commitment-refused"
    COMMITMENT_ANSWERED = "commitment-answered"
    COMMITMENT_FAILED = "commitment-failed"
    COMMITMENT_GIVEN_UP = "commitment-given-up"
    # the audit trail
    AUDIT_FAILED = "audit-failed"
    REPOSITORY_AWAY = "repository-away"
    REPOSITORY_BACK = "repository-back"
    AUDIT_DROPPED = "audit-dropped"


_SEVERITIES: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# What is not here is "info". "debug" is what happens for each instance or echo of a good day.
_LEVELS: Mapping[Event, Level] = {
    Event.ECHO_ANSWERED: "debug",
    Event.INSTANCE_RECEIVED: "debug",
    Event.INSTANCE_RELAYED: "debug",
    Event.INSTANCE_CLEANED: "debug",
    Event.INSTANCE_GATHERED: "debug",
    Event.INSTANCE_DELIVERED: "debug",
    Event.INSTANCE_TRANSCODED: "debug",
    Event.FILES_REMOVED: "debug",
    Event.CRASHED: "error",
    Event.CROSSWALK_REJECTED: "error",
    Event.FILES_REJECTED: "error",
    Event.FAILED: "error",
    Event.MISCONFIGURED: "error",
    Event.SETTINGS_REJECTED: "error",
    Event.SETTINGS_AWAITED: "warning",
    Event.SETTINGS_NEED_RESTART: "warning",
    Event.DELIVERY_GIVEN_UP: "error",
    Event.COMMITMENT_GIVEN_UP: "error",
    Event.COMMITMENT_FAILED: "warning",
    Event.COMMITMENT_REFUSED: "warning",
    Event.COMMITMENT_REPORT_UNKNOWN: "warning",
    Event.LIBRARY_WARNING: "warning",
    Event.CHILD_ENDED: "warning",
    Event.CHILD_KILLED: "warning",
    Event.CONNECTION_REFUSED: "warning",
    Event.CONNECTION_DROPPED: "warning",
    Event.TLS_FAILED: "warning",
    Event.PEER_LIMITED: "warning",
    Event.ASSOCIATION_REJECTED: "warning",
    Event.PDU_TOO_LONG: "warning",
    Event.DEADLINE_MISSED: "warning",
    Event.PROTOCOL_ERROR: "warning",
    Event.INSTANCE_REJECTED: "warning",
    Event.NO_ROOM: "warning",
    Event.INSTANCE_QUARANTINED: "warning",
    Event.SERIES_REFUSED: "warning",
    Event.ATTEMPT_FAILED: "warning",
    Event.WORKER_DIED: "warning",
    Event.WORKER_TIMED_OUT: "warning",
    Event.WORK_PAUSED: "warning",
    Event.PROTECTION_MISSING: "warning",
    Event.ASSOCIATION_FAILED: "warning",
    Event.HTTP_REFUSED: "warning",
    Event.ECHO_FAILED: "warning",
    Event.DELIVERY_FAILED: "warning",
    Event.DESTINATION_AWAY: "warning",
    Event.AUDIT_FAILED: "error",
    Event.REPOSITORY_AWAY: "warning",
    Event.AUDIT_DROPPED: "error",
}

_ROOT = Path(__file__).resolve().parents[1]
_OURS = tuple(f"{_ROOT / package}{os.sep}" for package in ("node", "deid"))

_SILENT = logging.CRITICAL + 10
_LIBRARIES = ("pydicom", "pynetdicom", "py.warnings")


class _Log:
    """Where lines go, and from which level on; the one piece of state of this process's log."""

    def __init__(self) -> None:
        self.severity = _SEVERITIES["info"]
        self.logger: structlog.typing.FilteringBoundLogger | None = None
        self.warnings = itertools.count(1)
        self.observer: Callable[[Event, Facts], None] | None = None


_log = _Log()


def configure(settings: LogSettings, role: StrEnum | Name, stream: TextIO | None = None) -> None:
    """Say from here on what `settings` asks for, as `role`, to `stream` (standard error); silence all libraries."""
    _log.severity = _SEVERITIES[settings.level]
    _log.logger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.BoundLogger,
    ).bind(role=str(role), pid=os.getpid())
    silence_libraries()


def set_level(settings: LogSettings) -> None:
    """Say from here on what `settings` asks for, if anything is said at all."""
    _log.severity = _SEVERITIES[settings.level]


def silence_libraries() -> None:
    """Let no value out: loggers are shut, warnings are counted, of uncaught errors only type and place are said."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    logging.disable(logging.CRITICAL)
    logging.lastResort = None
    logging.raiseExceptions = False
    for library in _LIBRARIES:
        logger = logging.getLogger(library)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(_SILENT)
    warnings.showwarning = _count_warning


def emit(event: Event, **facts: Fact) -> None:
    """Say one thing.

    Raises
    ------
    TypeError
        if a fact could carry a value of an instance: it is a text, but no `Name`, `JobId` or member of a StrEnum
    """
    level = _LEVELS.get(event, "info")
    plain = {key: _plain(key, fact) for key, fact in facts.items()}
    if _log.observer is not None:
        _log.observer(event, plain)
    if _log.logger is None or _SEVERITIES[level] < _log.severity:
        return
    _log.logger.msg(event.value, level=level, **plain)


def observe(observer: Callable[[Event, Facts], None] | None) -> None:
    """Tell one other, whatever the level, all that is said from here on: the audit trail; None: nobody any more."""
    _log.observer = observer


def emit_error(event: Event, error: BaseException, **facts: Fact) -> None:
    """Say that an error happened: its type and where it was raised, never its message."""
    emit(event, error=Name(type(error).__name__), where=where(error.__traceback__), **facts)


def where(trace: TracebackType | None) -> Name:
    """Give the innermost line of our own code in a traceback (else the innermost at all) as ``folder/file.py:line``."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    ours = [(file, line) for file, line in frames if file.startswith(_OURS)]
    if not frames:
        return Name("unknown")
    file, line = (ours or frames)[-1]
    return Name(f"{'/'.join(Path(file).parts[-2:])}:{line}")


def _plain(key: str, fact: object) -> object:
    if fact is None or isinstance(fact, int | float):
        return fact
    if isinstance(fact, StrEnum):
        return fact.value
    if isinstance(fact, Name | JobId | IPv4Address | IPv6Address):
        return str(fact)
    raise TypeError(f"the fact {key!r} is a {type(fact).__name__}: it could carry a value of an instance")


def _count_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Count a warning; say so at the 1st, 2nd, 4th, 8th …, so that a bad day does not fill the log."""
    del message
    count = next(_log.warnings)
    if count & (count - 1) == 0:
        emit(Event.LIBRARY_WARNING, category=Name(category.__name__), count=count)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _say_crash(kind, error.__traceback__ or trace)


def _uncaught_in_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_type is not SystemExit:
        _say_crash(caught.exc_type, caught.exc_traceback)


def _unraisable(caught: sys.UnraisableHookArgs) -> None:
    _say_crash(caught.exc_type, caught.exc_traceback)


def _say_crash(kind: type[BaseException], trace: TracebackType | None) -> None:
    emit(Event.CRASHED, error=Name(kind.__name__), where=where(trace))

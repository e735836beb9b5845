"""Where instances go: the spool, or straight to the archives for a project with `delivery = "direct"`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from deid.elements.file_meta import part10_header
from node.commitment.originals import Note, Originals
from node.errors import NoRoom
from node.jobs import JobId, new_job_id
from node.ledger import Ledger, open_ledger
from node.log import Event, emit
from node.settings import DeliveryMode, Project, Settings
from node.spool import Spool
from node.status import Status
from node.store import Arrival, Sink

_COPIES_IN_MEMORY = 4  # of an instance in the worker that cleans it


class Sinks:
    """Opens the sink of each instance by the project it is for; the spool is not touched where all are direct.

    Parameters
    ----------
    originals
        notes which instance of its sender each is, for storage commitment; None where nobody commits

    Raises
    ------
    Misconfigured
        if the ledger cannot be used
    """

    def __init__(self, settings: Settings, originals: Originals | None = None) -> None:
        self._originals = originals
        self._spool: Spool | None = None
        self._ledger: Ledger | None = None
        self._relays: list[Relay] = []
        self._open: dict[str, Callable[[Arrival, str, str], Sink]] = {}
        if any(project.delivery is DeliveryMode.SPOOLED for project in settings.projects):
            self._spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
            # a note is made in the commit of the job's row: it takes the same connection
            self._ledger = originals.ledger if originals else open_ledger(settings.spool.path)
            self._sweep(self._spool)
        self._spooled = {each.name for each in settings.projects if each.delivery is DeliveryMode.SPOOLED}
        for project in settings.projects:
            self._open[project.name] = self._opener(settings, project)

    def opener(self, project: str, calling_ae: str, called_ae: str) -> Callable[[Arrival], Sink]:
        """Return what opens a sink for each instance of one association."""
        open_sink = self._open[project]
        return lambda arrival: open_sink(arrival, calling_ae, called_ae)

    def is_short_of_room(self, project: str) -> bool:
        """Say whether the spool has room for hardly more than what is under way; direct projects need none."""
        return self._spool is not None and project in self._spooled and self._spool.is_short_of_room()

    def close(self) -> None:
        """End what stands behind direct projects; no sink is opened any more."""
        for relay in self._relays:
            relay.close()
        self.leave_thread()

    def leave_thread(self) -> None:
        """Close what belongs to the calling thread, which is about to end: its connection to the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def _opener(self, settings: Settings, project: Project) -> Callable[[Arrival, str, str], Sink]:
        if self._spool is not None and self._ledger is not None and project.delivery is DeliveryMode.SPOOLED:
            note = None if self._originals is None else self._originals.note_for(project.name)
            return partial(_spool_sink, self._spool, self._ledger, project.name, note)
        relay = _direct_relay(settings, project)
        self._relays.append(relay)
        max_bytes = settings.work.memory_limit_bytes // _COPIES_IN_MEMORY
        return partial(_relay_sink, relay, max_bytes)

    @staticmethod
    def _sweep(spool: Spool) -> None:
        """Remove what a receiver that died had begun to write: no sender was told that it was stored."""
        parts = spool.sweep_parts()
        if parts:
            emit(Event.PARTS_SWEPT, parts=parts)


class Relay(Protocol):
    """Cleans and forwards one instance while its sender waits (`node.direct`)."""

    def relay(self, data: bytes | bytearray, transfer_syntax: str, /) -> int:
        """Return the status for the sender."""

    def close(self) -> None:
        """End what it runs, and release its associations."""


class SpoolSink:
    """An instance on its way into the spool: what `keep` has returned from survives a power cut.

    Parameters
    ----------
    note
        a note on the job beside its row in the ledger, None if there is none to make

    Raises
    ------
    NoRoom
        while the file system has less room than is to be kept free
    """

    def __init__(
        self, spool: Spool, ledger: Ledger, project: str, header: bytes, note: Callable[[JobId], None] | None = None
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._project = project
        self._note = note
        self._job_id = new_job_id()
        self._file = spool.open_incoming(self._job_id)
        self._file.write(header)

    def write(self, piece: memoryview) -> None:
        """Append to the part file."""
        self._file.write(piece)

    def keep(self) -> int:
        """Make the file durable, then tell the ledger."""
        size_bytes = self._file.commit()
        if self._note is None:
            self._ledger.received(self._job_id, self._project, size_bytes)
        else:
            with self._ledger.batch():
                self._ledger.received(self._job_id, self._project, size_bytes)
                self._note(self._job_id)
        emit(Event.INSTANCE_RECEIVED, job=self._job_id, size_bytes=size_bytes)
        return Status.SUCCESS

    def discard(self) -> None:
        """Remove the part file; the file itself, if it was there already when the disk or the ledger failed."""
        self._file.discard()
        self._spool.discard_incoming(self._job_id)


class RelaySink:
    """An instance that never touches a disk: held in memory until every destination has answered.

    Parameters
    ----------
    max_bytes
        the most to hold; `write` raises NoRoom beyond it
    """

    def __init__(self, relay: Relay, transfer_syntax: str, max_bytes: int) -> None:
        self._relay = relay
        self._max_bytes = max_bytes
        self._transfer_syntax = transfer_syntax
        self._data = bytearray()

    def write(self, piece: memoryview) -> None:
        """Append to what is held."""
        if len(self._data) + len(piece) > self._max_bytes:
            raise NoRoom("an instance is too long to be held in memory")
        self._data += piece

    def keep(self) -> int:
        """Clean and forward the instance; return what the destinations' answers come to."""
        return self._relay.relay(self._data, self._transfer_syntax)

    def discard(self) -> None:
        """Forget what is held."""
        self._data = bytearray()


def _spool_sink(
    spool: Spool, ledger: Ledger, project: str, note: Note | None, arrival: Arrival, calling_ae: str, called_ae: str
) -> Sink:
    # The meta header keeps who sent it to whom, so that nothing needed to process the file lives in the ledger alone.
    header = part10_header(
        arrival.class_uid,
        arrival.instance_uid,
        arrival.transfer_syntax,
        source_ae=calling_ae,
        receiving_ae=called_ae,
    )
    bound = None if note is None else partial(_noted, note, arrival)
    return SpoolSink(spool, ledger, project, header, bound)


def _noted(note: Note, arrival: Arrival, job_id: JobId) -> None:
    note(job_id, arrival.class_uid, arrival.instance_uid)


def _relay_sink(relay: Relay, max_bytes: int, arrival: Arrival, calling_ae: str, called_ae: str) -> Sink:
    del calling_ae, called_ae  # nothing is written down
    return RelaySink(relay, arrival.transfer_syntax, max_bytes)


def _direct_relay(settings: Settings, project: Project) -> Relay:
    from node.direct import DirectRelay  # noqa: PLC0415  a receiver that only spools never loads what cleans or sends

    return DirectRelay(settings, project)

"""Lines of a role, written behind its back: what happens at every association must not wait for a disk.

One thread of the process writes what has gathered, several lines in one go. If the disk fails, lines wait in memory;
when there are too many, the newest are counted instead, and the gap is said in the log once it can be written again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from node import log
from node.audit import chain, codes
from node.audit.chain import Entry
from node.audit.codes import Deed
from node.audit.heard import Hearing
from node.audit.message import Action, Message, Outcome, Participant, Source, this_machine, this_process, this_program
from node.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from node.settings import Settings

_MOST_WAITING = 10_000
_GATHER_S = 0.25
_AGAIN_AFTER_S = 5.0
_LOOK_EVERY_S = 10.0
_CLOSE_S = 10.0
_BATCH = 500


class Recorder:
    """Writes entries, soon.

    Parameters
    ----------
    hearing
        asked now and then for entries of its own
    """

    def __init__(self, spool: Path, source: Source, hearing: Hearing) -> None:
        self._spool = spool
        self._source = source
        self._hearing = hearing
        self._pid = os.getpid()
        self._waiting: list[Entry] = []
        self._dropped = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, entry: Entry) -> None:
        """Take an entry; cheap, and never an error."""
        if os.getpid() != self._pid:  # a child that was forked has no thread to write it
            return
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self._dropped += 1
                return
            self._waiting.append(entry if entry.at else replace(entry, at=datetime.now(UTC)))
            if len(self._waiting) == 1:
                self._changed.notify()

    def close(self) -> None:
        """Write what is left."""
        for entry in self._hearing.overdue(float("inf")):
            self.note(entry)
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and not self._closing:
                    self._changed.wait(_LOOK_EVERY_S)
                elif not self._closing:
                    self._changed.wait(_GATHER_S)
                is_last = self._closing
            for entry in self._hearing.overdue():
                self.note(entry)
            is_written = self._write()
            if is_last:
                return
            if not is_written:
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, _AGAIN_AFTER_S)

    def _write(self) -> bool:
        while True:
            with self._changed:
                batch = self._waiting[:_BATCH]
                dropped = self._dropped
            if not batch:
                return True
            gap = [_gap(self._source, dropped)] if dropped else []
            try:
                chain.append_all(self._spool, [*batch, *gap])
            except Transient as error:
                if not self._spool.is_dir():
                    return self._closing  # a node that ends before it has made its folders did nothing to tell of
                log.emit_error(log.Event.AUDIT_FAILED, error, waiting=len(batch), dropped=dropped)
                return False
            with self._changed:
                del self._waiting[: len(batch)]
                self._dropped -= dropped


@dataclass(slots=True)
class _Current:
    """The recorder of this process, if it has one."""

    recorder: Recorder | None = None


_current = _Current()


def note(entry: Entry) -> None:
    """Have an entry written soon; where no role runs, it is for nobody."""
    if _current.recorder is not None:
        _current.recorder.note(entry)


@contextmanager
def recording(settings: Settings, roles: Sequence[str], *, is_whole: bool) -> Iterator[None]:
    """Write what this process does into the audit log.

    Parameters
    ----------
    roles
        that it does, or has done by its children
    is_whole
        whether it is an application of its own, whose start and stop are to be told
    """
    source = Source.of(settings)
    hearing = Hearing(source)
    recorder = _current.recorder = Recorder(settings.spool.path, source, hearing)

    def hear(event: log.Event, facts: log.Facts) -> None:
        for entry in hearing.entries(event, facts):
            recorder.note(entry)

    log.observe(hear)
    if is_whole:
        recorder.note(_activity(source, Deed.STARTED, roles))
    try:
        yield
    finally:
        if is_whole:
            recorder.note(_activity(source, Deed.STOPPED, roles))
        log.observe(None)
        _current.recorder = None
        recorder.close()


def _activity(source: Source, deed: Deed, roles: Sequence[str]) -> Entry:
    is_start = deed is Deed.STARTED
    application = this_process(source, codes.APPLICATION)
    launcher = Participant(
        chain.user_name(), codes.APPLICATION_LAUNCHER, this_machine(), this_program(), is_requestor=True
    )
    message = Message(
        source,
        codes.APPLICATION_ACTIVITY,
        Action.EXECUTE,
        [application, launcher],
        codes.APPLICATION_START if is_start else codes.APPLICATION_STOP,
    )
    return Entry(deed, {"roles": list(roles), "pid": os.getpid()}, message)


def _gap(source: Source, dropped: int) -> Entry:
    message = Message(
        source,
        codes.SECURITY_ALERT,
        Action.EXECUTE,
        [this_process(source, codes.APPLICATION)],
        codes.AUDIT_RECORDING_STOPPED,
        Outcome.SERIOUS_FAILURE,
    )
    return Entry(Deed.RECORDING_GAP, {"count": dropped}, message)

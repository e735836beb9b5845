"""C-STORE as its SCP: who gets which status (PS3.4 Table B.2-1, PS3.7 Annex C), and what is durable before it is said.

0000  the sink has kept the instance: on disk and in the ledger, or at every destination
0122  the command's SOP Class is not the presentation context's
0124  the project takes no instances of this SOP Class, or none from this AE; said for each instance and not for the
      association, so that the sender's log shows the reason
A700  no room, or longer than an instance may be, or more than this peer may send now
A900  the data set's SOP Class is not the command's
C000  the Affected SOP Instance UID is no UID or not the data set's; the data set is cut short or has no UIDs
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from deid.encoding.syntax import transfer_syntax
from node.access.limits import Allowance
from node.association import Intake
from node.contexts import STORAGE_SOP_CLASSES, AcceptedContext, sop_class_uid
from node.errors import NodeError
from node.log import Event, emit
from node.scan import DataSetScan, Ending, Sight
from node.settings import Project
from node.status import Status

# PS3.5 Section 9.1. Zeros that lead a component are let in: old devices send them, and every UID is replaced anyway.
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_MAX_UID_CHARACTERS = 64

_NO_ROOM = (NodeError, OSError)
"""What a sink raises when it cannot take or keep an instance now: the sender may try again (A700)."""


def is_uid(text: str) -> bool:
    """Say whether a text has the form of a UID."""
    return len(text) <= _MAX_UID_CHARACTERS and _UID.fullmatch(text) is not None


def verdict(sight: Sight, arrival: Arrival) -> Status:
    """Compare a data set with the command that announced it."""
    if sight.ending is Ending.CUT or sight.sop_class_uid is None or sight.sop_instance_uid != arrival.instance_uid:
        return Status.CANNOT_UNDERSTAND
    if sight.sop_class_uid != arrival.class_uid:
        return Status.DATA_SET_MISMATCH
    return Status.SUCCESS


@dataclass(frozen=True, slots=True)
class Arrival:
    """An instance as a C-STORE-RQ announces it."""

    class_uid: str
    instance_uid: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Permission:
    """What a project takes, and from whom.

    Attributes
    ----------
    calling_aes
        empty: from all that may call at all
    """

    sop_classes: frozenset[str]
    calling_aes: frozenset[str]

    @classmethod
    def from_project(cls, project: Project) -> Permission:
        """Return what the configuration of a project allows.

        Raises
        ------
        ValueError
            for a SOP Class that there is not
        """
        listed = frozenset(map(sop_class_uid, project.accepts))
        return cls(listed or STORAGE_SOP_CLASSES, frozenset(title.strip() for title in project.peers))

    def classes_for(self, calling_ae: str) -> frozenset[str]:
        """Return the SOP Classes that are taken from an AE."""
        return self.sop_classes if not self.calling_aes or calling_ae in self.calling_aes else frozenset()


class Sink(Protocol):
    """Where an instance goes while it arrives. Any method may raise what `_NO_ROOM` names."""

    def write(self, piece: memoryview) -> None:
        """Take the next piece of the data set."""

    def keep(self) -> int:
        """Keep the whole instance for good; return the status for the sender."""

    def discard(self) -> None:
        """Leave nothing behind."""


class Store:
    """Answers the C-STOREs of one association.

    Parameters
    ----------
    open_sink
        gives the sink of one instance
    allowed
        the SOP Classes that this sender may store here
    allowance
        how much it may send; None: as much as it likes
    """

    def __init__(
        self,
        max_instance_bytes: int,
        open_sink: Callable[[Arrival], Sink],
        allowed: Container[str] = STORAGE_SOP_CLASSES,
        allowance: Allowance | None = None,
    ) -> None:
        self._max_instance_bytes = max_instance_bytes
        self._open_sink = open_sink
        self._allowed = allowed
        self._allowance = allowance
        self.stored = 0
        self.refused = 0

    def begin(self, context: AcceptedContext, class_uid: str, instance_uid: str) -> Intake:
        """Return what takes the data set that follows this command, also if only to refuse it."""
        arrival = Arrival(class_uid, instance_uid, context.transfer_syntax)
        if class_uid != context.abstract_syntax:
            return Reception(self, arrival, None, Status.SOP_CLASS_NOT_SUPPORTED)
        if class_uid not in self._allowed:
            return Reception(self, arrival, None, Status.NOT_AUTHORIZED)
        if not is_uid(instance_uid):
            return Reception(self, arrival, None, Status.CANNOT_UNDERSTAND)
        try:
            if self._allowance is not None:
                self._allowance.begin()
            sink = self._open_sink(arrival)
        except _NO_ROOM:
            return Reception(self, arrival, None, Status.OUT_OF_RESOURCES)
        return Reception(self, arrival, sink, Status.SUCCESS)

    @property
    def max_instance_bytes(self) -> int:
        """The longest data set that is taken."""
        return self._max_instance_bytes

    def took(self, size_bytes: int) -> None:
        """Count what has come of an instance."""
        if self._allowance is not None:
            self._allowance.took(size_bytes)

    def answered(self, status: int) -> None:
        """Count an answer."""
        if status == Status.SUCCESS:
            self.stored += 1
        else:
            self.refused += 1
            emit(Event.INSTANCE_REJECTED, status=status)


class Reception:
    """One data set on its way in: scanned as it comes, and given to its sink until there is a reason to refuse it."""

    def __init__(self, store: Store, arrival: Arrival, sink: Sink | None, status: Status) -> None:
        """Start with `status` SUCCESS and a sink, or with another status and None: what comes is then only counted."""
        self._store = store
        self._arrival = arrival
        self._sink = sink
        self._status: int = status
        self._scan = DataSetScan(transfer_syntax(arrival.transfer_syntax))
        self._bytes_left = store.max_instance_bytes

    def write(self, piece: memoryview) -> None:
        """Take the next piece."""
        if self._sink is None:
            return
        self._bytes_left -= len(piece)
        self._store.took(len(piece))
        if self._bytes_left < 0:
            self._refuse(Status.OUT_OF_RESOURCES)
            return
        self._scan.feed(piece)
        try:
            self._sink.write(piece)
        except _NO_ROOM:
            self._refuse(Status.OUT_OF_RESOURCES)

    def finish(self) -> int:
        """Keep the instance if it is what the command said; return the status for the sender."""
        if self._sink is not None:
            judged = verdict(self._scan.finish(), self._arrival)
            if judged is Status.SUCCESS:
                self._keep(self._sink)
            else:
                self._refuse(judged)
        self._store.answered(self._status)
        return self._status

    def abandon(self) -> None:
        """Leave nothing behind: the rest will not come."""
        self._refuse(Status.CANNOT_UNDERSTAND)

    def _keep(self, sink: Sink) -> None:
        try:
            self._status = sink.keep()
            self._sink = None
        except _NO_ROOM:
            self._refuse(Status.OUT_OF_RESOURCES)

    def _refuse(self, status: int) -> None:
        self._status = status
        sink, self._sink = self._sink, None
        if sink is not None:
            with suppress(*_NO_ROOM):  # a disk that cannot even delete: what is left is swept, or cleaned once more
                sink.discard()

"""Storage commitment in the receive role: what senders ask for, and what archives report (PS3.4 Section J.3).

An N-ACTION is answered Success once the transaction is a durable file; the report comes on the same association while
that lasts, else from the forward role on another (node.commitment.reporter). Statuses of PS3.7 Section 10.1.4.1.10:

0000  the request was taken
0112  of another SOP Instance than the well-known one
0115  the Action Information cannot be understood, or is missing
0118  of another SOP Class than that of the presentation context
0123  of another Action Type than the request for storage commitment
0124  the project commits itself to nothing, or not for this AE
0213  no room in the spool, too long, or too many transactions are open
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from node.association import EventReport, Exchange
from node.commitment.codes import open_codes
from node.commitment.messages import (
    MAX_BYTES,
    REQUEST,
    SOP_CLASS,
    SOP_INSTANCE,
    EventType,
    NotUnderstood,
    decode_report,
    decode_request,
    encode_report,
)
from node.commitment.originals import Originals, committing_projects
from node.commitment.reports import Reports
from node.commitment.settings import CommitmentMode
from node.commitment.tables import CommitmentTables
from node.commitment.transactions import Transaction, TransactionId, Transactions, report_on
from node.dimse import CommandField, Tag, n_action_rsp, n_event_report_rq, n_event_report_rsp, uid, us
from node.errors import NodeError
from node.jobs import new_job_id
from node.ledger import open_ledger
from node.log import Event, Name, emit
from node.peers import ANY_AE
from node.spool import Spool
from node.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.access.settings import Peer
    from node.commitment.messages import Report
    from node.contexts import AcceptedContext
    from node.dimse import Command
    from node.settings import Project, Settings

_MAX_OPEN: Final = 10_000
"""Transactions that are not over."""

_SETTLE_S: Final = 0.5
"""Senders that release as soon as they are answered get their report on another association, undisturbed."""

_LOOK_EVERY_S: Final = 1.0


class Office:
    """What all associations of a receiver share.

    Raises
    ------
    Misconfigured
        if the spool, the ledger or the key of the codes cannot be used
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
        self.ledger = open_ledger(spool.path)
        self.tables = CommitmentTables(self.ledger)
        self.codes = open_codes(spool.path)
        self.transactions = Transactions(spool.path, spool.check_room)
        self.reports = Reports(self.ledger, self.tables, settings.forward)
        self.originals = Originals(settings, self.ledger, self.codes)

    def leave_thread(self) -> None:
        """Close what belongs to the calling thread, which is about to end: its connection to the ledger."""
        self.ledger.close()


def open_office(settings: Settings) -> Office | None:
    """Open what storage commitment needs; None if nobody needs it."""
    asks = any(each.commitment for each in settings.destinations.values())
    return Office(settings) if asks or committing_projects(settings) else None


def reporting_destinations(settings: Settings, calling_ae: str, called_ae: str) -> tuple[str, ...]:
    """Name the destinations that the caller may be, if it calls to report on our requests."""
    return tuple(
        name
        for name, each in settings.archives.items()
        if each.commitment and (each.ae_title.strip(), each.calling_ae_title.strip()) == (calling_ae, called_ae)
    )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the other end of an association.

    Attributes
    ----------
    project
        that was called; None if none was
    destinations
        names of those that the visitor may be
    peer
        the entry of [[peers]] that lets it in
    """

    calling_ae: str
    called_ae: str
    address: str
    project: Project | None
    destinations: tuple[str, ...]
    peer: Peer | None = None

    @property
    def listed_ae(self) -> str:
        """The AE title by which it calls, if the configuration has that; empty where any is let in."""
        return "" if self.peer is None or self.peer.ae_title == ANY_AE else self.peer.ae_title.strip()

    @property
    def asks(self) -> bool:
        """Whether the project that it calls commits itself at all."""
        return self.project is not None and self.project.commitment is not CommitmentMode.NONE

    @property
    def may_ask(self) -> bool:
        """Whether the project commits itself towards this AE."""
        peers = self.project.peers if self.project else ()
        return self.asks and (not peers or self.calling_ae in {title.strip() for title in peers})


class _Collected:
    """A data set that is collected until it is whole, and then taken."""

    def __init__(self, status: Status, take: Callable[[bytes], Status]) -> None:
        """Start with `status` SUCCESS, or with another: what comes is then passed over."""
        self._status = status
        self._take = take
        self._data = bytearray()

    def write(self, piece: memoryview) -> None:
        """Take the next piece."""
        if self._status is Status.SUCCESS and len(self._data) + len(piece) > MAX_BYTES:
            self._status = Status.RESOURCE_LIMITATION
        if self._status is Status.SUCCESS:
            self._data += piece

    def finish(self) -> int:
        """Take the data set; return the status for the peer."""
        return self._take(bytes(self._data)) if self._status is Status.SUCCESS else self._status

    def abandon(self) -> None:
        """Forget what has come."""
        self._data = bytearray()


@dataclass(slots=True)
class _Open:
    """A transaction of this association: who holds `lock` is the only one to report on it."""

    transaction: Transaction
    context: AcceptedContext
    lock: int
    look_at_s: float


class Desk:
    """Storage commitment on one association; its thread alone uses it."""

    sop_class_uid = SOP_CLASS

    def __init__(self, office: Office, visitor: Visitor) -> None:
        self._office = office
        self._visitor = visitor
        self._open: list[_Open] = []
        self._reported: _Open | None = None

    @property
    def has_open(self) -> bool:
        """Whether a report may yet be sent on this association."""
        return bool(self._open)

    def begin(self, context: AcceptedContext, field: int, command: Command) -> Exchange:
        """Return how an N-ACTION-RQ or N-EVENT-REPORT-RQ is answered."""
        return self._asked(context, command) if field == CommandField.N_ACTION_RQ else self._told(context, command)

    # -- senders

    def _asked(self, context: AcceptedContext, command: Command) -> Exchange:
        class_uid, instance_uid = (
            uid(command, Tag.REQUESTED_SOP_CLASS_UID),
            uid(command, Tag.REQUESTED_SOP_INSTANCE_UID),
        )
        action = us(command, Tag.ACTION_TYPE_ID)
        status = _well_known(class_uid, instance_uid, known=action == REQUEST, otherwise=Status.NO_SUCH_ACTION)
        if status is Status.SUCCESS and not self._visitor.may_ask:
            status = Status.NOT_AUTHORIZED
        if status is not Status.SUCCESS:
            emit(Event.COMMITMENT_REFUSED, status=status)
        response = partial(n_action_rsp, us(command, Tag.MESSAGE_ID), class_uid, instance_uid, action)
        return Exchange(
            _Collected(status, partial(self._take_request, context)), response, Status.INVALID_ARGUMENT_VALUE
        )

    def _take_request(self, context: AcceptedContext, data: bytes) -> Status:
        """Keep a request for good."""
        try:
            status = self._kept(context, self._transaction(data, context.transfer_syntax))
        except NotUnderstood:
            status = Status.INVALID_ARGUMENT_VALUE
        except (NodeError, OSError):
            status = Status.RESOURCE_LIMITATION
        if status is not Status.SUCCESS:
            emit(Event.COMMITMENT_REFUSED, status=status)
        return status

    def _transaction(self, data: bytes, transfer_syntax: str) -> Transaction:
        request = decode_request(data, transfer_syntax)
        visitor, codes = self._visitor, self._office.codes
        project = visitor.project.name if visitor.project else ""
        return Transaction(
            id=TransactionId(new_job_id(), codes.transaction(visitor.calling_ae, request.transaction_uid)),
            calling_ae=visitor.calling_ae,
            called_ae=visitor.called_ae,
            address=visitor.address,
            project=project,
            request=request,
            codes=tuple(codes.instance(project, each.sop_instance_uid) for each in request.references),
        )

    def _kept(self, context: AcceptedContext, transaction: Transaction) -> Status:
        transactions, code = self._office.transactions, transaction.id.code
        present = transactions.ids()
        if len(present) >= _MAX_OPEN:
            return Status.RESOURCE_LIMITATION
        same = [each for each in present if each.code == code]
        for before in same:
            known = transactions.load(before)
            if known is not None and known.is_repeated_by(transaction):
                self._hold(context, known)
                return Status.SUCCESS
        if same or self._office.tables.is_over(code):
            transaction = replace(transaction, is_duplicate=True)
        transactions.add(transaction)
        self._hold(context, transaction)
        emit(
            Event.COMMITMENT_REQUESTED,
            project=Name(transaction.project),
            instances=len(transaction.codes),
            duplicate=transaction.is_duplicate,
        )
        return Status.SUCCESS

    def _hold(self, context: AcceptedContext, transaction: Transaction) -> None:
        """Report on a transaction here, unless somebody else already does."""
        lock = self._office.transactions.lock(transaction.id)
        if lock is not None:
            self._open.append(_Open(transaction, context, lock, time.monotonic() + _SETTLE_S))

    def report(self, message_id: int) -> EventReport | None:
        """Return a report that is to be sent now, if there is one."""
        for each in self._open:
            if each.look_at_s <= time.monotonic():
                each.look_at_s = time.monotonic() + _LOOK_EVERY_S
                report = self._report_on(each.transaction)
                if report is not None:
                    self._reported = each
                    return _event_report(each.context, message_id, report)
        return None

    def _report_on(self, transaction: Transaction) -> Report | None:
        project, office = self._visitor.project, self._office
        if project is None:
            return None
        try:
            return report_on(transaction, project.commitment, office.settings.commitment, office.tables, time.time())
        except NodeError:  # the ledger is slow or has no room: later, or on another association
            return None

    def answered(self, status: int) -> None:
        """Hear how the sender has answered the last report; what it could not take is left to the forward role."""
        reported, self._reported = self._reported, None
        if reported is None:
            return
        self._open.remove(reported)
        with suppress(NodeError):  # it could not be noted: then the forward role reports once more
            self._office.transactions.conclude(reported.transaction, status, self._office.tables)
        os.close(reported.lock)

    def close(self) -> None:
        """Leave what is open to the forward role."""
        for each in self._open:
            os.close(each.lock)
        self._open.clear()

    # -- archives

    def _told(self, context: AcceptedContext, command: Command) -> Exchange:
        class_uid, instance_uid = uid(command, Tag.AFFECTED_SOP_CLASS_UID), uid(command, Tag.AFFECTED_SOP_INSTANCE_UID)
        event = us(command, Tag.EVENT_TYPE_ID)
        status = _well_known(
            class_uid, instance_uid, known=event in list(EventType), otherwise=Status.NO_SUCH_EVENT_TYPE
        )
        if status is Status.SUCCESS and not self._visitor.destinations:
            status = Status.NOT_AUTHORIZED
        if status is not Status.SUCCESS:
            emit(Event.COMMITMENT_REFUSED, status=status)
        response = partial(n_event_report_rsp, us(command, Tag.MESSAGE_ID), class_uid, instance_uid, event)
        return Exchange(
            _Collected(status, partial(self._take_report, context)), response, Status.INVALID_ARGUMENT_VALUE
        )

    def _take_report(self, context: AcceptedContext, data: bytes) -> Status:
        try:
            report = decode_report(data, context.transfer_syntax)
            if not self._office.reports.take(report, self._visitor.destinations):
                emit(Event.COMMITMENT_REPORT_UNKNOWN, instances=len(report.committed) + len(report.failed))
        except NotUnderstood:
            return Status.INVALID_ARGUMENT_VALUE
        except NodeError:
            return Status.PROCESSING_FAILURE
        return Status.SUCCESS


def _well_known(class_uid: str, instance_uid: str, *, known: bool, otherwise: Status) -> Status:
    if class_uid != SOP_CLASS:
        return Status.NO_SUCH_SOP_CLASS
    if instance_uid != SOP_INSTANCE:
        return Status.NO_SUCH_INSTANCE
    return Status.SUCCESS if known else otherwise


def _event_report(context: AcceptedContext, message_id: int, report: Report) -> EventReport:
    command = n_event_report_rq(message_id, SOP_CLASS, SOP_INSTANCE, report.event_type)
    return EventReport(context.id, command, encode_report(report, context.transfer_syntax))

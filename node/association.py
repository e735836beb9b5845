"""One association as its acceptor, from the A-ASSOCIATE-AC to its end, in one thread.

C-ECHO, C-STORE and, where it was negotiated, storage commitment: N-ACTION, and N-EVENT-REPORT in both directions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import NamedTuple, Protocol

from node.contexts import AcceptedContext
from node.dimse import (
    MAX_COMMAND_BYTES,
    RELEASE_RP,
    VERIFICATION,
    Command,
    CommandField,
    PduType,
    ProtocolError,
    Tag,
    a_abort,
    c_echo_rsp,
    c_store_rsp,
    decode_command,
    has_data_set,
    is_command,
    is_last,
    iter_pdvs,
    uid,
    us,
)
from node.guard import ConnectionLost, DeadlinePassed, Line
from node.log import Event, emit
from node.status import Status

_UNEXPECTED_PDU = a_abort(source=2, reason=2)
_NO_REASON = a_abort(source=2, reason=0)

_LOOK_FOR_REPORTS_S = 0.25


class End(StrEnum):
    """How an association ended."""

    RELEASED = "released"
    ABORTED = "aborted"
    LOST = "lost"
    TIMED_OUT = "timed-out"
    PROTOCOL_ERROR = "protocol-error"
    STOPPED = "stopped"
    FAILED = "failed"


class Intake(Protocol):
    """Takes the data set of one C-STORE, piece by piece."""

    def write(self, piece: memoryview) -> None:
        """Take the next piece; it is valid during the call only."""

    def finish(self) -> int:
        """Make it durable and return the status of the C-STORE-RSP."""

    def abandon(self) -> None:
        """Leave nothing behind: the rest will not come."""


class StoreService(Protocol):
    """What C-STORE requests are answered by."""

    def begin(self, context: AcceptedContext, class_uid: str, instance_uid: str) -> Intake:
        """Return what takes the data set that follows, also if it is only to be refused."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request whose data set is on its way.

    Attributes
    ----------
    response
        the command set of the response with a status
    without_data_set
        the status if no data set follows after all
    """

    intake: Intake
    response: Callable[[int], bytes]
    without_data_set: int


class EventReport(NamedTuple):
    """An N-EVENT-REPORT-RQ of ours."""

    context_id: int
    command: bytes
    data_set: bytes


class CommitmentService(Protocol):
    """What storage commitment is answered by, on one association."""

    @property
    def sop_class_uid(self) -> str:
        """Of the presentation contexts that are its own."""

    @property
    def has_open(self) -> bool:
        """Whether a report may yet be sent on this association."""

    def begin(self, context: AcceptedContext, field: int, command: Command) -> Exchange:
        """Return how an N-ACTION-RQ or N-EVENT-REPORT-RQ is answered, also if it is only to be refused."""

    def report(self, message_id: int) -> EventReport | None:
        """Return a report that is to be sent now, if there is one."""

    def answered(self, status: int) -> None:
        """Hear how the peer has answered the last report."""

    def close(self) -> None:
        """Leave to others what is still open: the association is over."""


class Association:
    """Reads messages and answers them until the peer releases, aborts, or breaks a rule.

    Parameters
    ----------
    contexts
        the accepted presentation contexts by ID
    peer_max_pdu_bytes
        the longest PDU the peer takes; 0 is no limit
    commitment
        None: storage commitment was not negotiated
    """

    def __init__(
        self,
        line: Line,
        contexts: Mapping[int, AcceptedContext],
        peer_max_pdu_bytes: int,
        service: StoreService,
        commitment: CommitmentService | None = None,
    ) -> None:
        self._line = line
        self._contexts = contexts
        self._peer_max_pdu_bytes = peer_max_pdu_bytes
        self._service = service
        self._commitment = commitment
        self._command = bytearray()
        self._command_context = 0
        self._exchange: Exchange | None = None
        self._exchange_context = 0
        self._reports = 0
        self._is_report_open = False
        self._stopping = False

    @property
    def is_busy(self) -> bool:
        """Whether a message is under way, so that a stop had better wait for its end."""
        return self._exchange is not None or bool(self._command)

    def stop(self, *, at_once: bool = False) -> None:
        """End after the instance that is under way, or without it; may be called from any thread."""
        self._stopping = True
        if at_once or not self.is_busy:
            self._line.hush()

    def serve(self) -> End:
        """Answer messages until the association ends; say how, and say goodbye as PS3.8 asks for that end."""
        end, farewell = End.FAILED, _NO_REASON
        try:
            end, farewell = self._serve()
        except ProtocolError:
            end, farewell = End.PROTOCOL_ERROR, _UNEXPECTED_PDU
        except DeadlinePassed:
            end, farewell = End.TIMED_OUT, _NO_REASON
        except ConnectionLost:
            end, farewell = (End.STOPPED, _NO_REASON) if self._stopping else (End.LOST, b"")
        finally:
            self._abandon()
            self._say_goodbye(farewell)
        return end

    def _serve(self) -> tuple[End, bytes]:
        while not (self._stopping and not self.is_busy):
            self._report_meanwhile()
            kind, body = self._line.read_pdu()
            if kind == PduType.P_DATA:
                for context_id, flags, fragment in iter_pdvs(body):
                    self._take(context_id, flags, fragment)
            elif kind == PduType.RELEASE_RQ:
                return End.RELEASED, RELEASE_RP
            elif kind == PduType.ABORT:
                return End.ABORTED, b""
            else:
                raise ProtocolError(f"PDU type {kind:#04x} in an established association")
        return End.STOPPED, _NO_REASON

    def _report_meanwhile(self) -> None:
        """Send the reports that are due, and those that become so until the peer says something."""
        service = self._commitment
        if service is None or self.is_busy:
            return
        deadline = time.monotonic() + self._line.idle_s
        while service.has_open:
            self._report(service)
            if self._line.has_more(_LOOK_FOR_REPORTS_S):
                return
            if time.monotonic() > deadline:
                raise DeadlinePassed("the peer is silent")

    def _report(self, service: CommitmentService) -> None:
        """Send a report, if one is due and the last one is answered."""
        report = None if self._is_report_open else service.report(self._reports % 0xFFFF + 1)
        if report is not None:
            self._reports += 1
            self._is_report_open = True
            self._line.send_command(report.context_id, report.command, self._peer_max_pdu_bytes)
            self._line.send_data_set(report.context_id, report.data_set, self._peer_max_pdu_bytes)

    def _say_goodbye(self, farewell: bytes) -> None:
        try:
            if farewell:
                self._line.send(farewell)
        except (ConnectionLost, DeadlinePassed):
            self._line.close()
        else:
            self._line.close_after_farewell()

    def _take(self, context_id: int, flags: int, fragment: memoryview) -> None:
        """Take one fragment of a command set or a data set (PS3.8 Annex E)."""
        if is_command(flags):
            self._take_command(context_id, fragment, last=is_last(flags))
        else:
            self._take_data(context_id, fragment, last=is_last(flags))

    def _take_command(self, context_id: int, fragment: memoryview, *, last: bool) -> None:
        if self._exchange or (self._command and context_id != self._command_context):
            raise ProtocolError("a command set begins inside another message")
        if len(self._command) + len(fragment) > MAX_COMMAND_BYTES:
            raise ProtocolError(f"command set is longer than {MAX_COMMAND_BYTES} bytes")
        self._command += fragment
        self._command_context = context_id
        if last:
            command = decode_command(self._command)
            self._answer(context_id, command)
            self._command.clear()

    def _take_data(self, context_id: int, fragment: memoryview, *, last: bool) -> None:
        exchange = self._exchange
        if exchange is None or context_id != self._exchange_context:
            raise ProtocolError("a data set without its command")
        exchange.intake.write(fragment)
        if last:
            status = exchange.intake.finish()
            self._exchange = None
            self._respond(context_id, exchange.response(status))

    def _answer(self, context_id: int, command: Command) -> None:
        context = self._contexts.get(context_id)
        if context is None:
            raise ProtocolError(f"presentation context {context_id} was not accepted")
        field = us(command, Tag.COMMAND_FIELD)
        commitment = self._commitment
        if commitment is not None and context.abstract_syntax == commitment.sop_class_uid:
            self._commit(commitment, context, field, command)
        elif field == CommandField.C_STORE_RQ and context.abstract_syntax != VERIFICATION:
            follows = has_data_set(command)  # asked first: what is begun is to be ended, whatever is missing
            self._begin(context_id, self._storing(context, command), follows=follows)
        elif field == CommandField.C_ECHO_RQ and context.abstract_syntax == VERIFICATION and not has_data_set(command):
            self._respond(context_id, c_echo_rsp(us(command, Tag.MESSAGE_ID)))
            emit(Event.ECHO_ANSWERED)
        else:
            raise ProtocolError(f"operation {field:#06x} was not negotiated in presentation context {context_id}")

    def _commit(self, service: CommitmentService, context: AcceptedContext, field: int, command: Command) -> None:
        if field in (CommandField.N_ACTION_RQ, CommandField.N_EVENT_REPORT_RQ):
            follows = has_data_set(command)
            self._begin(context.id, service.begin(context, field, command), follows=follows)
        elif (
            field == CommandField.N_EVENT_REPORT_RSP
            and self._is_report_open
            and us(command, Tag.MESSAGE_ID_RESPONDED_TO) == (self._reports - 1) % 0xFFFF + 1
        ):
            self._is_report_open = False
            service.answered(us(command, Tag.STATUS))
        else:
            raise ProtocolError(f"operation {field:#06x} is none of storage commitment, or was not expected")

    def _storing(self, context: AcceptedContext, command: Command) -> Exchange:
        class_uid = uid(command, Tag.AFFECTED_SOP_CLASS_UID)
        instance_uid = uid(command, Tag.AFFECTED_SOP_INSTANCE_UID)
        response = partial(c_store_rsp, us(command, Tag.MESSAGE_ID), class_uid, instance_uid)
        intake = self._service.begin(context, class_uid, instance_uid)
        return Exchange(intake, response, Status.CANNOT_UNDERSTAND)

    def _begin(self, context_id: int, exchange: Exchange, *, follows: bool) -> None:
        if follows:
            self._exchange, self._exchange_context = exchange, context_id
        else:
            exchange.intake.abandon()
            self._respond(context_id, exchange.response(exchange.without_data_set))

    def _respond(self, context_id: int, response: bytes) -> None:
        self._line.send_command(context_id, response, self._peer_max_pdu_bytes)

    def _abandon(self) -> None:
        if self._exchange is not None:
            self._exchange.intake.abandon()
            self._exchange = None
        if self._commitment is not None:
            self._commitment.close()

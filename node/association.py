"""One association as its acceptor, from the A-ASSOCIATE-AC to its end: C-ECHO and C-STORE in one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

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


@dataclass(slots=True)
class _Storing:
    """A C-STORE-RQ whose data set is on its way."""

    context_id: int
    message_id: int
    class_uid: str
    instance_uid: str
    intake: Intake


class Association:
    """Reads messages and answers them until the peer releases, aborts, or breaks a rule.

    Parameters
    ----------
    contexts
        the accepted presentation contexts by ID
    peer_max_pdu_bytes
        the longest PDU the peer takes; 0 is no limit
    """

    def __init__(
        self, line: Line, contexts: Mapping[int, AcceptedContext], peer_max_pdu_bytes: int, service: StoreService
    ) -> None:
        self._line = line
        self._contexts = contexts
        self._peer_max_pdu_bytes = peer_max_pdu_bytes
        self._service = service
        self._command = bytearray()
        self._command_context = 0
        self._storing: _Storing | None = None
        self._stopping = False

    @property
    def is_busy(self) -> bool:
        """Whether a message is under way, so that a stop had better wait for its end."""
        return self._storing is not None or bool(self._command)

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
        if self._storing or (self._command and context_id != self._command_context):
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
        storing = self._storing
        if storing is None or context_id != storing.context_id:
            raise ProtocolError("a data set without its command")
        storing.intake.write(fragment)
        if last:
            status = storing.intake.finish()
            self._storing = None
            self._respond(storing, status)

    def _answer(self, context_id: int, command: Command) -> None:
        context = self._contexts.get(context_id)
        if context is None:
            raise ProtocolError(f"presentation context {context_id} was not accepted")
        field = us(command, Tag.COMMAND_FIELD)
        if field == CommandField.C_STORE_RQ and context.abstract_syntax != VERIFICATION:
            self._begin_store(context, command)
        elif field == CommandField.C_ECHO_RQ and context.abstract_syntax == VERIFICATION and not has_data_set(command):
            response = c_echo_rsp(us(command, Tag.MESSAGE_ID))
            self._line.send_command(context_id, response, self._peer_max_pdu_bytes)
            emit(Event.ECHO_ANSWERED)
        else:
            raise ProtocolError(f"operation {field:#06x} was not negotiated in presentation context {context_id}")

    def _begin_store(self, context: AcceptedContext, command: Command) -> None:
        class_uid = uid(command, Tag.AFFECTED_SOP_CLASS_UID)
        instance_uid = uid(command, Tag.AFFECTED_SOP_INSTANCE_UID)
        message_id = us(command, Tag.MESSAGE_ID)
        follows = has_data_set(command)
        intake = self._service.begin(context, class_uid, instance_uid)
        storing = _Storing(context.id, message_id, class_uid, instance_uid, intake)
        if follows:
            self._storing = storing
        else:
            intake.abandon()
            self._respond(storing, Status.CANNOT_UNDERSTAND)

    def _respond(self, storing: _Storing, status: int) -> None:
        response = c_store_rsp(storing.message_id, storing.class_uid, storing.instance_uid, status)
        self._line.send_command(storing.context_id, response, self._peer_max_pdu_bytes)

    def _abandon(self) -> None:
        if self._storing is not None:
            self._storing.intake.abandon()
            self._storing = None

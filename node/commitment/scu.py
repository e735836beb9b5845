"""Associations of which we are the requestor, for storage commitment: to ask an archive, or to report to a sender."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from node.commitment.messages import (
    MAX_BYTES,
    REQUEST,
    SOP_CLASS,
    SOP_INSTANCE,
    TRANSFER_SYNTAXES,
    NotUnderstood,
    Report,
    decode_report,
    encode_report,
    encode_request,
)
from node.dimse import (
    MAX_COMMAND_BYTES,
    CommandField,
    PduType,
    ProtocolError,
    Tag,
    decode_command,
    has_data_set,
    is_command,
    is_last,
    iter_pdvs,
    n_action_rq,
    n_event_report_rq,
    n_event_report_rsp,
    us,
)
from node.negotiation import MAX_RECEIVED_PDU_BYTES, Proposal
from node.scu import Lost, NoContext, StoreAssociation, open_as
from node.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.commitment.messages import Request
    from node.dimse import Command
    from node.settings import Destination, ForwardSettings

_CONTEXTS = tuple(Proposal(SOP_CLASS, syntax) for syntax in TRANSFER_SYNTAXES)


def open_to_ask(destination: Destination, forward: ForwardSettings) -> CommitmentAssociation:
    """Associate as the SCU of storage commitment; raises as `node.scu.open_association`."""
    return open_as(CommitmentAssociation, destination, _CONTEXTS, forward)


def open_to_report(sender: Destination, forward: ForwardSettings) -> CommitmentAssociation:
    """Associate as the SCP of storage commitment; raises as `node.scu.open_association`."""
    return open_as(CommitmentAssociation, sender, _CONTEXTS, forward, as_scp=(SOP_CLASS,))


class CommitmentAssociation(StoreAssociation):
    """An association that requests or reports. One thread uses it; any thread may `interrupt` it."""

    __slots__ = ()

    def report(self, report: Report) -> int:
        """Report to a sender and return the status of its answer.

        Raises
        ------
        NoContext
            if it takes no storage commitment; nothing was sent
        Lost
            if no answer came
        ProtocolError
            if the answer is none
        """
        context_id, transfer_syntax = self._context()
        message_id = self._next_message_id()
        command = n_event_report_rq(message_id, SOP_CLASS, SOP_INSTANCE, report.event_type)
        data = encode_report(report, transfer_syntax)
        return self._requested(context_id, command, data, (CommandField.N_EVENT_REPORT_RSP, message_id), _nothing_asked)

    def ask(self, request: Request, take: Callable[[Report], Status], stay_s: float) -> int:
        """Ask an archive for commitment and return the status of its answer.

        Parameters
        ----------
        take
            takes a report that comes on this association, and returns the status to answer it with
        stay_s
            how long to wait here for the report on this request, once it was taken

        Raises
        ------
        NoContext, Lost, ProtocolError
            as `report`, before the request was answered
        """
        context_id, transfer_syntax = self._context()
        message_id = self._next_message_id()
        command = n_action_rq(message_id, SOP_CLASS, SOP_INSTANCE, REQUEST)
        data = encode_request(request, transfer_syntax)
        reported: set[str] = set()

        def note(report: Report) -> Status:
            status = take(report)
            reported.add(report.transaction_uid)
            return status

        status = self._requested(context_id, command, data, (CommandField.N_ACTION_RSP, message_id), note)
        if status == Status.SUCCESS:
            self._stay(note, lambda: request.transaction_uid in reported, stay_s)
        return status

    def _stay(self, take: Callable[[Report], Status], is_done: Callable[[], bool], stay_s: float) -> None:
        """Take reports until the one that is waited for has come, or the time is over, or the association is."""
        deadline = time.monotonic() + stay_s
        try:
            while not is_done():
                context_id, command, data = self._next_message(deadline)
                self._answer_report(context_id, command, data, take)
        except (OSError, Lost):
            return  # it may come on another association
        except ProtocolError:
            self.abort()

    def _context(self) -> tuple[int, str]:
        """Return ID and transfer syntax of the context that is used."""
        for proposal in _CONTEXTS:
            if proposal in self.accepted:
                return self._context_id(*proposal), proposal.transfer_syntax
        raise NoContext("the peer takes no storage commitment")

    def _requested(
        self,
        context_id: int,
        command: bytes,
        data: bytes,
        expected: tuple[int, int],
        take: Callable[[Report], Status],
    ) -> int:
        """Send a request and return the status of its response, `expected` by command field and Message ID.

        A report may come before it.
        """
        try:
            self._send(self._message(context_id, command, (data,)), len(data))
            deadline = time.monotonic() + self._timeout_s
            while True:
                answered_id, response, event = self._next_message(deadline)
                if _is_response(response, *expected):
                    return us(response, Tag.STATUS)
                self._answer_report(answered_id, response, event, take)
        except OSError as error:
            self.abort()
            raise Lost(f"the association broke ({type(error).__name__})") from None
        except BaseException:
            self.abort()
            raise

    def _answer_report(self, context_id: int, command: Command, data: bytes, take: Callable[[Report], Status]) -> None:
        if us(command, Tag.COMMAND_FIELD) != CommandField.N_EVENT_REPORT_RQ:
            raise ProtocolError("a message that is no report")
        syntax = {self._contexts[each]: each.transfer_syntax for each in self.accepted}.get(context_id, "")
        try:
            status = take(decode_report(data, syntax))
        except NotUnderstood:
            status = Status.INVALID_ARGUMENT_VALUE
        event_type = us(command, Tag.EVENT_TYPE_ID)
        response = n_event_report_rsp(us(command, Tag.MESSAGE_ID), SOP_CLASS, SOP_INSTANCE, event_type, status)
        self._send(self._message(context_id, response, ()), 0)

    def _next_message(self, deadline: float) -> tuple[int, Command, bytes]:
        """Return context, command and data set of the next message."""
        command, data, context = bytearray(), bytearray(), 0
        decoded: Command | None = None
        while True:
            kind, body = self._wire.read_pdu(deadline, MAX_RECEIVED_PDU_BYTES)
            if kind != PduType.P_DATA:
                self._end(kind)
            for context_id, flags, fragment in iter_pdvs(body):
                if context not in (0, context_id) or is_command(flags) != (decoded is None):
                    raise ProtocolError("a message inside another")
                context = context_id
                piece = command if decoded is None else data
                piece += fragment
                if len(command) > MAX_COMMAND_BYTES or len(data) > MAX_BYTES:
                    raise ProtocolError("the message is too long")
                if not is_last(flags):
                    continue
                if decoded is None:
                    decoded = decode_command(command)
                    if has_data_set(decoded):
                        continue
                return context, decoded, bytes(data)


def _is_response(command: Command, field: int, message_id: int) -> bool:
    if us(command, Tag.COMMAND_FIELD) != field:
        return False
    if us(command, Tag.MESSAGE_ID_RESPONDED_TO) != message_id:
        raise ProtocolError("the answer is the response to another message")
    return True


def _nothing_asked(_report: Report) -> Status:
    """Answer the report of a peer that nobody asked for one."""
    return Status.UNRECOGNIZED_OPERATION

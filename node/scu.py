"""The forwarding end of an association: C-STORE and C-ECHO as the SCU.

Once `node.negotiation` has the association, this module alone speaks on the socket: headers and slices of the
instance go out in one `sendmsg`, uncopied.
"""

from __future__ import annotations

import mmap
import os
import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self, TypeVar

from deid.encoding.reader import Limits, read_part10
from node import dimse
from node.dimse import CommandField, PduType, ProtocolError, Tag
from node.errors import NodeError, Transient, Unreachable
from node.negotiation import (
    MAX_CONTEXTS,
    MAX_RECEIVED_PDU_BYTES,
    Negotiated,
    NothingAccepted,
    Proposal,
    Rejected,
    negotiate,
)
from node.settings import ForwardSettings
from node.spares import open_whole
from node.wire import Wire, connect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from deid.encoding.element import Buffer
    from node.settings import Destination

__all__ = [
    "ECHO",
    "MAX_CONTEXTS",
    "Lost",
    "NoContext",
    "NothingAccepted",
    "Outgoing",
    "Proposal",
    "Rejected",
    "StoreAssociation",
    "open_association",
    "outgoing_from_file",
]

T = TypeVar("T", bound="StoreAssociation")

ECHO = Proposal(dimse.VERIFICATION, "1.2.840.10008.1.2")
"""The presentation context of a C-ECHO."""

_MIN_SENT_PDU_BYTES = 128
_MAX_SENT_PDU_BYTES = 256 * 1024
_SLOWEST_BYTES_PER_S = 32 * 1024
"""A peer that takes an instance slower than this (beyond the DIMSE time-out) counts as stalled."""

_BATCH_BUFFERS = 512  # below IOV_MAX
_BATCH_BYTES = 1 << 20
_RELEASE_TIMEOUT_S = 5.0
_ABORT_TIMEOUT_S = 1.0
_READ_BYTES = 4 << 20


class Lost(Transient):
    """The association ended before an answer came: aborted, timed out, broken. Whether it was stored is unknown."""


class NoContext(NodeError):
    """No presentation context was accepted for this SOP Class and transfer syntax."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance ready to be sent.

    Attributes
    ----------
    data_set
        the encoded data set in pieces, as it goes out; views of a mapped file stay valid while they are referenced
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    data_set: Sequence[Buffer]

    @property
    def size_bytes(self) -> int:
        """Length of the data set."""
        return sum(map(len, self.data_set))


def outgoing_from_file(path: Path, limits: Limits | None = None) -> Outgoing:
    """Return the instance of a Part 10 file; a big one is mapped, so that it takes no memory.

    Raises
    ------
    deid.errors.Refused
        if it is no Part 10 file
    OSError
        if it cannot be opened
    """
    part10 = read_part10(_content(path), limits or Limits())
    return Outgoing(
        sop_class_uid=part10.meta.sop_class_uid,
        sop_instance_uid=part10.meta.sop_instance_uid,
        transfer_syntax=part10.transfer_syntax,
        data_set=[part10.data_set_bytes],
    )


def _content(path: Path) -> Buffer:
    """Return a file's bytes: read if it is small, which is cheaper, and mapped if it is not."""
    with open_whole(path) as fd:
        size_bytes = os.fstat(fd).st_size
        if size_bytes <= _READ_BYTES:
            return os.read(fd, size_bytes)
        return memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_READ))


def open_association(
    destination: Destination, contexts_wanted: Iterable[Proposal], forward: ForwardSettings | None = None
) -> StoreAssociation:
    """Associate with a destination.

    Parameters
    ----------
    contexts_wanted
        at most `MAX_CONTEXTS`; see `Proposal`

    Raises
    ------
    Unreachable
        if nobody answers or the answer is no (`Rejected`, `NothingAccepted`); the message names the destination
    Misconfigured
        if its certificate, key or CA cannot be used
    """
    return open_as(StoreAssociation, destination, contexts_wanted, forward or ForwardSettings())


def open_as(
    kind: type[T],
    destination: Destination,
    contexts_wanted: Iterable[Proposal],
    forward: ForwardSettings,
    as_scp: Collection[str] = (),
) -> T:
    """Associate with a peer, for what `kind` does; see `open_association` and, for `as_scp`, `negotiate`."""
    try:
        wire = connect(destination.host, destination.port, destination.tls, forward.connect_timeout_s)
    except (OSError, ValueError) as error:  # ValueError: a host name that cannot be encoded
        raise Unreachable(f"{_title(destination)} does not answer: {_why(error)}") from None
    try:
        titles = destination.calling_ae_title, destination.ae_title
        negotiated = negotiate(wire, *titles, contexts_wanted, forward.connect_timeout_s, as_scp)
        return kind(wire, negotiated, forward.dimse_timeout_s, _title(destination))
    except Unreachable as error:
        wire.close()
        raise type(error)(f"{_title(destination)} {error}") from None
    except (OSError, ProtocolError) as error:
        wire.close()
        raise Unreachable(f"{_title(destination)} does not complete the association: {_why(error)}") from None
    except BaseException:
        wire.close()
        raise


def _title(destination: Destination) -> str:
    return f"{destination.ae_title}@{destination.host}:{destination.port}"


def _why(error: Exception) -> str:
    """Return the system's own words for an error, never what a peer sent."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, ProtocolError) else type(error).__name__


class _Expected(NamedTuple):
    """The response that a request asks for."""

    context_id: int
    command_field: CommandField
    message_id: int

    def status(self, command_set: bytes) -> int:
        """Return the status of a response, once it is shown to be this one."""
        command = dimse.decode_command(command_set)
        if dimse.us(command, Tag.COMMAND_FIELD) != self.command_field:
            raise ProtocolError("the answer is not the response to the request")
        if dimse.us(command, Tag.MESSAGE_ID_RESPONDED_TO) != self.message_id:
            raise ProtocolError("the answer is the response to another message")
        if dimse.has_data_set(command):
            raise ProtocolError("the response announces a data set")
        return dimse.us(command, Tag.STATUS)


class StoreAssociation:
    """An established association of which we are the SCU. One thread uses it; any thread may `interrupt` it."""

    __slots__ = ("_contexts", "_fragment_bytes", "_is_open", "_message_id", "_timeout_s", "_title", "_wire")

    def __init__(self, wire: Wire, negotiated: Negotiated, timeout_s: float, title: str) -> None:
        longest = negotiated.max_pdu_bytes or _MAX_SENT_PDU_BYTES
        if longest < _MIN_SENT_PDU_BYTES:
            raise Unreachable(f"takes no PDU longer than {longest} bytes")
        self._wire = wire
        self._contexts = negotiated.contexts
        # Fragments are of even length (PS3.8 Section D.1.1 counts the PDV headers into the PDU's length).
        self._fragment_bytes = (min(longest, _MAX_SENT_PDU_BYTES) - dimse.PDV_HEADER_BYTES) & ~1
        self._timeout_s = timeout_s
        self._title = title
        self._message_id = 0
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    @property
    def accepted(self) -> frozenset[Proposal]:
        """What the peer accepted."""
        return frozenset(self._contexts)

    def accepts(self, sop_class_uid: str, transfer_syntax: str) -> bool:
        """Say whether an instance of this class in this transfer syntax can be stored."""
        return (sop_class_uid, transfer_syntax) in self._contexts

    def store(self, outgoing: Outgoing) -> int:
        """Send an instance and return the status of the answer, whatever it says (see `node.status`).

        Raises
        ------
        NoContext
            if the peer accepts no such instance; nothing was sent
        Lost
            if no answer came
        ProtocolError
            if the answer is none
        """
        context_id = self._context_id(outgoing.sop_class_uid, outgoing.transfer_syntax)
        message_id = self._next_message_id()
        command = dimse.c_store_rq(message_id, outgoing.sop_class_uid, outgoing.sop_instance_uid)
        request = self._message(context_id, command, outgoing.data_set)
        return self._ask(request, outgoing.size_bytes, _Expected(context_id, CommandField.C_STORE_RSP, message_id))

    def echo(self) -> int:
        """Send a C-ECHO and return its status; raises as `store` does."""
        context_id = self._context_id(*ECHO)
        message_id = self._next_message_id()
        request = _fragments(context_id, True, (dimse.c_echo_rq(message_id),), self._fragment_bytes)  # noqa: FBT003
        return self._ask(request, 0, _Expected(context_id, CommandField.C_ECHO_RSP, message_id))

    def is_alive(self) -> bool:
        """Say whether the association still stands; a release asked for by the peer meanwhile is granted."""
        if not self._is_open:
            return False
        try:
            if not self._wire.is_readable():
                return True
            kind, _ = self._wire.read_pdu(time.monotonic() + _RELEASE_TIMEOUT_S, MAX_RECEIVED_PDU_BYTES)
            if kind == PduType.RELEASE_RQ:
                self._wire.send([dimse.RELEASE_RP], time.monotonic() + _RELEASE_TIMEOUT_S)
        except (OSError, ProtocolError):
            pass
        self._close()
        return False

    def release(self) -> bool:
        """Release the association and say whether the peer agreed; closed it is in any case."""
        if not self._is_open:
            return False
        deadline = time.monotonic() + _RELEASE_TIMEOUT_S
        try:
            self._wire.send([dimse.RELEASE_RQ], deadline)
            kind, _ = self._wire.read_pdu(deadline, MAX_RECEIVED_PDU_BYTES)
            while kind in (PduType.RELEASE_RQ, PduType.P_DATA):
                if kind == PduType.RELEASE_RQ:  # a collision: the requestor answers first (PS3.8 Section 7.2.2.7)
                    self._wire.send([dimse.RELEASE_RP], deadline)
                kind, _ = self._wire.read_pdu(deadline, MAX_RECEIVED_PDU_BYTES)
        except (OSError, ProtocolError):
            return False
        else:
            return kind == PduType.RELEASE_RP
        finally:
            self._close()

    def abort(self) -> None:
        """Send A-ABORT, if that is still possible, and close."""
        if not self._is_open:
            return
        try:
            self._wire.send([dimse.a_abort()], time.monotonic() + _ABORT_TIMEOUT_S)
        except OSError:
            pass
        finally:
            self._close()

    def interrupt(self) -> None:
        """Break the connection under a `store` in another thread, which then raises `Lost`."""
        self._wire.interrupt()

    def _close(self) -> None:
        self._is_open = False
        self._wire.close()

    def _context_id(self, sop_class_uid: str, transfer_syntax: str) -> int:
        try:
            return self._contexts[Proposal(sop_class_uid, transfer_syntax)]
        except KeyError:
            raise NoContext(f"{self._title} accepts no such SOP Class in this transfer syntax") from None

    def _next_message_id(self) -> int:
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def _message(self, context_id: int, command: bytes, data_set: Sequence[Buffer]) -> Iterator[Buffer]:
        """Yield a message as P-DATA-TF PDUs of one PDV each: headers, and slices of what was given."""
        return chain(
            _fragments(context_id, True, (command,), self._fragment_bytes),  # noqa: FBT003
            _fragments(context_id, False, data_set, self._fragment_bytes),  # noqa: FBT003
        )

    def _ask(self, request: Iterator[Buffer], size_bytes: int, expected: _Expected) -> int:
        """Send a request and return the status of its answer. After an error the association is closed."""
        if not self._is_open:
            raise Lost(f"{self._title}: the association is closed")
        try:
            self._send(request, size_bytes)
            return expected.status(self._answer(expected.context_id))
        except OSError as error:
            self._close()
            raise Lost(f"{self._title}: the association broke: {_why(error)}") from None
        except BaseException:
            self.abort()
            raise

    def _send(self, buffers: Iterator[Buffer], size_bytes: int) -> None:
        """Send a message batch by batch, so that the list of buffers stays short for an instance of any size."""
        deadline = time.monotonic() + self._timeout_s + size_bytes / _SLOWEST_BYTES_PER_S
        batch: list[Buffer] = []
        batch_bytes = 0
        for buffer in buffers:
            batch.append(buffer)
            batch_bytes += len(buffer)
            if batch_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_BUFFERS:
                self._wire.send(batch, min(deadline, time.monotonic() + self._timeout_s))
                batch, batch_bytes = [], 0
        self._wire.send(batch, min(deadline, time.monotonic() + self._timeout_s))

    def _answer(self, context_id: int) -> bytes:
        """Return the command set that the peer sends next, put together from its fragments."""
        deadline = time.monotonic() + self._timeout_s
        command = bytearray()
        while True:
            kind, body = self._wire.read_pdu(deadline, MAX_RECEIVED_PDU_BYTES)
            if kind != PduType.P_DATA:
                self._end(kind)
            pdvs = dimse.iter_pdvs(body)
            for answered_id, flags, fragment in pdvs:
                if answered_id != context_id or not dimse.is_command(flags):
                    raise ProtocolError("the answer is not a command in the context of the request")
                command += fragment
                if len(command) > dimse.MAX_COMMAND_BYTES:
                    raise ProtocolError(f"the answer is longer than {dimse.MAX_COMMAND_BYTES} bytes")
                if dimse.is_last(flags):
                    if next(pdvs, None):
                        raise ProtocolError("something follows the answer in its PDU")
                    return bytes(command)

    def _end(self, kind: int) -> NoReturn:
        """Answer the end of the association that came in place of a response."""
        if kind == PduType.ABORT:
            self._close()
            raise Lost(f"{self._title} aborted the association")
        if kind == PduType.RELEASE_RQ:
            self._wire.send([dimse.RELEASE_RP], time.monotonic() + _RELEASE_TIMEOUT_S)
            self._close()
            raise Lost(f"{self._title} released the association before it answered")
        raise ProtocolError(f"PDU type {kind:#04x} in place of an answer")


def _fragments(context_id: int, is_command: bool, buffers: Sequence[Buffer], size: int) -> Iterator[Buffer]:  # noqa: FBT001
    left_bytes = sum(map(len, buffers))
    views = (memoryview(buffer) for buffer in buffers)
    view = memoryview(b"")
    is_last = False
    while not is_last:
        length = min(size, left_bytes)
        left_bytes -= length
        is_last = not left_bytes
        yield dimse.pdata_header(context_id, is_command, is_last, length)
        while length:
            if not view:
                view = next(views)
            piece = view[:length]
            yield piece
            view = view[length:]
            length -= len(piece)

"""A peer's connection, guarded: no length is believed, no wait is without end.

Attacks that each part answers (and what bare pynetdicom does with them, tests/integration/test_attacks.py): a PDU that
claims 4 GiB, one byte a second, a peer that falls silent or never reads.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass

from node.dimse import PDU_HEADER_BYTES, PduType, ProtocolError, pdata_header, pdu_header
from node.errors import Transient
from node.settings import ReceiveSettings

_PDV_OVERHEAD_BYTES = 6
_LONGEST_SENT_BYTES = 1 << 17
_FAREWELL_S = 1.0
_FAREWELL_BYTES = 1 << 20
_TIMEVAL = struct.Struct("@ll")
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only


class ConnectionLost(Transient):
    """The peer closed the connection, or it broke."""


class DeadlinePassed(Transient):
    """The peer was silent, or sent too slowly, for longer than it may."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a peer, and for how much.

    Attributes
    ----------
    idle_s
        for the next PDU
    pdu_s
        from a PDU's header to its last byte, however many pieces it comes in
    max_pdu_bytes
        the longest PDU body, as announced in the negotiation
    """

    idle_s: float
    pdu_s: float
    max_pdu_bytes: int

    @classmethod
    def from_settings(cls, settings: ReceiveSettings) -> Patience:
        """Return what the configuration grants an association."""
        return cls(settings.idle_deadline_s, settings.pdu_deadline_s, settings.max_pdu_bytes)


class Line:
    """One connection, read PDU by PDU into one buffer that is used again.

    Blocking, in the association's own thread: an idle association costs nothing. The kernel waits for a whole PDU in
    one call (MSG_WAITALL) and keeps its deadline (SO_RCVTIMEO); TLS, which has neither, counts the time itself.
    """

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        """Take over a connected socket; TCP_NODELAY and TLS are the front door's."""
        self._sock = sock
        self._patience = patience
        self._header = memoryview(bytearray(PDU_HEADER_BYTES))
        self._body = memoryview(bytearray(patience.max_pdu_bytes))
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        if self._is_tls:
            sock.settimeout(patience.pdu_s)
        else:
            sock.settimeout(None)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience.pdu_s))

    def read_pdu(self) -> tuple[int, memoryview]:
        """Return type and body of the next PDU; the body is valid until the next call.

        Raises
        ------
        ProtocolError
            for an unknown type, or a length beyond the negotiated maximum
        ConnectionLost, DeadlinePassed
            when there is no more to come, or it takes too long
        """
        self._fill(self._header, self._patience.idle_s)
        kind, length = pdu_header(self._header)
        if length > self._patience.max_pdu_bytes:
            raise ProtocolError(f"PDU of {length} bytes exceeds the negotiated maximum")
        body = self._body[:length]
        if length:
            self._fill(body, self._patience.pdu_s)
        if _QUICKACK is not None and kind == PduType.P_DATA:
            # A sender with Nagle's algorithm on (DCMTK as Debian builds it) otherwise waits 40 ms for each PDU's ACK.
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return kind, body

    def send(self, pdu: bytes) -> None:
        """Send one PDU.

        Raises
        ------
        ConnectionLost, DeadlinePassed
            when the peer is gone, or does not read
        """
        try:
            self._sock.sendall(pdu)
        except (BlockingIOError, TimeoutError):
            raise DeadlinePassed("the peer does not read") from None
        except (OSError, ValueError):
            raise ConnectionLost("the connection is closed") from None

    @property
    def idle_s(self) -> float:
        """How long the peer may be silent between two PDUs."""
        return self._patience.idle_s

    def has_more(self, within_s: float) -> bool:
        """Say whether something comes from the peer, or its end, within a time; over TLS it may be no PDU's."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        poll = select.poll()  # unlike select, it takes any number
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def send_command(self, context_id: int, command: bytes, max_pdu_bytes: int) -> None:
        """Send a command set in as many PDUs as the peer's `max_pdu_bytes` (0: no limit) asks for."""
        self._send_message(context_id, command, max_pdu_bytes, is_command=True)

    def send_data_set(self, context_id: int, data_set: bytes, max_pdu_bytes: int) -> None:
        """Send a data set in as many PDUs as the peer's `max_pdu_bytes` (0: no limit) asks for."""
        self._send_message(context_id, data_set, max_pdu_bytes or _LONGEST_SENT_BYTES, is_command=False)

    def _send_message(self, context_id: int, message: bytes, max_pdu_bytes: int, *, is_command: bool) -> None:
        step = max_pdu_bytes - _PDV_OVERHEAD_BYTES if max_pdu_bytes else len(message)
        for at in range(0, len(message), step):
            piece = message[at : at + step]
            is_last = at + step >= len(message)
            self.send(pdata_header(context_id, is_command=is_command, is_last=is_last, length=len(piece)) + piece)

    def hush(self) -> None:
        """Make a read that waits in another thread end now.

        What is to be sent then can still be sent; not over TLS, which takes the end for an attack and closes.
        """
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RD)  # SSLSocket's own would drop its TLS state

    def close(self) -> None:
        """Close at once."""
        close(self._sock)

    def close_after_farewell(self) -> None:
        """Close once the peer has read our last PDU: a close with unread bytes would reset the connection under it."""
        with contextlib.suppress(OSError, ValueError):
            socket.socket.shutdown(self._sock, socket.SHUT_WR)
            self._drain(time.monotonic() + _FAREWELL_S)
        self.close()

    def _drain(self, deadline: float) -> None:
        left = _FAREWELL_BYTES
        while left > 0 and (wait_s := deadline - time.monotonic()) > 0:
            self._sock.settimeout(wait_s)
            got = socket.socket.recv_into(self._sock, self._body)
            if not got:
                return
            left -= got

    def _fill(self, view: memoryview, within_s: float) -> None:
        # No bound method is kept in its own object: as a cycle the buffer would wait for the garbage collector.
        if self._is_tls:
            self._fill_by_clock(view, within_s)
        else:
            self._fill_by_kernel(view, within_s)

    def _fill_by_kernel(self, view: memoryview, within_s: float) -> None:
        deadline = 0.0
        wait_s = within_s
        while True:
            try:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(wait_s))
                if not deadline:
                    deadline = time.monotonic() + within_s
                got = self._sock.recv_into(view, 0, socket.MSG_WAITALL)
            except BlockingIOError:
                raise DeadlinePassed("the peer is too slow") from None
            except OSError:
                raise ConnectionLost("the connection is broken") from None
            if got == len(view):
                return
            wait_s = deadline - time.monotonic()
            if not got:
                raise ConnectionLost("the peer closed the connection")
            if wait_s <= 0:
                raise DeadlinePassed("the peer is too slow")
            view = view[got:]

    def _fill_by_clock(self, view: memoryview, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while len(view):
            wait_s = deadline - time.monotonic()
            if wait_s <= 0:
                raise DeadlinePassed("the peer is too slow")
            try:
                self._sock.settimeout(wait_s)
                got = self._sock.recv_into(view)
            except TimeoutError:
                raise DeadlinePassed("the peer is too slow") from None
            except (OSError, ValueError):
                raise ConnectionLost("the connection is broken") from None
            if not got:
                raise ConnectionLost("the peer closed the connection")
            view = view[got:]


def close(sock: socket.socket) -> None:
    """Close a socket, whatever state it is in."""
    with contextlib.suppress(OSError):
        sock.close()


def _timeval(seconds: float) -> bytes:
    """Return a struct timeval; zero would mean no deadline at all."""
    microseconds = max(1, round(seconds * 1_000_000))
    return _TIMEVAL.pack(microseconds // 1_000_000, microseconds % 1_000_000)

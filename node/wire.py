"""One TCP or TLS connection that carries PDUs, with a deadline on everything that waits."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import TYPE_CHECKING

from node.access.tls import current_requestor, secured
from node.dimse import PDU_HEADER_BYTES, ProtocolError, pdu_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.encoding.element import Buffer
    from node.setting_types import Tls

_RECEIVE_BYTES = 16 * 1024


def connect(host: str, port: int, tls: Tls | None, timeout_s: float) -> Wire:
    """Connect, with Nagle's algorithm off: it waits for the acknowledgement of the last PDU of every instance.

    Raises
    ------
    OSError
        if the name is unknown, nobody listens, `timeout_s` passes, or TLS does not come about
    Misconfigured
        if the certificate, the key or the CA cannot be used
    """
    if tls:
        tls_context(tls)
    sock = socket.create_connection((host, port), timeout=timeout_s)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if tls:
            sock = secured(sock, tls, host)
    except BaseException:
        sock.close()
        raise
    return Wire(sock)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return a context that authenticates both ends, of the files as they are now.

    Raises
    ------
    Misconfigured
        if the certificate, the key or the CA cannot be used, and never could since this process began
    """
    return current_requestor(tls)


class Wire:
    """A connected socket; one thread uses it, any thread may `interrupt` it.

    Deadlines are readings of `time.monotonic`. What passes them, and what the network breaks, is an `OSError`.
    """

    __slots__ = ("_inbox", "_is_tls", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        self._inbox = bytearray()

    @property
    def sock(self) -> socket.socket:
        """The socket itself, for whoever negotiates."""
        return self._sock

    def send(self, buffers: Sequence[Buffer], deadline: float) -> None:
        """Send the buffers in order without joining them (TLS has to: it encrypts into a buffer anyway)."""
        if self._is_tls:
            self._sock.settimeout(_remaining_s(deadline))
            self._sock.sendall(b"".join(buffers))
            return
        while buffers:
            self._sock.settimeout(_remaining_s(deadline))
            buffers = _unsent(buffers, self._sock.sendmsg(buffers))

    def read_pdu(self, deadline: float, max_bytes: int) -> tuple[int, bytes]:
        """Return type and body of the next PDU.

        Raises
        ------
        ProtocolError
            if its type is unknown or it is longer than `max_bytes`; nothing of it is read then
        """
        while len(self._inbox) < PDU_HEADER_BYTES:
            self._fill(deadline)
        kind, length = pdu_header(self._inbox)
        if length > max_bytes:
            raise ProtocolError(f"PDU of type {kind:#04x} is longer than {max_bytes} bytes")
        end = PDU_HEADER_BYTES + length
        while len(self._inbox) < end:
            self._fill(deadline)
        body = bytes(self._inbox[PDU_HEADER_BYTES:end])
        del self._inbox[:end]
        return kind, body

    def is_readable(self) -> bool:
        """Say whether bytes, or the end of the connection, wait to be read."""
        if self._inbox:
            return True
        self._sock.settimeout(0)
        try:  # not by poll: TLS also receives what is no data, like session tickets
            received = self._sock.recv(_RECEIVE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        self._inbox += received
        return True

    def interrupt(self) -> None:
        """Break the connection under whoever waits on it; safe from any thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; again is harmless."""
        self._sock.close()

    def _fill(self, deadline: float) -> None:
        self._sock.settimeout(_remaining_s(deadline))
        received = self._sock.recv(_RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("connection closed by the peer")
        self._inbox += received


def _remaining_s(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("deadline passed")
    return remaining


def _unsent(buffers: Sequence[Buffer], sent: int) -> list[Buffer]:
    """Return what is left of `buffers` after their first `sent` bytes."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[index + 1 :]]
        sent -= len(buffer)
    return []

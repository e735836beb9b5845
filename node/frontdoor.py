"""The listening socket: connections stay here, without a thread, until they have said who they are.

One loop accepts, turns away addresses that no peer has, shakes hands for TLS, and reads the A-ASSOCIATE-RQ; only a
complete one is handed over. So a thousand silent connections cost a thousand sockets at most, and keep nobody waiting.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address

from node.acceptance import LOCAL_LIMIT_EXCEEDED
from node.access.certificate import Certificate
from node.access.tls import current_acceptor
from node.dimse import PDU_HEADER_BYTES, PduType, ProtocolError, a_abort, pdu_header
from node.errors import Misconfigured
from node.guard import close
from node.log import Event, emit
from node.settings import ReceiveSettings

_BACKLOG = 256
_READ_BYTES = 64 * 1024
_LINGER_S = 2.0
_NO_SOCKETS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BREATH_S = 0.2  # without a socket to give up, wait for one instead of spinning


@dataclass(frozen=True, slots=True)
class Caller:
    """A peer that has sent a complete A-ASSOCIATE-RQ: its connection, its address, and the body of that PDU.

    Attributes
    ----------
    certificate
        that it has shown, and the CA vouches for; None without TLS, or where none is asked for
    """

    sock: socket.socket
    address: str
    request: bytes
    certificate: Certificate | None = None


class Phase(Enum):
    """What is waited for."""

    HANDSHAKE = "handshake"
    REQUEST = "request"
    FAREWELL = "farewell"


@dataclass(slots=True, eq=False)
class Pending:
    """A connection that has not yet said who it is, or that is being turned away.

    Attributes
    ----------
    received
        the A-ASSOCIATE-RQ as far as it has come; grows with what arrives, never by what is claimed
    """

    sock: socket.socket
    address: str
    deadline: float
    phase: Phase
    received: bytearray = field(default_factory=bytearray)
    missing: int = PDU_HEADER_BYTES
    certificate: Certificate | None = None


class FrontDoor:
    """Owns the listening socket and everything that is not yet an association.

    Parameters
    ----------
    settings
        address, port, limits, TLS
    admits_address
        says whether a peer may call from an address at all
    enter
        takes a caller over; False if there is no room, then the caller is rejected as a transient condition

    Raises
    ------
    Misconfigured
        if the address cannot be listened on, or TLS files cannot be used
    """

    def __init__(
        self, settings: ReceiveSettings, admits_address: Callable[[str], bool], enter: Callable[[Caller], bool]
    ) -> None:
        self._settings = settings
        self._admits_address = admits_address
        self._enter = enter
        self._tls = None if settings.tls is None else current_acceptor(settings.tls)
        self._listener = _listen(settings)
        self._pending: dict[Pending, None] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._stopping = False
        self._steps = {
            Phase.HANDSHAKE: self._shake_hands,
            Phase.REQUEST: self._read_request,
            Phase.FAREWELL: self._listen_for_the_end,
        }
        self._resume_at: float | None = None
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """The port that is listened on, also where the configuration left the choice to the system (0)."""
        port: int = self._listener.getsockname()[1]
        return port

    def renew(self, settings: ReceiveSettings) -> None:
        """Go by other limits from now on; the address, the port and TLS stay; may be called from any thread."""
        self._settings = settings

    def stop(self) -> None:
        """Make `run` return; may be called from any thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def run(self) -> None:
        """Answer the door until `stop`; then close it and everyone who is still waiting before it."""
        try:
            while not self._stopping:
                self._turn()
        finally:
            for pending in list(self._pending):
                self._drop(pending)
            self._selector.close()
            for sock in (self._listener, self._wake_receiver, self._wake_sender):
                close(sock)

    def _turn(self) -> None:
        """Wait for the next event or deadline, and serve it."""
        for key, _ in self._selector.select(self._wait_s()):
            if key.data is not None:
                self._serve(key.data)
            elif key.fileobj is self._listener:
                self._accept()
        now = time.monotonic()
        for pending in [p for p in self._pending if p.deadline <= now]:
            self._drop(pending)
            if pending.phase is not Phase.FAREWELL:
                emit(Event.DEADLINE_MISSED, address=ip_address(pending.address))
        if self._resume_at is not None and self._resume_at <= now:
            self._resume_at = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _wait_s(self) -> float | None:
        deadlines = [p.deadline for p in self._pending]
        if self._resume_at is not None:
            deadlines.append(self._resume_at)
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _accept(self) -> None:
        try:
            sock, peer = self._listener.accept()
        except OSError as error:
            if error.errno in _NO_SOCKETS:
                self._make_room_for_sockets()
            return  # else: the caller has gone in the meantime
        address = peer[0]
        if not self._admits_address(address):
            close(sock)
            emit(Event.CONNECTION_REFUSED, address=ip_address(address))
            return
        if len(self._pending) >= self._settings.max_pending_connections:
            self._drop_the_oldest()
        self._welcome(sock, address)

    def _welcome(self, sock: socket.socket, address: str) -> None:
        deadline = time.monotonic() + self._settings.associate_deadline_s
        phase = Phase.REQUEST
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is not None:
                sock = self._tls.get().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                phase = Phase.HANDSHAKE
        except OSError:
            close(sock)
            return
        pending = Pending(sock, address, deadline, phase)
        self._pending[pending] = None
        self._selector.register(sock, selectors.EVENT_READ, pending)
        if phase is Phase.REQUEST:  # a sender on the same network has often sent its request by now
            self._serve(pending)

    def _make_room_for_sockets(self) -> None:
        if self._pending:
            self._drop_the_oldest()
            return
        self._selector.unregister(self._listener)
        self._resume_at = time.monotonic() + _BREATH_S

    def _drop_the_oldest(self) -> None:
        """Drop the oldest connection of the address that has the most: who floods displaces only itself."""
        crowd, waiting = Counter(p.address for p in self._pending).most_common(1)[0]
        self._drop(next(p for p in self._pending if p.address == crowd))
        emit(Event.CONNECTION_DROPPED, address=ip_address(crowd), waiting=waiting)

    def _serve(self, pending: Pending) -> None:
        """Take the next step with a connection that has something for us."""
        if pending not in self._pending:
            return  # dropped by another event of the same turn
        try:
            self._steps[pending.phase](pending)
        except (ssl.SSLWantReadError, BlockingIOError):
            self._selector.modify(pending.sock, selectors.EVENT_READ, pending)
        except ssl.SSLWantWriteError:
            self._selector.modify(pending.sock, selectors.EVENT_WRITE, pending)
        except ProtocolError:
            emit(Event.PROTOCOL_ERROR, address=ip_address(pending.address))
            self._turn_away(pending, a_abort(source=2, reason=1))
        except (OSError, ValueError):
            event = Event.TLS_FAILED if pending.phase is Phase.HANDSHAKE else Event.CONNECTION_LOST
            emit(event, address=ip_address(pending.address))
            self._drop(pending)

    def _shake_hands(self, pending: Pending) -> None:
        if isinstance(pending.sock, ssl.SSLSocket):
            pending.sock.do_handshake()
            pending.certificate = Certificate.of_peer(pending.sock)
        pending.phase = Phase.REQUEST
        self._read_request(pending)

    def _read_request(self, pending: Pending) -> None:
        """Read on until the request is complete or nothing is left to read; never beyond its end."""
        while pending.missing:
            piece = pending.sock.recv(min(pending.missing, _READ_BYTES))
            if not piece:
                self._drop(pending)
                return
            pending.received += piece
            pending.missing -= len(piece)
            if not pending.missing and len(pending.received) == PDU_HEADER_BYTES:
                pending.missing = self._claimed_bytes(pending.received)
        self._hand_over(pending)

    def _claimed_bytes(self, header: bytearray) -> int:
        kind, length = pdu_header(header)
        if kind != PduType.ASSOCIATE_RQ or not 0 < length <= self._settings.max_pdu_before_negotiation_bytes:
            raise ProtocolError("the first PDU is no A-ASSOCIATE-RQ of a reasonable length")
        return length

    def _hand_over(self, pending: Pending) -> None:
        request = bytes(pending.received[PDU_HEADER_BYTES:])
        caller = Caller(pending.sock, pending.address, request, pending.certificate)
        self._selector.unregister(pending.sock)
        if self._enter(caller):
            del self._pending[pending]
            return
        self._selector.register(pending.sock, selectors.EVENT_READ, pending)
        self._turn_away(pending, LOCAL_LIMIT_EXCEEDED.pdu())

    def _turn_away(self, pending: Pending, pdu: bytes) -> None:
        """Say why, and leave the peer a moment to read it."""
        with contextlib.suppress(OSError, ValueError):
            pending.sock.send(pdu)
            socket.socket.shutdown(pending.sock, socket.SHUT_WR)
            pending.phase = Phase.FAREWELL
            pending.deadline = time.monotonic() + _LINGER_S
            return
        self._drop(pending)

    def _listen_for_the_end(self, pending: Pending) -> None:
        if not socket.socket.recv(pending.sock, _READ_BYTES):
            self._drop(pending)

    def _drop(self, pending: Pending) -> None:
        del self._pending[pending]
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(pending.sock)
        close(pending.sock)


def _listen(settings: ReceiveSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.processes > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((settings.address, settings.port))
        listener.listen(_BACKLOG)
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"receive: cannot listen on {settings.address} port {settings.port}: {error.strerror}"
        ) from None
    return listener

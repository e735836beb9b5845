"""A proxy between the node and an archive that reads DICOM: it passes messages on, or does to them as a fault says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from node import dimse
from node.dimse import CommandField, PduType, ProtocolError, Tag

HOST = "127.0.0.1"
_SILENCE_S = 60.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST


class Ended(Exception):
    """A connection is over, by whomever."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message as the node sent it.

    Attributes
    ----------
    pdus
        as they came
    """

    pdus: list[bytes]
    context_id: int
    command: dict[int, bytes]

    @property
    def is_store(self) -> bool:
        return dimse.us(self.command, Tag.COMMAND_FIELD) == CommandField.C_STORE_RQ

    @property
    def instance_uid(self) -> str:
        return dimse.uid(self.command, Tag.AFFECTED_SOP_INSTANCE_UID)

    @property
    def message_id(self) -> int:
        return dimse.us(self.command, Tag.MESSAGE_ID)

    def response(self, status: int, **changes: int) -> bytes:
        """Return a P-DATA-TF PDU with a C-STORE-RSP; `changes` are its message_id or context_id."""
        class_uid = dimse.uid(self.command, Tag.AFFECTED_SOP_CLASS_UID)
        message_id = changes.get("message_id", self.message_id)
        command = dimse.c_store_rsp(message_id, class_uid, self.instance_uid, status)
        return pdata(changes.get("context_id", self.context_id), command)


def pdata(context_id: int, command: bytes) -> bytes:
    return dimse.pdata_header(context_id, is_command=True, is_last=True, length=len(command)) + command


class Link:
    """One connection of the node, and the one to the archive behind it."""

    def __init__(self, node: socket.socket, archive_port: int) -> None:
        self.node = node
        self._archive_port = archive_port
        self._archive: socket.socket | None = None

    @property
    def archive(self) -> socket.socket:
        if self._archive is None:
            self._archive = socket.create_connection((HOST, self._archive_port), timeout=_SILENCE_S)
            self._archive.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._archive

    def associate(self, change: Callable[[bytes], bytes] = lambda answer: answer) -> None:
        """Pass the A-ASSOCIATE-RQ on, and the answer back."""
        self.archive.sendall(read_pdu(self.node))
        self.node.sendall(change(read_pdu(self.archive)))

    def next_request(self) -> Request:
        """Return the node's next message; what is none is passed on, and ends the connection."""
        pdus: list[bytes] = []
        command = b""
        while True:
            pdu = read_pdu(self.node)
            pdus.append(pdu)
            if pdu[0] != PduType.P_DATA:
                with contextlib.suppress(OSError):
                    self.archive.sendall(pdu)
                    self.node.sendall(read_pdu(self.archive))
                raise Ended
            for context_id, flags, piece in dimse.iter_pdvs(pdu[dimse.PDU_HEADER_BYTES :]):
                if dimse.is_command(flags):
                    command += bytes(piece)
                if dimse.is_last(flags):
                    decoded = dimse.decode_command(command)
                    if not dimse.is_command(flags) or not dimse.has_data_set(decoded):
                        return Request(pdus, context_id, decoded)

    def forward(self, request: Request) -> bytes:
        """Pass a message on and return the archive's answer."""
        self.archive.sendall(b"".join(request.pdus))
        return read_pdu(self.archive)

    def reset(self) -> None:
        """End the node's connection by RST."""
        self.node.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # a TLS socket is closed as the socket it is: no alert comes first
        socket.socket.close(self.node)
        raise Ended

    def hang(self) -> None:
        """Say nothing more until the node ends the connection."""
        self.node.settimeout(_SILENCE_S)
        while self.node.recv(1 << 16):
            pass
        raise Ended

    def close(self) -> None:
        for sock in (self.node, self._archive):
            if sock is not None:
                sock.close()


def read_pdu(sock: socket.socket) -> bytes:
    header = _read(sock, dimse.PDU_HEADER_BYTES)
    return header + _read(sock, int.from_bytes(header[2:], "big"))


def _read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise Ended
        data += piece
    return data


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. The first thing that is not None is done, where it can be.

    Attributes
    ----------
    connected
        is called instead of anything else, as soon as a connection is there
    associating
        is called instead of passing the association on
    storing
        is called instead of passing a C-STORE of the victim on
    tls
        the contexts of the first connections; None: without TLS, though the node wants it
    """

    connected: Callable[[Link], object] | None = None
    associating: Callable[[Link], object] | None = None
    storing: Callable[[Link, Request], object] | None = None
    tls: tuple[ssl.SSLContext | None, ...] = ()


@dataclass
class Proxy:
    """Listens while the context is entered.

    Parameters
    ----------
    fault
        is done `times` times; then all is passed on
    victim
        the SOP Instance UID whose C-STOREs a fault hits
    tls
        with which all connections are served that no fault hits

    Attributes
    ----------
    attempts
        C-STOREs of the victim that came so far
    hits
        how often the fault was done
    """

    archive_port: int
    fault: Fault
    times: int
    victim: str
    tls: ssl.SSLContext | None = None
    attempts: int = 0
    hits: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sockets: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(_SILENCE_S)
                self._sockets.append(sock)
                threading.Thread(target=self._converse, args=(sock,), daemon=True).start()

    def _converse(self, sock: socket.socket) -> None:
        try:
            with self._secured(sock) as secured, contextlib.closing(Link(secured, self.archive_port)) as link:
                self._relay(link)
        except (Ended, OSError, ProtocolError):
            pass
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    @contextlib.contextmanager
    def _secured(self, sock: socket.socket) -> Iterator[socket.socket]:
        context = self.tls
        if self.fault.tls and self._hits():
            context = self.fault.tls[0]
        if context is None:
            yield sock
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(sock, server_side=True) as secured:
            yield secured

    def _relay(self, link: Link) -> None:
        if self.fault.connected and self._hits():
            self.fault.connected(link)
            return
        if self.fault.associating and self._hits():
            self.fault.associating(link)
        else:
            link.associate()
        while True:
            request = link.next_request()
            if request.is_store and request.instance_uid == self.victim:
                self.attempts += 1
                if self.fault.storing and self._hits():
                    self.fault.storing(link, request)
                    continue
            link.node.sendall(link.forward(request))

    def _hits(self) -> bool:
        with self._lock:
            is_hit = self.hits < self.times
            self.hits += is_hit
            return is_hit

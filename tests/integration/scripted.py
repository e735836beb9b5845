"""Archives that misbehave on cue: a real socket, a real A-ASSOCIATE-AC, and then whatever a test scripts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pynetdicom.pdu import A_ASSOCIATE_RQ

from node import dimse
from node.dimse import PduType, ProtocolError
from node.settings import Destination
from tests.network import free_port

__all__ = [
    "CT",
    "EXPLICIT",
    "IMPLICIT",
    "Answer",
    "Conversation",
    "ScriptedStore",
    "destination",
    "ends",
    "free_port",
    "scripted_archive",
    "storescp",
]

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"


def destination(port: int, **changes: object) -> Destination:
    return Destination(name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=port, **changes)


class Conversation:
    """One connection, seen from the archive."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pdu_lengths: list[int] = []

    def read_exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self.sock.recv(length - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    def read_pdu(self) -> tuple[int, bytes]:
        kind, length = dimse.pdu_header(self.read_exactly(6))
        self.pdu_lengths.append(length)
        return kind, self.read_exactly(length)

    def accept(self, max_pdu_bytes: int = 16384, accepts: Callable[[str, str], bool] = lambda *_: True) -> None:
        """Answer the A-ASSOCIATE-RQ."""
        kind, body = self.read_pdu()
        request = A_ASSOCIATE_RQ()
        request.decode(struct.pack(">BBI", kind, 0, len(body)) + body)
        items = [_item(0x10, b"1.2.840.10008.3.1.1.1")]
        for context in request.presentation_context:
            syntax = str(context.transfer_syntax[0])
            result = 0 if accepts(str(context.abstract_syntax), syntax) else 3
            items.append(_item(0x21, bytes([context.context_id, 0, result, 0]) + _item(0x40, syntax.encode())))
        items.append(_item(0x50, _item(0x51, struct.pack(">I", max_pdu_bytes)) + _item(0x52, b"2.25.1")))
        answer = struct.pack(">HH", 1, 0) + body[4:36] + bytes(32) + b"".join(items)
        self.sock.sendall(struct.pack(">BBI", PduType.ASSOCIATE_AC, 0, len(answer)) + answer)

    def read_message(self) -> tuple[int, dict[int, bytes], bytes]:
        """Return context ID, command and data set of the next request."""
        command, data, context_id = b"", b"", 0
        while True:
            kind, body = self.read_pdu()
            if kind != PduType.P_DATA:
                raise ConnectionResetError
            for context_id, flags, piece in dimse.iter_pdvs(body):  # noqa: B007
                if dimse.is_command(flags):
                    command += bytes(piece)
                else:
                    data += bytes(piece)
            decoded = dimse.decode_command(command) if dimse.is_last(flags) else {}
            if decoded and not (dimse.is_command(flags) and dimse.has_data_set(decoded)):
                return context_id, decoded, data

    def answer(self, context_id: int, command: bytes) -> None:
        self.sock.sendall(dimse.pdata_header(context_id, True, True, len(command)) + command)

    def answer_store(self, status: int = 0) -> dict[int, bytes]:
        """Take one C-STORE and answer it."""
        context_id, command, _ = self.read_message()
        self.answer(context_id, dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", status))
        return command


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


@contextlib.contextmanager
def scripted_archive(
    script: Callable[[Conversation], None], port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve every connection with `script` in a thread of its own and yield the port."""
    listener = socket.create_server(("127.0.0.1", port))
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def converse(sock: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, ProtocolError),
            tls.wrap_socket(sock, server_side=True) if tls else sock as line,
        ):
            script(Conversation(line))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                connections.append(sock)
                threads.append(threading.Thread(target=converse, args=(sock,), daemon=True))
                threads[-1].start()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        server.join(5)
        for thread in threads:
            thread.join(5)


Answer = Callable[[Conversation, int, dict[int, bytes]], object]


class ScriptedStore:
    """An archive that keeps what it acknowledges; `answers` misbehave for the first instances, one each."""

    def __init__(self, *answers: int | Answer, accepts: Callable[[str, str], bool] = lambda *_: True) -> None:
        self.stored: list[tuple[str, bytes]] = []
        self.syntaxes: list[set[str]] = []
        self.associations = 0
        self.released = 0
        self._answers = iter(answers)
        self._accepts = accepts
        self._lock = threading.Lock()

    def __call__(self, archive: Conversation) -> None:
        archive.accept(accepts=self._accepts)
        with self._lock:
            self.associations += 1
        try:
            while True:
                self._one(archive)
        except ConnectionResetError:
            self.released += 1

    def _one(self, archive: Conversation) -> None:
        context_id, command, data = archive.read_message()
        with self._lock:
            answer = next(self._answers, 0)
        if callable(answer):
            answer(archive, context_id, command)
            return
        if answer in (0, 0xB000, 0xB006, 0xB007):
            with self._lock:
                self.stored.append((dimse.uid(command, dimse.Tag.AFFECTED_SOP_INSTANCE_UID), data))
        archive.answer(context_id, dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", answer))

    @property
    def uids(self) -> list[str]:
        return [uid for uid, _ in self.stored]


def ends(how: str) -> Answer:
    def end(archive: Conversation, _: int, __: dict[int, bytes]) -> None:
        if how == "abort":
            archive.sock.sendall(dimse.a_abort())
        elif how == "stall":
            archive.sock.recv(1)
        elif how == "garbage":
            archive.sock.sendall(b"garbage")
        archive.sock.close()
        raise ConnectionResetError

    return end


@contextlib.contextmanager
def storescp(folder: Path, *options: str) -> Iterator[int]:
    """Run DCMTK's storescp, which writes what it receives bit by bit; it serves one association at a time."""
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("DCMTK's storescp is not installed")
    port = free_port()
    process = subprocess.Popen(
        [program, "-aet", "ARCHIVE", "+B", "-od", str(folder), *options, str(port)],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()

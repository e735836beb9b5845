"""A receiver in this process, and a sender over a raw socket that does what a test tells it, good or bad."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from node import dimse
from node.acceptance import APPLICATION_CONTEXT
from node.dimse import PduType, Tag
from node.ledger import Ledger, open_ledger
from node.scp import Receiver
from node.settings import Peer, Project, ReceiveSettings, Settings, SpoolSettings
from node.spool import Spool

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
VERIFICATION = dimse.VERIFICATION


def settings_for(folder: Path, peers: Sequence[Peer] = (), **receive: object) -> Settings:
    """Return settings with a spool below `folder`, any free port, and short deadlines."""
    limits = ReceiveSettings(port=0, associate_deadline_s=3.0, pdu_deadline_s=2.0, idle_deadline_s=5.0)
    return Settings(
        spool=SpoolSettings(folder / "spool", min_free_bytes=1),
        receive=replace(limits, **receive),
        peers=tuple(peers) or Settings().peers,
        projects=(Project("default"), Project("trial", called_ae_title="TRIAL")),
    )


class Running:
    """A receiver at work, and what it has put where."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.receiver = Receiver(settings)
        self.port = self.receiver.port
        self.thread = threading.Thread(target=self.receiver.run, name="door", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.receiver.stop()
        self.thread.join(10)

    @property
    def spool(self) -> Spool:
        return Spool(self.settings.spool.path, 1)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings.spool.path)

    def files(self) -> list[str]:
        """Return the names of all files in the spool's incoming folder."""
        return sorted(path.name for path in (self.settings.spool.path / "incoming").iterdir())


@contextlib.contextmanager
def receiving(settings: Settings) -> Iterator[Running]:
    running = Running(settings)
    try:
        yield running
    finally:
        running.stop()
    assert not running.thread.is_alive()


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def associate_rq(
    contexts: Sequence[tuple[str, Sequence[str]]],
    calling: str = "SENDER",
    called: str = "DEIDNODE",
    max_pdu: int = 16384,
    user_items: bytes = b"",
) -> bytes:
    """Encode an A-ASSOCIATE-RQ with the contexts 1, 3, 5 …, and with further items of the User Information."""
    body = struct.pack(">HH16s16s32x", 1, 0, called.encode().ljust(16), calling.encode().ljust(16))
    body += _item(0x10, APPLICATION_CONTEXT.encode())
    for index, (abstract, syntaxes) in enumerate(contexts):
        subitems = _item(0x30, abstract.encode()) + b"".join(_item(0x40, uid.encode()) for uid in syntaxes)
        body += _item(0x20, bytes([2 * index + 1, 0, 0, 0]) + subitems)
    body += _item(0x50, _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, b"1.2.3.4") + user_items)
    return struct.pack(">BBI", PduType.ASSOCIATE_RQ, 0, len(body)) + body


class Sender:
    """One connection to the receiver."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, timeout_s: float = 10.0) -> None:
        sock = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = tls.wrap_socket(sock, server_hostname="localhost") if tls else sock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read_exactly(self, count: int) -> bytes:
        """Read; raise ConnectionResetError where the receiver closes first."""
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    def read_pdu(self) -> tuple[int, bytes]:
        kind, length = dimse.pdu_header(self.read_exactly(6))
        return kind, self.read_exactly(length)

    def is_closed_by_peer(self) -> bool:
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def associate(
        self,
        *contexts: tuple[str, Sequence[str]],
        calling: str = "SENDER",
        called: str = "DEIDNODE",
        max_pdu: int = 16384,
    ) -> dict[int, int]:
        """Associate; return the results by context ID."""
        self.send(associate_rq(contexts or [(CT, [EXPLICIT])], calling, called, max_pdu))
        kind, body = self.read_pdu()
        assert kind == PduType.ASSOCIATE_AC, (kind, body)
        return _results(body)

    def send_command(self, context_id: int, command: bytes) -> None:
        self.send(dimse.pdata_header(context_id, is_command=True, is_last=True, length=len(command)) + command)

    def send_data(self, context_id: int, data: bytes, *, last: bool = True, step: int = 16000) -> None:
        pieces = [data[at : at + step] for at in range(0, len(data), step)]
        for index, piece in enumerate(pieces):
            is_last = last and index == len(pieces) - 1
            self.send(dimse.pdata_header(context_id, is_command=False, is_last=is_last, length=len(piece)) + piece)

    def read_status(self) -> int:
        """Read a response; return its status."""
        command = b""
        while True:
            kind, body = self.read_pdu()
            assert kind == PduType.P_DATA, kind
            for _, flags, fragment in dimse.iter_pdvs(body):
                command += fragment
                if dimse.is_last(flags):
                    return dimse.us(dimse.decode_command(command), Tag.STATUS)

    def store(self, data: bytes, class_uid: str = CT, instance_uid: str = "1.2.3.4", context_id: int = 1) -> int:
        """Send one instance; return the status of the answer."""
        self.send_command(context_id, dimse.c_store_rq(1, class_uid, instance_uid))
        self.send_data(context_id, data)
        return self.read_status()

    def echo(self, context_id: int = 1) -> int:
        self.send_command(context_id, dimse.c_echo_rq(7))
        return self.read_status()

    def release(self) -> None:
        self.send(dimse.RELEASE_RQ)
        assert self.read_pdu() == (PduType.RELEASE_RP, bytes(4))
        assert self.is_closed_by_peer()


def _results(body: bytes) -> dict[int, int]:
    results, at = {}, 68
    while at < len(body):
        kind, _, length = struct.unpack_from(">BBH", body, at)
        if kind == 0x21:
            results[body[at + 4]] = body[at + 6]
        at += 4 + length
    return results


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Encode an element of a short VR as Explicit VR Little Endian."""
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def instance(class_uid: str = CT, instance_uid: str = "1.2.3.4", pixel_bytes: int = 2048) -> bytes:
    """Encode a minimal instance as Explicit VR Little Endian."""
    padded = [uid.encode() + b"\0" * (len(uid) % 2) for uid in (class_uid, instance_uid)]
    pixels = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", pixel_bytes) + b"\x5a" * pixel_bytes
    return element(0x00080016, "UI", padded[0]) + element(0x00080018, "UI", padded[1]) + pixels

"""Peers that mean harm, or are broken: each costs itself only, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from node import dimse
from node.dimse import PduType
from node.settings import Peer
from tests.integration.receiving import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Running,
    Sender,
    associate_rq,
    instance,
    receiving,
    settings_for,
)

SUCCESS, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
CLAIM_4_GIB = b"\xff\xff\xff\xff"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Running]:
    with receiving(settings_for(tmp_path)) as running:
        yield running


def assert_served_within_a_second(node: Running) -> None:
    started = time.monotonic()
    with Sender(node.port) as sender:
        sender.associate((VERIFICATION, [IMPLICIT]))
        assert sender.echo() == SUCCESS
    assert time.monotonic() - started < 1.0


def assert_nothing_is_left(node: Running) -> None:
    deadline = time.monotonic() + 5
    while node.files() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert node.files() == []
    assert node.ledger.pending(10) == []


def rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize("kind", [PduType.ASSOCIATE_RQ, PduType.P_DATA])
def test_a_first_pdu_that_claims_4_gib_is_cut_at_its_header(node: Running, kind: int) -> None:
    before = rss_bytes()
    with Sender(node.port) as sender:
        sender.send(bytes([kind, 0]) + CLAIM_4_GIB)
        assert sender.read_pdu()[0] == PduType.ABORT
        assert sender.is_closed_by_peer()
    assert rss_bytes() - before < 8 << 20
    assert_served_within_a_second(node)


def test_a_pdu_that_claims_4_gib_within_an_association_is_aborted_and_leaves_nothing(node: Running) -> None:
    before = rss_bytes()
    with Sender(node.port) as sender:
        sender.associate()
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send_data(1, instance()[:1000], last=False)
        sender.send(bytes([PduType.P_DATA, 0]) + CLAIM_4_GIB + bytes(1000))
        with contextlib.suppress(ConnectionError):
            assert sender.read_pdu()[0] == PduType.ABORT
    assert rss_bytes() - before < 8 << 20
    assert_nothing_is_left(node)


def test_200_silent_connections_keep_nobody_waiting(node: Running) -> None:
    silent = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(200)]
    try:
        for _ in range(5):
            assert_served_within_a_second(node)
    finally:
        for sock in silent:
            sock.close()


def test_who_floods_displaces_itself_and_not_a_slower_neighbour(tmp_path: Path) -> None:
    peers = [Peer("*", "127.0.0.0/8")]
    with receiving(settings_for(tmp_path, peers, max_pending_connections=16)) as node, Sender(node.port) as slow:
        request = associate_rq([(CT, [EXPLICIT])])
        slow.send(request[:50])
        flood = [
            socket.create_connection(("127.0.0.1", node.port), source_address=("127.0.0.2", 0)) for _ in range(100)
        ]
        slow.send(request[50:])
        assert slow.read_pdu()[0] == PduType.ASSOCIATE_AC
        for sock in flood:
            sock.close()


def test_silent_connections_are_closed_at_their_deadline(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, associate_deadline_s=0.3)) as node, Sender(node.port) as sender:
        started = time.monotonic()
        assert sender.is_closed_by_peer()
        assert 0.2 < time.monotonic() - started < 1.5


def test_a_request_at_one_byte_a_time_is_cut_at_the_deadline(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, associate_deadline_s=0.5)) as node, Sender(node.port) as sender:
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in associate_rq([(CT, [EXPLICIT])]):
                sender.send(bytes([byte]))
                time.sleep(0.05)
            assert sender.is_closed_by_peer()
        assert time.monotonic() - started < 2.0
        assert_served_within_a_second(node)


def test_a_data_set_at_one_byte_a_time_is_cut_at_the_deadline_and_leaves_nothing(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, pdu_deadline_s=0.5)) as node, Sender(node.port) as sender:
        sender.associate()
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send(dimse.pdata_header(1, is_command=False, is_last=True, length=4000))
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 5:
                sender.send(b"\0")
                time.sleep(0.05)
        assert time.monotonic() - started < 3
        assert_nothing_is_left(node)


def test_an_association_that_falls_silent_is_aborted(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, idle_deadline_s=0.5)) as node, Sender(node.port) as sender:
        sender.associate()
        assert sender.read_pdu()[0] == PduType.ABORT
        assert_served_within_a_second(node)


@pytest.mark.parametrize(
    "instance_uid",
    ["../../../../tmp/evil", "1.2/../3", "..", "1..2", ".1", "1.", "1.2.x", "1.2 3", "9" * 65, "", "1.2\n"],
)
def test_what_is_no_uid_is_answered_c000_and_names_no_file(node: Running, tmp_path: Path, instance_uid: str) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "ledger" not in path.name)
    with Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance(instance_uid=instance_uid), instance_uid=instance_uid) == NOT_UNDERSTOOD
    assert sorted(path for path in tmp_path.rglob("*") if "ledger" not in path.name) == before


def test_a_uid_with_a_path_in_the_data_set_alone_is_answered_c000(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance(instance_uid="../../x"), instance_uid="1.2.3.4") == NOT_UNDERSTOOD
    assert_nothing_is_left(node)


@pytest.mark.parametrize("goodbye", ["abort", "release", "close", "reset"])
def test_an_end_in_mid_instance_leaves_nothing(node: Running, goodbye: str) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send_data(1, instance(pixel_bytes=200_000)[:100_000], last=False)
        deadline = time.monotonic() + 5
        while not node.files() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [Path(name).suffix for name in node.files()] == [".part"]
        if goodbye == "abort":
            sender.send(dimse.a_abort())
        elif goodbye == "release":
            sender.send(dimse.RELEASE_RQ)
        elif goodbye == "reset":
            sender.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert_nothing_is_left(node)


@pytest.mark.parametrize(
    "pdus",
    [
        b"\x09\0\0\0\0\0",
        bytes([PduType.ASSOCIATE_RQ, 0, 0, 0, 0, 4]) + bytes(4),
        bytes([PduType.RELEASE_RP, 0, 0, 0, 0, 4]) + bytes(4),
        bytes([PduType.P_DATA, 0, 0, 0, 0, 0]),
        bytes([PduType.P_DATA, 0, 0, 0, 0, 8]) + bytes([0, 0, 0xFF, 0xFF, 1, 3, 0, 0]),
        dimse.pdata_header(1, is_command=False, is_last=True, length=4) + b"\0\0\0\0",
        dimse.pdata_header(1, is_command=True, is_last=True, length=4) + b"\0\0\0\0",
        dimse.pdata_header(1, is_command=True, is_last=False, length=20_000) + bytes(20_000),
        dimse.pdata_header(99, is_command=True, is_last=True, length=68) + dimse.c_echo_rq(1),
        dimse.pdata_header(1, is_command=True, is_last=True, length=68) + dimse.c_echo_rq(1),
    ],
    ids=[
        "unknown-type", "second-request", "unasked-release", "no-pdv", "pdv-length-lie", "data-without-command",
        "command-cut", "endless-command", "context-not-accepted", "echo-in-storage-context",
    ],
)  # fmt: skip
def test_a_broken_protocol_is_answered_with_an_abort(node: Running, pdus: bytes) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        sender.send(pdus)
        assert sender.read_pdu()[0] == PduType.ABORT
        assert sender.is_closed_by_peer()
    assert_served_within_a_second(node)


@pytest.mark.parametrize(
    "body", [b"", bytes(67), bytes(68) + b"\x20\0\xff\xff", b"\0\1" + bytes(66) + b"\x20\0\0\4\2\0\0\0"]
)
def test_a_broken_request_is_answered_with_an_abort(node: Running, body: bytes) -> None:
    with Sender(node.port) as sender:
        sender.send(bytes([PduType.ASSOCIATE_RQ, 0]) + len(body).to_bytes(4, "big") + body)
        assert sender.read_pdu()[0] == PduType.ABORT
        assert sender.is_closed_by_peer()


def test_a_request_of_a_mebibyte_of_tiny_items_does_not_hold_the_others(node: Running) -> None:
    fixed = associate_rq([])[6:74]
    body = fixed + b"\x99\0\0\0" * ((1 << 18) - 100)
    with Sender(node.port) as hostile:
        hostile.send(bytes([PduType.ASSOCIATE_RQ, 0]) + len(body).to_bytes(4, "big") + body)
        assert_served_within_a_second(node)


def test_a_storm_of_requests_and_garbage_leaves_the_node_as_it_was(node: Running) -> None:
    assert_served_within_a_second(node)
    time.sleep(0.3)
    process = psutil.Process()
    threads, fds, before = process.num_threads(), process.num_fds(), rss_bytes()
    for seed in range(150):
        with Sender(node.port) as sender, contextlib.suppress(ConnectionError):
            if seed % 3:
                sender.associate()
            sender.send(os.urandom(seed * 7 % 200))
    time.sleep(1.5)
    assert_served_within_a_second(node)
    time.sleep(0.3)
    assert process.num_threads() <= threads
    assert process.num_fds() <= fds
    assert rss_bytes() - before < 16 << 20


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 4 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_fills_up_is_answered_a700_and_leaves_no_part_file(small_disk: Path) -> None:
    with receiving(settings_for(small_disk)) as node, Sender(node.port) as sender:
        sender.associate()
        statuses = [
            sender.store(instance(instance_uid=f"1.2.{n}", pixel_bytes=500_000), instance_uid=f"1.2.{n}")
            for n in range(12)
        ]
        assert set(statuses) == {SUCCESS, NO_ROOM}
        assert statuses == sorted(statuses)  # once full, full
        kept = node.files()
        assert len(kept) == statuses.count(SUCCESS)
        assert {Path(name).suffix for name in kept} == {".dcm"}
        assert len(node.ledger.pending(100)) == statuses.count(SUCCESS)
        (node.settings.spool.path / "incoming" / kept[0]).unlink()
        assert sender.store(instance(pixel_bytes=100_000)) == SUCCESS  # and on it goes, once there is room
        sender.release()


def test_a_ledger_that_fails_is_answered_a700_and_keeps_no_file(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance()) == SUCCESS
        (kept,) = node.files()
        connection = sqlite3.connect(node.settings.spool.path / "ledger.db")
        connection.execute("ALTER TABLE jobs RENAME TO lost")
        connection.commit()
        assert sender.store(instance()) == NO_ROOM
        connection.execute("ALTER TABLE lost RENAME TO jobs")
        connection.commit()
        connection.close()
    assert node.files() == [kept]


def test_a_conversation_with_any_byte_changed_is_answered_or_aborted_and_leaves_no_part(node: Running) -> None:
    chance = random.Random(7)
    command, data = dimse.c_store_rq(1, CT, "1.2.3.4"), instance(pixel_bytes=300)
    conversation = associate_rq([(CT, [EXPLICIT])]) + dimse.pdata_header(
        1, is_command=True, is_last=True, length=len(command)
    )
    conversation += command + dimse.pdata_header(1, is_command=False, is_last=True, length=len(data)) + data
    conversation += dimse.RELEASE_RQ
    for _ in range(150):
        mutant = bytearray(conversation)
        for _ in range(chance.randint(1, 4)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        with Sender(node.port) as sender, contextlib.suppress(ConnectionError):
            sender.send(bytes(mutant[: chance.randint(1, 2 * len(mutant))]))
            sender.sock.shutdown(socket.SHUT_WR)
            while sender.sock.recv(65536):
                pass
    assert_served_within_a_second(node)
    deadline = time.monotonic() + 5
    while any(name.endswith(".part") for name in node.files()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert {Path(name).suffix for name in node.files()} <= {".dcm"}
    assert len(node.files()) == len(node.ledger.pending(1000))


def test_a_process_out_of_sockets_serves_on_when_there_are_some_again(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with receiving(settings_for(tmp_path, associate_deadline_s=30.0, max_pending_connections=1000)) as node:
        assert_served_within_a_second(node)
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 30, hard))
        silent: list[socket.socket] = []
        try:
            connections = (socket.create_connection(("127.0.0.1", node.port), timeout=1.0) for _ in range(100))
            with contextlib.suppress(OSError):
                silent.extend(connections)
            assert len(silent) < 100
            before_s = time.process_time()
            time.sleep(1.0)
            assert time.process_time() - before_s < 0.2  # waits, and does not spin
            for sock in silent[-8:]:
                sock.close()
            time.sleep(0.5)
            assert_served_within_a_second(node)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for sock in silent:
                sock.close()


def test_a_large_instance_needs_no_more_memory_than_a_small_one(node: Running) -> None:
    with Sender(node.port, timeout_s=60.0) as sender:
        sender.associate()
        assert sender.store(instance()) == SUCCESS
        before = rss_bytes()
        head, pixels_bytes = instance(pixel_bytes=0)[:-4], 96 << 20
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send_data(1, head + pixels_bytes.to_bytes(4, "little"), last=False)
        piece = bytes(1 << 16)
        for at in range(0, pixels_bytes, len(piece)):
            sender.send_data(1, piece, last=at + len(piece) == pixels_bytes, step=len(piece))
        assert sender.read_status() == SUCCESS
        assert rss_bytes() - before < 8 << 20

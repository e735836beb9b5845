"""The guarded connection, over a TCP connection to itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from node import dimse
from node.dimse import PduType, ProtocolError
from node.guard import ConnectionLost, DeadlinePassed, Line, Patience

PATIENCE = Patience(idle_s=0.6, pdu_s=0.3, max_pdu_bytes=4096)


@pytest.fixture
def pair() -> Iterator[tuple[Line, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as peer:
        sock, _ = server.accept()
        line = Line(sock, PATIENCE)
        yield line, peer
        line.close()


def test_a_pdu_in_single_bytes_is_read_whole(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    pdu = bytes([PduType.P_DATA, 0, 0, 0, 0, 5]) + b"abcde"

    def dribble() -> None:
        for byte in pdu:
            peer.sendall(bytes([byte]))
            time.sleep(0.005)

    threading.Thread(target=dribble).start()
    kind, body = line.read_pdu()
    assert (kind, bytes(body)) == (PduType.P_DATA, b"abcde")


def test_two_pdus_in_one_piece_are_read_one_by_one(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    peer.sendall(bytes([4, 0, 0, 0, 0, 2]) + b"ab" + dimse.RELEASE_RQ)
    assert bytes(line.read_pdu()[1]) == b"ab"
    assert line.read_pdu()[0] == PduType.RELEASE_RQ


def test_a_length_beyond_the_maximum_is_refused_at_its_header(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    peer.sendall(bytes([4, 0, 0xFF, 0xFF, 0xFF, 0xFF]))
    with pytest.raises(ProtocolError):
        line.read_pdu()


def test_the_longest_pdu_allowed_is_read(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    peer.sendall(bytes([4, 0]) + (4096).to_bytes(4, "big") + bytes(4096))
    assert len(line.read_pdu()[1]) == 4096


def test_an_unknown_pdu_type_is_refused(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ProtocolError):
        line.read_pdu()


def test_silence_ends_after_the_idle_deadline(pair: tuple[Line, socket.socket]) -> None:
    line, _ = pair
    started = time.monotonic()
    with pytest.raises(DeadlinePassed):
        line.read_pdu()
    assert 0.5 < time.monotonic() - started < 1.5


@pytest.mark.parametrize("pause_s", [0.02, 10.0])
def test_a_pdu_that_takes_too_long_ends_at_its_deadline_however_it_dribbles(
    pair: tuple[Line, socket.socket], pause_s: float
) -> None:
    line, peer = pair
    peer.sendall(bytes([4, 0, 0, 0, 1, 0]) + b"x")
    done = threading.Event()

    def dribble() -> None:
        while not done.wait(pause_s):
            peer.sendall(b"x")

    dribbler = threading.Thread(target=dribble)
    dribbler.start()
    started = time.monotonic()
    with pytest.raises(DeadlinePassed):
        line.read_pdu()
    assert 0.2 < time.monotonic() - started < 1.0
    done.set()
    dribbler.join()


def test_a_peer_that_closes_is_lost_between_pdus_and_within_one(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    peer.sendall(bytes([4, 0, 0, 0, 1, 0]) + b"x")
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost):
        line.read_pdu()
    with pytest.raises(ConnectionLost):
        line.read_pdu()


def test_a_peer_that_never_reads_does_not_hold_the_sender(pair: tuple[Line, socket.socket]) -> None:
    line, _ = pair
    with pytest.raises(DeadlinePassed):
        line.send(bytes(64 << 20))


def test_hush_ends_a_waiting_read_and_leaves_the_way_out_open(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    timer = threading.Timer(0.05, line.hush)
    timer.start()
    started = time.monotonic()
    with pytest.raises(ConnectionLost):
        line.read_pdu()
    assert time.monotonic() - started < 0.4
    line.send(dimse.RELEASE_RP)
    assert peer.recv(100) == dimse.RELEASE_RP


@pytest.mark.parametrize("max_pdu_bytes", [0, 7, 20, 1000])
def test_a_command_is_cut_to_the_peers_pdus(pair: tuple[Line, socket.socket], max_pdu_bytes: int) -> None:
    line, peer = pair
    command = dimse.c_echo_rsp(1)
    line.send_command(3, command, max_pdu_bytes)
    line.close()
    stream, received, lasts = b"".join(iter(lambda: peer.recv(65536), b"")), b"", []
    while stream:
        _, length = dimse.pdu_header(stream[:6])
        assert length <= max_pdu_bytes or not max_pdu_bytes
        for context_id, flags, fragment in dimse.iter_pdvs(stream[6 : 6 + length]):
            assert context_id == 3
            assert dimse.is_command(flags)
            received += fragment
            lasts.append(dimse.is_last(flags))
        stream = stream[6 + length :]
    assert received == command
    assert lasts == [False] * (len(lasts) - 1) + [True]

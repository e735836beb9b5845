"""The faults, one function for each kind."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

from node import dimse
from node.dimse import PduType
from tests.faults.proxy import Ended, Fault, Link, Request, pdata, read_pdu


def status(code: int, *, stored: bool = False) -> Fault:
    """Answer a C-STORE with a status, after the archive has stored it or without."""

    def answer(link: Link, request: Request) -> None:
        if stored:
            link.forward(request)
        link.node.sendall(request.response(code))

    return Fault(storing=answer)


def late(seconds: float) -> Fault:
    """Let the archive's answer come late."""

    def answer(link: Link, request: Request) -> None:
        response = link.forward(request)
        time.sleep(seconds)
        link.node.sendall(response)

    return Fault(storing=answer)


def lost(how: Callable[[Link], object]) -> Fault:
    """Let the archive store, and end the connection without its answer."""

    def end(link: Link, request: Request) -> None:
        link.forward(request)
        how(link)
        raise Ended

    return Fault(storing=end)


def instead(*pdus: Callable[[Request], bytes]) -> Fault:
    """Send something else than an answer; what was to be stored is not."""

    def answer(link: Link, request: Request) -> None:
        for pdu in pdus:
            link.node.sendall(pdu(request))
        link.hang()

    return Fault(storing=answer)


def during_the_data(how: Callable[[Link], object]) -> Fault:
    """Break off when the first bytes of the association's data have come."""

    def end(link: Link) -> None:
        link.associate()
        link.node.recv(2000)
        how(link)
        raise Ended

    return Fault(associating=end)


def answered(pdu: bytes, *, and_close: bool = True) -> Fault:
    """Answer the A-ASSOCIATE-RQ with something else."""

    def answer(link: Link) -> None:
        read_pdu(link.node)
        link.node.sendall(pdu)
        if not and_close:
            link.hang()
        raise Ended

    return Fault(associating=answer)


def rejected(result: int, source: int, reason: int) -> Fault:
    return answered(bytes([PduType.ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, result, source, reason]))


def abort(link: Link) -> None:
    link.node.sendall(dimse.a_abort(2, 1))


def half_close(link: Link) -> None:
    """Say that nothing more will come, and go on reading."""
    socket.socket.shutdown(link.node, socket.SHUT_WR)
    link.hang()


def release(link: Link) -> None:
    link.node.sendall(dimse.RELEASE_RQ)
    read_pdu(link.node)


def nothing(_: Link) -> None:
    """Close."""


def without_contexts(link: Link) -> None:
    """Let the archive accept none of the presentation contexts."""
    link.associate(_refused)
    while True:
        link.next_request()


def _refused(answer: bytes) -> bytes:
    body, at = bytearray(answer), 74  # after the fixed part of an A-ASSOCIATE-AC (PS3.8 Table 9-17)
    while at < len(body):
        if body[at] == 0x21:
            body[at + 6] = 3  # abstract syntax not supported
        at += 4 + int.from_bytes(body[at + 2 : at + 4], "big")
    return bytes(body)


def never_reads(link: Link) -> None:
    """Associate, and take nothing more off the connection."""
    link.node.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.associate()
    time.sleep(30)
    raise Ended


def with_tls(context: ssl.SSLContext | None) -> Fault:
    return Fault(tls=(context,))


def not_the_response(request: Request) -> bytes:
    """Return a C-ECHO-RSP."""
    return pdata(request.context_id, dimse.c_echo_rsp(request.message_id))


def with_a_data_set(request: Request) -> bytes:
    """Return a response that announces a data set."""
    pdu = bytearray(request.response(0))
    at = pdu.index(b"\x00\x00\x00\x08\x02\x00\x00\x00") + 8
    pdu[at : at + 2] = b"\x01\x00"
    return bytes(pdu)


def cut(request: Request) -> bytes:
    """Return the first half of a response, whose PDU says that it is whole."""
    command = request.response(0)[12:]
    return pdata(request.context_id, command[: len(command) // 2])

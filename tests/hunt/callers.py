"""Sentinels from callers: in AE titles, in associations, commands and answers, and in requests to the web console."""

from __future__ import annotations

import http.client
import struct
import time
from collections import Counter
from contextlib import suppress
from urllib.parse import urlencode

from node import dimse
from node.dimse import PduType
from tests.hunt.plants import Plant
from tests.hunt.sentinels import Mint
from tests.integration.receiving import CT, EXPLICIT, VERIFICATION, Sender, associate_rq, instance
from tests.network import HOST

_PER_ASSOCIATION = 40
_WEB_TIMEOUT_S = 20.0
_TRIES = 60


def send(port: int, plants: list[Plant], mint: Mint) -> Counter[str]:
    """Send instances, each lot over an association of another calling AE title; count the answers."""
    answers: Counter[str] = Counter()
    rest = list(plants)
    while rest:
        lot, rest = rest[:_PER_ASSOCIATION], rest[_PER_ASSOCIATION:]
        answers += _send_lot(port, lot, mint)
    return answers


def _send_lot(port: int, lot: list[Plant], mint: Mint) -> Counter[str]:
    answers: Counter[str] = Counter()
    contexts = list(dict.fromkeys((plant.class_uid, plant.syntax) for plant in lot))
    with suppress(ConnectionError, TimeoutError), Sender(port, timeout_s=60.0) as sender:
        sender.associate(*[(uid, [syntax]) for uid, syntax in contexts], calling=mint.text())
        for plant in lot:
            context_id = 2 * contexts.index((plant.class_uid, plant.syntax)) + 1
            command = dimse.c_store_rq(1, plant.class_uid, plant.instance_uid, originator=(mint.text(), 7))
            sender.send_command(context_id, command)
            sender.send_data(context_id, plant.data_set)
            answers[f"{sender.read_status():04X}"] += 1
        sender.release()
    answers["no answer"] += len(lot) - sum(answers.values())
    return answers


def strange(port: int, mint: Mint) -> None:
    """Call as nobody should, with sentinels in all that is said."""
    user = mint.text().encode()
    identity = struct.pack(">BBH", 0x58, 0, len(user) * 2 + 6) + struct.pack(">BBH", 2, 1, len(user)) + user
    identity += struct.pack(">H", len(user)) + user
    version = struct.pack(">BBH", 0x55, 0, len(user)) + user
    store = dimse.c_store_rq(1, CT, "1.2.3.4")
    for message in (
        associate_rq([(CT, [EXPLICIT])], called=mint.text()),  # no such project
        associate_rq([(mint.uid(), [EXPLICIT]), (CT, [mint.uid()])], calling=mint.text()),
        associate_rq([(CT, [EXPLICIT])], calling=mint.text(), user_items=identity + version),
        associate_rq([(CT, [EXPLICIT])], calling="\x01" + mint.text()),
        struct.pack(">BBI", PduType.ASSOCIATE_RQ, 0, 200) + mint.text().encode() * 17,
        mint.text().encode() * 30,  # no DICOM at all
        b"GET /" + mint.text().encode() + b" HTTP/1.1\r\nHost: " + mint.text().encode() + b"\r\n\r\n",
    ):
        with suppress(ConnectionError, TimeoutError), Sender(port, timeout_s=5.0) as sender:
            sender.send(message)
            sender.read_pdu()
    for data, class_uid, instance_uid in (
        (instance(CT, mint.uid()), CT, mint.text()),  # no UID
        (instance(CT, mint.uid()), CT, f"../../{mint.text()}"),
        (instance(CT, mint.uid()), CT, mint.uid()),  # another instance
        (instance(mint.uid(), "1.2.3.4"), CT, "1.2.3.4"),  # another class
        (mint.text().encode() * 40, CT, "1.2.3.4"),
        (instance(), mint.uid(), "1.2.3.4"),
    ):
        with suppress(ConnectionError, TimeoutError, AssertionError), Sender(port, timeout_s=5.0) as sender:
            sender.associate(calling=mint.text())
            sender.store(data, class_uid, instance_uid)
    for command in (store + mint.text().encode(), mint.text().encode() * 5, dimse.n_action_rq(1, CT, mint.uid(), 1)):
        with suppress(ConnectionError, TimeoutError, AssertionError), Sender(port, timeout_s=5.0) as sender:
            sender.associate((CT, [EXPLICIT]), (VERIFICATION, [EXPLICIT]), calling=mint.text())
            sender.send_command(1, command)
            sender.read_pdu()
    with suppress(ConnectionError, TimeoutError), Sender(port, timeout_s=5.0) as sender:  # aborted in mid-air
        sender.associate(calling=mint.text())
        uid = mint.uid()
        sender.send_command(1, dimse.c_store_rq(1, CT, uid))
        sender.send_data(1, mint.text().encode() * 300, last=False)


def browse(port: int, mint: Mint) -> dict[str, bytes]:
    """Ask the web console for what anybody may see, and for what nobody has; return the answers that count."""
    answers: dict[str, bytes] = {}
    for path in ("/metrics", "/healthz", "/readyz", "/login"):
        answers[f"GET {path}"] = _ask(port, "GET", path, mint)
    for path in (f"/{mint.text()}", f"/jobs/{mint.text()}", f"/metrics?{mint.text()}", f"/quarantine/{mint.text()}"):
        _ask(port, "GET", path, mint)
    for form in ({"name": mint.text(), "password": mint.text()}, {"user": mint.text(), mint.text(): mint.text()}):
        _ask(port, "POST", "/login", mint, urlencode(form))
    return answers


def _ask(port: int, method: str, path: str, mint: Mint, body: str | None = None) -> bytes:
    headers = {"User-Agent": mint.text(), "Cookie": f"session={mint.text()}", "X-Forwarded-For": mint.text()}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    for _ in range(_TRIES):  # it may have been killed a moment ago
        with suppress(ConnectionError, TimeoutError):
            return _answered(port, method, path, headers, body)
        time.sleep(1.0)
    return _answered(port, method, path, headers, body)


def _answered(port: int, method: str, path: str, headers: dict[str, str], body: str | None) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=_WEB_TIMEOUT_S)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().read()
    finally:
        connection.close()

"""A crowd before the door, and how long one who may come in has to wait there."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from node import dimse
from tests.access.place import Pki, Place, receiving
from tests.access.plan import Node
from tests.integration.receiving import IMPLICIT, VERIFICATION, Sender, associate_rq
from tests.network import HOST

_CALLS = 20


@dataclass(frozen=True)
class Crowd:
    """Connections that ask for nothing, or for something very slowly.

    Attributes
    ----------
    drips
        whether each of them sends a byte of an A-ASSOCIATE-RQ (without TLS: of a ClientHello) every second
    limits
        of the node, where they aren't its defaults
    """

    count: int
    drips: bool = False
    limits: str = ""


CROWDS: Mapping[str, Crowd] = {
    "nobody": Crowd(0),
    "one silent TLS peer": Crowd(1),
    "1,000 idle connections": Crowd(1000),
    "1,000 idle connections, all kept": Crowd(
        1000, limits="max_pending_connections = 2000\nassociate_deadline_s = 600"
    ),
    "200 that send a byte a second (slow-loris)": Crowd(200, drips=True),
}


def longest_wait_s(name: str, folder: Path, calls: int = _CALLS) -> float:
    """Return the longest time that a listed peer took from its connection to the answer to its C-ECHO, over TLS."""
    place_folder = folder / f"crowd-{list(CROWDS).index(name)}"
    place_folder.mkdir()
    pki = Pki.made_in(place_folder)
    crowd = CROWDS[name]
    with receiving(place_folder, pki, Node("bcp195", "ec"), crowd.limits) as place:
        _served_in_s(place, pki)  # the first of a process imports
        with gathered(crowd, place):
            return max(_served_in_s(place, pki) for _ in range(calls))


def _served_in_s(place: Place, pki: Pki) -> float:
    context = ssl.create_default_context(cafile=str(pki.ca.files.certificate))
    own = pki.pairs["ct1"].files
    context.load_cert_chain(own.certificate, own.private_key)
    began = time.monotonic()
    with Sender(place.port, context) as sender:
        sender.associate((VERIFICATION, [IMPLICIT]), calling="CT1")
        assert sender.echo() == 0
        took_s = time.monotonic() - began
        sender.release()
    return took_s


@contextlib.contextmanager
def gathered(crowd: Crowd, place: Place) -> Iterator[None]:
    """Put a crowd before the door."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * crowd.count + 200)), hard))
    sockets: list[socket.socket] = []
    stop = threading.Event()
    drip = threading.Thread(target=_drip, args=(sockets, stop))
    try:
        sockets.extend(socket.create_connection((HOST, place.port), timeout=10) for _ in range(crowd.count))
        if crowd.drips:
            drip.start()
        yield
    finally:
        stop.set()
        if crowd.drips:
            drip.join()
        for sock in sockets:
            sock.close()


def _drip(sockets: list[socket.socket], stop: threading.Event) -> None:
    hello = b"\x16\x03\x01\x02\x00" + associate_rq([(dimse.VERIFICATION, [IMPLICIT])])
    for byte in hello:
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.send(bytes([byte]))
        if stop.wait(1.0):
            return

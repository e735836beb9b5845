"""Associations and aborts without end: does the node keep anything of them?

    python -m tests.soak --associations N [--tls]

Runs the receive role as a process and visits it in every way that an association can begin and end. After a warm-up its
memory, threads and open files are read; the same after N visits more. Ends with 1 if its memory has grown by 5 MiB or
more, or if there are more threads or files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import socket
import ssl
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from node import dimse
from tests.access.place import Pki, Place, receiving
from tests.access.plan import Node
from tests.integration.receiving import CT, EXPLICIT, IMPLICIT, VERIFICATION, Sender, associate_rq, instance

MOST_GROWTH_BYTES = 5 << 20
SPARE_FILES = 4
"""SQLite keeps a closed connection's file while another connection of the process has a lock, and uses it again."""

_WARM_UP = 300
_RESET = struct.pack("ii", 1, 0)

FAILED = "failed"
"""Visits that did not go as they were meant to: the node was away, or answered something else."""

_DATA = instance(pixel_bytes=20_000)


def echo(sender: Sender) -> None:
    sender.associate((VERIFICATION, [IMPLICIT]), calling="CT1")
    assert sender.echo() == 0
    sender.release()


def store(sender: Sender) -> None:
    sender.associate(calling="CT1")
    assert sender.store(_DATA) == 0
    sender.release()


def abort_at_once(sender: Sender) -> None:
    sender.associate(calling="CT1")
    sender.send(dimse.a_abort())


def abort_in_mid_instance(sender: Sender) -> None:
    sender.associate(calling="CT1")
    sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
    sender.send_data(1, _DATA[:9000], last=False)
    sender.send(dimse.a_abort())


def close_in_mid_instance(sender: Sender) -> None:
    sender.associate(calling="CT1")
    sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
    sender.send_data(1, _DATA[:9000], last=False)


def reset(sender: Sender) -> None:
    sender.associate(calling="CT1")
    sender.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def half_a_request(sender: Sender) -> None:
    sender.send(associate_rq([(CT, [EXPLICIT])], "CT1")[:60])


def garbage(sender: Sender) -> None:
    sender.associate(calling="CT1")
    sender.send(os.urandom(500))


def be_rejected(sender: Sender) -> None:
    sender.send(associate_rq([(CT, [EXPLICIT])], "EVIL"))
    assert sender.read_pdu()[0] == dimse.PduType.ASSOCIATE_RJ


VISITS: Mapping[str, Callable[[Sender], None]] = {
    visit.__name__: visit
    for visit in (
        echo, store, abort_at_once, abort_in_mid_instance, close_in_mid_instance, reset, half_a_request, garbage,
        be_rejected,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """What a process has."""

    resident_bytes: int
    threads: int
    files: int


def size(process: psutil.Process) -> Size:
    """Read it once the last guests have gone."""
    before = None
    while before != (now := (process.num_threads(), process.num_fds())):
        before = now
        time.sleep(2.0)
    return Size(int(process.memory_info().rss), *now)


def visit(place: Place, context: ssl.SSLContext | None, name: str) -> bool:
    """Visit the node once; say whether it went as it was meant to."""
    with contextlib.suppress(OSError, AssertionError, dimse.ProtocolError), Sender(place.port, context) as sender:
        VISITS[name](sender)
        return True
    return False


def visits(place: Place, context: ssl.SSLContext | None, count: int, chance: random.Random) -> Counter[str]:
    """Visit the node so often; what is stored is taken away meanwhile."""
    made: Counter[str] = Counter()
    for number in range(count):
        name = chance.choice(list(VISITS))
        made[name if visit(place, context, name) else FAILED] += 1
        if number % 100 == 0:
            place.forget()
    place.forget()
    return made


def soak(folder: Path, count: int, seed: int, *, tls: bool, warm_up: int = _WARM_UP) -> tuple[Size, Size, Counter[str]]:
    """Return what the node had after the warm-up, what it has after so many visits, and which they were."""
    chance = random.Random(seed)
    pki = Pki.made_in(folder) if tls else None
    context = None
    if pki:
        context = ssl.create_default_context(cafile=str(pki.ca.files.certificate))
        own = pki.pairs["ct1"].files
        context.load_cert_chain(own.certificate, own.private_key)
    peers = '[[peers]]\nae_title = "CT1"\naddress = "127.0.0.1"\nmax_instances_per_minute = 1000000\n'
    with receiving(folder / "node", pki, Node("bcp195", "ec") if tls else None, peers=peers) as place:
        process = psutil.Process(place.process.pid)
        visits(place, context, warm_up, chance)
        before = size(process)
        made: Counter[str] = Counter()
        for tenth in range(1, 11):
            made += visits(place, context, count * tenth // 10 - made.total(), chance)
            resident_bytes = int(process.memory_info().rss)
            print(f"  after {made.total():6} visits {resident_bytes / 2**20:8.2f} MiB", flush=True)
        return before, size(process), made


def main() -> int:
    """Print what has grown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--associations", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls", action="store_true", help="mutually authenticated, each with a handshake of its own")
    arguments = parser.parse_args()
    began = time.monotonic()
    print(f"warm-up: {_WARM_UP} visits", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        before, after, made = soak(Path(folder), arguments.associations, arguments.seed, tls=arguments.tls)
    growth_bytes = after.resident_bytes - before.resident_bytes
    how = "over TLS" if arguments.tls else "without TLS"
    print(f"{made.total()} visits {how} in {time.monotonic() - began:.0f} s: {', '.join(sorted(VISITS))}")
    print(f"  memory  {before.resident_bytes / 2**20:8.2f} -> {after.resident_bytes / 2**20:8.2f} MiB", end="")
    print(f"  ({growth_bytes / 2**20:+.2f}, less than {MOST_GROWTH_BYTES >> 20})")
    print(f"  threads {before.threads:8} -> {after.threads:8}")
    print(f"  files   {before.files:8} -> {after.files:8}")
    print(f"  failed  {made[FAILED]:8}  (of these at most 1 %)")
    has_grown = (
        growth_bytes >= MOST_GROWTH_BYTES or after.threads > before.threads or after.files > before.files + SPARE_FILES
    )
    return int(has_grown or made[FAILED] > made.total() / 100)


if __name__ == "__main__":
    sys.exit(main())

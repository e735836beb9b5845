"""`make away`: the archive is away while N instances arrive; is all delivered after, and did any role grow?"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psutil
import pydicom

from deid.elements.uids import map_uid
from deid.keys import Keys
from node.presence import look
from tests import factories
from tests.faults.sink import Sink
from tests.network import KEY, Node, free_port, wait_until
from tests.sender import send

_BATCH = 100
_SENDERS = 2
_MIB = 1 << 20
_SETTLED = 0.25
"""Of the instances, how many are cleaned when growth begins to be counted: caches and pools are filled by then."""

MOST_GROWTH_MIB = 16.0

_PAUSE_S = 0.0005
"""Between two looks, for each instance of all; a second at most."""


@dataclass
class Memory:
    """The resident memory of the node's roles over time, in MiB, and of the largest process below each."""

    node: Node
    samples: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def sample(self, arrived: int) -> None:
        self.samples.append((arrived, dict(self._now())))

    def _now(self) -> Iterator[tuple[str, float]]:
        for role in look(self.node.spool).roles:
            if role.pid:
                process = psutil.Process(role.pid)
                yield role.name, _own_mib(process)
                workers = [_own_mib(child) for child in process.children(recursive=True)]
                if workers:
                    yield f"{role.name}'s largest", max(workers)

    def growth(self, of_all: int) -> dict[str, float]:
        """Return by how many MiB each role's most was above its most until it had settled."""
        early = [rss for arrived, rss in self.samples if arrived <= of_all * _SETTLED]
        late = [rss for arrived, rss in self.samples if arrived > of_all * _SETTLED]
        names = sorted({name for _, rss in self.samples for name in rss})
        most = {
            name: [max((rss.get(name, 0.0) for rss in some), default=0.0) for some in (early, late)] for name in names
        }
        return {name: after - before for name, (before, after) in most.items()}


def _most(samples: Sequence[dict[str, float]], name: str) -> float:
    return max((rss.get(name, 0.0) for rss in samples), default=0.0)


def _own_mib(process: psutil.Process) -> float:
    """Return what a process has in memory that is no file's: pages of a mapped file are the kernel's to drop."""
    info = process.memory_info()
    return (info.rss - info.shared) / _MIB


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to; `growth` in MiB by role."""

    sent: int
    delivered: int
    again: int
    conflicts: int
    quarantined: int
    growth: dict[str, float]
    arrived_s: float
    delivered_s: float

    @property
    def is_good(self) -> bool:
        flat = all(mib <= MOST_GROWTH_MIB for mib in self.growth.values())
        return self.delivered == self.sent > 0 and flat and not self.conflicts and not self.quarantined


class _Modality:
    """Sends so many instances in batches, which are deleted when they were acknowledged."""

    def __init__(self, folder: Path, port: int, count: int) -> None:
        self._folder = folder
        self._port = port
        self._numbers = iter(range(count))
        self._lock = threading.Lock()
        self._template = factories.to_bytes(factories.ct(size=32))
        self._uid = str(pydicom.dcmread(_written(folder / "template.dcm", self._template)).SOPInstanceUID)
        self.uids: set[str] = set()
        self.errors: list[BaseException] = []

    def run(self) -> None:
        try:
            while batch := self._batch():
                self._send(batch)
        except BaseException as error:  # noqa: BLE001 -- told to the main thread
            self.errors.append(error)

    def _batch(self) -> dict[Path, str]:
        with self._lock:
            numbers = list(islice(self._numbers, _BATCH))
        made = {}
        for number in numbers:
            digits = str(int.from_bytes(hashlib.sha256(str(number).encode()).digest()))
            uid = f"1.2.{digits}"[: len(self._uid)]  # of the same length: the template stays what it is
            path = _written(self._folder / f"{number}.dcm", self._template.replace(self._uid.encode(), uid.encode()))
            made[path] = uid
        return made

    def _send(self, unsent: dict[Path, str]) -> None:
        while unsent:
            for answer in send(list(unsent), self._port):
                if answer.is_acknowledged:
                    with self._lock:
                        self.uids.add(unsent.pop(answer.path))
                    answer.path.unlink()


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def run(folder: Path, count: int, *, is_verbose: bool = False) -> Verdict:
    """Let `count` instances arrive while nobody listens where the archive is to be; then let it listen.

    Raises
    ------
    TimeoutError
        if not all are delivered within the time that they took to arrive, and ten minutes
    """
    (folder / "modality").mkdir(parents=True)
    archive, port = Sink(), free_port()
    sections: dict[str, dict[str, object]] = {
        "forward": {"first_retry_s": 0.5, "max_retry_s": 5.0, "connect_timeout_s": 5.0, "echo_every_s": 1.0},
        "work": {"processes": 2},
    }
    with Node(folder / "node", port, sections=sections) as node:
        memory = Memory(node)
        modality = _Modality(folder / "modality", node.port, count)
        threads = [threading.Thread(target=modality.run) for _ in range(_SENDERS)]
        began_s = time.monotonic()
        pause_s = min(1.0, count * _PAUSE_S)
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            _note(memory, _cleaned(node), is_verbose=is_verbose)
            time.sleep(pause_s)
        if modality.errors:
            raise modality.errors[0]
        arrived_s = time.monotonic() - began_s
        while _cleaned(node) < count:  # also what came faster than it was cleaned
            _note(memory, _cleaned(node), is_verbose=is_verbose)
            time.sleep(pause_s)
        with archive.listening(port):
            began_s = time.monotonic()
            while node.waiting():
                _note(memory, count + len(archive.digests), is_verbose=is_verbose)
                if time.monotonic() > began_s + 600 + arrived_s:
                    raise TimeoutError(f"{node.waiting()} not delivered")
                time.sleep(1.0)
            delivered_s = time.monotonic() - began_s
            wait_until(lambda: node.waiting() == 0, 60, "the node is done")
        quarantined = len(node.quarantined())
    key = Keys.from_secret(KEY).uid
    delivered = sum(map_uid(key, uid) in archive.digests for uid in modality.uids)
    growth = memory.growth(count)
    return Verdict(
        len(modality.uids),
        delivered,
        archive.again,
        len(archive.conflicts),
        quarantined,
        growth,
        arrived_s,
        delivered_s,
    )


def _cleaned(node: Node) -> int:
    return sum(1 for _ in os.scandir(node.spool / "outbox"))


def _note(memory: Memory, arrived: int, *, is_verbose: bool) -> None:
    memory.sample(arrived)
    if is_verbose and len(memory.samples) % 15 == 1:
        told = ", ".join(f"{name} {mib:.1f}" for name, mib in memory.samples[-1][1].items())
        print(f"{arrived:7} arrived or delivered; MiB: {told}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.away", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deid-node-away-") as folder:
        verdict = run(Path(folder), arguments.count, is_verbose=True)
    for name, mib in verdict.growth.items():
        print(f"{name:20} {mib:+7.1f} MiB at the most, after the first quarter had arrived")
    print(
        f"away sent={verdict.sent} delivered={verdict.delivered} sent_again={verdict.again} "
        f"different={verdict.conflicts} quarantined={verdict.quarantined} "
        f"most_growth_mib={max(verdict.growth.values()):.1f} limit_mib={MOST_GROWTH_MIB:.0f} "
        f"arrived_s={verdict.arrived_s:.0f} delivered_s={verdict.delivered_s:.0f}"
    )
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())

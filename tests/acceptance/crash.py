"""`make crash`: kill -9 of random roles, of workers, of all at once and at named points, under load; is anything lost?

Senders send, and send again what was not acknowledged, as modalities do. Now and then all is killed and the ledger
deleted before the next start. At the end every acknowledged instance must be in the archive (or in quarantine), whole,
no UID there with two contents, no half-written file in the spool, and the ledger in order whenever it was looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deid.elements.uids import map_uid
from deid.encoding.reader import read_data_set
from deid.errors import Refused
from deid.keys import Keys
from node.ledger import LEDGER_FILE
from tests.acceptance.load import SIZE, Load
from tests.faults.inside.dying import POINTS
from tests.faults.sink import Sink
from tests.faults.steps import INSIDE
from tests.network import KEY, Node, listens, wait_until

_SENDERS = 3
_ALL_AT_ONCE = 0.25
_AT_A_POINT = 0.45
"""Of the kills, how many take all processes, and how many come at a named point; the others take one at random."""

_WITHOUT_LEDGER = 0.3  # of those that take all
_HIT_TIMEOUT_S = 15.0
_SETTLE_TIMEOUT_S = 600
_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_PIXEL_DATA = 0x7FE0_0010


@dataclass(slots=True)
class Verdict:
    """What is left after the kills; sums, so that those of several runs can be added."""

    kills: int = 0
    acknowledged: int = 0
    forwarded: int = 0
    quarantined: int = 0
    lost: int = 0
    conflicts: int = 0
    torn: int = 0
    leftovers: int = 0
    ledgers_deleted: int = 0
    ledgers_checked: int = 0
    ledgers_damaged: int = 0
    hits: dict[str, int] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        bad = self.lost + self.conflicts + self.torn + self.leftovers + self.quarantined + self.ledgers_damaged
        return self.acknowledged > 0 and bad == 0

    def add(self, other: Verdict) -> None:
        """Add another run's sums."""
        for name, value in asdict(other).items():
            if name != "hits":
                setattr(self, name, getattr(self, name) + value)
        self.hits = dict(Counter(self.hits) + Counter(other.hits))

    def line(self, title: str) -> str:
        """Return all figures as one line of key=value."""
        figures = {name: value for name, value in asdict(self).items() if name != "hits"}
        named = {point: count for point, count in self.hits.items() if point in POINTS}
        figures |= {"points": f"{len(named)}/{len(POINTS)}", "kills_at_points": sum(named.values())}
        return f"{title} " + " ".join(f"{name}={value}" for name, value in figures.items())


class Killer:
    """Kills, and has the node started again where nobody else does it."""

    def __init__(self, node: Node, orders: Path, chance: random.Random, verdict: Verdict) -> None:
        self._node = node
        self._orders = orders
        self._chance = chance
        self._verdict = verdict
        self._points: list[str] = []

    def kill(self) -> str:
        """Kill something; say what was hit."""
        draw = self._chance.random()
        if draw < _ALL_AT_ONCE:
            hit = self._all()
        elif draw < _ALL_AT_ONCE + _AT_A_POINT:
            hit = self._at_a_point()
        else:
            hit = self._one()
        self._verdict.kills += 1
        self._verdict.hits[hit] = self._verdict.hits.get(hit, 0) + 1
        return hit

    def _all(self) -> str:
        self._node.kill()
        self.check_ledger()
        without = self._chance.random() < _WITHOUT_LEDGER
        if without:
            for path in self._node.spool.glob(f"{LEDGER_FILE}*"):
                path.unlink()
            self._verdict.ledgers_deleted += 1
        self._node.start()
        return "all, ledger deleted" if without else "all"

    def _one(self) -> str:
        family = self._node.processes()
        if len(family) < 2:
            return self._all()
        victim = self._chance.choice(family)
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
        if victim.pid != family[0].pid:
            return "role or worker"
        # Its children notice and end by themselves; only then is the spool free for the next one.
        psutil.wait_procs(family, timeout=60)
        self._node.kill()
        self._node.start()
        return "supervisor"

    def _at_a_point(self) -> str:
        """Order a death and wait for it; each point has its turn. One that nobody comes by is another kill."""
        if not self._points:
            self._points = self._chance.sample(POINTS, len(POINTS))
        point = self._points.pop()
        order = self._orders / point
        order.touch()
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not order.exists(), _HIT_TIMEOUT_S, point, every_s=0.01)
            return point
        try:
            order.unlink()
        except FileNotFoundError:  # at the last moment
            return point
        return self._one()

    def check_ledger(self) -> None:
        """Let SQLite look through the ledger; nobody else has it open."""
        path = self._node.spool / LEDGER_FILE
        if not path.exists():
            return
        with contextlib.closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        self._verdict.ledgers_checked += 1
        self._verdict.ledgers_damaged += found != [("ok",)]


def is_whole(data: bytes) -> bool:
    """Say whether a Data Set can be read to its end and has all of its pixels."""
    try:
        pixels = read_data_set(data, _EXPLICIT_VR_LITTLE_ENDIAN).elements.get(_PIXEL_DATA)
    except Refused:
        return False
    return pixels is not None and len(pixels.value) == 2 * SIZE * SIZE


@contextlib.contextmanager
def _dying(orders: Path) -> Iterator[None]:
    """Let processes that are started meanwhile die where they are ordered to."""
    orders.mkdir()
    before = dict(os.environ)
    os.environ["DEID_NODE_DIES_AT"] = str(orders)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(INSIDE), before.get("PYTHONPATH")]))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(folder: Path, kills: int, seed: int, *, is_verbose: bool = False) -> Verdict:
    """Kill `kills` times under load, let the node settle, and count.

    Raises
    ------
    TimeoutError
        if the node does not come up or does not settle
    """
    verdict, chance = Verdict(), random.Random(seed)
    (folder / "sent").mkdir(parents=True)
    sections: dict[str, dict[str, object]] = {
        "forward": {"first_retry_s": 0.1, "max_retry_s": 1.0, "connect_timeout_s": 5.0, "dimse_timeout_s": 20.0},
        "work": {"attempts": 50, "processes": 2},
    }
    archive = Sink(is_whole)
    with archive.listening() as port, _dying(folder / "orders"):
        with Node(folder / "node", port, sections=sections) as node:
            load = Load(folder / "sent", node.port)
            killer = Killer(node, folder / "orders", chance, verdict)
            with _sending(load):
                for number in range(kills):
                    time.sleep(chance.uniform(0.1, 1.2))
                    hit = killer.kill()
                    if is_verbose:
                        print(f"kill {number + 1:5d}: {hit:24} acknowledged {len(load.acknowledged)}", flush=True)
                wait_until(lambda: listens(node.port), 120, "the node listens after the last kill")
                time.sleep(1)
            node.wait_idle(_SETTLE_TIMEOUT_S)
            quarantined = node.quarantined()
        killer.check_ledger()
        _count(verdict, load, archive, {each.sop_instance_uid for each in quarantined})
        verdict.leftovers = len(node.leftovers())
    return verdict


@contextlib.contextmanager
def _sending(load: Load) -> Iterator[None]:
    threads = [threading.Thread(target=load.run, args=(number,)) for number in range(_SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()
    if load.errors:
        raise load.errors[0]


def _count(verdict: Verdict, load: Load, archive: Sink, held: set[str]) -> None:
    key = Keys.from_secret(KEY).uid
    forwarded = {uid for uid in load.acknowledged if map_uid(key, uid) in archive.digests}
    verdict.acknowledged = len(load.acknowledged)
    verdict.forwarded = len(forwarded)
    verdict.quarantined = len(held)
    verdict.lost = len(load.acknowledged - forwarded - held)
    verdict.conflicts, verdict.torn = len(archive.conflicts), len(archive.torn)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="default: by the clock, printed")
    parser.add_argument("--totals", type=Path, help="a file that carries the sums of all runs so far")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="deid-node-crash-"))
    print(f"seed {seed}; everything lies in {folder}", flush=True)
    verdict = run(folder, arguments.kills, seed, is_verbose=True)
    for hit, count in sorted(verdict.hits.items()):
        print(f"{count:5} {hit}")
    if arguments.totals:
        total = Verdict(**_read(arguments.totals))
        total.add(verdict)
        arguments.totals.write_text(json.dumps(asdict(total), indent=1) + "\n")
        print(total.line("crash-totals"))
    print(verdict.line("crash"))
    return 0 if verdict.is_good else 1


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


if __name__ == "__main__":
    raise SystemExit(main())

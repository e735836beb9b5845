"""`make crash`: kill -9 of random roles, workers and of all at once, under load; is anything lost?

Senders send, and send again what was not acknowledged, as modalities do. At the end every acknowledged instance must be
in the archive (or in quarantine), no UID there twice with different content, and no half-written file in the spool.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from deid.elements.uids import map_uid
from deid.keys import Keys
from tests import factories
from tests.factories import Study
from tests.network import KEY, ROOT, Node, free_port, listens, wait_until
from tests.people import PATIENTS
from tests.sender import send

_SENDERS = 3
_BATCH = 8
_ALL_AT_ONCE = 0.3
"""Of the kills, how many take all processes: the other kills leave the supervisor to do its work."""

_SETTLE_TIMEOUT_S = 300


@dataclass
class Load:
    """What the senders sent; `acknowledged` are SOP Instance UIDs."""

    folder: Path
    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: set[str] = field(default_factory=set)
    made: int = 0
    errors: list[BaseException] = field(default_factory=list)

    def run(self, number: int) -> None:
        """Send until told to stop: one thread, one study after the other."""
        try:
            unsent: dict[Path, str] = {}
            study_number = 1
            while not self.stop.is_set():
                if len(unsent) < _BATCH:
                    study = replace(Study(PATIENTS[number]), number=study_number)
                    unsent |= self._make(study)
                    study_number += 1
                answers = send(list(unsent), self.port)
                with self.lock:
                    for answer in answers:
                        if answer.is_acknowledged:
                            self.acknowledged.add(unsent.pop(answer.path))
                            answer.path.unlink()
                if not any(answer.is_acknowledged for answer in answers):
                    time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 -- told to the main thread
            self.errors.append(error)

    def _make(self, study: Study) -> dict[Path, str]:
        made = {}
        for seed in range(_BATCH):
            ds = factories.ct(study, seed, size=128)
            path = self.folder / f"{ds.SOPInstanceUID}.dcm"
            path.write_bytes(factories.to_bytes(ds))
            made[path] = str(ds.SOPInstanceUID)
        with self.lock:
            self.made += len(made)
        return made


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is left after the kills."""

    kills: int
    acknowledged: int
    forwarded: int
    quarantined: int
    lost: int
    conflicts: int
    leftovers: int

    @property
    def is_good(self) -> bool:
        return self.acknowledged > 0 and self.lost == self.conflicts == self.leftovers == self.quarantined == 0


def kill_one(node: Node, chance: random.Random) -> str:
    """Kill a random process of the node, or all of them; say what was hit. Killed supervisors are started again."""
    family = node.processes()
    if chance.random() < _ALL_AT_ONCE or len(family) < 2:
        node.kill()
        node.start(60)
        return "all"
    victim = chance.choice(family)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
    if victim.pid == family[0].pid:
        # Its children notice and end by themselves; only then is the spool free for the next one.
        psutil.wait_procs(family, timeout=40)
        node.kill()
        node.start(60)
        return "supervisor"
    return "role or worker"


@contextlib.contextmanager
def _archive(folder: Path) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archive", "--port", str(port), "--out", str(folder)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: listens(port), 30, "the archive listens")
        yield port
    finally:
        process.kill()
        process.wait()


def run(folder: Path, kills: int, seed: int, *, is_verbose: bool = False) -> Verdict:
    """Kill `kills` times under load, let the node settle, and count.

    Raises
    ------
    TimeoutError
        if the node does not come up or does not settle
    """
    chance = random.Random(seed)
    (folder / "sent").mkdir(parents=True)
    impatient = {"forward": {"first_retry_s": 0.1, "max_retry_s": 1.0}}
    with _archive(folder / "archive") as archive_port, Node(folder / "node", archive_port, sections=impatient) as node:
        load = Load(folder / "sent", node.port)
        threads = [threading.Thread(target=load.run, args=(number,)) for number in range(_SENDERS)]
        for thread in threads:
            thread.start()
        try:
            for number in range(kills):
                time.sleep(chance.uniform(0.1, 1.2))
                hit = kill_one(node, chance)
                if is_verbose:
                    print(f"kill {number + 1:4d}: {hit:15} acknowledged {len(load.acknowledged)}", flush=True)
            wait_until(lambda: listens(node.port), 60, "the node listens after the last kill")
            time.sleep(1)
        finally:
            load.stop.set()
            for thread in threads:
                thread.join()
        if load.errors:
            raise load.errors[0]
        node.wait_idle(_SETTLE_TIMEOUT_S)
        quarantined, leftovers = node.quarantined(), node.leftovers()
    key = Keys.from_secret(KEY).uid
    held = {item.sop_instance_uid for item in quarantined}
    names = {path.name for path in (folder / "archive").glob("*.dcm")}
    forwarded = {uid for uid in load.acknowledged if f"{map_uid(key, uid)}.dcm" in names}
    conflicts = sum(".conflict-" in name for name in names)
    lost = load.acknowledged - forwarded - held
    return Verdict(
        kills, len(load.acknowledged), len(forwarded), len(quarantined), len(lost), conflicts, len(leftovers)
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="default: by the clock, printed")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="deid-node-crash-"))
    print(f"seed {seed}; everything lies in {folder}", flush=True)
    verdict = run(folder, arguments.kills, seed, is_verbose=True)
    print(
        f"crash kills={verdict.kills} acknowledged={verdict.acknowledged} forwarded={verdict.forwarded} "
        f"quarantined={verdict.quarantined} lost={verdict.lost} different_duplicates={verdict.conflicts} "
        f"leftover_parts={verdict.leftovers}"
    )
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Broken Data Sets through the cleaning of the work role, in its own processes, in batches."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from node.pool import WorkerDied, WorkerPool, WorkerTimedOut
from node.settings import Project, Settings, SpoolSettings, WorkSettings
from tests.fuzz import cleaning
from tests.fuzz.cleaning import Batch, Finding, Tally
from tests.fuzz.record import Record
from tests.fuzz.seeds import kept_seeds
from tests.network import KEY

PIXELS = "tcia"
# Of 24 batches of headers; by number, so that a mutant is always for the same profile.
_ROUND = ("basic",) * 6 + ("longitudinal",) * 9 + ("strict",) * 3 + ("tcia-header",) * 6
_BATCH = 120
_BATCH_OF_PIXELS = 12
_NOTE_EVERY_S = 10.0
_SAY_EVERY_S = 60.0
_MEMORY_BYTES = 2 << 30  # half of what the node gives: what needs more than that for 40 KB is to be seen
_AHEAD = 3
_TRIES = 2
_KILL_AFTER_S = 120.0  # a hang is one after 10 s of its own time, whatever else the machine is busy with
_FATAL = ("leak", "internal-error", "unreadable", "died", "hang")


@dataclass
class Outcome:
    """What came of one run."""

    what: str = ""
    tally: Tally = field(default_factory=Tally)
    took_s: float = 0.0
    kept: list[Path] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.tally.outcomes.total()

    @property
    def is_good(self) -> bool:
        return not self.tally.findings

    def figures(self) -> dict[str, str]:
        counts, what = self.tally.outcomes, self.what
        own = {what: self.count, f"{what}_cleaned": counts["cleaned"], f"{what}_leaks": counts["leak"]}
        own |= {f"{what}_internal_errors": counts["internal-error"], f"{what}_unreadable": counts["unreadable"]}
        own |= {f"{what}_worker_deaths": counts["died"], f"{what}_hangs": counts["hang"]}
        own |= {f"{what}_out_of_memory": counts["out-of-memory"]}
        figures = {name: str(count) for name, count in own.items()}
        rate = self.count / self.took_s if self.took_s else 0.0
        return figures | {f"{what}_slowest_s": f"{self.tally.slowest_s:.2f}", f"{what}_per_s": f"{rate:.0f}"}


def settings_for(folder: Path) -> Settings:
    """Return a node's settings with a project for each profile."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(KEY.hex() + "\n", encoding="ascii")
    projects = tuple(
        Project(profile, called_ae_title=profile.upper(), profile=profile)
        for profile in (*dict.fromkeys(_ROUND), PIXELS)
    )
    return Settings(
        key_file=key, spool=SpoolSettings(folder / "spool", min_free_bytes=1), work=WorkSettings(), projects=projects
    )


def pool_for(folder: Path, processes: int, *, reads_pixels: bool) -> WorkerPool:
    """Return the work role's own pool, whose processes have the seeds."""
    settings = settings_for(folder)
    return WorkerPool(
        processes or os.cpu_count() or 1,
        time_limit_s=_KILL_AFTER_S,
        step_time_limit_s=_KILL_AFTER_S,
        memory_limit_bytes=_MEMORY_BYTES,
        file_limit_bytes=1 << 30,
        initializer=cleaning.begin,
        initargs=(settings, kept_seeds(folder), PIXELS if reads_pixels else ""),
    )


def batches(seed: int, first: int, count: int, *, reads_pixels: bool) -> deque[Batch]:
    """Cut a run into batches."""
    size = _BATCH_OF_PIXELS if reads_pixels else _BATCH
    found: deque[Batch] = deque()
    end = first + count
    while first < end:
        number = first // size
        stop = min(end, (number + 1) * size)
        project = PIXELS if reads_pixels else _ROUND[number % len(_ROUND)]
        found.append(Batch(seed, first, stop - first, project))
        first = stop
    return found


Job: TypeAlias = Callable[[Batch], Tally]


class Run:
    """One run: batches handed out in order, and noted in order."""

    def __init__(self, record: Record, what: str, seed: int, pool: WorkerPool, job: Job = cleaning.run_batch) -> None:
        self.record, self.what, self.seed, self.pool, self.job = record, what, seed, pool, job
        self.outcome = Outcome()
        self.said_s = self.noted_s = self.began_s = time.monotonic()
        self.unnoted = Tally()

    def go(self, todo: deque[Batch], processes: int) -> Outcome:
        under_way: deque[tuple[Batch, Future[Tally]]] = deque()
        while todo or under_way:
            while todo and len(under_way) < processes * _AHEAD:
                batch = todo.popleft()
                under_way.append((batch, self.pool.submit(self.job, batch)))
            batch, future = under_way.popleft()
            self.take(batch, self.tally_of(batch, future))
        self.note(None)
        self.outcome.took_s = time.monotonic() - self.began_s
        return self.outcome

    def tally_of(self, batch: Batch, future: Future[Tally]) -> Tally:
        """Return what came of a batch; of one that a process died or hung on, mutant by mutant."""
        try:
            return future.result()
        except (WorkerDied, WorkerTimedOut):
            return self.one_by_one(batch)

    def one_by_one(self, batch: Batch) -> Tally:
        tally = Tally()
        for index in batch.indices:
            tally.add(self.alone(replace(batch, first=index, count=1)))
        return tally

    def alone(self, single: Batch) -> Tally:
        """Try a mutant by itself; on a machine so busy that no process starts in time, more than once."""
        for _ in range(_TRIES):
            try:
                return self.pool.submit(self.job, single).result()
            except WorkerDied as died:
                return self.fate(single, died)
            except WorkerTimedOut as late:
                error = late
        return self.fate(single, error)

    def fate(self, batch: Batch, error: WorkerDied | WorkerTimedOut) -> Tally:
        kind = "died" if isinstance(error, WorkerDied) else "hang"
        tally = Tally(findings=[Finding(kind, str(error), batch)])
        tally.outcomes[kind] += 1
        return tally

    def take(self, batch: Batch, tally: Tally) -> None:
        self.outcome.tally.add(tally)
        self.unnoted.add(tally)
        for finding in tally.findings:
            self.keep(finding)
        now_s = time.monotonic()
        if now_s - self.noted_s > _NOTE_EVERY_S:
            self.note(batch)
        if now_s - self.said_s > _SAY_EVERY_S:
            self.said_s = now_s
            rate = self.outcome.count / (now_s - self.began_s)
            print(
                f"{self.outcome.count} mutants, {rate:.0f}/s, findings: {len(self.outcome.tally.findings)}", flush=True
            )
        self.last = batch

    def note(self, batch: Batch | None) -> None:
        """Note what is done; batches come back in order, so all before this one are."""
        batch = batch or self.last
        outcomes = self.unnoted.outcomes
        counts = {self.what: outcomes.total(), "cleaned": outcomes["cleaned"]}
        counts |= {kind.replace("-", "_"): outcomes[kind] for kind in _FATAL}
        self.record.note(self.what, self.seed, batch.first + batch.count, counts)
        self.unnoted = Tally()
        self.noted_s = time.monotonic()

    def keep(self, finding: Finding) -> None:
        batch = finding.batch
        name = f"{finding.kind}-{batch.project}-{batch.seed}-{batch.first}"
        broken = cleaning.made(batch, batch.first)
        path = cleaning.saved(broken, self.record.folder / "findings", name)
        self.outcome.kept.append(path)
        origin = "; ".join((batch.project, broken.seed, *broken.mutators))
        print(f"FINDING {finding.kind}: {finding.detail} ({origin}): {path}", flush=True)


def fuzz_data_sets(record: Record, seed: int, count: int, processes: int, *, reads_pixels: bool = False) -> Outcome:
    """Clean so many mutants, going on where the last run with this seed ended; print what came of them.

    Parameters
    ----------
    reads_pixels
        by a profile that looks for text in them, which takes a hundred times as long; the mutants are broken images
    """
    what = "pixel_data_sets" if reads_pixels else "data_sets"
    processes = processes or os.cpu_count() or 1
    cleaning.take(kept_seeds(record.folder))
    with pool_for(record.folder, processes, reads_pixels=reads_pixels) as pool:
        todo = batches(seed, record.first(what, seed), count, reads_pixels=reads_pixels)
        outcome = Run(record, what, seed, pool).go(todo, processes)
    outcome.what = what
    _print(outcome)
    return outcome


def _print(outcome: Outcome) -> None:
    print(f"\n{'mutants':>8}  outcome")
    for name, count in outcome.tally.outcomes.most_common():
        print(f"{count:8d}  {name}")
    print(f"\n{'cleaned':>8} {'refused':>8}  mutator")
    counts = outcome.tally.by_mutator
    for name in sorted({name for name, _ in counts}):
        print(f"{counts[name, 'cleaned']:8d} {counts[name, 'refused']:8d}  {name}")

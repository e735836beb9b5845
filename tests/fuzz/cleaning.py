"""What a process of the pool does with mutants: it cleans them as it cleans any job, and looks at what comes out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deid.elements.file_meta import part10_header
from deid.encoding.reader import read_data_set, read_part10
from deid.errors import DeidError, Refused, SeriesNeeded
from deid.instance import Instance
from node.cleaning import Failed, _prepared, _told_by_place, clean_job, prepare
from node.jobs import CleanedJob, new_job_id
from node.pool_child import progressed
from node.spool import Spool
from tests.fuzz.mutants import Mutant, mutant
from tests.fuzz.sentinels import is_known, left_in

if TYPE_CHECKING:
    from node.settings import Settings
    from tests.fuzz.fields import Seed

HANG_S = 10.0
"""More than that for one mutant is a hang, the time not counted in which others had the CPUs."""

_BY_FILE_EVERY = 16
_READ_AGAIN_EVERY = 4
_KEEP_DEVICES_AND_PLACES = ("tcia", "tcia-header")
_seeds: list[Seed] = []
_images: list[Seed] = []
_spools: list[Spool] = []


@dataclass(frozen=True, slots=True)
class Batch:
    """Which mutants, and the project by whose profile they are cleaned."""

    seed: int
    first: int
    count: int
    project: str

    @property
    def indices(self) -> range:
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: what, with which mutant; never a value of it."""

    kind: str
    detail: str
    batch: Batch


@dataclass(slots=True)
class Tally:
    """What came of some mutants.

    Attributes
    ----------
    outcomes
        by outcome
    by_mutator
        by mutator and whether they were cleaned
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    by_mutator: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest_index: int = -1

    def add(self, other: Tally) -> None:
        self.outcomes += other.outcomes
        self.by_mutator += other.by_mutator
        self.findings += other.findings
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest_index = other.slowest_s, other.slowest_index


def begin(settings: Settings, seeds: Sequence[Seed], reader_of: str) -> None:
    """Prepare a process of the pool as the node does, and give it the seeds.

    Parameters
    ----------
    reader_of
        the project whose networks are loaded now: that takes longer than an instance may; empty for none
    """
    prepare(settings)
    if reader_of:
        _prepared[reader_of].context.text_reader()
    take(seeds)
    _spools[:] = [Spool(settings.spool.path, 1)]


def take(seeds: Sequence[Seed]) -> None:
    """Take the seeds, and of them the small images."""
    _seeds[:] = seeds
    _images[:] = [seed for seed in seeds if seed.find(0x7FE00010) and not seed.name.startswith("corpus/")]


def made(batch: Batch, index: int) -> Mutant:
    """Make a mutant; those for a profile that reads pixels are of images, and most have their header left alone."""
    if batch.project != "tcia":
        return mutant(_seeds, batch.seed, index)
    return mutant(_images, batch.seed, index, pixels_alone=index % 3 != 0)


def run_batch(batch: Batch) -> Tally:
    """Make and clean mutants, and look at what comes out."""
    tally = Tally()
    for index in batch.indices:
        broken = made(batch, index)
        began_s = _own_time_s()
        outcome, finding = clean(broken, batch.project, by_file=index % _BY_FILE_EVERY == 0)
        took_s = _own_time_s() - began_s
        if took_s > HANG_S and not finding:
            outcome, finding = "hang", f"{took_s:.1f} s"
        if took_s > tally.slowest_s:
            tally.slowest_s, tally.slowest_index = took_s, index
        tally.outcomes[outcome] += 1
        for name in broken.mutators or ("none",):
            tally.by_mutator[name, "cleaned" if outcome == "cleaned" else "refused"] += 1
        if finding:
            tally.findings.append(Finding(outcome, finding, Batch(batch.seed, index, 1, batch.project)))
        progressed()
    return tally


def _own_time_s() -> float:
    """Return a time that stands still while this process could run and has no CPU: on a busy machine that is most."""
    try:
        waited_ns = int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):  # a kernel without it
        waited_ns = 0
    return time.monotonic() - waited_ns / 1e9


def clean(broken: Mutant, project: str, *, by_file: bool = False) -> tuple[str, str]:
    """Clean a mutant; return what came of it, and what is wrong with that, empty if nothing is.

    Parameters
    ----------
    by_file
        from a raw file in the spool to a clean file in the outbox, as jobs are
    """
    try:
        data, syntax = _by_file(broken, project) if by_file else _in_memory(broken, project)
    except Refused as refused:
        return refused.reason.value, ""
    except SeriesNeeded:
        return "series-needed", ""
    except MemoryError:
        return "out-of-memory", ""
    except Failed as failed:
        return "internal-error", str(failed)
    except Exception as error:  # noqa: BLE001  the pool's process lives on; this is what is looked for
        return "internal-error", f"{type(error).__name__}, not caught"
    return _judged(broken, project, data, syntax)


def _judged(broken: Mutant, project: str, data: bytes, syntax: str) -> tuple[str, str]:
    try:
        left = left_in(data, syntax, devices_and_places_stay=project in _KEEP_DEVICES_AND_PLACES)
        if left and is_known(left, (broken.data, broken.syntax), (data, syntax)):
            return "leak", left
        if left:
            return "cleaned, a word that nothing named", ""
        if len(data) % _READ_AGAIN_EVERY == 0:
            read_data_set(data, syntax)
    except (DeidError, OSError, ValueError) as error:
        return "unreadable", f"what came out: {error}"
    return "cleaned", ""


def _in_memory(broken: Mutant, project: str) -> tuple[bytes, str]:
    with _told_by_place():
        clean = _prepared[project].deidentify(Instance(broken.syntax, broken.data)).clean
        return b"".join(bytes(chunk) for chunk in clean.chunks), clean.transfer_syntax


def _by_file(broken: Mutant, project: str) -> tuple[bytes, str]:
    """Clean as the work role does: what is between the files is the node's own."""
    spool, job_id = _spools[0], new_job_id()
    path = spool.incoming_path(job_id)
    path.write_bytes(part10_header("1.2", "1.2", broken.syntax, "FUZZ", "", "DEIDNODE") + broken.data)
    try:
        job = clean_job(spool, job_id, project)
        if not isinstance(job, CleanedJob):
            raise SeriesNeeded("")
        clean = read_part10(spool.outbox_path(job_id).read_bytes())
        return bytes(clean.data_set_bytes), clean.transfer_syntax
    finally:
        spool.remove([job_id])


def saved(broken: Mutant, folder: Path, name: str) -> Path:
    """Keep a mutant as a file of PS3.10."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.dcm"
    path.write_bytes(part10_header("1.2", "1.2", broken.syntax) + broken.data)
    return path

"""Cleaning without a network: `deid-node clean IN OUT`.

What a file was called and where it lay says nothing in OUT: there it lies as
``<pseudonymous patient>/<new study UID>/<new series UID>/<new SOP instance UID>.dcm``.
"""

from __future__ import annotations

import filecmp
import mmap
import re
import tempfile
from collections import deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from deid.context import Context
from deid.elements.pseudonyms import SOP_INSTANCE_UID, value_text
from deid.encoding.reader import Limits, read_data_set, read_part10
from deid.errors import Misconfigured as DeidMisconfigured
from deid.errors import Refused, SeriesNeeded
from deid.faces import plan_series
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import load_profile
from node.cleaning import Prepared
from node.errors import Misconfigured, NoRoom
from node.faces import stored_plan
from node.folders import MEDIA_DIRECTORY, files_below
from node.identities import open_source
from node.identity_settings import IdentitySettings
from node.jobs import NodeReason
from node.key import load_ring
from node.pool import WorkerDied, WorkerRaised, WorkerTimedOut
from node.pool_child import progressed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from deid.encoding.element import Buffer
    from deid.instance import CleanInstance

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 64


class Fate(StrEnum):
    """What became of one file."""

    CLEANED = "cleaned"
    ALREADY_THERE = "already there"
    SKIPPED = "skipped"
    REFUSED = "refused"


class OfflineReason(StrEnum):
    """Why a file was not cleaned, beside `deid.errors.Reason` and `node.jobs.NodeReason`."""

    DICOMDIR = "dicomdir"
    UNREADABLE = "unreadable"
    OTHER_CONTENT = "other-content-under-this-uid"


_REASONS: tuple[tuple[type[Exception], StrEnum], ...] = (
    (OSError, OfflineReason.UNREADABLE),
    (MemoryError, NodeReason.OUT_OF_MEMORY),
    (WorkerDied, NodeReason.WORKER_DIED),
    (WorkerTimedOut, NodeReason.WORKER_TIMED_OUT),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a cleaning process needs to know; small, and no secret in it.

    Attributes
    ----------
    identity, project, spool
        who patients become, in which project, and where a table is unless `identity` says otherwise
    lenient
        as for `node.identities.open_source`
    models
        the folder of the models; None for the shipped ones
    """

    profile: Path
    key_file: Path
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    project: str = "default"
    spool: Path = Path("var/spool")
    lenient: bool = False
    models: Path | None = None

    def prepared(self) -> Prepared:
        """Load profile, key and identities, once for each process.

        Raises
        ------
        deid.errors.Misconfigured
            The profile is wrong.
        node.errors.Misconfigured
            The key, the crosswalk or the table is missing or wrong.
        """
        return _prepared(self)

    def context(self) -> Context:
        """Load the same as a Context, which may be an older one.

        Raises
        ------
        deid.errors.Misconfigured, node.errors.Misconfigured
            As for `prepared`.
        """
        return self.prepared().context

    def check(self) -> None:
        """Try all that it needs, models too; those don't stay in memory.

        Raises
        ------
        deid.errors.Misconfigured, node.errors.Misconfigured
            As for `prepared`, or a model is missing or altered.
        """
        self.context().check()


@dataclass(frozen=True, slots=True)
class Disposition:
    """One file of IN, by its path below IN, and what became of it; `reason` and `detail` if it was not cleaned."""

    path: Path
    fate: Fate
    reason: str = ""
    detail: str = ""


@cache
def _prepared(recipe: Recipe) -> Prepared:
    ring = load_ring(recipe.key_file)
    source = open_source(recipe.identity, recipe.project, recipe.spool, ring.oldest, lenient=recipe.lenient)
    profile, keys = load_profile(recipe.profile), Keys.from_secret(ring.secret_for(recipe.identity))
    context = Context(profile, keys, Limits(), source.current(), recipe.models, progressed)
    return Prepared(context, source)


def plan(source: Path, target: Path) -> list[Path]:
    """Return the files to clean.

    Raises
    ------
    Misconfigured
        IN is not there or OUT lies inside it (or the reverse): clean and raw files would mix.
    """
    inner, outer = target.resolve(), source.resolve()
    if inner.is_relative_to(outer) or (source.is_dir() and outer.is_relative_to(inner)):
        raise Misconfigured(f"OUT {target} and IN {source} lie inside one another; choose a folder elsewhere")
    return files_below(source)


def clean_all(
    files: list[Path], source: Path, target: Path, recipe: Recipe, executor: Executor, in_flight: int
) -> Generator[Disposition]:
    """Clean files into `target` with at most `in_flight` of them at a time in `executor`.

    Yields
    ------
    Disposition
        Of each file, in their order; but those that could show a face come last, series by series, each being cleaned
        as a whole.
    """
    base = source.parent if source.is_file() else source
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target, ignore_cleanup_errors=True) as parts:
        run = _Run(base, target, Path(parts), recipe, executor, in_flight)
        series: dict[str, list[Path]] = {}
        for path, disposition in run.cleaned(files):
            if isinstance(disposition, SeriesNeeded):
                series.setdefault(disposition.series_code, []).append(path)
            else:
                yield disposition
        plans = [(members, *run.plan(members)) for members in series.values()]
        for members, plan, planned in plans:
            yield from run.cleaned_as_series(members, plan, planned)


@dataclass(slots=True)
class _Run:
    """One call of `clean_all`; its parts have numbers for names."""

    base: Path
    target: Path
    parts: Path
    recipe: Recipe
    executor: Executor
    in_flight: int
    numbers: Iterator[int] = field(default_factory=count)

    def cleaned(self, files: list[Path], plan: Path | None = None) -> Iterator[tuple[Path, Disposition | SeriesNeeded]]:
        """Clean files; say of each what became of it, or that it needs a plan."""
        waiting: deque[tuple[Path, Path, Future[Path]]] = deque()
        todo = iter(files)
        while True:
            for path in islice(todo, self.in_flight - len(waiting)):
                part = Path(self.parts, f"{next(self.numbers)}.dcm")
                waiting.append((path, part, self.executor.submit(clean_file, path, part, self.recipe, plan)))
            if not waiting:
                return
            path, part, future = waiting.popleft()
            yield path, self._settled(path, part, future, plan)

    def _settled(self, path: Path, part: Path, future: Future[Path], plan: Path | None) -> Disposition | SeriesNeeded:
        error = future.exception()
        if isinstance(error, SeriesNeeded) and plan is None:
            return error
        return _settle(path.relative_to(self.base), part, future, self.target)

    def plan(self, members: list[Path]) -> tuple[Path, Future[None]]:
        """Begin to make the plan of a series."""
        plan = Path(self.parts, f"{next(self.numbers)}.plan")
        return plan, self.executor.submit(plan_files, members, plan, self.recipe)

    def cleaned_as_series(self, members: list[Path], plan: Path, planned: Future[None]) -> Iterator[Disposition]:
        """Clean the files of a series by their plan, or say why there is none."""
        try:
            planned.result()
        except (NoRoom, Misconfigured, DeidMisconfigured):
            raise
        except Exception as error:  # noqa: BLE001  as for a file
            why = _why(error)
            yield from (Disposition(path.relative_to(self.base), Fate.REFUSED, *why) for path in members)
            return
        for _, disposition in self.cleaned(members, plan):
            assert isinstance(disposition, Disposition)  # noqa: S101  a plan is given
            yield disposition
        plan.unlink(missing_ok=True)


def plan_files(paths: list[Path], plan: Path, recipe: Recipe) -> None:
    """Write into `plan` how the files of a series are to be cleaned. Runs in a cleaning process.

    Raises
    ------
    Refused
        None of them can be cleaned with certainty.
    OSError
        One of them cannot be read.
    NoRoom
        `plan` cannot be written.
    """
    context = recipe.prepared().context
    made = plan_series(_distinct(paths, context), context)
    try:
        plan.touch(mode=0o600)
        plan.write_bytes(made.to_bytes())
    except OSError as error:
        raise NoRoom(f"OUT cannot be written ({error.strerror})") from None


def _distinct(paths: list[Path], context: Context) -> Iterator[Instance]:
    """Yield the instances of some files, each once: a copy is no second slice."""
    seen = set()
    for path in paths:
        instance = Instance.from_part10(read_mapped(path), context.limits)
        uid = value_text(read_data_set(instance.data, instance.transfer_syntax, context.limits), SOP_INSTANCE_UID)
        if uid not in seen:
            seen.add(uid)
            yield instance
        progressed()


def clean_file(path: Path, part: Path, recipe: Recipe, plan: Path | None = None) -> Path:
    """Clean one file into `part`; return where below OUT it belongs. Runs in a cleaning process.

    Parameters
    ----------
    plan
        of its series, as `plan_files` wrote it

    Raises
    ------
    Refused
        It cannot be cleaned with certainty.
    SeriesNeeded
        It could show a face, and there is no `plan`.
    Skipped
        It is not an instance.
    OSError
        It cannot be read.
    NoRoom
        `part` cannot be written.
    """
    buffer = read_mapped(path)
    prepared = recipe.prepared()
    part10 = read_part10(buffer, prepared.context.limits)
    if part10.meta.sop_class_uid == MEDIA_DIRECTORY:
        raise Skipped(OfflineReason.DICOMDIR)
    face = None if plan is None else stored_plan(plan)
    clean = prepared.deidentify(Instance(part10.transfer_syntax, part10.data_set_bytes), face).clean
    try:
        with part.open("wb") as file:
            file.writelines(clean.part10())
    except OSError as error:
        raise NoRoom(f"OUT cannot be written ({error.strerror})") from None
    return place(clean)


class Skipped(Exception):
    """The file is not an instance, by design of the medium."""


def place(clean: CleanInstance) -> Path:
    """Return where below OUT a clean instance belongs; none of the names can lead elsewhere."""
    uids = clean.study_instance_uid, clean.series_instance_uid, clean.sop_instance_uid
    patient, study, series, instance = (_name(part) for part in (clean.patient_id, *uids))
    return Path(patient, study, series, f"{instance}.dcm")


def _name(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_LONGEST_NAME].lstrip(".") or "none"


def read_mapped(path: Path) -> Buffer:
    """Map a file into memory.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return b""  # nothing can be mapped
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _settle(path: Path, part: Path, future: Future[Path], target: Path) -> Disposition:
    """Put the clean file where it belongs, or say why there is none. Only one process does this, one by one."""
    try:
        return _put(path, part, target / future.result())
    except (NoRoom, Misconfigured, DeidMisconfigured):
        raise  # the next file would not fare better
    except Skipped as skipped:
        return Disposition(path, Fate.SKIPPED, str(skipped))
    except Exception as error:  # noqa: BLE001  a defect costs one file; its message could quote a value
        return Disposition(path, Fate.REFUSED, *_why(error))


def _why(error: Exception) -> tuple[str, str]:
    """Return reason and detail; of an error that nobody foresaw, its type."""
    if isinstance(error, Refused):
        return error.reason, error.detail
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason, ""
    return NodeReason.INTERNAL_ERROR, str(error) if isinstance(error, WorkerRaised) else type(error).__name__


def _put(path: Path, part: Path, final: Path) -> Disposition:
    """Move a clean file to its place; what lies there already is never overwritten."""
    try:
        if not final.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            part.rename(final)
            return Disposition(path, Fate.CLEANED)
        same = filecmp.cmp(part, final, shallow=False)
        part.unlink()
    except OSError as error:
        raise NoRoom(f"OUT cannot be written ({error.strerror})") from None
    if same:
        return Disposition(path, Fate.ALREADY_THERE)
    return Disposition(path, Fate.REFUSED, OfflineReason.OTHER_CONTENT)

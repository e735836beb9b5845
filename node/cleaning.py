"""One job in a worker process: a raw file in, a clean file in the outbox out."""

from __future__ import annotations

import gc
import mmap
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deid.context import Context
from deid.engine import Instance, Result, deidentify
from deid.errors import Misconfigured as DeidMisconfigured
from deid.errors import Reason, Refused, SeriesNeeded
from deid.faces import FacePlan, plan_series
from deid.keys import Keys
from deid.naming import names_of, names_of_clean
from deid.profile import load_profile
from deid.review import UNREVIEWED, Review
from node.contents import digest_of
from node.errors import Misconfigured, NodeError
from node.faces import check_delivery, gathered_job, stored_plan
from node.identities import Source, open_source
from node.jobs import CleanedJob, GatheredJob, JobId
from node.key import KeyRing, load_ring
from node.log import where
from node.naming import told_whose
from node.pool_child import progressed
from node.raw import origin_of
from node.reports.facts import facts_of
from node.settings import profile_path
from node.spares import LARGEST_BYTES, open_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from node.settings import Project, Settings
    from node.spool import Spool


_COLLECT_AFTER = 50_000  # objects: those of some instances, which no cycle keeps

_memory = bytearray(LARGEST_BYTES + 1)  # of a spare: what fits into a core's own cache beside the rest

# All pages at once: raw files are read from end to end, and faults cost more than reading ahead.
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)


class Failed(NodeError):
    """`deid` raised what it should not have; the message names the type of the error and the line, not its text."""


@dataclass(slots=True)
class Prepared:
    """What the instances of one project are cleaned with, in one process.

    Attributes
    ----------
    source
        of the identities; the context holds the newest
    """

    context: Context
    source: Source

    def deidentify(self, instance: Instance, face: FacePlan | None = None, review: Review = UNREVIEWED) -> Result:
        """De-identify an instance; before its patient counts as not mapped, look whether they are now.

        Parameters
        ----------
        face
            what its series comes to, if that is known
        review
            what a person has said of its frames

        Raises
        ------
        Refused
            if it can't be cleaned with certainty
        SeriesNeeded
            if it could show a face, and `face` isn't given
        """
        try:
            return deidentify(instance, self._current(), face, review)
        except Refused as refused:
            if refused.reason is not Reason.UNMAPPED_PATIENT or not self.source.look():
                raise
        return deidentify(instance, self._current(), face, review)

    def _current(self) -> Context:
        identity = self.source.current()
        if identity is not self.context.identity:
            self.context = replace(self.context, identity=identity)
        return self.context


_prepared: dict[str, Prepared] = {}


def prepared(settings: Settings, *, lenient: bool = False) -> dict[str, Prepared]:
    """Load profile, key and identities of each project.

    Parameters
    ----------
    lenient
        hold what a crosswalk would map that can't be read now, and load models when they are needed; else an error of
        either is an error at once

    Raises
    ------
    Misconfigured
        if one of them is missing or wrong
    """
    ring = load_ring(settings.key_file)
    try:
        found = {each.name: _prepared_for(each, settings, ring, lenient=lenient) for each in settings.projects}
        if not lenient:
            for each in found.values():
                each.context.check()
    except DeidMisconfigured as error:
        raise Misconfigured(str(error)) from None
    return found


def _prepared_for(project: Project, settings: Settings, ring: KeyRing, *, lenient: bool) -> Prepared:
    source = open_source(project.identity, project.name, settings.spool.path, ring.oldest, lenient=lenient)
    profile, keys = load_profile(profile_path(project)), Keys.from_secret(ring.secret_for(project.identity))
    check_delivery(project, profile)
    context = Context(profile, keys, identity=source.current(), models=settings.models.folder, progress=progressed)
    return Prepared(context, source)


def prepare(settings: Settings) -> None:
    """Load what `clean_job` needs, once for each process."""
    _prepared.update(prepared(settings, lenient=True))
    gc.freeze()  # the tables stay: nothing is gained by looking through them again and again
    gc.set_threshold(_COLLECT_AFTER)


def clean_job(spool: Spool, job_id: JobId, project: str) -> CleanedJob | GatheredJob | None:
    """De-identify a raw file into the outbox.

    Returns
    -------
    what there is in the outbox now, or that its series is needed first; None if there is no raw file

    Raises
    ------
    Refused
        if it can't be cleaned with certainty
    NoRoom, Transient
        if the outbox can't be written
    Failed
        if anything else happened
    """
    with _told_by_place():
        try:
            return _cleaned(spool, job_id, project)
        except FileNotFoundError:
            return None


def plan_job(spool: Spool, project: str, job_ids: Sequence[JobId]) -> bytes | None:
    """Look at the raw files of a series, and say how all of its instances are to be cleaned.

    Returns
    -------
    the plan, as `FacePlan.from_bytes` takes it; None if a raw file is gone

    Raises
    ------
    Refused
        if none of them can be cleaned with certainty
    Failed
        if anything else happened
    """
    with _told_by_place():
        try:
            return plan_series(_instances(spool, job_ids), _prepared[project].context).to_bytes()
        except FileNotFoundError:
            return None


@contextmanager
def _told_by_place() -> Iterator[None]:
    """Let no error out whose text may hold values."""
    try:
        yield
    except (Refused, NodeError, MemoryError):
        raise
    except DeidMisconfigured as error:  # it was not so at the start: a model is gone, or is another one
        raise Refused(Reason.STEP_UNAVAILABLE, f"at {where(error.__traceback__)}") from None
    except Exception as error:  # noqa: BLE001  it ends here
        raise Failed(f"{type(error).__name__} at {where(error.__traceback__)}") from None


def _instances(spool: Spool, job_ids: Sequence[JobId]) -> Iterator[Instance]:
    for job_id in job_ids:
        yield _raw_instance(spool, job_id)
        progressed()


def _cleaned(spool: Spool, job_id: JobId, project: str) -> CleanedJob | GatheredJob:
    prepared, instance = _prepared[project], _raw_instance(spool, job_id)
    try:
        return _cleaned_instance(spool, job_id, project, instance)
    except Refused as refused:
        raise told_whose(refused, instance, prepared.context) from None


def _cleaned_instance(spool: Spool, job_id: JobId, project: str, instance: Instance) -> CleanedJob | GatheredJob:
    prepared, review = _prepared[project], spool.reviews.get(job_id)
    try:
        result = prepared.deidentify(instance, review=review)
    except SeriesNeeded as needed:
        path = spool.plans.path(project, needed.series_code)
        plan = stored_plan(path)
        if plan is None:
            gathered = gathered_job(job_id, needed.series_code, instance, prepared.context)
            return replace(gathered, names=names_of(instance, prepared.context))
        try:
            result = prepared.deidentify(instance, plan, review)
        except Refused as refused:
            if refused.reason is not Reason.FACE_SERIES_UNFIT:
                raise
            # the plan was made without it: who wants another one has to know which
            raise Refused(refused.reason, f"{refused.detail}: {path.parent.name}/{path.name}") from None
    size_bytes = spool.put_outbox(job_id, result.clean.part10())
    clean = result.clean
    facts = facts_of(result.report, prepared.context.profile.name, clean.sop_class_uid)
    return CleanedJob(
        job_id,
        clean.sop_class_uid,
        clean.transfer_syntax,
        size_bytes,
        names_of_clean(clean),
        facts,
        digest_of(clean.chunks),
    )


def _raw_instance(spool: Spool, job_id: JobId) -> Instance:
    raw = _loaded(spool.incoming_path(job_id))
    origin = origin_of(raw)
    return Instance(origin.transfer_syntax, raw[origin.offset :])


def _loaded(path: Path) -> memoryview:
    """Give the content of a file: of a small one in memory that is used again, of others as a mapping."""
    with open_whole(path) as fd:
        size_bytes = os.fstat(fd).st_size
        if size_bytes > LARGEST_BYTES:
            return memoryview(mmap.mmap(fd, 0, flags=mmap.MAP_SHARED | _POPULATE, prot=mmap.PROT_READ))
        memory = _reusable_memory()
        return memoryview(memory)[: os.readv(fd, [memory])].toreadonly()


def _reusable_memory() -> bytearray:
    """Give the memory of the instance before, which the caches still hold, unless anything still looks into it."""
    global _memory  # noqa: PLW0603  one for each process
    try:
        _memory.append(0)  # an error while any view of it lives
        del _memory[-1:]
    except BufferError:
        _memory = bytearray(LARGEST_BYTES + 1)
    return _memory

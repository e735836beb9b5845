"""The work role: raw files → `deid` in child processes → outbox or quarantine; files of jobs that are over, away.

One thread of one process decides about a spool's files, and all that it does can be interrupted between any two lines:
what was begun is found again by `node.reconcile`.
"""

from __future__ import annotations

import fcntl
import os
import queue
import time
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from deid.errors import Reason, Refused
from node.barrier import Barrier
from node.changeover import Changeover
from node.cleaning import Failed, Prepared, clean_job, prepare, prepared
from node.commitment.originals import index_originals
from node.contents import Contents, is_dropped, note_cleaned, note_other_content, note_resent
from node.decisions import DECISIONS, Decisions
from node.errors import Misconfigured, NodeError, NoRoom, Transient
from node.identities import Source, look_and_say
from node.jobs import CleanedJob, GatheredJob, Job, JobId, NodeReason
from node.ledger import Ledger, open_ledger
from node.log import Event, Name, emit, emit_error
from node.naming import names_in
from node.pool import WorkerDied, WorkerPool, WorkerRaised, WorkerTimedOut
from node.reconcile import reconcile
from node.reports.tables import facts_in, note_facts
from node.reviewing import Reviewing
from node.spool import Spool
from node.studies import note_names

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from enum import StrEnum
    from pathlib import Path

    from node.reload import Reload
    from node.settings import Settings

__all__ = ["Worker", "clean_job", "run"]

Outcome: TypeAlias = "Future[CleanedJob | GatheredJob | None]"
Note: TypeAlias = "Callable[[Ledger], None]"

_IN_HAND_PER_PROCESS = 6  # claimed by the half, so that a commit is for several
_IDLE_POLL_S = 0.05
_LINGER_S = 0.008  # for more results, so that a commit is for several
_TIDY_EVERY_S = 0.5
_LOOK_AT_SERIES_EVERY_S = 0.5
_REST_AFTER_A_LOOK = 20  # times as long as it took: with very many series it takes its time
_RECONCILE_EVERY_S = 60.0
_LOOK_FOR_MAPPINGS_EVERY_S = 1.0
_TRY_HELD_EVERY_S = 600.0
_PAUSE_S = 5.0
_LOCK_WAIT_S = 15.0
_REMOVE_AT_ONCE = 512
_DAY_S = 86_400.0


class _NoSuchProject(NodeError):
    """The called AE title of a job belongs to no project, or not any more."""


# What to do about an error of a job: quarantine it at once, after some attempts, or (all other NodeErrors) try again.
_AT_ONCE: tuple[tuple[type[BaseException], NodeReason], ...] = (
    (_NoSuchProject, NodeReason.NO_SUCH_PROJECT),
    (Failed, NodeReason.INTERNAL_ERROR),
    (WorkerRaised, NodeReason.INTERNAL_ERROR),
    (MemoryError, NodeReason.OUT_OF_MEMORY),
)
_AFTER_ATTEMPTS: tuple[tuple[type[BaseException], NodeReason, Event], ...] = (
    (WorkerDied, NodeReason.WORKER_DIED, Event.WORKER_DIED),
    (WorkerTimedOut, NodeReason.WORKER_TIMED_OUT, Event.WORKER_TIMED_OUT),
)


def run(
    settings: Settings,
    stop: threading.Event,
    ready: Callable[[], None] = lambda: None,
    reload: Reload | None = None,
) -> None:
    """Clean what arrives, until `stop`; with new settings, finish what is in hand and begin anew by them.

    Raises
    ------
    Misconfigured
        if the profile, the key or the spool is wrong, or another process works on this spool
    """
    known = prepared(settings)  # a mistake in them must stop the node, not each instance
    spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
    with _alone(spool.path):
        changeover = Changeover(reload, open_ledger(spool.path), prepared)
        _work(settings, known, spool, stop, ready, changeover)
        while changeover.next and not stop.is_set():
            settings, known = changeover.next
            _work(settings, known, spool, stop, lambda: None, changeover)
    emit(Event.STOPPED)


def _work(
    settings: Settings,
    known: Mapping[str, Prepared],
    spool: Spool,
    stop: threading.Event,
    ready: Callable[[], None],
    changeover: Changeover[dict[str, Prepared]],
) -> None:
    """Clean by one version of the settings, until `stop` or there is another."""
    with _pool(settings) as pool:
        sources = {name: each.source for name, each in known.items()}
        worker = Worker(settings, spool, changeover.ledger, pool, sources)
        worker.begin()
        changeover.in_force()
        ready()
        emit(Event.READY, processes=settings.work.process_count)
        while not stop.is_set() and not changeover.look():
            worker.turn()
        emit(Event.STOPPING, in_hand=len(worker.in_hand))
        worker.finish()
        if worker.barrier.plannings:
            pool.kill()  # they are made anew


@contextmanager
def _alone(spool: Path) -> Iterator[None]:
    """Hold the lock of the role; a predecessor that was killed may take a moment to be gone."""
    fd = os.open(spool / ".work.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up_at = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    raise Misconfigured(f"spool {spool}: another process works on it; give each node its own") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)


def _pool(settings: Settings) -> WorkerPool:
    work = settings.work
    return WorkerPool(
        work.process_count,
        time_limit_s=work.time_limit_s,
        step_time_limit_s=work.time_limit_per_frame_s,
        memory_limit_bytes=work.memory_limit_bytes,
        # a clean file holds pieces of its raw one and what was made in memory
        file_limit_bytes=settings.receive.max_instance_bytes + work.memory_limit_bytes,
        initializer=prepare,
        initargs=(settings,),
    )


@dataclass(slots=True)
class _Clock:
    """When what is done now and then is to be done next; monotonic seconds."""

    claim_s: float = 0.0
    tidy_s: float = 0.0
    reconcile_s: float = 0.0
    look_s: float = 0.0
    try_held_s: float = 0.0
    series_s: float = 0.0


@dataclass(slots=True)
class Worker:
    """What the processes have in hand, and what becomes of it.

    Attributes
    ----------
    sources
        of the projects' identities; a new version of one may map patients that are held
    in_hand
        claimed jobs
    done
        those of them that a process is done with
    more
        whether there may be jobs to claim that no other process has announced
    """

    settings: Settings
    spool: Spool
    ledger: Ledger
    pool: Executor
    sources: Mapping[str, Source] = field(default_factory=dict)
    in_hand: dict[JobId, Job] = field(default_factory=dict)
    # No SimpleQueue: with CPython's (3.11), a signal that comes as a timed `get` ends makes it wait for ever.
    done: queue.Queue[tuple[Job, Outcome]] = field(default_factory=queue.Queue)
    more: bool = True
    clock: _Clock = field(default_factory=_Clock)
    processes: int = field(init=False)
    barrier: Barrier = field(init=False)
    reviewing: Reviewing = field(init=False)
    contents: Contents = field(init=False)

    def __post_init__(self) -> None:
        """Ask once how many processes there are."""
        self.processes = self.settings.work.process_count
        self.barrier = Barrier(self.settings, self.spool, self.ledger, self.pool)
        self.contents = Contents(self.ledger)
        self.contents.prepare()
        self.reviewing = Reviewing(self.spool, self.ledger, Decisions(self.spool.path / DECISIONS))

    def begin(self) -> None:
        """Take over from a predecessor, whatever it died of."""
        self._sweep()
        self.spool.clear_spares()
        if count := self.spool.distrust_outbox():
            emit(Event.OUTBOX_DISTRUSTED, count=count)
        self.reconcile()
        self.barrier.begin()
        self.reviewing.begin()

    def _sweep(self) -> None:
        if parts := self.spool.sweep_parts():
            emit(Event.PARTS_SWEPT, count=parts)

    def turn(self) -> None:
        """Do what is to be done now, or wait a little for it."""
        try:
            self.claim()
            self.settle(self._finished())
            now_s = time.monotonic()
            if now_s >= self.clock.tidy_s:
                self.clock.tidy_s = now_s + _TIDY_EVERY_S
                self.tidy()
                self.more |= self.reviewing.look()
                if self.reviewing.has_more:
                    self.clock.tidy_s = now_s
            if now_s >= self.clock.reconcile_s:
                self.reconcile()
            if now_s >= self.clock.look_s:
                self.look_for_mappings()
            if now_s >= self.clock.series_s:
                self.look_at_series()
        except (NoRoom, Transient) as error:
            self._pause(error)

    def finish(self) -> None:
        """Let what a process is at come to its end; what waits is put back."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        try:
            while self.in_hand:
                self.settle([self.done.get()])
            self.tidy()
        except (NoRoom, Transient) as error:
            self._pause(error)  # what could not be noted is found by the next begin()

    # -- claim

    def claim(self) -> None:
        """Hand as many jobs to the processes as keep them busy."""
        most = _IN_HAND_PER_PROCESS * self.processes
        room = most - len(self.in_hand)
        if room < most // 2 or time.monotonic() < self.clock.claim_s:
            return
        if not (self.more or self.ledger.changed()):
            return
        jobs = self.ledger.pending(room)
        self.more = len(jobs) == room
        self.ledger.cleaning([job.job_id for job in jobs])
        for job in jobs:
            self.in_hand[job.job_id] = job
            self._submit(job).add_done_callback(partial(self._note_done, job))

    def _submit(self, job: Job) -> Outcome:
        if self.settings.project_named(job.project) is not None:
            return self.pool.submit(clean_job, self.spool, job.job_id, job.project)
        refused: Outcome = Future()
        refused.set_exception(_NoSuchProject())
        return refused

    def _note_done(self, job: Job, outcome: Outcome) -> None:
        self.done.put((job, outcome))

    # -- settle

    def _finished(self) -> list[tuple[Job, Outcome]]:
        """Wait a little for a process to be done; give all that are."""
        finished = []
        try:
            finished.append(self.done.get(timeout=_IDLE_POLL_S))
            if len(self.in_hand) > 1:
                time.sleep(_LINGER_S)
            while True:
                finished.append(self.done.get_nowait())
        except queue.Empty:
            return finished

    def settle(self, finished: list[tuple[Job, Outcome]]) -> None:
        """Move the files of what was refused, then note all in one commit."""
        if not finished:
            return
        notes = [self._concluded(job, outcome) for job, outcome in finished]
        try:
            with self.ledger.batch():
                for note, (job, outcome) in zip(notes, finished, strict=True):
                    note_names(self.ledger, job.job_id, job.project, names_in(outcome))
                    note_facts(self.ledger, job.job_id, facts_in(outcome))
                    note(self.ledger)
        except (NoRoom, Transient):
            for each in finished:
                self.done.put(each)  # to be concluded once more: nothing of it minds being repeated
            raise
        self.contents.pending.clear()
        for job, _ in finished:
            del self.in_hand[job.job_id]

    def _concluded(self, job: Job, outcome: Outcome) -> Note:
        """Do what the outcome asks for with the files; give what is to be noted then."""
        if outcome.cancelled():
            return partial(Ledger.put_back, job_ids=[job.job_id])
        error = outcome.exception()
        if error is not None:
            return self._failed(job, error)
        cleaned = outcome.result()
        if cleaned is None:  # somebody moved the raw file away: the other folders will tell who
            self.clock.reconcile_s = 0.0
            return _nothing
        if isinstance(cleaned, GatheredJob):
            emit(Event.INSTANCE_GATHERED, job=job.job_id)
            return self._with_the_others(job, partial(Ledger.gathered, found=cleaned))
        return self._cleaned(job, cleaned)

    def _cleaned(self, job: Job, cleaned: CleanedJob) -> Note:
        emit(Event.INSTANCE_CLEANED, job=job.job_id, size_bytes=cleaned.size_bytes)
        project = self.settings.project_named(job.project)
        destinations = project.destinations if project else ()
        compared = self.contents.compare(cleaned, destinations)
        if compared.others:
            note = self._quarantined(job, NodeReason.OTHER_CONTENT, ", ".join(compared.others))
            return partial(note_other_content, note=note, contents=self.contents, job_id=job.job_id)
        note = partial(
            Ledger.cleaned,
            job_id=job.job_id,
            destinations=destinations,
            sop_class_uid=cleaned.sop_class_uid,
            transfer_syntax=cleaned.transfer_syntax,
            size_bytes=cleaned.size_bytes,
        )
        note = partial(note_cleaned, note=note, contents=self.contents, cleaned=cleaned, compared=compared)
        if compared.is_known and project is not None and is_dropped(project, self.settings):
            emit(Event.INSTANCE_RESENT, job=job.job_id)
            note = partial(note_resent, note=note, job_id=job.job_id, destinations=destinations)
        return self._with_the_others(job, note)

    def _failed(self, job: Job, error: BaseException) -> Note:
        if isinstance(error, Refused):
            if error.reason is Reason.UNMAPPED_PATIENT:
                return self._held(job, error.detail)
            return self._quarantined(job, error.reason, error.detail)
        for kind, reason in _AT_ONCE:
            if isinstance(error, kind):
                return self._quarantined(job, reason, str(error) if isinstance(error, NodeError) else "")
        for kind, reason, event in _AFTER_ATTEMPTS:
            if isinstance(error, kind):
                emit(event, job=job.job_id, attempts=job.attempts + 1)
                self._sweep()  # of what the process was writing
                if job.attempts + 1 >= self.settings.work.attempts:
                    return self._quarantined(job, reason, str(error))
                self.more = True
                return partial(_note_attempt, job_id=job.job_id)
        return self._put_back(job, error)

    def _put_back(self, job: Job, error: BaseException) -> Note:
        self._pause(error)
        return partial(Ledger.put_back, job_ids=[job.job_id])

    def _quarantined(self, job: Job, reason: StrEnum, detail: str) -> Note:
        try:
            self.spool.quarantine(job.job_id, reason, detail, job.project)
        except (NoRoom, Transient) as error:
            return self._put_back(job, error)
        emit(Event.INSTANCE_QUARANTINED, job=job.job_id, project=Name(job.project), reason=reason)
        return self._with_the_others(job, partial(Ledger.quarantined, job_id=job.job_id, reason=reason))

    def _held(self, job: Job, waits_for: str) -> Note:
        note = partial(Ledger.held, job_id=job.job_id, waits_for=waits_for)
        if job.waits_for == waits_for:  # it was held before, and is again
            return note
        emit(Event.INSTANCE_HELD, job=job.job_id, project=Name(job.project))
        return self._with_the_others(job, note)  # another key makes other codes: then none of the old is left behind

    def _with_the_others(self, job: Job, note: Note) -> Note:
        """Let all that waited for the same mapping as a job follow it, now that it waits no more."""
        if not job.waits_for:
            return note
        self.more = True
        return partial(_note_mapped, note=note, project=job.project, waits_for=job.waits_for)

    def _pause(self, error: BaseException) -> None:
        """Claim nothing for a moment: what went wrong would go wrong with every job."""
        self.clock.claim_s = time.monotonic() + _PAUSE_S
        self.more = True
        emit_error(Event.WORK_PAUSED, error, pause_s=_PAUSE_S)

    # -- now and then

    def tidy(self) -> None:
        """Move to quarantine what the forwarder gave up, and delete the files of what all destinations have."""
        for job in self.ledger.to_file():
            told = ", ".join(_told(name, status) for name, status in self.ledger.given_up(job.job_id))
            self.spool.quarantine(job.job_id, job.reason, told, job.project)
            self.ledger.quarantined(job.job_id, job.reason)
        sent = self.ledger.sent(_REMOVE_AT_ONCE)
        if sent:
            self.ledger.sync()  # a power cut must not leave a job without files that isn't known to be sent
            self.spool.remove(sent)
            self.ledger.forget_files(sent)
            emit(Event.FILES_REMOVED, count=len(sent))

    def reconcile(self) -> None:
        """Set the ledger right by the files; forget old jobs."""
        self.clock.reconcile_s = time.monotonic() + _RECONCILE_EVERY_S
        done = reconcile(self.spool, self.ledger, self._project_of, self.in_hand)
        if done:
            emit(Event.RECONCILED, **{verdict.value.replace("-", "_"): count for verdict, count in done.items()})
            self.more = True
        index_originals(self.settings, self.spool, self.ledger)
        before_s = time.time() - self.settings.spool.keep_finished_days * _DAY_S
        if count := self.ledger.prune(before_s):
            emit(Event.JOBS_FORGOTTEN, count=count)
        self.contents.prune(before_s)
        self.barrier.prune()

    def look_at_series(self) -> None:
        """Let those be planned that are there as a whole, and their instances be cleaned."""
        began_s = time.monotonic()
        self.clock.series_s = began_s + _LOOK_AT_SERIES_EVERY_S
        self.more |= self.barrier.look()
        took_s = time.monotonic() - began_s
        self.clock.series_s = began_s + max(_LOOK_AT_SERIES_EVERY_S, _REST_AFTER_A_LOOK * took_s)

    def look_for_mappings(self) -> None:
        """Try what is held again: of each mapping one, where the crosswalk is another one, and now and then anyway."""
        now_s = time.monotonic()
        self.clock.look_s = now_s + _LOOK_FOR_MAPPINGS_EVERY_S
        projects = [name for name, source in self.sources.items() if look_and_say(name, source)]
        if now_s >= self.clock.try_held_s:
            self.clock.try_held_s = now_s + _TRY_HELD_EVERY_S
            projects = [""]
        for project in projects:
            self.more |= bool(self.ledger.try_held(project))

    def _project_of(self, called_ae: str) -> str:
        project = self.settings.project_for(called_ae)
        return project.name if project else ""


def _nothing(_ledger: Ledger) -> None:
    """Note nothing."""


def _note_attempt(ledger: Ledger, job_id: JobId) -> None:
    ledger.attempt_failed(job_id)


def _note_mapped(ledger: Ledger, note: Note, project: str, waits_for: str) -> None:
    note(ledger)
    if count := ledger.mapped(project, waits_for):
        emit(Event.HELD_RELEASED, project=Name(project), count=count)


def _told(destination: str, status: int | None) -> str:
    return f"{destination}: no answer" if status is None else f"{destination}: status {status:04X}"

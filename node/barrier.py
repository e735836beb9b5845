"""Series that are only cleaned as a whole: their instances wait in the ledger until all are there and a plan is made.

A series is taken to be there when none of its instances has come for `[faces] quiet_s`, or when there are as many
different ones as its sender has announced (0020,1209). Then one process reads them all and says how each of them is to
be cleaned: that plan is kept, and all go through the workers once more. If there can be no plan, all are refused.

What comes while a plan is made reopens the series: that plan is dropped, and another one made when it is quiet again.
What comes later is cleaned by the plan as it is, or refused if that doesn't reach so far: by then, instances that were
cleaned by it may have been delivered.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deid.errors import Refused
from node.cleaning import plan_job
from node.errors import NodeError
from node.jobs import JobId, NodeReason, Series
from node.log import Event, Name, emit, emit_error
from node.plans import Refusal
from node.pool import WorkerDied, WorkerTimedOut

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    from node.ledger import Ledger
    from node.settings import Settings
    from node.spool import Spool

_REFUSED_AT_ONCE = 32  # that the role has time for between two turns
_DAY_S = 86_400.0

_AFTER_ATTEMPTS = ((WorkerDied, NodeReason.WORKER_DIED), (WorkerTimedOut, NodeReason.WORKER_TIMED_OUT))


@dataclass(frozen=True, slots=True)
class _Planning:
    """A plan that is being made of some jobs' instances."""

    series: Series
    jobs: tuple[tuple[JobId, str], ...]
    outcome: Future[bytes | None]
    began_s: float


@dataclass(slots=True)
class Barrier:
    """The series that wait; only the work role's thread asks it anything.

    Attributes
    ----------
    quiet
        each series as it was last seen, and since when it has been so (monotonic seconds)
    plannings
        plans in the making
    """

    settings: Settings
    spool: Spool
    ledger: Ledger
    pool: Executor
    quiet: dict[tuple[str, str], tuple[Series, float]] = field(default_factory=dict)
    plannings: dict[tuple[str, str], _Planning] = field(default_factory=dict)

    def begin(self) -> None:
        """Take over from a predecessor: forget refusals that it had carried out."""
        self.spool.plans.forget_refusals({_key(series) for series in self.ledger.series()})

    def look(self) -> bool:
        """Do what is to be done now; say whether there are jobs to clean.

        Raises
        ------
        NoRoom, Transient
            if the disk or the ledger fails; all can be done again
        """
        waiting = {_key(series): series for series in self.ledger.series()}
        released = sum([self._concluded(key) for key in list(self.plannings) if self.plannings[key].outcome.done()])
        now_s = time.monotonic()
        self.quiet = {key: self._since(key, series, now_s) for key, series in waiting.items()}
        for key, series in waiting.items():
            if key in self.plannings:
                continue
            if self.spool.plans.is_planned(*key):
                released += self.ledger.planned(series)
            elif refusal := self.spool.plans.refusal(*key):
                self._refuse_some(series, refusal)
            elif len(self.plannings) < self.settings.work.process_count and self._is_there(series, now_s):
                self._plan(key, series)
        return released > 0

    def prune(self) -> None:
        """Delete plans that are too old for late instances."""
        if count := self.spool.plans.prune(time.time() - self.settings.faces.keep_plans_days * _DAY_S):
            emit(Event.PLANS_REMOVED, count=count)

    def _since(self, key: tuple[str, str], series: Series, now_s: float) -> tuple[Series, float]:
        seen = self.quiet.get(key)
        return seen if seen is not None and seen[0] == series else (series, now_s)

    def _is_there(self, series: Series, now_s: float) -> bool:
        if 0 < series.announced <= series.instances:
            return True
        quiet_s = self.settings.faces.quiet_s
        is_quiet = now_s - self.quiet[_key(series)][1] >= quiet_s
        return is_quiet and not self.ledger.may_have_more(series, quiet_s)

    def _plan(self, key: tuple[str, str], series: Series) -> None:
        jobs = tuple(self.ledger.jobs_of(series))
        outcome = self.pool.submit(plan_job, self.spool, series.project, _once(jobs))
        self.plannings[key] = _Planning(series, jobs, outcome, time.monotonic())

    def _concluded(self, key: tuple[str, str]) -> int:
        """Keep a plan that was made, or say why there is none; return how many jobs may be cleaned now."""
        planning = self.plannings.pop(key)
        self.quiet.pop(key, None)  # whatever comes of it: the next one is made when it was quiet once more
        series, outcome = planning.series, planning.outcome
        if outcome.cancelled() or tuple(self.ledger.jobs_of(series)) != planning.jobs:
            return 0
        error = outcome.exception()
        if error is not None:
            self._failed(series, error)
            return 0
        plan = outcome.result()
        if plan is None:  # a raw file is gone: reconcile will see that, and the series is another one then
            return 0
        self.spool.plans.put(*key, plan)
        took_s = round(time.monotonic() - planning.began_s, 3)
        emit(Event.SERIES_PLANNED, project=Name(series.project), instances=series.instances, took_s=took_s)
        return self.ledger.planned(series)

    def _failed(self, series: Series, error: BaseException) -> None:
        if isinstance(error, Refused):
            self._refused(series, error.reason, error.detail)
            return
        for kind, reason in _AFTER_ATTEMPTS:
            if isinstance(error, kind):
                emit_error(Event.ATTEMPT_FAILED, error, project=Name(series.project), instances=series.instances)
                if self.ledger.plan_failed(series) >= self.settings.work.attempts:
                    self._refused(series, reason, str(error))
                return
        if isinstance(error, MemoryError):
            self._refused(series, NodeReason.OUT_OF_MEMORY)
        else:
            self._refused(series, NodeReason.INTERNAL_ERROR, str(error) if isinstance(error, NodeError) else "")

    def _refused(self, series: Series, reason: StrEnum, detail: str = "") -> None:
        """Note that nothing of a series can be cleaned; the next looks move its instances to quarantine."""
        self.spool.plans.refuse(series.project, series.series, Refusal(reason, detail))
        emit(Event.SERIES_REFUSED, project=Name(series.project), instances=series.instances, reason=reason)

    def _refuse_some(self, series: Series, refusal: Refusal) -> None:
        """Move instances of a refused series to quarantine; the refusal itself goes with the last of them."""
        jobs = self.ledger.jobs_of(series)
        for job_id, _ in jobs[:_REFUSED_AT_ONCE]:
            self.spool.quarantine(job_id, refusal.reason, refusal.detail, series.project)
            self.ledger.quarantined(job_id, refusal.reason)
        if len(jobs) <= _REFUSED_AT_ONCE:
            self.spool.plans.forget_refusal(series.project, series.series)


def _key(series: Series) -> tuple[str, str]:
    return series.project, series.series


def _once(jobs: Iterable[tuple[JobId, str]]) -> list[JobId]:
    """Give of each instance the job that came first: one that was sent twice is no second slice."""
    first: dict[str, JobId] = {}
    for job_id, instance in jobs:
        first.setdefault(instance, job_id)
    return list(first.values())

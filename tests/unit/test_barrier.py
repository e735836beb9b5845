"""Series wait until they are there as a whole; then all of a series may be cleaned, or none of it."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid.elements.file_meta import part10_header
from deid.errors import Reason, Refused
from node import barrier
from node.barrier import Barrier
from node.cleaning import Failed, plan_job
from node.errors import NodeError
from node.jobs import GatheredJob, JobId, NodeReason, Series, State
from node.ledger import Ledger, open_ledger
from node.plans import Refusal
from node.pool import WorkerDied, WorkerRaised, WorkerTimedOut
from node.settings import FacesSettings, Settings, SpoolSettings, WorkSettings
from node.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD, OTHER = "a" * 32, "b" * 32
RAW = part10_header("1.2", "1.2.3", "1.2.840.10008.1.2.1", "MODALITY", "", "DEIDNODE")
QUIET_S = 20.0


@dataclass
class Clock:
    """Stands in for the module `time`; its two clocks go together."""

    now_s: float = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s


@dataclass
class Patient(Executor):
    """An executor that does nothing until the test says what comes of it."""

    asked: list[tuple[str, list[JobId]]] = field(default_factory=list)
    futures: list[Future[Any]] = field(default_factory=list)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert fn is plan_job
        assert not kwargs
        _spool, project, job_ids = args
        self.asked.append((project, job_ids))
        self.futures.append(Future())
        return self.futures[-1]


@dataclass
class Bench:
    """A barrier with a spool, a ledger, a clock and an executor of its own."""

    spool: Spool
    ledger: Ledger
    clock: Clock
    pool: Patient
    settings: Settings
    barrier: Barrier
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def begin(self) -> None:
        self.pool = Patient()
        self.barrier = Barrier(self.settings, self.spool, self.ledger, self.pool)
        self.barrier.begin()

    def arrive(self, project: str = "default", *, claimed: bool = True) -> JobId:
        job_id = JobId(f"{int(self.clock.now_s * 1e9):016x}{next(self.numbers):016x}")
        self.spool.put_incoming(job_id, RAW, [b"x"])
        self.ledger.received(job_id, project, 1)
        if claimed:
            self.ledger.cleaning([job_id])
        return job_id

    def gather(
        self, count: int = 1, series: str = HEAD, project: str = "default", instance: str = "", announced: int = 0
    ) -> list[JobId]:
        ids = [self.arrive(project) for _ in range(count)]
        for job_id in ids:
            self.ledger.gathered(GatheredJob(job_id, series, instance or job_id, announced))
        return ids

    def look_after(self, seconds: float) -> bool:
        self.clock.now_s += seconds
        return self.barrier.look()

    def look_when_quiet(self) -> bool:
        self.look_after(0)
        return self.look_after(QUIET_S)

    def state(self, job_id: JobId) -> State:
        job = self.ledger.job(job_id)
        assert job is not None
        return job.state

    def states(self, job_ids: list[JobId]) -> set[State]:
        return {self.state(job_id) for job_id in job_ids}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    clock = Clock()
    monkeypatch.setattr(barrier, "time", clock)
    settings = replace(
        Settings(),
        spool=SpoolSettings(tmp_path, 1),
        work=WorkSettings(processes=2, attempts=2),
        faces=FacesSettings(quiet_s=QUIET_S, keep_plans_days=2.0),
    )
    spool, ledger, pool = Spool(tmp_path, 1), open_ledger(tmp_path), Patient()
    made = Bench(spool, ledger, clock, pool, settings, Barrier(settings, spool, ledger, pool))
    yield made
    ledger.close()


def test_a_series_is_planned_once_none_of_it_has_come_for_the_quiet_time(bench: Bench) -> None:
    ids = bench.gather(3)
    bench.look_after(0)
    bench.look_after(QUIET_S - 0.1)
    assert bench.pool.asked == []
    bench.look_after(0.2)
    assert bench.pool.asked == [("default", ids)]
    bench.look_after(QUIET_S)
    assert len(bench.pool.asked) == 1
    assert bench.states(ids) == {State.GATHERED}


def test_an_instance_that_comes_begins_the_quiet_time_anew(bench: Bench) -> None:
    bench.gather(3)
    bench.look_after(0)
    bench.look_after(QUIET_S - 1)
    bench.gather(1)
    bench.look_after(0)
    bench.look_after(QUIET_S - 1)
    assert bench.pool.asked == []
    bench.look_after(1)
    assert len(bench.pool.asked[0][1]) == 4


def test_after_a_restart_the_quiet_time_begins_anew(bench: Bench) -> None:
    bench.gather(3)
    bench.look_after(0)
    bench.look_after(QUIET_S - 1)
    bench.begin()
    bench.look_after(2)
    assert bench.pool.asked == []
    bench.look_after(QUIET_S)
    assert len(bench.pool.asked) == 1


def test_a_series_waits_for_what_came_in_time_but_was_not_looked_at_yet(bench: Bench) -> None:
    bench.gather(3)
    bench.clock.now_s += QUIET_S / 2
    unseen = bench.arrive(claimed=False)
    bench.look_when_quiet()
    bench.look_after(10 * QUIET_S)
    assert bench.pool.asked == []
    bench.ledger.cleaning([unseen])
    bench.look_after(0)
    assert bench.pool.asked == []
    bench.ledger.cleaned(unseen, ["archive"])
    bench.look_after(0)
    assert len(bench.pool.asked) == 1


def test_a_series_does_not_wait_for_what_came_after_it_was_quiet(bench: Bench) -> None:
    bench.gather(3)
    bench.look_after(0)
    bench.clock.now_s += QUIET_S + 1
    bench.arrive(claimed=False)
    bench.look_after(0)
    assert len(bench.pool.asked) == 1


def test_a_series_does_not_wait_for_other_projects_and_other_series(bench: Bench) -> None:
    bench.gather(3)
    other = bench.gather(1, OTHER)
    bench.arrive("trial", claimed=False)
    bench.look_after(0)
    bench.spool.plans.put("default", OTHER, b"plan")
    bench.look_after(0)
    assert bench.state(other[0]) is State.RECEIVED  # and is not looked at again
    bench.look_after(QUIET_S)
    assert [project for project, _ in bench.pool.asked] == ["default"]


def test_a_series_waits_for_those_of_it_that_a_person_has_just_released(bench: Bench) -> None:
    ids = bench.gather(3)
    bench.ledger.quarantined(ids[0], "x")
    bench.ledger.released(ids[0])
    bench.look_when_quiet()
    assert bench.pool.asked == []
    bench.ledger.cleaning([ids[0]])
    bench.ledger.gathered(GatheredJob(ids[0], HEAD, ids[0]))
    bench.look_when_quiet()
    assert bench.pool.asked == [("default", ids)]


def test_a_series_with_as_many_instances_as_announced_waits_no_longer(bench: Bench) -> None:
    bench.gather(2, announced=3)
    bench.look_after(0)
    assert bench.pool.asked == []
    bench.gather(1, announced=3)
    bench.look_after(0)
    assert len(bench.pool.asked) == 1


def test_an_instance_that_comes_twice_counts_and_is_read_once(bench: Bench) -> None:
    first = bench.gather(1, instance="1", announced=3)
    second = bench.gather(1, instance="2", announced=3)
    again = bench.gather(1, instance="1", announced=3)
    bench.look_after(0)
    assert bench.pool.asked == []
    bench.look_after(QUIET_S)
    assert bench.pool.asked == [("default", first + second)]
    bench.pool.futures[0].set_result(b"plan")
    bench.look_after(0)
    assert bench.states(first + second + again) == {State.RECEIVED}


def test_with_the_plan_kept_all_may_be_cleaned(bench: Bench) -> None:
    ids = bench.gather(3)
    assert not bench.look_when_quiet()
    bench.pool.futures[0].set_result(b"plan")
    assert bench.look_after(0)
    assert bench.states(ids) == {State.RECEIVED}
    assert bench.spool.plans.path("default", HEAD).read_bytes() == b"plan"
    assert bench.spool.plans.path("default", HEAD).stat().st_mode & 0o077 == 0
    assert not bench.look_after(0)


def test_what_comes_while_a_plan_is_made_reopens_the_series(bench: Bench) -> None:
    ids = bench.gather(3)
    bench.look_when_quiet()
    late = bench.gather(1)
    bench.pool.futures[0].set_result(b"plan without the late one")
    assert not bench.look_after(0)
    assert not bench.spool.plans.is_planned("default", HEAD)
    assert bench.states(ids + late) == {State.GATHERED}
    bench.look_after(QUIET_S)
    assert bench.pool.asked[1:] == [("default", ids + late)]
    bench.pool.futures[1].set_result(b"plan")
    assert bench.look_after(0)
    assert bench.states(ids + late) == {State.RECEIVED}


def test_what_comes_while_a_series_is_refused_in_the_making_gives_it_another_chance(bench: Bench) -> None:
    ids = bench.gather(3)
    bench.look_when_quiet()
    late = bench.gather(1)
    bench.pool.futures[0].set_exception(Refused(Reason.FACE_SERIES_UNFIT, "gap"))
    bench.look_after(0)
    assert bench.states(ids + late) == {State.GATHERED}
    bench.look_after(QUIET_S)
    assert len(bench.pool.asked) == 2


def test_what_is_late_is_cleaned_by_the_plan_as_it_is(bench: Bench) -> None:
    bench.spool.plans.put("default", HEAD, b"plan")
    late = bench.gather(1)
    assert bench.look_after(0)
    assert bench.state(late[0]) is State.RECEIVED
    assert bench.spool.plans.path("default", HEAD).read_bytes() == b"plan"


def refused(bench: Bench, error: BaseException, count: int = 3) -> list[JobId]:
    ids = bench.gather(count)
    bench.look_when_quiet()
    bench.pool.futures[-1].set_exception(error)
    bench.look_after(0)
    bench.look_after(0)
    return ids


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (Refused(Reason.FACE_SERIES_UNFIT, "gap"), Reason.FACE_SERIES_UNFIT, "gap"),
        (MemoryError(), NodeReason.OUT_OF_MEMORY, ""),
        (Failed("KeyError at deid/x.py:1"), NodeReason.INTERNAL_ERROR, "KeyError at deid/x.py:1"),
        (WorkerRaised("KeyError"), NodeReason.INTERNAL_ERROR, "KeyError"),
        (ValueError("SENTINEL^JANE"), NodeReason.INTERNAL_ERROR, ""),
    ],
)
def test_a_series_that_cannot_be_planned_is_quarantined_as_a_whole(
    bench: Bench, error: BaseException, reason: str, detail: str
) -> None:
    ids = refused(bench, error)
    assert bench.states(ids) == {State.QUARANTINED}
    assert bench.spool.quarantine_ids() == ids
    record = bench.spool.record(ids[0])
    assert (record.reason, record.detail, record.project) == (reason, detail, "default")
    assert list(bench.spool.plans.folder.iterdir()) == []


def test_a_long_series_goes_to_quarantine_in_several_turns(bench: Bench) -> None:
    ids = refused(bench, Refused(Reason.FACE_SERIES_UNFIT), 80)
    assert 0 < len(bench.spool.quarantine_ids()) < 80
    for _ in range(3):
        bench.look_after(0)
    assert bench.spool.quarantine_ids() == ids
    assert list(bench.spool.plans.folder.iterdir()) == []


def test_after_a_crash_in_the_middle_of_a_refusal_the_rest_is_refused_and_not_planned(bench: Bench) -> None:
    ids = refused(bench, Refused(Reason.FACE_SERIES_UNFIT, "gap"), 80)
    assert len(bench.spool.quarantine_ids()) < 80
    bench.begin()
    bench.look_after(0)
    bench.look_after(QUIET_S)
    assert bench.pool.asked == []
    assert bench.spool.quarantine_ids() == ids
    assert {bench.spool.record(job_id).detail for job_id in ids} == {"gap"}


def test_after_a_crash_at_the_end_of_a_refusal_what_is_released_is_planned(bench: Bench) -> None:
    ids = refused(bench, Refused(Reason.FACE_SERIES_UNFIT))
    bench.spool.plans.refuse("default", HEAD, Refusal(Reason.FACE_SERIES_UNFIT))
    bench.begin()
    for job_id in ids:
        assert bench.spool.release(job_id)
        bench.ledger.released(job_id)
        bench.ledger.cleaning([job_id])
        bench.ledger.gathered(GatheredJob(job_id, HEAD, job_id))
    bench.look_when_quiet()
    assert bench.pool.asked == [("default", ids)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerDied("by signal 9"), NodeReason.WORKER_DIED),
        (WorkerTimedOut("longer than 1 s"), NodeReason.WORKER_TIMED_OUT),
    ],
)
def test_a_series_that_kills_its_worker_is_tried_again_and_then_quarantined(
    bench: Bench, error: NodeError, reason: str
) -> None:
    ids = refused(bench, error)
    assert bench.states(ids) == {State.GATHERED}
    bench.look_after(QUIET_S)
    assert len(bench.pool.asked) == 2
    bench.pool.futures[1].set_exception(error)
    bench.look_after(0)
    bench.look_after(0)
    assert bench.spool.quarantine_ids() == ids
    assert bench.spool.record(ids[0]).reason == reason


def test_a_raw_file_that_is_gone_leaves_the_series_waiting(bench: Bench) -> None:
    ids = bench.gather(3)
    bench.look_when_quiet()
    bench.pool.futures[0].set_result(None)
    assert not bench.look_after(0)
    assert bench.states(ids) == {State.GATHERED}
    assert not bench.spool.plans.is_planned("default", HEAD)


def test_no_more_plans_are_made_at_once_than_there_are_processes(bench: Bench) -> None:
    for number in range(3):
        bench.gather(2, f"{number:032x}")
    bench.look_when_quiet()
    assert len(bench.pool.asked) == 2
    bench.pool.futures[0].set_result(b"plan")
    bench.look_after(0)
    assert len(bench.pool.asked) == 3


def test_series_of_two_projects_have_plans_of_their_own(bench: Bench) -> None:
    one, other = bench.gather(2), bench.gather(2, project="trial")
    bench.spool.plans.put("trial", HEAD, b"plan")
    bench.look_when_quiet()
    assert bench.states(one) == {State.GATHERED}
    assert bench.states(other) == {State.RECEIVED}
    assert bench.pool.asked == [("default", one)]


def test_a_plan_is_forgotten_after_its_days(bench: Bench) -> None:
    for series, age_days in ((HEAD, 2.1), (OTHER, 1.9)):
        bench.spool.plans.put("default", series, b"plan")
        then_s = bench.clock.now_s - age_days * 86_400
        os.utime(bench.spool.plans.path("default", series), (then_s, then_s))
    bench.barrier.prune()
    assert not bench.spool.plans.is_planned("default", HEAD)
    assert bench.spool.plans.is_planned("default", OTHER)


@pytest.mark.parametrize("series", ["", "../../x", "A" * 32, "a" * 31])
def test_what_is_no_code_is_no_name_of_a_file(bench: Bench, series: str) -> None:
    with pytest.raises(ValueError, match="code"):
        bench.spool.plans.path("default", series)


def test_a_series_says_what_is_there_of_it(bench: Bench) -> None:
    ids = bench.gather(2, instance="1", announced=7) + bench.gather(1, instance="2")
    assert bench.ledger.series() == [Series("default", HEAD, 3, 2, 7, min(ids), max(ids), 0)]

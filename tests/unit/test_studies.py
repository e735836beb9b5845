"""Which clean study each instance belongs to, and how it stands: the sums are right whatever becomes of a job."""

from __future__ import annotations

import pickle
import re
import sqlite3
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deid.context import Context
from deid.engine import deidentify
from deid.errors import Reason, Refused
from deid.instance import Instance
from deid.keys import Keys
from deid.naming import Names, names_of, names_of_clean
from deid.profile import load_profile
from node import counters as counters_module
from node import ledger as ledger_module
from node import statements, studies
from node.counters import counters, latencies, oldest, quarantined_by_reason
from node.jobs import CleanedJob, GatheredJob, JobId, State, new_job_id
from node.ledger import Ledger
from node.naming import RefusedInstance, names_in, told_whose
from node.settings import shipped_config
from tests import factories

NAMES = Names("PSEUDO", "2.25.1", "2.25.2", "2.25.3")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.db")


@pytest.fixture(scope="module")
def context() -> Context:
    profile = load_profile(shipped_config() / "profiles" / "longitudinal.toml")
    return Context(profile, Keys.from_secret(bytes(32)))


def came(ledger: Ledger, names: Names | None = NAMES) -> JobId:
    job_id = new_job_id()
    ledger.received(job_id, "default", 10)
    studies.note_names(ledger, job_id, "default", names)
    return job_id


def only(ledger: Ledger) -> tuple[int, int, int]:
    (study,) = studies.studies(ledger, "", 10)
    return study.instances, study.sent, study.refused


def test_an_instance_is_found_by_each_of_its_new_names(ledger: Ledger) -> None:
    job_id = came(ledger)
    came(ledger, Names("OTHER", "2.25.7", "2.25.8", "2.25.9"))
    for text in ("PSEUDO", "2.25.1", "2.25.2", "2.25.3", job_id):
        assert [study.patient_id for study in studies.find(ledger, text, 10)] == ["PSEUDO"]
    assert studies.find(ledger, "2.25", 10) == []


def test_a_delivered_instance_counts_as_sent_and_says_so(ledger: Ledger) -> None:
    job_id = came(ledger)
    ledger.cleaned(job_id, ["archive"])
    assert only(ledger) == (1, 0, 0)
    assert [study.under_way for study in studies.studies(ledger, "open", 10)] == [1]
    ledger.delivered(job_id, "archive", 0)
    assert only(ledger) == (1, 1, 0)
    assert studies.studies(ledger, "open", 10) == []
    assert studies.states(ledger, 1) == [(State.SENT, "", 1)]
    (standing,) = studies.standings(ledger, 1, 10)
    assert standing.state is State.SENT
    assert standing.deliveries[0].status == 0


def test_a_refused_instance_counts_until_it_is_released(ledger: Ledger) -> None:
    job_id = came(ledger)
    ledger.quarantined(job_id, "identifier-left")
    ledger.quarantined(job_id, "identifier-left")  # noted twice, as after a crash
    assert only(ledger) == (1, 0, 1)
    assert quarantined_by_reason(ledger) == {"identifier-left": 1}
    assert studies.states(ledger, 1) == [(State.QUARANTINED, "identifier-left", 1)]
    assert [each.job_id for each in studies.standings(ledger, 1, 10, refused_only=True)] == [job_id]
    ledger.released(job_id)
    assert only(ledger) == (1, 0, 0)
    assert quarantined_by_reason(ledger) == {}


def test_a_study_is_forgotten_with_its_last_instance(ledger: Ledger) -> None:
    first, second = came(ledger), came(ledger)
    ledger.quarantined(first, "x")
    ledger.discarded(first)
    assert only(ledger) == (1, 0, 0)
    ledger.discarded(second)
    assert studies.studies(ledger, "", 10) == []
    assert ledger.run("SELECT COUNT(*) FROM study_series").fetchone()[0] == 0
    assert ledger.run("SELECT COUNT(*) FROM study_instances").fetchone()[0] == 0


def test_an_instance_that_is_cleaned_again_counts_once(ledger: Ledger) -> None:
    job_id = came(ledger)
    studies.note_names(ledger, job_id, "default", NAMES)
    assert only(ledger) == (1, 0, 0)


def test_one_study_of_two_projects_is_two(ledger: Ledger) -> None:
    came(ledger)
    studies.note_names(ledger, new := new_job_id(), "other", NAMES)
    assert len(studies.find(ledger, "PSEUDO", 10)) == 2
    assert len(studies.find(ledger, new, 10)) == 1


@settings(max_examples=25)
@example(steps=["clean", "clean", "send", "clean", "refuse"])
@given(steps=st.lists(st.sampled_from(["clean", "send", "refuse", "release", "discard", "give up"]), max_size=12))
def test_the_sums_of_a_study_are_those_of_its_jobs(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("sums") / "ledger.db")
    jobs = [came(ledger) for _ in range(2)]
    for number, step in enumerate(steps):
        job_id = jobs[number % 2]
        if step == "clean":
            ledger.cleaned(job_id, ["archive"])
        elif step == "send":
            ledger.delivered(job_id, "archive", 0)
        elif step == "refuse":
            job = ledger.job(job_id)
            if job is not None and job.state is not State.SENT:  # what is sent is refused by nobody
                ledger.quarantined(job_id, "x")
        elif step == "release":
            ledger.released(job_id)
        elif step == "give up":
            ledger.gave_up(job_id, "archive", None, "undeliverable")
        else:
            ledger.discarded(job_id)
    left = [job for job in map(ledger.job, jobs) if job is not None]
    expected = (
        len(left),
        sum(job.state is State.SENT for job in left),
        sum(job.state is State.QUARANTINED for job in left),
    )
    found = studies.studies(ledger, "", 10)
    assert [(each.instances, each.sent, each.refused) for each in found] == ([expected] if left else [])
    ledger.close()


def test_times_are_put_into_buckets_and_the_oldest_job_is_known(ledger: Ledger) -> None:
    job_id = came(ledger)
    assert set(oldest(ledger)) == {State.RECEIVED}
    ledger.cleaned(job_id, ["archive"])
    ledger.delivered(job_id, "archive", 0)
    ledger.delivered(job_id, "archive", 0)  # once more, as after a lost answer
    for name in ("cleaned", "delivered"):
        buckets, total_s = latencies(ledger)[name]
        assert sum(buckets.values()) == 1
        assert total_s < 60
    assert counters(ledger)["delivered"] == {"archive": 1}


def test_an_older_ledger_is_taken_over(tmp_path: Path) -> None:
    path, job_id = tmp_path / "ledger.db", new_job_id()
    with closing(sqlite3.connect(path)) as old:
        old.executescript((Path(ledger_module.__file__).parent / "ledger.sql").read_text("utf-8"))
        old.execute(
            "INSERT INTO jobs (id, project, state, place, size_bytes) VALUES (?, 'default', 'received', 'incoming', 1)",
            (job_id,),
        )
        old.commit()
    ledger = Ledger(path)
    assert ledger.job(job_id) is not None
    ledger.cleaned(job_id, ["archive"])
    assert counters(ledger)["cleaned"] == {"default": 1}


def test_a_refused_instance_has_the_names_that_the_clean_one_would_have(context: Context) -> None:
    instance = Instance.from_part10(factories.to_bytes(factories.ct()), context.limits)
    names = names_of(instance, context)
    assert names == names_of_clean(deidentify(instance, context).clean)
    assert names is not None
    refused = told_whose(Refused(Reason.IDENTIFIER_LEFT, "(0010,0010)"), instance, context)
    again = pickle.loads(pickle.dumps(refused))  # noqa: S301  as between the processes
    assert isinstance(again, RefusedInstance)
    assert (again.reason, again.detail, again.names, str(again)) == (
        refused.reason, refused.detail, names, str(refused),
    )  # fmt: skip


def test_no_name_is_told_of_what_does_not_say_who_it_is(context: Context) -> None:
    broken = Instance("1.2.840.10008.1.2.1", b"no data set")
    refused = Refused(Reason.MALFORMED)
    assert told_whose(refused, broken, context) is refused
    ds = factories.ct()
    uid = str(ds.StudyInstanceUID).encode("ascii")
    file = factories.to_bytes(ds).replace(uid, b"SENTINEL".ljust(len(uid), b"x"))
    assert names_of(Instance.from_part10(file, context.limits), context) is None


def test_names_come_out_of_whatever_a_task_ended_with() -> None:
    for result in (CleanedJob(new_job_id(), "", "", 1, NAMES), GatheredJob(new_job_id(), "a", "b", 0, NAMES)):
        done: Future[CleanedJob | GatheredJob | None] = Future()
        done.set_result(result)
        assert names_in(done) == NAMES
    failed: Future[CleanedJob | GatheredJob | None] = Future()
    failed.set_exception(RefusedInstance(Reason.MALFORMED, "", NAMES))
    assert names_in(failed) == NAMES
    failed = Future()
    failed.set_exception(Refused(Reason.MALFORMED))
    assert names_in(failed) is None


@pytest.mark.parametrize(
    "statement",
    [
        *studies._FILTERS.values(),
        studies._FIND,
        studies._INSTANCES,
        studies._REFUSED_INSTANCES,
        studies._DELIVERIES,
        studies._STATES,
        counters_module._BY_REASON,
        counters_module._OLDEST,
        statements.COUNTS,
        statements.COUNT_SENDING,
        statements.QUEUES,
        statements.HELD_BY_PROJECT,
    ],
)
def test_no_page_reads_all_jobs_however_many_are_done(ledger: Ledger, statement: str) -> None:
    values = [""] * (2 if "?2" in statement else statement.count("?"))
    plan = [row[3] for row in ledger.run(f"EXPLAIN QUERY PLAN {statement}", *values)]
    whole = [step for step in plan if re.match(r"SCAN (jobs|deliveries|study_instances|[djis])\b", step)]
    # a partial index holds what is not over, or what is in quarantine
    assert [step for step in whole if not re.search(r"INDEX (jobs_(open|refused|held)|deliveries_)", step)] == []

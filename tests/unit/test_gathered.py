"""Instances that need their series: how the ledger counts them, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from node import statements
from node.jobs import GatheredJob, JobId, State, new_job_id
from node.ledger import Ledger, open_ledger
from node.settings import Settings, SpoolSettings
from node.status_report import collect, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "a" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def gathered(ledger: Ledger, count: int = 1, series: str = HEAD, project: str = "default", announced: int = 0) -> None:
    for _ in range(count):
        job_id = new_job_id()
        ledger.received(job_id, project, 1)
        ledger.cleaning([job_id])
        ledger.gathered(GatheredJob(job_id, series, job_id, announced))


def test_only_a_claimed_job_can_be_gathered(ledger: Ledger) -> None:
    job_id = new_job_id()
    ledger.received(job_id, "default", 1)
    ledger.gathered(GatheredJob(job_id, HEAD, "1"))
    assert ledger.counts()[State.GATHERED] == 0


def test_what_is_gathered_is_neither_pending_nor_over(ledger: Ledger) -> None:
    gathered(ledger, 2)
    assert ledger.pending(9) == []
    assert {job.state for job in ledger.open_jobs().values()} == {State.GATHERED}
    assert ledger.counts()[State.GATHERED] == 2


def test_planned_is_one_series_of_one_project_alone(ledger: Ledger) -> None:
    gathered(ledger, 2)
    gathered(ledger, 1, "b" * 32)
    gathered(ledger, 1, project="trial")
    (mine,) = (each for each in ledger.series() if (each.project, each.series) == ("default", HEAD))
    assert ledger.planned(mine) == 2
    assert ledger.counts()[State.GATHERED] == 2
    assert {job.project for job in ledger.pending(9)} == {"default"}


def test_attempts_at_a_series_are_counted_for_all_of_it(ledger: Ledger) -> None:
    gathered(ledger, 2)
    (series,) = ledger.series()
    assert [ledger.plan_failed(series) for _ in range(2)] == [1, 2]
    assert {job.attempts for job in ledger.open_jobs().values()} == {2}
    assert ledger.plan_failed(replace(series, series="b" * 32)) == 0


@pytest.mark.parametrize("statement", ["SERIES", "OF_SERIES", "PLANNED", "PLAN_FAILED"])
def test_no_question_about_gathered_jobs_reads_the_others(ledger: Ledger, statement: str) -> None:
    words = getattr(statements, statement)
    plan = ledger._run(f"EXPLAIN QUERY PLAN {words}", *[0] * words.count("?")).fetchall()
    assert any("jobs_gathered" in step for *_, step in plan)
    assert not any("SCAN" in step and "INDEX" not in step for *_, step in plan), plan


def test_whether_there_may_be_more_is_asked_of_what_is_open_alone(ledger: Ledger) -> None:
    words = statements.ANY_UNSEEN
    plan = ledger._run(f"EXPLAIN QUERY PLAN {words}", *[0] * words.count("?")).fetchall()
    assert any("jobs_open" in step for *_, step in plan)


def test_status_tells_which_series_wait_and_nothing_that_is_of_them(tmp_path: Path, ledger: Ledger) -> None:
    gathered(ledger, 2, announced=30)
    gathered(ledger, 1, "b" * 32)
    report = collect(replace(Settings(), spool=SpoolSettings(tmp_path, 1)))
    said = text(report)
    assert "3 gathered" in said
    assert "gathered: 2 of 30 instances of a series of project default, the last came 0 s ago" in said
    assert "gathered: 1 instances of a series of project default" in said
    assert HEAD not in said
    assert HEAD not in str(report.as_json())


def test_status_lists_no_more_than_some_of_many_series(tmp_path: Path, ledger: Ledger) -> None:
    for number in range(13):
        gathered(ledger, 1, f"{number:032x}")
    said = text(collect(replace(Settings(), spool=SpoolSettings(tmp_path, 1))))
    assert said.count("gathered: 1 instances") == 10
    assert "gathered: and 3 more series" in said


def test_jobs_of_a_series_come_in_order_of_arrival(ledger: Ledger) -> None:
    ids = [JobId(f"{number:032x}") for number in (3, 1, 2)]
    for job_id in ids:
        ledger.received(job_id, "default", 1)
        ledger.cleaning([job_id])
        ledger.gathered(GatheredJob(job_id, HEAD, f"i{job_id}"))
    (series,) = ledger.series()
    assert ledger.jobs_of(series) == [(job_id, f"i{job_id}") for job_id in sorted(ids)]

"""The index of the jobs: who may do what when, and that a commit is a commit."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node.errors import Misconfigured, NoRoom, Transient
from node.jobs import JobId, NodeReason, Place, Queue, State, new_job_id
from node.ledger import LEDGER_FILE, Ledger, open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def received(ledger: Ledger, count: int = 1) -> list[JobId]:
    ids = [new_job_id() for _ in range(count)]
    for job_id in ids:
        ledger.received(job_id, "default", 1000)
    return ids


def cleaned(ledger: Ledger, *destinations: str) -> JobId:
    (job_id,) = received(ledger)
    ledger.cleaning([job_id])
    ledger.cleaned(job_id, destinations or ("archive",), "1.2", "1.2.840.10008.1.2.1", 900)
    return job_id


def state(ledger: Ledger, job_id: JobId) -> State:
    job = ledger.job(job_id)
    assert job is not None
    return job.state


def test_jobs_are_pending_in_order_of_arrival(ledger: Ledger) -> None:
    ids = [new_job_id() for _ in range(5)]
    for job_id in reversed(ids):
        ledger.received(job_id, "default", 1000)
    assert [job.job_id for job in ledger.pending(3)] == ids[:3]
    job = ledger.pending(1)[0]
    assert (job.project, job.state, job.place, job.size_bytes, job.attempts) == (
        "default",
        State.RECEIVED,
        Place.INCOMING,
        1000,
        0,
    )


def test_a_job_is_received_once(ledger: Ledger) -> None:
    (job_id,) = received(ledger)
    ledger.cleaning([job_id])
    ledger.received(job_id, "other", 1)
    job = ledger.job(job_id)
    assert job is not None
    assert (job.state, job.project) == (State.CLEANING, "default")


def test_claimed_jobs_are_not_pending(ledger: Ledger) -> None:
    one, other = received(ledger, 2)
    ledger.cleaning([one])
    assert [job.job_id for job in ledger.pending(9)] == [other]
    ledger.put_back([one])
    assert [job.job_id for job in ledger.pending(9)] == [one, other]


def test_attempts_are_counted(ledger: Ledger) -> None:
    (job_id,) = received(ledger)
    for attempts in (1, 2):
        ledger.cleaning([job_id])
        assert ledger.attempt_failed(job_id) == attempts
    assert ledger.pending(1)[0].attempts == 2


def test_a_clean_job_is_due_at_each_destination(ledger: Ledger) -> None:
    job_id = cleaned(ledger, "a", "b")
    for destination in "ab":
        (delivery,) = ledger.due(destination, time.time(), 9)
        assert (delivery.job_id, delivery.destination) == (job_id, destination)
        assert (delivery.sop_class_uid, delivery.transfer_syntax) == ("1.2", "1.2.840.10008.1.2.1")
        assert (delivery.size_bytes, delivery.attempts, delivery.first_failed_at_s) == (900, 0, None)
    assert ledger.due("c", time.time(), 9) == []


def test_a_job_without_a_destination_is_an_error(ledger: Ledger) -> None:
    (job_id,) = received(ledger)
    with pytest.raises(ValueError, match="destination"):
        ledger.cleaned(job_id, ())


def test_a_delivery_is_claimed_once_until_its_lease_is_over(ledger: Ledger) -> None:
    cleaned(ledger)
    now = time.time()
    assert len(ledger.due("archive", now, 9, lease=60)) == 1
    assert ledger.due("archive", now + 59, 9, lease=60) == []
    assert len(ledger.due("archive", now + 61, 9, lease=60)) == 1


def test_what_came_last_can_be_claimed_before_a_backlog(ledger: Ledger) -> None:
    jobs = [cleaned(ledger) for _ in range(9)]
    found = ledger.due("archive", time.time(), 2, latest=True)
    assert [each.job_id for each in found] == jobs[-2:]
    assert [each.job_id for each in ledger.due("archive", time.time(), 2)] == jobs[:2]


@pytest.mark.parametrize("latest", [False, True])
def test_of_what_was_tried_already_the_longest_due_goes_first(ledger: Ledger, *, latest: bool) -> None:
    one, other = cleaned(ledger), cleaned(ledger)
    now = time.time()
    ledger.due("archive", now, 9)
    ledger.retry(one, "archive", now + 2, None)
    ledger.retry(other, "archive", now + 1, None)
    assert ledger.due("archive", now, 9, latest=latest) == []
    assert [each.job_id for each in ledger.due("archive", now + 2, 9, latest=latest)] == [other, one]


def test_claims_of_a_dead_forwarder_are_given_back(ledger: Ledger) -> None:
    cleaned(ledger)
    now = time.time()
    assert len(ledger.due("archive", now, 9)) == 1
    ledger.reset_sending()
    assert len(ledger.due("archive", now, 9)) == 1


def test_a_job_is_sent_when_all_destinations_have_it(ledger: Ledger) -> None:
    job_id = cleaned(ledger, "a", "b")
    ledger.delivered(job_id, "a", 0)
    assert state(ledger, job_id) is State.CLEANED
    assert ledger.sent() == []
    ledger.delivered(job_id, "b", 0xB000)
    assert state(ledger, job_id) is State.SENT
    assert ledger.sent() == [job_id]
    ledger.forget_files([job_id])
    assert ledger.sent() == []
    job = ledger.job(job_id)
    assert job is not None
    assert job.place is Place.GONE


def test_a_failed_delivery_waits_and_keeps_when_it_first_failed(ledger: Ledger) -> None:
    job_id = cleaned(ledger)
    now = time.time()
    for attempt, failed_at in enumerate((100.0, 200.0), 1):
        ledger.due("archive", now, 1)
        ledger.retry(job_id, "archive", now - 1, 0xA700, failed_at)
        (delivery,) = ledger.due("archive", now, 1)
        assert (delivery.attempts, delivery.first_failed_at_s) == (attempt, 100.0)
        ledger.put_off(job_id, "archive")
    ledger.due("archive", now, 1)
    ledger.retry(job_id, "archive", now + 50, None)
    assert ledger.due("archive", now + 49, 1) == []
    assert ledger.next_due("archive") == now + 50
    assert len(ledger.due("archive", now + 51, 1)) == 1


def test_what_was_put_off_is_no_failed_attempt(ledger: Ledger) -> None:
    job_id = cleaned(ledger)
    ledger.due("archive", time.time(), 1)
    ledger.put_off(job_id, "archive", 5.0)
    (delivery,) = ledger.due("archive", time.time(), 1)
    assert (delivery.attempts, delivery.first_failed_at_s) == (0, None)


def test_a_job_given_up_is_quarantined_once_the_other_destinations_are_done(ledger: Ledger) -> None:
    job_id = cleaned(ledger, "a", "b")
    ledger.gave_up(job_id, "a", 0xA900, NodeReason.REFUSED_BY_DESTINATION)
    assert state(ledger, job_id) is State.CLEANED
    assert len(ledger.due("b", time.time(), 9)) == 1
    ledger.delivered(job_id, "b", 0)
    (job,) = ledger.to_file()
    assert (job.job_id, job.state, job.reason) == (job_id, State.QUARANTINED, NodeReason.REFUSED_BY_DESTINATION)
    assert ledger.given_up(job_id) == [("a", 0xA900)]
    assert ledger.sent() == []
    ledger.quarantined(job_id, job.reason)
    assert ledger.to_file() == []


def test_a_released_job_goes_only_where_it_has_not_been(ledger: Ledger) -> None:
    job_id = cleaned(ledger, "a", "b")
    ledger.gave_up(job_id, "a", None, NodeReason.UNDELIVERABLE)
    ledger.delivered(job_id, "b", 0)
    ledger.quarantined(job_id, NodeReason.UNDELIVERABLE)
    ledger.released(job_id)
    job = ledger.pending(1)[0]
    assert (job.job_id, job.reason, job.attempts) == (job_id, "", 0)
    ledger.cleaning([job_id])
    ledger.cleaned(job_id, ("a", "b"))
    assert ledger.due("b", time.time(), 1) == []
    assert len(ledger.due("a", time.time(), 1)) == 1
    ledger.delivered(job_id, "a", 0)
    assert ledger.sent() == [job_id]


def test_a_late_answer_does_not_undo_a_delivery(ledger: Ledger) -> None:
    job_id = cleaned(ledger)
    ledger.due("archive", time.time(), 1)
    ledger.delivered(job_id, "archive", 0)
    ledger.retry(job_id, "archive", 0.0, None)
    ledger.gave_up(job_id, "archive", None, NodeReason.UNDELIVERABLE)
    ledger.delivered(job_id, "archive", 0)
    assert state(ledger, job_id) is State.SENT
    assert ledger.counts()[State.SENT] == 1


def test_what_is_over_cannot_be_claimed_cleaned_or_released(ledger: Ledger) -> None:
    job_id = cleaned(ledger)
    ledger.delivered(job_id, "archive", 0)
    ledger.cleaning([job_id])
    ledger.put_back([job_id])
    ledger.cleaned(job_id, ("archive",))
    ledger.released(job_id)
    assert ledger.attempt_failed(job_id) == 0
    assert state(ledger, job_id) is State.SENT


def test_deliveries_to_a_destination_that_is_gone_are_given_up(ledger: Ledger) -> None:
    job_id = cleaned(ledger, "old", "new")
    assert ledger.give_up_strays(["new"]) == 1
    assert ledger.give_up_strays(["new"]) == 0
    ledger.delivered(job_id, "new", 0)
    assert ledger.to_file()[0].reason == NodeReason.NO_SUCH_DESTINATION


def test_old_finished_jobs_are_forgotten_and_still_counted(ledger: Ledger) -> None:
    done, open_one = cleaned(ledger), cleaned(ledger)
    ledger.delivered(done, "archive", 0)
    assert ledger.prune(time.time() + 1) == 0
    ledger.forget_files([done])
    assert ledger.prune(time.time() - 1) == 0
    assert ledger.prune(time.time() + 1) == 1
    assert ledger.job(done) is None
    assert ledger.job(open_one) is not None
    assert ledger.counts()[State.SENT] == 1


def test_counts_add_up_to_the_jobs(ledger: Ledger) -> None:
    received(ledger, 2)
    ledger.cleaning([received(ledger)[0]])
    sending = [cleaned(ledger, "a", "b") for _ in range(3)]
    for _ in range(4):
        ledger.delivered(cleaned(ledger), "archive", 0)
    ledger.forget_files(ledger.sent())
    ledger.delivered(cleaned(ledger), "archive", 0)
    ledger.quarantined(received(ledger)[0], "truncated")
    ledger.due("a", time.time(), 2)
    ledger.due("b", time.time(), 1)
    assert {state: count for state, count in ledger.counts().items() if count} == {
        State.RECEIVED: 2,
        State.CLEANING: 1,
        State.CLEANED: 1,
        State.SENDING: 2,
        State.SENT: 5,
        State.QUARANTINED: 1,
    }
    assert len(sending) == 3


def test_queues_tell_how_each_destination_stands(ledger: Ledger) -> None:
    first = cleaned(ledger, "a", "b")
    cleaned(ledger, "a")
    third = cleaned(ledger, "a")
    ledger.due("a", time.time(), 1)
    ledger.retry(first, "a", 0.0, 0xA700)
    ledger.due("b", time.time(), 1)
    ledger.gave_up(third, "a", 0xC000, NodeReason.REFUSED_BY_DESTINATION)
    assert ledger.queues() == [Queue("a", 2, 0, 1, 1, 0xC000), Queue("b", 0, 1, 0, 0, None)]


def test_a_batch_is_one_commit(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / LEDGER_FILE)
    with ledger.batch():
        (one,) = received(ledger)
        with ledger.batch():
            (two,) = received(ledger)
        assert other.pending(9) == []
    assert [job.job_id for job in other.pending(9)] == [one, two]
    other.close()


def test_a_batch_that_raises_leaves_nothing(ledger: Ledger) -> None:
    def receive_and_fail() -> None:
        with ledger.batch():
            received(ledger)
            with ledger.batch():
                received(ledger)
                raise KeyError

    with pytest.raises(KeyError):
        receive_and_fail()
    assert ledger.pending(9) == []
    received(ledger)
    assert len(ledger.pending(9)) == 1


def test_a_change_is_seen_once_and_only_if_others_made_it(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / LEDGER_FILE)
    ledger.changed()
    assert not ledger.changed()
    received(ledger)
    assert not ledger.changed()
    received(other)
    assert ledger.changed()
    assert not ledger.changed()
    other.close()


def test_sync_is_followed_by_ordinary_commits(ledger: Ledger) -> None:
    (job_id,) = received(ledger)
    ledger.sync()
    assert ledger._run("PRAGMA synchronous").fetchone() == (1,)
    assert state(ledger, job_id) is State.RECEIVED


def test_threads_share_a_ledger(ledger: Ledger) -> None:
    def work() -> None:
        received(ledger, 25)
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.counts()[State.RECEIVED] == 100


def _open_and_receive(path: Path, count: int) -> None:
    received(open_ledger(path), count)


def test_processes_may_open_a_new_ledger_at_the_same_moment(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open_and_receive, args=(tmp_path, 20)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    ledger = open_ledger(tmp_path)
    assert ledger.counts()[State.RECEIVED] == 60
    ledger.close()


def test_the_ledger_is_the_nodes_alone(ledger: Ledger) -> None:
    received(ledger)
    for path in ledger.path.parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_ledger_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(Misconfigured, match="delete"):
        open_ledger(tmp_path)


def test_a_ledger_of_a_later_version_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    ledger._run("PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="later version"):
        open_ledger(tmp_path)


def test_a_ledger_without_room_says_so(ledger: Ledger) -> None:
    received(ledger)
    pages = ledger._run("PRAGMA page_count").fetchone()[0]
    ledger._run(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NoRoom), ledger.batch():
        received(ledger, 10_000)
    assert ledger.counts()[State.RECEIVED] == 1


def test_a_ledger_that_fails_otherwise_is_worth_another_try(ledger: Ledger) -> None:
    ledger._run("DROP TABLE jobs")
    with pytest.raises(Transient, match="SQLITE"):
        ledger.pending(1)


@pytest.mark.parametrize(
    "statement",
    [
        "PENDING",
        "SENT",
        "TO_FILE",
        "OPEN_JOBS",
        "COUNTS",
        "ANY_DUE",
        "DUE",
        "NEXT_DUE",
        "COUNT_SENDING",
        "RESET_SENDING",
    ],
)
def test_no_question_of_the_roles_reads_what_is_over(ledger: Ledger, statement: str) -> None:
    from node import statements

    text = getattr(statements, statement)
    plan = ledger._run(f"EXPLAIN QUERY PLAN {text}", *[0] * text.count("?")).fetchall()
    assert plan
    for *_, step in plan:
        assert "SCAN" not in step or "INDEX" in step, step


def test_the_ledger_is_kept_in_wal_mode(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()

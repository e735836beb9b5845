"""What comes under a SOP Instance UID that a destination has: with the same content, with another, after a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deid.naming import Names
from node.contents import Comparison, Contents, digest_of, note_cleaned, note_other_content, note_resent
from node.jobs import CleanedJob, JobId, State, arrived_at_s, new_job_id
from node.ledger import Ledger, open_ledger

ONE, OTHER = digest_of([b"one"]), digest_of([b"ot", memoryview(b"her")])
TO = ("archive", "mirror")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def contents(ledger: Ledger) -> Contents:
    contents = Contents(ledger)
    contents.prepare()
    contents.prepare()  # again is harmless
    return contents


def cleaned(ledger: Ledger, digest: bytes = ONE, uid: str = "2.25.1") -> CleanedJob:
    """Receive and clean an instance."""
    job_id = new_job_id()
    ledger.received(job_id, "default", 10)
    ledger.cleaning([job_id])
    return CleanedJob(job_id, "1.2", "1.2.1", 10, Names("P", "2.25.8", "2.25.9", uid), "", digest)


def queue(contents: Contents, job: CleanedJob, *destinations: str) -> Comparison:
    compared = contents.compare(job, destinations or TO)
    if not compared.others:
        note_cleaned(contents.ledger, lambda ledger: _queued(ledger, job, destinations or TO), contents, job, compared)
    contents.pending.clear()
    return compared


def _queued(ledger: Ledger, job: CleanedJob, destinations: tuple[str, ...]) -> None:
    ledger.cleaned(job.job_id, destinations)


def send(ledger: Ledger, job: CleanedJob, *destinations: str) -> None:
    for destination in destinations or TO:
        ledger.delivered(job.job_id, destination, 0)


def test_the_first_is_new_everywhere(ledger: Ledger, contents: Contents) -> None:
    assert queue(contents, cleaned(ledger)) == Comparison((), TO, is_known=False)


def test_the_same_again_is_known_once_all_have_it(ledger: Ledger, contents: Contents) -> None:
    first = cleaned(ledger)
    queue(contents, first)
    assert not queue(contents, cleaned(ledger)).is_known
    send(ledger, first, "archive")
    assert not queue(contents, cleaned(ledger)).is_known
    send(ledger, first, "mirror")
    assert queue(contents, cleaned(ledger)) == Comparison((), (), is_known=True)


def test_another_content_is_in_the_way_whether_the_first_is_there_or_on_its_way(
    ledger: Ledger, contents: Contents
) -> None:
    first = cleaned(ledger)
    queue(contents, first)
    assert queue(contents, cleaned(ledger, OTHER)).others == TO
    send(ledger, first)
    assert queue(contents, cleaned(ledger, OTHER)).others == TO
    assert queue(contents, cleaned(ledger, OTHER), "elsewhere").others == ()


def test_of_two_in_one_commit_the_second_is_in_the_way(ledger: Ledger, contents: Contents) -> None:
    first, second = cleaned(ledger), cleaned(ledger, OTHER)
    assert contents.compare(first, TO).others == ()
    assert contents.compare(second, TO).others == TO
    assert contents.compare(first, TO).others == ()  # the commit failed, and all is concluded once more


def test_another_instance_is_in_nobodys_way(ledger: Ledger, contents: Contents) -> None:
    queue(contents, cleaned(ledger))
    assert queue(contents, cleaned(ledger, OTHER, "2.25.2")).new == TO


def test_an_instance_may_change_itself(ledger: Ledger, contents: Contents) -> None:
    first = cleaned(ledger)
    queue(contents, first)
    again = CleanedJob(first.job_id, "1.2", "1.2.1", 10, first.names, "", OTHER)  # cleaned by another profile
    assert queue(contents, again).others == ()
    assert queue(contents, cleaned(ledger, ONE)).others == TO


def test_what_an_archive_refused_or_a_person_discarded_is_in_nobodys_way(ledger: Ledger, contents: Contents) -> None:
    refused, discarded = cleaned(ledger), cleaned(ledger, ONE, "2.25.2")
    queue(contents, refused)
    queue(contents, discarded)
    ledger.gave_up(refused.job_id, "archive", 0xC000, "refused-by-destination")
    ledger.discarded(discarded.job_id)
    assert queue(contents, cleaned(ledger, OTHER), "archive").others == ()
    assert queue(contents, cleaned(ledger, OTHER, "2.25.2"), "archive").others == ()


def test_what_may_be_there_though_nobody_said_so_is_in_the_way(ledger: Ledger, contents: Contents) -> None:
    unanswered = cleaned(ledger)
    queue(contents, unanswered)
    ledger.gave_up(unanswered.job_id, "archive", None, "undeliverable")
    assert queue(contents, cleaned(ledger, OTHER), "archive").others == ("archive",)


def test_what_a_person_releases_passes_and_takes_the_place(ledger: Ledger, contents: Contents) -> None:
    queue(contents, cleaned(ledger))
    second = cleaned(ledger, OTHER)
    assert contents.compare(second, TO).others == TO
    note_other_content(ledger, lambda _: ledger.quarantined(second.job_id, "other-content"), contents, second.job_id)
    ledger.released(second.job_id)
    ledger.cleaning([second.job_id])
    assert queue(contents, second).others == ()
    assert queue(contents, cleaned(ledger, ONE)).others == TO


def test_what_was_put_back_has_been_released_by_nobody(ledger: Ledger, contents: Contents) -> None:
    queue(contents, cleaned(ledger))
    second = cleaned(ledger, OTHER)
    note_other_content(ledger, lambda _: ledger.put_back([second.job_id]), contents, second.job_id)
    assert contents.compare(second, TO).others == TO


def test_what_need_not_be_sent_counts_as_sent(ledger: Ledger, contents: Contents) -> None:
    job = cleaned(ledger)
    note_resent(ledger, lambda _: ledger.cleaned(job.job_id, TO), job.job_id, TO)
    found = ledger.job(job.job_id)
    assert found is not None
    assert found.state is State.SENT


def test_what_the_ledger_forgets_is_forgotten(ledger: Ledger, contents: Contents) -> None:
    job = cleaned(ledger)
    queue(contents, job)
    contents.prune(arrived_at_s(JobId(job.job_id)) + 1)
    assert queue(contents, cleaned(ledger, OTHER)).new == TO

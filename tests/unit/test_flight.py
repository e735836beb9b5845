"""What the forward role had in hand when it died is known to the next one, and given up after some deaths."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.flight import FLIGHT_FILE, Flight, Flights, count_crashes
from node.jobs import JobId, NodeReason, State, new_job_id
from node.ledger import Ledger, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def queued(ledger: Ledger, *destinations: str) -> JobId:
    job_id = new_job_id()
    ledger.received(job_id, "default", 1)
    ledger.cleaning([job_id])
    ledger.cleaned(job_id, destinations)
    return job_id


def test_what_was_in_hand_is_told_once_to_the_next(tmp_path: Path) -> None:
    flights = Flights(tmp_path)
    first, second = flights.lane(), flights.lane()
    jobs = [new_job_id(), new_job_id(), new_job_id()]
    with first.of(jobs[0]):
        pass
    with first.of(jobs[1]), second.of(jobs[2]):
        successor = Flights(tmp_path)  # the file is as a killed process would leave it
        assert successor.take() == jobs[1:]
        assert successor.take() == []


def test_what_was_finished_or_broken_off_is_not_told(tmp_path: Path) -> None:
    lane = Flights(tmp_path).lane()
    with pytest.raises(ValueError, match="broken off"), lane.of(new_job_id()):
        raise ValueError("broken off")
    assert Flights(tmp_path).take() == []


def test_what_is_no_job_is_told_to_nobody(tmp_path: Path) -> None:
    Flights(tmp_path)
    path = tmp_path / FLIGHT_FILE
    content = path.read_bytes()
    path.write_bytes(b"\xff no job at all".ljust(32) + content[32:])
    assert Flights(tmp_path).take() == []


def test_lanes_beyond_the_last_place_have_none_and_a_new_round_begins_at_the_first(tmp_path: Path) -> None:
    flights = Flights(tmp_path)
    lanes = [flights.lane() for _ in range(513)]
    assert lanes[-1] == Flight()
    with lanes[-1].of(new_job_id()):
        assert Flights(tmp_path).take() == []
    flights.begin()
    assert flights.lane().at == lanes[0].at


def test_after_so_many_deaths_it_is_given_up_where_it_was_being_sent(tmp_path: Path, ledger: Ledger) -> None:
    job_id, other = queued(ledger, "archive", "mirror"), queued(ledger, "archive")
    for death in (1, 2, 3):
        assert len(ledger.due("archive", time.time(), 10)) == 2
        with Flights(tmp_path).lane().of(job_id):
            count_crashes(Flights(tmp_path), ledger, most=3)
        ledger.reset_sending()
        waiting = [each.job_id for each in ledger.due("archive", time.time(), 10)]
        assert (job_id in waiting) is (death < 3)
        ledger.reset_sending()
    assert ledger.given_up(job_id) == [("archive", None)]
    assert [each.job_id for each in ledger.due("mirror", time.time(), 10)] == [job_id]
    ledger.delivered(job_id, "mirror", 0)
    found, untouched = ledger.job(job_id), ledger.job(other)
    assert found is not None
    assert untouched is not None
    assert (found.state, found.reason) == (State.QUARANTINED, NodeReason.FORWARDER_DIED)
    assert (untouched.state, untouched.attempts) == (State.CLEANED, 0)


def test_what_has_been_delivered_since_is_not_counted(tmp_path: Path, ledger: Ledger) -> None:
    job_id = queued(ledger, "archive")
    ledger.delivered(job_id, "archive", 0)
    with Flights(tmp_path).lane().of(job_id):
        count_crashes(Flights(tmp_path), ledger, most=1)
    found = ledger.job(job_id)
    assert found is not None
    assert (found.state, found.attempts) == (State.SENT, 0)

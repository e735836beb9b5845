"""Job ids and the table of a job's life."""

from __future__ import annotations

import time

import pytest

from node.jobs import TRANSITIONS, JobId, State, arrived_at_s, earliest_job_id, new_job_id


def test_job_ids_sort_by_arrival() -> None:
    ids = []
    for _ in range(50):
        ids.append(new_job_id())
        time.sleep(0.000_01)
    assert ids == sorted(ids)
    assert len(set(ids)) == 50


def test_a_job_id_tells_when_the_job_arrived() -> None:
    before = time.time()
    assert before - 0.01 <= arrived_at_s(new_job_id()) <= time.time() + 0.01


def test_the_earliest_id_of_a_time_is_before_all_ids_from_then_on() -> None:
    before = time.time() - 0.01
    job_id = new_job_id()
    assert earliest_job_id(before) < job_id < earliest_job_id(time.time() + 0.01)


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 31 + "/", "a" * 32 + "\n"]
)
def test_what_is_no_job_id_never_becomes_a_file_name(text: str) -> None:
    with pytest.raises(ValueError, match="job id"):
        JobId(text)


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(State)


def test_what_was_sent_is_over() -> None:
    assert TRANSITIONS[State.SENT] == frozenset()


def test_every_state_is_reached_from_received_and_leads_to_sent() -> None:
    reached, edge = {State.RECEIVED}, {State.RECEIVED}
    while edge:
        edge = set().union(*(TRANSITIONS[state] for state in edge)) - reached
        reached |= edge
    assert reached == set(State)
    leads = {State.SENT}
    while more := {state for state in State if TRANSITIONS[state] & leads} - leads:
        leads |= more
    assert leads == set(State)


def test_quarantine_is_left_only_by_release() -> None:
    assert TRANSITIONS[State.QUARANTINED] == {State.RECEIVED}

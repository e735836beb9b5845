"""What a row of the ledger and the files of the same job come to."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from deid.elements.file_meta import part10_header
from deid.errors import Reason
from node.jobs import TRANSITIONS, Job, NodeReason, Place, State, new_job_id
from node.ledger import Ledger, open_ledger
from node.reconcile import Verdict, reconcile, verdict
from node.spool import Files, Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = new_job_id()
RAW = part10_header("1.2", "1.2.3", "1.2.840.10008.1.2.1", "MODALITY", "", "TRIAL")


def job(state: State, place: Place = Place.INCOMING) -> Job:
    return Job(JOB, "p", state, place, 1, 0, "")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, 1)


@pytest.fixture
def ledger(tmp_path: Path, spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def run(spool: Spool, ledger: Ledger) -> dict[Verdict, int]:
    return dict(reconcile(spool, ledger, lambda called_ae: {"TRIAL": "trial"}.get(called_ae, "")))


@pytest.mark.parametrize(
    ("row", "files", "expected"),
    [
        # nothing happened
        (job(State.RECEIVED), Files(incoming=True), Verdict.KEEP),
        (job(State.HELD), Files(incoming=True), Verdict.KEEP),
        (job(State.HELD), Files(), Verdict.MISSING),
        (job(State.GATHERED), Files(incoming=True), Verdict.KEEP),
        (job(State.GATHERED), Files(), Verdict.MISSING),
        # … while it refused a series: the first reasons written, a raw file moved
        (job(State.GATHERED), Files(incoming=True, record=True), Verdict.DROP_RECORD),
        (job(State.GATHERED), Files(quarantine=True, record=True), Verdict.QUARANTINED),
        (job(State.CLEANED), Files(incoming=True, outbox=True), Verdict.KEEP),
        (job(State.SENT), Files(incoming=True, outbox=True), Verdict.KEEP),
        (job(State.SENT, Place.GONE), Files(), Verdict.KEEP),
        (job(State.QUARANTINED, Place.QUARANTINE), Files(quarantine=True, record=True), Verdict.KEEP),
        # the receiver died before it told the ledger, or the ledger is new
        (None, Files(incoming=True), Verdict.INDEX),
        (None, Files(incoming=True, outbox=True), Verdict.INDEX),
        (None, Files(incoming=True, record=True), Verdict.INDEX),
        (None, Files(quarantine=True, record=True), Verdict.QUARANTINED),
        (None, Files(quarantine=True), Verdict.QUARANTINED),
        (None, Files(outbox=True), Verdict.REMOVE_CLEAN),
        # the work role died with a job in hand, before or after its clean file was there
        (job(State.CLEANING), Files(incoming=True), Verdict.BEGIN_AGAIN),
        (job(State.CLEANING), Files(incoming=True, outbox=True), Verdict.BEGIN_AGAIN),
        # … while it quarantined one: the reason written, the raw file moved, the ledger told
        (job(State.CLEANING), Files(incoming=True, record=True), Verdict.BEGIN_AGAIN),
        (job(State.RECEIVED), Files(incoming=True, record=True), Verdict.DROP_RECORD),
        (job(State.CLEANING), Files(quarantine=True, record=True), Verdict.QUARANTINED),
        (job(State.CLEANING), Files(quarantine=True, record=True, outbox=True), Verdict.QUARANTINED),
        (job(State.QUARANTINED), Files(quarantine=True, record=True), Verdict.QUARANTINED),
        (
            job(State.QUARANTINED, Place.QUARANTINE),
            Files(quarantine=True, record=True, outbox=True),
            Verdict.REMOVE_CLEAN,
        ),
        # … while it removed the files of one that was sent
        (job(State.SENT), Files(incoming=True), Verdict.KEEP),
        (job(State.SENT), Files(), Verdict.KEEP),
        # given up by the forwarder, not yet moved
        (job(State.QUARANTINED), Files(incoming=True, outbox=True), Verdict.KEEP),
        (job(State.QUARANTINED), Files(incoming=True, outbox=True, record=True), Verdict.KEEP),
        # a person's release or discard was interrupted
        (job(State.QUARANTINED, Place.QUARANTINE), Files(incoming=True, record=True), Verdict.BEGIN_AGAIN),
        (job(State.QUARANTINED, Place.QUARANTINE), Files(incoming=True), Verdict.BEGIN_AGAIN),
        (job(State.QUARANTINED, Place.QUARANTINE), Files(record=True), Verdict.KEEP),
        (job(State.QUARANTINED, Place.QUARANTINE), Files(), Verdict.DISCARDED),
        # a power cut: the clean file or a deletion was lost
        (job(State.CLEANED), Files(incoming=True), Verdict.BEGIN_AGAIN),
        (job(State.SENT, Place.GONE), Files(incoming=True), Verdict.REMOVE_AGAIN),
        (job(State.SENT, Place.GONE), Files(outbox=True), Verdict.REMOVE_AGAIN),
        # somebody else deleted files
        (job(State.RECEIVED), Files(), Verdict.MISSING),
        (job(State.CLEANING), Files(), Verdict.MISSING),
        (job(State.CLEANED), Files(), Verdict.MISSING),
        (job(State.CLEANED), Files(outbox=True), Verdict.KEEP),
    ],
)
def test_verdict(row: Job | None, files: Files, expected: Verdict) -> None:
    assert verdict(row, files) is expected


ROWS = [None, *(job(state, place) for state in State if state is not State.SENDING for place in Place)]
FILES = [Files(*present) for present in itertools.product([False, True], repeat=4)]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("files", FILES)
def test_whatever_the_files_and_the_row_a_second_look_finds_all_in_order(
    spool: Spool, ledger: Ledger, row: Job | None, files: Files
) -> None:
    place_files(spool, files)
    place_row(ledger, row)
    run(spool, ledger)
    again = run(spool, ledger)
    # what was set right may leave a reason or a clean file that nobody needs; a third look finds nothing more
    assert set(again) <= {Verdict.DROP_RECORD, Verdict.REMOVE_CLEAN}
    assert run(spool, ledger) == {}


@pytest.mark.parametrize("row", [row for row in ROWS if row is None or row.state is not State.SENT])
@pytest.mark.parametrize("files", [files for files in FILES if files.incoming or files.quarantine])
def test_no_raw_file_is_ever_deleted_or_forgotten_unless_it_was_sent(
    spool: Spool, ledger: Ledger, row: Job | None, files: Files
) -> None:
    place_files(spool, files)
    place_row(ledger, row)
    run(spool, ledger)
    assert (spool.incoming_path(JOB).exists(), spool.quarantine_path(JOB).exists()) == (
        files.incoming,
        files.quarantine,
    )
    found = ledger.job(JOB)
    assert found is not None
    assert found.state is not State.SENT
    assert row is None or row.place is Place.GONE or found.place is not Place.GONE


def place_files(spool: Spool, files: Files) -> None:
    if files.incoming:
        spool.incoming_path(JOB).write_bytes(RAW)
    if files.outbox:
        spool.outbox_path(JOB).write_bytes(RAW)
    if files.quarantine:
        spool.quarantine_path(JOB).write_bytes(RAW)
    if files.record:
        spool.quarantine_path(JOB).with_suffix(".json").write_text('{"reason": "truncated", "project": "trial"}')


def place_row(ledger: Ledger, row: Job | None) -> None:
    if row is not None:
        ledger._run(
            "INSERT INTO jobs (id, project, state, place, size_bytes) VALUES (?, ?, ?, ?, ?)",
            row.job_id,
            row.project,
            row.state,
            row.place,
            row.size_bytes,
        )


def test_the_project_comes_from_the_head_of_the_raw_file(spool: Spool, ledger: Ledger) -> None:
    place_files(spool, Files(incoming=True))
    assert run(spool, ledger) == {Verdict.INDEX: 1}
    (found,) = ledger.pending(9)
    assert (found.project, found.size_bytes) == ("trial", len(RAW))


def test_a_raw_file_without_a_head_is_left_to_the_worker_to_refuse(spool: Spool, ledger: Ledger) -> None:
    spool.incoming_path(JOB).write_bytes(b"")
    assert run(spool, ledger) == {Verdict.INDEX: 1}
    assert ledger.pending(9)[0].project == ""


def test_a_lost_ledger_is_rebuilt_with_the_reasons_of_the_quarantine(spool: Spool, ledger: Ledger) -> None:
    place_files(spool, Files(incoming=True))
    spool.quarantine(JOB, Reason.MALFORMED, "", "trial")
    run(spool, ledger)
    found = ledger.job(JOB)
    assert found is not None
    assert (found.state, found.reason, found.project) == (State.QUARANTINED, "malformed-data-set", "trial")


def test_a_job_whose_files_are_gone_is_shown_in_quarantine(spool: Spool, ledger: Ledger) -> None:
    ledger.received(JOB, "trial", 1)
    assert run(spool, ledger) == {Verdict.MISSING: 1}
    assert spool.record(JOB).reason == NodeReason.FILES_MISSING
    assert spool.quarantine_ids() == [JOB]


@pytest.mark.parametrize("is_known", [True, False])
def test_the_reason_does_not_outlive_a_release_that_died_half_way(spool: Spool, ledger: Ledger, is_known: bool) -> None:
    place_files(spool, Files(incoming=True, record=True))
    place_row(ledger, job(State.QUARANTINED, Place.QUARANTINE) if is_known else None)
    run(spool, ledger)
    assert spool.files(JOB) == Files(incoming=True)


def test_what_a_worker_has_in_hand_is_left_alone(spool: Spool, ledger: Ledger) -> None:
    place_files(spool, Files(incoming=True))
    ledger.received(JOB, "trial", 1)
    ledger.cleaning([JOB])
    assert reconcile(spool, ledger, str, {JOB}) == {}
    assert reconcile(spool, ledger, str) == {Verdict.BEGIN_AGAIN: 1}


def test_a_job_that_begins_anew_is_not_sent_from_its_lost_clean_file(spool: Spool, ledger: Ledger) -> None:
    place_files(spool, Files(incoming=True))
    ledger.received(JOB, "trial", 1)
    ledger.cleaning([JOB])
    ledger.cleaned(JOB, ("archive",))
    assert run(spool, ledger) == {Verdict.BEGIN_AGAIN: 1}
    assert ledger.due("archive", 1e12, 9) == []


def test_repairs_follow_the_table_of_transitions() -> None:
    begun_again = {row.state for row in ROWS if row for files in FILES if verdict(row, files) is Verdict.BEGIN_AGAIN}
    assert all(State.RECEIVED in TRANSITIONS[state] for state in begun_again)
    missing = {row.state for row in ROWS if row for files in FILES if verdict(row, files) is Verdict.MISSING}
    assert all(State.QUARANTINED in TRANSITIONS[state] | {state} for state in missing)

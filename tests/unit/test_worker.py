"""The work role: every raw file ends in the outbox or in quarantine, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import psutil
import pytest
from pydicom import dcmread

from deid.elements.file_meta import part10_header
from deid.errors import Reason, Refused
from node import cleaning, worker
from node.cleaning import Failed, clean_job, prepare
from node.errors import Misconfigured
from node.jobs import JobId, NodeReason, State, new_job_id
from node.key import create_key
from node.ledger import Ledger, open_ledger
from node.pool import WorkerPool
from node.settings import Project, Settings, SpoolSettings, WorkSettings
from node.spool import Files, Spool
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CT = factories.ct(size=16)
DATA = factories.data_set_bytes(CT)
HEADER = part10_header(CT.SOPClassUID, CT.SOPInstanceUID, CT.file_meta.TransferSyntaxUID, "MODALITY", "", "DEIDNODE")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    create_key(tmp_path / "key")
    return replace(
        Settings(),
        key_file=tmp_path / "key",
        spool=SpoolSettings(tmp_path / "spool", 1),
        work=WorkSettings(processes=1, time_limit_s=20, attempts=2),
    )


@pytest.fixture
def spool(settings: Settings) -> Spool:
    return Spool(settings.spool.path, 1)


@pytest.fixture
def ledger(spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(spool.path)
    yield ledger
    ledger.close()


@contextmanager
def working(settings: Settings) -> Iterator[threading.Event]:
    """Run the role in a thread of this process."""
    stop, ready = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            worker.run(settings, stop, ready.set)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(60)
        yield stop
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    assert failures == []


def arrive(spool: Spool, ledger: Ledger, data: bytes = DATA, project: str = "default") -> JobId:
    job_id = new_job_id()
    ledger.received(job_id, project, spool.put_incoming(job_id, HEADER, [data]))
    return job_id


def until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def reason(ledger: Ledger, job_id: JobId) -> str:
    job = ledger.job(job_id)
    assert job is not None
    return job.reason


def test_a_raw_file_is_cleaned_into_the_outbox(settings: Settings, spool: Spool) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, HEADER, [DATA])
    prepare(settings)
    cleaned = clean_job(spool, job_id, "default")
    assert cleaned is not None
    clean = spool.outbox_path(job_id).read_bytes()
    assert cleaned.size_bytes == len(clean)
    assert cleaned.sop_class_uid == CT.SOPClassUID
    found = dcmread(BytesIO(clean))
    assert found.PatientName != CT.PatientName
    assert found.SOPInstanceUID == found.file_meta.MediaStorageSOPInstanceUID != CT.SOPInstanceUID
    assert found.PixelData == CT.PixelData
    assert spool.incoming_path(job_id).exists()


def test_what_still_looks_into_an_instance_never_sees_the_next_one(settings: Settings, spool: Spool) -> None:
    prepare(settings)
    first, other = new_job_id(), new_job_id()
    spool.put_incoming(first, HEADER, [DATA])
    spool.put_incoming(other, HEADER, [bytes(len(DATA))])
    held = cleaning._loaded(spool.incoming_path(first))
    assert bytes(held) == HEADER + DATA
    assert not any(cleaning._loaded(spool.incoming_path(other))[len(HEADER) :])
    assert bytes(held) == HEADER + DATA
    with pytest.raises(TypeError):
        held[0] = 1  # type: ignore[index]


@pytest.mark.parametrize("more", [0, 1, 100_000])
def test_a_raw_file_of_any_size_is_read_whole(settings: Settings, spool: Spool, more: int) -> None:
    job_id = new_job_id()
    data = bytes(range(256)) * (cleaning.LARGEST_BYTES // 256) + b"x" * more
    spool.put_incoming(job_id, b"", [data])
    assert bytes(cleaning._loaded(spool.incoming_path(job_id))) == data


def test_a_raw_file_that_is_gone_is_no_error(settings: Settings, spool: Spool) -> None:
    prepare(settings)
    assert clean_job(spool, new_job_id(), "default") is None


def test_what_is_refused_is_refused_with_its_reason(settings: Settings, spool: Spool) -> None:
    prepare(settings)
    job_id = new_job_id()
    spool.put_incoming(job_id, HEADER, [DATA[:-10]])
    with pytest.raises(Refused) as caught:
        clean_job(spool, job_id, "default")
    assert caught.value.reason is Reason.TRUNCATED
    spool.put_incoming(job_id, b"", [])
    with pytest.raises(Refused) as caught:
        clean_job(spool, job_id, "default")
    assert caught.value.reason is Reason.NOT_DICOM


def test_an_unexpected_error_is_told_by_type_and_place_alone(
    settings: Settings, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("SENTINEL^JANE")

    prepare(settings)
    monkeypatch.setattr(cleaning, "deidentify", fail)
    job_id = new_job_id()
    spool.put_incoming(job_id, HEADER, [DATA])
    with pytest.raises(Failed) as caught:
        clean_job(spool, job_id, "default")
    assert str(caught.value).startswith("KeyError at node/cleaning.py:")


def test_all_that_arrives_is_cleaned_or_quarantined(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    early = arrive(spool, ledger)
    with working(settings):
        good = [early, *[arrive(spool, ledger) for _ in range(5)]]
        bad = arrive(spool, ledger, DATA[:-10])
        stray = arrive(spool, ledger, project="gone")
        until(lambda: ledger.counts()[State.CLEANED] == 6 and ledger.counts()[State.QUARANTINED] == 2)
        assert reason(ledger, bad) == Reason.TRUNCATED
        assert reason(ledger, stray) == NodeReason.NO_SUCH_PROJECT
        assert spool.record(bad).project == "default"
        due = ledger.due("archive", time.time(), 99)
        assert [delivery.job_id for delivery in due] == good
        assert {delivery.sop_class_uid for delivery in due} == {CT.SOPClassUID}
        for delivery in due:
            ledger.delivered(delivery.job_id, "archive", 0)
        until(lambda: spool.incoming_ids() == [])
    assert all(spool.files(job_id) == Files() for job_id in good)
    assert ledger.counts()[State.SENT] == 6


def test_what_the_forwarder_gave_up_is_moved_to_quarantine(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    with working(settings):
        job_id = arrive(spool, ledger)
        until(lambda: ledger.counts()[State.CLEANED] == 1)
        ledger.gave_up(job_id, "archive", 0xA900, NodeReason.REFUSED_BY_DESTINATION)
        until(lambda: spool.quarantine_ids() == [job_id])
        record = spool.record(job_id)
        assert (record.reason, record.detail) == ("refused-by-destination", "archive: status A900")
        until(lambda: ledger.to_file() == [])
    assert spool.files(job_id) == Files(quarantine=True, record=True)


def test_files_without_a_row_are_found_at_the_start(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, HEADER, [DATA])
    (spool.path / "outbox" / "left.1.part").write_bytes(b"half")
    with working(settings):
        until(lambda: ledger.counts()[State.CLEANED] == 1)
    assert spool.files(job_id) == Files(incoming=True, outbox=True)
    assert list(spool.path.rglob("*.part")) == []


def test_a_job_in_the_hands_of_a_role_that_died_is_done_by_the_next(
    settings: Settings, spool: Spool, ledger: Ledger
) -> None:
    job_id = arrive(spool, ledger)
    ledger.cleaning([job_id])
    with working(settings):
        until(lambda: ledger.counts()[State.CLEANED] == 1)


def test_a_clean_file_from_before_a_power_cut_is_made_anew(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    job_id = arrive(spool, ledger)
    ledger.cleaning([job_id])
    spool.put_outbox(job_id, [b"torn"])
    ledger.cleaned(job_id, ["archive"])
    (spool.path / "outbox.boot").write_text("an earlier start")
    with working(settings):
        until(lambda: spool.is_outbox_trusted() and spool.files(job_id).outbox)

        assert spool.outbox_path(job_id).read_bytes() != b"torn"


def test_a_raw_file_that_was_deleted_is_shown_in_quarantine(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    with working(settings):
        job_id = new_job_id()
        ledger.received(job_id, "default", 1)
        until(lambda: spool.quarantine_ids() == [job_id])
    assert spool.record(job_id).reason == NodeReason.FILES_MISSING


def _kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(*_: object) -> None:
    time.sleep(600)


def _too_much(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("task", "expected", "attempts"),
    [
        (_kill, NodeReason.WORKER_DIED, 1),
        (_hang, NodeReason.WORKER_TIMED_OUT, 1),
        (_too_much, NodeReason.OUT_OF_MEMORY, 0),
    ],
)
def test_an_instance_that_kills_its_worker_is_quarantined_after_some_attempts(
    settings: Settings,
    spool: Spool,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    task: Callable[..., None],
    expected: NodeReason,
    attempts: int,
) -> None:
    monkeypatch.setattr(worker, "clean_job", task)
    job_id = arrive(spool, ledger)
    with WorkerPool(1, time_limit_s=0.5 if task is _hang else 30) as pool:
        role = worker.Worker(settings, spool, ledger, pool)
        role.begin()
        until(lambda: bool(role.turn() or spool.quarantine_ids()))
    job = ledger.job(job_id)
    assert job is not None
    assert (job.reason, job.attempts) == (expected, attempts)


def test_without_room_in_the_outbox_a_job_waits_and_no_attempt_is_counted(
    settings: Settings, spool: Spool, ledger: Ledger
) -> None:
    job_id = arrive(spool, ledger)
    outbox = spool.path / "outbox"
    with WorkerPool(1, initializer=prepare, initargs=(settings,)) as pool:
        role = worker.Worker(settings, spool, ledger, pool)
        role.begin()
        outbox.rename(spool.path / "away")
        role.claim()
        role.settle([role.done.get(timeout=60)])
        job = ledger.job(job_id)
        assert job is not None
        assert (job.state, job.attempts) == (State.RECEIVED, 0)
        role.claim()
        assert role.in_hand == {}  # it pauses
        (spool.path / "away").rename(outbox)
        role.clock.claim_s = 0.0
        role.claim()
        role.settle([role.done.get(timeout=60)])
    assert ledger.counts()[State.CLEANED] == 1


def test_no_more_is_claimed_than_keeps_the_processes_busy(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    for _ in range(9):
        arrive(spool, ledger)
    with WorkerPool(1, initializer=prepare, initargs=(settings,)) as pool:
        role = worker.Worker(settings, spool, ledger, pool)
        role.claim()
        assert ledger.counts()[State.CLEANING] == 6
        role.finish()
    counts = ledger.counts()
    assert counts[State.CLEANING] == 0
    assert counts[State.CLEANED] + counts[State.RECEIVED] == 9


def test_a_signal_while_the_role_waits_does_not_make_it_wait_for_ever(
    settings: Settings, spool: Spool, ledger: Ledger
) -> None:
    came = []

    def interrupt(*_: object) -> None:
        came.append(time.monotonic())
        if len(came) > 1:
            pytest.fail("the role still waits")
        time.sleep(3 * worker._IDLE_POLL_S)  # until what it waits for is overdue

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, worker._IDLE_POLL_S / 2, 5)
    try:
        with WorkerPool(1) as pool:
            assert not worker.Worker(settings, spool, ledger, pool)._finished()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(came) == 1


def test_only_one_role_works_on_a_spool(settings: Settings, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LOCK_WAIT_S", 0.2)
    with working(settings), pytest.raises(Misconfigured, match="another process"):
        worker.run(settings, threading.Event())


@pytest.mark.parametrize("profile", ["no-such-profile", "/nowhere/own.toml"])
def test_a_missing_profile_stops_the_role(settings: Settings, profile: str) -> None:
    wrong = replace(settings, projects=(Project("default", profile=profile),))
    with pytest.raises(Misconfigured):
        worker.run(wrong, threading.Event())


def test_a_missing_key_stops_the_role(settings: Settings) -> None:
    settings.key_file.unlink()
    with pytest.raises(Misconfigured, match="key"):
        worker.run(settings, threading.Event())


def test_the_role_leaves_no_process_behind(settings: Settings, spool: Spool, ledger: Ledger) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with working(settings):
        arrive(spool, ledger)
        until(lambda: ledger.counts()[State.CLEANED] == 1)
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert [child.name() for child in left if "resource_tracker" not in " ".join(child.cmdline())] == []

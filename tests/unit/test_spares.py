"""Files that are written again: empty until then, never taken from a reader, never mistaken for another."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node import spares as spares_module
from node.jobs import new_job_id
from node.spares import LARGEST_BYTES, SPARE, Spares, open_whole
from node.spool import INCOMING, OUTBOX, Spool

if TYPE_CHECKING:
    from node.jobs import JobId

PATIENT = b"MUELLER^ANNA" * 100


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 1)


def spare_files(spool: Spool) -> list[Path]:
    return sorted((spool.path / SPARE).iterdir())


def done(spool: Spool, content: bytes = PATIENT) -> JobId:
    """Bring a job to its end."""
    job_id = new_job_id()
    spool.put_incoming(job_id, content, [])
    spool.put_outbox(job_id, [b"clean"])
    spool.remove([job_id])
    return job_id


def test_the_files_of_a_job_that_is_done_become_empty_ones(spool: Spool) -> None:
    job_id = done(spool)
    assert not spool.incoming_path(job_id).exists()
    assert not spool.outbox_path(job_id).exists()
    files = spare_files(spool)
    assert [path.name.partition("-")[0] for path in files] == [INCOMING, OUTBOX]
    assert [path.stat().st_size for path in files] == [0, 0]
    assert not any(job_id in path.name for path in files)


def test_a_new_file_is_made_of_a_spare_of_its_own_folder(spool: Spool) -> None:
    done(spool)
    inodes = {path.name.partition("-")[0]: path.stat().st_ino for path in spare_files(spool)}
    again = Spool(spool.path, 1)  # as another process
    job_id = new_job_id()
    again.put_incoming(job_id, b"short", [])
    again.put_outbox(job_id, [b"also"])
    assert spool.incoming_path(job_id).read_bytes() == b"short"
    assert spool.incoming_path(job_id).stat().st_ino == inodes[INCOMING]
    assert spool.outbox_path(job_id).stat().st_ino == inodes[OUTBOX]
    assert spare_files(spool) == []


def test_a_spare_whose_giver_died_before_it_was_empty_is_emptied(spool: Spool) -> None:
    (spool.path / SPARE / f"{INCOMING}-died").write_bytes(PATIENT)
    job_id = new_job_id()
    spool.put_incoming(job_id, b"next", [])
    assert spool.incoming_path(job_id).read_bytes() == b"next"
    assert spare_files(spool) == []


def test_all_are_deleted_when_the_work_begins(spool: Spool) -> None:
    done(spool)
    (spool.path / SPARE / f"{OUTBOX}-died").write_bytes(PATIENT)
    spool.clear_spares()
    assert spare_files(spool) == []


def test_what_somebody_reads_is_left_to_them_as_it_is(spool: Spool) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, PATIENT, [])
    with open_whole(spool.incoming_path(job_id)) as fd:
        spool.remove([job_id])
        assert not spool.incoming_path(job_id).exists()
        assert os.read(fd, len(PATIENT)) == PATIENT
    assert spare_files(spool) == []


def test_what_is_too_large_or_has_another_name_is_deleted(spool: Spool, tmp_path: Path) -> None:
    done(spool, bytes(LARGEST_BYTES + 1))
    job_id = new_job_id()
    spool.put_incoming(job_id, PATIENT, [])
    kept = tmp_path / "kept"
    os.link(spool.incoming_path(job_id), kept)
    spool.remove([job_id])
    assert kept.read_bytes() == PATIENT
    assert [path.name.partition("-")[0] for path in spare_files(spool)] == [OUTBOX]


def test_there_are_never_more_than_so_many(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares_module, "_MOST", 3)
    jobs = [new_job_id() for _ in range(5)]
    for job_id in jobs:
        spool.put_incoming(job_id, PATIENT, [])
    spool.remove(jobs)
    spool.remove(jobs)
    assert len(spare_files(spool)) == 3
    assert spool.incoming_ids() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_a_folder_that_may_not_be_used_is_as_good_as_none(spool: Spool) -> None:
    (spool.path / SPARE).chmod(0)
    done(spool)
    assert spool.incoming_ids() == []


def test_without_a_folder_of_spares_all_goes_on(spool: Spool) -> None:
    (spool.path / SPARE).rmdir()
    job_id = done(spool)
    assert not spool.incoming_path(job_id).exists()


def test_a_file_that_has_become_another_one_is_not_there_for_its_reader(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, other = new_job_id(), new_job_id()
    spool.put_incoming(job_id, PATIENT, [])
    flock = fcntl.flock

    def slow(fd: int, how: int) -> None:
        """Between the opening and the lock, the file becomes another instance's."""
        monkeypatch.setattr(fcntl, "flock", flock)
        spool.remove([job_id])
        spool.put_incoming(other, b"other", [])
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    with pytest.raises(FileNotFoundError), open_whole(spool.incoming_path(job_id)):
        pass
    assert spool.incoming_path(other).read_bytes() == b"other"


def test_a_reader_waits_for_who_has_just_named_the_file(spool: Spool) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, PATIENT, [])
    with spool.incoming_path(job_id).open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        threading.Timer(0.05, lambda: fcntl.flock(writer, fcntl.LOCK_UN)).start()
        with open_whole(spool.incoming_path(job_id)) as fd:
            assert os.read(fd, 4) == PATIENT[:4]


def test_a_lock_that_is_never_given_up_is_an_error_of_its_own(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares_module, "_LOCK_TRIES", 3)
    job_id = new_job_id()
    spool.put_incoming(job_id, PATIENT, [])
    with spool.incoming_path(job_id).open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError), open_whole(spool.incoming_path(job_id)):
            pass


def test_where_there_are_no_locks_files_are_read_all_the_same_and_deleted(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, PATIENT, [])

    def no_locks(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with open_whole(spool.incoming_path(job_id)) as fd:
        assert os.read(fd, 4) == PATIENT[:4]
    spool.remove([job_id])
    assert not spool.incoming_path(job_id).exists()
    assert spare_files(spool) == []


def test_what_cannot_be_emptied_is_deleted(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    (spool.path / SPARE / f"{INCOMING}-died").write_bytes(PATIENT)

    def fails(_fd: int, _length: int) -> None:
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(os, "ftruncate", fails)
    job_id = done(spool)
    assert not spool.incoming_path(job_id).exists()
    assert spare_files(spool) == []


def test_threads_and_processes_never_share_a_spare(spool: Spool) -> None:
    for _ in range(20):
        done(spool)
    takers = [Spool(spool.path, 1) for _ in range(4)]
    jobs: list[list[JobId]] = [[new_job_id() for _ in range(10)] for _ in takers]

    def write(taker: Spool, mine: list[JobId]) -> None:
        for job_id in mine:
            taker.put_incoming(job_id, job_id.encode(), [])

    threads = [threading.Thread(target=write, args=pair) for pair in zip(takers, jobs, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job_id in (each for mine in jobs for each in mine):
        assert spool.incoming_path(job_id).read_bytes() == job_id.encode()


def test_spares_of_another_folder_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / f"{OUTBOX}-1").write_bytes(b"")
    assert Spares(tmp_path, INCOMING).take(str(tmp_path / "new.part")) is None

"""Files on disk: complete and durable or not there at all."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.elements.file_meta import part10_header
from deid.errors import Reason, Refused
from node import part
from node.errors import Misconfigured, NoRoom, Transient
from node.jobs import JobId, NodeReason, new_job_id
from node.part import sync_folder
from node.spares import SPARE
from node.spool import Files, Spool, raw_origin

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG = "1.2.840.10008.1.2.4.50"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 1)


@pytest.fixture
def job_id() -> JobId:
    return new_job_id()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() or not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", path]).returncode:  # noqa: PLW1510
        pytest.skip("mounting a small file system is not allowed here")
    yield path
    subprocess.run(["umount", path], check=True)


def everything(spool: Spool) -> list[str]:
    """List all files but those that hold nothing and wait to be written again."""
    files = (
        path for path in spool.path.rglob("*") if path.is_file() and (path.parent.name != SPARE or path.stat().st_size)
    )
    return sorted(str(path.relative_to(spool.path)) for path in files)


def test_a_raw_file_is_what_was_written(spool: Spool, job_id: JobId) -> None:
    chunks = [b"x" * 10, memoryview(b"yy"), b"", *[bytes([n % 256]) * n for n in range(2000)]]
    size_bytes = spool.put_incoming(job_id, b"head", chunks)
    written = spool.incoming_path(job_id).read_bytes()
    assert written == b"head" + b"".join(chunks)
    assert size_bytes == len(written)
    assert everything(spool) == [f"incoming/{job_id}.dcm"]
    assert spool.incoming_ids() == [job_id]


def test_files_and_folders_are_the_nodes_alone(spool: Spool, job_id: JobId) -> None:
    spool.put_incoming(job_id, b"head", [])
    spool.quarantine(job_id, Reason.MALFORMED)
    for path in [spool.path, *spool.path.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0


def test_a_raw_file_can_be_written_as_it_comes(spool: Spool, job_id: JobId) -> None:
    with spool.open_incoming(job_id) as file:
        for number in range(5):
            file.write(bytes([number]) * 1000)
            assert spool.incoming_ids() == []
        assert file.commit() == file.size_bytes == 5000
    assert spool.incoming_path(job_id).read_bytes() == b"".join(bytes([number]) * 1000 for number in range(5))


def test_what_is_not_committed_leaves_nothing(spool: Spool, job_id: JobId) -> None:
    with spool.open_incoming(job_id) as file:
        file.write(b"half of it")
    assert everything(spool) == []
    with pytest.raises(TypeError), spool.open_incoming(job_id) as file:
        file.write(b"half of it", None)  # type: ignore[arg-type]
    assert everything(spool) == []


def test_a_clean_file_replaces_an_earlier_one_of_the_same_job(spool: Spool, job_id: JobId) -> None:
    spool.put_outbox(job_id, [b"first"])
    with spool.outbox_path(job_id).open("rb") as being_sent:
        spool.put_outbox(job_id, [b"second"])
        assert being_sent.read() == b"first"
    assert spool.outbox_path(job_id).read_bytes() == b"second"


def test_too_little_free_space_is_no_room(tmp_path: Path, job_id: JobId) -> None:
    spool = Spool(tmp_path, 1 << 60)
    with pytest.raises(NoRoom):
        spool.put_incoming(job_id, b"head", [])
    assert everything(spool) == []


def test_the_outbox_may_use_the_reserve(tmp_path: Path, job_id: JobId) -> None:
    spool = Spool(tmp_path, 1 << 60)
    assert spool.put_outbox(job_id, [b"clean"]) == 5


def test_a_disk_that_is_full_is_no_room_and_no_file(small_disk: Path, job_id: JobId) -> None:
    spool = Spool(small_disk, 1)
    with pytest.raises(NoRoom):
        spool.put_incoming(job_id, b"head", [b"x" * 4096] * 1000)
    assert everything(spool) == []
    with pytest.raises(NoRoom):
        spool.put_outbox(job_id, [b"x" * (2 << 20)])
    assert everything(spool) == []
    assert spool.put_incoming(job_id, b"head", [b"x" * 4096] * 100) == 4 + 409_600


def test_a_folder_that_is_gone_is_trouble_of_the_disk(spool: Spool, job_id: JobId) -> None:
    shutil.rmtree(spool.path / "incoming")
    with pytest.raises(Transient):
        spool.put_incoming(job_id, b"head", [])


def test_a_spool_that_cannot_be_made_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="file"):
        Spool(tmp_path / "file" / "spool", 1)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_file_is_synced_before_it_is_renamed_and_its_folder_after(tmp_path: Path) -> None:
    job_id = new_job_id()
    program = (
        "from pathlib import Path\nfrom node.spool import Spool\nfrom node.jobs import JobId\n"
        f"spool = Spool(Path({str(tmp_path)!r}), 1)\nprint('begin', flush=True)\n"
        f"spool.put_incoming(JobId({job_id!r}), b'head', [b'data'])\nprint('end', flush=True)"
    )
    calls = "trace=write,writev,fsync,rename,renameat,renameat2"
    done = subprocess.run(
        ["strace", "-y", "-e", calls, sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("strace may not trace here")
    trace = done.stderr.partition('"begin')[2].partition('"end')[0]
    part, folder = rf"incoming/{job_id}\.[\w-]+\.part", r"/incoming>"
    order = rf"writev\(\d+<[^>]*{part}>.*fsync\(\d+<[^>]*{part}>.*rename\w*\([^\n]*{part}.*fsync\(\d+<[^>]*{folder}"
    assert re.search(order, trace, re.DOTALL), trace


def _write_and_wait(path: Path, job_id: JobId, ready: threading.Event) -> None:
    file = Spool(path, 1).open_incoming(job_id)
    file.write(b"half of it")
    ready.set()
    signal.pause()


def test_threads_that_wait_for_a_folder_share_an_fsync_that_began_after_they_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release, calls = threading.Event(), threading.Event(), []

    def fsync(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            begun.set()
            assert release.wait(10)

    monkeypatch.setattr(os, "fsync", fsync)
    threads = [threading.Thread(target=sync_folder, args=(tmp_path,)) for _ in range(9)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    waiting = part._syncing(os.fspath(tmp_path))
    while waiting._last_asked < 9:
        time.sleep(0.001)
    assert len(calls) == 1  # the one under way began before the others asked: it is none of theirs
    release.set()
    for thread in threads:
        thread.join(10)
    assert len(calls) == 2


def test_an_fsync_that_fails_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        for _ in range(2):
            with pytest.raises(OSError):
                sync_folder(tmp_path)
    sync_folder(tmp_path)


def test_a_part_is_swept_when_its_writer_is_dead_and_only_then(spool: Spool, job_id: JobId) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    writer = context.Process(target=_write_and_wait, args=(spool.path, job_id, ready))
    writer.start()
    assert ready.wait(60)
    assert spool.sweep_parts() == 0
    assert len(everything(spool)) == 1
    writer.kill()
    writer.join()
    assert len(everything(spool)) == 1
    assert spool.sweep_parts() == 1
    assert everything(spool) == []


def test_sweeping_takes_nothing_from_writers(spool: Spool) -> None:
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            spool.sweep_parts()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        ids = [new_job_id() for _ in range(300)]
        for job_id in ids:
            spool.put_incoming(job_id, b"head", [b"data"])
    finally:
        stop.set()
        sweeper.join()
    assert spool.incoming_ids() == sorted(ids)
    assert len(everything(spool)) == 300


def test_the_head_of_a_raw_file_tells_its_origin(spool: Spool, job_id: JobId) -> None:
    header = part10_header(CT, "1.2.3", JPEG, "MODALITY", "", "DEIDNODE")
    spool.put_incoming(job_id, header, [b"data set"])
    path = spool.incoming_path(job_id)
    origin = raw_origin(path)
    assert (origin.calling_ae, origin.called_ae, origin.transfer_syntax) == ("MODALITY", "DEIDNODE", JPEG)
    assert path.read_bytes()[origin.offset :] == b"data set"


@pytest.mark.parametrize("cut", [0, 100, 131, 132, 143, 150, 200])
def test_a_raw_file_without_a_whole_head_is_refused(spool: Spool, job_id: JobId, cut: int) -> None:
    spool.put_incoming(job_id, part10_header(CT, "1.2.3", JPEG)[:cut], [])
    with pytest.raises(Refused) as caught:
        raw_origin(spool.incoming_path(job_id))
    assert caught.value.reason is Reason.NOT_DICOM


def test_a_raw_file_without_transfer_syntax_is_refused(spool: Spool, job_id: JobId) -> None:
    header = part10_header(CT, "1.2.3", JPEG).replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI")
    spool.put_incoming(job_id, header, [])
    with pytest.raises(Refused):
        raw_origin(spool.incoming_path(job_id))


def test_quarantine_holds_the_raw_file_and_the_reason_and_no_clean_file(spool: Spool, job_id: JobId) -> None:
    spool.put_incoming(job_id, b"head", [b"raw"])
    spool.put_outbox(job_id, [b"clean"])
    spool.quarantine(job_id, Reason.MALFORMED, "(0010,0010)", "trial")
    assert everything(spool) == [f"quarantine/{job_id}.dcm", f"quarantine/{job_id}.json"]
    assert spool.quarantine_path(job_id).read_bytes() == b"headraw"
    record = spool.record(job_id)
    assert (record.reason, record.detail, record.project) == ("malformed-data-set", "(0010,0010)", "trial")
    assert set(json.loads((spool.path / f"quarantine/{job_id}.json").read_text())) == {
        "reason",
        "detail",
        "project",
        "quarantined_at_s",
    }


def test_quarantine_can_be_repeated(spool: Spool, job_id: JobId) -> None:
    spool.put_incoming(job_id, b"head", [])
    spool.quarantine(job_id, Reason.MALFORMED)
    spool.quarantine(job_id, Reason.TRUNCATED)
    assert spool.files(job_id) == Files(quarantine=True, record=True)
    assert spool.record(job_id).reason == "truncated"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"reason": "x", "surprise": 1}'])
def test_a_damaged_record_is_no_reason_to_fail(spool: Spool, job_id: JobId, text: str) -> None:
    (spool.path / "quarantine" / f"{job_id}.json").write_text(text)
    assert spool.record(job_id).reason == NodeReason.UNRECORDED


def test_release_moves_the_raw_file_back(spool: Spool, job_id: JobId) -> None:
    spool.put_incoming(job_id, b"head", [])
    spool.quarantine(job_id, Reason.MALFORMED)
    assert spool.release(job_id)
    assert everything(spool) == [f"incoming/{job_id}.dcm"]
    assert not spool.release(job_id)


def test_discard_deletes_what_is_in_quarantine(spool: Spool, job_id: JobId) -> None:
    other = new_job_id()
    for each in (job_id, other):
        spool.put_incoming(each, b"head", [])
        spool.quarantine(each, Reason.MALFORMED)
    spool.discard(job_id)
    assert spool.quarantine_ids() == [other]
    assert spool.files(job_id) == Files()


def test_remove_deletes_clean_and_raw_files_and_may_be_repeated(spool: Spool, job_id: JobId) -> None:
    spool.put_incoming(job_id, b"head", [])
    spool.put_outbox(job_id, [b"clean"])
    spool.remove([job_id])
    spool.remove([job_id])
    assert everything(spool) == []


def test_all_files_are_listed_by_job_in_order_of_arrival(spool: Spool) -> None:
    ids = [new_job_id() for _ in range(4)]
    for job_id in reversed(ids):
        spool.put_incoming(job_id, b"head", [])
    spool.put_outbox(ids[1], [b""])
    spool.quarantine(ids[2], Reason.MALFORMED)
    spool.remove([ids[3]])
    spool.put_outbox(ids[3], [b""])
    (spool.path / "incoming" / "notes.dcm").write_text("not ours")
    assert spool.all_files() == {
        ids[0]: Files(incoming=True),
        ids[1]: Files(incoming=True, outbox=True),
        ids[2]: Files(quarantine=True, record=True),
        ids[3]: Files(outbox=True),
    }
    assert list(spool.all_files()) == ids
    assert all(spool.files(job_id) == files for job_id, files in spool.all_files().items())


def test_clean_files_of_an_earlier_start_of_the_machine_are_thrown_away(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubtful, alone = new_job_id(), new_job_id()
    assert spool.distrust_outbox() == 0
    assert spool.is_outbox_trusted()
    spool.put_incoming(doubtful, b"raw", [])
    for job_id in (doubtful, alone):
        spool.put_outbox(job_id, [b"clean"])
    monkeypatch.setattr("node.spool.boot_id", lambda: "another start")

    assert not spool.is_outbox_trusted()
    assert spool.distrust_outbox() == 1
    assert spool.is_outbox_trusted()
    assert spool.all_files() == {doubtful: Files(incoming=True), alone: Files(outbox=True)}
    assert spool.distrust_outbox() == 0


def test_without_a_name_for_the_start_of_the_machine_clean_files_are_synced(
    spool: Spool, job_id: JobId, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("node.spool.boot_id", lambda: "")
    monkeypatch.setattr(os, "fsync", synced.append)
    spool.put_outbox(job_id, [b"clean"])

    assert len(synced) == 2


@pytest.mark.parametrize("most", [1, 7, 100_000])
def test_what_the_system_writes_in_parts_is_written_whole(
    spool: Spool, job_id: JobId, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    write, writev = os.write, os.writev
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:most]))
    monkeypatch.setattr(os, "writev", lambda fd, buffers: writev(fd, [b"".join(buffers)[:most]]))
    chunks = [b"", b"first", memoryview(b"second!"), b"", memoryview(bytes(range(200)))]
    spool.put_outbox(job_id, chunks)
    assert spool.outbox_path(job_id).read_bytes() == b"".join(chunks)

"""Issue 7, line 1: write, fsync, rename and fsync of the folder precede the response, as the kernel saw it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.acceptance import order
from tests.acceptance.order import Call, violations

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (make debian)")

HEADER = bytes(128) + b"DICM\x02\x00\x03\x00UI\x06\x002.25.1"
ANSWER = order.dimse.c_store_rsp(1, "1.2.840.10008.5.1.4.1.1.2", "2.25.1", 0)
PDU = order.dimse.pdata_header(1, is_command=True, is_last=True, length=len(ANSWER)) + ANSWER
RIGHT = [
    ("writev", "/in/a.part", (HEADER,)),
    ("fsync", "/in/a.part", ()),
    ("rename", "", (b"/in/a.part", b"/in/a.dcm")),
    ("fsync", "/in", ()),
    ("sendto", "socket", (PDU,)),
]


def calls(steps: list[tuple[str, str, tuple[bytes, ...]]]) -> list[Call]:
    return [Call(*step, begin=2 * at + 1, end=2 * at + 2) for at, step in enumerate(steps)]


@needs_strace
def test_what_is_acknowledged_was_written_synced_renamed_and_its_folder_synced(tmp_path: Path) -> None:
    verdict = order.run(tmp_path, stores=60, associations=3)
    assert (verdict.acknowledged, verdict.seen, verdict.wrong) == (60, 60, {})


@needs_strace
@pytest.mark.parametrize(
    ("is_folder", "missing"), [(False, "fsync"), (True, "fsync(directory)")], ids=["file", "folder"]
)
def test_a_receiver_that_syncs_less_is_found_out(tmp_path: Path, is_folder: bool, missing: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, stat\n"
        "sync = os.fsync\n"
        f"os.fsync = lambda fd: None if stat.S_ISDIR(os.fstat(fd).st_mode) is {is_folder} else sync(fd)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    verdict = order.run(tmp_path / "run", stores=6, associations=2, environment=environment)
    assert verdict.acknowledged == 6
    assert verdict.wrong == {missing: 6}


def test_the_right_order_is_no_violation() -> None:
    assert violations(calls(RIGHT)) == (1, {})


@pytest.mark.parametrize(
    ("sequence", "missing"),
    [
        ([4], "write"),
        ([0, 4], "fsync"),
        ([1, 0, 2, 3, 4], "fsync"),
        ([0, 1, 0, 2, 3, 4], "fsync"),
        ([0, 1, 4, 2], "fsync(directory)"),
        ([0, 2, 1, 3, 4], "rename"),
        ([0, 1, 2, 4, 3], "fsync(directory)"),
        ([0, 1, 3, 2, 4], "fsync(directory)"),
    ],
)
def test_any_other_order_is_one(sequence: list[int], missing: str) -> None:
    assert violations(calls([RIGHT[at] for at in sequence])) == (1, {missing: 1})


def test_a_call_that_is_cut_in_two_by_another_thread_ends_where_it_resumes() -> None:
    trace = [
        r"7 fsync(3</in> <unfinished ...>",
        r'8 rename("\x61", "\x62") = 0',
        r"9 fsync(4</in>) = -1 EIO (Input/output error)",
        r"7 <... fsync resumed>) = 0",
    ]
    assert [(each.name, each.target, each.begin, each.end) for each in order.read_trace(trace)] == [
        ("fsync", "/in", 1, 4),
        ("rename", "", 2, 2),
    ]

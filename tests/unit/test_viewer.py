"""The processes that read instances for the console: what they die of is theirs, and they end when nobody looks."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from deid.elements.file_meta import part10_header
from deid.pixels.view import View
from deid.review import Review
from node.errors import NodeError, Transient
from node.pool import WorkerDied
from node.settings import Settings
from node.web import viewer as module
from node.web.viewer import Asked, Viewer
from tests import factories
from tests.network import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)
CT = factories.ct(size=32)


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    viewer = Viewer(Settings())
    yield viewer
    viewer.close()


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    path = tmp_path / "raw.dcm"
    header = part10_header(CT.SOPClassUID, CT.SOPInstanceUID, CT.file_meta.TransferSyntaxUID, "CT1", "", "DEIDNODE")
    path.write_bytes(header + factories.data_set_bytes(CT))
    return Asked(path, "default")


def processes(viewer: Viewer) -> list[int]:
    return [pid for each in viewer._pools.values() for pid in each.pool.process_ids()]


def test_process_that_dies_takes_one_look_with_it_and_many_at_once_are_turned_away(
    viewer: Viewer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert viewer.facts(asked, 0) is not None
    (pid,) = processes(viewer)
    os.kill(pid, signal.SIGSTOP)  # as if it were busy with something nasty
    errors: list[BaseException] = []

    def look() -> None:
        try:
            viewer.png(asked, 0, View())
        except NodeError as error:
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    wait_until(lambda: any(each.waiting for each in viewer._pools.values()), 10, "the look has begun")
    monkeypatch.setattr(module, "_MOST_WAITING", 1)
    with pytest.raises(Transient):
        viewer.facts(asked, 0)
    os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert [type(error) for error in errors] == [WorkerDied]
    assert viewer.facts(asked, 0) is not None
    assert processes(viewer) != [pid]


def test_processes_end_when_nobody_looks_any_more(
    viewer: Viewer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WATCH_EVERY_S", 0.05)
    monkeypatch.setattr(module, "_IDLE_S", 0.2)
    assert viewer.png(asked, 0, View()).startswith(b"\x89PNG")
    wait_until(lambda: not viewer._pools, 60, "its process has ended")


def test_trial_goes_on_while_nobody_waits_for_it(viewer: Viewer, asked: Asked) -> None:
    trial = Asked(asked.path, asked.project, Review(approved=True))
    assert viewer.tried(trial, 0.0) is None  # its process has yet to begin
    deadline = time.monotonic() + 120
    while (found := viewer.tried(trial, 1.0)) is None:
        assert time.monotonic() < deadline
    assert found.refused == ""
    assert viewer.facts(trial, 0) is not None
    trial.path.unlink()
    with pytest.raises(FileNotFoundError):
        viewer.facts(trial, 0)  # nobody sees what was discarded


def test_same_look_is_a_first_one_again_after_a_while(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert viewer.is_first_look("anna", "1")
    assert not viewer.is_first_look("anna", "1")
    assert viewer.is_first_look("anna", "2")
    assert viewer.is_first_look("vera", "1")
    viewer.forget_look("anna", "1")
    assert viewer.is_first_look("anna", "1")
    monkeypatch.setattr(module, "_SAME_LOOK_S", 0.0)
    assert viewer.is_first_look("anna", "1")

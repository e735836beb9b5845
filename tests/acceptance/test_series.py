"""Issue 6, line 5: a head leaves without its face, however it was sent and whatever was killed meanwhile."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from threading import Thread

import psutil
import pydicom
import pytest

from node.cli import main
from node.ledger import LEDGER_FILE
from tests.acceptance.series import FACES_CODE, QUIET_S, Series, codes, data_set, send_all, send_by_several
from tests.archive import Archive
from tests.network import Node, listens, wait_until

pytestmark = pytest.mark.timeout(600)
SETTLE_S = 240


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Series:
    return Series.of(tmp_path_factory.mktemp("head") / "modality", seed=11, slices=300)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Series:
    return Series.of(tmp_path_factory.mktemp("small") / "modality", seed=12, slices=60)


def in_archive(archive: Archive) -> dict[str, bytes]:
    return {path.stem: data_set(path) for path in archive.instances()}


def faces_left(series: Series, archive: Archive) -> int:
    """Count the slices of the face that lie in the archive as they were sent."""
    sent = {pydicom.dcmread(path).PixelData for path in series.paths}
    return sum(pydicom.dcmread(path).PixelData in sent for path in archive.instances())


def test_a_head_in_random_order_with_an_abort_and_a_late_slice_leaves_defaced_and_not_before(
    tmp_path: Path, head: Series
) -> None:
    late, *rest = head.paths
    with Archive(tmp_path / "archive") as archive, head.node(tmp_path / "node", archive.port) as node:
        send_by_several(rest, node.port, associations=4, aborting=20, seed=1)
        sent_at_s = time.time()
        assert archive.instances() == []
        wait_until(lambda: len(archive.instances()) == len(rest), SETTLE_S, "all but the late one are there")
        assert min(path.stat().st_mtime for path in archive.instances()) >= sent_at_s + QUIET_S - 1
        send_all([late], node.port)
        wait_until(lambda: len(archive.instances()) == len(head.paths), SETTLE_S, "the late one is there")
        node.wait_idle(SETTLE_S)
        plan = head.plan(rest)
        assert plan.kind == "deface"
        assert in_archive(archive) == head.defaced(plan)
        assert [*archive.conflicts(), *node.quarantined(), *node.leftovers()] == []
        said = [pydicom.dcmread(path, stop_before_pixels=True) for path in archive.instances()]
        assert {each.RecognizableVisualFeatures for each in said} == {"NO"}
        assert all(FACES_CODE in codes(path) for path in archive.instances())
        changed = len(head.paths) - faces_left(head, archive)
        assert changed > len(head.paths) // 5


def kill_now_and_then(node: Node, kills: int, seed: int) -> None:
    """Kill roles and workers at random, each once the node listens again."""
    chance = random.Random(seed)
    for _ in range(kills):
        wait_until(lambda: listens(node.port), SETTLE_S, "the node listens")
        time.sleep(chance.uniform(0.3, 2.0))
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            chance.choice(node.processes()[1:]).kill()


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_killed_in_the_middle_nothing_leaves_undefaced_and_all_leaves(
    tmp_path: Path, small: Series, seed: int
) -> None:
    with Archive(tmp_path / "archive") as archive, small.node(tmp_path / "node", archive.port, attempts=50) as node:
        killer = Thread(target=kill_now_and_then, args=(node, 9, seed))
        killer.start()
        send_by_several(small.paths, node.port, associations=3, aborting=5, seed=seed)
        killer.join()
        expected = small.defaced(small.plan(small.paths))
        wait_until(lambda: len(archive.instances()) == len(small.paths), SETTLE_S, "all are there")
        node.wait_idle(SETTLE_S)
        assert in_archive(archive) == expected
        assert [*archive.conflicts(), *node.quarantined()] == []


def test_a_lost_ledger_and_a_dead_node_cost_a_series_nothing(tmp_path: Path, small: Series) -> None:
    half = len(small.paths) // 2
    with Archive(tmp_path / "archive") as archive, small.node(tmp_path / "node", archive.port) as node:
        send_all(small.paths[:half], node.port)
        node.kill()
        for path in node.spool.glob(f"{LEDGER_FILE}*"):
            path.unlink()
        node.start()
        send_all(small.paths[half:-1], node.port)
        wait_until(lambda: len(archive.instances()) >= 5, SETTLE_S, "the first are delivered")
        node.kill()
        for path in node.spool.glob(f"{LEDGER_FILE}*"):
            path.unlink()
        node.start()
        send_all(small.paths[-1:], node.port)
        wait_until(lambda: len(archive.instances()) == len(small.paths), SETTLE_S, "all are there")
        node.wait_idle(SETTLE_S)
        assert in_archive(archive) == small.defaced(small.plan(small.paths[:-1]))
        assert [*archive.conflicts(), *node.quarantined()] == []


def test_an_incomplete_series_is_refused_as_a_whole_and_leaves_once_the_rest_came(
    tmp_path: Path, small: Series
) -> None:
    ordered = sorted(small.paths, key=lambda path: float(pydicom.dcmread(path).SliceLocation))
    gap = ordered[28:34]
    with Archive(tmp_path / "archive") as archive, small.node(tmp_path / "node", archive.port) as node:
        send_all([path for path in ordered if path not in gap], node.port)
        wait_until(lambda: len(node.quarantined()) == len(ordered) - len(gap), SETTLE_S, "the series is refused")
        assert {each.reason for each in node.quarantined()} == {"face-series-unfit"}
        send_all(gap, node.port)
        wait_until(lambda: len(node.quarantined()) == len(ordered), SETTLE_S, "the rest alone is refused, too")
        assert archive.instances() == []
        release = ["quarantine", "release", "--reason", "face-series-unfit", "--config", str(node.config)]
        assert main(release) == 0
        wait_until(lambda: len(archive.instances()) == len(ordered), SETTLE_S, "all are there")
        node.wait_idle(SETTLE_S)
        assert in_archive(archive) == small.defaced(small.plan(small.paths))
        assert node.quarantined() == []

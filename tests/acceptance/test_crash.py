from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import crash
from tests.acceptance.crash import Verdict, is_whole
from tests.acceptance.load import SIZE
from tests.faults.inside.dying import POINTS, WRAPPED


@pytest.mark.timeout(900)
def test_what_was_acknowledged_survives_kills_at_random_and_at_named_points(tmp_path: Path) -> None:
    verdict = crash.run(tmp_path, kills=12, seed=20250226)
    assert verdict.acknowledged > 20
    assert sum(verdict.hits.get(point, 0) for point in POINTS) > 0
    assert verdict.ledgers_checked > 0
    bad = (verdict.lost, verdict.conflicts, verdict.torn, verdict.leftovers, verdict.quarantined)
    assert (*bad, verdict.ledgers_damaged) == (0, 0, 0, 0, 0, 0)


def test_sums_of_runs_are_added_and_one_bad_run_spoils_them() -> None:
    total = Verdict(kills=5, acknowledged=9, forwarded=9)
    total.hits["kept"] = 2
    other = Verdict(kills=7, acknowledged=3, forwarded=2, lost=1)
    other.hits.update({"kept": 1, "all": 4})
    assert total.is_good
    total.add(other)
    assert (total.kills, total.acknowledged, total.lost, total.hits["kept"], total.hits["all"]) == (12, 12, 1, 3, 4)
    assert not total.is_good
    assert "kills=12" in total.line("crash")
    assert f"points=1/{len(POINTS)} kills_at_points=3" in total.line("crash")


def test_a_data_set_that_ends_too_early_is_torn() -> None:
    pixels = bytes(2 * SIZE * SIZE)
    data = b"\xe0\x7f\x10\x00OW\0\0" + len(pixels).to_bytes(4, "little") + pixels
    assert is_whole(data)
    assert not is_whole(data[:-2])
    assert not is_whole(b"")


def test_each_point_is_of_a_function_that_dies() -> None:
    assert len(set(POINTS)) == len(POINTS) > 20
    assert WRAPPED

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import crash


@pytest.mark.timeout(300)
def test_what_was_acknowledged_survives_ten_kills_at_random(tmp_path: Path) -> None:
    verdict = crash.run(tmp_path, kills=10, seed=20250226)
    assert verdict.acknowledged > 50
    assert verdict.lost == 0
    assert verdict.conflicts == 0
    assert verdict.leftovers == 0
    assert verdict.quarantined == 0

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import away


@pytest.mark.timeout(600)
def test_what_arrived_while_the_archive_was_away_is_all_delivered_and_no_role_grew(tmp_path: Path) -> None:
    verdict = away.run(tmp_path, 300)
    assert verdict.sent == 300
    assert verdict.delivered == 300
    assert verdict.conflicts == 0
    assert verdict.quarantined == 0
    assert {name: mib for name, mib in verdict.growth.items() if mib > away.MOST_GROWTH_MIB} == {}

"""Every status of PS3.4 Table B.2-1 and PS3.7 Annex C has the outcome that its class asks for."""

from __future__ import annotations

import pytest

from node.status import OUTCOMES, Outcome, Status, outcome_of


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007])
def test_success_and_the_storage_warnings_mean_stored(status: int) -> None:
    assert outcome_of(status) is Outcome.STORED


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0xA7FF, 0x0110, 0x0213, None])
def test_lack_of_resources_and_lack_of_an_answer_mean_retry(status: int | None) -> None:
    assert outcome_of(status) is Outcome.RETRY


@pytest.mark.parametrize("status", [0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0106, 0x0111, 0x0117, 0x0122, 0x0124])
def test_errors_of_the_instance_mean_give_up(status: int) -> None:
    assert outcome_of(status) is Outcome.GIVE_UP


@pytest.mark.parametrize("status", [0xB001, 0xA800, 0xFE00, 0xFF00, 0xFFFF, 0x0001, 0x0210])
def test_status_that_no_table_knows_for_c_store_never_counts_as_stored(status: int) -> None:
    assert outcome_of(status) is Outcome.GIVE_UP


def test_exactly_four_statuses_count_as_stored() -> None:
    stored = [status for status in range(0x10000) if outcome_of(status) is Outcome.STORED]
    assert stored == [
        Status.SUCCESS,
        Status.COERCED,
        Status.ELEMENTS_DISCARDED,
        Status.DATA_SET_MISMATCH_WARNING,
    ]


def test_rows_of_the_table_do_not_overlap() -> None:
    for index, (first, last, _) in enumerate(OUTCOMES):
        assert first <= last
        assert all(last < other[0] or other[1] < first for other in OUTCOMES[index + 1 :])

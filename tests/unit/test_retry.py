"""Backoff: grows, is capped, is spread, and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.retry import delay, next_try
from node.settings import ForwardSettings

FORWARD = ForwardSettings(first_retry_s=2.0, max_retry_s=900.0, give_up_days=14.0)
DAY_S = 86_400.0


@pytest.mark.parametrize(("attempts", "longest_s"), [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (10_000, 900)])
def test_delay_doubles_up_to_its_cap(attempts: int, longest_s: float) -> None:
    assert delay(attempts, FORWARD, 1.0) == longest_s
    assert delay(attempts, FORWARD, 0.0) == longest_s / 2


def test_first_retry_follows_the_first_failure_within_first_retry_s() -> None:
    assert next_try(1, 1000.0, 1000.0, FORWARD, 0.5) == 1001.5


def test_delivery_is_given_up_after_give_up_days() -> None:
    assert next_try(50, 0.0, 14 * DAY_S, FORWARD, 0.5) is None
    assert next_try(50, 0.0, 14 * DAY_S + 1, FORWARD, 0.5) is None


def test_last_try_falls_on_the_moment_of_giving_up() -> None:
    assert next_try(50, 0.0, 14 * DAY_S - 10, FORWARD, 0.9) == 14 * DAY_S


def test_clock_that_went_back_still_gives_a_time_ahead() -> None:
    tried = next_try(3, 10_000.0, 5_000.0, FORWARD, 0.5)
    assert tried is not None
    assert tried > 5_000.0


@given(st.integers(1, 100_000), st.floats(0, 14 * DAY_S - 1), st.floats(0, 1))
def test_next_try_is_ahead_and_never_further_than_the_cap(attempts: int, since_s: float, jitter: float) -> None:
    tried = next_try(attempts, 0.0, since_s, FORWARD, jitter)
    assert tried is not None
    assert since_s < tried <= since_s + FORWARD.max_retry_s


def test_week_without_the_archive_is_outlived() -> None:
    """Simulates a delivery whose archive is away for seven days."""
    now, attempts = 0.0, 0
    while now < 7 * DAY_S:
        attempts += 1
        tried = next_try(attempts, 0.0, now, FORWARD, 0.0)
        assert tried is not None
        now = tried
    assert now < 7 * DAY_S + FORWARD.max_retry_s

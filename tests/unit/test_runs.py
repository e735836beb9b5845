from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from deid.runs import text_runs


def test_runs_of_letters_and_of_digits_are_found_and_short_ones_not() -> None:
    assert text_runs(b"\0\1STRANGE\0abcde\x00123456\xff12345") == [b"STRANGE", b"123456"]


def test_adjacent_runs_are_found_whole() -> None:
    assert b"".join(text_runs(b"\0Stephen123456\0")).count(b"Stephen") == 1


@given(st.binary(max_size=300), st.integers(0, 300))
def test_a_planted_word_is_always_inside_a_run(noise: bytes, place: int) -> None:
    block = noise[:place] + b"Quisenberry" + noise[place:]

    assert any(b"Quisenberry" in run for run in text_runs(block))


def test_very_many_runs_are_returned_as_the_block() -> None:
    block = b"abcdef\0" * 6000

    assert text_runs(block) == [block]


def test_nothing_is_found_in_nothing() -> None:
    assert text_runs(b"") == []
    assert text_runs(os.urandom(3)) == []

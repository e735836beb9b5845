"""Numbers with slashes: which are no dates."""

from __future__ import annotations

import re

import pytest

from deid.text.dates import find_dates
from deid.text.ratios import is_ratio

_NUMBERS = re.compile(r"\d+(?:\s?[./]\s?\d+)+")


def judged(text: str) -> list[bool]:
    return [is_ratio(text, *match.span()) for match in _NUMBERS.finditer(text)]


@pytest.mark.parametrize("text", ["14/20", "5/325", "145/93", "13/45", "0/31"])
def test_two_numbers_that_cannot_be_a_date_are_a_ratio(text: str) -> None:
    assert judged(text) == [True]


@pytest.mark.parametrize("text", ["3/5", "31/12", "12/31", "03/19", "3/2019", "2019/3", "12/98", "12.03.2019"])
def test_numbers_that_can_be_a_date_are_no_ratio_by_themselves(text: str) -> None:
    assert judged(text) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "power 4/5",
        "Kraft: 3/5",
        "GCS 10/10",
        "pain 8/10",
        "img. 3/4",
        "Serie 3/5 wiederholt",
        "siła 3/5",
        "dolor 9/10",
        "Dist=10/10",
        "rel 6/7",
        "rev 3.14.15",
        "12/12 mm",
        "2/3 views",
        "6/52 cough",
        "DD 5/10 %",
    ],
)
def test_what_stands_around_two_numbers_tells_that_they_are_a_ratio(text: str) -> None:
    assert judged(text) == [True]


def test_numbers_in_a_chain_are_a_ratio() -> None:
    text = "param 12/25/50/100"
    assert is_ratio(text, 6, 14)


@pytest.mark.parametrize("text", ["seen 4/5", "op 12/3", "lmp=3/4", "Datum=3/4", "on 2/3 viewed", "since 5/6 s/p fall"])
def test_what_stands_around_a_date_leaves_it_one(text: str) -> None:
    assert judged(text) == [False]


@pytest.mark.parametrize("text", ["13/5/11 cm", "Apgar 4/4/10", "cores 3/4/12", "rev 3/04/15"])
def test_three_small_numbers_of_a_measure_are_no_date(text: str) -> None:
    assert find_dates(text) == []


@pytest.mark.parametrize("text", ["13/5/11", "on 4/4/10 seen", "LMP 3/4/12"])
def test_three_small_numbers_are_a_date_elsewhere(text: str) -> None:
    assert len(find_dates(text)) == 1

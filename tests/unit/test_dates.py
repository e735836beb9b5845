from __future__ import annotations

import pytest

from deid.elements.dates import (
    LARGEST_SHIFT_DAYS,
    SMALLEST_SHIFT_DAYS,
    keep_tm,
    shift_da,
    shift_days,
    shift_dt,
    shift_value,
)


def test_shift_is_the_same_for_a_patient_and_within_one_to_ten_years() -> None:
    shifts = {shift_days(b"k" * 32, f"patient {number}") for number in range(500)}

    assert shift_days(b"k" * 32, "patient 1") == shift_days(b"k" * 32, "patient 1")
    assert all(-LARGEST_SHIFT_DAYS <= days <= -SMALLEST_SHIFT_DAYS for days in shifts)
    assert len(shifts) > 400


def test_shift_depends_on_the_key() -> None:
    assert shift_days(b"a" * 32, "patient") != shift_days(b"b" * 32, "patient")


@pytest.mark.parametrize(
    ("value", "days", "expected"),
    [
        ("20040301", -1, "20040229"),
        ("20230301", -1, "20230228"),
        ("20000101", -366, "19981231"),
        ("2004.01.19", -19, "2003.12.31"),
        ("20040119 ", -1, "20040118"),
        ("20040230", -1, None),
        ("2004", -1, None),
        ("JOHNDOE1", -1, None),
        ("00010101", -400, None),
    ],
)
def test_da_is_shifted_by_days_or_not_at_all(value: str, days: int, expected: str | None) -> None:
    assert shift_da(value, days) == expected


@pytest.mark.parametrize(
    ("value", "days", "expected"),
    [
        ("20040119072730.123456+0100", -19, "20031231072730.123456+0100"),
        ("20040119072730", -19, "20031231072730"),
        ("2004011907", -19, "2003123107"),
        ("20040119-0500", -19, "20031231-0500"),
        ("200401", -15, "200312"),
        ("2004", -365, "2003"),
        ("20040119256000", -19, None),
        ("around 2004", -19, None),
    ],
)
def test_dt_keeps_time_fraction_zone_and_precision(value: str, days: int, expected: str | None) -> None:
    assert shift_dt(value, days) == expected


@pytest.mark.parametrize("value", ["072730", "0727", "07", "072730.5", "07:27:30", "235960.999999"])
def test_times_stay_as_they_are(value: str) -> None:
    assert keep_tm(value, -1000) == value


@pytest.mark.parametrize("value", ["250000", "DOE", "0727301", "07273"])
def test_what_is_not_a_time_is_not_kept(value: str) -> None:
    assert keep_tm(value, -1000) is None


def test_each_of_several_values_is_shifted_and_empty_ones_stay() -> None:
    assert shift_value("DA", b"20040119\\\\20040120 ", -19) == b"20031231\\\\20040101"


def test_one_unreadable_value_spoils_the_element() -> None:
    assert shift_value("DA", b"20040119\\yesterday", -19) is None

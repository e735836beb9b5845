"""Where lines are in a network's map."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deid.pixels.blobs import Map, lines_in
from deid.pixels.quads import is_likely

ROWS, COLUMNS = 400, 600


def empty() -> Map:
    return np.zeros((ROWS, COLUMNS), np.float32)


def covers(quad: NDArray[np.float32], x0: int, y0: int, x1: int, y1: int) -> bool:
    left, top = quad.min(axis=0)
    right, bottom = quad.max(axis=0)
    return bool(left <= x0 and top <= y0 and right >= x1 and bottom >= y1)


def test_a_blob_is_widened_to_the_line_around_it() -> None:
    probable = empty()
    probable[100:106, 200:300] = 0.9
    ((quad, score),) = lines_in(probable)
    assert covers(quad, 197, 97, 302, 108)
    assert not covers(quad, 190, 97, 302, 108)
    assert score == pytest.approx(0.9, abs=0.01)


def test_a_line_at_the_top_is_found_above_thousands_of_specks() -> None:
    probable = empty()
    probable[40::6, ::6] = probable[41::6, ::6] = probable[42::6, ::6] = 0.9
    probable[40::6, 1::6] = probable[41::6, 1::6] = probable[42::6, 1::6] = 0.9
    probable[40::6, 2::6] = probable[41::6, 2::6] = probable[42::6, 2::6] = 0.9
    probable[10:16, 200:300] = 0.9
    assert any(covers(quad, 200, 10, 299, 15) for quad, _ in lines_in(probable))


def test_a_line_that_runs_into_something_else_is_found_beside_the_whole() -> None:
    probable = empty()
    probable[50:350, 100:500] = 0.3
    probable[200:206, 200:300] = 0.95
    found = [quad for quad, _ in lines_in(probable) if is_likely(quad, ROWS, COLUMNS)]
    assert any(covers(quad, 200, 200, 299, 205) for quad in found)


def test_parts_have_no_score_and_the_form_of_a_line() -> None:
    probable = empty()
    probable[50:350, 100:500] = 0.5
    probable[200:206, 200:300] = 0.95
    (whole, score), (part, none) = lines_in(probable)
    assert score == pytest.approx(0.5, abs=0.05)
    assert none == 0
    assert is_likely(part, ROWS, COLUMNS)
    assert not is_likely(whole, ROWS, COLUMNS)


def test_two_lines_that_touch_faintly_are_found_each() -> None:
    probable = empty()
    probable[90:150, 200:260] = 0.25
    for top in (100, 130):
        probable[top : top + 6, 180:300] = 0.95
    found = [quad for quad, _ in lines_in(probable) if is_likely(quad, ROWS, COLUMNS)]
    assert all(any(covers(quad, 180, top, 299, top + 5) for quad in found) for top in (100, 130))


def test_what_is_improbable_all_over_is_nothing() -> None:
    probable = empty()
    probable[100:106, 200:300] = 0.4
    assert lines_in(probable) == []


def test_a_line_aslant_has_corners_clockwise_from_the_top_left() -> None:
    probable = empty()
    for x in range(200, 300):
        y = 100 + (x - 200) // 4
        probable[y : y + 7, x] = 0.9
    ((quad, _),) = lines_in(probable)
    (top_left, top_right, bottom_right, bottom_left) = quad
    assert top_left[0] < top_right[0]
    assert bottom_left[0] < bottom_right[0]
    assert top_left[1] < bottom_left[1]
    assert top_right[1] < bottom_right[1]
    assert top_left[1] < top_right[1]

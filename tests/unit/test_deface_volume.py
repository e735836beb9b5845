"""Frames in any order and direction become one volume, and say what is wrong where they don't."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deid.deface.geometry import Header, Place, headers
from deid.deface.plan import corners_in, cut_through
from deid.deface.sampling import sample, sample_all, seen_part
from deid.deface.volume import Gathering, Grid, Problem, Stack, grid_of, reduced
from deid.encoding.element import DataSet, Element
from deid.errors import Refused

Frame = tuple[Header, np.ndarray, bytes]


def ramp(points: np.ndarray) -> np.ndarray:
    return (points @ np.array([1.0, 2.0, -0.5])).astype(np.float32)


def turned(degrees: tuple[float, float, float]) -> np.ndarray:
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def frames(
    steps: list[float], turn: np.ndarray, lean: float = 0.0, kind: str = "", reference: str = "1", **header: bool
) -> list[Frame]:
    """Frames of 40 by 48 pixels of 1.5 mm whose values grow evenly through the patient."""
    row, column, normal = turn
    made = []
    for number, along in enumerate(np.cumsum([0.0, *steps])):
        place = Place(along * normal + lean * along * column, row * 1.5, column * 1.5)
        across = place.origin + np.arange(48)[None, :, None] * place.along_row
        points = across + np.arange(40)[:, None, None] * place.along_column
        said = Header(place, 1.0, 0.0, reference, kind, header.get("is_localizer", False))
        made.append((said, ramp(points), number.to_bytes(2)))
    return made


def gathered(made: list[Frame], *, by_kind: bool = False) -> tuple[list[Stack], Problem | None]:
    gathering = Gathering(by_kind)
    for frame in made:
        gathering.add(*frame)
    return gathering.stacks()


@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.lists(st.floats(1.0, 9.0), min_size=14, max_size=22),
    st.floats(-0.5, 0.5),
    st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_values_are_where_they_were_whatever_the_stack(
    degrees: tuple[float, float, float], steps: list[float], lean: float, seed: int
) -> None:
    made = frames(steps, turned(degrees), lean)
    Random(seed).shuffle(made)
    stacks, problem = gathered(made)
    assert problem is None or sum(steps) < 40
    grid = grid_of(stacks, 4.0)
    values = sample_all(stacks, grid)
    wanted = ramp(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1) @ grid.axes + grid.origin)
    seen = ~np.isnan(values)
    assert seen.any()
    inner = sample(stacks[0], grid, np.nan)
    close = np.abs(inner - wanted)[~np.isnan(inner)] < 0.05
    assert close.mean() > 0.6  # all but the borders, where the outermost pixels go on


@given(st.tuples(*[st.floats(-40, 40)] * 3), st.floats(-0.3, 0.3))
@example((0.0, 2.0, -0.0078125), 0.0)
@settings(max_examples=15, deadline=None)
def test_the_part_of_a_grid_that_is_seen_leaves_nothing_seen_out(
    degrees: tuple[float, float, float], lean: float
) -> None:
    stacks, _ = gathered(frames([3.0, 2.0] * 12, turned(degrees), lean))
    grid = Grid(np.array([-90.0, -80.0, -70.0]), np.eye(3)[::-1] * 4.0, (50, 45, 40))
    part = seen_part(grid, stacks)
    first = np.rint(grid.cell(part.origin)).astype(int)
    whole = sample_all(stacks, grid)
    there = tuple(slice(a, a + count) for a, count in zip(first, part.shape, strict=True))
    rest = ~np.isnan(whole)
    rest[there] = False
    assert not rest.any()
    alone = sample_all(stacks, part)
    both = ~np.isnan(whole[there]) & ~np.isnan(alone)
    assert np.allclose(whole[there][both], alone[both], atol=0.05)
    # Right on the border of what is seen, the last bit of a position decides.
    assert (np.isnan(whole[there]) != np.isnan(alone)).mean() < 0.001


def test_frames_that_are_all_but_even_are_sampled_as_even_ones_are() -> None:
    (even,), _ = gathered(frames([3.0] * 20, turned((5, 8, 11)), 0.2))
    (uneven,), _ = gathered(frames([3.0] * 19 + [3.03], turned((5, 8, 11)), 0.2))
    grid = grid_of([even], 4.0)
    one, other = (sample(stack, grid, np.nan) for stack in (even, uneven))
    both = ~np.isnan(one) & ~np.isnan(other)
    assert both.mean() > 0.3
    assert np.median(np.abs(one - other)[both]) < 0.02
    assert (np.abs(one - other)[both] < 1.0).mean() > 0.95


@given(st.tuples(*[st.floats(-180, 180)] * 3), st.tuples(*[st.floats(-6, 6)] * 3), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_frame_is_touched_where_more_than_half_is_in_the_mask(
    degrees: tuple[float, float, float], centre: tuple[float, float, float], seed: int
) -> None:
    mask = np.zeros((9, 10, 11), np.bool_)
    mask[1:-1, 1:-1, 1:-1] = np.random.default_rng(seed).random((7, 8, 9)) < 0.6
    grid = Grid(np.array([-8.0, -9.0, -10.0]), np.eye(3) * 2.0, mask.shape)
    row, column, _ = turned(degrees)
    place = Place(np.array(centre) - 18 * row - 15 * column, row * 1.2, column * 1.0)
    found = cut_through(grid, corners_in(mask), place, (31, 33))
    points = place.origin + np.arange(33)[:, None] * place.along_row + np.arange(31)[:, None, None] * place.along_column
    cells = (points - grid.origin) / 2.0
    low = np.clip(np.floor(cells).astype(int), 0, np.array(mask.shape) - 2)
    share = np.zeros(cells.shape[:2])
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(np.array(corner), cells - low, 1 - (cells - low)).prod(axis=2)
        share += weight * mask[tuple(np.moveaxis(low + np.array(corner), 2, 0))]
    share[((cells < 0) | (cells > np.array(mask.shape) - 1)).any(axis=2)] = 0.0
    expected = share > 0.5
    if found is None:
        found = np.zeros_like(expected)
    assert np.array_equal(found[np.abs(share - 0.5) > 1e-3], expected[np.abs(share - 0.5) > 1e-3])


def test_order_of_frames_does_not_matter() -> None:
    made = frames([3.0] * 20, turned((10, 20, 30)))
    shuffled = list(made)
    Random(3).shuffle(shuffled)
    (one,), (other,) = gathered(made)[0], gathered(shuffled)[0]
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.origins, other.origins)


def test_frames_that_share_a_position_count_once() -> None:
    made = frames([3.0] * 20, turned((0, 0, 0)))
    again = [(header, values + 500, b"\xff" + code) for header, values, code in made]
    (stack,), problem = gathered([*again, *made])
    assert problem is None
    assert len(stack.positions_mm) == 21
    assert np.array_equal(stack.values, gathered(made)[0][0].values)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (frames([3.0] * 9 + [13.0] + [3.0] * 9, turned((0, 0, 0))), Problem.GAPS),
        (frames([3.0] * 3, turned((0, 0, 0))), Problem.TOO_FEW),
        (frames([1.0] * 20, turned((0, 0, 0))), Problem.TOO_FEW),
        (frames([8.0] * 3, turned((0, 0, 0))) + frames([8.0] * 3, turned((90, 0, 0))), Problem.MIXED_ORIENTATION),
        (frames([3.0] * 20, turned((0, 0, 0)), is_localizer=True), Problem.LOCALIZER),
        (
            frames([3.0] * 20, turned((0, 0, 0))) + frames([3.0] * 3, turned((0, 0, 0)), reference="2"),
            Problem.SEVERAL_FRAMES_OF_REFERENCE,
        ),
    ],
)
def test_what_is_no_volume_says_why(made: list[Frame], problem: Problem) -> None:
    assert gathered(made)[1] is problem


def test_kinds_of_mr_are_volumes_of_their_own() -> None:
    both = frames([3.0] * 20, turned((0, 0, 0)), kind="M") + frames([3.0] * 18, turned((0, 0, 0)), kind="P")
    assert [len(stack.positions_mm) for stack in gathered(both, by_kind=True)[0]] == [21, 19]
    assert [len(stack.positions_mm) for stack in gathered(both)[0]] == [21]


def test_reduced_pixels_are_means_at_their_middles() -> None:
    place = Place(np.zeros(3), np.array([0.5, 0, 0]), np.array([0, 0.5, 0]))
    points = np.arange(12)[None, :, None] * place.along_row + np.arange(9)[:, None, None] * place.along_column
    small = reduced(place, ramp(points), b"")
    assert small.values.shape == (3, 4)
    assert np.allclose(small.place.origin, [0.5, 0.5, 0])
    assert np.allclose(small.values[0, 0], ramp(small.place.origin))


def element(tag: int, text: str) -> Element:
    return Element(tag, "DS", text.encode())


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x0020_0037, "1\\0\\0\\1\\0\\0"), (0x0020_0037, "1\\0\\0\\0\\0.5\\0"), (0x0020_0037, ""),
        (0x0028_0030, "0\\1"),
        (0x0028_0030, "x\\1"), (0x0020_0032, "1\\2"), (0x0020_0032, "1e9\\0\\0"), (0x0028_0030, "nan\\1"),
    ],
)  # fmt: skip
def test_impossible_geometry_is_refused(tag: int, text: str) -> None:
    said = {0x0020_0032: "0\\0\\0", 0x0020_0037: "1\\0\\0\\0\\1\\0", 0x0028_0030: "0.5\\0.7"}
    good = DataSet({each: element(each, value) for each, value in said.items()})
    (header,) = headers(good, 1)
    assert header.place.spacing_mm == pytest.approx((0.5, 0.7))
    bad = DataSet({each: element(each, value) for each, value in {**said, tag: text}.items()})
    with pytest.raises(Refused):
        headers(bad, 1)

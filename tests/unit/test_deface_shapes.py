"""Shapes in grids, and the profile's table: the small parts of `deid.deface`."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deid.deface import morphology
from deid.deface.candidates import series_of
from deid.deface.hints import hints_at_a_head
from deid.deface.morphology import (
    bounds,
    centroid,
    closed,
    components,
    dilate,
    erode,
    joined_to,
    largest,
    nearest_component,
    of_size,
    opened,
    parted_from,
    spread,
    squared_distance,
    within,
    within_each,
)
from deid.deface.rules import FaceRules, Incomplete, Mode
from deid.deface.slices import otsu, outline_of
from deid.deface.vectors import cross, dot, length, mixed, solved, unit
from deid.encoding.element import DataSet, Element
from deid.errors import Misconfigured, Reason, Refused, SeriesNeeded
from deid.profile import Profile

FACES = "clean_recognizable_visual_features"
masks = arrays.arrays(np.bool_, st.tuples(*[st.integers(1, 7)] * 3))


@given(masks)
@settings(max_examples=60, deadline=None)
def test_squared_distance_is_that_of_the_nearest_cell(mask: np.ndarray) -> None:
    found = squared_distance(mask, 3)
    where = np.argwhere(mask)
    for cell in np.ndindex(mask.shape):
        nearest = ((where - cell) ** 2).sum(axis=1).min() if len(where) else 0xFFFF
        assert found[cell] == (nearest if nearest <= 9 else 0xFFFF)


@given(masks, st.lists(st.sampled_from([0.5, 1, 2, 4.9, 9, 14]), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_what_is_within_several_distances_is_within_each(mask: np.ndarray, squares: list[float]) -> None:
    for found, square in zip(within_each(mask, squares), squares, strict=True):
        assert np.array_equal(found, within(mask, square))


def test_components_of_a_level_that_hold_seeds_and_no_others_are_parted_from_the_rest() -> None:
    mask = np.zeros((2, 3, 9), np.bool_)
    mask[:, 1, :3] = mask[:, 1, 4:6] = mask[:, 1, 7:] = True
    seeds, others = np.zeros_like(mask), np.zeros_like(mask)
    seeds[0, 1, 0] = seeds[0, 1, 5] = seeds[1, 1, 8] = True
    seeds[0, 0, 7] = True  # beside the mask
    others[0, 1, 4] = True
    found = parted_from(others, seeds, mask)
    assert np.argwhere(found).tolist() == [[0, 1, 0], [0, 1, 1], [0, 1, 2], [1, 1, 7], [1, 1, 8]]


@pytest.mark.parametrize("shape", [(300, 2, 3), (2, 300), (7,)])
def test_the_centroid_is_the_mean_place_however_many_levels_there_are(shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(5).random(shape) < 0.8
    assert centroid(mask) == pytest.approx(np.argwhere(mask).mean(axis=0))


wide = arrays.arrays(
    np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(60, 140)), fill=st.just(False)
)


@given(wide, st.sampled_from([1, 2, 2.25, 3, 9, 25, 64 * 64, 66 * 66]))
@settings(max_examples=60, deadline=None)
def test_what_is_within_a_distance_is_so_over_the_ends_of_words_too(mask: np.ndarray, square: float) -> None:
    where, cells = np.argwhere(mask), np.argwhere(np.ones_like(mask))
    nearest = ((cells[:, None] - where) ** 2).sum(axis=2).min(axis=1) if len(where) else np.full(len(cells), np.inf)
    assert np.array_equal(within(mask, square), (nearest <= square).reshape(mask.shape))
    flat = mask[0]
    assert np.array_equal(within(flat, square), within(mask[:1], square)[0])


@given(masks, masks)
@settings(max_examples=60, deadline=None)
def test_spreading_goes_from_face_to_face_within_a_mask(seeds: np.ndarray, mask: np.ndarray) -> None:
    count = tuple(min(pair) for pair in zip(seeds.shape, mask.shape, strict=True))
    part = tuple(slice(0, each) for each in count)
    mask, seeds = mask[part], seeds[part] & mask[part]
    found = seeds
    for _ in range(2):
        found = dilate(found, 1) & mask
    assert np.array_equal(spread(seeds, mask, 2), found)
    assert np.array_equal(spread(seeds, mask, 99), joined_to(seeds, mask))


@given(masks)
@settings(max_examples=60, deadline=None)
def test_components_are_chosen_by_size_place_and_level(mask: np.ndarray) -> None:
    labels, sizes = components(mask)
    assert np.array_equal(of_size(mask, 3), (sizes >= 3)[labels])
    by_level = components(mask, apart=True)[0]
    for level, own in zip(mask, by_level, strict=True):
        assert len(np.unique(own[level])) == components(level)[1].astype(bool).sum()
    if not mask.any():
        assert not nearest_component(mask, (1.2, 0.0, 2.4), 0.5).any()
        return
    assert np.allclose(centroid(mask), np.argwhere(mask).mean(axis=0))
    assert bounds(mask) == [
        (low, high + 1) for low, high in zip(np.argwhere(mask).min(0), np.argwhere(mask).max(0), strict=True)
    ]
    where = np.argwhere(mask & (sizes >= 0.5 * sizes.max())[labels])
    nearest = where[((where - np.array([1.2, 0.0, 2.4])) ** 2).sum(axis=1).argmin()]
    assert np.array_equal(nearest_component(mask, (1.2, 0.0, 2.4), 0.5), labels == labels[tuple(nearest)])


def test_vectors_are_multiplied_as_by_numpy() -> None:
    chance = np.random.default_rng(5)
    many, rows, one = chance.normal(size=(9, 3)), chance.normal(size=(3, 3)), chance.normal(size=3)
    assert np.allclose(dot(many, one), many @ one)
    assert np.allclose(mixed(many, rows), many @ rows)
    assert np.allclose(length(many), np.linalg.norm(many, axis=1))
    assert np.allclose(cross(one, rows[0]), np.cross(one, rows[0]))
    assert np.allclose(length(unit(one)), 1)
    assert np.allclose(solved(rows.tolist(), one.tolist()), np.linalg.solve(rows, one))
    with pytest.raises(ZeroDivisionError):
        solved([[1.0, 2.0], [2.0, 4.0]], [1.0, 1.0])


def test_nothing_that_makes_a_plan_is_added_up_as_the_processor_likes() -> None:
    folder = Path(morphology.__file__).parent
    for path in sorted(folder.glob("*.py")):
        if path.name == "render.py":
            continue  # pictures are looked at, no plan is made of them
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not isinstance(node, ast.MatMult), path.name
            name = node.attr if isinstance(node, ast.Attribute) else ""
            assert name not in {"linalg", "matmul", "einsum", "tensordot", "inner", "vdot"}, path.name
            assert not (name == "dot" and ast.unparse(node) == "np.dot"), path.name


@given(masks)
@settings(max_examples=60, deadline=None)
def test_components_are_cells_that_share_faces(mask: np.ndarray) -> None:
    labels, sizes = components(mask)
    assert ((labels > 0) == mask).all()
    assert sizes.sum() == mask.sum()
    for axis in range(3):
        one, other = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        assert (one == other)[(one > 0) & (other > 0)].all()
    for label in range(1, len(sizes)):
        grown = seed = np.zeros_like(mask)
        seed[tuple(np.argwhere(labels == label)[0])] = True
        while (grown := dilate(seed, 1) & mask).sum() > seed.sum():
            seed = grown
        assert seed.sum() == sizes[label]


def test_opening_removes_what_is_thin_and_closing_fills_it() -> None:
    block = np.zeros((20, 20, 20), np.bool_)
    block[5:15, 5:15, 5:15] = True
    thorn = block.copy()
    thorn[10, 10, 15:] = True
    hole = block.copy()
    hole[10, 10, :] = False
    assert not opened(thorn, 2)[..., 16:].any()
    assert opened(thorn, 2)[10, 10, 14]
    assert closed(hole, 2)[10, 10, 7:13].all()
    assert not closed(block, 3)[0].any()
    assert erode(dilate(block, 2), 2).sum() == block.sum()


def test_largest_and_joined_components_are_told_apart() -> None:
    mask = np.zeros((1, 3, 9), np.bool_)
    mask[0, 0, :5] = mask[0, 2, :2] = True
    assert largest(mask).sum() == 5
    seed = np.zeros_like(mask)
    seed[0, 2, 1] = True
    assert joined_to(seed, mask).sum() == 2
    assert not largest(np.zeros_like(mask)).any()


def test_otsu_parts_two_heaps() -> None:
    values = np.concatenate([np.full(500, 3.0), np.full(300, 90.0)]).astype(np.float32)
    assert 3 <= otsu(values) < 90


def test_outline_of_a_slice_goes_round_and_leaves_what_is_within() -> None:
    y, x = np.mgrid[-60:61, -60:61]
    radius = np.hypot(x, y)
    values = np.where(radius < 45, 40.0, -1000.0).astype(np.float32)
    values[(radius < 40) & (radius >= 36)] = 900.0
    touched = outline_of(values, (2.0, 2.0), "CT", 16.0)
    assert touched is not None
    assert touched[(radius >= 40.5) & (radius < 44)].all()
    assert not touched[radius < 40].any()  # bone, and what it hides though it is within the kernel
    assert not touched[radius > 52].any()
    assert outline_of(np.full((30, 30), -1000.0, np.float32), (2.0, 2.0), "CT", 8.0) is None


def test_face_rules_have_defaults_and_are_read() -> None:
    assert FaceRules.from_table({}) == FaceRules(Mode.DROWN, 8.0, ears=False, incomplete=Incomplete.QUARANTINE)
    table = {"mode": "erode", "kernel_mm": 12, "ears": True, "incomplete": "slicewise"}
    profile = Profile.from_options("test", [FACES]).with_faces(table)
    assert profile.faces == FaceRules(Mode.ERODE, 12.0, ears=True, incomplete=Incomplete.SLICEWISE)


@pytest.mark.parametrize(
    "table",
    [{"mode": "blur"}, {"kernel_mm": 3.9}, {"kernel_mm": True}, {"kernel_mm": "8"}, {"ears": 1}, {"incomplete": "send"},
     {"depth": 3}],
)  # fmt: skip
def test_what_face_rules_do_not_know_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(Misconfigured, match="profile test: faces"):
        Profile.from_options("test", [FACES]).with_faces(table)


def test_face_rules_without_the_option_are_refused() -> None:
    assert Profile.from_options("test").faces is None
    with pytest.raises(Misconfigured, match=FACES):
        Profile.from_options("test").with_faces({})


def data_set(**values: bytes) -> DataSet:
    tags = {"series": 0x0020_000E, "pixels": 0x7FE0_0010, "body": 0x0018_0015, "modality": 0x0008_0060}
    return DataSet({tags[name]: Element(tags[name], "UN", value) for name, value in values.items()})


CT, US, CRANIOFACIAL = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "6.1", "13.1.2"))


def test_slices_need_their_series_and_what_has_no_pixels_does_not() -> None:
    assert series_of(data_set(series=b"1.2\0", pixels=b"\0\0"), CT) == "1.2"
    assert series_of(data_set(series=b"1.2\0"), CT) is None
    assert series_of(data_set(series=b"1.2\0", pixels=b"\0\0"), US) is None


@pytest.mark.parametrize("modality", [b"CT", b"MR", b"PT", b"NM"])
@pytest.mark.parametrize("end", ["7", "7.3", "20", "6.1"])
def test_a_render_or_screen_of_what_shows_heads_is_refused(end: str, modality: bytes) -> None:
    with pytest.raises(Refused) as refused:
        series_of(data_set(series=b"1.2\0", pixels=b"\0\0", modality=modality), f"1.2.840.10008.5.1.4.1.1.{end}")
    assert refused.value.reason is Reason.STEP_UNAVAILABLE
    assert series_of(data_set(series=b"1.2\0", modality=modality), f"1.2.840.10008.5.1.4.1.1.{end}") is None


def test_volumes_that_nobody_can_look_at_and_slices_without_series_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        series_of(data_set(series=b"1.2\0", pixels=b"\0\0"), CRANIOFACIAL)
    assert refused.value.reason is Reason.STEP_UNAVAILABLE
    with pytest.raises(Refused) as refused:
        series_of(data_set(pixels=b"\0\0"), CT)
    assert refused.value.reason is Reason.MISSING_UID


@pytest.mark.parametrize(
    ("text", "expected"), [("SCHÄDEL", True), ("Head^Routine", True), ("CHEST", False), ("", False)]
)
def test_hints_at_a_head_are_words_of_several_languages(text: str, expected: bool) -> None:
    assert hints_at_a_head(data_set(body=text.encode("utf-8"))) is expected
    assert hints_at_a_head(data_set(body=text.encode("latin-1"))) is expected


def test_series_needed_pickles_and_shows_its_code_alone() -> None:
    again = pickle.loads(pickle.dumps(SeriesNeeded("ab" * 16)))  # noqa: S301  our own
    assert again.series_code == "ab" * 16
    assert str(again) == f"series needed: {'ab' * 16}"

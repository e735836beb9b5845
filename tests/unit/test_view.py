"""Frames for a person to look at: the window is theirs, colours are right, and a large image takes no more memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.encoding.element import DataSet, Element
from deid.errors import Reason, Refused
from deid.pixels import view
from deid.pixels.box import Box
from deid.pixels.stored import Frames
from deid.pixels.view import View, facts, picture, png
from tests.images import BIG_ENDIAN, EXPLICIT, Kind, image, noise

GREY = Kind()
CENTRE, WIDTH, SLOPE, INTERCEPT = 0x0028_1050, 0x0028_1051, 0x0028_1053, 0x0028_1052


def drawn(data_set: DataSet, frame: int = 0, asked: View | None = None) -> np.ndarray:
    frames = Frames.of(data_set, EXPLICIT)
    assert frames is not None
    return picture(data_set, frames, frame, asked or View())


def put(data_set: DataSet, **texts: str) -> DataSet:
    tags = {"centre": CENTRE, "width": WIDTH, "slope": SLOPE, "intercept": INTERCEPT}
    for name, text in texts.items():
        data_set.elements[tags[name]] = Element(tags[name], "DS", text.encode())
    return data_set


def ramp(kind: Kind = GREY, least: int = 0) -> DataSet:
    values = np.linspace(least, least + 4095, 64 * 64).reshape(64, 64)
    return image(kind, [values.astype("i2" if kind.is_signed else "u2")])


def test_window_of_a_person_counts_in_units_after_the_rescale() -> None:
    data_set = put(ramp(), slope="1", intercept="-1024")
    shown = drawn(data_set, asked=View(window=(0.0, 200.0)))[..., 0].ravel()
    values = np.linspace(0, 4095, 64 * 64).astype("u2").astype(int) - 1024
    assert (shown[values < -101] == 0).all()
    assert (shown[values > 101] == 255).all()
    assert 118 <= int(shown[np.abs(values).argmin()]) <= 138


def test_window_of_the_data_set_counts_where_nobody_wants_another() -> None:
    data_set = put(ramp(), centre="2000", width="100")
    assert np.array_equal(drawn(data_set), drawn(data_set, asked=View(window=(2000.0, 100.0))))
    frames = Frames.of(data_set, EXPLICIT)
    assert frames is not None
    said = facts(data_set, frames, 0)
    assert (said.centre, said.width, said.lowest, said.highest) == (2000, 100, 0, 4095)
    assert (said.rows, said.columns, said.frames, said.has_window) == (64, 64, 1, True)


def test_without_a_window_nearly_all_values_differ() -> None:
    assert len(np.unique(drawn(ramp()))) > 250


def test_monochrome1_is_the_inverse_of_monochrome2() -> None:
    window = View(window=(2000.0, 1000.0))
    light = drawn(ramp(), asked=window).astype(int)
    dark = drawn(ramp(replace(GREY, photometric="MONOCHROME1")), asked=window).astype(int)
    assert np.abs(light + dark - 255).max() <= 1


def test_signed_values_keep_their_order() -> None:
    shown = drawn(ramp(replace(GREY, is_signed=True), least=-2000), asked=View(window=(0.0, 4000.0)))[..., 0].ravel()
    assert (np.diff(shown.astype(int)) >= 0).all()
    assert shown[0] == 0
    assert shown[-1] == 255


def test_red_is_red() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    shown = drawn(image(Kind("RGB", 8, 8), [red]))
    assert shown.shape == (8, 8, 3)
    assert tuple(shown[4, 4]) == (255, 0, 0)


def test_luminance_and_chrominance_become_colours() -> None:
    ybr = np.full((8, 8, 3), (76, 85, 255), np.uint8)  # red, by PS3.3 Section C.7.6.3.1.2
    red, green, blue = (int(each) for each in drawn(image(Kind("YBR_FULL", 8, 8), [ybr]))[4, 4])
    assert red > 240
    assert max(green, blue) < 15


def test_palette_is_looked_up_before_anything_is_made_smaller() -> None:
    indices = np.tile(np.array([[0, 2]], np.uint8), (64, 64))
    data_set = image(Kind("PALETTE COLOR", 8, 8), [indices])
    for tag, entries in zip(
        (0x0028_1201, 0x0028_1202, 0x0028_1203), ((0, 0, 255), (0, 255, 0), (0, 0, 0)), strict=True
    ):
        data_set.elements[tag] = Element(tag, "OW", np.array(entries, "<u2").tobytes())
        data_set.elements[tag - 0x100] = Element(tag - 0x100, "US", np.array([3, 0, 8], "<u2").tobytes())
    shown = drawn(data_set, asked=View(largest_px=64))
    # black and red in turn make dark red; the mean of the indices would be green
    assert int(shown[10, 10, 0]) > 100
    assert int(shown[10, 10, 1]) == 0


def test_each_frame_is_its_own() -> None:
    frames = [np.full((16, 16), level, np.uint16) for level in (0, 1000, 2000)]
    data_set = image(GREY, frames)
    levels = [int(drawn(data_set, number, View(window=(1000.0, 2000.0)))[0, 0, 0]) for number in range(3)]
    assert levels[0] < levels[1] < levels[2]
    with pytest.raises(Refused):
        drawn(data_set, 3)


def test_part_is_drawn_pixel_by_pixel() -> None:
    data_set = ramp()
    whole = drawn(data_set, asked=View(window=(2000.0, 4000.0)))
    part = drawn(data_set, asked=View(window=(2000.0, 4000.0), part=Box(10, 20, 30, 28)))
    assert np.array_equal(part, whole[20:28, 10:30])
    assert drawn(data_set, asked=View(part=Box(60, 60, 999, 999))).shape == (4, 4, 3)
    assert drawn(data_set, asked=View(part=Box(999, 999, 1000, 1000))).shape == (1, 1, 3)


def test_thin_line_stays_visible_in_a_picture_that_is_made_smaller() -> None:
    values = np.zeros((4000, 300), np.uint16)
    values[2001] = 4095
    shown = drawn(image(GREY, [values]), asked=View(window=(2048.0, 4096.0), largest_px=500))
    assert max(shown.shape[:2]) == 500
    assert int(shown.max()) > 20


def test_large_image_takes_a_few_megabytes_beside_itself() -> None:
    values = np.zeros((6000, 5000), np.uint16)
    values[::7] = 900
    data_set = image(GREY, [values])
    frames = Frames.of(data_set, EXPLICIT)
    assert frames is not None
    tracemalloc.start()
    try:
        shown = picture(data_set, frames, 0, View(largest_px=800))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(shown.shape) == 800
    assert most_bytes < values.nbytes // 2  # whole, as red, green and blue, it would be one and a half


def test_image_that_nobody_could_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MOST_PIXELS", 100)
    with pytest.raises(Refused) as refused:
        drawn(ramp())
    assert refused.value.reason is Reason.TOO_LARGE


def test_png_is_a_picture_file() -> None:
    assert png(drawn(ramp())).startswith(b"\x89PNG\r\n\x1a\n")


KINDS = [
    GREY,
    Kind("MONOCHROME1", 8, 8),
    Kind("MONOCHROME2", 16, 12, is_signed=True),
    Kind("MONOCHROME2", 32, 32),
    Kind("MONOCHROME2", float_bits=32),
    Kind("MONOCHROME2", 16, 10, high=13),
    Kind("RGB", 8, 8),
    Kind("RGB", 8, 8, planar=1),
    Kind("RGB", 16, 16),
    Kind("YBR_FULL", 8, 8),
    Kind("YBR_FULL_422", 8, 8),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN], ids=["little", "big"])
def test_every_kind_of_pixel_has_a_picture(kind: Kind, syntax: object) -> None:
    data_set = image(kind, [noise(kind, 20, 24)], syntax)  # type: ignore[arg-type]
    frames = Frames.of(data_set, syntax)  # type: ignore[arg-type]
    assert frames is not None
    shown = picture(data_set, frames, 0, View())
    assert (shown.shape, shown.dtype) == ((20, 24, 3), np.uint8)
    assert int(np.ptp(shown)) > 100
    assert facts(data_set, frames, 0).has_window == (kind.samples == 1)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.integers(1, 90),
    st.floats(-1e6, 1e6) | st.none(),
    st.floats(1e-6, 1e6),
)
def test_any_window_and_size_gives_a_picture(
    shape: tuple[int, int], largest: int, centre: float | None, width: float
) -> None:
    data_set = image(GREY, [noise(GREY, *shape)])
    shown = drawn(data_set, asked=View(None if centre is None else (centre, width), largest_px=largest))
    assert max(shown.shape[:2]) <= max(largest, 1)
    assert min(shown.shape[:2]) >= 1

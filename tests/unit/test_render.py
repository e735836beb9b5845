"""Pictures for finding text: no window hides any, and every kind of pixel has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element
from deid.encoding.syntax import transfer_syntax
from deid.errors import Reason, Refused
from deid.pixels.format import Format
from deid.pixels.palette import Palette
from deid.pixels.render import Display, calmed, render, resized

EXPLICIT = transfer_syntax("1.2.840.10008.1.2.1")
BIG_ENDIAN = transfer_syntax("1.2.840.10008.1.2.2")
SHAPE = (48, 64)
VISIBLE = 10
RANKS, FULL, SHOWN = range(3)


def form(photometric: str = "MONOCHROME2", bits: int = 16, *, signed: bool = False, stored: int = 0) -> Format:
    samples = 1 if photometric.startswith(("MONO", "PAL")) else 3
    stored = stored or bits
    return Format(*SHAPE, samples, 1, bits, stored, stored - 1, signed, False, None, photometric)


def text(ground: int, ink: int, dtype: str = "u2", noise: int = 0) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return pixels with strokes, and where these are."""
    strokes = np.zeros(SHAPE, np.bool_)
    strokes[20:30, 10:50:4] = True
    values = np.where(strokes, ink, ground).astype(np.int64)
    values += np.random.default_rng(1).integers(-noise, noise + 1, SHAPE)
    return values.astype(dtype), strokes


def contrast(picture: NDArray[np.uint8], strokes: NDArray[np.bool_]) -> list[int]:
    """Return by how much strokes differ from their ground, in each channel."""
    wide = picture.astype(int)
    return [abs(int(wide[strokes][:, each].mean() - wide[~strokes][:, each].mean())) for each in range(3)]


@pytest.mark.parametrize("window", [(40, 400), (40, 1), (40, 0), (-2000, 10), (1e30, 1e30), None])
@pytest.mark.parametrize("function", ["", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("ground", "ink"), [(-1000, -700), (1000, 1400), (0, 60)])
def test_no_window_hides_text(window: tuple[float, float] | None, function: str, ground: int, ink: int) -> None:
    values, strokes = text(ground, ink, "i2", noise=5)
    values[:4, :32], values[:4, 32:] = -1024, 3071
    picture = render(values, Display(form(signed=True), window=window, function=function))
    assert picture.shape == (*SHAPE, 3)
    assert picture.dtype == np.uint8
    assert max(contrast(picture, strokes)) >= VISIBLE


def test_text_beyond_the_window_shows_in_the_other_channels() -> None:
    values, strokes = text(100, 400)
    values[0, :] = 4095
    found = contrast(render(values, Display(form(), window=(2000, 1000)))[1:], strokes[1:])
    assert found[SHOWN] == 0
    assert max(found[RANKS], found[FULL]) >= VISIBLE


def test_a_few_outliers_do_not_squeeze_the_whole_range() -> None:
    values, strokes = text(100, 140)
    big = np.tile(values, (12, 12))
    big[0, 0] = 65535
    found = contrast(render(big, Display(form())), np.tile(strokes, (12, 12)))
    assert found[FULL] >= 200


def test_the_first_window_is_as_the_standard_says() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    shown = render(values, Display(form(bits=8), window=(128, 101)))[..., SHOWN].ravel()
    assert (shown[77], shown[178], shown[128]) == (0, 255, 129)


def test_rescaled_values_are_what_the_window_is_about() -> None:
    values, _ = text(100, 140)
    one = render(values, Display(form(), 2.0, -150.0, window=(90, 80)))
    other = render(values * 2, Display(form(), 1.0, -150.0, window=(90, 80)))
    assert np.array_equal(one[..., SHOWN], other[..., SHOWN])


def test_monochrome1_is_the_inverse_of_monochrome2() -> None:
    values, _ = text(100, 140, noise=9)
    one, other = (render(values, Display(form(f"MONOCHROME{kind}"), window=(120, 50))) for kind in (1, 2))
    assert int(np.abs(255 - one.astype(int) - other).max()) <= 1


def test_padding_does_not_squeeze_the_whole_range() -> None:
    values, strokes = text(0, 60, "i2")
    values[:10] = -32768
    found = contrast(render(values, Display(form(signed=True), padding=(-32768, -32768)))[12:], strokes[12:])
    assert found[FULL] >= 200


def test_text_drawn_in_the_padding_value_shows() -> None:
    values, strokes = text(0, -2000, "i2", noise=20)
    values[strokes] = -2000
    found = contrast(render(values, Display(form(signed=True), padding=(-2000, -2000))), strokes)
    assert max(found) >= VISIBLE


def test_a_frame_of_padding_alone_has_a_picture() -> None:
    values = np.full(SHAPE, -2000, "i2")
    assert np.ptp(render(values, Display(form(signed=True), padding=(-2000, -2000)))) == 0


def test_bits_that_are_not_stored_do_not_count() -> None:
    values, _ = text(100, 140)
    display = Display(form(stored=12))
    assert np.array_equal(render(values | 0xF000, display), render(values, display))


@pytest.mark.parametrize("dtype", [">i2", ">u2", "i1", "u1", "i4", "u4", "i8", "u8", "f4", "f8", "?"])
def test_any_number_has_a_picture_in_which_text_shows(dtype: str) -> None:
    values, strokes = text(0, 1)
    picture = render((values * (1 if dtype == "?" else 100)).astype(dtype), Display(form()))
    assert min(contrast(picture, strokes)) >= 200


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e30])
def test_floats_of_any_size_show_text(scale: float) -> None:
    values, strokes = text(100, 140, "f8", noise=3)
    values *= scale
    values[0, :5] = 1e3 * scale
    values[1, :3] = np.nan, np.inf, -np.inf
    picture = render(values, Display(form(), window=(120 * scale, 60 * scale), function="LINEAR_EXACT"))
    assert contrast(picture[2:], strokes[2:])[SHOWN] >= VISIBLE


def test_values_of_32_bits_show_text_within_their_window() -> None:
    values, strokes = text(1_000_000, 1_000_040, "i4")
    values[0, 0], values[0, 1] = -(2**31), 2**31 - 1
    found = contrast(render(values, Display(form(), window=(1_000_020, 100))), strokes)
    assert found[SHOWN] >= VISIBLE


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_RCT", "YBR_ICT"])
@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("bits", [8, 16])
def test_text_that_differs_in_one_component_shows(photometric: str, channel: int, bits: int) -> None:
    dtype, unit = (f"u{bits // 8}", 1 << bits - 8)
    values, strokes = text(100 * unit, 120 * unit, dtype)
    colours = np.full((*SHAPE, 3), 100 * unit, dtype)
    colours[..., channel] = values
    assert max(contrast(render(colours, Display(form(photometric, bits))), strokes)) >= VISIBLE


def test_red_green_and_blue_keep_their_order() -> None:
    colours = np.zeros((*SHAPE, 3), np.uint8)
    colours[10:20, 10:20] = (250, 20, 20)
    picture = render(colours, Display(form("RGB", 8)))
    assert picture[15, 15].argmax() == 0
    luminance = np.zeros((*SHAPE, 3), np.uint8)
    luminance[..., 0], luminance[..., 1:] = 60, 128
    luminance[10:20, 10:20, 1] = 250  # blue
    assert render(luminance, Display(form("YBR_FULL", 8)))[15, 15].argmax() == 2


@pytest.mark.parametrize(("told", "true"), [("RGB", "YBR_FULL"), ("YBR_FULL_422", "RGB"), ("YBR_FULL", "YBR_FULL")])
def test_colours_are_what_most_pixels_say_whatever_the_data_set_does(told: str, true: str) -> None:
    values, strokes = text(20, 90, "u1", noise=9)
    colours = np.repeat(values[..., None], 3, axis=2)
    if true != "RGB":
        colours[..., 1:] = 128
    colours[:3, :3] = (200, 90, 20)
    found = contrast(render(colours, Display(form(told, 8)))[3:], strokes[3:])
    assert min(found) >= 60


def test_colour_samples_without_colour_are_taken_for_one_sample() -> None:
    values, _ = text(10, 14, "u1", noise=1)
    colours = np.repeat(values[..., None], 3, axis=2)
    assert np.array_equal(render(colours, Display(form("RGB", 8))), render(values, Display(form(bits=8))))


def test_palette_colours_are_looked_up() -> None:
    values, strokes = text(3, 4, "u1")
    colours = np.zeros((16, 3), np.uint16)
    colours[4] = (0, 0, 65535)
    palette = Palette(0, colours, 16, 0, 255)
    found = contrast(render(values, Display(form("PALETTE COLOR", 8), palette=palette)), strokes)
    assert found[2] >= 200
    assert found[0] == 0


@pytest.mark.parametrize("samples", [1, 2, 4])
@pytest.mark.parametrize("photometric", ["CMYK", "ARGB", "RGB", ""])
def test_any_number_of_samples_has_a_picture(samples: int, photometric: str) -> None:
    values = np.random.default_rng(2).integers(0, 256, (*SHAPE, samples)).astype(np.uint8)
    assert render(values, Display(form(photometric, 8))).shape == (*SHAPE, 3)


@settings(max_examples=60, deadline=None)
@given(
    values=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
    ),
    slope=st.floats(-1e6, 1e6).filter(bool),
    window=st.none() | st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    function=st.sampled_from(["", "LINEAR_EXACT", "SIGMOID", "ODD"]),
    padding=st.none() | st.tuples(st.integers(-9, 0), st.integers(0, 9)),
)
def test_whatever_is_stored_has_a_picture_of_its_size(
    values: NDArray[Any],
    slope: float,
    window: tuple[float, float] | None,
    function: str,
    padding: tuple[int, int] | None,
) -> None:
    bits = values.dtype.itemsize * 8
    display = Display(form(bits=bits), slope, 1.5, window=window, function=function, padding=padding)
    picture = render(values, display)
    assert (picture.shape, picture.dtype) == ((*values.shape, 3), np.uint8)


@pytest.mark.parametrize(("scale", "size"), [(1, (48, 64)), (1.5, (72, 96)), (0.25, (12, 16)), (1e-6, (1, 1))])
def test_a_picture_is_resized(scale: float, size: tuple[int, int]) -> None:
    assert resized(np.zeros((*SHAPE, 3), np.uint8), scale).shape == (*size, 3)


def test_grain_that_ranks_make_of_noise_is_taken_out_and_the_rest_stays() -> None:
    noise = np.random.default_rng(1).integers(-3, 4, SHAPE) + 100
    noise[30:34, 10:50] = 4000
    picture = render(noise.astype(np.uint16), Display(form()))
    calm = calmed(picture)
    assert np.abs(np.diff(calm[..., 0].astype(int))).mean() < np.abs(np.diff(picture[..., 0].astype(int))).mean() / 2
    assert np.array_equal(calm[..., 1:], picture[..., 1:])
    assert calm[31:33, 12:48, 0].min() > 200


def test_a_picture_as_grainy_in_all_channels_is_left_alone() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
    assert calmed(picture) is picture


# From a Data Set


def words(*values: int, order: str = "little") -> bytes:
    return b"".join((value % 65536).to_bytes(2, order) for value in values)  # type: ignore[arg-type]


def data_set(order: str = "little", **more: Any) -> DataSet:
    numbers = {0x0028_0010: 48, 0x0028_0011: 64, 0x0028_0100: 16, 0x0028_0101: 12, 0x0028_0103: 1}
    elements = {tag: Element(tag, "US", words(number, order=order)) for tag, number in numbers.items()}
    elements[0x0028_0004] = Element(0x0028_0004, "CS", b"MONOCHROME1 ")
    for name, (vr, value) in more.items():
        tag = int(name.removeprefix("x"), 16)
        elements[tag] = Element(tag, vr, value)
    return DataSet(dict(sorted(elements.items())))


def in_items(tag: int, *contents: DataSet) -> DataSet:
    return DataSet({tag: Element(tag, "SQ", list(contents))})


def frame_voi(centre: bytes) -> DataSet:
    window = DataSet({0x0028_1050: Element(0x0028_1050, "DS", centre), 0x0028_1051: Element(0x0028_1051, "DS", b"20 ")})
    return in_items(0x0028_9132, window)


def test_the_first_window_and_the_rescaling_are_read() -> None:
    more = {"x00281050": ("DS", b"40\\300 "), "x00281051": ("DS", b"400\\1500")}
    rescale = {"x00281052": ("DS", b"-1024 "), "x00281053": ("DS", b"2.5 ")}
    display = Display.of(data_set(**more, **rescale), EXPLICIT)
    assert (display.window, display.slope, display.intercept) == ((40, 400), 2.5, -1024)
    assert display.form.photometric == "MONOCHROME1"


@pytest.mark.parametrize("value", [b"", b"abc ", b"0 ", b"nan "])
def test_a_slope_that_is_no_slope_is_one(value: bytes) -> None:
    assert Display.of(data_set(x00281053=("DS", value)), EXPLICIT).slope == 1


def test_a_frame_has_the_window_of_its_functional_groups() -> None:
    shared = in_items(0x5200_9229, frame_voi(b"1 ")).elements
    own = in_items(0x5200_9230, frame_voi(b"2 "), frame_voi(b"3 ")).elements
    ds = data_set()
    ds.elements |= shared | own
    assert [Display.of(ds, EXPLICIT, frame).window for frame in range(3)] == [(2, 20), (3, 20), (1, 20)]


@pytest.mark.parametrize(("order", "syntax"), [("little", EXPLICIT), ("big", BIG_ENDIAN)])
def test_lookup_tables_and_padding_are_read(order: str, syntax: Any) -> None:
    ds = data_set(order, x00280120=("SS", words(-2000, order=order)), x00280121=("SS", words(-1900, order=order)))
    table = DataSet()
    table.elements[0x0028_3002] = Element(0x0028_3002, "SS", words(4, -2, 16, order=order))
    table.elements[0x0028_3006] = Element(0x0028_3006, "US", words(0, 10, 500, 1000, order=order))
    for tag in (0x0028_3000, 0x0028_3010):
        ds.elements |= in_items(tag, table).elements
    display = Display.of(ds, syntax)
    assert display.padding == (-2000, -1900)
    for lut in (display.modality, display.voi):
        assert lut is not None
        assert (lut[0], lut[1].tolist()) == (-2, [0, 10, 500, 1000])
    values, strokes = text(-2, 1, "i2")
    display = replace(display, modality=None)
    assert contrast(render(values, display), strokes)[SHOWN] == 255


def test_pixels_of_no_size_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        Display.of(DataSet(), EXPLICIT)
    assert refused.value.reason is Reason.MALFORMED

"""What stays has the form of its VR and no more values than its attribute has: nothing else can hide in it."""

from __future__ import annotations

import time

import pytest

from deid.elements.values import fitted, stand_in
from deid.encoding.element import Element, Fragments

KEY = b"k" * 32

MODALITY, IMAGE_TYPE, SLICE_THICKNESS, INSTANCE_NUMBER = 0x0008_0060, 0x0008_0008, 0x0018_0050, 0x0020_0013
MANUFACTURER, ROWS, PIXEL_SPACING, CONTOUR_DATA = 0x0008_0070, 0x0028_0010, 0x0028_0030, 0x3006_0050
WINDOW_CENTER, REAL_WORLD_SLOPE, CHARACTER_SET, FRAME_POINTER = 0x0028_1050, 0x0040_9225, 0x0008_0005, 0x0028_0009


def kept(tag: int, vr: str, value: bytes, charset: tuple[str, ...] = ()) -> bytes | None:
    """Return what stays of a value, None if nothing does."""
    element = fitted(Element(tag, vr, value), charset)
    return None if element is None else bytes(element.value)  # type: ignore[arg-type]  # a leaf


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (SLICE_THICKNESS, "DS", b"0.12345678901234567 "),
        (SLICE_THICKNESS, "DS", b"-1.5e-07"),
        (SLICE_THICKNESS, "DS", b"1,25"),
        (SLICE_THICKNESS, "DS", b" 3 "),
        (SLICE_THICKNESS, "DS", b"nan "),
        (PIXEL_SPACING, "DS", b"0.5\\0.5 "),
        (WINDOW_CENTER, "DS", b"40\\400\\80 "),
        (INSTANCE_NUMBER, "IS", b"12.0"),
        (INSTANCE_NUMBER, "IS", b"+0012 "),
        (INSTANCE_NUMBER, "IS", b"7\0"),
        (MODALITY, "CS", b"ct"),
        (IMAGE_TYPE, "CS", b"ORIGINAL\\PRIMARY\\M_SE\\M\\SE"),
        (IMAGE_TYPE, "CS", b"DERIVED\\\\CSA RESAMPLED"),
        (IMAGE_TYPE, "CS", b"DERIVED\\PRIMARY\\PERFUSION VOLUME AVERAGE SUBTRACTION"),
        (MODALITY, "LO", b"CT"),
        (MANUFACTURER, "LO", "Größe".encode()),
        (ROWS, "US", b"\x10\0"),
        (CHARACTER_SET, "CS", b"\\ISO 2022 IR 87 "),
        (FRAME_POINTER, "AT", b"\x18\0\x63\x10\x18\0\x65\x10"),
        (0x0028_1201, "US", b"\1\0\2\0"),
    ],
)
def test_what_real_devices_write_stays_as_it_is(tag: int, vr: str, value: bytes) -> None:
    element = Element(tag, vr, value)

    assert fitted(element, ()) is element


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (SLICE_THICKNESS, "DS", b"Jane Doe"),
        (SLICE_THICKNESS, "DS", b"1.0 Jane"),
        (SLICE_THICKNESS, "DS", b"1" * 40),
        (INSTANCE_NUMBER, "IS", b"1" + b" " * 40 + b"Jane Doe"),
        (INSTANCE_NUMBER, "IS", b"4a616e65"),
        (MODALITY, "CS", b"Jane Elizabeth Doe of Leeds"),
        (MODALITY, "CS", "Jané".encode("latin-1")),
        (MODALITY, "CS", b"SmFuZSBFbGl6YWJldGggRG9l"),
        (0x0008_010E, "UR", b"Jane%20Doe"),
        (0x0020_0052, "UI", b"Jane"),
        (0x0008_0020, "DA", b"Jane Doe"),
        (0x0008_0030, "TM", b"noon, Jane"),
        (0x0008_002A, "DT", b"Jane"),
    ],
)
def test_a_text_where_none_can_be_goes(tag: int, vr: str, value: bytes) -> None:
    assert kept(tag, vr, value) is None


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (ROWS, "LT"),
        (ROWS, "OB"),
        (REAL_WORLD_SLOPE, "UT"),
        (INSTANCE_NUMBER, "OW"),
        (MANUFACTURER, "US"),
        (0x0028_0009, "SH"),
    ],
)
def test_a_value_of_another_kind_of_vr_goes(tag: int, vr: str) -> None:
    assert kept(tag, vr, b"Jane Doe") is None


@pytest.mark.parametrize(
    ("tag", "vr", "stays"),
    [
        (0x7FE0_0010, "OB", True),
        (0x7FE0_0010, "OW", True),
        (0x7FE0_0010, "UR", False),
        (0x0042_0011, "OB", False),
        (0x0029_1010, "OB", False),
    ],
)
def test_nothing_but_pixels_is_encapsulated(tag: int, vr: str, *, stays: bool) -> None:
    element = Element(tag, vr, Fragments(b"", [b"QUORVANDEL"]))
    assert (fitted(element, ()) is element) == stays


def test_what_comes_after_the_end_of_a_value_is_cut() -> None:
    assert kept(MANUFACTURER, "LO", b"ACME\0Jane Doe") == b"ACME"
    assert kept(MODALITY, "CS", b"CT\0Jane Doe") == b"CT"
    assert kept(MANUFACTURER, "LO", b"ACME\\Jane Doe") == b"ACME"
    assert kept(INSTANCE_NUMBER, "IS", b"7\\4711") == b"7"
    assert kept(PIXEL_SPACING, "DS", b"1\\2\\4711") == b"1\\2"
    assert kept(ROWS, "US", b"\x10\0Jane Doe") == b"\x10\0"


def test_numbers_long_enough_to_be_a_word_go_with_what_comes_after_them() -> None:
    assert kept(REAL_WORLD_SLOPE, "FD", b"Jane Doe of Leed") is None
    assert kept(REAL_WORLD_SLOPE, "FD", bytes(8)) == bytes(8)


def test_a_backslash_within_a_character_is_no_end() -> None:
    value = "ソニー".encode("shift_jis")  # the first character's second byte is that of a backslash

    assert kept(MANUFACTURER, "LO", "表示".encode("gb18030"), ("GB18030",)) == "表示".encode("gb18030")
    assert kept(MANUFACTURER, "LO", value, ("ISO_IR 192",)) is None  # nothing that Shift JIS could be declared as


def test_of_several_codes_only_those_that_are_none_go() -> None:
    assert kept(IMAGE_TYPE, "CS", b"ORIGINAL\\PRIMARY\\Jane Elizabeth Doe of Leeds") == b"ORIGINAL\\PRIMARY\\"


@pytest.mark.parametrize(
    ("value", "charset"),
    [
        ("Größe".encode("latin-1"), ()),
        ("Größe".encode("latin-1"), ("ISO_IR 192",)),
        ("表示".encode("shift_jis"), ()),
        ("表示".encode("iso2022_jp"), ()),
        ("표시".encode("euc_kr"), ("ISO_IR 192",)),
    ],
)
def test_a_text_in_another_character_set_than_declared_goes(value: bytes, charset: tuple[str, ...]) -> None:
    assert kept(MANUFACTURER, "LO", value, charset) is None


def test_character_sets_are_terms_of_the_standard() -> None:
    assert kept(CHARACTER_SET, "CS", b"ISO_IR 100\\Jane Doe") == b"ISO_IR 100"
    assert kept(CHARACTER_SET, "CS", b"Jane Doe") == b""


def test_contours_too_long_for_their_vr_are_held_to_it_all_the_same() -> None:
    numbers = b"\\".join(b"%.3f" % (value / 7) for value in range(12_000))

    assert kept(CONTOUR_DATA, "UN", numbers) == numbers
    assert kept(CONTOUR_DATA, "UN", numbers[:-8] + b"Jane Doe") is None
    assert kept(CONTOUR_DATA, "DS", numbers + b"\\" + b"1" * 64) is None


@pytest.mark.parametrize("vr", ["DS", "IS", "CS", "AE", "UI", "TM", "DA", "DT", "UR"])
@pytest.mark.parametrize(
    "value", [b" " * 60_000 + b"?", b"1" * 60_000 + b"?", b"\\" * 60_000 + b"?", b"1 " * 30_000 + b"?"]
)
def test_a_hostile_value_takes_no_time(vr: str, value: bytes) -> None:
    start = time.process_time()
    fitted(Element(0x0009_1001, vr, value), ())

    assert time.process_time() - start < 0.5


def test_what_stands_for_a_value_is_what_the_type_demands() -> None:
    element = Element(INSTANCE_NUMBER, "LT", b"Jane Doe")

    assert stand_in(element, "3", KEY) is None
    assert stand_in(element, None, KEY) is None
    assert stand_in(element, "2", KEY) == Element(INSTANCE_NUMBER, "IS", b"")
    assert stand_in(element, "1", KEY) == Element(INSTANCE_NUMBER, "IS", b"0")
    assert stand_in(Element(CHARACTER_SET, "CS", b"x"), "1C", KEY) is None

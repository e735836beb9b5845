"""Masked boxes are background, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element
from deid.pixels.background import Background
from deid.pixels.format import Format
from deid.pixels.mask import fitted_boxes, mask_frame
from tests.images import EXPLICIT, Kind, image, noise

BOX = (3, 2, 9, 5)
CT = Kind(is_signed=True)


def background(kind: Kind, **attributes: Element) -> Background:
    data_set = image(kind, [noise(kind, 8, 12)])
    data_set.elements.update({element.tag: element for element in attributes.values()})
    form = Format.of(data_set, EXPLICIT)
    assert form is not None
    return Background.of(data_set, EXPLICIT, form)


def masked(kind: Kind, frame: NDArray[np.generic], **attributes: Element) -> NDArray[np.generic]:
    out = mask_frame(frame, [BOX], background(kind, **attributes))
    inside = out[2:5, 3:9]
    assert (inside == inside[0, 0]).all()
    return inside[0, 0]


def decimal(tag: int, text: str) -> Element:
    return Element(tag, "DS", text.encode())


def words(tag: int, *numbers: int) -> Element:
    return Element(tag, "US", np.array(numbers, np.int64).astype("<u2").tobytes())


def test_signed_monochrome_is_as_dark_as_the_darkest_outside() -> None:
    frame = np.full((8, 12), -900, np.int16)
    frame[0, 0], frame[3, 4] = -1024, -3000

    assert masked(CT, frame) == -1024


def test_inverted_monochrome_is_as_dark_as_the_largest_outside() -> None:
    frame = np.full((8, 12), 700, np.uint16)
    frame[0, 0], frame[3, 4] = 3000, 4095

    assert masked(Kind("MONOCHROME1", stored=12), frame) == 3000


@pytest.mark.parametrize(("photometric", "value"), [("MONOCHROME2", 0), ("MONOCHROME1", 255)])
def test_bytes_are_masked_by_the_end_of_their_range(photometric: str, value: int) -> None:
    frame = np.full((8, 12), 90, np.uint8)

    assert masked(Kind(photometric, 8, 8), frame) == value


@pytest.mark.parametrize(("photometric", "value"), [("MONOCHROME2", 0), ("MONOCHROME1", 1)])
def test_single_bits_are_masked_by_what_is_no_segment(photometric: str, value: int) -> None:
    assert masked(Kind(photometric, 1, 1), np.full((8, 12), 1 - value, np.uint8)) == value


def test_falling_rescale_slope_turns_dark_round() -> None:
    frame = np.arange(96, dtype=np.int16).reshape(8, 12)

    assert masked(CT, frame, slope=decimal(0x0028_1053, "-1 ")) == 95


def test_rescale_slope_of_a_frames_functional_group_counts() -> None:
    item = DataSet({0x0028_1053: decimal(0x0028_1053, "-2")})
    falls = DataSet({0x0028_9145: Element(0x0028_9145, "SQ", [item])})
    data_set = image(CT, [noise(CT, 8, 12)] * 2)
    data_set.elements[0x5200_9230] = Element(0x5200_9230, "SQ", [DataSet(), falls])
    form = Format.of(data_set, EXPLICIT)
    assert form is not None
    of_frames = Background.of(data_set, EXPLICIT, form)
    frame = np.arange(96, dtype=np.int16).reshape(8, 12)

    assert [int(mask_frame(frame, [BOX], of_frames, index)[2, 3]) for index in (0, 1)] == [0, 95]


def test_modality_lut_decides_what_is_dark() -> None:
    lut = np.arange(96)[::-1].copy()
    lut[40:] = 500
    item = DataSet({e.tag: e for e in (words(0x0028_3002, 96, 0, 16), words(0x0028_3006, *lut))})
    frame = np.arange(96, dtype=np.uint16).reshape(8, 12)

    assert masked(Kind(), frame, lut=Element(0x0028_3000, "SQ", [item])) == 38  # 39 is covered


def test_padding_value_that_viewers_would_show_bright_is_not_taken() -> None:
    frame = np.full((8, 12), 100, np.uint16)
    frame[0] = 4095

    assert masked(Kind(stored=12, padding=4095), frame) == 100


def test_unused_bits_dont_make_a_value_dark() -> None:
    """Signed 12 bits as RLE may have them, not extended: 0x800 is the smallest."""
    frame = np.full((8, 12), 0x0100, np.int16)
    frame[0, 0], frame[0, 1] = 0x0800, 0x0000

    assert masked(Kind(stored=12, is_signed=True), frame) == 0x0800


def test_high_bit_above_the_stored_ones_is_kept_in_the_value() -> None:
    kind = Kind("MONOCHROME1", stored=12, high=15)
    frame = noise(kind, 8, 12)
    outside = frame.copy()
    outside[2:5, 3:9] = 0

    assert masked(kind, frame) == outside.max()


@pytest.mark.parametrize("bits", [32, 64])
def test_floats_are_masked_by_the_smallest_number_outside(bits: int) -> None:
    kind = Kind(float_bits=bits)
    frame = noise(kind, 8, 12)
    frame[0, 0], frame[0, 1], frame[0, 2] = np.nan, -np.inf, -1e6  # type: ignore[call-overload]

    assert masked(kind, frame) == np.float32(-1e6)


@pytest.mark.parametrize(
    ("photometric", "black"),
    [
        ("RGB", (0, 0, 0)),
        ("YBR_FULL", (0, 128, 128)),
        ("YBR_FULL_422", (0, 128, 128)),
        ("YBR_PARTIAL_422", (16, 128, 128)),
        ("YBR_RCT", (0, 0, 0)),
        ("YBR_ICT", (0, 0, 0)),
    ],
)
def test_colours_become_black(photometric: str, black: tuple[int, ...]) -> None:
    kind = Kind(photometric, 8, 8)
    out = mask_frame(noise(kind, 8, 12), [BOX], background(kind))

    assert (out[2:5, 4:8] == black).all()


def palette(*colours: tuple[int, int, int], first: int = 0) -> dict[str, Element]:
    columns = np.array(colours).T
    described = {f"d{index}": words(0x0028_1101 + index, len(colours), first, 16) for index in range(3)}
    return described | {f"p{index}": words(0x0028_1201 + index, *columns[index]) for index in range(3)}


def test_palette_is_masked_by_its_darkest_colour() -> None:
    colours = palette((65535, 0, 0), (0, 65535, 0), (0, 0, 9000), (65535, 65535, 65535))

    assert masked(Kind("PALETTE COLOR", 8, 8), np.zeros((8, 12), np.uint8), **colours) == 2


def test_palette_begins_at_its_first_value() -> None:
    colours = palette((65535, 0, 0), (0, 0, 0), (9, 9, 9), first=100)

    assert masked(Kind("PALETTE COLOR", 8, 8), np.zeros((8, 12), np.uint8), **colours) == 101


def test_palette_in_segments_is_read() -> None:
    described = {f"d{index}": words(0x0028_1101 + index, 8, 0, 16) for index in range(3)}
    # one value, a line of three up to 400, a line of two down to 0, and two more
    segments = (0, 1, 100, 1, 3, 400, 1, 2, 0, 0, 2, 700, 800)
    segmented = {f"s{index}": words(0x0028_1221 + index, *segments) for index in range(3)}

    assert masked(Kind("PALETTE COLOR", 8, 8), np.zeros((8, 12), np.uint8), **described, **segmented) == 5


def test_label_maps_are_masked_by_what_is_no_segment() -> None:
    colours = palette((0, 0, 0), (9, 9, 9), (0, 0, 0))

    assert masked(Kind("PALETTE COLOR", 8, 8, padding=1), np.zeros((8, 12), np.uint8), **colours) == 1


@pytest.mark.parametrize(
    ("box", "fitted"),
    [
        ((-5, -5, 4, 3), [(0, 0, 4, 3)]),
        ((10, 6, 99, 99), [(10, 6, 12, 8)]),
        ((12, 0, 15, 5), []),
        ((5, 4, 5, 6), []),
        ((0, -9, 5, 0), []),
    ],
)
def test_boxes_are_cut_to_the_image(box: tuple[int, int, int, int], fitted: list[tuple[int, ...]]) -> None:
    assert fitted_boxes([box], Kind().form(8, 12, 1)) == fitted


def test_boxes_grow_to_pairs_only_where_pixels_share_chroma() -> None:
    assert fitted_boxes([BOX], Kind("YBR_FULL_422", 8, 8).form(8, 12, 1)) == [(2, 2, 10, 5)]
    assert fitted_boxes([BOX], Kind("YBR_FULL", 8, 8).form(8, 12, 1)) == [BOX]


def test_a_frame_without_boxes_in_it_is_returned_as_it_is() -> None:
    frame = noise(CT, 8, 12)

    assert mask_frame(frame, [(40, 40, 50, 50)], background(CT)) is frame


def test_a_frame_that_is_covered_wholly_has_one_value() -> None:
    out = mask_frame(noise(CT, 8, 12), [(0, 0, 12, 8)], background(CT))

    assert len(np.unique(out)) == 1


def test_a_window_shows_no_trace_and_nothing_darker_than_the_mask() -> None:
    frame = noise(replace(CT, stored=12), 32, 32)
    out = mask_frame(frame, [(4, 4, 20, 9)], Background(replace(CT, stored=12).form(32, 32, 1), (1.0,)))
    for centre, width in ((40, 400), (-600, 1500), (3000, 10), (-2040, 4)):
        shown = np.clip((out - (centre - width / 2)) / width, 0, 1)

        assert len(np.unique(shown[4:9, 4:20])) == 1
        assert shown[4, 4] == shown.min()

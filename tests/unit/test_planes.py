"""Overlays, icons and pixels in items are masked like the frames, or go."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element
from deid.encoding.syntax import TransferSyntax
from deid.pixels.format import PIXEL_DATA, Format
from deid.pixels.native import swap_bytes
from deid.pixels.planes import has_unused_bits, mask_overlays, mask_planes, overlays, remove_unseen_pixels
from tests.images import BIG_ENDIAN, EXPLICIT, Kind, image, noise

ROWS, COLUMNS = 6, 11


def overlay(
    planes: NDArray[np.generic],
    syntax: TransferSyntax = EXPLICIT,
    origin: tuple[int, int] = (1, 1),
    first_frame: int = 1,
    vr: str = "OW",
    group: int = 0x6000,
) -> DataSet:
    order = "little" if syntax.little_endian else "big"
    value = np.packbits(planes, axis=None, bitorder="little").tobytes()
    value += bytes(len(value) % 2)
    if vr == "OW" and order == "big":
        value = swap_bytes(value)
    count = planes.shape[0]
    elements = [
        (0x0010, "US", planes.shape[1].to_bytes(2, order)),  # type: ignore[arg-type]
        (0x0011, "US", planes.shape[2].to_bytes(2, order)),  # type: ignore[arg-type]
        *([(0x0015, "IS", b"%d" % count)] if count > 1 else []),
        (0x0050, "SS", b"".join(place.to_bytes(2, order, signed=True) for place in origin)),  # type: ignore[arg-type]
        (0x0051, "US", first_frame.to_bytes(2, order)),  # type: ignore[arg-type]
        (0x0100, "US", (1).to_bytes(2, order)),  # type: ignore[arg-type]
        (0x3000, vr, value),
    ]
    return DataSet({group << 16 | tag: Element(group << 16 | tag, vr, value) for tag, vr, value in elements})


def ones(count: int = 1) -> NDArray[np.uint8]:
    return np.ones((count, ROWS, COLUMNS), np.uint8)


def planes_of(data_set: DataSet, syntax: TransferSyntax = EXPLICIT) -> NDArray[np.generic]:
    (found,) = overlays(data_set, syntax)
    return found.planes(data_set)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_overlay_bits_under_a_box_are_cleared(syntax: TransferSyntax, vr: str) -> None:
    data_set = overlay(ones(), syntax, vr=vr)
    mask_overlays(data_set, syntax, {0: [(2, 1, 5, 3)]}, 1)
    expected = ones()
    expected[0, 1:3, 2:5] = 0

    assert np.array_equal(planes_of(data_set, syntax), expected)


@pytest.mark.parametrize(("origin", "cleared"), [((3, 4), (0, 1, 0, 2)), ((-1, -2), (3, 5, 5, 8))])
def test_a_box_of_the_image_is_moved_into_the_plane(origin: tuple[int, int], cleared: tuple[int, ...]) -> None:
    data_set = overlay(ones(), origin=origin)
    mask_overlays(data_set, EXPLICIT, {0: [(2, 1, 5, 3)]}, 1)
    top, bottom, left, right = cleared
    expected = ones()
    expected[0, top:bottom, left:right] = 0

    assert np.array_equal(planes_of(data_set), expected)


def test_planes_of_several_frames_are_masked_each_by_its_own() -> None:
    data_set = overlay(ones(2), first_frame=2)
    mask_overlays(data_set, EXPLICIT, {0: [(0, 0, 99, 99)], 1: [(0, 0, 1, 1)], 2: [(1, 1, 2, 2)]}, 3)

    assert [np.argwhere(plane == 0).tolist() for plane in planes_of(data_set)] == [[[0, 0]], [[1, 1]]]


def test_a_single_plane_lies_over_all_frames() -> None:
    data_set = overlay(ones())
    mask_overlays(data_set, EXPLICIT, {0: [(0, 0, 1, 1)], 5: [(1, 1, 2, 2)]}, 6)

    assert np.argwhere(planes_of(data_set)[0] == 0).tolist() == [[0, 0], [1, 1]]


def test_text_in_a_plane_is_cleared_by_its_own_place() -> None:
    data_set = overlay(ones(2), origin=(4, 4))
    mask_planes(data_set, overlays(data_set, EXPLICIT)[0], {1: [(0, 0, 2, 1)]})

    assert np.argwhere(planes_of(data_set) == 0).tolist() == [[1, 0, 0], [1, 0, 1]]


def test_overlay_data_is_as_long_as_its_planes() -> None:
    data_set = overlay(ones())
    element = data_set.elements[0x6000_3000]
    value = bytes(element.value)  # type: ignore[arg-type]
    data_set.elements[0x6000_3000] = Element(0x6000_3000, "OW", value[:-2] + b"\xff\xff" + b"JANE DOE")
    overlays(data_set, EXPLICIT)

    assert data_set.elements[0x6000_3000].value == value


@pytest.mark.parametrize("missing", [0x0010, 0x0011, 0x3000])
def test_an_overlay_that_nothing_describes_goes(missing: int) -> None:
    data_set = overlay(ones(), group=0x6002)
    del data_set.elements[0x6002_0000 | missing]

    assert overlays(data_set, EXPLICIT) == []
    assert not data_set.elements


def test_an_overlay_shorter_than_its_planes_goes() -> None:
    data_set = overlay(ones())
    data_set.elements[0x6000_3000] = Element(0x6000_3000, "OW", bytes(2))

    assert overlays(data_set, EXPLICIT) == []


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_unused_bits_are_seen_wherever_they_are(high: int, is_signed: bool) -> None:
    kind = Kind(stored=12, high=high, is_signed=is_signed)
    form = kind.form(ROWS, COLUMNS, 1)
    frame = noise(kind, ROWS, COLUMNS)
    hidden = frame.copy()
    hidden[3, 3] ^= 1 << 14 if high < 14 else 1  # type: ignore[operator]

    assert not has_unused_bits(frame, form)
    assert has_unused_bits(hidden, form)


def test_signs_that_arent_extended_are_no_cargo() -> None:
    form = Kind(stored=12, is_signed=True).form(1, 2, 1)

    assert not has_unused_bits(np.array([[0x0FFF, 0x0800]], np.int16), form)
    assert has_unused_bits(np.array([[0x0FFF, 0x1800]], np.int16), form)


def test_padding_value_is_no_cargo() -> None:
    assert not has_unused_bits(np.array([[63536, 1]], np.uint16), Kind(stored=12, padding=63536).form(1, 2, 1))


def with_icons() -> DataSet:
    icon = image(Kind(allocated=8, stored=8), [noise(Kind(allocated=8, stored=8), 4, 4)])
    nested = DataSet({0x0088_0200: Element(0x0088_0200, "SQ", [icon]), 0x0008_1150: Element(0x0008_1150, "UI", b"1")})
    data_set = image(Kind(), [noise(Kind(), 4, 4)])
    data_set.elements[0x0008_1140] = Element(0x0008_1140, "SQ", [nested, icon])
    data_set.elements[0x0088_0200] = Element(0x0088_0200, "SQ", [image(Kind(), [noise(Kind(), 4, 4)])])
    return data_set


@pytest.mark.parametrize("was_masked", [False, True])
def test_the_icon_goes_with_what_it_shows(was_masked: bool) -> None:
    data_set = with_icons()
    remove_unseen_pixels(data_set, was_masked=was_masked)

    assert (0x0088_0200 in data_set.elements) is not was_masked
    assert PIXEL_DATA in data_set.elements


def test_pixels_of_other_images_go() -> None:
    data_set = with_icons()
    remove_unseen_pixels(data_set, was_masked=False)
    nested, bare = data_set.elements[0x0008_1140].value  # type: ignore[misc]

    assert list(nested.elements) == [0x0008_1150]
    assert PIXEL_DATA not in bare.elements
    assert Format.of(bare, EXPLICIT) is not None

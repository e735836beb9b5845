"""Every frame is looked at; what is found goes, and is gone; what is remembered only ever adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.errors import Reason, Refused
from deid.pixels import look
from deid.pixels.box import Box
from deid.pixels.clean import clean_pixels
from deid.pixels.decide import Decider
from deid.pixels.look import PLACE, Looked, Looking
from deid.pixels.memory import NOTHING, Seen, SeriesPlaces, share_outside
from deid.pixels.ocr import Line
from deid.pixels.outline import aspect, bounds, boxes_of
from deid.pixels.render import Picture
from deid.pixels.rules import PixelRules
from deid.pixels.stored import Frames
from tests.images import EXPLICIT, Kind, image
from tests.unit.test_planes import overlay

ROWS, COLUMNS = 64, 96
NAME, MARKER, OTHER = Box(4, 4, 60, 20), Box(70, 40, 80, 52), Box(8, 40, 50, 56)
GREY = Kind(allocated=8, stored=8)
RLE, JPEG_2000 = transfer_syntax("1.2.840.10008.1.2.5"), transfer_syntax("1.2.840.10008.1.2.4.90")
KEEPING = {"keep_markers": True, "regions": []}

Frame = NDArray[np.generic]
Blind = Callable[[int], frozenset[Box]]


def frame(*texts: Box, level: int = 40) -> Frame:
    """Return a frame with something thin in each box."""
    out = np.full((ROWS, COLUMNS), level, np.uint8)
    out[22:] += 30
    for x0, y0, x1, y1 in texts:
        out[y0 + 4 : y1 - 4 : 3, x0 + 4 : x1 - 4] = 220
    return out


@dataclass
class Scripted:
    """A reader that finds a line in each of its boxes, as long as the picture has something thin there."""

    texts: Mapping[Box, tuple[str, float]]
    blind: Blind = lambda _: frozenset()
    """Which boxes it overlooks, by the number of its look."""
    looks: list[bool] = field(default_factory=list)
    identity: str = "scripted"

    def lines(self, picture: Picture, *, read: bool = True) -> list[Line]:
        overlooked = self.blind(len(self.looks))
        self.looks.append(read)
        found = []
        for box, (text, confidence) in self.texts.items():
            x0, y0, x1, y1 = box
            part = np.ascontiguousarray(picture[y0:y1, x0:x1])
            thin = cv2.morphologyEx(part, cv2.MORPH_TOPHAT, np.ones((5, 5), np.uint8))
            if box not in overlooked and int(thin.max()) > 60:
                corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
                found.append(Line(corners, text if read else "", confidence if read else 0.0, 0))
        return found


def reader(**more: Any) -> Scripted:
    return Scripted({NAME: ("DOE JANE", 0.99), MARKER: ("L", 0.99)}, **more)


def looking(eyes: Scripted, table: Mapping[str, Any] | None = None, known: str = "", **more: Any) -> Looking:
    rules = PixelRules.from_table(table if table is not None else {"regions": []})
    decider = Decider(rules.markers, rules.min_confidence, is_known=lambda text: bool(known) and known in text)
    return Looking(rules, lambda: eyes, decider, **more)


def cleaned(
    frames: list[Frame], how: Looking, syntax: TransferSyntax = EXPLICIT, source: DataSet | None = None
) -> tuple[Looked, list[Frame]]:
    data_set = image(GREY, frames, syntax)
    looked = clean_pixels(source or data_set, data_set, syntax, how)
    assert looked is not None
    after = Frames.of(data_set, looked.syntax)
    assert after is not None
    return looked, [after.array(index) for index in range(len(after))]


def without(picture: Frame, *boxes: Box) -> Frame:
    out = picture.copy()
    for x0, y0, x1, y1 in boxes:
        out[y0:y1, x0:x1] = 0
    return out


@pytest.mark.parametrize("syntax", [EXPLICIT, RLE, JPEG_2000])
def test_every_frame_is_looked_at_and_only_lines_are_masked(syntax: TransferSyntax) -> None:
    frames = [frame(level=30), frame(NAME), frame(OTHER, level=50), frame(NAME, level=60)]
    looked, after = cleaned(frames, looking(reader()), syntax)

    assert looked.syntax == syntax
    assert [np.array_equal(*pair) for pair in zip(frames, after, strict=True)] == [True, False, True, False]
    assert np.array_equal(after[1], without(frames[1], NAME))
    assert np.array_equal(after[3], without(frames[3], NAME))
    assert (looked.report.frames, looked.report.masked_frames) == (4, 2)
    (masked,) = looked.report.masked
    assert (masked.box, masked.why, masked.frames) == (NAME, "text", ((2, 2), (4, 4)))


def test_nothing_is_read_where_no_line_may_stay() -> None:
    eyes = reader()
    looked, after = cleaned([frame(NAME, MARKER)], looking(eyes))
    assert eyes.looks == [False, False]  # the frame, and what was made of it
    assert looked.report.kept == 0
    assert np.array_equal(after[0], without(frame(NAME, MARKER), NAME, MARKER))


def test_marker_stays_where_the_profile_keeps_markers_and_a_name_does_not() -> None:
    looked, after = cleaned([frame(NAME, MARKER)], looking(reader(), KEEPING))
    assert looked.report.kept == 1
    assert np.array_equal(after[0], without(frame(NAME, MARKER), NAME))


def test_marker_that_is_an_identifier_goes() -> None:
    looked, _ = cleaned([frame(MARKER)], looking(reader(), KEEPING, known="L"))
    assert [masked.why for masked in looked.report.masked] == ["identifier"]


# Memory


def test_equal_frames_are_looked_at_once() -> None:
    eyes = reader()
    cleaned([frame(level=30)] * 5, looking(eyes))
    assert len(eyes.looks) == 1


def test_remembered_frame_gives_what_a_look_gives() -> None:
    eyes, seen = reader(), Seen()
    first = cleaned([frame(NAME)], looking(eyes, seen=seen))
    looks = len(eyes.looks)
    second = cleaned([frame(NAME)], looking(eyes, seen=seen))
    assert len(eyes.looks) == looks
    assert first[0].report == second[0].report
    assert np.array_equal(first[1][0], second[1][0])


def test_equal_pixels_in_another_window_are_looked_at_again() -> None:
    eyes, seen = reader(), Seen()
    for centre in (b"40", b"80"):
        source = image(GREY, [frame()])
        source.elements[0x0028_1050] = Element(0x0028_1050, "DS", centre)
        source.elements[0x0028_1051] = Element(0x0028_1051, "DS", b"80")
        cleaned([frame()], looking(eyes, seen=seen), source=source)
    assert len(eyes.looks) == 2


@pytest.mark.parametrize("missed", [0, 1, 2])
def test_line_of_two_frames_is_masked_on_the_one_where_it_was_overlooked(missed: int) -> None:
    frames = [frame(NAME, level=level) for level in (30, 40, 50)]
    eyes = reader(blind=lambda look: frozenset({NAME} if look == missed else ()))
    looked, after = cleaned(frames, looking(eyes))
    for before, now in zip(frames, after, strict=True):
        assert np.array_equal(now, without(before, NAME))
    assert (missed + 1, missed + 1) in [
        each for mask in looked.report.masked if mask.why == PLACE for each in mask.frames
    ]


def test_line_of_two_frames_leaves_a_frame_alone_that_has_nothing_there() -> None:
    _, after = cleaned([frame(NAME, level=30), frame(), frame(NAME, level=50)], looking(reader()))
    assert np.array_equal(after[1], frame())


def test_what_was_found_on_one_frame_only_is_not_spread() -> None:
    frames = [frame(NAME, level=level) for level in (30, 40, 50)]
    eyes = reader(blind=lambda look: frozenset({NAME} if look else ()))
    _, after = cleaned(frames, looking(eyes))
    assert [np.array_equal(*pair) for pair in zip(frames, after, strict=True)] == [False, True, True]


def test_an_instance_does_not_depend_on_those_before() -> None:
    def alone(seen: Seen) -> Frame:
        eyes = reader(blind=lambda _: frozenset({NAME}))
        return cleaned([frame(NAME, level=50)], looking(eyes, seen=seen))[1][0]

    seen = Seen()
    for level in (30, 40):
        cleaned([frame(NAME, level=level)], looking(reader(), seen=seen))
    assert np.array_equal(alone(seen), alone(Seen()))


def test_series_memory_only_adds() -> None:
    series = SeriesPlaces()
    for level in (30, 40):
        cleaned([frame(NAME, level=level)], looking(reader(), series=series))
    overlooking = reader(blind=lambda _: frozenset({NAME}))
    _, after = cleaned([frame(NAME, MARKER, level=50)], looking(overlooking, series=series))
    assert np.array_equal(after[0], without(frame(NAME, MARKER, level=50), NAME, MARKER))


def test_memory_of_frames_is_bounded() -> None:
    seen = Seen(most_frames=3)
    for key in range(5):
        seen.put(key, NOTHING)
    assert len(seen) == 3
    assert seen.get(0) is None
    assert seen.get(4) is NOTHING
    assert "DOE" not in repr(seen)


# Looking again


def test_what_shows_only_once_something_is_masked_is_masked_too() -> None:
    eyes = Scripted({NAME: ("DOE", 0.9), OTHER: ("JANE", 0.9)}, lambda look: frozenset({OTHER} if look == 0 else ()))
    _, after = cleaned([frame(NAME, OTHER)], looking(eyes))
    assert np.array_equal(after[0], without(frame(NAME, OTHER), NAME, OTHER))


def test_what_can_be_read_after_all_refuses_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKS", 2)
    third = Box(60, 24, 92, 38)
    texts = {NAME: ("DOE", 0.9), OTHER: ("JANE", 0.9), third: ("MRN 4711", 0.9)}
    blind = [frozenset({OTHER, third}), frozenset({third}), frozenset()]
    with pytest.raises(Refused) as refused:
        cleaned([frame(NAME, OTHER, third)], looking(Scripted(texts, lambda look: blind[look])))
    assert refused.value.reason is Reason.TEXT_LEFT
    assert refused.value.detail == "text is left in frame 1"


def test_what_can_never_be_read_is_masked_after_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKS", 2)
    third = Box(60, 24, 92, 38)
    texts = {NAME: ("DOE", 0.9), OTHER: ("JANE", 0.9), third: ("", 0.0)}
    blind = [frozenset({OTHER, third}), frozenset({third}), frozenset()]
    source = frame(NAME, OTHER, third)
    _, after = cleaned([source], looking(Scripted(texts, lambda look: blind[look])))
    assert np.array_equal(after[0], without(source, NAME, OTHER, third))


# What nobody looks at


def test_frame_of_one_value_needs_no_networks() -> None:
    def none() -> Scripted:
        raise AssertionError

    how = looking(reader())
    looked, _ = cleaned([np.zeros((ROWS, COLUMNS), np.uint8)], Looking(how.rules, none, how.decider))
    assert looked.boxes == {}


SECONDARY_CAPTURE = Element(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0")


def screen(frames: list[Frame]) -> DataSet:
    source = image(GREY, frames)
    source.elements[SECONDARY_CAPTURE.tag] = SECONDARY_CAPTURE
    return source


def test_screen_is_kept_back_where_the_profile_says_so() -> None:
    with pytest.raises(Refused) as refused:
        cleaned([frame()], looking(reader(), {"screens": "quarantine"}), source=screen([frame()]))
    assert refused.value.reason is Reason.KEPT_BACK


def test_screen_is_masked_whole_where_the_profile_says_so() -> None:
    eyes = reader()
    looked, after = cleaned([frame(NAME)], looking(eyes, {"screens": "mask"}), source=screen([frame()]))
    assert (int(after[0].max()), eyes.looks) == (0, [])
    assert [(each.why, each.name) for each in looked.report.masked] == [("screen", looked.report.screen)]


def test_what_the_profile_skips_is_named_and_its_templates_hold() -> None:
    source = image(GREY, [frame(NAME)])
    source.elements[0x0008_0060] = Element(0x0008_0060, "CS", b"MR")
    table = {"regions": [], "skip": [{"name": "all MR", "match": {"Modality": "MR"}}]}
    eyes = reader()
    looked, after = cleaned([frame(NAME)], looking(eyes, table), source=source)
    assert (looked.report.skipped, eyes.looks) == ("all MR", [])
    assert np.array_equal(after[0], frame(NAME))


def test_frame_that_cannot_be_decoded_is_refused() -> None:
    data_set = image(GREY, [frame()], JPEG_2000)
    data_set.elements[0x7FE0_0010] = Element(0x7FE0_0010, "OB", Fragments(b"", [b"\xff\x4f\xff\x51\0\0"]))
    with pytest.raises(Refused):
        clean_pixels(data_set, data_set, JPEG_2000, looking(reader()))


# Beside the frames


@pytest.mark.parametrize(("treatment", "is_left"), [("look", False), ("mask", True), ("remove", False)])
def test_text_in_an_overlay_goes_as_the_profile_has_it(treatment: str, is_left: bool) -> None:
    plane = np.zeros((1, ROWS, COLUMNS), np.uint8)
    x0, y0, x1, y1 = NAME
    plane[0, y0 + 4 : y1 - 4 : 3, x0 + 4 : x1 - 4] = 1
    data_set = image(GREY, [frame()])
    data_set.elements |= overlay(plane).elements
    looked = clean_pixels(data_set, data_set, EXPLICIT, looking(reader(), {"regions": [], "overlays": treatment}))
    element = data_set.elements.get(0x6000_3000)
    assert (element is not None and any(bytes(element.value))) is is_left  # type: ignore[arg-type]
    assert looked is not None
    assert [each.name for each in looked.report.masked] == (["overlay 6000"] if treatment == "look" else [])


# Geometry

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h), st.integers(0, 20), st.integers(0, 20), *[st.integers(1, 15)] * 2
)


@given(boxes, st.lists(boxes, max_size=5))
def test_share_outside_is_what_counting_gives(box: Box, others: list[Box]) -> None:
    canvas = np.zeros((40, 40), bool)
    canvas[box.y0 : box.y1, box.x0 : box.x1] = True
    size = canvas.sum()
    for other in others:
        canvas[other.y0 : other.y1, other.x0 : other.x1] = False
    assert share_outside(box, others) == pytest.approx(canvas.sum() / size)


@given(st.integers(20, 80), st.integers(20, 80), st.integers(5, 40), st.integers(4, 10), st.integers(0, 179))
def test_boxes_cover_a_quadrilateral_however_it_lies(x: int, y: int, half: int, height: int, degrees: int) -> None:
    points = cv2.boxPoints(((x + 40, y + 40), (2 * half, height), degrees))
    corners = tuple((round(px), round(py)) for px, py in points.tolist())
    filled, covered = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
    cv2.fillConvexPoly(filled, np.array(corners, np.int32), (1,))
    for x0, y0, x1, y1 in boxes_of(corners):
        covered[y0:y1, x0:x1] = 1
    box = bounds(corners)
    filled[box.y1 :], filled[:, box.x1 :] = 0, 0  # the last column and row aren't in it
    assert not (filled & (1 - covered)).any()


def test_aslant_line_is_masked_in_strips() -> None:
    corners = ((10, 10), (110, 90), (104, 98), (4, 18))
    area = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes_of(corners))
    box = bounds(corners)
    assert area < 0.4 * (box.x1 - box.x0) * (box.y1 - box.y0)


def test_aspect_is_that_of_the_line_without_its_surroundings() -> None:
    height, width = 10, 40
    x0, y0 = 50, 50
    x1, y1 = x0 + width + 2 * (2 + height), y0 + height + 4
    assert aspect(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), 500, 500) == pytest.approx(4)
    assert aspect(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), 500, x1) > 4

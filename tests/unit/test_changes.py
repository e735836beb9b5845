"""Of frames that differ in a part, the part is looked at, with all of each line that reaches into it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.pixels import changes
from deid.pixels.box import Box
from deid.pixels.changes import Before, changed_box
from deid.pixels.memory import Seen, Sight
from deid.pixels.ocr import Line
from deid.pixels.outline import bounds
from tests.images import EXPLICIT
from tests.unit.test_look import cleaned, looking

ROWS, COLUMNS = 480, 640
NAME, COUNTER, LATE, LONG = (
    Box(20, 20, 160, 44),
    Box(500, 400, 600, 424),
    Box(300, 300, 420, 324),
    Box(30, 420, 620, 450),
)
RLE = transfer_syntax("1.2.840.10008.1.2.5")
INK, THIN = 220, 60
DEPENDS = ("display", True, 2560)

boxes = st.tuples(st.integers(0, COLUMNS - 2), st.integers(0, ROWS - 2), st.integers(1, 300), st.integers(1, 60)).map(
    lambda b: Box(b[0], b[1], min(b[0] + b[2], COLUMNS), min(b[1] + b[3], ROWS))
)


def frame(number: int, *texts: Box) -> NDArray[np.uint8]:
    """Return a frame with something thin in each box, and a small part that is another in each frame."""
    out = np.full((ROWS, COLUMNS), 40, np.uint8)
    out[120:] += 30
    for x0, y0, x1, y1 in texts:
        out[y0 + 4 : y1 - 4 : 3, x0 + 4 : x1 - 4] = INK
    out[200:240, 500:560] = 100 + number
    return out


@dataclass
class Watching:
    """A reader of anything thin and bright, wherever a part was cut out; it remembers how large its pictures were."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    identity: str = "watching"

    def lines(self, picture: NDArray[np.uint8], *, read: bool = True) -> list[Line]:
        self.sizes.append(picture.shape[:2])
        grey = np.ascontiguousarray(picture[..., 1])
        thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((5, 5), np.uint8)) > THIN
        joined = cv2.morphologyEx(thin.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
        found = [(x, y, wide, high) for x, y, wide, high, _ in stats[1:].tolist() if wide > 20]
        wider = [Box(max(x - 4, 0), max(y - 4, 0), x + wide + 4, y + high + 4) for x, y, wide, high in found]
        return [replace(line(box), text="DOE" if read else "") for box in wider]


def line(box: Box) -> Line:
    x0, y0, x1, y1 = box
    return Line(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), "X", 0.9, 0)


def before(array: NDArray[np.uint8], *lines: Box, partly: int = 0) -> Before:
    sight = Sight(tuple(map(line, lines)), tuple(1.0 for _ in lines), has_unused_bits=False)
    return Before(array, sight, DEPENDS, partly)


@given(changed=boxes, lines=st.lists(boxes, max_size=6))
def test_a_part_holds_all_that_changed_and_no_line_is_cut_by_it(changed: Box, lines: list[Box]) -> None:
    first = np.zeros((ROWS, COLUMNS), np.uint8)
    second = first.copy()
    second[changed.y0 : changed.y1, changed.x0 : changed.x1] = 1
    was = before(first, *lines)
    part = was.part_of(second, DEPENDS)
    if part is None:
        return
    assert changed_box(first, second) == changed
    inside = second[part.area.y0 : part.area.y1, part.area.x0 : part.area.x1]
    assert int(inside.sum()) == int(second.sum())
    assert part.crop.x0 <= part.area.x0 < part.area.x1 <= part.crop.x1 <= COLUMNS
    assert part.crop.y0 <= part.area.y0 < part.area.y1 <= part.crop.y1 <= ROWS
    assert min(part.crop.x1 - part.crop.x0, part.crop.y1 - part.crop.y0) >= 320
    kept = {bounds(each.box) for each, _ in was.unchanged(part)}
    for box in lines:
        is_within = (
            part.area.x0 <= box.x0 and box.x1 <= part.area.x1 and part.area.y0 <= box.y0 and box.y1 <= part.area.y1
        )
        assert (box in kept) != is_within


def test_what_differs_in_display_size_or_nearly_everywhere_is_looked_at_as_a_whole() -> None:
    first = frame(0)
    assert before(first).part_of(frame(1), DEPENDS) is not None
    assert before(first).part_of(frame(1), ("other", True, 2560)) is None
    assert before(first).part_of(frame(1)[:-1], DEPENDS) is None
    assert before(first).part_of(first + 1, DEPENDS) is None
    assert before(first, partly=changes.WHOLE_EVERY - 1).part_of(frame(1), DEPENDS) is None


def test_lines_of_a_part_are_placed_in_the_frame_and_those_around_it_left_out() -> None:
    part = before(frame(0)).part_of(frame(1), DEPENDS)
    assert part is not None
    x, y = part.crop.x0, part.crop.y0
    here = line(Box(510 - x, 205 - y, 540 - x, 215 - y))
    (found,) = part.placed([here, line(Box(0, 0, 12, 12))])
    assert bounds(found.box) == Box(510, 205, 540, 215)


@pytest.mark.parametrize("syntax", [EXPLICIT, RLE])
def test_what_changes_is_looked_at_and_what_stands_still_is_masked_in_all_frames(syntax: TransferSyntax) -> None:
    frames = [frame(number, NAME) if number < 5 else frame(number, NAME, LATE) for number in range(12)]
    eyes = Watching()
    _, after = cleaned(list(frames), looking(eyes), syntax)
    for number, clean in enumerate(after):
        expected = frames[number].copy()
        for x0, y0, x1, y1 in (NAME, LATE) if number >= 5 else (NAME,):
            assert (clean[y0:y1, x0:x1] != INK).all()
            expected[y0:y1, x0:x1] = clean[y0:y1, x0:x1]
        assert np.array_equal(clean, expected), number
    assert sum(size == (ROWS, COLUMNS) for size in eyes.sizes) == 4  # the first and the ninth, before and after
    assert len(eyes.sizes) == 24


def test_what_comes_out_does_not_depend_on_what_the_process_saw_before() -> None:
    frames = [frame(number, NAME, COUNTER) for number in range(10)]
    seen = Seen()
    for number in (3, 7, 4):
        cleaned([frames[number]], looking(Watching(), seen=seen))
    warm, _ = cleaned(list(frames), looking(Watching(), seen=seen))
    cold, _ = cleaned(list(frames), looking(Watching()))
    assert warm.boxes == cold.boxes
    assert warm.report == cold.report


def test_a_line_of_which_a_part_changes_is_masked_as_a_whole() -> None:
    frames = [frame(number, LONG) for number in range(4)]
    for number, each in enumerate(frames):
        each[430:440, 580:600] = 150 + number  # as a clock at its end
    _, after = cleaned(list(frames), looking(Watching()))
    x0, y0, x1, y1 = LONG
    assert all(not (clean[y0:y1, x0:x1] >= 150).any() for clean in after)


def test_a_frame_that_is_too_large_is_not_kept() -> None:
    assert before(np.zeros((64, 64), np.uint8)).is_kept
    assert not before(np.zeros((8192, 8193), np.uint8)).is_kept

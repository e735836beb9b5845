"""The rest of a line that might have stayed, cut by a mask beside it, is masked and refuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from deid.errors import Refused
from deid.pixels import look
from deid.pixels.box import Box
from deid.pixels.ocr import Line
from deid.pixels.render import Picture
from tests.unit.test_look import KEEPING, MARKER, NAME, OTHER, Scripted, cleaned, frame, looking

ELSEWHERE = Box(62, 22, 94, 38)


@dataclass
class Changing(Scripted):
    """Reads something else where a marker is, or elsewhere, the third time that it looks."""

    rest: Box = MARKER

    def lines(self, picture: Picture, *, read: bool = True) -> list[Line]:
        found = super().lines(picture, read=read)
        if len(self.looks) < 3:
            return found
        x0, y0, x1, y1 = self.rest
        others = [line for line in found if line.box[0] != (MARKER.x0, MARKER.y0)]
        return [*others, Line(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), "SMI", 0.9, 0)]


def eyes(rest: Box) -> Changing:
    texts = {NAME: ("DOE JANE", 0.99), MARKER: ("L", 0.99), OTHER: ("DOE JANE", 0.99)}
    return Changing(texts, lambda look: frozenset({OTHER}) if not look else frozenset(), rest=rest)


def test_rest_of_a_marker_is_masked_and_the_instance_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKS", 2)
    looked, (after,) = cleaned([frame(NAME, MARKER, OTHER)], looking(eyes(MARKER), KEEPING))
    assert MARKER in looked.boxes[0]
    assert not np.any(after[MARKER.y0 : MARKER.y1, MARKER.x0 : MARKER.x1])


def test_what_can_be_read_elsewhere_refuses_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKS", 2)
    with pytest.raises(Refused, match="text is left in frame 1"):
        cleaned([frame(NAME, MARKER, OTHER, ELSEWHERE)], looking(eyes(ELSEWHERE), KEEPING))


def test_marker_that_no_mask_cuts_stays() -> None:
    kept = frame(NAME, MARKER)
    _, (after,) = cleaned([kept], looking(Scripted({NAME: ("DOE JANE", 0.99), MARKER: ("L", 0.99)}), KEEPING))
    box = np.s_[MARKER.y0 : MARKER.y1, MARKER.x0 : MARKER.x1]
    assert np.array_equal(after[box], kept[box])


def test_what_only_a_later_look_finds_is_masked_and_the_frame_looked_at_again() -> None:
    looks: list[int] = []

    def overlooked(look: int) -> frozenset[Box]:
        looks.append(look)
        return frozenset({OTHER, ELSEWHERE}) if look < 1 else frozenset({ELSEWHERE}) if look < 2 else frozenset()

    texts = dict.fromkeys((NAME, OTHER, ELSEWHERE), ("DOE JANE", 0.99))
    _, (after,) = cleaned([frame(NAME, OTHER, ELSEWHERE)], looking(Scripted(texts, overlooked)))
    assert len(looks) == 4
    assert all(not np.any(after[y0:y1, x0:x1]) for x0, y0, x1, y1 in texts)

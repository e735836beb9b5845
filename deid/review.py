"""What a person who has looked at an instance's frames says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deid.errors import Reason
from deid.pixels.box import Box

APPROVABLE: Final = frozenset({Reason.TEXT_LEFT, Reason.KEPT_BACK})
"""Reasons about which a person who sees the frames may decide otherwise. What the last look finds is never among them:
an identifier that is left in the bytes stays one, whoever has looked at the picture."""


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A part of frames that a person wants masked.

    Attributes
    ----------
    box
        in pixels of the image; what lies outside of it is cut off
    first, last
        numbers of the frames, from 1; `last` 0: to the end
    """

    box: Box
    first: int = 1
    last: int = 0

    def frames(self, count: int) -> range:
        """Return the indices of its frames in an instance of `count` frames, from 0."""
        return range(max(self.first, 1) - 1, min(self.last or count, count))


@dataclass(frozen=True, slots=True)
class Review:
    """What a person has decided.

    Attributes
    ----------
    boxes
        are masked, beside whatever else is, also where the profile has no pixels cleaned
        a person who has drawn one has seen the frames: they are not kept back any more until one has
    approved
        whether the frames may leave although nobody but the person is certain of them: a refusal for a reason of
        `APPROVABLE` is none then. All that is found is masked nevertheless
    """

    boxes: tuple[DrawnBox, ...] = ()
    approved: bool = False

    def boxes_by_frame(self, count: int) -> dict[int, list[Box]]:
        """Return the boxes by index of the frame, of an instance of `count` frames; frames without any aren't in it."""
        found: dict[int, list[Box]] = {}
        for drawn in self.boxes:
            for frame in drawn.frames(count):
                found.setdefault(frame, []).append(drawn.box)
        return found


UNREVIEWED: Final = Review()

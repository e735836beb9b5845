"""What was seen in frames before, and where.

Two memories of different kinds:

- `Seen` keeps the lines of frames by all that they depend on: stored bytes, display, networks, settings. What comes
  out is the same whether a frame is remembered or looked at once more; so it serves the whole process.
- `Places` keeps where lines were, and says of another frame whether something is there too. That only ever adds to
  what is masked. Within an instance it depends on the instance alone. Across the instances of a series (`SeriesPlaces`)
  it depends on which of them the process happened to get first: equal input would no longer give equal output, so only
  a profile that says so (``series_memory``) has it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.pixels.box import AnyBox, Box
from deid.pixels.ocr import Line
from deid.pixels.opencv import cv2
from deid.pixels.render import Display, Picture

_MOST_FRAMES = 2048
_MOST_LINES = 1 << 16
_MOST_PLACES = 128
_MOST_SERIES = 64
_HASH_BYTES = 16

_STROKE_PX = 9
_LEAST_FRAMES = 2
_SAME_PLACE = 0.5
_STILL_THERE = 0.5


@dataclass(frozen=True, slots=True, repr=False)
class Sight:
    """What was seen in a frame.

    Attributes
    ----------
    lines
        in pixels of the frame
    strengths
        of each line, how much stroke there is in its box (`strength`)
    has_unused_bits
        whether bits that aren't stored hold something
    """

    lines: tuple[Line, ...]
    strengths: tuple[float, ...]
    has_unused_bits: bool

    def __repr__(self) -> str:
        """Say how much, never what."""
        return f"<Sight of {len(self.lines)} lines>"


NOTHING = Sight((), (), has_unused_bits=False)


class Seen:
    """The frames that were looked at last, with their lines; bounded in both."""

    def __init__(self, most_frames: int = _MOST_FRAMES, most_lines: int = _MOST_LINES) -> None:
        self._sights: OrderedDict[Hashable, Sight] = OrderedDict()
        self._most_frames, self._most_lines = most_frames, most_lines
        self._lines = 0

    def __repr__(self) -> str:
        """Say how much, never what."""
        return f"<Seen {len(self._sights)} frames>"

    def __len__(self) -> int:
        """Return how many frames are remembered."""
        return len(self._sights)

    def get(self, key: Hashable) -> Sight | None:
        """Return what was seen in an equal frame, None if there was none."""
        found = self._sights.get(key)
        if found is not None:
            self._sights.move_to_end(key)
        return found

    def put(self, key: Hashable, sight: Sight) -> None:
        """Remember a frame; those that weren't asked for the longest are forgotten."""
        self._lines += len(sight.lines)
        before = self._sights.pop(key, None)
        self._lines -= len(before.lines) if before else 0
        self._sights[key] = sight
        while len(self._sights) > self._most_frames or self._lines > self._most_lines:
            _, gone = self._sights.popitem(last=False)
            self._lines -= len(gone.lines)


def display_hash(display: Display) -> bytes:
    """Return 16 bytes that are the same for displays that show equal frames alike."""
    plain = (display.form.one_frame, display.slope, display.intercept, display.window, display.function)
    digest = blake2b(repr((plain, display.padding)).encode(), digest_size=_HASH_BYTES)
    for table in (display.modality, display.voi):
        digest.update(b"-" if table is None else _table_bytes(*table))
    if display.palette is not None:
        digest.update(_table_bytes(display.palette.first, display.palette.colours))
    return digest.digest()


def _table_bytes(first: int, entries: NDArray[Any]) -> bytes:
    return f"{first} {entries.dtype} {entries.shape}".encode() + entries.tobytes()


def strength(picture: Picture, box: AnyBox) -> float:
    """Return how much there is in a box that is thinner than 9 pixels: the mean, from 0 to 255.

    Parameters
    ----------
    picture
        of the frame
    box
        within it
    """
    x0, y0, x1, y1 = box
    part = np.ascontiguousarray(picture[y0:y1, x0:x1])
    if not part.size:
        return 0.0
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright, dark = (cv2.morphologyEx(part, how, kernel) for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))
    return float(np.maximum(bright, dark).max(axis=2).mean())


@dataclass(slots=True)
class Place:
    """Where lines were.

    Attributes
    ----------
    box
        around the first of them
    strength
        of the weakest
    frames
        on how many different frames
    """

    box: Box
    strength: float
    frames: int = 1


@dataclass(slots=True)
class Places:
    """Where lines were on frames of one size."""

    _places: list[Place] = field(default_factory=list)

    def note(self, found: Iterable[tuple[Box, float]]) -> None:
        """Remember the lines of one frame, with their strengths; frames that are equal count once."""
        for box, strong in found:
            known = next((place for place in self._places if _overlap(place.box, box) >= _SAME_PLACE), None)
            if known is not None:
                known.frames += 1
                known.strength = min(known.strength, strong)
            elif len(self._places) < _MOST_PLACES:
                self._places.append(Place(box, strong))

    def repeated(self) -> list[Place]:
        """Return the places where lines were on several frames.

        What was found once may be no text; looked for on thousands of frames, it would be masked on many of them.
        """
        return [place for place in self._places if place.frames >= _LEAST_FRAMES]


def is_still_there(picture: Picture, place: Place) -> bool:
    """Tell whether a frame has at a place at least half of the strokes of the line that was there."""
    return strength(picture, place.box) >= _STILL_THERE * place.strength


def _overlap(one: Box, other: Box) -> float:
    """Return the common part of two boxes as a share of both together."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box.x1 - box.x0) * (box.y1 - box.y0) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


class SeriesPlaces:
    """The places of the series that were worked on last."""

    def __init__(self, most: int = _MOST_SERIES) -> None:
        self._places: OrderedDict[Hashable, Places] = OrderedDict()
        self._most = most

    def of(self, key: Hashable) -> Places:
        """Return the places of a series, which are to be added to."""
        found = self._places.pop(key, None) or Places()
        self._places[key] = found
        while len(self._places) > self._most:
            self._places.popitem(last=False)
        return found


def share_outside(box: AnyBox, others: Sequence[AnyBox]) -> float:
    """Return which part of a box is in none of others; 0 of an empty one."""
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        return 0.0
    near = [other for other in others if other[0] < x1 and x0 < other[2] and other[1] < y1 and y0 < other[3]]
    if not near:
        return 1.0
    xs = sorted({x0, x1, *chain.from_iterable((max(o[0], x0), min(o[2], x1)) for o in near)})
    ys = sorted({y0, y1, *chain.from_iterable((max(o[1], y0), min(o[3], y1)) for o in near)})
    open_px = 0
    for left, right in pairwise(xs):
        for top, bottom in pairwise(ys):
            if not any(o[0] <= left and right <= o[2] and o[1] <= top and bottom <= o[3] for o in near):
                open_px += (right - left) * (bottom - top)
    return open_px / ((x1 - x0) * (y1 - y0))

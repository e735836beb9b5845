"""The look at all frames of an instance: where text is, which of it goes, and whether it is gone.

In this order, for every frame, whatever Burned In Annotation says:

1. what is masked unseen: by device templates, outside calibrated ultrasound regions, a screen as a whole
2. the lines of the frame, found and read; of a frame of equal pixels that is displayed alike, by memory; of one that
   differs from the frame before in a part only, there (`deid.pixels.changes`)
3. of each line whether it is masked or stays
4. places where lines were masked on several frames: other frames are masked there too if something is there, whether
   they come later or earlier
5. the masked frames are written, and looked at again as they were written: what is found now and has to go is masked
   too, and the frame looked at once more, some times: one frame of thousands must not refuse all. If anything can be
   read at last that has to go, the instance is refused; but
   not for the rest of a line that might have stayed, which a mask beside it has cut: that is masked

The same instance gives the same boxes, whatever was worked on before, unless the profile has ``series_memory``: then
the places of step 4 are those of the series' instances that this process has seen so far.

What the networks say may differ in the last bit between processors of different makes, and with it, rarely, a box by a
pixel. It is the only step of which that can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

import numpy as np

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.errors import Reason, Refused
from deid.pixels.attributes import items, text_of
from deid.pixels.box import Box
from deid.pixels.changes import Before, Part
from deid.pixels.components import decoded_form
from deid.pixels.decide import Decider, Why
from deid.pixels.format import Format
from deid.pixels.mask import fitted_boxes
from deid.pixels.memory import (
    NOTHING,
    Place,
    Places,
    Seen,
    SeriesPlaces,
    Sight,
    display_hash,
    is_still_there,
    share_outside,
    strength,
)
from deid.pixels.native import Samples
from deid.pixels.ocr import Line
from deid.pixels.outline import aspect, bounds, boxes_of
from deid.pixels.planes import has_unused_bits
from deid.pixels.regions import Regions, find_regions
from deid.pixels.render import Display, Picture, render, resized
from deid.pixels.rewrite import silent, write_masked
from deid.pixels.rules import PixelRules, Treatment
from deid.pixels.stored import Frames
from deid.report import MaskedBox, PixelReport
from deid.review import UNREVIEWED, Review

MOST_LOOKS = 8
"""After masking: what they find is masked too; what the last of them finds and reads refuses the instance."""

PLACE = "seen-on-other-frames"
DRAWN = "drawn-by-a-person"

_PER_FRAME_GROUPS = 0x5200_9230
_SERIES = (0x0008_0070, 0x0008_1090, 0x0008_1010, 0x0020_000E)  # Manufacturer, its model, station, series
_USUAL_LARGEST_PX = 2560
_LEFT_SHARE = 0.05
_REST_SHARE = 0.15  # what lies elsewhere is no rest of a line that might have stayed, had a mask not cut it
_MISSING_SHARE = 0.3
_LEFT_CHARACTERS = 2
_LEFT_CONFIDENCE = 0.6


class TextReader(Protocol):
    """What finds lines in a picture: `deid.pixels.ocr.Reader`."""

    identity: str
    """What its results depend on."""

    def lines(self, picture: Picture, *, read: bool = True) -> list[Line]:
        """Return the lines, with their texts if they are wanted."""


@dataclass(frozen=True, slots=True)
class Looking:
    """With what the frames of one instance are looked at.

    Attributes
    ----------
    rules
        of the profile
    reader
        gives the networks, which are loaded the first time that a frame isn't all of one value
    decider
        knows the instance's identifiers
    seen
        frames that were looked at before
    series
        places of other instances, if the profile has ``series_memory``
    progress
        is called with each frame that was looked at or written
    review
        what a person has said of this instance's frames
    """

    rules: PixelRules
    reader: Callable[[], TextReader]
    decider: Decider
    seen: Seen = field(default_factory=Seen)
    series: SeriesPlaces | None = None
    progress: Callable[[], None] = silent
    review: Review = UNREVIEWED

    @property
    def reads(self) -> bool:
        """Tell whether it matters what a line says: if none may stay, it is enough to know where they are."""
        return self.rules.markers is not None

    def lines(self, picture: Picture, *, read: bool | None = None) -> list[Line]:
        """Return the lines of a picture, in its pixels; read if that matters, unless told."""
        reader, read = self.reader(), self.reads if read is None else read
        longest, rows, columns = max(picture.shape[:2]), *picture.shape[:2]
        scale = min(self.rules.largest_image_px / longest, 1.0)
        if scale == 1 or self.rules.largest_image_px >= _USUAL_LARGEST_PX:
            return reader.lines(picture, read=read)  # it makes smaller what is too large for it, and misses less so
        return [_scaled(line, scale, rows, columns) for line in reader.lines(resized(picture, scale), read=read)]

    def why(self, line: Line, rows: int, columns: int) -> Why:
        """Return why a line of a frame is masked or stays."""
        if not self.reads:
            return Why.TEXT
        return self.decider.decide(line.text, line.confidence, aspect(line.box, rows, columns))


@dataclass(frozen=True, slots=True)
class Looked:
    """What was done.

    Attributes
    ----------
    syntax
        that the instance is in now
    boxes
        what is masked, by frame; frames without any aren't in it
    report
        of what is masked and why
    """

    syntax: TransferSyntax
    boxes: dict[int, list[Box]]
    report: PixelReport


def look(source: DataSet, clean: DataSet, syntax: TransferSyntax, looking: Looking) -> Looked | None:
    """Mask what identifies in the frames of an instance.

    Parameters
    ----------
    source
        the instance as it came: what it says of its device and of how it is displayed
    clean
        its clean counterpart, whose pixels were rebuilt; changed in place
    syntax
        of both
    looking
        with what

    Returns
    -------
    Looked
        None if there are no pixels

    Raises
    ------
    Refused
        PIXELS_NOT_CLEANABLE, if a frame can't be decoded or written; KEPT_BACK, if it is a screen that the profile
        keeps back and no person has said anything of; TEXT_LEFT, if there is still something to be read in it in the
        end, unless a person has approved of that; STEP_UNAVAILABLE, if the networks fail
    """
    frames = Frames.of(clean, syntax)
    if frames is None:
        return None
    form = frames.form
    regions = find_regions(source, form.rows, form.columns, looking.rules, little_endian=syntax.little_endian)
    if regions.treatment is Treatment.QUARANTINE:
        if looking.review == UNREVIEWED:
            raise Refused(Reason.KEPT_BACK, f"the profile keeps back what is {regions.screen!r}")
        regions = replace(regions, treatment=Treatment.LOOK)
    return _Look(source, frames, looking, regions).result()


class _Look:
    """The look at one instance."""

    def __init__(self, source: DataSet, frames: Frames, looking: Looking, regions: Regions) -> None:
        self._source = source
        self._frames = frames
        self._looking = looking
        self._size = frames.form.rows, frames.form.columns
        self._regions = regions
        self._drawn = looking.review.boxes_by_frame(len(frames))
        self._boxes: dict[int, list[Box]] = {}
        self._touched: set[int] = set()  # frames whose unused bits go
        self._reasons: dict[tuple[Box, str, str], list[int]] = {}
        self._kept = 0
        self._display: Display | None = None
        self._lined: set[int] = set()  # frames of which lines or places are masked
        self._stayed: dict[int, list[Box]] = {}  # where lines are that may stay
        self._here = Seen()  # frames of this instance
        self._before: Before | None = None
        self._before_of: Frames | None = None

    def result(self) -> Looked:
        regions = self._regions
        everywhere = range(len(self._frames))
        for region in regions.masked:
            for frame in everywhere:
                self._mask(frame, [region.box], region.source, region.name)
        for frame, boxes in self._drawn.items():
            self._mask(frame, boxes, DRAWN)
        is_looked_at = regions.treatment is Treatment.LOOK and not regions.skipped
        if is_looked_at:
            self._look_at_frames()
        to_write = sorted(self._boxes.keys() | self._touched)
        written = {frame: self._boxes.get(frame, []) for frame in to_write}
        syntax = write_masked(self._frames, written, self._looking.progress)
        if is_looked_at:
            syntax = self._look_again(syntax)
        report = PixelReport(
            frames=len(self._frames),
            masked_frames=len(self._boxes),
            masked=tuple(_grouped(self._reasons)),
            kept=self._kept,
            screen=regions.screen,
            skipped=regions.skipped,
        )
        return Looked(syntax, self._boxes, report)

    def _mask(self, frame: int, boxes: Iterable[Box], why: str, name: str = "") -> list[Box]:
        """Note what is masked in a frame; return the boxes that have a pixel."""
        fitted = fitted_boxes(boxes, self._frames.form)
        for box in fitted:
            self._boxes.setdefault(frame, []).append(box)
            self._reasons.setdefault((box, why, name), []).append(frame)
        return fitted

    # Looking

    def _look_at_frames(self) -> None:
        places = self._places()
        noted: set[bytes] = set()
        for frame in range(len(self._frames)):
            digest = self._frames.equal_hash(frame)
            sight = self._sight(self._frames, frame, digest, read=self._looking.reads)
            if sight.has_unused_bits:
                self._touched.add(frame)
            masked = self._decided(frame, sight)
            if digest not in noted:
                noted.add(digest)
                places.note(masked)
        if repeated := places.repeated():
            for frame in range(len(self._frames)):
                self._mask_repeated(frame, repeated)

    def _decided(self, frame: int, sight: Sight) -> list[tuple[Box, float]]:
        """Mask what goes of the lines of a frame; return where that was, and how strong."""
        known = [*(region.box for region in self._regions.masked), *self._drawn.get(frame, ())]
        masked = []
        for line, strong in zip(sight.lines, sight.strengths, strict=True):
            box = bounds(line.box)
            if not share_outside(box, known):
                continue
            why = self._looking.why(line, *self._size)
            if why.stays:
                self._kept += 1
                self._stayed.setdefault(frame, []).append(box)
            elif self._mask(frame, boxes_of(line.box), why):
                self._lined.add(frame)
                masked.append((box, strong))
        return masked

    def _mask_repeated(self, frame: int, places: Sequence[Place]) -> None:
        """Mask where other frames had a line, if something is there too."""
        self._looking.progress()
        masked = self._boxes.get(frame, [])
        missing = [place for place in places if share_outside(place.box, masked) > _MISSING_SHARE]
        array = self._frames.array(frame) if missing else None
        if array is None or _is_flat(array):
            return
        picture = self._picture(self._frames, frame)
        for place in missing:
            if is_still_there(picture, place) and self._mask(frame, [place.box], PLACE):
                self._lined.add(frame)

    def _places(self) -> Places:
        series = self._looking.series
        if series is None:
            return Places()
        form = self._frames.form
        device = tuple(text_of(self._source, tag) for tag in _SERIES)
        return series.of((device, form.rows, form.columns, self._frames.syntax.uid))

    def _sight(self, frames: Frames, frame: int, digest: bytes, *, read: bool) -> Sight:
        """Return what is seen in a frame, which may be remembered."""
        looking = self._looking
        key = (digest, display_hash(self._display_of(frame)), read, looking.rules.largest_image_px)
        sight = self._here.get(key)
        if sight is None:
            sight = self._followed(frames, frame, key, read=read)
            self._here.put(key, sight)
        looking.progress()
        return sight

    def _followed(self, frames: Frames, frame: int, key: tuple[object, ...], *, read: bool) -> Sight:
        """Return what is seen in a frame: looked at as a whole, or in part if the rest was in a frame before."""
        before = self._before if self._before_of is frames else None
        array = frames.array(frame) if len(frames) > 1 else None
        part = None if before is None or array is None else before.part_of(array, key[1:])
        partly = 0
        if before is not None and part is not None:
            sight, partly = self._partly_seen(frames, frame, before, part, read=read), before.partly + 1
        else:
            sight = self._looking.seen.get(key) or self._seen_in(frames, frame, read=read)
            self._looking.seen.put(key, sight)
        found = None if array is None else Before(array, sight, key[1:], partly)
        self._before, self._before_of = (found, frames) if found is not None and found.is_kept else (None, None)
        return sight

    def _partly_seen(self, frames: Frames, frame: int, before: Before, part: Part, *, read: bool) -> Sight:
        picture = self._picture(frames, frame)
        x0, y0, x1, y1 = part.crop
        new = part.placed(self._looking.lines(np.ascontiguousarray(picture[y0:y1, x0:x1]), read=read))
        pairs = [*before.unchanged(part), *((line, strength(picture, bounds(line.box))) for line in new)]
        lines, strengths = zip(*pairs, strict=True) if pairs else ((), ())
        return Sight(lines, strengths, self._has_unused_bits(frames, frame))

    def _seen_in(self, frames: Frames, frame: int, *, read: bool) -> Sight:
        is_unused = self._has_unused_bits(frames, frame)
        if _is_flat(frames.array(frame)):
            return replace(NOTHING, has_unused_bits=is_unused)
        picture = self._picture(frames, frame)
        lines = tuple(self._looking.lines(picture, read=read))
        return Sight(lines, tuple(strength(picture, bounds(line.box)) for line in lines), is_unused)

    def _has_unused_bits(self, frames: Frames, frame: int) -> bool:
        return not frames.is_native and has_unused_bits(frames.array(frame), self._form(frames, frame))

    def _picture(self, frames: Frames, frame: int) -> Picture:
        return render(frames.array(frame), replace(self._display_of(frame), form=self._form(frames, frame)))

    def _form(self, frames: Frames, frame: int) -> Format:
        return frames.form if frames.is_native else decoded_form(frames.stored(frame), frames.form, frames.syntax)

    def _display_of(self, frame: int) -> Display:
        if self._display is None or items(self._source, _PER_FRAME_GROUPS):
            self._display = Display.of(self._source, self._frames.syntax, frame)
        return self._display

    # Looking again

    def _look_again(self, syntax: TransferSyntax) -> TransferSyntax:
        """Look at the masked frames as they were written; return the syntax that they are in then."""
        frames_left = sorted(self._lined)
        for look in range(MOST_LOOKS):
            frames = Frames.of(self._frames.data_set, syntax) if frames_left else None
            if frames is None:
                break
            is_last = look == MOST_LOOKS - 1
            found = {frame: self._left_in(frames, frame, is_last=is_last) for frame in frames_left}
            left = {frame: boxes for frame, boxes in found.items() if boxes}
            syntax = write_masked(frames, left, self._looking.progress)
            frames_left = sorted(left)
        return syntax

    def _left_in(self, frames: Frames, frame: int, *, is_last: bool) -> list[Box]:
        """Return what has to be masked beside what is masked."""
        sight = self._sight(frames, frame, frames.equal_hash(frame), read=self._looking.reads or is_last)
        masked = list(self._boxes[frame])
        left: list[Box] = []
        for line in sight.lines:
            if share_outside(bounds(line.box), masked) <= _LEFT_SHARE:
                continue
            why = self._looking.why(line, *self._size)
            if why.stays:
                self._stayed.setdefault(frame, []).append(bounds(line.box))
                continue
            is_rest = share_outside(bounds(line.box), self._stayed.get(frame, [])) <= _REST_SHARE
            if is_last and _can_be_read(line) and not is_rest and not self._looking.review.approved:
                raise Refused(Reason.TEXT_LEFT, f"text is left in frame {frame + 1}")
            left += self._mask(frame, boxes_of(line.box), why)
        return left


def _is_flat(array: Samples) -> bool:
    return bool(array.min() == array.max())


def _can_be_read(line: Line) -> bool:
    return sum(map(str.isalnum, line.text)) >= _LEFT_CHARACTERS and line.confidence >= _LEFT_CONFIDENCE


def _scaled(line: Line, scale: float, rows: int, columns: int) -> Line:
    """Return a line of a picture that was made smaller as one of the picture itself."""
    points = np.array(line.box, np.float64) / scale
    outwards = np.where(points > points.mean(axis=0), np.ceil(points), np.floor(points)).clip(0, (columns, rows))
    return replace(line, box=tuple((int(x), int(y)) for x, y in outwards))


def _grouped(reasons: Mapping[tuple[Box, str, str], list[int]]) -> Iterator[MaskedBox]:
    """Yield each box once, with the frames that have it, counted from 1."""
    for (box, why, name), frames in reasons.items():
        yield MaskedBox(box, str(why), name, tuple(_runs(sorted(set(frames)))))


def _runs(frames: Sequence[int]) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(frames), key=lambda pair: pair[1] - pair[0]):
        numbers = [frame + 1 for _, frame in run]
        yield numbers[0], numbers[-1]

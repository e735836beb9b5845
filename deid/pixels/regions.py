"""What is masked in every frame whatever is read in it: by device templates, and outside of calibrated ultrasound.

Also whether the image is a screen, and what the profile wants done with it; and whether the profile lets it go unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from deid.encoding.element import DataSet
from deid.pixels.box import Box
from deid.pixels.rules import PixelRules, Treatment
from deid.pixels.template import Attributes, clipped

_SOP_CLASS_UID, _MODALITY, _BURNED_IN = 0x0008_0016, 0x0008_0060, 0x0028_0301
_SEQUENCE_OF_ULTRASOUND_REGIONS = 0x0018_6011
_CORNERS = (0x0018_6018, 0x0018_601A, 0x0018_601C, 0x0018_601E)  # Region Location Min X0, Min Y0, Max X1, Max Y1
_CORNER_BYTES = 4
_OF_ULTRASOUND = frozenset({"US", "IVUS"})
_STRICTEST_FIRST = (Treatment.QUARANTINE, Treatment.MASK, Treatment.LOOK)
_LEAST_SHARE = 0.1


class Source(StrEnum):
    """Why a region is masked."""

    TEMPLATE = "template"
    ULTRASOUND = "outside-ultrasound-regions"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True)
class Region:
    """A box that is masked in all frames.

    Attributes
    ----------
    box
        in pixels, within the image
    source
        why
    name
        of the template or screen, empty if it has none
    """

    box: Box
    source: Source
    name: str = ""


@dataclass(frozen=True, slots=True)
class Regions:
    """What is known of an image before it is looked at.

    Attributes
    ----------
    masked
        what is masked in all frames
    treatment
        QUARANTINE: refuse the instance; MASK: `masked` is all of it; LOOK: look for text beside `masked`
    screen
        which rule calls it a screen, empty if none does
    skipped
        which of the profile's rules lets its frames go unseen, empty if none does; `masked` is masked nevertheless
    """

    masked: tuple[Region, ...] = ()
    treatment: Treatment = Treatment.LOOK
    screen: str = ""
    skipped: str = ""


def find_regions(data_set: DataSet, rows: int, columns: int, rules: PixelRules, *, little_endian: bool) -> Regions:
    """Tell what of an instance is masked unseen.

    Parameters
    ----------
    data_set
        the source, before anything is removed
    rows, columns
        of a frame
    rules
        of the profile
    little_endian
        the byte order of the source's transfer syntax
    """
    attributes = Attributes(data_set, little_endian)
    treatment, screen = _screen(attributes, rules)
    if treatment is Treatment.MASK:
        whole = Region(Box(0, 0, columns, rows), Source.SCREEN, screen)
        return Regions((whole,), treatment, screen)
    found = [
        Region(box, Source.TEMPLATE, template.name)
        for template in rules.files.templates
        if template.match.fits(attributes)
        for box in template.boxes_in(rows, columns)
    ]
    if rules.mask_outside_ultrasound_regions:
        calibrated = ultrasound_regions(attributes, rows, columns)
        found += [Region(box, Source.ULTRASOUND) for box in outside(calibrated, rows, columns)] if calibrated else []
    skipped = "" if screen else _skipped(attributes, rules)
    return Regions(tuple(dict.fromkeys(found)), treatment, screen, skipped)


def _screen(attributes: Attributes, rules: PixelRules) -> tuple[Treatment, str]:
    """Return what is done with a screen, the strictest if it is of several kinds, and the rule that calls it one."""
    found: dict[Treatment, str] = {}
    for screen in rules.files.screens:
        if screen.name not in rules.allowed_screens and screen.match.fits(attributes):
            found.setdefault(rules.screens[screen.kind], screen.name)
    return next(((treatment, found[treatment]) for treatment in _STRICTEST_FIRST if treatment in found), _NO_SCREEN)


_NO_SCREEN = (Treatment.LOOK, "")


def _skipped(attributes: Attributes, rules: PixelRules) -> str:
    if "YES" in attributes.values(_BURNED_IN):
        return ""
    return next((skip.name for skip in rules.skip if skip.match.fits(attributes)), "")


def ultrasound_regions(attributes: Attributes, rows: int, columns: int) -> tuple[Box, ...]:
    """Return the regions that an ultrasound device calibrated (PS3.3 Section C.8.5.5); none if they can't be believed.

    They can't where a region reaches beyond the image: then the image was cut or scaled after they were written. Nor
    where all of them together are a small part of it, as is a colour bar or a trace beside an image that has none.
    """
    element = attributes.data_set.elements.get(_SEQUENCE_OF_ULTRASOUND_REGIONS)
    if element is None or not isinstance(element.value, list) or not _is_ultrasound(attributes):
        return ()
    found = []
    for item in element.value:
        box = _box(item, little_endian=attributes.little_endian)
        if box is None:
            continue
        if box.x1 > columns + 1 or box.y1 > rows + 1:  # devices write the last column, or how many there are
            return ()
        if inside := clipped(box, rows, columns):
            found.append(inside)
    left_over = sum(_area(box) for box in outside(found, rows, columns))
    return tuple(found) if rows * columns - left_over >= _LEAST_SHARE * rows * columns else ()


def _is_ultrasound(attributes: Attributes) -> bool:
    values = attributes.values(_SOP_CLASS_UID)
    return not _OF_ULTRASOUND.isdisjoint(attributes.values(_MODALITY)) or any("Ultrasound" in each for each in values)


def _box(item: DataSet, *, little_endian: bool) -> Box | None:
    """Read a region's corners; the lower right one is part of it. None if one is missing, or it is empty."""
    order = "little" if little_endian else "big"
    corners = []
    for tag in _CORNERS:
        element = item.elements.get(tag)
        if element is None or not isinstance(element.value, bytes | memoryview) or len(element.value) != _CORNER_BYTES:
            return None
        corners.append(int.from_bytes(element.value, order))  # type: ignore[arg-type]
    x0, y0, x1, y1 = corners
    return Box(x0, y0, x1 + 1, y1 + 1) if x0 < x1 and y0 < y1 else None


def outside(inside: Sequence[Box], rows: int, columns: int) -> tuple[Box, ...]:
    """Return boxes, none of which overlaps another, of all that lies in the image and in none of `inside`.

    Parameters
    ----------
    inside
        boxes within the image, overlapping or not
    rows, columns
        of the image
    """
    levels = sorted({0, rows, *(box.y0 for box in inside), *(box.y1 for box in inside)})
    bands: list[tuple[int, int, tuple[tuple[int, int], ...]]] = []
    for y0, y1 in pairwise(levels):
        gaps = _gaps([(box.x0, box.x1) for box in inside if box.y0 <= y0 and y1 <= box.y1], columns)
        if bands and bands[-1][2] == gaps:
            bands[-1] = (bands[-1][0], y1, gaps)
        else:
            bands.append((y0, y1, gaps))
    return tuple(Box(x0, y0, x1, y1) for y0, y1, gaps in bands for x0, x1 in gaps)


def _gaps(spans: Iterable[tuple[int, int]], columns: int) -> tuple[tuple[int, int], ...]:
    found, start = [], 0
    for x0, x1 in sorted(spans):
        if x0 > start:
            found.append((start, x0))
        start = max(start, x1)
    return (*found, (start, columns)) if start < columns else tuple(found)


def _area(box: Box) -> int:
    return (box.x1 - box.x0) * (box.y1 - box.y0)

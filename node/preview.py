"""What masking does to one frame, as a picture: before and after side by side, with the boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from deid.encoding.reader import read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.engine import deidentify
from deid.instance import Instance
from deid.pixels.components import decoded_form
from deid.pixels.frames import rebuild_pixel_data
from deid.pixels.opencv import cv2
from deid.pixels.regions import Source
from deid.pixels.render import Display, Picture, shown
from deid.pixels.stored import Frames
from node.errors import Misconfigured

if TYPE_CHECKING:
    from deid.context import Context
    from deid.encoding.element import Buffer
    from deid.encoding.limits import Limits
    from deid.report import MaskedBox, PixelReport

_GAP_PX = 8
_KNOWN_BEFORE, _FOUND = (255, 160, 0), (255, 0, 0)  # red, green, blue
_GROUND = 96


@dataclass(frozen=True, slots=True)
class Preview:
    """One frame before and after, and what the report says of it.

    Attributes
    ----------
    picture
        unsigned bytes of red, green and blue: (rows, columns, 3). Patient data
    report
        of all frames
    masked
        what of it is in this frame
    """

    picture: Picture
    report: PixelReport
    masked: tuple[MaskedBox, ...]

    def png(self) -> bytes:
        """Return the picture as a file."""
        _, encoded = cv2.imencode(".png", cv2.cvtColor(self.picture, cv2.COLOR_RGB2BGR))
        return bytes(encoded)


def preview(file: Buffer, context: Context, frame: int) -> Preview:
    """Clean a file and show one of its frames.

    Parameters
    ----------
    file
        as of PS3.10
    context
        with what it is cleaned
    frame
        its number, from 1

    Raises
    ------
    Refused
        It is no DICOM file, or it would not be cleaned.
    Misconfigured
        The profile doesn't have pixels cleaned, or there is no such frame.
    """
    if context.profile.pixels is None:
        raise Misconfigured(
            f"profile {context.profile.name} doesn't have pixels cleaned; choose one with clean_pixel_data, as tcia"
        )
    instance = Instance.from_part10(file, context.limits)
    result = deidentify(instance, context)
    report = result.report.pixels
    if report is None or not 1 <= frame <= report.frames:
        frames = 0 if report is None else report.frames
        raise Misconfigured(f"there is no frame {frame}; the instance has {frames}: choose one by --frame")
    masked = tuple(each for each in report.masked if any(first <= frame <= last for first, last in each.frames))
    clean = Instance(result.clean.transfer_syntax, b"".join(result.clean.chunks))
    sides = [_with_boxes(_frame(each, frame, context.limits), masked) for each in (instance, clean)]
    gap = np.full((sides[0].shape[0], _GAP_PX, 3), _GROUND, np.uint8)
    return Preview(np.concatenate((sides[0], gap, sides[1]), axis=1), report, masked)


def _frame(instance: Instance, frame: int, limits: Limits) -> Picture:
    syntax = transfer_syntax(instance.transfer_syntax)
    data_set = read_data_set(instance.data, instance.transfer_syntax, limits)
    rebuild_pixel_data(data_set, syntax)
    frames = Frames.of(data_set, syntax)
    assert frames is not None  # noqa: S101  it has been looked at
    stored, form = frames.stored(frame - 1), frames.form
    form = form if frames.is_native else decoded_form(stored, form, syntax)
    return shown(frames.array(frame - 1), replace(Display.of(data_set, syntax, frame - 1), form=form))


def _with_boxes(picture: Picture, masked: tuple[MaskedBox, ...]) -> Picture:
    drawn = picture.copy(order="C")  # a view of the file where its pixels are shown as they are
    for each in masked:
        if not each.name.startswith("overlay"):
            x0, y0, x1, y1 = each.box
            colour = _KNOWN_BEFORE if each.why in set(Source) else _FOUND
            cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    return drawn

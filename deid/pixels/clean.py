"""All pixels of an instance: its frames, and the overlays and icons beside them, as the profile has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.pixels.box import Box
from deid.pixels.look import DRAWN, Looked, Looking, look
from deid.pixels.mask import fitted_boxes
from deid.pixels.outline import boxes_of
from deid.pixels.planes import Overlay, mask_overlays, mask_planes, overlays, remove_unseen_pixels
from deid.pixels.rewrite import write_masked
from deid.pixels.rules import Icons, Overlays, PixelRules
from deid.pixels.stored import Frames
from deid.report import MaskedBox, PixelReport
from deid.review import Review

_FIRST_OVERLAY, _LAST_OVERLAY = 0x6000_0000, 0x60FF_FFFF


def clean_pixels(source: DataSet, clean: DataSet, syntax: TransferSyntax, looking: Looking) -> Looked | None:
    """Mask what identifies in the pixels of an instance, wherever they are.

    Parameters
    ----------
    source
        the instance as it came
    clean
        its clean counterpart, whose pixels were rebuilt; changed in place
    syntax
        of both
    looking
        with what

    Returns
    -------
    Looked
        None if there are no frames

    Raises
    ------
    Refused
        As `deid.pixels.look.look`.
    """
    looked = look(source, clean, syntax, looking)
    if looking.rules.overlays is Overlays.REMOVE:
        for tag in [tag for tag in clean.elements if _FIRST_OVERLAY <= tag <= _LAST_OVERLAY]:
            del clean.elements[tag]
    elif looked is not None:
        mask_overlays(clean, looked.syntax, looked.boxes, looked.report.frames)
        if looking.rules.overlays is Overlays.LOOK and not looked.report.skipped:
            found = _look_at_overlays(clean, looked.syntax, looking)
            looked = replace(looked, report=replace(looked.report, masked=(*looked.report.masked, *found)))
    drop_unseen(clean, looked, looking.rules)
    return looked


def mask_drawn(clean: DataSet, syntax: TransferSyntax, review: Review) -> Looked | None:
    """Mask what a person has drawn, and nothing else: for profiles that have no pixels cleaned.

    Parameters
    ----------
    clean
        a clean instance, whose pixels were rebuilt; changed in place
    syntax
        its transfer syntax
    review
        with boxes

    Returns
    -------
    Looked
        its report says that nobody looked for anything else; None if there are no frames

    Raises
    ------
    Refused
        If a frame can't be decoded, or there is no syntax to write it in.
    """
    frames = Frames.of(clean, syntax)
    if frames is None:
        return None
    drawn = review.boxes_by_frame(len(frames))
    boxes = {frame: fitted for frame, each in drawn.items() if (fitted := fitted_boxes(each, frames.form))}
    written = write_masked(frames, boxes)
    mask_overlays(clean, written, boxes, len(frames))
    masked = tuple(
        MaskedBox(box, DRAWN, "", ((drawn.frames(len(frames))[0] + 1, drawn.frames(len(frames))[-1] + 1),))
        for drawn in review.boxes
        if drawn.frames(len(frames))
        for box in fitted_boxes([drawn.box], frames.form)
    )
    report = PixelReport(len(frames), len(boxes), masked, skipped="no-pixels-cleaned-by-profile")
    looked = Looked(written, boxes, report)
    drop_unseen(clean, looked, None)
    return looked


def drop_unseen(clean: DataSet, looked: Looked | None, rules: PixelRules | None) -> None:
    """Remove icons that show what is masked, and pixels in items, of which nobody has seen the image.

    Without rules that is so only where something is masked.
    """
    is_masked = looked is not None and bool(looked.boxes)
    if rules is not None or is_masked:
        remove_unseen_pixels(clean, was_masked=is_masked or (rules is not None and rules.icons is Icons.REMOVE))


def _look_at_overlays(clean: DataSet, syntax: TransferSyntax, looking: Looking) -> list[MaskedBox]:
    found = []
    for overlay in overlays(clean, syntax):
        boxes: dict[int, list[Box]] = {}
        for number, plane in enumerate(overlay.planes(clean)):
            for box, why in _text_in(plane, overlay, looking):
                boxes.setdefault(number, []).append(box)
                found.append(MaskedBox(box, why, f"overlay {overlay.group:04X}", ((number + 1, number + 1),)))
        if boxes:
            mask_planes(clean, overlay, boxes)
    return found


def _text_in(
    plane: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], overlay: Overlay, looking: Looking
) -> list[tuple[Box, str]]:
    if not plane.any():
        return []
    picture = np.repeat(plane[..., np.newaxis] * np.uint8(255), 3, axis=2)
    lines = looking.lines(picture)
    whys = [(line, looking.why(line, overlay.rows, overlay.columns)) for line in lines]
    return [(box, str(why)) for line, why in whys if not why.stays for box in boxes_of(line.box)]

"""All pixels of an instance: its frames, and the overlays and icons beside them, as the profile has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deid.encoding.element import DataSet
from deid.encoding.syntax import TransferSyntax
from deid.pixels.box import Box
from deid.pixels.look import Looked, Looking, look
from deid.pixels.outline import boxes_of
from deid.pixels.planes import Overlay, mask_overlays, mask_planes, overlays, remove_unseen_pixels
from deid.pixels.rules import Icons, Overlays, PixelRules
from deid.report import MaskedBox

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


def drop_unseen(clean: DataSet, looked: Looked | None, rules: PixelRules) -> None:
    """Remove icons that show what is masked, and pixels in items, of which nobody has seen the image."""
    is_masked = looked is not None and bool(looked.boxes)
    remove_unseen_pixels(clean, was_masked=is_masked or rules.icons is Icons.REMOVE)


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

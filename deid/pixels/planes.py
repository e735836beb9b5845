"""Pixels beside the frames: overlays, overlay bits among the samples, icons, pixels in items, curves.

What is left of them once the profile has been applied (PS3.15 Table E.1-1), and what remains to be done with that here:

- Overlay Data (60xx,3000) is removed by the Basic Profile and, since no text step reads bitmaps, by ``clean_graphics``
  too; the rest of its group goes with it. Only an override (``"60xx" = "K"``) keeps one. Then it is cut to its size;
  whoever looks for text looks at its planes too (`overlays`), and what is masked in a frame is masked in the planes
  that lie over it (`mask_overlays`).
- Overlay bits embedded in the samples' unused bits (retired in 2004, PS3.5 Section 8.1.2) have no Overlay Data: their
  group always goes. The bits themselves are cleared in native frames by `deid.pixels.frames.rebuild_pixel_data`; those
  of compressed frames are seen once decoded (`has_unused_bits`), and cleared by naming the frame to
  `deid.pixels.rewrite.write_masked`.
- Icon Image Sequence (0088,0200) is removed by all profiles. One that an override keeps shows what the frames showed
  before they were masked, at a size at which nobody finds its text: `remove_unseen_pixels` removes it if anything was
  masked, and always where it lies in an item, being an icon of another image.
- Pixel Data in any other item is of an image that nobody looked at, and removed likewise.
- Curves (50xx, retired in 2004) are points, no bitmap; the Basic Profile and ``clean_graphics`` remove them. One that
  an override keeps stays; its texts are cleaned as texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deid.encoding.element import DataSet, Element
from deid.encoding.syntax import TransferSyntax
from deid.pixels.attributes import ByteOrder, items, numbers, value_of, words
from deid.pixels.box import AnyBox, Box
from deid.pixels.format import BITS_OF_FLOAT_PIXELS, PIXEL_DATA, Format
from deid.pixels.frames import OFFSET_TABLES
from deid.pixels.native import Samples, swap_bytes

_FIRST_GROUP, _LAST_GROUP = 0x6000, 0x60FE
_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _IMAGE_FRAME_ORIGIN = 0x0010, 0x0011, 0x0015, 0x0050, 0x0051
_BITS_ALLOCATED, _DATA = 0x0100, 0x3000
_ICON_IMAGE_SEQUENCE = 0x0088_0200
_PIXELS = (PIXEL_DATA, *BITS_OF_FLOAT_PIXELS)
_CELL_BITS = frozenset({8, 16, 32})


@dataclass(frozen=True, slots=True)
class Overlay:
    """An overlay with data of its own (PS3.3 Section C.9.2).

    Attributes
    ----------
    group
        0x6000 to 0x601E
    rows, columns
        of a plane
    frames
        number of planes: 1, or one for each of several frames
    top, left
        row and column of the image where the plane begins, from 0
    first_frame
        index of the image frame that the first plane lies over
    has_swapped_bytes
        whether its bytes lie in words of big endian
    """

    group: int
    rows: int
    columns: int
    frames: int
    top: int
    left: int
    first_frame: int
    has_swapped_bytes: bool

    @property
    def size_bytes(self) -> int:
        """Return the length of all planes, without padding."""
        return (self.rows * self.columns * self.frames + 7) // 8

    def planes(self, data_set: DataSet) -> Samples:
        """Return (planes, rows, columns) of 0 and 1."""
        value = value_of(data_set, self.group << 16 | _DATA)
        packed = np.frombuffer(swap_bytes(value) if self.has_swapped_bytes else value, np.uint8)
        bits = np.unpackbits(packed, count=self.rows * self.columns * self.frames, bitorder="little")
        return bits.reshape(self.frames, self.rows, self.columns)

    def frames_under(self, plane: int, frames: int) -> range:
        """Return the image frames, of `frames`, that a plane lies over; a single plane lies over all of them."""
        if self.frames == 1:
            return range(frames)
        return range(self.first_frame + plane, min(self.first_frame + plane + 1, frames))

    def box(self, box: AnyBox) -> Box:
        """Return a box of the image as one of the plane, cut to it."""
        x0, y0, x1, y1 = box
        columns, rows = self.columns, self.rows
        left, right = (min(max(x - self.left, 0), columns) for x in (x0, x1))
        top, bottom = (min(max(y - self.top, 0), rows) for y in (y0, y1))
        return Box(left, top, right, bottom)


def overlays(data_set: DataSet, syntax: TransferSyntax) -> list[Overlay]:
    """Return the overlays of a Data Set; what isn't described, or shorter than its planes, is removed from it."""
    order: ByteOrder = "little" if syntax.little_endian else "big"
    found = []
    for group in sorted({tag >> 16 for tag in data_set.elements if _FIRST_GROUP <= tag >> 16 <= _LAST_GROUP}):
        overlay = _overlay(data_set, group, order)
        if overlay is None:
            for tag in [tag for tag in data_set.elements if tag >> 16 == group]:
                del data_set.elements[tag]
        else:
            found.append(overlay)
            _write(data_set, overlay, overlay.planes(data_set))
    return found


def mask_overlays(
    data_set: DataSet, syntax: TransferSyntax, boxes: Mapping[int, Sequence[AnyBox]], frames: int
) -> None:
    """Clear the overlay bits that lie over masked parts of the image, in place.

    Parameters
    ----------
    data_set, syntax
        the instance
    boxes
        in the image, by index of the frame
    frames
        number of frames of the image
    """
    for overlay in overlays(data_set, syntax):
        planes = overlay.planes(data_set).copy()
        for plane in range(overlay.frames):
            over = (box for frame in overlay.frames_under(plane, frames) for box in boxes.get(frame, ()))
            _clear(planes[plane], (overlay.box(box) for box in over))
        _write(data_set, overlay, planes)


def mask_planes(data_set: DataSet, overlay: Overlay, boxes: Mapping[int, Iterable[AnyBox]]) -> None:
    """Clear parts of an overlay's own planes, in place: `boxes` are in the plane, by its index."""
    planes = overlay.planes(data_set).copy()
    for plane, of_plane in boxes.items():
        _clear(planes[plane], of_plane)
    _write(data_set, overlay, planes)


def has_unused_bits(array: Samples, form: Format) -> bool:
    """Tell whether bits outside the stored ones hold anything but zeros, a sign, or the Pixel Padding Value.

    Parameters
    ----------
    array
        a decoded frame
    form
        what it is
    """
    if form.float_bits or form.bits_allocated not in _CELL_BITS or form.bits_stored >= form.bits_allocated:
        return False
    cells = array.view(array.dtype.str.replace("i", "u"))
    above = ((1 << form.bits_allocated) - 1) ^ ((1 << (form.high_bit + 1)) - 1)
    below = (1 << form.low_bit) - 1
    number = cells.dtype.type
    unused = cells & number(above | below)
    if not unused.any():
        return False
    fine = unused == 0
    if form.is_signed:
        fine |= (unused == above) & ((cells >> number(form.high_bit)) & number(1) == 1)
    if form.padding_value is not None:
        fine |= cells == form.padding_value
    return not fine.all()


def remove_unseen_pixels(data_set: DataSet, *, was_masked: bool) -> None:
    """Remove pixels that nobody looked at: those in items, and the instance's own icon if the instance was masked.

    Parameters
    ----------
    data_set
        changed in place
    was_masked
        whether anything in the instance's frames was
    """
    if was_masked:
        data_set.elements.pop(_ICON_IMAGE_SEQUENCE, None)
    for tag, element in data_set.elements.items():
        if tag != _ICON_IMAGE_SEQUENCE and isinstance(element.value, list):
            for item in _within(element.value):
                for unseen in (_ICON_IMAGE_SEQUENCE, *_PIXELS, *OFFSET_TABLES):
                    item.elements.pop(unseen, None)


def _within(sequence: list[DataSet]) -> Iterator[DataSet]:
    for item in sequence:
        yield item
        for tag in list(item.elements):
            if tag in item.elements:  # the caller may have removed it
                yield from _within(items(item, tag))


def _overlay(data_set: DataSet, group: int, order: ByteOrder) -> Overlay | None:
    def number(element: int, default: int = 0) -> int:
        found = words(data_set, group << 16 | element, order)
        return found[0] if found else default

    origin = words(data_set, group << 16 | _ORIGIN, order, is_signed=True)
    top, left = origin if len(origin) == 2 else (1, 1)
    count = numbers(data_set, group << 16 | _FRAMES)
    element = data_set.elements.get(group << 16 | _DATA)
    overlay = Overlay(
        group=group,
        rows=number(_ROWS),
        columns=number(_COLUMNS),
        frames=max(int(count[0]), 1) if count else 1,
        top=top - 1,
        left=left - 1,
        first_frame=max(number(_IMAGE_FRAME_ORIGIN, 1), 1) - 1,
        has_swapped_bytes=order == "big" and element is not None and element.vr != "OB",
    )
    is_described = overlay.rows and overlay.columns and number(_BITS_ALLOCATED, 1) == 1
    size_bytes = overlay.size_bytes + overlay.size_bytes % 2 * overlay.has_swapped_bytes
    is_whole = len(value_of(data_set, group << 16 | _DATA)) >= size_bytes
    return overlay if is_described and is_whole else None


def _write(data_set: DataSet, overlay: Overlay, planes: Samples) -> None:
    tag = overlay.group << 16 | _DATA
    value = np.packbits(planes, axis=None, bitorder="little").tobytes()
    value += bytes(len(value) % 2)
    stored = swap_bytes(value) if overlay.has_swapped_bytes else value
    element = data_set.elements[tag]
    if stored != element.value:
        data_set.elements[tag] = Element(tag, element.vr, stored)


def _clear(plane: Samples, boxes: Iterable[AnyBox]) -> None:
    for x0, y0, x1, y1 in boxes:
        plane[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 0

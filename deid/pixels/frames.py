"""Pixel Data rebuilt: exactly the frames, nothing beside, between or after them (PS3.5 Section 8 and Annex A.4)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import Buffer, DataSet, Element, Fragments, Pieces
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.errors import Reason, Refused
from deid.pixels.format import BITS_OF_FLOAT_PIXELS, PIXEL_DATA, Format
from deid.pixels.jpeg import strip_jpeg
from deid.pixels.jpeg2000 import strip_jpeg2000
from deid.pixels.rle import strip_rle
from deid.pixels.tables import TAGS_OF_TABLES, trim_tables

EXTENDED_OFFSET_TABLE = 0x7FE0_0001
EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE0_0002
ENCAPSULATED_TOTAL_LENGTH = 0x7FE0_0003

_CLEARED_BITS = frozenset({8, 16, 32})
_Samples: TypeAlias = "NDArray[Any]"
OFFSET_TABLES = (EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS, ENCAPSULATED_TOTAL_LENGTH)
_OF_PIXELS = frozenset({PIXEL_DATA, *BITS_OF_FLOAT_PIXELS, *OFFSET_TABLES})
_ITEM_HEADER_BYTES = 8
_MOST_BITS_WITHOUT_TEXT = 13  # 0x1F is the largest high byte; digits begin at 0x30, letters at 0x41
_LARGEST_BASIC_OFFSET = 0xFFFFFFFF
_BLOCK_BYTES = 1 << 20  # of native samples looked at in one go, whatever the size of the image

JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (*range(50, 60), *range(60, 67), 70))
_JPEG_LS = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (80, 81))
JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203))
_JPEG_2000_PART_2 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (92, 93))
_RLE, _UNCOMPRESSED, _DEFLATED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"


def rebuild_pixel_data(data_set: DataSet, syntax: TransferSyntax) -> None:
    """Replace the Pixel Data of a clean Data Set by its frames alone, and its tables by what they describe.

    Pixel Data in items (icons that a profile keeps) is rebuilt too, and dropped if it can't be.

    Parameters
    ----------
    data_set
        changed in place
    syntax
        its transfer syntax

    Raises
    ------
    Refused
        TRUNCATED, if there are fewer bytes than the frames need; MALFORMED, if nothing says what the frames are, or
        compressed frames can't be told apart; PIXELS_NOT_CLEANABLE, for a codec whose streams nobody here can read
    """
    _rebuild_own(data_set, syntax)
    _rebuild_items(data_set, syntax)


def may_hold_text(data_set: DataSet, syntax: TransferSyntax) -> bool:
    """Tell whether rebuilt Pixel Data could read as ASCII text at all.

    Native samples of at most 13 bits in words of 16, their unused bits cleared, have in every second byte nothing that
    is a letter or a digit.
    """
    element = data_set.elements.get(PIXEL_DATA)
    form = Format.of(data_set, syntax)
    if element is None or form is None or isinstance(element.value, Fragments):
        return True
    has_a_blank_byte = form.bits_stored <= _MOST_BITS_WITHOUT_TEXT and form.high_bit == form.bits_stored - 1
    return not (has_a_blank_byte and form.bits_allocated == 16)


def _rebuild_items(data_set: DataSet, syntax: TransferSyntax) -> None:
    for element in data_set.elements.values():
        if isinstance(element.value, list):
            for item in element.value:
                _rebuild_item(item, syntax)


def _rebuild_item(item: DataSet, syntax: TransferSyntax) -> None:
    try:
        _rebuild_own(item, syntax)
    except Refused as refused:
        if refused.reason is Reason.PIXELS_NOT_CLEANABLE:
            raise
        for tag in _OF_PIXELS:
            item.elements.pop(tag, None)
    _rebuild_items(item, syntax)


def _rebuild_own(data_set: DataSet, syntax: TransferSyntax) -> None:
    elements = data_set.elements
    if not elements.keys().isdisjoint(TAGS_OF_TABLES):
        trim_tables(data_set, "little" if syntax.little_endian else "big")
    if elements.keys().isdisjoint(_OF_PIXELS):
        return
    form = Format.of(data_set, syntax)
    for tag in (PIXEL_DATA, *BITS_OF_FLOAT_PIXELS):
        element = elements.get(tag)
        if element is None:
            continue
        if isinstance(element.value, Fragments) and tag != PIXEL_DATA:
            raise Refused(Reason.MALFORMED, f"(7FE0,{tag & 0xFFFF:04X}) in fragments")
        if form is None:
            raise Refused(Reason.MALFORMED, f"(7FE0,{tag & 0xFFFF:04X}) without Rows, Columns or Bits Allocated")
        if isinstance(element.value, Fragments):
            _rebuild_fragments(data_set, element.value, form, syntax)
        elif isinstance(element.value, bytes | memoryview):
            native = _native(element.value, form, syntax, BITS_OF_FLOAT_PIXELS.get(tag))
            elements[tag] = Element(tag, element.vr, native)
    pixels = elements.get(PIXEL_DATA)
    if pixels is None or not isinstance(pixels.value, Fragments):
        for tag in OFFSET_TABLES:
            elements.pop(tag, None)


def _native(value: Buffer, form: Format, syntax: TransferSyntax, float_bits: int | None) -> Buffer | Pieces:
    size_bytes = form.size_bytes(float_bits or form.bits_allocated)
    if not syntax.little_endian:
        size_bytes += size_bytes % 2  # in big endian words the padding byte lies before the last one
    if len(value) < size_bytes:
        raise Refused(Reason.TRUNCATED, f"(7FE0,0010) has {len(value)} of {size_bytes} bytes")
    exact = memoryview(value)[:size_bytes]
    return exact if float_bits else _without_unused_bits(exact, form, syntax)


def _without_unused_bits(value: memoryview, form: Format, syntax: TransferSyntax) -> Buffer | Pieces:
    """Clear the unused bits of native samples, block by block; what has none set stays where it lies."""
    order = "<" if syntax.little_endian else ">"
    if form.bits_allocated not in _CLEARED_BITS:
        return value
    stored = np.frombuffer(value, dtype=f"{order}u{form.bits_allocated // 8}")
    step = _BLOCK_BYTES // stored.itemsize
    parts: list[Buffer] = []
    kept_from = 0
    for start in range(0, len(stored), step):
        block = stored[start : start + step]
        clean = clear_unused_bits(block, form)
        if clean is not block:
            at = start * stored.itemsize
            parts += [value[kept_from:at], clean.tobytes()]
            kept_from = at + block.nbytes
    if not kept_from:
        return value
    pieces = Pieces([*parts, value[kept_from:]])
    return pieces.parts[0] if len(pieces.parts) == 1 else pieces


def clear_unused_bits(stored: _Samples, form: Format) -> _Samples:
    """Clear the bits above and below the stored ones, where an overlay or anything else could hide.

    The bits above a signed value repeat its sign; a value that equals the Pixel Padding Value stays.

    Parameters
    ----------
    stored
        integers of Bits Allocated bits, in any shape and byte order, signed or not
    form
        what they are

    Returns
    -------
    numpy.ndarray
        `stored` itself if nothing is to be cleared
    """
    bits = form.bits_allocated
    if bits not in _CLEARED_BITS or form.bits_stored >= bits or form.high_bit >= bits:
        return stored
    cells = stored.view(stored.dtype.str.replace("i", "u"))
    number = cells.dtype.type
    mask = (1 << (form.high_bit + 1)) - (1 << form.low_bit)
    if not form.is_signed and int(np.bitwise_or.reduce(cells, axis=None)) & ~mask == 0:
        return stored
    clean = cells & number(mask)
    if form.is_signed:
        sign = (clean >> number(form.high_bit)) & number(1)
        above = ((1 << bits) - 1) ^ ((1 << (form.high_bit + 1)) - 1)
        clean |= sign * number(above)
    if form.padding_value is not None:
        clean = np.where(cells == form.padding_value, cells, clean)
    return stored if np.array_equal(clean, cells) else clean.astype(cells.dtype).view(stored.dtype)


def _rebuild_fragments(data_set: DataSet, fragments: Fragments, form: Format, syntax: TransferSyntax) -> None:
    strip = _strip_for(syntax)
    one = form.one_frame
    items: list[Buffer] = []
    lengths: list[int] = []
    for received in _frames(fragments, form.frames):
        frame = b"".join(received)
        clean = strip(frame, one)
        is_as_received = len(received) == 1 and clean == frame and not len(frame) % 2
        items.append(received[0] if is_as_received else clean + b"\0" * (len(clean) % 2))
        lengths.append(len(clean))
    write_fragments(data_set, items, lengths, has_offsets=bool(len(fragments.offsets)))


def write_fragments(data_set: DataSet, items: list[Buffer], lengths: list[int], *, has_offsets: bool) -> None:
    """Write encapsulated Pixel Data, each frame one fragment, and the offset table that it came with (PS3.5 A.4).

    Parameters
    ----------
    data_set
        changed in place: Pixel Data and the Extended Offset Table, if there is one
    items
        the frames, padded to even length
    lengths
        their lengths without padding
    has_offsets
        whether a Basic Offset Table is wanted, if there is no extended one
    """
    offsets = b""
    if EXTENDED_OFFSET_TABLE in data_set.elements:
        _write_extended_offsets(data_set, items, lengths)
    else:
        data_set.elements.pop(EXTENDED_OFFSET_TABLE_LENGTHS, None)
        offsets = _basic_offsets(items) if has_offsets else b""
    data_set.elements.pop(ENCAPSULATED_TOTAL_LENGTH, None)
    element = data_set.elements[PIXEL_DATA]
    data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, element.vr, Fragments(offsets, items))


_Strip = Callable[[bytes, Format], bytes]


def _strip_for(syntax: TransferSyntax) -> _Strip:
    """Return what makes a frame of nothing but image of a frame.

    JPEG XL and video have none: where their streams end, and what in them is no image, only a decoder could tell.
    """
    if syntax.uid in _STRIP_BY_SYNTAX:
        return _STRIP_BY_SYNTAX[syntax.uid]
    raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"transfer syntax {syntax.uid}")


def _strip_rle(frame: bytes, form: Format) -> bytes:
    segments = form.samples * max(form.bits_allocated // 8, 1)
    return strip_rle(frame, segments, (form.rows * form.columns * min(form.bits_allocated, 8) + 7) // 8)


def _strip_uncompressed(frame: bytes, form: Format) -> bytes:
    return bytes(_native(frame, form, transfer_syntax(_UNCOMPRESSED), None))


def _strip_deflated(frame: bytes, form: Format) -> bytes:
    """Return a deflate stream of the frame alone (PS3.5 Section A.4.13); what was sent if it is one already."""
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    size_bytes = form.size_bytes(form.bits_allocated)
    try:
        pixels = inflater.decompress(frame, size_bytes + 2)
    except zlib.error:
        raise Refused(Reason.MALFORMED, "(7FE0,0010) holds no deflate stream") from None
    clean = bytes(_strip_uncompressed(pixels, form))
    is_whole = inflater.eof and len(inflater.unused_data) <= 1 and not any(inflater.unused_data)
    if is_whole and pixels[: len(clean)] == clean and len(pixels) <= size_bytes + 1 and not any(pixels[size_bytes:]):
        return frame
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(clean) + deflater.flush()


_STRIP_BY_SYNTAX: dict[str, _Strip] = {
    **dict.fromkeys(JPEG, lambda frame, _: strip_jpeg(frame)),
    **dict.fromkeys(_JPEG_LS, lambda frame, _: strip_jpeg(frame, is_ls=True)),
    **dict.fromkeys(JPEG_2000, lambda frame, _: strip_jpeg2000(frame)),
    **dict.fromkeys(_JPEG_2000_PART_2, lambda frame, _: strip_jpeg2000(frame, is_part_2=True)),
    _RLE: _strip_rle,
    _UNCOMPRESSED: _strip_uncompressed,
    _DEFLATED: _strip_deflated,
}


def _frames(fragments: Fragments, frames: int) -> Iterator[list[Buffer]]:
    """Return the fragments of each frame (PS3.5 Section A.4)."""
    items = fragments.items
    if len(items) == frames:
        return ([item] for item in items)
    if frames == 1:
        return iter([items])
    starts = _frame_starts(fragments)
    if len(starts) != frames:
        raise Refused(Reason.MALFORMED, f"(7FE0,0010) {len(items)} fragments for {frames} frames")
    ends = [*starts[1:], len(items)]
    return (items[start:end] for start, end in zip(starts, ends, strict=True))


def _frame_starts(fragments: Fragments) -> list[int]:
    """Return the index of each frame's first fragment: by the Basic Offset Table, else by the start of a stream."""
    table = bytes(fragments.offsets)
    if table and len(table) % 4 == 0:
        index_by_offset, offset = {}, 0
        for index, item in enumerate(fragments.items):
            index_by_offset[offset] = index
            offset += _ITEM_HEADER_BYTES + len(item)
        offsets = np.frombuffer(table, dtype="<u4").tolist()
        if all(offset in index_by_offset for offset in offsets):
            return [index_by_offset[offset] for offset in offsets]
    return [index for index, item in enumerate(fragments.items) if bytes(item[:2]) in {b"\xff\xd8", b"\xff\x4f"}]


def _offsets(items: list[Buffer]) -> list[int]:
    out, offset = [], 0
    for item in items:
        out.append(offset)
        offset += _ITEM_HEADER_BYTES + len(item)
    return out


def _basic_offsets(items: list[Buffer]) -> bytes:
    offsets = _offsets(items)
    if offsets[-1] > _LARGEST_BASIC_OFFSET:
        return b""
    return np.array(offsets, dtype="<u4").tobytes()


def _write_extended_offsets(data_set: DataSet, items: list[Buffer], lengths: list[int]) -> None:
    values = {EXTENDED_OFFSET_TABLE: _offsets(items), EXTENDED_OFFSET_TABLE_LENGTHS: lengths}
    for tag, numbers in values.items():
        data_set.elements[tag] = Element(tag, "OV", np.array(numbers, dtype="<u8").tobytes())

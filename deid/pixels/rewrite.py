"""Masked frames written back into an instance, in its own transfer syntax wherever that loses nothing.

- Native: masked pixels are new bytes, all others stay views of what was received (`deid.encoding.element.Pieces`), but
  for short gaps; equal new bytes are in memory once. So what is masked in thousands of frames takes little.
- Encapsulated, where an encoder exists: touched frames are encoded without loss, all others keep their bytes. That goes
  for JPEG 2000, HTJ2K and JPEG-LS that may be lossy too: these syntaxes hold lossless frames beside lossy ones (PS3.5
  Sections A.4.3, A.4.4 and A.4.13), so what had been lost before isn't joined by more.
- JPEG with DCT: the blocks under the boxes are changed in the stream, all others keep their coefficients.
- Whatever is none of these, or fails: the whole instance becomes Explicit VR Little Endian, or RLE where that would be
  very long. All frames are decoded once, none is compressed with loss a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import Buffer, Element, Fragments, Pieces
from deid.encoding.syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax, transfer_syntax
from deid.errors import Reason, Refused
from deid.pixels.attributes import put, text_of
from deid.pixels.background import Background, stored_values
from deid.pixels.box import AnyBox
from deid.pixels.codecs import can_encode, encode
from deid.pixels.codecs.headers import jpeg_header
from deid.pixels.components import decoded_form
from deid.pixels.format import PIXEL_DATA, Format
from deid.pixels.frames import (
    EXTENDED_OFFSET_TABLE_LENGTHS,
    OFFSET_TABLES,
    clear_unused_bits,
    write_fragments,
)
from deid.pixels.jpeg_edit import mask_jpeg
from deid.pixels.mask import covered_by, fitted_boxes, mask_frame
from deid.pixels.native import Samples, swap_bytes
from deid.pixels.stored import Frames

Boxes = Mapping[int, Sequence[AnyBox]]
"""Index of a frame → what to mask in it. An encapsulated frame without boxes is rewritten without unused bits."""

LONGEST_NATIVE_FALLBACK_BYTES: Final = 1 << 28

_RLE_LOSSLESS = "1.2.840.10008.1.2.5"
_DCT = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_PHOTOMETRIC, _PLANAR = 0x0028_0004, 0x0028_0006
_SMALLEST, _LARGEST = 0x0028_0106, 0x0028_0107
_OTHER_EXTREMES = (0x0028_0108, 0x0028_0109, 0x0028_0110, 0x0028_0111)  # of the series, of a plane
_LOSSY, _LOSSY_RATIO, _LOSSY_METHOD = 0x0028_2110, 0x0028_2112, 0x0028_2114
_LOSSY_METHODS = {
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{number}" for number in range(50, 57)), b"ISO_10918_1"),
    "1.2.840.10008.1.2.4.81": b"ISO_14495_1",
    "1.2.840.10008.1.2.4.91": b"ISO_15444_1",
    "1.2.840.10008.1.2.4.93": b"ISO_15444_2",
    "1.2.840.10008.1.2.4.203": b"ISO_15444_15",
}
_SHORT_GAP_BYTES = 1024  # a view of them would take a quarter of that
_NO_RUNS: NDArray[np.int64] = np.empty((0, 2), np.int64)
_JOINED_BYTES = 1 << 20  # up to here one new value is simpler than pieces


def silent() -> None:
    """Tell nobody of any progress."""


def write_masked(frames: Frames, boxes: Boxes, progress: Callable[[], None] = silent) -> TransferSyntax:
    """Mask frames of an instance, in place; return the transfer syntax that it is in from now on.

    Pixel Data, the offset tables and what describes either are changed; frames that aren't named keep every bit.

    Parameters
    ----------
    frames
        of the Data Set to change
    boxes
        what to mask, by frame
    progress
        is called for each frame that is encoded

    Raises
    ------
    Refused
        If a frame can't be decoded, or there is no syntax to write it in.
    """
    if not boxes:
        return frames.syntax
    writer = Writer(frames, boxes, progress)
    syntax = writer.native() if frames.is_native else writer.encapsulated()
    if any(boxes.values()):
        writer.update_extremes()
    return syntax


class Writer:
    """Writes frames that have changed back, all others as they were; here the changed ones are masked."""

    def __init__(self, frames: Frames, boxes: Boxes, progress: Callable[[], None]) -> None:
        self._frames = frames
        self._progress = progress
        self._boxes = {frame: fitted_boxes(boxes[frame], frames.form) for frame in sorted(boxes)}
        self._background = Background.of(frames.data_set, frames.syntax, frames.form)
        self._extremes: tuple[int, int] | None = None

    def _form(self, frame: int) -> Format:
        if self._frames.is_native:
            return self._frames.form
        return decoded_form(self._frames.stored(frame), self._frames.form, self._frames.syntax)

    def _masked(self, frame: int) -> Samples:
        """Return a frame as it is to be, without unused bits."""
        self._progress()
        form = self._form(frame)
        array = self._frames.array(frame)
        if not self._frames.is_native and not form.float_bits:
            array = clear_unused_bits(array, form)
        masked = self._changed(array, form, frame)
        if len(self._frames) == 1 and form.samples == 1 and not form.float_bits:
            values = stored_values(masked, form)
            self._extremes = int(values.min()), int(values.max())
        return masked

    def _changed(self, array: Samples, form: Format, frame: int) -> Samples:
        """Return the values that a frame is to have, of those that are stored in it."""
        return mask_frame(array, self._boxes.get(frame, ()), replace(self._background, form=form), frame)

    # Native

    def native(self) -> TransferSyntax:
        """Replace the masked pixels."""
        frames, element = self._frames, self._frames.element
        needs_whole_frames = frames.form.sample_bits == 1 or frames.has_swapped_bytes
        patches = self._whole_frames() if needs_whole_frames else self._runs()
        value = element.value
        assert not isinstance(value, list | Fragments)  # noqa: S101  native
        pieces = _patched(value if isinstance(value, Pieces) else Pieces([value]), patches)
        small = len(pieces) <= _JOINED_BYTES
        frames.data_set.elements[element.tag] = Element(element.tag, element.vr, bytes(pieces) if small else pieces)
        return frames.syntax

    def _runs(self) -> Iterator[tuple[int, bytes]]:
        """Return the masked bytes of all frames, with short gaps between them, and where they begin."""
        form = self._frames.form
        planes = form.samples if form.planar == 1 and not form.is_subsampled else 1
        plane_bytes = form.one_frame.size_bytes(form.sample_bits) // planes
        pixel_bytes = plane_bytes // (form.rows * form.columns)
        known: dict[bytes, bytes] = {}
        for frame, boxes in self._boxes.items():
            packed = encode(self._masked(frame), form, self._frames.syntax)
            runs = _joined(covered_by(boxes, form), pixel_bytes)
            for plane in range(planes):
                for first, last in runs + plane * plane_bytes:
                    new = packed[first:last]
                    yield self._frames.place(frame)[0] + int(first), known.setdefault(new, new)

    def _whole_frames(self) -> Iterator[tuple[int, bytes]]:
        """Return the masked frames whose borders are not those of bytes or words, with what lies around them."""
        frames, bits_per_frame = self._frames, self._frames.bits_per_frame
        start, done = 0, b""
        for frame, boxes in self._boxes.items():
            if not boxes:
                continue
            begin = frames.place(frame)[0]
            if begin >= start + len(done):
                if done:
                    yield start, self._in_order(done)
                start, done = begin, b""
            received = self._in_order(bytes(frames.stored(frame)))
            done += received[len(done) - (begin - start) :]
            first = frame * bits_per_frame - start * 8
            bits = np.unpackbits(np.frombuffer(done, np.uint8), bitorder="little")
            new = np.frombuffer(encode(self._masked(frame), frames.form, frames.syntax), np.uint8)
            bits[first : first + bits_per_frame] = np.unpackbits(new, count=bits_per_frame, bitorder="little")
            done = np.packbits(bits, bitorder="little").tobytes()
        if done:
            yield start, self._in_order(done)

    def _in_order(self, value: bytes) -> bytes:
        """Return stored bytes in the order of pixels, and the other way round."""
        return swap_bytes(value) if self._frames.has_swapped_bytes else value

    # Encapsulated

    def encapsulated(self) -> TransferSyntax:
        """Replace the touched frames; if that can't be, all of them."""
        frames = self._frames
        all_reversible = frames.form.photometric == "YBR_ICT" and can_encode(frames.form, frames.syntax)
        try:
            touched = range(len(frames)) if all_reversible else self._boxes
            form = replace(frames.form, photometric="YBR_RCT") if all_reversible else frames.form
            new = {frame: self._encoded(frame, form) for frame in touched}
        except Refused:
            return self._fall_back()
        value = frames.element.value
        assert isinstance(value, Fragments)  # noqa: S101  encapsulated
        lengths = self._lengths(value)
        items = list(value.items)
        for frame, stored in new.items():
            items[frame], lengths[frame] = stored + b"\0" * (len(stored) % 2), len(stored)
        if all_reversible:
            put(frames.data_set, _PHOTOMETRIC, "CS", b"YBR_RCT ")
        if frames.syntax.lossy:
            self._declare_lossy()
        write_fragments(frames.data_set, items, lengths, has_offsets=bool(len(value.offsets)))
        return frames.syntax

    def _encoded(self, frame: int, form: Format) -> bytes:
        frames, boxes = self._frames, self._boxes.get(frame, [])
        if frames.syntax.uid in _DCT:
            return self._edited(frame, boxes) if boxes else bytes(frames.stored(frame))
        if not can_encode(frames.form, frames.syntax):
            raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"no encoder for {frames.syntax.uid}")
        return encode(self._masked(frame), form.one_frame, frames.syntax)

    def _edited(self, frame: int, boxes: Sequence[AnyBox]) -> bytes:
        """Return a JPEG frame with flat blocks; a signed value is a two's complement in its unsigned samples."""
        self._progress()
        stored = bytes(self._frames.stored(frame))
        background = replace(self._background, form=self._form(frame))
        values = background.samples(self._frames.array(frame), covered_by(boxes, self._frames.form), frame)
        mask = (1 << jpeg_header(stored).precision) - 1
        return mask_jpeg(stored, boxes, [int(value) & mask for value in values])

    def _lengths(self, value: Fragments) -> list[int]:
        """Return the lengths of the frames: those of the Extended Offset Table, else of the fragments."""
        element = self._frames.data_set.elements.get(EXTENDED_OFFSET_TABLE_LENGTHS)
        if element is not None and isinstance(element.value, bytes | memoryview):
            known = np.frombuffer(element.value, "<u8")
            if len(known) == len(value.items):
                return [int(length) for length in known]
        return [len(item) for item in value.items]

    # The whole instance in another syntax

    def _fall_back(self) -> TransferSyntax:
        frames = self._frames
        form = self._fallback_form()
        size_bytes = form.size_bytes(form.sample_bits)
        rle = transfer_syntax(_RLE_LOSSLESS)
        is_native = size_bytes <= LONGEST_NATIVE_FALLBACK_BYTES or not can_encode(form, rle)
        arrays = (self._masked(frame) for frame in range(len(frames)))
        if frames.syntax.lossy:
            self._declare_lossy()
        for tag in OFFSET_TABLES:
            frames.data_set.elements.pop(tag, None)
        if form.photometric != frames.form.photometric:
            put(frames.data_set, _PHOTOMETRIC, "CS", form.photometric.encode() + b" " * (len(form.photometric) % 2))
        if form.samples > 1:
            put(frames.data_set, _PLANAR, "US", bytes(2))
        if is_native:
            vr = "OB" if form.bits_allocated <= 8 else "OW"
            native = transfer_syntax(EXPLICIT_VR_LITTLE_ENDIAN)
            frames.data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, vr, self._packed(arrays, form, native))
            return native
        stored = [encode(array, form.one_frame, rle) for array in arrays]
        items: list[Buffer] = [frame + b"\0" * (len(frame) % 2) for frame in stored]
        write_fragments(frames.data_set, items, [len(frame) for frame in stored], has_offsets=True)
        return rle

    def _packed(self, arrays: Iterator[Samples], form: Format, native: TransferSyntax) -> Pieces:
        if form.sample_bits == 1:  # frames follow each other bit by bit
            flat = np.concatenate([array.reshape(-1) for array in arrays])
            return Pieces([np.packbits(flat, bitorder="little").tobytes()])
        return Pieces([encode(array, form, native) for array in arrays])

    def _fallback_form(self) -> Format:
        """Return the format of the decoded frames; of pixels that no native syntax can label there is none."""
        frames = self._frames
        forms = {self._form(frame).photometric for frame in range(len(frames))}
        photometric = forms.pop()
        if photometric == "YBR_FULL_422":
            photometric = "YBR_FULL"
        if forms or photometric.startswith("YBR_PARTIAL"):
            raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"{frames.syntax.uid} {photometric} in no other syntax")
        return replace(frames.form, photometric=photometric, is_subsampled=False, planar=0)

    def _declare_lossy(self) -> None:
        """Say that the pixels were compressed with loss, where so far the transfer syntax alone did (C.7.6.1.1.5)."""
        data_set, syntax = self._frames.data_set, self._frames.syntax
        if text_of(data_set, _LOSSY) or syntax.uid not in _LOSSY_METHODS:
            return
        form = self._frames.form
        compressed = sum(len(self._frames.stored(frame)) for frame in range(len(self._frames)))
        ratio = f"{form.size_bytes(form.sample_bits) / max(compressed, 1):.3f}".encode()
        method = _LOSSY_METHODS[syntax.uid]
        put(data_set, _LOSSY, "CS", b"01")
        put(data_set, _LOSSY_RATIO, "DS", ratio + b" " * (len(ratio) % 2))
        put(data_set, _LOSSY_METHOD, "CS", method + b" " * (len(method) % 2))

    # What describes the values

    def update_extremes(self) -> None:
        """Make Smallest and Largest Image Pixel Value true again; remove them where all frames would have to be read.

        Type 3 all (PS3.3 Section C.7.6.3). The values of the series are no longer those of this image either.
        """
        data_set, form = self._frames.data_set, self._frames.form
        order = "little" if self._frames.syntax.little_endian else "big"
        for tag in _OTHER_EXTREMES:
            data_set.elements.pop(tag, None)
        for index, tag in enumerate((_SMALLEST, _LARGEST)):
            element = data_set.elements.pop(tag, None)
            if element is None or self._extremes is None:
                continue
            number = self._extremes[index]
            is_word = -(1 << 15) <= number < 1 << 15 if form.is_signed else 0 <= number < 1 << 16
            if is_word:
                value = number.to_bytes(2, order, signed=form.is_signed)  # type: ignore[arg-type]
                put(data_set, tag, "SS" if form.is_signed else "US", value)


def _joined(covered: NDArray[np.bool_], pixel_bytes: int) -> NDArray[np.int64]:
    """Return where masked bytes begin and end, of an image whose rows follow each other; short gaps are among them."""
    edges = np.flatnonzero(np.diff(covered.ravel(), prepend=False, append=False)) * pixel_bytes
    first, last = edges[::2], edges[1::2]
    is_gap = first[1:] - last[:-1] > _SHORT_GAP_BYTES
    return np.stack([first[np.append(True, is_gap)], last[np.append(is_gap, True)]], axis=1) if len(first) else _NO_RUNS


def _patched(source: Pieces, patches: Iterator[tuple[int, bytes]]) -> Pieces:
    """Return a value with some of its bytes replaced; patches come in ascending order and don't overlap."""
    parts: list[Buffer] = []
    kept_from = 0
    for start, new in patches:
        parts += [*source.between(kept_from, start), new]
        kept_from = start + len(new)
    return Pieces([*parts, *source.between(kept_from, len(source))])

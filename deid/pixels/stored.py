"""The frames of an instance as they are stored, one at a time: however many there are, one is in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from deid.encoding.element import Buffer, DataSet, Element, Fragments, Pieces
from deid.encoding.syntax import TransferSyntax
from deid.errors import Reason, Refused
from deid.pixels.codecs import decode
from deid.pixels.format import BITS_OF_FLOAT_PIXELS, PIXEL_DATA, Format
from deid.pixels.native import Samples, bits_of, swap_bytes

_HASH_BYTES = 16


@dataclass(slots=True)
class Frames:
    """The frames of a Data Set whose pixels were rebuilt (`deid.pixels.frames.rebuild_pixel_data`).

    They go on showing what was there when they were made, whatever is written to the Data Set later.

    Attributes
    ----------
    data_set
        the instance, or the item of an icon
    syntax
        its transfer syntax
    form
        its Image Pixel module
    element
        its Pixel Data, Float Pixel Data or Double Float Pixel Data
    """

    data_set: DataSet
    syntax: TransferSyntax
    form: Format
    element: Element
    _last: tuple[int, Samples] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, data_set: DataSet, syntax: TransferSyntax) -> Frames | None:
        """Return the frames of a Data Set, None if it has no pixels.

        Raises
        ------
        Refused
            MALFORMED, if nothing says what they are, there are several Pixel Data, or the fragments aren't one for each
            frame
        """
        found = [data_set.elements[tag] for tag in (PIXEL_DATA, *BITS_OF_FLOAT_PIXELS) if tag in data_set.elements]
        if not found or (isinstance(found[0].value, bytes | memoryview) and not len(found[0].value)):
            return None
        form = Format.of(data_set, syntax)
        if form is None or len(found) > 1 or isinstance(found[0].value, list):
            raise Refused(Reason.MALFORMED, "(7FE0,0010) that nothing describes, or twice")
        value = found[0].value
        if isinstance(value, Fragments) and len(value.items) != form.frames:
            raise Refused(Reason.MALFORMED, f"(7FE0,0010) {len(value.items)} fragments for {form.frames} frames")
        return cls(data_set, syntax, form, found[0])

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.form.frames

    @property
    def is_native(self) -> bool:
        """Tell whether the pixels lie uncompressed, one frame after the other."""
        return not isinstance(self.element.value, Fragments)

    @property
    def has_swapped_bytes(self) -> bool:
        """Tell whether samples of a byte lie in words of the other byte order (PS3.5 Annex D, OW in big endian)."""
        is_short = self.form.sample_bits <= 8
        return self.is_native and is_short and self.element.vr == "OW" and not self.syntax.little_endian

    @property
    def bits_per_frame(self) -> int:
        """Return from how many bits to how many bits native frames follow each other."""
        form = self.form.one_frame
        return form.rows * form.columns if form.sample_bits == 1 else form.size_bytes(form.sample_bits) * 8

    def stored(self, frame: int) -> Buffer:
        """Return the bytes of a frame, as a view where they lie in one place.

        Of native frames of one bit per pixel, or with swapped bytes, those around its borders are among them.
        """
        value = self.element.value
        if isinstance(value, Fragments):
            return value.items[frame]
        assert not isinstance(value, list)  # noqa: S101  `of` has looked
        start, stop = self.place(frame)
        return value[start:stop] if isinstance(value, Pieces) else memoryview(value)[start:stop]

    def place(self, frame: int) -> tuple[int, int]:
        """Return where the bytes of a native frame begin and end, widened to whole bytes, and words if swapped."""
        bits = self.bits_per_frame
        start, stop = frame * bits // 8, ((frame + 1) * bits + 7) // 8
        return (start - start % 2, stop + stop % 2) if self.has_swapped_bytes else (start, stop)

    def array(self, frame: int) -> Samples:
        """Return a frame's stored values: no colour conversion, no window; native ones as a view where that can be.

        Returns
        -------
        numpy.ndarray
            (rows, columns) or (rows, columns, samples), read-only; native ones in the byte order of the transfer syntax

        Raises
        ------
        Refused
            If the frame can't be decoded.
        """
        if self._last is not None and self._last[0] == frame:
            return self._last[1]
        value = self.stored(frame)
        if self.has_swapped_bytes:
            value = swap_bytes(bytes(value) + bytes(len(value) % 2))
        first = frame * self.bits_per_frame - self.place(frame)[0] * 8 if self.is_native else 0
        if self.is_native and self.form.sample_bits == 1:
            decoded = bits_of(value, first, self.form)
        else:
            decoded = decode(memoryview(value)[first // 8 :], self.form, self.syntax)
        decoded.flags.writeable = False
        self._last = (frame, decoded)
        return decoded

    def equal_hash(self, frame: int) -> bytes:
        """Return 16 bytes that are the same for frames of the same stored bytes, size and pixel format.

        Neither window nor palette counts: what was found in one frame is where it is in another of the same hash.
        """
        digest = blake2b(repr((self.form.one_frame, self.syntax)).encode(), digest_size=_HASH_BYTES)
        is_apart = self.bits_per_frame % 8 == 0 and not self.has_swapped_bytes
        digest.update(self.stored(frame) if is_apart or not self.is_native else self.array(frame).tobytes())
        return digest.digest()

"""What a codestream says of its image, read before a decoder sees it: sizes are checked while nothing is allocated."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from deid.errors import Reason, Refused
from deid.pixels.format import Format

_SOI, _SOC_SIZ = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAME_HEADER = struct.Struct(">BHHB")
_SIZ = struct.Struct(">HH8LH")
_COMPONENT_BYTES = 3
# SOF0..SOF15 without DHT, JPG and DAC; SOF55 of JPEG-LS (ISO/IEC 10918-1 Table B.1, ISO/IEC 14495-1 Table C.1).
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_EOI, _SOS = 0xD9, 0xDA


@dataclass(frozen=True, slots=True)
class Header:
    """The frame header of a codestream.

    Attributes
    ----------
    marker
        second byte of the marker that begins it: the process of JPEG
    samples
        per pixel: how many components there are
    """

    marker: int
    rows: int
    columns: int
    precision: int
    samples: int

    def check(self, form: Format) -> None:
        """Refuse a codestream of another size than its Data Set's.

        A precision other than Bits Stored is common and harmless as long as Bits Allocated has room for it.

        Raises
        ------
        Refused
            MALFORMED, if it is of another size
        """
        is_same = (self.rows, self.columns, self.samples) == (form.rows, form.columns, form.samples)
        if not is_same or self.precision > form.bits_allocated:
            raise _malformed(
                f"of {self.rows} by {self.columns} by {self.samples} samples of {self.precision} bits "
                f"for {form.rows} by {form.columns} by {form.samples} of {form.bits_allocated}"
            )


def jpeg_header(stream: bytes) -> Header:
    """Return the frame header of a JPEG or JPEG-LS stream (ISO/IEC 10918-1 Section B.2.2).

    Raises
    ------
    Refused
        MALFORMED, if there is none
    """
    marker, payload = _frame_header(stream)
    if len(payload) < _FRAME_HEADER.size:
        raise _malformed("with a short frame header")
    precision, rows, columns, count = _FRAME_HEADER.unpack_from(payload)
    components = payload[_FRAME_HEADER.size :]
    if len(components) != count * _COMPONENT_BYTES:
        raise _malformed("with a frame header of another length than its components need")
    return Header(marker, rows, columns, precision, count)


def _frame_header(stream: bytes) -> tuple[int, bytes]:
    if stream[:2] != _SOI:
        raise _malformed("without SOI")
    pos = 2
    while True:
        while stream[pos : pos + 2] == b"\xff\xff":
            pos += 1
        if pos + 4 > len(stream) or stream[pos] != 0xFF:
            raise _malformed("without frame header")
        marker = stream[pos + 1]
        if marker in _WITHOUT_LENGTH:
            pos += 2
            continue
        end = pos + 2 + int.from_bytes(stream[pos + 2 : pos + 4])
        if marker in {_EOI, _SOS} or end < pos + 4 or end > len(stream):
            raise _malformed("without frame header")
        if marker in _FRAME_MARKERS:
            return marker, stream[pos + 4 : end]
        pos = end


def jpeg2000_header(stream: bytes) -> Header:
    """Return what the SIZ segment of a JPEG 2000 codestream says (ISO/IEC 15444-1 Section A.5.1).

    Raises
    ------
    Refused
        MALFORMED, if there is none, or components differ from one another in size or precision
    """
    if stream[:4] != _SOC_SIZ or len(stream) < 4 + _SIZ.size:
        raise _malformed("without SIZ")
    length, _, x_size, y_size, x_offset, y_offset, *_, count = _SIZ.unpack_from(stream, 4)
    first = 4 + _SIZ.size
    components = stream[first : first + count * _COMPONENT_BYTES]
    if not count or length != _SIZ.size + count * _COMPONENT_BYTES or len(components) != count * _COMPONENT_BYTES:
        raise _malformed("with a SIZ of another length than its components need")
    if components[:_COMPONENT_BYTES] * count != components or components[1:3] != b"\1\1":
        raise _malformed("with components of different sizes")
    return Header(
        marker=0x51,
        rows=y_size - y_offset,
        columns=x_size - x_offset,
        precision=(components[0] & 0x7F) + 1,
        samples=count,
    )


def _malformed(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"codestream {what}")

"""JPEG-LS by CharLS (ISO/IEC 14495-1)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from deid.encoding.element import Buffer
from deid.pixels.codecs.headers import jpeg_header
from deid.pixels.codecs.precision import stored_samples
from deid.pixels.format import Format
from deid.pixels.jpeg import strip_jpeg
from deid.pixels.native import Samples

_EOI = b"\xff\xd9"
_HEADER_BYTES = 4096
_LONGEST_CODE = 4  # a code has at most LIMIT bits, four times those of a sample (ISO/IEC 14495-1 Section C.2.4.1)


def decode(frame: Buffer, form: Format) -> Samples:
    """Return the samples of a JPEG-LS stream, lossless or near-lossless.

    CharLS searches for seconds after the end of a stream that has no EOI: there is always one more.
    """
    stream = bytes(frame)
    header = jpeg_header(stream)
    header.check(form)
    values = np.asarray(imagecodecs.jpegls_decode(stream + _EOI))
    return stored_samples(values, header.precision, form)


def encode(values: Samples, form: Format) -> bytes:
    """Return a lossless JPEG-LS stream of 8 or 16 bits, components interleaved by pixel.

    Fewer bits, as Bits Stored may say, would save 1 to 3 %; CharLS's binding takes none.
    """
    del form
    unsigned = values.view(f"u{values.dtype.itemsize}")
    room_bytes = _HEADER_BYTES + _LONGEST_CODE * values.nbytes
    return strip_jpeg(bytes(imagecodecs.jpegls_encode(unsigned, out=room_bytes)), is_ls=True)

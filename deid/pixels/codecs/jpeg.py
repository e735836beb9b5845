"""JPEG by libjpeg-turbo: baseline, extended, progressive and lossless, 2 to 16 bits (ISO/IEC 10918-1)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused
from deid.pixels.codecs.headers import jpeg_header
from deid.pixels.codecs.precision import needed_bits, stored_samples, unsigned_samples
from deid.pixels.format import Format
from deid.pixels.native import Samples

# SOF0..SOF3, and the first two with arithmetic coding; hierarchical ones have no decoder.
_PROCESSES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA})
_FEWEST_BITS = 2
# A space named twice is a space that nothing is converted from or to, whatever the components are.
_UNCONVERTED: dict[int, dict[str, str]] = {
    1: {},
    3: {"colorspace": "YCBCR", "outcolorspace": "YCBCR"},
    4: {"colorspace": "CMYK", "outcolorspace": "CMYK"},
}


def decode(frame: Buffer, form: Format) -> Samples:
    """Return the components of a JPEG stream, chroma spread over the pixels by interpolation, no colours converted."""
    stream = bytes(frame)
    header = jpeg_header(stream)
    header.check(form)
    if header.marker not in _PROCESSES or form.samples not in _UNCONVERTED:
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"JPEG process {header.marker:02X} of {form.samples} samples")
    values = imagecodecs.jpeg8_decode(stream, **_UNCONVERTED[form.samples])  # type: ignore[arg-type]
    return stored_samples(np.asarray(values), header.precision, form)


def encode(values: Samples, form: Format) -> bytes:
    """Return a lossless JPEG stream, process 14 with selection value 1 (PS3.5 Section 10.2).

    It has no application segments: what its components are is left to Photometric Interpretation.
    """
    precision = max(needed_bits(values, form), _FEWEST_BITS)
    coded = unsigned_samples(values, precision)
    return bytes(
        imagecodecs.jpeg8_encode(
            coded, lossless=True, predictor=1, bitspersample=precision, colorspace="UNKNOWN", outcolorspace="UNKNOWN"
        )
    )

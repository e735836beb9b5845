"""JPEG 2000 by OpenJPEG, HTJ2K encoded by OpenJPH (ISO/IEC 15444-1, ISO/IEC 15444-15)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused
from deid.pixels.codecs.headers import jpeg2000_header
from deid.pixels.codecs.precision import needed_bits, stored_samples
from deid.pixels.format import Format
from deid.pixels.jpeg2000 import strip_jpeg2000
from deid.pixels.native import Samples

MOST_BITS = 20
"""Of noise with the component transform OpenJPEG gives 24 bits no longer back as they were."""

_SOC = b"\xff\x4f"
_FIRST_COMPONENT = 42  # SOC and SIZ's fields before Ssiz (ISO/IEC 15444-1 Table A.9)
_SIGNED = 0x80
_DECOMPOSITIONS = 5
_THUMBNAIL_PX = 64


def decode(frame: Buffer, form: Format) -> Samples:
    """Return the samples of a codestream of Part 1 or Part 15, its component transform undone.

    OpenJPEG decodes both: OpenJPH, twice as fast for Part 15, crashes on damaged streams.
    """
    stream = bytes(frame)
    if stream[:2] != _SOC:
        stream = strip_jpeg2000(stream)  # out of the boxes of a JP2 file
    header = jpeg2000_header(stream)
    header.check(form)
    values = imagecodecs.jpeg2k_decode(stream, planar=False, verbose=0)
    return stored_samples(np.asarray(values), header.precision, form)


def encode(values: Samples, form: Format) -> bytes:
    """Return a reversible codestream of Part 1."""
    precision = needed_bits(values, form)
    if precision > MOST_BITS:
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"JPEG 2000 of {precision} bits")
    size = 1 if precision <= 8 else 2 if precision <= 16 else 4
    stream = imagecodecs.jpeg2k_encode(
        values.astype(f"{form.dtype.kind}{size}", copy=False),
        level=0,
        codecformat="J2K",
        reversible=True,
        bitspersample=precision,
        mct=_is_transformed(form),
        planar=False,
        verbose=0,
    )
    return strip_jpeg2000(bytes(stream))


def encode_high_throughput(values: Samples, form: Format) -> bytes:
    """Return a reversible codestream of Part 15 in RPCL order, with TLM and a base resolution within 64 pixels.

    So it is right for all three transfer syntaxes of HTJ2K (PS3.5 Section 10.18). OpenJPH takes whole bytes only:
    it is given signed samples, which have no level shift, and the precision is written in SIZ afterwards.
    """
    precision = needed_bits(values, form)
    if precision > 16:
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"HTJ2K of {precision} bits")
    is_signed = form.dtype.kind == "i"
    shift = 0 if is_signed else 1 << (precision - 1)
    samples = (values.astype("i4") - shift).astype("i1" if precision <= 8 else "i2")
    longest_px = max(form.rows, form.columns)
    levels = _DECOMPOSITIONS
    while longest_px > _THUMBNAIL_PX << levels:
        levels += 1
    stream = bytearray(
        imagecodecs.htj2k_encode(
            samples, reversible=True, planar=False, rgb=_is_transformed(form), tlm=True, resolutions=levels
        )
    )
    for component in range(form.samples):
        stream[_FIRST_COMPONENT + 3 * component] = (precision - 1) | (_SIGNED if is_signed else 0)
    return strip_jpeg2000(bytes(stream))


def _is_transformed(form: Format) -> bool:
    return form.samples == 3 and form.photometric in {"YBR_RCT", "YBR_ICT"}

"""One frame between its encoded bytes and its stored values, for every transfer syntax with an open codec.

Stored values are what the codestream or the native bytes hold: no lookup table, no window, no conversion of colours.
What undoes itself inside a codec is undone: the component transform of JPEG 2000 (YBR_RCT and YBR_ICT decode to RGB),
and the subsampling of chroma, whose samples are spread over the pixels that they belong to. What three samples are
then, `deid.pixels.components` says.

`encode` gives back every value exactly. What is lossy by nature (JPEG) or has no open encoder is for the caller to
write in another transfer syntax; `can_encode` says so beforehand.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deid.encoding.element import Buffer
from deid.encoding.syntax import TransferSyntax
from deid.errors import Reason, Refused
from deid.pixels.codecs import jpeg, jpeg2000, jpeg_ls, packed
from deid.pixels.format import Format
from deid.pixels.native import Samples, pack, unpack

MOST_SAMPLES = 1 << 28
"""Samples of one frame that are decoded at all: 16384 by 16384, for which codecs take a gigabyte."""

_ALL, _JPEG = "1.2.840.10008.1.2.", "1.2.840.10008.1.2.4."
_Decode = Callable[[Buffer, Format], Samples]
_Encode = Callable[[Samples, Format], bytes]


def _uids(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{_JPEG}{number}" for number in numbers)


_DECODE: dict[str, _Decode] = {
    **dict.fromkeys(_uids(*range(50, 67), 70), jpeg.decode),
    **dict.fromkeys(_uids(80, 81), jpeg_ls.decode),
    **dict.fromkeys(_uids(90, 91, 201, 202, 203), jpeg2000.decode),
    f"{_ALL}5": packed.decode_rle,
    f"{_ALL}1.98": unpack,
    f"{_ALL}8.1": packed.decode_deflated,
}
# The lossy ones of JPEG-LS and JPEG 2000 hold lossless streams too (PS3.5 Sections A.4.3, A.4.4 and 10.18).
_ENCODE: dict[str, _Encode] = {
    **dict.fromkeys(_uids(57, 70), jpeg.encode),
    **dict.fromkeys(_uids(80, 81), jpeg_ls.encode),
    **dict.fromkeys(_uids(90, 91), jpeg2000.encode),
    **dict.fromkeys(_uids(201, 202, 203), jpeg2000.encode_high_throughput),
    f"{_ALL}5": packed.encode_rle,
    f"{_ALL}1.98": pack,
    f"{_ALL}8.1": packed.encode_deflated,
}
# Bits Allocated, and Bits Stored at most, of those that don't take all.
_ENCODABLE = {
    **dict.fromkeys(_uids(57, 70, 80, 81), ((8, 16), 16)),
    **dict.fromkeys(_uids(90, 91), ((1, 8, 16, 32), jpeg2000.MOST_BITS)),
    **dict.fromkeys(_uids(201, 202, 203), ((1, 8, 16), 16)),
}


def decode(frame: Buffer, form: Format, syntax: TransferSyntax) -> Samples:
    """Return the stored values of one frame.

    Parameters
    ----------
    frame
        one frame: its fragments joined, or its part of native Pixel Data
    form
        what the Data Set says of it; Number of Frames is not looked at
    syntax
        the transfer syntax of the Data Set

    Returns
    -------
    numpy.ndarray
        of ``form.shape`` and ``form.dtype``, native frames in the byte order of the transfer syntax. Bits above Bits
        Stored stay as they are in native and RLE frames; a codestream's samples of fewer bits are sign-extended if
        the Data Set's are signed. Three components of JPEG come as they are coded, Y, CB and CR or R, G and B; those
        of JPEG 2000 that were transformed as R, G and B

    Raises
    ------
    Refused
        PIXELS_NOT_CLEANABLE, if no codec here decodes it; MALFORMED, if the stream isn't what the Data Set says;
        TRUNCATED, if native bytes are missing; TOO_LARGE, beyond `MOST_SAMPLES`
    """
    if form.rows * form.columns * form.samples > MOST_SAMPLES:
        raise Refused(Reason.TOO_LARGE, f"frame of {form.rows} by {form.columns} by {form.samples} samples")
    if not syntax.encapsulated:
        return unpack(frame, form, little_endian=syntax.little_endian)
    decoder = _DECODE.get(syntax.uid)
    if decoder is None or form.float_bits:
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"transfer syntax {syntax.uid}")
    try:
        values = decoder(frame, form)
    except (RuntimeError, ValueError, OverflowError) as error:  # what codecs raise; their texts stay in here
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"{type(error).__name__} in transfer syntax {syntax.uid}") from None
    except MemoryError:
        raise Refused(Reason.TOO_LARGE, f"frame of transfer syntax {syntax.uid}") from None
    if values.shape != form.shape or values.dtype != form.dtype:
        raise Refused(Reason.MALFORMED, f"frame of shape {values.shape} for {form.shape}")
    return values


def can_encode(form: Format, syntax: TransferSyntax) -> bool:
    """Tell whether `encode` can write frames of this kind.

    JPEG's lossy processes, Part 2 of JPEG 2000 and video it can't, nor floats in a codestream, nor colours of one bit.
    """
    if not syntax.encapsulated:
        return True
    if syntax.uid not in _ENCODE or form.float_bits or form.samples not in {1, 3}:
        return False
    bits_allocated, most_bits_stored = _ENCODABLE.get(syntax.uid, ((1, 8, 16, 32), 32))
    has_bits = form.bits_allocated in bits_allocated and form.bits_stored <= most_bits_stored
    return has_bits and (form.samples == 1 or form.bits_allocated > 1)


def encode(values: Samples, form: Format, syntax: TransferSyntax) -> bytes:
    """Return a frame that decodes to exactly these values.

    Parameters
    ----------
    values
        as `decode` returns them
    form
        what the Data Set to write says of the frame. Photometric Interpretation YBR_RCT or YBR_ICT gives JPEG 2000's
        reversible component transform, any other none
    syntax
        the transfer syntax to write, of which `can_encode` is true. For those of JPEG 2000 and JPEG-LS that can be
        lossy a lossless stream is written

    Returns
    -------
    bytes
        not padded to even length. Of subsampled native pixels the chroma of every first of two is written, so that
        masks must begin and end at even columns

    Raises
    ------
    Refused
        PIXELS_NOT_CLEANABLE, if there is no encoder, or a value needs more bits than it has
    ValueError
        for an array of another shape or type
    """
    if values.shape != form.shape or values.dtype.newbyteorder("=") != form.dtype:
        raise ValueError("an array that decode could not have returned")
    if not syntax.encapsulated:
        return pack(values, form, little_endian=syntax.little_endian)
    if not can_encode(form, syntax):
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"no encoder for transfer syntax {syntax.uid}")
    try:
        return _ENCODE[syntax.uid](np.ascontiguousarray(values, form.dtype), form)
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"{type(error).__name__} in transfer syntax {syntax.uid}") from None

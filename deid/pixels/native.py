"""Native frames between bytes and arrays (PS3.5 Section 8.1 and Annex D, PS3.3 Section C.7.6.3.1)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused
from deid.pixels.format import Format

Samples: TypeAlias = NDArray[Any]
"""A decoded frame: (rows, columns) or (rows, columns, samples), of stored values."""


def unpack(frame: Buffer, form: Format, *, little_endian: bool = True) -> Samples:
    """Return a native frame as an array; a view of its bytes unless bits or chroma pairs have to be spread.

    Parameters
    ----------
    frame
        the bytes of one frame, more of them being ignored; of one bit per pixel it begins with the lowest bit of the
        first byte
    form
        what they are
    little_endian
        byte order of the samples, which is the array's too

    Returns
    -------
    numpy.ndarray
        (rows, columns) or (rows, columns, samples); of ``YBR_FULL_422`` each chroma sample stands in both pixels

    Raises
    ------
    Refused
        TRUNCATED, if there are too few bytes; PIXELS_NOT_CLEANABLE, for samples that no array has; MALFORMED, for
        chroma pairs in rows of odd length
    """
    size_bytes = form.one_frame.size_bytes(form.sample_bits)
    if len(frame) < size_bytes:
        raise Refused(Reason.TRUNCATED, f"a frame has {len(frame)} of {size_bytes} bytes")
    if form.sample_bits == 1:
        return bits_of(frame, 0, form)
    dtype = form.dtype.newbyteorder("<" if little_endian else ">")
    samples = np.frombuffer(frame, dtype, size_bytes // dtype.itemsize)
    if form.is_subsampled:
        return _spread(samples, form)
    if form.samples > 1 and form.planar == 1:
        return samples.reshape(form.samples, form.rows, form.columns).transpose(1, 2, 0)
    return samples.reshape(form.shape)


def bits_of(value: Buffer, first: int, form: Format) -> Samples:
    """Return a frame of one bit per pixel that begins at bit `first` of `value`, as bytes of 0 and 1."""
    if form.samples != 1:
        raise Refused(Reason.MALFORMED, f"{form.samples} samples of one bit")
    pixels = form.rows * form.columns
    start, stop = first // 8, (first + pixels + 7) // 8
    packed = np.frombuffer(memoryview(value)[start:stop], np.uint8)
    bits = np.unpackbits(packed, count=first % 8 + pixels, bitorder="little")
    return bits[first % 8 :].reshape(form.shape)


def pack(array: Samples, form: Format, *, little_endian: bool = True) -> bytes:
    """Return what `unpack` made an array of: the bytes of a native frame.

    Parameters
    ----------
    array
        as `unpack` returns it; of ``YBR_FULL_422`` the chroma samples of even columns count
    form
        what the bytes are to be
    little_endian
        their byte order
    """
    if form.sample_bits == 1:
        return np.packbits(array.astype(bool), axis=None, bitorder="little").tobytes()
    samples = array
    if form.is_subsampled:
        pairs = array.reshape(-1, 2, 3)
        samples = np.concatenate([pairs[:, :, 0], pairs[:, 0, 1:]], axis=1)
    elif form.samples > 1 and form.planar == 1:
        samples = array.transpose(2, 0, 1)
    return samples.astype(form.dtype.newbyteorder("<" if little_endian else ">"), copy=False).tobytes()


def swap_bytes(value: Buffer) -> bytes:
    """Return bytes of even length with the two of each word exchanged."""
    return np.frombuffer(value, "<u2").astype(">u2").tobytes()


def _spread(samples: Samples, form: Format) -> Samples:
    """Give each of two neighbouring pixels Y, Cb, Cr where the bytes are Y Y Cb Cr (PS3.3 Section C.7.6.3.1.2)."""
    if form.columns % 2 or form.samples != 3:
        raise Refused(Reason.MALFORMED, f"{form.photometric} of {form.samples} samples in {form.columns} columns")
    pairs = samples.reshape(-1, 4)
    out = np.empty((len(pairs), 2, 3), samples.dtype)
    out[:, :, 0] = pairs[:, :2]
    out[:, :, 1:] = pairs[:, None, 2:]
    return out.reshape(form.shape)

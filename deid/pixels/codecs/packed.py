"""Encodings that pack the bytes of samples as they are: RLE and deflate."""

from __future__ import annotations

import zlib

import numpy as np

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused
from deid.pixels.format import Format
from deid.pixels.native import Samples, bits_of, pack, unpack
from deid.pixels.rle import pack_segments, unpack_segments


def decode_deflated(frame: Buffer, form: Format) -> Samples:
    """Return the samples of a frame that is one raw deflate stream (PS3.5 Section A.4.13)."""
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    size_bytes = form.one_frame.size_bytes(form.bits_allocated)
    try:
        return unpack(inflater.decompress(frame, max(size_bytes, 1)), form)
    except zlib.error:
        raise Refused(Reason.MALFORMED, "(7FE0,0010) holds no deflate stream") from None


def encode_deflated(values: Samples, form: Format) -> bytes:
    """Return samples as one raw deflate stream."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(pack(values, form)) + deflater.flush()


def decode_rle(frame: Buffer, form: Format) -> Samples:
    """Return the samples of an RLE frame: a segment for each byte of each sample, the highest first (PS3.5 Annex G)."""
    pixels, size = form.rows * form.columns, form.dtype.itemsize
    if form.bits_allocated == 1:
        return bits_of(memoryview(unpack_segments(bytes(frame), form.samples, (pixels + 7) // 8)), 0, form)
    segments = unpack_segments(bytes(frame), form.samples * size, pixels)
    by_byte = np.frombuffer(segments, np.uint8).reshape(form.samples, size, pixels)
    samples = np.ascontiguousarray(by_byte.transpose(2, 0, 1)).view(f">u{size}")
    return samples.astype(f"u{size}", copy=False).view(form.dtype).reshape(form.shape)


def encode_rle(values: Samples, form: Format) -> bytes:
    """Return samples as an RLE frame."""
    size = form.dtype.itemsize
    if form.bits_allocated == 1:
        return pack_segments([np.packbits(values.ravel(), bitorder="little")[np.newaxis]])
    big = values.view(f"u{size}").astype(f">u{size}", copy=False)
    planes = big.view(np.uint8).reshape(form.rows, form.columns, form.samples * size)
    return pack_segments([planes[..., plane].copy() for plane in range(form.samples * size)])

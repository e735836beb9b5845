"""RLE frames: their segments packed and unpacked, and nothing between or behind them (PS3.5 Annex G)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from deid.errors import Reason, Refused

_HEADER = struct.Struct("<16L")
_MOST_SEGMENTS = 15
_NOTHING = 128


def strip_rle(frame: bytes, segments: int, segment_bytes: int) -> bytes:
    """Return an RLE frame that holds exactly its segments; unchanged if there is nothing else in it.

    Parameters
    ----------
    frame
        the joined fragments of a frame
    segments
        how many the Image Pixel module asks for: bytes of a sample times samples of a pixel
    segment_bytes
        length of each when decoded

    Raises
    ------
    Refused
        MALFORMED, if the bytes are not such a frame
    """
    if len(frame) < _HEADER.size:
        raise _malformed("is shorter than its header")
    count, *offsets = _HEADER.unpack_from(frame)
    if not 1 <= count <= _MOST_SEGMENTS:
        raise _malformed("has no number of segments")
    starts = offsets[: min(count, segments)]
    if starts[0] < _HEADER.size or max(starts) >= len(frame):
        raise _malformed("has a segment outside of it")
    ends = [*starts[1:], len(frame)] if sorted(starts) == starts else [len(frame)] * len(starts)
    kept = [_segment(frame, start, end, segment_bytes) for start, end in zip(starts, ends, strict=True)]
    place = _HEADER.size
    header = [len(kept)]
    for segment in kept:
        header.append(place)
        place += len(segment)
    out = _HEADER.pack(*header, *[0] * (_MOST_SEGMENTS - len(kept))) + b"".join(kept)
    return frame if out == frame else out


def unpack_segments(frame: bytes, segments: int, segment_bytes: int) -> bytearray:
    """Return the decoded segments of a frame, one after the other.

    Parameters
    ----------
    frame, segments, segment_bytes
        as in `strip_rle`

    Raises
    ------
    Refused
        MALFORMED, if the bytes are not such a frame, or its segments are shorter or longer
    """
    stripped = strip_rle(frame, segments, segment_bytes)
    count, *starts = _HEADER.unpack_from(stripped)
    if count != segments:
        raise _malformed(f"has {count} of {segments} segments")
    out = bytearray(segments * segment_bytes)
    starts = [*starts[:count], len(stripped)]
    whole = memoryview(out)
    for index in range(count):
        plane = whole[index * segment_bytes : (index + 1) * segment_bytes]
        _unpack(stripped[starts[index] : starts[index + 1]], plane)
    return out


def pack_segments(planes: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return the frame of these segments, no run of which crosses a row (PS3.5 Section G.3.1).

    Parameters
    ----------
    planes
        of shape (rows, columns), C-contiguous, at most 15
    """
    packed = [bytes(imagecodecs.packbits_encode(plane, axis=-1)) for plane in planes]
    packed = [segment + b"\0" * (len(segment) % 2) for segment in packed]
    place, starts = _HEADER.size, []
    for segment in packed:
        starts.append(place)
        place += len(segment)
    return _HEADER.pack(len(packed), *starts, *[0] * (_MOST_SEGMENTS - len(packed))) + b"".join(packed)


def _unpack(segment: bytes, plane: memoryview) -> None:
    """Write a segment's bytes to `plane`, which they must fill."""
    try:
        decoded = imagecodecs.packbits_decode(segment)
    except (RuntimeError, ValueError):
        raise _malformed("has a segment that ends within a run") from None
    if len(decoded) < len(plane):
        raise _malformed(f"has a segment of {len(decoded)} of {len(plane)} bytes")
    plane[:] = decoded[: len(plane)]


def _segment(frame: bytes, start: int, end: int, wanted: int) -> bytes:
    """Return a segment up to where it has given `wanted` bytes, padded to even length.

    Only the lengths of the runs are read, the runs themselves aren't decoded.
    """
    pos, left = start, wanted
    while left > 0 and pos < end:
        run = frame[pos]
        if run < _NOTHING:
            pos += run + 2
            left -= run + 1
        elif run > _NOTHING:
            pos += 2
            left -= 257 - run
        else:
            pos += 1
    if left < 0:
        raise _malformed("has a segment longer than the image")
    segment = frame[start : min(pos, end)]
    return segment + b"\0" * (len(segment) % 2)


def _malformed(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"RLE frame {what}")

"""RLE frames as one header and its segments, nothing between or behind them (PS3.5 Annex G)."""

from __future__ import annotations

import struct

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

"""RLE frames lose what their segments don't need, and no pixel."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest
from pydicom.pixels.decoders.rle import _rle_decode_frame
from pydicom.pixels.encoders.native import _encode_segment

from deid.errors import Refused
from deid.pixels.rle import strip_rle

ROWS, COLUMNS = 32, 40
PIXELS = (np.indices((ROWS, COLUMNS)).sum(axis=0) * 37 % 4096).astype(">u2")


def encoded(gap: bytes = b"", unused: int = 0) -> bytes:
    """Return a frame of 16 bits, `gap` standing before each segment and `unused` in the header's free offsets."""
    planes = PIXELS.view(np.uint8).reshape(ROWS, COLUMNS, 2)
    segments = [gap + bytes(_encode_segment(planes[:, :, plane].tobytes(), columns=COLUMNS)) for plane in (0, 1)]
    first = 64 + len(gap)
    offsets = [2, first, first + len(segments[0])] + [unused] * 13
    return struct.pack("<16L", *offsets) + b"".join(segments)


def strip(frame: bytes) -> bytes:
    return strip_rle(frame, 2, ROWS * COLUMNS)


def test_a_frame_of_nothing_but_its_segments_is_returned_as_it_is() -> None:
    frame = encoded()

    assert strip(frame) is frame


@pytest.mark.parametrize(
    "frame",
    [encoded() + b"JANE DOE", encoded(gap=b"JANE DOE"), encoded(unused=0x454E414A), encoded() + b"\0" * 64],
    ids=["behind", "between", "header", "NULs"],
)
def test_what_belongs_to_no_segment_goes(frame: bytes) -> None:
    assert strip(frame) == encoded()
    assert bytes(_rle_decode_frame(strip(frame), ROWS, COLUMNS, 1, 16)) == bytes(
        _rle_decode_frame(encoded(), ROWS, COLUMNS, 1, 16)
    )


def test_a_segment_more_than_the_image_has_goes() -> None:
    frame = encoded()
    more = struct.pack("<L", 3) + frame[4:12] + struct.pack("<L", len(frame)) + frame[16:] + b"\x07JANE DOE"

    assert strip(more) == frame


@pytest.mark.parametrize(
    "frame", [b"", b"\0" * 63, b"\0" * 64, b"JANE DOE" * 40, struct.pack("<16L", 1, 8, *[0] * 14) + b"x"]
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(Refused):
        strip(frame)


def test_a_hostile_frame_takes_no_longer_than_its_bytes() -> None:
    header = struct.pack("<16L", 15, *[64] * 15)
    start = time.process_time()
    strip_rle(header + b"\x80" * 1_000_000, 2, 1 << 30)

    assert time.process_time() - start < 2

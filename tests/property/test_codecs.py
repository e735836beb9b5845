"""Whatever the bytes are: a frame comes out in the promised shape, or it is refused, and soon.

Decoders in C may crash on hostile bytes. In a node that costs a worker process, here one that is started for it.
"""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deid.encoding.syntax import transfer_syntax
from deid.errors import Refused
from deid.pixels.codecs import can_encode, decode, encode
from deid.pixels.format import Format
from deid.pixels.jpeg_edit import mask_jpeg

ALL = "1.2.840.10008.1.2"
LONGEST_S = 30
_DECODING = """
import pickle, struct, sys
from deid.encoding.syntax import transfer_syntax
from deid.errors import Refused
from deid.pixels.codecs import decode
while size := sys.stdin.buffer.read(4):
    frame, form, uid = pickle.loads(sys.stdin.buffer.read(struct.unpack("<L", size)[0]))
    try:
        values = decode(frame, form, transfer_syntax(uid))
        answer = (values.shape, values.dtype.str)
    except Refused as refused:
        answer = str(refused.reason)
    except BaseException as error:
        answer = repr(error)
    out = pickle.dumps(answer)
    sys.stdout.buffer.write(struct.pack("<L", len(out)) + out)
    sys.stdout.buffer.flush()
"""


class Decoder:
    """A process that decodes, started anew after a crash."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def decode(self, frame: bytes, form: Format, uid: str) -> Any:
        """Return shape and type, a reason of refusal, what was raised instead, or None after a crash."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _DECODING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        question = pickle.dumps((frame, form, uid))
        self.process.stdin.write(struct.pack("<L", len(question)) + question)
        self.process.stdin.flush()
        size = self.process.stdout.read(4)
        if len(size) < 4:
            assert self.process.wait(timeout=LONGEST_S) < 0, "ended without a crash"
            self.close()
            return None
        return pickle.loads(self.process.stdout.read(struct.unpack("<L", size)[0]))  # noqa: S301  our own process

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process = None


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """Return a decoder that lives as long as the tests of this file."""
    one = Decoder()
    yield one
    one.close()


def form_of(bits: int, samples: int, photometric: str, *, signed: bool = False) -> Format:
    allocated = 8 if bits <= 8 else 16
    return Format(24, 31, samples, 1, allocated, bits, bits - 1, signed, False, None, photometric)


def values_of(form: Format) -> np.ndarray[Any, np.dtype[Any]]:
    y, x, part = np.mgrid[:24, :31, : form.samples]
    wave = (np.sin(x / 3 + part) + np.cos(y / 5) + 2) / 4 + np.random.default_rng(1).normal(0, 0.02, x.shape)
    values = np.clip(wave, 0, 1) * ((1 << form.bits_stored) - 1) - (1 << (form.bits_stored - 1)) * form.is_signed
    return np.ascontiguousarray(values.astype(form.dtype).reshape(form.shape))


GREY, DEEP, COLOUR = form_of(8, 1, "MONOCHROME2"), form_of(12, 1, "MONOCHROME2", signed=True), form_of(8, 3, "YBR_RCT")
ENCODABLE = tuple(f"{ALL}.{last}" for last in ("4.70", "4.80", "4.90", "4.202", "5", "8.1", "1.98"))
FRAMES = [
    *(
        (encode(values_of(form), form, transfer_syntax(uid)), form, uid)
        for form in (GREY, DEEP, COLOUR)
        for uid in ENCODABLE
    ),
    (imagecodecs.jpeg8_encode(values_of(COLOUR), level=80, subsampling="420"), COLOUR, f"{ALL}.4.50"),
    (imagecodecs.jpeg8_encode(values_of(GREY), level=80), GREY, f"{ALL}.4.50"),
    (imagecodecs.jpeg8_encode(values_of(DEEP).astype(np.uint16) & 0xFFF, bitspersample=12), DEEP, f"{ALL}.4.51"),
    (imagecodecs.jpegls_encode(values_of(COLOUR), level=2), COLOUR, f"{ALL}.4.81"),
    (
        imagecodecs.jpeg2k_encode(values_of(COLOUR), level=40, codecformat="J2K", reversible=False),
        COLOUR,
        f"{ALL}.4.91",
    ),
]


@st.composite
def damaged(draw: st.DrawFn, frames: list[tuple[bytes, Format, str]]) -> tuple[bytes, Format, str]:
    """Return a frame that is cut, has flipped bits, or bytes of its header, or of another frame, in their place."""
    frame, form, uid = draw(st.sampled_from(frames))
    damage = bytearray(frame)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(damage) - 1) | st.integers(0, min(len(damage) - 1, 120)))
        damage[place] ^= 1 << draw(st.integers(0, 7))
    if draw(st.booleans()):
        at, other = draw(st.integers(0, len(damage))), draw(st.sampled_from(frames))[0]
        damage[at:at] = other[: draw(st.integers(0, 60))]
    return bytes(damage[: draw(st.just(len(damage)) | st.integers(0, len(damage)))]), form, uid


def assert_promised(answer: Any, form: Format) -> None:
    """Shape and type are those of the Data Set, or the frame was refused; a crash has ended its process alone."""
    if isinstance(answer, tuple):
        assert answer == (form.shape, form.dtype.str)
    elif answer is not None:
        assert answer in {"malformed-data-set", "pixels-not-cleanable", "too-large", "truncated"}


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=damaged(FRAMES))
def test_a_damaged_frame_is_decoded_to_its_shape_or_refused(decoder: Decoder, case: tuple[bytes, Format, str]) -> None:
    frame, form, uid = case

    assert_promised(decoder.decode(frame, form, uid), form)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=st.binary(max_size=400), case=st.sampled_from(FRAMES))
def test_any_bytes_are_decoded_or_refused(decoder: Decoder, frame: bytes, case: tuple[bytes, Format, str]) -> None:
    _, form, uid = case

    assert_promised(decoder.decode(frame, form, uid), form)


BOXES = st.lists(st.tuples(*[st.integers(-5, 40)] * 4), max_size=3)
SEQUENTIAL = [case for case in FRAMES if case[2] in {f"{ALL}.4.50", f"{ALL}.4.51"}]


@settings(max_examples=300)
@given(damaged(SEQUENTIAL), BOXES)
@example((SEQUENTIAL[0][0], COLOUR, f"{ALL}.4.50"), [(0, 0, 31, 24)])
def test_a_damaged_jpeg_is_masked_or_refused(
    case: tuple[bytes, Format, str], boxes: list[tuple[int, int, int, int]]
) -> None:
    frame, form, _ = case
    try:
        masked = mask_jpeg(frame, boxes, (0,) * form.samples)
    except Refused:
        return
    assert masked.startswith(b"\xff\xd8")
    assert masked.endswith(b"\xff\xd9")


@st.composite
def pictures(draw: st.DrawFn) -> tuple[np.ndarray[Any, np.dtype[Any]], Format]:
    """Return any array of any size and depth, with runs and noise."""
    allocated = draw(st.sampled_from([1, 8, 16, 32]))
    samples = 1 if allocated == 1 else draw(st.sampled_from([1, 3]))
    stored = allocated if allocated == 1 else draw(st.integers(max(allocated // 2, 7), allocated))
    photometric = draw(st.sampled_from(["RGB", "YBR_FULL", "YBR_RCT"])) if samples == 3 else "MONOCHROME2"
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    signed = allocated > 1 and draw(st.booleans())
    form = Format(rows, columns, samples, 1, allocated, stored, stored - 1, signed, False, None, photometric)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = 1 << draw(st.integers(1, stored)) - 1
    values = rng.integers(-most if signed else 0, most if signed else 2 * most, form.shape)
    return np.repeat(values, draw(st.integers(1, 9)), axis=0)[:rows].astype(form.dtype), form


@settings(max_examples=300)
@given(pictures(), st.sampled_from([*ENCODABLE, ALL, f"{ALL}.2", f"{ALL}.4.57", f"{ALL}.4.81", f"{ALL}.4.203"]))
def test_any_picture_comes_back_from_any_lossless_syntax(
    picture: tuple[np.ndarray[Any, np.dtype[Any]], Format], uid: str
) -> None:
    values, form = picture
    if can_encode(form, transfer_syntax(uid)):
        decoded = decode(encode(values, form, transfer_syntax(uid)), form, transfer_syntax(uid))
        np.testing.assert_array_equal(decoded, values)

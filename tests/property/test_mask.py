"""Whatever the image and wherever the boxes: outside them nothing changes, inside there is one value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.encoding.element import Pieces
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.pixels.box import Box
from deid.pixels.mask import covered_by, fitted_boxes
from deid.pixels.rewrite import write_masked
from deid.pixels.stored import Frames
from tests.images import BIG_ENDIAN, EXPLICIT, Kind, image, noise

NATIVE = st.sampled_from([EXPLICIT, BIG_ENDIAN])
RLE, DEFLATED = transfer_syntax("1.2.840.10008.1.2.5"), transfer_syntax("1.2.840.10008.1.2.8.1")
PLACES = st.integers(-3, 20)
BOXES = st.lists(st.tuples(PLACES, PLACES, PLACES, PLACES), max_size=4)


@st.composite
def kinds(draw: st.DrawFn, *, with_all: bool = True) -> Kind:
    bits = draw(st.sampled_from([1, 8, 16, 32] if with_all else [8, 16]))
    stored = draw(st.integers(1 if bits == 1 else 2, bits))
    spaces = ["MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"]
    if bits in {8, 16}:
        spaces += ["RGB", "YBR_FULL"] + (["YBR_FULL_422"] if with_all else [])
    photometric = draw(st.sampled_from(spaces))
    is_grey = photometric.startswith("MONO")
    return Kind(
        photometric,
        bits,
        stored,
        is_signed=is_grey and bits > 1 and draw(st.booleans()),
        planar=draw(st.integers(0, 1)) if photometric in {"RGB", "YBR_FULL"} and with_all else 0,
        high=draw(st.integers(stored - 1, bits - 1)) if is_grey and with_all and bits > 1 else None,
    )


def check(kind: Kind, shape: tuple[int, int, int], boxes: dict[int, list[Box]], syntax: TransferSyntax) -> None:
    count, rows, columns = shape
    before = [noise(kind, rows, columns, seed) for seed in range(count)]
    data_set = image(kind, before, syntax)
    frames = Frames.of(data_set, syntax)
    assert frames is not None
    assert write_masked(frames, boxes) == syntax
    after = Frames.of(data_set, syntax)
    assert after is not None
    for index, expected in enumerate(before):
        inside = covered_by(fitted_boxes(boxes.get(index, []), after.form), after.form)
        array = after.array(index)
        assert np.array_equal(array[~inside], expected[~inside])
        assert len(np.unique(array[inside], axis=0)) <= 1


@settings(max_examples=150, deadline=None)
@given(
    kind=kinds(),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 8).map(lambda half: half * 2)),
    boxes=st.dictionaries(st.integers(0, 3), BOXES, max_size=4),
    syntax=NATIVE,
)
def test_native_images_change_under_the_boxes_alone(
    kind: Kind, shape: tuple[int, int, int], boxes: dict[int, list[Box]], syntax: TransferSyntax
) -> None:
    check(kind, shape, {frame: of for frame, of in boxes.items() if frame < shape[0]}, syntax)


@settings(max_examples=80, deadline=None)
@given(
    kind=kinds(with_all=False),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 12)),
    boxes=st.dictionaries(st.integers(0, 2), BOXES, max_size=3),
    syntax=st.sampled_from([RLE, DEFLATED]),
)
def test_compressed_images_change_under_the_boxes_alone(
    kind: Kind, shape: tuple[int, int, int], boxes: dict[int, list[Box]], syntax: TransferSyntax
) -> None:
    check(kind, shape, {frame: of for frame, of in boxes.items() if frame < shape[0]}, syntax)


@given(parts=st.lists(st.binary(max_size=9), max_size=6), start=st.integers(-60, 60), stop=st.integers(-60, 60))
def test_pieces_are_cut_like_the_bytes_that_they_are(parts: list[bytes], start: int, stop: int) -> None:
    whole, pieces = b"".join(parts), Pieces(parts)

    assert bytes(pieces) == whole
    assert len(pieces) == len(whole)
    assert bytes(pieces[start:stop]) == whole[start:stop]
    assert bytes(pieces[start:]) == whole[start:]


def test_pieces_have_no_steps() -> None:
    with pytest.raises(ValueError, match="step"):
        Pieces([b"abcd"])[::2]

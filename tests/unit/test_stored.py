"""Frames are read one by one and written back masked, in every syntax that pixels come in."""

from __future__ import annotations

import mmap
import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element, Fragments, Pieces
from deid.encoding.limits import Limits
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.encoding.writer import write_data_set
from deid.errors import Reason, Refused
from deid.pixels import rewrite
from deid.pixels.format import PIXEL_DATA
from deid.pixels.frames import EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS, rebuild_pixel_data
from deid.pixels.rewrite import write_masked
from deid.pixels.stored import Frames
from tests.images import BIG_ENDIAN, EXPLICIT, IMPLICIT, Kind, image, noise

ROWS, COLUMNS, FRAMES = 9, 14, 4
BOXES = {1: [(3, 2, 9, 5)], 3: [(0, 0, 2, 2), (10, 7, 30, 30)]}

MONOCHROME = [
    Kind(photometric, allocated, stored, is_signed=is_signed)
    for photometric in ("MONOCHROME2", "MONOCHROME1")
    for allocated, stored in ((8, 8), (8, 6), (16, 12), (16, 16), (32, 32))
    for is_signed in (False, True)
]
COLOUR = [Kind("RGB", 8, 8), Kind("RGB", 8, 8, planar=1), Kind("RGB", 16, 16), Kind("YBR_FULL", 8, 8)]
NATIVE_ONLY = [
    Kind(allocated=1, stored=1),
    Kind("MONOCHROME1", 1, 1),
    Kind(float_bits=32),
    Kind(float_bits=64),
    Kind("YBR_FULL_422", 8, 8),
    Kind("YBR_PARTIAL_422", 8, 8),
    Kind(stored=12, high=15),
    Kind("PALETTE COLOR", 8, 8),
    Kind("PALETTE COLOR", 16, 16),
]
LOSSLESS = {
    uid: transfer_syntax(f"1.2.840.10008.1.2.{uid}")
    for uid in ("5", "1.98", "8.1", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "4.201", "4.202", "4.203")
}
WITH_32_BITS = {"5", "1.98", "8.1"}


def pictures(kind: Kind, frames: int = FRAMES) -> list[NDArray[np.generic]]:
    return [noise(kind, ROWS, COLUMNS, seed) for seed in range(frames)]


def read(data_set: DataSet, syntax: TransferSyntax) -> Frames:
    """Return the frames as a receiver finds them: encoded, read again and rebuilt."""
    encoded = b"".join(write_data_set(data_set, syntax.uid))
    again = read_data_set(encoded, syntax.uid, Limits())
    rebuild_pixel_data(again, syntax)
    frames = Frames.of(again, syntax)
    assert frames is not None
    return frames


def masked(data_set: DataSet, syntax: TransferSyntax, boxes: rewrite.Boxes | None = None) -> TransferSyntax:
    frames = Frames.of(data_set, syntax)
    assert frames is not None
    return write_masked(frames, BOXES if boxes is None else boxes)


def check(frames: Frames, before: list[NDArray[np.generic]], kind: Kind) -> None:
    """Assert that outside the boxes all is equal, and each frame has one value inside."""
    pair = 2 if frames.form.is_subsampled or kind.photometric.endswith("_422") else 1
    for index, expected in enumerate(before):
        array = frames.array(index)
        inside = np.zeros((ROWS, COLUMNS), bool)
        for x0, y0, x1, y1 in BOXES.get(index, ()):
            inside[y0:y1, x0 // pair * pair : -(-x1 // pair) * pair] = True
        assert np.array_equal(array[~inside], expected[~inside], equal_nan=bool(kind.float_bits))
        assert len(np.unique(array[inside], axis=0)) == (1 if inside.any() else 0)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN], ids=["implicit", "explicit", "big"])
@pytest.mark.parametrize("kind", [*MONOCHROME, *COLOUR, *NATIVE_ONLY], ids=str)
def test_native_frames_are_masked_and_all_else_stays(kind: Kind, syntax: TransferSyntax) -> None:
    before = pictures(kind)
    data_set = image(kind, before, syntax)

    assert all(
        np.array_equal(read(data_set, syntax).array(index), frame, equal_nan=bool(kind.float_bits))
        for index, frame in enumerate(before)
    )
    assert masked(data_set, syntax) == syntax
    check(read(data_set, syntax), before, kind)


@pytest.mark.parametrize(
    ("kind", "uid"),
    [
        (kind, uid)
        for kind in (*MONOCHROME, *COLOUR)
        for uid in (LOSSLESS if kind.allocated < 32 else sorted(WITH_32_BITS))
    ],
    ids=str,
)
def test_lossless_frames_are_masked_and_the_others_keep_their_bytes(kind: Kind, uid: str) -> None:
    syntax = LOSSLESS[uid]
    before = pictures(kind)
    data_set = image(kind, before, syntax)
    source = data_set.elements[PIXEL_DATA].value
    assert masked(data_set, syntax) == syntax
    value = data_set.elements[PIXEL_DATA].value

    assert isinstance(value, Fragments)
    assert isinstance(source, Fragments)
    assert [new is old for new, old in zip(value.items, source.items, strict=True)] == [True, False, True, False]
    check(read(data_set, syntax), before, kind)


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_transformed_colours_stay_lossless_and_say_so(photometric: str) -> None:
    kind, syntax = Kind(photometric, 8, 8), LOSSLESS["4.91"]
    before = pictures(kind)
    data_set = image(kind, before, syntax)
    assert masked(data_set, syntax) == syntax

    assert bytes(data_set.elements[0x0028_0004].value) == b"YBR_RCT "  # type: ignore[arg-type]
    assert bytes(data_set.elements[0x0028_2110].value) == b"01"  # type: ignore[arg-type]
    check(read(data_set, syntax), before, kind)


def without_encoders(monkeypatch: pytest.MonkeyPatch, *kept: str) -> None:
    can = rewrite.can_encode
    monkeypatch.setattr(rewrite, "can_encode", lambda form, syntax: syntax.uid in kept and can(form, syntax))


@pytest.mark.parametrize("kind", [*MONOCHROME, *COLOUR, Kind("YBR_ICT", 8, 8)], ids=str)
def test_what_nobody_encodes_becomes_native_as_a_whole(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    syntax = LOSSLESS["1.98" if kind.allocated == 32 else "4.91"]
    before = pictures(kind)
    data_set = image(kind, before, syntax)
    data_set.elements[0x0028_2110] = Element(0x0028_2110, "CS", b"01")
    data_set.elements[0x0028_2112] = Element(0x0028_2112, "DS", b"7.5 ")
    data_set.elements[EXTENDED_OFFSET_TABLE] = Element(EXTENDED_OFFSET_TABLE, "OV", bytes(8 * FRAMES))
    data_set.elements = dict(sorted(data_set.elements.items()))
    without_encoders(monkeypatch)

    assert masked(data_set, syntax) == EXPLICIT
    frames = read(data_set, EXPLICIT)
    check(frames, before, kind)
    assert frames.is_native
    assert frames.form.planar == 0
    assert frames.form.photometric == ("RGB" if kind.photometric == "YBR_ICT" else kind.photometric)
    assert frames.element.vr == ("OB" if kind.allocated == 8 else "OW")
    assert EXTENDED_OFFSET_TABLE not in data_set.elements
    assert bytes(data_set.elements[0x0028_2112].value) == b"7.5 "  # type: ignore[arg-type]
    assert list(data_set.elements) == sorted(data_set.elements)


def test_what_would_be_very_long_becomes_rle(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, syntax = Kind(stored=12), LOSSLESS["4.91"]
    before = pictures(kind)
    data_set = image(kind, before, syntax)
    without_encoders(monkeypatch, LOSSLESS["5"].uid)
    monkeypatch.setattr(rewrite, "LONGEST_NATIVE_FALLBACK_BYTES", 100)

    assert masked(data_set, syntax) == LOSSLESS["5"]
    check(read(data_set, LOSSLESS["5"]), before, kind)


def test_a_lossy_syntax_that_is_left_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    data_set = image(Kind(stored=12), pictures(Kind(stored=12)), LOSSLESS["4.81"])
    without_encoders(monkeypatch)
    masked(data_set, LOSSLESS["4.81"])
    texts = [bytes(data_set.elements[tag].value).strip() for tag in (0x0028_2110, 0x0028_2114)]  # type: ignore[arg-type]

    assert texts == [b"01", b"ISO_14495_1"]
    assert float(bytes(data_set.elements[0x0028_2112].value)) > 0  # type: ignore[arg-type]


BASELINE = transfer_syntax("1.2.840.10008.1.2.4.50")


def jpeg_image(photometric: str, space: str | None, chroma: str = "420") -> tuple[DataSet, NDArray[np.generic]]:
    """Return an image of two JPEG frames whose components are of a colour space, and what the first decodes to."""
    kind = Kind(photometric, 8, 8)
    pixels = noise(kind, ROWS, COLUMNS).astype(np.uint8)
    stream = imagecodecs.jpeg8_encode(
        pixels, level=95, colorspace="RGB" if space else None, outcolorspace=space, subsampling=chroma
    )
    data_set = image(kind, [pixels])
    data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, "OB", Fragments(b"", [stream + bytes(len(stream) % 2)] * 2))
    data_set.elements[0x0028_0008] = Element(0x0028_0008, "IS", b"2 ")
    frames = Frames.of(data_set, BASELINE)
    assert frames is not None
    return data_set, frames.array(0)


@pytest.mark.parametrize(
    ("said", "space", "value"),
    [
        ("MONOCHROME2", None, [0]),
        ("YBR_FULL_422", "YCBCR", [0, 128, 128]),
        ("RGB", "YCBCR", [0, 128, 128]),
        ("RGB", "RGB", [0, 0, 0]),
        ("YBR_FULL", "RGB", [0, 0, 0]),
    ],
)
def test_jpeg_blocks_are_edited_to_black_in_the_streams_own_colours(
    said: str, space: str | None, value: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set, _ = jpeg_image(said, space)
    asked = []
    monkeypatch.setattr(rewrite, "mask_jpeg", lambda frame, *how: asked.append(how) or frame[:-2] + b"\0\xff\xd9")
    before = data_set.elements[PIXEL_DATA].value

    assert masked(data_set, BASELINE, {1: [(3, 2, 40, 5)]}) == BASELINE
    assert asked == [([(2 if said == "YBR_FULL_422" else 3, 2, COLUMNS, 5)], value)]
    after = data_set.elements[PIXEL_DATA].value
    assert isinstance(before, Fragments)
    assert isinstance(after, Fragments)
    assert after.items[0] is before.items[0]
    assert after.items[1] != before.items[1]
    assert bytes(data_set.elements[0x0028_2114].value) == b"ISO_10918_1 "  # type: ignore[arg-type]


@pytest.mark.parametrize(("said", "space"), [("MONOCHROME2", None), ("YBR_FULL", "YCBCR"), ("RGB", "RGB")])
def test_jpeg_keeps_its_syntax_and_every_other_block(said: str, space: str | None) -> None:
    data_set, before = jpeg_image(said, space, "444")

    assert masked(data_set, BASELINE, {1: [(8, 0, COLUMNS, 8)]}) == BASELINE
    frames = read(data_set, BASELINE)
    after = frames.array(1)
    assert np.array_equal(frames.array(0), before)
    assert np.array_equal(after[:, :8], before[:, :8])
    assert np.array_equal(after[8:], before[8:])
    assert len(np.unique(after[:8, 8:], axis=0)) == 1


@pytest.mark.parametrize(
    ("said", "space", "truly"),
    [
        ("MONOCHROME2", None, "MONOCHROME2"),
        ("YBR_FULL_422", "YCBCR", "YBR_FULL"),
        ("RGB", "YCBCR", "YBR_FULL"),
        ("RGB", "RGB", "RGB"),
    ],
)
def test_jpeg_that_cant_be_edited_becomes_native_in_its_own_colours(
    said: str, space: str | None, truly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise Refused(Reason.PIXELS_NOT_CLEANABLE)

    data_set, decoded = jpeg_image(said, space)
    monkeypatch.setattr(rewrite, "mask_jpeg", refuse)

    assert masked(data_set, BASELINE, {1: BOXES[1]}) == EXPLICIT
    frames = read(data_set, EXPLICIT)
    assert frames.form.photometric == truly
    assert np.array_equal(frames.array(0), decoded)
    assert not np.array_equal(frames.array(1), decoded)
    assert bytes(data_set.elements[0x0028_2110].value) == b"01"  # type: ignore[arg-type]


def test_offsets_follow_the_new_lengths() -> None:
    kind, syntax = Kind(stored=12), LOSSLESS["4.90"]
    data_set = image(kind, pictures(kind), syntax)
    data_set.elements[EXTENDED_OFFSET_TABLE] = Element(EXTENDED_OFFSET_TABLE, "OV", bytes(8 * FRAMES))
    data_set.elements = dict(sorted(data_set.elements.items()))
    rebuild_pixel_data(data_set, syntax)
    masked(data_set, syntax)
    value = data_set.elements[PIXEL_DATA].value
    assert isinstance(value, Fragments)
    tables = [
        np.frombuffer(bytes(data_set.elements[tag].value), "<u8").tolist()  # type: ignore[arg-type]
        for tag in (EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS)
    ]

    assert tables[0] == [sum(len(item) + 8 for item in value.items[:index]) for index in range(FRAMES)]
    assert [length + length % 2 for length in tables[1]] == [len(item) for item in value.items]


def test_unused_bits_of_a_compressed_frame_go_where_it_is_named() -> None:
    kind, wide, syntax = Kind(stored=12), Kind(), LOSSLESS["5"]
    before = pictures(kind)
    cargo = [(frame.view("u2") | 0xA000).astype("u2") for frame in before]
    data_set = image(wide, cargo, syntax)
    for tag, value in ((0x0028_0101, 12), (0x0028_0102, 11)):
        data_set.elements[tag] = Element(tag, "US", value.to_bytes(2, "little"))
    masked(data_set, syntax, {0: []})
    frames = read(data_set, syntax)

    assert np.array_equal(frames.array(0), before[0])
    assert np.array_equal(frames.array(1), cargo[1])


def test_extremes_are_true_again() -> None:
    kind = Kind(is_signed=True)
    frame = np.full((ROWS, COLUMNS), -5, np.int16)
    frame[3, 4], frame[8, 8] = 4000, 300
    data_set = image(kind, [frame])
    for tag in (0x0028_0106, 0x0028_0107, 0x0028_0109):
        data_set.elements[tag] = Element(tag, "SS", (4000).to_bytes(2, "little"))
    masked(data_set, EXPLICIT, {0: BOXES[1]})
    found = [
        int.from_bytes(bytes(data_set.elements[tag].value), "little", signed=True)  # type: ignore[arg-type]
        for tag in (0x0028_0106, 0x0028_0107)
    ]

    assert found == [-5, 300]
    assert 0x0028_0109 not in data_set.elements


def test_extremes_of_many_frames_go() -> None:
    data_set = image(Kind(), pictures(Kind()))
    data_set.elements[0x0028_0107] = Element(0x0028_0107, "US", b"\xff\x0f")
    masked(data_set, EXPLICIT)

    assert 0x0028_0107 not in data_set.elements


def test_native_frames_are_views() -> None:
    data_set = image(Kind(is_signed=True), pictures(Kind(is_signed=True)))
    frames = Frames.of(data_set, EXPLICIT)
    assert frames is not None

    assert np.shares_memory(frames.array(2), np.frombuffer(data_set.elements[PIXEL_DATA].value, np.uint8))  # type: ignore[call-overload]
    assert not frames.array(2).flags.writeable


def test_a_value_in_pieces_is_read_and_masked_again() -> None:
    kind = Kind("RGB", 8, 8)
    before = pictures(kind)
    data_set = image(kind, before)
    value = bytes(data_set.elements[PIXEL_DATA].value)  # type: ignore[arg-type]
    pieces = Pieces([value[:100], value[100:401], value[401:]])
    data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, "OB", pieces)
    masked(data_set, EXPLICIT)

    check(read(data_set, EXPLICIT), before, kind)


def test_tiny_frames_that_share_bytes_are_masked_each_for_itself() -> None:
    kind = Kind(allocated=1, stored=1)
    before = [np.ones((1, 3), np.uint8)] * 8
    data_set = image(kind, before)
    masked(data_set, EXPLICIT, {0: [(0, 0, 1, 1)], 1: [(1, 0, 2, 1)], 2: [(2, 0, 3, 1)], 6: [(0, 0, 3, 1)]})
    frames = read(data_set, EXPLICIT)

    assert [frames.array(index)[0].tolist() for index in range(8)] == [
        *([0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1])
    ]


def test_equal_frames_have_equal_hashes() -> None:
    kind = Kind(allocated=1, stored=1)
    first, second = noise(kind, 3, 3, 1), noise(kind, 3, 3, 2)
    frames = Frames.of(image(kind, [first, second, first]), EXPLICIT)
    other = Frames.of(image(Kind(allocated=8, stored=8), [first, second, first]), EXPLICIT)
    assert frames is not None
    assert other is not None
    hashes = [frames.equal_hash(index) for index in range(3)]

    assert hashes[0] == hashes[2] != hashes[1]
    assert other.equal_hash(0) not in hashes


def test_a_data_set_without_pixels_has_no_frames() -> None:
    assert Frames.of(DataSet(), EXPLICIT) is None


def test_pixels_that_come_twice_or_undescribed_are_refused() -> None:
    twice, bare = image(Kind(), pictures(Kind())), image(Kind(), pictures(Kind()))
    twice.elements[0x7FE0_0008] = Element(0x7FE0_0008, "OF", bytes(8))
    del bare.elements[0x0028_0010]
    for data_set in (twice, bare):
        with pytest.raises(Refused) as refused:
            Frames.of(data_set, EXPLICIT)
        assert refused.value.reason is Reason.MALFORMED


def test_floats_in_fragments_are_refused() -> None:
    data_set = image(Kind(float_bits=32), pictures(Kind(float_bits=32)))
    data_set.elements[0x7FE0_0008] = Element(0x7FE0_0008, "OF", Fragments(b"", [bytes(8)]))
    with pytest.raises(Refused) as refused:
        rebuild_pixel_data(data_set, LOSSLESS["5"])

    assert refused.value.reason is Reason.MALFORMED


def anonymous_bytes() -> int:
    """Return how much memory of this process is backed by nothing but memory."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


def test_a_huge_multi_frame_needs_memory_for_its_masked_rows_only(tmp_path: Path) -> None:
    rows, columns, count = 512, 512, 7900
    size_bytes = rows * columns * 2 * count  # just below what 32 bits can say
    path = tmp_path / "pixels"
    with path.open("wb") as file:
        file.truncate(size_bytes)
    kind = Kind(is_signed=True)
    data_set = image(kind, [np.zeros((rows, columns), np.int16)])
    data_set.elements[0x0028_0008] = Element(0x0028_0008, "IS", str(count).encode())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        value = memoryview(mapped)
        data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, "OW", value)
        frames = Frames.of(data_set, EXPLICIT)
        assert frames is not None
        tracemalloc.start()
        before = anonymous_bytes()
        write_masked(frames, {frame: [(4, 4, 200, 24)] for frame in range(0, count, 40)})
        chunks = write_data_set(data_set, EXPLICIT.uid)
        used, peak = anonymous_bytes() - before, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert sum(map(len, chunks)) > size_bytes
        assert max(used, peak) < 32 << 20  # 198 frames of 20 rows are 4 MB
        frames = None
        data_set.elements.clear()
        del chunks
        value.release()


def test_unused_bits_of_a_large_image_are_looked_for_in_bounded_memory(tmp_path: Path) -> None:
    rows, columns, count = 512, 512, 400
    path = tmp_path / "pixels"
    with path.open("wb") as file:
        file.truncate(rows * columns * 2 * count)
        file.seek(rows * columns * 2 * 7)
        file.write(b"\x34\xb2")
    data_set = image(Kind(stored=12, is_signed=True), [np.zeros((rows, columns), np.int16)])
    data_set.elements[0x0028_0008] = Element(0x0028_0008, "IS", str(count).encode())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        value = memoryview(mapped)
        data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, "OW", value)
        before = anonymous_bytes()
        rebuild_pixel_data(data_set, EXPLICIT)
        used = anonymous_bytes() - before
        frames = Frames.of(data_set, EXPLICIT)
        assert frames is not None

        assert int(frames.array(7)[0, 0]) == 0x234
        assert int(frames.array(8)[0, 0]) == 0
        assert used < 16 << 20
        frames = None
        data_set.elements.clear()
        value.release()


def test_all_frames_of_a_huge_multi_frame_masked_at_both_sides_need_a_fraction_of_it(tmp_path: Path) -> None:
    rows, columns, count = 600, 800, 250
    path = tmp_path / "pixels"
    with path.open("wb") as file:
        file.truncate(rows * columns * 3 * count)
    data_set = image(Kind("RGB", 8, 8), [np.zeros((rows, columns, 3), np.uint8)])
    data_set.elements[0x0028_0008] = Element(0x0028_0008, "IS", str(count).encode())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        value = memoryview(mapped)
        data_set.elements[PIXEL_DATA] = Element(PIXEL_DATA, "OW", value)
        frames = Frames.of(data_set, EXPLICIT)
        assert frames is not None
        before = anonymous_bytes()
        write_masked(frames, {frame: [(0, 0, 100, rows), (700, 0, columns, rows)] for frame in range(count)})
        used = anonymous_bytes() - before

        assert used < rows * columns * 3 * count // 5  # whole rows would be all of it
        frames = None
        data_set.elements.clear()
        value.release()


@given(
    boxes=st.lists(
        st.tuples(st.integers(0, 1300), st.integers(0, 5), st.integers(1, 700), st.integers(1, 5)),
        min_size=1,
        max_size=4,
    ),
    planar=st.sampled_from((0, 1)),
)
def test_rows_that_are_long_are_masked_pixel_by_pixel(boxes: list[tuple[int, int, int, int]], planar: int) -> None:
    frames = [noise(Kind("RGB", 8, 8), 6, 1400, seed) for seed in range(2)]
    data_set = image(Kind("RGB", 8, 8, planar=planar), frames)
    before = Frames.of(data_set, EXPLICIT)
    assert before is not None
    wanted = [(x, y, x + wide, y + high) for x, y, wide, high in boxes]
    write_masked(before, {1: wanted})
    after = Frames.of(data_set, EXPLICIT)
    assert after is not None
    expected = frames[1].copy()
    for x0, y0, x1, y1 in wanted:
        expected[y0:y1, x0:x1] = 0
    assert np.array_equal(after.array(0), frames[0])
    assert np.array_equal(after.array(1), expected)

"""What isn't image goes from compressed frames and around native ones; every pixel stays."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.syntax import transfer_syntax
from deid.errors import Reason, Refused
from deid.pixels.frames import EXTENDED_OFFSET_TABLE, PIXEL_DATA, may_hold_text, rebuild_pixel_data
from deid.pixels.jpeg import strip_jpeg
from deid.pixels.jpeg2000 import strip_jpeg2000

EXPLICIT, BIG_ENDIAN = transfer_syntax("1.2.840.10008.1.2.1"), transfer_syntax("1.2.840.10008.1.2.2")
JPEG, JPEG_2000 = transfer_syntax("1.2.840.10008.1.2.4.50"), transfer_syntax("1.2.840.10008.1.2.4.90")

SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\xff\x00\xff\xd0\x34"
TABLES = b"\xff\xdb\x00\x04\x00\x10"
BARE = b"\xff\xd8" + TABLES + SCAN + b"\xff\xd9"


def segment(code: int, payload: bytes) -> bytes:
    return bytes((0xFF, code)) + (len(payload) + 2).to_bytes(2) + payload


def test_stream_without_extras_is_returned_as_it_is() -> None:
    assert strip_jpeg(BARE) is BARE
    assert strip_jpeg(BARE + b"\0") == BARE + b"\0"


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xFE, b"JANE DOE"),
        segment(0xE1, b"Exif\0\0JANE DOE"),
        segment(0xED, b"x"),
        b"\xff\xff" + segment(0xFE, b"a")[1:],
    ],
)
def test_comments_and_application_segments_go_wherever_they_stand(extra: bytes) -> None:
    assert strip_jpeg(b"\xff\xd8" + extra + BARE[2:]).replace(b"\xff\xff", b"\xff") in {
        BARE,
        b"\xff\xd8\xff" + BARE[3:],
    }
    assert strip_jpeg(BARE[:-2] + extra + b"\xff\xd9") == BARE or extra.startswith(b"\xff\xff")


def test_bytes_after_the_end_go() -> None:
    assert strip_jpeg(BARE + b"JANE DOE") == BARE
    assert strip_jpeg(BARE + b"J") == BARE


def test_segments_that_decoders_need_for_colours_stay_without_cargo() -> None:
    jfif = segment(0xE0, b"JFIF\0\x01\x02\x00\x00\x01\x00\x01\x02\x01JANEDOEJANE")
    adobe = segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x01JANE")
    out = strip_jpeg(b"\xff\xd8" + jfif + adobe + BARE[2:])

    assert segment(0xE0, b"JFIF\0\x01\x02\x00\x00\x01\x00\x01\x00\x00") in out
    assert segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x01") in out
    assert b"JANE" not in out


@pytest.mark.parametrize(
    "stream", [b"", b"\xff\xd8", BARE[:-2], BARE[:9], b"BM" + BARE, b"\xff\xd8\xff\xfe\xff\xff\x00"]
)
def test_what_is_no_jpeg_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(Refused) as refused:
        strip_jpeg(stream)
    assert refused.value.reason is Reason.MALFORMED


def codestream(main: bytes = b"", part: bytes = b"", *, has_size: bool = True) -> bytes:
    header, data = b"\xff\x4f" + segment(0x51, bytes(10)) + main, b"\xff\x93\x01\x02\x03"
    size = 12 + len(part) + len(data) if has_size else 0
    return header + b"\xff\x90\x00\x0a\x00\x00" + size.to_bytes(4) + b"\x00\x01" + part + data + b"\xff\xd9"


COMMENT = segment(0x64, b"\x00\x01JANE DOE")


def test_jpeg_2000_comments_go_from_main_and_tile_headers() -> None:
    assert strip_jpeg2000(codestream(COMMENT)) == codestream()
    assert strip_jpeg2000(codestream(COMMENT, COMMENT)) == codestream()
    assert strip_jpeg2000(codestream(COMMENT, COMMENT, has_size=False)) == codestream(has_size=False)


def test_jpeg_2000_tile_lengths_go_when_they_are_no_longer_true() -> None:
    lengths = segment(0x55, b"\x00\x50\x00\x00\x00\x20")

    assert strip_jpeg2000(codestream(lengths)) == codestream(lengths)
    assert strip_jpeg2000(codestream(lengths, COMMENT)) == codestream()


def test_jp2_file_is_unwrapped_and_its_boxes_go() -> None:
    box = lambda kind, payload: (len(payload) + 8).to_bytes(4) + kind + payload  # noqa: E731
    file = b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"xml ", b"<name>JANE DOE</name>") + box(b"jp2c", codestream())

    assert strip_jpeg2000(file) == codestream()


def test_bytes_after_the_end_of_a_codestream_go() -> None:
    assert strip_jpeg2000(codestream() + b"JANE") == codestream()
    assert strip_jpeg2000(codestream() + b"\0") == codestream() + b"\0"


@pytest.mark.parametrize(
    "stream", [b"", b"\xff\x4f", codestream()[:-2], codestream()[:20], codestream()[:-4] + b"\xff\xd9"]
)
def test_what_is_no_codestream_is_refused(stream: bytes) -> None:
    with pytest.raises(Refused):
        strip_jpeg2000(stream)


def image(value: bytes | Fragments, frames: int = 1, **bits: int) -> DataSet:
    numbers = {
        0x00280002: 1,
        0x00280010: 4,
        0x00280011: 4,
        0x00280100: 16,
        0x00280101: 12,
        0x00280102: 11,
        0x00280103: 0,
    }
    numbers |= {
        {"stored": 0x00280101, "high": 0x00280102, "signed": 0x00280103, "padding": 0x00280120}[k]: v
        for k, v in bits.items()
    }
    elements = {tag: Element(tag, "US", number.to_bytes(2, "little")) for tag, number in sorted(numbers.items())}
    elements[0x00280008] = Element(0x00280008, "IS", str(frames).encode())
    elements[PIXEL_DATA] = Element(PIXEL_DATA, "OW", value)
    return DataSet(elements)


def rebuilt(data_set: DataSet, syntax: object = EXPLICIT) -> bytes:
    rebuild_pixel_data(data_set, syntax)  # type: ignore[arg-type]
    return bytes(data_set.elements[PIXEL_DATA].value)  # type: ignore[arg-type]


def test_bytes_after_the_last_frame_go() -> None:
    assert rebuilt(image(bytes(64) + b"JANE DOE", frames=2)) == bytes(64)


def test_too_few_bytes_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        rebuilt(image(bytes(62), frames=2))
    assert refused.value.reason is Reason.TRUNCATED


def test_bits_above_the_stored_ones_are_cleared() -> None:
    pixels = np.arange(16, dtype="<u2") * 200

    assert rebuilt(image((pixels | 0xA000).astype("<u2").tobytes())) == pixels.tobytes()
    assert rebuilt(image(pixels.tobytes())) == pixels.tobytes()


def test_sign_is_no_cargo_and_stays() -> None:
    pixels = (np.arange(16, dtype="<i2") - 8) * 100

    assert rebuilt(image(pixels.tobytes(), signed=1)) == pixels.tobytes()
    assert rebuilt(image((pixels ^ 0x4000).astype("<i2").tobytes(), signed=1)) == pixels.tobytes()


def test_padding_value_outside_the_stored_bits_stays() -> None:
    pixels = np.array([63536, 1, 2, 3] * 4, dtype="<u2")

    assert rebuilt(image(pixels.tobytes(), padding=63536)) == pixels.tobytes()


def test_fragments_of_a_frame_are_joined_and_offsets_made_anew() -> None:
    cut = segment(0xFE, b"JANE DOE ")
    first, second = b"\xff\xd8" + cut + BARE[2:], BARE
    data_set = image(Fragments(b"\1\2\3\4JUNK", [first[:10], first[10:], second]), frames=2)
    rebuild_pixel_data(data_set, JPEG)
    value = data_set.elements[PIXEL_DATA].value

    assert isinstance(value, Fragments)
    assert [bytes(item)[: len(BARE)] for item in value.items] == [BARE, BARE]
    assert bytes(value.offsets) == bytes(4) + (8 + len(value.items[0])).to_bytes(4, "little")


def test_extended_offsets_follow_the_new_lengths() -> None:
    first = codestream(COMMENT)
    data_set = image(Fragments(b"", [first, first]), frames=2)
    data_set.elements[EXTENDED_OFFSET_TABLE] = Element(EXTENDED_OFFSET_TABLE, "OV", bytes(16))
    rebuild_pixel_data(data_set, JPEG_2000)
    offsets = np.frombuffer(bytes(data_set.elements[EXTENDED_OFFSET_TABLE].value), dtype="<u8")  # type: ignore[arg-type]

    assert offsets.tolist() == [0, 8 + len(codestream()) + len(codestream()) % 2]


def test_fragments_that_belong_to_no_frame_are_refused() -> None:
    with pytest.raises(Refused):
        rebuild_pixel_data(image(Fragments(b"", [BARE, b"\0\0", b"\1\1"]), frames=2), JPEG)


@pytest.mark.parametrize("code", [0x02, 0xBF, 0xC8, 0xF0, 0xF7, 0xF8, 0xFD])
def test_segments_that_no_decoder_needs_go(code: int) -> None:
    assert strip_jpeg(b"\xff\xd8" + segment(code, b"\x01JANE DOE") + BARE[2:]) == BARE


def test_presets_of_jpeg_ls_stay_and_unknown_extensions_go() -> None:
    preset, unknown = segment(0xF8, b"\x01" + bytes(10)), segment(0xF8, b"\x7fJANE DOE")

    assert strip_jpeg(b"\xff\xd8" + preset + unknown + BARE[2:], is_ls=True) == b"\xff\xd8" + preset + BARE[2:]


def test_marker_segments_that_jpeg_2000_doesnt_know_go() -> None:
    unknown = b"\xff\x70\x00\x0aJANE DOE"

    assert strip_jpeg2000(codestream(unknown)) == codestream()
    assert strip_jpeg2000(codestream(unknown), is_part_2=True) == codestream(unknown)


@pytest.mark.parametrize("number", ["100", "102", "107", "110", "112"])
def test_streams_whose_end_only_a_decoder_knows_are_refused(number: str) -> None:
    with pytest.raises(Refused) as refusal:
        rebuild_pixel_data(image(Fragments(b"", [b"\0\0"])), transfer_syntax(f"1.2.840.10008.1.2.4.{number}"))

    assert refusal.value.reason is Reason.PIXELS_NOT_CLEANABLE


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def test_uncompressed_and_deflated_frames_are_the_frame_alone() -> None:
    pixels = np.arange(16, dtype="<u2").tobytes()
    for uid, write in (("1.2.840.10008.1.2.1.98", bytes), ("1.2.840.10008.1.2.8.1", deflated)):
        for frame in (write(pixels), write(pixels) + b"JANE DOE", write(pixels + b"JANE DOE")):
            data_set = image(Fragments(b"", [frame]))
            rebuild_pixel_data(data_set, transfer_syntax(uid))
            value = data_set.elements[PIXEL_DATA].value

            assert isinstance(value, Fragments)
            assert b"".join(map(bytes, value.items)) in {write(pixels), write(pixels) + b"\0"}


def test_pixels_that_nothing_describes_are_refused() -> None:
    data_set = image(bytes(32))
    del data_set.elements[0x0028_0010]

    with pytest.raises(Refused):
        rebuild_pixel_data(data_set, EXPLICIT)


def test_pixels_in_items_are_cut_too_and_dropped_if_nothing_describes_them() -> None:
    described, bare = image(bytes(32) + b"JANE DOE"), DataSet({PIXEL_DATA: Element(PIXEL_DATA, "OW", b"JANE DOE")})
    data_set = DataSet({0x0008_2218: Element(0x0008_2218, "SQ", [described, bare])})
    rebuild_pixel_data(data_set, EXPLICIT)

    assert described.elements[PIXEL_DATA].value == bytes(32)
    assert PIXEL_DATA not in bare.elements


def test_offset_tables_without_fragments_go() -> None:
    data_set = image(bytes(32))
    data_set.elements[EXTENDED_OFFSET_TABLE] = Element(EXTENDED_OFFSET_TABLE, "OV", b"JANE DOE")
    rebuild_pixel_data(data_set, EXPLICIT)

    assert EXTENDED_OFFSET_TABLE not in data_set.elements


@pytest.mark.parametrize(
    ("bits", "expected"),
    [({"stored": 12, "high": 11}, False), ({"stored": 16, "high": 15}, True), ({"stored": 12, "high": 15}, True)],
)
def test_samples_with_a_blank_byte_can_hold_no_text(bits: dict[str, int], *, expected: bool) -> None:
    assert may_hold_text(image(bytes(32), **bits), EXPLICIT) is expected

"""Boxes of JPEG frames go flat; the coefficients of every other block stay what they were."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from deid.errors import Reason, Refused
from deid.pixels.jpeg import strip_jpeg
from deid.pixels.jpeg_edit import mask_jpeg, mcu_px
from deid.pixels.jpeg_scan import huffman_table

ROWS, COLUMNS = 75, 122
BOX = (20, 9, 60, 20)
BLACK = (0, 128, 128)


def picture(bits: int = 8, samples: int = 3) -> NDArray[Any]:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    rng = np.random.default_rng(3)
    waves = [(np.sin(x / (5 + part)) + np.cos(y / (9 - part)) + 2) / 4 for part in range(samples)]
    noisy = np.stack(waves, axis=-1) + rng.normal(0, 0.03, (ROWS, COLUMNS, samples))
    values = np.clip(noisy * ((1 << bits) - 1), 0, (1 << bits) - 1).astype(np.uint8 if bits == 8 else np.uint16)
    return values if samples > 1 else np.ascontiguousarray(values[..., 0])


@dataclass
class Decoded:
    """A slow, plain decoder of sequential JPEG, to see coefficients with: component -> {block row, column: 64 numbers}.

    Written from ISO/IEC 10918-1 Annex F for the tests, and sharing nothing with what is tested.
    """

    stream: bytes
    blocks: dict[int, dict[tuple[int, int], tuple[int, ...]]] = field(default_factory=dict)
    tables: dict[int, dict[str, int]] = field(default_factory=dict)
    restart: int = 0

    def __post_init__(self) -> None:
        pos = 2
        while self.stream[pos + 1] != 0xD9:
            marker, end = self.stream[pos + 1], pos + 2 + int.from_bytes(self.stream[pos + 2 : pos + 4])
            body, pos = self.stream[pos + 4 : end], end
            if marker == 0xC4:
                self._huffman(body)
            elif marker in {0xC0, 0xC1}:
                _, rows, columns, _ = struct.unpack_from(">BHHB", body)
                self.size = rows, columns
                self.parts = {body[at]: (body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, len(body), 3)}
                self.blocks = {part: {} for part in self.parts}
            elif marker == 0xDD:
                self.restart = int.from_bytes(body)
            elif marker == 0xDA:
                pos = self._scan(body, pos)

    def _huffman(self, body: bytes) -> None:
        while body:
            counts, code, at, table = body[1:17], 0, 17, {}
            for length, count in enumerate(counts, 1):
                for symbol in body[at : at + count]:
                    table[f"{code:0{length}b}"] = symbol
                    code += 1
                at, code = at + count, code << 1
            self.tables[body[0]] = table
            body = body[at:]

    def _scan(self, body: bytes, pos: int) -> int:
        chosen = [(body[at], body[at + 1]) for at in range(1, 1 + 2 * body[0], 2)]
        wide, high = (8 * max(part[index] for part in self.parts.values()) for index in (0, 1))
        rows, columns = self.size
        if len(chosen) > 1:
            across, down = -(-columns // wide), -(-rows // high)
        else:
            h, v = self.parts[chosen[0][0]] if len(self.parts) > 1 else (wide // 8, high // 8)
            sampled = (math.ceil(columns * 8 * h / wide), math.ceil(rows * 8 * v / high))
            across, down = (math.ceil(size / 8) for size in sampled)
        bits, end = self._bits(pos)
        predicted = dict.fromkeys(self.parts, 0)
        for mcu in range(across * down):
            if self.restart and mcu and not mcu % self.restart:
                bits, end = self._bits(end + 2)
                predicted = dict.fromkeys(self.parts, 0)
            for part, choice in chosen:
                h, v = self.parts[part] if len(chosen) > 1 else (1, 1)
                for unit in range(h * v):
                    place = mcu // across * v + unit // h, mcu % across * h + unit % h
                    block, bits = self._block(bits, choice, predicted[part])
                    predicted[part] = block[0]
                    self.blocks[part][place] = block
        return end

    def _bits(self, pos: int) -> tuple[str, int]:
        end = pos
        while not (self.stream[end] == 0xFF and self.stream[end + 1]):
            end += 1
        data = self.stream[pos:end].replace(b"\xff\x00", b"\xff")
        return "".join(f"{byte:08b}" for byte in data), end

    def _block(self, bits: str, choice: int, predicted: int) -> tuple[tuple[int, ...], str]:
        size, bits = self._symbol(bits, choice >> 4)
        difference, bits = self._number(bits, size)
        block = [predicted + difference] + [0] * 63
        place = 1
        while place < 64:
            symbol, bits = self._symbol(bits, 16 | choice & 15)
            if symbol == 0:
                break
            place += symbol >> 4
            block[place], bits = self._number(bits, symbol & 15)
            place += 1
        return tuple(block), bits

    def _symbol(self, bits: str, table: int) -> tuple[int, str]:
        length = next(n for n in range(1, 17) if bits[:n] in self.tables[table])
        return self.tables[table][bits[:length]], bits[length:]

    def _number(self, bits: str, size: int) -> tuple[int, str]:
        if not size:
            return 0, bits
        value = int(bits[:size], 2)
        return value if bits[0] == "1" else value - (1 << size) + 1, bits[size:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def with_restarts(stream: bytes, interval: int) -> bytes:
    """Insert restart markers by writing all blocks anew: DC differences begin from zero in each interval."""
    decoded = Decoded(stream)
    codes = {table: {symbol: code for code, symbol in entries.items()} for table, entries in decoded.tables.items()}
    sos = stream.index(b"\xff\xda")
    header_end = sos + 2 + int.from_bytes(stream[sos + 2 : sos + 4])
    (part,) = decoded.parts

    def number(value: int) -> tuple[int, str]:
        size = abs(value).bit_length()
        return size, f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""

    pieces, bits, predicted = [], "", 0
    for index, block in enumerate(decoded.blocks[part][place] for place in sorted(decoded.blocks[part])):
        if index and not index % interval:
            pieces.append(bits)
            bits, predicted = "", 0
        size, extra = number(block[0] - predicted)
        bits, predicted, zeros = bits + codes[0][size] + extra, block[0], 0
        for value in block[1:]:
            if not value:
                zeros += 1
                continue
            while zeros > 15:
                bits, zeros = bits + codes[16][0xF0], zeros - 16
            size, extra = number(value)
            bits, zeros = bits + codes[16][zeros << 4 | size] + extra, 0
        bits += codes[16][0] if zeros else ""
    out = stream[:sos] + segment(0xDD, interval.to_bytes(2)) + stream[sos:header_end]
    for index, piece in enumerate([*pieces, bits]):
        filled = piece + "1" * (-len(piece) % 8)
        out += b"\xff" + bytes([0xD0 + (index - 1) % 8]) if index else b""
        out += int(filled, 2).to_bytes(len(filled) // 8).replace(b"\xff", b"\xff\x00")
    return out + b"\xff\xd9"


def scans_apart() -> bytes:
    """Return three components, each in a scan of its own, put together from three grey streams with the same tables."""
    planes = [np.ascontiguousarray(picture()[..., part]) for part in range(3)]
    grey = [strip_jpeg(imagecodecs.jpeg8_encode(plane, level=80)) for plane in planes]
    sos, sof = grey[0].index(b"\xff\xda"), grey[0].index(b"\xff\xc0")
    header = struct.pack(">BHHB", 8, ROWS, COLUMNS, 3) + b"".join(bytes((part, 0x11, 0)) for part in (1, 2, 3))
    sof_end = sof + 2 + int.from_bytes(grey[0][sof + 2 : sof + 4])
    out = grey[0][:sof] + segment(0xC0, header) + grey[0][sof_end:sos]
    for part, stream in enumerate(grey, 1):
        at = stream.index(b"\xff\xda")
        out += segment(0xDA, bytes((1, part, 0, 0, 63, 0))) + stream[at + 10 : -2]
    return out + b"\xff\xd9"


def colour(subsampling: str, level: int = 85, *, optimize: bool = False) -> bytes:
    return imagecodecs.jpeg8_encode(picture(), level=level, subsampling=subsampling, optimize=optimize)


GREY = imagecodecs.jpeg8_encode(picture(samples=1), level=85)
STREAMS: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "grey": (GREY, (0,)),
    "grey, white": (GREY, (255,)),
    "grey, in between": (GREY, (77,)),
    "grey, own tables": (imagecodecs.jpeg8_encode(picture(samples=1), level=30, optimize=True), (255,)),
    "grey, finest": (imagecodecs.jpeg8_encode(picture(samples=1), level=100), (0,)),
    "12 bits": (imagecodecs.jpeg8_encode(picture(12, 1), level=90, bitspersample=12), (0,)),
    "12 bits, white": (imagecodecs.jpeg8_encode(picture(12, 1), level=90, bitspersample=12), (4095,)),
    "restarts": (with_restarts(GREY, 5), (0,)),
    "restarts by row": (with_restarts(GREY, -(-COLUMNS // 8)), (0,)),
    **{f"YBR {ratio}": (colour(ratio), BLACK) for ratio in ("444", "422", "420", "440", "411")},
    "YBR 420, own tables": (colour("420", 60, optimize=True), BLACK),
    "RGB": (imagecodecs.jpeg8_encode(picture(), level=85, colorspace="RGB", outcolorspace="RGB"), (0, 0, 0)),
    "scans apart": (scans_apart(), BLACK),
}
every_stream = pytest.mark.parametrize(("stream", "values"), STREAMS.values(), ids=STREAMS)


def flat_places(decoded: Decoded, part: int, box: tuple[int, int, int, int] = BOX) -> set[tuple[int, int]]:
    """Return the blocks of a component that lie in an MCU which the box touches."""
    h, v = decoded.parts[part] if len(decoded.parts) > 1 else (1, 1)
    factors = list(decoded.parts.values()) if len(decoded.parts) > 1 else [(1, 1)]
    wide, high = (8 * max(factor[index] for factor in factors) for index in (0, 1))
    x0, y0, x1, y1 = box
    return {
        (row, column)
        for row, column in decoded.blocks[part]
        if x0 // wide <= column // h <= (x1 - 1) // wide and y0 // high <= row // v <= (y1 - 1) // high
    }


@every_stream
def test_only_coefficients_of_touched_mcus_change(stream: bytes, values: tuple[int, ...]) -> None:
    before, after = Decoded(strip_jpeg(stream)), Decoded(mask_jpeg(stream, [BOX], values))

    for part, blocks in before.blocks.items():
        flat = flat_places(before, part)
        assert flat
        assert blocks.keys() == after.blocks[part].keys()
        for place, block in after.blocks[part].items():
            assert block[1:] == (0,) * 63 if place in flat else block == blocks[place], place
        assert len({after.blocks[part][place] for place in flat}) == 1


@every_stream
def test_the_box_decodes_to_the_value(stream: bytes, values: tuple[int, ...]) -> None:
    spaces = {"colorspace": "YCBCR", "outcolorspace": "YCBCR"} if len(values) > 1 else {}
    decoded = imagecodecs.jpeg8_decode(mask_jpeg(stream, [BOX], values), **spaces)

    x0, y0, x1, y1 = BOX
    inside = decoded[y0:y1, x0:x1].reshape(-1, len(values)).astype(int)
    assert np.abs(inside - values).max() <= (0 if set(values) <= {0, 128, 255, 4095} else 1)


@every_stream
def test_a_box_over_all_leaves_nothing(stream: bytes, values: tuple[int, ...]) -> None:
    decoded = imagecodecs.jpeg8_decode(mask_jpeg(stream, [(-9, -9, 9999, 9999)], values))

    assert (decoded == decoded[0, 0]).all()


@every_stream
def test_without_a_box_in_the_image_nothing_changes(stream: bytes, values: tuple[int, ...]) -> None:
    for boxes in ([], [(COLUMNS, 0, COLUMNS + 9, 9)], [(5, 5, 5, 9)], [(-9, -9, 0, 0)]):
        assert mask_jpeg(stream, boxes, values) == strip_jpeg(stream)


@every_stream
def test_what_is_masked_twice_is_what_is_masked_once(stream: bytes, values: tuple[int, ...]) -> None:
    once = mask_jpeg(stream, [BOX], values)

    assert Decoded(mask_jpeg(once, [BOX], values)).blocks == Decoded(once).blocks


def test_many_boxes_are_masked_at_once() -> None:
    boxes = [(0, 0, 1, 1), (COLUMNS - 1, ROWS - 1, COLUMNS, ROWS), (50, 30, 70, 33)]
    before, after = Decoded(strip_jpeg(GREY)), Decoded(mask_jpeg(GREY, boxes, (0,)))
    flat = set().union(*(flat_places(before, 1, box) for box in boxes))

    assert len(flat) == 1 + 1 + 2 * 3
    assert {place for place, block in after.blocks[1].items() if block != before.blocks[1][place]} == flat


def test_intervals_without_a_touched_mcu_are_copied_as_bytes() -> None:
    stream = strip_jpeg(STREAMS["restarts by row"][0])
    before, after = stream.split(b"\xff\xd3"), mask_jpeg(stream, [(0, 0, 30, 8)], (0,)).split(b"\xff\xd3")

    assert after[1] == before[1]
    assert after[0] != before[0]


def test_chroma_that_is_interpolated_is_blended_at_the_border_only() -> None:
    stream = colour("420")
    before, after = (imagecodecs.jpeg8_decode(one) for one in (stream, mask_jpeg(stream, [BOX], BLACK)))
    changed_rows, changed_columns = np.nonzero((before != after).any(axis=-1))

    assert mcu_px(stream) == (16, 16)
    assert (changed_columns.min(), changed_columns.max()) >= (16 - 2, 0)
    assert changed_columns.max() < 64 + 2
    assert changed_rows.max() < 32 + 2


def test_comments_and_application_segments_go() -> None:
    marked = GREY[:2] + segment(0xFE, b"JANE DOE") + segment(0xE1, b"Exif\0\0JANE DOE") + GREY[2:]

    assert mask_jpeg(marked, [BOX], (0,)) == mask_jpeg(GREY, [BOX], (0,))
    assert b"JFIF" in mask_jpeg(marked, [BOX], (0,))
    assert b"Adobe" in mask_jpeg(STREAMS["RGB"][0], [BOX], (0, 0, 0))


def test_bytes_between_the_last_block_and_the_end_go() -> None:
    hidden = GREY[:-2] + b"JANE DOE" + GREY[-2:]

    assert b"JANE DOE" not in mask_jpeg(hidden, [BOX], (0,))


def test_a_table_without_room_is_refused_and_one_with_room_keeps_its_codes() -> None:
    table = huffman_table(bytes([0, 3]) + bytes(14), b"\x05\x06\x07")
    larger = table.extended([0, 5, 11])

    assert {symbol: larger.codes[symbol] for symbol in (5, 6, 7)} == table.codes
    assert larger.codes[0] == (0b1100, 4)
    assert larger.codes[11] == (0b1101, 4)
    full = huffman_table(bytes([1] * 16), bytes(range(16)))
    with pytest.raises(Refused):
        full.extended([99])


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (imagecodecs.jpeg8_encode(picture(samples=1), lossless=True), Reason.PIXELS_NOT_CLEANABLE),
        (GREY.replace(b"\xff\xc0", b"\xff\xc2"), Reason.PIXELS_NOT_CLEANABLE),
        (GREY.replace(b"\xff\xc0", b"\xff\xc9"), Reason.PIXELS_NOT_CLEANABLE),
        (GREY[: len(GREY) // 2] + b"\xff\xd9", Reason.MALFORMED),
        (GREY[: len(GREY) // 2], Reason.MALFORMED),
        (STREAMS["restarts"][0].replace(b"\xff\xd1", b""), Reason.MALFORMED),
        (GREY[:2] + GREY[GREY.index(b"\xff\xda") :], Reason.MALFORMED),
        (b"\xff\xd8\xff\xd9", Reason.MALFORMED),
        (b"JANE DOE", Reason.MALFORMED),
        (b"", Reason.MALFORMED),
    ],
    ids=[
        *("lossless", "progressive", "arithmetic", "cut with an end", "cut", "restart lost", "no tables", "empty"),
        *("no JPEG", "nothing"),
    ],
)
def test_what_cannot_be_edited_is_refused(stream: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        mask_jpeg(stream, [BOX], (0,))
    assert refused.value.reason is reason


def test_the_size_of_an_mcu_of_no_image_is_refused() -> None:
    for stream in (b"\xff\xd8\xff\xd9", b"", b"\xff\xd8" + GREY[GREY.index(b"\xff\xda") :]):
        with pytest.raises(Refused):
            mcu_px(stream)


def test_components_without_a_scan_or_with_two_are_refused() -> None:
    stream = scans_apart()
    second, third = (match.start() for match in list(re.finditer(b"\xff\xda", stream))[1:])

    for broken in (stream[:third] + b"\xff\xd9", stream[:third] + stream[second:]):
        with pytest.raises(Refused):
            mask_jpeg(broken, [BOX], BLACK)


def test_a_stream_of_another_number_of_components_than_values_is_refused() -> None:
    with pytest.raises(Refused):
        mask_jpeg(GREY, [BOX], BLACK)

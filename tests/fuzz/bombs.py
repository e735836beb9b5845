"""Ways to ask for too much, and to lie about pixels: depth, numbers, inflation, fragments, sizes of images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache

from tests.fuzz.draw import Draw, Edit
from tests.fuzz.fields import UNDEFINED
from tests.fuzz.mutators import Mutator
from tests.fuzz.sentinels import NAME

_SEQUENCES = (0x00081140, 0x00081115, 0x0040A730, 0x00400275, 0x00091001, 0x30060010, 0x52009230, 0x00720600)
_MORE_THAN_ALLOWED = 40


def depth(draw: Draw) -> list[Edit]:
    """Nest sequences, or what could be one, more deeply than anything should."""
    tag = draw.rng.choice(_SEQUENCES)
    levels = draw.rng.choice((10, 30, 31, 32, 33, _MORE_THAN_ALLOWED, 200, 1000, 3000))
    vr = draw.rng.choice(("SQ", "SQ", "UN"))
    is_open = draw.rng.random() < 0.5
    inside = draw.element(0x00100010, "PN", NAME.encode())
    if levels > 200 and not is_open:
        return [Edit(draw.before(tag), draw.before(tag), _unclosed(draw, tag, vr) * levels)]
    for _ in range(levels):
        if vr == "UN":
            inside = _unknown(tag, inside, is_open=is_open) if draw.rng.random() < 0.9 else inside
        body = draw.item(inside, is_open=is_open)
        closed = draw.tag(0xFFFEE0DD) + bytes(4) if is_open else b""
        if vr == "SQ":
            inside = draw.element(tag, "SQ", body + closed, UNDEFINED if is_open else None)
        if len(inside) > 1 << 18:
            break
    return [Edit(draw.before(tag), draw.before(tag), inside)]


def _unclosed(draw: Draw, tag: int, vr: str) -> bytes:
    return draw.element(tag, vr, b"", UNDEFINED) + draw.tag(0xFFFEE000) + b"\xff\xff\xff\xff"


def _unknown(tag: int, inside: bytes, *, is_open: bool) -> bytes:
    """Encode a sequence with implicit VR, as it lies in UN."""
    item = b"\xfe\xff\x00\xe0" + len(inside).to_bytes(4, "little") + inside
    length = UNDEFINED if is_open else len(item)
    closed = b"\xfe\xff\xdd\xe0" + bytes(4) if is_open else b""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length) + item + closed


def numbers(draw: Draw) -> list[Edit]:
    """Send very many elements, items, values, names."""
    count = draw.rng.choice((100, 1000, 5000))
    rng = draw.rng
    kinds: tuple[Callable[[], Edit], ...] = (
        lambda: _many_elements(draw, count),
        lambda: _sequence(draw, 0x00081140, draw.item(b"") * count),
        lambda: draw.put(0x00101001, "PN", _list(lambda: _person(draw), count // 5)),
        lambda: draw.put(0x00101000, "LO", _list(lambda: b"%d" % rng.getrandbits(60), count // 2)),
        lambda: _items(draw, 0x00081140, 0x00081155, "UI", lambda: b"1.2.3.%d" % rng.getrandbits(60), count // 5),
        lambda: _items(draw, 0x0040A730, 0x0040A123, "PN", lambda: _person(draw), count // 5),
        lambda: _items(draw, 0x0040A730, 0x0040A121, "DA", lambda: b"%08d" % rng.randrange(10**8), count // 5),
    )
    return [draw.rng.choice(kinds)()]


def _person(draw: Draw) -> bytes:
    return b"%s^%s" % (_word(draw), _word(draw))


def _word(draw: Draw) -> bytes:
    return bytes(draw.rng.choices(b"abcdefghijklmnopqrstuvwxyz", k=draw.rng.choice((3, 5, 9))))


def _list(value: Callable[[], bytes], count: int) -> bytes:
    return b"\\".join(value() for _ in range(count))[:65_534]


def _many_elements(draw: Draw, count: int) -> Edit:
    tags = sorted({0x00110000 | draw.rng.getrandbits(16) | 0x1000 for _ in range(count)})
    new = b"".join(draw.element(tag, "LO", b"") for tag in tags)
    return Edit(draw.before(0x00110000), draw.before(0x00110000), new)


def _items(draw: Draw, sequence: int, tag: int, vr: str, value: Callable[[], bytes], count: int) -> Edit:
    return _sequence(draw, sequence, b"".join(draw.item(draw.element(tag, vr, value())) for _ in range(count)))


def _sequence(draw: Draw, tag: int, items: bytes) -> Edit:
    there = draw.seed.find(tag)
    at = draw.before(tag)
    new = draw.element(tag, "SQ", items)
    return Edit(there.start, there.end, new) if there else Edit(at, at, new)


_IMAGE = {
    "Samples": (0x00280002, (0, 1, 2, 3, 4, 255, 65535)),
    "Planar": (0x00280006, (0, 1, 2, 65535)),
    "Rows": (0x00280010, (0, 1, 2, 15, 17, 512, 4096, 32767, 65535)),
    "Columns": (0x00280011, (0, 1, 2, 15, 17, 512, 4096, 32767, 65535)),
    "BitsAllocated": (0x00280100, (0, 1, 7, 8, 12, 16, 24, 32, 64, 65535)),
    "BitsStored": (0x00280101, (0, 1, 8, 12, 16, 17, 32, 65535)),
    "HighBit": (0x00280102, (0, 7, 11, 15, 16, 31, 65535)),
    "Representation": (0x00280103, (0, 1, 2, 65535)),
    "Padding": (0x00280120, (0, 1, 65535)),
}
_FRAMES = (*(b"", b"0 ", b"-1", b"1 ", b"3 ", b"999999999999", b"2147483647", b"4294967297", b"2\\3 ", b"1e9 ", b"x "),)
_PHOTOMETRIC = (
    *(b"MONOCHROME1 ", b"RGB ", b"YBR_FULL_422", b"YBR_RCT ", b"PALETTE COLOR ", b"", b"XXX ", b"YBR_ICT ", b"ARGB"),
)


def image_lies(draw: Draw) -> list[Edit]:
    """Say of the pixels what they are not."""
    edits = []
    for _ in range(draw.rng.choice((1, 1, 2, 3))):
        kind = draw.rng.random()
        if kind < 0.7:
            tag, choices = draw.rng.choice(list(_IMAGE.values()))
            value = draw.number(draw.rng.choice(choices), 2) * draw.rng.choice((1, 1, 1, 0, 2))
            edits.append(draw.put(tag, "US", value))
        elif kind < 0.85:
            edits.append(draw.put(0x00280008, "IS", draw.rng.choice(_FRAMES)))
        else:
            edits.append(draw.put(0x00280004, "CS", draw.rng.choice(_PHOTOMETRIC)))
    return edits


def fragments(draw: Draw) -> list[Edit]:
    """Lie about the frames of compressed pixels: tables, numbers and lengths of fragments, what is in them."""
    pixels = draw.seed.find(0x7FE00010)
    if pixels is None:
        return []
    items = [field for field in draw.seed.fields if pixels.start < field.start < pixels.end]
    items = [field for field in items if field.tag == 0xFFFEE000]
    if not items:
        return _native(draw, pixels.value, pixels.end)
    rng, data, table, item = draw.rng, draw.seed.data, items[0], draw.rng.choice(items)
    half, cut = (item.value + item.end) // 2 & ~1, rng.randrange(item.value, item.end + 1)
    tables = (b"", rng.randbytes(8), b"\xff" * 8, bytes(4000), struct.pack("<2L", 0, 4), b"abc")
    more = draw.item(rng.choice((b"", b"\0\0", NAME.encode(), b"\xff\xd8\xff\xd9")))
    offsets = struct.pack("<2Q", *rng.choice(((0, 8), (0, 1 << 63), ((1 << 64) - 1, 4), (8, 0))))
    flipped = [rng.randrange(item.value, item.end) for _ in range(rng.choice((1, 2, 8, 64))) if item.end > item.value]
    ways: tuple[list[Edit], ...] = (
        [Edit(table.start, table.end, draw.item(rng.choice(tables)))],
        [Edit(item.start, item.end, b"")],
        [Edit(item.end, item.end, more)],
        [Edit(item.start, item.end, draw.item(data[item.value : half]) + draw.item(data[half : item.end]))],
        [draw.put(0x7FE00001, "OV", offsets), draw.put(0x7FE00002, "OV", offsets)],
        [Edit(at, at + 1, rng.randbytes(1)) for at in flipped],
        [Edit(item.start, item.end, draw.item(data[item.value : cut] + NAME.encode() * rng.randrange(3)))],
    )
    return rng.choice(ways)


def _native(draw: Draw, start: int, end: int) -> list[Edit]:
    """Write names over native pixels, or cut them."""
    at = draw.rng.randrange(start, end + 1)
    return draw.rng.choice(([Edit(at, at, b"")], [Edit(at, end, b"")], [Edit(end, end, NAME.encode() * 3)]))


def frame_bombs(draw: Draw) -> list[Edit]:
    """Put frames in the place of others that unpack to far more than they are."""
    pixels = draw.seed.find(0x7FE00010)
    if pixels is None:
        return []
    side = draw.rng.choice((4096, 16_383, 65_535))
    big = draw.number(side, 2)
    size = [draw.put(0x00280010, "US", big), draw.put(0x00280011, "US", big)]
    frame = draw.rng.choice((
        _deflated(draw.rng.choice((1 << 20, 1 << 24))),
        struct.pack("<16L", 1, 64, *([0] * 14)) + b"\x81\0" * 20_000,
        _jpeg(b"\xc3", side, b"\x01\x00\x00"),
        _jpeg(b"\xf7", side, b"\x00\x00\x00"),
        _jpeg(b"\xc0", side, b"\x00\x3f\x00"),
        b"\xff\x4f\xff\x51\x00\x29\x00\x00" + struct.pack(">8L", side, side, 0, 0, side, side, 0, 0)
        + b"\x00\x01\x0f\x01\x01" + bytes(90) + b"\xff\xd9",
    ))  # fmt: skip
    body = draw.item(b"") + draw.item(frame + b"\0" * (len(frame) % 2)) + draw.tag(0xFFFEE0DD) + bytes(4)
    frames = [draw.put(0x00280008, "IS", draw.rng.choice((b"1 ", b"2 ", b"1000000 ")))]
    return [*size, *frames, Edit(pixels.start, len(draw.seed.data), draw.element(0x7FE00010, "OB", body, UNDEFINED))]


def _jpeg(marker: bytes, side: int, selection: bytes) -> bytes:
    """Return a stream of a large image whose entropy-coded part is a few zeros."""
    head = b"\xff\xd8\xff" + marker + b"\x00\x0b\x10" + struct.pack(">HH", side, side) + b"\x01\x01\x11\x00"
    return head + b"\xff\xda\x00\x08\x01\x01\x00" + selection + bytes(64) + b"\xff\xd9"


@cache
def _deflated(size: int) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = bytes(1 << 20)
    return b"".join(deflater.compress(block) for _ in range(size >> 20)) + deflater.flush()


PIXELS: dict[str, Mutator] = {mutator.__name__: mutator for mutator in (image_lies, fragments, frame_bombs)}
BOMBS: dict[str, Mutator] = {mutator.__name__: mutator for mutator in (depth, numbers)}


def deflate(draw: Draw, data: bytes, *, is_honest: bool) -> bytes:
    """Deflate a Data Set, or make a stream that breaks off, goes on, lies, or inflates to far more than it is."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = deflater.compress(data)
    if is_honest:
        stream += deflater.flush()
        return stream + b"\0" * (len(stream) % 2)
    kind = draw.rng.randrange(12)
    if kind == 0:  # 100 MiB of zeros in a private element, or behind all
        if draw.rng.random() < 0.5:
            stream += deflater.compress(draw.element(0x00111001, "OB", b"", 100 << 20))
        return stream + deflater.flush(zlib.Z_FULL_FLUSH) + _deflated(100 << 20)
    whole = stream + deflater.flush()
    at = draw.rng.randrange(len(whole))
    broken: tuple[Callable[[], bytes], ...] = (
        lambda: whole[:at],
        lambda: whole + draw.rng.choice((NAME.encode(), bytes(3), whole, b"\0\0")),
        lambda: whole[:at] + draw.rng.randbytes(1) + whole[at + 1 :],
        lambda: zlib.compress(data),
        lambda: draw.rng.randbytes(200),
        lambda: whole[:at] + whole[at + 1 :],
    )
    return broken[kind % len(broken)]()

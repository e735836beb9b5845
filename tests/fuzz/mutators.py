"""Ways to break the headers of a Data Set: lengths, VRs, tags, order, values, character sets, ends."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

from tests.fuzz.draw import Draw, Edit
from tests.fuzz.fields import LONG_VRS, SHORT_VRS, TEXT_VRS, UNDEFINED, Field
from tests.fuzz.sentinels import CODE, NAME

Mutator = Callable[[Draw], list[Edit]]

_VRS = (*SHORT_VRS, *sorted(LONG_VRS))
_NO_VRS = ("  ", "\0\0", "XX", "pn", "P\0", "??", "QQ", "ox", "A\xff", "UZ")
_TAGS = (
    *(0x00000000, 0x00000002, 0x00020010, 0x00080000, 0x00080001, 0x00080005, 0x00080016, 0x00080018, 0x00100010),
    *(0x00100020, 0x00080060, 0x00181030, 0x0020000D, 0x00280010, 0x00400275, 0x00420011, 0x00880200, 0x00090010),
    *(0x00091001, 0x60003000, 0x60000010, 0x50003000, 0x7FE00010, 0x7FE00008, 0x7FE00001, 0x7FE10010, 0xFFFCFFFC),
    *(0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFAFFFA, 0xFFFFFFFF, 0x00010001, 0x0040A730, 0x0040A168, 0x54000100),
    *(0x00281101, 0x00283006, 0x00120064, 0x04000561, 0x00020000, 0xFFFEFFFF, 0x00282000, 0x00283010, 0x00080008),
)
_CHARSETS = (
    b"", b"ISO_IR 100", b"GB18030", b"GBK", b"ISO_IR 13", b"ISO_IR 166", b"ISO 2022 IR 87",
    b"\\ISO 2022 IR 87", b"ISO 2022 IR 6\\ISO 2022 IR 149", b"\\ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159",
    b"ISO_IR 999", b"UTF-8", b"utf8", b"UTF-16", b"\xff\xfe", b"ISO_IR 100\\" * 40, b"\\" * 300, b"ISO_IR 192",
    b"ISO_IR 192\\ISO_IR 100",
    b"X" * 1024, b"X" * 1026, b"ISO 2022 IR 58", b"ISO_IR 126", b"IR_ISO 100", b"\0\0", b"\x1b$B",
)  # fmt: skip
_ESCAPES = (
    b"\x1b", b"\x1b$B", b"\x1b$B;3ED\x1b(J", b"\x1b$)C\xfb\xf3", b"\x1b(I", b"\x1b-A\xe9", b"\x1b$(D", b"\x1b$",
    b"\x1b-", b"\xff\xfe\xfd", b"\xc3\x28", b"\xe9", b"\x80", b"\x00A\x00B", b"\x1b)I\xb1", b"\xa1",
    b"\xf4\x90\x80\x80", b"\x1b$B\x21",
)  # fmt: skip
_VALUES = (
    b"", b"\0", b" ", b"\\", b"^", b"=", b"\\" * 1000, b"^" * 4000, b"=" * 4000, b"a^b\\" * 2000, b"-", b"1e999999",
    b"nan", b"-inf", b"9" * 400, b"0" * 60_000, b"00000000", b"99999999", b"19991332", b"20200230",
    b"00010101-99991231",
    b"24:61:61.999999999", b"+9999", b"-99999999999999999999", b"999Y", b"000D", b"1.2.3", b"1." * 300, b".", b"..",
    b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.3.10", b"../../../../etc/passwd", b"%s%n%x", b"\xff" * 64, b"\0" * 64,
    b"A" * 65_534, b"\r\n\t\f" * 20, b"<!ENTITY x>", b"=\x5e\x5c\x1b", b"1\\2\\3\\4\\5\\6", b"0x7FFFFFFF", b"\x7f\x80",
)  # fmt: skip


def bit_flips(draw: Draw) -> list[Edit]:
    data, rng = draw.seed.data, draw.rng
    places = [rng.randrange(len(data)) for _ in range(rng.choice((1, 1, 2, 4, 16)))]
    return [Edit(at, at + 1, bytes([data[at] ^ 1 << rng.randrange(8)])) for at in places]


def header_flips(draw: Draw) -> list[Edit]:
    """Flip bits where structure is."""
    edits = []
    for _ in range(draw.rng.choice((1, 2, 3))):
        field = draw.rng.choice(draw.seed.fields)
        at = draw.rng.randrange(field.start, field.value)
        edits.append(Edit(at, at + 1, bytes([draw.seed.data[at] ^ 1 << draw.rng.randrange(8)])))
    return edits


def noise(draw: Draw) -> list[Edit]:
    size = draw.rng.choice((1, 4, 16, 64, 512))
    at = draw.rng.randrange(len(draw.seed.data))
    new = draw.rng.choice((draw.rng.randbytes(size), b"\xff" * size, b"\0" * size, b" " * size))
    return [Edit(at, min(at + size, len(draw.seed.data)), new)]


def length_lies(draw: Draw) -> list[Edit]:
    edits = []
    for _ in range(draw.rng.choice((1, 1, 1, 2, 4))):
        field = draw.rng.choice(draw.seed.fields)
        true, left = field.end - field.value, len(draw.seed.data) - field.value
        lie = draw.rng.choice(
            (0, 1, 2, true - 1, true + 1, true + 2, true + 8, true - 2, true // 2, true * 2, left, left + 1, left - 1,
             0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, UNDEFINED, draw.rng.getrandbits(32))
        )  # fmt: skip
        new = draw.number(lie, field.length_bytes)
        edits.append(Edit(field.length_at, field.length_at + field.length_bytes, new))
    return edits


def vr_lies(draw: Draw) -> list[Edit]:
    """Say another VR, in a header of its form or in that of the old one."""
    field = draw.field(lambda field: bool(field.vr))
    if field is None:
        return []
    vr = draw.rng.choice(_VRS if draw.rng.random() < 0.8 else _NO_VRS)
    if draw.rng.random() < 0.3 or field.vr == "SQ":
        return [Edit(field.start + 4, field.start + 6, vr.encode("latin-1"))]
    return [Edit(field.start, field.end, draw.element(field.tag, vr, draw.value(field)))]


def tag_lies(draw: Draw) -> list[Edit]:
    field = draw.rng.choice(draw.seed.fields)
    kind = draw.rng.randrange(4)
    if kind == 0:
        tag = draw.rng.choice(_TAGS)
    elif kind == 1:
        tag = field.tag ^ 0x10000
    elif kind == 2:
        tag = draw.rng.choice(draw.seed.fields).tag
    else:
        tag = draw.rng.getrandbits(32)
    return [Edit(field.start, field.start + 4, draw.tag(tag))]


def truncation(draw: Draw) -> list[Edit]:
    size = len(draw.seed.data)
    at = draw.rng.randrange(size)
    if draw.rng.random() < 0.4:
        field = draw.rng.choice(draw.seed.fields)
        at = draw.rng.choice((field.start, field.value, field.end, field.value - 1))
    return [Edit(at, size, b"")]


def trailing_bytes(draw: Draw) -> list[Edit]:
    size = len(draw.seed.data)
    new = draw.rng.choice((
        b"\0", bytes(4), bytes(8), bytes(draw.rng.randrange(1, 600)), NAME.encode(), CODE.encode() + bytes(12),
        draw.element(0xFFFCFFFC, "OB", NAME.encode()), draw.element(0x00100010, "PN", NAME.encode()),
        draw.seed.data, draw.rng.choice(draw.seeds).data, draw.rng.randbytes(7), b"\xfe\xff\x0d\xe0" + bytes(4),
        draw.element(0xFFFDFFFF, "LO", CODE.encode()), b"DICM", draw.seed.data[-40:],
    ))  # fmt: skip
    return [Edit(size, size, new)]


def undefined_lengths(draw: Draw) -> list[Edit]:
    """Leave a length open that may not be, or whose end doesn't come; or put delimiters where none belong."""
    kind = draw.rng.randrange(4)
    if kind == 0:
        field = draw.rng.choice(draw.seed.fields)
        return [Edit(field.length_at, field.length_at + field.length_bytes, b"\xff" * field.length_bytes)]
    if kind == 1:
        at = draw.rng.choice(draw.seed.fields).start
        tag = draw.rng.choice((0xFFFEE00D, 0xFFFEE0DD, 0xFFFEE000))
        return [Edit(at, at, draw.tag(tag) + draw.number(draw.rng.choice((0, 8, UNDEFINED, 0xFFFFFFF8)), 4))]
    if kind == 2:
        delimiter = draw.field(lambda field: field.tag in {0xFFFEE00D, 0xFFFEE0DD})
        return [Edit(delimiter.start, delimiter.end, b"")] if delimiter else []
    leaf = draw.leaf()
    if leaf is None:
        return []
    vr = draw.rng.choice(("OB", "OW", "UN", "SQ", "UT", "UC"))
    closed = draw.tag(0xFFFEE0DD) + bytes(4)
    body = draw.rng.choice((draw.value(leaf), draw.item(draw.value(leaf)), draw.item(draw.raw(leaf))))
    return [Edit(leaf.start, leaf.end, draw.element(leaf.tag, vr, body + closed, UNDEFINED))]


def charset_lies(draw: Draw) -> list[Edit]:
    edits = [draw.put(0x00080005, "CS", draw.rng.choice(_CHARSETS))]
    for _ in range(draw.rng.randrange(3)):
        field = draw.field(lambda field: field.vr in TEXT_VRS or draw.seed.is_implicit)
        if field is not None and not field.is_item and field.vr != "SQ":
            value = draw.value(field)
            at = draw.rng.randrange(len(value) + 1)
            value = value[:at] + draw.rng.choice(_ESCAPES) + value[at:]
            edits.append(Edit(field.start, field.end, draw.element(field.tag, field.vr, value)))
    item = draw.field(lambda field: field.tag == 0xFFFEE000 and field.end - field.value > 8)
    if item is not None and draw.rng.random() < 0.3:
        edits.append(Edit(item.value, item.value, draw.element(0x00080005, "CS", draw.rng.choice(_CHARSETS))))
    return edits


def duplicates(draw: Draw) -> list[Edit]:
    """Send an element twice: beside itself, elsewhere, with another value, or in another item."""
    field = draw.field(lambda field: not field.is_item)
    if field is None:
        return []
    raw = draw.raw(field)
    if draw.rng.random() < 0.4 and field.vr in TEXT_VRS:
        raw = draw.element(field.tag, field.vr, draw.rng.choice((b"", NAME.encode(), CODE.encode(), b"OTHER ")))
    at = draw.rng.choice((field.start, field.end, draw.place(), draw.rng.choice(draw.seed.fields).start))
    return [Edit(at, at, raw * draw.rng.choice((1, 1, 1, 30)))]


def disorder(draw: Draw) -> list[Edit]:
    """Swap elements, or move one to the front or the end."""
    first, second = sorted(draw.rng.choices(draw.seed.top, k=2), key=lambda field: field.start)
    if first is second:
        return [Edit(first.start, first.end, b""), Edit(len(draw.seed.data), len(draw.seed.data), draw.raw(first))]
    if draw.rng.random() < 0.2:
        return [Edit(0, 0, draw.raw(second)), Edit(second.start, second.end, b"")]
    return [Edit(first.start, first.end, draw.raw(second)), Edit(second.start, second.end, draw.raw(first))]


def odd_lengths(draw: Draw) -> list[Edit]:
    field = draw.leaf()
    if field is None:
        return []
    value = draw.rng.choice((draw.value(field)[:-1], draw.value(field) + b"x", b"1"))
    return [Edit(field.start, field.end, draw.element(field.tag, field.vr, value))]


def values(draw: Draw) -> list[Edit]:
    """Put in values that no form foresees."""
    edits = []
    for _ in range(draw.rng.choice((1, 1, 2, 5))):
        field = draw.leaf()
        if field is not None:
            value = draw.rng.choice(_VALUES)
            if draw.rng.random() < 0.3:
                value = draw.value(field) + value
            edits.append(Edit(field.start, field.end, draw.element(field.tag, field.vr, value[:65_534])))
    return edits


def removal(draw: Draw) -> list[Edit]:
    fields = [draw.rng.choice(draw.seed.fields) for _ in range(draw.rng.choice((1, 1, 3, 10)))]
    return [Edit(field.start, field.end, b"") for field in fields]


def repeats(draw: Draw) -> list[Edit]:
    """Repeat an item of a sequence, or a fragment."""
    field = draw.field(lambda field: field.tag == 0xFFFEE000 and field.end - field.start < 4096)
    times = draw.rng.choice((1, 2, 50, 300))
    return [Edit(field.end, field.end, draw.raw(field) * times)] if field else []


def splice(draw: Draw) -> list[Edit]:
    """Go on with another instance: between elements, or anywhere."""
    alike = [seed for seed in draw.seeds if seed.syntax == draw.seed.syntax] if draw.rng.random() < 0.7 else draw.seeds
    other = draw.rng.choice(alike)
    size = len(draw.seed.data)
    if draw.rng.random() < 0.6:
        here, there = draw.rng.choice(draw.seed.fields).start, draw.rng.choice(other.fields)
        if draw.rng.random() < 0.5:
            return [Edit(here, here, other.data[there.start : there.end])]
        return [Edit(here, size, other.data[there.start :])]
    at = draw.rng.randrange(size)
    return [Edit(at, size, other.data[draw.rng.randrange(len(other.data)) :])]


def unknown_vrs(draw: Draw) -> list[Edit]:
    """Hide elements in UN or in a private element, as bytes, as a sequence, or as one whose end doesn't come."""
    fields = draw.seed.top
    at = draw.rng.randrange(len(fields))
    hidden = b"".join(_implicit(draw, field) for field in fields[at : at + draw.rng.choice((1, 1, 4))])
    little = b"\xfe\xff\x00\xe0" + len(hidden).to_bytes(4, "little") + hidden
    tag = draw.rng.choice((0x00091001, 0x00091101, 0x0011107E, 0x00081032, 0x00400555, 0x00081140, fields[at].tag))
    closed = draw.rng.choice((b"\xfe\xff\xdd\xe0" + bytes(4), b""))
    value, length = draw.rng.choice(((little, None), (little + closed, UNDEFINED), (hidden, None), (hidden, UNDEFINED)))
    names = (b"SIEMENS CSA HEADER", b"GEMS_PARM_01", b"", CODE.encode())
    creator = draw.element(0x00090010, "LO", draw.rng.choice(names))
    new = draw.element(tag, "UN", value, length)
    return [Edit(draw.before(tag), draw.before(tag), creator + new if tag >> 16 == 9 else new)]


def _implicit(draw: Draw, field: Field) -> bytes:
    value = draw.value(field)[:4096]
    return struct.pack("<HHL", field.tag >> 16, field.tag & 0xFFFF, len(value)) + value


def private_blocks(draw: Draw) -> list[Edit]:
    """Move, rename, double or remove what reserves a private block."""
    creators = [field for field in draw.seed.fields if field.tag & 0x10000 and 0x10 <= field.tag & 0xFFFF <= 0xFF]
    if not creators:
        return [draw.put(0x00290010, "LO", b"SIEMENS CSA HEADER"), draw.put(0x00291010, "OB", NAME.encode() * 9)]
    field = draw.rng.choice(creators)
    names = (b"", b"\0\0", NAME.encode(), b"SIEMENS MR HEADER ", b"Philips MR Imaging DD 001 ", b"x" * 64)
    name, kind = draw.rng.choice(names), draw.rng.randrange(3)
    if kind == 0:
        return [Edit(field.start, field.end, draw.element(field.tag, field.vr, name))]
    if kind == 1:
        return [Edit(field.start, field.start + 4, draw.tag(field.tag + draw.rng.choice((1, 0x10, 0xE0, -1, 0x20000))))]
    return [Edit(field.start, field.end, b"")]


def gaps(draw: Draw) -> list[Edit]:
    """Put bytes between two elements."""
    for before, after in pairwise(draw.rng.sample(draw.seed.top, 2) if len(draw.seed.top) > 1 else ()):
        at = max(before.start, after.start)
        return [Edit(at, at, draw.rng.randbytes(draw.rng.choice((1, 2, 4, 8, 12))))]
    return []


HEADERS: dict[str, Mutator] = {
    mutator.__name__: mutator
    for mutator in (
        bit_flips, header_flips, noise, length_lies, vr_lies, tag_lies, truncation, trailing_bytes, undefined_lengths,
        charset_lies, duplicates, disorder, odd_lengths, values, removal, repeats, splice, unknown_vrs,
        private_blocks, gaps,
    )
}  # fmt: skip

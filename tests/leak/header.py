"""What lies before, after and between the elements."""

from __future__ import annotations

import struct

from tests.leak import encode, sentinel
from tests.leak.encode import El, Raw
from tests.leak.encodings import BYTES, Encoding
from tests.leak.sentinel import Sentinel
from tests.leak.subject import UID_ROOT, Draw, Plant, even

_PREAMBLES = {
    "text": b"",
    "PE file": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0",
    "ELF file": b"\x7fELF\2\1\1\0",
    "TIFF file": b"II*\0\x08\0\0\0",
    "BigTIFF": b"MM\0+\0\x08\0\0",
}
_META = {
    0x0002_0003: "UI",
    0x0002_0012: "UI",
    0x0002_0013: "SH",
    0x0002_0016: "AE",
    0x0002_0017: "AE",
    0x0002_0018: "AE",
    0x0002_0026: "UR",
    0x0002_0027: "UR",
    0x0002_0028: "UR",
    0x0002_0035: "LO",
    0x0002_0099: "LO",
    0x0002_0100: "UI",
    0x0002_0102: "OB",
}


def _words(draw: Draw, encoding: Encoding) -> tuple[bytes, Sentinel]:
    wanted = sentinel.text(draw.rng, encoding.script)
    return encoding.write(" ".join(wanted.parts)), wanted


def preambles() -> tuple[tuple[str, Encoding], ...]:
    """Return what the preamble pretends to be, and how the sentinel is written."""
    return tuple((kind, encoding) for kind in _PREAMBLES for encoding in BYTES)


def in_preamble(draw: Draw, variant: tuple[str, Encoding]) -> Plant:
    """Plant in the 128 bytes before the prefix."""
    kind, encoding = variant
    draw.subject()
    value, wanted = _words(draw, encoding)
    return Plant(kind, encoding.name, wanted, draw.file(preamble=_PREAMBLES[kind] + value), is_valid=True)


def meta_elements() -> tuple[tuple[int, Encoding], ...]:
    """Return the attributes of group 0002, private and unknown ones included."""
    return tuple((tag, encoding) for tag, vr in _META.items() for encoding in (BYTES if vr == "OB" else BYTES[:4]))


def in_meta(draw: Draw, variant: tuple[int, Encoding]) -> Plant:
    """Plant in the File Meta Information."""
    tag, encoding = variant
    draw.subject()
    vr = _META[tag]
    if vr == "UI":
        wanted = sentinel.uid(draw.rng)
        value = (UID_ROOT + wanted.parts[0]).encode("ascii")
    else:
        value, wanted = _words(draw, encoding)
    meta = [El(tag, vr, even(value, vr))]
    if tag == 0x0002_0102:
        meta.append(El(0x0002_0100, "UI", b"1.2.3\0"))
    detail = f"(0002,{tag & 0xFFFF:04X})"
    return Plant(detail, encoding.name, wanted, draw.file(meta=meta), is_valid=tag != 0x0002_0099)


_TAILS = (
    "padding element",
    "text",
    "text, even",
    "four bytes",
    "odd bytes",
    "an element",
    "a second Data Set",
    "after padding",
)


def tails() -> tuple[tuple[str, Encoding, str], ...]:
    """Return what may follow the last element, in each native transfer syntax and an encapsulated one."""
    syntaxes = (encode.IMPLICIT, encode.EXPLICIT, encode.BIG_ENDIAN, encode.DEFLATED, encode.RLE)
    return tuple(
        (kind, BYTES[(number + step) % len(BYTES)], syntax)
        for number, kind in enumerate(_TAILS)
        for step, syntax in enumerate(syntaxes)
    )


def in_tail(draw: Draw, variant: tuple[str, Encoding, str]) -> Plant:
    """Plant after the last element."""
    kind, encoding, syntax = variant
    draw.subject(syntax=syntax)
    if kind == "four bytes":
        wanted = sentinel.blob(draw.rng, 4)
        return Plant(f"{kind}, {syntax}", "binary", wanted, draw.file(tail=wanted.blobs[0]), is_valid=False)
    value, wanted = _words(draw, encoding)
    padding = encode.data_set([El(0xFFFC_FFFC, "OB", encode.even(value))], _written_as(syntax))
    tail = {
        "padding element": padding,
        "text, even": encode.even(value),
        "odd bytes": value + b"!" * (1 - len(value) % 2),
        "an element": encode.data_set([El(0xFFFA_0010, "LO", even(value, "LO"))], _written_as(syntax)),
        "a second Data Set": encode.data_set([El(0x0010_0010, "PN", even(value, "PN"))], _written_as(syntax)),
        "after padding": padding + value,
    }.get(kind, value)
    is_valid = kind == "padding element"
    return Plant(f"{kind}, {syntax}", encoding.name, wanted, draw.file(tail=tail), is_valid)


def _written_as(syntax: str) -> str:
    return syntax if syntax in {encode.IMPLICIT, encode.BIG_ENDIAN} else encode.EXPLICIT


_DISORDERS = (
    "twice",
    "twice in an item",
    "unordered",
    "group length",
    "group length with text",
    "length of an odd group",
)


def disorders() -> tuple[tuple[str, str], ...]:
    """Return ways of breaking the order of elements, in every native syntax."""
    return tuple((kind, syntax) for kind in _DISORDERS for syntax in encode.NATIVE for _ in range(3))


def in_disorder(draw: Draw, variant: tuple[str, str]) -> Plant:
    """Plant in a duplicate, an element out of order, or a group length."""
    kind, syntax = variant
    draw.subject(syntax=syntax)
    value, wanted = _words(draw, draw.rng.choice(BYTES))
    tag, vr = draw.rng.choice(((0x0010_0010, "PN"), (0x0008_0060, "CS"), (0x0010_1000, "LO"), (0x0018_0015, "CS")))
    planted, innocent = El(tag, vr, even(value, vr)), El(tag, vr, even(b"CT", vr))
    if kind == "twice":
        both = [planted, innocent] if draw.rng.random() < 0.5 else [innocent, planted]
        draw.put(Raw(tag, _encoded(both, syntax)))
    elif kind == "twice in an item":
        draw.put(El(0x0008_2218, "SQ", [[innocent, planted]]))
    elif kind == "unordered":
        draw.elements.pop(0x0010_0010, None)
        draw.put(Raw(0x0028_0009, _encoded([El(0x0010_0010, "PN", even(value, "PN"))], syntax)))
    else:
        wanted = _put_group_length(draw, kind, value, wanted)
    return draw.plant(f"{kind}, {syntax}", "as is", wanted, is_valid=kind == "group length")


def _put_group_length(draw: Draw, kind: str, value: bytes, wanted: Sentinel) -> Sentinel:
    if kind == "group length":
        wanted = sentinel.blob(draw.rng, 4)
        draw.put(El(0x0008_0000, "UL", wanted.blobs[0]))
    else:
        tag = 0x0010_0000 if kind == "group length with text" else 0x0011_0000
        draw.put(El(tag, "LO", even(value, "LO")))
    return wanted


def _encoded(elements: list[El], syntax: str) -> bytes:
    return encode.data_set(elements, _written_as(syntax))


_DEFLATED_TAILS = ("text", "one byte too many", "second stream", "gzip trailer", "NULs and text")


def deflated_tails() -> tuple[tuple[str, Encoding], ...]:
    """Return what may follow a deflate stream."""
    return tuple((kind, encoding) for kind in _DEFLATED_TAILS for encoding in BYTES)


def in_deflated_tail(draw: Draw, variant: tuple[str, Encoding]) -> Plant:
    """Plant after the end of the deflate stream."""
    kind, encoding = variant
    draw.subject(syntax=encode.DEFLATED)
    value, wanted = _words(draw, encoding)
    tail = {
        "second stream": encode.deflate(encode.data_set([El(0x0010_0010, "PN", even(value, "PN"))], encode.EXPLICIT)),
        "gzip trailer": struct.pack("<LL", 1, 2) + value,
        "NULs and text": bytes(8) + value,
        "one byte too many": b"\0" + value,
    }.get(kind, value)
    return Plant(kind, encoding.name, wanted, draw.file() + tail, is_valid=False)

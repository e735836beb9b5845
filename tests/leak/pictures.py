"""What lies beside the image in its bits, bytes and tables."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom.data
from pydicom.datadict import RepeatersDictionary

from tests.leak import encode, sentinel
from tests.leak.encode import El, Encapsulated
from tests.leak.encodings import BYTES, DECLARED, Encoding
from tests.leak.sentinel import Sentinel
from tests.leak.subject import CT, Draw, Plant, even, image_attributes, noise, rle_frame

_PIXEL_DATA, _FLOAT, _DOUBLE = 0x7FE0_0010, 0x7FE0_0008, 0x7FE0_0009
_ICON = 0x0088_0200
_SIDE = 16


def _words(draw: Draw, encoding: Encoding = DECLARED[0]) -> tuple[bytes, Sentinel]:
    wanted = sentinel.text(draw.rng, encoding.script)
    return encoding.write(" ".join(wanted.parts)), wanted


def icons() -> tuple[tuple[str, Encoding], ...]:
    """Return where in an icon a sentinel may be."""
    return tuple((kind, encoding) for kind in ("pixels", "palette", "after pixels", "text") for encoding in BYTES)


def in_icon(draw: Draw, variant: tuple[str, Encoding]) -> Plant:
    """Plant in an Icon Image Sequence."""
    kind, encoding = variant
    draw.subject(CT)
    value, wanted = _words(draw, encoding)
    pixels = value.ljust(64, b"\0")[:64] if kind == "pixels" else bytes(64) + (value if kind == "after pixels" else b"")
    item = [*image_attributes(8, 8, 8, 8), El(_PIXEL_DATA, "OW", encode.even(pixels))]
    if kind == "palette":
        item.append(El(0x0028_1201, "OW", encode.even(value)))
    if kind == "text":
        item.append(El(0x0020_4000, "LT", even(value, "LT")))
    path = draw.put_at(draw.rng.choice((0, 0, 1, 3)), El(_ICON, "SQ", [sorted(item, key=lambda el: el.tag)]))
    return draw.plant(f"{kind}, {path}", encoding.name, wanted)


def overlays() -> tuple[tuple[str, int, str], ...]:
    """Return every attribute of the repeating groups 50xx and 60xx, with a group."""
    out: list[tuple[str, int, str]] = []
    for number, (pattern, entry) in enumerate(RepeatersDictionary.items()):
        if pattern[:2] in {"50", "60"} and "x" not in pattern[4:]:
            vr = entry[0].split(" or ", maxsplit=1)[0]
            for step in (0, 2, 0x1E):
                group = int(pattern[:2] + f"{step if number % 2 else step & 0x1E:02X}", 16)
                out += [(kind, group << 16 | int(pattern[4:], 16), vr) for kind in ("alone", "with data")]
    return tuple(out)


def in_overlay(draw: Draw, variant: tuple[str, int, str]) -> Plant:
    """Plant in an overlay or a curve."""
    kind, tag, vr = variant
    draw.subject(CT)
    if vr in {"US", "SS", "UL", "FL", "FD", "AT"}:
        wanted = sentinel.blob(draw.rng)
        element, name = El(tag, vr, wanted.blobs[0]), "binary"
    else:
        encoding = draw.rng.choice(BYTES if vr in {"OB", "OW"} else DECLARED[:1])
        value, wanted = _words(draw, encoding)
        name = encoding.name
        item = [El(0x0008_0090, "PN", even(value, "PN"))]
        element = El(tag, vr, [item]) if vr == "SQ" else El(tag, vr, even(value, vr))
    beside = (
        {0x0010: ("US", b"\x10\0"), 0x0011: ("US", b"\x10\0"), 0x3000: ("OW", bytes(32))} if kind == "with data" else {}
    )
    base = tag & 0xFFFF_0000
    whole = {base | number: El(base | number, of, value) for number, (of, value) in beside.items()} | {tag: element}
    path = draw.put_at(draw.rng.choice((0, 0, 1)), *(whole[number] for number in sorted(whole)))
    detail = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr} {kind}, {path}"
    return draw.plant(detail, name, wanted, is_valid=vr not in {"US", "CS", "IS", "DS"})


_LAYOUTS = ((16, 12, 11), (16, 12, 15), (16, 10, 9), (16, 8, 7), (8, 7, 6), (8, 4, 3), (32, 16, 15), (16, 12, 13))
_HIDINGS = ("one plane, big", "one plane, little", "nibbles", "embedded overlay")


def unused_bits() -> tuple[tuple[tuple[int, int, int], str, str], ...]:
    """Return layouts of a pixel cell, how a text is laid into the bits that are no image, and syntaxes."""
    return tuple(
        (layout, hiding, syntax)
        for layout in _LAYOUTS
        for hiding in (_HIDINGS if layout == _LAYOUTS[0] else _HIDINGS[:2])
        for syntax in encode.NATIVE
    )


def in_unused_bits(draw: Draw, variant: tuple[tuple[int, int, int], str, str]) -> Plant:
    """Plant in the bits of Pixel Data that aren't stored ones."""
    (allocated, stored, high), hiding, syntax = variant
    draw.subject(CT, syntax=syntax)
    encoding = draw.rng.choice(BYTES)
    value, wanted = _words(draw, encoding)
    draw.put(*image_attributes(32, 32, allocated, stored, high))
    words = noise(draw.rng, 32 * 32, min(stored, 12)).astype(f"<u{allocated // 8}")
    words <<= words.dtype.type(max(high + 1 - stored, 0))
    unused = [bit for bit in range(allocated) if not high - stored < bit <= high]
    bit = draw.rng.choice(unused)
    if hiding == "nibbles":
        nibbles = np.frombuffer(bytes(n for byte in value for n in (byte >> 4, byte & 15)), np.uint8)
        words[: len(nibbles)] |= nibbles.astype(words.dtype) << words.dtype.type(12)
    else:
        packed = np.frombuffer(value, np.uint8)
        bits = np.unpackbits(packed, bitorder="little") if "little" in hiding else np.unpackbits(packed)
        plane = bits.astype(words.dtype)
        words[: len(plane)] |= plane << words.dtype.type(bit)
    if hiding == "embedded overlay":
        draw.put(*_overlay_in_bit(bit))
    draw.put(El(_PIXEL_DATA, "OW" if allocated == 16 else "OB", _as_written(words, syntax)))
    return draw.plant(f"{allocated}/{stored}/{high} bit {bit}, {hiding}, {syntax}", encoding.name, wanted)


def _as_written(words: np.ndarray, syntax: str) -> bytes:
    """Return 16-bit words as they are, since the writer swaps OW; others in the syntax's order."""
    is_swapped_here = syntax == encode.BIG_ENDIAN and words.dtype.itemsize == 4
    return (words.byteswap() if is_swapped_here else words).tobytes()


def _overlay_in_bit(bit: int) -> list[El]:
    numbers = {0x0010: 32, 0x0011: 32, 0x0100: 16, 0x0102: bit}
    return [
        *(El(0x6000_0000 | number, "US", struct.pack("<H", value)) for number, value in numbers.items()),
        El(0x6000_0040, "CS", b"G "),
        El(0x6000_0050, "SS", struct.pack("<2h", 1, 1)),
    ]


_EXCESSES = (
    "16 bytes",
    "a frame more",
    "odd",
    "float",
    "double",
    "8 bit",
    "after RLE",
    "RLE header",
    "RLE between",
    "1 bit",
    "nested",
    "no format",
    "waveform",
)


def excesses() -> tuple[tuple[str, Encoding], ...]:
    """Return pixels that are followed by something."""
    return tuple((kind, encoding) for kind in _EXCESSES for encoding in BYTES)


def in_excess(draw: Draw, variant: tuple[str, Encoding]) -> Plant:
    """Plant behind the last frame, or where a frame's own lengths leave room."""
    kind, encoding = variant
    value, wanted = _words(draw, encoding)
    is_rle = "RLE" in kind
    draw.subject(CT, syntax=encode.RLE if is_rle else draw.rng.choice(encode.NATIVE))
    if is_rle:
        frame = _rle_with(kind, value)
        draw.put(El(_PIXEL_DATA, "OB", Encapsulated(b"", (frame,))))
        return draw.plant(kind, encoding.name, wanted)
    if kind in {"nested", "no format", "waveform"}:
        path = _put_elsewhere(draw, kind, encode.even(value))
        return draw.plant(f"{kind}, {path}", encoding.name, wanted, is_valid=kind == "waveform")
    element, attributes = _native_with(draw, kind, value)
    if element.tag != _PIXEL_DATA:
        del draw.elements[_PIXEL_DATA]
    draw.put(*attributes, element)
    return draw.plant(f"{kind}, {draw.syntax}", encoding.name, wanted)


def _put_elsewhere(draw: Draw, kind: str, value: bytes) -> str:
    """Put pixels where no frame is described, deep in a sequence, or a waveform with more than its samples."""
    if kind == "waveform":
        numbers = ((0x003A_0005, "US", 1), (0x003A_0010, "UL", 8), (0x5400_1004, "US", 16))
        item = [El(tag, vr, struct.pack("<H" if vr == "US" else "<L", number)) for tag, vr, number in numbers]
        samples = El(0x5400_1010, "OW", bytes(range(16)) + value)
        return draw.put_at(0, El(0x5400_0100, "SQ", [[*item, El(0x5400_1006, "CS", b"SS"), samples]]))
    if kind == "no format":
        del draw.elements[0x0028_0010]
        return draw.put_at(0, El(_PIXEL_DATA, "OW", value))
    item = [*image_attributes(4, 4), El(_PIXEL_DATA, "OW", noise(draw.rng, 16).tobytes() + value)]
    return draw.put_at(1, *sorted(item, key=lambda el: el.tag))


def _rle_with(kind: str, value: bytes) -> bytes:
    """Return an RLE frame with `value` after its segment, in its header's unused offsets, or before its segment."""
    frame = rle_frame()
    if kind == "RLE header":
        return frame[:8] + value.ljust(56, b"\0")[:56] + frame[64:]
    if kind == "RLE between":
        gap = encode.even(value)
        return struct.pack("<16L", 1, 64 + len(gap), *[0] * 14) + gap + frame[64:]
    return encode.even(frame + value)


def _native_with(draw: Draw, kind: str, value: bytes) -> tuple[El, list[El]]:
    pixels = noise(draw.rng, _SIDE * _SIDE).tobytes()
    if kind in {"float", "double"}:
        size, tag, vr = (4, _FLOAT, "OF") if kind == "float" else (8, _DOUBLE, "OD")
        data = np.ones(_SIDE * _SIDE, f"<f{size}").tobytes() + value.ljust((len(value) + 7) // 8 * 8, b"\0")
        return El(tag, vr, data), image_attributes(allocated=size * 8, stored=size * 8)
    if kind == "8 bit":
        data = bytes(_SIDE * _SIDE) + value
        return El(_PIXEL_DATA, "OB", encode.even(data)), image_attributes(allocated=8, stored=8)
    if kind == "1 bit":
        return El(_PIXEL_DATA, "OB", encode.even(bytes(_SIDE * 2) + value)), image_attributes(allocated=1, stored=1)
    filler = bytes(len(pixels) - len(value)) if kind == "a frame more" else b""
    tail = value + b"!" * (1 - len(value) % 2) if kind == "odd" else value
    return El(_PIXEL_DATA, "OW", encode.even(pixels + tail + filler)), image_attributes()


_TABLES = (
    *(
        "palette, excess",
        "palette, segmented, excess",
        "modality LUT, excess",
        "VOI LUT, excess",
        "presentation LUT, excess",
    ),
    *("ICC description", "ICC copyright", "ICC after its end", "ICC private tag", "LUT explanation"),
    *("large palette", "palette UID", "red palette of a name"),
)


def tables() -> tuple[tuple[str, Encoding], ...]:
    """Return tables and profiles that come with pixels."""
    return tuple(
        (kind, encoding) for kind in _TABLES for encoding in BYTES[: 12 if "ICC" in kind or "excess" in kind else 4]
    )


def in_table(draw: Draw, variant: tuple[str, Encoding]) -> Plant:
    """Plant in a lookup table, a palette or a colour profile."""
    kind, encoding = variant
    draw.subject(CT)
    value, wanted = _words(draw, encoding)
    if kind == "palette UID":
        wanted = sentinel.uid(draw.rng)
        draw.put(El(0x0028_1199, "UI", even(f"1.2.826.0.1.3680043.10.{wanted.parts[0]}".encode("ascii"), "UI")))
        return draw.plant(kind, "UID", wanted)
    is_of_the_header = kind in {"LUT explanation", "red palette of a name", "large palette"}
    if is_of_the_header:
        value, wanted = _words(draw)
        draw.put(El(0x0010_0010, "PN", even(value.replace(b" ", b"^"), "PN")))
    if "ICC" in kind:
        profile = El(0x0028_2000, "OB", encode.even(_icc_with(kind, value)))
        path = (
            draw.put_at(0, profile) if draw.rng.random() < 0.5 else draw.put_at(0, El(0x0048_0105, "SQ", [[profile]]))
        )
        return draw.plant(f"{kind}, {path}", encoding.name, wanted)
    draw.put(*_lut_with(kind, encode.even(value)))
    return draw.plant(kind, "ASCII" if is_of_the_header else encoding.name, wanted, is_valid=not is_of_the_header)


def _lut_with(kind: str, value: bytes) -> list[El]:
    table, descriptor = bytes(range(0, 64, 2)) * 2, struct.pack("<3H", 32, 0, 16)
    if "palette" in kind:
        data = value.ljust(64, b"\0") if kind == "red palette of a name" else table + value
        if kind == "large palette":
            return [El(0x0028_1111, "US", struct.pack("<4H", 32, 0, 0, 16)), El(0x0028_1211, "OW", table + value)]
        tag = 0x0028_1221 if "segmented" in kind else 0x0028_1201
        data = struct.pack("<2H", 0, 32) + data if "segmented" in kind else data
        return [El(0x0028_1101, "US", descriptor), El(tag, "OW", data)]
    sequence = {"modality LUT, excess": 0x0028_3000, "presentation LUT, excess": 0x2050_0010}.get(kind, 0x0028_3010)
    item = [El(0x0028_3002, "US", descriptor), El(0x0028_3006, "OW", table + (value if "excess" in kind else b""))]
    if kind == "LUT explanation":
        item.insert(1, El(0x0028_3003, "LO", even(value, "LO")))
    return [El(sequence, "SQ", [item])]


def _icc_with(kind: str, value: bytes) -> bytes:
    """Return a real ICC profile with `value` in it (ICC.1, tag table at byte 128)."""
    source = Path(pydicom.data.__file__).parent / "test_files" / "crayons.icc"
    profile = source.read_bytes()
    if kind == "ICC after its end":
        return profile + value
    signature = {"ICC description": b"desc", "ICC copyright": b"cprt", "ICC private tag": b"zzzz"}[kind]
    body = b"text\0\0\0\0" + value + b"\0"
    if signature == b"desc":
        body = b"desc\0\0\0\0" + struct.pack(">L", len(value) + 1) + value + bytes(80)
    return _with_tag(profile, signature, body + b"\0" * (-len(body) % 4))


def _with_tag(profile: bytes, signature: bytes, body: bytes) -> bytes:
    """Put a tag in place of one of that signature, or of the last."""
    count = int.from_bytes(profile[128:132])
    entries = [profile[132 + 12 * n : 144 + 12 * n] for n in range(count)]
    index = next((n for n, entry in enumerate(entries) if entry[:4] == signature), count - 1)
    at = len(profile) + (-len(profile) % 4)
    entries[index] = signature + struct.pack(">2L", at, len(body))
    whole = profile[:132] + b"".join(entries) + profile[132 + 12 * count :]
    whole = whole.ljust(at, b"\0") + body
    return struct.pack(">L", len(whole)) + whole[4:]

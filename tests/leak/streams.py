"""Compressed frames: what their formats let stand beside the image, and the tables and fragments around them."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pydicom
import pydicom.data
from pydicom.encaps import generate_fragments
from pydicom.uid import UID

from tests.leak import encode, sentinel
from tests.leak.encode import El, Encapsulated
from tests.leak.encodings import BYTES, Encoding
from tests.leak.subject import CT, Draw, Plant, image_attributes, jpeg_frame, rle_frame

_PIXEL_DATA = 0x7FE0_0010
_JPEG, _JPEG_LS, _JPEG_2000, _HTJ2K = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 80, 90, 201))
_JPEG_LOSSLESS, _MPEG4, _JPEG_XL = (f"1.2.840.10008.1.2.4.{number}" for number in (70, 102, 110))
_UNCOMPRESSED, _DEFLATED_FRAMES = "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"
_FILES = {_JPEG_LS: "MR_small_jpeg_ls_lossless.dcm", _JPEG_2000: "MR_small_jp2klossless.dcm"}

_Insert = Callable[[bytes, bytes], bytes]


@cache
def _real(syntax: str) -> tuple[tuple[El, ...], bytes]:
    """Return the Image Pixel attributes and the frame of a real file that pydicom ships."""
    path = Path(pydicom.data.__file__).parent / "test_files" / _FILES[syntax]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path)
    frame = b"".join(list(generate_fragments(ds.PixelData))[1:])
    attributes = image_attributes(ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit)
    signed = El(0x0028_0103, "US", struct.pack("<H", ds.PixelRepresentation))
    return (*attributes, signed), frame


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">HH", marker, len(payload) + 2) + payload


def _after_start(marker: int, lead: bytes = b"") -> _Insert:
    """Insert a marker segment behind the first marker."""
    return lambda frame, value: frame[:2] + _segment(marker, lead + value) + frame[2:]


def _before_scan(marker: int, start: bytes = b"\xff\xda") -> _Insert:
    def insert(frame: bytes, value: bytes) -> bytes:
        at = frame.find(start)
        return frame[:at] + _segment(marker, value) + frame[at:]

    return insert


def _behind(frame: bytes, value: bytes) -> bytes:
    return frame.rstrip(b"\0") + value


def _exif(frame: bytes, value: bytes) -> bytes:
    """Insert APP1 with a TIFF of one tag, Artist."""
    text = value + b"\0"
    tiff = b"II*\0" + struct.pack("<LHHHLLL", 8, 1, 0x013B, 2, len(text), 26, 0) + text
    return _after_start(0xFFE1, b"Exif\0\0")(frame, tiff)


def _thumbnail(frame: bytes, value: bytes) -> bytes:
    """Put a thumbnail of 1 x n pixels into JFIF's own segment."""
    pixels = value.ljust((len(value) + 2) // 3 * 3, b"\0")
    return _after_start(0xFFE0, b"JFIF\0\1\2\0\0\1\0\1\1" + bytes([len(pixels) // 3]))(frame, pixels)


def _in_tile_part(frame: bytes, value: bytes) -> bytes:
    """Insert a comment into the first tile-part's header, with its length told."""
    at = frame.find(b"\xff\x90")
    size = int.from_bytes(frame[at + 6 : at + 10])
    comment = _segment(0xFF64, b"\0\1" + value)
    told = (size + len(comment)).to_bytes(4) if size else bytes(4)
    return frame[: at + 6] + told + frame[at + 10 : at + 12] + comment + frame[at + 12 :]


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">L", len(payload) + 8) + kind + payload


def _jp2(kind: bytes, lead: bytes = b"", *, is_last: bool = False) -> _Insert:
    def wrap(frame: bytes, value: bytes) -> bytes:
        header = _box(b"jP  ", b"\r\n\x87\n") + _box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        extra, image = _box(kind, lead + value), _box(b"jp2c", frame.rstrip(b"\0"))
        return header + (image + extra if is_last else extra + image)

    return wrap


def _jxl(kind: bytes) -> _Insert:
    def wrap(frame: bytes, value: bytes) -> bytes:
        header = _box(b"JXL ", b"\r\n\x87\n") + _box(b"ftyp", b"jxl \0\0\0\0jxl ")
        return header + _box(kind, value) + _box(b"jxlc", frame)

    return wrap


def _sei(frame: bytes, value: bytes) -> bytes:
    """Put an SEI message of unregistered user data before an H.264 stream."""
    return b"\0\0\0\1\x06\x05" + bytes([len(value) + 16]) + bytes(range(16)) + value + b"\x80" + frame


_COMMON_JPEG: dict[str, _Insert] = {
    "COM": _after_start(0xFFFE),
    "COM before the scan": _before_scan(0xFFFE),
    "APP0 JFIF thumbnail": _thumbnail,
    "APP0 JFXX": _after_start(0xFFE0, b"JFXX\0\x10"),
    "APP1 EXIF": _exif,
    "APP1 XMP": _after_start(0xFFE1, b"http://ns.adobe.com/xap/1.0/\0"),
    "APP2 ICC": _after_start(0xFFE2, b"ICC_PROFILE\0\1\1"),
    "APP13 IPTC": _after_start(0xFFED, b"Photoshop 3.0\0"),
    "APP14 Adobe, longer": _after_start(0xFFEE, b"Adobe\0\x64\0\0\0\0\0"),
    "APP15": _after_start(0xFFEF),
    "after EOI": _behind,
}
_ONLY_JPEG: dict[str, _Insert] = {"JPG0": _after_start(0xFFF0), "RES": _after_start(0xFF02)}
_CODESTREAM: dict[str, _Insert] = {
    "COM": _before_scan(0xFF64, b"\xff\x52"),
    "COM in a tile-part": _in_tile_part,
    "unknown marker": _before_scan(0xFF70, b"\xff\x52"),
    "after EOC": _behind,
    "JP2 xml box": _jp2(b"xml "),
    "JP2 uuid box": _jp2(b"uuid", bytes(16)),
    "JP2 box at the end": _jp2(b"uinf", is_last=True),
    "JP2 jp2i box": _jp2(b"jp2i"),
}
_STREAMS: dict[str, dict[str, _Insert]] = {
    _JPEG: _COMMON_JPEG | _ONLY_JPEG,
    _JPEG_LOSSLESS: {kind: _COMMON_JPEG[kind] for kind in ("COM", "APP1 EXIF", "APP15", "after EOI")},
    _JPEG_LS: _COMMON_JPEG | {"LSE unknown": _after_start(0xFFF8, b"\x7f"), "APP8": _after_start(0xFFE8, b"mrfx")},
    _JPEG_2000: _CODESTREAM,
    _HTJ2K: {kind: _CODESTREAM[kind] for kind in ("COM", "COM in a tile-part", "after EOC", "JP2 xml box")},
    _JPEG_XL: {
        "Exif box": _jxl(b"Exif"),
        "xml box": _jxl(b"xml "),
        "jumb box": _jxl(b"jumb"),
        "after the end": _behind,
    },
    _MPEG4: {"SEI": _sei, "after the end": _behind},
    _UNCOMPRESSED: {"after the frame": _behind},
    _DEFLATED_FRAMES: {
        "after the stream": _behind,
        "second stream": lambda frame, value: frame + encode.deflate(value),
    },
}


def comments() -> tuple[tuple[str, str, Encoding], ...]:
    """Return every codec with every place it has for text."""
    return tuple(
        (syntax, kind, BYTES[(number + step) % len(BYTES)])
        for syntax, kinds in _STREAMS.items()
        for number, kind in enumerate(kinds)
        for step in range(6)
    )


def in_comment(draw: Draw, variant: tuple[str, str, Encoding]) -> Plant:
    """Plant in a compressed frame, beside its image."""
    syntax, kind, encoding = variant
    wanted = sentinel.text(draw.rng, encoding.script)
    draw.subject(CT, syntax=syntax)
    attributes, frame = _frame(syntax)
    stream = _STREAMS[syntax][kind](frame, encoding.write(" ".join(wanted.parts)))
    draw.put(*attributes, El(_PIXEL_DATA, "OB", Encapsulated(b"", (encode.even(stream),))))
    is_valid = kind not in {"JPG0", "RES", "unknown marker", "LSE unknown"} and "after" not in kind and syntax != _MPEG4
    return draw.plant(f"{UID(syntax).name}: {kind}", encoding.name, wanted, is_valid=is_valid)


@cache
def _frame(syntax: str) -> tuple[tuple[El, ...], bytes]:
    grey = tuple(image_attributes(allocated=8, stored=8))
    pixels = bytes(range(256))
    if syntax in _FILES:
        return _real(syntax)
    return {
        _HTJ2K: lambda: _real(_JPEG_2000),  # the marker segments are the same; nobody decodes it here
        _UNCOMPRESSED: lambda: (grey, pixels),
        _DEFLATED_FRAMES: lambda: (grey, encode.deflate(pixels)),
        _MPEG4: lambda: (grey, b"\0\0\0\1\x67\x42\0\x1e" + bytes(40)),
        _JPEG_XL: lambda: (grey, b"\xff\x0a" + bytes(40)),
    }.get(syntax, lambda: (grey, jpeg_frame()))()


_FRAGMENTS = (
    *("table of junk", "table, longer", "empty fragment and junk", "extra fragment", "extra frame", "odd fragment"),
    *("extended offsets", "extended lengths", "both tables", "fragment before"),
)


def fragments() -> tuple[tuple[str, str, Encoding], ...]:
    """Return what may be wrong around the frames of some codecs."""
    return tuple(
        (kind, syntax, encoding)
        for kind in _FRAGMENTS
        for syntax in (encode.JPEG_BASELINE, encode.RLE, _JPEG_2000, _JPEG_LS, _DEFLATED_FRAMES)
        for encoding in (BYTES[0], BYTES[3], BYTES[6])
    )


def in_fragments(draw: Draw, variant: tuple[str, str, Encoding]) -> Plant:
    """Plant in an offset table or in a fragment that no frame needs."""
    kind, syntax, encoding = variant
    wanted = sentinel.text(draw.rng, encoding.script)
    draw.subject(CT, syntax=syntax)
    attributes, frame = (
        (image_attributes(allocated=8, stored=8), rle_frame()) if syntax == encode.RLE else _frame(syntax)
    )
    draw.put(*attributes)
    value = encode.even(encoding.write(" ".join(wanted.parts)))
    aligned = value.ljust((len(value) + 7) // 8 * 8, b"\0")
    whole = encode.even(frame)
    table, items = {
        "table of junk": (aligned, (whole,)),
        "table, longer": (bytes(4) + aligned, (whole,)),
        "empty fragment and junk": (b"", (whole, b"", value)),
        "extra fragment": (b"", (whole, value)),
        "extra frame": (b"", (whole, whole[:2] + value)),
        "odd fragment": (b"", (whole + value + b"!",)),
        "fragment before": (b"", (value, whole)),
        "both tables": (aligned, (whole,)),
    }.get(kind, (b"", (whole,)))
    _put_extended(draw, kind, aligned)
    draw.put(El(_PIXEL_DATA, "OB", Encapsulated(table, items)))
    is_valid = kind in {"table, longer", "extended offsets", "extended lengths"}
    return draw.plant(f"{kind}, {UID(syntax).name}", encoding.name, wanted, is_valid=is_valid)


def _put_extended(draw: Draw, kind: str, value: bytes) -> None:
    """Add an Extended Offset Table with `value` in it, beyond the one frame's entry."""
    if kind not in {"extended offsets", "extended lengths", "both tables"}:
        return
    draw.put(El(0x7FE0_0001, "OV", bytes(8) + (b"" if kind == "extended lengths" else value)))
    draw.put(El(0x7FE0_0002, "OV", bytes(8) + (b"" if kind == "extended offsets" else value)))

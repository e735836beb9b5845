"""The search: raw bytes, pydicom's parsed tree at all depths, decoded frames, bits that are no image.

No code of `deid` is used, so that the two can disagree.
"""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from tests.leak.encode import BIG_ENDIAN, DEFLATED
from tests.leak.sentinel import Sentinel

_GLUE = re.compile(r"[\W_]+")
_SHORTEST_GLUED = 6
_WORDS = (1, 2, 4, 8)  # text in big endian words of these sizes comes out with each of them reversed
_Patterns = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a sentinel came out, and in what form."""

    where: str
    form: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a search found.

    Attributes
    ----------
    found
        where the sentinel came out
    is_read
        pydicom could parse the file
    frames_decoded
        there were pixels, and a decoder for them
    """

    found: tuple[Found, ...]
    is_read: bool
    frames_decoded: bool


def search(file: bytes, syntax: str, wanted: Sentinel) -> Look:
    """Look for every form of `wanted` in a file that came out."""
    patterns = wanted.patterns()
    found = _in_bytes("raw bytes", file, patterns, _WORDS if syntax == BIG_ENDIAN else _WORDS[:2])
    if syntax == DEFLATED:
        found += _in_deflated(file, patterns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = _read(file)
        if ds is None:
            return Look(tuple(found), is_read=False, frames_decoded=False)
        found += _in_tree(ds, wanted, patterns)
        frames = _frames(ds)
        for where, data in (("frames", frames or b""), *_unused_bits(ds)):
            found += _in_bytes(where, data, patterns)
    return Look(tuple(dict.fromkeys(found)), is_read=True, frames_decoded=frames is not None)


def _read(file: bytes) -> Dataset | None:
    try:
        return pydicom.dcmread(BytesIO(file), force=True)
    except Exception:  # noqa: BLE001  pydicom raises many things at what it can't read
        return None


def in_text(message: str, wanted: Sentinel) -> bool:
    """Tell whether a message gives a sentinel away."""
    return bool(_in_bytes("", message.encode("utf-8", "surrogateescape"), wanted.patterns()))


def _in_bytes(where: str, data: bytes, patterns: _Patterns, words: tuple[int, ...] = (1, 2)) -> list[Found]:
    """Look for every pattern in the bytes as they are, and with each word reversed, however words are aligned."""
    found: list[Found] = []
    for size in words:
        for lead in range(size):
            turned = _turned(data[lead:], size).lower()
            suffix = f", words of {size}" if size > 1 else ""
            found += [Found(where, name + suffix) for name, pattern in patterns if pattern in turned]
    return found


def _turned(data: bytes, size: int) -> bytes:
    """Reverse the bytes of each whole word."""
    if size == 1:
        return data
    whole = data[: len(data) // size * size]
    return np.frombuffer(whole, dtype=np.uint8).reshape(-1, size)[:, ::-1].tobytes()


def _in_deflated(file: bytes, patterns: _Patterns) -> list[Found]:
    """Look into the deflate stream, and into what follows it."""
    length = int.from_bytes(file[140:144], "little")
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    inflated = inflater.decompress(file[144 + length :])
    found = _in_bytes("inflated bytes", inflated, patterns)
    if len(inflater.unused_data) > 1:
        found += [Found("bytes after the deflate stream", "any")]
    return found


def _in_tree(ds: Dataset, wanted: Sentinel, patterns: _Patterns) -> Iterator[Found]:
    parts = [part.casefold() for part in wanted.parts]
    glued = [part for part in (_GLUE.sub("", part) for part in parts) if len(part) >= _SHORTEST_GLUED]
    for path, value in _leaves(ds, ""):
        if isinstance(value, bytes):
            yield from _in_bytes(path, value, patterns)
            continue
        text = value.casefold()
        if any(part in text for part in parts):
            yield Found(path, "decoded text")
        elif any(part in _GLUE.sub("", text) for part in glued):
            yield Found(path, "decoded text, split")


def _leaves(ds: Dataset, path: str) -> Iterator[tuple[str, bytes | str]]:
    if hasattr(ds, "file_meta"):
        yield from _leaves(ds.file_meta, "meta ")
    for tag in list(ds.keys()):
        here = f"{path}({tag >> 16:04X},{tag & 0xFFFF:04X})"
        raw = ds.get_item(tag)
        if isinstance(raw.value, bytes):
            yield here, raw.value
        try:
            element = ds[tag]
        except Exception:  # noqa: BLE001, S112  what pydicom can't read has been yielded raw
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _leaves(item, f"{here} > ")
        else:
            yield from ((here, value) for value in _values(element))


def _values(element: DataElement) -> Iterator[bytes | str]:
    values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    for value in values:
        if isinstance(value, bytes):
            yield value
        elif value is not None:
            yield str(value)


def _frames(ds: Dataset) -> bytes | None:
    """Return the decoded frames; None if there are none or no decoder is installed for them."""
    try:
        return bytes(ds.pixel_array.tobytes())
    except Exception:  # noqa: BLE001  pydicom raises what its plugins raise
        return None


def _unused_bits(ds: Dataset) -> Iterator[tuple[str, bytes]]:
    """Yield what the bits outside the stored ones say: each plane packed both ways, and the high nibbles."""
    allocated, stored, high = ds.get("BitsAllocated", 0), ds.get("BitsStored", 0), ds.get("HighBit", 0)
    if allocated not in {8, 16, 32} or "PixelData" not in ds or not isinstance(ds.PixelData, bytes):
        return
    order = ">" if ds.original_encoding[1] is False else "<"
    size = allocated // 8
    words = np.frombuffer(ds.PixelData[: len(ds.PixelData) // size * size], dtype=f"{order}u{size}")
    unused = [bit for bit in range(allocated) if not high - stored < bit <= high]
    for bit in unused:
        plane = ((words >> np.array(bit, dtype=words.dtype)) & np.array(1, dtype=words.dtype)).astype(np.uint8)
        for bit_order in ("big", "little"):
            yield f"bit {bit} of the pixels", np.packbits(plane, bitorder=bit_order).tobytes()
    if allocated == 16 and set(range(12, 16)) <= set(unused):
        nibbles = (words >> np.uint16(12)).astype(np.uint8)[: len(words) // 2 * 2].reshape(-1, 2)
        yield "high nibbles of the pixels", (nibbles[:, 0] << 4 | nibbles[:, 1]).astype(np.uint8).tobytes()

"""What the archive accepts: the transfer syntax stays what it is unless the archive takes no such one (Promise 7)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from deid.encoding.element import Buffer, DataSet, Element, Fragments
from deid.encoding.reader import Limits, read_data_set
from deid.encoding.syntax import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    transfer_syntax,
)
from deid.encoding.writer import convert, write_data_set
from deid.errors import Refused
from node.errors import NodeError
from node.scu import Outgoing, Proposal

FALLBACKS = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
"""What is sent instead, in order of preference; every archive has to take the second (PS3.5 Section 10.1)."""

_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00280002, 0x00280004, 0x00280006
_ALLOCATED, _STORED, _REPRESENTATION = 0x00280100, 0x00280101, 0x00280103
_PIXEL_DATA = 0x7FE00010
_EXTENDED_OFFSETS = frozenset({0x7FE00001, 0x7FE00002})

_MAX_NATIVE_BYTES = 0xFFFFFFFE  # a defined length, PS3.5 Section 7.1.1
_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)


class NoSyntax(NodeError):
    """The archive accepts no transfer syntax in which this instance can be sent."""


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed Pixel Data with what a decoder has to know (PS3.3 Section C.7.6.3); small enough to send to a process.

    Attributes
    ----------
    items
        Basic Offset Table and fragments as they are encoded, without the delimiter
    """

    transfer_syntax: str
    items: bytes
    rows: int
    columns: int
    frames: int
    samples_per_pixel: int
    photometric_interpretation: str
    planar_configuration: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int

    @property
    def native_bytes(self) -> int:
        """Length of the decoded pixels, without padding."""
        return self.rows * self.columns * self.frames * self.samples_per_pixel * (self.bits_allocated // 8)


@dataclass(frozen=True, slots=True)
class Native:
    """Decoded Pixel Data, little endian, colour by pixel (Planar Configuration 0)."""

    pixels: bytes
    photometric_interpretation: str


Decode: TypeAlias = Callable[[Encapsulated], Native]


def proposals(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[Proposal, ...]:
    """Return the presentation contexts to propose for an instance: as it is, and what it can be turned into."""
    syntaxes = dict.fromkeys((transfer_syntax_uid, *FALLBACKS))
    return tuple(Proposal(sop_class_uid, uid) for uid in syntaxes)


def decode_pixels(encapsulated: Encapsulated) -> Native:
    """Decode with pydicom and whichever of its plugins is installed.

    Codecs crash on hostile input: call this in a process that may die.

    Raises
    ------
    NoSyntax
        if no decoder is there, or it fails
    """
    try:
        return _decoded(encapsulated)
    except NoSyntax:
        raise
    except Exception as error:  # noqa: BLE001 -- codecs raise anything; their messages may hold values
        raise NoSyntax(f"the pixels cannot be decoded ({type(error).__name__})") from None


def transcode(outgoing: Outgoing, accepted: Collection[str], decode: Decode = decode_pixels) -> Outgoing:
    """Return the instance in a transfer syntax that is accepted: itself if possible.

    Parameters
    ----------
    accepted
        UIDs of the transfer syntaxes that the archive accepts for this SOP Class

    Raises
    ------
    NoSyntax
        if there is no way to one of them
    """
    if outgoing.transfer_syntax in accepted:
        return outgoing
    target = next((uid for uid in FALLBACKS if uid in accepted), None)
    if target is None:
        raise NoSyntax("the archive accepts neither this transfer syntax nor an uncompressed one")
    try:
        return _converted(outgoing, target, decode)
    except Refused as refused:
        raise NoSyntax(f"the data set cannot be converted ({refused.reason})") from None


def _converted(outgoing: Outgoing, target: str, decode: Decode) -> Outgoing:
    syntax = transfer_syntax(outgoing.transfer_syntax)
    data_set = read_data_set(_joined(outgoing.data_set), syntax.uid, Limits())
    source = syntax.uid
    if syntax.encapsulated:
        data_set = _with_native_pixels(data_set, syntax, decode)
        source = EXPLICIT_VR_LITTLE_ENDIAN
    if any(_fragments(data_set)):
        raise NoSyntax("compressed pixels lie inside a sequence")
    chunks = write_data_set(convert(data_set, source, target), target)
    return replace(outgoing, transfer_syntax=target, data_set=chunks)


def _joined(buffers: Collection[Buffer]) -> Buffer:
    return next(iter(buffers)) if len(buffers) == 1 else b"".join(buffers)


def _fragments(data_set: DataSet) -> Iterator[Fragments]:
    for element in data_set.elements.values():
        if isinstance(element.value, Fragments):
            yield element.value
        elif isinstance(element.value, list):
            for item in element.value:
                yield from _fragments(item)


def _with_native_pixels(data_set: DataSet, syntax: TransferSyntax, decode: Decode) -> DataSet:
    """Return the data set with decoded Pixel Data and the attributes that describe them.

    Lossy Image Compression and its ratio stay: what was lost stays lost.
    """
    pixel_data = data_set.elements.get(_PIXEL_DATA)
    if pixel_data is None or not isinstance(pixel_data.value, Fragments):
        return data_set
    encapsulated = _encapsulated(data_set, pixel_data.value, syntax.uid)
    if not 0 < encapsulated.native_bytes <= _MAX_NATIVE_BYTES:
        raise NoSyntax("the pixels do not fit an uncompressed data set")
    native = decode(encapsulated)
    if len(native.pixels) != encapsulated.native_bytes:
        raise NoSyntax("the decoder returned another number of pixels than announced")
    elements = {tag: element for tag, element in data_set.elements.items() if tag not in _EXTENDED_OFFSETS}
    photometric = native.photometric_interpretation.encode("ascii")
    elements[_PHOTOMETRIC] = Element(_PHOTOMETRIC, "CS", photometric + b" " * (len(photometric) % 2))
    if encapsulated.samples_per_pixel > 1:
        elements[_PLANAR] = Element(_PLANAR, "US", struct.pack("<H", 0))
    vr = "OB" if encapsulated.bits_allocated <= 8 else "OW"
    elements[_PIXEL_DATA] = Element(_PIXEL_DATA, vr, native.pixels + b"\0" * (len(native.pixels) % 2))
    return DataSet(dict(sorted(elements.items())), data_set.charset)


def _encapsulated(data_set: DataSet, fragments: Fragments, syntax_uid: str) -> Encapsulated:
    return Encapsulated(
        transfer_syntax=syntax_uid,
        items=b"".join(_items(fragments)),
        rows=_us(data_set, _ROWS),
        columns=_us(data_set, _COLUMNS),
        frames=_frames(data_set),
        samples_per_pixel=_us(data_set, _SAMPLES),
        photometric_interpretation=_text(data_set, _PHOTOMETRIC),
        planar_configuration=_us(data_set, _PLANAR, 0),
        bits_allocated=_us(data_set, _ALLOCATED),
        bits_stored=_us(data_set, _STORED),
        pixel_representation=_us(data_set, _REPRESENTATION),
    )


def _items(fragments: Fragments) -> Iterator[Buffer]:
    for item in (fragments.offsets, *fragments.items):
        yield _ITEM + struct.pack("<I", len(item))
        yield item


def _value(data_set: DataSet, tag: int) -> bytes:
    element = data_set.elements.get(tag)
    if element is None or isinstance(element.value, (list, Fragments)):
        return b""
    return bytes(element.value)


def _us(data_set: DataSet, tag: int, absent: int | None = None) -> int:
    value = _value(data_set, tag)
    if len(value) == 2:
        number: int = struct.unpack("<H", value)[0]
        return number
    if absent is None or value:
        raise NoSyntax(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) is needed to decode the pixels")
    return absent


def _text(data_set: DataSet, tag: int) -> str:
    return _value(data_set, tag).decode("latin-1").strip(" \0")


def _frames(data_set: DataSet) -> int:
    text = _text(data_set, _FRAMES) or "1"
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise NoSyntax("(0028,0008) is needed to decode the pixels")
    return int(text)


def _decoded(encapsulated: Encapsulated) -> Native:
    try:
        decoder = get_decoder(UID(encapsulated.transfer_syntax))
    except NotImplementedError:
        raise NoSyntax("there is no decoder for this transfer syntax") from None
    if not decoder.is_available:
        raise NoSyntax("no decoder for this transfer syntax is installed")
    photometric = encapsulated.photometric_interpretation
    frames = decoder.iter_array(
        encapsulated.items,
        # Subsampled chrominance has no uncompressed form that archives take; full YBR keeps its values.
        as_rgb=photometric == "YBR_FULL_422",
        rows=encapsulated.rows,
        columns=encapsulated.columns,
        number_of_frames=encapsulated.frames,
        samples_per_pixel=encapsulated.samples_per_pixel,
        photometric_interpretation=photometric,
        planar_configuration=encapsulated.planar_configuration,
        bits_allocated=encapsulated.bits_allocated,
        bits_stored=encapsulated.bits_stored,
        pixel_representation=encapsulated.pixel_representation,
        pixel_keyword="PixelData",
    )
    pixels = []
    for array, described in frames:
        pixels.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        photometric = str(described["photometric_interpretation"])
    return Native(b"".join(pixels), photometric)

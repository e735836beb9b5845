"""Boxes of a JPEG frame made flat without decoding the rest of it (ISO/IEC 10918-1, sequential DCT, Huffman coding).

Every block outside of the touched MCUs keeps its quantised coefficients: what was compressed once is not compressed
again. JPEG's other processes (progressive, arithmetic) have no editor here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused
from deid.pixels.jpeg import strip_jpeg
from deid.pixels.jpeg_scan import Coding, HuffmanTable, MissingSymbols, flatten, huffman_table

_SEQUENTIAL = frozenset({0xC0, 0xC1})
_OTHER_FRAMES = frozenset({*range(0xC2, 0xD0), 0xDE}) - {0xC4, 0xC8, 0xCC}
_FIRST_FRAME, _DHT, _EOI, _SOS, _DQT, _DNL, _DRI = 0xC0, 0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD
_FRAME_HEADER = struct.Struct(">BHHB")
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_BLOCK_PX = 8
_DC_GAIN = 8


@dataclass(frozen=True, slots=True)
class _Component:
    """A component of the frame header: its identifier, sampling factors and quantisation table."""

    identifier: int
    horizontal: int
    vertical: int
    quantisation: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """The frame header (ISO/IEC 10918-1 Section B.2.2)."""

    precision: int
    rows: int
    columns: int
    components: tuple[_Component, ...]

    @classmethod
    def of(cls, payload: bytes) -> _Frame:
        """Read it."""
        if len(payload) < _FRAME_HEADER.size:
            raise _malformed("has a short frame header")
        precision, rows, columns, count = _FRAME_HEADER.unpack_from(payload)
        rest = payload[_FRAME_HEADER.size :]
        if len(rest) != 3 * count or not count or not rows or not columns:
            raise _malformed("has a frame header of no size")
        components = tuple(
            _Component(rest[at], rest[at + 1] >> 4, rest[at + 1] & 15, rest[at + 2]) for at in range(0, len(rest), 3)
        )
        if not all(1 <= part.horizontal <= 4 and 1 <= part.vertical <= 4 for part in components) or count > 4:
            raise _malformed("has components that can't be sampled")
        if count == 1:  # its MCU is a block whatever its factors are (ISO/IEC 10918-1 Section A.2.2)
            components = (_Component(components[0].identifier, 1, 1, components[0].quantisation),)
        return cls(precision, rows, columns, components)

    @property
    def mcu_px(self) -> tuple[int, int]:
        """Columns and rows of pixels of an MCU in which all components are."""
        return (
            _BLOCK_PX * max(part.horizontal for part in self.components),
            _BLOCK_PX * max(part.vertical for part in self.components),
        )

    def touched(self, boxes: Iterable[tuple[int, int, int, int]]) -> NDArray[np.bool_]:
        """Return for each MCU, shape (rows, columns), whether a box touches it."""
        width, height = self.mcu_px
        flags = np.zeros((_ceil(self.rows, height), _ceil(self.columns, width)), np.bool_)
        for x0, y0, x1, y1 in boxes:
            left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, self.columns), min(y1, self.rows)
            if left < right and top < bottom:
                flags[top // height : _ceil(bottom, height), left // width : _ceil(right, width)] = True
        return flags

    def blocks_touched(self, part: _Component, touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the same for the blocks of one component alone, those of a scan that isn't interleaved."""
        width, height = self.mcu_px
        columns_px = _ceil(self.columns * part.horizontal * _BLOCK_PX, width)
        rows_px = _ceil(self.rows * part.vertical * _BLOCK_PX, height)
        rows, columns = _ceil(rows_px, _BLOCK_PX), _ceil(columns_px, _BLOCK_PX)
        return touched.repeat(part.vertical, axis=0).repeat(part.horizontal, axis=1)[:rows, :columns]


def mask_jpeg(frame: Buffer, boxes: Iterable[tuple[int, int, int, int]], values: Sequence[int]) -> bytes:
    """Return a JPEG stream in which the MCUs that a box touches are flat, and every other block is what it was.

    Parameters
    ----------
    frame
        a stream of baseline or extended sequential DCT, Huffman-coded, of 8 or 12 bits: one or several scans, with or
        without restart intervals, chroma sampled as it may be
    boxes
        (x0, y0, x1, y1) in pixels, the last two behind the box; they may pass the image's borders
    values
        what the flat MCUs decode to: one for each component, in its own colour space (Y, CB, CR or R, G, B). The
        lowest and the highest come out exactly, others to a sixteenth of the DC quantiser's step

    Returns
    -------
    bytes
        no comments, no application segments but those that colours need

    Raises
    ------
    Refused
        PIXELS_NOT_CLEANABLE, for another process of JPEG; MALFORMED, for a stream that isn't whole, or has another
        number of components than there are values

    Notes
    -----
    Where chroma is subsampled, decoders that interpolate it blend the outermost pixels of a flat MCU with their
    neighbours outside, up to half a chroma sample; coefficients tell what is the same.
    """
    return _Editor(strip_jpeg(bytes(frame)), list(boxes), tuple(values)).masked()


def mcu_px(frame: Buffer) -> tuple[int, int]:
    """Return columns and rows of pixels that `mask_jpeg` masks as one.

    Raises
    ------
    Refused
        as `mask_jpeg` does
    """
    editor = _Editor(strip_jpeg(bytes(frame)), [], ())
    editor.read_header()
    return editor.frame.mcu_px


@dataclass(slots=True)
class _Editor:
    stream: bytes
    boxes: list[tuple[int, int, int, int]]
    values: tuple[int, ...]
    out: list[bytes] = field(default_factory=list)
    pos: int = 2
    restart_interval: int = 0
    quantisers: dict[int, int] = field(default_factory=dict)
    tables: dict[tuple[int, int], HuffmanTable] = field(default_factory=dict)
    scanned: set[int] = field(default_factory=set)
    _frame: _Frame | None = None

    @property
    def frame(self) -> _Frame:
        """Return the frame header."""
        if self._frame is None:
            raise _malformed("has a scan before its frame header")
        return self._frame

    def read_header(self) -> None:
        """Read up to the frame header."""
        while self._frame is None:
            if self._segment() == _EOI:
                raise _malformed("has no frame header")

    def masked(self) -> bytes:
        """Return the stream with flat MCUs."""
        self.out.append(self.stream[:2])
        while self._segment() != _EOI:
            pass
        if self.scanned != {part.identifier for part in self.frame.components}:
            raise _malformed("has components without a scan")
        return b"".join(self.out)

    def _segment(self) -> int:
        """Read and write what stands at `pos`."""
        while self.stream[self.pos : self.pos + 2] == b"\xff\xff":
            self.pos += 1
        start = self.stream[self.pos : self.pos + 4]
        marker = start[1] if start[:1] == b"\xff" and len(start) > 1 else 0
        if marker == _EOI:
            self.out.append(b"\xff\xd9")
            return marker
        end = self.pos + 2 + int.from_bytes(start[2:])
        if len(start) < 4 or marker < _FIRST_FRAME or end < self.pos + 4 or end > len(self.stream):
            raise _malformed("has bytes that are no segment")
        payload, whole = self.stream[self.pos + 4 : end], self.stream[self.pos : end]
        self.pos = end
        if marker in _OTHER_FRAMES or marker == _DNL:
            raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"JPEG marker {marker:02X}")
        if marker in _SEQUENTIAL:
            if self._frame is not None:
                raise _malformed("has two frame headers")
            self._frame = _Frame.of(payload)
        elif marker == _DHT:
            self._read_huffman(payload)
        elif marker == _DQT:
            self._read_quantisers(payload)
        elif marker == _DRI:
            self.restart_interval = int.from_bytes(payload[:2])
        if marker == _SOS:
            self._scan(payload, whole)
        else:
            self.out.append(whole)
        return marker

    def _read_huffman(self, payload: bytes) -> None:
        pos = 0
        while pos < len(payload):
            counts = payload[pos + 1 : pos + 17]
            end = pos + 17 + sum(counts)
            if len(counts) < 16 or end > len(payload):
                raise _malformed("has a Huffman table that passes its segment")
            self.tables[payload[pos] >> 4, payload[pos] & 15] = huffman_table(counts, payload[pos + 17 : end])
            pos = end

    def _read_quantisers(self, payload: bytes) -> None:
        """Keep the first quantiser of each table, that of the DC coefficient."""
        pos = 0
        while pos < len(payload):
            size = 2 if payload[pos] >> 4 else 1
            if pos + 1 + 64 * size > len(payload):
                raise _malformed("has a quantisation table that passes its segment")
            self.quantisers[payload[pos] & 15] = int.from_bytes(payload[pos + 1 : pos + 1 + size])
            pos += 1 + 64 * size

    def _scan(self, payload: bytes, header: bytes) -> None:
        found = _AFTER_SCAN.search(self.stream, self.pos)
        end = found.start() if found else len(self.stream)
        data = self.stream[self.pos : end]
        self.pos = end
        parts = self._parts(payload)
        touched = self._units_touched([part for part, _, _ in parts])
        while True:
            try:
                coded = self._intervals(data, self._codings(parts), touched)
            except MissingSymbols as missing:
                self.out.append(self._larger_tables(parts, missing.symbols))
            else:
                break
        self.out += [header, coded]

    def _parts(self, payload: bytes) -> list[tuple[_Component, int, int]]:
        """Return the components of a scan and the identifiers of their tables (ISO/IEC 10918-1 Section B.2.3)."""
        count = payload[0] if payload else 0
        if not 1 <= count <= 4 or len(payload) != 4 + 2 * count:
            raise _malformed("has a scan header of another length than it needs")
        by_identifier = {part.identifier: part for part in self.frame.components}
        pairs = [(payload[1 + 2 * index], payload[2 + 2 * index]) for index in range(count)]
        if not all(identifier in by_identifier and identifier not in self.scanned for identifier, _ in pairs):
            raise _malformed("has a scan of no component, or a second one")
        self.scanned.update(identifier for identifier, _ in pairs)
        return [(by_identifier[identifier], tables >> 4, tables & 15) for identifier, tables in pairs]

    def _codings(self, parts: list[tuple[_Component, int, int]]) -> list[Coding]:
        """Return the blocks of an MCU in their order (ISO/IEC 10918-1 Section A.2)."""
        if len(self.values) != len(self.frame.components):
            raise _malformed(f"has {len(self.frame.components)} components where {len(self.values)} are masked")
        units: list[Coding] = []
        for part, dc, ac in parts:
            if (0, dc) not in self.tables or (1, ac) not in self.tables:
                raise _malformed("has a scan without its tables")
            index = self.frame.components.index(part)
            coding = Coding(index, self.tables[0, dc], self.tables[1, ac], self._flat(part, self.values[index]))
            units += [coding] * (part.horizontal * part.vertical if len(parts) > 1 else 1)
        return units

    def _flat(self, part: _Component, value: int) -> int:
        """Return the quantised DC coefficient of a block of one value; at both ends of the range rounded outwards."""
        quantiser = self.quantisers.get(part.quantisation, 0)
        if not quantiser:
            raise _malformed("has no quantiser")
        middle, highest = 1 << (self.frame.precision - 1), (1 << self.frame.precision) - 1
        magnitude = abs(value - middle) * _DC_GAIN
        is_end = value in {0, highest}
        quantised = _ceil(magnitude, quantiser) if is_end else (magnitude + quantiser // 2) // quantiser
        return quantised if value >= middle else -quantised

    def _units_touched(self, parts: list[_Component]) -> list[bool]:
        touched = self.frame.touched(self.boxes)
        flags = touched if len(parts) > 1 else self.frame.blocks_touched(parts[0], touched)
        found: list[bool] = flags.ravel().tolist()
        return found

    def _intervals(self, data: bytes, units: list[Coding], touched: list[bool]) -> bytes:
        size = self.restart_interval or len(touched)
        pieces = _RESTART.split(data) if self.restart_interval else [data]
        if len(pieces) != _ceil(len(touched), size):
            raise _malformed(f"has {len(pieces)} restart intervals")
        for index, piece in enumerate(pieces):
            flags = touched[index * size : (index + 1) * size]
            if any(flags):
                pieces[index] = flatten(piece, units, flags)
        return b"".join(
            piece + (b"\xff" + bytes([0xD0 + index % 8]) if index + 1 < len(pieces) else b"")
            for index, piece in enumerate(pieces)
        )

    def _larger_tables(self, parts: list[tuple[_Component, int, int]], symbols: set[tuple[int, int, int]]) -> bytes:
        """Give tables the codes they lack; return the segments that say so."""
        out = b""
        for part, *identifiers in parts:
            component = self.frame.components.index(part)
            for kind, identifier in enumerate(identifiers):
                lacking = [symbol for one, other, symbol in symbols if (one, other) == (kind, component)]
                table = self.tables[kind, identifier]
                larger = table.extended(lacking)
                if larger.counts == table.counts:
                    continue
                self.tables[kind, identifier] = larger
                body = bytes([kind << 4 | identifier]) + larger.counts + larger.symbols
                out += b"\xff\xc4" + (len(body) + 2).to_bytes(2) + body
        return out


def _ceil(number: int, of: int) -> int:
    return -(-number // of)


def _malformed(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"JPEG stream {what}")

"""The entropy-coded part of sequential JPEG: blocks found, copied bit for bit, or replaced (ISO/IEC 10918-1 Annex F).

A block that stays is never decoded to pixels: only the lengths of its codes are read, and the one difference that
links it to the block before. So nothing is lost in it, and it takes a fraction of a microsecond a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deid.errors import Reason, Refused

EOB = 0x00
_ZRL = 0xF0
_LONGEST_CODE_BITS = 16
_WINDOWS = 1 << _LONGEST_CODE_BITS
_COEFFICIENTS = 64
_LARGEST_CATEGORY = 15
# One step of reading AC coefficients: bits in the lowest five, then how far it leads, then whether the block ends.
_BITS_MASK, _PLACE_SHIFT, _PLACE_MASK, _ENDS = 0x1F, 5, 0x7F, 1 << 12
_GUARD_BYTES = 8
_MOST_COMPONENTS = 4


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A Huffman table, and what every 16 bits mean to it.

    Attributes
    ----------
    counts
        how many codes there are of 1 to 16 bits
    symbols
        in order of their codes
    codes
        code and its length by symbol
    lengths, symbol_at
        for 16 bits that begin with a code: its length (0 if there is none) and its symbol
    differences
        for 16 bits that begin with a code of a DC difference: bits of code and difference, shifted left by 16, plus
        the difference and 32768; 0 if they take more than 16 bits
    steps
        for 16 bits of AC coefficients: as many whole ones as they hold; 0 if they hold none
    """

    counts: bytes
    symbols: bytes
    codes: dict[int, tuple[int, int]]
    lengths: list[int]
    symbol_at: list[int]
    differences: list[int]
    steps: list[int]

    def extended(self, symbols: Iterable[int]) -> HuffmanTable:
        """Return a table in which these have codes too, while all others keep theirs.

        Raises
        ------
        Refused
            PIXELS_NOT_CLEANABLE, if it has no room
        """
        wanted = [symbol for symbol in sorted(set(symbols)) if symbol not in self.codes]
        last = max((bits for _, bits in self.codes.values()), default=1)
        after = max((code for code, bits in self.codes.values() if bits == last), default=-1) + 1
        for bits in range(last, _LONGEST_CODE_BITS + 1):
            if (after << (bits - last)) + len(wanted) < 1 << bits:  # the code of ones alone is none
                counts = bytearray(self.counts)
                counts[bits - 1] += len(wanted)
                return huffman_table(bytes(counts), self.symbols + bytes(wanted))
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, "JPEG Huffman table without room for a flat block")


@lru_cache(maxsize=32)
def huffman_table(counts: bytes, symbols: bytes) -> HuffmanTable:
    """Return the table of a DHT segment (ISO/IEC 10918-1 Section C.2).

    Parameters
    ----------
    counts
        16 bytes, how many codes there are of each length
    symbols
        in order of their codes

    Raises
    ------
    Refused
        MALFORMED, if there can be no such codes
    """
    if sum(counts) != len(symbols) or len(set(symbols)) != len(symbols):
        raise _malformed("has a Huffman table of other symbols than it counts")
    lengths = np.repeat(np.arange(1, 17), np.frombuffer(counts, np.uint8))
    spans = 1 << (_LONGEST_CODE_BITS - lengths)
    starts = np.cumsum(spans) - spans
    used = int(spans.sum())
    if used > _WINDOWS:
        raise _malformed("has a Huffman table of more codes than there can be")
    length_at, symbol_at = np.zeros(_WINDOWS, np.int64), np.zeros(_WINDOWS, np.int64)
    length_at[:used] = np.repeat(lengths, spans)
    symbol_at[:used] = np.repeat(np.frombuffer(symbols, np.uint8), spans)
    codes = (starts >> (_LONGEST_CODE_BITS - lengths)).tolist()
    return HuffmanTable(
        counts,
        symbols,
        dict(zip(symbols, zip(codes, lengths.tolist(), strict=True), strict=True)),
        length_at.tolist(),
        symbol_at.tolist(),
        _differences(length_at, symbol_at).tolist(),
        _steps(length_at, symbol_at).tolist(),
    )


def _differences(length_at: NDArray[np.int64], symbol_at: NDArray[np.int64]) -> NDArray[np.int64]:
    windows = np.arange(_WINDOWS)
    total = length_at + symbol_at
    fits = (length_at > 0) & (total <= _LONGEST_CODE_BITS)
    size = np.where(fits, symbol_at, 0)
    extra = (windows >> np.where(fits, _LONGEST_CODE_BITS - total, 0)) & ((1 << size) - 1)
    value = np.where(extra < (1 << size) >> 1, extra - (1 << size) + 1, extra)
    return np.where(fits, (total << 16) + value + 0x8000, 0)


def _steps(length_at: NDArray[np.int64], symbol_at: NDArray[np.int64]) -> NDArray[np.int64]:
    windows = np.arange(_WINDOWS)
    bits, places = np.zeros(_WINDOWS, np.int64), np.zeros(_WINDOWS, np.int64)
    ends, open_ = np.zeros(_WINDOWS, np.bool_), np.ones(_WINDOWS, np.bool_)
    while open_.any():
        rest = (windows << bits) & (_WINDOWS - 1)
        length, symbol = length_at[rest], symbol_at[rest]
        total = bits + length + (symbol & 0xF)
        open_ &= (length > 0) & (total <= _LONGEST_CODE_BITS)
        bits = np.where(open_, total, bits)
        places = np.where(open_, places + np.where(symbol == EOB, 1, (symbol >> 4) + 1), places)
        is_end = open_ & ((symbol & 0xF) == 0) & (symbol != _ZRL)
        ends |= is_end
        open_ &= ~is_end & (bits < _LONGEST_CODE_BITS)
    steps: NDArray[np.int64] = bits | np.minimum(places, _PLACE_MASK) << _PLACE_SHIFT | np.where(ends, _ENDS, 0)
    return steps


@dataclass(slots=True)
class Bits:
    """The bits of one restart interval without its stuffed bytes, to be read at any place."""

    data: bytes
    size: int = field(init=False)
    windows: memoryview[int] = field(init=False)

    def __post_init__(self) -> None:
        """Put three bytes into a number at each byte's place."""
        padded = np.frombuffer(self.data + b"\xff" * _GUARD_BYTES, np.uint8).astype(np.uint32)
        self.windows = (padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]).data
        self.size = 8 * len(self.data)

    def block(self, pos: int, dc: HuffmanTable, ac: HuffmanTable) -> tuple[int, int, int]:
        """Return where the block at bit `pos` ends, its DC difference, and where its AC coefficients begin.

        Raises
        ------
        Refused
            MALFORMED, for bits that are no block
        """
        windows = self.windows
        if pos >= self.size:
            raise _malformed("ends within a scan")
        step = dc.differences[(windows[pos >> 3] >> (8 - (pos & 7))) & 0xFFFF]
        if step:
            pos += step >> 16
            difference = (step & 0xFFFF) - 0x8000
        else:
            pos, difference = self._difference(pos, dc)
        start, steps, place = pos, ac.steps, 1
        while place < _COEFFICIENTS:
            if pos >= self.size:
                raise _malformed("ends within a scan")
            step = steps[(windows[pos >> 3] >> (8 - (pos & 7))) & 0xFFFF]
            next_place = place + (step >> _PLACE_SHIFT & _PLACE_MASK)
            if not step or next_place > _COEFFICIENTS:
                pos, place = self._coefficient(pos, place, ac)
                continue
            pos += step & _BITS_MASK
            if step >= _ENDS:
                break
            place = next_place
        return pos, difference, start

    def _symbol(self, pos: int, table: HuffmanTable) -> tuple[int, int]:
        window = (self.windows[pos >> 3] >> (8 - (pos & 7))) & 0xFFFF
        length = table.lengths[window]
        if not length:
            raise _malformed("has bits that are no code")
        return pos + length, table.symbol_at[window]

    def _difference(self, pos: int, dc: HuffmanTable) -> tuple[int, int]:
        pos, size = self._symbol(pos, dc)
        if size > _LARGEST_CATEGORY or pos + size > self.size:
            raise _malformed("has a difference of too many bits")
        window = (self.windows[pos >> 3] >> (8 - (pos & 7))) & 0xFFFF
        extra = window >> (_LONGEST_CODE_BITS - size)
        return pos + size, extra if extra >> (size - 1) else extra - (1 << size) + 1

    def _coefficient(self, pos: int, place: int, ac: HuffmanTable) -> tuple[int, int]:
        """Read one coefficient; the place behind the last one if the block ends."""
        pos, symbol = self._symbol(pos, ac)
        if not symbol & 0xF and symbol != _ZRL:
            return pos, _COEFFICIENTS
        place += (symbol >> 4) + 1
        if place > _COEFFICIENTS:
            raise _malformed("has a block of more than 64 coefficients")
        return pos + (symbol & 0xF), place


@dataclass(slots=True)
class Rewriter:
    """Writes bits that are partly those of `source`, partly new ones."""

    source: Bits
    _pieces: list[tuple[int, int] | str] = field(default_factory=list)
    _kept_from: int = 0

    def replace(self, start: int, stop: int, bits: str) -> None:
        """Take `bits` (ones and zeros) for those of the source from `start` up to `stop`, both behind all before."""
        if start > self._kept_from:
            self._pieces.append((self._kept_from, start))
        self._pieces.append(bits)
        self._kept_from = stop

    def bytes_to(self, stop: int) -> bytes:
        """Return all up to the source's bit `stop`, filled up with ones, bytes stuffed."""
        source = np.unpackbits(np.frombuffer(self.source.data, np.uint8), count=stop)
        kept: list[NDArray[np.uint8]] = []
        for piece in (*self._pieces, (self._kept_from, stop)):
            if isinstance(piece, str):
                kept.append(np.frombuffer(piece.encode(), np.uint8) & np.uint8(1))
            else:
                kept.append(source[piece[0] : piece[1]])
        bits = np.concatenate(kept)
        filled = np.concatenate([bits, np.ones(-len(bits) % 8, np.uint8)])
        return np.packbits(filled).tobytes().replace(b"\xff", b"\xff\x00")


@dataclass(frozen=True, slots=True)
class Coding:
    """What codes the blocks of one component in a scan.

    Attributes
    ----------
    component
        its index in the frame header
    dc, ac
        its tables
    flat
        the quantised DC coefficient of a flat block
    """

    component: int
    dc: HuffmanTable
    ac: HuffmanTable
    flat: int


def flatten(data: bytes, units: Sequence[Coding], is_flat: Sequence[bool]) -> bytes:
    """Return one restart interval in which some MCUs are flat and all others what they were.

    Parameters
    ----------
    data
        its bytes, stuffed
    units
        the blocks of each MCU, in order
    is_flat
        for each MCU of the interval whether it is to be flat

    Raises
    ------
    Refused
        MALFORMED, if the data are not such an interval; `MissingSymbols`, if a table lacks one that is needed
    """
    bits = Bits(data.replace(b"\xff\x00", b"\xff"))
    out = Rewriter(bits)
    missing: set[tuple[int, int, int]] = set()
    predicted, drift = [0] * _MOST_COMPONENTS, [0] * _MOST_COMPONENTS
    read, pos = bits.block, 0
    for flat in is_flat:
        for unit in units:
            start, component = pos, unit.component
            pos, difference, coefficients_at = read(start, unit.dc, unit.ac)
            before = predicted[component]
            predicted[component] = before + difference
            if flat:
                code = _difference_code(unit, unit.flat - before - drift[component], missing)
                out.replace(start, pos, code + _code(unit.ac, EOB, (1, component, EOB), missing))
                drift[component] = unit.flat - predicted[component]
            elif drift[component]:
                out.replace(start, coefficients_at, _difference_code(unit, difference - drift[component], missing))
                drift[component] = 0
    if missing:
        raise MissingSymbols(missing)
    if pos > bits.size:
        raise _malformed("ends within a scan")
    return out.bytes_to(pos)


class MissingSymbols(Exception):
    """Tables lack codes: pairs of table class (0 DC, 1 AC), component and symbol."""

    def __init__(self, symbols: set[tuple[int, int, int]]) -> None:
        super().__init__(len(symbols))
        self.symbols = symbols


def _difference_code(unit: Coding, difference: int, missing: set[tuple[int, int, int]]) -> str:
    """Return the bits of a DC difference (ISO/IEC 10918-1 Section F.1.2.1)."""
    size = abs(difference).bit_length()
    code = _code(unit.dc, size, (0, unit.component, size), missing)
    extra = difference if difference > 0 else difference + (1 << size) - 1
    return code + (f"{extra:0{size}b}" if size else "")


def _code(table: HuffmanTable, symbol: int, name: tuple[int, int, int], missing: set[tuple[int, int, int]]) -> str:
    if symbol not in table.codes:
        missing.add(name)
        return ""
    code, length = table.codes[symbol]
    return f"{code:0{length}b}"


def _malformed(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"JPEG stream {what}")

"""A baseline JPEG encoder, just enough for synthetic ultrasound frames (ITU-T T.81, Annex F and K.3).

Every block carries its DC and the first `_AC` AC coefficients in zig-zag order, none of them zero (a zero becomes a
one: speckle), so that each block is the same sequence of symbols and a whole frame is coded without a loop.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AC = 14
_STEP = 12
_ZIGZAG = np.array(sorted(range(64), key=lambda n: (sum(divmod(n, 8)), n if sum(divmod(n, 8)) % 2 else -n)))
# One Huffman table of each kind: symbols of equal length, which T.81 allows as long as no code is all ones.
_DC_SYMBOLS = bytes(range(12))
_AC_SYMBOLS = bytes(range(12))  # 0 is EOB, 1..11 a coefficient of that size after no zeros
_CODE_BITS = 4


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">HH", marker, len(body) + 2) + body


def _huffman(table: int, symbols: bytes) -> bytes:
    counts = bytes(len(symbols) if bits == _CODE_BITS else 0 for bits in range(1, 17))
    return _segment(0xFFC4, bytes([table]) + counts + symbols)


def _coefficients(plane: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Quantised DCT, shape (blocks, 1 + _AC), in zig-zag order."""
    rows, columns = plane.shape
    blocks = plane.reshape(rows // 8, 8, columns // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8).astype(float) - 128
    n = np.arange(8)
    basis = np.cos((2 * n[None, :] + 1) * n[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    spectrum = np.rint(basis @ blocks @ basis.T / _STEP).astype(np.int64).reshape(-1, 64)[:, _ZIGZAG[: 1 + _AC]]
    spectrum[:, 1:][spectrum[:, 1:] == 0] = 1
    spectrum[1:, 0] = np.diff(spectrum[:, 0])
    return spectrum


def _pack(codes: NDArray[np.int64], lengths: NDArray[np.int64]) -> bytes:
    """Pack `codes` of `lengths` bits into entropy-coded bytes, ones at the end, 0xFF stuffed."""
    bits = np.repeat(codes, lengths)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    shift = np.repeat(lengths, lengths) - 1 - (np.arange(bits.size) - starts)
    stream = np.concatenate([(bits >> shift) & 1, np.ones(-bits.size % 8, dtype=np.int64)])
    return np.packbits(stream.astype(np.uint8)).tobytes().replace(b"\xff", b"\xff\x00")


def encode(plane: NDArray[np.uint8]) -> bytes:
    """Encode one grey frame.

    Parameters
    ----------
    plane
        shape (rows, columns), both multiples of 8

    Returns
    -------
    a JPEG (Process 1) interchange stream
    """
    rows, columns = plane.shape
    spectrum = _coefficients(plane)
    size = np.ceil(np.log2(np.abs(spectrum) + 1)).astype(np.int64)
    extra = np.where(spectrum < 0, spectrum + (1 << size) - 1, spectrum)
    eob = np.zeros((spectrum.shape[0], 1), dtype=np.int64)
    codes = np.concatenate([(size << size) | extra, eob], axis=1).ravel()
    lengths = np.concatenate([size + _CODE_BITS, eob + _CODE_BITS], axis=1).ravel()
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xFFDB, bytes([0]) + bytes([_STEP]) * 64),
            _segment(0xFFC0, struct.pack(">BHHB", 8, rows, columns, 1) + bytes([1, 0x11, 0])),
            _huffman(0x00, _DC_SYMBOLS),
            _huffman(0x10, _AC_SYMBOLS),
            _segment(0xFFDA, bytes([1, 1, 0x00, 0, 63, 0])),
            _pack(codes, lengths),
            b"\xff\xd9",
        ]
    )

"""JPEG 2000 and HTJ2K codestreams without what isn't image (ISO/IEC 15444-1 Annex A, PS3.5 Section 8.2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from deid.errors import Reason, Refused

_SOC, _SOT, _SOD, _EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
_TLM = 0xFF55
# SIZ CAP COD COC TLM PLM PLT CPF QCD QCC RGN POC PPM PPT CRG (ISO/IEC 15444-1 Table A.2, 15444-15): no COM.
_DECODING = frozenset(
    (
        *(
            0xFF51,
            0xFF50,
            0xFF52,
            0xFF53,
            0xFF55,
            0xFF57,
            0xFF58,
            0xFF59,
            0xFF5C,
            0xFF5D,
            0xFF5E,
            0xFF5F,
            0xFF60,
            0xFF61,
        ),
        0xFF63,
    )
)
# DCO VMS DFS ADS MCT MCC NLT MCO CBD ATK QPD QPC (ISO/IEC 15444-2 Annex A).
_DECODING_PART_2 = frozenset((*range(0xFF70, 0xFF7A), 0xFF5A, 0xFF5B))
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_SOT_SEGMENT_BYTES = 12
_LONGEST_PADDING_BYTES = 1


def strip_jpeg2000(stream: bytes, *, is_part_2: bool = False) -> bytes:
    """Return the codestream with nothing but the segments that decoding needs; unchanged if there is nothing else.

    A codestream wrapped as a JP2 file is unwrapped: its boxes are not part of PS3.5's encoding.

    Parameters
    ----------
    stream
        one frame
    is_part_2
        whether it may use the extensions of ISO/IEC 15444-2

    Raises
    ------
    Refused
        MALFORMED, if the bytes are not such a stream
    """
    wanted = _DECODING | _DECODING_PART_2 if is_part_2 else _DECODING
    if stream.startswith(_JP2_SIGNATURE):
        stream = _unwrapped(stream)
    if stream[:2] != _SOC.to_bytes(2):
        raise _malformed("starts with no SOC")
    pieces, pos, is_changed = [stream[:2]], 2, False
    header, pos = _header(stream, pos, _SOT)
    kept = [segment for marker, segment in header if marker in wanted]
    tiles, end, tiles_changed = _tile_parts(stream, pos, wanted)
    if tiles_changed:
        kept = [segment for segment in kept if segment[:2] != _TLM.to_bytes(2)]  # its lengths are no longer true
    is_changed = tiles_changed or len(kept) != len(header)
    tail = stream[end:]
    if not is_changed and len(tail) <= _LONGEST_PADDING_BYTES and not any(tail):
        return stream
    pieces += kept
    return b"".join([*pieces, *tiles, _EOC.to_bytes(2)])


def _header(stream: bytes, pos: int, last: int) -> tuple[list[tuple[int, bytes]], int]:
    """Return the marker segments from `pos` up to the marker `last`, and where that stands."""
    segments: list[tuple[int, bytes]] = []
    while True:
        marker = int.from_bytes(stream[pos : pos + 2])
        if marker == last:
            return segments, pos
        length = int.from_bytes(stream[pos + 2 : pos + 4])
        end = pos + 2 + length
        if marker < 0xFF00 or length < 2 or end > len(stream):
            raise _malformed("has a header that passes the end")
        segments.append((marker, stream[pos:end]))
        pos = end


def _tile_parts(stream: bytes, pos: int, wanted: frozenset[int]) -> tuple[list[bytes], int, bool]:
    """Return the tile-parts without comments, where EOC ends, and whether there were any."""
    parts: list[bytes] = []
    is_changed = False
    while stream[pos : pos + 2] == _SOT.to_bytes(2):
        size = int.from_bytes(stream[pos + 6 : pos + 10])
        end = pos + size if size else _last_eoc(stream)
        if 0 < size < _SOT_SEGMENT_BYTES + 2 or end > len(stream):
            raise _malformed("has a tile-part that passes the end")
        part, changed = _tile_part(stream[pos:end], wanted, has_size=bool(size))
        parts.append(part)
        is_changed = is_changed or changed
        pos = end
    if not parts or stream[pos : pos + 2] != _EOC.to_bytes(2):
        raise _malformed("has no EOC")
    return parts, pos + 2, is_changed


def _last_eoc(stream: bytes) -> int:
    """Return where EOC stands if the last tile-part tells no length (Psot = 0): no such pair is in its data."""
    pos = stream.rfind(_EOC.to_bytes(2))
    if pos < 0:
        raise _malformed("has no EOC")
    return pos


def _tile_part(part: bytes, wanted: frozenset[int], *, has_size: bool) -> tuple[bytes, bool]:
    header, data_at = _header(part, _SOT_SEGMENT_BYTES, _SOD)
    kept = b"".join(segment for marker, segment in header if marker in wanted)
    removed = data_at - _SOT_SEGMENT_BYTES - len(kept)
    if not removed:
        return part, False
    size = (len(part) - removed).to_bytes(4) if has_size else bytes(4)
    return part[:6] + size + part[10:_SOT_SEGMENT_BYTES] + kept + part[data_at:], True


def _unwrapped(stream: bytes) -> bytes:
    for kind, payload in _boxes(stream):
        if kind == b"jp2c":
            return payload
    raise _malformed("is a JP2 file without a codestream")


def _boxes(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    pos = 0
    while pos + 8 <= len(stream):
        size, start = int.from_bytes(stream[pos : pos + 4]), pos + 8
        if size == 1:
            size, start = int.from_bytes(stream[pos + 8 : pos + 16]), pos + 16
        end = pos + size if size else len(stream)
        if end < start or end > len(stream):
            raise _malformed("has a box that passes the end")
        yield stream[pos + 4 : pos + 8], stream[start:end]
        pos = end


def _malformed(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"JPEG 2000 stream {what}")

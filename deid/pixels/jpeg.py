"""JPEG and JPEG-LS streams without what isn't image: comments, application segments, bytes after the end.

ISO/IEC 10918-1 Annex B (markers), ISO/IEC 14495-1 Annex C (JPEG-LS), PS3.5 Section 8.2.1.
"""

from __future__ import annotations

from deid.errors import Reason, Refused

_EOI, _SOS = 0xD9, 0xDA
_APP0, _APP8, _APP14 = 0xE0, 0xE8, 0xEE
_SOF55, _LSE = 0xF7, 0xF8
_PRESETS = frozenset({b"\1", b"\2", b"\3", b"\4"})
# Frame headers, tables, restart interval, number of lines, scans, hierarchical progression (ISO/IEC 10918-1 Table B.1).
_DECODING = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}) - {0xC8}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_JFIF_PAYLOAD_BYTES = 14
_ADOBE_PAYLOAD_BYTES = 12
_COLOUR_TRANSFORM_PAYLOAD_BYTES = 5
_LONGEST_PADDING_BYTES = 1


def strip_jpeg(stream: bytes, *, is_ls: bool = False) -> bytes:
    """Return `stream` with nothing but the segments that decoding needs; unchanged if there is nothing else.

    Of application segments those for colours are kept: JFIF's without its thumbnail, Adobe's, and JPEG-LS's colour
    transform, each in its one fixed form. Comments, all others and bytes after EOI go.

    Parameters
    ----------
    stream
        one frame
    is_ls
        whether it is JPEG-LS

    Raises
    ------
    Refused
        MALFORMED, if the bytes are not such a stream
    """
    if stream[:2] != b"\xff\xd8":
        raise _malformed("starts with no SOI")
    out, kept_from, pos = bytearray(), 0, 2
    while True:
        pos, marker = _marker_at(stream, pos)
        if marker == _EOI:
            return _ended(stream, out, kept_from, pos + 2)
        if marker in _WITHOUT_LENGTH:
            pos += 2
            continue
        end = pos + 2 + _length_at(stream, pos + 2)
        kept = _kept_segment(marker, stream[pos + 4 : end], is_ls=is_ls)
        if kept is not None:
            out += stream[kept_from:pos] + kept
            kept_from = end
        pos = _after_scan(stream, end) if marker == _SOS else end


def _kept_segment(marker: int, payload: bytes, *, is_ls: bool) -> bytes | None:
    """Return what replaces a segment; None if it stays as it is."""
    if marker in _DECODING or (is_ls and _is_of_ls(marker, payload)):
        return None
    kept = _needed_for_colours(marker, payload)
    if kept == payload:
        return None
    return b"" if kept is None else bytes((0xFF, marker)) + (len(kept) + 2).to_bytes(2) + kept


def _is_of_ls(marker: int, payload: bytes) -> bool:
    return marker == _SOF55 or (marker == _LSE and payload[:1] in _PRESETS)


def _needed_for_colours(marker: int, payload: bytes) -> bytes | None:
    if marker == _APP0 and payload[:5] == b"JFIF\0" and len(payload) >= _JFIF_PAYLOAD_BYTES:
        return payload[: _JFIF_PAYLOAD_BYTES - 2] + b"\0\0"
    if marker == _APP14 and payload[:5] == b"Adobe" and len(payload) >= _ADOBE_PAYLOAD_BYTES:
        return payload[:_ADOBE_PAYLOAD_BYTES]
    if marker == _APP8 and payload[:4] == b"mrfx" and len(payload) == _COLOUR_TRANSFORM_PAYLOAD_BYTES:
        return payload
    return None


def _marker_at(stream: bytes, pos: int) -> tuple[int, int]:
    """Return the place of the marker's last FF byte and its code; any number of FF may come before it."""
    if stream[pos : pos + 1] != b"\xff":
        raise _malformed("no marker where one must be")
    while stream[pos + 1 : pos + 2] == b"\xff":
        pos += 1
    if pos + 1 >= len(stream):
        raise _malformed("ends within a marker")
    return pos, stream[pos + 1]


def _length_at(stream: bytes, pos: int) -> int:
    length = int.from_bytes(stream[pos : pos + 2])
    if length < 2 or pos + length > len(stream):
        raise _malformed("a segment passes the end")
    return length


def _after_scan(stream: bytes, pos: int) -> int:
    """Return the place of the first marker after entropy-coded data.

    FF00 (JPEG) and FF followed by a byte below 80 (JPEG-LS) are data; restart markers belong to the scan.
    """
    while True:
        pos = stream.find(b"\xff", pos)
        if pos < 0 or pos + 1 >= len(stream):
            raise _malformed("has no EOI")
        code = stream[pos + 1]
        if code < 0x80 or 0xD0 <= code <= 0xD7:
            pos += 2
        elif code == 0xFF:
            pos += 1
        else:
            return pos


def _ended(stream: bytes, out: bytearray, kept_from: int, end: int) -> bytes:
    is_whole = kept_from == 0 and len(stream) - end <= _LONGEST_PADDING_BYTES and not any(stream[end:])
    return stream if is_whole else bytes(out) + stream[kept_from:end]


def _malformed(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"JPEG stream {what}")

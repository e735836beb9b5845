"""What the samples of a decoded frame are, where Photometric Interpretation tells of the stream and not of them.

Decoders undo the component transforms of JPEG 2000 and leave those of JPEG, and many a JPEG stream of an ``RGB``
instance holds Y, Cb and Cr all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deid.encoding.element import Buffer
from deid.encoding.syntax import TransferSyntax
from deid.pixels.format import Format
from deid.pixels.frames import JPEG, JPEG_2000

_TRANSFORMED = frozenset({"YBR_RCT", "YBR_ICT"})
_LONGEST_HEADER_BYTES = 1 << 12
_COD, _SOT = 0xFF52, 0xFF90
_APP0, _APP14, _SOS, _EOI = 0xE0, 0xEE, 0xDA, 0xD9
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ADOBE_BYTES, _FRAME_HEADER_BYTES = 12, 15


def decoded_form(frame: Buffer, form: Format, syntax: TransferSyntax) -> Format:
    """Return the format with the Photometric Interpretation that the decoded samples have.

    Parameters
    ----------
    frame
        the stored bytes of a frame
    form, syntax
        what they are said to be

    """
    if form.samples != 3:
        return form
    if syntax.uid in JPEG_2000:
        is_transformed = form.photometric in _TRANSFORMED or _has_transform(bytes(frame[:_LONGEST_HEADER_BYTES]))
        return replace(form, photometric="RGB", is_subsampled=False) if is_transformed else form
    if syntax.uid in JPEG:
        is_rgb = _is_rgb(bytes(frame), form)
        is_said_rgb = form.photometric == "RGB"
        return form if is_rgb == is_said_rgb else replace(form, photometric="RGB" if is_rgb else "YBR_FULL")
    return form


def _is_rgb(stream: bytes, form: Format) -> bool:
    """Tell what three components of JPEG are: by its own word first, as decoders do, then by what the Data Set says.

    That word is Adobe's segment, components named R, G and B, JFIF, which is always Y, Cb and Cr, or chroma samples
    that are fewer.
    """
    is_jfif = False
    for marker, payload in _segments(stream):
        if marker == _APP14 and payload[:5] == b"Adobe" and len(payload) >= _ADOBE_BYTES:
            return payload[_ADOBE_BYTES - 1] == 0
        is_jfif = is_jfif or (marker == _APP0 and payload[:5] == b"JFIF\0")
        if marker in _FRAME_HEADERS and len(payload) >= _FRAME_HEADER_BYTES:
            names, factors = payload[6::3][:3], payload[7::3][:3]
            if names == b"RGB":
                return True
            if is_jfif or len(set(factors)) > 1:
                return False
    return form.photometric == "RGB"


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Return marker and payload of the segments before the scan."""
    pos = 2
    while pos + 4 <= len(stream) and stream[pos] == 0xFF and stream[pos + 1] not in {_SOS, _EOI}:
        length = int.from_bytes(stream[pos + 2 : pos + 4])
        if stream[pos + 1] == 0xFF:
            pos += 1
            continue
        yield stream[pos + 1], stream[pos + 4 : pos + 2 + length]
        pos += 2 + length


def _has_transform(start: bytes) -> bool:
    """Tell whether the codestream's main header asks for the multiple component transform (ISO/IEC 15444-1 A.6.1)."""
    pos = 2
    while pos + 9 <= len(start):
        marker, length = int.from_bytes(start[pos : pos + 2]), int.from_bytes(start[pos + 2 : pos + 4])
        if marker in {_COD, _SOT}:
            return marker == _COD and start[pos + 8] == 1
        pos += 2 + max(length, 2)
    return False

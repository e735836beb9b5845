"""The texts that bytes may stand for, whatever they are declared to be; and bytes in disguise, undone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from deid.encoding.element import Buffer
from deid.encoding.text import decode_lenient

_ESC = b"\x1b"
_OTHER_CODECS = ("shift_jis", "euc_jp", "euc_kr", "gb18030")
PLAUSIBLE_CODECS = (
    *("utf-8", "latin-1", "iso8859-5", "iso8859-7", "shift_jis", "euc_jp", "euc_kr", "gb18030", "iso2022_jp_2"),
    *("utf-16-le", "utf-16-be"),
)
"""In which a name of non-ASCII letters may turn up where nobody declared it."""

_SHORTEST = 6
_NULS = bytes(_SHORTEST)
_SHORTEST_BASE64 = 8
_HEX = re.compile(rb"[0-9A-Fa-f]{12,}")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_RUNS_ALONE = bytes(byte if byte in _ALPHABET else 0x20 for byte in range(256))


def readings(value: Buffer, vr: str, charset: tuple[str, ...]) -> tuple[str, ...]:
    """Return the texts that a value may stand for: as declared first, then what its bytes look like otherwise.

    Bytes that are UTF-8 beyond ASCII are nothing else but by chance. What is declared is trusted if it gives letters.
    """
    data = bytes(value)
    declared, is_mislabelled = decode_lenient(data, vr, charset)
    if data.isascii() and _ESC not in data:
        return (declared,)
    as_utf8 = _decoded(data, "utf-8")
    if as_utf8 is not None:
        return tuple(dict.fromkeys((declared, as_utf8)))
    if not is_mislabelled and all(char.isascii() or char.isalpha() for char in declared):
        return (declared,)
    others = (_decoded(data, codec) for codec in _OTHER_CODECS)
    return tuple(dict.fromkeys((declared, *(text for text in others if text is not None))))


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeError:
        return None


def undisguised(data: bytes) -> bytes:
    """Return what `data` says if it is text as UTF-16, with the bytes of words reversed, in hex or base64.

    Each of these readings of all of `data` follows the other; ASCII letters are lower-cased.
    """
    views = [_swapped(data), _swapped(data[1:])]
    even, odd = data[::2], data[1::2]
    if _NULS in odd:
        views.append(even)
    if _NULS in even:
        views.append(odd)
    for run in data.translate(_RUNS_ALONE).split():
        if len(run) >= _SHORTEST_BASE64 and not _is_plain(run):
            views += _undone(run)
    return b"\n".join(views).lower()


def _is_plain(run: bytes) -> bool:
    """Tell whether a run is a word: letters that are all small, all capital, or capital at the start."""
    return run.isalpha() and (run.islower() or run.isupper() or run[1:].islower())


def _undone(run: bytes) -> Iterator[bytes]:
    """Read a run of letters and digits as hex and as base64, wherever in it that begins."""
    for digits in _HEX.findall(run):
        for lead in (0, 1):
            yield bytes.fromhex(digits[lead : lead + (len(digits) - lead & ~1)].decode("ascii"))
    if not run.isdigit():
        for lead in range(4):
            yield base64.b64decode(run[lead : lead + (len(run) - lead & ~3)])


def _swapped(data: bytes) -> bytes:
    """Reverse the bytes of each word of two."""
    size = len(data) & ~1
    out = bytearray(size)
    out[::2], out[1::2] = data[1:size:2], data[:size:2]
    return bytes(out)

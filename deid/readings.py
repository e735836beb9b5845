"""The texts that bytes may stand for, whatever they are declared to be; and bytes in disguise, undone."""

from __future__ import annotations

import base64
import re

from deid.encoding.element import Buffer
from deid.encoding.text import decode_lenient

_ESC = b"\x1b"
_OTHER_CODECS = ("shift_jis", "euc_jp", "euc_kr", "gb18030")
PLAUSIBLE_CODECS = (
    *("utf-8", "latin-1", "iso8859-5", "iso8859-7", "shift_jis", "euc_jp", "euc_kr", "gb18030", "iso2022_jp_2"),
    *("utf-16-le", "utf-16-be"),
)
"""In which a name of non-ASCII letters may turn up where nobody declared it."""

_HEX = re.compile(rb"(?:[0-9a-f]{2}){6,}|(?:[0-9A-F]{2}){6,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{8,}")
_BASE64_WITHOUT_DISGUISE = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


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
    views = [data.replace(b"\0", b""), _swapped(data), _swapped(data[1:])]
    views += [bytes.fromhex(run[lead:][: (len(run) - lead) & ~1].decode("ascii")) for run in _HEX.findall(data) for lead in (0, 1)]
    for run in _BASE64.findall(data):
        if not _BASE64_WITHOUT_DISGUISE.fullmatch(run):
            views += [base64.b64decode(run[lead : lead + (len(run) - lead & ~3)]) for lead in range(4)]
    return b"\n".join(views).lower()


def _swapped(data: bytes) -> bytes:
    """Reverse the bytes of each word of two."""
    size = len(data) & ~1
    out = bytearray(size)
    out[::2], out[1::2] = data[1:size:2], data[:size:2]
    return bytes(out)

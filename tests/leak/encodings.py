"""How a sentinel is written: character sets rightly and wrongly declared, and bytes that are no text to a reader."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from tests.leak.encode import swapped


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way of writing.

    Attributes
    ----------
    name
        for the report
    script
        the alphabet of the sentinel's words
    charset
        value of Specific Character Set, empty for none
    write
        text to bytes
    is_true
        the character set is the one declared
    """

    name: str
    script: str
    charset: str
    write: Callable[[str], bytes]
    is_true: bool = True


def _codec(name: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(name)


def _iso2022_kr(text: str) -> bytes:
    return b"".join(
        b"\x1b$)C" + part.encode("euc_kr") if part not in "^= " else part.encode() for part in _pieces(text)
    )


def _iso2022_cn(text: str) -> bytes:
    return b"".join(
        b"\x1b$)A" + part.encode("gb2312") if part not in "^= " else part.encode() for part in _pieces(text)
    )


def _pieces(text: str) -> list[str]:
    """Split at the delimiters, which end an invocation (PS3.5 Section 6.1.2.5.3)."""
    for delimiter in "^= ":
        text = text.replace(delimiter, f"\0{delimiter}\0")
    return [piece for piece in text.split("\0") if piece]


DECLARED = (
    Encoding("ASCII", "ascii", "", _codec("ascii")),
    Encoding("UTF-8 Latin", "latin", "ISO_IR 192", _codec("utf-8")),
    Encoding("UTF-8 kanji", "kanji", "ISO_IR 192", _codec("utf-8")),
    Encoding("Latin-1", "latin", "ISO_IR 100", _codec("latin-1")),
    Encoding("Latin/Cyrillic", "cyrillic", "ISO_IR 144", _codec("iso8859-5")),
    Encoding("Latin/Greek", "greek", "ISO_IR 126", _codec("iso8859-7")),
    Encoding("JIS X 0201", "katakana", "ISO_IR 13", _codec("shift_jis")),
    Encoding("ISO 2022 JP", "kanji", r"\ISO 2022 IR 87", _codec("iso2022_jp")),
    Encoding("ISO 2022 KR", "hangul", r"\ISO 2022 IR 149", _iso2022_kr),
    Encoding("ISO 2022 CN", "hanzi", r"\ISO 2022 IR 58", _iso2022_cn),
    Encoding("GB18030", "hanzi", "GB18030", _codec("gb18030")),
    Encoding("GBK", "hanzi", "GBK", _codec("gbk")),
)
MISLABELLED = (
    Encoding("UTF-8, none declared", "latin", "", _codec("utf-8"), is_true=False),
    Encoding("UTF-8 as Latin-1", "cyrillic", "ISO_IR 100", _codec("utf-8"), is_true=False),
    Encoding("Latin-1 as UTF-8", "latin", "ISO_IR 192", _codec("latin-1"), is_true=False),
    Encoding("Latin-1, none declared", "latin", "", _codec("latin-1"), is_true=False),
    Encoding("Shift JIS as Latin-1", "kanji", "ISO_IR 100", _codec("shift_jis"), is_true=False),
    Encoding("GB18030, none declared", "hanzi", "", _codec("gb18030"), is_true=False),
    Encoding("ISO 2022 JP, none declared", "kanji", "", _codec("iso2022_jp"), is_true=False),
    Encoding("ISO 2022 KR, none declared", "hangul", "", _iso2022_kr, is_true=False),
    Encoding("EUC-KR as Latin-1", "hangul", "ISO_IR 100", _codec("euc_kr"), is_true=False),
)
DISGUISED = (
    Encoding("UTF-16 LE", "ascii", "", _codec("utf-16-le"), is_true=False),
    Encoding("UTF-16 BE", "ascii", "", _codec("utf-16-be"), is_true=False),
    Encoding("byte-swapped", "ascii", "", lambda text: swapped(text.encode("ascii"), 2)),
    Encoding("base64", "ascii", "", lambda text: base64.b64encode(text.encode("ascii"))),
    Encoding("hex", "ascii", "", lambda text: text.encode("ascii").hex().encode("ascii")),
    Encoding("HEX", "ascii", "", lambda text: text.encode("ascii").hex().upper().encode("ascii")),
)
ALL = (*DECLARED, *MISLABELLED, *DISGUISED)
BYTES = (DECLARED[0], DECLARED[2], DECLARED[3], DECLARED[7], DECLARED[8], DECLARED[10], *DISGUISED)
"""For places that hold bytes."""

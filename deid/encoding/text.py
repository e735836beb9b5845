"""Character strings and their character sets (PS3.3 2024e C.12.1.1.2, PS3.5 2024e Section 6.1).

Code extensions are decoded here as ISO 2022 describes them, and not by a codec of the language: those know other
repertoires than DICOM does, and don't know that delimiters end an invocation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused

_ESC: Final = 0x1B
_DEFAULT: Final = "ISO_IR 6"


@dataclass(frozen=True, slots=True)
class _Repertoire:
    """A coded character set that ISO 2022 can designate.

    Attributes
    ----------
    number
        its ISO-IR registration number
    codec
        the codec that knows its characters
    escape
        the sequence that designates it
    upper
        it is invoked in G1 (bytes from 0x80 on), not in G0
    width
        bytes a character takes
    """

    number: int
    codec: str
    escape: bytes
    upper: bool
    width: int = 1


_REPERTOIRES: Final = (
    _Repertoire(6, "ascii", b"\x1b(B", upper=False),
    _Repertoire(14, "shift_jis", b"\x1b(J", upper=False),
    _Repertoire(13, "shift_jis", b"\x1b)I", upper=True),
    _Repertoire(100, "latin_1", b"\x1b-A", upper=True),
    _Repertoire(101, "iso8859_2", b"\x1b-B", upper=True),
    _Repertoire(109, "iso8859_3", b"\x1b-C", upper=True),
    _Repertoire(110, "iso8859_4", b"\x1b-D", upper=True),
    _Repertoire(126, "iso8859_7", b"\x1b-F", upper=True),
    _Repertoire(127, "iso8859_6", b"\x1b-G", upper=True),
    _Repertoire(138, "iso8859_8", b"\x1b-H", upper=True),
    _Repertoire(144, "iso8859_5", b"\x1b-L", upper=True),
    _Repertoire(148, "iso8859_9", b"\x1b-M", upper=True),
    _Repertoire(166, "tis_620", b"\x1b-T", upper=True),
    _Repertoire(203, "iso8859_15", b"\x1b-b", upper=True),
    _Repertoire(87, "iso2022_jp", b"\x1b$B", upper=False, width=2),
    _Repertoire(159, "iso2022_jp_2", b"\x1b$(D", upper=False, width=2),
    _Repertoire(149, "euc_kr", b"\x1b$)C", upper=True, width=2),
    _Repertoire(58, "gb2312", b"\x1b$)A", upper=True, width=2),
)
"""PS3.3 Tables C.12-2, C.12-3 and C.12-4."""

_BY_NUMBER: Final = {repertoire.number: repertoire for repertoire in _REPERTOIRES}
_BY_ESCAPE: Final = {repertoire.escape: repertoire for repertoire in _REPERTOIRES}
_ASCII: Final = _BY_NUMBER[6]
_ROMAJI: Final = _BY_NUMBER[14]

_STAND_ALONE: Final = {"ISO_IR 192": "utf_8", "GB18030": "gb18030", "GBK": "gbk", "ISO 2022 GBK": "gbk"}
"""PS3.3 Table C.12-5: multi-byte, without code extensions."""

_MISSPELLED: Final = {"UTF-8": "ISO_IR 192", "UTF8": "ISO_IR 192", "ISO 2022 58": "ISO 2022 IR 58"}
_TERM: Final = re.compile(r"ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?(\d{1,3})")
_SEGMENT: Final = re.compile(rb"\x1b\$[()][A-D]|\x1b\$B|\x1b[()\-][A-Za-z]|[^\x1b]+|\x1b", re.DOTALL)

_LOW_OR_HIGH: Final = re.compile(rb"([\x00-\x7f]+)|([\x80-\xff]+)")

BY_CHARSET_VRS: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
"""VRs that Specific Character Set applies to; all others use the default repertoire (PS3.5 Section 6.1.2.3)."""

_LINE_ENDS: Final = frozenset("\t\n\f\r")
_DELIMITERS: Final = {
    "PN": _LINE_ENDS | frozenset("\\^="),
    "LO": _LINE_ENDS | frozenset("\\"),
    "SH": _LINE_ENDS | frozenset("\\"),
    "UC": _LINE_ENDS | frozenset("\\"),
}
"""What ends an invocation (PS3.5 Section 6.1.2.5.3); in ST, LT and UT a backslash is a character like others."""


@dataclass(frozen=True, slots=True)
class _Charset:
    """What the values of one Specific Character Set mean together.

    Attributes
    ----------
    codec
        of a repertoire that stands alone, else empty
    upper
        the repertoire in G1 at the start of a value, None if none is
    declared
        all repertoires that may be designated, in the order of preference for encoding
    """

    codec: str
    upper: _Repertoire | None
    declared: tuple[_Repertoire, ...]


@lru_cache(maxsize=256)
def _charset(terms: tuple[str, ...]) -> _Charset | None:
    """Look up the values of Specific Character Set; None if one of them isn't among the Defined Terms."""
    names = [_MISSPELLED.get(term.upper(), term.upper()) for term in terms] or [_DEFAULT]
    if names[0] in _STAND_ALONE:
        return _Charset(_STAND_ALONE[names[0]], None, ())
    repertoires: list[_Repertoire] = []
    for name in names:
        match = _TERM.fullmatch(name or _DEFAULT)
        repertoire = _BY_NUMBER.get(int(match[1])) if match else None
        if match and int(match[1]) == 192 and len(names) == 1:
            return _Charset("utf_8", None, ())
        if repertoire is None or repertoire is _ROMAJI:
            return None
        repertoires.append(repertoire)
    upper = repertoires[0] if repertoires[0].upper else None
    low = [_ASCII, _ROMAJI] if _BY_NUMBER[13] in repertoires else [_ASCII]
    return _Charset("", upper, tuple(dict.fromkeys(low + repertoires)))


def known_terms(terms: tuple[str, ...]) -> tuple[str, ...]:
    """Return those values of Specific Character Set that are Defined Terms, or known misspellings of them."""
    return tuple(term for term in terms if not term or _charset((term,)) is not None)


def strip(value: Buffer) -> bytes:
    """Return the significant bytes of a value, without padding and insignificant spaces (PS3.5 Section 6.2)."""
    return bytes(value).strip(b" \0")


def encodings(charset: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the codecs whose characters a value with this Specific Character Set can hold.

    For a character set outside of the standard those of `decode_lenient`.
    """
    known = _charset(charset)
    if known is None:
        return ("utf_8", "latin_1")
    if known.codec:
        return (known.codec,)
    return tuple(dict.fromkeys(repertoire.codec for repertoire in known.declared))


def decode(value: Buffer, vr: str, charset: tuple[str, ...]) -> str:
    """Decode a character string; padding and delimiters stay.

    Parameters
    ----------
    value
        the encoded value, with all its values and component groups
    vr
        Value Representation: some use the default repertoire only, and each has its own delimiters
    charset
        Specific Character Set in force, empty for the default repertoire

    Raises
    ------
    Refused
        UNDECODABLE_TEXT, when the character set is none of PS3.3 C.12.1.1.2, or the bytes don't belong to it
    """
    data = bytes(value)
    if data.isascii() and _ESC not in data:
        return data.decode("ascii")
    known = _charset(charset if vr in BY_CHARSET_VRS else ())
    if known is None:
        raise Refused(Reason.UNDECODABLE_TEXT, "Specific Character Set unknown")
    try:
        return _decoded(data, known, _DELIMITERS.get(vr, _LINE_ENDS), strict=True)
    except UnicodeError:
        raise Refused(Reason.UNDECODABLE_TEXT, f"{vr} has bytes outside of its character set") from None


def decode_lenient(value: Buffer, vr: str, charset: tuple[str, ...]) -> tuple[str, bool]:
    """Decode a character string whatever it takes, for searching in it.

    What the character set doesn't explain is tried with the mistakes that real senders make: escape sequences not
    declared, invocations that outlast a delimiter, Shift JIS, UTF-8, and at last Latin-1, which explains all.

    Returns
    -------
    str, bool
        the text, and whether it was mislabelled
    """
    try:
        return decode(value, vr, charset), False
    except Refused:
        data = bytes(value)
    known = _charset(charset) or _charset(())
    if known is not None and (known.codec or known.upper is not None or _ESC in data):
        try:
            return _decoded(data, known, frozenset(), strict=False), True
        except UnicodeError:
            pass
    japanese = known is not None and _BY_NUMBER[13] in known.declared
    codecs = ("shift_jis", "utf_8") if japanese else ("utf_8",)
    for codec in codecs:
        try:
            return data.decode(codec), True
        except UnicodeError:
            continue
    return data.decode("latin_1"), True


def _decoded(data: bytes, charset: _Charset, delimiters: frozenset[str], *, strict: bool) -> str:
    """Decode with code extensions (PS3.5 Section 6.1.2.5); `strict` refuses what isn't declared."""
    if charset.codec:
        return data.decode(charset.codec)
    lower, upper = _ASCII, charset.upper
    parts: list[str] = []
    for segment in _SEGMENT.findall(data):
        if segment[0] != _ESC:
            text, upper = _run(segment, lower, upper, charset.upper, delimiters)
            parts.append(text)
            continue
        repertoire = _BY_ESCAPE.get(segment)
        if repertoire is None or (strict and repertoire not in charset.declared):
            raise UnicodeError("escape sequence not declared")
        if repertoire.upper:
            upper = repertoire
        else:
            lower = repertoire
    return "".join(parts)


def _run(
    run: bytes,
    lower: _Repertoire,
    upper: _Repertoire | None,
    initial: _Repertoire | None,
    delimiters: frozenset[str],
) -> tuple[str, _Repertoire | None]:
    """Decode bytes between escape sequences; return the text, and what is left in G1."""
    parts: list[str] = []
    for low, high in _LOW_OR_HIGH.findall(run):
        if low and lower.width == 2:
            parts.append(_double(low, lower))
        elif low:
            text = low.decode("ascii")
            if not delimiters.isdisjoint(text):
                upper = initial
            parts.append(text)
        else:
            parts.append(_high(high, upper))
    return "".join(parts), upper


def _double(run: bytes, lower: _Repertoire) -> str:
    """Decode two-byte characters in G0."""
    if len(run) % 2 or min(run) < 0x21 or max(run) > 0x7E:
        raise UnicodeError("not of two-byte characters")
    return (lower.escape + run).decode(lower.codec)


def _high(run: bytes, upper: _Repertoire | None) -> str:
    """Decode bytes from 0x80 on."""
    if upper is None or (upper.number == 13 and not all(0xA1 <= byte <= 0xDF for byte in run)):
        raise UnicodeError("nothing is designated for these bytes")
    return run.decode(upper.codec)


def encode(text: str, charset: tuple[str, ...]) -> bytes:
    """Encode text, with code extensions where the character set declares them; not padded.

    Raises
    ------
    Refused
        UNDECODABLE_TEXT, when the character set is none of PS3.3 C.12.1.1.2, or has no such characters
    """
    if text.isascii():
        return text.encode("ascii")
    known = _charset(charset)
    if known is None:
        raise Refused(Reason.UNDECODABLE_TEXT, "Specific Character Set unknown")
    try:
        return text.encode(known.codec) if known.codec else _extended(text, known)
    except UnicodeError:
        raise Refused(Reason.UNDECODABLE_TEXT, "characters outside of the character set") from None


def _extended(text: str, charset: _Charset) -> bytes:
    """Encode with code extensions; ASCII is back in G0 before every delimiter and at the end."""
    home = _ROMAJI if charset.upper is not None and charset.upper.number == 13 else _ASCII
    lower, upper = home, charset.upper
    parts: list[bytes] = []
    for character in text:
        repertoire, code = (home, character.encode()) if character.isascii() else _coded(character, charset)
        if repertoire.upper and repertoire is not upper:
            parts.append(repertoire.escape)
            upper = repertoire
        elif not repertoire.upper and repertoire is not lower:
            parts.append(repertoire.escape)
            lower = repertoire
        parts.append(code)
        if character in _DELIMITERS["PN"]:
            upper = charset.upper
    if lower is not home:
        parts.append(home.escape)
    return b"".join(parts)


def _coded(character: str, charset: _Charset) -> tuple[_Repertoire, bytes]:
    """Return the first declared repertoire that has the character, and its code there."""
    for repertoire in charset.declared:
        try:
            code = character.encode(repertoire.codec)
        except UnicodeError:
            continue
        if not repertoire.upper and repertoire.width == 2:
            code = code.removeprefix(repertoire.escape).removesuffix(_ASCII.escape)
        is_upper = min(code) >= 0x80
        if len(code) == repertoire.width and is_upper == repertoire.upper and _ESC not in code:
            return repertoire, code
    raise UnicodeError("no repertoire has this character")

"""Written forms of identifiers, and how they are looked for in bytes and in texts.

Two steps, so that looking costs next to nothing where there is nothing: a probe (plain bytes) that must be present
wherever the identifier is, and, only if it is, an exact comparison word by word with the decoded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from deid.errors import Reason, Refused
from deid.grams import DATE_DIGITS, Grams
from deid.readings import PLAUSIBLE_CODECS, undisguised

_WORD = re.compile(r"[^\W\d_]+|\d+")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_ASCII_ALONE = bytes(byte if byte < 0x80 else 0x20 for byte in range(0x100))
_FIRST_UNSPACED_SCRIPT = "\u2e80"  # CJK and what follows is written without spaces between words
LARGEST_SEARCHED_TWICE_BYTES = 1 << 18
SHORTEST_IN_BYTES = 6
_SHORTEST_NUMBER_IN_BYTES = 9
_MANY = 1000  # fewer are looked for faster one by one
_MOST_NEEDLES = 400_000
_MOST_LOOKS = 4_000_000_000  # needles times bytes: seconds


class Kind(Enum):
    """What a needle is, which decides how it has to lie in a text to be a finding."""

    NAME_PART = "one part of a name, as a word of its own"
    NAME = "parts of a name one after another, in any order"
    CODE = "an ID or number, not inside a longer one"
    PHRASE = "a place, an address, a station"
    DATE = "a date in one of its written forms"
    UID = "a UID that is not the standard's own"


@dataclass(frozen=True, slots=True, repr=False)
class Needle:
    """One identifier in one form.

    Attributes
    ----------
    words
        its words, case-folded, separated by one space; a UID as it is
    probes
        bytes, ASCII letters lower-cased, one of which is present in any text that holds the needle
    elsewhere
        probes in encodings that nobody declared, of letters beyond ASCII
    is_told_by_bytes
        whether it is too long to be among arbitrary bytes by chance: a part of a name, or an ID
    guard
        bytes that are present too wherever one of many needles is, so that one look is enough for all of them; empty
        for none
    is_number
        whether the probe is a short number, which new UIDs hold by chance: only where no digit adjoins it is it a word
    """

    kind: Kind
    words: str
    probes: tuple[bytes, ...]
    elsewhere: tuple[bytes, ...] = ()
    is_told_by_bytes: bool = False
    guard: bytes = b""
    is_number: bool = False

    def __repr__(self) -> str:
        """Say what it is, never which."""
        return f"<{self.kind.name}>"


_TOLD_BY_BYTES = frozenset({Kind.NAME_PART, Kind.CODE})


def words(text: str) -> str:
    """Return the words of `text`, runs of letters or of digits, case-folded and separated by one space."""
    return " ".join(_WORD.findall(text)).casefold()


def make_needle(kind: Kind, text: str, codecs: Iterable[str]) -> Needle | None:
    """Return the needle for `text`, or None if it has no word.

    Parameters
    ----------
    kind
        how it is to be compared
    text
        the identifier
    codecs
        names of the encodings in which it could be written
    """
    if kind is Kind.UID:
        return Needle(kind, text, (text.encode("latin-1", "replace"),))
    found = _WORD.findall(text)
    if not found:
        return None
    probe = text if kind is Kind.DATE else max(found, key=len)
    probes = _encoded_forms(probe, {*codecs, "utf-8"})
    elsewhere = () if probe.isascii() else _encoded_forms(probe, PLAUSIBLE_CODECS)
    form = " ".join(found).casefold()
    told_by_bytes = _is_told_by_bytes(kind, form, probes)
    guard = b"" if told_by_bytes or not text.isascii() else _longest_beside(probe, found)
    is_number = kind is Kind.CODE and probe.isascii() and probe.isdigit() and not told_by_bytes
    return Needle(kind, form, probes, tuple(set(elsewhere).difference(probes)), told_by_bytes, guard, is_number)


def _longest_beside(probe: str, found: list[str]) -> bytes:
    """Return the longest word but the probe, empty if there is none: 5550 alone is in many numbers."""
    others = [word for word in found if word != probe]
    return max(others, key=len).lower().encode("ascii") if others else b""


def _is_told_by_bytes(kind: Kind, form: str, probes: tuple[bytes, ...]) -> bool:
    least = _SHORTEST_NUMBER_IN_BYTES if form.replace(" ", "").isdigit() else SHORTEST_IN_BYTES
    return kind in _TOLD_BY_BYTES and min(map(len, probes), default=0) >= least


def make_date_needle(written: str, probe: str, year: str) -> Needle:
    """Return the needle for a date in one of its written forms, `probe` being a part of it, and `year` another."""
    return Needle(Kind.DATE, words(written), (probe.lower().encode("ascii"),), guard=year.encode("ascii"))


def _encoded_forms(text: str, codecs: Iterable[str]) -> tuple[bytes, ...]:
    if text.isascii():
        return (text.lower().encode("ascii"),)
    out: set[bytes] = set()
    for codec in codecs:
        for form in (text, text.lower(), text.upper(), text.title()):
            try:
                out.add(_ESCAPE.sub(b"", form.encode(codec)).lower())
            except UnicodeError:
                continue
    return tuple(out)


@dataclass(slots=True, repr=False)
class Needles:
    """All needles of one instance, each form once."""

    _by_id: dict[int, Needle] = field(default_factory=dict)  # equal values share one needle, made once

    def __repr__(self) -> str:
        """Say how many, never which."""
        return f"<{len(self._by_id)} needles>"

    def __reduce__(self) -> str:
        """Refuse to be pickled: identifiers stay in the process that read them."""
        message = "identifiers are never pickled"
        raise TypeError(message)

    def add(self, kind: Kind, text: str, codecs: Iterable[str] = ()) -> None:
        """Add one form of an identifier."""
        needle = make_needle(kind, text, codecs)
        if needle is not None:
            self.update((needle,))

    def update(self, needles: Iterable[Needle]) -> None:
        """Add forms that are made already.

        Raises
        ------
        Refused
            TOO_LARGE, if they are more than any patient has
        """
        for needle in needles:
            self._by_id[id(needle)] = needle
        if len(self._by_id) > _MOST_NEEDLES:
            raise Refused(Reason.TOO_LARGE, f"more than {_MOST_NEEDLES} forms of identifiers")

    def __iter__(self) -> Iterator[Needle]:
        """Iterate over the needles."""
        return iter(self._by_id.values())

    def __len__(self) -> int:
        """Count the needles."""
        return len(self._by_id)

    def possible_in(self, data: bytes) -> list[Needle]:
        """Return the needles one of whose probes is in `data`, as it is or in disguise.

        Raises
        ------
        Refused
            TOO_LARGE, if they are so many, and `data` so long, that looking closer would take minutes
        """
        lowered = data.lower()
        undone = undisguised(data) if len(data) <= LARGEST_SEARCHED_TWICE_BYTES else b""
        found: list[Needle] = []
        guards: dict[bytes, bool] = {b"": True}
        for needle in self._worth_a_look(lowered, undone):
            guard = needle.guard
            if guard not in guards:
                guards[guard] = guard in lowered
            if not guards[guard]:
                continue
            told_by_bytes = needle.is_told_by_bytes
            for probe in needle.probes:
                if needle.is_number:
                    if _stands_alone(probe, lowered):
                        found.append(needle)
                        break
                elif probe in lowered or (told_by_bytes and probe in undone):
                    found.append(needle)
                    break
            else:
                if needle.elsewhere and _any_in(needle.elsewhere, lowered):
                    found.append(needle)
        if len(found) * len(data) > _MOST_LOOKS:
            raise Refused(Reason.TOO_LARGE, f"{len(found)} identifiers to look for in {len(data)} bytes")
        return found

    def _worth_a_look(self, lowered: bytes, undone: bytes) -> Iterable[Needle]:
        """Return all needles but those that can't be there, if they are many."""
        if len(self._by_id) < _MANY:
            return self._by_id.values()
        grams = Grams(lowered, undone)
        return [needle for needle in self._by_id.values() if _may_be_among(needle, grams)]


def _may_be_among(needle: Needle, grams: Grams) -> bool:
    """Tell whether a needle can be in the bytes: it is as a number, or its letters follow each other somewhere."""
    probe = needle.probes[0] if needle.probes else b""
    if needle.kind is Kind.UID and not probe.translate(None, b"0123456789."):
        return probe in grams.uids
    if needle.kind is Kind.DATE and len(probe) == DATE_DIGITS and probe.isdigit():
        return probe in grams.dates
    return any(map(grams.may_hold, needle.probes)) or any(map(grams.may_hold, needle.elsewhere))


def _stands_alone(number: bytes, data: bytes) -> bool:
    """Tell whether a number is somewhere in `data` with no digit before or after it."""
    at = data.find(number)
    while at >= 0:
        end = at + len(number)
        if not (data[at - 1 : at].isdigit() or data[end : end + 1].isdigit()):
            return True
        at = data.find(number, at + 1)
    return False


def _any_in(probes: tuple[bytes, ...], data: bytes) -> bool:
    return any(probe in data for probe in probes)


def near_in(needles: Sequence[Needle], data: bytes) -> list[Needle]:
    """Return those of `needles` one of whose probes is in `data` as it is."""
    lowered = data.lower()
    return [needle for needle in needles if _any_in(needle.probes, lowered) or _any_in(needle.elsewhere, lowered)]


def first_in_bytes(needles: Sequence[Needle], value: bytes) -> Needle | None:
    """Return the first needle that lies in bytes that are no text, as it is or in disguise."""
    lowered = value.lower()
    phrases = near_in([needle for needle in needles if needle.kind is Kind.PHRASE], lowered)
    return (
        _first_told_by(needles, lowered)
        or first_in(phrases, lowered.decode("latin-1") if phrases else "")
        or first_in_disguise(needles, value)
    )


def first_in_ascii(needles: Sequence[Needle], value: bytes) -> Needle | None:
    """Return the first needle, too long to be there by chance, that lies in the ASCII of a text.

    Broken bytes beside a word can be letters in the declared character set, and then make another word of it.
    """
    told = [needle for needle in needles if needle.is_told_by_bytes]
    return first_in(told, value.translate(_ASCII_ALONE).decode("ascii")) if told and not value.isascii() else None


def first_in_disguise(needles: Sequence[Needle], value: bytes) -> Needle | None:
    """Return the first needle that lies in bytes as UTF-16, with the bytes of words reversed, in hex or base64."""
    wanted = [needle for needle in needles if needle.is_told_by_bytes]
    if not wanted or len(value) > LARGEST_SEARCHED_TWICE_BYTES:
        return None
    return _first_told_by(wanted, undisguised(value))


def _first_told_by(needles: Sequence[Needle], lowered: bytes) -> Needle | None:
    return next((needle for needle in needles if needle.is_told_by_bytes and _any_in(needle.probes, lowered)), None)


def lies_in(needle: Needle, text: str, text_words: str) -> bool:
    """Tell whether `needle` is in `text`.

    Parameters
    ----------
    needle
        what to look for
    text
        the text as decoded
    text_words
        ``words(text)``
    """
    if needle.kind is Kind.UID:
        return _has_uid(text, needle.words)
    if needle.words[0] >= _FIRST_UNSPACED_SCRIPT:
        return needle.words in text_words
    return f" {needle.words} " in f" {text_words} "


def _has_uid(text: str, uid: str) -> bool:
    start = text.find(uid)
    while start >= 0:
        before, after = text[max(start - 2, 0) : start], text[start + len(uid) : start + len(uid) + 1]
        if not (before[-1:].isdigit() or (before[-1:] == "." and before[:1].isdigit()) or after.isdigit()):
            return True
        start = text.find(uid, start + 1)
    return False


def first_in(needles: Sequence[Needle], text: str) -> Needle | None:
    """Return the first of `needles` that lies in `text`."""
    if not needles:
        return None
    text_words = words(text)
    return next((needle for needle in needles if lies_in(needle, text, text_words)), None)

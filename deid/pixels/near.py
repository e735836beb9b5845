"""Identifiers of this instance in a line as it was read: in any order, and with letters taken for others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from deid.needles import Kind, Needle

_PIECE = re.compile(r"[^\W\d_]+|\d+")
_ALIKE = str.maketrans("oq" + "il" + "sz" + "b" + "g" + "9" + "t", "00" + "11" + "52" + "8" + "6" + "6" + "7")
"""What readers take for one another: a letter and the digit that looks like it."""

_JOINED = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_SPECIAL = str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "\u0131": "i", "æ": "ae", "œ": "oe"})
_SHORTEST = 2
_SHORTEST_ALIKE = 3
_SHORTEST_FRAGMENT = 3
_SHORTEST_FUZZY_NUMBER = 6
_ONE_EDIT_FROM, _TWO_EDITS_FROM = 4, 7
_FUZZY = frozenset({Kind.NAME_PART, Kind.NAME, Kind.CODE, Kind.PHRASE})
_NAMES = frozenset({Kind.NAME_PART, Kind.NAME})
_CUT_SHORT = frozenset({Kind.NAME_PART, Kind.CODE})
_MOST_PIECES = 40


@lru_cache(maxsize=4096)
def shape(word: str) -> str:
    """Return a word as it looks: equal for words that a reader of images takes for one another.

    Parameters
    ----------
    word
        letters and digits in any case; what is neither is left out
    """
    plain = plain_letters(word)
    for joined, single in _JOINED:
        plain = plain.replace(joined, single)
    return _letter_by_letter(plain)


@lru_cache(maxsize=4096)
def _shapes(word: str) -> tuple[str, ...]:
    """Return the shape of a word, and what it is if no two letters are taken for one: edits count in either."""
    return tuple(dict.fromkeys((shape(word), _letter_by_letter(plain_letters(word)))))


def _letter_by_letter(plain: str) -> str:
    return "".join(filter(str.isalnum, plain)).translate(_ALIKE)


def plain_letters(word: str) -> str:
    """Return a word case-folded and without diacritics."""
    folded = word.casefold()
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFKD", folded.translate(_SPECIAL))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


class NearKnown:
    """Tells whether a line holds, nearly, an identifier.

    A line that could stay is made of words and numbers from a vocabulary, so an identifier in it is made of some that
    follow one another. Each such run is compared in shape: equal if it is short, with one letter more, less or another
    from four letters on, with two from seven on. A short number is near only to one of its length.
    """

    def __init__(self, needles: Iterable[Needle]) -> None:
        """Prepare to look for these identifiers; UIDs, whose digits no line keeps, are left out."""
        self._exact: set[str] = set()
        self._by_length: dict[int, set[str]] = {}
        self._numbers: dict[int, set[str]] = {}
        self._whole: set[str] = set()
        for needle in needles:
            if needle.kind is not Kind.UID:
                self._add(needle)
        self._longest = max(self._by_length, default=0) + 2

    def __repr__(self) -> str:
        """Say how many, never which."""
        return f"<{len(self._exact)} identifiers, nearly>"

    def __reduce__(self) -> str:
        """Refuse to be pickled: identifiers stay in the process that read them."""
        message = "identifiers are never pickled"
        raise TypeError(message)

    def _add(self, needle: Needle) -> None:
        for form in _shapes(needle.words):
            if len(form) < _SHORTEST_ALIKE:
                continue
            self._exact.add(form)
            self._by_length.setdefault(len(form), set())
            if needle.words.isdigit() and len(form) < _SHORTEST_FUZZY_NUMBER:
                self._numbers.setdefault(len(form), set()).add(form)
            elif needle.kind in _FUZZY:
                self._by_length[len(form)].add(form)
            if needle.kind in _CUT_SHORT:
                self._whole.add(form)
        # A name of two letters is in a pair with another: looked for as it is, for as a shape it would be any number.
        self._exact.update(f"={word}" for word in _short_parts(needle))

    def __call__(self, text: str) -> bool:
        """Tell whether `text` holds one of them; a text of very many words is said to."""
        return self._is_in(text) or ("|" in text and self._is_in(text.replace("|", "1")))

    def _is_in(self, text: str) -> bool:
        pieces = _PIECE.findall(text)
        if len(pieces) > _MOST_PIECES:
            return True
        if any(f"={plain_letters(piece)}" in self._exact for piece in pieces if len(piece) <= _SHORTEST):
            return True
        wholes = [whole for whole in _shapes("".join(pieces)) if len(whole) >= _SHORTEST_FRAGMENT]
        if any(whole in known for whole in wholes for known in self._whole):
            return True
        return any(self._is_near(run) for run in self._runs(pieces))

    def _runs(self, pieces: list[str]) -> set[str]:
        found: set[str] = set()
        for start in range(len(pieces)):
            run = ""
            for piece in pieces[start:]:
                run += piece
                if len(run) > 2 * self._longest:
                    break
                found.update(_shapes(run))
        return found

    def _is_near(self, run: str) -> bool:
        if run in self._exact:
            return True
        same_length = self._numbers.get(len(run), ())
        if any(sum(map(str.__ne__, run, known)) <= _edits(len(run)) for known in same_length):
            return True
        return any(
            _are_near(run, known, edits)
            for length in range(len(run) - 2, len(run) + 3)
            if abs(length - len(run)) <= (edits := _edits(length))
            for known in self._by_length.get(length, ())
        )


def _short_parts(needle: Needle) -> Iterable[str]:
    if needle.kind not in _NAMES:
        return ()
    return (word for part in needle.words.split(" ") if len(word := plain_letters(part)) == _SHORTEST)


def _edits(length: int) -> int:
    return 0 if length < _ONE_EDIT_FROM else 1 if length < _TWO_EDITS_FROM else 2


def _are_near(one: str, other: str, most: int) -> bool:
    """Tell whether at most `most` letters have to be put in, left out, changed or swapped with the next."""
    if not most:
        return one == other
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != wanted))
            if i > 1 < j and char == other[j - 2] and wanted == one[i - 2]:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return False
    return row[-1] <= most

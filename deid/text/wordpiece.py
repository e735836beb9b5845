"""Text → pieces of words, each with where it stands: what the network for free text reads.

The vocabulary is that of BERT, uncased; how words are cut differs where names, dates and codes gain by it:

- A word is a run of letters and digits, or one other character (``_`` and ``^`` too), or one Chinese character.
- Letters are pieced by the longest match, as ever; digits two at a time from the left, ``19510503`` → 19 51 05 03,
  ``123`` → 12 3. All numbers look alike that way; a vocabulary's own numbers (``1951``, not ``1953``) don't.
- What begins a piece of its own within a word (``t`` ``2`` ``w``) is plain, without ``##``; its shape tells that it is
  glued to what stands before it.
- Letters lose case and marks, Latin letters that don't decompose become their nearest, digits of all scripts are
  ASCII's. Marks and invisible characters belong to the character before them; control characters are blanks.

A network is given ``[CLS]``, the pieces and ``[SEP]``: `LONGEST` with those two, whose shape is `Shape.SPECIAL`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from deid.fold import folded
from deid.text.letters import SHORTEST
from deid.text.lexicon import COMBINATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from deid.text.letters import Letters

LONGEST = 128
"""Pieces that a network reads at once, ``[CLS]`` and ``[SEP]`` among them."""

LONGEST_WORD = 64
"""Characters of a word that is pieced; of a longer one, each so many are one unknown piece."""

_MOST_WORDS_REMEMBERED = 65_536
_MOST_CHARACTERS_REMEMBERED = 65_536


class Shape(IntEnum):
    """How the word is written that a piece belongs to; what lower-casing takes from it."""

    SPECIAL = 0
    LOWER = 1  # or letters without case
    INITIAL_CAPITAL = 2
    CAPITALS = 3  # more than one letter
    SINGLE_CAPITAL = 4
    MIXED_CASE = 5
    DIGITS = 6
    DIGITS_AND_LETTERS = 7
    OTHER = 8
    DIGITS_GLUED = 9  # digits, not the first of their number
    DIGITS_AND_LETTERS_GLUED = 10  # a plain piece that isn't the first of such a word


_GLUED = {
    Shape.DIGITS: Shape.DIGITS_GLUED,
    Shape.DIGITS_AND_LETTERS: Shape.DIGITS_AND_LETTERS_GLUED,
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text in pieces, without ``[CLS]`` and ``[SEP]``; lists of equal length.

    Attributes
    ----------
    ids
        positions in the vocabulary
    shapes
        `Shape` of each
    starts, ends
        of the half-open ranges in the text, in characters, ascending; two pieces share a range where one character
        becomes two letters
    words
        number of the word that each belongs to, ascending
    known
        `deid.text.lexicon.Known` of the letters that each belongs to; of those that no lexicon has, `COMBINATIONS` and
        how they look, if they are enough
    """

    ids: list[int] = field(default_factory=list)
    shapes: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.ids)


# Chinese characters, as BERT's own tokeniser has them: each is a word.
_CHINESE = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f"
)
_WORD = re.compile(rf"[{_CHINESE}]|[^\W_{_CHINESE}]+|[^\s\w]|_")
_RUN = re.compile(r"[0-9]+|[^0-9]+")
_DIGITS = 2  # at a time

# id, start and end in the normal form of its word, whether a plain one within it, what is known of its letters
_Piece = tuple[int, int, int, bool, int]


class _Characters(dict[str, str]):
    """Character → its normal form: letters and digits, one blank, nothing, or itself."""

    def __missing__(self, char: str) -> str:
        normal = _normal(char)
        if len(self) < _MOST_CHARACTERS_REMEMBERED:
            self[char] = normal
        return normal


def _normal(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if char.isalpha():
        letters = "".join(letter for letter in folded(char.lower()) if letter.isalnum())
        return letters or char
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return ""
    return " " if category in {"Cc", "Zs", "Zl", "Zp"} else char


_NORMAL = _Characters()
_CONTROLS = dict.fromkeys((*range(32), 127), " ")


class WordPiece:
    """Cuts texts into pieces of a vocabulary, in time linear in their length.

    Attributes
    ----------
    pad, unknown, first, last
        ids of ``[PAD]``, ``[UNK]``, ``[CLS]`` and ``[SEP]``
    """

    def __init__(
        self, vocabulary: Sequence[str], lexicon: Mapping[str, int] | None = None, letters: Letters | None = None
    ) -> None:
        """Prepare to cut.

        Parameters
        ----------
        vocabulary
            pieces in the order of their ids; those that go on in a word begin with ``##``
        lexicon
            word in its normal form → `deid.text.lexicon.Known`
        letters
            what tells how the other words look

        Raises
        ------
        ValueError
            if a piece is missing without which no text can be cut
        """
        plain: dict[str, int] = {}
        going_on: dict[str, int] = {}
        for number, piece in enumerate(vocabulary):
            if piece.startswith("##") and piece != "##":
                going_on[piece[2:]] = number
            else:
                plain[piece] = number
        needed = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"{n}" for n in range(10)), *(f"{n:02d}" for n in range(100)))
        missing = [piece for piece in needed if piece not in plain]
        if missing:
            raise ValueError(f"a vocabulary without {missing[0]}")
        self.pad, self.unknown, self.first, self.last = (plain[piece] for piece in needed[:4])
        self._plain, self._going_on = plain, going_on
        self._longest = max(map(len, (*plain, *going_on)))
        self._lexicon, self._letters = lexicon or {}, letters
        self._remembered: dict[str, tuple[_Piece, ...]] = {}

    def encode(self, text: str) -> Encoding:
        """Return the pieces of a text, whatever is in it.

        Parameters
        ----------
        text
            any string, lone surrogates and all
        """
        if text.isascii():
            return self._encoded(text, text.lower().translate(_CONTROLS), None)
        normal: list[str] = []
        at: list[int] = []
        for index, char in enumerate(text):
            for letter in _NORMAL[char]:
                normal.append(letter)
                at.append(index)
        at.append(len(text))
        return self._encoded(text, "".join(normal), at)

    def _encoded(self, text: str, normal: str, at: list[int] | None) -> Encoding:
        """Cut the normal form; `at` says for each of its characters, and for its end, where that is in the text."""
        out = Encoding()
        ids, shapes, starts, ends, words, knowns = out.ids, out.shapes, out.starts, out.ends, out.words, out.known
        after = None if at is None else _ends(at)
        for number, match in enumerate(_WORD.finditer(normal)):
            start, end = match.span()
            pieces = self._pieces(match.group())
            written = text[start:end] if at is None or after is None else text[at[start] : after[end - 1]]
            shape = _shape(written, match.group())
            glued = _GLUED.get(shape, shape)
            for piece, first, last, is_glued, known in pieces:
                ids.append(piece)
                knowns.append(known)
                shapes.append(glued if is_glued else shape)
                starts.append(start + first if at is None else at[start + first])
                ends.append(start + last if after is None else after[start + last - 1])
                words.append(number)
        return out

    def _pieces(self, word: str) -> tuple[_Piece, ...]:
        found = self._remembered.get(word)
        if found is None:
            found = tuple(self._cut(word))
            if len(word) <= LONGEST_WORD:
                if len(self._remembered) >= _MOST_WORDS_REMEMBERED:
                    self._remembered.clear()
                self._remembered[word] = found
        return found

    def _cut(self, word: str) -> list[_Piece]:
        length = len(word)
        if length > LONGEST_WORD:
            starts = range(0, length, LONGEST_WORD)
            return [(self.unknown, start, min(start + LONGEST_WORD, length), start > 0, 0) for start in starts]
        out: list[_Piece] = []
        for run in _RUN.finditer(word):
            start, end = run.span()
            if "0" <= word[start] <= "9":
                for at in range(start, end, _DIGITS):
                    last = min(at + _DIGITS, end)
                    out.append((self._plain[word[at:last]], at, last, at > 0, 0))
            else:
                self._cut_letters(word, start, end, out)
        return out

    def _cut_letters(self, word: str, start: int, end: int, out: list[_Piece]) -> None:
        """Cut by the longest match; letters that the vocabulary doesn't have are one unknown piece."""
        at, pieces, is_plain, known = start, self._plain, True, self._known(word[start:end])
        while at < end:
            last = min(end, at + self._longest)
            while last > at and word[at:last] not in pieces:
                last -= 1
            if last > at:
                out.append((pieces[word[at:last]], at, last, is_plain and at > 0, known))
            else:
                last = at + 1
                if out and out[-1][0] == self.unknown and out[-1][2] == at > start:
                    piece = out.pop()
                    out.append((self.unknown, piece[1], last, piece[3], known))
                else:
                    out.append((self.unknown, at, last, is_plain and at > 0, known))
            at, pieces, is_plain = last, self._going_on, False

    def known(self, word: str) -> int:
        """Return what is known of a word, as `Encoding.known` says it; 0 of what is no run of letters."""
        normal = normal_words(word)
        return self._known(normal[0]) if len(normal) == 1 else 0

    def _known(self, letters: str) -> int:
        known = self._lexicon.get(letters, 0)
        if known or self._letters is None or len(letters) < SHORTEST:
            return known
        return COMBINATIONS + self._letters.look(letters)


def normal_words(text: str) -> list[str]:
    """Return the runs of letters of a text in their normal form, as a lexicon has them."""
    normal = "".join(_NORMAL[char] for char in text)
    runs = (run.group() for word in _WORD.finditer(normal) for run in _RUN.finditer(word.group()))
    return [run for run in runs if run.isalpha()]


def _ends(at: list[int]) -> list[int]:
    """Return where each character of the normal form ends in the text: what became nothing belongs to it."""
    out = [0] * (len(at) - 1)
    end = at[-1]
    for index in range(len(out) - 1, -1, -1):
        if at[index] < at[index + 1]:
            end = at[index + 1]
        out[index] = end
    return out


def _shape(written: str, normal: str) -> Shape:
    """Return how a word is written."""
    if not normal[0].isalnum():
        return Shape.OTHER
    if normal.isdecimal():
        return Shape.DIGITS
    if normal.isalnum() and not normal.isalpha() and any("0" <= char <= "9" for char in normal):
        return Shape.DIGITS_AND_LETTERS
    if written == written.lower():
        return Shape.LOWER
    if written == written.upper():
        return Shape.SINGLE_CAPITAL if len(normal) == 1 else Shape.CAPITALS
    return Shape.INITIAL_CAPITAL if written[1:] == written[1:].lower() else Shape.MIXED_CASE


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Return the pieces of a vocabulary file, one a line, in the order of their ids.

    Raises
    ------
    OSError
        if it can't be read
    """
    return tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))

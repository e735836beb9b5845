"""Lines that carry no identity, told by their grammar: sides, positions, scales, technique.

The words are in files that an operator can read and extend (`config/vocabularies`)::

    [words]           # may stand alone, in any order
    english = "left right portable"
    [labels]          # may stand before a number: "TR 450 ms", "IM: 12/30", "RAO 30"
    mr = "tr te fa"
    [units]           # may stand after a number
    all = "mm cm cm/s"

A line is explained only if every sign of it is: a name beside a side
has the whole line masked. Numbers stand behind a label or before a unit; alone only one of at most three digits, as
beside a scale; between them may stand ``x``, ``/`` or ``-``, unless that makes a date.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deid.errors import Misconfigured
from deid.pixels.near import plain_letters, shape

LONGEST_LINE = 80
_TABLES = ("words", "labels", "units")
_WORD = re.compile(r"[^\W_](?:[^\W_]|[*'%/°-])*|[%°]")
_MOST_DIGITS_IN_WORD = 2
_SHORTEST_ALIKE = 4

_MARKS = ":=;,/|()[]<>.-+*~#_&'\"•·…±²³\u2032\u2033\u2013\u2014\u2192\u2190\u2193\u2191"
_BEFORE_NUMBER = frozenset(":=.#~<>+-±[(")
_WITHIN_UNIT = frozenset("/*.·")
_TOKEN = re.compile(rf"(?P<n>\d+(?:[.,]\d+)?)|(?P<w>[^\W\d_]+|[%°])|(?P<m>[{re.escape(_MARKS)}])|(?P<odd>\S)")
_PADDED = re.compile(r"0\d")
_BARE = re.compile(r"[+-]?\d{1,3}(?:[.,]\d)?")
_NUMBER_MISREAD = re.compile(r"(?<![^\W_])[\dOoIl|]+(?:[.,][\dOoIl|]+)?(?![^\W_])")
_DIGITS_ALIKE = str.maketrans("OoIl|", "00111")
_CHUNK = re.compile(r"[^\W_]{4,}")
_TIMES = frozenset({"x"})
_SPECIAL_SPELLINGS = str.maketrans({"º": "°", "˚": "°", "μ": "µ", "²": "2", "³": "3", "\u00d7": "x", "\u2212": "-"})


@dataclass(frozen=True, slots=True)
class _Token:
    """A number (n), word (w) or mark (m) as it was read, and whether it adjoins the one before."""

    kind: str
    text: str
    is_glued: bool


@dataclass(frozen=True, slots=True)
class Markers:
    """Words that may stay.

    Attributes
    ----------
    words
        that may stand alone
    labels
        that may stand before a number
    units
        that may stand after one
    """

    words: frozenset[str]
    labels: frozenset[str]
    units: frozenset[str]
    _special: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _by_shape: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        every = self.words | self.labels | self.units
        special = sorted((word for word in every if not word.isalpha()), key=len, reverse=True)
        parts = ((r"(?<!\d)" if word[0].isdigit() else "") + re.escape(word) for word in special)
        pattern = rf"(?<![^\W\d_])(?:{'|'.join(parts)})(?![^\W_])" if special else r"(?!)"
        object.__setattr__(self, "_special", re.compile(pattern))
        alike = {shape(word): word for word in sorted(self.words | self.labels) if len(word) >= _SHORTEST_ALIKE}
        object.__setattr__(self, "_by_shape", {form: word for form, word in alike.items() if word.isalpha()})

    def explain(self, text: str) -> bool:
        """Tell whether all of a line is of these words, numbers that belong to them, and marks.

        Letters and digits that readers take for one another are taken back where that makes a number with its unit or
        label, or a word of at least four letters.
        """
        if len(text) > LONGEST_LINE:
            return False
        line = _folded(text)
        if _BARE.fullmatch(line):
            return True
        return self._is_explained(line) or ((other := self._repaired(line)) != line and self._is_explained(other))

    def _repaired(self, line: str) -> str:
        numbers = _NUMBER_MISREAD.sub(lambda match: _as_number(match.group()), line)
        return _CHUNK.sub(lambda match: self._by_shape.get(shape(match.group()), match.group()), numbers)

    def _is_explained(self, line: str) -> bool:
        tokens = list(self._tokens(line))
        if not any(token.kind in "nw" for token in tokens) or _has_too_many_letters(tokens):
            return False
        reached = {0}
        for at in range(len(tokens)):
            if at in reached:
                reached.update(self._ends(tokens, at))
        return len(tokens) in reached

    def _tokens(self, line: str) -> Iterator[_Token]:
        end, at = 0, 0
        special = {match.start(): match.group() for match in self._special.finditer(line)}
        while at < len(line):
            if at in special:
                kind, text = "w", special[at]
            else:
                match = _TOKEN.match(line, at)
                if match is None:
                    at += 1
                    continue
                kind, text = str(match.lastgroup), match.group()
            yield _Token(kind, text, at == end)
            at = end = at + len(text)

    def _ends(self, tokens: list[_Token], at: int) -> Iterator[int]:
        """Return where what begins at `at` and means something can end."""
        token = tokens[at]
        if token.kind == "m":
            yield at + 1
        elif token.kind == "w":
            if token.text in self.words:
                yield at + 1
            if token.text in self.labels:
                yield from self._after_label(tokens, at)
        elif token.kind == "n":
            if at == 0 and len(token.text) == 1 and len(tokens) > 1 and tokens[1].text in self.labels:
                yield 1  # which measurement it is: "1 Dist 3.4 cm"
            for group in _groups(tokens, at):
                if group.fits_unit:
                    yield from self._units(tokens, group.end, is_time=group.is_time)
                if group.is_size and not (token.is_glued and at and tokens[at - 1].kind == "w"):  # A1X1000 is an ID
                    yield group.end

    def _after_label(self, tokens: list[_Token], at: int) -> Iterator[int]:
        start = at + 1
        if start + 1 < len(tokens) and tokens[start].text == "/" and tokens[start + 1].text in self.labels:
            start += 2  # "TE/TR 12/450"
        # The unit may come first: "Dist (cm): 3.4"
        while start < len(tokens) and start - at <= 4 and self._is_before_number(tokens[start]):
            start += 1
        is_word = len(tokens[at].text) > 1
        for group in _groups(tokens, start):
            if group.fits_unit:
                yield from self._units(tokens, group.end, is_time=group.is_time)
            if group.fits_label(is_word=is_word, is_glued=start == at + 1 and tokens[start].is_glued):
                yield group.end

    def _is_before_number(self, token: _Token) -> bool:
        return token.text in _BEFORE_NUMBER or token.text == ")" or token.text in self.units

    def _units(self, tokens: list[_Token], at: int, *, is_time: bool) -> Iterator[int]:
        """Return where a unit, or one of several parts (mGy*cm, l/min/m2), can end."""
        while at < len(tokens) and tokens[at].text in self.units:
            if is_time and tokens[at].text != "min":
                return
            at += 1
            yield at
            if at < len(tokens) and tokens[at].text in _WITHIN_UNIT:
                at += 1


@dataclass(frozen=True, slots=True)
class _Group:
    """Numbers that belong together, and what is between them."""

    numbers: tuple[str, ...]
    between: frozenset[str]
    end: int

    @property
    def fits_unit(self) -> bool:
        return len(self.numbers) <= 3 and all(_whole_digits(each) <= 5 for each in self.numbers)

    @property
    def is_time(self) -> bool:
        return ":" in self.between

    @property
    def is_size(self) -> bool:
        is_product = bool(self.between) and self.between <= _TIMES and len(self.numbers) <= 3
        return is_product and all(_whole_digits(each) <= 4 and not _PADDED.match(each) for each in self.numbers)

    def fits_label(self, *, is_word: bool, is_glued: bool) -> bool:
        """Tell whether it may stand behind a label without a unit.

        Parameters
        ----------
        is_word
            the label has more than one letter
        is_glued
            nothing is between them, as in many an ID
        """
        digits = [_whole_digits(each) for each in self.numbers]
        if len(digits) == 1:
            return digits[0] <= (3 if is_glued else 4)
        if is_glued:
            return False
        if self.between <= _TIMES:
            return self.is_size
        looks_like_day = any(each[0] == "0" for each in self.numbers if each.isdigit() and len(each) == 2)
        return is_word and not self.is_time and len(digits) == 2 and sum(digits) <= 6 and not looks_like_day


def _groups(tokens: list[_Token], at: int) -> Iterator[_Group]:
    """Return the numbers that begin at `at`: the first, and with it those that follow."""
    numbers: list[str] = []
    between: set[str] = set()
    while at < len(tokens) and tokens[at].kind == "n" and len(numbers) < 4:
        numbers.append(tokens[at].text)
        at += 1
        yield _Group(tuple(numbers), frozenset(between), at)
        if at + 1 >= len(tokens) or tokens[at].text not in {"x", "/", "-", ":"}:
            return
        between.add(tokens[at].text)
        at += 1


def _whole_digits(number: str) -> int:
    whole, _, rest = number.replace(",", ".").partition(".")
    return len(whole) if len(rest) <= 3 else len(number)


def _has_too_many_letters(tokens: list[_Token]) -> bool:
    """Tell whether words of one or two letters follow one another as they do where a name is spelled."""
    run: list[str] = []
    for token in tokens:
        if token.kind == "m":
            if token.text == "/":
                run.append(token.text)
        elif token.kind == "w" and len(token.text) <= 2:
            run.append(token.text)
        else:
            if token.kind == "n":  # its labels: "TE/TR 12/450"
                del run[-3 if run[-2:-1] == ["/"] else -1 :]
            if _is_spelled(run):
                return True
            run = []
    return _is_spelled(run)


def _is_spelled(run: list[str]) -> bool:
    words = [word for word in run if word != "/"]
    return len(words) > 2 or len("".join(words)) > 3


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text.translate(_SPECIAL_SPELLINGS)).translate(_SPECIAL_SPELLINGS)
    return " ".join(plain_letters(part) for part in plain.split())


def _as_number(chunk: str) -> str:
    digits = sum(map(str.isdigit, chunk))
    return chunk.translate(_DIGITS_ALIKE) if digits and 2 * digits >= len(chunk) else chunk


def load_markers(paths: Iterable[Path]) -> Markers:
    """Read files of words that may stay.

    Raises
    ------
    Misconfigured
        One can't be read, or a word in it could hold an ID; the message names file, table and key.
    """
    found: dict[str, set[str]] = {table: set() for table in _TABLES}
    for path in paths:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Misconfigured(f"vocabulary {path}: {error}") from error
        if unknown := sorted(set(raw) - set(_TABLES)):
            raise Misconfigured(f"vocabulary {path}: unknown table {unknown[0]!r}; allowed: {', '.join(_TABLES)}")
        for table, topics in raw.items():
            if not isinstance(topics, dict):
                raise Misconfigured(f"vocabulary {path}: {table} must be a table of texts, one for each topic")
            for topic, words in topics.items():
                found[table].update(_checked_words(f"vocabulary {path}: {table}.{topic}", words))
    return Markers(*(frozenset(found[table]) for table in _TABLES))


def _checked_words(where: str, words: object) -> Iterator[str]:
    if not isinstance(words, str):
        raise Misconfigured(f"{where} must be a text of words with blanks between them")
    is_word: Callable[[str], object] = _WORD.fullmatch
    for word in _folded(words).split():
        if not is_word(word) or sum(map(str.isdigit, word)) > _MOST_DIGITS_IN_WORD:
            raise Misconfigured(f"{where}: {word!r} has a sign that no word has, or more than two digits")
        yield word

"""How probable a word must be: by what is known of it, by what is certain near it, by what it stands beside."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from deid.text.letters import LOOKS
from deid.text.lexicon import COMBINATIONS, Known
from deid.text.network import Word
from deid.text.spans import Span

ACCOMPANIED = 0.35
"""This is enough near something certain, whatever the threshold: where one name stands, another is to be expected."""
ACCOMPANIED_IN_DESCRIPTION = 0.5
"""And this in a description: what stands beside a name there is mostly worth keeping."""
NEAR_CHARACTERS = 200
"""How far that reaches."""
BESIDE = 0.22
"""This is enough for a name or place right beside another that was found: they are mostly of several words."""
SURER_EPONYM, SURER_WORD = 9.0, 4.0
"""So many times surer the network must be of an eponym or an everyday word, where nothing in a text is certain: it has
seen too few of the texts in which *Foley* is a catheter, and *Long* an adjective. An eponym that is known as a surname,
too, and as nothing else, counts as an everyday word: *Pemberton*.
"""
LESS_SURE_NAME, LESS_SURE_UNKNOWN, LESS_SURE_NAMELIKE = 0.5, 0.4, 0.3
"""And so much less sure of what is known as a name alone, of a word that no lexicon has, and of one that looks like a
name as well. The network was made doubtful of them: while it learnt, the lexicon had forgotten 12 of 100 harmless
words, and of those that other authors write it doesn't know 1 to 6.
"""
LESS_SURE_APART = 0.1
"""And of an eponym that is a surname and nothing else, if it stands apart: what an eponym names is said beside it, as
in *Pemberton sign*, but *neck, Pemberton* may say whose neck it is.
"""
SURER_NEAR = 2.0
"""And so many times surer near something certain, or beside what was found, of a word that is known and is no name:
there less than the threshold is enough, but *CC GRASE* beside a name is a view and a sequence.
"""
BEFORE_DEGREE = 0.35
"""And this is enough of a word that a degree follows: *Tran NP*."""
BETWEEN_WORDS = re.compile(r"[ \t]{0,3}[-\u2013'\u2019.,/^_&@:+]{0,2}[ \t]{0,3}")
"""What stands between words of one name."""

_NAMED = frozenset({"NAME", "PLACE", "ORG"})
_MARK_BEFORE = re.compile(r"(?:[,;:/()\[\]|\n^_]|[ ][-\u2013][ ]|\A)[ \t]*\Z")
_MARK_AFTER = re.compile(r"[ \t]*(?:\Z|[,;:/()\[\]|\n^_.]| [-\u2013])")
_MARK_CHARS = 4
_DEGREE_BEHIND = re.compile(
    r",? (?:M\.?D\.?|D\.?O\.?|Ph\.?D|MBBS|MB|FRC[RSP]|RN|LPN|APRN|ARNP|NP|CNP|DNP|PA-C|CRNA|PharmD|DDS|DMD|DVM"
    r"|RT\(?R?\)?|CNMT|RDMS|RDCS|SHO|SpR)(?![\w/-])"
)
_SURNAME_AND_EPONYM = int(Known.NAME | Known.EPONYM)
_NO_NAMES = frozenset(map(int, (Known.WORD, Known.EPONYM, Known.WORD | Known.EPONYM)))


@dataclass(frozen=True, slots=True)
class Enough:
    """What is enough in texts of a class.

    Attributes
    ----------
    threshold
        where nothing is certain, of a word of which nothing is known
    near
        near something certain
    weighs_words
        whether it counts what is known of a word
    """

    threshold: float
    near: float
    weighs_words: bool

    def of(self, text: str, words: tuple[Word, ...]) -> list[float]:
        """Return what is enough of each word of a text where nothing is certain."""
        return [
            self._of_named(text, word) if self.weighs_words and word.label in _NAMED else self.threshold
            for word in words
        ]

    def near_certain(self, words: tuple[Word, ...], usual: list[float], certain: list[Span]) -> list[float]:
        """Return what is enough of each word, less near what is certain.

        Parameters
        ----------
        words, usual
            the words of a text, and what is enough of each where nothing is certain
        certain
            what was found in the text and is beyond doubt
        """
        return [
            min(self._accompanied(self.near, word), alone) if is_near else alone
            for word, alone, is_near in zip(words, usual, _near(words, certain), strict=True)
        ]

    def beside(self, text: str, words: tuple[Word, ...], usual: list[float]) -> list[float]:
        """Return what is enough of each word, less beside a name or place of which there is enough.

        Parameters
        ----------
        text, words, usual
            a text, its words, and what is enough of each elsewhere
        """
        out = list(usual)
        for step in (1, -1):
            for at in range(len(words))[::step]:
                if not 0 <= at - step < len(words):
                    continue
                near, word = words[at - step], words[at]
                if near.probability < out[at - step] or not {near.label, word.label} <= _NAMED:
                    continue
                first, last = (near, word) if step > 0 else (word, near)
                if BETWEEN_WORDS.fullmatch(text, first.end, last.start):
                    out[at] = min(out[at], self._accompanied(BESIDE, word))
        return out

    def _of_named(self, text: str, word: Word) -> float:
        enough = _odds_times(self.threshold, _times_of(text, word))
        is_titled = enough > BEFORE_DEGREE and _DEGREE_BEHIND.match(text, word.end) is not None
        return BEFORE_DEGREE if is_titled and text[word.start].isupper() else enough

    def _accompanied(self, enough: float, word: Word) -> float:
        return _odds_times(enough, SURER_NEAR) if self.weighs_words and word.known in _NO_NAMES else enough


def _odds_times(probability: float, times: float) -> float:
    """Return the probability of which the odds are so many times those of another."""
    return probability * times / (1.0 + probability * (times - 1.0))


def _times(known: int) -> float:
    """Return what the odds of a threshold are taken by for a word of which so much is known."""
    if known >= COMBINATIONS:
        return LESS_SURE_NAMELIKE if known - COMBINATIONS >= LOOKS // 2 else LESS_SURE_UNKNOWN
    if known & Known.EPONYM:
        is_surname = known & (Known.NAME | Known.WORD) == Known.NAME
        return SURER_WORD if is_surname else SURER_EPONYM
    if known & Known.WORD:
        return SURER_WORD
    return LESS_SURE_NAME if known else 1.0


_TIMES = tuple(_times(known) for known in range(COMBINATIONS + LOOKS))


def _times_of(text: str, word: Word) -> float:
    is_surname = word.known == _SURNAME_AND_EPONYM
    return LESS_SURE_APART if is_surname and _is_apart(text, word) else _TIMES[word.known]


def _is_apart(text: str, word: Word) -> bool:
    """Tell whether a word stands alone between marks, or a mark and an end of the text."""
    before = _MARK_BEFORE.search(text, max(0, word.start - _MARK_CHARS), word.start)
    return before is not None and _MARK_AFTER.match(text, word.end) is not None


def _near(words: tuple[Word, ...], certain: list[Span]) -> list[bool]:
    """Tell of each word whether anything certain is near it."""
    certain = sorted(certain, key=lambda span: span.start)
    starts = [span.start for span in certain]
    ends = list(accumulate((span.end for span in certain), max))  # the furthest one of those that begin up to each
    out: list[bool] = []
    for word in words:
        last = bisect_right(starts, word.end + NEAR_CHARACTERS) - 1
        out.append(last >= 0 and ends[last] >= word.start - NEAR_CHARACTERS)
    return out

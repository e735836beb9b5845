"""Marking: which parts are gone, which other words are still there, which strings were altered for nothing."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.benchmarks.share import Share
from tests.benchmarks.text_exam.questions import NAMES, REAL, Part, Question
from tests.benchmarks.text_exam.systems import Answer, Sheet

_WORD = re.compile(r"[^\W_]+")
_SHORT_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{1,2}(?![^\W_])")
_ENDING = re.compile(r"['\u2019`][^\W\d_]{1,4}(?![^\W_])")  # Anna's, Ayşe'nin


@dataclass(frozen=True, slots=True)
class Marked:
    """One string of one system.

    Attributes
    ----------
    removed
        for each part whether no letter or digit of it is left
    words, kept
        words outside the parts, and those of them that are whole
    """

    question: Question
    answer: Answer
    removed: tuple[bool, ...]
    words: int
    kept: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing in it identifies anybody."""
        return not self.question.parts


def marked(question: Question, answer: Answer) -> Marked:
    text, left = question.text, answer.left
    removed = tuple(_is_removed(text, part, left) for part in question.parts)
    words = list(other_words(question))
    return Marked(question, answer, removed, len(words), sum(all(left[start:end]) for start, end in words))


def _is_removed(text: str, part: Part, left: bytearray) -> bool:
    """Tell whether no letter or digit is left; of a date, ``r.`` and ``de`` may be, which say nothing alone."""
    still = {at for at in range(part.start, part.end) if left[at] and text[at].isalnum()}
    if still and part.type == "DATE" and len(still) < part.end - part.start:
        for match in _SHORT_WORD.finditer(text, part.start, part.end):
            still.difference_update(range(*match.span()))
    return not still


def other_words(question: Question) -> Iterator[tuple[int, int]]:
    """Yield where the words are that identify nobody; a name's possessive or case goes with it, and is none."""
    position = 0
    for start, end, _ in (*question.parts, (len(question.text), len(question.text), "")):
        for match in _WORD.finditer(question.text, position, start):
            yield match.span()
        ending = _ENDING.match(question.text, end)
        position = ending.end() if ending else end


@dataclass(frozen=True, slots=True)
class Marks:
    """All that one system handed in, marked."""

    name: str
    marked: list[Marked]
    ms: list[float]

    @classmethod
    def of_sheet(cls, sheet: Sheet, questions: Iterable[Question]) -> Marks:
        pairs = zip(questions, sheet.answers, strict=True)
        return cls(sheet.name, [marked(question, answer) for question, answer in pairs], sheet.ms)

    def of(self, wanted: Callable[[Question], bool]) -> Marks:
        """Return the marks of some of the strings."""
        chosen = [at for at, each in enumerate(self.marked) if wanted(each.question)]
        return Marks(self.name, [self.marked[at] for at in chosen], [self.ms[at] for at in chosen])

    @property
    def exam(self) -> Marks:
        """Those of the labelled sets, generated and hand-written."""
        return self.of(lambda question: question.source != REAL)

    @property
    def by_hand(self) -> Marks:
        return self.of(lambda question: question.is_by_hand)

    @property
    def real(self) -> Marks:
        return self.of(lambda question: question.source == REAL)

    @property
    def removed(self) -> Share:
        """Parts that are gone."""
        return Share(sum(sum(each.removed) for each in self.marked), sum(len(each.removed) for each in self.marked))

    @property
    def unaltered(self) -> Share:
        """Of the strings in which nothing identifies, those that came out as they came in."""
        clean = [each for each in self.marked if each.is_clean]
        return Share(sum(not each.answer.is_altered for each in clean), len(clean))

    @property
    def altered(self) -> Share:
        """Of the strings in which nothing identifies, those that came out as others."""
        kept = self.unaltered
        return Share(kept.whole - kept.part, kept.whole)

    @property
    def kept(self) -> Share:
        """Words that identify nobody and are still there."""
        return Share(sum(each.kept for each in self.marked), sum(each.words for each in self.marked))

    @property
    def mean_ms(self) -> float:
        return sum(self.ms) / len(self.ms) if self.ms else math.nan

    @property
    def unexplained(self) -> int:
        return sum(not each.answer.is_explained for each in self.marked)

    def by_type(self) -> dict[str, Share]:
        """Return the parts that are gone by their type; all names together as well."""
        counts: dict[str, list[bool]] = defaultdict(list)
        for each in self.marked:
            for part, is_gone in zip(each.question.parts, each.removed, strict=True):
                counts[part.type].append(is_gone)
                if part.type in NAMES:
                    counts["all names"].append(is_gone)
        return {type_: Share(sum(gone), len(gone)) for type_, gone in sorted(counts.items())}

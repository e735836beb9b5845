"""Ours, that sit the exam: each finder alone and all of them, in the product's own code, with and without a header."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from random import Random

from deid.context import Context
from deid.elements.dates import shift_days
from deid.elements.uids import map_uid
from deid.encoding.element import DataSet
from deid.identifiers import Identifiers, harvest
from deid.keys import Keys
from deid.onnx import read_entry, shipped_models
from deid.profile import load_profile
from deid.text import Cleaned, TextRules, clean_text, patterns
from deid.text.ner import Ner
from deid.text.network import Network
from tests.benchmarks.text_exam.headers import helpful, strange
from tests.benchmarks.text_exam.questions import GENERATED, Question
from tests.benchmarks.text_exam.remains import compared, remaining

PROFILES = Path(__file__).parents[3] / "config" / "profiles"
KNOWN, PATTERNS, NER, WITH, WITHOUT = "known", "patterns", "ner", "all, with", "all, without"
OURS = (KNOWN, PATTERNS, NER, WITH, WITHOUT)
_CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system made of a string.

    Attributes
    ----------
    left
        for each character whether it is still there
    is_altered
        whether it is another string
    out
        what came out; None where a system only says what it found
    is_explained
        whether what came out is what came in but for what was found at first
    """

    left: bytearray
    is_altered: bool
    out: str | None = None
    is_explained: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a system handed in.

    Attributes
    ----------
    answers
        one for each question
    ms
        CPU time for each question, with no string remembered; headers are read before
    """

    name: str
    answers: list[Answer]
    ms: list[float]


@dataclass(frozen=True)
class Node:
    """The product's text step under one profile.

    Attributes
    ----------
    seed
        other seeds have other keys, and other strangers in the headers
    """

    context: Context
    seed: int

    @classmethod
    def of_profile(cls, profile: str, models: Path | None, seed: int) -> Node:
        """Load a shipped profile, or one from a path."""
        path = Path(profile) if profile.endswith(".toml") else PROFILES / f"{profile}.toml"
        keys = Keys.from_secret(hashlib.sha256(f"text exam {seed}".encode()).digest())
        return cls(Context(load_profile(path), keys, models=models), seed)

    @cached_property
    def ner(self) -> Ner | None:
        return self.context.ner()

    @cached_property
    def unknowing(self) -> Ner | None:
        """The network to which names held out are words like any that it never met: those of generated strings."""
        if self.ner is None:
            return None
        entry = read_entry(self.context.models or shipped_models(), "ner")
        return replace(self.ner, network=Network(entry, knows_names=False))

    def knows(self, question: Question, word: str) -> int:
        """Return what the network is told of a word of a string: `deid.text.lexicon.Known`, or a look."""
        ner = self._reader(question)
        return ner.network.pieces.known(word) if ner is not None else 0

    def _reader(self, question: Question) -> Ner | None:
        return self.unknowing if question.source == GENERATED else self.ner

    def rules(self, system: str, question: Question) -> TextRules:
        """Return the rules of an instance in which the string stands, with the finders of a system."""
        found = Identifiers()
        if system in {KNOWN, WITH, WITHOUT}:
            chance = Random(f"header {self.seed} {question.text}")
            make = strange if system == WITHOUT else helpful
            found = self._harvested(make(question, chance))
        ner = self._reader(question)
        if system in {KNOWN, PATTERNS}:
            ner = None
        keys = self.context.keys
        shift = shift_days(keys.date, question.text)
        rules = TextRules(found.needles, found.dates, partial(map_uid, keys.uid), shift, ner=ner)
        if system == KNOWN:
            rules._finders = (rules._known,)
        elif system == NER:
            rules._finders = ()
        return rules

    def _harvested(self, header: DataSet) -> Identifiers:
        return harvest(header, self.context.profile.rules(_CT).may_stay)

    def sit(self, system: str, questions: Sequence[Question]) -> Sheet:
        """Clean all strings, having forgotten what was made of them before."""
        self._forget()
        answers, ms = [], []
        for question in questions:
            rules = self.rules(system, question)
            began = time.process_time_ns()
            cleaned = clean_text(question.text, rules, question.text_class)
            ms.append((time.process_time_ns() - began) / 1e6)
            answers.append(_answer(question.text, cleaned))
        return Sheet(system, answers, ms)

    def mean_ms(self, system: str, questions: Sequence[Question]) -> float:
        """Return how much CPU time a string takes, of those that stand in one instance: its header is prepared once."""
        self._forget()
        rules = self.rules(system, questions[0])
        began = time.process_time_ns()
        for question in questions:
            clean_text(question.text, rules, question.text_class)
        return (time.process_time_ns() - began) / 1e6 / len(questions)

    def _forget(self) -> None:
        patterns._found_before.cache_clear()
        for ner in (self.ner, self.unknowing):
            if ner is not None:
                ner.network._remembered.clear()
                ner.network._characters = 0


def _answer(text: str, cleaned: Cleaned) -> Answer:
    left = remaining(text, cleaned.spans, cleaned.text)
    is_explained = left is not None
    if left is None:
        left = compared(text, cleaned.spans, cleaned.text)
    return Answer(left, cleaned.text != text, cleaned.text, is_explained)

"""Where else a name stands that was found for certain in one place of a text."""

from __future__ import annotations

import re

import pytest

from deid.text.lexicon import COMBINATIONS, Known
from deid.text.network import Word
from deid.text.repeats import said_again
from deid.text.spans import Span, SpanKind

KNOWN = {"anna": Known.NAME, "stone": Known.WORD | Known.NAME, "baker": Known.EPONYM | Known.NAME}


def elsewhere(text: str, name: str, sure: float = 0.95, label: str = "NAME", **doubts: float) -> list[int]:
    """Return where `name`, found at its first place, is found again; `doubts` are of other words."""
    start = text.index(name)
    words = [Word(start, start + len(name), sure, label, True, 0)]
    for word, probability in doubts.items():
        words += [
            Word(*match.span(), probability, "NAME", True, 0)
            for match in re.finditer(word, text)
            if match.start() != start
        ]
    span = Span(start, start + len(name), SpanKind.NAME, "ner", sure)
    found = said_again(text, [span], words, lambda word: KNOWN.get(word.casefold(), COMBINATIONS), 0.9, 0.25)
    assert all((again.kind, again.confidence) == (SpanKind.NAME, sure) for again in found)
    assert all(text[again.start : again.end].casefold() == name.casefold() for again in found)
    return [again.start for again in found]


@pytest.mark.parametrize(
    ("text", "name", "places"),
    [
        ("Dr. Tsvetkova; Tsvetkova to follow", "Tsvetkova", [15]),
        ("Dr. Tsvetkova; TSVETKOVA^IVA", "Tsvetkova", [15]),
        ("dr tsvetkova, tsvetkova agrees", "tsvetkova", [14]),
        ("Anna, then Anna's mother, anna", "Anna", [11]),
        ("Dr. Tsvetkova", "Tsvetkova", []),
        ("Dr. Tsvetkova, Tsvetkovagrad, atsvetkova, Tsvetkova2", "Tsvetkova", []),
        ("Li, Li", "Li", []),
    ],
)
def test_a_certain_name_is_one_wherever_it_stands(text: str, name: str, places: list[int]) -> None:
    assert elsewhere(text, name) == places


def test_what_means_something_else_too_must_be_doubted() -> None:
    assert elsewhere("Dr. Baker drained the Baker cyst", "Baker") == []
    assert elsewhere("Dr. Stone: Stone in duct", "Stone", Stone=0.2) == []
    assert elsewhere("Dr. Stone: call Stone", "Stone", Stone=0.3) == [16]
    assert elsewhere("pt is Will May, will may be late", "May") == []


def test_only_names_that_are_certain_count() -> None:
    assert elsewhere("Tsvetkova; Tsvetkova", "Tsvetkova", sure=0.8) == []
    assert elsewhere("Tsvetkova; Tsvetkova", "Tsvetkova", label="PLACE") == []

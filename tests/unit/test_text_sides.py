"""What a dash or a comma parts is read apart; what an unknown name needs beside it stays."""

from __future__ import annotations

import pytest

from deid.text.network import Word
from deid.text.sides import told_apart
from deid.text.spans import Span, SpanKind

ALONE = {"4646745": 1.0, "FC13": 0.1, "Lane": 1.0, "Umpleby": 0.1, "12": 0.1}


def read(text: str) -> tuple[Word, ...]:
    found = (
        Word(text.index(word), text.index(word) + len(word), probability, "ID", True)
        for word, probability in ALONE.items()
        if word in text
    )
    return tuple(sorted(found, key=lambda word: word.start))


def kept(text: str, *parts: tuple[str, SpanKind]) -> list[str]:
    spans = [Span(text.index(part), text.index(part) + len(part), kind, "ner", 0.99) for part, kind in parts]
    return [text[span.start : span.end] for span in told_apart(text, spans, read, 0.5, 0.9)]


@pytest.mark.parametrize("between", [" - ", " \u2013 ", " | ", ", ", "; "])
def test_a_code_beside_a_number_is_no_part_of_it(between: str) -> None:
    text = f"NECK 11.75 FC13{between}4646745"
    assert kept(text, (f"FC13{between}4646745", SpanKind.ID)) == ["4646745"]
    assert kept(text, ("FC13", SpanKind.ID), ("4646745", SpanKind.ID)) == ["4646745"]


def test_a_postcode_after_a_comma_is_a_part_of_an_address() -> None:
    text = "Ship to 7 Mill Lane, FC13 12, NECK"
    assert kept(text, ("7 Mill Lane, FC13 12", SpanKind.PLACE)) == ["7 Mill Lane, FC13 12"]
    dashed = "Ship to 7 Mill Lane - FC13 12 NECK"
    assert kept(dashed, ("7 Mill Lane - FC13 12", SpanKind.PLACE)) == ["7 Mill Lane"]


def test_without_anything_between_it_is_one() -> None:
    assert kept("NECK FC13-4646745", ("FC13-4646745", SpanKind.ID)) == ["FC13-4646745"]


def test_without_anything_certain_on_another_side_all_stays() -> None:
    assert kept("NECK FC13 - liver", ("FC13", SpanKind.ID)) == ["FC13"]
    assert kept("NECK 4646745 - liver FC13", ("FC13", SpanKind.ID)) == ["FC13"]


def test_what_is_all_of_its_side_stays() -> None:
    assert kept("12 - Lane", ("12", SpanKind.PLACE), ("Lane", SpanKind.PLACE)) == ["12", "Lane"]


@pytest.mark.parametrize("kind", [SpanKind.NAME, SpanKind.DATE, SpanKind.AGE])
def test_names_dates_and_ages_stay(kind: SpanKind) -> None:
    assert kept("by FC13 - 4646745", ("FC13", kind), ("4646745", SpanKind.ID)) == ["FC13", "4646745"]


def test_an_unknown_place_stays() -> None:
    assert kept("at Umpleby - 4646745", ("Umpleby", SpanKind.PLACE), ("4646745", SpanKind.ID)) == ["Umpleby", "4646745"]


def test_nothing_between_two_commas_is_no_side() -> None:
    text = "NECK FC13,  , , 4646745"
    assert kept(text, ("FC13,  , , 4646745", SpanKind.ID)) == ["4646745"]
    assert kept(", " * 9 + text + " - ", ("FC13", SpanKind.ID), ("4646745", SpanKind.ID)) == ["4646745"]

from __future__ import annotations

import pytest

from deid.needles import Kind, Needles
from deid.text import Span, SpanKind, TextRules, clean_text
from deid.text.spans import united

NEEDLES = Needles()
NEEDLES.add(Kind.NAME_PART, "Zyxwvut")
NEEDLES.add(Kind.NAME, "Li Do")
RULES = TextRules(NEEDLES, (), str, -1000)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Zyxwvut", ""),
        ("^Zyxwvut^", ""),
        ("  Zyxwvut CT", "CT"),
        ("CT Zyxwvut", "CT"),
        ("CT Zyxwvut chest", "CT chest"),
        ("CT  Zyxwvut  chest", "CT chest"),
        ("CT, Zyxwvut, chest", "CT, chest"),
        ("CT - Zyxwvut - chest", "CT - chest"),
        ("CT_Zyxwvut_chest", "CT_chest"),
        ("CT/Zyxwvut/chest", "CT/chest"),
        ("CT^Zyxwvut^chest", "CT^chest"),
        ("CT (Zyxwvut) chest", "CT chest"),
        ("to Dr. Zyxwvut (Zyxwvut) Zyxwvut, chest", "to Dr., chest"),
        ("CT [ Zyxwvut ], chest", "CT, chest"),
        ('CT "Zyxwvut" chest', "CT chest"),
        ("CT (Zyxwvut, chest)", "CT (chest)"),
        ("CT (chest, Zyxwvut)", "CT (chest)"),
        ("Name: Zyxwvut. Chest", "Name. Chest"),
        ("seen by Zyxwvut.", "seen by."),
        ("Zyxwvut: chest", "chest"),
        ("pat=Zyxwvut; chest", "pat; chest"),
        ("one\nZyxwvut\ntwo", "one\ntwo"),
        ("one Zyxwvut\r\ntwo", "one\r\ntwo"),
        ("Zyxwvut, Zyxwvut; CT", "CT"),
        ("a Zyxwvut b Zyxwvut c", "a b c"),
    ],
)
def test_a_gap_leaves_one_separator_and_no_broken_punctuation(text: str, left: str) -> None:
    assert clean_text(text, RULES).text == left


def test_what_a_gap_brings_together_is_looked_at_again() -> None:
    assert clean_text("CT Li Zyxwvut Do chest", RULES).text == "CT chest"


@pytest.mark.parametrize("text", ["", " ", "CT  chest ,, a", " x\n", "- - -", "\x00\x1b"])
def test_text_without_findings_is_the_same_object(text: str) -> None:
    assert clean_text(text, RULES).text is text


def test_brackets_by_the_million_take_no_time() -> None:
    text = "(" * 200_000 + "Zyxwvut" + ")" * 200_000
    assert "Zyxwvut" not in clean_text(text, RULES).text


def span(start: int, end: int, kind: SpanKind, finder: str = "patterns") -> Span:
    return Span(start, end, kind, finder)


def test_a_date_stays_a_date_around_a_number_but_not_where_it_is_one() -> None:
    text = "2010-05-11"
    date, part, whole = (span(0, 10, SpanKind.DATE), span(0, 4, SpanKind.ID), span(0, 10, SpanKind.ID))
    assert united(text, [date, part]) == [date]
    assert [found.kind for found in united(text, [date, whole])] == [SpanKind.ID]


def test_spans_that_overlap_in_part_become_one_that_is_taken_out() -> None:
    spans = united("x" * 20, [span(0, 10, SpanKind.DATE), span(5, 15, SpanKind.NAME)])
    assert [(found.start, found.end, found.kind) for found in spans] == [(0, 15, SpanKind.NAME)]


def test_parts_of_one_name_become_one() -> None:
    spans = united("Doe, Jane chest", [span(0, 3, SpanKind.NAME), span(5, 9, SpanKind.NAME)])
    assert [(found.start, found.end) for found in spans] == [(0, 9)]


class _Wards:
    """A third finder, as simple as can be."""

    name = "wards"

    def find(self, text: str) -> list[Span]:
        at = text.find("Ward 7")
        return [Span(at, at + 6, SpanKind.PLACE, self.name)] if at >= 0 else []


def test_further_finders_are_united_with_the_two() -> None:
    rules = TextRules(NEEDLES, (), str, None, (_Wards(),))
    cleaned = clean_text("Zyxwvut on Ward 7, CT", rules)
    assert cleaned.text == "on, CT"
    assert [found.finder for found in cleaned.spans] == ["known", "wards"]

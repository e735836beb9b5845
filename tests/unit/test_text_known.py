from __future__ import annotations

import pickle

import pytest

from deid.needles import Kind, Needles
from deid.text import SpanKind, TextRules, clean_text
from deid.text.known import KnownFinder

NEEDLES = Needles()
for kind, identifier in (
    (Kind.NAME_PART, "Müller"),
    (Kind.NAME_PART, "Johannes"),
    (Kind.NAME, "Müller Johannes"),
    (Kind.NAME, "Johannes Müller"),
    (Kind.NAME, "MüllerJohannes"),
    (Kind.NAME_PART, "Foleyson"),
    (Kind.NAME, "Li Do"),
    (Kind.NAME_PART, "山田"),
    (Kind.NAME, "山田 太郎"),
    (Kind.CODE, "PAT004711"),
    (Kind.CODE, "0081934"),
    (Kind.CODE, "A-12-345-67"),
    (Kind.PHRASE, "Charité Universitätsmedizin"),
    (Kind.DATE, "2010 05 11"),
    (Kind.UID, "1.2.3.4"),
):
    NEEDLES.add(kind, identifier)
FINDER = KnownFinder(NEEDLES, {"20100511"})


def found(text: str) -> list[str]:
    return sorted(text[span.start : span.end] for span in FINDER.find(text))


@pytest.mark.parametrize(
    "text",
    [
        "Müller",
        "MÜLLER",
        "Muller",
        "MUELLER",
        "Müller's",
        "Mullers",
        "Mülller",
        "Mluler",
        "Johanes",
        "Jonhannes",
        "Jhoannes",
        "Johannnes",
        "MÜLLERJOHANNES",
        "müller1960",
        "Li, Do",
        "LI^DO",
        "山田太郎",
        "山田 太郎",
        "PAT004711",
        "pat-004711",
        "PAT 004711",
        "0081934",
        "A1234567",
        "A-12-345-67",
        "Charite Universitatsmedizin",
        "1.2.3.4",
    ],
)
def test_identifier_is_found_in_each_of_its_forms_and_as_a_whole(text: str) -> None:
    assert text in found(f"CT {text} chest")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("J. Müller today", "J. Müller"),
        ("A.B. Müller", "A.B. Müller"),
        ("Müller, J. chest", "Müller, J."),
        ("Müller J chest", "Müller J"),
    ],
)
def test_initials_beside_a_name_belong_to_it(text: str, span: str) -> None:
    assert span in found(text)


@pytest.mark.parametrize("text", ["Müller L wrist", "Müller R knee", "Müller 3 T"])
def test_a_side_beside_a_name_is_no_initial(text: str) -> None:
    assert found(text) == ["Müller"]


@pytest.mark.parametrize(
    "text",
    [
        "miner",
        "joan",
        "Foley catheter",
        "planning",
        "PAT0047110",
        "1.2.3.45",
        "11.2.3.4",
        "10.05.2011",
        "lidocaine",
        "",
    ],
)
def test_what_is_only_near_an_identifier_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_word_of_medicine_is_protected_from_being_nearly_a_name_but_not_from_being_one() -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "Hodgkins")
    needles.add(Kind.NAME_PART, "Kidney")
    finder = KnownFinder(needles)
    assert finder.find("Hodgkin lymphoma of the kidneys") == []
    assert [span.start for span in finder.find("left kidney")] == [5]


def test_a_uid_is_found_where_it_begins_a_longer_one() -> None:
    assert found("see 1.2.3.4.77.") == ["1.2.3.4.77"]


def test_six_digits_are_a_date_only_if_it_is_the_patients() -> None:
    assert found("110510 100511 051110 250100") == ["051110", "100511", "110510"]


def test_composed_and_decomposed_letters_are_the_same() -> None:
    rules = TextRules(NEEDLES, (), str, None)
    assert clean_text("CT Mu\u0308ller thorax", rules).text == "CT thorax"
    untouched = "Scha\u0308del CT"
    assert clean_text(untouched, rules).text is untouched


def test_needles_of_text_rules_are_never_shown_or_pickled() -> None:
    rules = TextRules(NEEDLES, {"20100511"}, str, -1)
    assert "ller" not in repr(rules)
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(rules)


def test_kinds_of_spans_are_those_of_the_needles() -> None:
    kinds = {span.kind for span in FINDER.find("Müller PAT004711 1.2.3.4 2010/05/11 Charité Universitätsmedizin")}
    assert kinds == {SpanKind.NAME, SpanKind.ID, SpanKind.UID, SpanKind.DATE, SpanKind.PLACE}

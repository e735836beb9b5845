"""The exam on free text marks by what came out, and its sets are what they claim to be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import pytest

from deid.identifiers import harvest
from deid.needles import Kind
from deid.text.spans import Span, SpanKind
from deid.texts import TextClass
from models.ner.generate.lists import is_held_out
from tests.benchmarks.text_exam import __main__ as command
from tests.benchmarks.text_exam import peers
from tests.benchmarks.text_exam.headers import helpful, in_carets, strange
from tests.benchmarks.text_exam.marks import Marks, Share, marked, other_words
from tests.benchmarks.text_exam.questions import (
    GENERATED,
    REAL,
    Part,
    Question,
    by_hand,
    generated,
    parsed,
    read_strings,
    real,
)
from tests.benchmarks.text_exam.remains import compared, remaining, without
from tests.benchmarks.text_exam.report import Target
from tests.benchmarks.text_exam.systems import KNOWN, NER, OURS, PATTERNS, WITH, WITHOUT, Answer, Node, Sheet
from tests.tiny_network import write_models

LINE = (
    "de\tPatientComments\tphi\tHr. [[PATIENT:Vogelsang]]\\nBefund an Dr. [[STAFF:O. Wiebrecht]], geb. [[DATE:3.5.1951]]"
)


def question(written: str, kind: str = "phi", attribute: str = "PatientComments") -> Question:
    return parsed(f"en\t{attribute}\t{kind}\t{written}", "strings_test")


def texts_of(asked: Question) -> list[str]:
    return [asked.text[part.start : part.end] for part in asked.parts]


def test_a_line_becomes_a_text_with_parts() -> None:
    asked = parsed(LINE, "strings_x")
    assert asked.text == "Hr. Vogelsang\nBefund an Dr. O. Wiebrecht, geb. 3.5.1951"
    assert texts_of(asked) == ["Vogelsang", "O. Wiebrecht", "3.5.1951"]
    assert [part.type for part in asked.parts] == ["PATIENT", "STAFF", "DATE"]
    assert asked.is_by_hand
    assert asked.marked() == LINE.split("\t")[3]


def test_brackets_and_marks_may_stand_together() -> None:
    assert texts_of(question("[[[ID:A1]]] x [[[NAME:B]]]")) == ["A1", "B"]


def test_a_text_is_composed() -> None:
    asked = question("Dr. [[STAFF:Mu\u0308ller]] u\u0308ber [[NAME:Bo]]")
    assert asked.text == "Dr. Müller über Bo"
    assert texts_of(asked) == ["Müller", "Bo"]


@pytest.mark.parametrize(
    "line",
    [
        "en\tImageComments\tphi",
        "en\tImageComments\todd\ttext",
        "en\tImageComments\tphi\tno part",
        "en\tImageComments\thard\tDr. [[STAFF:Wiebrecht]]",
        "en\tImageComments\tphi\tDr. [[DOCTOR:Wiebrecht]]",
        "en\tImageComments\tphi\tDr. [[STAFF: Wiebrecht]]",
        "en\tImageComments\tphi\tDr. [[STAFF:Wiebrecht] and [[ID:7",
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "strings_x.txt"
    path.write_text(f"# comment\n\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"strings_x\.txt:3: "):
        list(read_strings(path))


@pytest.mark.parametrize(
    ("attribute", "text_class"),
    [
        ("SeriesDescription", TextClass.DESCRIPTIONS),
        ("ImageComments", TextClass.COMMENTS),
        ("TextValue", TextClass.STRUCTURED),
        ("PrivateText", TextClass.PRIVATE),
        ("OCRLine", TextClass.LINES),
        ("NoSuchKeyword", TextClass.COMMENTS),
    ],
)
def test_an_attribute_has_the_class_that_the_product_gives_it(attribute: str, text_class: TextClass) -> None:
    assert question("[[NAME:A]]", attribute=attribute).text_class is text_class


def test_hand_written_sets_are_large_foreign_and_hard() -> None:
    asked = by_hand()
    assert len(asked) >= 600
    assert len({each.text for each in asked}) > 0.99 * len(asked)
    assert sum(each.lang != "en" for each in asked) >= 0.25 * len(asked)
    assert sum(each.kind == "hard" for each in asked) >= 0.5 * len(asked)


def test_generated_strings_come_from_the_seed() -> None:
    assert generated(5, 20) == generated(5, 20) != generated(6, 20)
    for asked in generated(5, 200):
        assert asked.source == GENERATED
        assert asked.text_class
        assert all(asked.text[part.start : part.end].strip() for part in asked.parts)


def test_real_descriptions_are_unseen() -> None:
    asked = real(3, 100)
    assert len({each.text for each in asked}) == 100
    assert all(is_held_out(each.text) and each.source == REAL and not each.parts for each in asked)


# What is left


def gone(text: str, left: bytearray | None) -> str:
    assert left is not None
    return "".join("_" if not stays else char for char, stays in zip(text, left, strict=True))


def spans(text: str, **parts: str) -> list[Span]:
    return [
        Span(text.index(part), text.index(part) + len(part), SpanKind[kind.rstrip("0123456789")], "x")
        for kind, part in parts.items()
    ]


def test_what_is_cut_out_is_gone() -> None:
    text = "Seen by Dr. Wiebrecht's team, Wiebrecht (MRN 4471)"
    found = spans(text, NAME="Wiebrecht", ID="4471")
    assert gone(text, remaining(text, found, "Seen by Dr. team, Wiebrecht (MRN)")) == (
        "Seen by Dr. _________'s team, Wiebrecht (MRN ____)"
    )


def test_a_moved_date_is_gone_and_one_that_stays_is_not() -> None:
    text = "5 on 5.5.2019, 6.6.2020"
    found = spans(text, DATE="5.5.2019", DATE2="6.6.2020")
    assert gone(text, remaining(text, found, "5 on 5.5.2018, 6.6.2020")) == "5 on ________, 6.6.2020"


def test_an_age_is_gone_though_its_number_is_the_new_one() -> None:
    assert gone("90 y", remaining("90 y", spans("90 y", AGE="90"), "90+ y")) == "__ y"


def test_neighbours_are_told_apart() -> None:
    text = "1986-02-17_Waters_raw"
    found = spans(text, DATE="1986-02-17", NAME="Waters")
    assert gone(text, remaining(text, found, "1978-01-26_raw")) == "_" * 17 + "_raw"


def test_what_went_beyond_the_spans_is_compared() -> None:
    text = "old Adams old Baker"
    found = spans(text, NAME="Adams")
    assert remaining(text, found, "old") is None
    assert gone(text, compared(text, found, "old")) == "old _____ ___ _____"


def test_what_is_left_though_it_was_found_is_seen() -> None:
    text = "see Adams"
    assert remaining(text, spans(text, NAME="Adams"), "see Adams") is None


# Marks


def answered(asked: Question, left: str) -> Answer:
    """Answer with the characters of the text that a `_` stands for gone."""
    return Answer(bytearray(char != "_" or asked.text[at] == "_" for at, char in enumerate(left)), left != asked.text)


def test_a_part_is_removed_if_no_letter_of_it_is_left() -> None:
    asked = question("[[PATIENT:Ann-Kristin]] at [[PLACE:Ward 7]]")
    assert marked(asked, answered(asked, "___-_______ at Ward _")).removed == (True, False)
    assert marked(asked, answered(asked, "___-______n at ____ _")).removed == (False, True)


@pytest.mark.parametrize(("left", "is_removed"), [("__ ________ ____ r.", True), ("23 ________ ____ r.", False)])
def test_small_words_of_a_date_may_stay(left: str, is_removed: bool) -> None:
    asked = question("[[DATE:23 sierpnia 1950 r.]]")
    assert marked(asked, answered(asked, left)).removed == (is_removed,)


def test_other_words_are_those_outside_without_endings() -> None:
    asked = question("Dr. [[STAFF:Ayşe]]'nin notu, CT2_[[ID:77]]b")
    assert [asked.text[start:end] for start, end in other_words(asked)] == ["Dr", "notu", "CT2", "b"]


def test_a_word_is_kept_whole_or_not_at_all() -> None:
    asked = question("liver [[NAME:Orr]] spleen")
    found = marked(asked, answered(asked, "l_ver ___ spleen"))
    assert (found.words, found.kept) == (2, 1)


def test_shares_have_intervals() -> None:
    low, high = Share(96, 100).interval
    assert (round(low, 4), round(high, 4)) == (0.9016, 0.9843)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert str(Share(0, 0)) == "-"


def test_what_was_not_measured_is_no_target_met() -> None:
    assert not Target("x", Share(0, 0).value, 0.9).is_met
    assert not Target("x", Share(0, 0).value, 0.9, is_most=True).is_met
    assert Target("x", 0.9, 0.9).is_met


def test_marks_by_type_count_all_names_together() -> None:
    asked = question("[[PATIENT:A1]] [[STAFF:B2]] [[ID:33]]")
    marks = Marks.of_sheet(Sheet("x", [answered(asked, "__ B2 __")], [1.0]), [asked])
    assert {type_: (share.part, share.whole) for type_, share in marks.by_type().items()} == {
        "ID": (1, 1),
        "PATIENT": (1, 1),
        "STAFF": (0, 1),
        "all names": (1, 2),
    }


# Headers


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Hans Vogelsang", "vogelsang^hans"),
        ("Vogelsang, Hans", "vogelsang^hans"),
        ("VOGELSANG^HANS^^", "vogelsang^hans"),
        ("Vogelsang_Hans", "hans^vogelsang"),
        ("Lieke van der Wouden", "van der wouden^lieke"),
        ("Ó Vogelsang", "ó vogelsang"),
        ("H. Vogelsang", "vogelsang^hedda"),
        ("Vogelsang", "vogelsang"),
        ("H.V.", "verhoeven^hedda"),
        ("hv", "hv"),
    ],
)
def test_names_are_written_as_headers_have_them(written: str, name: str) -> None:
    assert in_carets(written, Random(1)).casefold() == name


def test_a_helpful_header_knows_the_string_and_a_strange_one_does_not() -> None:
    asked = question(
        "[[PATIENT:Ute Vogelsang]] born [[DATE:3 May 1951]] acc [[ID:A-44821]], [[RELATIVE:Ferdi]], "
        "read by [[STAFF:O. Wiebrecht]] ([[STAFF:owie01]]) in [[ORG:Klinik Ostermoor]] on [[DATE:3 May 2021]]"
    )
    found = harvest(helpful(asked, Random(1)), lambda *_: False)
    words = {needle.words for needle in found.needles if needle.kind is not Kind.DATE}
    assert {"vogelsang", "ute", "wiebrecht", "owie 01", "a 44821", "klinik ostermoor"} <= words
    assert "ferdi" not in words
    assert "19510503" in found.dates
    assert "20210503" not in found.dates
    assert not {needle.words for needle in harvest(strange(asked, Random(1)), lambda *_: False).needles} & {
        "vogelsang",
        "ute",
        "wiebrecht",
    }


# Systems


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models", {"xaver": ("B-NAME", 0.9)})


def test_each_finder_does_its_own_part(models: Path) -> None:
    asked = [
        question("[[PATIENT:Vogelsang]] liver"),
        question("Xaver liver 12.03.2019", kind="plain"),
        Question("call a@b.example now", (Part(5, 16, "CONTACT"),), "en", "ImageComments", "note", GENERATED),
    ]
    node = Node.of_profile("tcia", models, 1)
    outs = {system: [answer.out for answer in node.sit(system, asked).answers] for system in OURS}
    assert outs[KNOWN] == ["liver", asked[1].text, asked[2].text]
    assert outs[PATTERNS][0] == asked[0].text
    assert outs[PATTERNS][1].startswith("Xaver liver ")
    assert outs[PATTERNS][1] != asked[1].text
    assert outs[PATTERNS][2] == "call now"
    assert outs[NER] == [asked[0].text, "liver 12.03.2019", asked[2].text]
    assert outs[WITH][0] == "liver"
    assert outs[WITHOUT][0] == asked[0].text
    assert outs[WITH][1].startswith("liver ")
    assert all(answer.is_explained for system in OURS for answer in node.sit(system, asked).answers)


def exam(name: str, lefts: list[str]) -> Marks:
    asked = [question("[[NAME:Orr]] liver spleen"), question("liver [[NAME:Orr]]")]
    answers = [answered(each, left) for each, left in zip(asked, lefts, strict=True)]
    return Marks.of_sheet(Sheet(name, answers, [1.0, 1.0]), asked)


def test_ours_are_ahead_in_both_or_not_at_all() -> None:
    best = exam("best", ["___ liver spleen", "liver ___"])
    half, nothing = exam("half", ["___ _____ spleen", "liver Orr"]), exam("none", ["Orr liver spleen", "liver Orr"])
    assert peers.is_ahead(peers.Both([best], [half, nothing]))
    assert not peers.is_ahead(peers.Both([half], [best]))
    assert not peers.is_ahead(peers.Both([best], [exam("too", ["___ liver spleen", "liver ___"])]))
    assert any("<" in line for line in peers.comparison(peers.Both([half], [best])))


def test_a_peer_takes_out_what_it_finds() -> None:
    assert gone("ab cd ef", without("ab cd ef", [(3, 5), (4, 8)])) == "ab _____"


def test_the_command_says_all_in_its_last_line(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "strings_x.txt").write_text(f"{LINE}\nen\tSeriesDescription\thard\tFoley T2\n", encoding="utf-8")
    options = ["--seed", "3", "--generated", "20", "--real", "40", "--show", "2"]
    monkeypatch.setattr(sys, "argv", ["text_exam", *options, "--models", str(models), "--strings", str(tmp_path)])
    assert command.main() == 1
    name, *pairs = capsys.readouterr().out.splitlines()[-1].split(" ")
    said = dict(pair.split("=") for pair in pairs)
    assert (name, said["seed"], said["strings"], said["ahead_of_peers"]) == ("text-exam", "3", "62", "not-asked")
    assert float(said["hand_with_removed"]) == 1
    assert json.loads(said["targets_missed"]) > 0


def test_without_a_network_there_is_no_exam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["text_exam", "--models", str(tmp_path)])
    assert command.main() == command.NO_NETWORK
    assert "manifest.toml" in capsys.readouterr().err

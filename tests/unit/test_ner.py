"""What the network's words become: spans, beside those of the other finders, in texts of each class."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid.context import Context
from deid.encoding.reader import read_part10
from deid.engine import Instance, deidentify, explain
from deid.errors import Misconfigured, Refused
from deid.keys import Keys
from deid.lines import class_named, text_rules
from deid.needles import Kind, Needles
from deid.onnx import read_entry, shipped_models
from deid.profile import Profile, load_profile
from deid.report import Seen
from deid.text import SpanKind, TextRules, clean_text
from deid.text.documents import judge_document
from deid.text.enough import NEAR_CHARACTERS
from deid.text.lexicon import COMBINATIONS, Known
from deid.text.ner import Ner
from deid.text.network import LABELS, Network
from deid.text.spans import Span
from deid.text.windows import OVERLAP, ROOM, windows
from deid.text.wordpiece import WordPiece
from deid.texts import THRESHOLDS, TextClass, text_class
from tests.factories import STUDY, ct, to_bytes
from tests.tiny_network import write_models

KNOWS = {
    "anna": ("B-NAME", 0.95),
    "kowalska": ("I-NAME", 0.95),
    "jan": ("B-NAME", 0.6),
    "iga": ("B-NAME", 0.6),
    "ewa": ("B-NAME", 0.4),
    "ola": ("B-NAME", 0.85),
    "liver": ("B-NAME", 0.85),
    "heart": ("B-PLACE", 0.95),
    "lublin": ("B-PLACE", 0.95),
    "charite": ("B-ORG", 0.95),
    "gwpacs": ("B-CONTACT", 0.95),
    "maja": ("B-DATE", 0.95),
    "z": ("I-NAME", 0.2),
    "grase": ("B-NAME", 0.5),
    "quolla": ("B-NAME", 0.35),
    "stone": ("B-NAME", 0.94),
    "baker": ("B-NAME", 0.97),
    "foley": ("B-NAME", 0.96),
    "pemberton": ("B-NAME", 0.5),
    "bragard": ("B-NAME", 0.5),
    "-": ("I-NAME", 0.1),
    "dziewiecdziesiat": ("B-AGE", 0.95),
}
KEYS = Keys.from_secret(bytes(range(32)))
DESCRIPTIONS, COMMENTS = TextClass.DESCRIPTIONS, TextClass.COMMENTS


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), KNOWS, digits=("I-ID", 0.9))


@pytest.fixture(scope="module")
def network(models: Path) -> Network:
    return Network(read_entry(models, "ner"))


@pytest.fixture(scope="module")
def ner(network: Network) -> Ner:
    return Ner(network, {})


def found(ner: Ner, text: str, where: TextClass = COMMENTS) -> list[tuple[str, SpanKind]]:
    return [(text[span.start : span.end], span.kind) for span in ner.find(text, where)]


def cleaned(ner: Ner, text: str, where: TextClass = COMMENTS, shift_days: int | None = -400) -> str:
    return clean_text(text, TextRules((), ("20200512",), lambda _: "2.25.7", shift_days, ner=ner), where).text


# Words


def test_words_carry_probability_and_label(network: Network) -> None:
    words = network.words("Seen by Anna Kowalska, Lublin")
    assert [(word.start, word.end, word.label, word.begins) for word in words] == [
        (8, 12, "NAME", True),
        (13, 21, "NAME", False),
        (23, 29, "PLACE", True),
    ]
    assert all(word.probability == pytest.approx(0.95, abs=1e-4) for word in words)


@pytest.mark.parametrize("text", ["", " ", "^_^", "...\n", "T1 axial", "\ud800\0"])
def test_harmless_texts_have_no_words(network: Network, text: str) -> None:
    assert network.words(text) == ()


def test_what_was_read_is_remembered(network: Network) -> None:
    text = "Anna, remembered"
    assert network.words(text) is network.words(text)


def test_what_is_remembered_is_bounded(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.text.network._MOST_CHARACTERS_REMEMBERED", 5000)
    for number in range(200):
        network.words(f"Anna {number} " + "x" * 100)
    assert len(network._remembered) < 40
    assert network._characters <= 5000


def test_a_name_glued_to_a_date_is_judged_apart_from_it(ner: Ner) -> None:
    assert found(ner, "anna20190312") == [("anna", SpanKind.NAME)]
    assert cleaned(ner, "anna20190312 x") == "20180205 x"
    assert found(ner, "anna2b 7") == [("anna2b", SpanKind.NAME)]


def test_names_that_were_held_out_are_known_but_in_exams(models: Path) -> None:
    entry = read_entry(models, "ner")
    knowing, unknowing = Network(entry), Network(entry, knows_names=False)
    assert knowing.pieces.known("knee") == Known.WORD | Known.NAME
    assert knowing.pieces.known("Olena") == Known.NAME
    assert unknowing.pieces.known("knee") >= COMBINATIONS
    assert unknowing.pieces.known("Olena") >= COMBINATIONS
    assert unknowing.pieces.known("anna") == Known.NAME
    assert knowing.identity != unknowing.identity


# Windows


def windowed(text: str) -> list[tuple[int, int, int, int]]:
    pieces = WordPiece((shipped_models() / "ner" / "vocab.txt").read_text(encoding="utf-8").split("\n"))
    return [(each.start, each.end, each.first, each.last) for each in windows(text, pieces.encode(text))]


def test_a_short_text_is_one_window() -> None:
    assert windowed("liver") == [(0, 1, 0, 1)]
    assert windowed("a " * ROOM) == [(0, ROOM, 0, ROOM)]


@pytest.mark.parametrize("text", ["a " * 1000, "a" * 5000, "1 2\n" * 500, "a b. c" * 300, "a1" * 4000, "x_" * 700])
def test_windows_overlap_and_decide_about_each_piece_once(text: str) -> None:
    all_windows = windowed(text)
    assert all(end - start <= ROOM for start, end, _, _ in all_windows)
    assert all(start <= first < last <= end for start, end, first, last in all_windows)
    assert [first for _, _, first, _ in all_windows[1:]] == [last for _, _, _, last in all_windows[:-1]]
    for (_, end, _, _), (start, _, first, _) in pairwise(all_windows):
        assert OVERLAP <= end - start < 2 * OVERLAP
        assert start < first < end


def test_windows_end_after_lines_and_sentences() -> None:
    line = "one two three four five six seven.\n"
    text = line * 100
    assert {end % 8 for _, end, _, _ in windowed(text)[:-1]} == {0}


def test_a_name_is_found_wherever_it_is_in_a_long_text(ner: Ner) -> None:
    for position in range(0, 400, 7):
        words = ["a"] * 400
        words[position] = "Anna"
        assert found(ner, " ".join(words)) == [("Anna", SpanKind.NAME)]


# Spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Anna Kowalska, head", ["Anna Kowalska"]),
        ("(Anna Kowalska)", ["Anna Kowalska"]),
        ("Anna Kowalska's head", ["Anna Kowalska"]),
        ("Anna\nKowalska", ["Anna", "Kowalska"]),
        ("Anna Anna", ["Anna", "Anna"]),
        ("ANNA_KOWALSKA_T2", ["ANNA_KOWALSKA"]),
        ("Anna-Z", ["Anna-Z"]),
        ("Anna Z", ["Anna Z"]),
        ("Anna Z 3", ["Anna"]),
        ("Z-Anna", ["Z-Anna"]),
        ("Anna.", ["Anna"]),
        ("id 44821, 9", ["44821"]),
    ],
)
def test_spans_are_whole_words_of_one_thing(ner: Ner, text: str, spans: list[str]) -> None:
    assert [part for part, _ in found(ner, text)] == spans


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Anna", SpanKind.NAME),
        ("Lublin", SpanKind.PLACE),
        ("Charité", SpanKind.PLACE),
        ("gwpacs", SpanKind.CONTACT),
        ("maja", SpanKind.DATE),
        ("44821", SpanKind.ID),
        ("dziewiecdziesiat", SpanKind.AGE),
    ],
)
def test_labels_become_kinds(ner: Ner, text: str, kind: SpanKind) -> None:
    assert found(ner, text) == [(text, kind)]


def test_every_label_has_its_kind() -> None:
    from deid.text.ner import _KINDS

    assert set(_KINDS) == set(LABELS)


@pytest.mark.parametrize(
    ("text", "left"),
    [("age: 0893", []), ("93", ["93"]), ("093Y", ["93"]), ("89", []), ("1000", [])],
)
def test_only_an_age_over_89_is_one(tmp_path: Path, text: str, left: list[str]) -> None:
    ages = {f"{number:02d}": ("B-AGE", 0.9) for number in (8, 9, 10, 89, 93)}
    folder = write_models(tmp_path, {**ages, "3": ("I-AGE", 0.9)})
    # The tiny network's vocabulary holds all numbers: it may know them, too
    ner = Ner(Network(read_entry(folder, "ner")), {})
    assert [part for part, _ in found(ner, text)] == left


def test_confidence_is_that_of_the_surest_word(ner: Ner) -> None:
    (span,) = ner.find("Anna Kowalska", COMMENTS)
    assert (span.finder, span.confidence) == ("ner", 0.95)


# Thresholds and vocabulary


def test_each_class_has_its_threshold(ner: Ner) -> None:
    for where in (DESCRIPTIONS, TextClass.LINES):
        assert found(ner, "for Jan", where) == [("Jan", SpanKind.NAME)]
    for where in (COMMENTS, TextClass.STRUCTURED, TextClass.PRIVATE):
        assert found(ner, "for Jan", where) == []


def test_a_profile_goes_before_the_manifest_and_that_before_what_is_usual(tmp_path: Path) -> None:
    folder = write_models(tmp_path, KNOWS, extra="thresholds = { descriptions = 0.6, lines = 0.2 }")
    ner = Ner(Network(read_entry(folder, "ner")), {DESCRIPTIONS: 0.75})
    assert [ner.threshold(where) for where in (DESCRIPTIONS, TextClass.LINES, COMMENTS)] == [0.75, 0.2, 0.8]
    assert dict.fromkeys(TextClass, 0.8) | {DESCRIPTIONS: 0.7, TextClass.LINES: 0.4} == THRESHOLDS


def test_near_something_certain_less_is_enough(ner: Ner) -> None:
    assert found(ner, "axial for Ewa") == []
    assert found(ner, "axial for Ewa and Anna") == [("Ewa", SpanKind.NAME), ("Anna", SpanKind.NAME)]
    assert found(ner, "Anna and axial for Ewa") == [("Anna", SpanKind.NAME), ("Ewa", SpanKind.NAME)]
    far = "axial " * (1 + NEAR_CHARACTERS // 6)
    assert found(ner, f"Anna {far}Ewa") == [("Anna", SpanKind.NAME)]
    assert found(ner, f"Ewa {far}Anna") == [("Anna", SpanKind.NAME)]
    assert found(ner, "axial for Ewa and Anna", DESCRIPTIONS) == [("Anna", SpanKind.NAME)]


def test_right_beside_something_found_less_is_enough(ner: Ner) -> None:
    assert found(ner, "axial Ewa Ola") == [("Ewa", SpanKind.NAME), ("Ola", SpanKind.NAME)]
    assert [part for part, _ in found(ner, "axial Ola, Ewa Jan")] == ["Ola", "Ewa", "Jan"]
    assert found(ner, "Ola Ewa", DESCRIPTIONS) == [("Ola", SpanKind.NAME), ("Ewa", SpanKind.NAME)]
    assert found(ner, "Ola\nEwa") == [("Ola", SpanKind.NAME)]
    assert found(ner, "Ola axial Ewa") == [("Ola", SpanKind.NAME)]
    assert found(ner, "axial Iga Ewa") == []


def test_of_what_means_something_else_more_is_needed_where_nothing_is_certain(ner: Ner) -> None:
    assert found(ner, "axial Stone") == found(ner, "axial Baker") == []
    assert found(ner, "axial Foley") == [("Foley", SpanKind.NAME)]  # 0.8 four times surer is 0.94, nine times 0.97
    assert found(ner, "axial Stone", DESCRIPTIONS) == [("Stone", SpanKind.NAME)]  # 0.7 four times surer is 0.90
    assert found(ner, "axial Baker", DESCRIPTIONS) == [("Baker", SpanKind.NAME)]
    assert found(ner, "Anna, axial Baker") == [("Anna", SpanKind.NAME), ("Baker", SpanKind.NAME)]
    for line in ("axial Stone", "axial Baker"):
        assert found(ner, line, TextClass.LINES) == [(line[6:], SpanKind.NAME)]
        assert found(Ner(ner.network, {}, weighs_words=False), line) == [(line[6:], SpanKind.NAME)]
        assert found(Ner(ner.network, {COMMENTS: 0.3}), line) == [(line[6:], SpanKind.NAME)]


def test_of_a_known_word_that_is_no_name_more_is_needed_near_something_certain(ner: Ner) -> None:
    assert found(ner, "Grase axial Anna") == found(ner, "Quolla, Anna") == [("Anna", SpanKind.NAME)]
    plain = Ner(ner.network, {}, weighs_words=False)
    for text, first in (("Grase axial Anna", "Grase"), ("Quolla, Anna", "Quolla")):
        assert found(plain, text) == [(first, SpanKind.NAME), ("Anna", SpanKind.NAME)]
        assert found(ner, text, TextClass.LINES) == [(first, SpanKind.NAME), ("Anna", SpanKind.NAME)]
    assert found(ner, "Ewa axial Anna") == [("Ewa", SpanKind.NAME), ("Anna", SpanKind.NAME)]


def test_of_a_word_that_a_degree_follows_less_is_enough(ner: Ner) -> None:
    assert found(ner, "axial Stone RN") == found(ner, "Stone, M.D. axial") == [("Stone", SpanKind.NAME)]
    assert found(ner, "axial stone RN") == found(ner, "axial Stone MD-2") == found(ner, "axial Stone np") == []


@pytest.mark.parametrize(
    "text",
    [
        "axial, Pemberton",
        "Pemberton",
        " Pemberton - axial",
        "axial - Pemberton",
        "axial [Pemberton]",
        "axial_Pemberton",
    ],
)
def test_of_a_surname_that_is_an_eponym_less_is_enough_where_it_stands_apart(ner: Ner, text: str) -> None:
    assert found(ner, text) == [("Pemberton", SpanKind.NAME)]
    assert found(ner, text.replace("Pemberton", "Bragard")) == []  # nobody's surname
    assert found(Ner(ner.network, {}, weighs_words=False), text) == []


@pytest.mark.parametrize("text", ["axial Pemberton", "Pemberton axial", "axial, Pemberton neg", "axial-Pemberton"])
def test_beside_another_word_an_eponym_is_an_eponym(ner: Ner, text: str) -> None:
    assert found(ner, text) == []


def test_of_a_word_that_nobody_knows_less_is_enough(network: Network) -> None:
    assert network.words("Jan")[0].known >= COMBINATIONS
    assert found(Ner(network, {COMMENTS: 0.8}), "for Jan") == []  # 0.8 at 0.4 of the odds is 0.62
    assert found(Ner(network, {COMMENTS: 0.7}), "for Jan") == [("Jan", SpanKind.NAME)]  # 0.7 at 0.4 of the odds is 0.48
    assert found(Ner(network, {COMMENTS: 0.7}, weighs_words=False), "for Jan") == []


def test_what_is_not_certain_or_stays_is_no_company(ner: Ner) -> None:
    assert found(ner, "Jan for Ewa") == []
    assert found(ner, "Ola for Ewa") == [("Ola", SpanKind.NAME)]
    assert found(ner, "Liver for Ewa", DESCRIPTIONS) == []


@pytest.mark.parametrize(
    ("kind", "is_found"), [(SpanKind.NAME, True), (SpanKind.DATE, True), (SpanKind.ID, True), (SpanKind.UID, False)]
)
def test_what_other_finders_found_is_company(ner: Ner, kind: SpanKind, is_found: bool) -> None:
    text = "Ewa, axial 1.2.3"
    assert bool(ner.find(text, COMMENTS, [Span(11, 16, kind, "header")])) is is_found


def test_a_name_by_its_form_alone_stays_if_it_is_a_word_and_the_network_knows_better(ner: Ner) -> None:
    assert cleaned(ner, "Zuweiser: Hausarzt; axial") == "Zuweiser: Hausarzt; axial"
    assert cleaned(ner, "Zuweiser: Hausarzt; axial", TextClass.LINES) == "Zuweiser; axial"
    assert "Hausarzt" not in cleaned(ner, "Hausarzt^Hausarzt, axial")
    assert cleaned(ner, "Zuweiser: Iga; axial") == "Zuweiser; axial"
    assert cleaned(ner, "Zuweiser: Hausarzt Wroblewski; axial") == "Zuweiser; axial"
    assert cleaned(ner, "Zuweiser: Wroblewski; axial") == "Zuweiser; axial"


def test_the_header_is_company(ner: Ner) -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "Nowak")
    rules = TextRules(needles, (), str, None, ner=ner)
    assert clean_text("axial, Ewa", rules).text == "axial, Ewa"
    assert clean_text("Nowak, axial, Ewa", rules).text == "axial"


def test_clinical_words_stay_in_descriptions_unless_a_title_or_certainty_says_otherwise(ner: Ner) -> None:
    assert found(ner, "Liver MRI", DESCRIPTIONS) == []
    assert found(ner, "Dr. Liver MRI", DESCRIPTIONS) == [("Liver", SpanKind.NAME)]
    assert found(ner, "heart MRI", DESCRIPTIONS) == [("heart", SpanKind.PLACE)]
    assert found(ner, "Liver MRI", COMMENTS) == [("Liver", SpanKind.NAME)]


@pytest.mark.parametrize(
    ("keyword", "vr", "where"),
    [
        ("SeriesDescription", "LO", DESCRIPTIONS),
        ("ProtocolName", "LO", DESCRIPTIONS),
        ("AcquisitionProtocolDescription", "LT", COMMENTS),
        ("ImageComments", "LT", COMMENTS),
        ("PatientComments", "LT", COMMENTS),
        ("ReasonForStudy", "LO", COMMENTS),
        ("MedicalAlerts", "LO", COMMENTS),
    ],
)
def test_attributes_have_their_class(keyword: str, vr: str, where: TextClass) -> None:
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    assert text_class(tag, vr) is where
    assert text_class(0x0029_1010, vr) is TextClass.PRIVATE


def test_a_class_is_named_by_an_attribute_or_itself() -> None:
    assert class_named("SeriesDescription") is class_named("descriptions") is DESCRIPTIONS
    with pytest.raises(Misconfigured, match="Nonsense"):
        class_named("Nonsense")


# Together with the other finders


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("T1 axial  head", "T1 axial  head"),
        ("Anna Kowalska's head", "head"),
        ("head of Anna Kowalska, 3 May 2020", "head of, 30 March 2019"),
        ("Lublin, Charité: T1", "T1"),
        ("case 2.25.123456789012", "case 2.25.7"),
    ],
)
def test_what_was_read_is_taken_out_and_the_rest_stays(ner: Ner, text: str, left: str) -> None:
    assert cleaned(ner, text) == left


def test_a_text_without_findings_is_the_very_same(ner: Ner) -> None:
    text = "T1  axial, pre/post "
    assert clean_text(text, TextRules((), (), str, None, ner=ner)).text is text


DATES = {"march": ("I-DATE", 0.95), "the": ("B-DATE", 0.95), "of": ("I-DATE", 0.95), "sometime": ("I-DATE", 0.95)}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("on 3 March 2020", "on 28 January 2019"),  # the network sees the month alone
        ("2 sometime 3", "2 3"),  # no date that anybody can read
        ("2 of 3", "2 of 3"),  # and a word that says nothing of one
        ("seen 20200312 sometime", "seen 20190206"),
        ("sometime", ""),
    ],
)
def test_a_date_that_can_be_read_is_moved_in_its_own_form(tmp_path: Path, text: str, left: str) -> None:
    ner = Ner(Network(read_entry(write_models(tmp_path, DATES), "ner")), {})
    assert cleaned(ner, text) == left


def test_a_date_or_uid_that_the_network_takes_for_a_number_is_moved_or_mapped(ner: Ner) -> None:
    spans = TextRules((), (), str, 1, ner=ner).spans("on 20190312 at 1.2.840.99999.123456.7", COMMENTS)
    assert [(span.kind, span.finder) for span in spans] == [
        (SpanKind.ID, "ner+patterns"),
        (SpanKind.UID, "patterns"),
    ]


def test_known_identifiers_go_whatever_the_network_thinks(ner: Ner) -> None:
    rules = text_rules(Context(Profile.from_options("x", text="rules"), KEYS), ["LIVER^JAN"], ["77-31"])
    rules.ner = ner
    assert clean_text("Liver 7731", rules, DESCRIPTIONS).text == ""


# In instances


def tcia(models: Path | None, **more: object) -> Context:
    options = ("clean_descriptors", "clean_structured_content", "retain_long_modified_dates", "retain_safe_private")
    profile = Profile.from_options("own", options, more.pop("overrides", None), **more)  # type: ignore[arg-type]
    return Context(profile, KEYS, models=models)


def instance(**attributes: object) -> Instance:
    ds = ct(STUDY, 0)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    part10 = read_part10(to_bytes(ds))
    return Instance(part10.transfer_syntax, part10.data_set_bytes)


def clean(given: Instance, context: Context) -> Dataset:
    return dcmread(BytesIO(b"".join(map(bytes, deidentify(given, context).clean.part10()))))


def test_an_instance_is_read_by_class(models: Path) -> None:
    out = clean(instance(SeriesDescription="axial for Jan", ImageComments="axial for Jan"), tcia(models))
    assert (out.SeriesDescription, out.ImageComments) == ("axial for", "axial for Jan")


def test_thresholds_of_the_profile_count(models: Path) -> None:
    given = instance(SeriesDescription="axial for Ewa")
    strict = tcia(models, text={"by": "ner", "thresholds": {"descriptions": 0.3}})
    assert clean(given, strict).SeriesDescription == "axial for"
    assert clean(given, tcia(models)).SeriesDescription == "axial for Ewa"
    assert clean(given, tcia(models, text="rules")).SeriesDescription == "axial for Ewa"


def test_a_text_of_a_report_is_of_the_class_structured(models: Path) -> None:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", "seen by Jan"
    out = clean(instance(AcquisitionContextSequence=Sequence([item])), tcia(models))
    assert out.AcquisitionContextSequence[0].TextValue == "seen by"


def test_a_private_text_is_cleaned_where_an_override_asks(models: Path) -> None:
    ds = ct(STUDY, 0)
    block = ds.private_block(0x0029, "OWN NOTES", create=True)
    block.add_new(0x01, "LO", "seen by Jan")
    block.add_new(0x02, "LO", "20200101")
    part10 = read_part10(to_bytes(ds))
    overrides = {'(0029,"OWN NOTES",01)': "C", '(0029,"OWN NOTES",02)': "C"}
    out = clean(Instance(part10.transfer_syntax, part10.data_set_bytes), tcia(models, overrides=overrides))
    block = out.private_block(0x0029, "OWN NOTES")
    assert block[0x01].value == "seen by"
    assert block[0x02].value != "20200101"


def test_explain_names_finder_and_confidence_and_no_text(models: Path) -> None:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", "Lublin"
    given = instance(SeriesDescription="axial of Anna, 3 May 2020", AcquisitionContextSequence=Sequence([item]))
    by_path = {finding.path: finding for finding in explain(given, tcia(models))}

    assert by_path[(0x0008_103E,)].seen == (Seen("name", "ner", 0.95), Seen("date", "patterns"))
    assert by_path[(0x0040_0555,)].seen == (Seen("place", "ner", 0.95),)
    assert by_path[(0x0008_0070,)].seen == ()
    assert "Anna" not in repr(by_path)


def test_the_same_text_is_read_anew_where_the_model_or_the_threshold_is_another(models: Path, tmp_path: Path) -> None:
    other = write_models(tmp_path, {"axial": ("B-NAME", 0.99)})
    given = instance(ImageComments="axial of Anna")
    assert clean(given, tcia(models)).ImageComments == "axial of"
    assert clean(given, tcia(other)).ImageComments == "of Anna"


def test_equal_instances_give_equal_bytes_whatever_was_read_before(models: Path) -> None:
    given = instance(SeriesDescription="axial for Anna", ImageComments="x " * 200 + "Jan")
    first = b"".join(map(bytes, deidentify(given, tcia(models)).clean.chunks))
    clean(instance(ImageComments="Jan " * 300), tcia(models))
    assert b"".join(map(bytes, deidentify(given, tcia(models)).clean.chunks)) == first


def test_a_missing_model_stops_a_profile_that_reads_and_no_other(tmp_path: Path) -> None:
    for context in (tcia(tmp_path, text="rules"), Context(Profile.from_options("basic"), KEYS, models=tmp_path)):
        context.check()
        deidentify(instance(), context)
    with pytest.raises(Misconfigured):
        tcia(tmp_path).check()
    with pytest.raises(Misconfigured):
        deidentify(instance(ImageComments="seen by Jan"), tcia(tmp_path))


@pytest.mark.parametrize(
    ("overrides", "reads"),
    [
        ({}, False),
        ({"StudyDate": "C"}, False),
        ({"SeriesDescription": "K"}, False),
        ({"SeriesDescription": "C"}, True),
        ({"UT": "C"}, True),
        ({'(0029,"OWN",10)': "C"}, True),
    ],
)
def test_an_override_may_be_what_needs_the_network(overrides: dict[str, str], *, reads: bool) -> None:
    assert Profile.from_options("x", (), overrides).reads_texts is reads
    assert not Profile.from_options("x", (), overrides, text="rules").reads_texts


# Profiles


def test_a_profile_says_thresholds_in_its_table(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[text]\nby = "ner"\n[text.thresholds]\ncomments = 0.2\nstructured = 1\n')
    profile = load_profile(path)
    assert (profile.text, profile.thresholds) == ("ner", {COMMENTS: 0.2, TextClass.STRUCTURED: 1.0})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('text = "llm"', "'llm'; allowed: ner, rules"),
        ("text = 7", "text must be a str"),
        ('[text]\nby = "llm"', "'llm'"),
        ('[text]\nwith = "ner"', "unknown key 'with' in text"),
        ("[text]\nthresholds = 3", "must be a table"),
        ("[text.thresholds]\nremarks = 0.5", "'remarks'; allowed: descriptions, comments"),
        ("[text.thresholds]\ncomments = 0.01", r"from 0\.05 to 1"),
        ("[text.thresholds]\ncomments = true", r"from 0\.05 to 1"),
        ('[text.thresholds]\ncomments = "low"', r"from 0\.05 to 1"),
    ],
)
def test_a_wrong_text_key_is_said(tmp_path: Path, table: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(table)
    with pytest.raises(Misconfigured, match=said):
        load_profile(path)


# The shipped network

shipped = pytest.mark.skipif(not (shipped_models() / "ner" / "ner.onnx").exists(), reason="no network is shipped yet")


@shipped
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("T2w TSE sag p2", "T2w TSE sag p2"),
        ("CT Abdomen/Pelvis with contrast", "CT Abdomen/Pelvis with contrast"),
        ("P4^P101^S108", "P4^P101^S108"),
        ("Parkinson's disease, Foley catheter in situ", "Parkinson's disease, Foley catheter in situ"),
    ],
)
def test_the_shipped_network_leaves_what_names_nobody(text: str, left: str) -> None:
    ner = Ner(Network(read_entry(shipped_models(), "ner")), {})
    assert cleaned(ner, text, DESCRIPTIONS) == left


@shipped
@pytest.mark.parametrize(
    "text",
    [
        "Patient Hans Müller was seen today",
        "Referred by Dr. Katarzyna Wiśniewska",
        "called Maria Gonzalez about results",
    ],
)
def test_the_shipped_network_finds_names(text: str) -> None:
    ner = Ner(Network(read_entry(shipped_models(), "ner")), {})
    assert any(span.kind is SpanKind.NAME for span in ner.find(text, COMMENTS))
    assert isinstance(ner.find(text, COMMENTS)[0], Span)


def test_a_document_is_refused_for_what_a_description_keeps(ner: Ner) -> None:
    assert found(ner, "axial of Iga", DESCRIPTIONS) == []
    with pytest.raises(Refused):
        judge_document("text/xml", b"<a>axial of Iga</a>", (), ner)
    judge_document("text/xml", b"<a>axial of Iga</a>", (), Ner(ner.network, {DESCRIPTIONS: 0.7}))

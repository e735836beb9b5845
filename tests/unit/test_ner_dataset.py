from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

import numpy as np
import pytest

from deid.text.lexicon import COMBINATIONS, Known, parse_lexicon
from deid.text.wordpiece import LONGEST, WordPiece, normal_words, read_vocabulary
from models.ner.dataset import (
    FORGOTTEN,
    FORGOTTEN_AS_NAME,
    FORGOTTEN_IDENTIFYING,
    HERE,
    IGNORED,
    LABELS,
    LEXICON,
    NAMES,
    VOCABULARY,
    Text,
    examples,
    grouped,
    is_held_out,
    labelled,
    padded,
    partly_known,
    piece_labels,
    read_labelled,
)
from models.ner.dataset import tokeniser as tokeniser_of_node
from models.ner.lexicon import held_out_names, lexicon
from models.ner.scores import Scores


@pytest.fixture(scope="module")
def tokeniser() -> WordPiece:
    return WordPiece(read_vocabulary(VOCABULARY))


def names(labels: list[int]) -> list[str]:
    return [LABELS[label] for label in labels]


def test_marks_become_spans_of_the_text_without_them() -> None:
    text = labelled("Dr. [[STAFF:Hans Müller]], born [[DATE:3 May 1951]]", "de", "phi")
    assert text.text == "Dr. Hans Müller, born 3 May 1951"
    assert [(text.text[start:end], label) for start, end, label in text.spans] == [
        ("Hans Müller", "NAME"),
        ("3 May 1951", "DATE"),
    ]


def test_escapes_are_undone_within_and_without_marks() -> None:
    text = labelled(r"a\\n\n[[ID:x\\y]] [z]", "en", "phi")
    assert text.text == "a\\n\nx\\y [z]"
    assert text.spans == ((4, 7, "ID"),)


def test_a_span_may_hold_a_bracket() -> None:
    assert labelled("[[ID:a]b]]", "en", "phi").text == "a]b"


def test_an_unknown_label_is_an_error() -> None:
    with pytest.raises(ValueError, match="no label: NOM"):
        labelled("[[NOM:Durand]]", "fr", "phi")


def test_a_file_of_labelled_strings_is_read(tmp_path: Path) -> None:
    path = tmp_path / "strings.tsv"
    path.write_text("# who wrote it\n\nen\tSeriesDescription\tplain\tT2 TSE\n", encoding="utf-8")
    assert read_labelled(path) == [Text("T2 TSE", (), "en", "plain/SeriesDescription")]


def test_a_line_with_too_few_fields_is_named(tmp_path: Path) -> None:
    path = tmp_path / "strings.tsv"
    path.write_text("en\tT2 TSE\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"strings.tsv:1: 2 fields"):
        read_labelled(path)


def test_the_first_piece_of_a_span_begins_it(tokeniser: WordPiece) -> None:
    text = labelled("for [[PATIENT:Okonkwo]][[ID:77]]", "en", "phi")
    encoding = tokeniser.encode(text.text)
    found = names(piece_labels(encoding, text.spans))
    assert found[0] == "O"
    assert found[1] == "B-NAME"
    assert found[-1] == "B-ID"
    assert set(found[2:-1]) == {"I-NAME"}


def test_a_long_text_is_cut_into_examples_that_together_have_every_piece(tokeniser: WordPiece) -> None:
    text = Text(" ".join(f"w{n} word." for n in range(150)), ((0, 2, "NAME"),))
    parts = examples(text, tokeniser)
    assert len(parts) > 1
    assert all(len(part.ids) <= LONGEST for part in parts)
    assert all(part.labels[0] == part.labels[-1] == IGNORED for part in parts)
    assert sum(len(part.ids) - 2 for part in parts) >= len(tokeniser.encode(text.text))


def test_batches_have_every_example_once_and_no_more_than_they_may(tokeniser: WordPiece) -> None:
    group = [part for n in range(1, 60) for part in examples(Text("knee " * n), tokeniser)]
    positions = grouped(group, 256)
    assert sorted(at for each in positions for at in each) == list(range(len(group)))
    for each in positions:
        batch = padded([group[at] for at in each], tokeniser.pad)
        assert batch.ids.size <= 256 or len(each) == 1
        assert np.array_equal(batch.mask.sum(axis=1), [len(group[at].ids) for at in each])
        assert (batch.labels[~batch.mask] == IGNORED).all()


def test_a_batch_says_which_texts_identify(tokeniser: WordPiece) -> None:
    texts = [Text("knee"), Text("Weber", ((0, 5, "NAME"),))]
    batch = padded([part for text in texts for part in examples(text, tokeniser)], tokeniser.pad)
    assert batch.identifying.tolist() == [0.0, 1.0]


def test_about_a_tenth_is_held_out_whatever_the_case() -> None:
    share = sum(is_held_out(f"entry {n}") for n in range(5000)) / 5000
    assert share == pytest.approx(26 / 256, abs=0.02)
    assert all(is_held_out(f"Entry {n}") == is_held_out(f"ENTRY {n}") for n in range(200))


def test_scores_want_every_letter_and_digit_but_no_punctuation() -> None:
    scores = Scores()
    text = Text("Müller, H. here", ((0, 10, "NAME"),))
    scores.add(text, [(0, 6, "NAME"), (8, 9, "NAME")])
    scores.add(text, [(0, 6, "NAME")])
    tally = scores.groups["type", "NAME"]
    assert (tally.entities, tally.covered, tally.touched) == (2, 1, 2)
    assert scores.missed == [(text, ["NAME Müller, H."])]


def test_scores_count_clean_texts_that_are_altered() -> None:
    scores = Scores()
    scores.add(Text("T2 TSE"), [(0, 2, "ID")])
    scores.add(Text("T2 TSE"), [])
    tally = scores.groups["all", ""]
    assert (tally.clean, tally.altered, tally.right) == (2, 1, 0)
    assert scores.altered[0][1] == ["ID T2"]


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    return lexicon()


def test_the_lexicons_are_what_the_lists_and_templates_hold(known: dict[str, Known]) -> None:
    assert parse_lexicon(LEXICON.read_text(encoding="utf-8")) == known
    assert parse_lexicon(NAMES.read_text(encoding="utf-8")) == held_out_names(known)


def test_held_out_names_are_in_the_other_list_alone(known: dict[str, Known]) -> None:
    others = held_out_names(known)
    lists = (HERE / "words" / "names").rglob("family.txt")
    held_out = [line for path in lists for line in path.read_text(encoding="utf-8").split("\n") if is_held_out(line)]
    single = [words[0] for line in held_out if len(words := normal_words(line)) == 1 and line.isascii()]
    listed = sum(bool(known.get(word, 0) & Known.NAME) for word in single)
    assert len(single) > 1000
    assert listed < 0.15 * len(single)  # those that another spelling or a given name brings in
    assert all((known.get(word, 0) | others.get(word, 0)) & Known.NAME for word in single if len(word) > 1)
    assert not any(known.get(word, 0) & added for word, added in others.items())


def test_a_rare_name_is_known_as_one_unless_the_word_is_known_otherwise(known: dict[str, Known]) -> None:
    with gzip.open(HERE / "words" / "names" / "census.txt.gz", "rt", encoding="ascii") as lines:
        rare = [line.strip() for line in lines]
    assert len(rare) > 190_000
    assert known["umpleby"] == Known.NAME
    assert sum(known.get(name) == Known.NAME for name in rare) > 150_000
    assert Known.NAME not in known["artery"]


def test_training_forgets_more_of_what_identifies() -> None:
    cutter = WordPiece(read_vocabulary(VOCABULARY), {"knee": Known.WORD, "weber": Known.NAME})
    text = Text("knee " * 2000 + "Weber " * 2000)
    encoding = cutter.encode(text.text)
    labels = [0] * 2000 + [1] * 2000
    known = partly_known(encoding, labels, Random(1))
    assert known == partly_known(encoding, labels, Random(1))
    assert known[:2000].count(0) / 2000 == pytest.approx(FORGOTTEN, abs=0.03)
    assert known[2000:].count(0) / 2000 == pytest.approx(FORGOTTEN_IDENTIFYING, abs=0.04)


def test_what_is_forgotten_has_the_look_of_a_word_that_nobody_knows() -> None:
    cutter = tokeniser_of_node({"baker": 5})
    known = cutter.encode("Baker").known[0] % 64
    assert known & Known.NAME
    found = set(partly_known(cutter.encode("Baker " * 200), [1] * 200, Random(1)))
    assert found == {known, known & ~Known.NAME, COMBINATIONS + 5}
    only_name = WordPiece(read_vocabulary(VOCABULARY), {"weber": Known.NAME + 64 * (1 + 5)})
    encoding = only_name.encode("Weber " * 200)
    assert set(partly_known(encoding, [1] * 200, Random(1))) == {Known.NAME, COMBINATIONS + 5}


def test_of_few_names_that_mean_something_else_only_that_is_known() -> None:
    both = Known.NAME | Known.EPONYM
    cutter = WordPiece(read_vocabulary(VOCABULARY), {"baker": both})
    encoding = cutter.encode("Baker " * 4000)
    known = partly_known(encoding, [1] * 4000, Random(1))
    assert known.count(0) / 4000 == pytest.approx(FORGOTTEN_IDENTIFYING, abs=0.03)
    assert known.count(Known.EPONYM) / 4000 == pytest.approx(FORGOTTEN_AS_NAME, abs=0.02)
    assert set(known) == {0, Known.EPONYM, both}
    assert set(partly_known(encoding, [0] * 4000, Random(1))) == {0, both}

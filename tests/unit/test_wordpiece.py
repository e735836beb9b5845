"""How texts are cut into pieces of words."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest

from deid.onnx import shipped_models
from deid.text.lexicon import Known, parse_lexicon
from deid.text.wordpiece import LONGEST_WORD, Encoding, Shape, WordPiece, normal_words, read_vocabulary

VOCABULARY = read_vocabulary(shipped_models() / "ner" / "vocab.txt")
CUTTER = WordPiece(VOCABULARY)


def pieces(text: str) -> list[str]:
    return [VOCABULARY[piece] for piece in CUTTER.encode(text).ids]


def parts(text: str) -> list[str]:
    encoding = CUTTER.encode(text)
    return [text[start:end] for start, end in zip(encoding.starts, encoding.ends, strict=True)]


def shapes(text: str) -> list[Shape]:
    return [Shape(shape) for shape in CUTTER.encode(text).shapes]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("", []),
        (" \t\r\n\0", []),
        ("The Patient", ["the", "patient"]),
        ("unaffable", ["una", "##ffa", "##ble"]),
        ("O'Brien-Ito", ["o", "'", "brien", "-", "ito"]),
        ("DOE^JANE^^DR", ["doe", "^", "jane", "^", "^", "dr"]),
        ("sag_t2_tse", ["sa", "##g", "_", "t", "2", "_", "ts", "##e"]),
        ("T2w", ["t", "2", "w"]),
        ("張三", ["張", "三"]),
        ("b1000", ["b", "10", "00"]),
    ],
)
def test_words_are_cut_as_bert_does_but_at_underscores_and_digits(text: str, cut: list[str]) -> None:
    assert pieces(text) == cut


@pytest.mark.parametrize(
    ("number", "cut"),
    [
        ("7", ["7"]),
        ("19510503", ["19", "51", "05", "03"]),
        ("1951", ["19", "51"]),
        ("1953", ["19", "53"]),
        ("123", ["12", "3"]),
        ("٣٤٥", ["34", "5"]),
        ("\uff10\uff10\uff17", ["00", "7"]),
    ],
)
def test_all_numbers_are_cut_two_digits_at_a_time(number: str, cut: list[str]) -> None:
    assert pieces(number) == cut


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Müller", "muller"),
        ("Mu\u0308ller", "muller"),
        ("İstanbul", "istanbul"),
        ("\u0131rmak", "irmak"),
        ("straße", "strasse"),
        ("œdema", "oedema"),
        ("Łódź", "lodz"),
        ("Đorđević", "dordevic"),
        ("Ørsted", "orsted"),
        ("ﬁne", "fine"),
        ("\uff23\uff34", "ct"),
        ("Mül\u200bler", "muller"),
        ("ja\u00adne", "jane"),
    ],
)
def test_letters_are_folded_to_those_of_the_vocabulary(written: str, plain: str) -> None:
    assert pieces(written) == pieces(plain)


def test_a_piece_is_where_its_letters_are_with_what_was_dropped_after_them() -> None:
    assert parts("é e\u0301\u0302, x") == ["é", "e\u0301\u0302", ",", "x"]
    assert parts("Straße 5") == ["St", "raß", "ße", "5"]
    assert parts("a\u200bb\ud800c\0d") == ["a\u200bb", "\ud800", "c", "d"]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("liver", Shape.LOWER),
        ("肝", Shape.LOWER),
        ("Liver", Shape.INITIAL_CAPITAL),
        ("Öl", Shape.INITIAL_CAPITAL),
        ("CT", Shape.CAPITALS),
        ("L", Shape.SINGLE_CAPITAL),
        ("McC", Shape.MIXED_CASE),
        ("7", Shape.DIGITS),
        (",", Shape.OTHER),
        ("\ud800", Shape.OTHER),
    ],
)
def test_a_piece_knows_how_its_word_is_written(text: str, shape: Shape) -> None:
    assert set(shapes(text)) == {shape}


def test_what_is_glued_to_its_word_says_so() -> None:
    assert shapes("1234") == [Shape.DIGITS, Shape.DIGITS_GLUED]
    assert shapes("12 34") == [Shape.DIGITS, Shape.DIGITS]
    glued = Shape.DIGITS_AND_LETTERS_GLUED
    assert shapes("T2w") == [Shape.DIGITS_AND_LETTERS, glued, glued]
    assert pieces("2brain7") == ["2", "brain", "7"]


def test_pieces_of_one_word_have_its_number() -> None:
    assert CUTTER.encode("A-44821 x").words == [0, 1, 2, 2, 2, 3]


def test_an_unknown_letter_takes_none_of_its_word_with_it() -> None:
    assert pieces("ab\u0e44c") == ["ab", "[UNK]", "##c"]


def test_a_word_without_end_is_few_unknown_pieces() -> None:
    encoding = CUTTER.encode("x" * 10 * LONGEST_WORD + " 1" + "9" * 10 * LONGEST_WORD)
    assert set(encoding.ids) == {CUTTER.unknown}
    assert len(encoding) == 21
    assert encoding.words == [0] * 10 + [1] * 11


def test_pieces_ascend_and_cover_all_that_is_written() -> None:
    text = "Dr. Hans Müller-Lüdenscheidt (geb. 03.05.1951), Straße 5; MRN:A-44821\n張三 σε Ελλάδα ไทย हिन्दी"
    encoding: Encoding = CUTTER.encode(text)
    ranges = list(zip(encoding.starts, encoding.ends, strict=True))
    covered = {index for start, end in ranges for index in range(start, end)}

    assert all(start < end for start, end in ranges)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(ranges))
    assert {index for index, char in enumerate(text) if not char.isspace()} <= covered
    assert all(one <= other <= one + 1 for one, other in pairwise(encoding.words))


def test_a_vocabulary_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="00"):
        WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *string.digits])


def test_the_vocabulary_is_the_one_whose_licence_is_noted() -> None:
    assert len(VOCABULARY) == 30_522
    assert (CUTTER.pad, CUTTER.unknown, CUTTER.first, CUTTER.last) == (0, 100, 101, 102)


def test_what_is_known_of_a_word_is_said_of_each_of_its_pieces() -> None:
    cutter = WordPiece(VOCABULARY, {"muller": Known.NAME, "knee": Known.WORD, "t": Known.WORD})
    encoding = cutter.encode("M\u00dcLLER's knee_t2 xyz")
    by_word = dict(zip(_texts("M\u00dcLLER's knee_t2 xyz", encoding), encoding.known, strict=True))
    assert {known for text, known in by_word.items() if text.casefold() in "m\u00fcller"} == {Known.NAME}
    assert by_word["knee"] == by_word["t"] == Known.WORD
    assert by_word["2"] == Known.NOTHING
    assert encoding.known[-1] == Known.NOTHING


def _texts(text: str, encoding: Encoding) -> list[str]:
    return [text[start:end] for start, end in zip(encoding.starts, encoding.ends, strict=True)]


@pytest.mark.parametrize("text", ["muller", "muller x", "muller 16", "\n", "muller 4 4"])
def test_a_lexicon_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line 1 of the lexicon"):
        parse_lexicon(text)


def test_words_are_looked_up_as_they_are_cut() -> None:
    assert normal_words("M\u00fcller-O'Brien_t2 \u0141\u00f3d\u017a 12") == ["muller", "o", "brien", "t", "lodz"]

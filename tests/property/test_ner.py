"""Whatever a text is: it is cut into pieces that lie within it, read in bounded windows, and nothing crashes."""

from __future__ import annotations

import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.onnx import read_entry, shipped_models
from deid.text import TextRules, clean_text
from deid.text.ner import Ner
from deid.text.network import Network
from deid.text.windows import ROOM, windows
from deid.text.wordpiece import WordPiece, read_vocabulary
from deid.texts import TextClass
from tests.tiny_network import write_models

MEGABYTE = 1 << 20
CLASSES = st.sampled_from(list(TextClass))
ANY = st.text(st.characters(), max_size=400)  # surrogates, controls and unassigned code points too
SCRIPTS = st.text(
    st.sampled_from(
        [
            *"Anna Kowalska, 12.03.2019 ^_-'\u2019.:/@()\n\t\0\x1b",
            *"\u0300\u200b\u200f\u202e\u2066\ud800\U0001f468\u200d\ufeff",
            *"אבגשלוםاسمמריםমাহিन्दीไทยΕλλάδαМосква張三李四가나다ひらがなカタカナ",
            *"ßœøłıİđæþŋﬁǅ½²٣०㎏",
        ]
    ),
    max_size=300,
)
TEXTS = st.one_of(ANY, SCRIPTS)


@cache
def cutter() -> WordPiece:
    return WordPiece(read_vocabulary(shipped_models() / "ner" / "vocab.txt"))


@cache
def ner() -> Ner:
    with TemporaryDirectory() as folder:
        knows = {"anna": ("B-NAME", 0.9), "kowalska": ("I-NAME", 0.4), "a": ("B-DATE", 0.35), "s": ("I-AGE", 0.8)}
        return Ner(Network(read_entry(write_models(Path(folder), knows, digits=("B-ID", 0.7)), "ner")), {})


@given(TEXTS)
def test_pieces_lie_in_the_text_in_order(text: str) -> None:
    encoding = cutter().encode(text)
    ranges = list(zip(encoding.starts, encoding.ends, strict=True))

    assert len(encoding.ids) == len(encoding.shapes) == len(encoding.words) == len(ranges)
    assert all(0 <= start < end <= len(text) for start, end in ranges)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(ranges))
    assert all(one <= other <= one + 1 for one, other in pairwise(encoding.words))
    assert len(encoding) <= 20 * len(text)
    covered = {index for start, end in ranges for index in range(start, end)}
    assert all(index in covered for index, char in enumerate(text) if char.isalnum())


@given(TEXTS)
def test_case_and_marks_make_no_other_pieces_of_latin_words(text: str) -> None:
    plain = "".join(char for char in text if char.isascii())
    assert cutter().encode(plain.upper()).ids == cutter().encode(plain.lower()).ids


@given(st.lists(TEXTS, max_size=8).map(" ".join), st.integers(1, 40))
def test_windows_decide_about_each_piece_once(text: str, times: int) -> None:
    text *= times
    encoding = cutter().encode(text)
    found = windows(text, encoding)

    assert [found[0].first, *(each.last for each in found)] == [0, *(each.first for each in found[1:]), len(encoding)]
    assert all(each.end - each.start <= ROOM and each.start <= each.first <= each.last <= each.end for each in found)


@given(TEXTS, CLASSES)
def test_spans_lie_in_the_text_in_order_and_begin_and_end_with_what_is_meant(text: str, where: TextClass) -> None:
    spans = ner().find(text, where)

    assert all(one.end <= other.start for one, other in pairwise(spans))
    for span in spans:
        part = text[span.start : span.end]
        assert part
        assert any(char.isalnum() for char in part)
        assert 0.05 <= (span.confidence or 0.0) <= 1


@given(TEXTS, CLASSES)
@settings(deadline=None)
def test_a_text_is_cleaned_or_comes_back_as_it_was(text: str, where: TextClass) -> None:
    rules = TextRules((), ("20190312",), lambda _: "2.25.7", -7, ner=ner())
    cleaned = clean_text(text, rules, where)

    assert cleaned.spans or cleaned.text is text
    assert clean_text(text, rules, where) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "x" * MEGABYTE,
        "Anna " * (MEGABYTE // 5),
        "é" * MEGABYTE,
        "1a" * (MEGABYTE // 2),
        "\x00\x1b" * (MEGABYTE // 2),
        "\u202eא " * (MEGABYTE // 3),
        "e\u0301" * (MEGABYTE // 2),
        "anna-" * (MEGABYTE // 5),
        "'" * MEGABYTE,
        "張" * (MEGABYTE // 3),
        "Anna 3 May 2019 " * (MEGABYTE // 64),
    ],
    ids=[
        "letters",
        "words",
        "marked",
        "mixed",
        "controls",
        "mirrored",
        "composed",
        "glued",
        "quotes",
        "ideographs",
        "dates",
    ],
)
def test_a_megabyte_is_read_in_bounded_time(text: str) -> None:
    began = time.process_time()
    clean_text(text, TextRules((), (), str, None, ner=ner()))
    assert time.process_time() - began < 60


@pytest.mark.timeout(30)
def test_all_of_unicode_is_cut() -> None:
    everything = "".join(map(chr, range(0, sys.maxunicode + 1, 3)))
    encoding = cutter().encode(everything)
    assert encoding.ends[-1] <= len(everything)

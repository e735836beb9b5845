"""What words look like that no lexicon knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.text.letters import LOOKS, UNIT, WEIGHTS, Letters, degree, norm, places_of
from deid.text.lexicon import COMBINATIONS, Known
from deid.text.wordpiece import WordPiece, normal_words, read_vocabulary
from models.ner.dataset import HERE, LETTERS, VOCABULARY, is_held_out, tokeniser
from models.ner.letters import Learnt, looks

SHIPPED = Letters(LETTERS.read_bytes())


def test_other_than_so_many_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="instead of 131072"):
        Letters(bytes(WEIGHTS - 1))


@given(st.text())
def test_every_text_has_a_look(text: str) -> None:
    assert 0 <= SHIPPED.look(text) < LOOKS


def test_a_look_is_the_sum_of_its_runs() -> None:
    weights = bytearray(WEIGHTS)
    places = list(places_of("oko"))
    assert len(places) == 4 + 3 + 2 + 1
    weights[places[0]] = 100
    assert Letters(bytes(weights)).look("oko") == degree(100 * UNIT / norm(10))


def test_degrees_rise_with_the_odds() -> None:
    assert [degree(odds) for odds in (-9, -2, -1, -0.5, 0.5, 1, 2, 9)] == list(range(LOOKS))


def test_names_that_were_never_learnt_look_more_like_names_than_words_do() -> None:
    lists = (HERE / "words" / "names").rglob("family.txt")
    held_out = [line for path in lists for line in path.read_text(encoding="utf-8").split("\n") if is_held_out(line)]
    names = [words[0] for line in held_out if len(words := normal_words(line)) == 1]
    clinical = "spondylodiscitis sialadenitis retroperitonealt nerkowych pielonefrite coxartrose hysterosalpingografie"
    assert len(names) > 1000
    assert sum(SHIPPED.look(name) >= LOOKS // 2 for name in names) / len(names) > 0.75
    assert all(SHIPPED.look(word) < LOOKS // 2 for word in clinical.split())


def test_the_look_is_told_of_words_that_nothing_else_is_known_of() -> None:
    cutter = WordPiece(read_vocabulary(VOCABULARY), {"knee": Known.WORD}, SHIPPED)
    assert cutter.encode("knee").known == [Known.WORD]
    assert set(cutter.encode("Kowalewicz").known) == {COMBINATIONS + SHIPPED.look("kowalewicz")}
    assert cutter.encode("xy 12").known == [0, 0, 0][: len(cutter.encode("xy 12"))]


def test_looks_come_from_the_other_words() -> None:
    lexicon = {
        f"{name}ski": int(Known.NAME) for name in ("kowal", "wisniew", "lewandow", "zielin", "szyman", "wozniak")
    }
    lexicon |= {f"{word}itis": int(Known.WORD) for word in ("arthr", "gastr", "col", "nephr", "hepat", "appendic")}
    lexicon |= {"ab": int(Known.WORD), "wilson": int(Known.EPONYM)}
    found = looks(lexicon)
    assert set(found) == set(lexicon) - {"ab"}
    assert looks(lexicon) == found
    assert sorted(Learnt.of(lexicon).words) == sorted(set(lexicon) - {"ab", "wilson"})
    assert min(found[word] for word in lexicon if word.endswith("ski")) > max(
        found[word] for word in lexicon if word.endswith("itis")
    )


def test_texts_are_read_alike_in_training_and_by_the_node() -> None:
    node, training = tokeniser(), tokeniser({"knee": 3})
    text = "Knee of Kowalewicz"
    assert [each % 64 for each in training.encode(text).known] == node.encode(text).known

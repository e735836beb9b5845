from __future__ import annotations

import pytest

from deid.vocabulary import is_common, is_surname_too, is_vocabulary


@pytest.mark.parametrize(
    "word",
    [
        "Thorax",
        "THORAX",
        "lungs",
        "Schädel",
        "Schaedel",
        "crâne",
        "craneo",
        "ginocchio",
        "joelho",
        "hersenen",
        "kręgosłupa",
        "hjärna",
        "akciğer",
        "Parkinson",
        "HODGKIN",
        "Foley",
        "Whipple",
        "Siemens",
        "FLAIR",
        "MPRAGE",
        "AbdPelRoutine",
        "head-neck",
        "kontrastl\u0131",
    ],
)
def test_words_of_medicine_in_ten_languages_are_vocabulary(word: str) -> None:
    assert is_vocabulary(word)


@pytest.mark.parametrize("word", ["Okonkwo", "Strange", "Dupont", "Kowalska", "Y\u0131lmaz", "Xq"])
def test_names_are_not(word: str) -> None:
    assert not is_vocabulary(word)


def test_an_eponym_is_no_common_word_since_it_is_a_name() -> None:
    assert is_vocabulary("Crohn")
    assert not is_common("Crohn")


def test_common_words_that_are_surnames_are_known() -> None:
    assert is_common("White")
    assert is_surname_too("White")
    assert not is_surname_too("chest")

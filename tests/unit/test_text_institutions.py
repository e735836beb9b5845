"""Hospitals and insurers that a list knows by name."""

from __future__ import annotations

import re

import pytest

from deid.text.institutions import first_words, institution_at
from deid.vocabulary import institutions, is_common, is_eponym

_WORD = re.compile(r"[^\W\d_]+")


def named(text: str) -> list[str]:
    words = (word for word in _WORD.finditer(text) if word.group().casefold() in first_words())
    return [text[start:end] for word in words for start, end in institution_at(text, word)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("films from Addenbrooke's ok", ["Addenbrooke's"]),
        ("CT outside ADVOCATE CHRIST", ["ADVOCATE CHRIST"]),
        ("Vall d\u2019Hebron, Vall-d-Hebron", ["Vall d\u2019Hebron", "Vall-d-Hebron"]),
        ("MRT Charit\u00e9, CHARITE", ["Charit\u00e9", "CHARITE"]),
        ("Sirio-Libanes previo", ["Sirio-Libanes"]),
        ("suivi CHUV, MGH_brain", ["CHUV", "MGH"]),
        ("Kaiser Permanente", ["Kaiser Permanente"]),
        ("kaiser permanente, la charit\u00e9, mgh, Mgh", []),
        ("Advocate, Christ; Vall dHebron; Kaiser Permanentes", []),
        ("UCSF criteria, UCSF-PDGM, Cleveland Clinic incontinence score 4", []),
    ],
)
def test_an_institution_is_known_by_name(text: str, names: list[str]) -> None:
    assert named(text) == names


def test_no_name_of_an_institution_is_a_word_of_medicine_or_every_day() -> None:
    single = {name for name in institutions(abbreviated=False) if "_" not in name}
    assert single
    assert not {name for name in single if is_common(name) or is_eponym(name)}
    assert not {name for name in institutions(abbreviated=True) if is_common(name)}

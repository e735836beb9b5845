"""What belongs to a name or a place that was found."""

from __future__ import annotations

from itertools import pairwise

import pytest

from deid.text.spans import Span, SpanKind
from deid.text.whole import whole


def grown(text: str, *names: str, kind: SpanKind = SpanKind.PLACE) -> list[str]:
    """Return what becomes of `names` in a text."""
    spans = [Span(start, start + len(name), kind, "ner", 0.9) for name in names for start in (text.index(name),)]
    found = list(whole(text, spans))
    assert all(one.end <= other.start for one, other in pairwise(found))
    return [text[span.start : span.end] for span in found]


@pytest.mark.parametrize(
    ("text", "place", "all_of_it"),
    [
        ("Mappe suchen, Spital Wendel, Tel.", "Wendel", "Spital Wendel"),
        ("punção por falcão, ala Vilela", "Vilela", "ala Vilela"),
        ("AFD. C4 BELT", "C4", "AFD. C4"),
        ("copy Dr. Heachadha & Partners", "Heachadha & Partners", "Dr. Heachadha & Partners"),
        ("MR Wendel, PAN Wendel", "Wendel", "Wendel"),
        ("yönlendirdi, 4 numaral\u0131 oda.", "4 numaral\u0131", "4 numaral\u0131 oda"),
        ("via Poole Infirmary", "Poole", "Poole Infirmary"),
        ("hospital-Wendel", "Wendel", "Wendel"),
        ("ward, Wendel", "Wendel", "Wendel"),
        ("Wendel, Hospital", "Wendel", "Wendel"),
        ("Wendel hospital-wide", "Wendel", "Wendel"),
        ("Wendel,E  00418837", "Wendel", "Wendel,E"),
        ("Wendel, E 3.5, Wendel,Ei", "Wendel", "Wendel"),
        ("moved to Wendel today", "Wendel", "Wendel"),
    ],
)
def test_the_word_of_a_place_goes_with_it(text: str, place: str, all_of_it: str) -> None:
    assert grown(text, place) == [all_of_it]


@pytest.mark.parametrize(
    ("text", "name", "all_of_it"),
    [
        ("dr maurício lobato sobrinho, 58 anos", "maurício lobato", "maurício lobato sobrinho"),
        ("OTTO SILVA FILHO DX", "OTTO SILVA", "OTTO SILVA FILHO"),
        ("Luis Polo Hijo era", "Luis Polo", "Luis Polo Hijo"),
        ("vive con Ana hijo de 3 años", "Ana", "Ana"),
        ("ala dautović ", "dautović", "ala dautović"),
        ("hospital Wendel", "Wendel", "Wendel"),
        ("O'Shea Colm P   558", "O'Shea Colm", "O'Shea Colm P"),
        ("Capuana V. Schistosoma", "Capuana", "Capuana V."),
        ("by Capuana R. T., ok", "Capuana", "Capuana R. T."),
        ("DOE^JANE N^", "DOE^JANE", "DOE^JANE N"),
        ("Okonkwo L knee", "Okonkwo", "Okonkwo"),
        ("Okonkwo, F, 45", "Okonkwo", "Okonkwo"),
        ("Okonkwo c, ok", "Okonkwo", "Okonkwo"),
        ("Okonkwo A. femoralis", "Okonkwo", "Okonkwo"),
        ("Okonkwo B 3 cm", "Okonkwo", "Okonkwo"),
    ],
)
def test_initials_and_what_tells_a_son_from_his_father_go_with_a_name(text: str, name: str, all_of_it: str) -> None:
    assert grown(text, name, kind=SpanKind.NAME) == [all_of_it]


def test_a_word_between_two_goes_with_one_of_them() -> None:
    assert grown("Poole Hospital Wendel", "Poole", "Wendel") == ["Poole Hospital", "Wendel"]
    assert grown("Klinik Poole", "Klinik", "Poole") == ["Klinik", "Poole"]


def test_what_is_no_name_stays_as_it_is() -> None:
    assert grown("MRN 12345678 hospital", "12345678", kind=SpanKind.ID) == ["12345678"]
    assert grown("ward 3/2019", "3/2019", kind=SpanKind.DATE) == ["3/2019"]


def test_a_number_behind_the_word_of_a_room_goes_with_it() -> None:
    assert grown("akkoord, kmr 393", "393", kind=SpanKind.CONTACT) == ["kmr 393"]


def test_the_partners_of_one_institution_are_one() -> None:
    one = ["Redlands and Burnley Hospitals"]
    assert grown("at Redlands and Burnley Hospitals", "Redlands", "Burnley Hospitals") == one
    assert grown("Maatschap Keoghan en Yiğit 5", "Maatschap Keoghan", "Yiğit") == ["Maatschap Keoghan en Yiğit"]
    assert grown("from Redlands and Burnley", "Redlands", "Burnley") == ["Redlands", "Burnley"]
    assert grown("Redlands and Burnley Hospitals", "Redlands", "Burnley Hospitals", kind=SpanKind.NAME) != one

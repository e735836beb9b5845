from __future__ import annotations

import base64
import pickle

import pytest

from deid.needles import Kind, Needles, first_in, first_in_bytes, make_date_needle, words


def lies(kind: Kind, identifier: str, text: str, codec: str = "utf-8") -> bool:
    """Look the way the engine does: first the probes in the bytes, then the words."""
    needles = Needles()
    needles.add(kind, identifier, (codec,))
    candidates = needles.possible_in(text.encode(codec).lower())
    return first_in(candidates, text) is not None


@pytest.mark.parametrize(
    "text",
    ["Müller", "pat. MÜLLER, chest", "müller^hans", "MÜLLER_HANS", "x MÜLLER2 y", "(Müller)"],
)
@pytest.mark.parametrize("codec", ["utf-8", "latin-1"])
def test_name_part_is_found_as_a_word_in_any_case(text: str, codec: str) -> None:
    assert lies(Kind.NAME_PART, "Müller", text, codec)


@pytest.mark.parametrize("text", ["Müllerian duct", "planning", ""])
def test_name_part_is_not_found_inside_a_longer_word(text: str) -> None:
    assert not lies(Kind.NAME_PART, "Müller", text)
    assert not lies(Kind.NAME_PART, "lan", text)


@pytest.mark.parametrize("text", ["li do", "LI^DO", "Li,  Do", "li-do", "study of li_do."])
def test_short_parts_are_found_when_they_stand_together(text: str) -> None:
    assert lies(Kind.NAME, "Li Do", text)


def test_short_parts_apart_are_not_a_name() -> None:
    assert not lies(Kind.NAME, "Li Do", "li and do")


@pytest.mark.parametrize("text", ["MRN 123456", "mrn123456", "A-123456/7", "123456"])
def test_code_is_found_beside_letters_and_punctuation(text: str) -> None:
    assert lies(Kind.CODE, "123456", text)


@pytest.mark.parametrize("text", ["1234567", "0123456"])
def test_code_is_not_found_inside_a_longer_number(text: str) -> None:
    assert not lies(Kind.CODE, "123456", text)


@pytest.mark.parametrize("text", ["AB-12/9", "ab 12 9", "AB12-9"])
def test_code_of_several_parts_is_found_with_other_separators(text: str) -> None:
    assert lies(Kind.CODE, "AB-12-9", text)


@pytest.mark.parametrize("text", ["1.2.3.4", "uid=1.2.3.4, next", "1.2.3.4\\5.6.7.8"])
def test_uid_is_found_whole(text: str) -> None:
    assert lies(Kind.UID, "1.2.3.4", text)


@pytest.mark.parametrize("text", ["1.2.3.45", "11.2.3.4", "9.1.2.3.4"])
def test_uid_is_not_found_inside_another(text: str) -> None:
    assert not lies(Kind.UID, "1.2.3.4", text)


def test_name_in_a_script_without_spaces_is_found_inside_a_run() -> None:
    assert lies(Kind.NAME_PART, "山田", "患者山田太郎様")


def test_name_is_found_in_iso_2022_bytes() -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "山田", ("iso2022_jp_2",))

    assert needles.possible_in("撮影 山田".encode("iso2022_jp_2").lower())


def test_words_split_letters_from_digits() -> None:
    assert words("MRN:00123-Smith_J") == "mrn 00123 smith j"


def test_needles_show_and_pickle_nothing() -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "Doe", ())

    assert "oe" not in repr(needles)
    assert "oe" not in repr(next(iter(needles)))
    with pytest.raises(TypeError):
        pickle.dumps(needles)


def test_a_date_is_found_only_beside_its_year() -> None:
    needles = Needles()
    needles.update([make_date_needle("5 March 1950", "March", "1950")])

    assert first_in(needles.possible_in(b"since 5-MARCH-1950"), "since 5-MARCH-1950") is not None
    assert not needles.possible_in(b"since 5 March 1951")


def test_a_name_is_found_in_encodings_that_nobody_declared() -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "Иванов", ("iso8859_5",))

    for codec in ("utf-8", "iso8859_5", "utf-16-le", "utf-16-be"):
        assert needles.possible_in("снимок Иванов".encode(codec))


def test_a_place_is_found_in_bytes_that_are_no_text() -> None:
    needles = Needles()
    needles.add(Kind.PHRASE, "Ward East")

    assert first_in_bytes(list(needles), b"\0\1Ward  EAST\0") is not None
    assert first_in_bytes(list(needles), b"Ward Eastern") is None
    assert first_in_bytes(list(needles), b"East Ward") is None


def test_the_number_of_an_id_is_found_in_disguise_whatever_became_of_its_letters() -> None:
    needles = Needles()
    needles.add(Kind.CODE, "4471902X")

    assert first_in_bytes(list(needles), base64.b64encode(b"zz4471902X")) is not None
    assert first_in_bytes(list(needles), "\1 4471902X".encode("utf-16-le")) is not None

from __future__ import annotations

import pytest

from deid.encoding.element import DataSet, Element
from deid.identifiers import harvest
from deid.needles import Kind


def forms(vr: str, value: bytes, tag: int = 0x0010_0010, charset: tuple[str, ...] = ()) -> set[tuple[Kind, str]]:
    data_set = DataSet({tag: Element(tag, vr, value)}, charset)
    found = harvest(data_set, lambda tag, vr, parent: False)
    return {(needle.kind, needle.words) for needle in found.needles}


def test_every_part_and_every_joined_pair_of_a_name_is_looked_for() -> None:
    found = forms("PN", b"Doe^Jane^Mary")

    assert {(Kind.NAME_PART, part) for part in ("doe", "jane", "mary")} <= found
    assert {(Kind.NAME, pair) for pair in ("janedoe", "doejane", "maryjane")} <= found


def test_short_parts_are_looked_for_together_only() -> None:
    found = forms("PN", b"Li^Do")

    assert (Kind.NAME, "li do") in found
    assert (Kind.NAME, "do li") in found
    assert not [kind for kind, _ in found if kind is Kind.NAME_PART]


def test_all_three_component_groups_are_looked_for() -> None:
    value = "Yamada^Tarou=山田^太郎=やまだ^たろう".encode()
    found = forms("PN", value, charset=("ISO_IR 192",))

    assert {(Kind.NAME_PART, part) for part in ("yamada", "山田", "太郎", "やまだ")} <= found


@pytest.mark.parametrize("value", [b"Dr^^^^MD", b"Anonymous", b"UNKNOWN^PATIENT", b"^^^^", b"123^456"])
def test_titles_numbers_and_empty_names_are_not_identifiers(value: bytes) -> None:
    assert not [form for kind, form in forms("PN", value) if kind is Kind.NAME_PART]


def test_dates_are_looked_for_as_people_write_them() -> None:
    found = forms("DA", b"19311224", tag=0x0010_0030)

    assert {(Kind.DATE, "1931 12 24"), (Kind.DATE, "24 12 1931"), (Kind.DATE, "12 24 1931")} <= found


def test_uids_of_the_standard_are_not_identifiers() -> None:
    assert forms("UI", b"1.2.840.10008.5.1.4.1.1.2\0", tag=0x0008_0016) == set()
    assert forms("UI", b"1.2.276.4.5\\1.2.840.10008.1.2", tag=0x0008_0018) == {(Kind.UID, "1.2.276.4.5")}


def test_short_codes_are_not_looked_for() -> None:
    assert forms("LO", b"7", tag=0x0010_0020) == set()
    assert forms("LO", b"A-4711", tag=0x0010_0020) == {(Kind.CODE, "a 4711")}


def test_identifiers_are_found_at_every_depth_and_in_private_elements() -> None:
    inner = DataSet({0x0009_1001: Element(0x0009_1001, "PN", b"Smithers^Waylon")})
    outer = DataSet({0x0040_0275: Element(0x0040_0275, "SQ", [inner])})
    found = harvest(outer, lambda tag, vr, parent: False)

    assert "smithers" in {needle.words for needle in found.needles}


def test_identifiers_do_not_show_in_a_repr() -> None:
    data_set = DataSet({0x0010_0010: Element(0x0010_0010, "PN", b"Doe^Jane")})
    found = harvest(data_set, lambda tag, vr, parent: False)

    assert "oe" not in repr(found) + repr(found.needles) + "".join(map(repr, found.needles))


@pytest.mark.parametrize("written", ["5 march 1931", "05 mar 1931", "mar 05 1931", "march 5 1931", "1931 mar 5"])
def test_dates_are_looked_for_with_the_names_of_months(written: str) -> None:
    assert (Kind.DATE, written) in forms("DA", b"19310305", tag=0x0010_0030)


def test_ids_are_looked_for_without_their_punctuation() -> None:
    found = forms("LO", b"471-11-0815", tag=0x0010_0020)

    assert {(Kind.CODE, "471 11 0815"), (Kind.CODE, "471110815")} <= found
    assert (Kind.PHRASE, "st 4 mary") in forms("LO", b"St. 4 Mary", tag=0x0008_0080)


@pytest.mark.parametrize("tag", [0x0018_700A, 0x0010_1050, 0x0040_0512, 0x0040_0551, 0x0012_0040, 0x3008_0105])
def test_ids_of_parts_and_specimens_are_looked_for(tag: int) -> None:
    assert (Kind.CODE, "x 4711") in forms("LO", b"X-4711", tag=tag)


def test_a_machines_id_without_a_digit_is_a_word_and_not_looked_for() -> None:
    assert forms("SH", b"DETECTOR", tag=0x0018_700A) == set()


def test_a_mislabelled_name_is_looked_for_as_what_it_is_too() -> None:
    found = forms("PN", "Иванов^Пётр".encode(), charset=("ISO_IR 100",))

    assert {(Kind.NAME_PART, "иванов"), (Kind.NAME_PART, "пётр")} <= found


STATION_NAME, SCHEDULED_STATION_NAME, PATIENT_ID = 0x0008_1010, 0x0040_0010, 0x0010_0020


def test_a_station_that_may_stay_is_not_looked_for_where_its_name_is_repeated() -> None:
    values = {STATION_NAME: b"OSTCT02", PATIENT_ID: b"OSTCT02", SCHEDULED_STATION_NAME: b"OSTCT02"}
    elements = {tag: Element(tag, "SH", value) for tag, value in sorted(values.items())}

    def looked_for(*tags: int, stays: bool) -> set[str]:
        data_set = DataSet({tag: elements[tag] for tag in sorted(tags)})
        found = harvest(data_set, lambda tag, vr, parent: stays and tag == STATION_NAME)
        return {needle.words for needle in found.needles}

    assert looked_for(STATION_NAME, SCHEDULED_STATION_NAME, stays=True) == set()
    assert looked_for(STATION_NAME, SCHEDULED_STATION_NAME, stays=False) == {"ostct 02"}
    assert looked_for(STATION_NAME, PATIENT_ID, stays=True) == {"ostct 02"}


def test_what_another_script_looks_like_in_latin_letters_is_no_name() -> None:
    assert not [form for kind, form in forms("PN", b"B0M^86^3ED") if kind is Kind.NAME_PART]
    assert (Kind.NAME_PART, "smith 2") in forms("PN", b"Smith2^Ann")


@pytest.mark.parametrize("vr", ["LT", "LO", "UT", "CS"])
def test_a_name_a_uid_or_a_date_is_one_whatever_vr_it_is_sent_with(vr: str) -> None:
    assert (Kind.NAME_PART, "doe") in forms(vr, b"Doe^Jane", tag=0x0070_0084)
    assert (Kind.UID, "1.2.3.4.5") in forms(vr, b"1.2.3.4.5", tag=0x0020_000D)
    data_set = DataSet({0x0008_0020: Element(0x0008_0020, vr, b"20190226")})
    assert harvest(data_set, lambda tag, vr, parent: False).dates == {"20190226"}
    assert not forms(vr, b"Doe^Jane", tag=0x0018_1030)


@pytest.mark.parametrize("vr", ["UI", "DA", "DT"])
def test_a_name_is_one_even_with_a_vr_that_says_another_thing(vr: str) -> None:
    assert (Kind.NAME_PART, "doe") in forms(vr, b"Doe^Jane", tag=0x0070_0084)
    assert (Kind.UID, "1.2.3.4.5") in forms("PN", b"1.2.3.4.5", tag=0x0020_000D)


@pytest.mark.parametrize("name", [b"Quorvandel\xdeZybrithane", b"QUORVANDEL\xe9^Zybrithane"])
@pytest.mark.parametrize("charset", [("ISO_IR 100",), ("GB18030",), ("ISO_IR 192",)])
def test_a_broken_byte_in_a_name_leaves_its_long_words_to_look_for(name: bytes, charset: tuple[str, ...]) -> None:
    parts = {(Kind.NAME_PART, "quorvandel"), (Kind.NAME_PART, "zybrithane")}
    assert parts <= forms("PN", name, charset=charset)
    assert (Kind.NAME_PART, "patient") not in forms("PN", b"Patient\xdeZybrithane", charset=charset)

"""What counts as a finding in the meaning of a code."""

from __future__ import annotations

import pytest

from deid.encoding.element import DataSet, Element
from deid.needles import Kind, Needle, make_needle
from deid.search import finding_in

MEANING = 0x0008_0104


def _found(meaning: bytes, scheme: bytes = b"SCT") -> Needle | None:
    parts = [make_needle(Kind.NAME_PART, name, ()) for name in ("Head", "Neck", "Quorvandel")]
    needles = [*parts, make_needle(Kind.CODE, "MRN774109", ())]
    element = Element(MEANING, "LO", meaning)
    item = DataSet({0x0008_0102: Element(0x0008_0102, "SH", scheme), MEANING: element})
    return finding_in([needle for needle in needles if needle is not None], element, item)


@pytest.mark.parametrize("meaning", [b"Head", b"Structure of head", b"Thorax"])
def test_one_part_of_a_name_in_the_meaning_of_a_public_code_is_a_word_like_others(meaning: bytes) -> None:
    assert _found(meaning) is None


@pytest.mark.parametrize("meaning", [b"Thorax QUORVANDEL NECK", b"Neck of Head", b"Thorax MRN774109"])
def test_two_parts_of_names_or_an_id_in_it_are_a_finding(meaning: bytes) -> None:
    assert _found(meaning) is not None


def test_a_part_of_a_name_that_is_no_word_of_a_vocabulary_is_a_finding_in_a_meaning() -> None:
    assert _found(b"Thorax QUORVANDEL") is not None


@pytest.mark.parametrize("text", [b"\xff\xfe\xfdQUORVANDEL", b"t1_se QUORVANDEL\xff\xff\xff"])
def test_broken_bytes_beside_a_name_make_no_other_word_of_it(text: bytes) -> None:
    needle = make_needle(Kind.NAME_PART, "Quorvandel", ())
    latin = DataSet(charset=("ISO_IR 100",))
    assert needle is not None
    assert finding_in([needle], Element(0x0018_1030, "LO", text), latin) is needle
    assert finding_in([needle], Element(0x0018_1030, "LO", b"QUORVANDELLA"), latin) is None


def test_in_the_meaning_of_a_code_of_ones_own_one_part_is_enough() -> None:
    assert _found(b"Head", b"99OST") is not None

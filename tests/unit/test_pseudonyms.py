from __future__ import annotations

from deid.elements.pseudonyms import patient_of
from deid.encoding.element import DataSet, Element

KEY = b"k" * 32


def pseudonym(**values: str) -> str:
    tags = {
        "patient_id": 0x0010_0020,
        "issuer": 0x0010_0021,
        "name": 0x0010_0010,
        "birth_date": 0x0010_0030,
        "study": 0x0020_000D,
    }
    elements = {tags[name]: Element(tags[name], "LO", value.encode()) for name, value in values.items()}
    return patient_of(DataSet(elements), KEY).pseudonym


def test_same_patient_id_has_the_same_pseudonym_whatever_the_name() -> None:
    assert pseudonym(patient_id="4711", name="Doe^Jane") == pseudonym(patient_id="4711 ", name="DOE^J")


def test_a_device_that_sends_no_issuer_does_not_split_the_patient() -> None:
    assert pseudonym(patient_id="4711", issuer="North") == pseudonym(patient_id="4711")


def test_without_an_id_name_and_birth_date_tell_patients_apart() -> None:
    assert pseudonym(name="Doe^Jane", birth_date="19700101") == pseudonym(name="DOE^JANE", birth_date="19700101")
    assert pseudonym(name="Doe^Jane", birth_date="19700101") != pseudonym(name="Doe^Jane", birth_date="19700102")


def test_without_any_identity_the_study_is_the_patient() -> None:
    assert pseudonym(name="^^", study="1.2.3") == pseudonym(study="1.2.3")
    assert pseudonym(study="1.2.3") != pseudonym(study="1.2.4")


def test_an_id_and_a_name_of_the_same_letters_are_not_the_same_patient() -> None:
    assert pseudonym(patient_id="doe") != pseudonym(name="doe")


def test_pseudonym_depends_on_the_key_and_fits_the_vr() -> None:
    one = patient_of(DataSet({0x0010_0020: Element(0x0010_0020, "LO", b"4711")}), KEY)
    other = patient_of(DataSet({0x0010_0020: Element(0x0010_0020, "LO", b"4711")}), b"x" * 32)

    assert one.pseudonym != other.pseudonym
    assert len(one.pseudonym) <= 64
    assert one.pseudonym.isascii()

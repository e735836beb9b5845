from __future__ import annotations

import pytest
from pydicom.uid import UID, UID_dictionary

from deid.elements.uids import is_well_known, map_ui_value, map_uid, new_uid
from deid.standard import known_sop_classes

KEY = b"k" * 32


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
        "1.2.840.10008.2.16.4",  # DCM coding scheme
        "1.2.840.10008.6.1.1500",  # a context group younger than the dictionary
        "1.2.840.10008.1.4.1.1",  # Talairach frame of reference
    ],
)
def test_uids_of_the_standard_are_never_changed(uid: str) -> None:
    assert is_well_known(uid)
    assert map_uid(KEY, uid) == uid


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008.1.2.3.4.5.19700101.123456789", "1.2.840.10008.6.1.19700101", "1.2.840.113619.2.55"]
)
def test_uids_that_only_look_like_the_standards_are_replaced(uid: str) -> None:
    assert not is_well_known(uid)
    assert map_uid(KEY, uid).startswith("2.25.")


def test_new_uids_are_valid_stable_and_keyed() -> None:
    uid = new_uid(KEY, "1.2.3.4")

    assert UID(uid).is_valid
    assert len(uid) <= 64
    assert uid == new_uid(KEY, "1.2.3.4")
    assert uid != new_uid(b"x" * 32, "1.2.3.4")
    assert uid != new_uid(KEY, "1.2.3.5")


def test_new_uid_is_a_version_8_uuid() -> None:
    number = int(new_uid(KEY, "1.2.3.4").removeprefix("2.25."))

    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0b11 == 0b10


def test_padding_and_multiplicity_make_no_difference() -> None:
    one, two = new_uid(KEY, "1.2.3.4"), new_uid(KEY, "1.2.3.5")

    assert map_ui_value(KEY, b"1.2.3.4\0") == one.encode()
    assert map_ui_value(KEY, b"1.2.3.4\\1.2.3.5 ") == f"{one}\\{two}".encode()
    assert map_ui_value(KEY, b"") == b""


def test_text_in_a_ui_value_does_not_survive() -> None:
    assert b"DOE" not in map_ui_value(KEY, b"DOE^JANE")


@pytest.mark.parametrize(
    "uid",
    ["1.2.840.10008.5.1.4.195.003.15.7", "1.2.840.10008.5.1.4.1.1.1950.3.5", "1.2.840.10008.5.1.4.123.456.789.12"],
)
def test_arcs_that_could_hold_a_number_of_a_patient_are_not_the_standards(uid: str) -> None:
    assert not is_well_known(uid)


def test_every_storage_class_and_what_makers_published_is_well_known() -> None:
    assert all(map(is_well_known, known_sop_classes()))
    assert all(map(is_well_known, UID_dictionary))
    assert is_well_known("1.3.12.2.1107.5.9.1")

from __future__ import annotations

import pytest
from pydicom import config
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.tag import Tag
from pydicom.valuerep import VR

from deid.elements.dummies import DUMMY_BY_VR, dummy_element, stand_in_for_codes
from deid.encoding.element import DataSet, Element

KEY = b"k" * 32


@pytest.mark.parametrize("vr", sorted(DUMMY_BY_VR))
def test_dummy_is_not_empty_and_valid_for_its_vr(vr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.RAISE)
    raw = RawDataElement(Tag(0x00410001), vr, len(DUMMY_BY_VR[vr]), DUMMY_BY_VR[vr], 0, False, True)

    assert not convert_raw_data_element(raw, encoding=["ascii"]).is_empty


def test_every_vr_but_ui_and_sq_has_a_dummy() -> None:
    standard = {vr.value for vr in VR if " " not in vr.value and "_" not in vr.value}

    assert standard - set(DUMMY_BY_VR) == {"UI", "SQ"}


def code(scheme: bytes, meaning: bytes) -> DataSet:
    values = ((0x00080100, "SH", b"12345"), (0x00080102, "SH", scheme), (0x00080104, "LO", meaning))
    return DataSet({tag: Element(tag, vr, value) for tag, vr, value in values})


def test_sequence_keeps_its_form_and_public_codes() -> None:
    person = Element(0x0040A123, "PN", b"Doe^Jane")
    concept = Element(0x0040A043, "SQ", [code(b"DCM ", b"Observer")])
    local = Element(0x0040A168, "SQ", [code(b"99LOCAL", b"Dr Doe")])
    item = DataSet({element.tag: element for element in (concept, person, local)})

    (out,) = dummy_element(Element(0x0040A730, "SQ", [item]), KEY).value  # type: ignore[misc]

    assert out.elements[0x0040A123].value == b"REMOVED"
    assert out.elements[0x0040A043].value[0].elements[0x00080104].value == b"Observer"
    assert out.elements[0x0040A168].value[0].elements[0x00080104].value == b"REMOVED"


def test_uids_inside_a_dummy_sequence_are_mapped_and_private_ones_are_gone() -> None:
    item = DataSet(
        {
            0x00081155: Element(0x00081155, "UI", b"1.2.276.1.3"),
            0x00091001: Element(0x00091001, "LO", b"Doe"),
        }
    )

    (out,) = dummy_element(Element(0x0040A730, "SQ", [item]), KEY).value  # type: ignore[misc]

    assert list(out.elements) == [0x00081155]
    assert out.elements[0x00081155].value.startswith(b"2.25.")


def test_numbers_of_a_drawing_become_zeros_of_the_same_length() -> None:
    item = DataSet({0x00700022: Element(0x00700022, "FL", b"\1\2\3\4" * 6)})

    (out,) = dummy_element(Element(0x00700001, "SQ", [item]), KEY).value  # type: ignore[misc]

    assert out.elements[0x00700022].value == bytes(24)


def test_codes_that_are_no_terms_give_way_to_the_same_code_everywhere() -> None:
    assert stand_in_for_codes(KEY, b"RECTANGLE\\LAYER 1\\1500") == b"RECTANGLE\\LAYER 1\\1500"
    once = stand_in_for_codes(KEY, b"DOE JANE")
    assert once == stand_in_for_codes(KEY, b"DOE JANE ")
    assert b"DOE" not in once
    assert len(once) <= 16
    assert once != stand_in_for_codes(b"x" * 32, b"DOE JANE")


def test_a_code_in_a_sequence_of_dummies_holds_no_text() -> None:
    item = DataSet(
        {0x0070_0002: Element(0x0070_0002, "CS", b"DOE JANE"), 0x0070_0003: Element(0x0070_0003, "CS", b"PIXEL ")}
    )
    (out,) = dummy_element(Element(0x0070_0001, "SQ", [item]), KEY).value  # type: ignore[misc]

    assert out.elements[0x0070_0002].value == stand_in_for_codes(KEY, b"DOE JANE")
    assert out.elements[0x0070_0003].value == b"PIXEL"

"""The last look is tested alone: on outputs that a careless cleaning could have written."""

from __future__ import annotations

import pytest

from deid.elements.dates import shift_da
from deid.elements.pseudonyms import Patient
from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.reader import Limits
from deid.encoding.writer import write_data_set
from deid.errors import Reason, Refused
from deid.identifiers import harvest
from deid.verify import Outgoing, verify

EXPLICIT = "1.2.840.10008.1.2.1"
PATIENT = Patient("DN-AAAA2222BBBB3333")
DAYS = -400

SOURCE = {
    0x0008_0018: ("UI", "1.2.276.1.3"),
    0x0008_0020: ("DA", "20040119"),
    0x0008_0050: ("SH", "ACC0099"),
    0x0008_0080: ("LO", "St. Elsewhere Hospital"),
    0x0008_0090: ("PN", "Strange^Stephen^^Dr"),
    0x0010_0010: ("PN", "Müller-Ötker^Li^^^"),
    0x0010_0020: ("LO", "MRN-4711007"),
    0x0010_0030: ("DA", "19311224"),
}


def data_set(elements: dict[int, tuple[str, str]], charset: str = "ISO_IR 192") -> DataSet:
    out = {0x0008_0005: Element(0x0008_0005, "CS", charset.encode())}
    codec = {"ISO_IR 192": "utf-8", "ISO_IR 100": "latin-1"}[charset]
    for tag, (vr, value) in sorted(elements.items()):
        out[tag] = Element(tag, vr, value.encode(codec))
    return DataSet(out, (charset,))


def look(clean: DataSet, pixels: tuple[Element, ...] = (), charset: str = "ISO_IR 192") -> None:
    identifiers = harvest(data_set(SOURCE, charset), lambda tag, vr, parent: False)
    header = b"".join(write_data_set(clean, EXPLICIT))
    verify(Outgoing(header, EXPLICIT, pixels, PATIENT, DAYS), identifiers, Limits())


def assert_refused(clean: DataSet, pixels: tuple[Element, ...] = (), charset: str = "ISO_IR 192") -> None:
    with pytest.raises(Refused) as refused:
        look(clean, pixels, charset)
    assert refused.value.reason is Reason.IDENTIFIER_LEFT
    assert "ller" not in str(refused.value)


PLANTS = [
    ("LO", "Müller"),
    ("LO", "scan of MÜLLER"),
    ("ST", "Li Müller"),
    ("LO", "ötker,li"),
    ("LO", "LIMÜLLER"),
    ("LT", "seen by Dr. Strange"),
    ("SH", "mrn 4711007"),
    ("LO", "MRN4711007"),
    ("SH", "acc0099"),
    ("LO", "st elsewhere  hospital"),
    ("LO", "19311224"),
    ("LO", "born 24.12.1931"),
    ("LO", "12/24/1931"),
    ("LO", "1931-12-24"),
    ("DA", "19311224"),
    ("DA", "20040119"),
    ("DT", "20040119072730"),
    ("UI", "1.2.276.1.3"),
    ("LO", "see 1.2.276.1.3"),
    ("OB", "\0\1\2MRN-4711007"),
    ("CS", "MUELLER STRANGE"),
    ("PN", "Strange"),
]


@pytest.mark.parametrize(("vr", "value"), PLANTS)
def test_identifier_left_in_any_form_is_a_refusal(vr: str, value: str) -> None:
    assert_refused(data_set({0x0008_0060: ("CS", "CT"), 0x0040_9999 if vr != "PN" else 0x0040_A123: (vr, value)}))


@pytest.mark.parametrize(("vr", "value"), [("LO", "Müller"), ("ST", "scan of MÜLLER")])
def test_identifier_in_a_single_byte_character_set_is_a_refusal(vr: str, value: str) -> None:
    assert_refused(data_set({0x0040_9999: (vr, value)}, "ISO_IR 100"), charset="ISO_IR 100")


def test_identifier_deep_in_sequences_is_a_refusal() -> None:
    inner = DataSet({0x0008_0104: Element(0x0008_0104, "LO", b"Strange")}, ("ISO_IR 192",))
    for _ in range(8):
        inner = DataSet({0x0040_A730: Element(0x0040_A730, "SQ", [inner])}, ("ISO_IR 192",))
    assert_refused(inner)


def test_identifier_in_a_comment_of_a_compressed_frame_is_a_refusal() -> None:
    frame = b"\xff\xd8\xff\xfe\x00\x0fSTRANGE scan\xff\xd9"
    assert_refused(data_set({}), (Element(0x7FE0_0010, "OB", Fragments(b"", [frame])),))


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x0008_0060, "CS", "CT"),
        (0x0010_0010, "PN", PATIENT.pseudonym),
        (0x0040_9999, "LO", "strangely calm liver"),
        (0x0040_9999, "LO", "Li"),
        (0x0020_0013, "IS", "4711"),
        (0x0028_0030, "DS", "0.4711007"),
        (0x0008_0020, "DA", shift_da("20040119", DAYS) or ""),
        (0x0040_9999, "LO", "2004"),
    ],
)
def test_what_does_not_identify_passes(tag: int, vr: str, value: str) -> None:
    look(data_set({tag: (vr, value)}))


def test_date_that_equals_another_ones_original_by_chance_passes() -> None:
    shifted = shift_da("20040119", DAYS) or ""
    source = data_set({0x0008_0020: ("DA", "20040119"), 0x0008_0021: ("DA", shifted)})
    identifiers = harvest(source, lambda tag, vr, parent: False)
    header = b"".join(write_data_set(data_set({0x0008_0020: ("DA", shifted)}), EXPLICIT))

    verify(Outgoing(header, EXPLICIT, (), PATIENT, DAYS), identifiers, Limits())


def test_what_the_profile_keeps_is_not_looked_for() -> None:
    source = data_set(SOURCE)
    identifiers = harvest(source, lambda tag, vr, parent: tag == 0x0008_0080)
    header = b"".join(write_data_set(data_set({0x0008_0080: SOURCE[0x0008_0080]}), EXPLICIT))

    verify(Outgoing(header, EXPLICIT, (), PATIENT, DAYS), identifiers, Limits())


def test_the_dummy_date_passes_though_the_patient_was_born_on_it() -> None:
    source = data_set({0x0010_0030: ("DA", "20000101")})
    identifiers = harvest(source, lambda tag, vr, parent: False)
    header = b"".join(write_data_set(data_set({0x0008_0023: ("DA", "20000101")}), EXPLICIT))

    verify(Outgoing(header, EXPLICIT, (), PATIENT, DAYS), identifiers, Limits())


@pytest.mark.parametrize(("sequence", "is_ours"), [(0x0012_0064, True), (0x0008_2218, False)])
def test_our_own_codes_are_no_finding_though_swapped_bytes_of_one_are_a_number_of_an_id(
    sequence: int, *, is_ours: bool
) -> None:
    accession = DataSet({0x0008_0050: Element(0x0008_0050, "SH", b"ACC-111350")})
    code = DataSet({0x0008_0100: Element(0x0008_0100, "SH", b"113105")})  # PS3.16 CID 7050
    header = b"".join(write_data_set(DataSet({sequence: Element(sequence, "SQ", [code])}), EXPLICIT))
    identifiers = harvest(accession, lambda tag, vr, parent: False)
    looked_at = Outgoing(header, EXPLICIT, (), PATIENT, DAYS)
    if is_ours:
        verify(looked_at, identifiers, Limits())
    else:
        with pytest.raises(Refused):
            verify(looked_at, identifiers, Limits())

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid.context import Context
from deid.elements.ages import cap_age
from deid.elements.dates import shift_da, shift_days
from deid.elements.private import (
    creator_name,
    disclosed,
    drop_unowned,
    map_private_uids,
    shift_epoch,
    shift_private,
)
from deid.elements.uids import new_uid
from deid.encoding.element import DataSet, Element
from deid.engine import Instance, deidentify, explain
from deid.errors import Reason, Refused
from deid.keys import Keys
from deid.profile import Action, Profile, Rule, load_profile
from deid.standard.private import Disposition, private_row, private_rows, private_vr

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
PROFILES = Path(__file__).parents[2] / "config" / "profiles"
KEYS = Keys.from_secret(b"a secret of sixteen bytes or more")
TCIA = Context(load_profile(PROFILES / "tcia-header.toml"), KEYS)
STRICT = Context(load_profile(PROFILES / "strict.toml"), KEYS)
DAYS = shift_days(KEYS.date, "id\x1fMRN-4711")
EPOCH = 862_399_669  # of a GE scanner in 1997

SIEMENS, GE, GE_IDEN, PHILIPS = "SIEMENS MR HEADER", "GEMS_PARM_01", "GEMS_IDEN_01", "Philips Imaging DD 001"


def make(**attributes: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = MR
    ds.SOPInstanceUID = "1.2.276.1.3"
    ds.StudyInstanceUID = "1.2.276.1.1"
    ds.SeriesInstanceUID = "1.2.276.1.2"
    ds.Modality = "MR"
    ds.PatientName = "Quisenberry^Odalys"
    ds.PatientID = "MRN-4711"
    ds.StudyDate = "20040119"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def with_private(creator: str, group: int, *elements: tuple[int, str, object], ds: Dataset | None = None) -> Dataset:
    ds = make() if ds is None else ds
    block = ds.private_block(group, creator, create=True)
    for number, vr, value in elements:
        block.add_new(number, vr, value)
    return ds


def encode(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> Instance:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax == ImplicitVRLittleEndian
    write_dataset(buffer, ds)
    return Instance(syntax, buffer.getvalue())


def clean(ds: Dataset, context: Context = TCIA, syntax: str = ExplicitVRLittleEndian) -> FileDataset:
    return dcmread(BytesIO(b"".join(deidentify(encode(ds, syntax), context).clean.part10())))


def implicit(ds: Dataset) -> bytes:
    return bytes(encode(ds, ImplicitVRLittleEndian).data)


def items(*data_sets: Dataset) -> bytes:
    """Return the items of a Sequence, of defined length, with implicit VR."""
    encoded = [implicit(ds) for ds in data_sets]
    return b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data for data in encoded)


def private_tags(ds: Dataset) -> list[int]:
    return [int(element.tag) for element in ds if element.tag.is_private]


# The lists


@pytest.mark.parametrize(
    ("creator", "tag", "vr", "disposition", "source"),
    [
        (SIEMENS, 0x0019100C, "IS", "k", "E.3.10-1 and TCIA KB"),
        (SIEMENS, 0x0019E10E, "FD", "k", "E.3.10-1 and TCIA KB"),
        ("SIEMENS CSA HEADER", 0x00291010, "OB", "d", "TCIA KB"),
        ("SIEMENS CSA HEADER", 0x00291020, "OB", "d", "TCIA KB"),
        (GE, 0x00431039, "IS", "k", "E.3.10-1 and TCIA KB"),
        (PHILIPS, 0x20011003, "FL", "k", "E.3.10-1 and TCIA KB"),
        ("Philips PET Private Group", 0x70531000, "DS", "k", "E.3.10-1 and TCIA KB"),
        ("Philips PET Private Group", 0x70531009, "DS", "k", "E.3.10-1 and TCIA KB"),
        (GE_IDEN, 0x00091027, "SL", "oi", "TCIA KB"),
        (GE_IDEN, 0x000910E3, "UI", "h", "TCIA KB"),
        ("GEMS_PETD_01", 0x0009100D, "DT", "o", "TCIA KB"),
        ("NQLeft", 0x0199100B, "FL", "k", "E.3.10-1"),
        ("Ramsoft Diagnosis Datetime Identifier", 0x312F1010, "DA", "d", "TCIA KB"),
        ("Image Private Header", 0x00651009, "FD", "k", "judged here"),
    ],
)
def test_known_private_element_is_found(creator: str, tag: int, vr: str, disposition: str, source: str) -> None:
    row = private_row(creator, tag)
    assert row is not None
    assert (row.vr, row.disposition, row.source) == (vr, disposition, source)


def test_every_row_of_both_lists_is_there() -> None:
    sources = Counter(row.source for row in private_rows())
    assert sources["E.3.10-1"] + sources["E.3.10-1 and TCIA KB"] == 479
    assert len(private_rows()) > 5000
    assert {row.disposition for row in private_rows()} == set(Disposition)


def test_creator_is_compared_trimmed_and_in_its_own_case_first() -> None:
    assert private_row(" SIEMENS MR HEADER \0", 0x0019100C) == private_row(SIEMENS, 0x0019100C)
    upper, mixed = private_row("PHILIPS IMAGING DD 001", 0x20011003), private_row(PHILIPS, 0x20011003)
    assert upper is not None
    assert mixed is not None
    assert (upper.creator, mixed.creator) == ("PHILIPS IMAGING DD 001", PHILIPS)
    other = private_row("philips imaging dd 001", 0x20011003)
    assert other is not None
    assert other.disposition is Disposition.KEEP
    assert private_row("SIEMENS MR  HEADER", 0x0019100C) is None
    assert private_row("", 0x0019100C) is None


def test_disposition_can_depend_on_the_vr() -> None:
    row = private_row("MMCPrivate", 0x00291030)
    assert row is not None
    assert (row.for_vr("FD"), row.for_vr("UN")) == (Disposition.DELETE, Disposition.KEEP)


def test_vr_is_also_known_from_the_private_dictionary() -> None:
    assert private_row("GEMS_3D_INTVL_01", 0x00471099) is None
    assert private_vr("AGFA PACS Archive Mirroring 1.0", 0x00311001) == "UL"
    assert private_vr("nobody", 0x00311001) == "UN"


# Rules


def rule_of(creator: str, tag: int, vr: str, *options: str) -> Rule:
    profile = Profile.from_options("test", ("retain_safe_private", *options))
    return profile.rules(MR).private_rule(creator, tag, vr)


@pytest.mark.parametrize(
    ("creator", "tag", "vr", "options", "action"),
    [
        (SIEMENS, 0x0019100C, "IS", (), Action.K),
        ("SIEMENS CSA HEADER", 0x00291010, "OB", (), Action.X),
        (SIEMENS, 0x001910EE, "IS", (), Action.X),
        (GE_IDEN, 0x000910E3, "UI", (), Action.U),
        (GE_IDEN, 0x000910E3, "UI", ("retain_uids",), Action.K),
        (GE_IDEN, 0x00091027, "SL", (), Action.X),
        (GE_IDEN, 0x00091027, "SL", ("retain_long_modified_dates",), Action.C),
        (GE_IDEN, 0x00091027, "SL", ("retain_long_full_dates",), Action.K),
        ("MMCPrivate", 0x002910D5, "UI", (), Action.U),
        ("SIEMENS CT VA0  COAD", 0x001910C3, "TM", (), Action.X),
        ("SIEMENS CT VA0  COAD", 0x001910C3, "TM", ("retain_long_modified_dates",), Action.C),
        (SIEMENS, 0x0019100C, "PN", (), Action.X),
    ],
)
def test_list_option_and_vr_decide_together(
    creator: str, tag: int, vr: str, options: tuple[str, ...], action: Action
) -> None:
    assert rule_of(creator, tag, vr, *options).action is action


def test_rule_names_its_list() -> None:
    assert rule_of(SIEMENS, 0x0019100C, "IS") == Rule(Action.K, Action.X, "private E.3.10-1 and TCIA KB")
    assert rule_of("ACME", 0x00191001, "IS") == Rule(Action.X, Action.X, "private undefined")
    assert Profile.from_options("basic").rules(MR).private_rule(SIEMENS, 0x0019100C, "IS").source == "private"


def test_override_for_a_vr_brings_no_private_element_back() -> None:
    profile = Profile.from_options("test", ["retain_safe_private"], {"IS": "K", "FD": "X"})
    rules = profile.rules(MR)
    assert rules.private_rule("ACME", 0x00191001, "IS").action is Action.X
    assert rules.private_rule(SIEMENS, 0x0019100E, "FD") == Rule(Action.X, Action.X, "override FD")


def test_what_is_remembered_of_private_rules_is_bounded() -> None:
    rules = Profile.from_options("test", ["retain_safe_private"]).rules(MR)
    for number in range(70_000):
        rules.private_rule(f"creator {number}", 0x00191001, "LO")
    assert len(rules._private_memo) <= 65536


def test_private_dates_and_uids_may_stay_only_where_all_of_them_do() -> None:
    full = Profile.from_options("test", ["retain_long_full_dates"]).rules(MR)
    uids = Profile.from_options("test", ["retain_uids"]).rules(MR)
    assert full.may_stay(0x00091001, "DA", 0)
    assert not full.may_stay(0x00091001, "UI", 0)
    assert uids.may_stay(0x00091001, "UI", 0)
    assert full.may_stay(0x00080020, "DA", 0)
    assert not uids.may_stay(0x00080020, "DA", 0)


# Blocks


def test_safe_element_stays_with_its_creator_and_its_block() -> None:
    ds = make()
    ds.add_new(0x001900E1, "LO", SIEMENS)
    ds.add_new(0x0019E10C, "IS", "1000")
    out = clean(ds)
    assert private_tags(out) == [0x001900E1, 0x0019E10C]
    assert (out[0x001900E1].value, out[0x0019E10C].value) == (SIEMENS, 1000)


def test_creator_goes_with_the_last_element_of_its_block() -> None:
    ds = with_private("ACME LUMEN", 0x0019, (0x0C, "IS", "7"))
    with_private(SIEMENS, 0x0019, (0x0C, "IS", "1000"), (0x99, "LO", "undefined"), ds=ds)
    with_private("SIEMENS CSA HEADER", 0x0029, (0x10, "OB", b"SV10"), ds=ds)
    assert private_tags(clean(ds)) == [0x00190011, 0x0019110C]


def test_private_block_without_creator_is_removed() -> None:
    ds = make()
    ds.add_new(0x0019100C, "IS", "1000")
    ds.add_new(0x00190001, "LO", "below every block")
    ds.add_new(0x00210010, "LO", "")
    ds.add_new(0x00211001, "IS", "1")
    assert private_tags(clean(ds)) == []


def test_block_of_another_group_or_level_lends_no_creator() -> None:
    nested = Dataset()
    nested.add_new(0x0019100C, "IS", "1000")
    ds = with_private(SIEMENS, 0x0021, (0x0C, "IS", "1"))
    ds.ReferencedImageSequence = Sequence([nested])
    out = clean(ds)
    assert private_tags(out) == []
    assert private_tags(out.ReferencedImageSequence[0]) == []


def test_profile_without_the_option_removes_every_private_element() -> None:
    ds = with_private(SIEMENS, 0x0019, (0x0C, "IS", "1000"))
    for context in (STRICT, Context(Profile.from_options("basic"), KEYS)):
        assert private_tags(clean(ds, context)) == []


def test_unowned_elements_and_creators_are_dropped_together() -> None:
    tags = (0x00190010, 0x00190011, 0x0019100C, 0x00191201, 0x00280010)
    data_set = DataSet({tag: Element(tag, "LO", b"x ") for tag in tags})
    assert drop_unowned(data_set) == [0x00190011, 0x00191201]
    assert list(data_set.elements) == [0x00190010, 0x0019100C, 0x00280010]


def test_creator_that_is_no_text_names_nobody() -> None:
    assert creator_name(Element(0x00190010, "SQ", [])) == ""
    assert creator_name(Element(0x00190010, "UN", b" ACME \0")) == "ACME"


def test_explain_says_which_list_decided_and_what_became_of_the_creator() -> None:
    ds = with_private(SIEMENS, 0x0019, (0x0C, "IS", "1000"), (0x99, "LO", "x"))
    with_private("ACME", 0x0021, (0x01, "LO", "x"), ds=ds)
    said = {finding.path[-1]: (finding.action, finding.source) for finding in explain(encode(ds), TCIA)}
    assert said[0x00190010] == ("K", "private creator")
    assert said[0x0019100C] == ("K", "private E.3.10-1 and TCIA KB")
    assert said[0x00191099] == ("X", "private undefined")
    assert said[0x00210010] == ("X", "private block without elements")


def test_report_counts_what_became_of_private_elements() -> None:
    plain = deidentify(encode(make()), TCIA).report.counts
    ds = with_private("ACME", 0x0021, (0x01, "LO", "x"))
    with_private(SIEMENS, 0x0019, (0x0C, "IS", "1000"), (0x0F, "SH", "Quisenberry"), ds=ds)
    counts = deidentify(encode(ds), TCIA).report.counts
    assert {action: counts[action] - plain.get(action, 0) for action in "KX"} == {"K": 2, "X": 3}


# Identifiers in what a list keeps


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("vr", ["SH", "UN"])
def test_kept_text_with_a_known_identifier_is_removed(syntax: str, vr: str) -> None:
    for value, stays in (("Quisenberry 2", False), ("MRN-4711", False), ("A32", True)):
        held = value.ljust(16).encode() if vr == "UN" else value
        out = clean(with_private(SIEMENS, 0x0019, (0x0F, vr, held)), syntax=syntax)
        assert (private_tags(out) != []) is stays, value


@pytest.mark.parametrize("vr", ["OB", "UN", "FD"])
def test_kept_bytes_with_a_known_identifier_are_removed(vr: str) -> None:
    hidden = b"\0\1QUISENBERRY\0\0\0"
    value: object = list(struct.unpack("<2d", hidden)) if vr == "FD" else hidden
    out = clean(with_private(SIEMENS, 0x0019, (0x0E, vr, value), (0x0C, "IS", "5")))
    assert private_tags(out) == [0x00190010, 0x0019100C]


def test_block_goes_where_its_creator_names_the_patient() -> None:
    ds = with_private("Philips PET Private Group", 0x7053, (0x00, "DS", "1.5"))
    ds.PatientName = "Philips^Jane"
    assert private_tags(clean(ds)) == []


# UN


@pytest.mark.parametrize(
    ("vr", "value", "becomes"),
    [
        ("IS", b"1000", "IS"),
        ("IS", b"\xe8\x03\0\0", "UN"),  # no digits
        ("FD", bytes(24), "FD"),
        ("FD", bytes(10), "UN"),  # no whole number of values
        ("LO", b"text\0\0", "LO"),
        ("LO", b"te\x01t", "UN"),
        ("UI", b"1.2.3\0", "UI"),
        ("OB", b"\1\2", "OB"),
        ("UN", b"\1\2", "UN"),
    ],
)
def test_un_becomes_the_known_vr_if_its_value_is_one(vr: str, value: bytes, becomes: str) -> None:
    found = disclosed(Element(0x0019100C, "UN", value), vr, (), little_endian=True)
    assert found == Element(0x0019100C, becomes, value)


def test_un_is_little_endian_and_turned_round_for_a_big_endian_data_set() -> None:
    found = disclosed(Element(0x0019100A, "UN", b"\x01\x00"), "US", (), little_endian=False)
    assert found == Element(0x0019100A, "US", b"\x00\x01")


def test_un_of_a_known_vr_is_written_with_it() -> None:
    out = clean(with_private(SIEMENS, 0x0019, (0x0C, "UN", b"1000"), (0x0E, "UN", struct.pack("<3d", 0.5, 0, -1))))
    assert (out[0x0019100C].VR, out[0x0019100C].value) == ("IS", 1000)
    assert (out[0x0019100E].VR, out[0x0019100E].value) == ("FD", [0.5, 0, -1])


def nested() -> Dataset:
    inner = with_private(PHILIPS, 0x2001, (0x03, "FL", 1000.0), (0xEF, "LO", "undefined"), ds=Dataset())
    inner.PatientName = "Quisenberry^Odalys"
    inner.ReferencedSOPInstanceUID = "1.2.276.1.77"
    inner.SliceThickness = "2.5"
    return inner


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("vr", ["SQ", "UN", "OB"])
def test_sequence_is_found_and_cleaned_whatever_vr_it_came_with(vr: str, syntax: str) -> None:
    value = Sequence([nested()]) if vr == "SQ" else items(nested())
    out = clean(with_private("Philips MR Imaging DD 001", 0x2005, (0x80, vr, value)), syntax=syntax)
    inner = out[0x20051080].value[0]
    assert "Quisenberry" not in str(inner)
    assert inner.ReferencedSOPInstanceUID == new_uid(KEYS.uid, "1.2.276.1.77")
    assert inner.SliceThickness == 2.5
    assert private_tags(inner) == [0x20010010, 0x20011003]


@pytest.mark.parametrize(
    "value",
    [
        items(nested())[:-2],
        items(nested()) + b"\0\0",
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"no items at all!",
    ],
    ids=["cut", "followed", "open", "text"],
)
def test_known_sequence_that_does_not_parse_is_removed(value: bytes) -> None:
    assert private_tags(clean(with_private("Philips MR Imaging DD 001", 0x2005, (0x80, "UN", value)))) == []


def test_items_in_a_kept_value_that_is_no_sequence_are_gone_through() -> None:
    out = clean(with_private(SIEMENS, 0x0019, (0x0E, "UN", items(nested()))))
    assert out[0x0019100E].VR == "SQ"
    assert "Quisenberry" not in str(out[0x0019100E].value[0])


def test_items_in_un_inherit_the_character_set() -> None:
    inner = struct.pack("<HHL", 0x0008, 0x103E, 6) + "é".encode("latin-1").ljust(6)
    value = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    found = disclosed(Element(0x20051080, "UN", value), "SQ", ("ISO_IR 100",), little_endian=True)
    assert found is not None
    assert isinstance(found.value, list)
    assert found.value[0].charset == ("ISO_IR 100",)


def test_sequences_of_un_within_un_are_refused_where_they_go_too_deep() -> None:
    value = b""
    for _ in range(200):
        item = struct.pack("<HHL", 0x2005, 0x0010, 26) + b"Philips MR Imaging DD 001 "
        item += struct.pack("<HHL", 0x2005, 0x1080, len(value)) + value
        value = struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
    with pytest.raises(Refused) as refused:
        clean(with_private("Philips MR Imaging DD 001", 0x2005, (0x80, "UN", value)))
    assert refused.value.reason is Reason.TOO_DEEP


# Dates, UIDs, ages


def shifted(value: str) -> str:
    moved = shift_da(value, DAYS)
    assert moved is not None
    return moved


YEAR, MONTH, DAY = shifted("20040119")[:4], shifted("20040119")[4:6], shifted("20040119")[6:]


@pytest.mark.parametrize(
    ("vr", "value", "becomes"),
    [
        ("DT", b"20040119072730.5+0100", shifted("20040119") + "072730.5+0100"),
        ("LO", b"20040119072730 ", shifted("20040119") + "072730"),
        ("SH", b"2004-01-19 07:27:30", f"{YEAR}-{MONTH}-{DAY} 07:27:30"),
        ("LO", b"2004/01/19", f"{YEAR}/{MONTH}/{DAY}"),
        ("OB", b"20040119", shifted("20040119")),
        ("DA", b"20040119\\20040120", shifted("20040119") + "\\" + shifted("20040120")),
        ("TM", b"072730", "072730"),
        ("LO", b"", ""),
        ("LO", b"yesterday", None),
        ("LO", b"20041319", None),
        ("LO", b"2004", None),
        ("LO", b"20040119\\soon", None),
        ("US", b"\0\1", None),
    ],
)  # fmt: skip
def test_private_date_is_shifted_in_whatever_vr_it_is_written(vr: str, value: bytes, becomes: str | None) -> None:
    found = shift_private(Element(0x0009100D, vr, value), DAYS)
    assert found == (None if becomes is None else becomes.encode())


@pytest.mark.parametrize(
    ("vr", "pack"),
    [
        ("SL", lambda seconds: struct.pack("<i", int(seconds))),
        ("UL", lambda seconds: struct.pack("<I", int(seconds))),
        ("FD", lambda seconds: struct.pack("<d", seconds)),
        ("IS", lambda seconds: str(int(seconds)).encode()),
        ("LO", lambda seconds: str(int(seconds)).encode()),
    ],
)
def test_date_in_seconds_since_1970_is_shifted_by_the_patients_days(vr: str, pack: Callable[[float], bytes]) -> None:
    for seconds in (EPOCH, 1_700_000_000, 0):
        moved = seconds + DAYS * 86_400 if seconds else 0
        found = shift_epoch(Element(0x00091027, vr, pack(seconds)), DAYS, little_endian=True)
        assert found == pack(moved)
    for duration in (12, 86_399, 40_000_000):
        assert shift_epoch(Element(0x00091027, vr, pack(duration)), DAYS, little_endian=True) is None


@pytest.mark.parametrize(("vr", "value"), [("SL", b"123"), ("OB", b"\1\2\3\4"), ("LO", b"today"), ("SS", b"\1\2")])
def test_number_that_is_no_date_in_seconds_is_not_guessed(vr: str, value: bytes) -> None:
    assert shift_epoch(Element(0x00091027, vr, value), DAYS, little_endian=True) is None


def test_integer_date_moves_as_far_as_the_study_date() -> None:
    ds = with_private(GE_IDEN, 0x0009, (0x27, "SL", EPOCH), (0xE9, "UN", struct.pack("<i", EPOCH)))
    with_private("GEMS_STDY_01", 0x0023, (0x70, "FD", EPOCH + 0.25), ds=ds)
    out = clean(ds)
    assert out.StudyDate == shifted("20040119")
    assert out[0x00091027].value - EPOCH == out[0x000910E9].value - EPOCH == DAYS * 86_400
    assert out[0x00231070].value == EPOCH + 0.25 + DAYS * 86_400


@pytest.mark.parametrize(
    ("vr", "value", "becomes"),
    [
        ("LO", b"1.2.276.5 ", new_uid(KEYS.uid, "1.2.276.5").encode()),
        ("OB", b"1.2.276.5\0", new_uid(KEYS.uid, "1.2.276.5").encode()),
        ("UI", b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2"),
        ("LO", b"", b""),
        ("LO", b"exam 5", None),
        ("OB", b"\1\2\3\4", None),
        ("LO", b"4711", None),
    ],
)
def test_private_uid_is_replaced_in_whatever_vr_it_is_written(vr: str, value: bytes, becomes: bytes | None) -> None:
    assert map_private_uids(Element(0x000910E3, vr, value), KEYS.uid) == becomes


def test_private_uid_resolves_to_the_same_as_the_standard_one() -> None:
    ds = with_private(GE_IDEN, 0x0009, (0xE3, "UI", "1.2.276.1.2"))
    out = clean(ds)
    assert out[0x000910E3].value == out.SeriesInstanceUID


@pytest.mark.parametrize(
    ("age", "becomes"),
    [
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("091Y", "090Y"),
        ("120Y", "090Y"),
        ("999M", "999M"),
        ("1080M", "090Y"),
        ("4690W", "4690W"),
        ("4697W", "090Y"),
        ("32872D", "32872D"),
        ("32873D", "090Y"),
        ("045", "045"),
        ("97", "090Y"),
        ("012W", "012W"),
        ("", ""),
        ("045Y\\095Y", "045Y\\090Y"),
        ("old", None),
        ("4Y5", None),
    ],
)
def test_age_over_89_years_is_90_in_any_unit(age: str, becomes: str | None) -> None:
    assert cap_age(age.encode()) == (None if becomes is None else becomes.encode())


def test_age_is_capped_where_patient_characteristics_stay() -> None:
    assert clean(make(PatientAge="093Y")).PatientAge == "090Y"
    assert clean(make(PatientAge="045Y")).PatientAge == "045Y"
    assert not clean(make(PatientAge="093Y"), Context(Profile.from_options("basic"), KEYS)).get("PatientAge")
    kept = Context(Profile.from_options("test", (), {"PatientAge": "K"}), KEYS)
    assert clean(make(PatientAge="093Y"), kept).PatientAge == "093Y"


# Descriptors by rules, and the allow-list


def test_descriptor_is_cleaned_by_rules_and_what_holds_nothing_stays_as_it_is() -> None:
    out = clean(
        make(PatientName="Brackenridge^Una", StudyDescription="MRI knee Una Brackenridge", ProtocolName="P4^P101^S108")
    )
    assert out.StudyDescription == "MRI knee"
    assert out.ProtocolName == "P4^P101^S108"


def test_sequence_of_descriptors_is_gone_through() -> None:
    assert len(clean(make(RequestAttributesSequence=Sequence([Dataset()]))).RequestAttributesSequence) == 1


def test_allow_list_keeps_terms_and_public_codes_and_no_other_text() -> None:
    public, own = Dataset(), Dataset()
    for item, scheme in ((public, "SCT"), (own, "99OURS")):
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "51185008", scheme, "Thoracic structure"
    ds = make(
        SOPClassUID=CT,
        Manufacturer="Brackenridge Imaging",
        RescaleType="HU",
        KVP="120",
        AnatomicRegionSequence=Sequence([public, own]),
        DiffusionBValue=1000.0,
    )
    out = clean(ds, STRICT)
    assert out.Manufacturer == ""
    assert (out.RescaleType, out.KVP) == ("HU", 120)
    assert "DiffusionBValue" not in out
    first, second = out.AnatomicRegionSequence
    assert first.CodeMeaning == "Thoracic structure"
    assert second.CodeMeaning == "REMOVED"
    assert out.Modality == "MR"


def test_allow_list_keeps_no_public_code_that_names_the_patient() -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "51185008", "SCT", "MRN-4711"
    out = clean(make(SOPClassUID=CT, AnatomicRegionSequence=Sequence([item])), STRICT)
    assert out.AnatomicRegionSequence[0].CodeMeaning != "MRN-4711"


# Files of the vendors


def vendor_files(*folders: str, most: int = 40) -> Iterator[Path]:
    for folder in folders:
        found = sorted(path for path in (CORPUS / folder).rglob("*") if path.is_file())
        yield from found[:: max(1, len(found) // most)]


VENDOR_ELEMENTS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, int, int], ...]]] = {
    "Siemens: b-value, direction": (
        ("nibabel", "dcm_qa_nih", "dcm_qa_enh", "dcmstack"),
        ((SIEMENS, 0x0019, 0x0C), (SIEMENS, 0x0019, 0x0D), (SIEMENS, 0x0019, 0x0E)),
    ),
    "GE: b-value, directions": (
        ("dcm_qa_ge", "dcm_qa_deident"),
        ((GE, 0x0043, 0x39), *(("GEMS_ACQU_01", 0x0019, number) for number in (0xBB, 0xBC, 0xBD))),
    ),
    "Philips: b-value, directions": (
        ("dcm_qa_philips", "dcm_qa_enh"),
        ((PHILIPS, 0x2001, 0x03), *(("Philips MR Imaging DD 001", 0x2005, number) for number in (0xB0, 0xB1, 0xB2))),
    ),
    "United Imaging: b-value, direction": (
        ("dcm_qa_uih",),
        tuple(("Image Private Header", 0x0065, number) for number in (0x09, 0x37, 0x50)),
    ),
}  # fmt: skip


@pytest.mark.skipif(not CORPUS.is_dir(), reason="real DICOM files are not beside this repository")
@pytest.mark.parametrize("vendor", VENDOR_ELEMENTS)
def test_what_diffusion_needs_survives_in_the_vendors_own_files(vendor: str) -> None:
    folders, elements = VENDOR_ELEMENTS[vendor]
    compared = 0
    for path in vendor_files(*folders):
        for source, out in both(path):
            for creator, group, number in elements:
                before = value_of(source, creator, group, number)
                if before is not None:
                    assert value_of(out, creator, group, number) == before, f"{path.name} {group:04X},{number:02X}"
                    compared += 1
    assert compared


@pytest.mark.skipif(not CORPUS.is_dir(), reason="real DICOM files are not beside this repository")
def test_standard_b_values_survive_in_the_vendors_own_files() -> None:
    compared = 0
    for path in vendor_files("dcm_qa_canon", "dcm_qa_toshiba", "dcm_qa_enh", most=12):
        for source, out in both(path):
            assert out.get("DiffusionBValue") == source.get("DiffusionBValue")
            assert out.get("ImageOrientationPatient") == source.get("ImageOrientationPatient")
            compared += "DiffusionBValue" in source
    assert compared


@pytest.mark.skipif(not CORPUS.is_dir(), reason="real DICOM files are not beside this repository")
def test_siemens_csa_headers_go_as_tcia_says() -> None:
    seen = 0
    for path in vendor_files("nibabel", "umessen", "dcm_qa_nih", "dcmstack"):
        for source, out in both(path):
            seen += value_of(source, "SIEMENS CSA HEADER", 0x0029, 0x10) is not None
            assert value_of(out, "SIEMENS CSA HEADER", 0x0029, 0x10) is None
            assert value_of(out, "SIEMENS CSA HEADER", 0x0029, 0x20) is None
    assert seen


def test_suv_factors_of_philips_survive() -> None:
    ds = make(SOPClassUID="1.2.840.10008.5.1.4.1.1.128", Modality="PT")
    with_private("Philips PET Private Group", 0x7053, (0x00, "DS", "0.000551"), (0x09, "UN", b"1.37042 "), ds=ds)
    out = clean(ds)
    assert str(out[0x70531000].value) == "0.000551"
    assert str(out[0x70531009].value) == "1.37042"


def both(path: Path) -> Iterator[tuple[Dataset, Dataset]]:
    """Yield a file and its clean counterpart, nothing if either can't be read."""
    try:
        instance = Instance.from_part10(path.read_bytes())
        clean_bytes = b"".join(deidentify(instance, TCIA).clean.part10())
    except Refused:
        return
    yield dcmread(path), dcmread(BytesIO(clean_bytes))


def value_of(ds: Dataset, creator: str, group: int, number: int) -> object:
    try:
        element = ds.private_block(group, creator)[number]
    except KeyError:
        return None
    return element.value if element.VR != "SQ" else len(element.value)


PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@pytest.mark.parametrize(("mime", "stays"), [("application/pdf", True), ("application/doe-jane", False)])
def test_allow_list_keeps_the_mime_types_that_the_standard_enumerates(mime: str, *, stays: bool) -> None:
    out = clean(make(SOPClassUID=PDF, MIMETypeOfEncapsulatedDocument=mime), STRICT)
    assert (out.get("MIMETypeOfEncapsulatedDocument") == mime) is stays


@pytest.mark.parametrize("name", ["Doe^Jane", "Brackenridge^Una"])
def test_text_in_a_private_group_after_the_pixels_is_searched_like_any_other(name: str) -> None:
    family, given = name.split("^")
    kept = Context(Profile.from_options("own", ("retain_safe_private",), {'(7FE1,"ACME",01)': "K"}), KEYS)
    ds = with_private("ACME", 0x7FE1, (1, "LO", f"scan of {given} {family}"), ds=make(PatientName=name))

    assert not [element for element in clean(ds, kept) if element.tag.is_private]


def test_bytes_in_a_private_group_after_the_pixels_are_searched_like_any_other() -> None:
    value = b"\0\1Brackenridge Una"
    ds = with_private("SIEMENS MED NM", 0x7FE3, (0x14, "OW", value), ds=make(PatientName="Brackenridge^Una"))

    assert b"Brackenridge" not in b"".join(deidentify(encode(ds), TCIA).clean.chunks)

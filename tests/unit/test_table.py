"""A profile as the rows of Table E.1-1: what is printed is what is done."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from deid.actions import Action
from deid.errors import Misconfigured
from deid.options import OPTIONS
from deid.profile import Profile, load_profile
from deid.standard import attribute_type, confidentiality_row, confidentiality_rows, known_sop_classes
from deid.table import (
    COLUMNS,
    PRIVATE_ATTRIBUTES,
    TYPES,
    attribute_name,
    attribute_tag,
    by_type,
    lines,
    outside,
    outside_attribute,
    private_lines,
    private_name,
    tag_text,
)

PROFILES = sorted((Path(__file__).parents[2] / "config" / "profiles").glob("*.toml"))
CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.33"
SOP_CLASSES = (CT, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128", SR, "1.2.840.10008.5.1.4.1.1.481.3")


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("sop_class", SOP_CLASSES)
def test_the_action_printed_for_a_type_is_the_one_done_at_every_place_of_that_type(path: Path, sop_class: str) -> None:
    profile = load_profile(path)
    rules = profile.rules(sop_class)
    places = 0
    for line in lines(profile, sop_class):
        vr = line.row.vr.split(" or ")[0]
        for place in line.places:
            assert attribute_type(sop_class, place.parent, line.row.tag) == place.type
            assert line.rules[place.type] == place.rule == rules.rule(line.row.tag, vr, place.parent)
            places += 1
    assert places > 100


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_what_is_not_in_the_iod_is_done_as_for_type_3(path: Path) -> None:
    profile = load_profile(path)
    rules = profile.rules(CT)
    exact = [line for line in lines(profile, CT) if line.row.mask == 0xFFFFFFFF]
    absent = [line for line in exact if attribute_type(CT, 0, line.row.tag) is None]
    assert len(absent) > 100
    for line in absent:
        assert rules.rule(line.row.tag, line.row.vr.split(" or ")[0], 0) == line.rules["3"]


def test_all_rows_come_once_in_the_order_of_their_tags() -> None:
    found = lines(Profile.from_options("plain"))
    assert [line.row for line in found] == list(confidentiality_rows())
    assert all(one.row.tag < other.row.tag for one, other in pairwise(found))


def test_every_option_that_a_row_names_has_a_column() -> None:
    named = {option for row in (*confidentiality_rows(), PRIVATE_ATTRIBUTES) for option in row.options}
    assert named == set(COLUMNS)
    assert set(COLUMNS) <= set(OPTIONS)
    assert len(set(COLUMNS.values())) == len(COLUMNS)


def test_rows_that_no_data_set_has_are_removed_and_say_why() -> None:
    by_keyword = {line.row.keyword: line for line in lines(Profile.from_options("plain"))}
    assert by_keyword["MediaStorageSOPInstanceUID"].source == "not in a Data Set"


def test_an_override_is_seen_in_the_table_with_its_name() -> None:
    profile = Profile.from_options("own", [], {"PatientName": "X"}, sop_classes={"CTImageStorage": {"StudyID": "K"}})
    anywhere = {line.row.keyword: line for line in lines(profile)}
    in_ct = {line.row.keyword: line for line in lines(profile, CT)}
    assert set(anywhere["PatientName"].actions) == {Action.X}
    assert anywhere["PatientName"].source == "override PatientName"
    assert set(anywhere["StudyID"].actions) == {Action.D, Action.Z}
    assert in_ct["StudyID"].source == "override CTImageStorage StudyID"


def test_the_rules_outside_the_table_cover_each_attribute_once_and_none_of_the_table() -> None:
    profile = Profile.from_options("plain")
    tags = [tag for group in outside(profile) for tag in group.tags]
    assert len(tags) == len(set(tags)) > 4000
    assert not [tag for tag in tags if confidentiality_row(tag)]
    rules = profile.rules(CT)
    for group in outside(profile, CT):
        for tag in group.tags:
            assert rules.rule(tag, group.vr.split(" or ")[0], 0) == group.rule


def test_one_attribute_outside_the_table_is_told_its_rule() -> None:
    found = outside_attribute(Profile.from_options("plain"), attribute_tag("Rows"))
    assert (found.vr, found.rule.action, found.rule.source) == ("US", Action.K, "not in E.1-1")


def test_private_elements_are_kept_only_where_the_option_is_on() -> None:
    kept = private_lines(Profile.from_options("safe", ["retain_safe_private"]), "siemens mr header")
    removed = private_lines(Profile.from_options("plain"), "SIEMENS MR HEADER")
    assert [line.row for line in kept] == [line.row for line in removed]
    assert {line.rule.action for line in removed} == {Action.X}
    b_value = next(line for line in kept if line.row.tag == 0x0019_000C)
    assert (b_value.rule.action, private_name(b_value.row.creator, b_value.row.tag)) == (Action.K, "B_value")


def test_an_unknown_creator_is_said_with_the_nearest_known_one() -> None:
    with pytest.raises(Misconfigured, match="'SIEMENS MR HEADR'; did you mean 'SIEMENS MR HEADER'"):
        private_lines(Profile.from_options("plain"), "SIEMENS MR HEADR")


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("PatientName", 0x0010_0010),
        ("(0010,0010)", 0x0010_0010),
        ("0010,0010", 0x0010_0010),
        ("00100010", 0x0010_0010),
        ("(7fe0,0010)", 0x7FE0_0010),
        ("(60xx,3000)", 0x6000_3000),
        ("(50xx,xxxx)", 0x5000_0000),
        ("(0029,1010)", 0x0029_1010),
    ],
)
def test_an_attribute_is_called_by_keyword_or_tag(text: str, tag: int) -> None:
    assert attribute_tag(text) == tag


@pytest.mark.parametrize("row", [row for row in confidentiality_rows() if row.keyword], ids=lambda row: row.keyword)
def test_every_keyword_of_the_table_is_known(row: object) -> None:
    assert attribute_tag(row.keyword) & row.mask == row.tag  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("patientname", "did you mean 'PatientName'?"),
        ("PatentName", "did you mean 'PatientName'?"),
        ("Zzzzzzz", "no attribute is called 'Zzzzzzz'"),
        ("(0010,9999)", "no attribute of the standard has the tag (0010,9999)"),
        ("(0010,00)", "no attribute is called"),
    ],
)
def test_an_unknown_attribute_is_said_so(text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        attribute_tag(text)
    assert told in str(raised.value)


def test_tags_are_written_as_in_the_standard() -> None:
    assert tag_text(0x0010_0010) == "(0010,0010)"
    assert tag_text(0x6000_3000, 0xFF00FFFF) == "(60xx,3000)"
    assert tag_text(0x5000_0000, 0xFF000000) == "(50xx,xxxx)"
    assert attribute_name(0x5000_0000) == "CurveData"


def test_actions_of_all_types_fit_into_one_cell() -> None:
    letters = dict(zip("DZX", (Action.D, Action.Z, Action.X), strict=True))
    assert by_type([letters[letter] for letter in "XXXXX"]) == "X"
    assert by_type([letters[letter] for letter in "DDZZX"]) == "X, 1 1C:D, 2 2C:Z"
    assert by_type([letters[letter] for letter in "DXZXX"]) == "X, 1:D, 2:Z"
    assert len(TYPES) == 5


def test_every_sop_class_has_its_table() -> None:
    profile = Profile.from_options("plain")
    assert all(len(lines(profile, uid)) == len(confidentiality_rows()) for uid in sorted(known_sop_classes())[::20])

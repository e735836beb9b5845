from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydicom.datadict import tag_for_keyword

from deid.errors import Misconfigured, Reason, Refused
from deid.profile import OPTIONS, Action, Code, Profile, Rule, load_profile, resolve
from deid.standard import attribute_type, confidentiality_rows

CT, PET, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.88.11"
SHIPPED = Path(__file__).parents[2] / "config" / "profiles"
TYPES = ("1", "1C", "2", "2C", "3", None)

# PS3.15 Table E.1-1a, read by hand: the action for each of TYPES.
RESOLVED = {
    "D": "DDDDDD",
    "Z": "DDZZZZ",  # Z may be a dummy, and a Type 1 attribute must have a value
    "X": "DXZXXX",
    "U": "UUUUUU",
    "Z/D": "DDZZZZ",
    "X/Z": "DDZZXX",
    "X/D": "DDDDXX",
    "X/Z/D": "DDZZXX",
    "X/Z/U*": "UUUUUU",
}


def rule(profile: Profile, keyword: str, vr: str, parent: int = 0, sop_class: str = CT) -> Rule:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return profile.rules(sop_class).rule(tag, vr, parent)


def with_options(*options: str) -> Profile:
    return Profile.from_options("test", options)


@pytest.mark.parametrize("code", sorted({row.basic for row in confidentiality_rows()}))
def test_action_code_is_decided_by_the_type(code: str) -> None:
    assert "".join(resolve(code, type_) for type_ in TYPES) == RESOLVED[code]


@pytest.mark.parametrize("sop_class", [CT, PET, SR, "1.2.840.10008.5.1.4.1.1.481.5", "1.2.840.10008.5.1.4.1.1.11"])
def test_every_row_has_the_standards_action_in_the_basic_profile(sop_class: str) -> None:
    rules = Profile.from_options("basic").rules(sop_class)
    rows = [row for row in confidentiality_rows() if row.tag >> 16 not in {0x0000, 0x0002, 0xFFFC}]
    assert len(rows) == 651
    for row in rows:
        tag = row.tag | 0x10 if row.tag & 0xFFFF == 0 else row.tag  # the curves' row covers a whole group
        for parent in (0, 0x0040A073, 0x00081140):
            type_ = attribute_type(sop_class, parent, tag)
            action = Action(RESOLVED[row.basic][TYPES.index(type_)])
            assert rules.rule(tag, row.vr, parent) == Rule(action, action, "E.1-1"), f"{tag:08X}"


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_option_alone_applies_its_column_and_nothing_else(option: str) -> None:
    rules = with_options(option).rules(CT)
    for row in confidentiality_rows():
        if row.tag >> 16 in {0x0000, 0x0002, 0xFFFC} or row.tag & 0xFFFF == 0:
            continue
        found = rules.rule(row.tag, row.vr, 0)
        if option in row.options:
            assert (found.action, found.source) == (row.options[option], f"option {option}")
        else:
            assert (found.action, found.source) == (found.fallback, "E.1-1")


def test_fallback_of_a_cleaned_attribute_is_its_basic_action() -> None:
    shifted = with_options("retain_long_modified_dates")
    assert rule(shifted, "StudyDate", "DA") == Rule(Action.C, Action.Z, "option retain_long_modified_dates")
    assert rule(shifted, "AcquisitionDate", "DA").fallback is Action.X
    assert rule(shifted, "ContentDate", "DA").fallback is Action.Z
    assert rule(shifted, "ContentDate", "DA", sop_class=SR).fallback is Action.D


def test_keep_goes_before_clean() -> None:
    both = with_options("retain_patient_characteristics", "clean_descriptors")
    assert rule(both, "PatientState", "LO").action is Action.C
    both = with_options("retain_uids", "retain_device_identity")
    assert rule(both, "DeviceUID", "UI").action is Action.K


def test_device_identity_does_not_keep_true_dates_among_modified_ones() -> None:
    assert rule(with_options("retain_device_identity"), "DateOfLastCalibration", "DA").action is Action.K
    both = with_options("retain_device_identity", "retain_long_modified_dates")
    assert rule(both, "DateOfLastCalibration", "DA").action is Action.C
    assert rule(both, "DeviceSerialNumber", "LO").action is Action.K


def test_full_and_modified_dates_together_are_refused() -> None:
    with pytest.raises(Misconfigured, match="contradict"):
        with_options("retain_long_full_dates", "retain_long_modified_dates")


@pytest.mark.parametrize("tag", [0x00090010, 0x00091001, 0x00290000, 0x60013000, 0x7FE10010])
@pytest.mark.parametrize("vr", ["LO", "UN", "SQ", "OB", "PN"])
def test_private_element_is_removed(tag: int, vr: str) -> None:
    every = Profile.from_options("all", set(OPTIONS) - {"retain_long_full_dates"})
    assert every.rules(CT).rule(tag, vr, 0).action is Action.X


@pytest.mark.parametrize("tag", [0x00000002, 0x00020003, 0x00020010, 0x00100000, 0xFFFCFFFC, 0xFFFEE000])
def test_what_is_no_data_set_element_is_removed(tag: int) -> None:
    assert Profile.from_options("basic").rules(CT).rule(tag, "UI", 0) == Rule(Action.X, Action.X, "not in a Data Set")


@pytest.mark.parametrize("tag", [0x00100099, 0x00280FFF, 0x40FE0001])
def test_unknown_standard_element_is_removed(tag: int) -> None:
    assert Profile.from_options("basic").rules(CT).rule(tag, "US", 0) == Rule(Action.X, Action.X, "unknown")


@pytest.mark.parametrize(
    ("keyword", "vr", "action"),
    [
        ("Rows", "US", Action.K),
        ("PixelData", "OW", Action.K),
        ("Modality", "CS", Action.K),
        ("Manufacturer", "LO", Action.K),
        ("AnatomicRegionSequence", "SQ", Action.K),
        ("SOPClassUID", "UI", Action.K),
        ("CodingSchemeUID", "UI", Action.K),
        ("TargetFrameOfReferenceUID", "UI", Action.U),
        ("EvaluatorName", "PN", Action.X),
        ("ExpiryDate", "DA", Action.X),
        ("RetrieveURL", "UR", Action.X),
        ("PatientBirthDateInAlternativeCalendar", "LO", Action.X),
        ("EncryptedAttributesSequence", "SQ", Action.X),
    ],
)
def test_standard_element_outside_the_table_goes_by_its_vr(keyword: str, vr: str, action: Action) -> None:
    assert rule(Profile.from_options("basic"), keyword, vr) == Rule(action, action, "not in E.1-1")


def test_overlay_element_outside_the_table_is_kept() -> None:
    assert Profile.from_options("basic").rules(CT).rule(0x60020010, "US", 0).action is Action.K


@pytest.mark.parametrize(
    ("keyword", "vr", "action"),
    [
        ("Manufacturer", "PN", Action.X),  # a name where a text should be
        ("EvaluatorName", "LO", Action.X),  # and the reverse
        ("SeriesNumber", "UI", Action.U),
        ("Manufacturer", "DA", Action.X),
        ("AnatomicRegionSequence", "UN", Action.X),  # nobody can look inside
        ("Rows", "SQ", Action.X),
    ],
)
def test_vr_that_contradicts_the_dictionary_is_taken_for_the_worse(keyword: str, vr: str, action: Action) -> None:
    assert rule(Profile.from_options("basic"), keyword, vr).action is action


def test_options_reach_the_dates_and_uids_outside_the_table() -> None:
    assert rule(with_options("retain_long_modified_dates"), "ExpiryDate", "DA") == Rule(
        Action.C, Action.X, "option retain_long_modified_dates"
    )
    assert rule(with_options("retain_long_full_dates"), "ExpiryDate", "DA").action is Action.K
    assert rule(with_options("retain_uids"), "TargetFrameOfReferenceUID", "UI").action is Action.K


def test_override_goes_before_options_and_table() -> None:
    profile = Profile.from_options(
        "test", ["retain_patient_characteristics"], {"PatientSex": "Z", "(0008,0070)": "X", "PatientWeight": "D"}
    )
    assert rule(profile, "PatientSex", "CS") == Rule(Action.Z, Action.Z, "override PatientSex")
    assert rule(profile, "Manufacturer", "LO") == Rule(Action.X, Action.K, "override (0008,0070)")
    assert rule(profile, "PatientWeight", "DS", parent=0x00081140).action is Action.D
    assert rule(profile, "PatientSize", "DS").action is Action.K


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"PatientNam": "X"}, "PatientNam"),
        ({"(0010,0010": "X"}, "neither a keyword nor a tag"),
        ({"(0010,00ZZ)": "X"}, "neither a keyword nor a tag"),
        ({"(0002,0010)": "K"}, "neither a keyword nor a tag"),
        ({"(0010,0099)": "X"}, "not an attribute of the standard"),
        ({"(0009,1001)": "K"}, "private"),
        ({"PatientName": "keep"}, "allowed: D, Z, X, K, C, U"),
        ({"PatientName": "U"}, "no UID"),
        ({"PatientName": "X", "(0010,0010)": "Z"}, "same attribute"),
    ],
)
def test_wrong_override_is_refused_with_what_is_wrong(overrides: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said.replace("(", r"\(")):
        Profile.from_options("test", (), overrides)


def test_unknown_option_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(Misconfigured, match=r"retain_dates.*allowed:.*retain_long_modified_dates"):
        with_options("retain_dates")


def test_unknown_sop_class_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        Profile.from_options("basic").rules("1.2.3.4")
    assert refusal.value.reason is Reason.UNSUPPORTED_SOP_CLASS


def test_same_place_has_the_same_rule_however_often_and_whatever_came_between() -> None:
    rules = Profile.from_options("basic").rules(CT)
    first = rules.rule(0x00080023, "DA", 0)
    for element in range(70_000):  # more than is remembered
        rules.rule(0x00100010, "PN", element)
    assert rules.rule(0x00080023, "DA", 0) == first
    assert len(rules._memo) <= 65536


def test_method_codes_are_those_of_the_profile_in_ascending_order() -> None:
    codes = Profile.from_options("all", set(OPTIONS) - {"retain_long_full_dates"}).method_codes
    values = [code.value for code in codes]
    assert values == [str(number) for number in range(113100, 113113) if number != 113106]
    assert codes[0] == Code("113100", "Basic Application Confidentiality Profile")
    assert Profile.from_options("basic").method_codes == codes[:1]


def test_profile_survives_pickling() -> None:
    profile = Profile.from_options("test", ["retain_uids"], {"PatientSex": "K"})
    profile.rules(CT)
    assert pickle.loads(pickle.dumps(profile)) == profile  # noqa: S301  our own


def test_shipped_profiles_are_what_they_say() -> None:
    profiles = {path.stem: load_profile(path) for path in SHIPPED.glob("*.toml")}
    assert {"basic", "longitudinal", "tcia"} <= set(profiles)
    assert all(profile.name == stem for stem, profile in profiles.items())
    assert profiles["basic"] == Profile.from_options("basic")
    assert profiles["longitudinal"] == Profile.from_options("longitudinal", ["retain_long_modified_dates"])
    assert profiles["longitudinal"].demands == frozenset()
    assert profiles["tcia"].demands == {"pixels", "text", "private"}
    assert {code.value for code in profiles["tcia"].method_codes} == {
        "113100", "113101", "113105", "113107", "113108", "113109", "113111",
    }  # fmt: skip


def test_profile_is_read_with_its_overrides(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text('options = ["retain_uids"]\n[overrides]\nPatientSex = "K"\n', encoding="utf-8")
    assert load_profile(path) == Profile.from_options("ours", ["retain_uids"], {"PatientSex": "K"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('option = ["retain_uids"]', "unknown key 'option'; allowed: name, description, options, overrides"),
        ('options = "retain_uids"', "options must be a list"),
        ("options = [1]", "must be text"),
        ("[overrides]\nPatientSex = true", "must be text"),
        ('overrides = ["PatientSex"]', "overrides must be a dict"),
        ("name = 3", "name must be a str"),
        ("options = [", "profile "),
    ],
)
def test_wrong_profile_file_is_refused_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured, match=said) as error:
        load_profile(path)
    assert "wrong" in str(error.value)


def test_missing_profile_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nothing\.toml"):
        load_profile(tmp_path / "nothing.toml")

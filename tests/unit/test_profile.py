from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydicom.datadict import tag_for_keyword

from deid.errors import Misconfigured, Reason, Refused
from deid.profile import OPTIONS, Action, Code, Means, Profile, Rule, load_profile, resolve
from deid.standard import attribute_type, confidentiality_rows

CT, PET, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.88.11"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
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


def tag_of(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag


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
            action = "C" if row.vr == "AS" else row.options[option]  # an age is kept up to 89
            assert (found.action, found.source) == (action, f"option {option}")
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


@pytest.mark.parametrize(
    ("keyword", "vr", "fallback"),
    [
        ("SegmentLabel", "LO", Action.D),  # Type 1 in a Segmentation
        ("SegmentDescription", "ST", Action.X),
        ("RTImageName", "LO", Action.X),
        ("CalculationComment", "LT", Action.X),
    ],
)
def test_what_somebody_typed_is_cleaned_as_the_descriptors_of_the_table_are(
    keyword: str, vr: str, fallback: Action
) -> None:
    found = rule(with_options("clean_descriptors"), keyword, vr, tag_of("SegmentSequence"), SEGMENTATION)
    assert found == Rule(Action.C, fallback, "option clean_descriptors")
    assert rule(Profile.from_options("basic"), keyword, vr).action is Action.K
    strict = rule(Profile.from_options("strict", {"clean_descriptors"}, allow_list=True), keyword, vr)
    assert strict.action is Action.X or strict.means is Means.TERMS


@pytest.mark.parametrize(
    ("keyword", "vr"),
    [
        ("CodeMeaning", "LO"),
        ("CodingSchemeName", "ST"),
        ("SequenceName", "SH"),
        ("Manufacturer", "LO"),
        ("ConvolutionKernel", "SH"),
    ],
)
def test_codes_and_what_devices_write_are_no_descriptors(keyword: str, vr: str) -> None:
    assert rule(with_options("clean_descriptors"), keyword, vr).action is Action.K


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
        ({"(0010,0010": "X"}, "is unknown; allowed: a keyword"),
        ({"(0010,00ZZ)": "X"}, "is unknown; allowed: a keyword"),
        ({"(0002,0010)": "K"}, "is unknown; allowed: a keyword"),
        ({"(0010,0099)": "X"}, "not an attribute of the standard"),
        ({"(0009,1001)": "K"}, "private"),
        ({"PatientName": "keep"}, "allowed: D, Z, X, K, C, U"),
        ({"PatientName": "U"}, "no UID"),
        ({"PatientName": "X", "(0010,0010)": "Z"}, "same attribute"),
        ({"60xx": "X", "(60xx,xxxx)": "Z"}, "same attribute"),
        ({'(0029,"ACME",10)': "X", '(0029,"acme",xx10)': "K"}, "same attribute"),
        ({'(0028,"ACME",10)': "X"}, "private groups are odd"),
        ({'(0029,"ACME",1)': "X"}, "is unknown; allowed: a keyword"),
        ({'(0029," ",10)': "X"}, "is unknown; allowed: a keyword"),
        ({"40xx": "X"}, "is unknown; allowed: a keyword"),
        ({"ZZ": "X"}, "is unknown; allowed: a keyword"),
        ({"LO": "U"}, "no UID"),
        ({"60xx": "U"}, "no UID"),
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


SHIPPED_CODES = {
    "basic": {"113100"},
    "longitudinal": {"113100", "113107"},
    "strict": {"113100", "113107"},
    "tcia": {"113100", "113101", "113103", "113104", "113105", "113107", "113108", "113109", "113111"},
    "tcia-header": {"113100", "113107", "113108", "113109", "113111"},
}


def test_shipped_profiles_are_what_they_say() -> None:
    profiles = {path.stem: load_profile(path) for path in SHIPPED.glob("*.toml")}
    assert {stem: {code.value for code in one.method_codes} for stem, one in profiles.items()} == SHIPPED_CODES
    assert all(profile.name == stem for stem, profile in profiles.items())
    assert profiles["basic"] == Profile.from_options("basic")
    assert profiles["longitudinal"] == Profile.from_options("longitudinal", ["retain_long_modified_dates"])
    demands = {stem: profile.demands for stem, profile in profiles.items() if profile.demands}
    assert demands == {"tcia": {"pixels", "text", "graphics", "structured_content"}}
    assert profiles["tcia-header"].options == profiles["tcia"].options - {"clean_pixel_data"}


def test_text_cleaned_by_rules_alone_is_neither_demanded_nor_claimed() -> None:
    by_rules = Profile.from_options("test", ["clean_descriptors", "retain_uids"], text="rules")
    assert (by_rules.text, by_rules.demands) == ("rules", frozenset())
    assert [code.value for code in by_rules.method_codes] == ["113100", "113110"]
    assert rule(by_rules, "StudyDescription", "LO").action is Action.C
    assert with_options("clean_descriptors").demands == {"text"}
    assert with_options("clean_descriptors").text == "ner"


# Precedence of overrides


def test_attribute_goes_before_its_group_and_that_before_its_vr() -> None:
    profile = Profile.from_options("test", (), {"60xx": "X", "(60xx,0022)": "K", "(6002,0022)": "Z", "LO": "D"})
    rules = profile.rules(CT)
    assert rules.rule(0x60020022, "LO", 0) == Rule(Action.Z, Action.K, "override (6002,0022)")
    assert rules.rule(0x60000022, "LO", 0) == Rule(Action.K, Action.K, "override (60xx,0022)")
    assert rules.rule(0x60000050, "SS", 0) == Rule(Action.X, Action.K, "override 60xx")
    assert rules.rule(0x60011001, "LO", 0).source == "private"
    assert rule(profile, "Manufacturer", "LO") == Rule(Action.D, Action.K, "override LO")


def test_sop_class_goes_before_the_profile_where_both_are_as_specific() -> None:
    profile = Profile.from_options(
        "test",
        (),
        {"PatientSex": "K", "LO": "Z", "Manufacturer": "K"},
        sop_classes={"CTImageStorage": {"PatientSex": "X", "LO": "X"}, PET: {"PatientSex": "D"}},
    )
    assert rule(profile, "PatientSex", "CS") == Rule(Action.X, Action.Z, "override CTImageStorage PatientSex")
    assert rule(profile, "PatientSex", "CS", sop_class=PET) == Rule(Action.D, Action.Z, f"override {PET} PatientSex")
    assert rule(profile, "PatientSex", "CS", sop_class=SR).action is Action.K
    assert rule(profile, "ManufacturerModelName", "LO").action is Action.X
    assert rule(profile, "ManufacturerModelName", "LO", sop_class=SR).action is Action.Z
    assert rule(profile, "Manufacturer", "LO") == Rule(Action.K, Action.K, "override Manufacturer")


def test_override_for_a_vr_goes_before_options_and_table() -> None:
    profile = Profile.from_options("test", ["retain_long_modified_dates"], {"DA": "Z", "PN": "D"})
    assert rule(profile, "StudyDate", "DA") == Rule(Action.Z, Action.Z, "override DA")
    assert rule(profile, "StudyTime", "TM").action is Action.C
    assert rule(profile, "ReferringPhysicianName", "PN").action is Action.D


def test_override_for_a_vr_keeps_nothing_whose_vr_is_another_or_unknown() -> None:
    profile = Profile.from_options("test", (), {"LO": "K", "US": "K"})
    assert rule(profile, "PatientName", "LO").action is not Action.K
    assert rule(profile, "StudyDescription", "LO").action is Action.K
    assert rule(profile, "SmallestImagePixelValue", "US").source == "override US"
    assert profile.rules(CT).rule(0x00100099, "LO", 0).action is Action.X
    assert rule(Profile.from_options("test", (), {"PN": "X"}), "Manufacturer", "PN").source == "override PN"


def test_override_by_creator_needs_no_option_and_knows_no_block() -> None:
    profile = Profile.from_options("test", (), {'(0029,"SIEMENS CSA HEADER",10)': "K"})
    rules = profile.rules(CT)
    assert rules.reads_private
    for tag in (0x00291010, 0x0029E110):
        kept = rules.private_rule("SIEMENS CSA HEADER ", tag, "OB")
        assert kept == Rule(Action.K, Action.X, 'override (0029,"SIEMENS CSA HEADER",10)')
    assert rules.private_rule("SIEMENS CSA HEADER", 0x00291020, "OB").action is Action.X
    assert rules.private_rule("ACME", 0x00291010, "OB").action is Action.X
    assert not Profile.from_options("basic").rules(CT).reads_private


# The allow-list


STRICT = Profile.from_options("strict", ["retain_long_modified_dates"], allow_list=True)


@pytest.mark.parametrize(
    ("keyword", "vr", "expected"),
    [
        ("Rows", "US", Rule(Action.K, Action.K, "not in E.1-1")),
        ("Modality", "CS", Rule(Action.K, Action.K, "not in E.1-1")),
        ("PixelData", "OW", Rule(Action.K, Action.K, "not in E.1-1")),
        ("Manufacturer", "LO", Rule(Action.C, Action.Z, "not on the allow-list", Means.TERMS)),
        ("ConvolutionKernel", "SH", Rule(Action.C, Action.X, "not on the allow-list", Means.TERMS)),
        ("DiffusionBValue", "FD", Rule(Action.X, Action.X, "not in the IOD")),
        ("SegmentLabel", "LO", Rule(Action.X, Action.X, "not in the IOD")),
        ("PatientName", "PN", Rule(Action.Z, Action.Z, "E.1-1")),
        ("StudyDate", "DA", Rule(Action.C, Action.Z, "option retain_long_modified_dates")),
    ],
)
def test_allow_list_keeps_what_the_iod_has_and_no_free_text(keyword: str, vr: str, expected: Rule) -> None:
    assert rule(STRICT, keyword, vr) == expected


def test_allow_list_dummies_a_text_that_the_iod_demands() -> None:
    segmentation = "1.2.840.10008.5.1.4.1.1.66.4"
    found = rule(STRICT, "SegmentLabel", "LO", parent=0x00620002, sop_class=segmentation)
    assert found == Rule(Action.C, Action.D, "not on the allow-list", Means.TERMS)


def test_override_goes_before_the_allow_list() -> None:
    profile = Profile.from_options("test", (), {"Manufacturer": "K"}, allow_list=True)
    assert rule(profile, "Manufacturer", "LO").action is Action.K


def test_allow_list_refuses_a_sop_class_whose_iod_is_not_known() -> None:
    with pytest.raises(Refused) as refusal:
        STRICT.rules("1.2.840.10008.5.1.4.1.1.8")
    assert refusal.value.reason is Reason.UNSUPPORTED_SOP_CLASS


def test_profile_is_read_with_its_overrides(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        """options = ["retain_uids"]
        text = "rules"
        allow_list = true
        character_set = "utf-8"
        [overrides]
        PatientSex = "K"
        '(0029,"ACME",10)' = "K"
        [sop_class."1.2.840.10008.5.1.4.1.1.2".overrides]
        PN = "D"
        """,
        encoding="utf-8",
    )
    assert load_profile(path) == Profile.from_options(
        "ours",
        ["retain_uids"],
        {"PatientSex": "K", '(0029,"ACME",10)': "K"},
        sop_classes={CT: {"PN": "D"}},
        text="rules",
        allow_list=True,
        character_set="utf-8",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'option = ["retain_uids"]',
            "unknown key 'option'; allowed: name, description, options, text, allow_list, character_set, overrides",
        ),
        ('options = "retain_uids"', "options must be a list"),
        ("options = [1]", "must be text"),
        ("[overrides]\nPatientSex = true", "must be text"),
        ('overrides = ["PatientSex"]', "overrides must be a dict"),
        ("name = 3", "name must be a str"),
        ('allow_list = "yes"', "allow_list must be a bool"),
        ('character_set = "latin-1"', "character_set = 'latin-1'; allowed: source, utf-8"),
        ("character_set = true", "character_set must be a str"),
        ('text = "spacy"', "text = 'spacy'; allowed: ner, rules"),
        ("[sop_class.CTImage.overrides]", r"sop_class.CTImage is no storage SOP Class; allowed: a keyword"),
        ('[sop_class."1.2.3".overrides]', r"sop_class.1.2.3 is no storage SOP Class; allowed: a keyword"),
        ("[sop_class]\nCTImageStorage = 1", "CTImageStorage must be a dict"),
        (
            "[sop_class.CTImageStorage]\noptions = []",
            "unknown key 'options' in sop_class.CTImageStorage; allowed: overr",
        ),
        ("[sop_class.CTImageStorage.overrides]\nPatientSx = 'K'", "PatientSx"),
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

"""`profile list`, `profile show` and `profile diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deid.options import OPTIONS
from deid.profile import load_profile
from deid.standard import EDITION, confidentiality_rows
from deid.table import COLUMNS, attribute_name, by_type, lines, tag_text
from node.cli import main
from node.layout import aligned, broken, paragraph
from node.settings import shipped_config

SHIPPED = sorted(path.stem for path in (shipped_config() / "profiles").glob("*.toml"))
OWN = """
options = ["retain_uids"]
[overrides]
StudyDescription = "K"
PN = "X"
'(0029,"SIEMENS CSA HEADER",10)' = "K"
[sop_class.CTImageStorage.overrides]
ProtocolName = "K"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(OWN)
    return "own.toml"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["profile", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def values(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads("\n".join(said(capsys, *words, "--format", "json")))


def row(found: list[str], keyword: str) -> list[str]:
    return next(line.split() for line in found if f" {keyword} " in line)


# list


def test_all_shipped_profiles_are_listed_with_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "list")
    assert sorted(line.split()[0] for line in found if line[0] != " ") == SHIPPED
    assert max(map(len, found)) <= 100
    listed = {each["profile"]: each for each in values(capsys, "list")}
    assert sorted(listed) == SHIPPED
    for name in SHIPPED:
        profile = load_profile(shipped_config() / "profiles" / f"{name}.toml")
        assert listed[name]["options"] == sorted(profile.options)
        assert listed[name]["description"]


# show


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("more", [[], ["--sop-class", "CTImageStorage"], ["--private"]])
def test_a_profile_fits_into_100_columns_of_plain_text(
    name: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, "show", name, *more)
    assert len(found) > 200
    assert max(map(len, found)) <= 100
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_row_of_the_standard_is_shown_with_what_the_profile_does(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {each["tag"]: each for each in values(capsys, "show", name)["table"]}
    assert len(table) == len(confidentiality_rows()) == 655
    for line in lines(load_profile(shipped_config() / "profiles" / f"{name}.toml")):
        shown = table[tag_text(line.row.tag, line.row.mask)]
        assert shown["basic"] == line.row.basic
        assert shown["options"] == dict(line.row.options)
        assert [rule["action"] for rule in shown["by_type"].values()] == list(line.actions)


def test_text_and_json_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", "tcia")
    shown = {each["keyword"]: each for each in values(capsys, "show", "tcia")["table"]}
    for keyword in ("StudyDate", "AccessionNumber", "StationName", "PatientAge", "StudyDescription"):
        cells = row(text, keyword)
        assert cells[3] == shown[keyword]["basic"]
        assert cells[4:14] == [shown[keyword]["options"].get(option, ".") for option in COLUMNS]
        assert cells[14:19] == [rule["action"] for rule in shown[keyword]["by_type"].values()]


def test_the_heading_names_edition_options_codes_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", "tcia")
    assert found[0] == f"profile tcia: {EDITION}"
    for name, option in OPTIONS.items():
        line = next(line for line in found if f" {name} " in line)
        assert option.code.value in line
    assert any("clean_pixel_data" in line and "asks for the step pixels" in line for line in found)
    assert any(line.split()[1:2] == ["retain_uids"] and line.endswith("no") for line in found)


def test_an_option_that_is_not_claimed_is_shown_so(capsys: pytest.CaptureFixture[str]) -> None:
    line = next(line for line in said(capsys, "show", "tcia-header") if " clean_descriptors " in line)
    assert line.endswith("yes, by rules; not claimed")


def test_with_a_sop_class_the_type_and_the_action_of_its_iod_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", "basic", "--sop-class", "CTImageStorage")
    assert row(found, "StudyInstanceUID")[-3:] == ["1", "U", "E.1-1"]
    assert row(found, "PyramidUID")[-3:] == ["-", "U", "E.1-1"]
    assert row(found, "ContentDate")[-3:] == ["2C", "Z", "E.1-1"]
    by_uid = said(capsys, "show", "basic", "--sop-class", "1.2.840.10008.5.1.4.1.1.2")
    assert by_uid == found


def test_sequences_where_another_action_counts_are_listed_below(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", "basic", "--sop-class", "CTImageStorage", "--attribute", "InstitutionName")
    assert found[2].split()[-3:] == ["3", "X", "E.1-1"]
    assert found[3].split() == ["in", "ReferringPhysician", "1C", "D", "E.1-1"]
    places = values(capsys, "show", "basic", "--sop-class", "CTImageStorage", "--attribute", "InstitutionName")[
        "places"
    ]
    assert {"in": "", "type": "3", "action": "X", "source": "E.1-1"} in places


def test_one_attribute_is_shown_by_keyword_and_by_tag(capsys: pytest.CaptureFixture[str]) -> None:
    by_keyword = said(capsys, "show", "basic", "--attribute", "PatientName")
    assert by_keyword == said(capsys, "show", "basic", "--attribute", "(0010,0010)")
    assert len(by_keyword) == 4
    assert values(capsys, "show", "basic", "--attribute", "PatientName")["by_type"]["1"]["action"] == "D"


def test_an_attribute_outside_the_table_is_shown_with_its_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "show", "basic", "--attribute", "Rows")[1].split()[:4] == ["(0028,0010)", "Rows", "US", "K"]
    found = values(capsys, "show", "basic", "--attribute", "Rows")
    assert (found["action"], found["attributes"]) == ("K", {"(0028,0010)": "Rows"})


def test_rules_outside_the_table_name_the_few_attributes_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(said(capsys, "show", "basic"))
    outside = text.split("Outside the table")[1].split("Private elements")[0]
    assert "RetrieveLocationUID" in outside
    assert "SOPClassUID" in outside
    assert "PN 3" in outside


def test_an_allow_list_says_that_the_iod_decides(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(said(capsys, "show", "strict"))
    assert "unless the instance's IOD has them" in text
    assert "not in the IOD" in "\n".join(said(capsys, "show", "strict", "--sop-class", "CTImageStorage"))


def test_the_character_set_of_the_output_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "utf8.toml").write_text('name = "utf8"\ncharacter_set = "utf-8"\n')
    assert any("UTF-8" in line for line in said(capsys, "show", "utf8.toml"))
    assert not any("UTF-8" in line for line in said(capsys, "show", "basic"))
    assert values(capsys, "show", "utf8.toml")["character_set"] == "utf-8"
    found = [line.split() for line in said(capsys, "diff", "basic", "utf8.toml")]
    assert ["character_set", "source", "utf-8"] in found


def test_overrides_are_seen_in_the_table_and_listed(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", own)
    assert row(found, "StudyDescription")[14:] == ["K", "K", "K", "K", "K", "override"]
    assert row(found, "ReferringPhysicianName")[14:] == ["X", "X", "X", "X", "X", "override"]
    listed = found[found.index("Overrides") :]
    assert any(line.split() == ["K", "CTImageStorage", "ProtocolName"] for line in listed)
    assert any('(0029,"SIEMENS CSA HEADER",10)' in line for line in listed)
    assert len(values(capsys, "show", own)["overrides"]) == 4
    in_ct = said(capsys, "show", own, "--sop-class", "CTImageStorage", "--attribute", "ProtocolName")
    assert in_ct[2].split()[-2:] == ["K", "override"]


def test_private_elements_are_counted_by_creator(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", "tcia", "--private")
    line = next(line for line in found if line.endswith(" SIEMENS MR HEADER"))
    kept = int(line.split()[0])
    elements = said(capsys, "show", "tcia", "--private", "siemens mr header")
    assert elements[0] == '"SIEMENS MR HEADER"'
    assert sum(each.split()[2] == "K" for each in elements[2:]) == kept > 20
    assert any(each.startswith("(0019,xx0C)") and each.endswith("B_value") for each in elements)


def test_private_elements_are_all_removed_without_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    found = values(capsys, "show", "basic", "--private", "SIEMENS MR HEADER")["private"]
    assert {each["action"] for each in found} == {"X"}
    assert {each["list_says"] for each in found} >= {"keep", "delete"}


def test_an_override_for_a_private_element_is_shown(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = values(capsys, "show", own, "--private", "SIEMENS CSA HEADER")["private"]
    kept = [each for each in found if each["action"] == "K"]
    assert [each["tag"] for each in kept] == ["(0029,xx10)"]
    assert kept[0]["source"].startswith("override")


# diff


@pytest.mark.parametrize("other", [name for name in SHIPPED if name != "basic"])
def test_only_the_rows_that_differ_are_shown(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (load_profile(shipped_config() / "profiles" / f"{name}.toml") for name in ("basic", other))
    expected = {
        one.row.keyword or attribute_name(one.row.tag): (by_type(one.actions), by_type(two.actions))
        for one, two in zip(lines(first), lines(second), strict=True)
        if one.actions != two.actions
    }
    found = values(capsys, "diff", "basic", other)
    assert found["profiles"] == ["basic", other]
    assert {each["name"]: (each["first"]["actions"], each["second"]["actions"]) for each in found["table_e.1-1"]} == (
        expected
    )
    assert 0 < len(expected) < 655


def test_a_difference_comes_with_the_source_of_either_side(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "diff", "basic", "tcia")
    assert max(map(len, found)) <= 100
    line = next(line for line in found if line.startswith("(0008,0020)"))
    assert line.split("StudyDate")[1].split() == ["Z,", "1", "1C:D", "E.1-1", "C", "option", "MD"]
    assert any(line.split() == ["retain_safe_private", "no", "yes"] for line in found)
    assert any('"SIEMENS MR HEADER"' in line for line in found)


def test_profiles_that_differ_in_settings_alone_say_only_these(capsys: pytest.CaptureFixture[str]) -> None:
    found = [line.split() for line in said(capsys, "diff", "tcia", "tcia-header") if line]
    assert found == [["Settings"], ["tcia", "tcia-header"], ["clean_pixel_data", "yes", "no"], ["text", "ner", "rules"]]


def test_a_profile_does_the_same_as_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "diff", "basic", "basic") == ["basic and basic do the same"]


def test_with_a_sop_class_its_own_overrides_count(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    anywhere = {each["name"] for each in values(capsys, "diff", "basic", own)["table_e.1-1"]}
    in_ct = {
        each["name"] for each in values(capsys, "diff", "basic", own, "--sop-class", "CTImageStorage")["table_e.1-1"]
    }
    assert in_ct - anywhere == {"ProtocolName"}


# Errors


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "lax"], "no profile is called 'lax'; there are basic, longitudinal,"),
        (["show", "./lax.toml"], "there is no profile lax.toml"),
        (["show", "broken.toml"], "retain_everything"),
        (["show", "basic", "--attribute", "PatentName"], "no attribute is called 'PatentName'; did you mean"),
        (["show", "basic", "--attribute", "(0010,9999)"], "no attribute of the standard has the tag (0010,9999)"),
        (["show", "basic", "--attribute", "(0029,1010)"], "(0029,1010) is private"),
        (["show", "basic", "--sop-class", "CTImagStorage"], "did you mean 'CTImageStorage'?"),
        (["show", "basic", "--sop-class", "1.2.3"], "no storage SOP Class is called '1.2.3'"),
        (["show", "tcia", "--private", "SIEMENS MR HEADR"], "did you mean 'SIEMENS MR HEADER'?"),
        (["show", "strict", "--sop-class", "1.2.840.10008.5.1.4.1.1.9"], "no allow-list"),
        (["diff", "basic", "lax"], "no profile is called 'lax'"),
        (["diff", "basic", "strict", "--sop-class", "1.2.840.10008.5.1.4.1.1.9"], "no allow-list"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr_and_code_2(
    own: str, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.toml").write_text('options = ["retain_everything"]')
    assert main(["profile", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("deid-node: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [[], ["list", "more"], ["show"], ["diff", "basic"], ["show", "basic", "--private", "--attribute", "Rows"]],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["profile", *words])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# Layout


def test_columns_line_up_and_nothing_trails() -> None:
    assert list(aligned([("a", "b", "c"), ("long", "", "")])) == ["a     b  c", "long"]


def test_a_long_keyword_is_broken_between_its_words() -> None:
    assert broken("PatientName", 31) == ["PatientName"]
    assert broken("ReferringPhysicianIdentificationSequence", 31) == ["ReferringPhysician", "  IdentificationSequence"]
    assert "".join(part.strip() for part in broken("SOPInstanceUIDOfConcatenationSource", 12)) == (
        "SOPInstanceUIDOfConcatenationSource"
    )


def test_a_paragraph_breaks_between_items_only() -> None:
    items = [f"VR {number}" for number in range(60)]
    found = paragraph(items, 4)
    assert max(map(len, found)) <= 96
    assert ", ".join(line.rstrip(",") for line in found) == ", ".join(items)

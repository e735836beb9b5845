"""`profile import`: scripts of CTP's anonymizers and recipes of pydicom/deid."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from deid.actions import Action
from deid.pixels.template import Attributes, load_region_files
from deid.profile import load_profile
from deid.rules import Rules
from node.cli import main
from node.importing.calls import Call, ScriptSyntaxError, parse_calls
from node.importing.conditions import expression_patterns
from node.importing.ctp_filter import FilterSyntaxError, methods_in, parse_filter
from node.importing.ctp_functions import FUNCTIONS
from node.importing.outcome import Fidelity
from tests import factories

SCRIPTS = Path(__file__).parents[1] / "imports"
CONDITIONS = {"if", "select", "always"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "ours.toml"


def imported(source: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["profile", "import", str(source), "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def overrides(out: Path) -> dict[str, str]:
    table: dict[str, str] = tomllib.loads(out.read_text("utf-8"))["overrides"]
    return table


# A script of the anonymizer


def test_each_function_of_ctp_is_counted_with_how_it_was_carried_over(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = imported(SCRIPTS / "anonymizer.script", out, capsys)
    table = said[said.index("Coverage") + 1 : said.index("What is not as it was, and what is done instead") - 1]
    assert table[0].split()[:2] == ["function", "used"]
    rows = {line.split()[0]: line.split() for line in table[1:]}
    every = FUNCTIONS.keys() | CONDITIONS
    assert {f"@{name}" for name in every} <= rows.keys()
    assert rows["@keep"] == ["@keep", "9", "7", "-", "2", "-"]
    assert rows["@incrementdate"] == ["@incrementdate", "1", "-", "1", "-", "-"]
    assert rows["@hashptid"] == ["@hashptid", "1", "-", "-", "1", "-"]
    assert rows["@skip"] == ["@skip", "1", "-", "-", "-", "1"]
    totals = [int(cell) for cell in rows["all"][1:]]
    assert totals[0] == sum(totals[1:])


@pytest.mark.parametrize(
    ("attribute", "action"),
    [
        ("PatientSize", None),  # the option that the script claims keeps it
        ("StudyDescription", None),  # of keep and remove the stricter, which is the table's
        ("ManufacturerModelName", None),
        ("InstitutionName", None),
        ("PatientName", None),
        ("SeriesDescription", None),
        ("StudyDate", None),  # shifted by the option
        ("InstitutionalDepartmentName", "K"),  # the same text in small letters
        ("ClinicalTrialSponsorName", None),
        ("CodeMeaning", None),
        ("ReferencedImageSequence", None),
        ('(0029,"SIEMENS CSA HEADER",10)', "K"),
        ("50xx", "X"),
        ("60xx", "X"),
    ],
)
def test_overrides_stand_only_where_options_and_table_do_otherwise(
    out: Path, capsys: pytest.CaptureFixture[str], attribute: str, action: str | None
) -> None:
    imported(SCRIPTS / "anonymizer.script", out, capsys)
    assert overrides(out).get(attribute) == action


def test_the_options_are_those_that_the_script_claims(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(SCRIPTS / "anonymizer.script", out, capsys)
    wanted = {"retain_long_modified_dates", "retain_patient_characteristics", "retain_safe_private"}
    assert load_profile(out).options == wanted


def test_what_is_not_carried_over_is_listed_and_stands_in_the_file(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = imported(SCRIPTS / "anonymizer.script", out, capsys)
    lost = [line for line in said if line.startswith(Fidelity.LOST)]
    for name in ("StationName", "PatientAge", "ImageComments", "StudyComments", "AdmissionID", "group 0018"):
        assert any(name in line for line in lost), name
    assert "not readable: } is missing" in "\n".join(lost)
    comments = [line for line in out.read_text("utf-8").splitlines() if line.startswith(f"# {Fidelity.LOST}: ")]
    assert len(comments) == len(lost)


def test_what_the_basic_profile_would_not_keep_is_named(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = imported(SCRIPTS / "anonymizer.script", out, capsys)
    line = next(line for line in said if line.startswith("kept although"))
    assert "InstitutionalDepartmentName" in line
    assert "PatientSize" not in line


def test_an_instance_is_cleaned_as_the_script_says(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    imported(SCRIPTS / "anonymizer.script", out, capsys)
    source = factories.ct(factories.STUDY, 1)
    source.InstitutionalDepartmentName = "Radiology"
    source.StationName = "ROOM7"
    source.PatientAge = "047Y"
    source.PatientSize = "1.71"
    source.Occupation = "Falconer"
    source.ClinicalTrialSponsorName = "Other Sponsor"
    source.StudyTime = "101112"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.dcm").write_bytes(factories.to_bytes(source))
    assert main(["clean", "in", "out", "--profile", str(out), "--jobs", "1"]) == 0
    capsys.readouterr()
    clean = dcmread(next((tmp_path / "out").rglob("*.dcm")))
    assert clean.InstitutionalDepartmentName == "Radiology"
    assert "StationName" not in clean or clean.StationName != "ROOM7"
    assert clean.get("PatientAge", "") != "047Y" or "PatientAge" not in clean
    assert str(clean.PatientSize) == "1.71"
    assert clean.get("Occupation", "") == ""
    assert clean.get("ClinicalTrialSponsorName", "") not in ("Other Sponsor", "Some Sponsor")
    assert clean.StudyTime == "101112"
    assert clean.StudyDate != source.StudyDate
    assert clean.SOPInstanceUID != source.SOPInstanceUID
    assert clean.PatientID not in ("", source.PatientID)


def test_older_scripts_of_lines_are_read(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = imported(SCRIPTS / "anonymizer.properties", out, capsys)
    assert "4 elements, 3 switched on; 1 parameters" in said
    assert overrides(out) == {"StationName": "K", '(0029,"SIEMENS CSA HEADER",10)': "K"}
    assert load_profile(out).policy.allow_list


@pytest.mark.parametrize(
    ("script", "action"),
    [
        ("@if(this,isblank){@remove()}{@keep()}", Action.K),
        ("@if(StationName,exists){@keep()}{@remove()}", Action.K),
        ("@if(Modality,contains,CT){@keep()}{@keep()}", Action.K),
        ("@if(Modality,contains,CT){@keep()}{@empty()}", Action.X),
        ("@select(){@keep()}{@remove()}", Action.X),
        ('@if(Modality,equals,"a),{b"){@if(this,exists){@keep()}}{@keep()}', Action.K),
        ("@always()@keep()", Action.K),
        ("x@keep()", Action.X),
        ("@keep(", Action.X),
        ("", Action.X),
    ],
)
def test_conditions_become_the_stricter_of_both_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, action: Action
) -> None:
    source, out = tmp_path / "one.script", tmp_path / "one.toml"
    source.write_text(f'<script><e en="T" t="00081010" n="StationName">{script}</e></script>')
    imported(source, out, capsys)
    assert Rules(load_profile(out).policy, "").rule(0x0008_1010, "SH", 0).action is action


@pytest.mark.parametrize("tag", ["00080018", "0020000d", "0020000e", "00080016"])
def test_uids_that_every_instance_needs_are_never_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tag: str
) -> None:
    source, out = tmp_path / "one.script", tmp_path / "one.toml"
    source.write_text(f'<script><e en="T" t="{tag}" n="x">@remove()</e></script>')
    imported(source, out, capsys)
    assert Rules(load_profile(out).policy, "").rule(int(tag, 16), "UI", 0).action in (Action.U, Action.K)


def test_a_script_cannot_write_lines_of_its_own_into_the_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "one.script", tmp_path / "one.toml"
    source.write_text(
        '<script><e en="T" t="00081010" n="a&#10;options = [&quot;retain_uids&quot;]">@keep()&#10;PN = "K"</e>'
        '<e en="T" t="0029[A&quot;] x = [&quot;B]10" n="x">@keep()</e></script>'
    )
    imported(source, out, capsys)
    table = tomllib.loads(out.read_text("utf-8"))
    assert table["options"] == []
    assert set(table.get("overrides", {})) <= {"StationName"}


# Scripts of the pixel anonymizer, and recipes


def templates(out: Path) -> dict[str, Any]:
    return {template.name: template for template in load_region_files([out]).templates}


def test_signatures_become_templates(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = imported(SCRIPTS / "pixels.script", out, capsys)
    assert "10 sections, 6 carried over" in said
    table = {each["name"]: each for each in tomllib.loads(out.read_text("utf-8"))["template"]}
    assert table["Example 9"] == {
        "name": "Example 9",
        "match": {"Modality": "US", "ManufacturerModelName": "*EXAMPLE 9*"},
        "unless": {"Rows": "480"},
        "boxes": [[0, 0, 640, 40]],
    }
    assert table["All that say nothing of how they came"]["match"] == {"SecondaryCaptureDeviceManufacturer": ""}
    assert table["Everything"]["match"] == {"SOPClassUID": "*"}
    assert table["By a pattern"]["match"] == {"SeriesDescription": ["Dose*", "*Report"]}
    two = [each for name, each in table.items() if name.startswith("Two makers")]
    assert {(each["match"]["Manufacturer"], each["match"]["Rows"]) for each in two} == {
        (maker, rows) for maker in ("ACME*", "*Bcme*") for rows in ("600", "768")
    }
    assert two[0]["boxes"] == [[0, 0, 800, 65], [128, 56, 144, 72]]


@pytest.mark.parametrize("maker", ["ACME MEDICAL", "MEDICAL by ACME", "ACMEDICAL", "acmedical"])
def test_two_conditions_on_one_attribute_are_both_asked(
    out: Path, capsys: pytest.CaptureFixture[str], maker: str
) -> None:
    imported(SCRIPTS / "pixels.script", out, capsys)
    found = [each for name, each in templates(out).items() if name.startswith("Words in any order")]
    assert any(each.match.fits(_attributes(Manufacturer=maker)) for each in found)
    assert not any(each.match.fits(_attributes(Manufacturer="ACME")) for each in found)


def _attributes(**values: str) -> Attributes:
    class _Known(Attributes):
        __slots__ = ()

        def values(self, tag: int) -> tuple[str, ...]:
            return (wanted.get(tag, ""),)

    source = Dataset()
    for keyword, value in values.items():
        setattr(source, keyword, value)
    wanted = {int(element.tag): str(element.value) for element in source}
    return _Known(None, True)  # type: ignore[arg-type]


def test_signatures_that_no_template_can_say_are_listed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = imported(SCRIPTS / "pixels.script", out, capsys)
    lost = "\n".join(line for line in said if line.startswith(Fidelity.LOST))
    assert "Too thin" in lost
    assert "no comparison isLessThan" in lost
    assert "no attributes within Sequences" in lost
    assert "no attribute that templates know by a keyword" in lost
    assert "an empty region" in lost


def test_labels_of_a_recipe_become_templates(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = imported(SCRIPTS / "recipe.deid", out, capsys)
    assert "6 sections, 3 carried over" in said
    table = {each["name"]: each for each in tomllib.loads(out.read_text("utf-8"))["template"]}
    dose = [each for name, each in table.items() if name.startswith("Example dose page")]
    assert [each["match"] for each in dose] == [
        {"Modality": "*CT*", "Manufacturer": ["*ACME*", "*Bcme*"], "ImageType": "*SCREEN SAVE*"},
        {"Modality": "*CT*", "Manufacturer": ["*ACME*", "*Bcme*"], "SeriesDescription": "*Dose*"},
    ]
    assert table["Example AS+ (CTP)"]["match"] == {"ManufacturerModelName": "Example AS*"}
    assert table["Example AS+ (CTP)"]["unless"] == {"Rows": "480", "SeriesDescription": "*Keep*"}
    assert table["Example AS+ (CTP)"]["boxes"] == [[230, 50, 490, 420], [0, 0, 20, 20]]
    either = [each for name, each in table.items() if name.startswith("Either")]
    assert [each["boxes"] for each in either] == [[[0, 0, 65536, 65536]]] * 2
    lost = "\n".join(line for line in said if line.startswith(Fidelity.LOST))
    assert "it only sorts images into a group" in lost
    assert "outside of calibrated ultrasound regions all is masked anyway" in lost
    assert "no such regular expressions" in lost
    assert "%header" in lost


def test_an_imported_region_file_is_one_that_a_profile_can_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(SCRIPTS / "pixels.script", tmp_path / "ours.toml", capsys)
    profile = tmp_path / "p.toml"
    profile.write_text('options = ["clean_pixel_data"]\n[pixels]\nregions = ["shipped", "ours.toml"]\n')
    pixels = load_profile(profile).pixels
    assert pixels is not None
    assert "Example 9" in {template.name for template in pixels.files.templates}


# What is nothing known


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is nothing that is known"),
        ("hello", "is nothing that is known"),
        ("<script></script>", "has no element"),
        ("<script><e en='T' t='00100010'>@keep()</script>", "not XML: mismatched tag, line 1"),
        ("<other/>", "not <script>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><script><e en="T" t="00100010">&b;</e></script>', "declares entities"),
        ("FORMAT nifti", "does not begin with FORMAT dicom"),
        ("a\0b", "is no text"),
    ],
)
def test_what_is_no_script_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    source, out = tmp_path / "one.script", tmp_path / "one.toml"
    source.write_text(content)
    assert main(["profile", "import", str(source), "-o", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_nothing_is_overwritten(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out.write_text("ours")
    assert main(["profile", "import", str(SCRIPTS / "recipe.deid"), "-o", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert out.read_text() == "ours"


def test_a_profile_needs_a_name_that_is_told_from_the_shipped_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copy(SCRIPTS / "recipe.deid", tmp_path / "r.deid")
    assert main(["profile", "import", str(source), "-o", str(tmp_path / "ours")]) == 2
    assert "must end in .toml" in capsys.readouterr().err


# The languages


def test_calls_are_read_with_their_clauses() -> None:
    assert parse_calls('a\\@b@if(this,matches,"x,)"){@keep()}{c}d') == (
        "a@b",
        Call("if", ("this", "matches", "x,)"), ("@keep()", "c")),
        "d",
    )
    assert parse_calls("@ hash ( [0008,0050] , 16 )") == (Call("hash", ("[0008,0050]", "16")),)


@given(st.text(alphabet='@if(){},"\\this[]', max_size=40))
def test_any_text_is_a_script_or_a_syntax_error(text: str) -> None:
    try:
        parts = parse_calls(text)
    except ScriptSyntaxError:
        return
    assert all(isinstance(part, str | Call) for part in parts)


@given(st.text(alphabet='+*!(). Rows.equals("1")', max_size=40))
def test_any_text_is_a_condition_or_a_syntax_error(text: str) -> None:
    try:
        found = parse_filter(text)
    except (FilterSyntaxError, ValueError):
        return
    assert all(condition.keyword for conjunction in found for condition in conjunction)


def test_not_of_a_bracket_is_not_of_its_parts() -> None:
    found = parse_filter('!(Rows.equals("1") + Columns.equals("2")) * Modality.equals("CT")')
    assert [[(each.keyword, each.negated) for each in conjunction] for conjunction in found] == [
        [("Rows", True), ("Columns", True), ("Modality", False)]
    ]
    assert methods_in('a.equals("x") * !b.contains("y")') == ["equals", "contains"]


@pytest.mark.parametrize(
    ("expression", "anywhere", "patterns"),
    [
        ("a|b", True, ("*a*", "*b*")),
        ("^a$", True, ("a",)),
        ("a.*b", False, ("a*b",)),
        ("AS+", True, ("*AS*",)),
        (r"1\.2", False, ("1.2",)),
    ],
)
def test_simple_expressions_become_patterns(expression: str, anywhere: bool, patterns: tuple[str, ...]) -> None:
    assert expression_patterns(expression, anywhere=anywhere) == patterns

"""Crosswalks: what a file says, what it may not say, whom a row is for, and when a new version counts."""

from __future__ import annotations

import datetime as dt
import io
import os
import pickle
import time
import zipfile
from pathlib import Path

import pytest

from deid.errors import Reason, Refused
from deid.identity import NewIdentity, Subject
from deid.keys import Keys
from node.crosswalk import Crosswalk, Key, parse
from node.crosswalk_file import CrosswalkFile
from node.errors import Misconfigured
from node.identity_settings import Columns, IdentityMode, IdentitySettings
from node.settings import load_settings
from node.sheet import Flawed, Problem, Wrong

KEYS = Keys.from_secret(b"k" * 32)
SETTINGS = IdentitySettings(IdentityMode.CROSSWALK, Path("crosswalk.csv"))
FULL = "Patient_ID,Issuer,Accession_number,New_ID,Date_shift_days,New_accession\n"


def read(text: str, settings: IdentitySettings = SETTINGS) -> Crosswalk:
    return parse(text.encode(), ".csv", settings)


def becomes(crosswalk: Crosswalk, patient_id: str = "", issuer: str = "", accession: str = "") -> str:
    return crosswalk.assign(Subject(patient_id, issuer, "", "", "1.2", accession), KEYS).pseudonym


def test_the_columns_of_the_issue_are_understood() -> None:
    assert becomes(read("Accession_number,New_ID\nA-1,T-1\n"), "whoever", "", "A-1") == "T-1"
    crosswalk = read("Patient_ID,New_Patient_ID,Date_shift_days,New_accession\nMRN-1,T-1,-77,N-1\n")
    new = crosswalk.assign(Subject("MRN-1"), KEYS)
    assert new == NewIdentity("T-1", -77, "N-1", is_chosen=True)


@pytest.mark.parametrize(
    "header", ["patient id;NEW ID", "PatientID;NewID", "\ufeffPatient-ID;New_ID", "PATIENT_ID\tNew ID"]
)
def test_case_separators_and_delimiters_of_a_header_do_not_matter(header: str) -> None:
    delimiter = "\t" if "\t" in header else ";"
    assert becomes(read(f"{header}\nMRN-1{delimiter}T-1\n"), "MRN-1") == "T-1"


def test_columns_may_be_called_otherwise_and_others_ignored() -> None:
    columns = Columns(patient_id="MRN", new_id="Study code", ignore=("Remarks",))
    settings = IdentitySettings(IdentityMode.CROSSWALK, Path("c.csv"), columns=columns)
    assert becomes(read("Remarks,mrn,Study_Code\nsecret,MRN-1,T-1\n", settings), "MRN-1") == "T-1"


def test_quoted_cells_empty_lines_and_spaces_are_what_a_spreadsheet_means_by_them() -> None:
    text = 'Patient_ID,New_ID\r\n\r\n" MRN,1 ","T 1"\r\n,\r\nMRN-2 , T-2\r\n'
    crosswalk = read(text)
    assert becomes(crosswalk, "MRN,1") == "T 1"
    assert becomes(crosswalk, "MRN-2") == "T-2"


def test_the_most_particular_row_counts() -> None:
    crosswalk = read(FULL + "P,,,T-1,,\nP,North,,T-2,,\n,,A,T-3,,\nP,,A,T-4,,\nP,North,A,T-5,,\n")
    assert becomes(crosswalk, "P") == "T-1"
    assert becomes(crosswalk, "P", "South") == "T-1"
    assert becomes(crosswalk, "P", "North") == "T-2"
    assert becomes(crosswalk, "Q", "", "A") == "T-3"
    assert becomes(crosswalk, "P", "South", "A") == "T-4"
    assert becomes(crosswalk, "P", "North", "A") == "T-5"
    assert becomes(crosswalk, "P", "North", "B") == "T-2"


def test_one_id_of_two_issuers_is_two_patients_where_the_rows_say_so() -> None:
    crosswalk = read(FULL + "P,North,,T-1,,\nP,South,,T-2,,\n")
    assert becomes(crosswalk, "P", "North") != becomes(crosswalk, "P", "South")
    with pytest.raises(Refused):  # which of them it is cannot be known
        becomes(crosswalk, "P")


def test_with_issuers_told_apart_a_row_without_one_is_for_instances_without_one() -> None:
    settings = IdentitySettings(IdentityMode.CROSSWALK, Path("c.csv"), tell_issuers_apart=True)
    crosswalk = read(FULL + "P,,,T-1,,\n", settings)
    assert becomes(crosswalk, "P") == "T-1"
    with pytest.raises(Refused):
        becomes(crosswalk, "P", "North")


def test_several_ids_of_one_patient_become_one() -> None:
    crosswalk = read(FULL + "P,,,T-1,-9,\nQ,,,T-1,-9,\n")
    assert crosswalk.assign(Subject("P"), KEYS) == crosswalk.assign(Subject("Q"), KEYS)
    assert crosswalk.behind("T-1") == [Key("P"), Key("Q")]


def test_who_is_not_there_yet_is_told_from_who_never_can_be() -> None:
    crosswalk = read("Patient_ID,New_ID\nP,T-1\n")
    with pytest.raises(Refused) as unmapped:
        becomes(crosswalk, "Q")
    assert unmapped.value.reason is Reason.UNMAPPED_PATIENT
    with pytest.raises(Refused) as never:
        becomes(crosswalk)
    assert never.value.reason is Reason.NO_PATIENT


@pytest.mark.parametrize(
    ("text", "problem", "rows", "column"),
    [
        ("", Problem.NO_HEADER, (), 0),
        ("\n \n", Problem.NO_HEADER, (), 0),
        ("Patient_ID\nP\n", Problem.NO_NEW_ID_COLUMN, (), 0),
        ("New_ID\nT\n", Problem.NO_KEY_COLUMN, (), 0),
        ("New_ID,Issuer\nT,N\n", Problem.NO_KEY_COLUMN, (), 0),
        ("Patient_ID,New_ID,Sentinel\nP,T,x\n", Problem.UNKNOWN_COLUMN, (1,), 3),
        ("SENTINEL-1,T-1\nSENTINEL-2,T-2\n", Problem.UNKNOWN_COLUMN, (1,), 1),
        ("Patient_ID,New_ID,patient id\nP,T,P\n", Problem.TWICE, (1,), 3),
        ("Patient_ID,New_ID\nSENTINEL,T,more\n", Problem.TOO_MANY_CELLS, (2,), 0),
        ("Patient_ID,New_ID\n,T\n", Problem.NO_KEY, (2,), 0),
        (FULL + ",North,A,T,,\n", Problem.ISSUER_ALONE, (2,), 0),
        ("Patient_ID,New_ID\nSENTINEL,\n", Problem.NOT_A_NEW_ID, (2,), 2),
        ("Patient_ID,New_ID\nSENTINEL\n", Problem.NOT_A_NEW_ID, (2,), 2),
        ("Patient_ID,New_ID\nP,SENTINEL^A\n", Problem.NOT_A_NEW_ID, (2,), 2),
        ("Patient_ID,New_ID\nP,SENTINEL\\A\n", Problem.NOT_A_NEW_ID, (2,), 2),
        ("Patient_ID,New_ID\nP,SENTINÉL\n", Problem.NOT_A_NEW_ID, (2,), 2),
        (f"Patient_ID,New_ID\nP,{'S' * 65}\n", Problem.NOT_A_NEW_ID, (2,), 2),
        (f"Patient_ID,New_ID\n{'S' * 65},T\n", Problem.NOT_A_KEY, (2,), 1),
        ("Patient_ID,New_ID\nSENTINEL\\B,T\n", Problem.NOT_A_KEY, (2,), 1),
        ("Patient_ID,New_ID\nSENTINEL-1,sentinel 1\n", Problem.THE_OLD_ONE, (2,), 2),
        (FULL + "P,,SENTINEL,T,,SENTINEL\n", Problem.THE_OLD_ONE, (2,), 6),
        (FULL + "P,,A,T,,SENTINEL-SENTINEL\n", Problem.NOT_A_NEW_ACCESSION, (2,), 6),
        (FULL + "P,,A,T,0,\n", Problem.NOT_A_SHIFT, (2,), 5),
        (FULL + "P,,A,T,1.5,\n", Problem.NOT_A_SHIFT, (2,), 5),
        (FULL + "P,,A,T,SENTINEL,\n", Problem.NOT_A_SHIFT, (2,), 5),
        (FULL + "P,,A,T,99999,\n", Problem.NOT_A_SHIFT, (2,), 5),
        (FULL + "SENTINEL,,,T,,\nQ,,,U,,\n SENTINEL,,,T,,\n", Problem.DUPLICATE, (2, 4), 0),
        (FULL + "SENTINEL,,,T,,\nSENTINEL,,,U,,\n", Problem.DUPLICATE, (2, 3), 0),
        (FULL + "SENTINEL,,,T,-5,\nQ,,,T,-6,\n", Problem.TWO_SHIFTS, (2, 3), 0),
        (FULL + "SENTINEL,,,T,-5,\n\nQ,,,T,,\n", Problem.TWO_SHIFTS, (2, 4), 0),
        ('Patient_ID,New_ID\nP,T\nSENTINEL,"T"x\n', Problem.NOT_CSV, (3,), 0),
    ],
)
def test_a_mistake_is_told_by_file_row_and_column_never_by_value(
    tmp_path: Path, text: str, problem: Problem, rows: tuple[int, ...], column: int
) -> None:
    path = tmp_path / "crosswalk.csv"
    write(path, text)
    with pytest.raises(Misconfigured) as caught:
        CrosswalkFile(IdentitySettings(IdentityMode.CROSSWALK, path))
    assert isinstance(caught.value, Flawed)
    assert (caught.value.flaw.problem, caught.value.flaw.rows, caught.value.flaw.column) == (problem, rows, column)
    said = str(caught.value)
    assert str(path) in said
    assert all(str(row) in said for row in rows)
    assert "sentin" not in said.lower()
    assert str(pickle.loads(pickle.dumps(caught.value))) == said  # noqa: S301


def test_a_column_that_the_configuration_names_must_be_there() -> None:
    settings = IdentitySettings(IdentityMode.CROSSWALK, Path("c.csv"), columns=Columns(date_shift_days="Days"))
    with pytest.raises(Wrong) as caught:
        read("Patient_ID,New_ID\nP,T\n", settings)
    assert caught.value.flaw.problem is Problem.NO_SUCH_COLUMN


def test_a_csv_file_of_another_encoding_is_told() -> None:
    with pytest.raises(Wrong) as caught:
        parse("Patient_ID,New_ID\nMüller,T-1\n".encode("latin-1"), ".csv", SETTINGS)
    assert caught.value.flaw.problem is Problem.NOT_UTF8


# -- XLSX


def xlsx(*rows: list[object], title: str = "Sheet", second: str = "") -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = title
    if second:
        sheet.append(["nothing"])
        sheet = workbook.create_sheet(second)
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def test_a_spreadsheet_says_the_same_as_csv() -> None:
    data = xlsx(
        ["Patient_ID", "New_ID", "Date_shift_days"], [4711, "T-1", -30], [None, None, None], ["0815", " T-2 ", "-31"]
    )
    crosswalk = parse(data, ".XLSX", SETTINGS)
    assert crosswalk.assign(Subject("4711"), KEYS) == NewIdentity("T-1", -30, is_chosen=True)
    assert crosswalk.assign(Subject("0815"), KEYS) == NewIdentity("T-2", -31, is_chosen=True)


def test_another_sheet_may_be_named() -> None:
    data = xlsx(["Patient_ID", "New_ID"], ["P", "T-1"], second="Trial")
    settings = IdentitySettings(IdentityMode.CROSSWALK, Path("c.xlsx"), sheet="Trial")
    assert becomes(parse(data, ".xlsx", settings), "P") == "T-1"
    with pytest.raises(Wrong) as caught:
        parse(data, ".xlsx", IdentitySettings(IdentityMode.CROSSWALK, Path("c.xlsx"), sheet="Other"))
    assert caught.value.flaw.problem is Problem.NO_SHEET


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (dt.datetime(2020, 1, 1), Problem.A_DATE),  # noqa: DTZ001  spreadsheets have no zones
        (dt.date(2020, 1, 1), Problem.A_DATE),
        (1.5, Problem.NO_TEXT),
        (True, Problem.NO_TEXT),
        (1234567890123456, Problem.ROUNDED),
        ("#N/A", Problem.AN_ERROR),
    ],
)
def test_a_cell_that_is_no_text_is_told_by_its_place(cell: object, problem: Problem) -> None:
    with pytest.raises(Wrong) as caught:
        parse(xlsx(["Patient_ID", "New_ID"], ["P", "T-1"], [cell, "T-2"]), ".xlsx", SETTINGS)
    assert (caught.value.flaw.problem, caught.value.flaw.rows, caught.value.flaw.column) == (problem, (3,), 1)


def _zip(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"no zip", _zip("other", b"x"), _zip("[Content_Types].xml", b"<no xml")])
def test_what_is_no_spreadsheet_is_told(data: bytes) -> None:
    pytest.importorskip("openpyxl")
    with pytest.raises(Wrong) as caught:
        parse(data, ".xlsx", SETTINGS)
    assert caught.value.flaw.problem is Problem.NOT_XLSX


def test_a_spreadsheet_cut_short_is_told() -> None:
    data = xlsx(["Patient_ID", "New_ID"], *[[f"P{n}", f"T{n}"] for n in range(200)])
    for length in range(100, len(data), 97):
        with pytest.raises(Wrong):
            parse(data[:length], ".xlsx", SETTINGS)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openpyxl")
    monkeypatch.setattr("node.sheet._LARGEST_UNPACKED_BYTES", 1000)
    with pytest.raises(Wrong) as caught:
        parse(_zip("xl/workbook.xml", bytes(2000)), ".xlsx", SETTINGS)
    assert caught.value.flaw.problem is Problem.TOO_LARGE


def test_without_openpyxl_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(Wrong) as caught:
        parse(b"PK", ".xlsx", SETTINGS)
    assert "pip install" in caught.value.flaw.problem


# -- the file, watched


def write(path: Path, text: str, age_s: float = 60) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    os.utime(fresh, (time.time() - age_s,) * 2)
    fresh.rename(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "crosswalk.csv"
    write(path, "Patient_ID,New_ID\nP,T-1\n")
    return path


@pytest.fixture
def file(path: Path) -> CrosswalkFile:
    return CrosswalkFile(IdentitySettings(IdentityMode.CROSSWALK, path))


def test_a_new_version_is_taken_over_as_a_whole(file: CrosswalkFile, path: Path) -> None:
    before = file.current()
    write(path, "Patient_ID,New_ID\nQ,T-2\n")
    assert file.look()
    assert not file.look()
    assert becomes(before, "P") == "T-1"  # whoever works with it is not disturbed
    assert becomes(file.current(), "Q") == "T-2"
    with pytest.raises(Refused):
        becomes(file.current(), "P")


def test_a_new_version_is_looked_for_once_a_second(
    file: CrosswalkFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    file.look()
    write(path, "Patient_ID,New_ID\nP,T-2\n")
    assert becomes(file.current(), "P") == "T-1"
    now += 1.01
    assert becomes(file.current(), "P") == "T-2"


@pytest.mark.parametrize("text", ["Patient_ID,New_ID\nP,T=1\n", "", None])
def test_a_broken_version_leaves_the_old_one_in_force(file: CrosswalkFile, path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
    else:
        write(path, text)
    assert file.look()
    assert file.flaw is not None
    assert becomes(file.current(), "P") == "T-1"
    assert not file.look()  # it is told once
    write(path, "Patient_ID,New_ID\nP,T-2\n")
    assert file.look()
    assert file.flaw is None
    assert becomes(file.current(), "P") == "T-2"


def test_a_file_that_is_being_written_is_left_alone(file: CrosswalkFile, path: Path) -> None:
    with path.open("a") as writing:
        writing.write("Q,T-")
        writing.flush()
        assert not file.look()
        writing.write("234\n")
    os.utime(path, (time.time() - 1,) * 2)
    assert file.look()
    assert becomes(file.current(), "Q") == "T-234"


def test_a_missing_file_is_an_error_unless_one_may_come(tmp_path: Path) -> None:
    settings = IdentitySettings(IdentityMode.CROSSWALK, tmp_path / "crosswalk.csv")
    with pytest.raises(Flawed, match="no such file"):
        CrosswalkFile(settings)
    file = CrosswalkFile(settings, lenient=True)
    with pytest.raises(Refused):
        becomes(file.current(), "P")
    write(tmp_path / "crosswalk.csv", "Patient_ID,New_ID\nP,T-1\n")
    assert file.look()
    assert becomes(file.current(), "P") == "T-1"


# -- the configuration


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('mode = "crosswalk"', "'file'"),
        ('mode = "crosswalk"\nfile = "c.ods"', "identity.file"),
        ('mode = "table"\nremember = true', "identity.remember"),
        ('mode = "table"\nsheet = "a"', "'sheet'"),
        ('file = "c.csv"', "identity.file"),
        ('mode = "dice"', "'keyed', 'crosswalk', 'table'"),
        ('mode = "crosswalk"\nfile = "c.csv"\n[projects.identity.columns]\nname = "x"', "'name'"),
    ],
)
def test_keys_that_do_not_go_together_are_told(tmp_path: Path, lines: str, told: str) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'[[projects]]\nname = "a"\n[projects.identity]\n{lines}\n')
    with pytest.raises(Misconfigured) as caught:
        load_settings(config)
    assert told in str(caught.value)
    assert "projects.1.identity" in str(caught.value)


def test_a_crosswalk_is_named_relative_to_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        '[[projects]]\nname = "a"\n[projects.identity]\nmode = "crosswalk"\nfile = "c.csv"\n'
        '[projects.identity.columns]\npatient_id = "MRN"\nignore = ["Remarks"]\n'
    )
    identity = load_settings(config).projects[0].identity
    assert identity.file == tmp_path / "c.csv"
    assert identity.columns == Columns(patient_id="MRN", ignore=("Remarks",))
    assert hash(identity) == hash(load_settings(config).projects[0].identity)

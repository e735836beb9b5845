"""The table of identities: sealed, durable, the same for every process, and of no use without its key."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deid.identity import KeyedIdentity, NewIdentity, Subject
from deid.keys import Keys
from node.errors import Misconfigured, NoRoom, Transient
from node.identities import open_source
from node.identity_settings import IdentityMode, IdentitySettings
from node.identity_table import IdentityTable, Record
from tests.network import missing

SECRET = b"s" * 32
KEYS = Keys.from_secret(SECRET)
JANE = Subject("SENTINEL-4711", "SENTINEL-NORTH", "SENTINEL^JANE", "19700101", "1.2", "SENTINEL-ACC")
TABLE = IdentitySettings(IdentityMode.TABLE)


@pytest.fixture
def table(tmp_path: Path) -> IdentityTable:
    return IdentityTable(tmp_path / "identities.db", SECRET)


def test_what_was_drawn_stays(table: IdentityTable) -> None:
    new = table.assign("p", "jane", JANE)
    assert new.pseudonym.startswith("DN-")
    assert new.shift_days is not None
    assert -3650 <= new.shift_days <= -365
    assert table.assign("p", "jane", JANE) == new
    table.close()
    assert IdentityTable(table.path, SECRET).assign("p", "jane", JANE) == new


def test_what_is_drawn_does_not_come_from_the_patient_or_the_key(tmp_path: Path) -> None:
    drawn = {IdentityTable(tmp_path / f"{n}.db", SECRET).assign("p", "jane", JANE) for n in range(5)}
    assert len({new.pseudonym for new in drawn}) == 5
    assert len({new.shift_days for new in drawn}) > 1


def test_a_patient_of_two_projects_has_two_pseudonyms(table: IdentityTable) -> None:
    assert table.assign("p", "jane", JANE).pseudonym != table.assign("q", "jane", JANE).pseudonym


def test_nothing_of_a_patient_is_in_the_file(table: IdentityTable) -> None:
    new = table.assign("p", "person SENTINEL", JANE)
    table.assign("p", "other", replace(JANE, patient_id=""))
    data = table.path.read_bytes()
    assert b"SENTINEL" not in data
    assert new.pseudonym.encode() not in data
    assert table.path.stat().st_mode & 0o777 == 0o600


def test_a_copy_is_a_backup(table: IdentityTable, tmp_path: Path) -> None:
    new = table.assign("p", "jane", JANE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["identities.db"]
    shutil.copy(table.path, tmp_path / "backup")
    table.close()
    table.path.unlink()
    shutil.copy(tmp_path / "backup", table.path)
    assert IdentityTable(table.path, SECRET).assign("p", "jane", JANE) == new


def test_another_key_is_told_at_once(table: IdentityTable) -> None:
    table.assign("p", "jane", JANE)
    with pytest.raises(Misconfigured, match="another key"):
        IdentityTable(table.path, b"x" * 32)
    with pytest.raises(Misconfigured, match="another key"):
        open_source(replace(TABLE, file=table.path), "p", Path(), b"x" * 32)


def test_a_row_that_was_tampered_with_is_not_believed(table: IdentityTable) -> None:
    table.assign("p", "jane", JANE)
    table.assign("p", "john", replace(JANE, patient_id="J2"))
    table.close()
    connection = sqlite3.connect(table.path)
    (first, one), (second, two) = connection.execute("SELECT patient, sealed FROM identities").fetchall()
    connection.executemany("UPDATE identities SET sealed = ? WHERE patient = ?", [(two, first), (one, second)])
    connection.commit()
    connection.close()
    with pytest.raises(Misconfigured, match="damaged"):
        IdentityTable(table.path, SECRET).assign("p", "jane", JANE)


def test_a_damaged_or_later_file_is_told(table: IdentityTable, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Misconfigured, match="restore it from your backup"):
        IdentityTable(tmp_path / "no.db", SECRET)
    table.assign("p", "jane", JANE)
    table.close()
    connection = sqlite3.connect(table.path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(Misconfigured, match="later version"):
        IdentityTable(table.path, SECRET)


def test_without_room_nothing_is_given_out(table: IdentityTable) -> None:
    table.assign("p", "jane", JANE)
    connection = table._open()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(1000):
            table.assign("p", f"person {number}", JANE)

    with pytest.raises(NoRoom):
        fill()
    connection.execute("PRAGMA max_page_count = 100000")
    assert table.assign("p", "one more", JANE) == IdentityTable(table.path, SECRET).assign("p", "one more", JANE)


def test_a_folder_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((Transient, Misconfigured)):
        IdentityTable(tmp_path / "file" / "identities.db", SECRET).assign("p", "jane", JANE)


def test_a_pseudonym_is_looked_up_with_what_was_kept(table: IdentityTable) -> None:
    new = table.assign("p", "jane", JANE)
    assert table.behind(new.pseudonym) == [Record("p", JANE.patient_id, JANE.issuer)]
    unnamed = table.assign("p", "unnamed", replace(JANE, patient_id=""))
    assert table.behind(unnamed.pseudonym) == [Record("p", "", JANE.issuer, "", JANE.name, JANE.birth_date)]
    nobody = table.assign("p", "nobody", Subject(study_uid="1.2.3"))
    assert table.behind(nobody.pseudonym) == [Record("p", "", "", study_uid="1.2.3")]
    assert table.behind("DN-NOBODY") == []


def test_looking_up_makes_no_table(tmp_path: Path) -> None:
    assert IdentityTable(tmp_path / "identities.db", SECRET).behind("DN-X") == []
    assert list(tmp_path.iterdir()) == []


def test_keyed_codes_are_remembered_and_not_changed(tmp_path: Path) -> None:
    settings = IdentitySettings(remember=True)
    identity = open_source(settings, "p", tmp_path, SECRET).current()
    new = identity.assign(JANE, KEYS)
    assert new == identity.assign(JANE, KEYS) == KeyedIdentity().assign(JANE, KEYS)
    table = IdentityTable(tmp_path / "identities.db", SECRET)
    assert table.behind(new.pseudonym) == [Record("p", JANE.patient_id, JANE.issuer)]


def test_a_project_that_changes_from_chance_to_codes_remembers_both(tmp_path: Path) -> None:
    drawn = open_source(TABLE, "p", tmp_path, SECRET).current().assign(JANE, KEYS)
    coded = open_source(IdentitySettings(remember=True), "p", tmp_path, SECRET).current().assign(JANE, KEYS)
    table = IdentityTable(tmp_path / "identities.db", SECRET)
    assert drawn != coded
    assert [table.behind(new.pseudonym)[0].patient_id for new in (drawn, coded)] == [JANE.patient_id] * 2


def test_a_pseudonym_that_somebody_has_is_not_drawn_again(
    table: IdentityTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = NewIdentity("DN-A", -400), NewIdentity("DN-B", -400)
    draws = iter([first, first, first, second])
    monkeypatch.setattr("node.identity_table.drawn", lambda: next(draws))
    assert table.assign("p", "jane", JANE) == first
    assert table.assign("p", "john", JANE) == second


def _assign(path: Path, people: list[str]) -> list[str]:
    table = IdentityTable(path, SECRET)
    return [table.assign("p", person, JANE).pseudonym for person in people]


def test_processes_that_see_patients_at_the_same_moment_agree(tmp_path: Path) -> None:
    people = [f"person {number}" for number in range(40)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        answers = pool.starmap(_assign, [(tmp_path / "identities.db", people)] * 4)
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0])) == len(people)


_DRAW = """
import sys
from pathlib import Path
from deid.identity import Subject
from node.identity_table import IdentityTable
IdentityTable(Path(sys.argv[1]), b"s" * 32).assign("p", "jane", Subject("4711"))
sys.stdout.write("assigned")
sys.stdout.flush()
"""


@pytest.mark.skipif(bool(missing("strace")), reason="strace is not installed (Debian: strace)")
def test_a_new_row_is_on_the_disk_before_it_is_given_out(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    path = tmp_path / "identities.db"
    traced = ["strace", "-y", "-e", "trace=pwrite64,fsync,fdatasync,unlink,write", "-o", str(calls)]
    subprocess.run([*traced, sys.executable, "-c", _DRAW, str(path)], check=True, capture_output=True)
    lines = [line for line in calls.read_text().splitlines() if str(path) in line or '"assigned"' in line]
    at = next(index for index, line in enumerate(lines) if '"assigned"' in line)
    before = lines[:at]
    last_write = max(index for index, line in enumerate(before) if "pwrite64" in line and f"{path}>" in line)
    assert any("sync(" in line and f"{path}>" in line for line in before[last_write:])

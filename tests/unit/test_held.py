"""Instances whose patient nobody has mapped yet: held, tried one for all, released, never lost."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.elements.file_meta import part10_header
from node import statements
from node.cleaning import prepare, prepared
from node.cli import main
from node.direct import DirectRelay
from node.identity_settings import IdentityMode, IdentitySettings
from node.jobs import JobId, State, new_job_id
from node.key import create_key
from node.ledger import LEDGER_FILE, Ledger, open_ledger
from node.pool import WorkerPool
from node.quarantine import listed
from node.settings import Project, Settings, SpoolSettings, WorkSettings
from node.spool import Files, Spool
from node.status_report import collect, text
from node.worker import Worker
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CT = factories.ct(size=8)
EXPLICIT = str(CT.file_meta.TransferSyntaxUID)
HEADER = part10_header(CT.SOPClassUID, CT.SOPInstanceUID, EXPLICIT, "MODALITY", "", "DEIDNODE")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "spool").mkdir()
    ledger = open_ledger(tmp_path / "spool")
    yield ledger
    ledger.close()


def state(ledger: Ledger, job_id: JobId) -> State:
    job = ledger.job(job_id)
    assert job is not None
    return job.state


def held(ledger: Ledger, waits_for: str, project: str = "default", count: int = 1) -> list[JobId]:
    ids = [new_job_id() for _ in range(count)]
    for job_id in ids:
        ledger.received(job_id, project, 1)
    ledger.cleaning(ids)
    for job_id in ids:
        ledger.held(job_id, waits_for)
    return sorted(ids)


def test_what_is_held_waits_until_it_is_tried(ledger: Ledger) -> None:
    (job_id,) = held(ledger, "a")
    assert state(ledger, job_id) is State.HELD
    assert ledger.pending(9) == []
    assert ledger.try_held() == 1
    (job,) = ledger.pending(9)
    assert (job.job_id, job.waits_for) == (job_id, "a")


def test_of_all_that_wait_for_one_mapping_one_is_tried(ledger: Ledger) -> None:
    first = held(ledger, "a", count=3)[0]
    second = held(ledger, "b", count=2)[0]
    other = held(ledger, "a", project="trial", count=2)[0]
    assert ledger.try_held("default") == 2
    assert [job.job_id for job in ledger.pending(9)] == sorted([first, second])
    assert ledger.try_held("trial") == 1
    assert [job.job_id for job in ledger.pending(9)] == sorted([first, second, other])


def test_a_mapping_puts_all_back_that_wait_for_it_and_no_others(ledger: Ledger) -> None:
    waiting = held(ledger, "a", count=3)
    held(ledger, "b")
    held(ledger, "a", project="trial")
    assert ledger.mapped("default", "a") == 3
    assert [job.job_id for job in ledger.pending(9)] == waiting


def test_only_a_claimed_job_can_be_held(ledger: Ledger) -> None:
    job_id = new_job_id()
    ledger.received(job_id, "default", 1)
    ledger.held(job_id, "a")
    assert state(ledger, job_id) is State.RECEIVED


def test_what_is_held_is_counted_by_project(ledger: Ledger) -> None:
    held(ledger, "a", count=2)
    held(ledger, "a", project="trial")
    assert ledger.counts()[State.HELD] == 3
    assert ledger.held_by_project() == {"default": 2, "trial": 1}


@pytest.mark.parametrize("statement", ["TRY_HELD", "MAPPED", "HELD_BY_PROJECT"])
def test_no_question_about_held_jobs_reads_the_others(ledger: Ledger, statement: str) -> None:
    words = getattr(statements, statement)
    plan = ledger._run(f"EXPLAIN QUERY PLAN {words}", *[0] * words.count("?")).fetchall()
    assert any("jobs_held" in step for *_, step in plan)
    assert not any("SCAN" in step and "INDEX" not in step for *_, step in plan), plan


def old_schema(version: int) -> str:
    """Return the tables as that version of the ledger had them: without the columns and indexes of later ones."""
    added = {2: ("waits_for", "jobs_held"), 3: ("series ", "instance ", "announced ", "jobs_gathered")}
    later = [word for number, words in added.items() if number > version for word in words]
    schema = (Path(statements.__file__).parent / "ledger.sql").read_text("utf-8")
    kept = "\n".join(line for line in schema.splitlines() if not any(word in line for word in later))
    kept = re.sub(r",([ ]*(?:--[^\n]*)?\n\) WITHOUT ROWID)", r"\1", kept)
    return re.sub(r"user_version = \d+", f"user_version = {version}", kept)


def described(ledger: Ledger) -> tuple[set[object], set[object]]:
    """Return the columns of all tables, and the indexes."""
    tables = [name for (name,) in ledger._run("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {(table, *row[1:]) for table in tables for row in ledger._run(f"PRAGMA table_info({table})")}
    indexes = set(
        ledger._run(
            "SELECT name, replace(replace(sql, char(10), ''), ' ', '') FROM sqlite_master WHERE type = 'index'"
        ).fetchall()
    )
    return columns, indexes


@pytest.mark.parametrize("version", [1, 2])
def test_a_ledger_of_an_earlier_version_is_upgraded(tmp_path: Path, version: int) -> None:
    connection = sqlite3.connect(tmp_path / LEDGER_FILE)
    connection.executescript(old_schema(version))
    insert = "INSERT INTO jobs (id, project, state, place, size_bytes) VALUES (?, 'p', 'received', 'incoming', 1)"
    connection.execute(insert, (new_job_id(),))
    connection.commit()
    connection.close()
    ledger = open_ledger(tmp_path)
    (job,) = ledger.pending(9)
    ledger.cleaning([job.job_id])
    ledger.held(job.job_id, "a")
    assert state(ledger, job.job_id) is State.HELD
    (tmp_path / "new").mkdir()
    new = open_ledger(tmp_path / "new")
    assert described(ledger) == described(new)
    ledger.close()
    new.close()


@pytest.fixture
def crosswalk(tmp_path: Path) -> Path:
    path = tmp_path / "crosswalk.csv"
    write(path, "Patient_ID,New_ID\nSOMEBODY-1,T-1\n")
    return path


def write(path: Path, content: str) -> None:
    """Write a new version as one should, long enough ago to be taken over at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    long_ago = time.time() - 60
    os.utime(fresh, (long_ago, long_ago))
    fresh.rename(path)


@pytest.fixture
def settings(tmp_path: Path, crosswalk: Path) -> Settings:
    create_key(tmp_path / "key")
    identity = IdentitySettings(IdentityMode.CROSSWALK, crosswalk)
    return replace(
        Settings(),
        key_file=tmp_path / "key",
        spool=SpoolSettings(tmp_path / "spool", 1),
        work=WorkSettings(processes=1, attempts=2),
        projects=(Project("default", identity=identity),),
    )


class Role:
    """The work role, turned by hand."""

    def __init__(self, settings: Settings, ledger: Ledger, pool: WorkerPool) -> None:
        self.settings, self.ledger = settings, ledger
        self.spool = Spool(settings.spool.path, 1)
        sources = {name: each.source for name, each in prepared(settings).items()}
        self.worker = Worker(settings, self.spool, ledger, pool, sources)

    def arrive(self, seed: int = 0, **values: str) -> JobId:
        data = factories.data_set_bytes(factories.update(factories.ct(size=8, seed=seed), **values))
        job_id = new_job_id()
        self.ledger.received(job_id, "default", self.spool.put_incoming(job_id, HEADER, [data]))
        self.worker.more = True
        return job_id

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, (self.ledger.counts(), [entry.reason for entry in listed(self.spool)])
            self.worker.turn()

    def look(self) -> None:
        self.worker.clock.look_s = 0.0


@pytest.fixture
def role(settings: Settings, ledger: Ledger) -> Iterator[Role]:
    with WorkerPool(1, initializer=prepare, initargs=(settings,)) as pool:
        role = Role(settings, ledger, pool)
        role.worker.begin()
        yield role
        role.worker.finish()


def test_an_unmapped_study_is_held_and_released_once_the_crosswalk_maps_it(role: Role, crosswalk: Path) -> None:
    study = [role.arrive(seed) for seed in range(3)]
    other = role.arrive(9, PatientID="SOMEBODY-ELSE")
    mapped = role.arrive(8, PatientID="SOMEBODY-1")
    role.until(lambda: role.ledger.counts()[State.HELD] == 4)
    role.until(lambda: state(role.ledger, mapped) is State.CLEANED)
    assert all(role.spool.files(job_id) == Files(incoming=True) for job_id in [*study, other])
    assert listed(role.spool) == []

    write(crosswalk, f"Patient_ID,New_ID\nSOMEBODY-1,T-1\n{CT.PatientID},T-2\n")
    role.look()
    role.until(lambda: all(state(role.ledger, job_id) is State.CLEANED for job_id in study))
    role.until(lambda: state(role.ledger, other) is State.HELD)
    assert b"T-2" in role.spool.outbox_path(study[0]).read_bytes()


def test_a_broken_crosswalk_changes_nothing_and_releases_nothing(role: Role, crosswalk: Path) -> None:
    job_id = role.arrive()
    role.until(lambda: state(role.ledger, job_id) is State.HELD)
    write(crosswalk, f"Patient_ID,New_ID\nSOMEBODY-1,T-1\n{CT.PatientID},T=2\n")
    role.look()
    role.until(lambda: state(role.ledger, job_id) is not State.HELD)  # it was tried, of course
    role.until(lambda: state(role.ledger, job_id) is State.HELD)
    still = role.arrive(1, PatientID="SOMEBODY-1")
    role.until(lambda: state(role.ledger, still) is State.CLEANED)


def test_what_is_held_is_tried_now_and_then_without_any_news(role: Role) -> None:
    job_id = role.arrive()
    role.until(lambda: state(role.ledger, job_id) is State.HELD)
    role.worker.clock.try_held_s = 0.0
    role.worker.look_for_mappings()
    assert state(role.ledger, job_id) is State.RECEIVED
    role.until(lambda: state(role.ledger, job_id) is State.HELD)


def test_held_instances_follow_the_first_of_them_into_quarantine_one_by_one(role: Role, crosswalk: Path) -> None:
    """The mapping is there, but gives the old name away: each is refused by itself, none waits for ever."""
    study = [role.arrive(seed) for seed in range(2)]
    role.until(lambda: role.ledger.counts()[State.HELD] == 2)
    write(crosswalk, f"Patient_ID,New_ID\n{CT.PatientID},Brackenridge-1\n")
    role.look()
    role.until(lambda: role.ledger.counts()[State.QUARANTINED] == 2)
    assert {entry.reason for entry in listed(role.spool)} == {"identifier-left"}
    assert all(state(role.ledger, job_id) is State.QUARANTINED for job_id in study)


def test_an_instance_that_no_crosswalk_could_map_is_quarantined(role: Role) -> None:
    job_id = role.arrive(0, PatientID="", AccessionNumber="")
    role.until(lambda: state(role.ledger, job_id) is State.QUARANTINED)
    assert [entry.reason for entry in listed(role.spool)] == ["no-patient-identity"]


def test_status_says_how_many_are_held(role: Role) -> None:
    role.arrive()
    role.until(lambda: role.ledger.counts()[State.HELD] == 1)
    report = collect(role.settings)
    assert report.held == {"default": 1}
    assert "held: 1 of project default" in text(report)
    assert "1 held" in text(report)


def test_after_a_change_of_the_key_none_of_a_study_is_left_behind(role: Role, settings: Settings) -> None:
    study = [role.arrive(seed) for seed in range(4)]
    role.until(lambda: role.ledger.counts()[State.HELD] == 4)
    for job_id in study:  # as another key would have called what they wait for
        role.ledger._run("UPDATE jobs SET waits_for = 'another code' WHERE id = ?", job_id)
    role.worker.clock.try_held_s = 0.0
    role.worker.look_for_mappings()

    def all_wait_for_the_same() -> bool:
        rows = [role.ledger.job(job_id) for job_id in study]
        return (
            len({row.waits_for for row in rows if row} - {"another code"}) == 1
            and role.ledger.counts()[State.HELD] == 4
        )

    role.until(all_wait_for_the_same)
    assert not any(row.waits_for == "another code" for job_id in study if (row := role.ledger.job(job_id)))


def test_clean_without_a_network_lists_who_is_not_mapped(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        'key_file = "key"\n[spool]\npath = "spool"\n[[projects]]\nname = "a"\n'
        '[projects.identity]\nmode = "crosswalk"\nfile = "crosswalk.csv"\n'
    )
    source = tmp_path / "in"
    source.mkdir()
    (source / "mapped.dcm").write_bytes(factories.to_bytes(factories.update(factories.ct(), PatientID="SOMEBODY-1")))
    (source / "other.dcm").write_bytes(factories.to_bytes(CT))
    with loud_again():
        assert main(["clean", "--config", str(config), "--jobs", "1", str(source), str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "patient-not-mapped" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["T-1"]


def test_explain_draws_no_pseudonym(settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        'key_file = "key"\n[spool]\npath = "spool"\n[[projects]]\nname = "a"\n[projects.identity]\nmode = "table"\n'
    )
    (tmp_path / "ct.dcm").write_bytes(factories.to_bytes(CT))
    with loud_again():
        assert main(["explain", "--config", str(config), str(tmp_path / "ct.dcm")]) == 0
        assert not (tmp_path / "spool" / "identities.db").exists()
        assert (
            main(["clean", "--config", str(config), "--jobs", "1", str(tmp_path / "ct.dcm"), str(tmp_path / "out")])
            == 0
        )
    assert (tmp_path / "spool" / "identities.db").exists()


@contextmanager
def loud_again() -> Iterator[None]:
    """Undo what a command does to this process's loggers and hooks."""
    before = sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = before
    logging.disable(logging.NOTSET)


def test_held_jobs_are_found_again_when_the_ledger_is_lost(role: Role, tmp_path: Path) -> None:
    job_id = role.arrive()
    role.until(lambda: state(role.ledger, job_id) is State.HELD)
    role.ledger.discarded(job_id)  # as if it had never been noted
    role.worker.reconcile()
    role.until(lambda: role.ledger.job(job_id) is not None and state(role.ledger, job_id) is State.HELD)


def test_in_direct_delivery_the_sender_of_an_unmapped_study_may_try_again(settings: Settings) -> None:
    relay = DirectRelay(settings, settings.projects[0])
    try:
        assert relay.relay(factories.data_set_bytes(CT), EXPLICIT) == 0xA700
        nobody = factories.update(factories.ct(size=8), PatientID="", AccessionNumber="")
        assert relay.relay(factories.data_set_bytes(nobody), EXPLICIT) == 0xC000
    finally:
        relay.close()

"""What was done, by project and study: from a worker's report to the page for an ethics board."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deid.elements.file_meta import part10_header
from deid.naming import Names
from deid.report import MaskedBox, PixelReport, Report
from node import worker
from node.cli import main
from node.jobs import JobId, State, new_job_id
from node.ledger import Ledger, open_ledger
from node.reports.facts import ACTION, CODE, MASK, PIXELS, facts_of, under
from node.reports.render import as_csv, as_html, as_json
from node.reports.summary import node_report
from node.reports.tables import StudyName, note_facts, tallies
from node.settings import Project, Settings, SpoolSettings, WorkSettings, load_settings
from node.spool import Spool
from node.studies import note_names
from tests import factories
from tests.leaks import needles

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY = StudyName("default", "2.25.7", "ANON1")
FUTURE_S = 4e9


def report_of(masks: int = 1) -> Report:
    boxes = tuple(MaskedBox((0, 0, 9, 9), "text", "", ((1, 1),)) for _ in range(masks))
    return Report({"D": 3, "X": 7, "K": 0}, ("113100", "113107"), pixels=PixelReport(2, masks, boxes, kept=1))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    Spool(tmp_path / "spool", 0)
    ledger = open_ledger(tmp_path / "spool")
    yield ledger
    ledger.close()


def cleaned(ledger: Ledger, number: int, facts: str, *, sent: bool = True, study: StudyName = STUDY) -> JobId:
    """Bring an instance as far as the roles do."""
    job_id = new_job_id()
    ledger.received(job_id, study.project, 10)
    ledger.cleaning([job_id])
    note_names(ledger, job_id, study.project, Names(study.patient_id, study.study_uid, "2.25.8", f"2.25.9.{number}"))
    note_facts(ledger, job_id, facts)
    ledger.cleaned(job_id, ["archive"], CT, "1.2.840.10008.1.2.1", 10)
    if sent:
        ledger.delivered(job_id, "archive", 0)
    return job_id


def test_the_facts_of_an_instance_are_numbers_alone() -> None:
    facts = json.loads(facts_of(report_of(), "tcia", CT))
    assert under(facts, ACTION) == {"D": 3, "X": 7}
    assert under(facts, CODE) == {"113100": 1, "113107": 1}
    assert under(facts, PIXELS)["masked frames"] == 1
    assert under(facts, MASK) == {"text": 1}
    assert all(isinstance(n, int) for n in facts.values())


def test_facts_are_added_up_by_study(ledger: Ledger) -> None:
    for number in range(3):
        cleaned(ledger, number, facts_of(report_of(), "tcia", CT))
    cleaned(ledger, 3, facts_of(report_of(), "tcia", CT), sent=False)
    tally = tallies(ledger)[STUDY]
    assert (tally.sent, tally.under_way) == (3, 1)
    assert under(tally.facts, ACTION) == {"D": 9, "X": 21}
    assert ledger.run("SELECT COUNT(*) FROM facts").fetchone() == (1,)


def test_an_instance_that_is_cleaned_again_counts_once(ledger: Ledger) -> None:
    job_id = cleaned(ledger, 1, facts_of(report_of(2), "tcia", CT), sent=False)
    note_facts(ledger, job_id, facts_of(report_of(1), "tcia", CT))
    ledger.delivered(job_id, "archive", 0)
    tally = tallies(ledger)[STUDY]
    assert under(tally.facts, MASK) == {"text": 1}
    assert tally.facts[f"{ACTION}/D"] == 3


def test_what_the_ledger_forgets_is_still_in_the_sums(ledger: Ledger) -> None:
    for number in range(2):
        ledger.forget_files([cleaned(ledger, number, facts_of(report_of(number), "tcia", CT))])
    before = tallies(ledger)[STUDY]
    assert ledger.prune(FUTURE_S) == 2
    after = tallies(ledger)[STUDY]
    assert (after.sent, after.facts) == (before.sent, before.facts) == (2, before.facts)
    for table in ("jobs", "job_facts", "facts", "studies"):
        assert ledger.run(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,), table  # noqa: S608
    cleaned(ledger, 9, facts_of(report_of(0), "tcia", CT))
    assert tallies(ledger)[STUDY].sent == 3


def test_what_is_in_quarantine_is_counted_by_reason_also_without_a_study(ledger: Ledger) -> None:
    first, second = cleaned(ledger, 1, "{}", sent=False), new_job_id()
    ledger.quarantined(first, "identifier-left")
    ledger.received(second, "default", 10)
    ledger.quarantined(second, "not-dicom")
    found = tallies(ledger)
    assert found[STUDY].quarantined == {"identifier-left": 1}
    assert found[StudyName("default")].quarantined == {"not-dicom": 1}
    ledger.discarded(first)
    assert STUDY not in tallies(ledger)


def test_a_discarded_instance_was_not_delivered(ledger: Ledger) -> None:
    ledger.discarded(cleaned(ledger, 1, facts_of(report_of(), "tcia", CT), sent=False))
    assert tallies(ledger) == {}


def test_a_ledger_of_the_version_before_gets_the_tables(tmp_path: Path) -> None:
    Spool(tmp_path / "spool", 0)
    ledger = open_ledger(tmp_path / "spool")
    for name in ("facts_outlive_jobs", "facts_go_with_jobs", "facts_go_with_the_last_job"):
        ledger.run(f"DROP TRIGGER {name}")
    for name in ("facts", "job_facts", "past_facts"):
        ledger.run(f"DROP TABLE {name}")
    ledger.run("PRAGMA user_version = 4")
    ledger.close()
    ledger = open_ledger(tmp_path / "spool")
    cleaned(ledger, 1, facts_of(report_of(), "tcia", CT))
    assert tallies(ledger)[STUDY].sent == 1
    ledger.close()


# What it looks like


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


def made(ledger: Ledger, settings: Settings, project: str = "") -> Any:
    return node_report(settings, ledger, "2026-01-02T03:04:05+00:00", project)


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows(ledger: Ledger) -> None:
    cleaned(ledger, 1, facts_of(report_of(), "tcia", CT))
    ledger.quarantined(cleaned(ledger, 3, "{}", sent=False), "identifier-left")
    cleaned(ledger, 2, "{}", study=StudyName("gone", "2.25.1", "<script>alert(1)</script>"))
    page = as_html(made(ledger, Settings()), by_study=True)
    found = _Page()
    found.feed(page)
    assert found.links == []
    assert "script" not in found.tags
    assert "&lt;script&gt;" in page
    assert "Retain Longitudinal Temporal Information Modified Dates Option" in page
    assert "It is no longer in the configuration." in page
    assert "CT Image Storage" in page
    assert "identifier-left: " in page
    assert "url(" not in page


def test_csv_has_a_line_for_each_study_or_project(ledger: Ledger) -> None:
    cleaned(ledger, 1, facts_of(report_of(), "tcia", CT))
    cleaned(ledger, 2, facts_of(report_of(), "tcia", CT), study=replace(STUDY, study_uid="2.25.77"))
    by_study = list(csv.DictReader(io.StringIO(as_csv(made(ledger, Settings()), by_study=True), newline="")))
    by_project = list(csv.DictReader(io.StringIO(as_csv(made(ledger, Settings()), by_study=False), newline="")))
    assert [line["study_uid"] for line in by_study] == ["2.25.7", "2.25.77"]
    assert [line["action_X"] for line in by_study] == ["7", "7"]
    assert by_study[0]["images_with_a_mask"] == "1"
    assert [(line["delivered"], line["claimed_113107"], line["study_uid"]) for line in by_project] == [("2", "2", "")]


def test_json_says_what_is_configured_and_what_was_done(ledger: Ledger) -> None:
    cleaned(ledger, 1, facts_of(report_of(), "tcia", CT))
    found = json.loads(as_json(made(ledger, Settings()), by_study=True))
    project = found["projects"][0]
    assert project["options"] == ["retain_long_modified_dates"]
    assert (project["patients"], project["studies"]) == (1, 1)
    assert project["instances"]["delivered"] == 1
    assert project["by_study"][0]["patient_id"] == "ANON1"
    assert "by_study" not in json.loads(as_json(made(ledger, Settings()), by_study=False))["projects"][0]


# From an instance on


def test_a_report_of_real_instances_holds_counts_and_nothing_of_the_patient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path), "--defaults"]) == 0
    config = tmp_path / "node.toml"
    settings = replace(
        load_settings(config),
        spool=SpoolSettings(tmp_path / "spool", 0),
        work=WorkSettings(processes=1),
        projects=(Project("default", profile="basic"),),
    )
    spool = Spool(settings.spool.path, 0)
    ledger = open_ledger(spool.path)
    source = factories.ct(size=16)
    header = part10_header(CT, source.SOPInstanceUID, source.file_meta.TransferSyntaxUID, "CT1", "", "DEIDNODE")
    jobs = []
    for data in (factories.data_set_bytes(source), b"\1\2\3"):
        jobs.append(new_job_id())
        ledger.received(jobs[-1], "default", spool.put_incoming(jobs[-1], header, [data]))
    _work_until(settings, ledger, jobs)
    ledger.delivered(jobs[0], "archive", 0)
    ledger.close()
    capsys.readouterr()
    texts = []
    for words in (["--format", "json"], ["--format", "csv"], ["--format", "html"]):
        out = tmp_path / words[-1]
        assert main(["report", "--studies", *words, "--out", str(out), "--config", str(config)]) == 0
        texts.append(out.read_text("utf-8"))
    found = json.loads(texts[0])["projects"][0]
    assert found["instances"]["delivered"] == 1
    assert sum(found["instances"]["quarantined"].values()) == 1
    assert found["elements_by_action"]["X"] > 10
    assert found["claimed"]["113100"]["instances"] == 1
    assert found["sop_classes"] == {CT: 1}
    (tmp_path / "source.dcm").write_bytes(factories.to_bytes(source))
    wanted = needles(tmp_path / "source.dcm")
    assert len(wanted) > 5
    for text in texts:
        assert [needle for needle in wanted if needle.encoded in text.lower().encode()] == []


def _work_until(settings: Settings, ledger: Ledger, jobs: list[JobId]) -> None:
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=worker.run, args=(settings, stop, ready.set))
    thread.start()
    try:
        end = time.monotonic() + 60
        done = (State.CLEANED, State.QUARANTINED)
        while not all((job := ledger.job(job_id)) and job.state in done for job_id in jobs):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(60)


def test_a_project_that_is_none_is_an_error_with_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", str(tmp_path), "--defaults"])
    Spool(tmp_path / "spool", 0)
    open_ledger(tmp_path / "spool").close()
    assert main(["report", "--project", "lung", "--config", str(tmp_path / "node.toml")]) == 2
    assert "there are default" in capsys.readouterr().err

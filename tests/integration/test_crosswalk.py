"""A whole node with identities that do not come from its key alone: a crosswalk that is edited, a table of chance."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from deid.elements.dates import shift_da
from tests import factories
from tests.integration.scripted import ScriptedStore, scripted_archive
from tests.network import ROOT, Node, wait_until
from tests.people import PATIENTS

pytestmark = pytest.mark.timeout(180)

STUDY = factories.STUDY
OTHER = factories.Study(PATIENTS[1], 2)


@contextlib.contextmanager
def serving(folder: Path, archive_port: int, identity: str, **options: str) -> Iterator[Node]:
    node = Node(folder, archive_port, **options)  # type: ignore[arg-type]
    node.write_config()
    with node.config.open("a", encoding="utf-8") as config:
        config.write(f"[projects.identity]\n{identity}\n")
    try:
        node.start()
        yield node
    finally:
        node.stop()


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "node", *map(str, words)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def jobs(node: Node) -> dict[str, int]:
    return dict(json.loads(command("status", "--json", "--config", node.config).stdout)["jobs"])


def clean(archive: ScriptedStore) -> list[Dataset]:
    return [read_dataset(DicomBytesIO(data), is_implicit_VR=False, is_little_endian=True) for _, data in archive.stored]


@pytest.fixture
def modality(tmp_path: Path) -> Path:
    """One study of three instances, and another patient's instance."""
    folder = tmp_path / "modality"
    folder.mkdir()
    for seed in range(3):
        (folder / f"ct{seed}.dcm").write_bytes(factories.to_bytes(factories.ct(STUDY, seed)))
    (folder / "other.dcm").write_bytes(factories.to_bytes(factories.ct(OTHER, 7)))
    return folder


def test_an_unmapped_study_is_held_and_delivered_once_somebody_has_edited_the_crosswalk(
    tmp_path: Path, modality: Path
) -> None:
    crosswalk = tmp_path / "node" / "crosswalk.csv"
    crosswalk.parent.mkdir()
    crosswalk.write_text("Accession_number,New_ID,Date_shift_days,New_accession\n")
    archive = ScriptedStore()
    with (
        scripted_archive(archive) as port,
        serving(tmp_path / "node", port, 'mode = "crosswalk"\nfile = "crosswalk.csv"') as node,
    ):
        sent = command("send", modality, node.address)
        assert sent.returncode == 0, sent.stdout
        wait_until(lambda: jobs(node)["held"] == 4, 60, f"all are held: {node.tail()}")
        assert archive.stored == []
        assert node.waiting() == 4
        assert node.quarantined() == []
        assert "held: 4 of project default" in command("status", "--config", node.config).stdout

        with crosswalk.open("a") as file:  # as an editor does
            file.write(f"{STUDY.accession},TRIAL-1,-500,A-1\n")
        wait_until(lambda: len(archive.stored) == 3, 60, f"the study is delivered: {node.tail()}")
        wait_until(lambda: jobs(node)["held"] == 1, 30, "the other patient is still held")

        with crosswalk.open("a") as file:
            file.write(f"{OTHER.accession},TRIAL=2,-600,\n")
        wait_until(lambda: "crosswalk-rejected" in node.log.read_text(), 30, "the mistake is told")
        crosswalk.write_text(crosswalk.read_text().replace("TRIAL=2", "TRIAL-2"))
        wait_until(lambda: len(archive.stored) == 4, 60, f"all are delivered: {node.tail()}")
        node.wait_idle(30)

        log = node.log.read_text()
        assert not any(secret in log for secret in (STUDY.accession, OTHER.accession, STUDY.patient.patient_id))
        looked_up = command("lookup", "--config", node.config, "--key", node.folder / "key", "TRIAL-1")
        assert looked_up.stdout.splitlines()[1].split("\t")[:5] == ["TRIAL-1", "default", "", "", STUDY.accession]

    study = [each for each in clean(archive) if each.PatientID == "TRIAL-1"]
    assert len(study) == 3
    assert {each.AccessionNumber for each in study} == {"A-1"}
    assert {each.StudyDate for each in study} == {shift_da(STUDY.date, -500)}
    assert {each.PatientID for each in clean(archive)} == {"TRIAL-1", "TRIAL-2"}


def test_a_table_of_chance_gives_each_patient_one_pseudonym_through_a_restart(tmp_path: Path, modality: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        with serving(tmp_path / "node", port, 'mode = "table"') as node:
            assert command("send", modality, node.address).returncode == 0
            wait_until(lambda: len(archive.stored) == 4, 60, f"all are delivered: {node.tail()}")
        with serving(tmp_path / "node", port, 'mode = "table"') as node:
            (modality / "late.dcm").write_bytes(factories.to_bytes(factories.ct(STUDY, 11)))
            assert command("send", modality / "late.dcm", node.address).returncode == 0
            wait_until(lambda: len(archive.stored) == 5, 60, f"the late one is delivered: {node.tail()}")
        codes = {each.PatientID for each in clean(archive)}
        assert len(codes) == 2
        shown = command("lookup", "--config", node.config, "--key", node.folder / "key", *sorted(codes)).stdout
    assert {line.split("\t")[2] for line in shown.splitlines()[1:]} == {
        STUDY.patient.patient_id,
        OTHER.patient.patient_id,
    }
    assert STUDY.patient.patient_id.encode() not in (node.spool / "identities.db").read_bytes()


def test_in_direct_delivery_an_unmapped_study_is_answered_with_send_again(tmp_path: Path, modality: Path) -> None:
    crosswalk = tmp_path / "node" / "crosswalk.csv"
    crosswalk.parent.mkdir()
    crosswalk.write_text(f"Patient_ID,New_ID\n{OTHER.patient.patient_id},TRIAL-2\n")
    archive = ScriptedStore()
    identity = 'mode = "crosswalk"\nfile = "crosswalk.csv"'
    with (
        scripted_archive(archive) as port,
        serving(tmp_path / "node", port, identity, delivery="direct") as node,
    ):
        sent = command("send", modality, node.address)
        assert sent.returncode == 1
        assert sent.stdout.lower().count("a700") == 3, sent.stdout
        with crosswalk.open("a") as file:
            file.write(f"{STUDY.patient.patient_id},TRIAL-1\n")
        wait_until(lambda: "crosswalk-loaded" in node.log.read_text(), 30, "the new version counts")
        assert command("send", modality, node.address).returncode == 0
    assert {each.PatientID for each in clean(archive)} == {"TRIAL-1", "TRIAL-2"}


def test_a_crosswalk_with_a_mistake_stops_the_start_with_one_line(tmp_path: Path) -> None:
    crosswalk = tmp_path / "node" / "crosswalk.csv"
    crosswalk.parent.mkdir()
    crosswalk.write_text("Patient_ID,New_ID\nSENTINEL-1,T-1\nSENTINEL-1,T-2\n")
    node = Node(tmp_path / "node", 104)
    node.write_config()
    with node.config.open("a", encoding="utf-8") as config:
        config.write('[projects.identity]\nmode = "crosswalk"\nfile = "crosswalk.csv"\n')
    served = command("serve", "--role", "work", "--config", node.config)
    assert served.returncode == 2
    (said,) = [line for line in served.stderr.splitlines() if line.startswith("deid-node: ")]
    assert "rows 2 and 3" in said
    assert "SENTINEL" not in served.stderr
    checked = command("check", "--config", node.config)
    assert "FAIL  identities of project default: crosswalk" in checked.stdout

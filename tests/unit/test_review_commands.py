"""What a person says of an instance by a command: kept, audited, and what the worker cleans by."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread

from deid.elements.file_meta import part10_header
from deid.errors import Reason
from deid.pixels.box import Box
from deid.review import UNREVIEWED, DrawnBox, Review
from node.cleaning import clean_job, prepare
from node.cli import main
from node.commands.arguments import drawn_box
from node.jobs import JobId, NodeReason, new_job_id
from node.key import create_key
from node.ledger import Ledger, open_ledger
from node.settings import Settings, SpoolSettings
from node.spool import Files, Spool
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT = factories.ct(size=32)
HEADER = part10_header(CT.SOPClassUID, CT.SOPInstanceUID, CT.file_meta.TransferSyntaxUID, "MODALITY", "", "DEIDNODE")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 1)


@pytest.fixture
def ledger(spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(spool.path)
    yield ledger
    ledger.close()


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "node.toml"
    path.write_text('[spool]\npath = "spool"\n')
    return str(path)


def refused(spool: Spool, ledger: Ledger, reason: str) -> JobId:
    job_id = new_job_id()
    ledger.received(job_id, "default", spool.put_incoming(job_id, HEADER, [factories.data_set_bytes(CT)]))
    ledger.cleaning([job_id])
    spool.quarantine(job_id, reason, "", "default")
    ledger.quarantined(job_id, reason)
    return job_id


def audited(spool: Spool) -> list[dict[str, object]]:
    path = spool.path / "audit.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("1,2,30,40", DrawnBox(Box(1, 2, 30, 40))),
        ("1,2,30,40@7", DrawnBox(Box(1, 2, 30, 40), 7, 7)),
        ("1,2,30,40@7-9", DrawnBox(Box(1, 2, 30, 40), 7, 9)),
    ],
)
def test_box_is_read_with_its_frames(text: str, box: DrawnBox) -> None:
    assert drawn_box(text) == box


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "3,2,1,4", "1,2,3,4@", "1,2,3,4@0", "1,2,3,4@5-4", "-1,2,3,4", "0,0,99999,9"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        drawn_box(text)


def test_masked_instance_is_cleaned_with_its_boxes(
    spool: Spool, ledger: Ledger, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = refused(spool, ledger, NodeReason.UNDELIVERABLE)
    assert main(["quarantine", "mask", job_id, "--box", "2,4,20,12", "--config", config]) == 0
    assert capsys.readouterr().out == "1 masked\n"
    assert spool.reviews.get(job_id) == Review((DrawnBox(Box(2, 4, 20, 12)),))
    assert [job.job_id for job in ledger.pending(9)] == [job_id]
    assert [(entry["what"], entry["jobs"]) for entry in audited(spool)] == [("decided", [job_id])]

    settings = replace(Settings(), key_file=spool.path / "key", spool=SpoolSettings(spool.path, 1))
    create_key(settings.key_file)
    prepare(settings)
    assert clean_job(spool, job_id, "default") is not None
    clean = dcmread(BytesIO(spool.outbox_path(job_id).read_bytes())).pixel_array
    assert len(np.unique(clean[4:12, 2:20])) == 1
    outside = np.ones(clean.shape, np.bool_)
    outside[4:12, 2:20] = False
    assert np.array_equal(clean[outside], CT.pixel_array[outside])


def test_approved_instance_is_put_back_in_line(
    spool: Spool, ledger: Ledger, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = refused(spool, ledger, Reason.TEXT_LEFT)
    assert main(["quarantine", "approve", "--reason", Reason.TEXT_LEFT, "--config", config]) == 0
    assert capsys.readouterr().out == "1 approved\n"
    assert spool.reviews.get(job_id) == Review(approved=True)
    assert spool.files(job_id) == Files(incoming=True)


def test_identifier_that_is_left_is_not_approved_and_nothing_else_of_the_call(
    spool: Spool, ledger: Ledger, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, other = refused(spool, ledger, Reason.TEXT_LEFT), refused(spool, ledger, Reason.IDENTIFIER_LEFT)
    assert main(["quarantine", "approve", fine, other, "--config", config]) == 2
    assert "nobody can approve" in capsys.readouterr().err
    for job_id in (fine, other):
        assert spool.files(job_id) == Files(quarantine=True, record=True)
        assert spool.reviews.get(job_id) == UNREVIEWED
    assert audited(spool) == []


@pytest.mark.parametrize("words", [["release"], ["discard", "--yes"]])
def test_what_else_is_done_by_a_command_is_audited_too(
    spool: Spool, ledger: Ledger, config: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = refused(spool, ledger, Reason.MALFORMED)
    assert main(["quarantine", *words, job_id, "--config", config]) == 0
    assert capsys.readouterr().out.startswith("1 ")
    assert [entry["jobs"] for entry in audited(spool)] == [[job_id]]

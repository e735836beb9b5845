"""Dead letters, and `deid-node resend`: what no destination has taken so far is brought to them once more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from node.cli import main
from node.commands.exits import Exit
from node.ledger import open_ledger
from node.resend import DELIVERY_REASONS, is_dead_letter, resend
from node.spool import Spool
from tests import factories
from tests.integration.scripted import ScriptedStore, scripted_archive
from tests.network import Node, free_port, wait_until
from tests.sender import send

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def modality(tmp_path: Path) -> list[Path]:
    paths = []
    for seed in range(3):
        paths.append(tmp_path / f"{seed}.dcm")
        paths[-1].write_bytes(factories.to_bytes(factories.ct(seed=seed, size=32)))
    return paths


def test_what_the_archive_refused_goes_there_once_it_is_resent(tmp_path: Path, modality: list[Path]) -> None:
    archive = ScriptedStore(0xC000, 0xA900, 0x0122)
    with scripted_archive(archive) as port, Node(tmp_path / "node", port) as node:
        assert all(answer.is_acknowledged for answer in send(modality, node.port))
        wait_until(lambda: len(node.quarantined()) == 3, 60, "all are refused")
        assert {each.reason for each in node.quarantined()} == {"refused-by-destination"}
        assert main(["resend", "--config", str(node.config), "--destination", "archive"]) == Exit.OK
        wait_until(lambda: len(archive.stored) == 3, 60, "all are stored")
        node.wait_idle(60)
        assert node.quarantined() == []


def test_what_waits_for_its_next_try_is_due_at_once(
    tmp_path: Path, modality: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    forward = {"first_retry_s": 600.0, "max_retry_s": 900.0}
    archive, port = ScriptedStore(0xA700, 0xA700, 0xA700), free_port()
    with scripted_archive(archive, port), Node(tmp_path / "node", port, sections={"forward": forward}) as node:
        send(modality, node.port)
        ledger = open_ledger(node.spool)
        wait_until(lambda: sum(queue.failing for queue in ledger.queues()) == 3, 60, "all are put off")
        assert (ledger.next_due("archive") or 0) > time.time() + 60
        assert main(["resend", "--config", str(node.config)]) == Exit.OK
        assert capsys.readouterr().out == "3 due now, 0 released\n"
        wait_until(lambda: len(archive.stored) == 3, 60, "all are stored")
        ledger.close()


def test_what_was_refused_for_what_it_is_is_no_dead_letter(tmp_path: Path, modality: list[Path]) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        send(modality[:1], node.port)
    spool, ledger = Spool(node.spool, 1), open_ledger(node.spool)
    (job_id,) = spool.all_files()
    spool.quarantine(job_id, "identifier-left", "", "default")
    ledger.quarantined(job_id, "identifier-left")
    assert resend(spool, ledger).released == 0
    assert spool.quarantine_ids() == [job_id]
    ledger.close()


@pytest.mark.parametrize("reason", sorted(DELIVERY_REASONS))
@pytest.mark.parametrize(
    ("detail", "is_meant"),
    [
        ("archive: status A900", True),
        ("other: no answer, archive: no answer", True),
        ("archive2: status A900", False),
        ("", False),
    ],
)
def test_a_destination_that_is_named_gets_its_own_dead_letters(reason: str, detail: str, is_meant: bool) -> None:
    from node.jobs import new_job_id
    from node.quarantine import Entry

    entry = Entry(new_job_id(), reason, detail, "default", 0.0, 0.0, 1)
    assert is_dead_letter(entry, "archive") is is_meant
    assert is_dead_letter(entry)


def test_a_destination_that_is_not_there_is_said_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    assert main(["resend", "--config", str(node.config), "--destination", "archiv"]) == Exit.USAGE
    assert "no destination is called 'archiv'; there are archive" in capsys.readouterr().err


def test_without_a_spool_there_is_nothing_to_resend(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    assert main(["resend", "--config", str(node.config)]) == Exit.NOT_RUNNING

"""`init`, `check`, `status` and `quarantine` without a running node."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from node.cli import main
from node.jobs import new_job_id
from node.key import load_key
from node.ledger import open_ledger
from node.settings import load_settings
from node.spool import Spool
from tests.network import free_port

REASON = "truncated"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration as `init` writes it, on ports that nobody uses."""
    assert main(["init", str(tmp_path / "site")]) == 0
    path = tmp_path / "site" / "node.toml"
    text = path.read_text().replace("11112", str(free_port())).replace("11113", str(free_port()))
    path.write_text(text)
    return path


@pytest.fixture
def spool(config: Path) -> Spool:
    """A spool with two refused instances and one that is waiting."""
    settings = load_settings(config)
    spool = Spool(settings.spool.path, 0)
    ledger = open_ledger(settings.spool.path)
    for number in range(3):
        job_id = new_job_id()
        spool.put_incoming(job_id, b"raw", [b"bytes"])
        ledger.received(job_id, "default", 8)
        if number:
            spool.quarantine(job_id, REASON, "(0008,0018)", "default")
            ledger.quarantined(job_id, REASON)
    ledger.close()
    return spool


def test_init_writes_a_configuration_that_loads_and_a_private_key(config: Path) -> None:
    settings = load_settings(config)
    assert settings.key_file == config.parent / "key"
    assert settings.spool.path == config.parent / "spool"
    assert len(load_key(settings.key_file)) == 32
    assert settings.key_file.stat().st_mode & 0o777 == 0o600


def test_init_overwrites_neither_key_nor_configuration(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = config.read_bytes(), (config.parent / "key").read_bytes()
    assert main(["init", str(config.parent)]) == 2
    (config.parent / "node.toml").unlink()
    assert main(["init", str(config.parent)]) == 2
    assert (config.parent / "key").read_bytes() == before[1]
    assert not (config.parent / "node.toml").exists()
    assert capsys.readouterr().err.count("is there already") == 2


def test_check_tries_everything_and_says_which_destination_is_away(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config", str(config)]) == 3
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("ok ")] == [said[-1]]
    assert said[-1].startswith("FAIL  destination archive: ARCHIVE@127.0.0.1:")
    assert any(line.startswith("ok    project default: called DEIDNODE, profile longitudinal") for line in said)


def test_check_says_that_the_port_is_taken(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(config)
    with socket.socket() as somebody:
        somebody.bind((settings.receive.address, settings.receive.port))
        somebody.listen()
        assert main(["check", "--config", str(config)]) == 2
    assert "somebody else listens there" in capsys.readouterr().out


def test_check_says_that_others_can_read_the_key(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "key").chmod(0o644)
    assert main(["check", "--config", str(config)]) == 2
    assert "chmod 600" in capsys.readouterr().out


def test_check_changes_nothing(config: Path) -> None:
    before = sorted(config.parent.rglob("*"))
    main(["check", "--config", str(config)])
    assert sorted(config.parent.rglob("*")) == before


def test_a_configuration_that_does_not_load_is_one_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("ae_titel = 'X'\n")
    for command in ("serve", "status", "check"):
        assert main([command, "--config", str(config)]) == 2
        said = capsys.readouterr().err
        assert "ae_titel" in said
        assert said.count("\n") == 1


def test_status_of_a_node_that_never_ran_makes_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--config", str(config)]) == 4
    assert "does not run" in capsys.readouterr().out
    assert not (config.parent / "spool").exists()


def test_status_counts_instances_and_reasons(config: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--config", str(config)]) == 4
    said = capsys.readouterr().out
    assert "1 received" in said
    assert f"quarantine: 2 {REASON}" in said
    main(["status", "--json", "--config", str(config)])
    facts = json.loads(capsys.readouterr().out)
    assert facts["jobs"]["quarantined"] == 2
    assert facts["quarantine"] == {REASON: 2}
    assert facts["running"] is False


def test_the_quarantine_is_listed_with_reasons(config: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "list", "--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == spool.quarantine_ids()
    assert all(line.endswith(f"default  {REASON}: (0008,0018)") for line in lines)
    main(["quarantine", "list", "--json", "--config", str(config)])
    assert [json.loads(line)["reason"] for line in capsys.readouterr().out.splitlines()] == [REASON] * 2


def test_one_refused_instance_is_shown(config: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = spool.quarantine_ids()[0]
    assert main(["quarantine", "show", job_id, "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert f"reason   {REASON}" in said
    assert str(spool.quarantine_path(job_id)) in said


def test_a_released_instance_is_in_line_again(config: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = spool.quarantine_ids()
    assert main(["quarantine", "release", first, "--config", str(config)]) == 0
    assert capsys.readouterr().out == "1 released\n"
    assert spool.quarantine_ids() == [second]
    assert spool.incoming_path(first).exists()


def test_all_of_one_reason_are_released_at_once(config: Path, spool: Spool) -> None:
    assert main(["quarantine", "release", "--reason", "no-such", "--config", str(config)]) == 0
    assert len(spool.quarantine_ids()) == 2
    assert main(["quarantine", "release", "--reason", REASON, "--config", str(config)]) == 0
    assert spool.quarantine_ids() == []


def test_nothing_is_discarded_without_a_yes(
    config: Path, spool: Spool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = spool.quarantine_ids()
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert main(["quarantine", "discard", first, "--config", str(config)]) == 2
    assert "--yes" in capsys.readouterr().err
    assert spool.quarantine_ids() == [first, second]
    assert main(["quarantine", "discard", first, "--yes", "--config", str(config)]) == 0
    assert spool.quarantine_ids() == [second]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["show", "../../etc/passwd"], 2, "is no ID"),
        (["release"], 2, "--reason"),
        (["release", "--reason", "x", "1"], 2, "--reason"),
        (["discard", "--yes"], 2, "--reason"),
    ],
)
def test_a_wrong_choice_is_said_in_one_line(
    config: Path, spool: Spool, words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quarantine", *words, "--config", str(config)]) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_an_instance_that_is_not_there_is_said_so(
    config: Path, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = spool.incoming_ids()[0]
    assert main(["quarantine", "show", waiting, "--config", str(config)]) == 2
    assert main(["quarantine", "release", waiting, "--config", str(config)]) == 1
    assert f"{waiting} is not in quarantine" in capsys.readouterr().out


def test_without_a_spool_there_is_no_quarantine(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "list", "--config", str(config)]) == 4
    assert "start a node" in capsys.readouterr().err

"""`deid-node lookup`: from new to old, for who has the key, with a trace of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deid.identity import KeyedIdentity, Subject
from deid.keys import Keys
from node.audit import chain
from node.cli import main
from node.errors import Transient
from node.identities import open_source
from node.key import create_key, load_key
from node.lookup import who_is
from node.settings import load_settings

JANE = Subject("SENTINEL-4711", "NORTH", "SENTINEL^JANE", "19700101", "1.2", "ACC-1")

CONFIG = """
key_file = "key"
[spool]
path = "spool"
[[projects]]
name = "listed"
[projects.identity]
mode = "crosswalk"
file = "crosswalk.csv"
[[projects]]
name = "drawn"
called_ae_title = "DRAWN"
[projects.identity]
mode = "table"
[[projects]]
name = "coded"
called_ae_title = "CODED"
[projects.identity]
remember = true
[[projects]]
name = "forgotten"
called_ae_title = "FORGOTTEN"
"""
CROSSWALK = "Patient_ID,Accession_number,New_ID,New_accession\nSENTINEL-1,,T-1,\nSENTINEL-2,SENTINEL-A,T-1,N-1\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    create_key(tmp_path / "key")
    (tmp_path / "crosswalk.csv").write_text(CROSSWALK)
    os.utime(tmp_path / "crosswalk.csv", (1e9, 1e9))
    (tmp_path / "node.toml").write_text(CONFIG)
    return tmp_path / "node.toml"


def assigned(config: Path, project: str, subject: Subject = JANE) -> str:
    settings = load_settings(config)
    found = settings.project_named(project)
    assert found is not None
    secret = load_key(settings.key_file)
    identity = open_source(found.identity, project, settings.spool.path, secret).current()
    return identity.assign(subject, Keys.from_secret(secret)).pseudonym


def entries(config: Path) -> list[dict[str, object]]:
    path = config.parent / "spool" / "audit.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ask(config: Path, *codes: str) -> int:
    return main(["lookup", "--config", str(config), "--key", str(config.parent / "key"), *codes])


@pytest.fixture(autouse=True)
def _loud_again() -> Iterator[None]:
    """Undo what the command does to this process's loggers and hooks."""
    import logging
    import sys
    import threading
    import warnings

    before = sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = before
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("project", ["drawn", "coded"])
def test_a_pseudonym_leads_back_to_the_patient(config: Path, capsys: pytest.CaptureFixture[str], project: str) -> None:
    code = assigned(config, project)
    assert ask(config, code) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.startswith("pseudonym\tproject\tpatient_id\tissuer")
    assert line.split("\t") == [code, project, "SENTINEL-4711", "NORTH", "", "", "", ""]


def test_a_crosswalk_is_read_backwards_with_all_that_were_merged(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(config, "T-1", "N-1") == 0
    lines = [line.split("\t")[:5] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [
        ["T-1", "listed", "SENTINEL-1", "", ""],
        ["T-1", "listed", "SENTINEL-2", "", "SENTINEL-A"],
        ["N-1", "listed", "SENTINEL-2", "", "SENTINEL-A"],
    ]


def test_only_the_project_that_is_named_is_looked_in(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = assigned(config, "drawn")
    assert ask(config, "--project", "coded", code) == 1
    assert "SENTINEL" not in capsys.readouterr().out
    assert ask(config, "--project", "drawn", code) == 0


def test_an_unknown_pseudonym_is_told_and_fails(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "DN-NOBODY") == 1
    assert "DN-NOBODY is not known" in capsys.readouterr().err


def test_keyed_codes_that_nobody_remembers_cannot_be_reversed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "--project", "forgotten", "DN-X") == 2
    assert "remember = true" in capsys.readouterr().err
    assert [entry["what"] for entry in entries(config)] == ["lookup-denied"]


def test_each_lookup_is_audited_without_any_old_value(config: Path) -> None:
    code = assigned(config, "drawn")
    assert ask(config, code, code, "T-1", "SENTINEL-4711") == 1  # an old ID, by mistake
    (entry,) = entries(config)
    assert (entry["what"], entry["asked"]) == ("lookup", 3)
    assert entry["pseudonyms"] == [code, "T-1"]
    assert entry["uid"] == os.getuid()
    assert "SENTINEL" not in (config.parent / "spool" / "audit.log").read_text()


@pytest.mark.parametrize("code", ["T-1", "DN-X"])
def test_another_key_finds_nothing_and_is_audited(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    drawn = assigned(config, "drawn")
    create_key(tmp_path / "other")
    assert main(["lookup", "--config", str(config), "--key", str(tmp_path / "other"), code, drawn]) == 2
    said = capsys.readouterr()
    assert "SENTINEL" not in said.out + said.err
    (entry,) = entries(config)
    assert (entry["what"], entry["asked"], entry["pseudonyms"]) == ("lookup-denied", 2, [drawn])


def test_without_a_terminal_the_key_must_be_named(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["lookup", "--config", str(config), "T-1"]) == 2
    assert "--key" in capsys.readouterr().err


def test_at_a_terminal_the_key_is_asked_for(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    typed = (config.parent / "key").read_text()
    monkeypatch.setattr("getpass.getpass", lambda prompt: typed)
    assert main(["lookup", "--config", str(config), "T-1"]) == 0
    assert "SENTINEL-1" in capsys.readouterr().out
    monkeypatch.setattr("getpass.getpass", lambda prompt: "no key")
    assert main(["lookup", "--config", str(config), "T-1"]) == 2
    assert "no key" not in capsys.readouterr().err


def test_what_cannot_be_audited_is_not_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "spool").mkdir()
    (config.parent / "spool" / "audit.log").mkdir()
    assert ask(config, "T-1") == 1
    said = capsys.readouterr()
    assert "SENTINEL" not in said.out + said.err
    assert "audit log" in said.err


def test_the_audit_entry_is_there_before_the_answer(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise Transient("disk")

    settings = load_settings(config)
    monkeypatch.setattr(chain, "append", fail)
    with pytest.raises(Transient):
        who_is(settings, load_key(settings.key_file), ["T-1"])


def test_control_characters_of_an_instance_do_not_reach_the_terminal(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = assigned(config, "drawn", replace(JANE, patient_id="A\x1b[2JB\tC\nD"))
    ask(config, code)
    assert "A?[2JB?C?D" in capsys.readouterr().out


def test_keyed_pseudonyms_are_as_without_remembering(config: Path) -> None:
    secret = load_key(config.parent / "key")
    assert assigned(config, "coded") == KeyedIdentity().assign(JANE, Keys.from_secret(secret)).pseudonym

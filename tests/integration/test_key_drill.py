"""Keys: backup and restore as they would be done after a disaster, rotation, and subkeys, with real instances."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pydicom
import pytest

from deid.encoding.reader import read_part10
from deid.instance import Instance
from node.audit import chain
from node.cleaning import prepared
from node.cli import main
from node.errors import Misconfigured
from node.identity_settings import IdentitySettings
from node.key import KeyRing, create_key, load_key, load_ring, read_ring, with_new_key
from node.settings import load_settings
from tests import factories

PASSPHRASE = "correct horse battery staple"
CONFIG = """
key_file = "etc/key"
[spool]
path = "spool"
min_free_bytes = 0
[[projects]]
name = "{first}"
called_ae_title = "FIRST"
[projects.identity]
{identity}
[[projects]]
name = "second"
called_ae_title = "SECOND"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a key; `configured` gives it a configuration."""
    folder = tmp_path / "site"
    (folder / "etc").mkdir(parents=True)
    create_key(folder / "etc" / "key")
    return folder


def configured(site: Path, identity: str = "", first: str = "first") -> Path:
    (site / "node.toml").write_text(CONFIG.format(identity=identity, first=first))
    return site / "node.toml"


def study(folder: Path, patient: str, number: int) -> Path:
    """Write one instance of a patient."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = factories.ct()
    dataset.PatientID, dataset.PatientName = patient, f"SENTINEL^{patient}"
    dataset.StudyInstanceUID, dataset.SOPInstanceUID = f"1.2.3.{number}", f"1.2.3.{number}.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyDate = "20240102"
    path = folder / f"{patient}-{number}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def cleaned(config: Path, source: Path) -> tuple[str, str, str]:
    """Clean one instance as the node would; return the new Patient ID, Study Instance UID and Study Date."""
    settings = load_settings(config)
    raw = read_part10(source.read_bytes())
    instance = Instance(raw.transfer_syntax, raw.data_set_bytes)
    result = prepared(settings)["first" if settings.project_named("first") else "renamed"].deidentify(instance)
    dataset = pydicom.dcmread(io.BytesIO(b"".join(result.clean.part10())))
    return dataset.PatientID, dataset.StudyInstanceUID, dataset.StudyDate


def run(*arguments: str, config: Path, typed: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> int:
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
    return main(["key", *arguments, "--config", str(config)])


@pytest.mark.parametrize("identity", ["", 'mode = "table"', "remember = true"])
def test_after_a_disaster_old_studies_are_linked_with_new_ones(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(site, identity)
    old = study(tmp_path / "in", "P1", 1)
    before = cleaned(config, old)
    backup = tmp_path / "safe" / "deid-node.backup"
    backup.parent.mkdir()
    assert run("backup", str(backup), config=config, typed=PASSPHRASE, monkeypatch=monkeypatch) == 0
    assert backup.stat().st_mode & 0o777 == 0o600
    secret = load_key(site / "etc" / "key")
    assert secret not in backup.read_bytes()
    assert secret.hex().encode() not in backup.read_bytes()
    assert b"SENTINEL" not in backup.read_bytes()

    shutil.rmtree(site / "etc")  # the disaster: all that the node had is gone, but for its configuration
    shutil.rmtree(site / "spool")

    assert run("restore", str(backup), config=config, typed=PASSPHRASE, monkeypatch=monkeypatch) == 0
    assert load_key(site / "etc" / "key") == secret
    assert (site / "etc" / "key").stat().st_mode & 0o777 == 0o600
    assert cleaned(config, old) == before
    later = cleaned(config, study(tmp_path / "in", "P1", 2))
    assert (later[0], later[2]) == (before[0], before[2])
    assert later[1] != before[1]
    if identity:
        capsys.readouterr()
        key = str(site / "etc" / "key")
        assert main(["lookup", before[0], "--key", key, "--config", str(config)]) == 0
        assert "P1" in capsys.readouterr().out
    changes = [entry for entry in chain.entries(site / "spool") if entry["what"] == "key-changed"]
    assert [entry["change"] for entry in changes] == ["restored"]


def test_a_restore_overwrites_nothing(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, backup = configured(site), tmp_path / "backup"
    assert run("backup", str(backup), config=config, typed=PASSPHRASE, monkeypatch=monkeypatch) == 0
    before = (site / "etc" / "key").read_bytes()
    assert run("restore", str(backup), config=config, typed=PASSPHRASE, monkeypatch=monkeypatch) == 2
    assert (site / "etc" / "key").read_bytes() == before
    assert run("backup", str(backup), config=config, typed=PASSPHRASE, monkeypatch=monkeypatch) == 2


@pytest.mark.parametrize("damage", ["passphrase", "byte", "cut", "other"])
def test_a_backup_opens_only_as_it_was_written(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config, backup = configured(site), tmp_path / "backup"
    assert run("backup", str(backup), config=config, typed=PASSPHRASE, monkeypatch=monkeypatch) == 0
    data = bytearray(backup.read_bytes())
    if damage == "byte":
        data[-20] ^= 1
    elif damage == "cut":
        del data[-1:]
    elif damage == "other":
        data = bytearray(b"PK\x03\x04")
    backup.write_bytes(data)
    (site / "etc" / "key").unlink()
    typed = "another passphrase" if damage == "passphrase" else PASSPHRASE
    assert run("restore", str(backup), config=config, typed=typed, monkeypatch=monkeypatch) == 2
    assert not (site / "etc" / "key").exists()
    assert typed not in capsys.readouterr().err


def test_a_short_passphrase_is_refused(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("backup", str(tmp_path / "b"), config=configured(site), typed="short", monkeypatch=monkeypatch) == 2
    assert not (tmp_path / "b").exists()


# -- rotation


def test_a_new_key_changes_nothing_until_a_project_names_it(site: Path, tmp_path: Path) -> None:
    config, source = configured(site), study(tmp_path / "in", "P1", 1)
    before = cleaned(config, source)
    assert run("add", config=config) == 0
    assert sorted(load_ring(site / "etc" / "key").keys) == [1, 2]
    assert cleaned(config, source) == before
    anew = cleaned(configured(site, "key = 2"), source)
    assert anew[0] != before[0]
    assert anew[1] != before[1]
    assert cleaned(configured(site, "key = 1"), source) == before  # the choice can be taken back


def test_a_key_that_is_used_or_the_last_is_not_retired(site: Path, tmp_path: Path) -> None:
    config = configured(site)
    assert run("retire", "1", "--yes", config=config) == 2
    run("add", config=config)
    assert run("retire", "1", "--yes", config=config) == 2  # the second project still uses it
    assert run("retire", "3", "--yes", config=config) == 2
    assert run("retire", "2", "--yes", config=config) == 0
    assert sorted(load_ring(site / "etc" / "key").keys) == [1]


def test_a_key_that_seals_a_table_is_not_retired(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(site, 'mode = "table"\nkey = 1')
    cleaned(config, study(tmp_path / "in", "P1", 1))
    run("add", config=config)
    config.write_text(config.read_text().replace("key = 1", "key = 2") + "[projects.identity]\nkey = 2\n")
    assert run("retire", "1", "--yes", config=config) == 2
    assert "seals" in capsys.readouterr().err


def test_under_a_new_key_remembered_patients_are_found_by_both_codes(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = study(tmp_path / "in", "P1", 1)
    before = cleaned(configured(site, "remember = true"), source)[0]
    run("add", config=site / "node.toml")
    config = configured(site, "remember = true\nkey = 2")
    after = cleaned(config, source)[0]
    assert before != after
    capsys.readouterr()
    assert main(["lookup", before, after, "--key", str(site / "etc" / "key"), "--config", str(config)]) == 0
    assert capsys.readouterr().out.count("P1") == 2


def test_a_retired_key_is_gone_from_the_file(site: Path, tmp_path: Path) -> None:
    config = configured(site)
    run("add", config=config)
    old = load_ring(site / "etc" / "key").keys[1]
    config.write_text(configured(site, "key = 2").read_text() + "[projects.identity]\nkey = 2\n")
    assert run("retire", "1", "--yes", config=config) == 0
    assert old.hex() not in (site / "etc" / "key").read_text()
    assert sorted(load_ring(site / "etc" / "key").keys) == [2]
    cleaned(config, study(tmp_path / "in", "P1", 1))


def test_keys_are_shown_by_public_names(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(site, 'subkey = "lung"')
    run("add", config=config)
    capsys.readouterr()
    assert run("show", config=config) == 0
    said = capsys.readouterr().out
    assert "first (subkey lung), second" in said.splitlines()[0]
    assert "no project" in said.splitlines()[1]
    for key in load_ring(site / "etc" / "key").keys.values():
        assert key.hex()[:8] not in said


def test_a_project_that_names_no_key_of_the_file_stops_the_node(site: Path) -> None:
    with pytest.raises(Misconfigured, match="only 1"):
        load_ring(site / "etc" / "key").secret_for(IdentitySettings(key=2))


# -- subkeys


def test_projects_with_other_subkeys_cannot_be_linked_and_those_with_the_same_can(site: Path, tmp_path: Path) -> None:
    source = study(tmp_path / "in", "P1", 1)
    none = cleaned(configured(site), source)
    lung = cleaned(configured(site, 'subkey = "lung"'), source)
    heart = cleaned(configured(site, 'subkey = "heart"'), source)
    assert len({none[0], lung[0], heart[0]}) == len({none[1], lung[1], heart[1]}) == 3
    assert cleaned(configured(site, 'subkey = "lung"', first="renamed"), source) == lung


# -- the file


def test_keys_are_read_as_they_are_written() -> None:
    ring = with_new_key(with_new_key(KeyRing({1: bytes(range(32))})))
    assert read_ring(ring.text()).keys == ring.keys
    assert ring.text().splitlines()[0] == bytes(range(32)).hex()
    assert ring.oldest == bytes(range(32))
    assert bytes(range(32)).hex() not in repr(ring)


@pytest.mark.parametrize("text", ["", "abc", "1 " + "0" * 64 + "\n1 " + "1" * 64, "0 " + "0" * 64, "x" * 64])
def test_what_is_no_key_file_is_an_error_without_its_content(text: str) -> None:
    with pytest.raises(Misconfigured) as error:
        read_ring(text)
    assert "x" * 10 not in str(error.value)
    assert "0" * 10 not in str(error.value)

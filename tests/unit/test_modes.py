"""Files of a spool are their user's alone, unless their folder is one that roles of several users share."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from node.errors import Misconfigured
from node.jobs import new_job_id
from node.key import create_key, load_key
from node.ledger import LEDGER_FILE, LEDGER_FOLDER, ledger_path, open_ledger
from node.modes import mode_in, mode_of_database_in
from node.presence import claimed, look
from node.spool import Spool


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("folder", "file", "database"),
    [
        (0o700, 0o600, 0o600),
        (0o770, 0o600, 0o600),  # a group, but nobody said that it is meant
        (0o2700, 0o600, 0o600),  # inherited from the folder around it
        (0o2750, 0o640, 0o600),
        (0o2770, 0o640, 0o660),
        (0o777, 0o600, 0o600),
    ],
)
def test_a_folder_says_who_may_use_its_files(tmp_path: Path, folder: int, file: int, database: int) -> None:
    tmp_path.chmod(folder)
    assert mode_in(tmp_path) == file
    assert mode_of_database_in(tmp_path) == database


@pytest.mark.parametrize("folder", [0o700, 0o2770])
def test_files_of_jobs_follow_their_folders(tmp_path: Path, folder: int) -> None:
    spool, job_id = Spool(tmp_path / "spool", 0), new_job_id()
    for name in ("incoming", "outbox"):
        (spool.path / name).chmod(folder)
    wanted = 0o600 if folder == 0o700 else 0o640
    with spool.open_incoming(job_id) as file:
        file.write(b"raw")
        (part,) = (spool.path / "incoming").iterdir()
        assert mode(part) == 0o600, "nobody reads what is not complete"
        file.commit()
    spool.put_outbox(job_id, [b"clean"])
    assert mode(spool.incoming_path(job_id)) == wanted
    assert mode(spool.outbox_path(job_id)) == wanted


def test_a_node_makes_folders_for_itself_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 0)
    open_ledger(spool.path).close()
    assert {mode(each) & 0o077 for each in (spool.path, *spool.path.rglob("*"))} == {0}


def test_the_ledger_lies_in_its_own_folder_where_that_is_there(tmp_path: Path) -> None:
    assert ledger_path(tmp_path) == tmp_path / LEDGER_FILE
    (tmp_path / LEDGER_FOLDER).mkdir()
    (tmp_path / LEDGER_FOLDER).chmod(0o2770)
    ledger = open_ledger(tmp_path)
    ledger.received(new_job_id(), "default", 1)
    files = list((tmp_path / LEDGER_FOLDER).iterdir())
    assert {each.name for each in files} >= {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.lock"}
    assert {mode(each) for each in files} == {0o660}
    assert not (tmp_path / LEDGER_FILE).exists()


def test_a_key_that_the_group_reads_is_refused_but_where_it_is_shared_or_a_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    create_key(key)
    assert mode(key) == 0o600
    secret = load_key(key)
    key.chmod(0o640)
    with pytest.raises(Misconfigured, match="0640"):
        load_key(key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load_key(key) == secret
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    tmp_path.chmod(0o2750)
    assert load_key(key) == secret
    for more in (0o660, 0o604):
        key.chmod(more)
        with pytest.raises(Misconfigured, match="others may use it"):
            load_key(key)


def test_a_key_made_in_a_shared_folder_is_read_by_the_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    create_key(tmp_path / "key")
    assert mode(tmp_path / "key") == 0o640


def test_roles_without_a_supervisor_are_seen_where_they_share_the_ledgers_folder(tmp_path: Path) -> None:
    with claimed(tmp_path, "work") as ready:
        ready()
        assert not look(tmp_path).running, "nothing is shared"
    folder = tmp_path / LEDGER_FOLDER
    folder.mkdir()
    folder.chmod(0o2770)
    with claimed(tmp_path, "work") as ready:
        assert not look(tmp_path).running
        ready()
        seen = look(tmp_path)
        assert seen.running
        assert {role.name: role.state for role in seen.roles} == {
            "work": "ready",
            "receive": "stopped",
            "forward": "stopped",
        }
        assert mode(folder / "work.lock") == 0o660
    assert not look(tmp_path).running

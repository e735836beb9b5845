"""The audit log: its lines hold together, and what was done to them shows."""

from __future__ import annotations

import json
import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from node import audit
from node.audit import Deed, chain
from node.cli import main
from node.errors import Transient


def _append(spool: Path, count: int) -> None:
    for number in range(count):
        audit.append(spool, Deed.LOOKUP, {"asked": number})


def _numbers(spool: Path) -> list[int]:
    return [entry["number"] for entry in chain.entries(spool)]


def test_lines_hold_together_whoever_writes_them(tmp_path: Path) -> None:
    with get_context("spawn").Pool(3) as pool:
        pool.starmap(_append, [(tmp_path, 10)] * 3)
    trail = audit.check(tmp_path)
    assert (trail.entries, trail.broken_at) == (30, None)
    assert _numbers(tmp_path) == list(range(1, 31))
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [0, 3, 8])
@pytest.mark.parametrize("what", ["change", "remove", "insert", "swap"])
def test_tampering_shows(tmp_path: Path, number: int, what: str) -> None:
    _append(tmp_path, 10)
    path = tmp_path / "audit.log"
    lines = path.read_text().splitlines(keepends=True)
    if what == "change":
        lines[number] = lines[number].replace(f'"asked": {number}', '"asked": 99')
    elif what == "remove":
        del lines[number]
    elif what == "insert":
        lines.insert(number, lines[number])
    else:
        lines[number], lines[number + 1] = lines[number + 1], lines[number]
    path.write_text("".join(lines))
    assert audit.check(tmp_path).broken_at is not None


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_missing_end_shows_to_who_kept_the_end(tmp_path: Path, cut: int) -> None:
    _append(tmp_path, 5)
    path = tmp_path / "audit.log"
    kept = audit.check(tmp_path).end
    assert audit.check(tmp_path, kept=kept).has_kept
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-cut]))
    trail = audit.check(tmp_path, kept=kept)
    assert (trail.broken_at, trail.has_kept) == (None, False)


def test_an_end_that_was_cut_off_and_written_anew_shows_to_who_kept_the_end(tmp_path: Path) -> None:
    _append(tmp_path, 5)
    path = tmp_path / "audit.log"
    kept = audit.check(tmp_path).end
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    _append(tmp_path, 2)
    assert not audit.check(tmp_path, kept=kept).has_kept


def test_a_line_that_a_crash_tore_stays_and_the_next_ones_follow_from_it(tmp_path: Path) -> None:
    _append(tmp_path, 2)
    with (tmp_path / "audit.log").open("a") as file:
        file.write('{"at": "20')
    _append(tmp_path, 2)
    trail = audit.check(tmp_path)
    assert (trail.entries, trail.broken_at) == (5, 3)
    lines = (tmp_path / "audit.log").read_text().splitlines()
    assert json.loads(lines[3])["previous"] == chain.hash_of(lines[2].encode())
    assert _numbers(tmp_path) == [1, 2, 4, 5]


# -- files that were closed


def _append_in_small_files(spool: Path, count: int) -> None:
    for number in range(count):
        chain.append_all(spool, [chain.Entry(Deed.LOOKUP, {"asked": number})], max_file_bytes=600)


def test_a_file_that_has_grown_is_closed_and_the_next_goes_on_where_it_ended(tmp_path: Path) -> None:
    _append_in_small_files(tmp_path, 20)
    files = chain.audit_files(tmp_path)
    assert len(files) > 3
    assert files[1].name == f"audit-{json.loads(files[1].read_bytes().splitlines()[0])['number']:010}.log"
    assert (audit.check(tmp_path).entries, audit.check(tmp_path).broken_at) == (20, None)
    assert _numbers(tmp_path) == list(range(1, 21))


def test_the_newest_entries_come_first_across_files(tmp_path: Path) -> None:
    _append_in_small_files(tmp_path, 20)
    assert [entry["number"] for entry in chain.latest(tmp_path, 7)] == list(range(20, 13, -1))
    assert [entry["number"] for entry in chain.latest(tmp_path, 3, before=5)] == [4, 3, 2]


def test_a_closed_file_that_is_gone_shows_unless_its_end_is_named(tmp_path: Path) -> None:
    _append_in_small_files(tmp_path, 20)
    first, second, *_ = chain.audit_files(tmp_path)
    end = chain.hash_of(first.read_bytes().splitlines()[-1])
    first.unlink()
    assert audit.check(tmp_path).broken_at == 1
    assert audit.check(tmp_path, begins_after=end).broken_at is None
    second.unlink()
    assert audit.check(tmp_path, begins_after=end).broken_at == 1


def test_long_lines_are_read_backwards_whole(tmp_path: Path) -> None:
    long = "x" * (3 * chain._BLOCK_BYTES)
    audit.append(tmp_path, Deed.LOOKUP, {"pseudonyms": [long]})
    _append(tmp_path, 2)
    assert chain.latest(tmp_path, 5)[-1]["pseudonyms"] == [long]


def test_a_line_follows_from_one_of_any_length(tmp_path: Path) -> None:
    audit.append(tmp_path, Deed.DECIDED, {"jobs": ["0" * 32] * 40_000})
    _append(tmp_path, 2)
    assert audit.check(tmp_path).broken_at is None
    assert _numbers(tmp_path) == [1, 2, 3]


# -- where roles are users of their own


def test_roles_of_several_users_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit").chmod(0o2770)
    old = os.umask(0o077)
    try:
        _append(tmp_path, 1)
    finally:
        os.umask(old)
    assert (tmp_path / "audit" / "audit.log").stat().st_mode & 0o777 == 0o660
    assert not (tmp_path / "audit.log").exists()


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit.log").mkdir()
    with pytest.raises(Transient, match="audit log"):
        _append(tmp_path, 1)


# -- the command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "node.toml").write_text('[spool]\npath = "spool"\n')
    (tmp_path / "spool").mkdir()
    _append(tmp_path / "spool", 3)
    return tmp_path / "node.toml"


def _run(config: Path, *arguments: str) -> int:
    return main(["audit", *arguments, "--config", str(config)])


def test_the_command_checks_the_log(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(config, "check") == 0
    said = capsys.readouterr().out
    assert said.startswith("3 lines hold together")
    end = said.split()[-1]
    assert _run(config, "check", "--kept", end) == 0
    path = config.parent / "spool" / "audit.log"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert _run(config, "check", "--kept", end) == 1
    assert "cut off" in capsys.readouterr().out
    path.write_text("".join([lines[0], lines[2]]))
    assert _run(config, "check") == 1
    assert "line 2 of" in capsys.readouterr().out


def test_what_is_no_hash_is_wrong_usage(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(config, "check", "--kept", "abc") == 2
    assert "64 hexadecimal digits" in capsys.readouterr().err


def test_without_a_log_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "node.toml").write_text('[spool]\npath = "spool"\n')
    assert _run(tmp_path / "node.toml", "check") == 4
    assert _run(tmp_path / "node.toml", "show") == 4
    assert "no audit log" in capsys.readouterr().err


def test_reading_the_log_is_an_entry_of_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(config, "show", "--last", "2") == 0
    first, last = capsys.readouterr().out.splitlines()
    assert "asked=2" in first
    assert "log-read" in last
    assert audit.check(config.parent / "spool").entries == 4


def test_entries_are_shown_by_what_they_are_of(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(config, "show", "--what", "log-read", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["what"] == "log-read"
    assert _run(config, "show", "--what", "log-read", "--xml") == 0
    assert capsys.readouterr().out.count("<AuditMessage>") == 2

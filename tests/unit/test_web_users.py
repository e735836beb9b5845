"""Who may use the console: the file of users, their sessions, and how often somebody may fail."""

from __future__ import annotations

import io
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from node.cli import main
from node.errors import Misconfigured
from node.key import create_key, load_ring, replace_ring, with_new_key
from node.settings import load_settings
from node.web.check import console_checks
from node.web.limits import LoginLimits
from node.web.sessions import Sessions
from node.web.users import User, UserRole, Users, changing, hashed, is_password, read_users

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hashed(PASSWORD)


def run(monkeypatch: pytest.MonkeyPatch, *words: str, typed: str = "") -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return main(["users", *words])


def test_a_user_is_added_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[web]\nusers_file = "users"\n')
    named = ("--config", str(config))
    assert run(monkeypatch, "add", "ada", "--role", "admin", *named, typed=f"{PASSWORD}\n") == 0
    assert run(monkeypatch, "add", "paul", "--role", "viewer", "--no-password", *named) == 0
    assert run(monkeypatch, "list", *named) == 0
    assert capsys.readouterr().out.splitlines() == ["ada   admin", "paul  viewer  no password"]
    users = read_users(tmp_path / "users")
    assert is_password(users["ada"], PASSWORD)
    assert not is_password(users["ada"], PASSWORD + " ")
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in (tmp_path / "users").read_text()
    assert run(monkeypatch, "remove", "ada", *named) == 0
    assert list(read_users(tmp_path / "users")) == ["paul"]


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add", "ada", "--role", "admin"), "too short\n", "at least 12 characters"),
        (("add", "two words", "--role", "admin"), f"{PASSWORD}\n", "letters, digits"),
        (("remove", "nobody"), "", "there is no user 'nobody'"),
    ],
)
def test_what_is_no_user_is_refused_with_a_remedy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    typed: str,
    said: str,
) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[web]\nusers_file = "users"\n')
    assert run(monkeypatch, *words, "--config", str(config), typed=typed) == 2
    assert said in capsys.readouterr().err


def test_check_says_that_nobody_can_log_in_and_that_the_port_is_taken(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text('[web]\nport = 1\nusers_file = "users"\n')
    settings = load_settings(tmp_path / "node.toml")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        settings = replace(settings, web=replace(settings.web, port=taken.getsockname()[1]))
        trouble = [said for _, said in console_checks(settings)]
    assert trouble[0] == "somebody else listens there"
    assert "deid-node users add" in trouble[1]
    with changing(tmp_path / "users") as users:
        users["ada"] = User("ada", UserRole.ADMIN, "hash")
    assert [said for _, said in console_checks(settings)] == ["", ""]
    assert list(console_checks(replace(settings, web=replace(settings.web, port=0)))) == []


def test_a_file_that_others_may_read_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("ada admin *\n")
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 640"):
        read_users(path)
    assert Users(path).find("ada") is None
    path.chmod(0o640)
    assert Users(path).find("ada") == User("ada", UserRole.ADMIN)


@pytest.mark.parametrize("line", ["ada", "ada king *", "a/b admin *", "ada admin * more"])
def test_a_line_that_is_no_user_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "users"
    path.write_text(f"# names\n{line}\n")
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match="line 2"):
        read_users(path)


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "users"
    with changing(path) as users:
        users["ada"] = User("ada", UserRole.ADMIN)
    seen = Users(path)
    assert seen.find("ada") is not None
    with changing(path) as users:
        users["ada"] = User("ada", UserRole.VIEWER)
    found = seen.find("ada")
    assert found is not None
    assert found.role is UserRole.VIEWER


def test_who_has_no_password_cannot_log_in_with_one(password_hash: str) -> None:
    assert not is_password(User("paul", UserRole.ADMIN), "*")
    assert not is_password(None, PASSWORD)
    assert is_password(User("ada", UserRole.ADMIN, password_hash), PASSWORD)


def test_roles_may_do_what_those_below_may() -> None:
    assert UserRole.ADMIN.allows(UserRole.VIEWER)
    assert UserRole.REVIEWER.allows(UserRole.REVIEWER)
    assert not UserRole.VIEWER.allows(UserRole.REVIEWER)
    assert not UserRole.REVIEWER.allows(UserRole.ADMIN)


def test_a_session_ends_when_nobody_does_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sessions = Sessions(idle_s=60, session_s=600)
    token, session = sessions.begin("ada", "")
    now[0] += 50
    assert sessions.find(token) is session
    now[0] += 50
    assert sessions.find(token, touch=False) is session  # a page that refreshes itself is nobody
    now[0] += 20
    assert sessions.find(token) is None


def test_a_session_ends_however_busy_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sessions = Sessions(idle_s=60, session_s=600)
    token, _ = sessions.begin("ada", "")
    for _ in range(12):
        now[0] += 50
        assert sessions.find(token) is not None
    now[0] += 50
    assert sessions.find(token) is None


def test_tokens_are_of_their_own_and_end_with_a_logout() -> None:
    sessions = Sessions(60, 600)
    first, _ = sessions.begin("ada", "")
    second, _ = sessions.begin("ada", "")
    assert first != second
    sessions.end(first)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    assert sessions.find("") is None


def test_the_pause_doubles_with_each_failure_and_a_success_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limits = LoginLimits(free=3, first_pause_s=10, longest_pause_s=30)
    for _ in range(3):
        assert limits.wait_s("ada", "192.0.2.1") == 0
        limits.failed("ada", "192.0.2.1")
    assert limits.wait_s("ada", "192.0.2.9") == 10  # from wherever
    assert limits.wait_s("eve", "192.0.2.1") == 0  # others may
    now[0] += 10
    limits.failed("ada", "192.0.2.1")
    assert limits.wait_s("ada", "192.0.2.1") == 20
    for _ in range(5):
        limits.failed("ada", "192.0.2.1")
    assert limits.wait_s("ada", "192.0.2.1") == 30
    limits.succeeded("ada")
    assert limits.wait_s("ada", "192.0.2.1") == 0


def test_an_address_that_tries_many_names_has_to_wait() -> None:
    limits = LoginLimits(free=3)
    for number in range(12):
        limits.failed(f"user{number}", "192.0.2.1")
    assert limits.wait_s("ada", "192.0.2.1") > 0
    assert limits.wait_s("ada", "192.0.2.2") == 0


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ('port = 8080\naddress = "0.0.0.0"', "unencrypted"),
        ('address = "console.example"', "must be an address"),
        ('[web.proxy]\nheader = "X-User"\naddresses = ["everywhere"]', "addresses or networks"),
        ('[web.proxy]\nheader = "X User"', "name of a header"),
    ],
)
def test_a_console_that_could_not_be_trusted_is_a_wrong_configuration(tmp_path: Path, web: str, said: str) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f"[web]\n{web}\n")
    with pytest.raises(Misconfigured, match=said):
        load_settings(config)


def test_the_file_keeps_its_owner_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("")
    path.chmod(0o640)
    owner = path.stat().st_uid, path.stat().st_gid
    with changing(path) as users:
        users["ada"] = User("ada", UserRole.ADMIN)
    assert path.stat().st_mode & 0o777 == 0o640
    assert (path.stat().st_uid, path.stat().st_gid) == owner == (os.getuid(), owner[1])


def test_a_disk_that_takes_pieces_only_leaves_no_piece_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data[:50])))
    with changing(tmp_path / "users") as users:
        users |= {name: User(name, UserRole.ADMIN, "x" * 97) for name in ("ada", "rita", "vera")}
    assert list(read_users(tmp_path / "users")) == ["ada", "rita", "vera"]
    create_key(tmp_path / "key")
    ring = with_new_key(load_ring(tmp_path / "key"))
    replace_ring(tmp_path / "key", ring)
    assert load_ring(tmp_path / "key") == ring

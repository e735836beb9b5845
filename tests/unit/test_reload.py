"""New settings at SIGHUP: who hears it, what is taken, and in which order the roles go over."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from node.changeover import Changeover
from node.errors import Misconfigured
from node.ledger import Ledger, open_ledger
from node.notify import Notifier
from node.presence import RoleState
from node.reload import Agreement, Reload
from node.settings import Settings, load_settings
from node.supervisor import Patience, Supervisor, Task


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "node.toml"
    file.write_text("[forward]\nfirst_retry_s = 1\n")
    return file


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def any_settings(_: Settings) -> None:
    """Find nothing wrong."""


def changeover(file: Path, ledger: Ledger) -> tuple[Reload, Changeover[str]]:
    """Return work's side; it finds a give_up_days of 13 wrong."""

    def prepare(settings: Settings) -> str:
        if settings.forward.give_up_days == 13:
            raise Misconfigured("thirteen")
        return "prepared"

    reload = Reload(load_settings(file))
    return reload, Changeover(reload, ledger, prepare)


def write(file: Path, text: str) -> None:
    file.write_text(f"[forward]\n{text}\n")


def test_nothing_is_read_that_was_not_asked_for(file: Path) -> None:
    reload = Reload(load_settings(file))
    write(file, "first_retry_s = 2")
    assert (reload.is_due, reload.read()) == (False, None)
    reload.ask()
    read = reload.read()
    assert read
    assert read[0].forward.first_retry_s == 2
    assert reload.read() is None


def test_a_role_follows_once_work_goes_by_the_same_file(file: Path, ledger: Ledger) -> None:
    work, over = changeover(file, ledger)
    over.in_force()
    forward = Reload(load_settings(file))
    write(file, "first_retry_s = 2")
    forward.ask()
    assert forward.follow(ledger, any_settings) is None
    assert forward.is_due
    work.ask()
    assert over.look()
    assert forward.follow(ledger, any_settings) is None  # work has read it, and has yet to go over
    over.in_force()
    followed = forward.follow(ledger, any_settings)
    assert followed
    assert followed.forward.first_retry_s == 2
    assert not forward.is_due


def test_what_work_cannot_use_is_used_by_nobody(file: Path, ledger: Ledger) -> None:
    work, over = changeover(file, ledger)
    over.in_force()
    forward = Reload(load_settings(file))
    write(file, "give_up_days = 13")
    forward.ask()
    work.ask()
    assert not over.look()
    assert forward.follow(ledger, any_settings) is None
    assert not forward.is_due
    write(file, "give_up_days = 12")
    forward.ask()
    work.ask()
    assert over.look()
    over.in_force()
    followed = forward.follow(ledger, any_settings)
    assert followed
    assert followed.forward.give_up_days == 12


def test_a_verdict_from_before_the_signal_may_be_out_of_date(file: Path, ledger: Ledger) -> None:
    work, over = changeover(file, ledger)
    write(file, "give_up_days = 13")
    work.ask()
    assert not over.look()
    forward = Reload(load_settings(file))
    forward.ask()
    assert forward.follow(ledger, any_settings) is None
    assert forward.is_due  # the file is the same, but what it names may be mended: work will say


def test_what_a_role_itself_cannot_use_leaves_it_as_it_is(file: Path, ledger: Ledger) -> None:
    _, over = changeover(file, ledger)
    over.in_force()
    forward = Reload(load_settings(file))
    forward.ask()

    def nothing_is_right(_: Settings) -> None:
        raise Misconfigured("no certificate")

    assert forward.follow(ledger, nothing_is_right) is None
    assert not forward.is_due


@pytest.mark.parametrize("text", ["first_retry_s = 0", "frist_retry_s = 1", "= 1"])
def test_a_file_that_is_wrong_changes_nothing(file: Path, ledger: Ledger, text: str) -> None:
    work, over = changeover(file, ledger)
    write(file, text)
    work.ask()
    assert not over.look()
    assert over.next is None
    file.unlink()
    work.ask()
    assert not over.look()


def test_what_counts_from_the_next_start_stays_as_it_was(file: Path) -> None:
    before = load_settings(file)
    reload = Reload(before)
    file.write_text('key_file = "other"\n[receive]\nport = 1\nidle_deadline_s = 7\n[spool]\npath = "x"\n')
    reload.ask()
    read = reload.read()
    assert read
    settings, _ = read
    assert (settings.key_file, settings.spool.path) == (before.key_file, before.spool.path)
    assert (settings.receive.port, settings.receive.idle_deadline_s) == (before.receive.port, 7)


def test_the_last_word_of_a_role_counts(ledger: Ledger) -> None:
    agreement = Agreement(ledger)
    assert agreement.verdict("work") is None
    agreement.in_force("work", "a")
    agreement.reject("work", "b", "why")
    verdict = agreement.verdict("work")
    assert verdict
    assert (verdict.digest, verdict.rejected, verdict.why) == ("a", "b", "why")


@pytest.mark.parametrize("unit", ["deid-node", "deid-node-receive", "deid-node-work", "deid-node-forward"])
def test_systemd_reloads_by_the_same_signal(unit: str) -> None:
    text = (Path(__file__).parents[2] / "systemd" / f"{unit}.service").read_text("utf-8")
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in text


class Witness:
    """Sends SIGHUP once the node is ready, and SIGTERM once a role says that it has heard something."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def node_ready(self, after_s: float) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    def __getattr__(self, name: str) -> object:
        return lambda *_: None

    def seen(self, roles: Sequence[RoleState]) -> None:
        """Nothing."""


HEARS = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, lambda *_: (open(sys.argv[1], "w").close(), os.kill(os.getppid(), signal.SIGTERM)))
os.write(int(os.environ["DEID_NODE_READY"]), b"1")
while True: time.sleep(0.05)
"""


def supervised(folder: Path, may_reload: bool | None) -> tuple[bool, list[bool]]:
    """Return whether the role heard SIGHUP, and what was asked."""
    asked: list[bool] = []

    def may() -> bool:
        asked.append(True)
        if not may_reload:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return bool(may_reload)

    task = Task("work", (sys.executable, "-S", "-c", HEARS, str(folder / "heard")))
    witness = Witness(folder)
    on_hangup = None if may_reload is None else may
    Supervisor([task], Notifier(), witness, Patience(stop_s=2.0), may_reload=on_hangup).run()  # type: ignore[arg-type]
    return (folder / "heard").exists(), asked


def test_the_roles_hear_of_a_file_that_is_right(tmp_path: Path) -> None:
    assert supervised(tmp_path, True) == (True, [True])


def test_the_roles_hear_nothing_of_a_file_that_is_wrong(tmp_path: Path) -> None:
    assert supervised(tmp_path, False) == (False, [True])


def test_without_a_file_to_reload_a_hangup_stops(tmp_path: Path) -> None:
    assert supervised(tmp_path, None) == (False, [])

"""The supervisor, with real and very small child processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from node.errors import Misconfigured
from node.notify import Notifier
from node.presence import Presence, RoleState, look
from node.supervisor import Patience, Supervisor, Task

ROOT = Path(__file__).parents[2]
QUICK = Patience(first_restart_s=0.05, max_restart_s=0.2, settled_s=60.0, stop_s=2.0)
REMINDS = Patience(stop_s=2.0, remind_s=0.3)

SAY_READY = "import os, time; os.write(int(os.environ['DEID_NODE_READY']), b'1'); "
WORKS = SAY_READY + "time.sleep(60)"
NEVER_READY = "import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WORKS


class Notes:
    """A witness that writes down what it hears and stops the supervisor at a chosen word."""

    def __init__(self, stop_at: Callable[[str], bool]) -> None:
        self.heard: list[str] = []
        self.times: list[float] = []
        self.states: list[list[RoleState]] = []
        self.pids: list[int] = []
        self._stop_at = stop_at

    def note(self, word: str) -> None:
        self.heard.append(word)
        self.times.append(time.monotonic())
        if self._stop_at(word):
            os.kill(os.getpid(), signal.SIGTERM)

    def started(self, role: str, pid: int) -> None:
        self.pids.append(pid)
        self.note(f"started {role}")

    def ready(self, role: str, after_s: float) -> None:
        assert after_s >= 0
        self.note(f"ready {role}")

    def exited(self, role: str, code: int, restart_after_s: float) -> None:
        self.note(f"exited {role} {code} {restart_after_s}")

    def not_ready(self, role: str, restarts: int) -> None:
        self.note(f"not ready {role} {restarts}")

    def node_ready(self, after_s: float) -> None:
        self.note("node ready")

    def stopping(self) -> None:
        self.note("stopping")

    def killed(self, role: str) -> None:
        self.note(f"killed {role}")

    def seen(self, roles: Sequence[RoleState]) -> None:
        self.states.append(list(roles))


def task(role: str, code: str) -> Task:
    return Task(role, (sys.executable, "-S", "-c", code))


def run(
    tasks: list[Task], stop_at: Callable[[str], bool], notifier: Notifier | None = None, patience: Patience = QUICK
) -> tuple[int, Notes]:
    notes = Notes(stop_at)
    code = Supervisor(tasks, notifier or Notifier(), notes, patience).run()
    assert not any(psutil.pid_exists(pid) for pid in notes.pids)
    return code, notes


def test_the_node_is_ready_when_the_last_role_is() -> None:
    late = "import time; time.sleep(0.3); " + WORKS
    code, notes = run([task("receive", WORKS), task("work", late)], lambda word: word == "node ready")
    assert code == 0
    assert notes.heard[-4:] == ["ready receive", "ready work", "node ready", "stopping"]


def test_a_role_that_dies_is_started_again_after_a_growing_pause() -> None:
    dies = SAY_READY + "os._exit(7)"
    _, notes = run([task("work", dies)], lambda word: word == "exited work 7 0.2")
    pauses = [word for word in notes.heard if word.startswith("exited")]
    assert pauses == ["exited work 7 0.05", "exited work 7 0.1", "exited work 7 0.2"]
    assert notes.states[-1][0].restarts == 3


def test_the_pause_grows_to_its_maximum_and_no_further() -> None:
    patience = Patience()
    assert [patience.restart_after_s(n) for n in (1, 2, 3, 8, 9, 10_000)] == [0.2, 0.4, 0.8, 25.6, 30.0, 30.0]


def test_a_role_that_had_settled_starts_again_at_once() -> None:
    dies = SAY_READY + "time.sleep(0.1); os._exit(7)"
    notes = Notes(lambda word: word.startswith("exited") and len(notes.pids) == 3)
    settled = Patience(first_restart_s=0.05, settled_s=0.01, stop_s=2.0)
    Supervisor([task("work", dies)], Notifier(), notes, settled).run()
    assert [word for word in notes.heard if word.startswith("exited")] == ["exited work 7 0.05"] * 3


def test_one_role_that_dies_leaves_the_others_running() -> None:
    dies_once = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); first = not p.exists(); p.touch(); " + SAY_READY
    dies_once += "first and (time.sleep(0.2), os._exit(9)); time.sleep(60)"

    def over(word: str) -> bool:
        return word == "ready work" and notes.heard.count("ready work") == 2

    notes = Notes(over)
    marker = Path(os.environ.get("TMPDIR", "/tmp")) / f"deid-node-test-{os.getpid()}"  # noqa: S108
    command = (sys.executable, "-S", "-c", dies_once, str(marker))
    try:
        Supervisor([task("receive", WORKS), Task("work", command)], Notifier(), notes, QUICK).run()
    finally:
        marker.unlink(missing_ok=True)
    assert notes.heard.count("started receive") == 1
    assert notes.heard.count("started work") == 2


def test_the_role_that_is_not_ready_is_named() -> None:
    tasks = [task("receive", WORKS), task("work", NEVER_READY)]
    _, notes = run(tasks, lambda word: word.startswith("not ready"), patience=REMINDS)
    assert "not ready work 0" in notes.heard
    assert "node ready" not in notes.heard
    states = [{state.name: state.state for state in seen} for seen in notes.states]
    assert {"receive": "ready", "work": "starting"} in states


def test_a_wrong_configuration_stops_the_node_instead_of_starting_it_again() -> None:
    code, notes = run([task("receive", WORKS), task("work", "raise SystemExit(2)")], lambda _: False)
    assert code == 2
    assert notes.heard.count("started work") == 1


def test_a_command_that_cannot_be_started_is_tried_again() -> None:
    tasks = [Task("work", ("/nowhere/python",)), task("receive", WORKS)]
    _, notes = run(tasks, lambda word: word == "exited work 2 0.1")
    assert "started receive" in notes.heard


def test_a_role_that_ignores_the_stop_is_killed() -> None:
    code, notes = run([task("receive", STUBBORN), task("work", WORKS)], lambda word: word == "node ready")
    assert code == 0
    assert notes.heard[-2:] == ["stopping", "killed receive"]


class Manager:
    """A service manager that listens, and can ask the node to stop when it has heard enough."""

    def __init__(self, folder: Path, enough: Callable[[list[str]], bool]) -> None:
        self.address = str(folder / "notify")
        self.heard: list[str] = []
        self._enough = enough
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        asked = False
        while not (self.heard and self.heard[-1].startswith("STOPPING=1")):
            self.heard.append(self._socket.recv(1024).decode())
            if not asked and self._enough(self.heard):
                asked = True
                os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        self._thread.join(5)
        self._socket.close()


def test_the_manager_hears_ready_watchdog_and_stopping(tmp_path: Path) -> None:
    manager = Manager(tmp_path, lambda heard: heard.count("WATCHDOG=1") > 5 and any("READY=1" in h for h in heard))
    run([task("receive", WORKS)], lambda _: False, Notifier(manager.address, watchdog_interval_s=0.05))
    manager.close()
    assert manager.heard[0] == "STATUS=waiting for receive"
    assert manager.heard.count("READY=1\nSTATUS=all roles ready") == 1
    assert manager.heard[-1].startswith("STOPPING=1")


def test_the_watchdog_starves_while_a_role_is_down(tmp_path: Path) -> None:
    manager = Manager(tmp_path, lambda _: False)
    notifier = Notifier(manager.address, watchdog_interval_s=0.01)
    run([Task("work", ("/nowhere/python",))], lambda word: word == "exited work 2 0.2", notifier)
    manager.close()
    assert manager.heard == ["STATUS=waiting for work", "STOPPING=1\nSTATUS=stopping"]


SUPERVISE = """
import sys
from node.notify import Notifier
from node.supervisor import Supervisor, Task
from tests_witness import Quiet
Supervisor([Task("work", (sys.executable, "-c", sys.argv[1]))], Notifier(), Quiet()).run()
"""
QUIET = """
class Quiet:
    def __getattr__(self, name):
        return lambda *a: print(name, *a, flush=True)
"""


def test_a_killed_supervisor_is_noticed_on_the_lifeline(tmp_path: Path) -> None:
    (tmp_path / "tests_witness.py").write_text(QUIET)
    end = tmp_path / "end"
    waits = SAY_READY + f"os.read(int(os.environ['DEID_NODE_LIFELINE']), 1); open({str(end)!r}, 'w').close()"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = (sys.executable, "-c", SUPERVISE, waits)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        for line in supervisor.stdout:
            if line.startswith("node_ready"):
                break
        supervisor.kill()
    deadline = time.monotonic() + 10
    while not end.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert end.exists()


def test_two_nodes_cannot_work_on_one_spool(tmp_path: Path) -> None:
    first = Presence(tmp_path / "spool")
    try:
        with pytest.raises(Misconfigured, match="another deid-node"):
            Presence(tmp_path / "spool")
    finally:
        first.close()
    Presence(tmp_path / "spool").close()


def test_onlookers_see_the_roles_while_the_supervisor_lives(tmp_path: Path) -> None:
    role = RoleState("work", "ready", 4711, 2, 1.5)
    assert look(tmp_path).running is False
    presence = Presence(tmp_path)
    assert look(tmp_path).roles == ()
    presence.write([role])
    seen = look(tmp_path)
    assert (seen.running, seen.pid, seen.roles) == (True, os.getpid(), (role,))
    presence.close()
    assert look(tmp_path).running is False


def test_a_state_file_left_by_a_killed_supervisor_is_not_believed(tmp_path: Path) -> None:
    presence = Presence(tmp_path)
    presence.write([RoleState("work", "ready", 4711, 0, 1.5)])
    left = (tmp_path / ".node.json").read_text()
    presence.close()
    (tmp_path / ".node.json").write_text(left)
    assert look(tmp_path).running is False


def test_the_roles_of_a_killed_supervisor_are_waited_for(tmp_path: Path) -> None:
    holds = "import sys, time; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import subprocess, os\n"
    holds += "from node.presence import Presence; p = Presence(Path(sys.argv[2])); p.write([])\n"
    holds += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1.5)'], pass_fds=[p.fd]); os._exit(9)"
    subprocess.run([sys.executable, "-c", holds, str(ROOT), str(tmp_path)], check=False)
    assert look(tmp_path).running is False
    began_at = time.monotonic()
    Presence(tmp_path).close()
    assert time.monotonic() - began_at > 0.5

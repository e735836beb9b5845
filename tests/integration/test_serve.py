"""The whole node as real processes: `serve`, and what an operator does with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pydicom
import pytest

from tests.factories import STUDY, ct, mr, to_bytes
from tests.network import HOST, ROOT, Node, dcmtk, free_port, listens, missing, storescp, wait_until

SOMEBODY = b"Brackenridge"
ROLES = ("receive", "work", "forward")

pytestmark = pytest.mark.timeout(180)
needs_dcmtk = pytest.mark.skipif(
    bool(missing("storescp", "storescu", "echoscu")), reason="DCMTK is not installed (Debian: dcmtk)"
)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """DCMTK's storescp, with the folder that it fills."""
    folder = tmp_path / "archive"
    with storescp(folder) as (port, _):
        yield folder, port


@pytest.fixture
def modality(tmp_path: Path) -> Path:
    """Four instances of one patient."""
    folder = tmp_path / "modality"
    folder.mkdir()
    for seed in range(3):
        (folder / f"ct{seed}.dcm").write_bytes(to_bytes(ct(STUDY, seed)))
    (folder / "mr.dcm").write_bytes(to_bytes(mr(STUDY, 0)))
    return folder


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of deid-node."""
    line = [sys.executable, "-m", "node", *map(str, words)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def status(node: Node) -> dict[str, object]:
    return dict(json.loads(command("status", "--json", "--config", node.config).stdout))


def pids(node: Node) -> dict[str, int]:
    """Return the process of each role as `status` knows it."""
    roles = status(node)["roles"]
    assert isinstance(roles, list)
    return {role["name"]: role["pid"] for role in roles if role["state"] == "ready"}


def is_up(node: Node) -> bool:
    return set(pids(node)) == set(ROLES)


@needs_dcmtk
def test_an_instance_goes_from_a_modality_to_the_archive_without_the_name(
    tmp_path: Path, archive: tuple[Path, int], modality: Path
) -> None:
    folder, port = archive
    with Node(tmp_path / "node", port) as node:
        echo = dcmtk("echoscu", "-aec", "DEIDNODE", HOST, str(node.port))
        assert echo.returncode == 0, echo.stderr
        sent = dcmtk("storescu", "-aec", "DEIDNODE", HOST, str(node.port), *sorted(modality.iterdir()))
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: len(list(folder.iterdir())) == 4, 60, f"4 instances are in the archive: {node.tail()}")
        node.wait_idle(30)
        assert node.quarantined() == []
        assert node.leftovers() == []
        assert status(node)["jobs"] == {
            "received": 0,
            "cleaning": 0,
            "gathered": 0,
            "held": 0,
            "cleaned": 0,
            "sending": 0,
            "sent": 4,
            "quarantined": 0,
        }
        assert node.stop() == 0
    for path in folder.iterdir():
        assert SOMEBODY not in path.read_bytes()
        assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"
    assert SOMEBODY not in node.log.read_bytes()


@needs_dcmtk
def test_a_clean_file_torn_by_a_power_cut_never_reaches_the_archive(tmp_path: Path, modality: Path) -> None:
    folder, port = tmp_path / "archive", free_port()
    with Node(tmp_path / "node", port) as node:  # nobody listens at the archive yet
        sent = dcmtk("storescu", "-aec", "DEIDNODE", HOST, str(node.port), *sorted(modality.iterdir()))
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: len(list((node.spool / "outbox").glob("*.dcm"))) == 4, 60, "4 clean files wait")
        node.kill()
        whole = {path.name: path.read_bytes() for path in (node.spool / "outbox").glob("*.dcm")}
        for path in (node.spool / "outbox").glob("*.dcm"):
            path.write_bytes(whole[path.name][:-512] + bytes(512))
        (node.spool / "outbox.boot").write_text("an earlier start of the machine")
        with storescp(folder, "+B", port=port):
            node.start()
            wait_until(lambda: len(list(folder.iterdir())) == 4, 60, f"4 instances are in the archive: {node.tail()}")
            node.wait_idle(30)
    pixels = {pydicom.dcmread(path).PixelData[-512:] for path in folder.iterdir()}
    assert bytes(512) not in pixels


def test_echo_and_send_speak_with_the_node(tmp_path: Path, modality: Path) -> None:
    (modality / "note.txt").write_text("no instance")
    with Node(tmp_path / "node", free_port()) as node:
        echoed = command("echo", node.address)
        assert (echoed.returncode, echoed.stdout.split(" after")[0]) == (0, f"{node.address} answers 0x0000")
        sent = command("send", modality, node.address)
        assert sent.returncode == 1
        assert sent.stdout.splitlines()[-1] == f"4 of 5 files stored by {node.address}"
        assert sent.stdout.startswith("not-dicom")
        wait_until(lambda: status(node)["jobs"]["cleaned"] == 4, 60, "4 instances wait")  # type: ignore[index]
        shown = command("status", "--config", node.config)
        assert shown.returncode == 0
        assert "to archive: 4 waiting" in shown.stdout
    assert command("echo", node.address).returncode == 3


def test_who_is_not_let_in_is_told_so_in_one_line(tmp_path: Path) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        refused = command("echo", f"STRANGER@{HOST}:{node.port}")
    assert refused.returncode == 3
    assert refused.stderr.count("\n") == 1
    assert "called AE title not recognized" in refused.stderr


def test_status_says_which_roles_are_ready_and_when_no_node_runs(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    before = command("status", "--config", node.config)
    assert before.returncode == 4
    assert "does not run" in before.stdout
    with node:
        wait_until(lambda: is_up(node), 30, "all roles are ready")
        during = command("status", "--config", node.config)
        assert during.returncode == 0
        assert all(f"  {role} " in during.stdout for role in ROLES)
    after = command("status", "--config", node.config)
    assert after.returncode == 4


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_all_processes_cleanly(tmp_path: Path, stop_signal: signal.Signals) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        wait_until(lambda: is_up(node), 30, "all roles are ready")
        family = node.processes()
        assert len(family) >= 4
        assert node.process is not None
        node.process.send_signal(stop_signal)
        assert node.process.wait(20) == 0
        assert not any(member.is_running() for member in family)
        assert not listens(node.port)
        assert "Traceback" not in node.log.read_text()


def test_ctrl_c_at_a_terminal_reaches_all_processes_and_still_ends_cleanly(tmp_path: Path) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        wait_until(lambda: is_up(node), 30, "all roles are ready")
        assert node.process is not None
        os.killpg(node.process.pid, signal.SIGINT)
        assert node.process.wait(20) == 0
        assert "Traceback" not in node.log.read_text()


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_role_is_started_again_and_the_others_stay(tmp_path: Path, role: str) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        wait_until(lambda: is_up(node), 30, "all roles are ready")
        before = pids(node)
        os.kill(before[role], signal.SIGKILL)
        wait_until(lambda: is_up(node) and pids(node)[role] != before[role], 30, f"{role} is back: {node.tail()}")
        after = pids(node)
        assert {name for name in ROLES if after[name] == before[name]} == set(ROLES) - {role}
        assert command("echo", node.address).returncode == 0


def test_a_killed_supervisor_leaves_no_orphans_and_the_next_one_starts(tmp_path: Path) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        wait_until(lambda: is_up(node), 30, "all roles are ready")
        family = node.processes()
        assert node.process is not None
        node.process.kill()
        node.process.wait()
        node.start()
        wait_until(lambda: is_up(node), 30, f"all roles are ready again: {node.tail()}")
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []


def test_two_nodes_do_not_share_a_spool(tmp_path: Path) -> None:
    with Node(tmp_path / "node", free_port()) as node:
        wait_until(lambda: is_up(node), 30, "all roles are ready")
        second = command("serve", "--config", node.config)
        assert second.returncode == 2
        assert "another deid-node already works on the spool" in second.stderr
        assert is_up(node)


def test_a_port_that_somebody_else_has_is_said_in_the_end_code_and_a_line(tmp_path: Path) -> None:
    with socket.socket() as somebody:
        somebody.bind((HOST, 0))
        somebody.listen()
        node = Node(tmp_path / "node", free_port(), port=somebody.getsockname()[1])
        node.write_config()
        served = command("serve", "--config", node.config)
    assert served.returncode == 2
    said = [line for line in served.stderr.splitlines() if line.startswith("deid-node: ")]
    assert len(said) == 1
    assert str(node.port) in said[0]


def test_a_wrong_key_stops_the_start_with_one_line(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    (node.folder / "key").chmod(0o644)
    served = command("serve", "--config", node.config)
    assert served.returncode == 2
    assert served.stderr.count("\n") == 1
    assert "chmod 600" in served.stderr


class Manager:
    """A service manager's socket and what came in on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._done.is_set():
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except TimeoutError:
                continue

    def says(self, word: str) -> int:
        return sum(word in lines.split("\n") for lines in self.heard)

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_systemd_hears_ready_watchdog_and_stopping(tmp_path: Path, manager: Manager) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    environment = {**os.environ, "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000"}
    line = [sys.executable, "-m", "node", "serve", "--config", str(node.config)]
    with subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as serve:
        try:
            wait_until(lambda: manager.says("READY=1") == 1, 30, "READY")
            assert listens(node.port)
            before = manager.says("WATCHDOG=1")
            time.sleep(1.1)
            assert manager.says("WATCHDOG=1") - before >= 4
        finally:
            serve.terminate()
        assert serve.wait(20) == 0
    wait_until(lambda: manager.says("STOPPING=1") == 1, 5, "STOPPING")
    assert manager.says("READY=1") == 1
    assert any(lines.startswith("STATUS=waiting for ") for lines in manager.heard)


def test_the_manager_is_told_which_role_is_not_ready(tmp_path: Path, manager: Manager) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    environment = {**os.environ, "NOTIFY_SOCKET": str(manager.path)}
    line = [sys.executable, "-m", "node", "serve", "--config", str(node.config)]
    with subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as serve:
        try:
            wait_until(lambda: manager.says("READY=1") == 1, 30, "READY")
            os.kill(pids(node)["forward"], signal.SIGKILL)
            wait_until(lambda: manager.says("STATUS=waiting for forward") == 1, 10, "STATUS names forward")
            wait_until(lambda: is_up(node), 30, "forward is back")
        finally:
            serve.terminate()
        assert serve.wait(20) == 0


def test_one_role_alone_speaks_for_itself(tmp_path: Path, manager: Manager) -> None:
    node = Node(tmp_path / "node", free_port())
    node.write_config()
    environment = {**os.environ, "NOTIFY_SOCKET": str(manager.path)}
    line = [sys.executable, "-m", "node", "serve", "--role", "receive", "--config", str(node.config)]
    with subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as receive:
        try:
            wait_until(lambda: manager.says("READY=1") == 1, 30, "READY")
            assert command("echo", node.address).returncode == 0
        finally:
            receive.terminate()
        assert receive.wait(20) == 0
    wait_until(lambda: manager.says("STOPPING=1") == 1, 5, "STOPPING")


def test_several_receivers_share_the_port(tmp_path: Path) -> None:
    with Node(tmp_path / "node", free_port(), sections={"receive": {"processes": 2}}) as node:
        wait_until(lambda: len(status(node)["roles"]) == 4 and status(node)["all_ready"] is True, 30, "ready")  # type: ignore[arg-type]
        for _ in range(8):
            assert command("echo", node.address).returncode == 0

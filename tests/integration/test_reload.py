"""New settings at SIGHUP, in a node of real processes: nothing acknowledged is lost, and who is at it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from node.dimse import VERIFICATION
from node.errors import Unreachable
from node.presence import look
from node.scu import Outgoing, Proposal, StoreAssociation, open_association, outgoing_from_file
from node.settings import Destination, ForwardSettings
from tests.archive import Archive
from tests.factories import STUDY, ct, to_bytes
from tests.network import HOST, ROOT, Node, free_port, listens, wait_until

CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENCE = ForwardSettings(connect_timeout_s=10, dimse_timeout_s=60)

pytestmark = pytest.mark.timeout(900)


def instances(folder: Path, count: int, first: int = 0) -> list[Outgoing]:
    folder.mkdir(exist_ok=True)
    found = []
    for seed in range(first, first + count):
        (folder / f"{seed}.dcm").write_bytes(to_bytes(ct(STUDY, seed, size=16)))
        found.append(outgoing_from_file(folder / f"{seed}.dcm"))
    return found


def associate(node: Node, called: str = "DEIDNODE", calling: str = "MODALITY") -> StoreAssociation:
    syntax = "1.2.840.10008.1.2.1"
    wanted = [Proposal(CT, syntax), Proposal(VERIFICATION, "1.2.840.10008.1.2")]
    return open_association(Destination("node", called, HOST, node.port, calling), wanted, PATIENCE)


def stored(folder: Path) -> int:
    return len(list(folder.glob("*.dcm")))


def reload(node: Node) -> None:
    assert node.process is not None
    node.process.send_signal(signal.SIGHUP)


def said(node: Node, event: str, role: str | None = None) -> list[dict[str, object]]:
    """Return what the node has said."""
    lines = [json.loads(line) for line in node.log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event and role in (None, line["role"])]


def wait_until_said(node: Node, event: str, times: int, *roles: str) -> None:
    for role in roles:
        wait_until(lambda role=role: len(said(node, event, role)) >= times, 240, f"{role}: {event}")  # type: ignore[misc]


class Sender(threading.Thread):
    """Sends instances one after the other, each on an association of its own; keeps what was acknowledged."""

    def __init__(self, node: Node, outgoing: list[Outgoing]) -> None:
        super().__init__()
        self.node = node
        self.outgoing = outgoing
        self.acknowledged = 0
        self.failed: list[str] = []

    def run(self) -> None:
        for each in self.outgoing:
            try:
                with associate(self.node) as association:
                    if association.store(each) == 0:
                        self.acknowledged += 1
                    else:
                        self.failed.append("status")
            except Exception as error:  # noqa: BLE001
                self.failed.append(repr(error))


SECOND = """
[[projects]]
name = "second"
called_ae_title = "SECOND"
profile = "basic"
destinations = ["other"]

[destinations.other]
ae_title = "OTHER"
host = "127.0.0.1"
port = %d

[[peers]]
ae_title = "MODALITY"
address = "127.0.0.1"
"""


def test_nothing_is_lost_when_settings_change_under_load(tmp_path: Path) -> None:
    with (
        Archive(tmp_path / "archive") as archive,
        Archive(tmp_path / "other", ae_title="OTHER") as other,
        Node(tmp_path / "node", archive.port, sections={"receive": {"idle_deadline_s": 900}}) as node,
    ):
        first = node.config.read_text()
        second = first + SECOND % other.port
        outgoing = instances(tmp_path / "in", 51)
        long, sender = associate(node), Sender(node, outgoing[:40])
        stranger = associate(node, calling="STRANGER")
        assert stranger.store(outgoing[40]) == 0
        sender.start()
        assert long.store(outgoing[41]) == 0

        for times, text in enumerate((second, first, second), 1):
            node.config.write_text(text)
            reload(node)
            wait_until_said(node, "settings-reloaded", times, "work", "forward", "receive")
            assert long.store(outgoing[41 + times]) == 0  # who was there before goes on

        with associate(node, "SECOND") as association:
            assert [association.store(each) for each in outgoing[45:50]] == [0] * 5
        with pytest.raises(Unreachable, match="rejects"):
            associate(node, calling="STRANGER")  # no peer any more
        assert stranger.store(outgoing[50]) == 0  # who was let in stays
        assert stranger.release()
        assert long.release()
        sender.join(240)
        assert (sender.failed, sender.acknowledged) == ([], 40)

        wait_until(lambda: stored(tmp_path / "archive") == 46, 240, f"46 instances: {node.tail()}")
        wait_until(lambda: stored(tmp_path / "other") == 5, 240, "5 instances")
        node.wait_idle(240)
        assert node.quarantined() == []
        assert said(node, "child-ended") == []
        assert said(node, "settings-rejected") == []
        assert node.stop() == 0


BREAKS: dict[str, Callable[[str], str]] = {
    "unknown key 'recieve'; did you mean 'receive'?": lambda text: text + "\n[recieve]\nport = 1\n",
    "not TOML": lambda text: text + "\nport = = 1\n",
    "own.toml": lambda text: text.replace('"longitudinal"', '"own.toml"'),  # a profile that is not there
}


def test_a_broken_file_leaves_everything_as_it_is_and_is_told_in_one_line(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive") as archive, Node(tmp_path / "node", archive.port) as node:
        right = node.config.read_text()
        (outgoing, last) = instances(tmp_path / "in", 2)
        for told, breaks in BREAKS.items():
            node.config.write_text(breaks(right))
            reload(node)
            wait_until(
                lambda told=told: any(told in str(line["message"]) for line in said(node, "settings-rejected")),  # type: ignore[misc]
                240,
                told,
            )
        messages = {str(line["message"]) for line in said(node, "settings-rejected")}
        assert len(messages) == len(BREAKS)
        assert all(str(tmp_path) in message and "\n" not in message for message in messages)
        with associate(node) as association:
            assert association.store(outgoing) == 0
        wait_until(lambda: stored(tmp_path / "archive") == 1, 240, "an instance")
        assert said(node, "settings-reloaded") == []
        assert said(node, "child-ended") == []

        node.config.write_text(right + '\n[[peers]]\nae_title = "ONE"\naddress = "127.0.0.1"\n')
        reload(node)
        wait_until_said(node, "settings-reloaded", 1, "work", "forward", "receive")
        with pytest.raises(Unreachable):
            associate(node)
        with associate(node, calling="ONE") as association:
            assert association.store(last) == 0
        wait_until(lambda: stored(tmp_path / "archive") == 2, 240, "another instance")

        node.config.write_text(node.config.read_text().replace(f"port = {node.port}", f"port = {free_port()}"))
        reload(node)
        wait_until_said(node, "settings-need-restart", 1, "work", "forward", "receive")
        assert said(node, "settings-need-restart")[0]["keys"] == "receive.port"
        with associate(node, calling="ONE") as association:
            assert association.echo() == 0


def test_roles_as_units_of_their_own_change_over_together(tmp_path: Path) -> None:
    """Receive hears first, and waits for work."""
    with Archive(tmp_path / "archive") as archive:
        node = Node(tmp_path / "node", archive.port)
        node.write_config()
        (node.spool / "ledger").mkdir(parents=True)
        units = {role: unit(node, role) for role in ("work", "forward", "receive")}
        try:
            wait_until(lambda: listens(node.port) and len(ready(node)) == 3, 240, "the roles are ready")
            node.config.write_text(node.config.read_text() + SECOND % archive.port)
            for role in ("receive", "forward"):
                units[role].send_signal(signal.SIGHUP)
            time.sleep(1.0)
            with pytest.raises(Unreachable):
                associate(node, "SECOND")
            assert said(node, "settings-reloaded") == []
            units["work"].send_signal(signal.SIGHUP)
            wait_until_said(node, "settings-reloaded", 1, "work", "forward", "receive")
            with associate(node, "SECOND") as association:
                assert association.store(instances(tmp_path / "in", 1)[0]) == 0
            wait_until(lambda: stored(tmp_path / "archive") == 1, 240, "an instance")
        finally:
            for each in units.values():
                each.terminate()
            assert [each.wait(120) for each in units.values()] == [0, 0, 0]


def unit(node: Node, role: str) -> subprocess.Popen[bytes]:
    with node.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "node", "serve", "--role", role, "--config", str(node.config)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ},
        )


def ready(node: Node) -> list[str]:
    return [role.name for role in look(node.spool).roles if role.state == "ready"]

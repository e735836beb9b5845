"""The same SOP Instance twice, through a whole node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from node.cli import main
from tests import factories
from tests.faults.sink import Sink
from tests.network import Node, wait_until
from tests.sender import send

pytestmark = pytest.mark.timeout(400)


@dataclass
class Dropping(Node):
    """A node that sends nothing twice."""

    def write_config(self) -> None:
        super().write_config()
        text = self.config.read_text("utf-8")
        self.config.write_text(text.replace("[[projects]]", '[[projects]]\nresent = "drop"'), "utf-8")


def instance(folder: Path, name: str, description: str = "") -> Path:
    ds = factories.ct(size=32)
    if description:
        ds.KVP = description
    path = folder / f"{name}.dcm"
    path.write_bytes(factories.to_bytes(ds))
    return path


def test_another_content_is_quarantined_and_overwrites_nothing(tmp_path: Path) -> None:
    first, other = instance(tmp_path, "first"), instance(tmp_path, "other", "99")
    archive = Sink()
    with archive.listening() as port, Node(tmp_path / "node", port) as node:
        send([first], node.port)
        wait_until(lambda: len(archive.digests) == 1, 120, "the first is there")
        send([other, first], node.port)
        wait_until(lambda: len(node.quarantined()) == 1 and archive.again == 1, 120, "the others are dealt with")
        node.wait_idle(120)
        (refused,) = node.quarantined()
        assert (refused.reason, refused.detail) == ("other-content", "archive")
        assert not archive.conflicts
        assert main(["quarantine", "release", "--reason", "other-content", "--config", str(node.config)]) == 0
        wait_until(lambda: len(archive.conflicts) == 1, 120, "a person wanted it")
        node.wait_idle(120)
        assert node.quarantined() == []


def test_the_same_content_is_not_sent_again_where_the_project_says_so(tmp_path: Path) -> None:
    first = instance(tmp_path, "first")
    archive = Sink()
    with archive.listening() as port, Dropping(tmp_path / "node", port) as node:
        for _ in range(3):
            send([first], node.port)
            node.wait_idle(120)
        assert (len(archive.digests), archive.again) == (1, 0)
        assert node.quarantined() == []


def test_of_two_contents_at_once_one_is_sent(tmp_path: Path) -> None:
    paths = [instance(tmp_path, f"{number}", str(80 + number)) for number in range(10)]
    archive = Sink()
    with archive.listening() as port, Node(tmp_path / "node", port) as node:
        send(paths, node.port)
        node.wait_idle(200)
        assert len(archive.digests) == 1
        assert archive.again == 0
        assert not archive.conflicts
        assert {each.reason for each in node.quarantined()} == {"other-content"}
        assert len(node.quarantined()) == 9

"""A real node, fed with sentinels and made to crash; then the search."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from node.presence import look
from tests.hunt import callers, places
from tests.hunt.plants import Plant, instances
from tests.hunt.sentinels import Mint, forms
from tests.network import ROOT, Node, free_port, storescp, wait_until

_DEADLY = (signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL)
_COMMANDS = (  # of their output, all that is known to the operator without --values and the like
    ("status", "--json"),
    ("status",),
    ("quarantine", "list"),
    ("quarantine", "list", "--json"),
    ("audit", "show", "--json", "--last", "10000"),
    ("audit", "show", "--last", "10000"),
    ("audit", "check"),
    ("report", "--format", "json"),
)


@dataclass
class Hunt:
    """What was planted, and what was found.

    Attributes
    ----------
    hits
        (place, form of the sentinel)
    searched
        texts by place
    """

    planted: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    delivered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    searched: Counter[str] = field(default_factory=Counter)
    searched_bytes: int = 0
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)

    def look(self, place: str, text: bytes, wanted: dict[str, bytes]) -> None:
        """Search one text."""
        lower = text.lower()
        self.searched[place] += 1
        self.searched_bytes += len(text)
        for name, form in wanted.items():
            if form in lower:
                self.hits[place, name] += 1


def hunt(folder: Path, level: str = "debug", profile: str = "longitudinal", every: int = 1) -> Hunt:
    """Run a node below `folder` and search what it leaves.

    Parameters
    ----------
    every
        of the instances with attributes only each n-th
    """
    mint, found = Mint(), Hunt()
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    web_port = free_port()
    sections: dict[str, dict[str, object]] = {
        "log": {"level": level},
        "web": {"port": web_port, "users_file": "users"},
        "work": {"processes": 2, "attempts": 2, "time_limit_s": 60},
        "forward": {"first_retry_s": 0.2},
    }
    with _temporary_folder(temporary), storescp(folder / "archive") as (port, _):
        node = Node(folder / "node", port, profile=profile, sections=sections)
        with node, places.onlooker(node.processes, temporary) as seen:
            _feed(node, found, list(instances(mint, every)), mint)
            found.killed += _crash(node, found, list(instances(mint, 16)), mint)
            pages = callers.browse(web_port, mint)
            _settle(node)
            pages["commands of deid-node"] = _said(node)
    found.reasons = Counter(each.reason for each in node.quarantined())
    found.delivered = len(list((folder / "archive").iterdir()))
    found.planted = mint.count
    _search(found, seen, pages, folder, temporary)
    return found


def _feed(node: Node, found: Hunt, plants: list[Plant], mint: Mint) -> None:
    found.answers += callers.send(node.port, plants, mint)
    callers.strange(node.port, mint)


def _crash(node: Node, found: Hunt, plants: list[Plant], mint: Mint) -> int:
    """Kill workers while they have instances in hand, and then the roles, by signals that would leave cores."""
    killed = 0
    for number, deadly in enumerate(_DEADLY):
        third = plants[number :: len(_DEADLY)]
        found.answers += callers.send(node.port, third, mint)
        supervisor, *family = node.processes()
        roles = [each for each in family if each.ppid() == supervisor.pid]
        for process in [*(each for each in family if each not in roles), *roles]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(deadly)
                killed += 1
        time.sleep(0.5)
        wait_until(lambda: _is_up(node), 120, f"the node is up again (log: {node.log})")
    return killed


def _is_up(node: Node) -> bool:
    roles = look(node.spool).roles
    return bool(roles) and all(role.state == "ready" for role in roles)


def _settle(node: Node) -> None:
    with suppress(TimeoutError):
        node.wait_idle(240)


def _commands(node: Node) -> Iterator[tuple[str, ...]]:
    yield from _COMMANDS
    by_reason = {each.reason: each.path.stem for each in node.quarantined()}
    for job_id in by_reason.values():
        yield ("quarantine", "show", job_id)


def _said(node: Node) -> bytes:
    """Return all that the commands say, run one after the other in one process."""
    lines = [[*words, "--config", str(node.config)] for words in _commands(node)]
    program = f"from node.cli import main\nfor line in {lines!r}: main(line)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False, timeout=300)
    assert b"audit" in done.stdout, done.stderr
    return done.stdout + done.stderr


def _search(found: Hunt, seen: places.Seen, said: dict[str, bytes], folder: Path, temporary: Path) -> None:
    wanted = forms()
    for place, text in (*said.items(), *sorted(seen.texts), *places.files(folder / "node")):
        found.look(place, text, wanted)
    for path in temporary.rglob("*"):
        found.look("temporary file", path.read_bytes() if path.is_file() else b"", wanted)
    for path in ROOT.glob("core*"):  # where the node was started
        if path.is_file():
            found.look("core file", path.read_bytes(), wanted)


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before

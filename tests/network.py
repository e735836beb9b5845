"""What runs around a test: a node as a real process with a folder of its own, and DCMTK's tools."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil
import pydicom

from node.presence import look

ROOT = Path(__file__).parents[1]
KEY = bytes(range(32))
"""The secret of every node in the tests."""

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str, every_s: float = 0.05) -> None:
    """Wait for `condition`.

    Raises
    ------
    TimeoutError
        naming `what`
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(every_s)


def listens(port: int) -> bool:
    """Say whether somebody accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def missing(*commands: str) -> list[str]:
    """Return those of `commands` that are not on the PATH."""
    return [command for command in commands if not shutil.which(command)]


def dcmtk(*command: str | Path, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
    """Run one of DCMTK's tools (or dciodvfy) with Nagle's algorithm off."""
    return subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


@contextlib.contextmanager
def storescp(folder: Path, *options: str, port: int | None = None) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run DCMTK's storescp, one child a connection, and yield its port and process."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = ["storescp", "-q", "--fork", "-aet", "ARCHIVE", "-pdu", "131072", "+xa", "-pm", "+uf", *options]
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-od", str(folder), str(port)],
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: listens(port), 10, "storescp listens")
        yield port, process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An instance in quarantine."""

    sop_instance_uid: str
    reason: str
    detail: str
    path: Path


@dataclass
class Node:
    """`deid-node serve` with all state below `folder`, and one destination.

    Attributes
    ----------
    folder
        made if missing; configuration, key, spool and log
    archive_port
        of the destination, on this machine
    sections
        TOML appended to the configuration's tables: table name → {key: value}
    """

    folder: Path
    archive_port: int
    profile: str = "longitudinal"
    delivery: str = "spooled"
    archive_ae: str = "ARCHIVE"
    associations: int = 2
    port: int = field(default_factory=free_port)
    sections: dict[str, dict[str, object]] = field(default_factory=dict)
    ae_title: str = "DEIDNODE"
    process: subprocess.Popen[bytes] | None = None

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    @property
    def address(self) -> str:
        return f"{self.ae_title}@{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.write_config()
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write_config(self) -> None:
        """Write configuration and key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "key"
        if not key.exists():
            key.write_text(KEY.hex() + "\n", encoding="ascii")
            key.chmod(0o600)
        tables: dict[str, dict[str, object]] = {
            "spool": {"path": "spool", "min_free_bytes": 1 << 20},
            "receive": {"address": HOST, "port": self.port},
            "forward": {"echo_every_s": 0},  # archives of tests count what they are sent
            "destinations.archive": {
                "ae_title": self.archive_ae,
                "host": HOST,
                "port": self.archive_port,
                "associations": self.associations,
            },
        }
        for name, values in self.sections.items():
            tables.setdefault(name, {}).update(values)
        project = {
            "name": "default",
            "called_ae_title": self.ae_title,
            "profile": self.profile,
            "delivery": self.delivery,
            "destinations": ["archive"],
        }
        lines = [*_toml({"ae_title": self.ae_title, "key_file": "key"})]
        for name, values in tables.items():
            lines += [f"\n[{name}]", *_toml(values)]
        lines += ["\n[[projects]]", *_toml(project), ""]
        self.config.write_text("\n".join(lines), encoding="utf-8")

    def start(self, timeout_s: float = 120) -> None:
        """Start the node and wait until all of its roles are ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "node", "serve", "--config", str(self.config)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self.process

        def is_up() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the node ended with {process.returncode}; its log: {self.log}\n{self.tail()}")
            roles = look(self.spool).roles
            return len(roles) > 0 and all(role.state == "ready" for role in roles) and listens(self.port)

        wait_until(is_up, timeout_s, f"the node is ready (log: {self.log})")

    def stop(self, timeout_s: float = 40) -> int:
        """Stop the node as an operator would (SIGTERM) and return its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.process = None

    def kill(self) -> None:
        """Kill all of the node's processes at once, as a power cut would."""
        if self.process is not None:
            family = self.processes()
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            self.process.wait()
            psutil.wait_procs(family, timeout=10)
            self.process = None

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor, the roles and their workers."""
        if self.process is None:
            return []
        try:
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def tail(self, lines: int = 15) -> str:
        """Return the end of the node's log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def waiting(self) -> int:
        """Return how many acknowledged instances are neither forwarded nor in quarantine, as the files say."""
        return len(list((self.spool / "incoming").glob("*.dcm")))

    def wait_idle(self, timeout_s: float) -> None:
        """Wait until every acknowledged instance was forwarded or quarantined."""
        wait_until(lambda: self.waiting() == 0, timeout_s, f"the node is done ({self.waiting()} left; log: {self.log})")

    def quarantined(self) -> list[Quarantined]:
        """Return what is in quarantine."""
        found = []
        for note in sorted((self.spool / "quarantine").glob("*.json")):
            facts = json.loads(note.read_text(encoding="utf-8"))
            raw = note.with_suffix(".dcm")
            found.append(Quarantined(_sop_instance_uid(raw), facts["reason"], facts.get("detail", ""), raw))
        return found

    def leftovers(self) -> list[Path]:
        """Return files that were never completed."""
        return sorted(self.spool.rglob("*.part"))


def _sop_instance_uid(raw: Path) -> str:
    try:
        return str(pydicom.filereader.read_file_meta_info(raw).MediaStorageSOPInstanceUID)
    except Exception:  # noqa: BLE001 -- whatever is wrong with it is why it is in quarantine
        return ""


def _toml(values: dict[str, object]) -> Iterator[str]:
    """Yield key = value lines; JSON's strings, numbers, booleans and lists are TOML's."""
    for key, value in values.items():
        yield f"{key} = {json.dumps(value, ensure_ascii=False)}"

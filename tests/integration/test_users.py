"""The roles as users of their own, as systemd/ sets them up: each reaches what it works on, and nothing else."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node.ledger import ledger_path
from node.presence import look
from tests.archive import Archive
from tests.factories import STUDY, ct, to_bytes
from tests.network import HOST, KEY, ROOT, free_port, listens, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)

SPOOL = "/var/lib/deid-node"
ROLES = ("receive", "work", "forward", "web")
NAMES = (*ROLES, "node", "raw", "clean", "review")
IDS = {name: 64_901 + number for number, name in enumerate(NAMES)}
"""Of users and groups that no machine has by default; files only know numbers."""


def _id(name: str) -> int:
    return 0 if name == "root" else IDS[name.removeprefix("deid-")]


def _lines(folder: str) -> list[list[str]]:
    text = (ROOT / "systemd" / folder / "deid-node-roles.conf").read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def groups_of(role: str) -> list[int]:
    """Read from sysusers.d which groups a role's user is in."""
    return [_id(words[2]) for words in _lines("sysusers.d") if words[:2] == ["m", f"deid-{role}"]]


def make_spool(spool: Path) -> None:
    """Make what tmpfiles.d makes below /var/lib."""
    for kind, path, mode, user, group, _ in _lines("tmpfiles.d"):
        if not path.startswith(SPOOL):
            continue
        made = spool / path.removeprefix(SPOOL).lstrip("/")
        if kind == "d":
            made.mkdir()
        else:
            made.touch()
        os.chown(made, _id(user), _id(group))
        made.chmod(int(mode, 8))


def as_role(role: str, *command: str | Path) -> list[str]:
    ids = ["--reuid", str(IDS[role]), "--regid", str(IDS[role]), "--groups", ",".join(map(str, groups_of(role)))]
    return ["setpriv", *ids, "--no-new-privs", "--bounding-set=-all", *map(str, command)]


PYTHONS = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
"""This one, and the system's: the first may lie where only root can go."""

ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key != "CREDENTIALS_DIRECTORY"},
    "PYTHONPATH": sysconfig.get_path("purelib"),
    "PYTHONDONTWRITEBYTECODE": "1",
}
_RUN_ANOTHER = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import node.worker'], check=True)"


@functools.cache
def python() -> str:
    """Return a Python that the roles' users can run, as their worker processes do; empty if there is none."""
    for candidate in PYTHONS:
        command = as_role("work", candidate, "-c", _RUN_ANOTHER)
        if subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False).returncode == 0:
            return candidate
    return ""


def _trouble() -> str:
    if os.geteuid() != 0:
        return "needs root, to be several users"
    if shutil.which("setpriv") is None:
        return "needs setpriv (util-linux)"
    return "" if python() else "other users cannot run this Python"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter."""
    if trouble := _trouble():
        pytest.skip(trouble)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def configure(place: Path, port: int, archive_port: int) -> Path:
    config = place / "node.toml"
    config.write_text(
        f"""key_file = "$CREDENTIALS_DIRECTORY/key"
[spool]
path = "spool"
min_free_bytes = 1048576
[receive]
port = {port}
[work]
processes = 1
[[projects]]
name = "default"
commitment = "forwarded"
[destinations.archive]
ae_title = "ARCHIVE"
host = "{HOST}"
port = {archive_port}
""",
        encoding="utf-8",
    )
    credentials = place / "credentials"
    credentials.mkdir()
    (credentials / "key").write_text(KEY.hex(), encoding="ascii")
    os.chown(credentials / "key", 0, IDS["work"])
    (credentials / "key").chmod(0o440)  # so systemd's access control list looks
    os.chown(credentials, 0, IDS["work"])
    credentials.chmod(0o550)
    make_spool(place / "spool")
    return config


@contextmanager
def role(place: Path, name: str, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = dict(ENVIRONMENT)
    if name == "work":
        environment["CREDENTIALS_DIRECTORY"] = str(place / "credentials")
    with (place / f"{name}.log").open("wb") as log:
        command = as_role(name, python(), "-m", "node", "serve", "--role", name, "--config", config)
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (place / f"{name}.log").read_text()
    finally:
        process.kill()
        process.wait()


def reads(name: str, path: Path) -> bool:
    """Say whether a role's user can read a file or list a folder."""
    command = as_role(name, "ls" if path.is_dir() else "cat", path)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def writes(name: str, folder: Path) -> bool:
    done = subprocess.run(as_role(name, "touch", folder / "intruder"), capture_output=True, check=False)
    (folder / "intruder").unlink(missing_ok=True)
    return done.returncode == 0


def said(place: Path) -> str:
    return "".join(path.read_text(errors="replace")[-1500:] for path in sorted(place.glob("*.log")))


def test_an_instance_passes_through_roles_that_are_users_of_their_own(place: Path) -> None:
    port, spool = free_port(), place / "spool"
    archive_port = free_port()
    config = configure(place, port, archive_port)
    (place / "ct.dcm").write_bytes(to_bytes(ct(STUDY, 1)))
    with ExitStack() as roles:
        roles.enter_context(role(place, "work", config))
        wait_until((spool / "commitment.key").exists, 60, f"work has begun: {said(place)}")
        roles.enter_context(role(place, "receive", config))
        wait_until(lambda: listens(port), 60, f"the port is listened on: {said(place)}")
        command = [sys.executable, "-m", "node", "send", str(place / "ct.dcm"), f"DEIDNODE@{HOST}:{port}"]
        sent = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        assert sent.returncode == 0, sent.stderr.decode() + said(place)
        wait_until(lambda: bool(list((spool / "outbox").glob("*.dcm"))), 60, f"it is clean: {said(place)}")
        look_around(spool)
        with Archive(place / "archive", archive_port):
            roles.enter_context(role(place, "forward", config))
            wait_until(lambda: bool(list((place / "archive").glob("*.dcm"))), 60, f"it is delivered: {said(place)}")
            wait_until(lambda: not list((spool / "incoming").iterdir()), 60, f"the raw file goes: {said(place)}")
            wait_until(lambda: {each.state for each in look(spool).roles} == {"ready"}, 30, "all roles are seen")
    assert not list((spool / "outbox").iterdir())
    assert not look(spool).running


def look_around(spool: Path) -> None:
    """Try, with a raw and a clean file in the spool, what each user can do."""
    (raw,), (clean,) = (list((spool / folder).glob("*.dcm")) for folder in ("incoming", "outbox"))
    may_read = {
        raw: {"receive", "work"},
        spool / "incoming": {"receive", "work"},
        clean: {"work", "forward"},
        spool / "quarantine": {"work", "web"},
        spool / "reviews": {"work", "web"},
        spool / "series": {"work"},
        ledger_path(spool): {"receive", "work", "forward", "web"},
        spool.parent / "credentials" / "key": {"work"},
    }
    for path, roles in may_read.items():
        assert {name for name in ROLES if reads(name, path)} == roles, path
    may_write = {
        spool: {"work"},
        spool / "incoming": {"receive", "work"},
        spool / "outbox": {"work"},
        spool / "quarantine": {"work"},
        spool / "reviews": {"work"},
        spool / "decisions": {"work", "web"},
    }
    for path, roles in may_write.items():
        assert {name for name in ROLES if writes(name, path)} == roles, path
    assert stat.S_IMODE(raw.stat().st_mode) == stat.S_IMODE(clean.stat().st_mode) == 0o640
    assert {stat.S_IMODE(each.stat().st_mode) for each in ledger_path(spool).parent.iterdir()} == {0o660}

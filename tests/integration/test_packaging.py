"""The wheel, the installation script and the steps of the Containerfile, as they are used."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import factories
from tests.wheels import ROOT, SOURCES, built, copied, environment, offline

pytestmark = pytest.mark.timeout(600)
IS_ROOT = os.geteuid() == 0
HAS_SYSTEMD = shutil.which("systemd-sysusers") and shutil.which("systemd-tmpfiles")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel(made: tuple[Path, set[str]]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("environment") / "venv", wheel)


def test_every_file_that_the_packages_need_is_in_the_wheel(made: tuple[Path, set[str]]) -> None:
    wheel, files = made
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = {name.partition(".data/data/share/deid-node/")[2] for name in names}
    missing = {name for name in files if name.startswith(("deid/", "node/"))} - names
    missing |= {name for name in files if name.startswith("config/")} - data
    assert missing == set()
    assert {"models/manifest.toml", "models/ner/ner.onnx"} <= data


def test_an_installed_node_does_what_the_tree_does(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "bin" / "deid-node")]
    subprocess.run([*command, "init", "site", "--defaults"], cwd=tmp_path, check=True, capture_output=True)
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import node, deid; print(node.__file__, deid.__file__)"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert where.stdout.count(str(installed)) == 2
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.dcm").write_bytes(factories.to_bytes(factories.ct(size=16)))
    options = ["--profile", "tcia", "--jobs", "1", "--config", "site/node.toml"]
    outputs = []
    for name, program in (("installed", command), ("tree", [sys.executable, "-m", "node"])):
        env = {**os.environ, "PYTHONPATH": str(ROOT)} if name == "tree" else None
        done = subprocess.run(
            [*program, "clean", "in", name, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=env,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append([path.read_bytes() for path in sorted((tmp_path / name).rglob("*.dcm"))])
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 1


def test_an_installed_node_runs_and_answers(installed: Path, tmp_path: Path) -> None:
    command = str(installed / "bin" / "deid-node")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["init", "site", "--to", f"ARCHIVE@127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}"]
    assert subprocess.run([command, *words], cwd=tmp_path, capture_output=True, check=False).returncode == 3
    config = str(tmp_path / "site" / "node.toml")
    node = subprocess.Popen([command, "serve", "--config", config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert node.stdout is not None
        assert b"deid-node" in node.stdout.readline()
        echo = subprocess.run([command, "echo", f"DEIDNODE@127.0.0.1:{port}"], capture_output=True, check=False)
        assert echo.returncode == 0, echo.stderr
    finally:
        node.send_signal(signal.SIGTERM)
        node.communicate(timeout=120)


# The installation script


@pytest.mark.skipif(not (IS_ROOT and HAS_SYSTEMD), reason="needs root and systemd's programs")
@pytest.mark.parametrize("roles", [False, True], ids=["one unit", "a unit for each role"])
def test_the_script_installs_into_a_root(wheel: Path, tmp_path: Path, roles: bool) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    for name in ("passwd", "group"):
        (root / "etc" / name).write_text({"passwd": "root:x:0:0::/root:/bin/sh\n", "group": "root:x:0:\n"}[name])
    words = [str(ROOT / "systemd" / "install.sh"), "--wheel", str(wheel), "--root", str(root), *["--roles"] * roles]
    route = ["--", "--from", "CT1@10.1.2.3", "--to", "ARCHIVE@127.0.0.1:9"]
    done = subprocess.run([*words, *route], env=offline(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BACK UP" in done.stdout
    users = (root / "etc" / "passwd").read_text()
    wanted = ("deid-receive", "deid-work", "deid-forward") if roles else ("deid-node",)
    assert all(f"\n{user}:" in users for user in wanted)
    config = root / "etc" / "deid-node" / "node.toml"
    assert 'path = "/var/lib/deid-node"' in config.read_text()
    assert 'address = "10.1.2.3/32"' in config.read_text()
    assert ('key_file = "$CREDENTIALS_DIRECTORY/key"' in config.read_text()) == roles
    key = root / "etc" / "deid-node" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    owner = (
        next(line.split(":")[2] for line in users.splitlines() if line.startswith("deid-node:")) if not roles else "0"
    )
    assert key.stat().st_uid == int(owner)
    units = {path.name for path in (root / "etc" / "systemd" / "system").iterdir()}
    assert ("deid-node.target" in units) == roles
    assert ("deid-node.service" in units) != roles
    for unit in units:
        text = (root / "etc" / "systemd" / "system" / unit).read_text()
        programs = re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE)
        assert all((root / program.lstrip("/")).exists() for program in programs)
    if roles:
        assert stat.S_IMODE((root / "var/lib/deid-node/incoming").stat().st_mode) == 0o2770
    before = (key.read_bytes(), config.read_bytes())
    again = subprocess.run(words, env=offline(), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert (key.read_bytes(), config.read_bytes()) == before


@pytest.mark.parametrize("words", [["--nonsense"], ["--wheel"], ["--root"]], ids=" ".join)
def test_the_script_says_how_it_is_called(words: list[str]) -> None:
    done = subprocess.run([str(ROOT / "systemd" / "install.sh"), *words], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "install.sh" in done.stderr


# The Containerfile


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line.strip()]


@pytest.mark.skipif(not IS_ROOT, reason="gives a folder to another user")
def test_the_steps_of_the_containerfile_end_in_a_program_that_runs(tmp_path: Path) -> None:
    env, source = offline(), copied(tmp_path / "src")
    for name, value in instructions():
        if name == "ENV":
            env.update(pair.split("=", 1) for pair in value.split())
            env |= {key: str(tmp_path / env[key].lstrip("/")) for key in ("PREFIX", "STATE")}
        elif name == "COPY":
            assert all((source / each).exists() for each in value.split()[:-1]), value
        elif name == "RUN":
            done = subprocess.run(
                ["sh", "-ec", value], cwd=source, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            last = done.stdout
    assert "tcia-header" in last
    assert (tmp_path / "var/lib/deid-node").stat().st_uid == 10001


def test_the_container_has_what_a_wheel_is_made_of_and_no_root() -> None:
    copies = {word for name, value in instructions() if name == "COPY" for word in value.split()[:-1]}
    assert set(SOURCES) <= copies
    assert [value for name, value in instructions() if name == "USER"] == ["10001:10001"]

"""`init` with a first route: by flags, and by an interview at a real terminal."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.cli import main
from node.settings import Settings, load_settings
from tests.archive import Archive

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def route(tmp_path: Path, *words: str) -> tuple[int, Settings]:
    code = main(["init", str(tmp_path / "site"), *words])
    return code, load_settings(tmp_path / "site" / "node.toml")


def test_a_route_by_flags_is_written_and_echoed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Archive(tmp_path / "archive") as archive:
        words = ["--from", "CT1@10.1.2.3", "--to", f"ARCHIVE@127.0.0.1:{archive.port}", "--profile", "basic"]
        code, settings = route(tmp_path, *words, "--ae-title", "DEID", "--spool", str(tmp_path / "data"))
    assert code == 0
    assert "answers" in capsys.readouterr().out
    assert (settings.ae_title, settings.projects[0].called_ae_title) == ("DEID", "DEID")
    assert settings.projects[0].profile == "basic"
    assert settings.spool.path == tmp_path / "data"
    assert (settings.receive.address, settings.receive.port) == ("0.0.0.0", 11112)  # noqa: S104
    assert (settings.peers[0].ae_title, settings.peers[0].address) == ("CT1", "10.1.2.3/32")
    destination = settings.destinations["archive"]
    assert (destination.ae_title, destination.calling_ae_title) == ("ARCHIVE", "DEID")  # type: ignore[union-attr]


def test_an_archive_that_does_not_answer_is_code_3_and_the_files_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, settings = route(tmp_path, "--to", f"PACS@127.0.0.1:{free_port()}")
    assert code == 3
    assert "does not answer yet" in capsys.readouterr().out
    assert settings.receive.address == "127.0.0.1"
    assert settings.key_file.exists()


def test_only_the_values_of_the_example_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", str(tmp_path / "plain"), "--defaults"])
    route(tmp_path, "--from", "CT1@10.1.2.3", "--to", f"PACS@127.0.0.1:{free_port()}", "--listen", "127.0.0.1:4242")
    plain = (tmp_path / "plain" / "node.toml").read_text().splitlines()
    own = (tmp_path / "site" / "node.toml").read_text().splitlines()
    assert [line.partition("#")[2] for line in own if "#" in line] == [
        line.partition("#")[2] for line in plain if "#" in line
    ]
    assert sum(line not in plain for line in own) == 5


@pytest.mark.parametrize(
    "words",
    [
        ["--from", "CT1"],
        ["--from", "CT1@example"],
        ["--to", "PACS@h"],
        ["--listen", "11112"],
        ["--listen", "0.0.0.0:0"],
        ["--ae-title", "SEVENTEEN_LETTERS"],
    ],
    ids=" ".join,
)
def test_wrong_flags_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["init", str(tmp_path / "site"), *words])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "site").exists()


def test_an_unknown_profile_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "site"), "--to", "P@127.0.0.1:104", "--profile", "tciaa"]) == 2
    assert "there are basic" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


class Terminal:
    """A command at a pseudo-terminal, answered line by line."""

    def __init__(self, *words: str, cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "node", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=environment, close_fds=True
        )
        os.close(theirs)
        self.said = ""
        self._seen = 0

    def wait_for(self, text: str) -> None:
        ends_at = time.monotonic() + PATIENCE_S
        while text not in self.said[self._seen :]:
            left = ends_at - time.monotonic()
            assert left > 0, self.said
            if select.select([self._ours], [], [], left)[0]:
                try:
                    self.said += os.read(self._ours, 4096).decode()
                except OSError:  # the other end is closed
                    assert text in self.said[self._seen :], self.said
        self._seen = self.said.index(text, self._seen) + len(text)

    def answer(self, question: str, line: str) -> None:
        self.wait_for(question)
        os.write(self._ours, line.encode() + b"\n")

    def close(self) -> int:
        code = self.process.wait(PATIENCE_S)
        os.close(self._ours)
        return code


def test_the_interview_asks_until_it_understands(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive") as archive:
        terminal = Terminal("init", "site", cwd=tmp_path)
        terminal.answer("AE title of this node", "LUNG")
        terminal.answer("Who sends", "CT1")
        terminal.answer("is not AE@address", "CT1@192.168.7.0/24")
        terminal.answer("listen on [0.0.0.0:11112]", "127.0.0.1:11119")
        terminal.answer("The archive", f"ARCHIVE@127.0.0.1:{archive.port}")
        terminal.wait_for("tcia")
        terminal.answer("Profile", "tciaa")
        terminal.answer("Profile", "tcia")
        terminal.answer("Folder for patient data", "")
        terminal.wait_for("next: deid-node check")
        assert terminal.close() == 0, terminal.said
    settings = load_settings(tmp_path / "site" / "node.toml")
    assert settings.ae_title == "LUNG"
    assert settings.projects[0].profile == "tcia"
    assert settings.receive.port == 11119
    assert settings.peers[0].address == "192.168.7.0/24"
    assert settings.spool.path == tmp_path / "site" / "spool"
    assert "answers" in terminal.said


def test_an_interview_that_is_left_writes_nothing(tmp_path: Path) -> None:
    terminal = Terminal("init", "site", cwd=tmp_path)
    terminal.answer("AE title of this node", "LUNG")
    terminal.answer("Who sends", "\x04")
    terminal.wait_for("nothing is written")
    assert terminal.close() == 2
    assert not (tmp_path / "site").exists()

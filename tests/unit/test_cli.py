"""The command line: help, usage errors, exit codes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deid.errors import Misconfigured as DeidMisconfigured
from deid.errors import Reason, Refused
from node.cli import _complain, _parser, main
from node.commands.arguments import Remote, ae_title, positive, remote
from node.errors import Misconfigured, NodeError, NoRoom, Transient, Unreachable

ROOT = Path(__file__).parents[2]
CANARY = "Brackenridge^Odalys"


def commands() -> Iterator[list[str]]:
    """Yield every command as it is called."""
    for name, parser in _choices(_parser()):
        inner = list(_choices(parser))
        yield from [[name, sub] for sub, _ in inner] or [[name]]


def _choices(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def test_all_commands_are_there() -> None:
    assert [" ".join(words) for words in commands()] == [
        "serve",
        "status",
        "echo",
        "send",
        "quarantine list",
        "quarantine show",
        "quarantine release",
        "quarantine discard",
        "quarantine mask",
        "quarantine approve",
        "resend",
        "report",
        "clean",
        "explain",
        "text",
        "preview",
        "profile list",
        "profile show",
        "profile diff",
        "profile import",
        "lookup",
        "audit check",
        "audit show",
        "key show",
        "key add",
        "key retire",
        "key backup",
        "key restore",
        "passcode",
        "users add",
        "users list",
        "users remove",
        "init",
        "check",
    ]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_the_help_of_every_command_lists_the_exit_codes(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "exit codes:" in said
    assert all(len(line) <= 120 for line in said.splitlines())


@pytest.mark.parametrize("command", ["send", "clean"])
def test_a_command_that_prints_source_paths_says_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "which may name a patient" in " ".join(capsys.readouterr().out.split())


def test_every_command_has_its_function() -> None:
    from node.cli import _load

    for words in commands():
        assert callable(_load(_command(words).get_default("command"))), words


def _command(words: list[str]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _parser()
    for word in words:
        parser = dict(_choices(parser))[word]
    return parser


@pytest.mark.parametrize(
    "words",
    [[], ["serves"], ["serve", "--rule"], ["serve", "--role", "all"], ["echo"], ["echo", "A@h"], ["text"]],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("deid-node")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["only-in"], ["in", "out", "--text", "x"], ["in", "--text", "x"]], ids=" ".join)
def test_clean_wants_in_and_out_or_a_text_file(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", *words]) == 2
    assert capsys.readouterr().err == "deid-node: clean needs IN and OUT, or --text FILE instead\n"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("ARCHIVE@pacs.example:104", Remote("ARCHIVE", "pacs.example", 104)),
        ("A B@127.0.0.1:11112", Remote("A B", "127.0.0.1", 11112)),
        ("DEIDNODE@[::1]:11112", Remote("DEIDNODE", "::1", 11112)),
        (" PADDED @h:1", Remote("PADDED", "h", 1)),
    ],
)
def test_a_peer_is_written_as_ae_at_host_and_port(text: str, parsed: Remote) -> None:
    assert remote(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h:1",
        "A@h",
        "A@h:",
        "A@h:0",
        "A@h:65536",
        "A@:1",
        "A@::1:1",
        "SEVENTEEN_LETTERS@h:1",
        "A\\B@h:1",
        "Ä@h:1",
        " @h:1",
    ],
)
def test_what_is_no_peer_is_said_so(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        remote(text)


def test_a_peer_is_shown_as_it_was_written() -> None:
    assert [str(remote(text)) for text in ("A@h:1", "A@[::1]:1")] == ["A@h:1", "A@[::1]:1"]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_a_count_is_a_whole_number_above_zero(text: str) -> None:
    assert positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError):
        positive(text)


def test_an_ae_title_has_at_most_16_characters() -> None:
    assert ae_title("S" * 16) == "S" * 16
    with pytest.raises(argparse.ArgumentTypeError):
        ae_title("S" * 17)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("node.toml: x"), 2),
        (DeidMisconfigured("profile: x"), 2),
        (Unreachable("A@h:1 does not answer"), 3),
        (Transient("later"), 1),
        (NoRoom("full"), 1),
        (NodeError("some"), 1),
        (Refused(Reason.TRUNCATED), 1),
        (FileNotFoundError(2, "No such file or directory", "here"), 1),
        (ValueError("x"), 1),
    ],
)
def test_each_error_ends_with_its_code_and_one_line(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _complain(error) == code
    said = capsys.readouterr().err
    assert said.startswith("deid-node: ")
    assert said.count("\n") == 1


def test_an_error_of_a_library_does_not_quote_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        int(CANARY)
    assert _complain(raised.value) == 1
    said = capsys.readouterr().err
    assert CANARY not in said
    assert "ValueError at test_cli.py:" in said


def test_python_m_node_is_the_same_command() -> None:
    command = [sys.executable, "-m", "node", "serve", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: deid-node serve")


def test_help_is_shown_without_loading_the_node() -> None:
    code = "import sys; from node.cli import _parser; _parser(); "
    code += "sys.exit(bool({'pydicom', 'pynetdicom', 'numpy', 'sqlite3'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

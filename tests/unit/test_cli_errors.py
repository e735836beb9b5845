"""Every way a command can fail: one line on stderr, which says what to do next, and the exit code that fits.

A command that is not in the table fails the test at the end.
"""

from __future__ import annotations

import argparse
import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.cli import _parser, main
from node.commands.exits import Exit
from tests import factories

CANARY = "Brackenridge^Odalys"

GOOD = """
key_file = "key"
[spool]
path = "spool"
min_free_bytes = 0
[receive]
port = 0
[[projects]]
name = "default"
profile = "tcia-header"
[destinations.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """How a command is called, how it ends, and what its line says to do.

    Attributes
    ----------
    words
        with the names of `world` in braces
    code
        the exit code
    says
        what stands in the line on stderr; for commands that list what failed, on stdout
    listed
        whether it stands on stdout: nothing is said on stderr then
    """

    words: str
    code: Exit
    says: str
    listed: bool = False


def _of_config(words: str) -> list[Case]:
    """Give what can be wrong with the configuration, for a command that reads it."""
    return [
        Case(f"{words} --config {{missing}}", Exit.USAGE, "`deid-node init` writes a configuration"),
        Case(f"{words} --config {{no_toml}}", Exit.USAGE, "not TOML"),
        Case(f"{words} --config {{typo}}", Exit.USAGE, "did you mean 'ae_title'?"),
        Case(f"{words} --config {{folder}}", Exit.USAGE, "`deid-node init` writes a configuration"),
    ]


def _of_key(words: str) -> list[Case]:
    """Give what can be wrong with the key, for a command that derives something from it."""
    return [
        Case(f"{words} --config {{no_key}}", Exit.USAGE, "make one with `deid-node init`, or restore it"),
        Case(f"{words} --config {{open_key}}", Exit.USAGE, "run `chmod 600"),
        Case(f"{words} --config {{short_key}}", Exit.USAGE, "restore it from your backup"),
    ]


def _of_profile(words: str) -> list[Case]:
    """Give what can be wrong with a profile, for a command that has one named."""
    return [
        Case(f"{words} --profile tciaa --config {{config}}", Exit.USAGE, "there are basic, "),
        Case(f"{words} --profile none.toml --config {{config}}", Exit.USAGE, "name a shipped one"),
        Case(f"{words} --profile {{bad_profile}} --config {{config}}", Exit.USAGE, "allowed: "),
        Case(f"{words} --profile {{no_toml}} --config {{config}}", Exit.USAGE, "at line 1, column"),
    ]


USAGE = [
    Case(words, Exit.USAGE, "--help")
    for words in (
        "",
        "serves",
        "serve --role nobody",
        "serve --port 1",
        "status more",
        "echo",
        "echo A",
        "echo A@h:0",
        "echo SEVENTEEN_LETTERS@h:1",
        "echo A@h:1 --timeout 0",
        "echo A@h:1 --calling {canary_ae}",
        "send A@h:1",
        "send {file} A@h",
        "quarantine",
        "quarantine lists",
        "quarantine show",
        "quarantine mask {no_job}",
        "quarantine mask {no_job} --box 1,2,3",
        "quarantine mask {no_job} --box 1,2,1,4",
        "quarantine approve {no_job} --box 1,2,3,4@0",
        "clean {file} {new} --jobs 0",
        "explain",
        "text",
        "preview {file}",
        "preview {file} --out {new} --frame 0",
        "profile",
        "profile show",
        "profile diff basic",
        "profile import {file}",
        "init a b",
        "check more",
    )
]

TABLE = [
    *USAGE,
    # serve, status, check
    *_of_config("serve"),
    *_of_key("serve"),
    Case("serve --role work --config {no_key}", Exit.USAGE, "make one with `deid-node init`"),
    Case("serve --config {bad_spool}", Exit.USAGE, "see [spool] path"),
    Case("serve --role work --config {unknown_profile}", Exit.USAGE, "allowed"),
    Case("serve --role web --config {config}", Exit.USAGE, "give [web] port"),
    *_of_config("status"),
    Case("status --config {config}", Exit.NOT_RUNNING, "deid-node serve", listed=True),
    *_of_config("check"),
    Case("check --config {no_key}", Exit.USAGE, "make one with `deid-node init`", listed=True),
    Case("check --config {open_key}", Exit.USAGE, "run `chmod 600", listed=True),
    Case("check --config {config}", Exit.UNREACHABLE, "FAIL  destination archive", listed=True),
    # echo, send
    Case("echo A@127.0.0.1:{closed_port} --timeout 2", Exit.UNREACHABLE, "is it running"),
    Case("echo A@127.0.0.1:{silent_port} --timeout 1", Exit.UNREACHABLE, "is this a DICOM port"),
    Case("echo A@no-such-host.invalid:104 --timeout 2", Exit.UNREACHABLE, "check host"),
    Case("send {missing} A@127.0.0.1:{closed_port}", Exit.USAGE, "name one that is there"),
    Case("send {empty_folder} A@127.0.0.1:{closed_port}", Exit.USAGE, "name files"),
    Case("send {file} A@127.0.0.1:{closed_port} --timeout 2", Exit.UNREACHABLE, "is it running"),
    Case("send {no_dicom} A@127.0.0.1:{closed_port}", Exit.FAILED, "not-dicom", listed=True),
    # quarantine
    *(
        case
        for words in (
            "quarantine list",
            "quarantine show 00000000000-00000000",
            "quarantine release --reason x",
            "quarantine discard --yes --reason x",
            "quarantine mask --box 1,2,3,4 --reason x",
            "quarantine approve --reason x",
        )
        for case in (*_of_config(words), Case(f"{words} --config {{config}}", Exit.NOT_RUNNING, "deid-node serve"))
    ),
    Case("quarantine show x --config {ran}", Exit.USAGE, "see deid-node quarantine list"),
    Case("quarantine show {no_job} --config {ran}", Exit.USAGE, "see deid-node quarantine list"),
    Case("quarantine release --config {ran}", Exit.USAGE, "by --reason"),
    Case("quarantine release x --config {ran}", Exit.USAGE, "see deid-node quarantine list"),
    Case("quarantine release {no_job} --reason x --config {ran}", Exit.USAGE, "by --reason"),
    Case("quarantine release {no_job} --config {ran}", Exit.FAILED, "is not in quarantine", listed=True),
    Case("quarantine discard --yes --config {ran}", Exit.USAGE, "by --reason"),
    Case("quarantine discard {no_job} --config {ran}", Exit.USAGE, "say --yes"),
    Case("quarantine discard {no_job} --yes --config {ran}", Exit.FAILED, "is not in quarantine", listed=True),
    Case("quarantine mask --box 1,2,3,4@2-3 --config {ran}", Exit.USAGE, "by --reason"),
    Case("quarantine mask --box 1,2,3,4 {no_job} --config {ran}", Exit.FAILED, "is not in quarantine", listed=True),
    Case("quarantine approve {no_job} --config {ran}", Exit.FAILED, "is not in quarantine", listed=True),
    # clean, explain, text, preview
    Case("clean {file}", Exit.USAGE, "needs IN and OUT, or --text FILE"),
    Case("clean {file} {new} --text {file}", Exit.USAGE, "needs IN and OUT, or --text FILE"),
    Case("clean {missing} {new} --config {config}", Exit.USAGE, "name one that is there"),
    Case("clean {folder} {folder}/out --config {config}", Exit.USAGE, "choose a folder elsewhere"),
    Case("clean {no_dicom} {new} --jobs 1 --config {config}", Exit.FAILED, "not-dicom", listed=True),
    Case("clean {file} {no_dicom} --jobs 1 --config {config}", Exit.USAGE, "choose"),
    Case("clean --text {missing} --config {config}", Exit.USAGE, "name one that is there"),
    Case("clean --text {folder} --config {config}", Exit.USAGE, "name a file"),
    Case("explain {missing} --config {config}", Exit.USAGE, "name one that is there"),
    Case("explain {folder} --config {config}", Exit.USAGE, "name a file"),
    Case("explain {no_dicom} --config {config}", Exit.FAILED, "not-dicom", listed=True),
    Case("text x --attribute NoSuchKeyword --config {config}", Exit.USAGE, "keyword"),
    Case("preview {missing} --out {new} --profile tcia --config {config}", Exit.USAGE, "name one that is there"),
    Case("preview {file} --out {new} --config {config}", Exit.USAGE, "clean_pixel_data"),
    Case("preview {file} --out {new} --profile tcia --frame 9 --config {config}", Exit.USAGE, "--frame"),
    Case("preview {file} --out {new} --face --profile tcia --config {config}", Exit.USAGE, "folder of a series"),
    Case("preview {no_dicom} --out {new} --profile tcia --config {config}", Exit.FAILED, "not-dicom", listed=True),
    *(
        case
        for words in ("clean {file} {new}", "explain {file}", "text x", "preview {file} --out {new}")
        for case in (*_of_config(words), *_of_key(words), *_of_profile(words))
    ),
    # profile
    Case("profile show tciaa", Exit.USAGE, "there are basic, "),
    Case("profile show {missing}", Exit.USAGE, "name a shipped one"),
    Case("profile show {bad_profile}", Exit.USAGE, "allowed: "),
    Case("profile show basic --attribute PatientNam", Exit.USAGE, "did you mean 'PatientName'?"),
    Case("profile show basic --attribute (0009,1001)", Exit.USAGE, "see --private CREATOR"),
    Case("profile show basic --private SIEMENS_CSA", Exit.USAGE, "SIEMENS"),
    Case("profile show basic --sop-class CTImage", Exit.USAGE, "did you mean"),
    Case("profile diff basic tciaa", Exit.USAGE, "there are basic, "),
    Case("profile diff basic strict --sop-class CTImage", Exit.USAGE, "did you mean"),
    Case("profile list --format xml", Exit.USAGE, "--help"),
    Case("profile import {missing} -o {new}.toml", Exit.USAGE, "name the script's file"),
    Case("profile import {file} -o {new}.toml", Exit.USAGE, "name a script of CTP"),
    Case("profile import {no_toml} -o {config}", Exit.USAGE, "choose another name"),
    # lookup
    *_of_config("lookup X --key {key}"),
    Case("lookup --config {config}", Exit.USAGE, "--help"),
    Case("lookup X --config {config}", Exit.USAGE, "name its file by --key"),
    Case("lookup X --key {missing} --config {config}", Exit.USAGE, "restore it from your backup"),
    Case("lookup X --key {other_key} --config {remembering}", Exit.USAGE, "by --key"),
    Case("lookup X --key {key} --config {remembering}", Exit.FAILED, "X is not known"),
    Case("lookup X --key {key} --project nobody --config {config}", Exit.USAGE, "there are default"),
    Case("lookup X --key {key} --config {config}", Exit.USAGE, "remember = true"),
    # resend, audit, passcode, users
    *_of_config("resend"),
    Case("resend --config {config}", Exit.NOT_RUNNING, "deid-node serve"),
    Case("resend --destination nowhere --config {ran}", Exit.USAGE, "there are archive"),
    *_of_config("audit check"),
    Case("audit check --config {no_key}", Exit.NOT_RUNNING, "deid-node serve"),
    Case("audit check --kept x --config {config}", Exit.USAGE, "as this command prints them"),
    *_of_config("audit show"),
    Case("audit show --config {no_key}", Exit.NOT_RUNNING, "deid-node serve"),
    Case("audit show --last 0 --config {config}", Exit.USAGE, "--help"),
    Case("passcode {folder} ct1 --none", Exit.USAGE, "passcodes_file"),
    Case("passcode {new}.pass a:b --none", Exit.USAGE, "no space and no colon"),
    Case("passcode {new}.pass ct1 --remove", Exit.USAGE, "begins with one"),
    Case("passcode {new}.pass ct1", Exit.USAGE, "a passcode has 1 to"),
    *_of_config("users list"),
    *_of_config("users add jo --role viewer"),
    Case("users add jo --config {config}", Exit.USAGE, "--help"),
    Case("users add jo --role viewer --config {config}", Exit.USAGE, "a password has at least"),
    *_of_config("users remove jo"),
    Case("users remove jo --config {config}", Exit.USAGE, "see deid-node users list"),
    # quarantine mask and approve, report, key
    *_of_config("quarantine mask --box 0,0,9,9 --reason x"),
    Case("quarantine mask --reason x --config {ran}", Exit.USAGE, "--help"),
    Case("quarantine mask --box 1 --reason x --config {ran}", Exit.USAGE, "LEFT,TOP,RIGHT,BOTTOM"),
    Case("quarantine mask --box 0,0,9,9 --config {ran}", Exit.USAGE, "by --reason"),
    *_of_config("quarantine approve --reason x"),
    Case("quarantine approve --config {ran}", Exit.USAGE, "by --reason"),
    Case("quarantine approve --reason x --config {config}", Exit.NOT_RUNNING, "deid-node serve"),
    *_of_config("report"),
    Case("report --config {config}", Exit.NOT_RUNNING, "deid-node serve"),
    Case("report --project nobody --config {ran}", Exit.USAGE, "there are default"),
    Case("report --out {empty_folder} --config {ran}", Exit.USAGE, "choose another file"),
    *_of_config("key show"),
    Case("key show --config {no_key}", Exit.USAGE, "restore it"),
    *_of_config("key add"),
    Case("key add --config {open_key}", Exit.USAGE, "run `chmod 600"),
    *_of_config("key retire 1"),
    Case("key retire x --config {config}", Exit.USAGE, "--help"),
    *_of_config("key backup {new}"),
    Case("key backup {file} --config {config}", Exit.USAGE, "at least 12 characters"),
    *_of_config("key restore {file}"),
    Case("key restore {missing} --config {no_key}", Exit.USAGE, "name one that is there"),
    # init
    Case("init {folder_with_key}", Exit.USAGE, "choose another folder"),
    Case("init {file}", Exit.USAGE, "cannot be written"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Make all that the table names."""
    root = tmp_path_factory.mktemp(CANARY.lower().replace("^", "-"))
    silent, closed = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    closed_port = closed.getsockname()[1]
    closed.close()
    config = GOOD.format(port=closed_port)

    def write(name: str, text: str | bytes, mode: int = 0o600) -> str:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return str(path)

    key = write("key", "5a" * 32)
    for name in ("empty", "filled"):
        (root / name).mkdir()
    found = {
        "config": write("node.toml", config),
        "missing": str(root / "no" / "such.toml"),
        "folder": str(root / "filled"),
        "empty_folder": str(root / "empty"),
        "folder_with_key": str(root),
        "new": str(root / "new"),
        "no_toml": write("no.toml", "[spool\n"),
        "typo": write("typo.toml", 'ae_titel = "X"\n'),
        "no_key": write("nokey/node.toml", config),
        "open_key": write("openkey/node.toml", config),
        "short_key": write("shortkey/node.toml", config),
        "bad_spool": write("badspool/node.toml", config.replace('"spool"', '"key/spool"')),
        "unknown_profile": write("unknown/node.toml", config.replace("tcia-header", "bad.toml")),
        "remembering": write("remembering/node.toml", f"{config}[projects.identity]\nremember = true\n"),
        "ran": write("ran/node.toml", config),
        "bad_profile": write("bad.toml", 'options = ["clean"]\n'),
        "key": key,
        "other_key": write("other", "a5" * 32),
        "file": write("one.dcm", factories.to_bytes(factories.ct(factories.STUDY, 1))),
        "no_dicom": write("filled/no.dcm", b"no DICOM"),
        "canary_ae": CANARY + "-beyond-16",
        "no_job": "01234567890-abcdefgh",
        "closed_port": str(closed_port),
        "silent_port": str(silent.getsockname()[1]),
    }
    for folder, text, mode in (
        ("openkey", "5a" * 32, 0o644),
        ("shortkey", "5a", 0o600),
        ("badspool", "5a" * 32, 0o600),
        ("unknown", "5a" * 32, 0o600),
        ("ran", "5a" * 32, 0o600),
        ("remembering", "5a" * 32, 0o600),
    ):
        write(f"{folder}/key", text, mode)
    write("unknown/bad.toml", 'options = ["clean"]\n')
    found["no_job"] = _ran(root / "ran" / "spool")
    yield found
    silent.close()


def _ran(spool: Path) -> str:
    """Leave what a node has that once ran; return the ID of a job that isn't there."""
    from node.jobs import new_job_id
    from node.ledger import open_ledger
    from node.spool import Spool

    Spool(spool, 0)
    open_ledger(spool).close()
    return str(new_job_id())


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.words)
def test_an_error_is_one_line_that_says_what_to_do_and_its_code_fits(
    case: Case,
    world: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    words = [word.format(**world) for word in case.words.split()]
    code = _code_of(words)
    captured = capfd.readouterr()
    said = [line for line in captured.err.splitlines() if not line.startswith("{")]
    assert code == case.code
    if case.listed:
        assert case.says in captured.out
    else:
        assert len(said) == 1, said
        assert said[0].startswith("deid-node")
        assert case.says in said[0]
        assert "internal error" not in said[0]


def _code_of(words: list[str]) -> object:
    """Run a command; argparse ends by itself."""
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code


def commands() -> Iterator[str]:
    """Yield every command as it is called."""
    for name, parser in _choices(_parser()):
        inner = [sub for sub, _ in _choices(parser)]
        yield from [f"{name} {sub}" for sub in inner] or [name]


def _choices(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def test_every_command_is_in_the_table() -> None:
    missing = [name for name in commands() if not any(case.words.startswith(name) for case in TABLE)]
    assert missing == []

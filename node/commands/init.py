"""`init`: a configuration with a first route, and a key."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from node import log
from node.commands.exits import Exit
from node.commands.interview import interview, usual_listener
from node.commands.profile import profile_file
from node.destinations.echo import EchoResult, echo
from node.errors import Misconfigured
from node.key import create_key
from node.settings import ForwardSettings, load_settings, shipped_config

if TYPE_CHECKING:
    from argparse import Namespace

_PATIENCE = ForwardSettings(connect_timeout_s=5.0, dimse_timeout_s=10.0)


def init(arguments: Namespace) -> int:
    """Write a configuration and a key; at a terminal, ask for the first route.

    Raises
    ------
    Misconfigured
        One of them is there already, an answer makes no sense, or the folder cannot be written.
    """
    folder: Path = arguments.folder
    config, key = folder / "node.toml", folder / "key"
    for path in (config, key):
        if path.exists():
            raise Misconfigured(f"{path} is there already; move it away first, or choose another folder")
    is_route = arguments.sender is not None or arguments.archive is not None
    if not is_route and not arguments.defaults and sys.stdin.isatty():
        interview(arguments)
        is_route = True
    text = _with_route(_example(), arguments)
    _write(folder, config, key, text)
    sys.stdout.write(
        f"wrote {config} and {key}\nkeep the key safe and backed up: pseudonyms, UIDs and dates depend on it\n"
    )
    code = _echo(config) if is_route else Exit.OK
    first = "" if is_route else f"edit {config}, then "
    sys.stdout.write(f"next: {first}deid-node check --config {config}, then deid-node serve --config {config}\n")
    return code


def _example() -> str:
    """Return the shipped example, its key and its spool beside the new file instead of below ./var."""
    text = (shipped_config() / "node.toml").read_text(encoding="utf-8")
    return re.sub(r'^(#? ?\w+ = ")var/', r"\1", text, flags=re.MULTILINE)


def _with_route(text: str, arguments: Namespace) -> str:
    """Put the route into the example; all else keeps its value and its explanation."""
    if arguments.ae_title is not None:
        text = _set(text, "", "ae_title", arguments.ae_title)
        text = _set(text, "[[projects]]", "called_ae_title", arguments.ae_title)
        text = _set(text, "[destinations.archive]", "calling_ae_title", arguments.ae_title)
    if arguments.listen is not None or arguments.sender is not None:
        address, port = arguments.listen or usual_listener(arguments)
        text = _set(_set(text, "[receive]", "address", address), "[receive]", "port", port)
    if arguments.sender is not None and not arguments.sender.is_local:
        entry = (
            f"[[peers]]\nae_title = {_toml(arguments.sender.ae_title)}\naddress = {_toml(arguments.sender.address)}\n\n"
        )
        text = text.replace("[[peers]]\n", f"{entry}[[peers]]\n", 1)
    if arguments.archive is not None:
        for key in ("ae_title", "host", "port"):
            text = _set(text, "[destinations.archive]", key, getattr(arguments.archive, key))
    if arguments.profile is not None:
        file = profile_file(arguments.profile)
        named = arguments.profile if file.parent == shipped_config() / "profiles" else str(file.absolute())
        text = _set(text, "[[projects]]", "profile", named)
    if arguments.spool is not None:
        text = _set(text, "[spool]", "path", str(arguments.spool.absolute()))
    return text


def _set(text: str, table: str, key: str, value: str | int) -> str:
    """Give a key of the first such table another value; what is said behind it stays.

    Raises
    ------
    LookupError
        The example doesn't have it.
    """
    lines = text.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.split("#")[0].strip() == table) if table else 0
    for number in range(start + bool(table), len(lines)):
        if lines[number].startswith("["):
            break
        if match := re.match(rf'{key} = (?:"[^"]*"|\S+)(?P<rest>.*\n)', lines[number]):
            lines[number] = f"{key} = {_toml(value)}{match['rest']}"
            return "".join(lines)
    raise LookupError(key)


def _toml(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(folder: Path, config: Path, key: Path, text: str) -> None:
    """Write both, or neither."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_key(key)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be written ({error.strerror}); choose another folder") from None
    try:
        with config.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        load_settings(config)
    except OSError as error:
        key.unlink()
        raise Misconfigured(f"{folder} cannot be written ({error.strerror}); choose another folder") from None
    except Misconfigured:
        key.unlink()
        config.unlink()
        raise


def _echo(config: Path) -> Exit:
    """Ask the archive for a sign of life, and say what came of it."""
    log.silence_libraries()
    destination = load_settings(config).destinations["archive"]
    found = echo(destination, _PATIENCE)
    if found.result is EchoResult.ANSWERED:
        sys.stdout.write(f"the archive {destination.address} answers\n")
        return Exit.OK
    sys.stdout.write(
        f"the archive {destination.address} does not answer yet: {found.detail}\n"
        f"it has to know the AE title {load_settings(config).ae_title} and this machine's address\n"
    )
    return Exit.UNREACHABLE

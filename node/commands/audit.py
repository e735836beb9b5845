"""`audit check` and `audit show`."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from node.audit import chain, people
from node.commands.exits import Exit, NoSpool
from node.errors import Misconfigured
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from node.settings import Settings

_SHA256 = re.compile(r"([0-9a-f]{64})?")
_ALWAYS_THERE = ("number", "at", "uid", "user", "login_uid", "login", "what", "message", "previous")


def check(arguments: Namespace) -> int:
    """Say whether the audit log holds together.

    Raises
    ------
    NoSpool, Misconfigured
        There is no audit log, or a hash is none.
    """
    for name in ("kept", "begins_after"):
        if not _SHA256.fullmatch(getattr(arguments, name)):
            raise Misconfigured(
                f"--{name.replace('_', '-')} must be 64 hexadecimal digits, as this command prints them"
            )
    spool = _settings(arguments).spool.path
    trail = chain.check(spool, arguments.begins_after or chain.BEFORE_THE_FIRST, arguments.kept)
    if trail.broken_at is not None:
        sys.stdout.write(f"{_place(spool, trail.broken_at)} does not follow from the one before\n")
        return Exit.FAILED
    if not trail.has_kept:
        sys.stdout.write(f"none of {trail.entries} lines has the SHA-256 {arguments.kept}: the end was cut off\n")
        return Exit.FAILED
    sys.stdout.write(f"{trail.entries} lines hold together; the last one's SHA-256 is {trail.end}\n")
    return Exit.OK


def _place(spool: Path, number: int) -> str:
    """Say which line of which file the n-th of all is."""
    for path in chain.audit_files(spool):
        with path.open("rb") as file:
            lines = sum(1 for _ in file)
        if number <= lines:
            return f"line {number} of {path}"
        number -= lines
    return f"line {number}"


def show(arguments: Namespace) -> int:
    """Print the last entries of the audit log.

    Raises
    ------
    NoSpool
        There is no audit log.
    Transient
        It cannot be noted that it is read.
    """
    settings = _settings(arguments)
    people.log_read(settings, people.me())
    wanted = set(arguments.what or ())
    found: list[dict[str, Any]] = []
    for entry in chain.newest_first(settings.spool.path):
        if not wanted or entry.get("what") in wanted:
            found.append(entry)
            if len(found) == arguments.last:
                break
    for entry in reversed(found):
        if arguments.json:
            sys.stdout.write(f"{json.dumps(entry)}\n")
        elif not arguments.xml:
            sys.stdout.write(f"{_line(entry)}\n")
        elif "message" in entry:
            sys.stdout.write(f"{entry['message']}\n")
    return Exit.OK


def _line(entry: dict[str, Any]) -> str:
    facts = " ".join(f"{key}={_said(value)}" for key, value in entry.items() if key not in _ALWAYS_THERE)
    who = entry.get("login") or entry.get("user", "")
    return f"{entry.get('number', ''):>8}  {entry.get('at', '')}  {entry.get('what', ''):<16}  {who}  {facts}"


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _settings(arguments: Namespace) -> Settings:
    settings = load_settings(arguments.config)
    if not chain.audit_files(settings.spool.path):
        raise NoSpool(f"there is no audit log in {settings.spool.path}: start a node by `deid-node serve`")
    return settings

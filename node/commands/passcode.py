"""`passcode`: who may name itself in a User Identity, and with what."""

from __future__ import annotations

import getpass
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from node.access.user_identity import hashed
from node.commands.exits import Exit
from node.errors import Misconfigured
from node.part import sync_folder

if TYPE_CHECKING:
    from argparse import Namespace

_NAME = re.compile(r"[^\s:#][^\s:]{0,63}")  # as in [[peers]] users
_MOST_BYTES = 1024
_OTHERS = 0o007


def passcode(arguments: Namespace) -> int:
    """Add a user, give it another passcode, or remove it.

    Raises
    ------
    Misconfigured
        The name is none, the passcode is empty or was not repeated, or the file cannot be written.
    """
    path: Path = arguments.file
    name: str = arguments.user
    if _NAME.fullmatch(name) is None:
        raise Misconfigured("a user name has up to 64 characters, no space and no colon")
    lines = _lines(path)
    kept = [line for line in lines if line.partition(":")[0] != name]
    if arguments.remove:
        if len(kept) == len(lines):
            raise Misconfigured(f"{path} has no user of this name; each of its lines begins with one")
        _replace(path, kept)
        sys.stdout.write(f"removed {name} from {path}\n")
        return Exit.OK
    secret = "" if arguments.none else hashed(_asked())
    _replace(path, [*kept, f"{name}:{secret}"])
    sys.stdout.write(f"{name} is in {path}; a node that runs knows it at the next association\n")
    return Exit.OK


def _asked() -> bytes:
    """Ask for a passcode, twice at a terminal; without one, read it as the first line of standard input."""
    if sys.stdin.isatty():
        first = getpass.getpass("passcode: ")
        if getpass.getpass("once more: ") != first:
            raise Misconfigured("the passcodes differ; nothing is changed, try again")
    else:
        first = sys.stdin.readline().rstrip("\r\n")
    encoded = first.encode("utf-8")
    if not 0 < len(encoded) <= _MOST_BYTES:
        raise Misconfigured(f"a passcode has 1 to {_MOST_BYTES} bytes")
    return encoded


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise Misconfigured(f"{path}: {why}; name the file of passcodes_file") from None


def _replace(path: Path, lines: list[str]) -> None:
    """Write the file anew, for its owner alone, or for whom the old one was; as a whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        old = path.stat() if path.exists() else None
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                if old:
                    with suppress(PermissionError):
                        os.fchown(fd, old.st_uid, old.st_gid)
                    os.fchmod(fd, old.st_mode & 0o777 & ~_OTHERS)
                os.fsync(fd)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from None

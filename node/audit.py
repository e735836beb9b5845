"""The audit log: who asked for what, in lines that hold together.

JSON, one line an entry, never with a value of a patient. Each line holds the SHA-256 of the line before it, so that a
line which was changed, removed or put in shows. That the last lines are missing shows only to who knows what the end
was: `check` gives that, to be kept elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from node.errors import Transient
from node.part import sync_folder

AUDIT_FILE = "audit.log"

_BEFORE_THE_FIRST = "0" * 64
_LAST_LINE_BYTES = 1 << 20
_LOGIN_UID = Path("/proc/self/loginuid")
_NO_LOGIN_UID = 2**32 - 1


class Deed(StrEnum):
    """What is audited."""

    LOOKUP = "lookup"
    LOOKUP_DENIED = "lookup-denied"


@dataclass(frozen=True, slots=True)
class Trail:
    """What a check of the log found.

    Attributes
    ----------
    entries
        lines
    broken_at
        the first line, from 1, that does not follow from the one before; None if there is none
    end
        SHA-256 of the last line
    """

    entries: int
    broken_at: int | None
    end: str


def append(spool: Path, deed: Deed, facts: Mapping[str, int | str | Sequence[str]]) -> None:
    """Add an entry; it is on the disk when this returns.

    Parameters
    ----------
    facts
        beside who and when; no values of a patient

    Raises
    ------
    Transient
        If that can't be promised: then what was to be audited must not happen.
    """
    path = spool / AUDIT_FILE
    try:
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _append(fd, deed, facts)
        finally:
            os.close(fd)
        if is_new:
            sync_folder(spool)
    except OSError as error:
        raise Transient(f"audit log {path}: {error.strerror}; nothing is done without it") from None


def _append(fd: int, deed: Deed, facts: Mapping[str, int | str | Sequence[str]]) -> None:
    size_bytes = os.fstat(fd).st_size
    end = os.pread(fd, _LAST_LINE_BYTES, max(0, size_bytes - _LAST_LINE_BYTES))
    torn = bool(end) and not end.endswith(b"\n")  # whoever wrote it died of it: it stays, as a line
    last = end.removesuffix(b"\n").rpartition(b"\n")[2]
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **_who(),
        "what": deed.value,
        **facts,
        "previous": _hash(last) if size_bytes else _BEFORE_THE_FIRST,
    }
    line = b"\n" * torn + json.dumps(entry).encode("ascii") + b"\n"
    while line:
        line = line[os.write(fd, line) :]
    os.fsync(fd)


def check(spool: Path) -> Trail:
    """Look whether each line follows from the one before."""
    previous, broken_at, number = _BEFORE_THE_FIRST, None, 0
    with suppress(FileNotFoundError), (spool / AUDIT_FILE).open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removesuffix(b"\n")
            if broken_at is None and _previous(text) != previous:
                broken_at = number
            previous = _hash(text)
    return Trail(number, broken_at, previous)


def _previous(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry.get("previous") if isinstance(entry, dict) else None


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _who() -> dict[str, int | str]:
    """Return who runs this process, and who logged in, which stays the same through sudo and su."""
    who: dict[str, int | str] = {"uid": os.getuid(), "user": _name(os.getuid())}
    with suppress(OSError, ValueError):
        login = int(_LOGIN_UID.read_text("ascii"))
        if login != _NO_LOGIN_UID:
            who |= {"login_uid": login, "login": _name(login)}
    return who


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""

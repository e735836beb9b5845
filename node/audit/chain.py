"""The file: JSON lines, one an entry, never with a value of a patient.

Each line holds the SHA-256 of the line before it, so that a line which was changed, removed or put in shows. That the
last lines are missing shows only to who knows what the end was: `check` gives that, to be kept elsewhere.

A file that has grown big is closed and named after its first entry; the next one goes on where it ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from node.errors import Transient
from node.modes import mode_of_database_in
from node.part import sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from node.audit.codes import Deed
    from node.audit.message import Message

AUDIT_FILE = "audit.log"
AUDIT_FOLDER = "audit"
"""Holds the file where it is there: roles that are users of their own share it (systemd/tmpfiles.d)."""

MAX_FILE_BYTES = 64 << 20
BEFORE_THE_FIRST = "0" * 64
"""What the first line has for the hash of the one before."""

_LOCK_FILE = "audit.lock"
_BLOCK_BYTES = 1 << 16
_LOGIN_UID = Path("/proc/self/loginuid")
_NO_LOGIN_UID = 2**32 - 1

Facts: TypeAlias = "Mapping[str, int | str | Sequence[str]]"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a line is to say.

    Attributes
    ----------
    facts
        beside who and when; no values of a patient
    message
        the same for an audit record repository
    at
        when it happened; None: when it is written
    """

    deed: Deed
    facts: Facts
    message: Message | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trail:
    """What a check of the log found.

    Attributes
    ----------
    entries
        lines
    broken_at
        the first line, from 1 over all files, that does not follow from the one before; None if there is none
    end
        SHA-256 of the last line
    has_kept
        whether a line has the hash that was asked for
    """

    entries: int
    broken_at: int | None
    end: str
    has_kept: bool = True


def append(spool: Path, deed: Deed, facts: Facts, message: Message | None = None) -> None:
    """Add an entry; it is on the disk when this returns.

    Raises
    ------
    Transient
        If that can't be promised: then what was to be audited must not happen.
    """
    append_all(spool, [Entry(deed, facts, message)])


def append_all(spool: Path, entries: Sequence[Entry], max_file_bytes: int = MAX_FILE_BYTES) -> None:
    """Add entries; all are on the disk when this returns, perhaps some of the first when it raises.

    Raises
    ------
    Transient
        If that can't be promised.
    """
    folder = audit_folder(spool)
    try:
        lock, _ = _opened(folder / _LOCK_FILE)  # a file of its own: those of the log come and go
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _append(folder, entries, max_file_bytes)
        finally:
            os.close(lock)
    except OSError as error:
        raise Transient(f"audit log {folder / AUDIT_FILE}: {error.strerror}; nothing is done without it") from None


def audit_folder(spool: Path) -> Path:
    """Say where the files of a spool's log are."""
    shared = spool / AUDIT_FOLDER
    return shared if shared.is_dir() else spool


def audit_files(spool: Path) -> list[Path]:
    """List the files of the log that there are, the oldest first."""
    return _files(audit_folder(spool))


def _files(folder: Path) -> list[Path]:
    current = folder / AUDIT_FILE
    closed = sorted(folder.glob("audit-[0-9]*.log"))  # numbers of ten digits sort as texts
    return [*closed, *([current] if current.exists() else [])]


def _append(folder: Path, entries: Sequence[Entry], max_file_bytes: int) -> None:
    path = folder / AUDIT_FILE
    fd, is_new = _opened(path)
    try:
        if os.fstat(fd).st_size >= max_file_bytes:
            _close_file(folder, path)
            os.close(fd)
            fd, is_new = _opened(path)
        lines = _lines(entries, *_last(folder))
        # whoever wrote a torn one died of it: it stays, as a line
        write_all(fd, b"\n" * _is_torn(fd) + b"".join(lines))
        os.fsync(fd)
    finally:
        os.close(fd)
    if is_new:
        sync_folder(folder)


def _opened(path: Path) -> tuple[int, bool]:
    is_new = not path.exists()
    mode = mode_of_database_in(path.parent)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
    if is_new:
        os.fchmod(fd, mode)  # whatever the umask says: all roles write it
    return fd, is_new


def _close_file(folder: Path, path: Path) -> None:
    """Name a file after its first entry."""
    with path.open("rb") as file:
        first = parsed(file.readline()).get("number", 0)
    path.rename(folder / f"audit-{first:010}.log")


def _is_torn(fd: int) -> bool:
    size_bytes = os.fstat(fd).st_size
    return size_bytes > 0 and os.pread(fd, 1, size_bytes - 1) != b"\n"


def _last(folder: Path) -> tuple[str, int]:
    """Return hash and number of the last line, however long it is."""
    end, count = BEFORE_THE_FIRST, 0
    for line in _backwards(_files(folder)):
        end = end if count else hash_of(line)
        number = parsed(line).get("number")
        if isinstance(number, int):
            return end, number + count
        count += 1
    return end, count


def _lines(entries: Sequence[Entry], previous: str, number: int) -> Iterator[bytes]:
    who = _who()
    for entry in entries:
        number += 1
        at = entry.at or datetime.now(UTC)
        said = {
            "number": number,
            "at": at.isoformat(timespec="milliseconds"),
            **who,
            "what": entry.deed.value,
            **entry.facts,
            **({"message": entry.message.xml(at)} if entry.message else {}),
            "previous": previous,
        }
        line = json.dumps(said).encode("ascii")
        previous = hash_of(line)
        yield line + b"\n"


# -- looking through it


def check(spool: Path, begins_after: str = BEFORE_THE_FIRST, kept: str = "") -> Trail:
    """Look whether each line follows from the one before.

    Parameters
    ----------
    begins_after
        SHA-256 of the last line of what was archived, if anything was
    kept
        SHA-256 of a line that must be there: the end that an earlier check gave
    """
    previous, broken_at, number, has_kept = begins_after, None, 0, kept in {"", begins_after}
    for number, line in enumerate(_all_lines(spool), 1):
        text = line.removesuffix(b"\n")
        if broken_at is None and parsed(text).get("previous") != previous:
            broken_at = number
        previous = hash_of(text)
        has_kept = has_kept or previous == kept
    return Trail(number, broken_at, previous, has_kept)


def entries(spool: Path) -> Iterator[dict[str, Any]]:
    """Give what the lines say, the oldest first; what is no entry is left out: `check` finds it."""
    for line in _all_lines(spool):
        if said := parsed(line):
            yield said


def latest(spool: Path, count: int, before: int | None = None) -> list[dict[str, Any]]:
    """Give the last entries, the newest first, without reading the whole log.

    Parameters
    ----------
    before
        only entries with a smaller number
    """
    found = (said for said in newest_first(spool) if before is None or said.get("number", 0) < before)
    return list(islice(found, count))


def newest_first(spool: Path) -> Iterator[dict[str, Any]]:
    """Give what the lines say, the newest first; what is no entry is left out."""
    for line in _backwards(audit_files(spool)):
        if said := parsed(line):
            yield said


def _backwards(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in reversed(paths):
        yield from _lines_backwards(path)


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Give the lines of a file, the last one first, in blocks."""
    with path.open("rb") as file:
        at, rest = file.seek(0, os.SEEK_END), b""
        while at:
            size_bytes = min(at, _BLOCK_BYTES)
            at -= size_bytes
            file.seek(at)
            rest, *lines = (file.read(size_bytes) + rest).split(b"\n")
            yield from reversed([line for line in lines if line])
        if rest:
            yield rest


def _all_lines(spool: Path) -> Iterator[bytes]:
    for path in audit_files(spool):
        with suppress(FileNotFoundError), path.open("rb") as file:
            yield from file


def parsed(line: bytes) -> dict[str, Any]:
    """Read a line; what is no entry says nothing."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def hash_of(line: bytes) -> str:
    """Return the SHA-256 of a line, without its end."""
    return hashlib.sha256(line).hexdigest()


def user_name() -> str:
    """Return who runs this process; who logged in, if that is known."""
    who = _who()
    return str(who.get("login") or who["user"] or f"uid {who['uid']}")


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

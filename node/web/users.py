"""Who may use the console: a file of names, roles and argon2 hashes, one user a line.

A changed file counts with the next request: who was removed, or got another role or password, is out at once.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import argon2

from node.errors import Misconfigured
from node.modes import mode_in
from node.part import sync_folder, write_all

if TYPE_CHECKING:
    from pathlib import Path

LEAST_CHARACTERS = 12
"""Of a password (NIST SP 800-63B asks for 8 at least; a length says more than rules for characters)."""

_MOST_CHARACTERS = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_NO_PASSWORD = "*"  # noqa: S105  what stands in place of a hash
_HEADER = "# Users of the console: name, role, argon2 hash of the password (*: none). See deid-node users.\n"


class UserRole(StrEnum):
    """What a user may do; each may do what those before may."""

    VIEWER = "viewer"
    """see how the node does; nothing of a patient"""

    REVIEWER = "reviewer"
    """see refused instances and decide on them, try files: patient data"""

    ADMIN = "admin"
    """all of it, and the audit log"""

    def allows(self, needed: UserRole) -> bool:
        """Say whether who has this role may do what another is needed for."""
        ranks = list(UserRole)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    role: UserRole
    password_hash: str = _NO_PASSWORD

    @property
    def has_password(self) -> bool:
        """Whether the user can log in without a proxy."""
        return self.password_hash != _NO_PASSWORD


@cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher()  # RFC 9106 Section 4, the second recommended option: Argon2id, 64 MiB


@cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody has this password")


def hashed(password: str) -> str:
    """Hash a password.

    Raises
    ------
    Misconfigured
        if it is too short, or absurdly long
    """
    if not LEAST_CHARACTERS <= len(password) <= _MOST_CHARACTERS:
        raise Misconfigured(f"a password has at least {LEAST_CHARACTERS} characters")
    return _hasher().hash(password)


def is_password(user: User | None, password: str) -> bool:
    """Check a password; it takes as long for a user who is not there."""
    there = user is not None and user.has_password
    known = user.password_hash if user is not None and there else _nobodys_hash()
    if len(password) > _MOST_CHARACTERS:
        return False
    try:
        return _hasher().verify(known, password) and there
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


class Users:
    """The file, as it is now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._users: Mapping[str, User] = {}

    def find(self, name: str) -> User | None:
        """Give a user; None if there is none of that name (or no file that could be read)."""
        return self.all().get(name)

    def all(self) -> Mapping[str, User]:
        """Give all users by name; nobody while the file is missing, wrong or open to others."""
        try:
            status = self.path.stat()
        except OSError:
            return {}
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        with self._lock:
            if seen != self._seen:
                try:
                    self._users = read_users(self.path)
                except Misconfigured:
                    self._users = {}
                self._seen = seen
            return self._users


def read_users(path: Path) -> dict[str, User]:
    """Read the file; no users if it isn't there.

    Raises
    ------
    Misconfigured
        if it can't be read, can be read by others, or has a line that is none
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"users {path}: cannot be read ({type(error).__name__})") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise Misconfigured(f"users {path}: others may use it (mode {mode:04o}); run `chmod 640 {path}`")
    return {user.name: user for user in _parsed(path, lines)}


def _parsed(path: Path, lines: list[str]) -> Iterator[User]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        if len(words) != 3 or not _NAME.fullmatch(words[0]) or words[1] not in list(UserRole):
            raise Misconfigured(f"users {path}: line {number} is no user (name, role, hash); see `deid-node users`")
        yield User(words[0], UserRole(words[1]), words[2])


@contextmanager
def changing(path: Path) -> Iterator[dict[str, User]]:
    """Change the file: what the dictionary holds at the end of the block is written, durably, if nothing was raised.

    Raises
    ------
    Misconfigured
        if it can't be read or written, or a name is none
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Misconfigured(f"users {path}: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        users = read_users(path)
        yield users
        for name in users:
            if not _NAME.fullmatch(name):
                raise Misconfigured("a user's name has letters, digits and . _ @ - only, 64 at the most")
        _write(path, users)
    except OSError as error:
        raise Misconfigured(f"users {path}: {error.strerror}") from None
    finally:
        os.close(folder)


def _write(path: Path, users: Mapping[str, User]) -> None:
    lines = [f"{user.name} {user.role} {user.password_hash}\n" for _, user in sorted(users.items())]
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    old = path.stat() if path.exists() else None
    mode = mode_in(path.parent) if old is None else stat.S_IMODE(old.st_mode)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, "".join([_HEADER, *lines]).encode("ascii"))
        if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, mode)
        os.fsync(fd)
    finally:
        os.close(fd)
    part.replace(path)
    sync_folder(path.parent)

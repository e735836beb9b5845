"""The secret key behind pseudonyms, UIDs and date shifts: 32 random bytes, written as hexadecimal text."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from node.credentials import credentials_folder
from node.errors import Misconfigured
from node.modes import PRIVATE, mode_in

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_READING_GROUP = stat.S_IRGRP


def load_key(path: Path) -> bytes:
    """Read the key.

    Raises
    ------
    Misconfigured
        if the file is missing, is not a key, or can be read by others
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4 * KEY_BYTES)
    except OSError as error:
        raise Misconfigured(
            f"key {path}: {error.strerror}; make one with `deid-node init`, or restore it from your backup"
        ) from None
    if mode & _OTHERS & ~_allowed(path):
        raise Misconfigured(f"key {path}: others may use it (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`")
    try:
        return read_key(text.decode("ascii", "replace"))
    except Misconfigured as error:
        raise Misconfigured(f"key {path}: {error}; restore it from your backup") from None


def _allowed(path: Path) -> int:
    """Say what more than its owner may do with a key: be read by the group, where whoever keeps it means that."""
    # systemd lets one user read a credential by an access control list, whose mask stands where the group's bits are.
    is_credential = path.parent == credentials_folder()
    return _READING_GROUP if is_credential or mode_in(path.parent) != PRIVATE else 0


def read_key(text: str) -> bytes:
    """Read a key as it is written.

    Raises
    ------
    Misconfigured
        if it is not one
    """
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Misconfigured(f"must be {2 * KEY_BYTES} hexadecimal digits")
    return key


def create_key(path: Path) -> None:
    """Write a new random key, mode 0600 (0640 in a folder that roles share), durably; never over another one.

    Raises
    ------
    Misconfigured
        if there is a file already, or the folder can't be written
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        _write(part, mode_in(path.parent), secrets.token_bytes(KEY_BYTES).hex().encode("ascii") + b"\n")
        try:
            os.link(part, path)  # unlike a rename, this never replaces a key that somebody needs
        finally:
            part.unlink()
        _sync_folder(path.parent)
    except FileExistsError:
        raise Misconfigured(f"key {path}: exists already; a new key would change every pseudonym") from None
    except OSError as error:
        raise Misconfigured(f"key {path}: {error.strerror}") from None


def _write(path: Path, mode: int, text: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    try:
        os.write(fd, text)
        if mode != PRIVATE:
            os.fchmod(fd, mode)
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

"""The secret keys behind pseudonyms, UIDs and date shifts: 32 random bytes each, written as hexadecimal text.

One line a key: the first key alone, later ones with their number before it (``2 6f1c…``). A new key changes nothing by
itself: a project goes on with the key that it names, so that its old studies and its new ones stay linked.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.keys import subkey
from node.credentials import credentials_folder
from node.errors import Misconfigured
from node.modes import PRIVATE, mode_in
from node.part import sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from node.identity_settings import IdentitySettings

KEY_BYTES = 32
MOST_KEYS = 100
_MOST_BYTES = MOST_KEYS * (2 * KEY_BYTES + 8)
_LINE = re.compile(r"(?:([1-9][0-9]{0,3})[ \t]+)?([0-9a-fA-F]{64})")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_READING_GROUP = stat.S_IRGRP


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys of a node, by number; at least one."""

    keys: Mapping[int, bytes]

    @property
    def oldest(self) -> bytes:
        """What tables are sealed under: the key of the lowest number."""
        return self.keys[min(self.keys)]

    def secret_for(self, identity: IdentitySettings) -> bytes:
        """Return what a project's codes are derived from: the key that it names, or a subkey of that (RFC 5869).

        Raises
        ------
        Misconfigured
            if there is no such key
        """
        if identity.key not in self.keys:
            there = ", ".join(map(str, sorted(self.keys)))
            raise Misconfigured(f"[projects.identity] key = {identity.key}: the key file has only {there}")
        secret = self.keys[identity.key]
        return subkey(secret, f"projects {identity.subkey}") if identity.subkey else secret

    def text(self) -> str:
        """Return it as it is written."""
        return "".join(f"{number} {key.hex()}\n" if number > 1 else f"{key.hex()}\n" for number, key in self._sorted())

    def fingerprints(self) -> dict[int, str]:
        """Return a public name of each key: nobody gets the key from it."""
        return {number: subkey(key, "fingerprint")[:4].hex() for number, key in self._sorted()}

    def _sorted(self) -> list[tuple[int, bytes]]:
        return sorted(self.keys.items())


def load_key(path: Path) -> bytes:
    """Read the oldest key; see `load_ring`."""
    return load_ring(path).oldest


def load_ring(path: Path) -> KeyRing:
    """Read the keys.

    Raises
    ------
    Misconfigured
        if the file is missing, holds something else, or can be read by others
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST_BYTES)
    except OSError as error:
        raise Misconfigured(
            f"key {path}: {error.strerror}; make one with `deid-node init`, or restore it from your backup"
        ) from None
    if mode & _OTHERS & ~_allowed(path):
        raise Misconfigured(f"key {path}: others may use it (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`")
    try:
        return read_ring(text.decode("ascii", "replace"))
    except Misconfigured as error:
        raise Misconfigured(f"key {path}: {error}; restore it from your backup") from None


def read_ring(text: str) -> KeyRing:
    """Read keys as they are written.

    Raises
    ------
    Misconfigured
        if that is something else
    """
    keys: dict[int, bytes] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _LINE.fullmatch(line)
        if found is None:
            raise Misconfigured(f"must be {2 * KEY_BYTES} hexadecimal digits")
        number = int(found[1] or 1)
        if number in keys:
            raise Misconfigured(f"two keys have the number {number}")
        keys[number] = bytes.fromhex(found[2])
    if not keys:
        raise Misconfigured(f"must be {2 * KEY_BYTES} hexadecimal digits")
    return KeyRing(keys)


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
    put_ring(path, KeyRing({1: secrets.token_bytes(KEY_BYTES)}))


def put_ring(path: Path, ring: KeyRing) -> None:
    """Write keys where none are; see `create_key`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = _part(path, mode_in(path.parent), ring)
        try:
            os.link(part, path)  # unlike a rename, this never replaces a key that somebody needs
        finally:
            part.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise Misconfigured(f"key {path}: exists already; a new key would change every pseudonym") from None
    except OSError as error:
        raise Misconfigured(f"key {path}: {error.strerror}") from None


def replace_ring(path: Path, ring: KeyRing) -> None:
    """Write keys in place of those that are there, durably, for the same owner and with the same mode.

    Raises
    ------
    Misconfigured
        if that can't be done; then the old ones are there
    """
    try:
        before = path.stat()
        part = _part(path, stat.S_IMODE(before.st_mode), ring)
        try:
            os.chown(part, before.st_uid, before.st_gid)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise Misconfigured(f"key {path}: {error.strerror}") from None


def with_new_key(ring: KeyRing) -> KeyRing:
    """Return the keys and one more, with the next number.

    Raises
    ------
    Misconfigured
        if there are too many
    """
    if len(ring.keys) >= MOST_KEYS:
        raise Misconfigured(f"there are {MOST_KEYS} keys already; retire old ones")
    return KeyRing({**ring.keys, max(ring.keys) + 1: secrets.token_bytes(KEY_BYTES)})


def _part(path: Path, mode: int, ring: KeyRing) -> Path:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    _write(part, mode, ring.text().encode("ascii"))
    return part


def _write(path: Path, mode: int, text: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    try:
        write_all(fd, text)
        if mode != PRIVATE:
            os.fchmod(fd, mode)
        os.fsync(fd)
    finally:
        os.close(fd)

"""A backup of what cannot be made anew: the keys, the tables of identities, and the key of storage commitment.

One file, sealed by a passphrase: 16 bytes of salt and 12 of nonce behind the first line, then AES-GCM of a JSON text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.commitment.codes import KEY_FILE
from node.errors import Misconfigured
from node.identity_settings import IdentityMode
from node.key import KeyRing, load_ring, put_ring, read_ring
from node.modes import PRIVATE, mode_in
from node.part import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from node.settings import Settings

SHORTEST_PASSPHRASE = 12

_FIRST_LINE = b"deid-node backup 1\n"
_SALT_BYTES, _NONCE_BYTES = 16, 12
_KEYS = "keys"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 16, 8, 1
_SCRYPT_MEMORY_BYTES = 128 << 20


@dataclass(frozen=True, slots=True, repr=False)
class Backup:
    """What a backup holds: the keys, and files by what they are for."""

    ring: KeyRing
    files: dict[str, bytes]


def check_passphrase(passphrase: str) -> None:
    """Look whether a passphrase is long enough.

    Raises
    ------
    Misconfigured
        if it is not
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise Misconfigured(f"the passphrase must have at least {SHORTEST_PASSPHRASE} characters")


def write_backup(settings: Settings, file: Path, passphrase: str) -> int:
    """Write a backup; return how many tables and keys of other purposes are in it.

    Raises
    ------
    Misconfigured
        if the key can't be read, the passphrase is too short, or there is such a file already
    """
    check_passphrase(passphrase)
    found = {name: _content(path) for name, path in _places(settings).items() if path.exists()}
    content = {_KEYS: load_ring(settings.key_file).text()}
    content |= {name: base64.b64encode(data).decode("ascii") for name, data in found.items()}
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    sealed = _cipher(passphrase, salt).encrypt(nonce, json.dumps(content).encode("ascii"), _FIRST_LINE)
    _write(file, _FIRST_LINE + salt + nonce + sealed, PRIVATE)
    return len(found)


def read_backup(file: Path, passphrase: str) -> Backup:
    """Open a backup.

    Raises
    ------
    Misconfigured
        if it is none, is damaged, or the passphrase is another one
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"backup {file}: {error.strerror}; name one that is there") from None
    if not data.startswith(_FIRST_LINE):
        raise Misconfigured(f"backup {file}: is no backup of deid-node")
    rest = data[len(_FIRST_LINE) :]
    salt, nonce, sealed = rest[:_SALT_BYTES], rest[_SALT_BYTES:][:_NONCE_BYTES], rest[_SALT_BYTES + _NONCE_BYTES :]
    try:
        content = json.loads(_cipher(passphrase, salt).decrypt(nonce, sealed, _FIRST_LINE))
    except (InvalidTag, ValueError):
        raise Misconfigured(f"backup {file}: the passphrase is another one, or the file is damaged") from None
    ring = read_ring(content.pop(_KEYS))
    return Backup(ring, {name: base64.b64decode(data) for name, data in content.items()})


def restore_backup(settings: Settings, backup: Backup) -> list[Path]:
    """Put back what a backup holds; return the files that were written.

    Raises
    ------
    Misconfigured
        if one of them is there already: then nothing is written; or a folder can't be written
    """
    places = {name: path for name, path in _places(settings).items() if name in backup.files}
    for path in (settings.key_file, *places.values()):
        if path.exists():
            raise Misconfigured(f"{path} exists already; nothing was restored. Move it away if it is to be replaced")
    if unknown := sorted(set(backup.files) - set(places)):
        raise Misconfigured(f"the backup holds {', '.join(unknown)}, for which this configuration has no place")
    settings.spool.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, path in places.items():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, backup.files[name], mode_in(path.parent))
    put_ring(settings.key_file, backup.ring)  # last: with the key, the node could start
    return [*places.values(), settings.key_file]


def _places(settings: Settings) -> dict[str, Path]:
    """Return where the files are that cannot be made anew, by what a backup calls them."""
    spool = settings.spool.path
    places = {"commitment": spool / KEY_FILE}
    for project in settings.projects:
        identity = project.identity
        if identity.mode is IdentityMode.TABLE or identity.remember:
            places[f"identities of {project.name}"] = identity.table_file(spool)
    return _without_repeats(places)


def _without_repeats(places: dict[str, Path]) -> dict[str, Path]:
    """Leave out what another project's name stands for too."""
    first = {path: name for name, path in reversed(places.items())}
    return {name: path for path, name in first.items()}


def _content(path: Path) -> bytes:
    """Return a file's bytes; of a database those of one moment, whoever writes it."""
    if path.name == KEY_FILE:
        return path.read_bytes()
    with closing(sqlite3.connect(path, timeout=30.0)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        return copy.serialize()


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(
        hashlib.scrypt(
            passphrase.encode("utf-8"),
            salt=salt,
            n=_SCRYPT_N,
            r=_SCRYPT_R,
            p=_SCRYPT_P,
            maxmem=_SCRYPT_MEMORY_BYTES,
            dklen=32,
        )
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        sync_folder(path.parent)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from None

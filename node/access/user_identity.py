"""User Identity (PS3.7 Section D.3.3.7): who a requestor says it is, and whether its passcode is right.

The passcodes file has a line ``NAME:HASH`` for each user; HASH is made by `hashed`, or empty for one who needs no
passcode. ``deid-node passcode`` writes it. Lines that are empty or begin with # don't count.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import struct
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from node.access.current import Current
from node.dimse import ProtocolError
from node.errors import Misconfigured

if TYPE_CHECKING:
    from node.access.settings import Peer

USERNAME, USERNAME_AND_PASSCODE = 1, 2
"""User Identity Types that are known here; Kerberos (3), SAML (4) and JSON web tokens (5) are not."""

_ITEM_HEADER_BYTES = 4
_TYPE_AND_RESPONSE = struct.Struct(">BB")
_LENGTH = struct.Struct(">H")

_SCHEME = "scrypt"
_COST, _BLOCK_SIZE, _PARALLEL = 1 << 14, 8, 1  # RFC 7914: 16 MiB, for logins
_HASH_BYTES, _SALT_BYTES = 32, 16
_MAX_COST, _MAX_MEMORY_BYTES = 1 << 16, 256 << 20  # with blocks of 16: 128 MiB


class Identity(NamedTuple):
    """A User Identity sub-item of an A-ASSOCIATE-RQ (PS3.7 Table D.3-14)."""

    kind: int
    wants_response: bool
    primary: bytes
    secondary: bytes


def read_identity(item: bytes) -> Identity:
    """Read an encoded User Identity sub-item.

    Raises
    ------
    ProtocolError
        if its fields do not fit it
    """
    at = _ITEM_HEADER_BYTES + _TYPE_AND_RESPONSE.size
    if len(item) < at:
        raise ProtocolError("user identity is cut short")
    kind, wants_response = _TYPE_AND_RESPONSE.unpack_from(item, _ITEM_HEADER_BYTES)
    primary, at = _field(item, at)
    secondary, at = _field(item, at)
    if at != len(item):
        raise ProtocolError("user identity is longer than its fields")
    return Identity(kind, bool(wants_response), primary, secondary)


def _field(item: bytes, at: int) -> tuple[bytes, int]:
    if len(item) < at + _LENGTH.size:
        raise ProtocolError("user identity is cut short")
    begin = at + _LENGTH.size
    end = begin + _LENGTH.unpack_from(item, at)[0]
    if end > len(item):
        raise ProtocolError("a field of the user identity does not fit it")
    return item[begin:end], end


def hashed(passcode: bytes) -> str:
    """Return what a passcodes file keeps of a passcode: scrypt with a salt of its own, and its parameters."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(passcode, salt, _COST, _BLOCK_SIZE, _PARALLEL)
    return f"{_SCHEME}${_COST}${_BLOCK_SIZE}${_PARALLEL}${_text(salt)}${_text(digest)}"


class _Hash(NamedTuple):
    cost: int
    block_size: int
    parallel: int
    salt: bytes
    digest: bytes


_NOBODY = _Hash(_COST, _BLOCK_SIZE, _PARALLEL, bytes(_SALT_BYTES), bytes(_HASH_BYTES))
"""For users that there are not: looking takes as long."""


def _scrypt(passcode: bytes, salt: bytes, cost: int, block_size: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        passcode, salt=salt, n=cost, r=block_size, p=parallel, maxmem=_MAX_MEMORY_BYTES, dklen=_HASH_BYTES
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


class Passcodes:
    """The passcodes file, as it is now; any number of threads may ask.

    Raises
    ------
    Misconfigured
        if it is missing, can be read by others, or a line is none; the message names the line
    """

    def __init__(self, path: Path) -> None:
        self._current = Current("receive.passcodes_file", (path,), lambda: _read(path))
        self._one_at_a_time = threading.Lock()  # each hash takes 16 MiB
        self._secret = secrets.token_bytes(32)
        self._proven: dict[str, bytes] = {}

    def names(self) -> frozenset[str]:
        """Return who is in the file."""
        return frozenset(self._current.get())

    def accepts(self, identity: Identity | None, allowed: tuple[str, ...]) -> bool:
        """Say whether a requestor is a user that is allowed, and has shown what the file asks of that one."""
        if identity is None or identity.kind not in (USERNAME, USERNAME_AND_PASSCODE):
            return False
        name = identity.primary.decode("utf-8", "replace")
        users = self._current.get()
        if name in allowed and name in users and users[name] is None:
            return True
        wanted = users.get(name) if name in allowed else None
        return identity.kind == USERNAME_AND_PASSCODE and self._is_proven(name, wanted or _NOBODY, identity.secondary)

    def _is_proven(self, name: str, wanted: _Hash, passcode: bytes) -> bool:
        """Compare a passcode with its hash; what was right is remembered, under a secret of this process."""
        mark = hmac.digest(self._secret, wanted.digest + wanted.salt + passcode, "sha256")
        if hmac.compare_digest(self._proven.get(name, b""), mark):
            return True
        with self._one_at_a_time:
            digest = _scrypt(passcode, wanted.salt, wanted.cost, wanted.block_size, wanted.parallel)
        is_right = hmac.compare_digest(digest, wanted.digest) and wanted is not _NOBODY
        if is_right:
            self._proven[name] = mark
        return is_right


def open_passcodes(path: Path | None, peers: Iterable[Peer]) -> Passcodes | None:
    """Open the file, if a peer needs it.

    Raises
    ------
    Misconfigured
        as `Passcodes` does, and if a user of a peer is not in it
    """
    wanted = {name for peer in peers for name in peer.users}
    if path is None or not wanted:
        return None
    passcodes = Passcodes(path)
    if strangers := wanted - passcodes.names():
        raise Misconfigured(
            f"passcodes {path}: {min(strangers)!r} of [[peers]] is not in it; add it by `deid-node passcode`"
        )
    return passcodes


def _read(path: Path) -> Mapping[str, _Hash | None]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read().decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Misconfigured(f"passcodes {path}: {why}; `deid-node passcode` makes it") from None
    if mode & 0o007:
        raise Misconfigured(f"passcodes {path}: others may use it; run `chmod 600 {path}`")
    users: dict[str, _Hash | None] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, text = line.strip().partition(":")
        if not colon or not name or name in users:
            raise Misconfigured(f"passcodes {path}: line {number} is no NAME:HASH, or names a user again")
        users[name] = _hash(text, path, number) if text else None
    return users


def _hash(text: str, path: Path, number: int) -> _Hash:
    try:
        scheme, cost, block_size, parallel, salt, digest = text.split("$")
        found = _Hash(int(cost), int(block_size), int(parallel), _bytes(salt), _bytes(digest))
    except (ValueError, binascii.Error):
        scheme, found = "", _NOBODY
    is_power = found.cost > 1 and not found.cost & (found.cost - 1)  # RFC 7914 Section 2
    is_sane = is_power and 0 < found.block_size <= 16 and 0 < found.parallel <= 4 and found.cost <= _MAX_COST
    if scheme != _SCHEME or not is_sane or len(found.digest) != _HASH_BYTES:
        raise Misconfigured(f"passcodes {path}: line {number} has no hash of `deid-node passcode`")
    return found


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

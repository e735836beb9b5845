"""The secret key and what is derived from it.

Every code that replaces an identifier is an HMAC under a subkey, so nodes that hold the same key agree without
talking to one another, and nobody without it can go through a list of patients (PS3.15 E.1.1, note on hashes).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from deid.errors import Misconfigured

SMALLEST_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class Keys:
    """Subkeys, one per purpose, so that no output of one helps with another."""

    uid: bytes = field(repr=False)
    patient: bytes = field(repr=False)
    date: bytes = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> Keys:
        """Derive the subkeys from `secret` by HKDF with SHA-256 (RFC 5869).

        Raises
        ------
        Misconfigured
            If the secret is shorter than 16 bytes.
        """
        if len(secret) < SMALLEST_SECRET_BYTES:
            message = f"the key has {len(secret)} bytes; at least {SMALLEST_SECRET_BYTES} are needed"
            raise Misconfigured(message)
        master = _mac(b"deid-node", secret)
        return cls(
            uid=_expand(master, b"uid"),
            patient=_expand(master, b"patient"),
            date=_expand(master, b"date"),
        )


def subkey(secret: bytes, purpose: str) -> bytes:
    """Derive a 32-byte key for a purpose outside this package; no purpose of `Keys` can be reached by it."""
    return _expand(_mac(b"deid-node", secret), b"node " + purpose.encode("utf-8"))


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)


def _expand(master: bytes, purpose: bytes) -> bytes:
    """Return one 32-byte block of HKDF-Expand."""
    return _mac(master, b"deid-node v1 " + purpose + b"\x01")

"""Codes in place of UIDs, so that the ledger can tell instances and transactions again without holding their UIDs.

The key lies in the spool and is worth nothing outside of it: pseudonyms have another one. Roles that receive make the
codes; all others only compare them. Lost, it makes what came before unknown to senders that ask about it.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.errors import Misconfigured
from node.key import create_key, load_key

KEY_FILE = "commitment.key"

_CODE_BYTES = 16


def open_codes(spool: Path) -> Codes:
    """Read the key of a spool; the first who asks makes it.

    Raises
    ------
    Misconfigured
        if it cannot be made or read, or others may read it
    """
    path = spool / KEY_FILE
    if not path.exists():
        with suppress(Misconfigured):  # somebody else was faster; any other trouble is said by what follows
            create_key(path)
    return Codes(load_key(path))


def reference_code(transaction_uid: str, sop_instance_uid: str) -> str:
    """Return the code of an instance within a transaction of our own: its UID is a secret of two."""
    return _code(transaction_uid.encode("ascii"), sop_instance_uid)


@dataclass(frozen=True, slots=True, repr=False)
class Codes:
    """Makes codes under the key of one spool."""

    key: bytes

    def instance(self, project: str, sop_instance_uid: str) -> str:
        """Return the code of an instance as its sender calls it; another one in each project."""
        return _code(self.key, "instance", project, sop_instance_uid)

    def transaction(self, calling_ae: str, transaction_uid: str) -> str:
        """Return the code of a sender's transaction."""
        return _code(self.key, "transaction", calling_ae, transaction_uid)


def _code(key: bytes, *parts: str) -> str:
    message = "\0".join(parts).encode("latin-1", "replace")
    return hmac.new(key, message, hashlib.sha256).digest()[:_CODE_BYTES].hex()

"""The credential of a DICOMweb server: one line in a file of its own, never in the configuration.

    user:password          sent as Basic (RFC 7617)
    Bearer eyJhbGciOi…     sent as it stands, as is any other scheme with what follows it (RFC 9110 Section 11.4)

It is read anew for each connection, so that a token can be replaced while the node runs.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from typing import TYPE_CHECKING

from node.credentials import credentials_folder
from node.errors import Misconfigured
from node.modes import PRIVATE, mode_in

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 16 << 10
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]* +[\x21-\x7e][\x20-\x7e]*")
_PAIR = re.compile(r"[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]*")


def authorization(path: Path) -> str:
    """Return the value of the header ``Authorization``.

    Raises
    ------
    Misconfigured
        if the file is missing, can be read by others, or holds no credential; never with what it holds
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"authorization {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"authorization {path}: is not UTF-8") from None
    if mode & _OTHERS & ~_allowed(path):
        raise Misconfigured(f"authorization {path}: others may read it; run `chmod 600 {path}`")
    if _SCHEME.fullmatch(text):
        return text
    if _PAIR.fullmatch(text):
        return f"Basic {base64.b64encode(text.encode()).decode('ascii')}"
    raise Misconfigured(f"authorization {path}: must be one line, `user:password` or `Bearer TOKEN`")


def _allowed(path: Path) -> int:
    """Say what more than its owner may do with it, as for the key (node.key)."""
    is_credential = path.parent == credentials_folder()
    return stat.S_IRGRP if is_credential or mode_in(path.parent) != PRIVATE else 0

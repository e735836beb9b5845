"""Secrets that a service manager hands to one service alone: ``$CREDENTIALS_DIRECTORY/NAME`` in the configuration.

systemd (LoadCredential=, LoadCredentialEncrypted=) puts them into a folder in memory that only this service sees, and
names it in the environment. Each role is given its own: to the others, a path there leads nowhere, and that counts only
once they use it.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CREDENTIALS_DIRECTORY"

_PREFIX = f"${VARIABLE}/"


def credentials_folder() -> Path | None:
    """Give the folder of this process's credentials; None if it was given none."""
    folder = os.environ.get(VARIABLE, "")
    return Path(folder) if folder else None


def credential(text: str) -> Path | None:
    """Give the path of a credential, if the configuration names one; as it is written, where there is none."""
    if not text.startswith(_PREFIX):
        return None
    return (credentials_folder() or Path(f"${VARIABLE}")) / text.removeprefix(_PREFIX)


def is_credential(path: Path) -> bool:
    """Say whether a path of the configuration leads to a credential, be it given to this process or not."""
    return path.is_relative_to(credentials_folder() or f"${VARIABLE}")

"""Who may use the files of a spool: the user that the node runs as, or roles of several users that share its folders.

A folder is shared where it says so: its group may enter it, and what is made in it gets its group (set-group-ID bit).
The node never makes such a folder; tmpfiles.d makes them where roles are units with users of their own. What the node
writes into a folder that is not shared is its own user's alone, whatever the group may do there.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE, GROUP_READS, GROUP_WRITES = 0o600, 0o640, 0o660


def mode_in(folder: Path | str) -> int:
    """Say with what mode a file is kept in a folder, if all but its writer only read it.

    Raises
    ------
    OSError
        if the folder isn't there
    """
    return GROUP_READS if _shared(folder, stat.S_IXGRP) else PRIVATE


def mode_of_database_in(folder: Path | str) -> int:
    """Say with what mode a database is kept in a folder: who shares it has to write.

    Raises
    ------
    OSError
        if the folder isn't there
    """
    return GROUP_WRITES if _shared(folder, stat.S_IXGRP | stat.S_IWGRP) else PRIVATE


def _shared(folder: Path | str, bits: int) -> bool:
    mode = os.stat(folder).st_mode  # noqa: PTH116  a path as an object would cost more than the call
    wanted = stat.S_ISGID | bits
    return mode & wanted == wanted

"""Which start of the machine this is: what was written without fsync since then is in the page cache or on the disk."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

VARIABLE = "DEID_NODE_BOOT_ID"
"""Names this start for all roles alike (``%b`` in a unit of systemd): what each sees of /proc may differ."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot_id() -> str:
    """Return what the kernel names this start by; empty where it doesn't (then nothing may go without fsync)."""
    if named := os.environ.get(VARIABLE):
        return named
    try:
        return _BOOT_ID.read_text("ascii").strip().replace("-", "")
    except (OSError, ValueError):
        return ""

"""Which start of the machine this is: what was written without fsync since then is in the page cache or on the disk."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot_id() -> str:
    """Return what the kernel names this start by; empty where it doesn't (then nothing may go without fsync)."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""

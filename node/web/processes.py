"""What the roles' processes take of the machine, as far as /proc shows it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.presence import RoleState

_PROC = Path("/proc")
_PPID, _UTIME, _STIME, _RSS = 1, 11, 12, 21  # after the name, from 0: proc(5)


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a role's processes and their children; seconds of CPU, bytes of memory."""

    cpu_s: float = 0.0
    resident_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    usage: Usage


def usage_of(roles: Iterable[RoleState]) -> dict[str, Usage]:
    """Say what each role takes, several processes of one role together; nothing of roles that are not seen."""
    processes = _processes()
    found: dict[str, Usage] = {}
    for role in roles:
        if role.pid in processes:
            own = [each.usage for pid, each in processes.items() if _belongs(pid, role.pid, processes)]
            before = found.get(role.name, Usage())
            found[role.name] = Usage(
                before.cpu_s + sum(each.cpu_s for each in own),
                before.resident_bytes + sum(each.resident_bytes for each in own),
            )
    return found


def _belongs(pid: int, to: int, processes: dict[int, _Process]) -> bool:
    while pid in processes:
        if pid == to:
            return True
        pid = processes[pid].parent
    return False


def _processes() -> dict[int, _Process]:
    found = {}
    with suppress(OSError):
        for name in os.listdir(_PROC):  # noqa: PTH208  names are all that is needed
            if name.isdecimal():
                with suppress(OSError, ValueError, IndexError):
                    found[int(name)] = _process(name)
    return found


def _process(name: str) -> _Process:
    words = (_PROC / name / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    ticks = int(words[_UTIME]) + int(words[_STIME])
    usage = Usage(ticks / os.sysconf("SC_CLK_TCK"), int(words[_RSS]) * os.sysconf("SC_PAGE_SIZE"))
    return _Process(int(words[_PPID]), usage)

"""What the processes that read instances are kept from: they decode and look, and need nothing else of the machine.

A codec or a network that an instance takes over finds no network, no other program, no other process and no way to
more rights. What the kernel refuses to take away is named, so that nobody relies on it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from node.log import Event, emit
from node.seccomp import confine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNET = 0x40000000

_OPEN_FILES = 1024


class Protection(StrEnum):
    """What a process is kept from."""

    CORE_FILES = "core-files"
    """memory on a disk after a crash"""

    OPEN_FILES = "open-files"
    FILE_SIZE = "file-size"
    """files beyond what it was given and can hold"""

    NEW_PRIVILEGES = "new-privileges"
    """more rights, by set-user-ID programs"""

    TRACING = "tracing"
    """its memory read by another process of the same user"""

    SYSTEM_CALLS = "system-calls"
    """the network, programs, other processes, memory that is written and run: `node.seccomp`"""


def isolate(file_limit_bytes: int = 0) -> tuple[Protection, ...]:
    """Give up in this process, for good, what reading instances does not need.

    Parameters
    ----------
    file_limit_bytes
        that a file which it writes can have at most, 0 for no limit

    Returns
    -------
    what the kernel refused to take away
    """
    steps: tuple[tuple[Protection, Callable[[], None]], ...] = (
        (Protection.CORE_FILES, lambda: _limit(resource.RLIMIT_CORE, 0)),
        (Protection.OPEN_FILES, lambda: _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)),
        (Protection.FILE_SIZE, lambda: _limit(resource.RLIMIT_FSIZE, file_limit_bytes or resource.RLIM_INFINITY)),
        (Protection.NEW_PRIVILEGES, lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        (Protection.TRACING, lambda: _prctl(_PR_SET_DUMPABLE, 0)),
        (Protection.SYSTEM_CALLS, confine),
    )
    _leave_network()
    _missing.clear()
    for protection, take in steps:
        try:
            take()
        except (OSError, ValueError):
            _missing.append(protection)
    return tuple(_missing)


_missing: list[Protection] = []


def missing() -> tuple[Protection, ...]:
    """Say what this process is not kept from, though it called `isolate`."""
    return tuple(_missing)


def _leave_network() -> None:
    """Go where there is no interface at all, where that is allowed (root); the filter does not depend on it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).unshare(_CLONE_NEWNET)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY and (most == resource.RLIM_INFINITY or most > hard):
        most = hard
    resource.setrlimit(what, (most, most))


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        raise OSError
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


_said: set[Protection] = set()


def say_missing(protections: Iterable[Protection]) -> None:
    """Log what a worker process is not kept from; once, as it will be the same with the next one."""
    for protection in protections:
        if protection not in _said:
            _said.add(protection)
            emit(Event.PROTECTION_MISSING, protection=protection)

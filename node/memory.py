"""How a process that serves for years keeps its memory small."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8  # malloc.h of glibc
_ARENAS = 2


def settle() -> None:
    """Call it once, when all is loaded and before many threads are started.

    What the program is made of is no garbage: never looked through again, it doesn't put off the collection of what
    associations leave. And glibc would give each of many short threads an arena of its own, and keep what each has
    freed: two are enough for threads that take turns.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    gc.collect()
    gc.freeze()

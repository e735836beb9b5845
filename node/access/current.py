"""What is made of files, as they are now: a changed file counts at the next use, a broken one not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from node.errors import Misconfigured
from node.log import Event, Name, emit

T = TypeVar("T")

_Signature = tuple[tuple[int, ...] | None, ...]


class Current(Generic[T]):
    """One thing made of one or more files; any thread may ask for it.

    Parameters
    ----------
    what
        to call it in the log
    make
        reads the files

    Raises
    ------
    Misconfigured
        by `make`, if they are broken from the beginning
    """

    def __init__(self, what: str, files: tuple[Path, ...], make: Callable[[], T]) -> None:
        self._what = Name(what)
        self._files = files
        self._make = make
        self._lock = threading.Lock()
        self._seen = self._signature()  # before they are read: what changes meanwhile is read again
        self._made = make()

    def get(self) -> T:
        """Return what the files say, or what they said before they were broken."""
        with self._lock:
            seen = self._signature()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._made = self._make()
                except Misconfigured:
                    emit(Event.FILES_REJECTED, what=self._what)
                else:
                    emit(Event.FILES_RELOADED, what=self._what)
            return self._made

    def _signature(self) -> _Signature:
        return tuple(_state(file) for file in self._files)


def _state(file: Path) -> tuple[int, ...] | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns

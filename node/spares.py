"""Empty files that are written again, instead of deleting one and creating another for each instance.

Creating files by the hundred a second is dear where as many are deleted: ext4 gives no inode anew that was deleted in
the last minutes, and looks through all of them first (`recently_deleted`), which costs more than to write the file.

A spare holds nothing. It is taken with the lock of a writer (`node.part`), and given only by who gets that lock, so
that nobody who reads a file (`open_whole`) ever sees it emptied, or another instance in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPARE = "spare"
LARGEST_BYTES = 768 << 10
"""Of a file that becomes a spare; larger ones are mapped by their readers, which no lock outlasts."""

_MOST = 1024
_LOOK_AGAIN_S = 0.25
_MOST_MISSES = 8
_LOCK_EVERY_S, _LOCK_TRIES = 0.001, 2000


class Spares:
    """The spares of one folder of a spool; a folder of spares that can't be made or used is as good as an empty one.

    Parameters
    ----------
    folder
        where spares lie, those of several folders
    kind
        which folder's they are: a file keeps the group of the folder that it was made in
    """

    def __init__(self, folder: Path, kind: str) -> None:
        # Names as texts: see `node.part`.
        self._folder, self._prefix = os.fspath(folder), f"{kind}-"
        self._names: list[str] = []
        self._look_at_s = 0.0
        self._room = 0

    # -- taking

    def take(self, path: str) -> int | None:
        """Move a spare to where a part is to be written; return its file descriptor, locked, or None without any."""
        for _ in range(_MOST_MISSES):
            name = self._next()
            if name is None:
                return None
            fd = _taken(f"{self._folder}/{name}", path)
            if fd is not None:
                return fd
        self._names.clear()  # another process was faster with all of them
        return None

    def _next(self) -> str | None:
        if not self._names:
            now_s = time.monotonic()
            if now_s < self._look_at_s:
                return None
            self._look_at_s = now_s + _LOOK_AGAIN_S
            self._names = self._listed()
            random.shuffle(self._names)  # so that processes seldom want the same
        try:
            return self._names.pop()
        except IndexError:  # another thread took the last
            return None

    def _listed(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._folder) if name.startswith(self._prefix)]  # noqa: PTH208
        except OSError:
            return []

    # -- giving

    def look(self) -> None:
        """Look how many more there may be; to be called before some are given."""
        self._room = _MOST - len(self._listed())

    def give(self, path: Path) -> None:
        """Delete a file: as a spare if that is possible.

        Raises
        ------
        OSError
            if it can't be deleted; one that isn't there is
        """
        if self._room <= 0 or not self._given(os.fspath(path)):
            path.unlink(missing_ok=True)

    def _given(self, path: str) -> bool:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            status = os.fstat(fd)
            if status.st_size > LARGEST_BYTES or status.st_nlink != 1 or not stat.S_ISREG(status.st_mode):
                return False
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # No name comes twice: who still means the file that had it before must not find another.
            spare = f"{self._folder}/{self._prefix}{secrets.token_hex(8)}"
            os.rename(path, spare)  # noqa: PTH104
            self._room -= 1
            _empty(fd, spare)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def clear(self) -> None:
        """Delete all: the settings of the folder may be others since, and what was given last may not be empty."""
        for name in self._listed():
            with suppress(OSError):
                os.unlink(f"{self._folder}/{name}")  # noqa: PTH108


def _taken(spare: str, path: str) -> int | None:
    try:
        fd = os.open(spare, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(spare, path)  # noqa: PTH104
        if os.fstat(fd).st_size:  # who gave it died before it was empty
            _empty(fd, path)
    except OSError:
        os.close(fd)
        return None
    return fd


def _empty(fd: int, path: str) -> None:
    """Empty a file; what can't be emptied has to go, as it holds an instance."""
    try:
        os.ftruncate(fd, 0)
    except OSError:
        os.unlink(path)  # noqa: PTH108
        raise


@contextmanager
def open_whole(path: Path) -> Iterator[int]:
    """Open a file of the spool to read; while it is open, nobody makes a spare of it.

    Raises
    ------
    FileNotFoundError
        if it isn't there, or is going
    OSError
        if it can't be opened
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock_to_read(fd, path)
        yield fd
    finally:
        os.close(fd)


def _lock_to_read(fd: int, path: Path) -> None:
    """Get a reader's lock; who holds a writer's one here has just named the file, or is about to take its name away."""
    for _ in range(_LOCK_TRIES):
        try:
            is_locked = True
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            is_locked = False
        except OSError:
            pass  # a file system without locks: there nobody makes spares, either
        here, there = os.fstat(fd), os.stat(path)  # noqa: PTH116
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if is_locked:
            return
        time.sleep(_LOCK_EVERY_S)
    raise BlockingIOError(errno.EAGAIN, "another process holds a lock on it", str(path))

"""A file that is being written: nobody sees it under its name until it is complete and on the disk.

Written as ``<job>.<pid>-<random>.part``, fsynced, renamed, and the folder fsynced. Its writer holds a lock on it, so a
part that nobody locks was left by somebody who died.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import itertools
import os
import secrets
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from node.errors import NoRoom, Transient
from node.modes import PRIVATE, mode_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from deid.encoding.element import Buffer
    from node.spares import Spares

PART_SUFFIX = ".part"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOOK_EVERY_BYTES = 64 << 20
_MOST_BUFFERS = 512  # of one writev; Linux takes 1024


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say a full disk as NoRoom, any other trouble of the disk as Transient."""
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown")
        if error.errno in _NO_ROOM:
            raise NoRoom(f"spool: no room ({name})") from None
        raise Transient(f"spool: the disk fails ({name})") from None


class PartFile:
    """A file on its way; as a context manager it is discarded unless it was committed.

    Parameters
    ----------
    path
        that it will have
    check_room
        raises NoRoom; asked before the first byte and now and then
    spares
        of which one may become it

    Raises
    ------
    NoRoom, Transient
        if it can't be begun
    """

    def __init__(self, path: Path, check_room: Callable[[], None], spares: Spares | None = None) -> None:
        self.size_bytes = 0
        # Names as texts: a hundred times a second, paths as objects would cost more than the calls they are for.
        self._final = os.fspath(path)
        self._part = f"{os.path.splitext(self._final)[0]}.{os.getpid()}-{secrets.token_hex(4)}{PART_SUFFIX}"  # noqa: PTH122
        self._check_room = check_room
        self._look_at_bytes = _LOOK_EVERY_BYTES
        check_room()
        with disk_errors():
            self._fd = _open_locked(self._part, spares)

    def write(self, *buffers: Buffer) -> None:
        """Append.

        Raises
        ------
        NoRoom
            if the file system has too little room; the file is discarded
        Transient
            if the disk fails; likewise
        """
        try:
            for start in range(0, len(buffers), _MOST_BUFFERS):
                self._write_some(buffers[start : start + _MOST_BUFFERS])
            if self.size_bytes >= self._look_at_bytes:
                self._look_at_bytes = self.size_bytes + _LOOK_EVERY_BYTES
                self._check_room()
        except BaseException:
            self.discard()
            raise

    def _write_some(self, buffers: Sequence[Buffer]) -> None:
        total = sum(buffer.nbytes if isinstance(buffer, memoryview) else len(buffer) for buffer in buffers)
        with disk_errors():
            done = os.writev(self._fd, buffers)
            if done < total:  # a nearly full disk, or more than Linux writes at once (2 GiB)
                self._write_rest(buffers, done)
        self.size_bytes += total

    def _write_rest(self, buffers: Sequence[Buffer], done: int) -> None:
        """Write what comes after the first `done` bytes; none of it is copied, as it may be larger than the memory."""
        for buffer in buffers:
            view = memoryview(buffer).cast("B")
            rest = view[min(done, len(view)) :]
            done = max(done - len(view), 0)
            write_all(self._fd, rest)

    def commit(self, *, durable: bool = True) -> int:
        """Make it visible, and durable unless it can be made anew; return its size in bytes.

        Raises
        ------
        NoRoom, Transient
            if that can't be promised; the file is discarded
        """
        try:
            with disk_errors():
                mode = mode_in(os.path.dirname(self._final))  # noqa: PTH120
                if mode != PRIVATE:
                    os.fchmod(self._fd, mode)
                if durable:
                    os.fsync(self._fd)
                os.rename(self._part, self._final)  # noqa: PTH104
        except BaseException:
            self.discard()
            raise
        os.close(self._fd)
        self._fd = -1
        if not durable:
            return self.size_bytes
        try:
            with disk_errors():
                sync_folder(os.path.dirname(self._final))  # noqa: PTH120
        except BaseException:
            with suppress(OSError):
                os.unlink(self._final)  # noqa: PTH108
            raise
        return self.size_bytes

    def discard(self) -> None:
        """Leave nothing; does nothing after `commit`."""
        if self._fd < 0:
            return
        with suppress(OSError):
            os.unlink(self._part)  # noqa: PTH108
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def write_all(fd: int, data: Buffer) -> None:
    """Write all of it, or raise an OSError: a disk that is getting full takes a part of what one call gives it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _open_locked(path: str, spares: Spares | None) -> int:
    """Make a part of a spare, or create it; where the sweeper caught it before it was locked, create it again."""
    spare = spares.take(path) if spares is not None else None
    if spare is not None:
        return spare
    while True:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)


def sweep_part(path: Path) -> bool:
    """Delete a part if its writer has died; say whether it had."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():
            return False  # committed or discarded in between: what the lock is on has another name, or none
        path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(fd)
    return True


def sync_folder(path: str | Path) -> None:
    """Make what was created, renamed or deleted in a folder durable.

    Threads that ask for the same folder at once share one fsync: whoever asked before it began is served by it.
    """
    _syncing(os.fspath(path)).sync()


class _Syncing:
    """The fsyncs of one folder by the threads of this process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._asked = itertools.count(1)  # one call, which no other thread can cut in two
        self._last_asked = 0
        self._served = 0

    def sync(self) -> None:
        mine = self._last_asked = next(self._asked)
        with self._turn:
            if self._served >= mine:
                return
            upto = self._last_asked
            fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            self._served = upto


@functools.lru_cache(maxsize=64)
def _syncing(path: str) -> _Syncing:
    return _Syncing(path)

"""A way into a folder: each instance becomes a file under a name that its layout gives, whole, durable, and for good.

Written under another name in a folder of its own, fsynced, linked to where it belongs, and the folders fsynced. What is
there already under that name is never replaced: the same content counts as stored, other content as a duplicate (0111),
for a person.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from deid.elements.file_meta import part10_header
from deid.elements.pseudonyms import value_text
from deid.encoding.reader import read_data_set
from node.destinations.layout import Layout
from node.errors import Unreachable
from node.modes import PRIVATE, mode_in
from node.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from deid.encoding.element import Buffer
    from node.destinations.settings import FolderDestination
    from node.scu import Outgoing

PARTS: Final = ".deid-node"
"""The folder of files that are being written, below the destination's."""

_OLD_PART_S: Final = 86_400.0
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_COMPARE_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 20
_PRIVATE_FOLDER, _SHARED_FOLDER = 0o700, 0o750


class FolderOutlet:
    """Instances go in, statuses come out. One thread uses it; any thread may `interrupt` it."""

    def __init__(self, destination: FolderDestination) -> None:
        self.destination = destination
        self._layout = Layout(destination.layout)
        self._is_interrupted = False
        self._works = False

    @property
    def is_open(self) -> bool:
        """Whether the last instance could be written; may be asked from any thread."""
        return self._works

    def expect(self, sop_class_uid: str, transfer_syntax: str) -> None:
        """Nothing is negotiated."""

    def send(self, outgoing: Outgoing) -> int:
        """Write an instance; return 0000, or why it is not stored (0111: other content is there, A700: no room).

        Raises
        ------
        Unreachable
            if the folder is not there or cannot be written
        deid.errors.Refused
            if the data set cannot be read
        """
        self._works = False
        root = self._root()
        path = root.joinpath(self._layout.path(_values_of(outgoing)))
        header = part10_header(outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax)
        buffers = (header, *outgoing.data_set)
        try:
            status = self._stored(root, path, buffers)
        except OSError as error:
            if error.errno in _FULL:
                return Status.OUT_OF_RESOURCES
            raise _away(root, error) from None
        self._works = True
        return status

    def echo(self) -> int:
        """Write an empty file and remove it; return 0, raises as `send` does."""
        root = self._root()
        try:
            part = _new_part(root)
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
            part.unlink()
        except OSError as error:
            raise _away(root, error) from None
        return 0

    def release_if_idle(self) -> None:
        """Nothing is held open."""

    def close(self) -> None:
        """Nothing is held open."""

    def interrupt(self) -> None:
        """Break off a `send` in another thread at its next piece."""
        self._is_interrupted = True

    def _root(self) -> Path:
        root = self.destination.path
        try:
            is_there = root.is_dir()
        except OSError as error:  # of a network file system whose server is away
            raise _away(root, error) from None
        if not is_there:
            raise Unreachable(f"{root}: there is no such folder, or it is not mounted")
        return root

    def _stored(self, root: Path, path: Path, buffers: tuple[Buffer, ...]) -> int:
        if path.exists():
            return self._beside(path, buffers)
        _make_folders(root, path.parent)
        part = _new_part(root)
        try:
            self._write(part, buffers, mode_in(path.parent))
            if not _put(part, path):
                return self._beside(path, buffers)
        finally:
            part.unlink(missing_ok=True)
        for folder in [path.parent, *path.parent.parents]:
            _sync(folder)
            if folder == root:
                break
        return Status.SUCCESS

    @staticmethod
    def _beside(path: Path, buffers: tuple[Buffer, ...]) -> int:
        if not _is_same(path, buffers):
            return Status.DUPLICATE_INSTANCE
        _sync(path)  # who wrote it may not have come so far
        _sync(path.parent)
        return Status.SUCCESS

    def _write(self, part: Path, buffers: Iterable[Buffer], mode: int) -> None:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        try:
            for buffer in buffers:
                view = memoryview(buffer)
                while view:
                    if self._is_interrupted:
                        raise OSError(errno.EINTR, "broken off")
                    view = view[os.write(fd, view[:_PIECE_BYTES]) :]
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)


def _away(root: Path, error: OSError) -> Unreachable:
    return Unreachable(f"{root}: {error.strerror or type(error).__name__}")


def sweep(folder: Path) -> int:
    """Remove what a forwarder that died had begun to write long ago; return how many files that were."""
    swept = 0
    before_s = time.time() - _OLD_PART_S
    with contextlib.suppress(OSError):
        for path in (folder / PARTS).iterdir():
            if path.stat().st_mtime < before_s:
                path.unlink()
                swept += 1
    return swept


def _values_of(outgoing: Outgoing) -> Callable[[int], str]:
    """Return what gives the text of an attribute; a big data set is one mapping, which stays one."""
    data = outgoing.data_set[0] if len(outgoing.data_set) == 1 else b"".join(outgoing.data_set)
    return partial(value_text, read_data_set(data, outgoing.transfer_syntax))


def _new_part(root: Path) -> Path:
    folder = root / PARTS
    with contextlib.suppress(FileExistsError):
        folder.mkdir(_PRIVATE_FOLDER)
    return folder / f"{secrets.token_hex(8)}.part"


def _make_folders(root: Path, folder: Path) -> None:
    """Make a folder and those above it up to the root, which has to be there: what is not mounted is not filled."""
    if folder == root or folder.is_dir():
        return
    _make_folders(root, folder.parent)
    # what is made in a folder that is shared is so too (set-group-ID); the umask may take more away
    mode = _SHARED_FOLDER if folder.parent.stat().st_mode & stat.S_ISGID else _PRIVATE_FOLDER
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode)


_put_lock = threading.Lock()


def _put(part: Path, path: Path) -> bool:
    """Give a complete file its name; False if that is taken.

    A link fails where there is a file. File systems without links are asked first: there only this process is safe
    from itself, so that such a folder is for one node.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return True
    with _put_lock:
        if path.exists():
            return False
        part.rename(path)
        return True


def _is_same(path: Path, buffers: tuple[Buffer, ...]) -> bool:
    """Say whether a file holds just these bytes."""
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != sum(map(len, buffers)):
            return False
        for buffer in buffers:
            view = memoryview(buffer)
            while view:
                piece = file.read(min(len(view), _COMPARE_BYTES))
                if not piece or view[: len(piece)] != piece:
                    return False
                view = view[len(piece) :]
    return True


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a folder of a network file system that knows no such thing
            raise
    finally:
        os.close(fd)

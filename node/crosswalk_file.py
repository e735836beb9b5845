"""A crosswalk's file, watched: a new version is taken over as a whole; a broken one leaves the old one in force."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TypeAlias

from node.crosswalk import Crosswalk, parse
from node.identity_settings import IdentitySettings
from node.sheet import LARGEST_FILE_BYTES, Flawed, Problem, Wrong

_LOOK_EVERY_S = 1.0
_QUIET_S = 0.5

Version: TypeAlias = "tuple[int, int, int, int] | None"


class CrosswalkFile:
    """The crosswalk as it is now.

    Parameters
    ----------
    settings
        with a file
    lenient
        whether a file that can't be used now is as good as an empty one; else it is an error

    Raises
    ------
    Flawed
        If it can't be used, unless `lenient`.

    Attributes
    ----------
    flaw
        why the newest version is not in force; None if it is

    Notes
    -----
    Looks at size, times and inode. A file that was written to less than half a second ago is left alone: whoever writes
    it may not be done. Better still, write another file and rename it.
    """

    def __init__(self, settings: IdentitySettings, *, lenient: bool = False) -> None:
        if settings.file is None:
            raise ValueError("a crosswalk needs a file")
        self._settings = settings
        self._path: Path = settings.file
        self._seen: Version = None
        self._look_at_s = 0.0
        self._now = Crosswalk(tell_issuers_apart=settings.tell_issuers_apart)
        self.flaw: Flawed | None = None
        self._begin(lenient=lenient)

    @property
    def rows(self) -> int:
        """How many there are in force."""
        return len(self._now.by_key)

    def current(self) -> Crosswalk:
        """Return the version in force; looks for a new one at most once a second."""
        if time.monotonic() >= self._look_at_s:
            self.look()
        return self._now

    def look(self) -> bool:
        """Look at once for a new version, and take it over if it is sound; say whether there was one, sound or not."""
        self._look_at_s = time.monotonic() + _LOOK_EVERY_S
        version = _version(self._path)
        if version == self._seen or _is_being_written(version):
            return False
        return self._take(version)

    def _begin(self, *, lenient: bool) -> None:
        give_up_at_s = time.monotonic() + 4 * _QUIET_S
        while _is_being_written(_version(self._path)) and time.monotonic() < give_up_at_s:
            time.sleep(_QUIET_S / 10)
        self._look_at_s = time.monotonic() + _LOOK_EVERY_S
        version = _version(self._path)
        while not self._take(version):  # it was changed while it was read
            version = _version(self._path)
            if time.monotonic() > give_up_at_s:
                self.flaw = Flawed(str(self._path), Wrong(Problem.UNREADABLE).flaw)
                break
        if self.flaw is not None and not lenient:
            raise self.flaw

    def _take(self, version: Version) -> bool:
        """Read the file; False if it is no longer the version that was seen."""
        crosswalk = None
        flaw = None
        try:
            crosswalk = parse(self._read(), self._path.suffix, self._settings)
        except Wrong as wrong:
            flaw = Flawed(str(self._path), wrong.flaw, wrong.name)
        if _version(self._path) != version:
            return False
        self._seen, self.flaw = version, flaw
        if crosswalk is not None:
            self._now = crosswalk
        return True

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                data = file.read(LARGEST_FILE_BYTES + 1)
        except FileNotFoundError:
            raise Wrong(Problem.MISSING) from None
        except OSError:
            raise Wrong(Problem.UNREADABLE) from None
        if len(data) > LARGEST_FILE_BYTES:
            raise Wrong(Problem.TOO_LARGE)
        return data


def _version(path: Path) -> Version:
    """Return what changes whenever the file does; None if it isn't there."""
    try:
        status = os.stat(path)  # noqa: PTH116  as Path.stat, without its overhead
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _is_being_written(version: Version) -> bool:
    return version is not None and 0 <= time.time() - version[0] / 1e9 < _QUIET_S

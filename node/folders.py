"""Files of an archive on disk."""

from __future__ import annotations

import os
from pathlib import Path

from node.errors import Misconfigured

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP Class of a DICOMDIR: an index of instances (PS3.10 Section 8), not an instance."""


def files_below(source: Path) -> list[Path]:
    """Return `source` itself or all regular files below it, in a stable order; links to folders are not followed.

    Raises
    ------
    Misconfigured
        There is no such file or folder, or a folder cannot be read.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise Misconfigured(f"there is no file or folder {source}; name one that is there")
    found: list[Path] = []
    for folder, folders, names in os.walk(source, onerror=_unreadable):
        folders.sort()
        found.extend(path for path in (Path(folder, name) for name in sorted(names)) if path.is_file())
    return found


def check_file(path: Path) -> None:
    """Make sure that a path leads to a file.

    Raises
    ------
    Misconfigured
        It leads nowhere, or to a folder.
    """
    if path.is_dir():
        raise Misconfigured(f"{path} is a folder; name a file")
    if not path.exists():
        raise Misconfigured(f"there is no file {path}; name one that is there")


def _unreadable(error: OSError) -> None:
    # What cannot be listed would be missing from the result without a word.
    raise Misconfigured(f"folder {error.filename} cannot be read ({error.strerror})") from None

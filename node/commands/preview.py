"""`preview`: what would be masked in one frame of a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from deid.errors import Refused
from node import log
from node.commands.exits import Exit
from node.commands.explain import mask_lines
from node.commands.offline import recipe
from node.offline import read_mapped
from node.preview import preview as drawn
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path


def preview(arguments: Namespace) -> int:
    """Write the picture, and say what is masked and why.

    Raises
    ------
    Misconfigured
        Profile, key or a model are wrong, the profile doesn't have pixels cleaned, or there is no such frame.
    OSError
        The file cannot be read, or the picture not be written.
    """
    log.silence_libraries()
    context = recipe(load_settings(arguments.config), arguments.profile).context()
    try:
        found = drawn(read_mapped(arguments.file), context, arguments.frame)
    except Refused as refused:
        sys.stdout.write(f"refused\t{refused}\n")
        return Exit.FAILED
    _write(arguments.out, found.png())
    for line in mask_lines(found.report, found.masked):
        sys.stdout.write(f"{line}\n")
    return Exit.OK


def _write(path: Path, content: bytes) -> None:
    """Write what shows a patient so that nobody else can read it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        file.write(content)

"""`preview`: what would be masked in one frame of a file, or what becomes of the heads of a folder."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from deid.errors import Refused
from node import log
from node.commands.exits import Exit
from node.commands.explain import mask_lines
from node.commands.offline import recipe
from node.errors import Misconfigured
from node.face_preview import face_previews
from node.folders import check_file
from node.offline import read_mapped
from node.preview import preview as drawn
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from deid.context import Context


def preview(arguments: Namespace) -> int:
    """Write the picture, and say what is masked and why; or pictures of heads, and what is done to them.

    Raises
    ------
    Misconfigured
        Profile, key or a model are wrong, the profile doesn't have pixels cleaned, or there is no such frame.
    OSError
        The file cannot be read, or the picture not be written.
    """
    log.silence_libraries()
    settings = load_settings(arguments.config)
    if not arguments.face:
        check_file(arguments.file)
    context = recipe(settings, arguments.profile).context()
    if arguments.face:
        return _faces(arguments, context)
    try:
        found = drawn(read_mapped(arguments.file), context, arguments.frame)
    except Refused as refused:
        sys.stdout.write(f"refused\t{refused}\n")
        return Exit.FAILED
    _write(arguments.out, found.png())
    for line in mask_lines(found.report, found.masked):
        sys.stdout.write(f"{line}\n")
    return Exit.OK


def _faces(arguments: Namespace, context: Context) -> int:
    """Write pictures of each series that could show a face, and say what is done to it."""
    if not arguments.file.is_dir():
        raise Misconfigured("--face needs the folder of a series")
    arguments.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    code, count = Exit.OK, 0
    for found in face_previews(arguments.file, context):
        count += 1
        for name, content in found.pngs():
            _write(arguments.out / name, content)
        said = f"refused\t{found.refused}" if found.kind is None else found.kind
        sys.stdout.write(f"{found.series_code[:12]}\t{found.instances} instances\t{said}\n")
        code = Exit.FAILED if found.kind is None else code
    if not count:
        sys.stdout.write("no series that could show a face\n")
    return code


def _write(path: Path, content: bytes) -> None:
    """Write what shows a patient so that nobody else can read it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        file.write(content)

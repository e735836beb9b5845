"""`profile import`: what another tool is configured with, as a profile or a region file."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import Misconfigured as DeidMisconfigured
from deid.pixels.template import load_region_files
from deid.profile import load_profile
from node.commands.exits import Exit
from node.errors import Misconfigured
from node.importing.ctp_profile import import_ctp_script
from node.importing.ctp_script import read_ctp_script
from node.importing.outcome import Imported, coverage, remark_lines
from node.importing.regions import import_ctp_regions, import_recipe

if TYPE_CHECKING:
    from argparse import Namespace

_SECTION = re.compile(r"\{[^{}]*\}\s*\([^()]*\)")
_LINES = re.compile(r"^#?(?:set|param|keep|remove)\.", re.MULTILINE)
_MOST_BYTES = 16 << 20


def imported(arguments: Namespace) -> int:
    """Write the profile or region file, and say what of the source is in it.

    Raises
    ------
    Misconfigured
        The source can't be read or is nothing known, or OUT is there already.
    """
    source, out = arguments.file, arguments.out
    if out.exists():
        raise Misconfigured(f"{out} is there already; move it away first, or choose another name")
    found, is_profile = _imported(_text(source), source, out)
    _write(out, found.toml, is_profile=is_profile)
    _print(f"{source} is {found.kind}", *found.summary)
    _print("", "Coverage", *coverage(found.uses))
    if found.remarks:
        _print("", "What is not as it was, and what is done instead", *remark_lines(found.remarks))
    following = f"deid-node profile show {out}" if is_profile else f'[pixels] regions = ["shipped", "{out.name}"]'
    _print("", f"wrote {out}; next: {following if is_profile else f'name it in your profile, {following}'}")
    return Exit.OK


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}); name the script's file") from None
    if len(raw) > _MOST_BYTES or b"\0" in raw:
        raise Misconfigured(f"{path} is no text; name a script of CTP or a recipe of pydicom/deid")
    return raw.decode("utf-8", "replace")


def _imported(text: str, source: Path, out: Path) -> tuple[Imported, bool]:
    """Tell by its content what a file is; and whether it became a profile."""
    begins = text.lstrip("\ufeff \t\r\n")
    if begins.startswith("<") or (_LINES.search(text) and not _SECTION.search(text)):
        return import_ctp_script(read_ctp_script(text, str(source)), out.stem, source.name), True
    if begins.upper().startswith("FORMAT"):
        return import_recipe(text, source.name), False
    if _SECTION.search(text):
        return import_ctp_regions(text, source.name), False
    raise Misconfigured(
        f"{source} is nothing that is known; known are scripts of CTP's DICOM anonymizer and pixel anonymizer, and "
        "recipes of pydicom/deid"
    )


def _write(out: Path, toml: str, *, is_profile: bool) -> None:
    """Write the file and read it as the node will; one that can't be read is taken away again."""
    if out.suffix != ".toml":
        raise Misconfigured(f"{out} must end in .toml: that is how a profile is told from a name")
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(toml)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Misconfigured(f"{out} cannot be written ({error.strerror})") from None
    try:
        if is_profile:
            load_profile(out)
        else:
            load_region_files([out])
    except DeidMisconfigured:
        out.unlink()
        raise


def _print(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)

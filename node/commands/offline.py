"""`clean` and `explain`: the library on files, without any network."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import Refused
from node import log
from node.commands.exits import Exit
from node.explain import Row, rows
from node.offline import Disposition, Fate, Recipe, clean_all, plan, read_mapped
from node.pool import WorkerPool
from node.progress import Progress
from node.service import secure_key
from node.settings import Settings, load_settings, profile_path

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

_LISTED = (Fate.REFUSED, Fate.SKIPPED)
_IN_FLIGHT_PER_PROCESS = 4


def clean(arguments: Namespace) -> int:
    """Clean files and folders; list what could not be cleaned.

    Raises
    ------
    Misconfigured
        Profile, key, IN or OUT are wrong.
    NoRoom
        OUT cannot be written any more.
    """
    log.silence_libraries()
    settings = load_settings(arguments.config)
    recipe = _recipe(settings, arguments.profile)
    files = plan(arguments.source, arguments.target)
    jobs = arguments.jobs or settings.work.process_count
    fates = _clean(files, arguments, recipe, jobs, settings.work.memory_limit_bytes)
    done = ", ".join(f"{fates[fate]} {fate}" for fate in Fate if fates[fate]) or "there was no file"
    sys.stdout.write(f"{done}; clean instances are in {arguments.target}\n")
    return Exit.FAILED if fates[Fate.REFUSED] else Exit.OK


def _clean(
    files: list[Path], arguments: Namespace, recipe: Recipe, jobs: int, memory_limit_bytes: int
) -> Counter[Fate]:
    fates: Counter[Fate] = Counter()
    pool = WorkerPool(min(jobs, max(1, len(files))), memory_limit_bytes=memory_limit_bytes)
    dispositions = clean_all(
        files, arguments.source, arguments.target, recipe, pool, in_flight=jobs * _IN_FLIGHT_PER_PROCESS
    )
    # In this order at the end: nobody writes any more, the parts go, the terminal's line is clean.
    with Progress(len(files), "files") as progress, closing(dispositions), _killed(pool):
        for disposition in dispositions:
            fates[disposition.fate] += 1
            if disposition.fate in _LISTED:
                progress.clear()
                sys.stdout.write(f"{_line(disposition)}\n")
            progress.step(fates[Fate.REFUSED] + fates[Fate.SKIPPED])
    return fates


@contextmanager
def _killed(pool: WorkerPool) -> Iterator[None]:
    """End a pool at once: after the last file nothing runs, after an interruption nothing should."""
    try:
        yield
    finally:
        pool.kill()


def _line(disposition: Disposition) -> str:
    why = f"{disposition.reason}: {disposition.detail}" if disposition.detail else disposition.reason
    return f"{disposition.fate}\t{why}\t{disposition.path}"


def explain(arguments: Namespace) -> int:
    """Print what becomes of each element.

    Raises
    ------
    Misconfigured
        Profile or key are wrong.
    """
    log.silence_libraries()
    context = _recipe(load_settings(arguments.config), arguments.profile).context()
    try:
        found = rows(read_mapped(arguments.file), context)
    except Refused as refused:
        sys.stdout.write(f"refused\t{refused}\n")
        return Exit.FAILED
    for row in found:
        sys.stdout.write(f"{_row(row, values=arguments.values)}\n")
    return Exit.OK


def _row(row: Row, *, values: bool) -> str:
    tag = row.path[-1]
    indent = "  " * (len(row.path) - 1)
    where = f"{indent}({tag >> 16:04X},{tag & 0xFFFF:04X})"
    line = f"{where:<19} {row.vr}  {row.action}  {row.effect:<8}  {row.source:<34} {row.keyword}"
    return f"{line}  [{row.before}] -> [{row.after}]" if values else line


def _recipe(settings: Settings, profile: str | None) -> Recipe:
    """Return what to clean with, once it is shown to be right."""
    secure_key(settings, _announce)
    recipe = Recipe(_profile_file(settings, profile), settings.key_file)
    recipe.context()
    return recipe


def _profile_file(settings: Settings, profile: str | None) -> Path:
    project = settings.projects[0]
    return profile_path(project if profile is None else replace(project, profile=profile))


def _announce(line: str) -> None:
    sys.stderr.write(f"deid-node: {line}\n")

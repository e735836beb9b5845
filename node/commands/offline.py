"""`clean`: the library on files, without any network."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from node import log
from node.commands.exits import Exit
from node.commands.profile import profile_file
from node.errors import Misconfigured
from node.offline import Disposition, Fate, Recipe, clean_all, plan
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
    """Clean files and folders; list what could not be cleaned. Or clean the lines of a text file.

    Raises
    ------
    Misconfigured
        Profile, key, a model, IN or OUT are wrong.
    NoRoom
        OUT cannot be written any more.
    """
    given = [each is not None for each in (arguments.source, arguments.target, arguments.text)]
    if given not in ([True, True, False], [False, False, True]):
        raise Misconfigured("clean needs IN and OUT, or --text FILE instead")
    if arguments.text is not None:
        from node.commands.text import lines  # noqa: PLC0415  which imports this module

        return lines(arguments)
    log.silence_libraries()
    if arguments.target.exists() and not arguments.target.is_dir():
        raise Misconfigured(f"OUT {arguments.target} is no folder; choose one, or a name that isn't there yet")
    settings = load_settings(arguments.config)
    how = recipe(settings, arguments.profile, keeps=True)
    files = plan(arguments.source, arguments.target)
    jobs = arguments.jobs or settings.work.process_count
    fates = _clean(files, arguments, how, jobs, settings.work.memory_limit_bytes)
    done = ", ".join(f"{fates[fate]} {fate}" for fate in Fate if fates[fate]) or "there was no file"
    sys.stdout.write(f"{done}; clean instances are in {arguments.target}\n")
    return Exit.FAILED if fates[Fate.REFUSED] else Exit.OK


def _clean(files: list[Path], arguments: Namespace, how: Recipe, jobs: int, memory_limit_bytes: int) -> Counter[Fate]:
    fates: Counter[Fate] = Counter()
    pool = WorkerPool(min(jobs, max(1, len(files))), memory_limit_bytes=memory_limit_bytes)
    dispositions = clean_all(
        files, arguments.source, arguments.target, how, pool, in_flight=jobs * _IN_FLIGHT_PER_PROCESS
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


def recipe(settings: Settings, profile: str | None, *, keeps: bool = False) -> Recipe:
    """Return what to clean with, once it is shown to be right: the first project's, but for the profile.

    Parameters
    ----------
    keeps
        whether what identities are given out may be written down; else such identities are replaced by keyed codes

    Raises
    ------
    Misconfigured
        Profile, key or a model are wrong.
    """
    secure_key(settings, _announce)
    project = settings.projects[0]
    identity = project.identity if keeps else project.identity.unwritten()
    file, models = _profile_file(settings, profile), settings.models.folder
    found = Recipe(file, settings.key_file, identity, project.name, settings.spool.path, models=models)
    found.check()
    return found


def _profile_file(settings: Settings, profile: str | None) -> Path:
    return profile_path(settings.projects[0]) if profile is None else profile_file(profile)


def _announce(line: str) -> None:
    sys.stderr.write(f"deid-node: {line}\n")

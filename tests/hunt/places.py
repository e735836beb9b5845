"""Where a node leaves something: files, names of files, titles and environments of processes, temporary folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LOOK_EVERY_S = 0.2
_PATIENT_DATA = ("incoming/", "quarantine/", "outbox/", "series/", "commitment/")
"""Folders of the spool whose files hold patient data, as the README says; the records of the quarantine do not."""


@dataclass
class Seen:
    """What onlookers saw while the node ran: texts by where they stood."""

    texts: set[tuple[str, bytes]] = field(default_factory=set)
    looks: int = 0


@contextmanager
def onlooker(processes: Callable[[], list[psutil.Process]], temporary: Path) -> Iterator[Seen]:
    """Look again and again at the node's processes and at the temporary folder."""
    seen, stop = Seen(), threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_EVERY_S):
            seen.looks += 1
            for process in processes():
                seen.texts |= set(_of_process(process.pid))
            seen.texts |= {("name of a temporary file", os.fsencode(path)) for path in temporary.rglob("*")}

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _of_process(pid: int) -> Iterator[tuple[str, bytes]]:
    for name in ("cmdline", "comm", "environ"):
        with suppress(OSError):
            yield f"{name} of a process", Path(f"/proc/{pid}/{name}").read_bytes()
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                yield "name of a thread", (thread / "comm").read_bytes()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give all files of a node but those that are said to hold patient data, and the names of all."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield "name of a file", name.encode()
        below_spool = name.removeprefix("spool/")
        holds_patients = below_spool.startswith(_PATIENT_DATA) and not below_spool.endswith(".json")
        if path.is_file() and not holds_patients:
            with suppress(OSError):
                yield f"file {_generic(name)}", path.read_bytes()


def _generic(name: str) -> str:
    """Leave out of a file's name what is another one each time."""
    head, _, tail = name.rpartition("/")
    return f"{head}/*.json" if tail.endswith(".json") and len(tail) > 30 else name

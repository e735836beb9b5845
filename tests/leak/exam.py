"""The exam: each plant is cleaned by the engine, and looked for in what comes out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from deid.context import Context
from deid.engine import Instance, Result, deidentify
from deid.errors import Refused
from deid.keys import Keys
from deid.profile import load_profile
from tests.leak.places import PLACES, Task
from tests.leak.search import in_text, search
from tests.leak.subject import Plant

PROFILES = ("basic", "longitudinal")
_FOLDER = Path(__file__).parents[2] / "config" / "profiles"
_CHUNK = 50


class Outcome(StrEnum):
    """What became of a plant."""

    CLEAN = "clean"
    REFUSED = "refused"
    SURVIVED = "survived"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One plant's end.

    Attributes
    ----------
    task, profile
        which repeat it
    detail, encoding
        where it was planted, and how
    outcome
        what became of it
    reason
        why it was refused, or where it came out
    is_valid
        the standard lets such an instance be cleaned
    frames_decoded
        the search saw decoded frames
    """

    task: Task
    profile: str
    detail: str
    encoding: str
    outcome: Outcome
    reason: str
    is_valid: bool
    frames_decoded: bool = False

    @property
    def place(self) -> str:
        """Name of the hiding place."""
        return PLACES[self.task.place].name

    @property
    def kind(self) -> str:
        """What of the place was used: the detail up to its first comma."""
        return self.detail.split(", ", 1)[0]


@cache
def _context(profile: str) -> Context:
    return Context(load_profile(_FOLDER / f"{profile}.toml"), Keys.from_secret(b"the leak exam's own secret key"))


def examine(task: Task, profile: str) -> Verdict:
    """Plant, clean, look."""
    plant = task.plant()
    outcome, reason, frames_decoded = _cleaned(plant, profile)
    return Verdict(task, profile, plant.detail, plant.encoding, outcome, reason, plant.is_valid, frames_decoded)


def _cleaned(plant: Plant, profile: str) -> tuple[Outcome, str, bool]:
    try:
        instance = Instance.from_part10(plant.file)
        result = deidentify(instance, _context(profile))
    except Refused as refused:
        if in_text(str(refused), plant.sentinel):
            return Outcome.SURVIVED, "in the refusal's message", False
        return Outcome.REFUSED, refused.reason.value, False
    except Exception as error:  # noqa: BLE001  whatever else it raises is a defect to be reported
        return Outcome.CRASHED, type(error).__name__, False
    return _looked_for(result, plant)


def _looked_for(result: Result, plant: Plant) -> tuple[Outcome, str, bool]:
    if in_text(repr(result.report), plant.sentinel):
        return Outcome.SURVIVED, "in the report", False
    look = search(b"".join(result.clean.part10()), result.clean.transfer_syntax, plant.sentinel)
    if look.found:
        where = "; ".join(f"{found.where} as {found.form}" for found in look.found[-2:])
        return Outcome.SURVIVED, where, look.frames_decoded
    if not look.is_read:
        return Outcome.CRASHED, "pydicom cannot read what came out", False
    return Outcome.CLEAN, "", look.frames_decoded


def profile_of(number: int, task: Task) -> str:
    """Return the profile for the n-th task: every variant meets each of them, turn by turn."""
    turn = int(task.seed.split("/")[1])
    return PROFILES[(number + turn) % len(PROFILES)]


def run(tasks: Iterable[Task], processes: int = 0) -> Iterator[Verdict]:
    """Examine all of them, in order."""
    numbered = list(tasks)
    profiles = [profile_of(number, task) for number, task in enumerate(numbered)]
    workers = processes or len(os.sched_getaffinity(0))
    if workers == 1:
        yield from map(examine, numbered, profiles)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from partial(pool.map, chunksize=_CHUNK)(examine, numbered, profiles)

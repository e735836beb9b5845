"""What persons decide about refused instances: files that the console and the commands write, and the work role reads.

    decisions/<time><chance>.json      one decision, about one instance or many

Whoever decides needs no right to anything else in the spool. A decision is durable before it is acknowledged, and
stays until all of it is done: it survives any restart, and to begin it again does no harm. What was refused (once more)
after it was made is not meant by it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from deid.review import APPROVABLE
from node.jobs import JobId, new_job_id
from node.part import PartFile, disk_errors
from node.reviews import read_boxes, written_boxes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.review import DrawnBox

DECISIONS: Final = "decisions"
MOST_JOBS: Final = 10_000
"""Of one decision."""

_SUFFIX = ".json"
_MOST_BYTES = 1 << 23
_LONGEST_NAME = 256


class Act(StrEnum):
    """What is to be done with refused instances."""

    APPROVE = "approve"
    """clean again, and let the frames pass although the program was not certain of them: a person is"""

    MASK = "mask"
    """clean again, with boxes masked that a person has drawn, in place of those that were drawn before"""

    RERUN = "rerun"
    """clean again, as when the configuration has changed"""

    DISCARD = "discard"
    """delete for good"""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    Attributes
    ----------
    jobs
        that are meant, if they still are in quarantine
    boxes
        to mask, with APPROVE and MASK
    by
        the user's name
    at_s
        when, in seconds since 1970
    """

    act: Act
    jobs: tuple[JobId, ...]
    boxes: tuple[DrawnBox, ...] = ()
    by: str = ""
    at_s: float = 0.0


class Decisions:
    """The folder of one spool.

    Parameters
    ----------
    folder
        is there
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, decision: Decision) -> JobId:
        """Keep a decision, durably; return its name.

        Raises
        ------
        NoRoom, Transient
            if that can't be promised: then nothing is decided
        """
        said = {
            "act": decision.act,
            "jobs": decision.jobs,
            "boxes": written_boxes(decision.boxes),
            "by": decision.by,
            "at_s": decision.at_s or time.time(),
        }
        name = new_job_id()
        with PartFile(self._path(name), _no_check) as file:
            file.write(json.dumps(said).encode("ascii") + b"\n")
            file.commit()
        return name

    def names(self) -> list[JobId]:
        """Give the names of the decisions that wait, the oldest first."""
        return sorted(self._names())

    def _names(self) -> Iterator[JobId]:
        for path in self.folder.glob(f"*{_SUFFIX}"):
            try:
                yield JobId(path.name.removesuffix(_SUFFIX))
            except ValueError:
                continue  # not one of ours: let it lie

    def read(self, name: JobId) -> Decision | None:
        """Read a decision; None if it isn't there (any more).

        Raises
        ------
        ValueError
            if it is none
        """
        try:
            with self._path(name).open("rb") as file:
                text = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(text) > _MOST_BYTES:
            raise ValueError("too long for a decision")
        return _parsed(text)

    def waiting(self) -> dict[JobId, Act]:
        """Say what is decided about which job and not done yet."""
        found: dict[JobId, Act] = {}
        for name in self.names():
            try:
                decision = self.read(name)
            except ValueError:
                continue
            if decision is not None:
                found.update(dict.fromkeys(decision.jobs, decision.act))
        return found

    def remove(self, name: JobId) -> None:
        """Forget a decision that is done.

        Raises
        ------
        NoRoom, Transient
            if the disk fails
        """
        with disk_errors():
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: JobId) -> Path:
        return self.folder / f"{name}{_SUFFIX}"


def is_allowed(act: Act, reason: str) -> bool:
    """Say whether something may be decided about what was refused for a reason: not all can be approved."""
    return act is not Act.APPROVE or reason in APPROVABLE


def _parsed(text: bytes) -> Decision:
    try:
        said = json.loads(text)
        jobs = said["jobs"]
        if not isinstance(jobs, list) or len(jobs) > MOST_JOBS:
            raise ValueError("no jobs, or too many")
        by, at_s = str(said["by"])[:_LONGEST_NAME], float(said["at_s"])
        return Decision(Act(said["act"]), tuple(map(JobId, jobs)), read_boxes(said["boxes"]), by, at_s)
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no decision ({type(error).__name__})") from None


def _no_check() -> None:
    """Let it use the reserve: what is decided makes room."""

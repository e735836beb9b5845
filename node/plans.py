"""What was found out about series, beside their instances: how each of them is to be cleaned.

    series/<project>-<code>.plan      how: the bytes of a `deid.deface.plan.FacePlan`
    series/<project>-<code>.refused   that it can't be, while its instances are on their way to quarantine

A plan stays when its series is delivered, for the instances that come late or once more. It holds the outline of a
face: what is said of raw files holds for it.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from node.part import PartFile

if TYPE_CHECKING:
    from pathlib import Path

SERIES = "series"
_PLAN, _REFUSED = ".plan", ".refused"
_CODE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no instance of a series can be cleaned.

    Attributes
    ----------
    reason
        of `deid.errors.Reason` or `node.jobs.NodeReason`
    detail
        tags, codes, counts
    """

    reason: str
    detail: str = ""


class Plans:
    """The folder of one spool.

    Parameters
    ----------
    folder
        is there
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, project: str, series: str) -> Path:
        """Where the plan of a series is, if there is one; `series` is its keyed code.

        Raises
        ------
        ValueError
            if the code is none
        """
        return self._path(project, series, _PLAN)

    def _path(self, project: str, series: str, suffix: str) -> Path:
        if not _CODE.fullmatch(series):
            raise ValueError("not the code of a series (32 hexadecimal digits)")
        return self.folder / f"{project}-{series}{suffix}"

    def put(self, project: str, series: str, plan: bytes) -> None:
        """Keep a plan, durably.

        Raises
        ------
        NoRoom, Transient
            if that can't be promised
        """
        _write(self.path(project, series), plan)

    def is_planned(self, project: str, series: str) -> bool:
        """Say whether there is a plan."""
        return self.path(project, series).exists()

    def refuse(self, project: str, series: str, refusal: Refusal) -> None:
        """Note that none of the instances that wait now can be cleaned, durably: all of them are, or none is.

        Raises
        ------
        NoRoom, Transient
            if that can't be promised
        """
        _write(self._path(project, series, _REFUSED), json.dumps(asdict(refusal)).encode() + b"\n")

    def refusal(self, project: str, series: str) -> Refusal | None:
        """Give what was noted by `refuse`."""
        try:
            return Refusal(**json.loads(self._path(project, series, _REFUSED).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def forget_refusal(self, project: str, series: str) -> None:
        """Let the series be looked at anew: all that was refused is in quarantine, from where it may be released."""
        self._path(project, series, _REFUSED).unlink(missing_ok=True)

    def forget_refusals(self, but: set[tuple[str, str]]) -> None:
        """Forget those that a crash has left behind; of the series in `but` something still waits."""
        kept = {self._path(project, series, _REFUSED) for project, series in but}
        for path in set(self.folder.glob(f"*{_REFUSED}")) - kept:
            path.unlink(missing_ok=True)

    def prune(self, written_before_s: float) -> int:
        """Delete plans that were written before a time (seconds since 1970); return how many."""
        old = [path for path in self.folder.glob(f"*{_PLAN}") if _written_at_s(path) < written_before_s]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _write(path: Path, content: bytes) -> None:
    with PartFile(path, lambda: None) as file:
        file.write(content)
        file.commit()


def _written_at_s(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return time.time()

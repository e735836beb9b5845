"""What the pages of the quarantine list: by the ledger, so that it is quick however much is there; no patient data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.jobs import JobId, arrived_at_s

if TYPE_CHECKING:
    from node.ledger import Ledger

_HERE = "state = 'quarantined' AND place = 'quarantine'"
# ruff: noqa: S608  put together from what stands in this file
_GROUPS = f"""SELECT reason, project, COUNT(*), MIN(id) FROM jobs WHERE {_HERE}
    GROUP BY reason, project ORDER BY COUNT(*) DESC, reason, project"""
_ROW = f"SELECT id, project, reason, size_bytes FROM jobs WHERE {_HERE}"
# of all reasons: by the index of what is open, or SQLite would go through all that was ever finished
_OPEN = _ROW.replace("FROM jobs WHERE", "FROM jobs INDEXED BY jobs_open WHERE place <> 'gone' AND")
_ALL = f"{_OPEN} AND id > ? ORDER BY id LIMIT ?"
_OF_REASON = f"{_ROW} AND reason = ? AND id > ? ORDER BY id LIMIT ?"
_OF_BOTH = f"{_ROW} AND reason = ? AND project = ? AND id > ? ORDER BY id LIMIT ?"
_OF_PROJECT = f"{_OPEN} AND project = ? AND id > ? ORDER BY id LIMIT ?"
_ONE = f"{_ROW} AND id = ?"
_OF_SERIES = """SELECT i.job FROM study_instances i JOIN study_instances this ON this.study = i.study
        AND this.series = i.series JOIN jobs j ON j.id = i.job
    WHERE this.job = ? AND j.state = 'quarantined' AND j.place = 'quarantine' AND j.reason = ? AND j.project = ?
    ORDER BY i.job LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Group:
    """Instances of a project that were refused for the same reason; `oldest` is the one that came first."""

    reason: str
    project: str
    count: int
    oldest: JobId

    @property
    def since_s(self) -> float:
        """When the oldest came, in seconds since 1970."""
        return arrived_at_s(self.oldest)


@dataclass(frozen=True, slots=True)
class RefusedJob:
    """One refused instance."""

    job_id: JobId
    project: str
    reason: str
    size_bytes: int

    @property
    def arrived_at_s(self) -> float:
        """When it came, in seconds since 1970."""
        return arrived_at_s(self.job_id)


def groups(ledger: Ledger) -> list[Group]:
    """Count the refused instances by reason and project, the most frequent first."""
    rows = ledger.run(_GROUPS)
    return [Group(reason, project, count, JobId(oldest)) for reason, project, count, oldest in rows]


def listed(ledger: Ledger, reason: str, project: str, after: str, limit: int) -> list[RefusedJob]:
    """List refused instances in order of arrival.

    Parameters
    ----------
    reason, project
        of which; empty: of any
    after
        the last one that was listed already; empty: none
    """
    if reason and project:
        rows = ledger.run(_OF_BOTH, reason, project, after, limit)
    elif reason:
        rows = ledger.run(_OF_REASON, reason, after, limit)
    elif project:
        rows = ledger.run(_OF_PROJECT, project, after, limit)
    else:
        rows = ledger.run(_ALL, after, limit)
    return [_job(row) for row in rows]


def one(ledger: Ledger, job_id: JobId) -> RefusedJob | None:
    """Give one refused instance; None if it isn't in quarantine (any more)."""
    rows = ledger.run(_ONE, job_id).fetchall()
    return _job(rows[0]) if rows else None


def of_series(ledger: Ledger, job: RefusedJob, limit: int) -> list[JobId]:
    """Give the instances of the same series and project that were refused for the same reason, `job` among them."""
    rows = ledger.run(_OF_SERIES, job.job_id, job.reason, job.project, limit)
    return [JobId(row[0]) for row in rows] or [job.job_id]


def _job(row: tuple[str, str, str, int]) -> RefusedJob:
    return RefusedJob(JobId(row[0]), *row[1:])

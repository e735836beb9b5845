"""Refused instances: what a person sees of them, and what can be done with one: it is released, reviewed or discarded.

What lies in the quarantine folder is the truth. A job that the forwarder has given up gets there when the work role
next looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.jobs import JobId, NodeReason, arrived_at_s

if TYPE_CHECKING:
    from deid.review import Review
    from node.ledger import Ledger
    from node.spool import Spool

__all__ = ["Entry", "NodeReason", "discard", "listed", "release", "reviewed", "shown"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An instance in quarantine; no values of it.

    Attributes
    ----------
    reason
        of `deid.errors.Reason` or `node.jobs.NodeReason`
    detail
        tags, codes, counts, names of the program or the configuration
    project
        by whose profile it was to be cleaned
    arrived_at_s, quarantined_at_s
        seconds since 1970
    size_bytes
        of the raw file; 0 if it is missing
    """

    job_id: JobId
    reason: str
    detail: str
    project: str
    arrived_at_s: float
    quarantined_at_s: float
    size_bytes: int


def listed(spool: Spool) -> list[Entry]:
    """List what is in quarantine, in order of arrival."""
    return [entry for job_id in spool.quarantine_ids() if (entry := shown(spool, job_id))]


def shown(spool: Spool, job_id: JobId) -> Entry | None:
    """Show one instance; None if it is not in quarantine (any more)."""
    files = spool.files(job_id)
    if files.incoming or not (files.quarantine or files.record):
        return None
    record = spool.record(job_id)
    try:
        size_bytes = spool.quarantine_path(job_id).stat().st_size
    except FileNotFoundError:
        size_bytes = 0
    return Entry(
        job_id,
        record.reason,
        record.detail,
        record.project,
        arrived_at_s(job_id),
        record.quarantined_at_s,
        size_bytes,
    )


def release(spool: Spool, ledger: Ledger, job_id: JobId) -> bool:
    """Let an instance be processed again, as if it had just arrived; say whether its raw file was in quarantine.

    Raises
    ------
    NoRoom, Transient
        if the disk or the ledger fails; the job is not lost then, and may have been released
    """
    if not spool.release(job_id):
        return False
    ledger.released(job_id)
    return True


def reviewed(spool: Spool, ledger: Ledger, job_id: JobId, review: Review) -> bool:
    """Keep what a person says of an instance, and release it; say whether its raw file was in quarantine.

    Raises
    ------
    NoRoom, Transient
        as for `release`
    """
    entry = shown(spool, job_id)
    if entry is None or not spool.quarantine_path(job_id).exists():
        return False
    spool.reviews.put(job_id, review)
    return release(spool, ledger, job_id)


def discard(spool: Spool, ledger: Ledger, job_id: JobId) -> bool:
    """Delete an instance for good; say whether it was in quarantine.

    Raises
    ------
    NoRoom, Transient
        if the disk or the ledger fails
    """
    if shown(spool, job_id) is None:
        return False
    spool.discard(job_id)
    ledger.discarded(job_id)
    return True

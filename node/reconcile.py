"""The ledger set right by the files, after a crash or whatever else came between the two.

Every step of a job first makes its files durable and then notes it in the ledger, and files of a job are deleted only
after the note that they may be is on the disk. So whatever died between two steps, the files tell how far it came.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from deid.errors import Refused
from node.jobs import Job, JobId, NodeReason, Place, State
from node.raw import raw_origin
from node.spool import Files, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from node.ledger import Ledger


class Verdict(StrEnum):
    """What is to be done about a job."""

    KEEP = "keep"
    INDEX = "index"  # a raw file that the ledger doesn't know: it was acknowledged, or was about to be
    BEGIN_AGAIN = "begin-again"  # its claim is of a worker that died, its clean copy is lost, or it was released
    QUARANTINED = "quarantined"  # its files are in quarantine
    MISSING = "missing"  # its raw file was deleted, not by us
    DISCARDED = "discarded"  # a person deleted it
    REMOVE_AGAIN = "remove-again"  # its files came back: their deletion was lost in a power cut
    REMOVE_CLEAN = "remove-clean"  # a clean file of a job that is over
    DROP_RECORD = "drop-record"  # the reason of a quarantine that didn't come about


def verdict(job: Job | None, files: Files) -> Verdict:
    """Say what a row of the ledger and the files of the same job come to.

    Parameters
    ----------
    job
        no other process or thread works on it now; None if there is no row
    files
        that are there
    """
    if files.quarantine:
        return _in_quarantine(job, files)
    if files.incoming:
        return _with_raw_file(job, files)
    return _without_raw_file(job, files)


def _in_quarantine(job: Job | None, files: Files) -> Verdict:
    if job is None or job.state is not State.QUARANTINED or job.place is not Place.QUARANTINE:
        return Verdict.QUARANTINED
    return Verdict.REMOVE_CLEAN if files.outbox else Verdict.KEEP


def _with_raw_file(job: Job | None, files: Files) -> Verdict:
    if job is None:
        return Verdict.INDEX
    if job.state is State.QUARANTINED:
        # still to be filed by the work role, or filed once and since released
        return Verdict.KEEP if job.place is Place.INCOMING else Verdict.BEGIN_AGAIN
    if job.state is State.SENT:
        return Verdict.KEEP if job.place is Place.INCOMING else Verdict.REMOVE_AGAIN
    if job.state is State.CLEANING or (job.state is State.CLEANED and not files.outbox):
        return Verdict.BEGIN_AGAIN
    return Verdict.DROP_RECORD if files.record else Verdict.KEEP


def _without_raw_file(job: Job | None, files: Files) -> Verdict:
    if job is not None and job.state is State.SENT:
        return Verdict.REMOVE_AGAIN if files.outbox and job.place is Place.GONE else Verdict.KEEP
    if job is not None and job.state is State.CLEANED and files.outbox:
        return Verdict.KEEP
    if files.record:
        return _in_quarantine(job, files)
    if job is None:
        return Verdict.REMOVE_CLEAN if files.outbox else Verdict.KEEP
    if job.state is State.QUARANTINED and job.place is Place.QUARANTINE:
        return Verdict.DISCARDED
    return Verdict.MISSING


def reconcile(
    spool: Spool, ledger: Ledger, project_of: Callable[[str], str], busy: Collection[JobId] = ()
) -> Mapping[Verdict, int]:
    """Look at every job and do what its verdict says; only in the work role, which alone moves and deletes files.

    Parameters
    ----------
    project_of
        the name of the project of a called AE title, empty if there is none
    busy
        jobs that this process's workers have in hand: they are left alone

    Returns
    -------
    how often each verdict was carried out
    """
    listed, rows = spool.all_files(), ledger.open_jobs()
    done: Counter[Verdict] = Counter()
    for job_id in sorted((listed.keys() | rows.keys()) - set(busy)):
        if verdict(rows.get(job_id), listed.get(job_id, Files())) is Verdict.KEEP:
            continue
        # the lists are of two moments: look again, the row before the files, as files are there before their row
        found = verdict(ledger.job(job_id), spool.files(job_id))
        if found is not Verdict.KEEP:
            _carry_out(found, job_id, spool, ledger, project_of)
            done[found] += 1
    return done


def _carry_out(found: Verdict, job_id: JobId, spool: Spool, ledger: Ledger, project_of: Callable[[str], str]) -> None:
    if found in {Verdict.INDEX, Verdict.BEGIN_AGAIN}:
        spool.drop_record(job_id)  # of a release that died half way: it would outlive the job, as if it was refused
    if found is Verdict.INDEX:
        _index(job_id, spool, ledger, project_of)
    elif found is Verdict.QUARANTINED:
        _index_quarantined(job_id, spool, ledger)
    elif found is Verdict.MISSING:
        job = ledger.job(job_id)
        spool.quarantine(job_id, NodeReason.FILES_MISSING, "", job.project if job else "")
        ledger.quarantined(job_id, NodeReason.FILES_MISSING)
    elif found is Verdict.BEGIN_AGAIN:
        ledger.restored(job_id)
    elif found is Verdict.DISCARDED:
        ledger.discarded(job_id)
    elif found is Verdict.REMOVE_AGAIN:
        ledger.files_reappeared(job_id)
    elif found is Verdict.REMOVE_CLEAN:
        spool.outbox_path(job_id).unlink(missing_ok=True)
    elif found is Verdict.DROP_RECORD:
        spool.drop_record(job_id)


def _index(job_id: JobId, spool: Spool, ledger: Ledger, project_of: Callable[[str], str]) -> None:
    path = spool.incoming_path(job_id)
    try:
        size_bytes = path.stat().st_size
        called_ae = raw_origin(path).called_ae
    except FileNotFoundError:
        return
    except Refused:
        called_ae = ""  # the worker will refuse it likewise, and say why
    ledger.received(job_id, project_of(called_ae), size_bytes)


def _index_quarantined(job_id: JobId, spool: Spool, ledger: Ledger) -> None:
    record = spool.record(job_id)
    path = spool.quarantine_path(job_id)
    with ledger.batch():
        ledger.received(job_id, record.project, path.stat().st_size if path.exists() else 0)
        ledger.quarantined(job_id, record.reason)

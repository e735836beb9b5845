"""The index of the jobs: SQLite, shared by the processes of all roles.

Each call is one commit unless it stands in a ``with ledger.batch():``. Commits survive the death of any process, but
the last of them may not survive a power cut (WAL, synchronous=NORMAL): that is enough, since the files are the truth
and `node.reconcile` rebuilds the rows from them; before files are deleted, `sync` makes what is known durable.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node import statements as sql
from node.counters import note_latency
from node.errors import Misconfigured, NodeError, NoRoom, Transient
from node.jobs import (
    Delivery,
    GatheredJob,
    Job,
    JobId,
    NodeReason,
    Place,
    Queue,
    Series,
    State,
    arrived_at_s,
    earliest_job_id,
)
from node.modes import PRIVATE, mode_of_database_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LEDGER_FILE = "ledger.db"
LEDGER_FOLDER = "ledger"
"""Holds the ledger where it is there: SQLite makes files beside a database, so who shares that has to write here."""

SCHEMA_VERSION = 5
_FIRST_VERSION = 3  # which ledger.sql makes

_BUSY_TIMEOUT_S = 30.0
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 4000", "journal_size_limit = 67108864")


class _Connections(threading.local):
    """One connection for each thread; `depth` of nested batches; `version` last seen by `changed`."""

    connection: sqlite3.Connection | None = None
    depth: int = 0
    version: int = -1


class Ledger:
    """The jobs' table.

    Parameters
    ----------
    path
        of the database; it is made if it isn't there

    Raises
    ------
    Misconfigured
        if the file is no ledger, or one of a later version
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = _Connections()
        try:
            self._create()
        except sqlite3.OperationalError as error:
            raise _said(error) from None
        except sqlite3.DatabaseError:
            raise Misconfigured(
                f"ledger {path}: damaged; stop the node and delete {path.name}*: it is rebuilt from the spool's files"
            ) from None

    def _create(self) -> None:
        """Make the tables if they aren't there; one process at a time."""
        lock = self._made(self.path.with_suffix(".lock"), 0)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # only when it is new: closing a file that SQLite has open in this process would drop SQLite's locks
            with suppress(FileExistsError):
                os.close(self._made(self.path, os.O_EXCL))
            version = self._connection().execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise Misconfigured(f"ledger {self.path}: written by a later version of deid-node")
            if version < SCHEMA_VERSION:
                schema = "" if version else Path(__file__).with_name("ledger.sql").read_text("utf-8")
                schema += "".join(sql.UPGRADES[each] for each in range(version or _FIRST_VERSION, SCHEMA_VERSION))
                self._connection().executescript(f"BEGIN IMMEDIATE;{schema}COMMIT;")
        finally:
            os.close(lock)

    @staticmethod
    def _made(path: Path, flags: int) -> int:
        """Open a file, and make it if it isn't there; SQLite gives those beside the database the same mode."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, PRIVATE)
        status, mode = os.fstat(fd), mode_of_database_in(path.parent)
        if status.st_uid == os.geteuid() and status.st_mode & 0o777 != mode:
            os.fchmod(fd, mode)
        return fd

    def _connection(self) -> sqlite3.Connection:
        if self._local.connection is None:
            connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            self._local.connection = connection
        return self._local.connection

    def close(self) -> None:
        """Close this thread's connection."""
        if self._local.connection is not None:
            self._local.connection.close()
            self._local.connection = None

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make one commit of all calls in the block, or none of them if it raises; blocks may be nested.

        Raises
        ------
        NoRoom, Transient
            if the commit fails
        """
        local, connection = self._local, self._connection()
        if local.depth == 0:
            with _database_errors():
                connection.execute("BEGIN IMMEDIATE")
        local.depth += 1
        try:
            yield
            if local.depth == 1:
                with _database_errors():
                    connection.execute("COMMIT")
        except BaseException:
            if local.depth == 1 and connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            local.depth -= 1

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Run a statement on tables that stand beside the jobs' (node.commitment.tables); errors are as elsewhere."""
        return self._run(statement, *values)

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        with _database_errors():
            return self._connection().execute(statement, values)

    def _run_each(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        with _database_errors(), self.batch():
            self._connection().executemany(statement, rows)

    def sync(self) -> None:
        """Make all commits so far, of every process, survive a power cut."""
        self._run("PRAGMA synchronous = FULL")
        try:
            self._run(sql.SYNC)  # a FULL commit syncs the whole log
        finally:
            self._run("PRAGMA synchronous = NORMAL")

    def changed(self) -> bool:
        """Say whether another connection has committed since the last call of this thread; cheap enough to poll."""
        version = self._run("PRAGMA data_version").fetchone()[0]
        before, self._local.version = self._local.version, version
        return bool(version != before)

    # -- receive

    def received(self, job_id: JobId, project: str, size_bytes: int) -> None:
        """Index a raw file that is complete in incoming."""
        self._run(sql.RECEIVED, job_id, project, size_bytes)

    # -- work

    def pending(self, limit: int) -> list[Job]:
        """Give the jobs to clean, in order of arrival."""
        return [_job(row) for row in self._run(sql.PENDING, limit)]

    def cleaning(self, job_ids: Iterable[JobId]) -> None:
        """Claim jobs; only one process works on a spool, so nobody else can claim them."""
        self._run_each(sql.CLEANING, [(job_id,) for job_id in job_ids])

    def attempt_failed(self, job_id: JobId) -> int:
        """Put a job back whose worker died or timed out; return how often that has happened."""
        rows = self._run(sql.ATTEMPT_FAILED, job_id).fetchall()
        return int(rows[0][0]) if rows else 0

    def put_back(self, job_ids: Iterable[JobId]) -> None:
        """Put claimed jobs back that could not be tried."""
        self._run_each(sql.PUT_BACK, [(job_id,) for job_id in job_ids])

    def held(self, job_id: JobId, waits_for: str) -> None:
        """Keep a claimed job until its patient is mapped; `waits_for` is the same for all that need that mapping."""
        self._run(sql.HELD, waits_for, job_id)

    def try_held(self, project: str = "") -> int:
        """Put back one of the jobs that wait for each mapping (of one project, or of all); return how many."""
        return self._run(sql.TRY_HELD, project, project).rowcount

    def mapped(self, project: str, waits_for: str) -> int:
        """Put all jobs back that wait for a mapping which is there now; return how many."""
        return self._run(sql.MAPPED, project, waits_for).rowcount

    def gathered(self, found: GatheredJob) -> None:
        """Keep a claimed job until its series is there and planned."""
        self._run(sql.GATHERED, found.series, found.instance, found.announced, found.job_id)

    def series(self) -> list[Series]:
        """Give the series that jobs wait for, in the order in which they began to come."""
        return [_series(row) for row in self._run(sql.SERIES)]

    def jobs_of(self, series: Series) -> list[tuple[JobId, str]]:
        """Give the jobs that wait for a series, in order of arrival, each with its instance's keyed code."""
        rows = self._run(sql.OF_SERIES, series.project, series.series)
        return [(JobId(job_id), instance) for job_id, instance in rows]

    def may_have_more(self, series: Series, quiet_s: float) -> bool:
        """Say whether jobs that came until `quiet_s` after the last of a series have yet to be looked at."""
        bound = earliest_job_id(arrived_at_s(series.last) + quiet_s)
        return bool(self._run(sql.ANY_UNSEEN, series.project, series.series, bound).fetchall())

    def planned(self, series: Series) -> int:
        """Put the jobs back that wait for a series, now that there is a plan for it; return how many."""
        return self._run(sql.PLANNED, series.project, series.series).rowcount

    def plan_failed(self, series: Series) -> int:
        """Count an attempt at a series in which a worker died or timed out; return the most of any of its jobs."""
        rows = self._run(sql.PLAN_FAILED, series.project, series.series).fetchall()
        return max((int(row[0]) for row in rows), default=0)

    def cleaned(
        self,
        job_id: JobId,
        destinations: Sequence[str],
        sop_class_uid: str = "",
        transfer_syntax: str = "",
        size_bytes: int = 0,
    ) -> None:
        """Queue a clean file that is complete in the outbox for each destination; what one has already stays sent."""
        if not destinations:
            raise ValueError("a job without a destination would never be sent, yet count as sent")
        with self.batch():
            if self._run(sql.CLEANED, sop_class_uid, transfer_syntax, size_bytes, job_id).rowcount:
                note_latency(self, "cleaned", job_id)
                self._run(sql.FORGET_UNSENT, job_id)
                self._run_each(sql.DELIVER, [(job_id, destination) for destination in destinations])
                self._run(sql.SETTLE, job_id)

    def quarantined(self, job_id: JobId, reason: str) -> None:
        """Note that a raw file lies in quarantine."""
        self._run(sql.QUARANTINED, reason, job_id)

    def to_file(self, limit: int = 1000) -> list[Job]:
        """Give the jobs that the forwarder gave up, whose files have yet to be moved to quarantine."""
        return [_job(row) for row in self._run(sql.TO_FILE, limit)]

    def given_up(self, job_id: JobId) -> list[tuple[str, int | None]]:
        """Give the destinations that a job was given up for, each with its last status."""
        return self._run(sql.GIVEN_UP, job_id).fetchall()

    def sent(self, limit: int = 1000) -> list[JobId]:
        """Give jobs that all destinations have, and whose files may go."""
        return [JobId(row[0]) for row in self._run(sql.SENT, limit)]

    def forget_files(self, job_ids: Iterable[JobId]) -> None:
        """Note that the files of sent jobs are gone."""
        self._run_each(sql.FORGET_FILES, [(job_id,) for job_id in job_ids])

    def prune(self, arrived_before_s: float, limit: int = 1000) -> int:
        """Forget done jobs that arrived before a time (seconds since 1970); return how many."""
        old = self._run(sql.OLD, earliest_job_id(arrived_before_s), limit).fetchall()
        if old:
            with self.batch():
                self._run_each(sql.FORGET_JOB, old)
                self._run_each(sql.FORGET_DELIVERIES, old)
        return len(old)

    # -- forward

    def due(
        self, destination: str, now: float, limit: int, lease: float = 600.0, *, latest: bool = False
    ) -> list[Delivery]:
        """Claim deliveries whose time has come, the longest due first.

        Parameters
        ----------
        now
            seconds since 1970
        lease
            seconds after which somebody else may claim them again, in case this thread dies
        latest
            claim what arrived last instead, if any of it was not tried yet: so it need not wait for a backlog
        """
        if not self._run(sql.ANY_DUE, destination, now).fetchall():
            return []
        with self.batch():
            rows = self._run(sql.LATEST, destination, limit).fetchall()[::-1] if latest else []
            found = [_delivery(row) for row in rows or self._run(sql.DUE, destination, now, limit)]
            self._run_each(sql.CLAIM, [(now + lease, each.job_id, destination) for each in found])
        return found

    def next_due(self, destination: str) -> float | None:
        """When the next delivery is due (seconds since 1970); None if there is nothing to deliver."""
        row = self._run(sql.NEXT_DUE, destination).fetchone()
        return None if row[0] is None else float(row[0])

    def reset_sending(self) -> None:
        """Give back the claims of a forwarder that died."""
        self._run(sql.RESET_SENDING)

    def delivered(self, job_id: JobId, destination: str, status: int) -> None:
        """Note that a destination has stored the instance."""
        with self.batch():
            if self._run(sql.DELIVERED, status, job_id, destination).rowcount:
                note_latency(self, "delivered", job_id)
            self._run(sql.SETTLE, job_id)

    def retry(
        self, job_id: JobId, destination: str, next_try: float, status: int | None, now: float | None = None
    ) -> None:
        """Note a failed attempt; `next_try` and `now` in seconds since 1970, no `status` if there was no answer."""
        self._run(sql.RETRY, next_try, status, time.time() if now is None else now, job_id, destination)

    def put_off(self, job_id: JobId, destination: str, next_try: float = 0.0) -> None:
        """Give a claim back that was not tried; that is no failed attempt."""
        self._run(sql.PUT_OFF, next_try, job_id, destination)

    def gave_up(self, job_id: JobId, destination: str, status: int | None, reason: str) -> None:
        """Note that a destination will never have the instance: a case for a person, once the others are done."""
        with self.batch():
            self._run(sql.GAVE_UP, status, reason, job_id, destination)
            self._run(sql.SETTLE, job_id)

    def give_up_strays(self, destinations: Iterable[str], limit: int = 1000) -> int:
        """Give up what is queued for a destination that isn't configured any more; return how many deliveries."""
        strays = {name for (name,) in self._run(sql.WHERE_TO)} - set(destinations)
        jobs = [(job_id, name) for name in sorted(strays) for (job_id,) in self._run(sql.OF_DESTINATION, name, limit)]
        with self.batch():
            for job_id, name in jobs:
                self.gave_up(JobId(job_id), name, None, NodeReason.NO_SUCH_DESTINATION)
        return len(jobs)

    # -- a person, and reconcile

    def job(self, job_id: JobId) -> Job | None:
        """Give one job."""
        rows = self._run(sql.ONE_JOB, job_id).fetchall()
        return _job(rows[0]) if rows else None

    def open_jobs(self) -> dict[JobId, Job]:
        """Give all jobs that are not over."""
        return {JobId(row[0]): _job(row) for row in self._run(sql.OPEN_JOBS)}

    def released(self, job_id: JobId) -> None:
        """Note that a person moved a raw file from quarantine to incoming."""
        with self.batch():
            if self._run(sql.RELEASED, job_id).rowcount:
                self._run(sql.FORGET_UNSENT, job_id)

    def restored(self, job_id: JobId) -> None:
        """Begin a job anew whose raw file is in incoming."""
        with self.batch():
            self._run(sql.FORGET_UNSENT, job_id)
            self._run(sql.RESTORED, job_id)

    def files_reappeared(self, job_id: JobId) -> None:
        """Note that files of a sent job are there after all."""
        self._run(sql.FILES_REAPPEARED, job_id)

    def discarded(self, job_id: JobId) -> None:
        """Forget a job whose files a person deleted."""
        with self.batch():
            self._run(sql.FORGET_DELIVERIES, job_id)
            self._run(sql.FORGET_JOB, job_id)

    # -- how it stands

    def counts(self) -> dict[State, int]:
        """Count the jobs in each state; SENT since the ledger began, SENDING where a delivery is on its way."""
        counts = dict.fromkeys(State, 0)
        with self._snapshot():
            counts |= {State(state): n for state, n in self._run(sql.COUNTS)}
            counts[State.SENT] = self._run(sql.TOTAL, "sent").fetchone()[0]
            counts[State.SENDING] = self._run(sql.COUNT_SENDING).fetchone()[0]
        counts[State.CLEANED] -= counts[State.SENDING]
        return counts

    def held_by_project(self) -> dict[str, int]:
        """Count the jobs that are held, where there are any."""
        return dict(self._run(sql.HELD_BY_PROJECT).fetchall())

    def queues(self) -> list[Queue]:
        """Say how the deliveries to each destination stand, where there are any."""
        return [Queue(*row) for row in self._run(sql.QUEUES)]

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Let all reads in the block see the same moment."""
        self._run("BEGIN")
        try:
            yield
        finally:
            self._run("COMMIT")


def open_ledger(spool: Path) -> Ledger:
    """Open the ledger of a spool.

    Raises
    ------
    Misconfigured
        as for `Ledger`
    """
    return Ledger(ledger_path(spool))


def ledger_path(spool: Path) -> Path:
    """Say where the ledger of a spool is."""
    shared = spool / LEDGER_FOLDER
    return shared / LEDGER_FILE if shared.is_dir() else spool / LEDGER_FILE


def _job(row: Sequence[Any]) -> Job:
    job_id, project, state, place, *rest = row
    return Job(JobId(job_id), project, State(state), Place(place), *rest)


def _series(row: Sequence[Any]) -> Series:
    project, series, jobs, instances, announced, first, last, attempts = row
    return Series(project, series, jobs, instances, announced, JobId(first), JobId(last), attempts)


def _delivery(row: Sequence[Any]) -> Delivery:
    return Delivery(JobId(row[0]), *row[1:])


@contextmanager
def _database_errors() -> Iterator[None]:
    """Say a full disk as NoRoom, any other trouble of the database as Transient."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _said(error) from None


def _said(error: sqlite3.OperationalError) -> NodeError:
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return NoRoom("ledger: no room")
    return Transient(f"ledger: {error.sqlite_errorname}")

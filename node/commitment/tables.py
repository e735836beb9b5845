"""What the ledger knows of storage commitment: tables of its own beside the jobs' and the deliveries'.

    originals      which job is which instance of its sender (by code), for senders that ask
    transactions   of senders that are over (by code), so that none is used twice
    uncommitted    deliveries that a destination has stored and not yet committed itself to

A delivery that waits for commitment is one that is not due (`NEVER`): whatever else ends it, or begins it anew, does so
here too. Rows that belong to a job or a delivery go with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from node.jobs import JobId, State

if TYPE_CHECKING:
    from node.ledger import Ledger

NEVER: Final = 1e12
"""When a delivery is due that waits for commitment (seconds since 1970): some time after all archives are gone."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS originals (
        job           TEXT NOT NULL PRIMARY KEY,
        code          TEXT NOT NULL,              -- node.commitment.codes.Codes.instance
        sop_class_uid TEXT NOT NULL               -- as received
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS originals_code ON originals (code, job)",
    """CREATE TRIGGER IF NOT EXISTS originals_gone AFTER DELETE ON jobs
    BEGIN DELETE FROM originals WHERE job = OLD.id; END""",
    """CREATE TABLE IF NOT EXISTS transactions (
        code    TEXT NOT NULL PRIMARY KEY,        -- node.commitment.codes.Codes.transaction
        over_at REAL NOT NULL                     -- seconds since 1970
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS uncommitted (
        job             TEXT NOT NULL,
        destination     TEXT NOT NULL,
        stored_at       REAL NOT NULL,            -- for the first time; seconds since 1970
        transaction_uid TEXT NOT NULL DEFAULT '', -- of our request; empty: not asked yet
        code            TEXT NOT NULL DEFAULT '', -- node.commitment.codes.reference_code
        asked_at        REAL NOT NULL DEFAULT 0,
        PRIMARY KEY (job, destination)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS uncommitted_asked ON uncommitted (transaction_uid, code)",
    "CREATE INDEX IF NOT EXISTS uncommitted_to_ask ON uncommitted (destination, transaction_uid, stored_at)",
    """CREATE TRIGGER IF NOT EXISTS uncommitted_gone AFTER DELETE ON deliveries
    BEGIN DELETE FROM uncommitted WHERE job = OLD.job AND destination = OLD.destination; END""",
)

_NOTE = "INSERT INTO originals (job, code, sop_class_uid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_UNNOTED = """SELECT id, project FROM jobs WHERE place <> 'gone' AND project IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM originals WHERE job = jobs.id) ORDER BY id LIMIT ?"""
_STANDING = """SELECT j.state, o.sop_class_uid FROM originals o JOIN jobs j ON j.id = o.job WHERE o.code = ?
    ORDER BY o.job DESC LIMIT 1"""
_MADE = ""  # in place of a code: when the tables were made, which may be after the spool's files
_KNOWN_SINCE = "SELECT over_at FROM transactions WHERE code = ?"
_OVER = "INSERT INTO transactions (code, over_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
_IS_OVER = "SELECT 1 FROM transactions WHERE code = ?"
_FORGET_OVER = "DELETE FROM transactions WHERE over_at < ?"

_STORED = """INSERT INTO uncommitted (job, destination, stored_at) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET transaction_uid = '', code = '', asked_at = 0"""
_PUT_OFF = """UPDATE deliveries SET state = 'cleaned', next_try = ?, status = ?
    WHERE job = ? AND destination = ? AND state IN ('cleaned', 'sending')"""
_WAITING = """FROM uncommitted u JOIN deliveries d ON d.job = u.job AND d.destination = u.destination
    AND d.state = 'cleaned' """
_TO_ASK = f"""SELECT u.job, u.stored_at {_WAITING} WHERE u.transaction_uid = '' AND u.destination = ?
    ORDER BY u.stored_at LIMIT ?"""
_ASK = "UPDATE uncommitted SET transaction_uid = ?, code = ?, asked_at = ? WHERE job = ? AND destination = ?"
_UNASK = "UPDATE uncommitted SET transaction_uid = '', code = '' WHERE transaction_uid = ?"
_UNASK_OLD = """UPDATE uncommitted SET transaction_uid = '', code = ''
    WHERE destination = ? AND transaction_uid <> '' AND asked_at < ?"""
_ASKED = f"""SELECT u.job, d.attempts, d.first_failed_at {_WAITING}
    WHERE u.transaction_uid = ? AND u.code = ? AND u.destination = ?"""
_FORGET = "DELETE FROM uncommitted WHERE job = ? AND destination = ?"
_SEND_AGAIN = """UPDATE deliveries SET next_try = ?, status = ?, attempts = attempts + 1,
    first_failed_at = COALESCE(first_failed_at, ?) WHERE job = ? AND destination = ? AND state = 'cleaned'"""
_UNHEARD = f"SELECT u.job {_WAITING} WHERE u.destination = ? AND u.stored_at < ? LIMIT ?"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an instance stands that a sender asks about: the newest one of those that came under its UID."""

    state: State
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A delivery that a destination was asked about."""

    job_id: JobId
    attempts: int
    first_failed_at_s: float | None


class CommitmentTables:
    """The tables; made if they aren't there.

    Raises
    ------
    NoRoom, Transient
        from each method, as the ledger's
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        with ledger.batch():
            for statement in _SCHEMA:
                ledger.run(statement)
            ledger.run(_OVER, _MADE, time.time())

    # -- originals

    def note_original(self, job_id: JobId, code: str, sop_class_uid: str) -> None:
        """Note which instance of its sender a job is."""
        self._ledger.run(_NOTE, job_id, code, sop_class_uid)

    def unnoted(self, projects: Iterable[str], limit: int = 1_000_000) -> list[tuple[JobId, str]]:
        """Give open jobs of some projects, and whose each is, of which that isn't known: a crash cut it short."""
        rows = self._ledger.run(_UNNOTED, json.dumps(sorted(projects)), limit)
        return [(JobId(job_id), project) for job_id, project in rows]

    def standing(self, code: str) -> Standing | None:
        """Say where an instance stands; None if it is unknown."""
        rows = self._ledger.run(_STANDING, code).fetchall()
        return Standing(State(rows[0][0]), rows[0][1]) if rows else None

    def known_since_s(self) -> float:
        """Since when what comes is noted (seconds since 1970): the rest of a ledger that was lost is noted after it."""
        row = self._ledger.run(_KNOWN_SINCE, _MADE).fetchone()
        return 0.0 if row is None else float(row[0])

    # -- transactions of senders

    def over(self, code: str, now_s: float) -> None:
        """Note that a transaction is over: its UID must not be used again (PS3.4 Section J.3.3.1.2)."""
        self._ledger.run(_OVER, code, now_s)

    def is_over(self, code: str) -> bool:
        """Say whether a transaction was over before."""
        return bool(self._ledger.run(_IS_OVER, code).fetchall())

    def forget_over(self, before_s: float) -> None:
        """Forget transactions that were over before a time."""
        self._ledger.run(_FORGET_OVER, before_s)

    # -- what destinations have yet to commit themselves to

    def stored(self, job_id: JobId, destination: str, status: int, now_s: float) -> None:
        """Note that a destination has stored an instance, and is to be asked about it."""
        with self._ledger.batch():
            if self._ledger.run(_PUT_OFF, NEVER, status, job_id, destination).rowcount:
                self._ledger.run(_STORED, job_id, destination, now_s)

    def to_ask(self, destination: str, limit: int) -> list[tuple[JobId, float]]:
        """Give jobs that a destination is yet to be asked about, each with when it was stored."""
        rows = self._ledger.run(_TO_ASK, destination, limit)
        return [(JobId(job_id), stored_at) for job_id, stored_at in rows]

    def ask(self, destination: str, transaction_uid: str, codes: Sequence[tuple[JobId, str]], now_s: float) -> None:
        """Note a request before it is sent."""
        with self._ledger.batch():
            for job_id, code in codes:
                self._ledger.run(_ASK, transaction_uid, code, now_s, job_id, destination)

    def unask(self, transaction_uid: str) -> None:
        """Note that a request was not taken: its instances are to be asked about anew."""
        self._ledger.run(_UNASK, transaction_uid)

    def unask_old(self, destination: str, before_s: float) -> int:
        """Let what was asked before a time, and never reported, be asked again; return how many instances."""
        return self._ledger.run(_UNASK_OLD, destination, before_s).rowcount

    def asked(self, transaction_uid: str, code: str, destination: str) -> list[Asked]:
        """Give the deliveries that a reference of a report means; none if it was not asked about, or is over."""
        rows = self._ledger.run(_ASKED, transaction_uid, code, destination)
        return [Asked(JobId(job_id), attempts, first) for job_id, attempts, first in rows]

    def committed(self, job_id: JobId, destination: str) -> None:
        """Note that a destination has committed itself to an instance: it has been delivered."""
        with self._ledger.batch():
            self._ledger.run(_FORGET, job_id, destination)
            self._ledger.delivered(job_id, destination, 0)

    def trust(self, destination: str) -> int:
        """Count all as delivered that a destination has stored, as it is not to be asked any more; return how many."""
        jobs = [JobId(row[0]) for row in self._ledger.run(_UNHEARD, destination, NEVER, -1)]
        with self._ledger.batch():
            for job_id in jobs:
                self.committed(job_id, destination)
        return len(jobs)

    def send_again(self, asked: Asked, destination: str, next_try_s: float, reason: int, now_s: float) -> None:
        """Note that a destination does not commit itself, so that the instance is to be sent once more."""
        with self._ledger.batch():
            self._ledger.run(_FORGET, asked.job_id, destination)
            self._ledger.run(_SEND_AGAIN, next_try_s, reason, now_s, asked.job_id, destination)

    def give_up(self, job_id: JobId, destination: str, status: int | None, reason: str) -> None:
        """Note that a destination will never commit itself: a case for a person."""
        with self._ledger.batch():
            self._ledger.run(_FORGET, job_id, destination)
            self._ledger.gave_up(job_id, destination, status, reason)

    def unheard(self, destination: str, stored_before_s: float, limit: int = 1000) -> list[JobId]:
        """Give jobs that a destination stored before a time and has never said anything about since."""
        return [JobId(row[0]) for row in self._ledger.run(_UNHEARD, destination, stored_before_s, limit)]

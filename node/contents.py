"""What was sent where, by digests: the same SOP Instance twice is known, and nobody's content is overwritten.

A destination goes by SOP Instance UIDs: what comes under a UID that it has would take the place of what it has, or be
refused. So before a clean instance is queued it is compared with what is there, or on its way there, under its UID.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from node.jobs import CleanedJob, JobId, State, earliest_job_id
from node.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deid.encoding.element import Buffer
    from node.ledger import Ledger
    from node.settings import Project, Settings

_TABLES = """
    CREATE TABLE IF NOT EXISTS contents (
        destination TEXT NOT NULL,
        uid         BLOB NOT NULL,  -- 16 bytes of the SHA-256 of the new SOP Instance UID
        digest      BLOB NOT NULL,  -- 16 bytes of the SHA-256 of the clean Data Set
        job         TEXT NOT NULL,
        PRIMARY KEY (destination, uid)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS contents_jobs ON contents (job);
    CREATE TABLE IF NOT EXISTS contents_refused (job TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
"""
_LOOK = """SELECT c.digest, c.job, d.state, d.status FROM contents c
    LEFT JOIN deliveries d ON d.job = c.job AND d.destination = c.destination
    WHERE c.destination = ? AND c.uid = ?"""
_NOTE = """INSERT INTO contents VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET digest = excluded.digest, job = excluded.job"""
_REFUSED = "INSERT INTO contents_refused VALUES (?) ON CONFLICT DO NOTHING"
_WAS_REFUSED = "SELECT 1 FROM contents_refused WHERE job = ?"
_PRUNE = "DELETE FROM contents WHERE job < ?"
_PRUNE_REFUSED = "DELETE FROM contents_refused WHERE job < ?"

_BYTES = 16


def digest_of(chunks: Iterable[Buffer]) -> bytes:
    """Return the digest of an encoded Data Set; its pieces are hashed where they lie."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.digest()[:_BYTES]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a clean instance compares with what its destinations have, or will have, under its UID.

    Attributes
    ----------
    others
        destinations that have another content
    new
        destinations that have nothing, as far as is known
    is_known
        whether all of them have this very content for sure
    """

    others: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    is_known: bool = False


@dataclass(slots=True)
class Contents:
    """The table of digests; only the work role's thread asks it anything.

    Attributes
    ----------
    pending
        what is about to be noted in one commit: (destination, UID's digest) → (digest, job)
    """

    ledger: Ledger
    pending: dict[tuple[str, bytes], tuple[bytes, str]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the tables if they aren't there."""
        for statement in filter(str.strip, _TABLES.split(";")):
            self.ledger.run(statement)

    def compare(self, cleaned: CleanedJob, destinations: Sequence[str]) -> Comparison:
        """Compare an instance with what was cleaned before; what is new now is in the way of what comes after.

        What a person has released, although it was refused for its content, is in nobody's way.

        Raises
        ------
        Transient
            if the ledger fails
        """
        if cleaned.names is None or not cleaned.digest:
            return Comparison()
        is_wanted = bool(self.ledger.run(_WAS_REFUSED, cleaned.job_id).fetchall())
        uid, others, new, known = _uid(cleaned), [], [], 0
        for destination in destinations:
            digest, is_there = self._found(destination, uid, cleaned.job_id)
            if digest is None or is_wanted:
                new.append(destination)
            elif digest != cleaned.digest:
                others.append(destination)
            else:
                known += is_there
        if not others:
            self.pending.update({(name, uid): (cleaned.digest, cleaned.job_id) for name in new})
        return Comparison(tuple(others), tuple(new), known == len(destinations))

    def _found(self, destination: str, uid: bytes, job_id: JobId) -> tuple[bytes | None, bool]:
        """Return the digest of what is there or on its way, None if nothing is; and whether it is there."""
        if (before := self.pending.get((destination, uid))) and before[1] != job_id:
            return before[0], False
        for digest, job, state, status in self.ledger.run(_LOOK, destination, uid).fetchall():
            was_refused = state == "quarantined" and status is not None
            if job != job_id and state is not None and not was_refused:
                return digest, state == "sent"
        return None, False

    def note(self, cleaned: CleanedJob, new: Sequence[str]) -> None:
        """Note what is to be sent, in the commit that queues it."""
        for destination in new:
            self.ledger.run(_NOTE, destination, _uid(cleaned), cleaned.digest, cleaned.job_id)

    def note_refused(self, job_id: JobId) -> None:
        """Note that an instance was refused for its content, in the commit that says so."""
        self.ledger.run(_REFUSED, job_id)

    def prune(self, arrived_before_s: float) -> None:
        """Forget what the ledger forgets."""
        for statement in (_PRUNE, _PRUNE_REFUSED):
            self.ledger.run(statement, earliest_job_id(arrived_before_s))


def is_dropped(project: Project, settings: Settings) -> bool:
    """Say whether what its destinations have for sure is not sent once more; where one has to commit itself, it is."""
    return project.resent == "drop" and not any(
        getattr(settings.destinations[name], "commitment", False) for name in project.destinations
    )


Note: TypeAlias = "Callable[[Ledger], None]"


def note_cleaned(ledger: Ledger, note: Note, contents: Contents, cleaned: CleanedJob, compared: Comparison) -> None:
    """Note that an instance is queued, and its content."""
    note(ledger)
    contents.note(cleaned, compared.new)


def note_resent(ledger: Ledger, note: Note, job_id: JobId, destinations: Sequence[str]) -> None:
    """Note that an instance is queued and need not be sent: all have it."""
    note(ledger)
    for destination in destinations:
        ledger.delivered(job_id, destination, Status.SUCCESS)


def note_other_content(ledger: Ledger, note: Note, contents: Contents, job_id: JobId) -> None:
    """Note that an instance is quarantined for its content: so that it passes if a person releases it."""
    note(ledger)
    job = ledger.job(job_id)
    if job is not None and job.state is State.QUARANTINED:  # and not put back, for want of room
        contents.note_refused(job_id)


def _uid(cleaned: CleanedJob) -> bytes:
    uid = cleaned.names.sop_instance_uid if cleaned.names else ""
    return hashlib.sha256(uid.encode()).digest()[:_BYTES]

"""The life of a job, as a table: one job for each instance that was acknowledged.

    RECEIVED → CLEANING → CLEANED ─────────────→ SENT
        ↑          │         │ (each delivery: CLEANED → SENDING → SENT, or back, or given up)
        ├──────────┴─────────┴──→ QUARANTINED → (released) RECEIVED
        ├─ HELD ←─ CLEANING          (until the crosswalk maps its patient)
        └─ GATHERED ←─ CLEANING      (until its series is there and planned; refused as a whole: QUARANTINED)

A job is never SENDING itself: its deliveries are, one for each destination.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.naming import Names

_JOB_ID = re.compile(r"[0-9a-f]{32}")


class JobId(str):
    """Names a job and its files: 16 hexadecimal digits of the time of arrival (ns since 1970), 16 of chance.

    Sorts by arrival, says nothing of the instance, and is always a safe file name.

    Raises
    ------
    ValueError
        if the text is anything else
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take `text` only if it is a job id."""
        if not _JOB_ID.fullmatch(text):
            raise ValueError("not a job id (32 hexadecimal digits)")
        return super().__new__(cls, text)


def new_job_id() -> JobId:
    """Name a job that arrives now."""
    return JobId(f"{time.time_ns():016x}{secrets.token_hex(8)}")


def arrived_at_s(job_id: JobId) -> float:
    """When the job arrived, in seconds since 1970."""
    return int(job_id[:16], 16) / 1e9


def earliest_job_id(arrived_s: float) -> JobId:
    """Give the least id of a job that arrived at `arrived_s` or later; for comparing."""
    return JobId(f"{int(arrived_s * 1e9):016x}{0:016x}")


class State(StrEnum):
    """Where a job, or one delivery of it, stands."""

    RECEIVED = "received"
    CLEANING = "cleaning"
    HELD = "held"
    GATHERED = "gathered"
    CLEANED = "cleaned"
    SENDING = "sending"
    SENT = "sent"
    QUARANTINED = "quarantined"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    # straight to CLEANED: the claim was lost, the clean copy is there
    State.RECEIVED: frozenset({State.CLEANING, State.CLEANED, State.QUARANTINED}),
    # back to RECEIVED: a worker died, was too slow, or found no room; HELD: nobody has mapped the patient yet;
    # GATHERED: it needs its series
    State.CLEANING: frozenset({State.CLEANED, State.RECEIVED, State.HELD, State.GATHERED, State.QUARANTINED}),
    # to be tried again: the crosswalk is another one, or it is time; quarantined: its raw file was deleted, not by us
    State.HELD: frozenset({State.RECEIVED, State.QUARANTINED}),
    # to be cleaned with its series' plan
    State.GATHERED: frozenset({State.RECEIVED, State.QUARANTINED}),
    # back to RECEIVED: the clean copy is gone, the raw one is not
    State.CLEANED: frozenset({State.SENDING, State.SENT, State.RECEIVED, State.QUARANTINED}),
    # back to CLEANED: to be tried again
    State.SENDING: frozenset({State.SENT, State.CLEANED, State.QUARANTINED}),
    State.SENT: frozenset(),
    # a person released it
    State.QUARANTINED: frozenset({State.RECEIVED}),
}


class Place(StrEnum):
    """Where the raw file of a job is."""

    INCOMING = "incoming"
    QUARANTINE = "quarantine"
    GONE = "gone"


class NodeReason(StrEnum):
    """Why the node (not `deid`) quarantined an instance."""

    WORKER_DIED = "worker-died"
    WORKER_TIMED_OUT = "worker-timed-out"
    FORWARDER_DIED = "forwarder-died"
    OTHER_CONTENT = "other-content"
    OUT_OF_MEMORY = "out-of-memory"
    INTERNAL_ERROR = "internal-error"
    NO_SUCH_PROJECT = "no-such-project"
    NO_SUCH_DESTINATION = "no-such-destination"
    NO_ACCEPTABLE_TRANSFER_SYNTAX = "no-acceptable-transfer-syntax"
    SOP_CLASS_NOT_ACCEPTED = "sop-class-not-accepted"
    REFUSED_BY_DESTINATION = "refused-by-destination"
    UNDELIVERABLE = "undeliverable"
    NOT_COMMITTED = "not-committed"
    FILES_MISSING = "files-missing"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the ledger.

    Attributes
    ----------
    job_id
        names the files too
    project
        its name in the configuration; empty if the called AE title belongs to no project any more
    state
        never SENDING
    place
        where the raw file is
    size_bytes
        of the raw file
    attempts
        how often a worker died or timed out on it
    reason
        of the quarantine, else empty
    waits_for
        keyed code of the mapping that it was held for, else empty: one such code, one mapping
    """

    job_id: JobId
    project: str
    state: State
    place: Place
    size_bytes: int
    attempts: int
    reason: str
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class GatheredJob:
    """What a worker says of an instance that cannot be cleaned before its series is there.

    Attributes
    ----------
    series, instance
        keyed codes of the two UIDs
    announced
        how many instances its sender says that the series has; 0 if it doesn't say
    names
        that the clean instance will have, if that can be told
    """

    job_id: JobId
    series: str
    instance: str
    announced: int = 0
    names: Names | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The instances of a series that wait for the rest of it.

    Attributes
    ----------
    series
        keyed code of its UID: one such code, one series
    jobs
        that wait, instances that came twice included
    instances
        different ones among them
    announced
        how many its sender says that there are; 0 if it doesn't say
    first, last
        the job that came first, and last
    attempts
        how often a worker died or timed out on the series or on one of its instances, at the most
    """

    project: str
    series: str
    jobs: int
    instances: int
    announced: int
    first: JobId
    last: JobId
    attempts: int


@dataclass(frozen=True, slots=True)
class CleanedJob:
    """What a worker says of an instance that it cleaned; the clean file lies in the outbox.

    Attributes
    ----------
    sop_class_uid, transfer_syntax
        of the clean instance
    size_bytes
        of the clean file
    names
        of the clean instance
    facts
        what was done to it (node.reports.facts)
    digest
        of the clean Data Set (node.contents)
    """

    job_id: JobId
    sop_class_uid: str
    transfer_syntax: str
    size_bytes: int
    names: Names | None = None
    facts: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One clean instance to bring to one destination.

    Attributes
    ----------
    attempts
        that failed so far
    first_failed_at_s
        seconds since 1970, None if none failed yet
    sop_class_uid, transfer_syntax, size_bytes
        of the clean file
    """

    job_id: JobId
    destination: str
    attempts: int
    first_failed_at_s: float | None
    sop_class_uid: str
    transfer_syntax: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Queue:
    """How a destination's deliveries stand.

    Attributes
    ----------
    waiting, sending, given_up
        deliveries
    failing
        of `waiting`, those that failed at least once
    failed_status
        the highest status of a failed attempt, None if there was none or the archive didn't answer
    """

    destination: str
    waiting: int
    sending: int
    failing: int
    given_up: int
    failed_status: int | None

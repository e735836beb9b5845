"""The transactions of senders that have yet to be answered, as files, ``commitment/<arrival>-<code>.json``.

A file is durable before its sender is told that the request was taken, and goes once the sender has taken the report.
It holds UIDs as the sender calls them. Whoever works on a transaction holds a lock on its file: the association that
brought it, as long as it lasts, or the forward role, which reports on an association of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from node.commitment.messages import Failure, FailureReason, Reference, Report, Request
from node.commitment.overview import FOLDER
from node.commitment.settings import CommitmentMode
from node.contexts import STORAGE_SOP_CLASSES
from node.errors import Misconfigured
from node.jobs import JobId, State, arrived_at_s
from node.log import Event, emit
from node.part import PART_SUFFIX, PartFile, disk_errors, sweep_part, sync_folder
from node.status import Outcome, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from node.commitment.settings import CommitmentSettings
    from node.commitment.tables import CommitmentTables, Standing

_FILE_NAME = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32})\.json")

_DAY_S = 86_400.0


class TransactionId(NamedTuple):
    """Names a transaction and its file: when it came, and the code of its UID (node.commitment.codes)."""

    arrival: JobId
    code: str

    @property
    def arrived_at_s(self) -> float:
        """When it came, in seconds since 1970."""
        return arrived_at_s(self.arrival)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A request for storage commitment that was taken.

    Attributes
    ----------
    calling_ae, called_ae, address
        who asked whom, and from where
    project
        whose instances it is about
    codes
        of its references, in their order (node.commitment.codes.Codes.instance)
    is_duplicate
        whether its UID was in use before: then nothing of it is committed to
    """

    id: TransactionId
    calling_ae: str
    called_ae: str
    address: str
    project: str
    request: Request
    codes: tuple[str, ...]
    is_duplicate: bool = False

    def is_repeated_by(self, other: Transaction) -> bool:
        """Say whether another request is this one once more, as from a sender that did not hear our answer."""
        return self.id.code == other.id.code and self.request == other.request and not self.is_duplicate


class Transactions:
    """The files.

    Parameters
    ----------
    spool
        its folder
    check_room
        raises NoRoom

    Raises
    ------
    Misconfigured
        if the folder can't be made
    """

    def __init__(self, spool: Path, check_room: Callable[[], None]) -> None:
        self._folder = spool / FOLDER
        self._check_room = check_room
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"spool {spool}: {error.strerror}") from None

    def add(self, transaction: Transaction) -> None:
        """Keep a transaction for good.

        Raises
        ------
        NoRoom, Transient
            nothing is left then
        """
        with PartFile(self._path(transaction.id), self._check_room) as file:
            file.write(json.dumps(asdict(transaction)).encode("ascii"))
            file.commit()

    def ids(self) -> list[TransactionId]:
        """List the transactions, in the order in which they came."""
        found = (_FILE_NAME.fullmatch(entry.name) for entry in os.scandir(self._folder))
        return sorted(TransactionId(JobId(match[1]), match[2]) for match in found if match)

    def load(self, transaction_id: TransactionId) -> Transaction | None:
        """Read a transaction; None if it is over."""
        try:
            return _from_json(json.loads(self._path(transaction_id).read_bytes()))
        except FileNotFoundError:
            return None

    def drop(self, transaction_id: TransactionId) -> None:
        """Forget a transaction.

        Raises
        ------
        Transient
            if that can't be made durable
        """
        with disk_errors():
            self._path(transaction_id).unlink(missing_ok=True)
            sync_folder(self._folder)

    def conclude(self, transaction: Transaction, status: int, tables: CommitmentTables) -> bool:
        """Note how a sender has answered the report on a transaction; say whether that is over now.

        Raises
        ------
        NoRoom, Transient
            if that can't be noted: then it is reported once more
        """
        if outcome_of(status) is Outcome.RETRY:
            emit(Event.COMMITMENT_FAILED, status=status)
            return False
        tables.over(transaction.id.code, time.time())
        self.drop(transaction.id)
        emit(Event.COMMITMENT_ANSWERED, status=status, instances=len(transaction.codes))
        return True

    @contextmanager
    def locked(self, transaction_id: TransactionId) -> Iterator[bool]:
        """Lock a transaction for the block; yields whether it is there and nobody else works on it."""
        fd = self.lock(transaction_id)
        try:
            yield fd is not None
        finally:
            if fd is not None:
                os.close(fd)

    def lock(self, transaction_id: TransactionId) -> int | None:
        """Lock a transaction; return the file descriptor that holds the lock, None if somebody else does."""
        try:
            fd = os.open(self._path(transaction_id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        if os.fstat(fd).st_nlink == 0:  # it was over before we had the lock
            os.close(fd)
            return None
        return fd

    def sweep(self) -> int:
        """Delete what somebody who died had begun to write; return how many there were."""
        return sum(sweep_part(part) for part in self._folder.glob(f"*{PART_SUFFIX}"))

    def _path(self, transaction_id: TransactionId) -> Path:
        return self._folder / f"{transaction_id.arrival}-{transaction_id.code}.json"


def _from_json(values: dict[str, Any]) -> Transaction:
    request = values.pop("request")
    references = tuple(Reference(*each) for each in request["references"])
    return Transaction(
        **{
            **values,
            "id": TransactionId(JobId(values["id"][0]), values["id"][1]),
            "codes": tuple(values["codes"]),
            "request": Request(request["transaction_uid"], references),
        }
    )


def report_on(
    transaction: Transaction,
    mode: CommitmentMode,
    settings: CommitmentSettings,
    tables: CommitmentTables,
    now_s: float,
) -> Report | None:
    """Return the report on a transaction; None as long as something of it is not decided.

    Parameters
    ----------
    tables
        say where its instances stand
    now_s
        seconds since 1970

    Raises
    ------
    NoRoom, Transient
        as the ledger's
    """
    patience = _Patience(
        unknown=now_s - max(transaction.id.arrived_at_s, tables.known_since_s()) < settings.unknown_after_s,
        unsent=now_s - transaction.id.arrived_at_s < settings.wait_days * _DAY_S,
    )
    committed, failed = [], []
    for reference, code in zip(transaction.request.references, transaction.codes, strict=True):
        if transaction.is_duplicate:
            reason: FailureReason | None = FailureReason.DUPLICATE_TRANSACTION
        else:
            found = tables.standing(code)
            if _is_open(found, mode, patience):
                return None
            reason = _failure(reference, found, mode)
        if reason is None:
            committed.append(reference)
        else:
            failed.append(Failure(reference, reason))
    return Report(transaction.request.transaction_uid, tuple(committed), tuple(failed))


class _Patience(NamedTuple):
    """Whether to go on waiting for an instance that is unknown, and for one that is not sent yet."""

    unknown: bool
    unsent: bool


def _is_open(found: Standing | None, mode: CommitmentMode, patience: _Patience) -> bool:
    """Say whether an instance may yet come, or may yet be forwarded."""
    if found is None:
        return patience.unknown
    return patience.unsent and not _is_final(found, mode)


def _is_final(found: Standing, mode: CommitmentMode) -> bool:
    return mode is CommitmentMode.RECEIVED or found.state in {State.SENT, State.QUARANTINED}


def _failure(reference: Reference, found: Standing | None, mode: CommitmentMode) -> FailureReason | None:
    """Return why nobody commits to an instance; None if the node does."""
    if found is None and reference.sop_class_uid not in STORAGE_SOP_CLASSES:
        return FailureReason.SOP_CLASS_NOT_SUPPORTED
    if found is None:
        return FailureReason.NO_SUCH_INSTANCE
    if found.sop_class_uid != reference.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    if found.state is State.QUARANTINED:
        return FailureReason.PROCESSING_FAILURE
    return None if _is_final(found, mode) else FailureReason.RESOURCE_LIMITATION

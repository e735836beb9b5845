"""Reports to senders on associations of our own: the forward role's half of storage commitment as the SCP.

What the association that asked did not get its report on lies in the spool (node.commitment.transactions). Each
transaction is looked at until it is decided, and reported until its sender has taken the report or it is too late.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Final

from node.commitment.scu import CommitmentAssociation, open_to_report
from node.commitment.settings import CommitmentMode
from node.commitment.transactions import Transaction, TransactionId, Transactions, report_on
from node.errors import NoRoom, Transient, Unreachable
from node.log import Event, emit, emit_error
from node.peers import Peers
from node.retry import delay
from node.scu import NoContext
from node.settings import Destination

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node.commitment.messages import Report
    from node.commitment.tables import CommitmentTables
    from node.ledger import Ledger
    from node.settings import Settings

THREADS: Final = 4
"""So that a sender which does not answer keeps few others waiting."""

_LOOK_EVERY_S: Final = 0.5
_LOOKS_PER_AGE: Final = 20.0  # a transaction that has waited for long is looked at less often …
_LONGEST_BETWEEN_LOOKS_S: Final = 60.0  # … but not less than this
_FORGET_EVERY_S: Final = 3600.0
_DAY_S: Final = 86_400.0


class Agenda:
    """When each transaction is to be looked at next; shared by the threads that report."""

    def __init__(self, transactions: Transactions, settings: Settings) -> None:
        self._transactions = transactions
        self._forward = settings.forward
        self._lock = threading.Lock()
        self._look_at_s: dict[TransactionId, float] = {}
        self._failures: dict[TransactionId, int] = {}
        self._ids: list[TransactionId] = []
        self._listed_at_s = 0.0

    def due(self) -> Iterator[TransactionId]:
        """Yield the transactions that are to be looked at now."""
        with self._lock:
            if time.monotonic() - self._listed_at_s >= _LOOK_EVERY_S:
                self._ids, self._listed_at_s = self._transactions.ids(), time.monotonic()
            ids = self._ids
            self._look_at_s = {each: self._look_at_s.get(each, 0.0) for each in ids}
            self._failures = {each: count for each, count in self._failures.items() if each in self._look_at_s}
        for each in ids:
            if self._look_at_s.get(each, 0.0) <= time.monotonic():
                yield each

    def is_open(self, transaction_id: TransactionId) -> None:
        """Note that a transaction is not decided yet."""
        age_s = time.time() - transaction_id.arrived_at_s
        pause_s = min(max(age_s / _LOOKS_PER_AGE, _LOOK_EVERY_S), _LONGEST_BETWEEN_LOOKS_S)
        with self._lock:
            self._look_at_s[transaction_id] = time.monotonic() + pause_s

    def failed(self, transaction_id: TransactionId) -> None:
        """Note that a report was not taken."""
        with self._lock:
            failures = self._failures[transaction_id] = self._failures.get(transaction_id, 0) + 1
            pause_s = delay(failures, self._forward, random.random())  # noqa: S311 -- jitter
            self._look_at_s[transaction_id] = time.monotonic() + pause_s


class Reporter:
    """Reports until told to stop; several may share an agenda."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        tables: CommitmentTables,
        transactions: Transactions,
        agenda: Agenda,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tables = tables
        self._transactions = transactions
        self._agenda = agenda
        self._stop = stop
        self._association: CommitmentAssociation | None = None
        self._forget_at = 0.0

    def run(self) -> None:
        """Report until the role stops."""
        try:
            while not self._stop.wait(_LOOK_EVERY_S):
                self._turn()
        finally:
            self._ledger.close()

    def interrupt(self) -> None:
        """Break off a report under way; from another thread."""
        association = self._association
        if association is not None:
            association.interrupt()

    def _turn(self) -> None:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET_EVERY_S
            self._tables.forget_over(time.time() - self._settings.spool.keep_finished_days * _DAY_S)
        for transaction_id in self._agenda.due():
            if self._stop.is_set():
                return
            with self._transactions.locked(transaction_id) as is_ours:
                if is_ours:
                    self._look_at(transaction_id)

    def _look_at(self, transaction_id: TransactionId) -> None:
        try:
            transaction = self._transactions.load(transaction_id)
            if transaction is None:
                return
            report = self._report_on(transaction)
            if report is None:
                self._agenda.is_open(transaction_id)
            else:
                self._tell(transaction, report)
        except (NoRoom, Transient, Unreachable, NoContext) as error:
            emit_error(Event.COMMITMENT_FAILED, error)
            self._agenda.failed(transaction_id)

    def _report_on(self, transaction: Transaction) -> Report | None:
        project = self._settings.project_named(transaction.project)
        mode = project.commitment if project else CommitmentMode.FORWARDED
        return report_on(transaction, mode, self._settings.commitment, self._tables, time.time())

    def _tell(self, transaction: Transaction, report: Report) -> None:
        if time.time() - transaction.id.arrived_at_s > self._settings.commitment.give_up_days * _DAY_S:
            self._tables.over(transaction.id.code, time.time())
            self._transactions.drop(transaction.id)
            emit(Event.COMMITMENT_GIVEN_UP, instances=len(transaction.codes))
            return
        sender = sender_of(transaction, self._settings)
        if sender is None:
            raise Unreachable("no [peers.commitment] says where this sender takes reports")
        self._association = association = open_to_report(sender, self._settings.forward)
        try:
            with association:
                status = association.report(report)
        finally:
            self._association = None
        if not self._transactions.conclude(transaction, status, self._tables):
            self._agenda.failed(transaction.id)


def sender_of(transaction: Transaction, settings: Settings) -> Destination | None:
    """Return where the sender of a transaction takes reports, by the first peer that says so and that it may be."""
    for peer in settings.peers:
        remote = peer.commitment
        if remote and Peers.from_settings([peer]).admits(transaction.calling_ae, transaction.address):
            return Destination(
                name="sender",
                ae_title=remote.ae_title,
                host=remote.host,
                port=remote.port,
                calling_ae_title=transaction.called_ae,
                tls=remote.tls,
            )
    return None

"""What the forward role does for storage commitment beside its lanes: one that asks each archive, some that report."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from node.commitment.asker import Asker
from node.commitment.originals import committing_projects
from node.commitment.overview import uncommitted_by_destination
from node.commitment.reporter import THREADS, Agenda, Reporter
from node.commitment.reports import Reports
from node.commitment.tables import CommitmentTables
from node.commitment.transactions import Transactions
from node.log import Event, emit

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from node.jobs import JobId
    from node.lane import Runner
    from node.ledger import Ledger
    from node.settings import AnyDestination, Settings
    from node.spool import Spool


class Clerks:
    """Makes them; there are none where the configuration says nothing of commitment."""

    def __init__(self, settings: Settings, spool: Spool, ledger: Ledger, stop: threading.Event) -> None:
        self._settings = settings
        self._spool = spool
        self._ledger = ledger
        self._stop = stop
        asks = any(each.commitment for each in settings.destinations.values())
        self._reports_to_senders = bool(committing_projects(settings))
        left = uncommitted_by_destination(ledger)
        self._tables = CommitmentTables(ledger) if asks or self._reports_to_senders or left else None
        for name in left:
            each = settings.destinations.get(name)
            if self._tables and each and not each.commitment:
                self._tables.trust(name)

    def note_for(self, destination: AnyDestination) -> Callable[[JobId, str, int], None] | None:
        """Return what notes that a destination has stored an instance; None where that is all there is to it."""
        if self._tables is None or not destination.commitment:
            return None
        return partial(_stored, self._tables)

    def runners(self) -> Iterator[tuple[str, Runner]]:
        """Yield what is to be run in a thread of its own, each with a name for that."""
        tables = self._tables
        if tables is None:
            return
        reports = Reports(self._ledger, tables, self._settings.forward)
        for name, each in self._settings.archives.items():
            if each.commitment:
                asker = Asker(each, self._settings, self._ledger, tables, self._spool, reports, self._stop)
                yield f"commitment-{name}", asker
        if self._reports_to_senders:
            transactions = Transactions(self._spool.path, self._spool.check_room)
            if parts := transactions.sweep():
                emit(Event.PARTS_SWEPT, count=parts)
            agenda = Agenda(transactions, self._settings)
            for number in range(THREADS):
                reporter = Reporter(self._settings, self._ledger, tables, transactions, agenda, self._stop)
                yield f"reporter-{number}", reporter


def _stored(tables: CommitmentTables, job_id: JobId, destination: str, status: int) -> None:
    tables.stored(job_id, destination, status, time.time())

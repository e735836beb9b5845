"""Asks one archive to commit itself to what it has stored; the forward role runs one for each that is to be asked.

Instances that were stored are collected for a moment and asked about together. The report may come on the association
that asked, or on one that the archive opens (node.commitment.scp); without one the archive is asked again.
"""

from __future__ import annotations

import random
import time
import uuid
from typing import TYPE_CHECKING, Final

from deid.errors import Refused
from node.commitment.codes import reference_code
from node.commitment.messages import Reference, Report, Request
from node.commitment.scu import CommitmentAssociation, open_to_ask
from node.errors import NodeError, NoRoom, Transient, Unreachable
from node.jobs import JobId, NodeReason
from node.log import Event, Name, emit, emit_error
from node.presence import look
from node.retry import delay
from node.scu import NoContext, outgoing_from_file
from node.status import Status

if TYPE_CHECKING:
    import threading

    from node.commitment.reports import Reports
    from node.commitment.tables import CommitmentTables
    from node.ledger import Ledger
    from node.settings import Destination, Settings
    from node.spool import Spool

_LOOK_EVERY_S: Final = 0.5
_LOOK_FOR_OLD_EVERY_S: Final = 15.0
_WAIT_FOR_RECEIVERS_S: Final = 60.0
_STAY_S: Final = 3.0
"""How long the association stays for the report; archives that take longer open one of their own."""

_DAY_S: Final = 86_400.0


class Asker:
    """Asks until told to stop.

    Parameters
    ----------
    reports
        takes the reports that come on our own association
    """

    def __init__(
        self,
        destination: Destination,
        settings: Settings,
        ledger: Ledger,
        tables: CommitmentTables,
        spool: Spool,
        reports: Reports,
        stop: threading.Event,
    ) -> None:
        self._destination = destination
        self._settings = settings
        self._ledger = ledger
        self._tables = tables
        self._spool = spool
        self._reports = reports
        self._stop = stop
        self._association: CommitmentAssociation | None = None
        self._failures = 0
        self._pause_until = 0.0
        self._look_for_old_at = 0.0

    def run(self) -> None:
        """Ask until the role stops."""
        try:
            self._wait_for_receivers()
            while not self._stop.wait(_LOOK_EVERY_S):
                try:
                    self._step(time.time())
                except (NoRoom, Transient) as error:  # the ledger's disk is full or slow
                    self._failed(error)
        finally:
            self._ledger.close()

    def interrupt(self) -> None:
        """Break off a request under way; from another thread."""
        association = self._association
        if association is not None:
            association.interrupt()

    def _wait_for_receivers(self) -> None:
        """Wait until the node listens: some archives report at once, and only once."""
        give_up_at = time.monotonic() + _WAIT_FOR_RECEIVERS_S
        while time.monotonic() < give_up_at and not self._stop.wait(_LOOK_EVERY_S):
            if all(role.state == "ready" for role in look(self._spool.path).roles if role.name == "receive"):
                return

    def _step(self, now_s: float) -> None:
        settings, name = self._settings.commitment, self._destination.name
        if time.monotonic() >= self._look_for_old_at:
            self._look_for_old_at = time.monotonic() + min(_LOOK_FOR_OLD_EVERY_S, settings.ask_again_s)
            self._tables.unask_old(name, now_s - settings.ask_again_s)
            self._give_up_unheard(now_s)
        if time.monotonic() < self._pause_until:
            return
        waiting = self._tables.to_ask(name, settings.most_instances)
        if waiting and (len(waiting) == settings.most_instances or waiting[0][1] <= now_s - settings.ask_after_s):
            self._ask_about([job_id for job_id, _ in waiting], now_s)

    def _give_up_unheard(self, now_s: float) -> None:
        """Give up what the archive has stored so long ago, and never said anything about."""
        name = self._destination.name
        for job_id in self._tables.unheard(name, now_s - self._settings.forward.give_up_days * _DAY_S):
            self._tables.give_up(job_id, name, None, NodeReason.NOT_COMMITTED)
            emit(
                Event.DELIVERY_GIVEN_UP,
                job=job_id,
                destination=Name(name),
                status=None,
                reason=NodeReason.NOT_COMMITTED,
            )

    def _ask_about(self, job_ids: list[JobId], now_s: float) -> None:
        transaction_uid = f"2.25.{uuid.uuid4().int}"
        references = {job_id: found for job_id in job_ids if (found := self._reference(job_id))}
        if not references:
            self._pause()
            return
        codes = [
            (job_id, reference_code(transaction_uid, each.sop_instance_uid)) for job_id, each in references.items()
        ]
        self._tables.ask(self._destination.name, transaction_uid, codes, now_s)
        request = Request(transaction_uid, tuple(dict.fromkeys(references.values())))
        try:
            status = self._asked(request)
        except (Unreachable, Transient, NoContext) as error:
            self._tables.unask(transaction_uid)
            self._failed(error)
            return
        event = Event.COMMITMENT_ASKED if status == Status.SUCCESS else Event.COMMITMENT_FAILED
        emit(event, destination=Name(self._destination.name), instances=len(request.references), status=status)
        if status == Status.SUCCESS:
            self._failures = 0
        else:
            self._tables.unask(transaction_uid)
            self._pause()

    def _asked(self, request: Request) -> int:
        association = open_to_ask(self._destination, self._settings.forward)
        self._association = association
        try:
            with association:
                return association.ask(request, self._take, _STAY_S)
        finally:
            self._association = None

    def _take(self, report: Report) -> Status:
        try:
            self._reports.take(report, (self._destination.name,))
        except NodeError:
            return Status.PROCESSING_FAILURE
        return Status.SUCCESS

    def _reference(self, job_id: JobId) -> Reference | None:
        """Return what the clean instance of a job is called; None if it is gone: then it is made and sent anew."""
        try:
            outgoing = outgoing_from_file(self._spool.outbox_path(job_id))
        except (OSError, Refused):
            return None
        return Reference(outgoing.sop_class_uid, outgoing.sop_instance_uid)

    def _failed(self, error: Exception) -> None:
        emit_error(Event.COMMITMENT_FAILED, error, destination=Name(self._destination.name))
        self._pause()

    def _pause(self) -> None:
        self._failures += 1
        pause_s = delay(self._failures, self._settings.forward, random.random())  # noqa: S311 -- jitter
        self._pause_until = time.monotonic() + pause_s

"""What an archive reports about our requests: noted delivery by delivery, whichever role hears it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from node.commitment.codes import reference_code
from node.commitment.messages import FailureReason
from node.jobs import NodeReason
from node.log import Event, Name, emit
from node.retry import next_try

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.commitment.messages import Report
    from node.commitment.tables import Asked, CommitmentTables
    from node.ledger import Ledger
    from node.settings import ForwardSettings

_FOR_GOOD: Final = frozenset({FailureReason.SOP_CLASS_NOT_SUPPORTED, FailureReason.CLASS_INSTANCE_CONFLICT})
"""What sending the same instance once more would not change."""


class Reports:
    """Takes reports; any number of threads and processes may.

    Parameters
    ----------
    forward
        when what is not committed to is sent again, and for how long
    """

    def __init__(self, ledger: Ledger, tables: CommitmentTables, forward: ForwardSettings) -> None:
        self._ledger = ledger
        self._tables = tables
        self._forward = forward

    def take(self, report: Report, destinations: Iterable[str]) -> int:
        """Note what a report says; return how many deliveries it was about.

        Of a report on a transaction that is not ours, is over, or was asked of another destination nothing is noted.

        Parameters
        ----------
        destinations
            who the peer may be that reports

        Raises
        ------
        NoRoom, Transient
            if the ledger fails; then nothing of it is noted
        """
        count = 0
        with self._ledger.batch():
            for destination in destinations:
                count += self._take(report, destination)
        return count

    def _take(self, report: Report, destination: str) -> int:
        uid = report.transaction_uid
        committed = failed = 0
        for reference in report.committed:
            for asked in self._tables.asked(uid, reference_code(uid, reference.sop_instance_uid), destination):
                self._tables.committed(asked.job_id, destination)
                committed += 1
        for failure in report.failed:
            for asked in self._tables.asked(uid, reference_code(uid, failure.reference.sop_instance_uid), destination):
                self._failed(asked, destination, failure.reason)
                failed += 1
        if any(each.reason == FailureReason.DUPLICATE_TRANSACTION for each in report.failed):
            self._tables.unask(uid)
        if committed or failed:
            emit(Event.COMMITMENT_REPORTED, destination=Name(destination), committed=committed, failed=failed)
        return committed + failed

    def _failed(self, asked: Asked, destination: str, reason: int) -> None:
        """Send it again, ask again, or give it up, as the reason says."""
        if reason == FailureReason.DUPLICATE_TRANSACTION:
            return  # asked about anew, by another transaction
        now_s = time.time()
        first_failed_at_s = now_s if asked.first_failed_at_s is None else asked.first_failed_at_s
        jitter = random.random()  # noqa: S311
        again_s = next_try(asked.attempts + 1, first_failed_at_s, now_s, self._forward, jitter)
        if again_s is None or reason in _FOR_GOOD:
            self._tables.give_up(asked.job_id, destination, reason, NodeReason.NOT_COMMITTED)
            emit(
                Event.DELIVERY_GIVEN_UP,
                job=asked.job_id,
                destination=Name(destination),
                status=reason,
                reason=NodeReason.NOT_COMMITTED,
            )
            return
        self._tables.send_again(asked, destination, again_s, reason, now_s)

"""What no destination has taken so far, brought to them once more: at once what waits, anew what was given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node import quarantine
from node.jobs import NodeReason

if TYPE_CHECKING:
    from node.ledger import Ledger
    from node.quarantine import Entry
    from node.spool import Spool

DELIVERY_REASONS = frozenset(
    {
        NodeReason.FORWARDER_DIED,
        NodeReason.NO_ACCEPTABLE_TRANSFER_SYNTAX,
        NodeReason.NO_SUCH_DESTINATION,
        NodeReason.NOT_COMMITTED,
        NodeReason.REFUSED_BY_DESTINATION,
        NodeReason.SOP_CLASS_NOT_ACCEPTED,
        NodeReason.UNDELIVERABLE,
    }
)
"""Why a clean instance is in quarantine: the dead letters."""

_HASTEN = """UPDATE deliveries SET next_try = 0
    WHERE state IN ('cleaned', 'sending') AND state = 'cleaned' AND next_try > 0 AND (? = '' OR destination = ?)"""


@dataclass(frozen=True, slots=True)
class Resent:
    """What was done.

    Attributes
    ----------
    hastened
        deliveries that waited for their next try, and are due now
    released
        instances that had been given up, and are cleaned and sent once more
    """

    hastened: int
    released: int


def resend(spool: Spool, ledger: Ledger, destination: str = "") -> Resent:
    """Send what is still to be sent, to one destination or to all.

    Destinations that have an instance already don't get it again.

    Raises
    ------
    NoRoom, Transient
        if the disk or the ledger fails; what was done until then stays done, and it can be repeated
    """
    hastened = ledger.run(_HASTEN, destination, destination).rowcount
    given_up = [entry for entry in quarantine.listed(spool) if is_dead_letter(entry, destination)]
    return Resent(hastened, sum(quarantine.release(spool, ledger, entry.job_id) for entry in given_up))


def is_dead_letter(entry: Entry, destination: str = "") -> bool:
    """Say whether an instance in quarantine is clean but was not delivered (to this destination, if one is named)."""
    if entry.reason not in DELIVERY_REASONS:
        return False
    return not destination or any(told.startswith(f"{destination}: ") for told in entry.detail.split(", "))

"""How storage commitment stands, for `deid-node status`: read without loading what speaks or writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from node.ledger import Ledger

FOLDER: Final = "commitment"
"""In the spool: the requests of senders (node.commitment.transactions)."""

_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'uncommitted'"
_COUNT = """SELECT u.destination, COUNT(*) FROM uncommitted u JOIN deliveries d
    ON d.job = u.job AND d.destination = u.destination AND d.state = 'cleaned' GROUP BY u.destination"""


def uncommitted_by_destination(ledger: Ledger) -> dict[str, int]:
    """Count the deliveries that wait for commitment, where there are any.

    Raises
    ------
    NoRoom, Transient
        as the ledger's
    """
    has_table = ledger.run(_HAS_TABLE).fetchall()
    return dict(ledger.run(_COUNT).fetchall()) if has_table else {}


def open_requests(spool: Path) -> int:
    """Count the requests of senders that are yet to be reported on."""
    return sum(1 for _ in (spool / FOLDER).glob("*.json"))

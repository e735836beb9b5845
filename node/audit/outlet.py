"""A way to a destination whose use is told to the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from node.audit.message import Source
from node.audit.shipments import Shipments
from node.destinations.settings import FolderDestination
from node.errors import NodeError, Unreachable
from node.status import Outcome, outcome_of

if TYPE_CHECKING:
    from node.destinations.outlet import Outlet
    from node.scu import Outgoing
    from node.settings import AnyDestination, Settings


class AuditedOutlet:
    """Does what the outlet does that it is made of; see `node.destinations.outlet.Outlet`.

    Parameters
    ----------
    is_export
        whether it leads to files, and not to another node
    """

    def __init__(self, outlet: Outlet, source: Source, *, is_export: bool = False) -> None:
        self._outlet = outlet
        destination = outlet.destination
        self._shipments = Shipments(source, destination.name, destination.address, is_export=is_export)

    @property
    def destination(self) -> AnyDestination:
        """Where it leads."""
        return self._outlet.destination

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as we know."""
        return self._outlet.is_open

    def expect(self, sop_class_uid: str, transfer_syntax: str) -> None:
        """Hear what will be sent."""
        self._outlet.expect(sop_class_uid, transfer_syntax)

    def send(self, outgoing: Outgoing) -> int:
        """Store an instance and return the status of the answer; see `Outlet.send`."""
        study, at = self._shipments.study_of(outgoing), datetime.now(UTC)
        if self._outlet.is_open:  # else it may not come about, as often as it is tried
            self._shipments.begin(study, at)
        is_stored = False
        try:
            status = self._outlet.send(outgoing)
            is_stored = outcome_of(status) is Outcome.STORED
        except Unreachable:
            raise
        except NodeError:
            self._count(study, outgoing, at, is_stored=False)
            raise
        self._count(study, outgoing, at, is_stored=is_stored)
        return status

    def _count(self, study: str, outgoing: Outgoing, at: datetime, *, is_stored: bool) -> None:
        self._shipments.begin(study, at)
        self._shipments.end(study, outgoing.sop_class_uid, is_stored=is_stored)

    def release_if_idle(self) -> None:
        """Close the connection if it has not been used for long; tell what has gone out, once it is quiet."""
        self._outlet.release_if_idle()
        self._shipments.tell_if_quiet()

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._outlet.close()
        self._shipments.tell()

    def interrupt(self) -> None:
        """Break off a `send` in another thread."""
        self._outlet.interrupt()


def audited(outlet: Outlet, settings: Settings) -> AuditedOutlet:
    """Return the same way, with what goes out on it told to the audit log."""
    is_export = isinstance(outlet.destination, FolderDestination)
    return AuditedOutlet(outlet, Source.of(settings), is_export=is_export)

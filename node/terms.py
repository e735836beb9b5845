"""What associations are received by, of one version of the settings; it lasts until the last of them has ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from node.acceptance import Acceptor
from node.access.limits import Allowances
from node.access.user_identity import open_passcodes
from node.commitment.scp import open_office
from node.guard import Patience
from node.peers import Peers
from node.sinks import Sinks
from node.store import Permission

if TYPE_CHECKING:
    from node.settings import Settings


class Terms:
    """All that a receiver makes of its settings, but for the listening socket.

    Raises
    ------
    Misconfigured
        if the spool, the ledger, the passcodes or, for direct delivery, profile and key cannot be used
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.peers = Peers.from_settings(settings.peers)
        self.allowances = Allowances(settings.peers)
        self.passcodes = open_passcodes(settings.receive.passcodes_file, settings.peers)
        self.patience = Patience.from_settings(settings.receive)
        self.office = open_office(settings)
        self.sinks = Sinks(settings, self.office.originals if self.office else None)
        self.acceptor = Acceptor(settings.ae_title, settings.receive.max_pdu_bytes)
        self.permissions = {project.name: Permission.from_project(project) for project in settings.projects}
        self._lock = threading.Lock()
        self._users = 1  # who made it

    def hold(self) -> Terms:
        """Take part: it lasts until `release`."""
        with self._lock:
            self._users += 1
        return self

    def release(self) -> None:
        """Leave; whoever is the last closes it."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self.sinks.close()

    def leave_thread(self) -> None:
        """Close what belongs to the calling thread, which is about to end."""
        self.sinks.leave_thread()
        if self.office is not None:
            self.office.leave_thread()

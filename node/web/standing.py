"""How the node stands, from the ledger and the roles: what the overview shows and the metrics count."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.commitment.overview import open_requests, uncommitted_by_destination
from node.counters import counters, latencies, oldest, quarantined_by_reason
from node.destinations import echoes
from node.presence import look
from node.web.processes import usage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.destinations.echoes import LastEcho
    from node.jobs import Queue, State
    from node.presence import RoleState
    from node.web.console import Console
    from node.web.processes import Usage

_AT_MOST_S = 1.0


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """How the node stands at one moment; names out of the configuration, states and numbers only.

    Attributes
    ----------
    counts
        jobs by state
    oldest_s
        by state since when the oldest job waits; seconds since 1970
    sums, latencies
        as `node.counters` gives them
    """

    roles: tuple[RoleState, ...]
    usage: Mapping[str, Usage]
    counts: Mapping[State, int]
    held: Mapping[str, int]
    oldest_s: Mapping[State, float]
    queues: Mapping[str, Queue]
    uncommitted: Mapping[str, int]
    commitment_requests: int
    quarantine: Mapping[str, int]
    echoes: Mapping[str, LastEcho]
    sums: Mapping[str, Mapping[str, int]]
    latencies: Mapping[str, tuple[dict[float, int], float]]
    free_bytes: int
    size_bytes: int

    @property
    def all_ready(self) -> bool:
        """Whether every role does its work."""
        return bool(self.roles) and all(role.state == "ready" for role in self.roles)

    @property
    def quarantined(self) -> int:
        """Instances in quarantine."""
        return sum(self.quarantine.values())

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest job that is not held waits to be cleaned or delivered; 0 if none does."""
        waits = [at_s for state, at_s in self.oldest_s.items() if state not in {"held", "gathered"}]
        return max(0.0, time.time() - min(waits)) if waits else 0.0

    @property
    def waiting(self) -> int:
        """Jobs that are neither sent nor in quarantine."""
        return sum(count for state, count in self.counts.items() if state not in {"sent", "quarantined"})


def standing(console: Console) -> NodeStanding:
    """Say how the node stands, within the last second.

    Raises
    ------
    Transient
        if the ledger can't be read just now
    """
    return console.remembered.ask("standing", _AT_MOST_S, lambda: _looked(console))


def _looked(console: Console) -> NodeStanding:
    ledger, spool = console.ledger, console.settings.spool.path
    roles, disk = look(spool).roles, os.statvfs(spool)
    return NodeStanding(
        roles=roles,
        usage=usage_of(roles),
        counts=ledger.counts(),
        held=ledger.held_by_project(),
        oldest_s=oldest(ledger),
        queues={queue.destination: queue for queue in ledger.queues()},
        uncommitted=uncommitted_by_destination(ledger),
        commitment_requests=open_requests(spool),
        quarantine=quarantined_by_reason(ledger),
        echoes=echoes.last(ledger),
        sums=counters(ledger),
        latencies=latencies(ledger),
        free_bytes=disk.f_bavail * disk.f_frsize,
        size_bytes=disk.f_blocks * disk.f_frsize,
    )

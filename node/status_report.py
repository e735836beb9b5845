"""What `deid-node status` says: roles, jobs, destinations, quarantine, room."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from node.commitment.overview import open_requests, uncommitted_by_destination
from node.destinations import echoes
from node.jobs import arrived_at_s
from node.ledger import ledger_path, open_ledger
from node.presence import RoleState, look
from node.quarantine import listed
from node.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from node.destinations.echoes import LastEcho
    from node.jobs import Queue
    from node.settings import Settings

_GIB = 1 << 30
_LISTED_SERIES = 10


@dataclass(frozen=True, slots=True)
class Gathering:
    """A series whose instances wait for the rest of it.

    Attributes
    ----------
    instances
        different ones that are there
    announced
        how many its sender says that there are; 0 if it doesn't say
    last_arrived_at_s
        seconds since 1970
    """

    project: str
    instances: int
    announced: int
    last_arrived_at_s: float


@dataclass(frozen=True, slots=True)
class StatusReport:
    """How a node is at one moment; names out of the configuration, states and numbers only.

    Attributes
    ----------
    has_spool
        False if no node ever ran here; then there are no numbers
    jobs
        instances by state
    held
        instances that wait for the crosswalk of a project
    gathering
        series that are only cleaned as a whole, and may not be there yet
    echoes
        what the last echo of each destination showed
    uncommitted
        instances by destination that has stored them, and is yet to commit itself to that
    commitment_requests
        of senders that are yet to be reported to
    quarantine
        refused instances by reason
    """

    ae_title: str
    listens_on: str
    spool: str
    running: bool
    pid: int
    roles: tuple[RoleState, ...]
    has_spool: bool
    jobs: Mapping[str, int]
    held: Mapping[str, int]
    gathering: tuple[Gathering, ...]
    destinations: tuple[Queue, ...]
    echoes: Mapping[str, LastEcho]
    uncommitted: Mapping[str, int]
    commitment_requests: int
    quarantine: Mapping[str, int]
    free_bytes: int
    min_free_bytes: int

    @property
    def all_ready(self) -> bool:
        """Whether every role does its work."""
        return bool(self.roles) and all(role.state == "ready" for role in self.roles)

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {**asdict(self), "all_ready": self.all_ready}


def collect(settings: Settings) -> StatusReport:
    """Look at a node from outside; nothing is written, whether it runs or not.

    Raises
    ------
    Transient
        The ledger could not be read just now.
    """
    seen = look(settings.spool.path)
    spool = settings.spool.path
    jobs, held, gathering, destinations, has_spool = _from_ledger(spool)
    return StatusReport(
        ae_title=settings.ae_title,
        listens_on=f"{settings.receive.address} port {settings.receive.port}",
        spool=str(spool),
        running=seen.running,
        pid=seen.pid,
        roles=seen.roles,
        has_spool=has_spool,
        jobs=jobs,
        held=held,
        gathering=gathering,
        destinations=destinations,
        echoes=_echoes(spool) if has_spool else {},
        uncommitted=_uncommitted(spool) if has_spool else {},
        commitment_requests=open_requests(spool),
        quarantine=_quarantine(settings) if has_spool else {},
        free_bytes=_free_bytes(spool),
        min_free_bytes=settings.spool.min_free_bytes,
    )


def text(report: StatusReport) -> str:
    """Return the report as lines for a person."""
    return "".join(f"{line}\n" for part in _PARTS for line in part(report))


def _from_ledger(
    spool: Path,
) -> tuple[dict[str, int], dict[str, int], tuple[Gathering, ...], tuple[Queue, ...], bool]:
    if not ledger_path(spool).exists():
        return {}, {}, (), (), False
    ledger = open_ledger(spool)
    try:
        counts = {state.value: number for state, number in ledger.counts().items()}
        gathering = tuple(
            Gathering(each.project, each.instances, each.announced, arrived_at_s(each.last)) for each in ledger.series()
        )
        return counts, ledger.held_by_project(), gathering, tuple(ledger.queues()), True
    finally:
        ledger.close()


def _uncommitted(spool: Path) -> dict[str, int]:
    ledger = open_ledger(spool)
    try:
        return uncommitted_by_destination(ledger)
    finally:
        ledger.close()


def _echoes(spool: Path) -> dict[str, LastEcho]:
    ledger = open_ledger(spool)
    try:
        return echoes.last(ledger)
    finally:
        ledger.close()


def _quarantine(settings: Settings) -> dict[str, int]:
    spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
    return dict(Counter(entry.reason for entry in listed(spool)))


def _free_bytes(path: Path) -> int:
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    stat = os.statvfs(existing)
    return stat.f_bavail * stat.f_frsize


def _node(report: StatusReport) -> Iterator[str]:
    process = f" (pid {report.pid})" if report.pid else ""
    state = f"runs{process}" if report.running else "does not run; start it by `deid-node serve`"
    yield f"{report.ae_title} on {report.listens_on} {state}"
    for role in report.roles:
        line = f"  {role.name:<11} {role.state:<11} for {_duration(time.time() - role.since)}"
        yield f"{line}, restarted {role.restarts} times" if role.restarts else line
    waiting = [role.name for role in report.roles if role.state != "ready"]
    if waiting:
        yield f"  not ready: {', '.join(waiting)}"
    free = f"{report.free_bytes / _GIB:.1f} GiB free, the last {report.min_free_bytes / _GIB:.1f} of them kept free"
    yield f"spool {report.spool}: {free if report.has_spool else 'not there yet'}"
    if report.free_bytes < report.min_free_bytes:
        yield "  no room: senders are told A700 (out of resources)"


def _jobs(report: StatusReport) -> Iterator[str]:
    if report.has_spool:
        yield "instances: " + ", ".join(f"{number} {state}" for state, number in report.jobs.items())


def _held(report: StatusReport) -> Iterator[str]:
    for project, number in report.held.items():
        yield f"held: {number} of project {project} wait for its crosswalk to map their patients"


def _gathering(report: StatusReport) -> Iterator[str]:
    for each in report.gathering[:_LISTED_SERIES]:
        there = f"{each.instances} of {each.announced}" if each.announced else f"{each.instances}"
        last = _duration(time.time() - each.last_arrived_at_s)
        yield f"gathered: {there} instances of a series of project {each.project}, the last came {last} ago"
    if len(report.gathering) > _LISTED_SERIES:
        yield f"gathered: and {len(report.gathering) - _LISTED_SERIES} more series"


def _destinations(report: StatusReport) -> Iterator[str]:
    for queue in report.destinations:
        line = f"to {queue.destination}: {queue.waiting} waiting, {queue.sending} on their way"
        if queue.failing:
            last = "no answer" if queue.failed_status is None else f"status {queue.failed_status:#06x}"
            line += f", {queue.failing} tried before ({last})"
        if stored := report.uncommitted.get(queue.destination):
            line += f", {stored} stored there and not yet committed to"
        yield f"{line}, {queue.given_up} given up" if queue.given_up else line


def _echoed(report: StatusReport) -> Iterator[str]:
    for each in report.echoes.values():
        ago, since = _duration(time.time() - each.at_s), _duration(time.time() - each.since_s)
        if each.is_well:
            took = "" if each.after_s is None else f" after {1000 * each.after_s:.0f} ms"
            yield f"echo of {each.destination}: {each.result}{took}, {ago} ago; well for {since}"
        else:
            last = f"well {_duration(time.time() - each.well_at_s)} ago" if each.well_at_s else "never well"
            yield f"echo of {each.destination}: {each.result} for {since}, {last}: {each.detail}"


def _requests(report: StatusReport) -> Iterator[str]:
    if report.commitment_requests:
        yield f"storage commitment: {report.commitment_requests} requests of senders to be reported on"


def _refused(report: StatusReport) -> Iterator[str]:
    for reason, number in sorted(report.quarantine.items(), key=lambda item: -item[1]):
        yield f"quarantine: {number} {reason}"


_PARTS = (_node, _jobs, _held, _gathering, _destinations, _echoed, _requests, _refused)


def _duration(seconds: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"

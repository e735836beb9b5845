"""``/metrics``, ``/healthz`` and ``/readyz``: without a login, as they hold nothing but names of the configuration."""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from node.counters import BUCKETS_S
from node.errors import NodeError
from node.web.exposition import MEDIA_TYPE, Family, exposition, family, histogram
from node.web.standing import NodeStanding, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.requests import Request

    from node.web.console import Console

_RESULTS = {"delivered": "stored", "failed": "failed", "given_up": "given-up"}


async def metrics(request: Request) -> Response:
    """Answer with all metrics."""
    return await run_in_threadpool(_metrics, request.app.state.console)


async def healthz(request: Request) -> Response:
    """Say whether the console works: it can read the ledger."""
    return await run_in_threadpool(_healthz, request.app.state.console)


async def readyz(request: Request) -> Response:
    """Say whether the node does its work: all roles are ready, and there is room."""
    return await run_in_threadpool(_readyz, request.app.state.console)


def _metrics(console: Console) -> Response:
    try:
        text = exposition(families(console, standing(console)))
    except NodeError as error:
        return PlainTextResponse(f"{error}\n", 503)
    return Response(text, media_type=MEDIA_TYPE)


def _healthz(console: Console) -> Response:
    try:
        standing(console)
    except NodeError as error:
        return PlainTextResponse(f"{error}\n", 503)
    return PlainTextResponse("ok\n")


def _readyz(console: Console) -> Response:
    try:
        found = standing(console)
    except NodeError as error:
        return PlainTextResponse(f"{error}\n", 503)
    trouble = [f"{role.name}: {role.state}" for role in found.roles if role.state != "ready"]
    if not found.roles:
        trouble.append("no role runs")
    if found.free_bytes < console.settings.spool.min_free_bytes:
        trouble.append("spool: no room")
    return PlainTextResponse("".join(f"{line}\n" for line in trouble) or "ready\n", 503 if trouble else 200)


def families(console: Console, found: NodeStanding) -> Iterator[Family]:
    """Yield all metrics."""
    yield family("info", "gauge", "The version of the node.", [({"version": _version()}, 1)])
    yield from _instances(found)
    yield from _deliveries(found)
    yield from _destinations(console, found)
    yield from _spool(console, found)
    yield from _roles(found)


def _instances(found: NodeStanding) -> Iterator[Family]:
    sums = found.sums
    yield _by(sums, "received", "instances_received_total", "project", "Instances that were acknowledged.")
    yield _by(sums, "received_bytes", "received_bytes_total", "project", "Bytes of the instances that came.")
    yield _by(sums, "cleaned", "instances_cleaned_total", "project", "Instances that were de-identified.")
    yield _by(sums, "cleaned_bytes", "cleaned_bytes_total", "project", "Bytes of the clean instances.")
    yield _by(sums, "quarantined", "instances_quarantined_total", "reason", "Instances that were refused.")
    now = [({"reason": reason}, count) for reason, count in found.quarantine.items()]
    yield family("quarantine_instances", "gauge", "Instances that are in quarantine now.", now)
    states = [({"state": state.value}, n) for state, n in found.counts.items() if state not in {"sent", "quarantined"}]
    yield family("jobs", "gauge", "Instances under way, by what they wait for.", states)
    ages = [({"state": state.value}, max(0.0, time.time() - at_s)) for state, at_s in found.oldest_s.items()]
    yield family("oldest_job_age_seconds", "gauge", "How long the oldest instance of a state is here.", ages)
    times = [({"step": name}, buckets, total) for name, (buckets, total) in sorted(found.latencies.items())]
    yield histogram("latency_seconds", "From the arrival of an instance to the end of a step.", times, BUCKETS_S)


def _deliveries(found: NodeStanding) -> Iterator[Family]:
    ended = [
        ({"destination": destination, "result": result}, count)
        for name, result in _RESULTS.items()
        for destination, count in found.sums.get(name, {}).items()
    ]
    yield family("deliveries_total", "counter", "Attempts to deliver an instance, by how they ended.", ended)
    yield _by(found.sums, "delivered_bytes", "delivered_bytes_total", "destination", "Bytes that were delivered.")
    pending = [
        ({"destination": name, "state": state}, count)
        for name, queue in found.queues.items()
        for state, count in (("waiting", queue.waiting), ("sending", queue.sending), ("retrying", queue.failing))
    ]
    yield family("deliveries_pending", "gauge", "Deliveries to be made; retrying ones are waiting as well.", pending)
    owed = [({"destination": name}, count) for name, count in found.uncommitted.items()]
    yield family("deliveries_uncommitted", "gauge", "Instances whose destination owes its storage commitment.", owed)
    requests: list[tuple[dict[str, str], float]] = [({}, found.commitment_requests)]
    yield family("commitment_requests", "gauge", "Requests for storage commitment to be reported on.", requests)


def _destinations(console: Console, found: NodeStanding) -> Iterator[Family]:
    known = {name: echo for name, echo in found.echoes.items() if name in console.settings.destinations}
    up = [({"destination": name}, int(echo.is_well)) for name, echo in known.items()]
    yield family("destination_up", "gauge", "Whether the last echo of a destination was answered.", up)
    at = [({"destination": name}, echo.at_s) for name, echo in known.items()]
    yield family("destination_echo_timestamp_seconds", "gauge", "When a destination was last asked.", at)
    took = [({"destination": name}, echo.after_s) for name, echo in known.items() if echo.after_s is not None]
    yield family("destination_echo_duration_seconds", "gauge", "How long the answer to the last echo took.", took)


def _spool(console: Console, found: NodeStanding) -> Iterator[Family]:
    kept = console.settings.spool.min_free_bytes
    yield family("spool_free_bytes", "gauge", "Free bytes of the spool's file system.", [({}, found.free_bytes)])
    yield family("spool_size_bytes", "gauge", "Bytes of the spool's file system.", [({}, found.size_bytes)])
    yield family("spool_reserve_bytes", "gauge", "With fewer free bytes nothing is taken.", [({}, kept)])


def _roles(found: NodeStanding) -> Iterator[Family]:
    names = sorted({role.name for role in found.roles})
    of = {name: [role for role in found.roles if role.name == name] for name in names}
    ready = [({"role": name}, int(all(role.state == "ready" for role in of[name]))) for name in names]
    yield family("role_up", "gauge", "Whether a role does its work.", ready)
    restarts = [({"role": name}, sum(role.restarts for role in of[name])) for name in names]
    yield family("role_restarts_total", "counter", "How often a role was started again.", restarts)
    cpu = [({"role": name}, usage.cpu_s) for name, usage in found.usage.items()]
    yield family("role_cpu_seconds_total", "counter", "CPU time of a role's living processes.", cpu)
    memory = [({"role": name}, usage.resident_bytes) for name, usage in found.usage.items()]
    yield family("role_resident_memory_bytes", "gauge", "Memory of a role's processes.", memory)


def _by(sums: Mapping[str, Mapping[str, int]], key: str, name: str, label: str, text: str) -> Family:
    found: Iterable[tuple[str, int]] = sums.get(key, {}).items()
    return family(name, "counter", text, [({label: value}, count) for value, count in found])


def _version() -> str:
    try:
        return version("deid-node")
    except PackageNotFoundError:
        return "unknown"


ROUTES = (
    Route("/metrics", metrics, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
)

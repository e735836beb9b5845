"""Sums that outlive the jobs: what came, was cleaned, refused and delivered, and how long that took.

The sums are kept by triggers (``counters.sql``), whoever changes a job; only the times are noted here.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from node.jobs import JobId, Place, State, arrived_at_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.ledger import Ledger

BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0, 86_400.0, float("inf"))

_LATENCY = """INSERT INTO latencies (name, most_s, n, total_s) VALUES (?, ?, 1, ?)
    ON CONFLICT DO UPDATE SET n = n + 1, total_s = total_s + excluded.total_s"""
_COUNTERS = "SELECT name, label, n FROM counters"
_LATENCIES = "SELECT name, most_s, n, total_s FROM latencies"
_BY_REASON = "SELECT reason, COUNT(*) FROM jobs WHERE state = 'quarantined' GROUP BY reason ORDER BY 2 DESC"
_OLDEST = "SELECT MIN(id) FROM jobs WHERE place <> 'gone' AND state = ? AND place = ?"


def note_latency(ledger: Ledger, name: str, job_id: JobId) -> None:
    """Note that a job has got so far now: `name` is "cleaned" or "delivered"."""
    seconds = max(0.0, time.time() - arrived_at_s(job_id))
    ledger.run(_LATENCY, name, BUCKETS_S[bisect_left(BUCKETS_S, seconds)], seconds)


def counters(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Give all sums: by name, then by label."""
    found: dict[str, dict[str, int]] = {}
    for name, label, n in ledger.run(_COUNTERS):
        found.setdefault(name, {})[label] = n
    return found


def latencies(ledger: Ledger) -> Mapping[str, tuple[dict[float, int], float]]:
    """Give the histograms by name: how many in each bucket (not summed up), and the seconds of all together."""
    found: dict[str, tuple[dict[float, int], float]] = {}
    for name, most_s, n, total_s in ledger.run(_LATENCIES):
        buckets, seconds = found.get(name, ({}, 0.0))
        found[name] = ({**buckets, most_s: n}, seconds + total_s)
    return found


def quarantined_by_reason(ledger: Ledger) -> dict[str, int]:
    """Count what is in quarantine now."""
    return dict(ledger.run(_BY_REASON).fetchall())


def oldest(ledger: Ledger) -> dict[State, float]:
    """Say since when (seconds since 1970) the oldest job of each state waits, where there is one."""
    found = {}
    for state in (State.RECEIVED, State.CLEANING, State.HELD, State.GATHERED, State.CLEANED):
        job_id = ledger.run(_OLDEST, state, Place.INCOMING).fetchone()[0]
        if job_id is not None:
            found[state] = arrived_at_s(JobId(job_id))
    return found

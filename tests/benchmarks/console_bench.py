"""How long each page of the console takes with many jobs in the ledger: ``make console-bench``.

    python -m tests.benchmarks.console_bench [--finished 1000000] [--refused 10000] [--rounds 15]

Ends with 1 if the median of a page is at 200 ms or above it. The ledger is made by its own statements, in one go.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from deid.errors import Reason
from node.jobs import JobId, NodeReason
from node.ledger import Ledger, ledger_path, open_ledger
from node.spool import Spool
from tests.web import Visitor, serving, settings_in

LIMIT_MS = 200
PAGES = (
    "/",
    "/overview/live",
    "/studies",
    "/studies?show=refused",
    "/studies?show=open",
    "/studies?before={middle}",
    "/studies/{largest}",
    "/studies/{largest}?show=refused",
    "/studies/{middle}",
    "search: Patient ID",
    "search: SOP Instance UID",
    "search: nothing found",
    "/quarantine",
    "/quarantine?reason=identifier-left",
    "/quarantine/{job}",
    "/profiles",
    "/profiles/tcia",
    "/profiles/compare?first=basic&second=tcia",
    "/dry-run",
    "/audit",
    "/settings",
    "/metrics",
    "/readyz",
)
_STUDY_INSTANCES = 250
_LARGEST_STUDY = 20_000
_REASONS = (Reason.IDENTIFIER_LEFT, Reason.PIXELS_NOT_CLEANABLE, Reason.TEXT_LEFT, NodeReason.WORKER_DIED)
_DAY_NS = 86_400 * 10**9


def filled(spool: Path, finished: int, refused: int, seed: int = 1) -> None:
    """Fill a ledger: finished jobs in studies, refused ones with their records, spread over 30 days."""
    ledger = open_ledger(spool)
    connection, rng, count = ledger._connection(), random.Random(seed), finished + refused
    began_ns = time.time_ns() - 30 * _DAY_NS
    is_refused = set(rng.sample(range(count), refused))
    studies = [0] * (_LARGEST_STUDY * count // 1_010_000)
    while len(studies) < count:
        studies += [studies[-1] + 1 if studies else 0] * rng.randint(1, 2 * _STUDY_INSTANCES)
    uids = [f"2.25.{rng.getrandbits(122)}" for _ in range(studies[-1] + 1)]

    def jobs() -> list[tuple[object, ...]]:
        return [
            (
                f"{began_ns + number * 30 * _DAY_NS // count:016x}{rng.getrandbits(64):016x}",
                "quarantined" if number in is_refused else "sent",
                "quarantine" if number in is_refused else "gone",
                rng.choice(_REASONS) if number in is_refused else "",
            )
            for number in range(count)
        ]

    rows = jobs()
    connection.execute("PRAGMA cache_size = -400000")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:  # their sums are put in below, at once
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("BEGIN")
    connection.executemany(
        """INSERT INTO jobs (id, project, state, place, size_bytes, reason, sop_class_uid, transfer_syntax, clean_bytes)
        VALUES (?, 'default', ?, ?, 524288, ?, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', 520000)""",
        rows,
    )
    connection.executemany(
        "INSERT INTO deliveries (job, destination, state, status) VALUES (?, 'archive', 'sent', 0)",
        ((row[0],) for row in rows if row[1] == "sent"),
    )
    connection.executemany(
        "INSERT INTO studies (id, project, study_uid, patient_id) VALUES (?, 'default', ?, ?)",
        ((number + 1, uid, f"{rng.getrandbits(40):010X}") for number, uid in enumerate(uids)),
    )
    connection.executemany(
        "INSERT INTO study_series (id, study, series_uid) VALUES (?, ?, ?)",
        ((number + 1, number + 1, f"{uid}.1") for number, uid in enumerate(uids)),
    )
    connection.executemany(
        "INSERT INTO study_instances (job, study, series, instance_uid) VALUES (?, ?, ?, ?)",
        (
            (row[0], study + 1, study + 1, f"2.25.{rng.getrandbits(122)}")
            for row, study in zip(rows, studies, strict=False)
        ),
    )
    connection.execute(
        """UPDATE studies SET (instances, sent, refused) =
        (SELECT COUNT(*), SUM(j.state = 'sent'), SUM(j.state = 'quarantined')
        FROM study_instances i JOIN jobs j ON j.id = i.job WHERE i.study = studies.id)"""
    )
    connection.executemany("INSERT INTO counters VALUES (?, ?, ?)", sums(finished, refused))
    connection.execute("UPDATE totals SET n = ? WHERE name = 'sent'", (finished,))
    for _, trigger in triggers:
        connection.execute(trigger)
    connection.execute("COMMIT")
    folder = Spool(spool, 0)
    for row in rows:
        if row[1] == "quarantined":
            path = folder.quarantine_path(JobId(str(row[0])))
            path.write_bytes(b"raw")
            path.with_suffix(".json").write_text(
                f'{{"reason": "{row[3]}", "detail": "(0010,0010)", "project": "default", "quarantined_at_s": 1.0}}'
            )
    ledger.close()


def sums(finished: int, refused: int) -> list[tuple[str, str, int]]:
    """Give what the triggers would have counted."""
    by_project = {"received": finished + refused, "received_bytes": (finished + refused) << 19, "cleaned": finished}
    by_destination = {"delivered": finished, "delivered_bytes": finished * 520_000}
    return [
        *((name, "default", n) for name, n in by_project.items()),
        *((name, "archive", n) for name, n in by_destination.items()),
        *(("quarantined", reason, refused // len(_REASONS)) for reason in _REASONS),
    ]


def places(ledger: Ledger) -> dict[str, str]:
    """Give what the pages ask for."""
    largest, middle = ledger.run(
        "SELECT (SELECT id FROM studies ORDER BY instances DESC LIMIT 1), (SELECT MAX(id) / 2 FROM studies)"
    ).fetchone()
    patient = ledger.run("SELECT patient_id FROM studies WHERE id = ?", middle).fetchone()[0]
    uid = ledger.run("SELECT instance_uid FROM study_instances WHERE study = ? LIMIT 1", middle).fetchone()[0]
    job = ledger.run("SELECT id FROM jobs WHERE state = 'quarantined' LIMIT 1").fetchone()[0]
    return {"largest": largest, "middle": middle, "Patient ID": patient, "SOP Instance UID": uid, "job": job}


def measured(visitor: Visitor, page: str, known: dict[str, str], rounds: int) -> list[float]:
    """Ask for a page some times, a little apart, so that no answer is remembered; return milliseconds."""
    times = []
    for _ in range(rounds):
        time.sleep(0.05)
        began_s = time.perf_counter()
        if page.startswith("search: "):
            answer = visitor.post("/studies", text=known.get(page.removeprefix("search: "), "2.25.404"))
        else:
            answer = visitor.get(page.format(**known))
        times.append((time.perf_counter() - began_s) * 1000)
        if answer.status not in {200, 303, 503}:
            raise SystemExit(f"{page}: {answer.status} {answer.text[:200]}")
    return times


def main() -> int:
    """Print a line for each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--refused", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory(prefix="console-bench-") as folder:
        settings = settings_in(Path(folder))
        began_s = time.perf_counter()
        filled(settings.spool.path, arguments.finished, arguments.refused)
        size_bytes = ledger_path(settings.spool.path).stat().st_size
        print(
            f"ledger: {arguments.finished} finished, {arguments.refused} refused, {size_bytes >> 20} MiB, "
            f"made in {time.perf_counter() - began_s:.0f} s"
        )
        ledger = open_ledger(settings.spool.path)
        known = places(ledger)
        ledger.close()
        with serving(settings) as host:
            visitor = Visitor(host)
            visitor.log_in("ada")
            print(f"{'page':<46} {'first':>7} {'median':>7} {'most':>7} ms")
            for page in PAGES:
                first, *times = measured(visitor, page, known, arguments.rounds + 1)
                median = statistics.median(times)
                missed += [page] if median >= LIMIT_MS else []
                print(f"{page:<46} {first:7.0f} {median:7.0f} {max(times):7.0f}{'  MISSED' * (median >= LIMIT_MS)}")
    print(f"pages={len(PAGES)} limit_ms={LIMIT_MS} missed={len(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

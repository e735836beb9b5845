"""`quarantine list`, `show`, `release`, `mask`, `approve` and `discard`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from deid.review import Review
from node import quarantine
from node.audit.people import Decision, decided, me
from node.commands.exits import Exit, NoSpool
from node.decisions import Act, is_allowed
from node.errors import Misconfigured
from node.jobs import JobId
from node.ledger import ledger_path, open_ledger
from node.reviews import MOST_BOXES
from node.settings import load_settings
from node.spool import Spool

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from node.ledger import Ledger
    from node.quarantine import Entry


def listed(arguments: Namespace) -> int:
    """Print one line per refused instance.

    Raises
    ------
    NoSpool
        No node has ever run with this configuration.
    """
    for entry in quarantine.listed(_spool(arguments)):
        sys.stdout.write(f"{json.dumps(asdict(entry)) if arguments.json else _line(entry)}\n")
    return Exit.OK


def show(arguments: Namespace) -> int:
    """Print all that is known about one refused instance.

    Raises
    ------
    NoSpool
        No node has ever run with this configuration.
    Misconfigured
        There is no such ID in quarantine.
    """
    spool = _spool(arguments)
    job_id = _job_id(arguments.id)
    entry = quarantine.shown(spool, job_id)
    if entry is None:
        raise Misconfigured(f"{job_id} is not in quarantine (see deid-node quarantine list)")
    facts = {
        "id": entry.job_id,
        "reason": entry.reason,
        "detail": entry.detail,
        "project": entry.project,
        "arrived": _when(entry.arrived_at_s),
        "refused": _when(entry.quarantined_at_s),
        "size": f"{entry.size_bytes} bytes",
        "file": spool.quarantine_path(job_id),
    }
    sys.stdout.writelines(f"{name:<9}{value}\n" for name, value in facts.items())
    return Exit.OK


def release(arguments: Namespace) -> int:
    """Put instances back in line.

    Raises
    ------
    NoSpool, Misconfigured
        There is no spool, or nothing was chosen.
    """
    return _each(arguments, quarantine.release, Decision.RELEASED)


def mask(arguments: Namespace) -> int:
    """Have parts of instances masked, and put them back in line.

    Raises
    ------
    NoSpool, Misconfigured
        There is no spool, or nothing was chosen.
    """
    return _each(arguments, partial(quarantine.reviewed, review=_review(arguments)), Decision.MASKED)


def approve(arguments: Namespace) -> int:
    """Put instances back in line whose frames a person has seen.

    Raises
    ------
    NoSpool, Misconfigured
        There is no spool, nothing was chosen, or one of them was refused for what no picture shows.
    """
    spool = _spool(arguments)
    for job_id in _chosen(spool, arguments):
        entry = quarantine.shown(spool, job_id)
        if entry is not None and not is_allowed(Act.APPROVE, entry.reason):
            raise Misconfigured(
                f"{job_id} was refused for {entry.reason}, which nobody can approve; see `deid-node quarantine show`"
            )
    review = replace(_review(arguments), approved=True)
    return _each(arguments, partial(quarantine.reviewed, review=review), Decision.APPROVED)


def _review(arguments: Namespace) -> Review:
    boxes = tuple(arguments.box or ())
    if len(boxes) > MOST_BOXES:
        raise Misconfigured(f"{len(boxes)} boxes are too many for an instance; give {MOST_BOXES} at the most")
    return Review(boxes)


def discard(arguments: Namespace) -> int:
    """Delete instances for good, once that is confirmed.

    Raises
    ------
    NoSpool, Misconfigured
        There is no spool, nothing was chosen, or it was not confirmed.
    """
    chosen = _chosen(_spool(arguments), arguments)
    if chosen and not arguments.yes and not _confirmed(len(chosen)):
        raise Misconfigured("nothing was discarded; say --yes to discard without being asked")
    return _each(arguments, quarantine.discard, Decision.DISCARDED)


def _each(arguments: Namespace, do: Callable[[Spool, Ledger, JobId], bool], done: Decision) -> int:
    spool = _spool(arguments)
    ledger = open_ledger(spool.path)
    missing = 0
    chosen = _chosen(spool, arguments)
    there = [job_id for job_id in chosen if quarantine.shown(spool, job_id)]
    try:
        if there:
            decided(load_settings(arguments.config), me(), done, there)
        for job_id in chosen:
            if not do(spool, ledger, job_id):
                missing += 1
                sys.stdout.write(f"{job_id} is not in quarantine\n")
    finally:
        ledger.close()
    sys.stdout.write(f"{len(chosen) - missing} {done}\n")
    return Exit.FAILED if missing else Exit.OK


def _chosen(spool: Spool, arguments: Namespace) -> list[JobId]:
    """Return the instances named one by one, or all of a reason."""
    if bool(arguments.ids) == bool(arguments.reason):
        raise Misconfigured("name the instances by their IDs, or all of a kind by --reason")
    if arguments.ids:
        return [_job_id(text) for text in dict.fromkeys(arguments.ids)]
    return [entry.job_id for entry in quarantine.listed(spool) if entry.reason == arguments.reason]


def _spool(arguments: Namespace) -> Spool:
    settings = load_settings(arguments.config)
    if not ledger_path(settings.spool.path).exists():
        raise NoSpool(f"there is no spool {settings.spool.path}: start a node by `deid-node serve`")
    return Spool(settings.spool.path, settings.spool.min_free_bytes)


def _job_id(text: str) -> JobId:
    try:
        return JobId(text)
    except ValueError:
        raise Misconfigured(f"{text!r} is no ID (see deid-node quarantine list)") from None


def _confirmed(number: int) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"delete {number} instances that were accepted but never forwarded, for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _line(entry: Entry) -> str:
    why = f"{entry.reason}: {entry.detail}" if entry.detail else entry.reason
    return f"{entry.job_id}  {_when(entry.quarantined_at_s)}  {entry.size_bytes:>12}  {entry.project}  {why}"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

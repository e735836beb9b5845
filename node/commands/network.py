"""`echo` and `send`: this computer as a sender, for tests and scripts."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from deid.errors import Refused
from node import log
from node.commands.exits import Exit
from node.destinations.echo import ask
from node.dimse import ProtocolError
from node.errors import Misconfigured, Transient
from node.folders import MEDIA_DIRECTORY, files_below
from node.progress import Progress
from node.scu import MAX_CONTEXTS, NoContext, Proposal, StoreAssociation, open_association, outgoing_from_file
from node.settings import Destination, ForwardSettings
from node.status import Outcome, outcome_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Failure(NamedTuple):
    """A file that the peer does not have now, and why."""

    path: Path
    reason: str


def echo(arguments: Namespace) -> int:
    """Ask for a sign of life and say how long it took.

    Raises
    ------
    Unreachable
        Nobody answers, or the answer is no.
    """
    log.silence_libraries()
    began_at = time.monotonic()
    status = ask(_destination(arguments), _patience(arguments))
    sys.stdout.write(f"{arguments.remote} answers {status:#06x} after {1000 * (time.monotonic() - began_at):.0f} ms\n")
    return Exit.OK if status == 0 else Exit.FAILED


def send(arguments: Namespace) -> int:
    """Send files as they are; list what is not stored.

    Raises
    ------
    Unreachable
        Nobody answers, or the answer is no.
    Misconfigured
        A path leads nowhere.
    """
    log.silence_libraries()
    paths = [path for source in arguments.paths for path in files_below(source)]
    if not paths:
        raise Misconfigured("there is no file to send; name files, or a folder that has some")
    wanted, failures = _sorted_by_context(paths)
    count = sum(map(len, wanted.values()))
    with Progress(count, "instances") as progress:
        for batch in _batches(wanted):
            for failure in _send_batch(_destination(arguments), _patience(arguments), batch):
                failures.extend([] if failure is None else [failure])
                progress.step(len(failures))
    for failure in failures:
        sys.stdout.write(f"{failure.reason}\t{failure.path}\n")
    sys.stdout.write(f"{len(paths) - len(failures)} of {len(paths)} files stored by {arguments.remote}\n")
    return Exit.FAILED if any(failure.reason != _SKIPPED for failure in failures) else Exit.OK


_Wanted = dict[Proposal, list["Path"]]
_SKIPPED = "skipped: DICOMDIR"


def _destination(arguments: Namespace) -> Destination:
    remote = arguments.remote
    return Destination("peer", remote.ae_title, remote.host, remote.port, calling_ae_title=arguments.calling)


def _patience(arguments: Namespace) -> ForwardSettings:
    return ForwardSettings(dimse_timeout_s=arguments.timeout, connect_timeout_s=min(10.0, arguments.timeout))


def _sorted_by_context(paths: Iterable[Path]) -> tuple[_Wanted, list[Failure]]:
    """Sort files by the presentation context that they need; what is no instance is a failure."""
    wanted: _Wanted = {}
    failures: list[Failure] = []
    for path in paths:
        try:
            outgoing = outgoing_from_file(path)
        except Refused as refused:
            failures.append(Failure(path, str(refused)))
        except OSError as error:
            failures.append(Failure(path, error.strerror or "cannot be read"))
        else:
            if outgoing.sop_class_uid == MEDIA_DIRECTORY:
                failures.append(Failure(path, _SKIPPED))
            else:
                wanted.setdefault(Proposal(outgoing.sop_class_uid, outgoing.transfer_syntax), []).append(path)
    return wanted, failures


def _batches(wanted: _Wanted) -> Iterator[_Wanted]:
    """Divide what needs more presentation contexts than one association can have."""
    proposals = list(wanted)
    for start in range(0, len(proposals), MAX_CONTEXTS):
        yield {proposal: wanted[proposal] for proposal in proposals[start : start + MAX_CONTEXTS]}


def _send_batch(destination: Destination, patience: ForwardSettings, batch: _Wanted) -> Iterator[Failure | None]:
    """Send over one association, opened again when it is lost; yields None for what is stored."""
    association: StoreAssociation | None = None
    try:
        for path in (path for paths in batch.values() for path in paths):
            if association is None:
                association = open_association(destination, batch, patience)
            reason, lost = _send_one(association, path)
            association = None if lost else association
            yield Failure(path, reason) if reason else None
    finally:
        if association is not None:
            with suppress(OSError):
                association.release()


def _send_one(association: StoreAssociation, path: Path) -> tuple[str, bool]:
    """Return why an instance is not stored (empty: it is) and whether the association is lost."""
    try:
        status = association.store(outgoing_from_file(path))
    except NoContext:
        return "no presentation context accepted", False
    except (Transient, ProtocolError) as error:
        return str(error), True
    except (Refused, OSError) as error:
        return f"changed while it was sent ({type(error).__name__})", False
    return "" if outcome_of(status) is Outcome.STORED else f"status {status:#06x}", False

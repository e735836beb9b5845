"""One job in a worker process: a raw file in, a clean file in the outbox out."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from deid.context import Context
from deid.engine import Instance, deidentify
from deid.errors import Misconfigured as DeidMisconfigured
from deid.errors import Refused
from deid.keys import Keys
from deid.profile import load_profile
from node.errors import Misconfigured, NodeError
from node.jobs import CleanedJob, JobId
from node.key import load_key
from node.log import where
from node.raw import raw_origin
from node.settings import profile_path

if TYPE_CHECKING:
    from pathlib import Path

    from node.settings import Settings
    from node.spool import Spool


class Failed(NodeError):
    """`deid` raised what it should not have; the message names the type of the error and the line, not its text."""


_contexts: dict[str, Context] = {}


def contexts(settings: Settings) -> dict[str, Context]:
    """Load profile and key of each project.

    Raises
    ------
    Misconfigured
        if one of them is missing or wrong
    """
    keys = Keys.from_secret(load_key(settings.key_file))
    try:
        return {project.name: Context(load_profile(profile_path(project)), keys) for project in settings.projects}
    except DeidMisconfigured as error:
        raise Misconfigured(str(error)) from None


def prepare(settings: Settings) -> None:
    """Load what `clean_job` needs, once for each process."""
    _contexts.update(contexts(settings))


def clean_job(spool: Spool, job_id: JobId, project: str) -> CleanedJob | None:
    """De-identify a raw file into the outbox.

    Returns
    -------
    what there is in the outbox now; None if there is no raw file

    Raises
    ------
    Refused
        if it can't be cleaned with certainty
    NoRoom, Transient
        if the outbox can't be written
    Failed
        if anything else happened
    """
    try:
        return _cleaned(spool, job_id, _contexts[project])
    except FileNotFoundError:
        return None
    except (Refused, NodeError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  its text may hold values: it ends here
        raise Failed(f"{type(error).__name__} at {where(error.__traceback__)}") from None


def _cleaned(spool: Spool, job_id: JobId, context: Context) -> CleanedJob:
    path = spool.incoming_path(job_id)
    origin = raw_origin(path)
    result = deidentify(Instance(origin.transfer_syntax, _mapped(path)[origin.offset :]), context)
    size_bytes = spool.put_outbox(job_id, result.clean.part10())
    clean = result.clean
    return CleanedJob(job_id, clean.sop_class_uid, clean.transfer_syntax, size_bytes, dict(result.report.counts))


def _mapped(path: Path) -> memoryview:
    """Map a file; the mapping ends with the last view of it."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

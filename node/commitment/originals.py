"""Which job is which instance of its sender: noted with its arrival, and by the files where that was cut short."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from deid.encoding.reader import read_part10
from deid.errors import Refused
from node.commitment.codes import Codes, open_codes
from node.commitment.settings import CommitmentMode
from node.commitment.tables import CommitmentTables
from node.spares import open_whole

if TYPE_CHECKING:
    from node.jobs import JobId
    from node.ledger import Ledger
    from node.settings import Settings
    from node.spool import Spool

Note: TypeAlias = "Callable[[JobId, str, str], None]"

_BATCH = 500
_HEAD_BYTES = 8192  # of a raw file: more than its meta information has


class Originals:
    """Notes instances of the projects that commit themselves to what they are sent."""

    def __init__(self, settings: Settings, ledger: Ledger, codes: Codes) -> None:
        self.ledger = ledger
        self._projects = committing_projects(settings)
        self._codes = codes
        self._tables = CommitmentTables(ledger)

    def note_for(self, project: str) -> Note | None:
        """Return what notes an instance of a project (job, SOP Class, SOP Instance); None where nothing is to be."""
        return partial(self._note, project) if project in self._projects else None

    def index(self, spool: Spool) -> int:
        """Note what is there and not noted; return how many instances."""
        found = (
            (project, job_id, uids)
            for job_id, project in self._tables.unnoted(self._projects)
            if (uids := _uids(spool, job_id))
        )
        count = 0
        while batch := list(islice(found, _BATCH)):
            with self.ledger.batch():
                for project, job_id, uids in batch:
                    self._note(project, job_id, *uids)
            count += len(batch)
        return count

    def _note(self, project: str, job_id: JobId, sop_class_uid: str, sop_instance_uid: str) -> None:
        self._tables.note_original(job_id, self._codes.instance(project, sop_instance_uid), sop_class_uid)


def committing_projects(settings: Settings) -> frozenset[str]:
    """Name the projects that commit themselves."""
    return frozenset(each.name for each in settings.projects if each.commitment is not CommitmentMode.NONE)


def index_originals(settings: Settings, spool: Spool, ledger: Ledger) -> int:
    """Note what raw files are there of which the ledger doesn't know which instances they are; in the work role.

    Raises
    ------
    Misconfigured
        if the codes' key cannot be used
    """
    if not committing_projects(settings):
        return 0
    return Originals(settings, ledger, open_codes(spool.path)).index(spool)


def _uids(spool: Spool, job_id: JobId) -> tuple[str, str] | None:
    """Return SOP Class and SOP Instance of a raw file, as the receiver wrote them into its meta information."""
    for path in (spool.incoming_path(job_id), spool.quarantine_path(job_id)):
        try:
            with open_whole(path) as fd:
                meta = read_part10(os.read(fd, _HEAD_BYTES)).meta
        except (FileNotFoundError, Refused):
            continue
        return meta.sop_class_uid, meta.sop_instance_uid
    return None

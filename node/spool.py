"""The files of the jobs. They are the truth; the ledger is their index.

    incoming/<job>.dcm      raw, as received (Part 10, written by the receiver)
    outbox/<job>.dcm        clean
    quarantine/<job>.dcm    raw, refused            quarantine/<job>.json   why
    spare/                  empty files, to be written again: see `node.spares`
    series/                 how series are to be cleaned: see `node.plans`
    decisions/, reviews/    what persons say of refused instances: see `node.decisions`, `node.reviews`

A file has this name only once it is complete and on the disk: written as ``<job>.<pid>.part``, fsynced, renamed, and
the folder fsynced. The writer holds a lock on its part, so a part that nobody locks was left by somebody who died.

The outbox alone goes without fsync, as it can be made anew from incoming: a kill leaves it whole, and after a power cut
`distrust_outbox` throws away what an earlier start of the machine left there, before anything of it is sent.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from node.boot import boot_id
from node.decisions import DECISIONS
from node.errors import Misconfigured, NoRoom
from node.jobs import JobId, NodeReason
from node.modes import PRIVATE, mode_in
from node.part import PART_SUFFIX, PartFile, disk_errors, sweep_part, sync_folder
from node.plans import SERIES, Plans
from node.raw import Origin, raw_origin
from node.reviews import REVIEWS, Reviews
from node.spares import SPARE, Spares

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deid.encoding.element import Buffer

__all__ = ["Files", "IncomingFile", "Origin", "Record", "Spool", "raw_origin"]

INCOMING, OUTBOX, QUARANTINE = "incoming", "outbox", "quarantine"
_FOLDERS = (INCOMING, OUTBOX, QUARANTINE, SERIES, DECISIONS, REVIEWS)
_SENDERS_WAIT_BELOW = 2  # times the room that is kept free
_BOOT_FILE = "outbox.boot"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Files:
    """Which files of a job are there; `record` is the reason of its quarantine."""

    incoming: bool = False
    outbox: bool = False
    quarantine: bool = False
    record: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Why an instance is in quarantine; no values of it.

    Attributes
    ----------
    reason
        of `deid.errors.Reason` or `node.jobs.NodeReason`
    detail
        tags, codes, counts, names of the program or the configuration
    quarantined_at_s
        seconds since 1970
    """

    reason: str
    detail: str = ""
    project: str = ""
    quarantined_at_s: float = 0.0


IncomingFile = PartFile


class Spool:
    """The folders of one node.

    Parameters
    ----------
    path
        is created with its folders, mode 0700
    min_free_bytes
        that incoming files leave free; the outbox may use them, since only what leaves makes room

    Raises
    ------
    Misconfigured
        if the folders can't be made
    """

    def __init__(self, path: Path, min_free_bytes: int) -> None:
        self.path = path
        self.plans = Plans(path / SERIES)
        self.reviews = Reviews(path / REVIEWS)
        self._min_free_bytes = min_free_bytes
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in _FOLDERS:
                (path / folder).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"spool {path}: {error.strerror}") from None
        with suppress(OSError):  # roles of several users have none
            (path / SPARE).mkdir(mode=0o700, exist_ok=True)
        self._spares = {kind: Spares(path / SPARE, kind) for kind in (INCOMING, OUTBOX)}

    # -- where things are

    def incoming_path(self, job_id: JobId) -> Path:
        """Where the raw file of a job is until it's done."""
        return self.path / INCOMING / f"{job_id}.dcm"

    def outbox_path(self, job_id: JobId) -> Path:
        """Where the clean file of a job is until it's delivered."""
        return self.path / OUTBOX / f"{job_id}.dcm"

    def quarantine_path(self, job_id: JobId) -> Path:
        """Where the raw file of a refused job is."""
        return self.path / QUARANTINE / f"{job_id}.dcm"

    def _record_path(self, job_id: JobId) -> Path:
        return self.path / QUARANTINE / f"{job_id}.json"

    def files(self, job_id: JobId) -> Files:
        """Look which files of a job are there now."""
        # the order matters: what is being released is seen in quarantine or in incoming, never in neither
        return Files(
            quarantine=self.quarantine_path(job_id).exists(),
            incoming=self.incoming_path(job_id).exists(),
            outbox=self.outbox_path(job_id).exists(),
            record=self._record_path(job_id).exists(),
        )

    def all_files(self) -> dict[JobId, Files]:
        """Look which files of which jobs are there, in order of arrival."""
        quarantine, records = self._ids(QUARANTINE, ".dcm"), self._ids(QUARANTINE, ".json")
        incoming, outbox = self._ids(INCOMING, ".dcm"), self._ids(OUTBOX, ".dcm")
        return {
            job_id: Files(job_id in incoming, job_id in outbox, job_id in quarantine, job_id in records)
            for job_id in sorted(incoming | outbox | quarantine | records)
        }

    def incoming_ids(self) -> list[JobId]:
        """List the raw files, in order of arrival."""
        return sorted(self._ids(INCOMING, ".dcm"))

    def quarantine_ids(self) -> list[JobId]:
        """List what is in quarantine, in order of arrival."""
        return sorted(self._ids(QUARANTINE, ".dcm") | self._ids(QUARANTINE, ".json"))

    def _ids(self, folder: str, suffix: str) -> set[JobId]:
        ids = set()
        for entry in os.scandir(self.path / folder):
            if entry.name.endswith(suffix):
                with suppress(ValueError):  # not one of ours: let it lie
                    ids.add(JobId(entry.name.removesuffix(suffix)))
        return ids

    # -- room

    def free_bytes(self) -> int:
        """How much an unprivileged writer could write."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def is_short_of_room(self) -> bool:
        """Say whether there is so little room that new senders should wait; those that are here may use it."""
        return self.free_bytes() < _SENDERS_WAIT_BELOW * self._min_free_bytes

    def check_room(self) -> None:
        """Refuse to take more.

        Raises
        ------
        NoRoom
            if less than `min_free_bytes` are free
        """
        if self.free_bytes() < self._min_free_bytes:
            raise NoRoom("spool: less room than [spool] min_free_bytes")

    # -- writing

    def open_incoming(self, job_id: JobId) -> IncomingFile:
        """Begin a raw file: the Part 10 header first, whose AE titles `raw_origin` reads back.

        Raises
        ------
        NoRoom, Transient
            as for `PartFile.write`
        """
        return PartFile(self.incoming_path(job_id), self.check_room, self._spares[INCOMING])

    def put_incoming(self, job_id: JobId, header: bytes, chunks: Iterable[Buffer]) -> int:
        """Write a raw file durably; return its size in bytes.

        Raises
        ------
        NoRoom, Transient
            nothing is left then
        """
        with self.open_incoming(job_id) as file:
            file.write(header, *chunks)
            return file.commit()

    def put_outbox(self, job_id: JobId, chunks: Iterable[Buffer]) -> int:
        """Write a clean file, over an earlier one of the same job; return its size in bytes.

        It survives the death of any process; what a power cut left of it is not trusted.

        Raises
        ------
        NoRoom, Transient
            nothing is left then
        """
        with PartFile(self.outbox_path(job_id), _no_check, self._spares[OUTBOX]) as file:
            file.write(*chunks)
            return file.commit(durable=not boot_id())

    def is_outbox_trusted(self) -> bool:
        """Say whether what lies in the outbox was written since the machine started."""
        return self._trusted_boot() == boot_id()

    def distrust_outbox(self) -> int:
        """Throw away clean files that an earlier start of the machine left; return how many; the raw ones are there.

        Raises
        ------
        NoRoom, Transient
            if that can't be made durable
        """
        if self.is_outbox_trusted():
            return 0
        doubtful = [job_id for job_id, files in self.all_files().items() if files.outbox and files.incoming]
        with disk_errors():
            for job_id in doubtful:
                self.outbox_path(job_id).unlink(missing_ok=True)
            sync_folder(self.path / OUTBOX)
        with PartFile(self.path / _BOOT_FILE, _no_check) as file:
            file.write(boot_id().encode())
            file.commit()
        return len(doubtful)

    def _trusted_boot(self) -> str:
        try:
            return (self.path / _BOOT_FILE).read_text("ascii")
        except (OSError, ValueError):
            return ""

    # -- quarantine

    def quarantine(self, job_id: JobId, reason: str, detail: str = "", project: str = "") -> None:
        """Move a raw file to quarantine, with the reason beside it; its clean copy, if there is one, goes.

        The reason is written first: no instance ever lies there without one. Safe to repeat.

        Raises
        ------
        NoRoom, Transient
            if that can't be made durable
        """
        record = Record(reason, detail, project, time.time())
        with PartFile(self._record_path(job_id), _no_check) as file:
            file.write(json.dumps(asdict(record)).encode() + b"\n")
            file.commit()
        with disk_errors():
            with suppress(FileNotFoundError):
                self._take_out(self.incoming_path(job_id), self.quarantine_path(job_id))
            sync_folder(self.path / QUARANTINE)
            sync_folder(self.path / INCOMING)
            self.outbox_path(job_id).unlink(missing_ok=True)

    def _take_out(self, incoming: Path, quarantine: Path) -> None:
        """Move a raw file; where others may read the quarantine than what comes in, as a file of the former's group.

        At any moment there is one raw file. One that can't be copied for that is moved all the same.
        """
        folder, copy = quarantine.parent, quarantine.with_suffix(f".{os.getpid()}{PART_SUFFIX}")
        mode = mode_in(folder)
        is_theirs = mode == PRIVATE or incoming.stat().st_gid == folder.stat().st_gid
        if not is_theirs:
            try:
                _copy(incoming, copy, mode)
            except OSError:
                copy.unlink(missing_ok=True)
                is_theirs = True  # nobody but us can read it there, but there it is
        incoming.rename(quarantine)
        if not is_theirs:
            copy.rename(quarantine)

    def record(self, job_id: JobId) -> Record:
        """Read why an instance is in quarantine; `NodeReason.UNRECORDED` if that isn't known."""
        try:
            return Record(**json.loads(self._record_path(job_id).read_bytes()))
        except (OSError, ValueError, TypeError):
            return Record(NodeReason.UNRECORDED)

    def drop_record(self, job_id: JobId) -> None:
        """Forget the reason of an instance that is not in quarantine (any more)."""
        self._record_path(job_id).unlink(missing_ok=True)

    def release(self, job_id: JobId) -> bool:
        """Move a raw file from quarantine to incoming, to be processed again; say whether it was there.

        Raises
        ------
        NoRoom, Transient
            if that can't be made durable
        """
        with disk_errors():
            try:
                self.quarantine_path(job_id).rename(self.incoming_path(job_id))
            except FileNotFoundError:
                return False
            sync_folder(self.path / INCOMING)
            sync_folder(self.path / QUARANTINE)
            self.drop_record(job_id)
        return True

    def discard(self, job_id: JobId) -> None:
        """Delete what is in quarantine of a job: first the instance, last the reason.

        Raises
        ------
        NoRoom, Transient
            if that can't be made durable
        """
        with disk_errors():
            self.quarantine_path(job_id).unlink(missing_ok=True)
            self.reviews.drop(job_id)
            sync_folder(self.path / QUARANTINE)
            self.drop_record(job_id)

    # -- the end

    def discard_incoming(self, job_id: JobId) -> None:
        """Delete a raw file whose sender was told that it was not stored."""
        self.incoming_path(job_id).unlink(missing_ok=True)

    def remove(self, job_ids: Iterable[JobId]) -> None:
        """Delete the files of jobs that are done, for good, clean before raw: a clean file always has its raw one.

        Raises
        ------
        NoRoom, Transient
            if the disk fails
        """
        outbox, incoming = self._spares[OUTBOX], self._spares[INCOMING]
        with disk_errors():
            outbox.look()
            incoming.look()
            for job_id in job_ids:
                outbox.give(self.outbox_path(job_id))
                incoming.give(self.incoming_path(job_id))
                self.reviews.drop(job_id)

    def clear_spares(self) -> None:
        """Delete the empty files that were kept to be written again."""
        for spares in self._spares.values():
            spares.clear()

    def sweep_parts(self) -> int:
        """Delete parts whose writers died; return how many there were."""
        return sum(sweep_part(part) for folder in _FOLDERS for part in (self.path / folder).glob(f"*{PART_SUFFIX}"))


def _no_check() -> None:
    """Let the outbox and the quarantine use the reserve."""


def _copy(source: Path, target: Path, mode: int) -> None:
    """Copy a file durably, but for its name."""
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with source.open("rb") as file, os.fdopen(fd, "wb") as copy:
        shutil.copyfileobj(file, copy, _PIECE_BYTES)
        copy.flush()
        os.fchmod(fd, mode)
        os.fsync(fd)

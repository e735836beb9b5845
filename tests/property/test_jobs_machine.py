"""Whatever is killed, and wherever: an acknowledged instance is never lost, and never sent with two contents.

A machine of random steps over the real spool, ledger, worker and engine. In any step the process may die: from some
system call on nothing that it does has an effect any more, as after `kill -9`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import patch

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from deid.deface.plan import FacePlan, Kind
from deid.elements.file_meta import part10_header
from deid.faces import plan_series
from deid.identity import KeyedIdentity, NewIdentity, Subject, unmapped
from node import cleaning, quarantine
from node.cleaning import Prepared, prepare
from node.identities import Constant
from node.jobs import TRANSITIONS, JobId, NodeReason, State, new_job_id
from node.key import create_key
from node.ledger import LEDGER_FILE, Ledger
from node.pool import WorkerDied
from node.reconcile import Verdict, verdict
from node.settings import FacesSettings, Project, Settings, SpoolSettings, WorkSettings
from node.spool import Files, Spool
from node.worker import Worker
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deid.context import Context
    from deid.instance import Instance
    from deid.keys import Keys

CT = factories.ct(size=8)
DATA = factories.data_set_bytes(CT)
LATER_DATA = factories.data_set_bytes(factories.update(factories.ct(size=8), PatientID="LATER-1"))
HEADER = part10_header(CT.SOPClassUID, CT.SOPInstanceUID, CT.file_meta.TransferSyntaxUID, "MODALITY", "", "DEIDNODE")
SLICES = [
    factories.data_set_bytes(factories.update(factories.ct(seed=seed, size=8), PixelSpacing=[10, 10]))
    for seed in range(3)
]
HEADS_HEADER = HEADER.replace(b"DEIDNODE", b"HEADS   ")
FACES_CODE = b"113102"
DESTINATIONS = ("one", "two")
BEFORE_THE_END = (State.RECEIVED, State.CLEANING, State.HELD, State.GATHERED, State.CLEANED)
FAST_DISK = Path("/dev/shm")  # noqa: S108  if it is there; syncing a real disk is another test's job

# the step dies at the n-th system call or statement, and so may what sets it right at the next start
moments = st.sampled_from([None, *range(12), *range(12, 60, 4)])
deaths = st.tuples(moments, moments)
Deaths: TypeAlias = "tuple[int | None, int | None]"
NO_DEATH: Deaths = (None, None)


class Killed(BaseException):
    """The process is dead."""


class Fuse:
    """Kills at the n-th call, and lets a dead process do nothing."""

    def __init__(self, calls: int | None) -> None:
        self.left = calls
        self.dead = False

    def burn(self) -> None:
        if self.left == 0:
            self.dead = True
        if self.dead:
            raise Killed
        if self.left is not None:
            self.left -= 1


class MortalLedger(Ledger):
    """A ledger whose process may die before any statement; it also notes the transitions of the jobs."""

    fuse: Fuse = Fuse(None)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._connection().executescript(
            "CREATE TEMP TABLE moves (old TEXT, new TEXT);"
            "CREATE TEMP TRIGGER moved AFTER UPDATE OF state ON main.jobs WHEN OLD.state <> NEW.state"
            " BEGIN INSERT INTO moves VALUES (OLD.state, NEW.state); END;"
        )

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        self.fuse.burn()
        return super()._run(statement, *values)

    def moves(self) -> set[tuple[State, State]]:
        return {(State(old), State(new)) for old, new in self._connection().execute("SELECT * FROM moves")}


class InThisProcess(Executor):
    """Does the work at once; can pretend that the worker died of it."""

    def __init__(self) -> None:
        self.dies = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.dies:
            future.set_exception(WorkerDied())
            return future
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future


@contextmanager
def mortal(fuse: Fuse) -> Iterator[None]:
    """Let the process die by `fuse` at a call that changes files; close what it had open then, as the kernel does."""
    fds: set[int] = set()
    real_open, real_close = os.open, os.close

    def opened(*args: Any, **kwargs: Any) -> int:
        fd = real_open(*args, **kwargs)
        fds.add(fd)
        return fd

    def closed(fd: int) -> None:
        fds.discard(fd)
        real_close(fd)

    def burning(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            fuse.burn()
            return real(*args, **kwargs)

        return call

    changing = {name: burning(getattr(os, name)) for name in ("rename", "unlink", "fsync", "writev", "write")}
    with patch.multiple(os, open=opened, close=closed, **changing), suppress(Killed):
        yield
    for fd in fds:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
            real_close(fd)


class Someday:
    """Maps one patient when it pleases."""

    def __init__(self) -> None:
        self.maps = False

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        if subject.patient_id == "LATER-1" and not self.maps:
            raise unmapped(subject, keys)
        return KeyedIdentity().assign(subject, keys)


def plan_of_all(instances: Iterable[Instance], context: Context) -> FacePlan:
    """Plan so that what comes out depends on which instances there were: two plans of a series would be seen."""
    seen: set[bytes] = set()

    def passing() -> Iterator[Instance]:
        for instance in instances:
            seen.add(hashlib.sha256(instance.data).digest())
            yield instance

    plan = plan_series(passing(), context)
    return replace(plan, kind=Kind.SLICEWISE, seed=b"".join(sorted(seen)))


class Jobs(RuleBasedStateMachine):
    """Receiver, worker, forwarder, a person at the quarantine, and one who keeps a crosswalk."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(dir=FAST_DISK if FAST_DISK.is_dir() else None))
        create_key(self.path / "key")
        self.settings = replace(
            Settings(),
            key_file=self.path / "key",
            spool=SpoolSettings(self.path / "spool", 1),
            work=WorkSettings(processes=2, attempts=2),
            faces=FacesSettings(quiet_s=0.001),
            projects=(
                Project("default", destinations=DESTINATIONS),
                Project("heads", "HEADS", str(self.path / "own.toml"), destinations=DESTINATIONS),
            ),
        )
        (self.path / "own.toml").write_text('text = "rules"\noptions = ["clean_recognizable_visual_features"]\n')
        self.planning = patch.object(cleaning, "plan_series", plan_of_all)
        self.planning.start()
        prepare(self.settings)
        self.someday = Someday()
        context = replace(cleaning._prepared["default"].context, identity=self.someday)
        cleaning._prepared["default"] = Prepared(context, Constant(self.someday))
        self.acknowledged: set[JobId] = set()
        self.discarded: set[JobId] = set()
        self.bad: set[JobId] = set()
        self.slices: dict[JobId, int] = {}
        self.slices_sent: dict[int, bytes] = {}
        self.archives: dict[str, dict[JobId, bytes]] = {name: {} for name in DESTINATIONS}

    @initialize(good=st.lists(st.booleans(), min_size=1, max_size=3))
    def begin_with_some(self, good: list[bool]) -> None:
        self.begin()
        self.worker.begin()
        for each in good:
            self.receive(each, NO_DEATH)

    def begin(self) -> None:
        self.executor = InThisProcess()
        self.spool = Spool(self.settings.spool.path, 1)
        self.ledger = MortalLedger(self.settings.spool.path / LEDGER_FILE)
        self.worker = Worker(self.settings, self.spool, self.ledger, self.executor)
        self.ledger.reset_sending()

    def restart(self, death: int | None = None) -> None:
        self.ledger.close()
        self.begin()
        if not self.survives(self.worker.begin, death):
            self.restart()
        assert list(self.spool.path.rglob("*.part")) == []

    def do(self, step: Callable[[], object], deaths: Deaths) -> bool:
        """Do a step; if the process dies in it, start the node anew. Say whether the step was done."""
        survived = self.survives(step, deaths[0])
        if not survived:
            self.restart(deaths[1])
        return survived

    def survives(self, step: Callable[[], object], death: int | None) -> bool:
        fuse = Fuse(death)
        self.ledger.fuse = fuse
        with mortal(fuse):
            step()
        self.ledger.fuse = Fuse(None)
        for old, new in self.ledger.moves():
            assert new in TRANSITIONS[old]
        return not fuse.dead

    @precondition(lambda self: len(self.spool.incoming_ids()) < 4)
    @rule(good=st.booleans(), death=deaths)
    def receive(self, good: bool, death: Deaths, data: bytes = DATA) -> None:
        job_id = new_job_id()
        if not good:
            self.bad.add(job_id)
        self.arrive(job_id, death, HEADER, data if good else data[:-1], "default")

    def arrive(self, job_id: JobId, death: Deaths, header: bytes, data: bytes, project: str) -> None:
        def step() -> None:
            self.ledger.received(job_id, project, self.spool.put_incoming(job_id, header, [data]))

        if self.do(step, death):
            self.acknowledged.add(job_id)

    @precondition(lambda self: len(self.spool.incoming_ids()) < 6)
    @rule(number=st.integers(0, len(SLICES) - 1), death=deaths)
    def receive_of_a_series(self, number: int, death: Deaths) -> None:
        job_id = new_job_id()
        self.slices[job_id] = number
        self.arrive(job_id, death, HEADS_HEADER, SLICES[number], "heads")

    @precondition(lambda self: self.ledger.series())
    @rule(dies=st.sampled_from([False, False, True]), death=deaths)
    def look_at_series(self, dies: bool, death: Deaths) -> None:
        def step() -> None:
            self.executor.dies = dies
            for _ in range(3):  # it is seen, quiet and planned, kept
                time.sleep(0.002)
                self.worker.barrier.look()

        self.do(step, death)

    @precondition(lambda self: len(self.spool.incoming_ids()) < 4)
    @rule(death=deaths)
    def receive_of_a_patient_not_mapped_yet(self, death: Deaths) -> None:
        self.receive(True, death, LATER_DATA)

    @rule()
    def map_the_patient(self) -> None:
        self.someday.maps = True

    @precondition(lambda self: self.ledger.held_by_project())
    @rule(death=deaths)
    def try_what_is_held(self, death: Deaths) -> None:
        self.do(self.ledger.try_held, death)

    @precondition(lambda self: self.ledger.pending(1))
    @rule(dies=st.sampled_from([False, False, True]), death=deaths)
    def clean(self, dies: bool, death: Deaths) -> None:
        def step() -> None:
            self.executor.dies = dies
            self.worker.clock.claim_s = 0.0
            self.worker.claim()
            while self.worker.in_hand:
                self.worker.settle([self.worker.done.get_nowait()])

        self.do(step, death)

    @precondition(lambda self: any(self.ledger.next_due(each) is not None for each in DESTINATIONS))
    @rule(destination=st.sampled_from(DESTINATIONS), status=st.sampled_from([0, 0, 0xA700, 0xC000]), death=deaths)
    def forward(self, destination: str, status: int, death: Deaths) -> None:
        def step() -> None:
            for delivery in self.ledger.due(destination, time.time(), 9):
                self.send(delivery.job_id, destination, status)

        self.do(step, death)

    def send(self, job_id: JobId, destination: str, status: int) -> None:
        if status == 0xA700:
            self.ledger.retry(job_id, destination, 0.0, status)
        elif status == 0xC000:
            self.ledger.gave_up(job_id, destination, status, NodeReason.REFUSED_BY_DESTINATION)
        else:
            clean = self.spool.outbox_path(job_id).read_bytes()
            assert self.archives[destination].setdefault(job_id, clean) == clean
            if job_id in self.slices:
                assert self.slices_sent.setdefault(self.slices[job_id], clean) == clean
                assert FACES_CODE in clean
            self.ledger.delivered(job_id, destination, status)

    @precondition(lambda self: self.ledger.sent() or self.ledger.to_file())
    @rule(death=deaths)
    def tidy(self, death: Deaths) -> None:
        self.do(self.worker.tidy, death)

    @precondition(lambda self: self.spool.quarantine_ids())
    @rule(which=st.integers(0), death=deaths)
    def release(self, which: int, death: Deaths) -> None:
        ids = self.spool.quarantine_ids()
        self.do(partial(quarantine.release, self.spool, self.ledger, ids[which % len(ids)]), death)

    @precondition(lambda self: self.spool.quarantine_ids())
    @rule(which=st.integers(0), death=deaths)
    def discard(self, which: int, death: Deaths) -> None:
        ids = self.spool.quarantine_ids()
        job_id = ids[which % len(ids)]
        self.acknowledged.discard(job_id)
        self.discarded.add(job_id)
        self.do(partial(quarantine.discard, self.spool, self.ledger, job_id), death)

    @rule(death=moments)
    def die(self, death: int | None) -> None:
        self.restart(death)

    @precondition(lambda self: self.ledger.pending(1))
    @rule(statuses=st.sampled_from([(), (0,), (0xC000,), (0, 0), (0, 0), (0xC000, 0)]))
    def have_a_good_day(self, statuses: tuple[int, ...]) -> None:
        self.clean(False, NO_DEATH)
        self.look_at_series(False, NO_DEATH)
        self.clean(False, NO_DEATH)
        for destination, status in zip(DESTINATIONS, statuses, strict=False):
            self.forward(destination, status, NO_DEATH)

    @rule()
    def lose_the_ledger(self) -> None:
        self.ledger.close()
        for path in self.spool.path.glob(f"{LEDGER_FILE}*"):
            path.unlink()
        self.restart()

    @invariant()
    def nothing_is_lost(self) -> None:
        for job_id in self.acknowledged:
            files = self.spool.files(job_id)
            everywhere = all(job_id in archive for archive in self.archives.values())
            assert files.incoming or files.quarantine or everywhere, job_id

    @invariant()
    def nothing_bad_is_sent(self) -> None:
        assert not any(self.bad & archive.keys() for archive in self.archives.values())

    def teardown(self) -> None:
        try:
            if hasattr(self, "ledger"):  # else there was no first step
                self.restart()
                self.come_to_an_end()
                self.all_is_in_order()
                self.ledger.close()
        finally:
            self.planning.stop()
            shutil.rmtree(self.path)

    def come_to_an_end(self) -> None:
        self.map_the_patient()
        self.ledger.try_held()
        while (
            self.ledger.pending(1)
            or self.ledger.series()
            or any(self.ledger.next_due(each) is not None for each in DESTINATIONS)
        ):
            self.clean(False, NO_DEATH)
            self.look_at_series(False, NO_DEATH)
            for destination in DESTINATIONS:
                self.forward(destination, 0, NO_DEATH)
        self.tidy(NO_DEATH)
        self.worker.reconcile()

    def all_is_in_order(self) -> None:
        assert not list(self.spool.plans.folder.glob("*.refused"))
        held = {entry.job_id for entry in quarantine.listed(self.spool)}
        for job_id in self.acknowledged - held:
            assert all(job_id in archive for archive in self.archives.values())
        assert set(self.spool.all_files()) == held
        # of what was being discarded the reason may still be there: the person who discards it again finds it
        raw = held - self.discarded
        whole = Files(quarantine=True, record=True)
        assert {job_id: self.spool.files(job_id) for job_id in raw} == dict.fromkeys(raw, whole)
        assert all(self.spool.files(job_id).record for job_id in held)
        rows = self.ledger.open_jobs()
        assert set(rows) == held
        assert {verdict(row, self.spool.files(job_id)) for job_id, row in rows.items()} <= {Verdict.KEEP}
        counts = self.ledger.counts()
        assert counts[State.QUARANTINED] == len(held)
        assert not any(counts[state] for state in (*BEFORE_THE_END, State.SENDING))


TestJobs = pytest.mark.timeout(600)(Jobs.TestCase)  # what takes long is to make a failure small
TestJobs.settings = hypothesis_settings(max_examples=120, stateful_step_count=30, deadline=None)

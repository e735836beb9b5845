"""The work role and series: real heads, real processes, and what comes late."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

from deid.elements.file_meta import part10_header
from deid.errors import Reason
from deid.faces import FacePlan
from deid.instance import Instance
from node import barrier, cleaning, worker
from node.cleaning import clean_job, plan_job, prepare
from node.faces import stored_plan
from node.jobs import CleanedJob, GatheredJob, JobId, State, new_job_id
from node.key import create_key
from node.ledger import Ledger, open_ledger
from node.settings import FacesSettings, Project, Settings, SpoolSettings, WorkSettings
from node.spool import Spool
from tests import factories
from tests.heads import Head, Scan, files

pytestmark = pytest.mark.timeout(240)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCAN = Scan(shape=(48, 48, 48), step_mm=(5.0, 5.3, 5.3))  # one missing slice is no gap
FACES_CODE = "113102"
PROFILE = 'text = "rules"\noptions = ["clean_recognizable_visual_features"]\n'


@pytest.fixture(scope="module")
def head() -> list[bytes]:
    """Return the slices of a head, from the neck up."""
    return sorted(files(Head.of(5), SCAN, seed=5), key=lambda file: float(_read(file).SliceLocation))


def _read(file: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(file))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    create_key(tmp_path / "key")
    (tmp_path / "own.toml").write_text(PROFILE)
    return replace(
        Settings(),
        key_file=tmp_path / "key",
        spool=SpoolSettings(tmp_path / "spool", 1),
        work=WorkSettings(processes=1),
        faces=FacesSettings(quiet_s=1.0),
        projects=(Project("default", profile=str(tmp_path / "own.toml")),),
    )


@pytest.fixture
def spool(settings: Settings) -> Spool:
    return Spool(settings.spool.path, 1)


@pytest.fixture
def ledger(spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(spool.path)
    yield ledger
    ledger.close()


@pytest.fixture
def in_this_process(settings: Settings) -> None:
    prepare(settings)


def put(spool: Spool, file: bytes) -> JobId:
    job_id = new_job_id()
    instance, ds = Instance.from_part10(file), _read(file)
    header = part10_header(ds.SOPClassUID, ds.SOPInstanceUID, instance.transfer_syntax, "MODALITY", "", "DEIDNODE")
    spool.put_incoming(job_id, header, [instance.data])
    return job_id


def plan_for(spool: Spool, slices: list[bytes]) -> str:
    """Plan in this process; return the series' code."""
    ids = [put(spool, file) for file in slices]
    plan = plan_job(spool, "default", ids)
    found = clean_job(spool, ids[0], "default")
    assert plan is not None
    assert isinstance(found, GatheredJob)
    spool.plans.put("default", found.series, plan)
    return found.series


def test_a_slice_without_a_plan_is_gathered_and_nothing_of_it_is_in_the_outbox(
    spool: Spool, in_this_process: None, head: list[bytes]
) -> None:
    one, again, other = (put(spool, file) for file in (head[3], head[3], head[4]))
    found = [clean_job(spool, job_id, "default") for job_id in (one, again, other)]
    assert all(isinstance(each, GatheredJob) for each in found)
    first, second, third = (each for each in found if isinstance(each, GatheredJob))
    assert first.series == second.series == third.series
    assert first.instance == second.instance != third.instance
    assert [each.announced for each in (first, second, third)] == [0, 0, 0]
    assert not list((spool.path / "outbox").iterdir())


@pytest.mark.parametrize(
    ("value", "announced"), [("30", 30), (" 7 ", 7), ("+5", 5), ("-5", 0), ("", 0), ("1e3", 0), ("9" * 12, 0)]
)
def test_the_announced_count_is_a_number_or_nothing(
    spool: Spool, in_this_process: None, head: list[bytes], value: str, announced: int
) -> None:
    ds = _read(head[0])
    with pydicom.config.disable_value_validation():
        ds.add_new(0x0020_1209, "LO", value)
    found = clean_job(spool, put(spool, factories.to_bytes(ds)), "default")
    assert isinstance(found, GatheredJob)
    assert found.announced == announced


def test_a_plan_is_applied_to_late_slices_within_it(spool: Spool, in_this_process: None, head: list[bytes]) -> None:
    late = head[20]
    plan_for(spool, [file for file in head if file is not late])
    job_id = put(spool, late)
    assert isinstance(clean_job(spool, job_id, "default"), CleanedJob)
    clean = pydicom.dcmread(spool.outbox_path(job_id))
    assert clean.RecognizableVisualFeatures == "NO"
    assert clean.PixelData != _read(late).PixelData


def test_a_late_slice_outside_of_the_plan_is_refused_with_the_name_of_the_plan(
    spool: Spool, in_this_process: None, head: list[bytes]
) -> None:
    code = plan_for(spool, head[5:])
    with pytest.raises(cleaning.Refused) as caught:
        clean_job(spool, put(spool, head[0]), "default")
    assert caught.value.reason is Reason.FACE_SERIES_UNFIT
    assert caught.value.detail == f"outside-plan: series/default-{code}.plan"


def test_a_plan_of_another_series_is_of_no_use(spool: Spool, in_this_process: None, head: list[bytes]) -> None:
    code = plan_for(spool, head)
    other = put(spool, factories.to_bytes(factories.ct()))
    found = clean_job(spool, other, "default")
    assert isinstance(found, GatheredJob)
    assert found.series != code
    spool.plans.put("default", found.series, spool.plans.path("default", code).read_bytes())
    with pytest.raises(cleaning.Refused) as caught:
        clean_job(spool, other, "default")
    assert caught.value.reason is Reason.FACE_SERIES_UNFIT


def test_a_plan_is_read_once_and_again_when_it_is_another(
    spool: Spool, in_this_process: None, head: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spool.plans.path("default", plan_for(spool, head))
    first = stored_plan(path)
    assert first is not None
    assert stored_plan(path) is first
    spool.plans.put("default", first.series_code, replace(first, seed=b"other").to_bytes())
    second = stored_plan(path)
    assert second is not None
    assert second.seed == b"other"
    monkeypatch.setattr(FacePlan, "from_bytes", lambda _: pytest.fail("read again"))
    assert stored_plan(path) is second


def test_a_plan_that_cannot_be_read_is_made_anew(spool: Spool, in_this_process: None, head: list[bytes]) -> None:
    path = spool.plans.path("default", plan_for(spool, head))
    path.write_bytes(b"of an earlier version")
    assert isinstance(clean_job(spool, put(spool, head[0]), "default"), GatheredJob)
    assert not path.exists()


def test_a_raw_file_that_is_gone_gives_no_plan(spool: Spool, in_this_process: None, head: list[bytes]) -> None:
    assert plan_job(spool, "default", [put(spool, head[0]), new_job_id()]) is None


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=worker.run, args=(settings, stop, ready.set))
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def until(condition: Callable[[], bool], limit_s: float = 90) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_series_is_gathered_planned_and_cleaned_and_so_is_what_comes_late(
    settings: Settings, spool: Spool, ledger: Ledger, head: list[bytes]
) -> None:
    def arrive(file: bytes) -> JobId:
        job_id = put(spool, file)
        ledger.received(job_id, "default", 1)
        return job_id

    with working(settings):
        ids = [arrive(file) for file in head[5:]]
        us = arrive(factories.to_bytes(factories.us()))
        until(lambda: spool.files(us).outbox)
        assert not any(spool.files(job_id).outbox for job_id in ids)
        until(lambda: ledger.counts()[State.CLEANED] == len(ids) + 1)
        within, outside = arrive(head[20]), arrive(head[0])
        until(lambda: ledger.counts()[State.CLEANED] == len(ids) + 2 and ledger.counts()[State.QUARANTINED] == 1)
    assert spool.record(outside).reason == Reason.FACE_SERIES_UNFIT
    assert spool.outbox_path(within).read_bytes() == spool.outbox_path(ids[15]).read_bytes()
    for job_id in ids:
        clean = pydicom.dcmread(spool.outbox_path(job_id), stop_before_pixels=True)
        assert FACES_CODE in [item.CodeValue for item in clean.DeidentificationMethodCodeSequence]
        assert clean.RecognizableVisualFeatures == "NO"


def _hang(begun: Path, *_: object) -> None:
    begun.touch()
    time.sleep(600)


def test_a_stop_does_not_wait_for_a_plan(
    settings: Settings, spool: Spool, ledger: Ledger, head: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barrier, "plan_job", partial(_hang, tmp_path / "begun"))
    with working(settings):
        job_id = put(spool, head[0])
        ledger.received(job_id, "default", 1)
        until((tmp_path / "begun").exists)
    assert ledger.counts()[State.GATHERED] == 1
    assert spool.files(job_id).incoming


@pytest.mark.parametrize("beyond", [1, 2, 3])
def test_a_late_slice_of_the_face_beyond_the_planned_volume_never_leaves_as_it_is(
    spool: Spool, in_this_process: None, head: list[bytes], beyond: int
) -> None:
    last = 22
    plan_for(spool, head[:last])
    late = head[last + beyond - 1]
    job_id = put(spool, late)
    with suppress(cleaning.Refused):
        clean_job(spool, job_id, "default")
        assert pydicom.dcmread(spool.outbox_path(job_id)).PixelData != _read(late).PixelData

"""What a person sees of refused instances, and can do with them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from deid.errors import Reason
from node import quarantine
from node.jobs import JobId, NodeReason, State, new_job_id
from node.ledger import Ledger, open_ledger
from node.spool import Files, Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, 1)


@pytest.fixture
def ledger(tmp_path: Path, spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def refused(spool: Spool, ledger: Ledger, reason: Reason = Reason.MALFORMED) -> JobId:
    job_id = new_job_id()
    ledger.received(job_id, "trial", spool.put_incoming(job_id, b"raw", []))
    ledger.cleaning([job_id])
    spool.quarantine(job_id, reason, "(0010,0010)", "trial")
    ledger.quarantined(job_id, reason)
    return job_id


def test_refused_instances_are_listed_in_order_of_arrival_with_their_reasons(spool: Spool, ledger: Ledger) -> None:
    one, other = refused(spool, ledger), refused(spool, ledger, Reason.TRUNCATED)
    first, second = quarantine.listed(spool)
    assert (first.job_id, first.reason, first.detail, first.project) == (
        one,
        "malformed-data-set",
        "(0010,0010)",
        "trial",
    )
    assert first.size_bytes == 3
    assert abs(first.arrived_at_s - time.time()) < 60
    assert abs(first.quarantined_at_s - time.time()) < 60
    assert (second.job_id, second.reason) == (other, "truncated")


def test_an_instance_that_is_not_in_quarantine_is_not_shown(spool: Spool, ledger: Ledger) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, b"raw", [])
    assert quarantine.shown(spool, job_id) is None
    assert quarantine.listed(spool) == []


def test_a_job_whose_file_is_missing_is_shown_and_can_be_discarded(spool: Spool, ledger: Ledger) -> None:
    job_id = new_job_id()
    ledger.received(job_id, "trial", 5)
    spool.quarantine(job_id, NodeReason.FILES_MISSING)
    ledger.quarantined(job_id, NodeReason.FILES_MISSING)
    (entry,) = quarantine.listed(spool)
    assert (entry.reason, entry.size_bytes) == ("files-missing", 0)
    assert not quarantine.release(spool, ledger, job_id)
    assert quarantine.discard(spool, ledger, job_id)
    assert quarantine.listed(spool) == []


def test_a_released_instance_is_pending_again(spool: Spool, ledger: Ledger) -> None:
    job_id = refused(spool, ledger)
    assert quarantine.release(spool, ledger, job_id)
    assert [job.job_id for job in ledger.pending(9)] == [job_id]
    assert spool.files(job_id) == Files(incoming=True)
    assert quarantine.listed(spool) == []
    assert not quarantine.release(spool, ledger, job_id)


def test_a_discarded_instance_leaves_neither_file_nor_row(spool: Spool, ledger: Ledger) -> None:
    job_id = refused(spool, ledger)
    assert quarantine.discard(spool, ledger, job_id)
    assert spool.files(job_id) == Files()
    assert ledger.job(job_id) is None
    assert not quarantine.discard(spool, ledger, job_id)


def test_what_is_not_in_quarantine_cannot_be_discarded(spool: Spool, ledger: Ledger) -> None:
    job_id = refused(spool, ledger)
    quarantine.release(spool, ledger, job_id)
    assert not quarantine.discard(spool, ledger, job_id)
    assert spool.files(job_id) == Files(incoming=True)
    assert ledger.counts()[State.RECEIVED] == 1

"""What persons decide about refused instances: kept, carried out once, and only as far as it was meant."""

from __future__ import annotations

import errno
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.errors import Reason
from deid.pixels.box import Box
from deid.review import UNREVIEWED, DrawnBox, Review
from node.decisions import DECISIONS, Act, Decision, Decisions, is_allowed
from node.errors import Transient
from node.jobs import JobId, NodeReason, new_job_id
from node.ledger import Ledger, open_ledger
from node.reviewing import Reviewing
from node.reviews import MOST_BOXES, read_boxes, written_boxes
from node.spool import Files, Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOXES = (DrawnBox(Box(1, 2, 30, 40)), DrawnBox(Box(5, 6, 7, 8), 2, 3))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, 1)


@pytest.fixture
def ledger(tmp_path: Path, spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def decisions(spool: Spool) -> Decisions:
    return Decisions(spool.path / DECISIONS)


@pytest.fixture
def reviewing(spool: Spool, ledger: Ledger, decisions: Decisions) -> Reviewing:
    return Reviewing(spool, ledger, decisions)


def refused(spool: Spool, ledger: Ledger, reason: str = Reason.TEXT_LEFT) -> JobId:
    job_id = new_job_id()
    ledger.received(job_id, "trial", spool.put_incoming(job_id, b"raw", []))
    ledger.cleaning([job_id])
    spool.quarantine(job_id, reason, "", "trial")
    ledger.quarantined(job_id, reason)
    return job_id


def pending(ledger: Ledger) -> list[JobId]:
    return [job.job_id for job in ledger.pending(1000)]


@pytest.mark.parametrize("broken", [b'"at_s":1%b' % (b"0" * 400), b'"at_s":%b1%b' % (b"[" * 100_000, b"]" * 100_000)])
def test_numbers_and_depths_that_no_decision_has_do_not_end_the_role(
    reviewing: Reviewing, decisions: Decisions, broken: bytes
) -> None:
    text = b'{"act":"rerun","jobs":[],"boxes":[],"by":"anna",%b}' % broken
    (decisions.folder / f"{new_job_id()}.json").write_bytes(text)
    assert not reviewing.look()
    assert decisions.names() == []


def test_a_disk_that_can_not_delete_is_waited_for(
    spool: Spool, ledger: Ledger, reviewing: Reviewing, decisions: Decisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = refused(spool, ledger)
    decisions.put(Decision(Act.DISCARD, (job_id,)))

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", read_only)
        with pytest.raises(Transient):
            reviewing.look()
        with pytest.raises(Transient):
            spool.remove([job_id])
    reviewing.look()
    assert spool.files(job_id) == Files()
    assert decisions.names() == []


# Kept


def test_decision_is_read_back_as_it_was_made(decisions: Decisions) -> None:
    made = Decision(Act.MASK, (new_job_id(), new_job_id()), BOXES, "anna", 1234.5)
    assert decisions.read(decisions.put(made)) == made


def test_decisions_are_read_in_the_order_in_which_they_were_made(decisions: Decisions) -> None:
    names = [decisions.put(Decision(Act.RERUN, (new_job_id(),))) for _ in range(5)]
    assert decisions.names() == names


def test_review_is_kept_until_the_instance_is_gone(spool: Spool, ledger: Ledger) -> None:
    job_id = refused(spool, ledger)
    spool.reviews.put(job_id, Review(BOXES, approved=True))
    assert spool.reviews.get(job_id) == Review(BOXES, approved=True)
    spool.release(job_id)
    assert spool.reviews.get(job_id) == Review(BOXES, approved=True)
    spool.remove([job_id])
    assert spool.reviews.get(job_id) == UNREVIEWED


@given(
    st.lists(
        st.builds(
            lambda x, y, w, h, first, more: DrawnBox(Box(x, y, x + w, y + h), first, more and first + more),
            st.integers(0, 60000),
            st.integers(0, 60000),
            st.integers(1, 5000),
            st.integers(1, 5000),
            st.integers(1, 1000),
            st.integers(0, 1000),
        ),
        max_size=20,
    )
)
def test_boxes_are_read_back_as_they_were_written(boxes: list[DrawnBox]) -> None:
    assert read_boxes(written_boxes(boxes)) == tuple(boxes)


@pytest.mark.parametrize(
    "said",
    [
        None,
        "[]",
        {},
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 1, "0"]],
        [[1, 2, 3, 4, 1, 0.0]],
        [[1, 2, 3, 4, True, 0]],
        [[3, 2, 3, 4, 1, 0]],
        [[-1, 2, 3, 4, 1, 0]],
        [[1, 2, 3, 4, 0, 0]],
        [[1, 2, 3, 4, 3, 2]],
        [[1, 2, 3, 1 << 17, 1, 0]],
        [[1, 2, 3, 4, 1, 0]] * (MOST_BOXES + 1),
    ],
)
def test_what_is_no_box_is_refused(said: object) -> None:
    with pytest.raises(ValueError):
        read_boxes(said)


# Carried out


def test_masked_instance_is_cleaned_again_with_its_boxes(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    job_id = refused(spool, ledger)
    decisions.put(Decision(Act.MASK, (job_id,), BOXES, "anna"))
    assert reviewing.look()
    assert spool.reviews.get(job_id) == Review(BOXES)
    assert spool.files(job_id) == Files(incoming=True)
    assert pending(ledger) == [job_id]
    assert decisions.names() == []


def test_approved_instance_is_cleaned_again_with_that(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    job_id = refused(spool, ledger)
    decisions.put(Decision(Act.APPROVE, (job_id,), BOXES[:1], "anna"))
    assert reviewing.look()
    assert spool.reviews.get(job_id) == Review(BOXES[:1], approved=True)


@pytest.mark.parametrize("reason", [each for each in (*Reason, *NodeReason) if not is_allowed(Act.APPROVE, each)])
def test_what_no_picture_shows_is_never_approved(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing, reason: str
) -> None:
    job_id = refused(spool, ledger, reason)
    decisions.put(Decision(Act.APPROVE, (job_id,), (), "anna"))
    assert not reviewing.look()
    assert spool.files(job_id) == Files(quarantine=True, record=True)
    assert spool.reviews.get(job_id) == UNREVIEWED
    assert decisions.names() == []


def test_identifiers_left_are_among_what_is_never_approved() -> None:
    assert not is_allowed(Act.APPROVE, Reason.IDENTIFIER_LEFT)
    assert not is_allowed(Act.APPROVE, Reason.PIXELS_NOT_CLEANABLE)
    assert is_allowed(Act.MASK, Reason.IDENTIFIER_LEFT)


def test_cleaning_again_keeps_what_was_drawn_before(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    job_id = refused(spool, ledger)
    spool.reviews.put(job_id, Review(BOXES))
    decisions.put(Decision(Act.RERUN, (job_id,)))
    assert reviewing.look()
    assert spool.reviews.get(job_id) == Review(BOXES)


def test_discarded_instance_is_gone_with_what_was_said_of_it(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    job_id = refused(spool, ledger)
    spool.reviews.put(job_id, Review(BOXES))
    decisions.put(Decision(Act.DISCARD, (job_id,)))
    reviewing.look()
    assert spool.files(job_id) == Files()
    assert spool.reviews.get(job_id) == UNREVIEWED
    assert ledger.job(job_id) is None


@pytest.mark.parametrize("act", list(Act))
def test_what_was_refused_after_the_decision_is_not_meant(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing, act: Act
) -> None:
    at_s = time.time() - 1
    job_id = refused(spool, ledger)
    decisions.put(Decision(act, (job_id,), (), "anna", at_s))
    assert not reviewing.look()
    assert spool.files(job_id) == Files(quarantine=True, record=True)


def test_what_is_not_in_quarantine_is_left_alone(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    job_id = new_job_id()
    ledger.received(job_id, "trial", spool.put_incoming(job_id, b"raw", []))
    decisions.put(Decision(Act.DISCARD, (job_id, new_job_id())))
    reviewing.look()
    assert spool.files(job_id) == Files(incoming=True)


def test_decision_that_was_carried_out_in_part_is_finished_by_a_successor(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    jobs = [refused(spool, ledger) for _ in range(70)]
    decisions.put(Decision(Act.RERUN, tuple(jobs)))
    assert reviewing.look()
    assert reviewing.has_more
    assert 0 < len(pending(ledger)) < 70
    successor = Reviewing(spool, ledger, decisions)
    successor.begin()
    while decisions.names():
        successor.look()
    assert pending(ledger) == jobs
    assert not successor.has_more


def test_what_is_no_decision_is_dropped_and_holds_up_nothing(
    spool: Spool, ledger: Ledger, decisions: Decisions, reviewing: Reviewing
) -> None:
    for text in (b"", b"[]", b"{}", b'{"act": "publish", "jobs": [], "boxes": [], "by": "", "at_s": 1}', b"\xff"):
        (decisions.folder / f"{new_job_id()}.json").write_bytes(text)
    (decisions.folder / "notes.txt").write_bytes(b"mine")
    job_id = refused(spool, ledger)
    decisions.put(Decision(Act.RERUN, (job_id,)))
    assert reviewing.look()
    assert pending(ledger) == [job_id]
    assert [path.name for path in decisions.folder.iterdir()] == ["notes.txt"]


def test_what_was_said_of_instances_that_are_gone_is_forgotten(
    spool: Spool, ledger: Ledger, reviewing: Reviewing
) -> None:
    here, gone = refused(spool, ledger), new_job_id()
    for job_id in (here, gone):
        spool.reviews.put(job_id, Review(BOXES))
    reviewing.begin()
    assert spool.reviews.get(here) == Review(BOXES)
    assert spool.reviews.get(gone) == UNREVIEWED


def test_jobs_that_are_decided_and_not_done_yet_are_known(spool: Spool, ledger: Ledger, decisions: Decisions) -> None:
    one, other = refused(spool, ledger), refused(spool, ledger)
    decisions.put(Decision(Act.RERUN, (one,)))
    decisions.put(Decision(Act.DISCARD, (other,)))
    assert decisions.waiting() == {one: Act.RERUN, other: Act.DISCARD}


# Folders of several users


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to a group that it isn't in")
def test_refused_instance_gets_the_group_of_the_quarantine_where_that_is_shared(spool: Spool, ledger: Ledger) -> None:
    folder = spool.path / "quarantine"
    os.chown(folder, -1, 54_321)
    folder.chmod(0o2750)
    job_id = refused(spool, ledger)
    status = spool.quarantine_path(job_id).stat()
    assert (status.st_gid, status.st_mode & 0o777) == (54_321, 0o640)
    assert spool.files(job_id) == Files(quarantine=True, record=True)
    assert spool.quarantine_path(job_id).read_bytes() == b"raw"


@pytest.mark.skipif(os.geteuid() != 0, reason="likewise")
def test_refused_instance_that_can_not_be_copied_is_quarantined_all_the_same(
    spool: Spool, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    folder = spool.path / "quarantine"
    os.chown(folder, -1, 54_321)
    folder.chmod(0o2750)
    monkeypatch.setattr(shutil, "copyfileobj", no_room)
    job_id = refused(spool, ledger)
    assert spool.files(job_id) == Files(quarantine=True, record=True)
    assert spool.quarantine_path(job_id).read_bytes() == b"raw"
    assert not list(folder.glob("*.part"))

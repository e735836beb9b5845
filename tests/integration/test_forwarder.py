"""The forward role on a real spool and ledger, against archives that answer, refuse, abort, stall and are away."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deid.elements.file_meta import part10_header
from node import dimse, forwarder
from node.channel import Channel
from node.errors import Misconfigured
from node.jobs import JobId, NodeReason, State, new_job_id
from node.ledger import Ledger, open_ledger
from node.scu import Lost, Outgoing
from node.settings import Destination, ForwardSettings, Settings, SpoolSettings, Tls
from node.spool import Spool
from tests.integration.scripted import (
    CT,
    EXPLICIT,
    IMPLICIT,
    Answer,
    Conversation,
    ScriptedStore,
    destination,
    ends,
    free_port,
    scripted_archive,
    storescp,
)
from tests.network import wait_until

RLE = "1.2.840.10008.1.2.5"
FAST = ForwardSettings(
    first_retry_s=0.05,
    max_retry_s=0.2,
    give_up_days=1.0,
    dimse_timeout_s=1.0,
    connect_timeout_s=1.0,
    idle_release_s=0.3,
    echo_every_s=0.0,  # archives here count what they are asked
)


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


class Node:
    """A spool and a ledger with the forward role on it."""

    def __init__(self, folder: Path, *destinations: Destination, forward: ForwardSettings = FAST) -> None:
        self.settings = Settings(
            spool=SpoolSettings(folder / "spool", min_free_bytes=0),
            forward=forward,
            destinations={each.name: each for each in destinations},
        )
        self.spool = Spool(self.settings.spool.path, 0)
        self.spool.distrust_outbox()  # as the work role does when it begins
        self.ledger: Ledger = open_ledger(self.spool.path)

    def put(
        self, uid: str, sop_class: str = CT, syntax: str = EXPLICIT, size: int = 3000, to: str = "archive"
    ) -> JobId:
        """Queue a clean instance as the work role does."""
        job_id = new_job_id()
        data = element(8, 0x16, b"UI", sop_class.encode()) + element(8, 0x18, b"UI", uid.encode())
        data += element(0x20, 0x4000, b"LT", b"x" * size)
        header = part10_header(sop_class, uid, syntax)
        self.spool.put_incoming(job_id, header, [data])
        self.ledger.received(job_id, "default", len(data))
        self.spool.put_outbox(job_id, [header, data])
        self.ledger.cleaned(job_id, to.split(), sop_class, syntax, len(data))
        return job_id

    def state(self, job_id: JobId) -> State | None:
        job = self.ledger.job(job_id)
        return job.state if job else None

    def reason(self, job_id: JobId) -> str:
        job = self.ledger.job(job_id)
        return job.reason if job else ""

    def failed_attempts(self) -> int:
        with contextlib.closing(sqlite3.connect(self.ledger.path)) as connection:
            return int(connection.execute("SELECT SUM(attempts) FROM deliveries").fetchone()[0])

    def wait(self, job_id: JobId, state: State, timeout_s: float = 15) -> None:
        wait_until(lambda: self.state(job_id) is state, timeout_s, f"job is {state}")

    @contextlib.contextmanager
    def forwarding(self) -> Iterator[None]:
        """Run the forward role; whatever ends it by an error fails the test."""
        stop, ready = threading.Event(), threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                forwarder.run(self.settings, stop, ready.set)
            except BaseException as error:  # noqa: BLE001
                errors.append(error)
                ready.set()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert ready.wait(10)
            yield
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive()
        assert errors == []


def test_clean_instances_are_delivered_whole(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        jobs = {f"2.25.{number}": node.put(f"2.25.{number}", size=20_000) for number in range(1, 41)}
        with node.forwarding():
            for job_id in jobs.values():
                node.wait(job_id, State.SENT)
        assert sorted(archive.uids) == sorted(jobs)
        files = {uid: node.spool.outbox_path(job_id).read_bytes() for uid, job_id in jobs.items()}
        assert all(files[uid].endswith(data) and len(data) > 20_000 for uid, data in archive.stored)
        assert archive.associations <= 2


def test_what_arrives_later_is_delivered_on_the_same_association(tmp_path: Path) -> None:
    archive = ScriptedStore()
    forward = ForwardSettings(idle_release_s=30, dimse_timeout_s=2, connect_timeout_s=2, echo_every_s=0)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1), forward=forward)
        with node.forwarding():
            for number in range(1, 4):
                node.wait(node.put(f"2.25.{number}"), State.SENT)
        assert archive.uids == ["2.25.1", "2.25.2", "2.25.3"]
        assert archive.associations == 1


def test_idle_association_is_released_and_opened_again_for_new_work(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        with node.forwarding():
            node.wait(node.put("2.25.1"), State.SENT)
            wait_until(lambda: archive.released == 1, 10, "release")
            node.wait(node.put("2.25.2"), State.SENT)
        assert archive.associations == 2


def test_new_sop_class_gets_its_context(tmp_path: Path) -> None:
    archive = ScriptedStore()
    mr = "1.2.840.10008.5.1.4.1.1.4"
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        with node.forwarding():
            node.wait(node.put("2.25.1"), State.SENT)
            node.wait(node.put("2.25.2", sop_class=mr), State.SENT)
            node.wait(node.put("2.25.3"), State.SENT)
        assert archive.associations == 2


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_warning_counts_as_stored(tmp_path: Path, status: int) -> None:
    archive = ScriptedStore(status)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1")
        with node.forwarding():
            node.wait(job_id, State.SENT)
        assert archive.uids == ["2.25.1"]


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0122, 0x0124, 0xFF00])
def test_refusal_is_a_case_for_a_person_and_keeps_its_files(tmp_path: Path, status: int) -> None:
    archive = ScriptedStore(status)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        refused = node.put("2.25.1")
        other = node.put("2.25.2")
        with node.forwarding():
            node.wait(refused, State.QUARANTINED)
            node.wait(other, State.SENT)
        assert node.reason(refused) == NodeReason.REFUSED_BY_DESTINATION
        assert node.ledger.given_up(refused) == [("archive", status)]
        assert node.spool.outbox_path(refused).exists()
        assert node.spool.incoming_path(refused).exists()
        assert archive.uids == ["2.25.2"]


@pytest.mark.parametrize(
    "answers",
    [
        (0xA700, 0xA701, 0x0110),
        (ends("abort"), ends("abort")),
        (ends("drop"), ends("drop")),
        (ends("stall"),),
        (ends("garbage"),),
    ],
    ids=["out of resources", "abort", "drop", "stall", "garbage"],
)
def test_what_may_work_later_is_tried_until_it_does(tmp_path: Path, answers: tuple[int | Answer, ...]) -> None:
    archive = ScriptedStore(*answers)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1")
        with node.forwarding():
            node.wait(job_id, State.SENT, 20)
        assert archive.uids == ["2.25.1"]


def test_archive_that_comes_back_gets_everything(tmp_path: Path) -> None:
    archive = ScriptedStore()
    port = free_port()
    node = Node(tmp_path, destination(port))
    jobs = [node.put(f"2.25.{number}") for number in range(1, 101)]
    with node.forwarding():
        time.sleep(0.5)
        assert {node.state(job_id) for job_id in jobs} == {State.CLEANED}
        with scripted_archive(archive, port):
            for job_id in jobs:
                node.wait(job_id, State.SENT, 30)
    assert len(archive.uids) == 100


def test_archive_that_stays_away_is_given_up_after_give_up_days(tmp_path: Path) -> None:
    forward = ForwardSettings(first_retry_s=0.05, max_retry_s=0.1, give_up_days=0.5 / 86400, connect_timeout_s=1)
    node = Node(tmp_path, destination(free_port()), forward=forward)
    job_id = node.put("2.25.1")
    with node.forwarding():
        node.wait(job_id, State.QUARANTINED)
    assert node.reason(job_id) == NodeReason.UNDELIVERABLE
    assert node.spool.outbox_path(job_id).exists()


def test_destination_that_is_away_does_not_hold_up_another(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        away = Destination("away", "AWAY", "127.0.0.1", free_port())
        node = Node(tmp_path, away, destination(port))
        job_id = node.put("2.25.1", to="away archive")
        other = node.put("2.25.2")
        with node.forwarding():
            node.wait(other, State.SENT)
            wait_until(lambda: "2.25.1" in archive.uids, 10, "delivery")
        assert node.state(job_id) is State.CLEANED


def test_archive_that_serves_one_association_at_a_time_is_not_away(tmp_path: Path) -> None:
    received = tmp_path / "received"
    received.mkdir()
    with storescp(received) as port:
        forward = replace(FAST, connect_timeout_s=6.0, idle_release_s=30.0)
        node = Node(tmp_path, destination(port, associations=2), forward=forward)
        jobs = [node.put(f"2.25.{number}") for number in range(1, 201)]
        with node.forwarding():
            # The second lane waits in vain for an association; only what it has claimed for that has to wait with it.
            wait_until(lambda: node.ledger.counts()[State.SENT] >= 199, 5, "all but one")
            for job_id in jobs:
                node.wait(job_id, State.SENT, 30)
    assert len(list(received.iterdir())) == 200
    assert node.failed_attempts() == 0


def test_association_that_the_archive_releases_is_opened_again_without_a_failure(tmp_path: Path) -> None:
    def answer_and_release(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
        response = dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", 0)
        header = dimse.pdata_header(context_id, True, True, len(response))
        archive.sock.sendall(header + response + dimse.RELEASE_RQ)
        assert archive.read_pdu()[0] == dimse.PduType.RELEASE_RP
        raise ConnectionResetError

    archive = ScriptedStore(*[answer_and_release] * 3)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        jobs = [node.put(f"2.25.{number}") for number in range(1, 5)]
        with node.forwarding():
            for job_id in jobs:
                node.wait(job_id, State.SENT)
    assert archive.associations == 4
    assert node.failed_attempts() == 0


def test_channel_has_no_association_any_more_once_it_is_lost() -> None:
    outgoing = Outgoing(CT, "2.25.1", EXPLICIT, [b"\x08\0\x16\0UI\0\0"])
    with scripted_archive(ScriptedStore(ends("abort"))) as port:
        channel = Channel(destination(port), FAST)
        assert not channel.is_open
        with pytest.raises(Lost):
            channel.send(outgoing)
        assert not channel.is_open
        assert channel.send(outgoing) == 0
        assert channel.is_open
        channel.close()
        assert not channel.is_open


def test_archive_that_takes_only_implicit_vr_gets_implicit_vr(tmp_path: Path) -> None:
    archive = ScriptedStore(accepts=lambda _, syntax: syntax == IMPLICIT)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1", size=10)
        with node.forwarding():
            node.wait(job_id, State.SENT)
    ((_, data),) = archive.stored
    assert data.startswith(struct.pack("<HHI", 8, 0x16, 26) + CT.encode())


def test_sop_class_that_is_not_accepted_is_a_case_for_a_person(tmp_path: Path) -> None:
    sc = "1.2.840.10008.5.1.4.1.1.7"
    archive = ScriptedStore(accepts=lambda sop_class, _: sop_class == CT)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        refused, other = node.put("2.25.1", sop_class=sc), node.put("2.25.2")
        with node.forwarding():
            node.wait(other, State.SENT)
            node.wait(refused, State.QUARANTINED)
        assert node.reason(refused) == NodeReason.SOP_CLASS_NOT_ACCEPTED


def test_archive_that_accepts_nothing_at_all_is_no_archive_that_is_away(tmp_path: Path) -> None:
    with scripted_archive(lambda archive: archive.accept(accepts=lambda *_: False)) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1")
        with node.forwarding():
            node.wait(job_id, State.QUARANTINED)
        assert node.reason(job_id) == NodeReason.SOP_CLASS_NOT_ACCEPTED


def test_compressed_pixels_that_nobody_can_decode_are_a_case_for_a_person(tmp_path: Path) -> None:
    archive = ScriptedStore(accepts=lambda _, syntax: syntax == IMPLICIT)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1", syntax=RLE)
        path = node.spool.outbox_path(job_id)
        fragments = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + bytes.fromhex(
            "feff00e000000000 feff00e002000000 0102 feffdde000000000"
        )
        path.write_bytes(path.read_bytes() + fragments)
        with node.forwarding():
            node.wait(job_id, State.QUARANTINED)
        assert node.reason(job_id) == NodeReason.NO_ACCEPTABLE_TRANSFER_SYNTAX


def test_outbox_file_that_is_broken_does_not_stop_the_others(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        broken, gone, empty = node.put("2.25.1"), node.put("2.25.2"), node.put("2.25.3")
        node.spool.outbox_path(broken).write_bytes(b"no DICOM at all")
        node.spool.outbox_path(empty).write_bytes(b"")
        node.spool.outbox_path(gone).unlink()
        whole = node.put("2.25.4")
        with node.forwarding():
            node.wait(whole, State.SENT)
            node.wait(broken, State.QUARANTINED)
            node.wait(empty, State.QUARANTINED)
        assert node.state(gone) is State.CLEANED
        assert archive.uids == ["2.25.4"]


def test_stop_lets_the_delivery_under_way_finish_and_gives_back_the_rest(tmp_path: Path) -> None:
    took = threading.Event()

    def slowly(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
        took.set()
        time.sleep(0.5)
        archive.answer(context_id, dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", 0))

    archive = ScriptedStore(slowly)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        first, second = node.put("2.25.1"), node.put("2.25.2")
        with node.forwarding():
            assert took.wait(10)
        assert node.state(first) is State.SENT
        assert node.state(second) is State.CLEANED
        assert [each.job_id for each in node.ledger.due("archive", time.time(), 10)] == [second]
        assert archive.released == 1


def test_a_single_image_does_not_wait_behind_a_backlog(tmp_path: Path) -> None:
    took, go_on = threading.Event(), threading.Event()

    def once_told(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
        took.set()
        assert go_on.wait(10)
        archive.answer(context_id, dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", 0))

    archive = ScriptedStore(once_told)
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port, associations=1))
        backlog = [node.put(f"2.25.{number}") for number in range(1, 201)]
        with node.forwarding():
            assert took.wait(10)
            node.put("2.25.999")
            go_on.set()
            node.wait(backlog[-1], State.SENT)
            wait_until(lambda: len(archive.uids) == 200, 15, "all are there")
        assert archive.uids.index("2.25.999") < 100
        assert sorted(archive.uids) == sorted({"2.25.999", *(f"2.25.{number}" for number in range(2, 201))})


def test_claims_of_a_forwarder_that_died_are_taken_up(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1")
        assert len(node.ledger.due("archive", time.time(), 10, lease=3600)) == 1
        with node.forwarding():
            node.wait(job_id, State.SENT)


def test_delivery_to_a_destination_that_is_not_configured_any_more_is_given_up(tmp_path: Path) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port:
        node = Node(tmp_path, destination(port))
        job_id = node.put("2.25.1", to="former")
        with node.forwarding():
            node.wait(job_id, State.QUARANTINED)
        assert node.reason(job_id) == NodeReason.NO_SUCH_DESTINATION


def test_second_forwarder_on_a_spool_is_a_misconfiguration(tmp_path: Path) -> None:
    node = Node(tmp_path, destination(free_port()))
    with node.forwarding(), pytest.raises(Misconfigured, match="another forwarder"):
        forwarder.run(node.settings, threading.Event(), lambda: None)


def test_certificate_that_is_missing_is_known_at_the_start(tmp_path: Path) -> None:
    tls = Tls(tmp_path / "none.pem", tmp_path / "none.key")
    node = Node(tmp_path, destination(free_port(), tls=tls))
    with pytest.raises(Misconfigured, match=r"none\.pem"):
        forwarder.run(node.settings, threading.Event(), lambda: None)


def test_idle_forwarder_costs_next_to_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path, destination(free_port()))
    with node.forwarding():
        time.sleep(0.2)
        before = time.process_time()
        time.sleep(2)
        assert time.process_time() - before < 0.1

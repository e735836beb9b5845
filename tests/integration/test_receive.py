"""Receiving: DCMTK and raw senders on real sockets, statuses of C-STORE, and what lies in the spool afterwards."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydicom import dcmread

from node import dimse
from node.acceptance import CALLED_AE_NOT_RECOGNIZED, CALLING_AE_NOT_RECOGNIZED, LOCAL_LIMIT_EXCEEDED, Rejection
from node.contexts import STORAGE_SOP_CLASSES
from node.dimse import PduType
from node.errors import Misconfigured
from node.key import create_key
from node.scp import Receiver, run
from node.settings import DeliveryMode, Destination, Peer, Project, Settings
from node.spool import raw_origin
from tests import factories
from tests.integration.receiving import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    VERIFICATION,
    Running,
    Sender,
    associate_rq,
    element,
    instance,
    receiving,
    settings_for,
)
from tests.network import missing, storescp

SUCCESS, NO_ROOM, MISMATCH, NOT_UNDERSTOOD, NO_SUCH_CLASS = 0x0000, 0xA700, 0xA900, 0xC000, 0x0122
NOT_AUTHORIZED = 0x0124


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Running]:
    with receiving(settings_for(tmp_path)) as running:
        yield running


def dcmtk(tool: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"DCMTK's {tool} is not installed")
    command = [path, *map(str, arguments)]
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=60)


def await_files(node: Running, count: int) -> list[str]:
    deadline = time.monotonic() + 5
    while len(node.files()) != count and time.monotonic() < deadline:
        time.sleep(0.01)
    return node.files()


# -- senders as they are


def test_echoscu_is_answered(node: Running) -> None:
    dcmtk("echoscu", "-aec", "DEIDNODE", "127.0.0.1", node.port)


@pytest.mark.parametrize("tool", ["storescu", "dcmsend"])
def test_what_dcmtk_sends_lies_in_the_spool_and_in_the_ledger(node: Running, tool: str, tmp_path: Path) -> None:
    source = tmp_path / "ct.dcm"
    factories.ct().save_as(source)
    dcmtk(tool, "-aec", "DEIDNODE", "-aet", "CT-ROOM", "127.0.0.1", node.port, source)
    (name,) = node.files()
    (job,) = node.ledger.pending(10)
    path = node.spool.incoming_path(job.job_id)
    assert path.name == name
    assert (job.project, job.size_bytes) == ("default", path.stat().st_size)
    origin = raw_origin(path)
    assert (origin.calling_ae, origin.called_ae, origin.transfer_syntax) == ("CT-ROOM", "DEIDNODE", EXPLICIT)
    assert dcmread(path) == dcmread(source)


def test_storescu_offering_implicit_vr_first_still_sends_explicit_vr(node: Running, tmp_path: Path) -> None:
    source = tmp_path / "ct.dcm"
    factories.ct().save_as(source)
    dcmtk("storescu", "-aec", "DEIDNODE", "127.0.0.1", node.port, source)
    (job,) = node.ledger.pending(10)
    assert raw_origin(node.spool.incoming_path(job.job_id)).transfer_syntax == EXPLICIT


@pytest.mark.parametrize(
    ("option", "syntax"), [("-xi", IMPLICIT), ("-xb", "1.2.840.10008.1.2.2"), ("-xd", "1.2.840.10008.1.2.1.99")]
)
def test_the_transfer_syntax_that_is_sent_is_the_one_that_is_kept(
    node: Running, tmp_path: Path, option: str, syntax: str
) -> None:
    source = tmp_path / "ct.dcm"
    factories.ct().save_as(source)
    dcmtk("storescu", "-R", option, "-aec", "DEIDNODE", "127.0.0.1", node.port, source)
    (job,) = node.ledger.pending(10)
    path = node.spool.incoming_path(job.job_id)
    received = raw_origin(path).transfer_syntax
    assert received in {syntax, EXPLICIT}
    assert dcmread(path).SOPInstanceUID == dcmread(source).SOPInstanceUID


def test_the_called_ae_title_chooses_the_project(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate(called="TRIAL")
        assert sender.store(instance()) == SUCCESS
    (job,) = node.ledger.pending(10)
    assert job.project == "trial"


def test_every_storage_sop_class_is_accepted_128_at_a_time(node: Running) -> None:
    classes = sorted(STORAGE_SOP_CLASSES)
    for start in range(0, len(classes), 128):
        with Sender(node.port) as sender:
            results = sender.associate(*((uid, [IMPLICIT, EXPLICIT]) for uid in classes[start : start + 128]))
            assert set(results.values()) == {0}
            sender.release()


def test_many_instances_on_one_association_are_each_answered_and_kept(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        statuses = [sender.store(instance(instance_uid=f"1.2.{n}"), instance_uid=f"1.2.{n}") for n in range(20)]
        sender.release()
    assert statuses == [SUCCESS] * 20
    assert len(node.files()) == 20


def test_the_same_instance_twice_is_two_jobs(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert [sender.store(instance()), sender.store(instance())] == [SUCCESS, SUCCESS]
    assert len(node.files()) == 2


def test_echo_and_store_share_an_association(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate((VERIFICATION, [IMPLICIT]), (CT, [EXPLICIT]))
        assert sender.echo(1) == SUCCESS
        assert sender.store(instance(), context_id=3) == SUCCESS
        assert sender.echo(1) == SUCCESS
        sender.release()


@pytest.mark.parametrize("step", [1, 2, 13])
def test_a_data_set_in_tiny_fragments_is_received_whole(node: Running, step: int) -> None:
    data = instance(pixel_bytes=100)
    with Sender(node.port) as sender:
        sender.associate()
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send_data(1, data, step=step)
        assert sender.read_status() == SUCCESS
    (job,) = node.ledger.pending(10)
    path = node.spool.incoming_path(job.job_id)
    assert path.read_bytes()[raw_origin(path).offset :] == data


def test_command_and_data_set_may_share_a_pdu(node: Running) -> None:
    command, data = dimse.c_store_rq(1, CT, "1.2.3.4"), instance()
    pdus = dimse.pdata_header(1, is_command=True, is_last=True, length=len(command)) + command
    pdus += dimse.pdata_header(1, is_command=False, is_last=True, length=len(data)) + data
    body = pdus[6 : 12 + len(command)] + pdus[12 + len(command) + 6 :]
    with Sender(node.port) as sender:
        sender.associate()
        sender.send(bytes([PduType.P_DATA, 0]) + len(body).to_bytes(4, "big") + body)
        assert sender.read_status() == SUCCESS


def test_an_answer_is_cut_to_the_pdu_size_of_the_sender(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate(max_pdu=30)
        assert sender.store(instance()) == SUCCESS


# -- statuses


def test_a_data_set_of_another_sop_class_than_announced_is_answered_a900(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance(class_uid=MR)) == MISMATCH
    assert node.files() == []


def test_a_sop_class_other_than_the_context_s_is_answered_0122(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance(class_uid=MR), class_uid=MR) == NO_SUCH_CLASS
        assert sender.store(instance()) == SUCCESS  # and the association goes on
    assert len(node.files()) == 1


@pytest.mark.parametrize(
    "data",
    [
        instance()[:-100],
        instance()[:-2049],
        instance(instance_uid="1.2.3.5"),
        instance(instance_uid=""),
        element(0x00080016, "UI", CT.encode() + b"\0"),
        element(0x00080018, "UI", b"1.2.3.4\0"),
        b"this is no data set at all, whatever the command says of it" * 10,
        b"\0" * 4000,
    ],
    ids=["pixels-cut", "cut-in-header", "other-uid", "empty-uid", "no-instance-uid", "no-class-uid", "text", "zeros"],
)
def test_a_data_set_that_is_cut_or_not_the_announced_one_is_answered_c000(node: Running, data: bytes) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert sender.store(data) == NOT_UNDERSTOOD
        assert sender.store(instance()) == SUCCESS
    assert len(node.files()) == 1


def test_an_instance_longer_than_the_limit_is_answered_a700(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, max_instance_bytes=10_000)) as node, Sender(node.port) as sender:
        sender.associate()
        assert sender.store(instance(pixel_bytes=20_000)) == NO_ROOM
        assert sender.store(instance(pixel_bytes=5_000)) == SUCCESS
        assert len(node.files()) == 1


def test_a_store_without_a_data_set_is_answered_c000(node: Running) -> None:
    command = dimse.c_store_rq(1, CT, "1.2.3.4").replace(b"\0\0\0\x08\2\0\0\0\1\0", b"\0\0\0\x08\2\0\0\0\1\1")
    with Sender(node.port) as sender:
        sender.associate()
        sender.send_command(1, command)
        assert sender.read_status() == NOT_UNDERSTOOD
    assert node.files() == []


def restricted(folder: Path, **trial: object) -> Settings:
    """Return settings whose project `trial` is restricted."""
    settings = settings_for(folder)
    default, project = settings.projects
    return replace(settings, projects=(default, replace(project, **trial)))


def test_a_sop_class_that_the_project_does_not_accept_is_answered_0124(tmp_path: Path) -> None:
    with receiving(restricted(tmp_path, accepts=("CTImageStorage",))) as node:
        with Sender(node.port) as sender:
            assert sender.associate((CT, [EXPLICIT]), (MR, [EXPLICIT]), called="TRIAL") == {1: 0, 3: 0}
            assert sender.store(instance(class_uid=MR), class_uid=MR, context_id=3) == NOT_AUTHORIZED
            assert sender.store(instance()) == SUCCESS  # and the association goes on
            sender.release()
        with Sender(node.port) as sender:
            sender.associate((MR, [EXPLICIT]))
            assert sender.store(instance(class_uid=MR), class_uid=MR) == SUCCESS  # the other project takes all
        assert len(node.files()) == 2


def test_an_instance_from_an_ae_that_the_project_does_not_list_is_answered_0124(tmp_path: Path) -> None:
    with receiving(restricted(tmp_path, peers=("CT1", "MR1"))) as node:
        with Sender(node.port) as sender:
            sender.associate((CT, [EXPLICIT]), (VERIFICATION, [IMPLICIT]), calling="CT2", called="TRIAL")
            assert sender.store(instance()) == NOT_AUTHORIZED
            assert sender.echo(3) == SUCCESS
            sender.release()
        assert node.files() == []
        with Sender(node.port) as sender:
            sender.associate(calling="MR1", called="TRIAL")
            assert sender.store(instance()) == SUCCESS


# -- negotiation


def test_no_thread_of_pynetdicom_runs(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        assert not [thread for thread in threading.enumerate() if type(thread).__module__.startswith("pynetdicom")]
        assert {thread.name for thread in threading.enumerate()} >= {"door", "association"}


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.2.2.1", "1.2.3.4.5.6", "1.2.840.10008.1.20.1"])
def test_an_unknown_abstract_syntax_is_a_rejected_context(node: Running, sop_class: str) -> None:
    with Sender(node.port) as sender:
        assert sender.associate((sop_class, [IMPLICIT]), (CT, [IMPLICIT])) == {1: 3, 3: 0}
        sender.send_command(1, dimse.c_store_rq(1, sop_class, "1.2.3"))
        assert sender.read_pdu()[0] == PduType.ABORT


def test_an_unknown_transfer_syntax_is_a_rejected_context(node: Running) -> None:
    with Sender(node.port) as sender:
        assert sender.associate((CT, ["1.2.840.10008.1.2.4.94"]), (CT, [EXPLICIT])) == {1: 4, 3: 0}


def assert_rejected(node: Running, calling: str, called: str, rejection: Rejection) -> None:
    with Sender(node.port) as sender:
        sender.send(associate_rq([(CT, [EXPLICIT])], calling, called))
        assert sender.read_pdu() == (
            PduType.ASSOCIATE_RJ,
            bytes([0, rejection.result, rejection.source, rejection.reason]),
        )
        assert sender.is_closed_by_peer()


def test_an_unknown_called_ae_title_is_rejected(node: Running) -> None:
    assert_rejected(node, "SENDER", "NOBODY", CALLED_AE_NOT_RECOGNIZED)


def test_an_unlisted_calling_ae_title_is_rejected(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, [Peer("CT1", "127.0.0.1")])) as node:
        assert_rejected(node, "SENDER", "DEIDNODE", CALLING_AE_NOT_RECOGNIZED)
        assert_rejected(node, "SENDER", "NOBODY", CALLING_AE_NOT_RECOGNIZED)  # learns nothing of the called ones
        with Sender(node.port) as sender:
            sender.associate(calling="CT1")


def test_a_listed_ae_title_at_another_address_is_rejected(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, [Peer("CT1", "127.0.0.9"), Peer("CT2", "127.0.0.1")])) as node:
        assert_rejected(node, "CT1", "DEIDNODE", CALLING_AE_NOT_RECOGNIZED)


def test_a_calling_ae_title_that_no_file_could_keep_is_rejected(node: Running) -> None:
    assert_rejected(node, "J\u00fcrgen", "DEIDNODE", CALLING_AE_NOT_RECOGNIZED)


def test_an_unlisted_address_is_closed_before_a_byte_is_read(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, [Peer("*", "192.0.2.0/24")])) as node, Sender(node.port) as sender:
        assert sender.is_closed_by_peer()


@pytest.mark.parametrize("limit", ["max_associations", "max_associations_per_address"])
def test_one_association_too_many_is_rejected_for_now_and_let_in_later(tmp_path: Path, limit: str) -> None:
    with receiving(settings_for(tmp_path, **{limit: 2})) as node:
        with Sender(node.port) as first, Sender(node.port) as second:
            first.associate()
            second.associate()
            assert_rejected(node, "SENDER", "DEIDNODE", LOCAL_LIMIT_EXCEEDED)
            first.release()
        deadline = time.monotonic() + 5
        while True:
            with Sender(node.port) as third:
                third.send(associate_rq([(CT, [EXPLICIT])]))
                if third.read_pdu()[0] == PduType.ASSOCIATE_AC:
                    return
            assert time.monotonic() < deadline


# -- direct delivery


def test_a_direct_project_answers_after_the_archive_and_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    if missing("storescp"):
        pytest.skip("DCMTK's storescp is not installed")
    create_key(tmp_path / "key")
    source = factories.ct()
    uid, data = str(source.SOPInstanceUID), factories.data_set_bytes(source)
    project = Project("direct", delivery=DeliveryMode.DIRECT)
    with storescp(tmp_path / "archive") as (port, _):
        settings = replace(
            settings_for(tmp_path),
            key_file=tmp_path / "key",
            projects=(project,),
            destinations={"archive": Destination("archive", "ARCHIVE", "127.0.0.1", port)},
        )
        with receiving(settings) as node, Sender(node.port, timeout_s=60.0) as sender:
            sender.associate()
            assert sender.store(data, CT, uid) == SUCCESS
            (clean,) = (tmp_path / "archive").iterdir()
            assert dcmread(clean).PatientName != source.PatientName
            assert not settings.spool.path.exists()
            assert sender.store(data[:-1], CT, uid) == NOT_UNDERSTOOD


# -- the end


def test_a_stop_lets_the_instance_under_way_finish_and_then_aborts(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path)) as node, Sender(node.port) as sender:
        sender.associate()
        data = instance(pixel_bytes=100_000)
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send_data(1, data[:50_000], last=False)
        time.sleep(0.2)
        node.receiver.stop()
        time.sleep(0.2)
        sender.send_data(1, data[50_000:])
        assert sender.read_status() == SUCCESS
        assert sender.read_pdu()[0] == PduType.ABORT
        assert len(node.files()) == 1


def test_a_stop_ends_idle_associations_at_once(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, idle_deadline_s=60.0)) as node, Sender(node.port) as sender:
        sender.associate()
        started = time.monotonic()
        node.stop()
        assert time.monotonic() - started < 2
        assert sender.read_pdu()[0] == PduType.ABORT


def test_the_role_says_ready_when_it_listens_and_ends_when_told(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    stop, is_ready = threading.Event(), threading.Event()
    role = threading.Thread(target=run, args=(settings, stop, is_ready.set), daemon=True)
    role.start()
    assert is_ready.wait(5)
    stop.set()
    role.join(5)
    assert not role.is_alive()


# -- cost


def test_idle_associations_cost_no_cpu(tmp_path: Path) -> None:
    with receiving(settings_for(tmp_path, idle_deadline_s=60.0)) as node:
        senders = [Sender(node.port) for _ in range(20)]
        for sender in senders:
            sender.associate()
        before = psutil.Process().cpu_times()
        time.sleep(2.0)
        after = psutil.Process().cpu_times()
        spent_s = after.user + after.system - before.user - before.system
        for sender in senders:
            sender.release()
            sender.sock.close()
    assert spent_s / 2.0 / 20 <= 0.002  # of a core, each


def test_a_released_association_leaves_no_thread_and_no_socket(node: Running) -> None:
    def once() -> None:
        with Sender(node.port) as sender:
            sender.associate()
            assert sender.store(instance()) == SUCCESS
            sender.release()

    once()
    process = psutil.Process()
    time.sleep(0.3)
    threads, sockets, files = process.num_threads(), len(process.net_connections()), process.num_fds()
    for _ in range(50):
        once()
    time.sleep(0.3)
    assert process.num_threads() <= threads
    assert len(process.net_connections()) <= sockets
    # Where one association begins before the last has closed the ledger, SQLite keeps that descriptor for the next one.
    assert process.num_fds() <= files + 3


def test_incoming_files_are_readable_by_nobody_else(node: Running) -> None:
    with Sender(node.port) as sender:
        sender.associate()
        sender.store(instance())
    (name,) = await_files(node, 1)
    assert (node.settings.spool.path / "incoming" / name).stat().st_mode & 0o077 == 0


def test_a_stop_does_not_wait_for_a_sender_that_stalls_and_leaves_no_part_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.scp.STOP_S", 0.3)
    with receiving(settings_for(tmp_path, idle_deadline_s=60.0)) as node, Sender(node.port) as sender:
        sender.associate()
        sender.send_command(1, dimse.c_store_rq(1, CT, "1.2.3.4"))
        sender.send_data(1, instance()[:100], last=False)
        assert await_files(node, 1)
        node.stop()
        assert not node.thread.is_alive()
        assert node.files() == []
        assert sender.read_pdu()[0] == PduType.ABORT


def test_a_part_file_of_a_receiver_that_died_is_swept_at_the_next_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    incoming = settings.spool.path / "incoming"
    incoming.mkdir(parents=True)
    (incoming / f"{'0' * 32}.1-0.part").write_bytes(b"half an instance")
    with receiving(settings) as node:
        assert node.files() == []


def test_a_port_that_is_taken_is_a_misconfiguration_that_names_it(node: Running, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=str(node.port)):
        Receiver(settings_for(tmp_path / "second", port=node.port))


def test_two_receivers_share_a_port_where_there_are_to_be_several(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, processes=2)
    with receiving(settings) as first:
        with receiving(settings_for(tmp_path, processes=2, port=first.port)):
            for n in range(20):
                with Sender(first.port) as sender:
                    sender.associate()
                    assert sender.store(instance(instance_uid=f"1.{n}"), instance_uid=f"1.{n}") == SUCCESS
        assert len(first.files()) == 20

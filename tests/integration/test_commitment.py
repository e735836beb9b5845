"""Storage commitment message by message: senders, archives and others that do what a test tells them, good or bad."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from node import dimse
from node.cli import main
from node.commitment.messages import (
    EXPLICIT,
    MAX_BYTES,
    SOP_CLASS,
    SOP_INSTANCE,
    Failure,
    Reference,
    Report,
    Request,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)
from node.commitment.overview import uncommitted_by_destination
from node.commitment.settings import CommitmentMode, CommitmentSettings, ReportTo
from node.dimse import CommandField, PduType, Tag
from node.errors import NoRoom
from node.guard import Line
from node.jobs import State
from node.settings import Destination, Peer, Project, Settings
from tests.integration.receiving import CT, MR, Running, Sender, associate_rq, instance, receiving, settings_for
from tests.integration.scripted import Conversation, destination, free_port, scripted_archive
from tests.integration.test_forwarder import Node
from tests.integration.test_tls import Certificates, certificates, client
from tests.network import wait_until

__all__ = ["certificates"]  # a fixture

UID = "2.25.100"
UIDS = ("1.2.3.1", "1.2.3.2")
RECEIVED, FORWARDED = CommitmentMode.RECEIVED, CommitmentMode.FORWARDED
SOON = CommitmentSettings(unknown_after_s=0.6, ask_after_s=0.1, ask_again_s=1.0)
LOOPBACK = "127.0.0.0/8"


def role_item(*, scu: bool, scp: bool) -> bytes:
    uid = SOP_CLASS.encode()
    return struct.pack(">BBHH", 0x54, 0, len(uid) + 4, len(uid)) + uid + bytes([scu, scp])


def with_role(request: bytes, item: bytes) -> bytes:
    """Return an A-ASSOCIATE-RQ with one more item in its user information, which is its last."""
    at = request.rindex(b"\x50\x00", 0, request.rindex(b"\x51\x00\x00\x04"))
    length = struct.unpack_from(">H", request, at + 2)[0] + len(item)
    body = request[6:at] + struct.pack(">BBH", 0x50, 0, length) + request[at + 4 :] + item
    return struct.pack(">BBI", PduType.ASSOCIATE_RQ, 0, len(body)) + body


class Asking(Sender):
    """A sender that asks for commitment, or an archive that reports."""

    COMMITMENT = 3

    def greet(self, calling: str = "SENDER", called: str = "DEIDNODE", role: bytes = b"") -> dict[int, int]:
        """Associate with contexts for CT (1) and for storage commitment (3); return the results by ID."""
        request = associate_rq([(CT, [EXPLICIT]), (SOP_CLASS, [EXPLICIT])], calling, called)
        self.send(with_role(request, role) if role else request)
        kind, self.accepted = self.read_pdu()
        assert kind == PduType.ASSOCIATE_AC, kind
        results, at = {}, 68
        while at < len(self.accepted):
            kind, _, length = struct.unpack_from(">BBH", self.accepted, at)
            if kind == 0x21:
                results[self.accepted[at + 4]] = self.accepted[at + 6]
            at += 4 + length
        return results

    def ask(self, request: Request, message_id: int = 5) -> int:
        return self.action(encode_request(request, EXPLICIT), message_id)

    def action(
        self, data: bytes, message_id: int = 5, class_uid: str = SOP_CLASS, uid: str = SOP_INSTANCE, kind: int = 1
    ) -> int:
        self.send_command(self.COMMITMENT, dimse.n_action_rq(message_id, class_uid, uid, kind))
        self.send_data(self.COMMITMENT, data)
        return self.read_status()

    def tell(self, report: Report, event_type: int | None = None) -> int:
        """Report as an archive does."""
        command = dimse.n_event_report_rq(6, SOP_CLASS, SOP_INSTANCE, event_type or report.event_type)
        self.send_command(self.COMMITMENT, command)
        self.send_data(self.COMMITMENT, encode_report(report, EXPLICIT))
        return self.read_status()

    def read_message(self) -> tuple[dict[int, bytes], bytes]:
        command, data = b"", b""
        while True:
            kind, body = self.read_pdu()
            assert kind == PduType.P_DATA, kind
            for _, flags, fragment in dimse.iter_pdvs(body):
                if dimse.is_command(flags):
                    command += bytes(fragment)
                else:
                    data += bytes(fragment)
                if dimse.is_last(flags) and not dimse.is_command(flags):
                    return dimse.decode_command(command), data

    def read_report(self, status: int = 0) -> Report:
        """Read a report and answer it."""
        command, data = self.read_message()
        assert dimse.us(command, Tag.COMMAND_FIELD) == CommandField.N_EVENT_REPORT_RQ
        assert dimse.uid(command, Tag.AFFECTED_SOP_INSTANCE_UID) == SOP_INSTANCE
        report = decode_report(data, EXPLICIT)
        event_type = dimse.us(command, Tag.EVENT_TYPE_ID)
        assert event_type == report.event_type
        message_id = dimse.us(command, Tag.MESSAGE_ID)
        self.send_command(
            self.COMMITMENT, dimse.n_event_report_rsp(message_id, SOP_CLASS, SOP_INSTANCE, event_type, status)
        )
        return report


def committing(folder: Path, mode: CommitmentMode = RECEIVED, *peers: Peer, **project: Any) -> Settings:
    return replace(
        settings_for(folder, peers or (Peer("SENDER", LOOPBACK), Peer("OTHER", LOOPBACK))),
        projects=(Project("default", commitment=mode, **project), Project("trial", called_ae_title="TRIAL")),
        commitment=SOON,
    )


def request(*uids: str, uid: str = UID) -> Request:
    return Request(uid, tuple(Reference(CT, each) for each in uids or UIDS))


def transactions(running: Running) -> list[Path]:
    return list((running.settings.spool.path / "commitment").glob("*.json"))


def wait_for_the_end(running: Running) -> None:
    wait_until(lambda: not transactions(running), 10, "nothing is left of the transaction")


@contextlib.contextmanager
def asking(running: Running, *store: str, **names: Any) -> Iterator[Asking]:
    with Asking(running.port) as sender:
        assert sender.greet(**names)[3] == 0
        for uid in store:
            assert sender.store(instance(instance_uid=uid), instance_uid=uid) == 0
        yield sender


# -- senders, on their own association


def test_the_report_comes_on_the_association_that_asked(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running, asking(running, *UIDS) as sender:
        assert sender.ask(request()) == 0
        assert len(transactions(running)) == 1
        assert sender.read_report() == Report(UID, request().references)
        wait_for_the_end(running)
        sender.release()


def test_stores_and_echoes_go_on_while_a_report_is_awaited(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running, asking(running) as sender:
        assert sender.ask(request()) == 0
        for uid in UIDS:  # what was asked about comes after the question
            assert sender.store(instance(instance_uid=uid), instance_uid=uid) == 0
        assert sender.read_report() == Report(UID, request().references)


def test_a_sender_that_never_pauses_has_its_report_in_between(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running, asking(running, *UIDS) as sender:
        assert sender.ask(request()) == 0
        deadline = time.monotonic() + 10
        number = 0
        while time.monotonic() < deadline:
            number += 1
            uid = f"1.7.{number}"
            sender.send_command(1, dimse.c_store_rq(1, CT, uid))
            sender.send_data(1, instance(instance_uid=uid))
            _, body = sender.read_pdu()
            command = b"".join(bytes(piece) for _, _, piece in dimse.iter_pdvs(body))
            if dimse.us(dimse.decode_command(command), Tag.COMMAND_FIELD) == CommandField.N_EVENT_REPORT_RQ:
                return
        raise AssertionError("no report came")


def test_what_is_not_forwarded_is_reported_when_it_is(tmp_path: Path) -> None:
    with receiving(committing(tmp_path, FORWARDED)) as running, asking(running, *UIDS) as sender:
        assert sender.ask(request()) == 0
        time.sleep(1.5)
        ledger = running.ledger
        for job in ledger.pending(10):
            assert len(transactions(running)) == 1
            ledger.cleaned(job.job_id, ["archive"])
            ledger.due("archive", time.time(), 1)
            ledger.delivered(job.job_id, "archive", 0)
        assert sender.read_report() == Report(UID, request().references)


def test_unknown_refused_and_mistaken_instances_have_their_reasons(tmp_path: Path) -> None:
    asked = Request(
        UID, (Reference(CT, UIDS[0]), Reference(MR, UIDS[1]), Reference(CT, "1.9"), Reference("1.8", "1.9"))
    )
    with receiving(committing(tmp_path)) as running, asking(running, *UIDS) as sender:
        assert sender.ask(asked) == 0
        report = sender.read_report()
    _, conflict, unknown, unsupported = asked.references
    assert report.committed == asked.references[:1]
    assert report.failed == (Failure(conflict, 0x0119), Failure(unknown, 0x0112), Failure(unsupported, 0x0122))


def test_an_instance_of_another_project_is_unknown(tmp_path: Path) -> None:
    settings = committing(tmp_path)
    settings = replace(settings, projects=tuple(replace(each, commitment=RECEIVED) for each in settings.projects))
    with receiving(settings) as running:
        with asking(running, *UIDS, called="TRIAL"):
            pass
        with asking(running) as sender:
            assert sender.ask(request()) == 0
            assert [each.reason for each in sender.read_report().failed] == [0x0112, 0x0112]


def test_a_request_once_more_is_one_transaction(tmp_path: Path) -> None:
    with receiving(committing(tmp_path, FORWARDED)) as running, asking(running, *UIDS) as sender:
        assert sender.ask(request()) == 0
        assert sender.ask(request()) == 0
        assert len(transactions(running)) == 1
        with asking(running) as again:
            assert again.ask(request()) == 0
            assert len(transactions(running)) == 1


@pytest.mark.parametrize("is_over", [False, True])
def test_a_transaction_uid_in_use_commits_to_nothing(tmp_path: Path, is_over: bool) -> None:
    with (
        receiving(committing(tmp_path, RECEIVED if is_over else FORWARDED)) as running,
        asking(running, *UIDS) as first,
    ):
        assert first.ask(request()) == 0
        if is_over:
            assert first.read_report() == Report(UID, request().references)
            wait_for_the_end(running)
        with asking(running) as second:
            assert second.ask(request(UIDS[0])) == 0
            assert second.read_report() == Report(UID, (), (Failure(Reference(CT, UIDS[0]), 0x0131),))
        with asking(running, calling="OTHER") as other:  # whose transactions are its own
            assert other.ask(request("1.9")) == 0
            assert other.read_report() == Report(UID, (), (Failure(Reference(CT, "1.9"), 0x0112),))


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ({"class_uid": CT}, 0x0118),
        ({"uid": "1.2.3"}, 0x0112),
        ({"kind": 2}, 0x0123),
        ({"data": b"\x08\x00"}, 0x0115),
        ({"data": encode_request(Request(UID, ()), EXPLICIT)}, 0x0115),
        ({"data": bytes(MAX_BYTES + 2)}, 0x0213),
    ],
    ids=["class", "instance", "action", "cut", "empty", "long"],
)
def test_what_is_no_request_is_answered_so_and_leaves_nothing(
    tmp_path: Path, what: dict[str, Any], status: int
) -> None:
    with receiving(committing(tmp_path)) as running, asking(running) as sender:
        assert sender.action(**{"data": encode_request(request(), EXPLICIT), **what}) == status
        assert transactions(running) == []
        assert sender.store(instance()) == 0  # the association goes on


def test_an_action_without_a_data_set_is_answered(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running, asking(running) as sender:
        command = bytearray(dimse.n_action_rq(5, SOP_CLASS, SOP_INSTANCE, 1))
        at = command.index(struct.pack("<HHI", 0, 0x0800, 2)) + 8
        command[at : at + 2] = struct.pack("<H", 0x0101)
        sender.send_command(3, bytes(command))
        assert sender.read_status() == 0x0115


def test_an_ae_that_the_project_does_not_take_from_is_not_authorized(tmp_path: Path) -> None:
    with receiving(committing(tmp_path, peers=("SENDER",))) as running, asking(running, calling="OTHER") as foreign:
        assert foreign.ask(request()) == 0x0124
        assert transactions(running) == []


def test_an_ae_that_nobody_listed_gets_no_association(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running, Asking(running.port) as stranger:
        stranger.send(associate_rq([(SOP_CLASS, [EXPLICIT])], "STRANGER"))
        assert stranger.read_pdu() == (PduType.ASSOCIATE_RJ, bytes([0, 1, 1, 3]))


def test_a_project_that_commits_to_nothing_takes_no_such_context(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running, Asking(running.port) as sender:
        assert sender.greet(called="TRIAL") == {1: 0, 3: 3}


def test_a_sender_that_wants_to_be_the_scp_is_let_so_only_if_it_is_an_archive(tmp_path: Path) -> None:
    role = role_item(scu=False, scp=True)
    with receiving(committing(tmp_path)) as running, Asking(running.port) as sender:
        assert sender.greet(role=role)[3] != 0
    with receiving(asked_by_us(tmp_path / "2")) as running, Asking(running.port) as archive:
        assert archive.greet(calling="ARCHIVE", role=role)[3] == 0
        assert role in archive.accepted


def test_a_report_that_is_not_taken_stays_open(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running:
        with asking(running, *UIDS) as sender:
            assert sender.ask(request()) == 0
            sender.read_report(status=0x0213)
            sender.release()
        assert len(transactions(running)) == 1


def test_a_sender_that_hangs_up_after_its_answer_leaves_its_request_behind(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running:
        with asking(running, *UIDS) as sender:
            assert sender.ask(request()) == 0
        time.sleep(0.2)
        (file,) = transactions(running)
        assert json.loads(file.read_text())["request"]["transaction_uid"] == UID


def test_a_silent_sender_is_let_go_though_its_report_is_not_due(tmp_path: Path) -> None:
    settings = committing(tmp_path, FORWARDED)
    settings = replace(settings, receive=replace(settings.receive, idle_deadline_s=1.0))
    with receiving(settings) as running, asking(running, *UIDS) as sender:
        assert sender.ask(request()) == 0
        began = time.monotonic()
        assert sender.read_pdu()[0] == PduType.ABORT
        assert 0.5 < time.monotonic() - began < 5
        assert len(transactions(running)) == 1


def test_no_room_is_said_before_anything_is_promised(tmp_path: Path) -> None:
    settings = committing(tmp_path)
    with receiving(settings) as running, asking(running) as sender:
        running.receiver._terms.office.transactions._check_room = _no_room  # type: ignore[union-attr]
        assert sender.ask(request()) == 0x0213


def _no_room() -> None:
    raise NoRoom("full")


def test_a_request_is_on_the_disk_before_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def watched(owner: Any, name: str, said: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            result = original(*arguments, **keywords)
            if word := said(*arguments):
                done.append(word)
            return result

        monkeypatch.setattr(owner, name, call)

    def of_ours(path: object) -> bool:
        return "/commitment" in str(path)

    watched(os, "fsync", lambda fd: "fsync" if of_ours(Path(f"/proc/self/fd/{fd}").readlink()) else "")
    watched(os, "rename", lambda _, to: "rename" if of_ours(to) else "")
    watched(Line, "send_command", lambda *_: "answer")
    with receiving(committing(tmp_path)) as running, asking(running) as sender:
        done.clear()
        assert sender.ask(request("1.9")) == 0
        wait_until(lambda: "answer" in done, 5, "the answer is noted")
    assert done[:4] == ["fsync", "rename", "fsync", "answer"]


def test_a_stop_does_not_wait_for_a_report_that_is_not_due(tmp_path: Path) -> None:
    with receiving(committing(tmp_path, FORWARDED)) as running, asking(running, *UIDS) as sender:
        assert sender.ask(request()) == 0
        time.sleep(0.7)
        began = time.monotonic()
        running.stop()
        assert time.monotonic() - began < 2
        assert len(transactions(running)) == 1


def test_the_report_comes_over_tls_too(tmp_path: Path, certificates: Certificates) -> None:
    settings = committing(tmp_path)
    tls = replace(certificates.node, ca=certificates.ca)
    settings = replace(settings, receive=replace(settings.receive, tls=tls))
    with (
        receiving(settings) as running,
        Asking(running.port, client(certificates, certificates.modality)) as sender,
    ):
        assert sender.greet()[3] == 0
        for uid in UIDS:
            assert sender.store(instance(instance_uid=uid), instance_uid=uid) == 0
        assert sender.ask(request()) == 0
        assert sender.read_report() == Report(UID, request().references)
        wait_for_the_end(running)


# -- senders, called back


class CalledBack:
    """A sender that listens for reports; `statuses` answer the first of them."""

    def __init__(self, *statuses: int | None) -> None:
        self.reports: list[Report] = []
        self.requests: list[bytes] = []
        self._statuses = iter(statuses)

    def __call__(self, conversation: Conversation) -> None:
        conversation.accept()
        context_id, command, data = conversation.read_message()
        status = next(self._statuses, 0)
        self.reports.append(decode_report(data, EXPLICIT))
        if status is None:  # lost: no answer
            return
        message_id, event = dimse.us(command, Tag.MESSAGE_ID), dimse.us(command, Tag.EVENT_TYPE_ID)
        conversation.answer(context_id, dimse.n_event_report_rsp(message_id, SOP_CLASS, SOP_INSTANCE, event, status))
        with contextlib.suppress(ConnectionError):
            conversation.read_pdu()
            conversation.sock.sendall(dimse.RELEASE_RP)


def forwarding_for(running: Running, report_to: ReportTo | None) -> contextlib.AbstractContextManager[None]:
    """Run the forward role on the receiver's spool."""
    node = Node.__new__(Node)
    node.settings = replace(
        running.settings,
        forward=replace(running.settings.forward, first_retry_s=0.05, max_retry_s=0.2, dimse_timeout_s=1.0),
        peers=(Peer("SENDER", LOOPBACK, report_to),),
    )
    node.spool = running.spool
    node.spool.distrust_outbox()
    return node.forwarding()


def left_behind(running: Running, *uids: str) -> None:
    """Store and ask, and hang up before a report can come."""
    with asking(running, *uids) as sender:
        assert sender.ask(request(*uids)) == 0


@pytest.mark.parametrize(
    "statuses", [(), (None,), (0x0110, 0x0213), (0x0112,)], ids=["taken", "lost", "later", "refused"]
)
def test_a_report_is_brought_until_it_is_answered(tmp_path: Path, statuses: tuple[int | None, ...]) -> None:
    sender = CalledBack(*statuses)
    with receiving(committing(tmp_path)) as running, scripted_archive(sender) as port:
        left_behind(running, *UIDS)
        with forwarding_for(running, ReportTo("SENDER", "127.0.0.1", port)):
            wait_for_the_end(running)
        tries = 1 + sum(status in (None, 0x0110, 0x0213) for status in statuses)
        assert sender.reports == [Report(UID, request().references)] * tries


def test_a_restart_of_the_whole_node_keeps_what_was_asked(tmp_path: Path) -> None:
    settings = committing(tmp_path)
    with receiving(settings) as running:
        left_behind(running, *UIDS)
        with forwarding_for(running, ReportTo("SENDER", "127.0.0.1", free_port())):
            time.sleep(1.0)  # nobody listens there
    sender = CalledBack()
    with (
        receiving(settings) as running,
        scripted_archive(sender) as port,
        forwarding_for(running, ReportTo("SENDER", "127.0.0.1", port)),
    ):
        wait_for_the_end(running)
    assert sender.reports == [Report(UID, request().references)]


def test_the_forwarder_leaves_a_transaction_to_the_association_that_lasts(tmp_path: Path) -> None:
    called_back = CalledBack()
    with (
        receiving(committing(tmp_path, FORWARDED)) as running,
        scripted_archive(called_back) as port,
        forwarding_for(running, ReportTo("SENDER", "127.0.0.1", port)),
        asking(running) as sender,
    ):
        assert sender.ask(request("1.9")) == 0
        assert sender.read_report().failed == (Failure(Reference(CT, "1.9"), 0x0112),)
        wait_for_the_end(running)
        assert called_back.reports == []


def test_a_sender_without_an_address_is_not_reported_to(tmp_path: Path) -> None:
    with receiving(committing(tmp_path)) as running:
        left_behind(running, *UIDS)
        with forwarding_for(running, None):
            time.sleep(1.5)
        assert len(transactions(running)) == 1


def test_a_report_that_nobody_takes_is_given_up_in_the_end(tmp_path: Path) -> None:
    settings = replace(committing(tmp_path), commitment=replace(SOON, wait_days=0.0, give_up_days=1e-5))
    with receiving(settings) as running:
        left_behind(running, *UIDS)
        with forwarding_for(running, None):
            wait_for_the_end(running)


def test_a_report_goes_to_pynetdicom_in_the_role_of_the_scp(tmp_path: Path) -> None:
    told: list[Any] = []
    roles: list[Any] = []

    def take(event: Any) -> tuple[int, None]:
        told.append((event.event_type, event.event_information.TransactionUID))
        proposed = event.assoc.requestor.role_selection[SOP_CLASS]
        roles.append((proposed.scu_role, proposed.scp_role, event.assoc.acceptor.role_selection[SOP_CLASS].scp_role))
        return 0, None

    entity = AE("SENDER")
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
    assert server is not None
    try:
        with receiving(committing(tmp_path)) as running:
            left_behind(running, *UIDS)
            with forwarding_for(running, ReportTo("SENDER", "127.0.0.1", server.server_address[1])):
                wait_for_the_end(running)
    finally:
        server.shutdown()
    assert told == [(1, UID)]
    assert roles == [(False, True, True)]


def test_pynetdicom_as_a_sender_gets_its_report_on_the_association(tmp_path: Path) -> None:
    told = threading.Event()

    def take(event: Any) -> tuple[int, None]:
        if event.event_type == 2 and event.event_information.FailedSOPSequence[0].FailureReason == 0x0112:
            told.set()
        return 0, None

    entity = AE("SENDER")
    entity.add_requested_context(StorageCommitmentPushModel)
    with receiving(committing(tmp_path)) as running:
        association = entity.associate(
            "127.0.0.1",
            running.port,
            ae_title="DEIDNODE",
            ext_neg=[build_role(StorageCommitmentPushModel, scu_role=True)],
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)],
        )
        assert association.is_established
        from pydicom.dataset import Dataset

        item, information = Dataset(), Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.9"
        information.TransactionUID = UID
        information.ReferencedSOPSequence = [item]
        answer, _ = association.send_n_action(information, 1, SOP_CLASS, SOP_INSTANCE)
        assert answer.Status == 0
        assert told.wait(10)
        wait_for_the_end(running)
        association.release()


# -- archives


def asked_by_us(folder: Path) -> Settings:
    archive = Destination("archive", "ARCHIVE", "127.0.0.1", 104, calling_ae_title="RESEARCH", commitment=True)
    mirror = replace(archive, name="mirror", calling_ae_title="DEIDNODE")
    peers = (Peer("ARCHIVE", LOOPBACK), Peer("SENDER", LOOPBACK))
    return replace(settings_for(folder, peers), destinations={"archive": archive, "mirror": mirror})


def test_an_archive_may_call_the_ae_that_asked_it_and_only_report(tmp_path: Path) -> None:
    with receiving(asked_by_us(tmp_path)) as running, Asking(running.port) as archive:
        assert archive.greet(calling="ARCHIVE", called="RESEARCH") == {1: 3, 3: 0}
        assert archive.tell(Report("2.25.1", (Reference(CT, "1.2"),))) == 0  # of nothing that we know
        assert archive.tell(Report("2.25.1", ()), event_type=3) == 0x0113
        assert archive.ask(request()) == 0x0124
        assert running.files() == []


def test_who_is_no_archive_may_not_report(tmp_path: Path) -> None:
    with receiving(asked_by_us(tmp_path)) as running:
        with Asking(running.port) as sender:
            assert sender.greet()[3] == 3
        with Asking(running.port) as stranger:
            stranger.send(associate_rq([(SOP_CLASS, [EXPLICIT])], "SENDER", "RESEARCH"))
            assert stranger.read_pdu() == (PduType.ASSOCIATE_RJ, bytes([0, 1, 1, 7]))
    with receiving(committing(tmp_path / "2")) as running, asking(running) as sender:
        assert sender.tell(Report("2.25.1", ())) == 0x0124


Script = Callable[["CommittingArchive", Conversation, int, dict[int, bytes], Request], None]


class CommittingArchive:
    """An archive that stores, and answers each request for commitment by the next of `scripts`."""

    def __init__(self, *scripts: Script) -> None:
        self.stored: list[str] = []
        self.requests: list[Request] = []
        self._scripts = scripts
        self._lock = threading.Lock()

    def __call__(self, archive: Conversation) -> None:
        archive.accept()
        while True:
            context_id, command, data = archive.read_message()
            if dimse.us(command, Tag.COMMAND_FIELD) == CommandField.C_STORE_RQ:
                uid = dimse.uid(command, Tag.AFFECTED_SOP_INSTANCE_UID)
                with self._lock:
                    self.stored.append(uid)
                message_id = dimse.us(command, Tag.MESSAGE_ID)
                archive.answer(context_id, dimse.c_store_rsp(message_id, CT, uid, 0))
                continue
            request = decode_request(data, EXPLICIT)
            with self._lock:
                self.requests.append(request)
                script = self._scripts[min(len(self.requests), len(self._scripts)) - 1]
            script(self, archive, context_id, command, request)


def respond(archive: Conversation, context_id: int, command: dict[int, bytes], status: int = 0) -> None:
    message_id = dimse.us(command, Tag.MESSAGE_ID)
    archive.answer(context_id, dimse.n_action_rsp(message_id, SOP_CLASS, SOP_INSTANCE, 1, status))


def tell(archive: Conversation, context_id: int, report: Report) -> None:
    archive.answer(context_id, dimse.n_event_report_rq(1, SOP_CLASS, SOP_INSTANCE, report.event_type))
    data = encode_report(report, EXPLICIT)
    archive.sock.sendall(dimse.pdata_header(context_id, False, True, len(data)) + data)
    _, answer, _ = archive.read_message()
    assert dimse.us(answer, Tag.COMMAND_FIELD) == CommandField.N_EVENT_REPORT_RSP
    assert dimse.us(answer, Tag.STATUS) == 0


def commits(
    _: CommittingArchive, archive: Conversation, context_id: int, command: dict[int, bytes], request: Request
) -> None:
    respond(archive, context_id, command)
    tell(archive, context_id, Report(request.transaction_uid, request.references))


def commits_before_it_answers(
    _: CommittingArchive, archive: Conversation, context_id: int, command: dict[int, bytes], request: Request
) -> None:
    tell(archive, context_id, Report(request.transaction_uid, request.references))
    respond(archive, context_id, command)


def forgets(
    _: CommittingArchive, archive: Conversation, context_id: int, command: dict[int, bytes], __: Request
) -> None:
    respond(archive, context_id, command)


def is_busy(
    _: CommittingArchive, archive: Conversation, context_id: int, command: dict[int, bytes], __: Request
) -> None:
    respond(archive, context_id, command, 0x0213)


def hangs_up(_: CommittingArchive, archive: Conversation, __: int, ___: dict[int, bytes], ____: Request) -> None:
    archive.sock.close()
    raise ConnectionResetError


def fails(reason: int) -> Script:
    def script(
        _: CommittingArchive, archive: Conversation, context_id: int, command: dict[int, bytes], request: Request
    ) -> None:
        respond(archive, context_id, command)
        committed, lost = request.references[1:], request.references[0]
        tell(archive, context_id, Report(request.transaction_uid, committed, (Failure(lost, reason),)))

    return script


def forwarder_to(tmp_path: Path, port: int, ask_again_s: float = 60.0) -> Node:
    node = Node(tmp_path, replace(destination(port), commitment=True))
    node.settings = replace(node.settings, commitment=replace(SOON, ask_again_s=ask_again_s))
    return node


@pytest.mark.parametrize(
    ("scripts", "asked", "sent"),
    [
        ((commits,), 1, 2),
        ((commits_before_it_answers,), 1, 2),
        ((forgets, commits), 2, 2),
        ((is_busy, is_busy, commits), 3, 2),
        ((hangs_up, commits), 2, 2),
        ((fails(0x0112), commits), 2, 3),
        ((fails(0x0131), commits), 2, 2),
    ],
    ids=["commits", "commits-first", "forgets", "busy", "hangs-up", "lost-one", "duplicate"],
)
def test_an_instance_is_delivered_once_the_archive_has_committed_itself(
    tmp_path: Path, scripts: tuple[Script, ...], asked: int, sent: int
) -> None:
    archive = CommittingArchive(*scripts)
    with scripted_archive(archive) as port:
        node = forwarder_to(tmp_path, port, 1.0 if forgets in scripts else 60.0)
        jobs = [node.put("2.25.1"), node.put("2.25.2")]
        with node.forwarding():
            for job_id in jobs:
                node.wait(job_id, State.SENT, 30)
    assert len(archive.requests) == asked
    assert len({each.transaction_uid for each in archive.requests}) == asked
    assert len(archive.stored) == sent
    assert set(archive.requests[0].references) == {Reference(CT, "2.25.1"), Reference(CT, "2.25.2")}
    assert uncommitted_by_destination(node.ledger) == {}


def test_an_archive_that_says_nothing_keeps_the_files_and_is_not_sent_them_again(tmp_path: Path) -> None:
    archive = CommittingArchive(forgets)
    with scripted_archive(archive) as port:
        node = forwarder_to(tmp_path, port, 1.0)
        job_id = node.put("2.25.1")
        for _ in range(2):  # the forwarder is started anew in between
            with node.forwarding():
                before = len(archive.requests)
                wait_until(lambda: len(archive.requests) > before, 15, "the archive is asked")  # noqa: B023
        assert node.state(job_id) is State.CLEANED
        assert node.spool.incoming_path(job_id).exists()
        assert archive.stored == ["2.25.1"]


def test_a_conflict_at_the_archive_is_a_case_for_a_person(tmp_path: Path) -> None:
    archive = CommittingArchive(fails(0x0119))
    with scripted_archive(archive) as port:
        node = forwarder_to(tmp_path, port)
        first, second = node.put("2.25.1"), node.put("2.25.2")
        with node.forwarding():
            wait_until(
                lambda: {node.state(first), node.state(second)} == {State.SENT, State.QUARANTINED}, 20, "decided"
            )
        assert {node.reason(first), node.reason(second)} == {"", "not-committed"}


def test_an_archive_without_storage_commitment_keeps_the_files_here(tmp_path: Path) -> None:
    def stores_only(archive: Conversation) -> None:
        archive.accept(accepts=lambda sop_class, _: sop_class != SOP_CLASS)
        while True:
            archive.answer_store()

    with scripted_archive(stores_only) as port:
        node = forwarder_to(tmp_path, port)
        job_id = node.put("2.25.1")
        with node.forwarding():
            wait_until(lambda: uncommitted_by_destination(node.ledger) == {"archive": 1}, 15, "it is stored")
            time.sleep(1.0)
        assert node.state(job_id) is State.CLEANED


def test_check_says_whether_a_destination_can_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def check(port: int) -> list[str]:
        config = tmp_path / "node.toml"
        config.write_text(
            f'key_file = "key"\n[destinations.archive]\nae_title = "ARCHIVE"\nhost = "127.0.0.1"\nport = {port}\n'
            "commitment = true\n",
            encoding="utf-8",
        )
        main(["check", "--config", str(config)])
        return [line for line in capsys.readouterr().out.splitlines() if "commitment" in line]

    def echoes_only(archive: Conversation) -> None:
        archive.accept(accepts=lambda sop_class, _: sop_class != SOP_CLASS)
        context_id, command, _ = archive.read_message()
        archive.answer(context_id, dimse.c_echo_rsp(dimse.us(command, Tag.MESSAGE_ID)))

    def echoes(archive: Conversation) -> None:
        archive.accept()
        context_id, command, _ = archive.read_message()
        archive.answer(context_id, dimse.c_echo_rsp(dimse.us(command, Tag.MESSAGE_ID)))

    with scripted_archive(echoes_only) as port:
        (said,) = check(port)
        assert said.startswith("FAIL  storage commitment of destination archive: it takes no such requests")
    with scripted_archive(echoes) as port:
        assert check(port) == ["ok    storage commitment of destination archive"]


def test_a_report_on_another_association_ends_what_the_forwarder_asked(tmp_path: Path) -> None:
    archive = CommittingArchive(forgets)
    settings = asked_by_us(tmp_path)
    with receiving(settings) as running, scripted_archive(archive) as port:
        node = Node(tmp_path, replace(destination(port), calling_ae_title="RESEARCH", commitment=True))
        node.settings = replace(node.settings, commitment=replace(SOON, ask_again_s=60.0))
        job_id = node.put("2.25.1")
        with node.forwarding():
            wait_until(lambda: len(archive.requests) == 1, 15, "the archive is asked")
        (asked,) = archive.requests
        with Asking(running.port) as reporting:
            reporting.greet(calling="ARCHIVE", called="DEIDNODE", role=role_item(scu=False, scp=True))
            assert reporting.tell(Report(asked.transaction_uid, asked.references)) == 0  # as another destination
        assert node.state(job_id) is State.CLEANED
        with Asking(running.port) as reporting:
            reporting.greet(calling="ARCHIVE", called="RESEARCH", role=role_item(scu=False, scp=True))
            assert reporting.tell(Report(asked.transaction_uid, asked.references)) == 0
        assert node.state(job_id) is State.SENT

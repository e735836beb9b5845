"""The SCU against real archives over real sockets: DCMTK, pynetdicom, and scripted ones that misbehave."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt

from deid.elements.file_meta import part10_header
from node import dimse
from node.dimse import PduType, ProtocolError
from node.errors import Misconfigured, Transient, Unreachable
from node.scu import (
    ECHO,
    MAX_CONTEXTS,
    Lost,
    NoContext,
    NothingAccepted,
    Outgoing,
    Proposal,
    Rejected,
    open_association,
    outgoing_from_file,
)
from node.settings import ForwardSettings, Tls
from tests.integration.scripted import (
    CT,
    EXPLICIT,
    IMPLICIT,
    Conversation,
    ScriptedStore,
    destination,
    free_port,
    scripted_archive,
    storescp,
)

FAST = ForwardSettings(connect_timeout_s=2.0, dimse_timeout_s=1.0)
WANTED = [ECHO, Proposal(CT, EXPLICIT), Proposal(CT, IMPLICIT)]


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    if vr == b"OW":
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def instance(uid: str = "2.25.1", pixel_bytes: int = 1000) -> Outgoing:
    head = element(8, 0x16, b"UI", CT.encode()) + element(8, 0x18, b"UI", uid.encode())
    head += element(0x10, 0x10, b"PN", b"DEID^ALPHA")
    pixels = bytes(range(256)) * (pixel_bytes // 256 + 1)
    header = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, pixel_bytes)
    return Outgoing(CT, uid, EXPLICIT, [head, header, memoryview(pixels)[:pixel_bytes]])


@contextlib.contextmanager
def pynetdicom_scp(handler: object, max_pdu: int = 16382) -> Iterator[int]:
    """Run pynetdicom's stock SCP with a C-STORE handler."""
    entity = AE("ARCHIVE")
    entity.maximum_pdu_size = max_pdu
    entity.add_supported_context(CT, [EXPLICIT, IMPLICIT])
    entity.add_supported_context(dimse.VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handler)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


@pytest.mark.parametrize("max_pdu", ["4096", "16384", "131072"])
def test_dcmtk_receives_every_byte(tmp_path: Path, max_pdu: str) -> None:
    with storescp(tmp_path, "-pdu", max_pdu) as port:
        sent = [instance(f"2.25.{number}", size) for number, size in enumerate((2, 1000, 300_000, 3_000_000), 1)]
        with open_association(destination(port), WANTED) as association:
            assert association.echo() == 0
            assert [association.store(outgoing) for outgoing in sent] == [0, 0, 0, 0]
    received = {str(dcmread(path).SOPInstanceUID): path.read_bytes() for path in tmp_path.iterdir()}
    assert set(received) == {outgoing.sop_instance_uid for outgoing in sent}
    for outgoing in sent:
        assert received[outgoing.sop_instance_uid].endswith(b"".join(outgoing.data_set))


def test_no_thread_is_started_and_none_is_left(tmp_path: Path) -> None:
    with storescp(tmp_path) as port:
        before = threading.active_count()
        association = open_association(destination(port), WANTED)
        association.store(instance())
        assert threading.active_count() == before
        assert association.release()
        assert not association.is_alive()


@pytest.mark.parametrize("pixel_bytes", [700_000, 6_000_000])
def test_file_is_sent_whole_whether_read_or_mapped(tmp_path: Path, pixel_bytes: int) -> None:
    outgoing = instance(pixel_bytes=pixel_bytes)
    path = tmp_path / "one.dcm"
    path.write_bytes(part10_header(CT, "2.25.1", EXPLICIT) + b"".join(outgoing.data_set))
    mapped = outgoing_from_file(path)
    assert (mapped.sop_class_uid, mapped.sop_instance_uid, mapped.transfer_syntax) == (CT, "2.25.1", EXPLICIT)
    assert b"".join(mapped.data_set) == b"".join(outgoing.data_set)
    folder = tmp_path / "received"
    folder.mkdir()
    with storescp(folder) as port, open_association(destination(port), WANTED) as association:
        assert association.store(mapped) == 0
    (received,) = folder.iterdir()
    assert received.read_bytes().endswith(b"".join(outgoing.data_set))


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007, 0xA700, 0xA900, 0xC000, 0x0110, 0x0122, 0x0124])
def test_every_status_comes_back_as_it_was_answered(status: int) -> None:
    with (
        pynetdicom_scp(lambda event: status) as port,
        open_association(destination(port), WANTED, FAST) as association,
    ):
        assert association.store(instance()) == status
        assert association.store(instance()) == status


def test_pynetdicom_reads_what_was_sent() -> None:
    received = []

    def keep(event: evt.Event) -> int:
        received.append((event.request.MessageID, event.request.Priority, event.dataset.PatientName))
        return 0

    with pynetdicom_scp(keep) as port, open_association(destination(port), WANTED, FAST) as association:
        association.store(instance())
        association.store(instance())
    assert received == [(1, 0, "DEID^ALPHA"), (2, 0, "DEID^ALPHA")]


@pytest.mark.parametrize("max_pdu_bytes", [128, 4096, 0])
def test_peers_longest_pdu_is_respected(max_pdu_bytes: int) -> None:
    lengths: list[int] = []
    data: list[bytes] = []

    def script(archive: Conversation) -> None:
        archive.accept(max_pdu_bytes)
        archive.pdu_lengths.clear()
        context_id, command, data_set = archive.read_message()
        lengths.extend(archive.pdu_lengths)
        data.append(data_set)
        archive.answer(context_id, dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", 0))

    outgoing = instance(pixel_bytes=300_000)
    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        assert association.store(outgoing) == 0
        association.abort()
    assert data == [b"".join(outgoing.data_set)]
    assert max(lengths) <= (max_pdu_bytes or 1 << 20)
    assert all(length % 2 == 0 for length in lengths)


def test_peer_that_takes_almost_nothing_is_unreachable() -> None:
    with (
        scripted_archive(lambda archive: archive.accept(max_pdu_bytes=12)) as port,
        pytest.raises(Unreachable, match=r"ARCHIVE@127\.0\.0\.1"),
    ):
        open_association(destination(port), WANTED, FAST)


def abort(archive: Conversation, _: int, __: dict[int, bytes]) -> None:
    archive.sock.sendall(dimse.a_abort())


def drop(archive: Conversation, _: int, __: dict[int, bytes]) -> None:
    archive.sock.close()


def reset(archive: Conversation, _: int, __: dict[int, bytes]) -> None:
    archive.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    archive.sock.close()


def stall(archive: Conversation, _: int, __: dict[int, bytes]) -> None:
    archive.sock.recv(1)


def release(archive: Conversation, _: int, __: dict[int, bytes]) -> None:
    archive.sock.sendall(dimse.RELEASE_RQ)
    assert archive.read_pdu() == (PduType.RELEASE_RP, bytes(4))


@pytest.mark.parametrize("end", [abort, drop, reset, stall, release])
def test_association_that_ends_before_the_answer_is_lost(end: object) -> None:
    def script(archive: Conversation) -> None:
        archive.accept()
        end(archive, *archive.read_message()[:2])  # type: ignore[operator]

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        with pytest.raises(Lost, match=r"ARCHIVE@127\.0\.0\.1"):
            association.store(instance())
        assert not association.is_alive()
        with pytest.raises(Lost):
            association.store(instance())


def other_message(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.answer(context_id, dimse.c_store_rsp(dimse.us(command, 0x110) + 1, CT, "2.25.1", 0))


def other_context(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.answer(context_id + 2, dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", 0))


def other_command(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.answer(context_id, dimse.c_echo_rsp(dimse.us(command, 0x110)))


def no_status(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.answer(context_id, dimse.c_store_rq(dimse.us(command, 0x110), CT, "2.25.1"))


def garbage(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def four_gib(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.sock.sendall(b"\4\0\xff\xff\xff\xff")


def associate_again(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    archive.sock.sendall(b"\2\0\0\0\0\4\0\0\0\0")


def endless_command(archive: Conversation, context_id: int, command: dict[int, bytes]) -> None:
    for _ in range(10):
        archive.sock.sendall(dimse.pdata_header(context_id, True, False, 8000) + bytes(8000))


@pytest.mark.parametrize(
    "answer",
    [other_message, other_context, other_command, no_status, garbage, four_gib, associate_again, endless_command],
)
def test_answer_to_something_else_never_counts_and_aborts_the_association(answer: object) -> None:
    seen: list[int] = []

    def script(archive: Conversation) -> None:
        archive.accept()
        answer(archive, *archive.read_message()[:2])  # type: ignore[operator]
        seen.append(archive.read_pdu()[0])

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        with pytest.raises(ProtocolError) as raised:
            association.store(instance())
        assert isinstance(raised.value, Transient)
        assert not association.is_alive()
    assert seen in ([PduType.ABORT], [])  # a reset may overtake the A-ABORT where the peer had more to say


def test_answer_in_many_fragments_is_put_together() -> None:
    def script(archive: Conversation) -> None:
        archive.accept()
        context_id, command, _ = archive.read_message()
        response = dimse.c_store_rsp(dimse.us(command, 0x110), CT, "2.25.1", 0xB007)
        for at in range(len(response)):
            header = dimse.pdata_header(context_id, True, at == len(response) - 1, 1)
            for byte in header + response[at : at + 1]:
                archive.sock.sendall(bytes([byte]))

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        assert association.store(instance()) == 0xB007
        association.abort()


def test_peer_that_stops_reading_is_given_up_after_the_timeout() -> None:
    stopped = threading.Event()

    def script(archive: Conversation) -> None:
        archive.accept(max_pdu_bytes=0)
        stopped.wait(20)

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        began = time.monotonic()
        with pytest.raises(Lost):
            association.store(instance(pixel_bytes=30_000_000))
        assert time.monotonic() - began < 10
        stopped.set()


def test_store_is_interrupted_from_another_thread() -> None:
    def script(archive: Conversation) -> None:
        archive.accept()
        archive.read_message()
        archive.sock.recv(1)

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, ForwardSettings(dimse_timeout_s=60))
        threading.Timer(0.3, association.interrupt).start()
        began = time.monotonic()
        with pytest.raises(Lost):
            association.store(instance())
        assert time.monotonic() - began < 10


def test_only_what_was_accepted_is_sent() -> None:
    def script(archive: Conversation) -> None:
        archive.accept(accepts=lambda _, syntax: syntax == IMPLICIT)
        assert archive.read_pdu()[0] == PduType.RELEASE_RQ
        archive.sock.sendall(dimse.RELEASE_RP)

    with scripted_archive(script) as port, open_association(destination(port), WANTED, FAST) as association:
        assert association.accepted == {ECHO, Proposal(CT, IMPLICIT)}
        assert association.accepts(CT, IMPLICIT)
        assert not association.accepts(CT, EXPLICIT)
        with pytest.raises(NoContext):
            association.store(instance())


def test_transfer_syntax_that_was_not_proposed_is_not_accepted() -> None:
    def forging(archive: Conversation) -> None:
        archive.sock = _Forging(archive.sock)  # type: ignore[assignment]
        archive.accept()

    with scripted_archive(forging) as port:
        association = open_association(destination(port), [ECHO, Proposal(CT, EXPLICIT)], FAST)
        assert association.accepted == {ECHO}
        association.abort()


class _Forging:
    """Answers with Implicit VR for what was proposed in Explicit VR."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def recv(self, length: int) -> bytes:
        return self._sock.recv(length)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data.replace(EXPLICIT.encode(), b"1.2.840.10008.9.9.9"))


def test_no_context_at_all_is_its_own_error() -> None:
    with (
        scripted_archive(lambda archive: archive.accept(accepts=lambda *_: False)) as port,
        pytest.raises(NothingAccepted, match=r"ARCHIVE@127\.0\.0\.1"),
    ):
        open_association(destination(port), WANTED, FAST)


def test_rejection_says_why() -> None:
    def script(archive: Conversation) -> None:
        archive.read_pdu()
        archive.sock.sendall(b"\3\0\0\0\0\4\0\1\1\7")

    with scripted_archive(script) as port, pytest.raises(Rejected, match=r"called AE title not recognized \(1,1,7\)"):
        open_association(destination(port), WANTED, FAST)


def test_dcmtk_rejects_as_told(tmp_path: Path) -> None:
    with storescp(tmp_path, "--refuse") as port, pytest.raises(Rejected):
        open_association(destination(port), WANTED, FAST)


def silent(archive: Conversation) -> None:
    archive.sock.recv(1 << 16)
    archive.sock.recv(1)


def dripping(archive: Conversation) -> None:
    while True:
        archive.sock.sendall(b"\2")
        time.sleep(0.2)


def closing(archive: Conversation) -> None:
    archive.read_pdu()


def aborting(archive: Conversation) -> None:
    archive.read_pdu()
    archive.sock.sendall(dimse.a_abort())


def rambling(archive: Conversation) -> None:
    archive.read_pdu()
    archive.sock.sendall(b"\2\0\0\0\1\0" + bytes(256))


def huge(archive: Conversation) -> None:
    archive.read_pdu()
    archive.sock.sendall(b"\2\0\xff\xff\xff\xff")


def speaking_http(archive: Conversation) -> None:
    archive.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("script", [silent, dripping, closing, aborting, rambling, huge, speaking_http])
def test_peer_that_does_not_associate_is_unreachable_in_time(script: object) -> None:
    began = time.monotonic()
    with scripted_archive(script) as port, pytest.raises(Unreachable, match=r"ARCHIVE@127\.0\.0\.1"):  # type: ignore[arg-type]
        open_association(destination(port), WANTED, ForwardSettings(connect_timeout_s=1.0, dimse_timeout_s=1.0))
    assert time.monotonic() - began < 10


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Make a certificate of 127.0.0.1 that is its own CA."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificates to test with")
    folder = tmp_path_factory.mktemp("tls")
    own, key = folder / "own.pem", folder / "own.key"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=archive"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", own]
    subprocess.run([openssl, *request.split(), *names], check=True, capture_output=True)
    return Tls(certificate=own, private_key=key, ca=own)


def server_context(tls: Tls, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.private_key)
    context.load_verify_locations(tls.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_instances_go_over_tls_with_certificates_on_both_ends(certificate: Tls, version: ssl.TLSVersion) -> None:
    archive = ScriptedStore()
    context = server_context(certificate, version)
    sent = [instance(f"2.25.{number}", 300_000) for number in range(1, 4)]
    with scripted_archive(archive, tls=context) as port:
        association = open_association(destination(port, tls=certificate), WANTED, FAST)
        for outgoing in sent:
            assert association.store(outgoing) == 0
            assert association.is_alive()
        association.release()
    assert [data for _, data in archive.stored] == [b"".join(outgoing.data_set) for outgoing in sent]


def test_archive_with_a_certificate_of_somebody_else_is_unreachable(certificate: Tls) -> None:
    context = server_context(certificate, ssl.TLSVersion.TLSv1_3)
    wanted = Tls(certificate.certificate, certificate.private_key, ca=None)
    with scripted_archive(ScriptedStore(), tls=context) as port, pytest.raises(Unreachable, match="certificate"):
        open_association(destination(port, tls=wanted), WANTED, FAST)


def test_archive_without_tls_gets_nothing_where_tls_is_asked_for(certificate: Tls) -> None:
    archive = ScriptedStore()
    with scripted_archive(archive) as port, pytest.raises(Unreachable):
        open_association(destination(port, tls=certificate), WANTED, FAST)
    assert archive.associations == 0


def test_missing_client_certificate_is_a_misconfiguration_that_names_it(certificate: Tls, tmp_path: Path) -> None:
    missing = Tls(tmp_path / "none.pem", certificate.private_key, certificate.ca)
    with pytest.raises(Misconfigured, match=r"No such file.*none\.pem"):
        open_association(destination(free_port(), tls=missing), WANTED, FAST)


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="does not answer: Connection refused"):
        open_association(destination(free_port()), WANTED, FAST)


def test_release_asked_for_by_an_idle_archive_is_granted() -> None:
    granted = threading.Event()

    def script(archive: Conversation) -> None:
        archive.accept()
        archive.answer_store()
        archive.sock.sendall(dimse.RELEASE_RQ)
        if archive.read_pdu()[0] == PduType.RELEASE_RP:
            granted.set()

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        assert association.store(instance()) == 0
        deadline = time.monotonic() + 5
        while association.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert granted.wait(5)
        assert not association.is_alive()


def test_release_collision_ends_well() -> None:
    answered: list[int] = []

    def script(archive: Conversation) -> None:
        archive.accept()
        assert archive.read_pdu()[0] == PduType.RELEASE_RQ
        archive.sock.sendall(dimse.RELEASE_RQ)
        answered.append(archive.read_pdu()[0])
        archive.sock.sendall(dimse.RELEASE_RP)

    with scripted_archive(script) as port:
        assert open_association(destination(port), WANTED, FAST).release()
    assert answered == [PduType.RELEASE_RP]


def test_error_inside_the_with_block_aborts() -> None:
    seen: list[int] = []

    def script(archive: Conversation) -> None:
        archive.accept()
        seen.append(archive.read_pdu()[0])

    with scripted_archive(script) as port:
        with pytest.raises(ZeroDivisionError), open_association(destination(port), WANTED, FAST):
            1 / 0  # noqa: B018
        time.sleep(0.2)
    assert seen == [PduType.ABORT]


def test_message_ids_wrap_before_they_leave_their_two_bytes() -> None:
    seen: list[int] = []

    def script(archive: Conversation) -> None:
        archive.accept()
        for _ in range(3):
            command = archive.answer_store()
            seen.append(dimse.us(command, 0x110))

    with scripted_archive(script) as port:
        association = open_association(destination(port), WANTED, FAST)
        association._message_id = 0xFFFE
        for _ in range(3):
            association.store(instance())
        association.abort()
    assert seen == [0xFFFF, 1, 2]


def test_128_contexts_fit_and_one_more_does_not() -> None:
    proposals = [Proposal(f"1.2.840.10008.5.1.4.1.1.{number}", EXPLICIT) for number in range(MAX_CONTEXTS + 1)]
    with scripted_archive(lambda archive: archive.accept()) as port:
        association = open_association(destination(port), proposals[:MAX_CONTEXTS], FAST)
        assert association.accepted == set(proposals[:MAX_CONTEXTS])
        association.abort()
        with pytest.raises(ValueError, match="1 to 128 fit"):
            open_association(destination(port), proposals, FAST)

"""TLS at the front door: who gets in, and who cannot keep others waiting (PS3.15 Section B.12)."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node import dimse
from node.access.tls import acceptor_context
from node.dimse import PduType
from node.errors import Misconfigured
from node.settings import Tls
from tests import factories
from tests.integration.receiving import IMPLICIT, VERIFICATION, Running, Sender, instance, receiving, settings_for

SUCCESS = 0x0000


@dataclass(frozen=True)
class Certificates:
    """A CA, the node's certificate and a modality's, both signed by it; and one that signed itself."""

    ca: Path
    node: Tls
    modality: Tls
    stranger: Tls


def openssl(*arguments: object) -> None:
    path = shutil.which("openssl")
    if path is None:
        pytest.skip("openssl is not installed: no certificates to test with")
    subprocess.run([path, *map(str, arguments)], check=True, capture_output=True, timeout=30)


def certificate(folder: Path, name: str, *signed_by: object) -> Tls:
    tls = Tls(folder / f"{name}.pem", folder / f"{name}.key")
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
        *("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-out", tls.certificate),
        *("-keyout", tls.private_key, *signed_by),
    )
    return tls


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca = certificate(folder, "ca")
    signed = ("-CA", ca.certificate, "-CAkey", ca.private_key, "-addext", "basicConstraints=critical,CA:FALSE")
    return Certificates(
        ca.certificate,
        certificate(folder, "node", *signed),
        certificate(folder, "modality", *signed),
        certificate(folder, "stranger"),
    )


def client(certificates: Certificates, own: Tls | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.ca))
    if own:
        context.load_cert_chain(own.certificate, own.private_key)
    return context


@pytest.fixture
def node(tmp_path: Path, certificates: Certificates) -> Iterator[Running]:
    with receiving(settings_for(tmp_path, tls=certificates.node)) as running:
        yield running


@pytest.fixture
def strict_node(tmp_path: Path, certificates: Certificates) -> Iterator[Running]:
    tls = Tls(certificates.node.certificate, certificates.node.private_key, certificates.ca)
    with receiving(settings_for(tmp_path, tls=tls)) as running:
        yield running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_instances_are_received_over_tls(node: Running, certificates: Certificates, version: ssl.TLSVersion) -> None:
    context = client(certificates)
    context.minimum_version = context.maximum_version = version
    with Sender(node.port, context) as sender:
        sender.associate()
        data = instance(pixel_bytes=1_000_000)
        assert sender.store(data) == SUCCESS
        sender.release()
    (job,) = node.ledger.pending(10)
    assert node.spool.incoming_path(job.job_id).read_bytes().endswith(data)


def test_dcmtk_stores_over_tls_with_its_certificate(
    strict_node: Running, certificates: Certificates, tmp_path: Path
) -> None:
    path = shutil.which("storescu")
    if path is None:
        pytest.skip("DCMTK's storescu is not installed")
    source = tmp_path / "ct.dcm"
    factories.ct().save_as(source)
    own = certificates.modality
    keys = ("+tls", str(own.private_key), str(own.certificate), "+cf", str(certificates.ca))
    command = [path, *keys, "-aec", "DEIDNODE", "localhost", str(strict_node.port), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    assert len(strict_node.files()) == 1


def assert_served_within_a_second(node: Running, context: ssl.SSLContext) -> None:
    started = time.monotonic()
    with Sender(node.port, context) as sender:
        sender.associate((VERIFICATION, [IMPLICIT]))
        assert sender.echo() == SUCCESS
    assert time.monotonic() - started < 1.0


def test_silent_tls_peers_keep_nobody_waiting(node: Running, certificates: Certificates) -> None:
    silent = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(30)]
    try:
        assert_served_within_a_second(node, client(certificates))
    finally:
        for sock in silent:
            sock.close()


def test_a_peer_that_shakes_hands_and_falls_silent_is_closed_at_the_deadline(
    tmp_path: Path, certificates: Certificates
) -> None:
    settings = settings_for(tmp_path, tls=certificates.node, associate_deadline_s=0.5)
    with receiving(settings) as node, Sender(node.port, client(certificates)) as sender:
        started = time.monotonic()
        with contextlib.suppress(ssl.SSLError):
            assert sender.is_closed_by_peer()
        assert time.monotonic() - started < 2.0


def test_a_data_set_at_one_byte_a_time_is_cut_at_its_deadline_over_tls_too(
    tmp_path: Path, certificates: Certificates
) -> None:
    settings = settings_for(tmp_path, tls=certificates.node, pdu_deadline_s=0.5)
    with receiving(settings) as node, Sender(node.port, client(certificates)) as sender:
        sender.associate()
        sender.send(dimse.pdata_header(1, is_command=True, is_last=True, length=4000))
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 5:
                sender.send(b"\0")
                time.sleep(0.05)
        assert time.monotonic() - started < 3.0


def test_an_association_over_tls_that_falls_silent_is_aborted(tmp_path: Path, certificates: Certificates) -> None:
    settings = settings_for(tmp_path, tls=certificates.node, idle_deadline_s=0.5)
    with receiving(settings) as node, Sender(node.port, client(certificates)) as sender:
        sender.associate()
        assert sender.read_pdu()[0] == PduType.ABORT


def test_a_stop_ends_idle_associations_over_tls_at_once(tmp_path: Path, certificates: Certificates) -> None:
    settings = settings_for(tmp_path, tls=certificates.node, idle_deadline_s=60.0)
    with receiving(settings) as node, Sender(node.port, client(certificates)) as sender:
        sender.associate()
        started = time.monotonic()
        node.stop()
        assert time.monotonic() - started < 2.0
        with contextlib.suppress(OSError):
            assert sender.read_pdu()[0] == PduType.ABORT


def test_a_peer_that_speaks_no_tls_gets_nothing(node: Running, certificates: Certificates) -> None:
    with Sender(node.port) as sender, pytest.raises((ConnectionError, AssertionError, dimse.ProtocolError)):
        sender.associate()
    assert_served_within_a_second(node, client(certificates))


def test_only_a_certificate_of_the_ca_gets_in_where_one_is_asked_for(
    strict_node: Running, certificates: Certificates
) -> None:
    assert_served_within_a_second(strict_node, client(certificates, certificates.modality))
    for own in (None, certificates.stranger):
        with pytest.raises(OSError), Sender(strict_node.port, client(certificates, own)) as sender:
            sender.associate()


def test_tls_1_1_does_not_get_in(node: Running, certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError):
        Sender(node.port, context)


def test_files_that_are_no_pair_are_a_misconfiguration(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="tls"):
        acceptor_context(Tls(certificates.node.certificate, certificates.modality.private_key))
    with pytest.raises(Misconfigured, match="tls"):
        acceptor_context(Tls(tmp_path / "missing.pem", certificates.node.private_key))

"""Who gets in by what it shows, what it is told if it doesn't, and that files can change under a running node."""

from __future__ import annotations

import os
import shutil
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from node import dimse
from node.access.user_identity import hashed
from node.dimse import PduType
from node.errors import Unreachable
from node.scu import ECHO, open_association
from node.settings import Destination, ForwardSettings, Peer, Settings, Tls
from tests import factories
from tests.certificates import Pair, authority, issued
from tests.integration.receiving import (
    CT,
    EXPLICIT,
    Running,
    Sender,
    associate_rq,
    instance,
    receiving,
    settings_for,
)

SUCCESS, NO_ROOM = 0x0000, 0xA700
CALLING_AE, CALLED_AE, USER, LOCAL_LIMIT, CONGESTION = (1, 1, 3), (1, 1, 7), (1, 2, 1), (2, 3, 2), (2, 3, 1)


@dataclass(frozen=True)
class Hospital:
    """A CA, the node, and two modalities."""

    ca: Pair
    node: Pair
    ct1: Pair
    ct2: Pair

    def context(self, own: Pair) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca.files.certificate))
        context.load_cert_chain(own.files.certificate, own.files.private_key)
        return context

    @property
    def tls(self) -> Tls:
        return replace(self.node.files, ca=self.ca.files.certificate)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    folder = tmp_path_factory.mktemp("pki")
    ca = authority(folder)
    return Hospital(
        ca,
        issued(folder, "node", ca, ("localhost", "127.0.0.1")),
        issued(folder, "ct1", ca, ("ct1.example.org",)),
        issued(folder, "ct2", ca, ("ct2.example.org",)),
    )


def answer(sender: Sender, request: bytes) -> tuple[int, ...]:
    """Return result, source and reason of the A-ASSOCIATE-RJ; nothing for an acceptance."""
    sender.send(request)
    kind, body = sender.read_pdu()
    assert kind in (PduType.ASSOCIATE_AC, PduType.ASSOCIATE_RJ)
    return tuple(body[1:]) if kind == PduType.ASSOCIATE_RJ else ()


def request(calling: str = "CT1", called: str = "DEIDNODE", user: bytes = b"") -> bytes:
    return associate_rq([(CT, [EXPLICIT])], calling, called, user_items=user)


def user_item(kind: int, name: bytes, secret: bytes = b"", response: int = 0) -> bytes:
    value = struct.pack(">BBH", kind, response, len(name)) + name + struct.pack(">H", len(secret)) + secret
    return struct.pack(">BBH", 0x58, 0, len(value)) + value


def ask(node: Running, pdu: bytes, context: ssl.SSLContext | None = None) -> tuple[int, ...]:
    with Sender(node.port, context) as sender:
        return answer(sender, pdu)


# -- certificates


@pytest.mark.parametrize(
    "by", [lambda pair: pair.fingerprint, lambda pair: f"{pair.files.certificate.stem}.example.org"]
)
def test_a_certificate_is_bound_to_its_title_and_address(
    hospital: Hospital, tmp_path: Path, by: Callable[[Pair], str]
) -> None:
    peers = [
        Peer("CT1", "127.0.0.1", certificate=by(hospital.ct1)),
        Peer("CT2", "127.0.0.1", certificate=by(hospital.ct2)),
        Peer("CT3", "127.0.0.9", certificate=by(hospital.ct1)),
    ]
    with receiving(settings_for(tmp_path, peers, tls=hospital.tls)) as node:
        one, two = hospital.context(hospital.ct1), hospital.context(hospital.ct2)
        assert ask(node, request("CT1"), one) == ()
        assert ask(node, request("CT2"), two) == ()
        for calling, context in (("CT1", two), ("CT2", one), ("CT3", one), ("CT4", one)):
            assert ask(node, request(calling), context) == CALLING_AE
        assert ask(node, request("CT1", called="NOBODY"), one) == CALLED_AE
        assert node.files() == []


def replace_files(new: Pair, at: Tls) -> None:
    """Put a pair in the place of another, as certificate tools do: by renaming."""
    for source, target in ((new.files.certificate, at.certificate), (new.files.private_key, at.private_key)):
        part = target.with_suffix(".part")
        shutil.copy(source, part)
        part.replace(target)


def shown_by(node: Running, hospital: Hospital) -> str:
    with Sender(node.port, hospital.context(hospital.ct1)) as sender:
        assert answer(sender, request("CT1")) == ()
        assert isinstance(sender.sock, ssl.SSLSocket)
        return ssl.DER_cert_to_PEM_cert(sender.sock.getpeercert(binary_form=True) or b"")


def test_new_certificates_count_at_the_next_handshake_and_broken_ones_not_at_all(
    hospital: Hospital, tmp_path: Path
) -> None:
    used = Tls(tmp_path / "node.pem", tmp_path / "node.key", hospital.ca.files.certificate)
    replace_files(hospital.node, used)
    renewed = issued(tmp_path, "renewed", hospital.ca, ("localhost",))
    old, new = (pair.files.certificate.read_text() for pair in (hospital.node, renewed))
    settings = settings_for(tmp_path, [Peer("CT1", "127.0.0.1")], tls=used)
    with receiving(settings) as node, Sender(node.port, hospital.context(hospital.ct1)) as open_before:
        assert answer(open_before, request("CT1")) == ()
        assert shown_by(node, hospital) == old
        used.certificate.write_text("broken")
        assert shown_by(node, hospital) == old
        shutil.copy(renewed.files.certificate, used.certificate)  # without its key: no pair yet
        assert shown_by(node, hospital) == old
        replace_files(renewed, used)
        assert shown_by(node, hospital) == new
        assert open_before.store(instance()) == SUCCESS  # nobody was thrown out


def test_a_ca_that_is_taken_away_lets_its_certificates_in_no_more(hospital: Hospital, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    shutil.copy(hospital.ca.files.certificate, ca)
    settings = settings_for(tmp_path, [Peer("CT1", "127.0.0.1")], tls=replace(hospital.node.files, ca=ca))
    with receiving(settings) as node:
        context = hospital.context(hospital.ct1)
        with Sender(node.port, context) as sender:
            assert answer(sender, request("CT1")) == ()
            session = sender.sock.session if isinstance(sender.sock, ssl.SSLSocket) else None
        assert session is None or not session.has_ticket  # nothing to come back with
        shutil.copy(authority(tmp_path, "other").files.certificate, ca)
        with pytest.raises(OSError):
            ask(node, request("CT1"), context)


# -- users


@contextmanager
def guarded(folder: Path) -> Iterator[tuple[Running, Path]]:
    """Run a node where CT1 has to name a user."""
    path = folder / "passcodes"
    path.write_text(f"ct1:{hashed(b'open')}\nnurse:{hashed(b'other')}\ndoor:\n")
    path.chmod(0o600)
    peers = [Peer("CT1", "127.0.0.1", users=("ct1", "door")), Peer("CT2", "127.0.0.1")]
    with receiving(settings_for(folder, peers, passcodes_file=path)) as node:
        yield node, path


def test_a_user_is_checked_where_a_peer_has_to_name_one(tmp_path: Path) -> None:
    with guarded(tmp_path) as (node, path):
        assert ask(node, request("CT1", user=user_item(2, b"ct1", b"open"))) == ()
        assert ask(node, request("CT1", user=user_item(1, b"door"))) == ()
        for item in (
            b"",
            user_item(1, b"ct1"),
            user_item(2, b"ct1", b"shut"),
            user_item(2, b"nurse", b"other"),
            user_item(3, b"ct1", b"open"),
        ):
            assert ask(node, request("CT1", user=item)) == USER
        assert ask(node, request("CT1", called="NOBODY", user=user_item(2, b"ct1", b"open"))) == CALLED_AE
        assert ask(node, request("CT2")) == ()
        assert ask(node, request("CT2", user=user_item(2, b"who", b"cares"))) == ()
        path.write_text("ct1:\ndoor:\nnurse:\n")
        assert ask(node, request("CT1", user=user_item(1, b"ct1"))) == ()


@pytest.mark.parametrize("item", [user_item(1, b"door", response=1), user_item(2, b"ct1", b"open", response=1)])
def test_an_accepted_user_is_confirmed_if_that_was_asked_for(tmp_path: Path, item: bytes) -> None:
    with guarded(tmp_path) as (node, _):
        for user, calling, is_confirmed in (
            (item, "CT1", True),
            (item[:5] + b"\0" + item[6:], "CT1", False),
            (item, "CT2", False),  # nobody asked who that is: nothing is confirmed
        ):
            with Sender(node.port) as sender:
                sender.send(request(calling, user=user))
                kind, body = sender.read_pdu()
                assert kind == PduType.ASSOCIATE_AC
                assert (b"\x59\0\0\2\0\0" in body) == is_confirmed


def test_two_users_or_a_broken_one_are_answered_with_an_abort(tmp_path: Path) -> None:
    with guarded(tmp_path) as (node, _):
        for item in (user_item(1, b"door") * 2, b"\x58\0\0\3\1\0\xff"):
            with Sender(node.port) as sender:
                sender.send(request("CT1", user=item))
                assert sender.read_pdu()[0] == PduType.ABORT


def test_dcmtk_names_its_user(tmp_path: Path) -> None:
    path = shutil.which("storescu")
    if path is None:
        pytest.skip("DCMTK's storescu is not installed")
    source = tmp_path / "ct.dcm"
    factories.ct().save_as(source)
    with guarded(tmp_path) as (node, _):
        for secret, is_in in (("open", True), ("shut", False)):
            user = ("-usr", "ct1", "-pwd", secret, "-rsp")
            command = [path, "-aet", "CT1", "-aec", "DEIDNODE", *user, "127.0.0.1", str(node.port), str(source)]
            done = subprocess.run(command, capture_output=True, timeout=30, check=False)
            assert (done.returncode == 0) == is_in, done.stderr
        assert len(node.files()) == 1


# -- limits


def test_each_peer_has_its_own_limit_of_associations(tmp_path: Path) -> None:
    peers = [Peer("CT1", "127.0.0.1", max_associations=1), Peer("CT2", "127.0.0.1")]
    with receiving(settings_for(tmp_path, peers)) as node:
        with Sender(node.port) as first:
            assert answer(first, request("CT1")) == ()
            assert ask(node, request("CT1")) == LOCAL_LIMIT
            assert ask(node, request("CT2")) == ()
            first.release()
        for _ in range(3):
            with Sender(node.port) as again:
                assert answer(again, request("CT1")) == ()
                again.send(dimse.a_abort())
                assert again.is_closed_by_peer()


@pytest.mark.parametrize("limit", ["max_instances_per_minute", "max_bytes_per_minute"])
def test_a_peer_that_sends_too_much_is_told_to_come_again_and_others_are_not(tmp_path: Path, limit: str) -> None:
    most = {"max_instances_per_minute": 3, "max_bytes_per_minute": 1000}[limit]
    peers = [Peer("CT1", "127.0.0.1", **{limit: most}), Peer("CT2", "127.0.0.1")]
    with receiving(settings_for(tmp_path, peers)) as node:
        with Sender(node.port) as sender:
            assert answer(sender, request("CT1")) == ()
            statuses = [sender.store(instance(instance_uid=f"1.2.{n}"), instance_uid=f"1.2.{n}") for n in range(5)]
        kept = 3 if limit == "max_instances_per_minute" else 1
        assert statuses == [SUCCESS] * kept + [NO_ROOM] * (5 - kept)
        assert len(node.files()) == kept
        assert ask(node, request("CT1")) == CONGESTION
        with Sender(node.port) as other:
            assert answer(other, request("CT2")) == ()
            assert other.store(instance()) == SUCCESS


# -- destinations


@pytest.fixture
def archive(hospital: Hospital, tmp_path: Path) -> Iterator[Running]:
    """A node in the part of an archive."""
    with receiving(settings_for(tmp_path, [Peer("*", "127.0.0.1")], tls=hospital.tls)) as running:
        yield running


def echo(port: int, tls: Tls, host: str = "127.0.0.1") -> int:
    destination = Destination("archive", "DEIDNODE", host, port, tls=tls)
    patience = ForwardSettings(connect_timeout_s=5.0, dimse_timeout_s=5.0)
    with open_association(destination, [ECHO], patience) as association:
        return association.echo()


def test_an_archive_is_known_by_its_host_by_another_name_or_by_its_fingerprint(
    hospital: Hospital, archive: Running, tmp_path: Path
) -> None:
    own = replace(hospital.ct1.files, ca=hospital.ca.files.certificate)
    assert echo(archive.port, own) == 0
    for right in ("localhost", hospital.node.fingerprint):
        assert echo(archive.port, replace(own, server_certificate=right)) == 0
    for wrong in ("pacs.example.org", "127.0.0.2", hospital.ct1.fingerprint):
        with pytest.raises(Unreachable, match="certificate"):
            echo(archive.port, replace(own, server_certificate=wrong))
    other = authority(tmp_path, "other").files.certificate
    for name in (None, hospital.node.fingerprint):
        with pytest.raises(Unreachable, match="certificate"):
            echo(archive.port, replace(own, ca=other, server_certificate=name))
    assert archive.files() == []


def test_an_archive_whose_name_is_not_its_host_is_known_by_its_fingerprint(hospital: Hospital, tmp_path: Path) -> None:
    named = issued(tmp_path, "named", hospital.ca, ("pacs.example.org",))
    own = replace(hospital.ct1.files, ca=hospital.ca.files.certificate)
    with receiving(settings_for(tmp_path, tls=replace(named.files, ca=hospital.ca.files.certificate))) as node:
        with pytest.raises(Unreachable, match="certificate"):
            echo(node.port, own)
        for right in ("pacs.example.org", named.fingerprint):
            assert echo(node.port, replace(own, server_certificate=right)) == 0


def test_a_destination_goes_on_with_the_files_it_had_when_new_ones_are_broken(
    hospital: Hospital, archive: Running, tmp_path: Path
) -> None:
    own = Tls(tmp_path / "own.pem", tmp_path / "own.key", hospital.ca.files.certificate)
    replace_files(hospital.ct1, own)
    assert echo(archive.port, own) == 0
    own.private_key.write_text("broken")
    assert echo(archive.port, own) == 0
    stranger = issued(tmp_path, "stranger", None)
    replace_files(stranger, own)
    with pytest.raises(Unreachable):
        echo(archive.port, own)
    replace_files(hospital.ct2, own)
    assert echo(archive.port, own) == 0


def test_a_key_that_is_encrypted_is_told_and_asked_for_nowhere(hospital: Hospital, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    from node.access.tls import acceptor_context
    from node.errors import Misconfigured

    key = tmp_path / "encrypted.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(
        hospital.node.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    with pytest.raises(Misconfigured, match="tls"):
        acceptor_context(Tls(hospital.node.files.certificate, key))


def test_settings_with_all_of_it_are_read(hospital: Hospital, tmp_path: Path) -> None:
    from node.settings import load_settings

    (tmp_path / "tls").mkdir()
    for pair, name in ((hospital.node, "node"), (hospital.ca, "hospital-ca")):
        shutil.copy(pair.files.certificate, tmp_path / "tls" / f"{name}.pem")
        shutil.copy(pair.files.private_key, tmp_path / "tls" / f"{name}.key")
    config = tmp_path / "node.toml"
    config.write_text(
        'receive.passcodes_file = "passcodes"\n[receive.tls]\ncertificate = "tls/node.pem"\n'
        'private_key = "tls/node.key"\nca = "tls/hospital-ca.pem"\nprofile = "bcp195-modified"\n'
        'minimum_version = "1.3"\n[[peers]]\nae_title = "CT1"\naddress = "10.1.2.3"\n'
        'certificate = "ct1.example.org"\nusers = ["ct1"]\nmax_associations = 4\nmax_bytes_per_minute = 1000000000\n'
    )
    settings: Settings = load_settings(config)
    assert settings.receive.tls is not None
    assert settings.receive.tls.minimum_version == "1.3"
    (peer,) = settings.peers
    assert (peer.certificate, peer.users, peer.max_associations) == ("ct1.example.org", ("ct1",), 4)
    assert os.fspath(settings.receive.passcodes_file or "") == str(tmp_path / "passcodes")

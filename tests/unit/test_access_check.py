"""What `deid-node check` says of certificates, keys and passcodes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.access.check import access_checks
from node.access.user_identity import hashed
from node.settings import Destination, Peer, Settings, Tls
from tests.certificates import Pair, authority, issued


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return issued(tmp_path, "node", authority(tmp_path), ("node.example.org",))


def settings_with(receive: Tls | None = None, forward: Tls | None = None, passcodes: Path | None = None) -> Settings:
    plain = Settings()
    return replace(
        plain,
        receive=replace(plain.receive, tls=receive, passcodes_file=passcodes),
        peers=(Peer("CT1", "10.1.2.3", users=("ct1",)),) if passcodes else plain.peers,
        destinations={"archive": Destination("archive", "A", "h", 104, tls=forward)},
    )


def troubles(settings: Settings, now: datetime | None = None) -> list[tuple[str, str]]:
    return list(access_checks(settings, now or datetime.now(UTC)))


def test_without_tls_there_is_nothing_to_try() -> None:
    assert troubles(settings_with()) == []


def test_a_valid_certificate_is_said_with_its_last_day(pair: Pair) -> None:
    until = pair.certificate.not_valid_after_utc
    found = troubles(settings_with(pair.files, pair.files))
    what = f"certificate valid until {until:%Y-%m-%d}"
    assert found == [(f"receive.tls: {what}", ""), (f"destinations.archive.tls: {what}", "")]


def test_an_expired_certificate_is_trouble(pair: Pair) -> None:
    ((_, trouble),) = troubles(settings_with(pair.files), datetime.now(UTC) + timedelta(days=2))
    assert "expired" in trouble


def test_files_that_are_no_pair_are_trouble(pair: Pair, tmp_path: Path) -> None:
    other = issued(tmp_path, "other", None)
    ((what, trouble),) = troubles(settings_with(replace(pair.files, private_key=other.files.private_key)))
    assert what == "receive.tls"
    assert trouble


def test_a_key_that_others_may_read_is_trouble(pair: Pair) -> None:
    pair.files.private_key.chmod(0o644)
    ((_, trouble),) = troubles(settings_with(pair.files))
    assert "chmod" in trouble


def test_passcodes_are_tried(tmp_path: Path) -> None:
    path = tmp_path / "passcodes"
    ((_, trouble),) = troubles(settings_with(passcodes=path))
    assert "deid-node passcode" in trouble
    path.write_text(f"ct1:{hashed(b'open')}\n")
    path.chmod(0o600)
    assert troubles(settings_with(passcodes=path)) == [(f"passcodes {path}", "")]


def test_a_credential_of_another_unit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    given = Path("$CREDENTIALS_DIRECTORY")
    assert troubles(settings_with(Tls(given / "node.pem", given / "node.key"))) == []

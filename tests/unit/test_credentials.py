"""A path `$CREDENTIALS_DIRECTORY/NAME` in the configuration is what the service manager gave to this role."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import Misconfigured
from node.key import create_key, load_key
from node.settings import load_settings

CONFIG = """key_file = "$CREDENTIALS_DIRECTORY/key"
[receive.tls]
certificate = "$CREDENTIALS_DIRECTORY/node.pem"
private_key = "$CREDENTIALS_DIRECTORY/node.key"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "node.toml").write_text(CONFIG)
    return tmp_path / "node.toml"


def test_a_credential_is_found_in_its_folder(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    create_key(tmp_path / "given" / "key")
    settings = load_settings(config)
    assert settings.key_file == tmp_path / "given" / "key"
    assert len(load_key(settings.key_file)) == 32
    assert settings.receive.tls is not None
    assert settings.receive.tls.certificate == tmp_path / "given" / "node.pem"


def test_a_role_that_was_given_no_credentials_reads_the_same_configuration(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    settings = load_settings(config)
    with pytest.raises(Misconfigured, match=r"\$CREDENTIALS_DIRECTORY/key"):
        load_key(settings.key_file)


def test_a_certificate_that_is_no_credential_has_to_be_there(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    config.write_text(CONFIG.replace("$CREDENTIALS_DIRECTORY/node.pem", "node.pem"))
    with pytest.raises(Misconfigured, match="no such file"):
        load_settings(config)

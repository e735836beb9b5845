"""What `deid-node check` tries of TLS and passcodes."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509

from node.access.tls import acceptor_context, requestor_context
from node.access.user_identity import open_passcodes
from node.credentials import credentials_folder, is_credential
from node.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from node.setting_types import Tls
    from node.settings import Settings

_OTHERS = stat.S_IRWXO


def access_checks(settings: Settings, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what was tried, and what is wrong with it (empty: nothing).

    What is a credential of a unit, and not given to this process, is not tried.
    """
    receive = settings.receive
    if receive.tls and _is_here(receive.tls):
        yield from _check_tls("receive.tls", receive.tls, acceptor_context, now)
    for name, destination in settings.destinations.items():
        tls = getattr(destination, "tls", None)
        if tls and _is_here(tls):
            yield from _check_tls(f"destinations.{name}.tls", tls, requestor_context, now)
    path = receive.passcodes_file
    if path and (credentials_folder() or not is_credential(path)):
        trouble = ""
        try:
            open_passcodes(path, settings.peers)
        except Misconfigured as error:
            trouble = str(error)
        yield f"passcodes {path}", trouble


def _is_here(tls: Tls) -> bool:
    files = (tls.certificate, tls.private_key, tls.ca)
    return credentials_folder() is not None or not any(file and is_credential(file) for file in files)


def _check_tls(what: str, tls: Tls, make: Callable[[Tls], object], now: datetime) -> Iterator[tuple[str, str]]:
    try:
        make(tls)
        until = _valid_until(tls.certificate)
    except Misconfigured as error:
        yield what, str(error)
        return
    trouble = f"the certificate has expired on {until:%Y-%m-%d}" if until <= now else _key_trouble(tls.private_key)
    yield f"{what}: certificate valid until {until:%Y-%m-%d}", trouble


def _valid_until(certificate: Path) -> datetime:
    """Return the end of the first certificate of a file, which is the one that is shown."""
    try:
        return x509.load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc.astimezone(UTC)
    except (OSError, ValueError):
        raise Misconfigured(f"{certificate}: holds no certificate") from None


def _key_trouble(key: Path) -> str:
    return f"others may read {key}; run `chmod o= {key}`" if key.stat().st_mode & _OTHERS else ""

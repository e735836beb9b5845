"""Certificates for an archive and its node, right ones and wrong ones."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from node.settings import Tls


@dataclass(frozen=True, slots=True)
class Certificates:
    """What both ends of a TLS connection need.

    Attributes
    ----------
    node
        with the CA that the archive's certificate is of
    right
        the archive's context
    wrong
        contexts under which no connection may come about; None: no TLS at all
    """

    node: Tls
    right: ssl.SSLContext
    wrong: dict[str, ssl.SSLContext | None]


def certificates(folder: Path) -> Certificates | None:
    """Make them by openssl; None where that is missing."""
    if shutil.which("openssl") is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    archive, node, stranger = (_own(folder, name, "IP:127.0.0.1") for name in ("archive", "node", "stranger"))
    elsewhere = _own(folder, "elsewhere", "DNS:archive.elsewhere.example")
    trusted = folder / "ca.pem"  # both are trusted: only the name is wrong
    trusted.write_bytes(archive.certificate.read_bytes() + elsewhere.certificate.read_bytes())
    wrong = {
        "certificate of a stranger": _context(stranger, node.certificate),
        "certificate of another host": _context(elsewhere, node.certificate),
        "archive demands another's certificate": _context(archive, stranger.certificate),
        "no TLS at all": None,
    }
    return Certificates(Tls(node.certificate, node.private_key, trusted), _context(archive, node.certificate), wrong)


def _own(folder: Path, name: str, subject: str) -> Tls:
    """Make a certificate that is its own CA."""
    tls = Tls(folder / f"{name}.pem", folder / f"{name}.key")
    request = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
    names = ["-addext", f"subjectAltName={subject}", "-keyout", tls.private_key, "-out", tls.certificate]
    subprocess.run([*request.split(), *map(str, names)], check=True, capture_output=True, timeout=30)
    return tls


def _context(own: Tls, trusted: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.private_key)
    context.load_verify_locations(trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    return context

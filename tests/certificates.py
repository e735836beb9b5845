"""Certificates for tests: a CA and what it signs, made here and now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node.setting_types import Tls

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    """A certificate with its key, in memory and as files."""

    certificate: x509.Certificate
    key: Key
    files: Tls

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def authority(folder: Path, name: str = "ca") -> Pair:
    """Make a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key.public_key(), 1.0).issuer_name(_name(name))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _kept(folder, name, builder.sign(key, hashes.SHA256()), key)


def issued(
    folder: Path,
    name: str,
    by: Pair | None,
    names: tuple[str, ...] = (),
    kind: Literal["ec", "rsa"] = "ec",
    days: float = 1.0,
) -> Pair:
    """Make a certificate; without a CA it signs itself.

    Parameters
    ----------
    names
        alternative names; what is an address becomes one
    days
        for which it is still valid; negative: since when it no longer is
    """
    key: Key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    builder = _builder(name, key.public_key(), days)
    builder = builder.issuer_name(by.certificate.subject if by else _name(name))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName([_alternative(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    return _kept(folder, name, builder.sign(by.key if by else key, hashes.SHA256()), key)


def _builder(name: str, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, days: float) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(name)).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _kept(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> Pair:
    files = Tls(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files.private_key.chmod(0o600)
    return Pair(certificate, key, files)

"""A peer's certificate, as far as it says who the peer is: its fingerprint and its subject alternative names."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, TypeAlias

from node.schema import Text

_HEX = "[0-9A-Fa-f]{2}"
_FINGERPRINT = rf"(?:sha256:)?(?:{_HEX}(?::{_HEX}){{31}}|(?:{_HEX}){{32}})"
# What has nine pairs of digits is meant as a fingerprint, of another length or another hash: it would fit nobody.
_NAME = rf"(?!(?:{_HEX}:){{9}})(?!sha\d*:)[!-~]{{1,253}}"

CertificateText: TypeAlias = Annotated[
    str,
    Text(
        rf"{_FINGERPRINT}|{_NAME}",
        "a SHA-256 fingerprint (64 hexadecimal digits, with or without colons), or a name as the certificate's "
        "subject alternative names have it",
    ),
]
"""Which certificate a peer has to have: one alone, by its fingerprint, or any of the CA's that has this name."""


def fingerprint_in(text: str) -> str | None:
    """Return the SHA-256 fingerprint that a `CertificateText` is, as 64 lower-case digits; None if it is a name."""
    if re.fullmatch(_FINGERPRINT, text) is None:
        return None
    return text.lower().removeprefix("sha256:").replace(":", "")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate that has been verified says of its owner.

    Attributes
    ----------
    fingerprint
        SHA-256 of its DER encoding, in lower-case hexadecimal digits
    names
        the subject alternative names (RFC 5280 Section 4.2.1.6), whatever their kind, as `_plain` writes them
    """

    fingerprint: str
    names: frozenset[str] = frozenset()

    @classmethod
    def of_peer(cls, sock: ssl.SSLSocket) -> Certificate | None:
        """Return the certificate that the peer has shown in its handshake; None if it has shown none."""
        encoded = sock.getpeercert(binary_form=True)
        if not encoded:
            return None
        said: dict[str, Any] = dict(sock.getpeercert() or {})
        names = frozenset(_plain(value) for _, value in said.get("subjectAltName", ()))
        return cls(hashlib.sha256(encoded).hexdigest(), names)

    def is_what(self, wanted: str) -> bool:
        """Say whether this is the certificate, or one of those, that a `CertificateText` asks for.

        Names have to be equal: a wildcard in a certificate is a name like any other. The common name doesn't count.
        """
        fingerprint = fingerprint_in(wanted)
        return self.fingerprint == fingerprint if fingerprint else _plain(wanted) in self.names


def _plain(name: str) -> str:
    """Return an address in its shortest form, another name in lower case."""
    try:
        return str(ip_address(name.strip()))
    except ValueError:
        return name.strip().lower()

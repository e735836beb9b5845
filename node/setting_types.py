"""Types of values in the configuration that several of its tables have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from node.access.certificate import CertificateText
from node.access.profiles import TlsProfile
from node.schema import Between, Text

# PS3.5 Table 6.2-1, AE: no backslash, no control characters, not only spaces; leading and trailing ones don't count
AeTitle: TypeAlias = Annotated[
    str, Text(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?", "an AE title: 1 to 16 characters of ASCII, no backslash")
]
Host: TypeAlias = Annotated[str, Text(r"[^\s/]{1,253}", "a host name or an address")]
Port: TypeAlias = Annotated[int, Between(1, 65_535)]
Seconds: TypeAlias = Annotated[float, Between(0.001, 86_400.0)]
Days: TypeAlias = Annotated[float, Between(0.0, 36_500.0)]
Count: TypeAlias = Annotated[int, Between(1, 10_000)]
NameText: TypeAlias = Annotated[str, Text(r"[A-Za-z0-9_.-]{1,64}", "a name of letters, digits, '_', '-' and '.'")]


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files, and how TLS is spoken.

    Attributes
    ----------
    ca
        as a server: makes a client certificate of it compulsory; as a client: in place of the system's CAs
    profile
        of PS3.15 Annex B: which suites are used
    minimum_version
        of TLS
    server_certificate
        as a client: what the other end's certificate has to be; None: one for the name of the host
    """

    certificate: Path
    private_key: Path
    ca: Path | None = None
    profile: TlsProfile = TlsProfile.BCP195
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    server_certificate: CertificateText | None = None

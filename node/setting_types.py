"""Types of values in the configuration that several of its tables have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

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


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. As a server `ca` makes a client certificate compulsory; as a client it replaces the system's CAs."""

    certificate: Path
    private_key: Path
    ca: Path | None = None

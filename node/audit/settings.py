"""The audit trail in the configuration: ``[audit]``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from node.schema import Text
from node.setting_types import Host, Port, Seconds


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """An audit record repository, which takes syslog over TLS (RFC 5425).

    Attributes
    ----------
    host
        must be what its certificate says
    ca
        PEM file of whom its certificate is from; None: the system's
    certificate, private_key
        PEM files of the node's own, if the repository asks for one
    timeout_s
        in which it must take what is sent
    """

    host: Host
    port: Port = 6514
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    timeout_s: Seconds = 30.0


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What the audit messages say of this node, and who gets them.

    Attributes
    ----------
    site
        AuditEnterpriseSiteID; empty: none
    repository
        None: they stay in the spool
    """

    site: Annotated[str, Text(r"[ -~]{0,64}", "up to 64 characters of ASCII")] = ""
    repository: RepositorySettings | None = field(default=None)

"""``[[peers]]`` of the configuration, and what has to go together with it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Annotated, TypeAlias

from node.access.certificate import CertificateText
from node.commitment.settings import ReportTo
from node.schema import Between, Text
from node.setting_types import AeTitle

if TYPE_CHECKING:
    from pathlib import Path

    from node.schema import Where
    from node.setting_types import Tls

UserName: TypeAlias = Annotated[
    str, Text(r"[^\s:#][^\s:]{0,63}", "a user name: up to 64 characters, no space, no colon")
]
Limit: TypeAlias = Annotated[int, Between(0, 1 << 50)]


@dataclass(frozen=True, slots=True)
class Peer:
    """Who may send: an AE title (``*`` = any) from an address or network (CIDR), with what it has to show.

    Attributes
    ----------
    commitment
        where reports of storage commitment go; None: they are given on the association that asked, or not at all
    certificate
        what the TLS certificate has to be; None: any that the CA vouches for
    users
        one of them has to be named in the User Identity, with its passcode; empty: nobody is asked for
    max_associations, max_instances_per_minute, max_bytes_per_minute
        of all that this entry lets in, in each process that receives; 0: no limit of its own
    """

    ae_title: AeTitle
    address: str
    commitment: ReportTo | None = None
    certificate: CertificateText | None = None
    users: tuple[UserName, ...] = ()
    max_associations: Limit = 0
    max_instances_per_minute: Limit = 0
    max_bytes_per_minute: Limit = 0

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """`address` as a network."""
        return ip_network(self.address)


def check_access(peers: tuple[Peer, ...], tls: Tls | None, passcodes: Path | None, where: Where) -> None:
    """Look whether what peers have to show can be asked for at all.

    Raises
    ------
    Misconfigured
        with the key and the remedy
    """
    for number, peer in enumerate(peers, 1):
        at = where.at(f"peers.{number}")
        try:
            ip_network(peer.address)
        except ValueError as error:
            raise at.at("address").wrong(f"must be an address or a network (CIDR): {error}") from None
        if peer.certificate and (tls is None or tls.ca is None):
            raise at.at("certificate").wrong("senders are asked for certificates only with [receive.tls] and its ca")
        if peer.users and passcodes is None:
            raise at.at("users").wrong("needs [receive] passcodes_file; `deid-node passcode` makes it")
    if tls and tls.server_certificate:
        raise where.at("receive.tls.server_certificate").wrong(
            "is for destinations; what senders have to show stands in [[peers]] certificate"
        )

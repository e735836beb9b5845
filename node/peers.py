"""Who may call: AE title and address together (a certificate is asked for by the front door's TLS settings)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from node.settings import Peer

_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

ANY_AE = "*"


@dataclass(frozen=True, slots=True)
class Peers:
    """The list of peers, as the front door asks it: first by address alone, then by AE title and address."""

    rules: tuple[tuple[str, _Network], ...]

    @classmethod
    def from_settings(cls, peers: Iterable[Peer]) -> Peers:
        """Return the peers of a configuration."""
        return cls(tuple((peer.ae_title.strip(), peer.network) for peer in peers))

    def admits_address(self, address: str) -> bool:
        """Say whether any peer may call from this address: asked before a byte is read."""
        caller = _address(address)
        return any(caller in network for _, network in self.rules)

    def admits(self, calling_ae: str, address: str) -> bool:
        """Say whether this AE title may call from this address."""
        caller = _address(address)
        return any(caller in network and ae_title in (ANY_AE, calling_ae) for ae_title, network in self.rules)


def _address(address: str) -> _Address:
    """Return the address without its zone; an IPv4 address seen through an IPv6 socket is the IPv4 address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return getattr(parsed, "ipv4_mapped", None) or parsed

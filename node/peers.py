"""Who may call: AE title, address and, where an entry names one, certificate together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from node.access.certificate import Certificate
from node.access.settings import Peer

_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

ANY_AE = "*"


@dataclass(frozen=True, slots=True)
class Peers:
    """The list of peers, as the front door asks it: first by address alone, then by all that the caller has shown."""

    rules: tuple[tuple[str, _Network, Peer], ...]

    @classmethod
    def from_settings(cls, peers: Iterable[Peer]) -> Peers:
        """Return the peers of a configuration."""
        return cls(tuple((peer.ae_title.strip(), peer.network, peer) for peer in peers))

    def admits_address(self, address: str) -> bool:
        """Say whether any peer may call from this address: asked before a byte is read."""
        caller = _address(address)
        return any(caller in network for _, network, _ in self.rules)

    def admits(self, calling_ae: str, address: str) -> bool:
        """Say whether this AE title may call from this address, if it shows what it has to."""
        return any(self._at(calling_ae, address))

    def match(self, calling_ae: str, address: str, certificate: Certificate | None = None) -> Peer | None:
        """Return the first entry that lets this caller in; None if none does."""
        for peer in self._at(calling_ae, address):
            if peer.certificate is None or (certificate is not None and certificate.is_what(peer.certificate)):
                return peer
        return None

    def _at(self, calling_ae: str, address: str) -> Iterator[Peer]:
        caller = _address(address)
        for ae_title, network, peer in self.rules:
            if caller in network and ae_title in (ANY_AE, calling_ae):
                yield peer


def _address(address: str) -> _Address:
    """Return the address without its zone; an IPv4 address seen through an IPv6 socket is the IPv4 address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return getattr(parsed, "ipv4_mapped", None) or parsed

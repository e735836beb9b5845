"""Who may call."""

from __future__ import annotations

import pytest

from node.peers import Peers
from node.settings import Peer, Settings

HOSPITAL = Peers.from_settings((
    Peer("CT1", "10.1.2.3/32"),
    Peer("*", "10.9.0.0/16"),
    Peer("PACS", "2001:db8::/32"),
))  # fmt: skip


@pytest.mark.parametrize(
    ("calling_ae", "address"),
    [("CT1", "10.1.2.3"), ("ANYONE", "10.9.255.1"), ("PACS", "2001:db8::7"), ("CT1", "::ffff:10.1.2.3")],
)
def test_a_listed_ae_title_at_its_address_is_admitted(calling_ae: str, address: str) -> None:
    assert HOSPITAL.admits_address(address)
    assert HOSPITAL.admits(calling_ae, address)


@pytest.mark.parametrize(
    ("calling_ae", "address"),
    [("CT2", "10.1.2.3"), ("ct1", "10.1.2.3"), ("PACS", "10.1.2.3"), ("*", "10.1.2.3"), ("", "10.1.2.3")],
)
def test_another_ae_title_at_a_listed_address_is_not_admitted(calling_ae: str, address: str) -> None:
    assert HOSPITAL.admits_address(address)
    assert not HOSPITAL.admits(calling_ae, address)


@pytest.mark.parametrize("address", ["10.1.2.4", "192.0.2.1", "::1", "2001:db9::1", "::ffff:10.1.2.4"])
def test_an_address_of_no_peer_is_not_admitted_whatever_it_calls_itself(address: str) -> None:
    assert not HOSPITAL.admits_address(address)
    assert not HOSPITAL.admits("CT1", address)


def test_the_default_admits_anyone_on_loopback_and_nobody_else() -> None:
    peers = Peers.from_settings(Settings().peers)
    assert peers.admits("ANY-SCU", "127.0.0.1")
    assert peers.admits("ANY-SCU", "::1")
    assert not peers.admits_address("192.0.2.1")


def test_the_zone_of_a_link_local_address_does_not_matter() -> None:
    peers = Peers.from_settings((Peer("*", "fe80::/10"),))
    assert peers.admits_address("fe80::1%eth0")


def test_no_peers_means_nobody() -> None:
    assert not Peers.from_settings(()).admits_address("127.0.0.1")

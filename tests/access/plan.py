"""The kinds of callers, and what should become of each: the exam's own reading of its configuration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Fate(StrEnum):
    """What becomes of a caller that sends an instance."""

    STORED = "stored"
    REJECTED = "rejected 1,1,3"
    """calling AE title not recognized (PS3.8 Table 9-21)"""

    NOTHING = "no answer"
    """the address or the handshake has failed: not one PDU comes back"""


@dataclass(frozen=True, slots=True)
class Node:
    """How a node is set up; who may call is `PEERS` in all of them."""

    profile: str
    key: Literal["ec", "rsa"]
    minimum: str = "1.2"

    def __str__(self) -> str:
        return f"{self.profile}, {self.key.upper()} key, TLS {self.minimum}+"


@dataclass(frozen=True, slots=True)
class Case:
    """A caller.

    Attributes
    ----------
    version
        of TLS; "" is none at all
    suite
        the only one that is offered, by OpenSSL's name; "" is whatever the tool likes
    """

    title: str
    address: str
    certificate: str
    version: str
    suite: str = ""


PEERS = (("CT1", "127.0.0.1", "ct1"), ("MR1", "127.0.0.2", "mr1"), ("WS1", "127.0.0.0/30", ""))
"""AE title, address, the certificate that is asked for ("": any of the CA). 127.0.0.5 is nobody's."""

TITLES = ("CT1", "MR1", "WS1", "ct1", "EVIL")
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.5")
CERTIFICATES = ("ct1", "mr1", "other", "foreign", "expired", "stranger", "none")
"""The first three are of the node's CA. Foreign is of another CA with the names of ct1, expired likewise of the right
one, and stranger has signed itself."""

_GCM = ("AES256-GCM-SHA384", "AES128-GCM-SHA256")
_CHACHA20, _CCM = ("CHACHA20-POLY1305",), ("AES256-CCM", "AES128-CCM", "AES256-CCM8", "AES128-CCM8")

# What each profile lets a certificate of each kind be used with in TLS 1.2 (PS3.15 B.12, B.13: 2024e; B.10: 2022b)
ALLOWED_12 = {
    ("bcp195", "ec"): tuple(f"ECDHE-ECDSA-{each}" for each in _GCM),
    ("bcp195", "rsa"): tuple(f"ECDHE-RSA-{each}" for each in _GCM),
    ("bcp195-modified", "ec"): tuple(f"ECDHE-ECDSA-{each}" for each in _GCM + _CHACHA20 + _CCM),
    ("bcp195-modified", "rsa"): tuple(f"ECDHE-RSA-{each}" for each in _GCM + _CHACHA20),
    ("bcp195-non-downgrading", "ec"): tuple(f"ECDHE-ECDSA-{each}" for each in _GCM),
    ("bcp195-non-downgrading", "rsa"): tuple(f"{kind}-RSA-{each}" for kind in ("ECDHE", "DHE") for each in _GCM),
}
ALLOWED_13 = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")

WEAK_12 = (
    "AES128-SHA", "AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384",  # RSA key exchange: no forward secrecy
    "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",  # CBC
    "DHE-RSA-AES128-SHA", "DHE-RSA-AES256-SHA256", "DHE-RSA-AES128-CCM",
    "AECDH-AES128-SHA", "ADH-AES128-GCM-SHA256",  # no certificate of the server
    "ECDHE-RSA-NULL-SHA", "ECDHE-ECDSA-NULL-SHA", "NULL-SHA256",  # no encryption
    "ECDHE-RSA-CAMELLIA128-SHA256", "ECDHE-ARIA128-GCM-SHA256", "ECDHE-ECDSA-ARIA256-GCM-SHA384",
)  # fmt: skip
SUITES_12 = tuple(dict.fromkeys([*itertools.chain(*ALLOWED_12.values()), *WEAK_12]))
SUITES_13 = (*ALLOWED_13, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256")

NODES = (
    *(Node(profile, key) for profile, key in ALLOWED_12),
    Node("bcp195", "ec", "1.3"),
)


def fate(case: Case, node: Node) -> Fate:
    """Say what should become of a caller."""
    if case.address not in ("127.0.0.1", "127.0.0.2") or not _shakes_hands(case, node):
        return Fate.NOTHING
    if case.certificate not in ("ct1", "mr1", "other"):
        return Fate.NOTHING
    is_peer = (
        case.title == "WS1"
        or (case.title, case.address, case.certificate) == ("CT1", "127.0.0.1", "ct1")
        or (case.title, case.address, case.certificate) == ("MR1", "127.0.0.2", "mr1")
    )
    return Fate.STORED if is_peer else Fate.REJECTED


def _shakes_hands(case: Case, node: Node) -> bool:
    if case.version == "1.3":
        return not case.suite or case.suite in ALLOWED_13
    if case.version == "1.2" and node.minimum == "1.2":
        return not case.suite or case.suite in ALLOWED_12[(node.profile, node.key)]
    return False


def whole_matrix(node: Node) -> Iterator[Case]:
    """Yield AE title x address x certificate x TLS version x suite; suites of TLS 1.3 are for tools that can choose."""
    transports = [("", ""), ("1.0", ""), ("1.1", ""), ("1.2", ""), ("1.3", "")]
    transports += [("1.2", suite) for suite in (*ALLOWED_12[(node.profile, node.key)], *WEAK_12[::4])]
    for title, address, certificate, (version, suite) in itertools.product(TITLES, ADDRESSES, CERTIFICATES, transports):
        yield Case(title, address, certificate, version, suite)


def every_suite() -> Iterator[Case]:
    """Yield a caller that may send, with each version and each suite."""
    for version in ("", "1.0", "1.1", "1.2", "1.3"):
        yield Case("CT1", "127.0.0.1", "ct1", version)
    for version, suites in (("1.2", SUITES_12), ("1.3", SUITES_13)):
        for suite in suites:
            yield Case("CT1", "127.0.0.1", "ct1", version, suite)


def every_caller(versions: tuple[str, ...]) -> Iterator[Case]:
    """Yield AE title x address x certificate, with what versions a tool has by itself."""
    for title, address, certificate, version in itertools.product(TITLES, ADDRESSES, CERTIFICATES, versions):
        yield Case(title, address, certificate, version)

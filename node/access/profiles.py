"""The TLS profiles of PS3.15 Annex B as tables of cipher suites (editions as stated; names as IANA registers them)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class TlsProfile(StrEnum):
    """A Secure Transport Connection Profile."""

    BCP195 = "bcp195"
    BCP195_MODIFIED = "bcp195-modified"
    BCP195_NON_DOWNGRADING = "bcp195-non-downgrading"


@dataclass(frozen=True, slots=True)
class Suites:
    """What a profile lets TLS 1.2 use, the best first.

    Attributes
    ----------
    section
        of PS3.15, with its edition
    """

    section: str
    tls12: tuple[str, ...]


TLS13: Final = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")
"""The suites of TLS 1.3 in all profiles: those that OpenSSL has on by default, among which Python cannot choose."""

_ECDHE_GCM = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
)
"""What RFC 9325 Section 4.2 recommends for TLS 1.2."""

_ECDHE_CHACHA20 = (
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
_ECDHE_CCM = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
)
_DHE_GCM = ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256")

# B.13 also names Camellia in Galois counter mode, and the CCM suites of TLS 1.3: OpenSSL has none of the first, and
# Python cannot switch the second on. B.10 asks for the suites with RSA, and lets equally strong ones be added.
SUITES: Final[Mapping[TlsProfile, Suites]] = {
    TlsProfile.BCP195: Suites("B.12 (2024e: BCP 195 RFC 8996, 9325)", _ECDHE_GCM),
    TlsProfile.BCP195_MODIFIED: Suites(
        "B.13 (2024e: Modified BCP 195 RFC 8996, 9325)", _ECDHE_GCM + _ECDHE_CHACHA20 + _ECDHE_CCM
    ),
    TlsProfile.BCP195_NON_DOWNGRADING: Suites("B.10 (2022b: Non-Downgrading BCP 195)", _ECDHE_GCM + _DHE_GCM),
}

OPENSSL_NAMES: Final[Mapping[str, str]] = {
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM": "ECDHE-ECDSA-AES256-CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM": "ECDHE-ECDSA-AES128-CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8": "ECDHE-ECDSA-AES256-CCM8",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8": "ECDHE-ECDSA-AES128-CCM8",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384": "DHE-RSA-AES256-GCM-SHA384",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256": "DHE-RSA-AES128-GCM-SHA256",
}


def openssl_ciphers(profile: TlsProfile) -> str:
    """Return a profile's suites of TLS 1.2 in OpenSSL's notation.

    Security level 2 goes with all of them: keys of 112 bits of security (RSA and DHE 2048, ECDHE 224), no SHA-1 in
    certificates.
    """
    return ":".join([*(OPENSSL_NAMES[name] for name in SUITES[profile].tls12), "@SECLEVEL=2"])

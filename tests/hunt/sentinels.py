"""Sentinels of the hunt: all of a kind begin alike, so that one search finds any of them, whole or cut.

Those of names and IDs begin otherwise than those of all other attributes: else what the engine harvests as this
patient's identifiers would be found nearly everywhere, and next to nothing would be delivered.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

LETTERS = "QZXWVKJ"
NAMES = "FHBDPGM"
DIGITS = "7391846205"


@dataclass
class Mint:
    """Makes sentinels, each another one."""

    made: Iterator[int] = field(default_factory=itertools.count)
    count: int = 0

    def text(self) -> str:
        """Return 12 letters and digits: they fit into an AE title."""
        self.count += 1
        return f"{LETTERS}{next(self.made):05d}"

    def name(self) -> str:
        """Return such a text for what identifies the patient."""
        self.count += 1
        return f"{NAMES}{next(self.made):05d}"

    def uid(self) -> str:
        """Return a UID."""
        self.count += 1
        return f"1.2.{DIGITS}{next(self.made):05d}"


def forms() -> dict[str, bytes]:
    """Return what to look for, in lower-cased bytes: the form's name and its bytes."""
    found: dict[str, bytes] = {}
    for kind, text in (("text", LETTERS), ("name", NAMES), ("digits", DIGITS)):
        plain = text.encode("ascii")
        for codec in ("ascii", "utf-16-le", "utf-16-be"):
            found[f"{kind} as {codec}"] = text.encode(codec)
        found[f"{kind} as hex"] = plain.hex().encode("ascii")
        found[f"{kind} reversed"] = plain[::-1]
        found[f"{kind} in swapped words"] = bytes(itertools.chain(*zip(plain[1::2], plain[::2], strict=False)))
        for shift in range(3):  # what of it does not depend on its neighbours
            encoded = base64.b64encode(bytes(shift) + plain)
            first = -(-8 * shift // 6)
            found[f"{kind} as base64, shifted by {shift}"] = encoded[first : 8 * (shift + len(plain)) // 6]
    return {name: form.lower() for name, form in found.items()}

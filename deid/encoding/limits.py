"""How much one instance may ask for before it is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one Data Set may ask for.

    Attributes
    ----------
    max_depth
        sequences within sequences
    max_elements
        elements, items and fragments altogether
    max_inflated_bytes
        size of a deflated Data Set once inflated
    max_inflate_ratio
        inflated to deflated size, asked for once the inflated size has passed `inflate_ratio_from_bytes`: an empty
        mask of a few MiB compresses a thousandfold, and harms nobody
    inflate_ratio_from_bytes
        see there
    """

    max_depth: int = 32
    max_elements: int = 2_000_000
    max_inflated_bytes: int = 1 << 30
    max_inflate_ratio: int = 100
    inflate_ratio_from_bytes: int = 1 << 26

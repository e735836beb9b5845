"""What was done to an instance: tags, actions, counts and codes; never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One element and what became of it.

    Attributes
    ----------
    path
        the tags of the enclosing sequences, outermost first, then the element's own
    vr
        its value representation in the source
    action
        D, Z, X, K, C or U (PS3.15 Table E.1-1a)
    source
        the table row, option, override or rule which said so
    """

    path: tuple[int, ...]
    vr: str
    action: str
    source: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to one instance.

    Attributes
    ----------
    counts
        number of elements per action
    method_codes
        code values of De-identification Method Code Sequence that the output claims
    findings
        one per element, in order; empty unless they were asked for
    """

    counts: Mapping[str, int]
    method_codes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

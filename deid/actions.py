"""What can be done to an element, and the Rule that says it of one element (PS3.15 Table E.1-1a)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Action(StrEnum):
    """What to do with an element (PS3.15 Table E.1-1a)."""

    D = "D"
    """replace with a non-zero length dummy value that the VR allows"""
    Z = "Z"
    """replace with a zero length value, or a dummy"""
    X = "X"
    """remove"""
    K = "K"
    """keep; of a Sequence: keep, and go through its items"""
    C = "C"
    """replace with a value of similar meaning that doesn't identify"""
    U = "U"
    """replace with a consistent new UID; of a Sequence: go through its items, whose UIDs are replaced"""


class Means(Enum):
    """How C is done."""

    VALUE = "as the VR asks: dates shifted, ages capped, texts cleaned"
    EPOCH = "a number that is a date, in seconds since 1970, shifted"
    TERMS = "kept if it is a term of the standard or the code of a public vocabulary"


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one element, and why.

    Attributes
    ----------
    action
        what to do
    fallback
        what the Basic Profile does: to be done where `action` is C and this value can't be cleaned
    source
        ``E.1-1``, ``option …``, ``override …``, ``not in E.1-1``, ``private …``, ``unknown``, ``not in the IOD``,
        ``not on the allow-list`` or ``not in a Data Set``
    means
        how C is done
    """

    action: Action
    fallback: Action
    source: str
    means: Means = Means.VALUE

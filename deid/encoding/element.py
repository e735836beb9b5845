"""Data Elements and Data Sets as they lie in the bytes (PS3.5 Section 7).

Values stay encoded until a rule has to look inside: what is kept is never decoded and encoded again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Buffer: TypeAlias = "bytes | memoryview"


@dataclass(slots=True)
class Fragments:
    """Encapsulated Pixel Data (PS3.5 Section A.4).

    Attributes
    ----------
    offsets
        the Basic Offset Table's value, empty if there is none
    items
        the fragments, in order, each of even length
    """

    offsets: Buffer
    items: list[Buffer]


Value: TypeAlias = "Buffer | list[DataSet] | Fragments"


@dataclass(slots=True)
class Element:
    """One Data Element.

    Attributes
    ----------
    tag
        group and element number as 0xGGGGEEEE
    vr
        two upper-case letters; for Implicit VR the dictionary's, or ``UN``
    value
        the encoded bytes with their padding, in the transfer syntax's byte order; for ``SQ`` (and ``UN`` of
        undefined length) a list of items; for encapsulated Pixel Data `Fragments`
    """

    tag: int
    vr: str
    value: Value


@dataclass(slots=True)
class DataSet:
    """A Data Set or an Item: elements by tag, in ascending order of tag.

    Attributes
    ----------
    elements
        by tag; insertion order is ascending order
    charset
        the values of Specific Character Set in force here (own, or inherited from the enclosing Data Set)
    """

    elements: dict[int, Element] = field(default_factory=dict)
    charset: tuple[str, ...] = ()

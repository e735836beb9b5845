"""Data Elements and Data Sets as they lie in the bytes (PS3.5 Section 7).

Values stay encoded until a rule has to look inside: what is kept is never decoded and encoded again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
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


class Pieces:
    """A native value that lies in several places: what nobody changed stays a view of the bytes that were received.

    A few masked rows of a large image are new bytes, all between them are pieces of what was mapped.

    Attributes
    ----------
    parts
        the pieces, in order, none of them empty
    """

    __slots__ = ("_ends", "parts")

    def __init__(self, parts: Iterable[Buffer]) -> None:
        self.parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)

    def __getitem__(self, wanted: slice) -> Buffer:
        """Return consecutive bytes: a view if they lie in one piece, a copy if they don't."""
        start, stop, step = wanted.indices(len(self))
        if step != 1:
            raise ValueError("pieces are cut without a step")
        found = self.between(start, stop)
        return found[0] if len(found) == 1 else b"".join(found)

    def between(self, start: int, stop: int) -> list[Buffer]:
        """Return the bytes from `start` up to `stop` as views, in order."""
        found: list[Buffer] = []
        index = bisect_right(self._ends, start)
        while start < stop and index < len(self.parts):
            part, end = self.parts[index], self._ends[index]
            begin = end - len(part)
            found.append(memoryview(part)[start - begin : min(stop, end) - begin])
            start, index = end, index + 1
        return found


Value: TypeAlias = "Buffer | list[DataSet] | Fragments | Pieces"


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
        undefined length) a list of items; for encapsulated Pixel Data `Fragments`; for native pixels that were changed
        in places `Pieces`
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

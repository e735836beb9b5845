"""Private elements that are known: what PS3.15 Table E.3.10-1 and TCIA's knowledge base say of them, and their VRs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from pydicom._private_dict import private_dictionaries

from deid.standard.beyond import SAFE_PRIVATE_BESIDE_THE_LISTS

__all__ = ["Disposition", "PrivateRow", "private_row", "private_rows", "private_vr"]

_BLOCK_BITS = 0xFF00


class Disposition(StrEnum):
    """What a list says of a private element, in the words of TCIA's knowledge base."""

    KEEP = "k"
    DELETE = "d"
    HASH = "h"
    """a UID: replace it"""
    OFFSET = "o"
    """a date: shift it"""
    OFFSET_INTEGER = "oi"
    """a date as a number: shift it"""


@dataclass(frozen=True, slots=True)
class PrivateRow:
    """What is known of one private element.

    Attributes
    ----------
    creator
        Private Creator, as the list writes it
    tag
        group and element without the block: 0xGGGG00EE
    vr
        its VR, ``UN`` if nobody says
    disposition
        what to do
    source
        ``E.3.10-1``, ``TCIA KB``, both, or ``judged here``
    by_vr
        what to do if the element comes with another VR, where the lists tell them apart
    """

    creator: str
    tag: int
    vr: str
    disposition: Disposition
    source: str
    by_vr: Mapping[str, Disposition] = field(default_factory=dict)

    def for_vr(self, vr: str) -> Disposition:
        """Return what to do with the element if it has this VR."""
        return self.by_vr.get(vr, self.disposition)


_SOURCES = {"S": "E.3.10-1", "T": "TCIA KB", "ST": "E.3.10-1 and TCIA KB"}


def private_row(creator: str, tag: int) -> PrivateRow | None:
    """Return what is known of a private element, None if nothing is.

    Parameters
    ----------
    creator
        value of its Private Creator element; blanks around it don't count, and a creator in other upper and lower
        case is the same where the lists have none that is written alike (PS3.5 Section 7.8.1)
    tag
        the element's; its block doesn't matter
    """
    rows, spellings = _private()
    place = tag & ~_BLOCK_BITS
    name = creator.strip(" \0")
    found = rows.get((name, place))
    if found is None:
        others = spellings.get(name.casefold(), ())
        found = next((rows[other, place] for other in others if (other, place) in rows), None)
    return found


def private_vr(creator: str, tag: int) -> str:
    """Return a private element's VR, by the lists, else by pydicom's private dictionary; ``UN`` if nobody knows."""
    row = private_row(creator, tag)
    if row is not None and row.vr != "UN":
        return row.vr
    return dictionary_vr(creator.strip(" \0"), tag)


def dictionary_vr(creator: str, tag: int) -> str:
    """Return the VR by pydicom's private dictionary alone, ``UN`` if it has none or leaves a choice."""
    entries = private_dictionaries.get(creator, {})
    group, element = tag >> 16, tag & 0xFF
    entry = entries.get(f"{group:04X}xx{element:02X}") or entries.get(f"{group:04x}xx{element:02x}")
    return entry[0] if entry and len(entry[0]) == 2 else "UN"


def private_rows() -> tuple[PrivateRow, ...]:
    """Every private element that is known, by creator and tag."""
    return tuple(_private()[0].values())


@cache
def _private() -> tuple[Mapping[tuple[str, int], PrivateRow], Mapping[str, tuple[str, ...]]]:
    """Rows by creator and place; the lists' creators by their case-folded form."""
    text = files(__package__).joinpath("private.json").read_text(encoding="utf-8")
    rows = {(row.creator, row.tag): row for raw in json.loads(text)["rows"] for row in _rows(raw)}
    for (creator, tag), vr in SAFE_PRIVATE_BESIDE_THE_LISTS.items():
        rows.setdefault((creator, tag), PrivateRow(creator, tag, vr, Disposition.KEEP, "judged here"))
    spellings: dict[str, tuple[str, ...]] = {}
    for creator in sorted({creator for creator, _ in rows}):
        spellings[creator.casefold()] = (*spellings.get(creator.casefold(), ()), creator)
    return rows, spellings


def _rows(raw: Mapping[str, Any]) -> Iterator[PrivateRow]:
    """Read one line: ``{"0C": "IS k ST", "30": "FD d T UN=k"}``."""
    for element, cell in raw["elements"].items():
        vr, disposition, source, *exceptions = cell.split(" ")
        by_vr = {pair[:2]: Disposition(pair[3:]) for pair in exceptions}
        tag = int(raw["group"], 16) << 16 | int(element, 16)
        yield PrivateRow(raw["creator"], tag, vr, Disposition(disposition), _SOURCES[source], by_vr)

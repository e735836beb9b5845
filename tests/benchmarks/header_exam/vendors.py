"""Private elements: blocks of real vendors with what TCIA's knowledge base says of them, and blocks that nobody knows.

`private_elements.csv` is a selection of the knowledge base (2024-02-01): elements whose disposition is the same in all
its rows, and that PS3.15 Table E.3.10-1 doesn't contradict. Dispositions: k keep, d delete, h hash the UID, o shift the
date, oi shift the date that is an integer (seconds since 1970).
"""

from __future__ import annotations

import csv
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom.datadict import private_dictionary_VR
from pydicom.dataset import Dataset

from tests.benchmarks.header_exam.invent import Invention
from tests.benchmarks.header_exam.key import Action
from tests.benchmarks.header_exam.sheet import Sheet

_FILE = Path(__file__).with_name("private_elements.csv")
_NOBODY = ("ACME LUMEN", "NORDLICHT MR", "ZEPHYR CT", "OPALINE PACS", "QUASAR WORKFLOW", "TESSERACT 3D")
_SHORT = 16
_PHILIPS = "Philips Imaging DD 001"


@dataclass(frozen=True, slots=True)
class Element:
    """One row of the knowledge base."""

    creator: str
    group: int
    element: int
    vr: str
    name: str
    disposition: str
    modalities: frozenset[str]


@cache
def knowledge() -> tuple[Element, ...]:
    """Return the rows of the selection."""
    with _FILE.open(encoding="utf-8", newline="") as stream:
        return tuple(
            Element(
                row["creator"],
                int(row["group"], 16),
                int(row["element"], 16),
                row["vr"],
                row["name"],
                row["disposition"],
                frozenset(row["modalities"].split()),
            )
            for row in csv.DictReader(stream)
        )


_ACTIONS: Mapping[str, Action] = {
    "k": Action.TEXT_RETAINED,
    "d": Action.TEXT_REMOVED,
    "h": Action.UID_CHANGED,
    "o": Action.DATE_SHIFTED,
    "oi": Action.DATE_SHIFTED,
}

# Research content of each VR
_CONTENT: Mapping[str, Callable[[Invention], object]] = {
    "DS": lambda make: f"{make.number():.4f}",
    "IS": lambda make: str(make.rng.randrange(100, 10**6)),
    "US": lambda make: make.rng.randrange(100, 65_000),
    "SS": lambda make: make.rng.randrange(-32_000, 32_000),
    "UL": lambda make: make.rng.randrange(100, 10**9),
    "SL": lambda make: make.rng.randrange(-(10**9), 10**9),
    "FL": lambda make: make.number(),
    "FD": lambda make: make.number(),
    "CS": lambda make: make.rng.choice(("NONE", "SAGITTAL", "AXIAL", "YES", "SINGLE", "DYNAMIC", "RAMP_2")),
    "SH": lambda make: make.rng.choice(("B31f", "epi_b0", "FC13", "H31s", "0.984:1", "3DFT", "HEAD-32")),
    "LO": lambda make: make.description(32),
    "ST": lambda make: make.remark(),
    "LT": lambda make: make.remark(),
    "TM": lambda make: make.time(),
    "PN": lambda make: make.person(),
    "UI": lambda make: make.uid(),
    "DA": lambda make: make.day(),
    "DT": lambda make: make.moment(),
    "AE": lambda make: make.shaped("OST??##"),
}

# What a vendor's removed elements of text hold: identifiers as often as numbers of its own
_IDENTITY: Mapping[str, Callable[[Invention], object]] = {
    "LO": lambda make: make.rng.choice((make.institution, make.identifier, make.note, make.person))(),
    "SH": lambda make: make.identifier()[:_SHORT],
    "ST": lambda make: make.address(),
    "LT": lambda make: f"{make.note()}, {make.address()}",
}


# VRs that come as UN, and how their values are packed, text if empty
_AS_UNKNOWN: Mapping[str, str] = {"FL": "<f", "FD": "<d", "US": "<H", "DS": "", "CS": "", "SH": "", "LO": ""}


def _is_in_dictionary(data_set: Dataset, tag: int) -> bool:
    creator = data_set.get(tag & 0xFFFF_0000 | (tag >> 8 & 0xFF))
    try:
        private_dictionary_VR(tag, str(creator.value) if creator else "")
    except KeyError:
        return False
    return True


def _content(element: Element, make: Invention) -> object:
    if element.disposition == "oi":
        seconds = make.rng.randrange(10**9, 1_700_000_000)
        return float(seconds) if element.vr == "FD" else seconds
    if element.disposition == "o":
        return make.day() if element.vr == "DA" else make.moment()
    if element.disposition == "h":
        return make.uid()
    table = _IDENTITY if element.disposition == "d" and element.vr in _IDENTITY else _CONTENT
    return table[element.vr](make)


class Blocks:
    """Adds private blocks to data sets; each block gets the number that chance gives it, as devices do."""

    def __init__(self, make: Invention, sheet: Sheet) -> None:
        self._make = make
        self._sheet = sheet

    def of_vendors(self, data_set: Dataset, modality: str, count: int) -> None:
        """Add up to `count` blocks of vendors that make such instances."""
        by_block: dict[tuple[str, int], list[Element]] = defaultdict(list)
        for element in knowledge():
            if modality in element.modalities or "*" in element.modalities:
                by_block[element.creator, element.group].append(element)
        rng = self._make.rng
        chosen = rng.sample(sorted(by_block), min(count, len(by_block)))
        for creator, group in chosen:
            rows = by_block[creator, group]
            self._block(data_set, creator, group, rng.sample(rows, rng.randrange(1, len(rows) + 1)))
        if modality == "MR" and (_PHILIPS, 0x2001) not in chosen:
            self._stack(data_set)

    def _block(self, data_set: Dataset, creator: str, group: int, rows: Iterable[Element]) -> None:
        base = self._free(data_set, group)
        data_set.add_new(group << 16 | base, "LO", creator)
        kept = False
        for row in rows:
            tag = group << 16 | base << 8 | row.element
            value = _content(row, self._make)
            if value == "":
                continue
            self._add(data_set, tag, row.vr, value)
            self._sheet.ask(data_set, tag, _ACTIONS[row.disposition])
            kept = kept or row.disposition == "k"
        if kept:
            self._sheet.ask(data_set, group << 16 | base, Action.TEXT_RETAINED)

    def _add(self, data_set: Dataset, tag: int, vr: str, value: object) -> None:
        """Add the element, now and then as the bytes of VR UN that archives make of it.

        Only if the validator's reader knows the VR: else it would print a right answer in the right VR differently.
        """
        if self._make.chance(0.12) and vr in _AS_UNKNOWN and _is_in_dictionary(data_set, tag):
            packing = _AS_UNKNOWN[vr]
            raw = struct.pack(packing, value) if packing else str(value).encode("ascii")
            data_set.add_new(tag, "UN", raw + b" " * (len(raw) % 2))
        else:
            data_set.add_new(tag, vr, value)

    def _free(self, data_set: Dataset, group: int) -> int:
        """Return a block number from 10 to FF that the group has no creator for."""
        taken = {element.tag.element for element in data_set.group_dataset(group) if element.tag.element < 0x100}
        usual = 0x10 + len(taken)
        drawn = self._make.rng.choice([number for number in range(0x10, 0x100) if number not in taken])
        return drawn if self._make.chance(0.4) or usual in taken else usual

    def _stack(self, data_set: Dataset) -> None:
        """Add Philips' Stack Sequence, which is kept with what the knowledge base keeps in its items."""
        base = self._free(data_set, 0x2001)
        item = Dataset()
        inner = self._free(item, 0x2001)
        item.add_new(0x2001_0000 | inner, "LO", _PHILIPS)
        for element, vr in ((0x2D, "SS"), (0x32, "FL"), (0x33, "CS"), (0x35, "SS"), (0x36, "CS")):
            tag = 0x2001_0000 | inner << 8 | element
            item.add_new(tag, vr, _CONTENT[vr](self._make))
            self._sheet.ask(item, tag, Action.TEXT_RETAINED)
        data_set.add_new(0x2001_0000 | base, "LO", _PHILIPS)
        data_set.add_new(0x2001_005F | base << 8, "SQ", [item])
        self._sheet.ask(data_set, 0x2001_005F | base << 8, Action.TAG_RETAINED)

    def of_nobody(self, data_set: Dataset, known: Iterable[str], depth: int) -> None:
        """Add a block of a vendor that no list knows, with identifiers at `depth` nested Sequences."""
        make = self._make
        group = make.rng.choice((0x0009, 0x0019, 0x0021, 0x0029, 0x0033, 0x0077, 0x01F3, 0x7101))
        base = self._free(data_set, group)
        creator = f"{make.rng.choice(_NOBODY)} {make.rng.randrange(1, 9)}.{make.rng.randrange(10)}"
        data_set.add_new(group << 16 | base, "LO", creator)
        self._remove(data_set, group << 16 | base << 8 | 0x01, "LO", make.rng.choice([*known, make.note()]))
        self._remove(data_set, group << 16 | base << 8 | 0x02, "SH", make.identifier()[:_SHORT])
        self._remove(data_set, group << 16 | base << 8 | 0x05, "PN", make.person())
        self._remove(data_set, group << 16 | base << 8 | 0x07, "DA", make.day())
        if depth:
            inner = Dataset()
            data_set.add_new(group << 16 | base << 8 | 0x10, "SQ", [inner])
            self.of_nobody(inner, known, depth - 1)

    def _remove(self, data_set: Dataset, tag: int, vr: str, value: str) -> None:
        data_set.add_new(tag, vr, value)
        self._sheet.ask(data_set, tag, Action.TEXT_REMOVED)

    def without_creator(self, data_set: Dataset) -> None:
        """Add elements of a block that has no Private Creator."""
        number = self._make.rng.choice(range(0x60, 0xF0)) << 8 | self._make.rng.randrange(0x10, 0xF0)
        self._remove(data_set, 0x0015_0000 | number, "LO", self._make.institution())

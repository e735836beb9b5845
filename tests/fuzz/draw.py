"""What every mutator works with: chance, an instance to break, and the means to write elements that are wrong."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.fuzz.fields import LONG_VRS, UNDEFINED, Field, Seed


class Edit(NamedTuple):
    """Bytes to be put in the place of others."""

    start: int
    end: int
    new: bytes


@dataclass(frozen=True)
class Draw:
    """One mutant in the making.

    Attributes
    ----------
    seeds
        all of them, for splices
    """

    rng: random.Random
    seed: Seed
    seeds: Sequence[Seed]

    def field(self, is_wanted: Callable[[Field], bool] = lambda _: True) -> Field | None:
        """Return any field that is wanted; None if there is none."""
        fields = self.seed.fields
        for _ in range(12):
            field = self.rng.choice(fields)
            if is_wanted(field):
                return field
        found = [field for field in fields if is_wanted(field)]
        return self.rng.choice(found) if found else None

    def leaf(self) -> Field | None:
        return self.field(lambda field: not field.is_item and field.vr != "SQ" and field.end - field.value < 1 << 16)

    def raw(self, field: Field) -> bytes:
        return self.seed.data[field.start : field.end]

    def value(self, field: Field) -> bytes:
        return self.seed.data[field.value : field.end]

    def number(self, value: int, size: int) -> bytes:
        """Encode an unsigned number in the byte order of the Data Set, cut to its size."""
        code = {1: "B", 2: "H", 4: "L", 8: "Q"}[size]
        return struct.pack(self.seed.order + code, value & ((1 << 8 * size) - 1))

    def tag(self, tag: int) -> bytes:
        return struct.pack(self.seed.order + "HH", tag >> 16 & 0xFFFF, tag & 0xFFFF)

    def element(self, tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
        """Encode an element, with a length of its own choice."""
        length = len(value) if length is None else length
        if self.seed.is_implicit:
            return self.tag(tag) + self.number(length, 4) + value
        head = self.tag(tag) + vr.encode("latin-1")
        if vr in LONG_VRS or length == UNDEFINED:
            return head + b"\0\0" + self.number(length, 4) + value
        return head + self.number(length, 2) + value

    def item(self, value: bytes, *, is_open: bool = False) -> bytes:
        if is_open:
            return self.tag(0xFFFEE000) + b"\xff\xff\xff\xff" + value + self.tag(0xFFFEE00D) + bytes(4)
        return self.tag(0xFFFEE000) + self.number(len(value), 4) + value

    def place(self) -> int:
        """Return where an element of the Data Set itself could be put in."""
        return self.rng.choice(self.seed.top).start

    def before(self, tag: int) -> int:
        """Return where an element belongs that isn't there."""
        return next((field.start for field in self.seed.top if field.tag >= tag), len(self.seed.data))

    def put(self, tag: int, vr: str, value: bytes) -> Edit:
        """Put an element in its place, over the one that is there."""
        there = self.seed.find(tag)
        new = self.element(tag, vr, value)
        return Edit(there.start, there.end, new) if there else Edit(self.before(tag), self.before(tag), new)


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Apply edits that `apart` has chosen."""
    parts: list[bytes] = []
    at = 0
    for start, end, new in edits:
        parts += (data[at:start], new)
        at = end
    return b"".join((*parts, data[at:]))


def apart(edits: Sequence[Edit]) -> list[Edit]:
    """Return edits in the order of the bytes; of those that overlap, the first."""
    chosen: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.start):
        if not chosen or edit.start >= chosen[-1].end:
            chosen.append(Edit(edit.start, max(edit.start, edit.end), edit.new))
    return chosen


def mended(draw: Draw, edits: list[Edit]) -> list[Edit]:
    """Add what keeps the lengths of items and sequences true around what was done within them."""
    mends = []
    for field in draw.seed.containers:
        grown = sum(
            len(new) - (end - start) for start, end, new in edits if field.value <= start and end <= field.end
            and (start, end) != (field.end, field.end)
        )  # fmt: skip
        if grown:
            length = draw.number(field.end - field.value + grown, field.length_bytes)
            mends.append(Edit(field.length_at, field.value, length))
    return apart([*edits, *mends])

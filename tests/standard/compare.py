"""What became of an attribute, seen by pydicom in the bytes that left."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from tests.standard.material import PATIENT_ID, SECRETS, STAYS, Node
from tests.standard.table import TEXT_VRS, Outcome, outcome, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydicom import Dataset

_PSEUDONYM = re.compile(rb"DN-[A-Z2-7]{16}")
_OLDEST = b"090Y"

# PS3.5 Table 6.2-1
_VALID = {
    "AE": rb"[!-\[\]-~][ -\[\]-~]{0,15}",
    "AS": rb"\d{3}[DWMY]",
    "CS": rb"[A-Z0-9_][A-Z0-9_ ]{0,15}",
    "DA": rb"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])",
    "DS": rb"(?=.{1,16}$)[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
    "DT": rb"(?:19|20)\d\d(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})?",
    "IS": rb"[+-]?\d{1,11}",
    "LO": rb"[^\\]{1,64}",
    "LT": rb".{1,10240}",
    "PN": rb"[^\\]{1,64}",
    "SH": rb"[^\\]{1,16}",
    "ST": rb".{1,1024}",
    "TM": rb"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?",
    "UC": rb".+",
    "UI": rb"(?=.{1,64}$)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+",
    "UR": rb"[A-Za-z][A-Za-z0-9+.-]*:\S+",
    "US": rb"..",
    "UT": rb".+",
}
_VALID_PATTERNS = {vr: re.compile(pattern, re.DOTALL) for vr, pattern in _VALID.items()}


@dataclass(frozen=True, slots=True)
class Deviation:
    """An attribute that became something else than the standard asks."""

    where: str
    attribute: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.where}: {self.attribute} expected {self.expected}, got {self.got}"


@dataclass(slots=True)
class Witness:
    """What has been seen of one patient's UIDs and dates in all outputs.

    Attributes
    ----------
    uids
        old → new: one for one
    shifts
        by how many days dates were moved: one number
    """

    uids: dict[bytes, bytes] = field(default_factory=dict)
    shifts: set[int] = field(default_factory=set)

    def maps(self, old: bytes, new: bytes) -> bool:
        is_new = new != old and _is_valid("UI", new)
        return is_new and self.uids.setdefault(old, new) == new

    def shifted(self, vr: str, old: bytes, new: bytes) -> bool:
        if not _is_valid(vr, new) or new[8:] != old[8:]:
            return False
        self.shifts.add((_day(new) - _day(old)).days)
        return len(self.shifts) == 1 and 0 not in self.shifts


@dataclass(slots=True)
class Comparison:
    """One output held against its source.

    Attributes
    ----------
    options
        of the profile
    types
        (holding Sequence, attribute) → Type, of the instance's IOD
    planted
        texts hold the patient's ID
    where
        for messages
    count
        attributes held against their rows
    """

    options: frozenset[str]
    types: Mapping[tuple[int, int], str]
    witness: Witness
    planted: bool
    where: str
    count: int = 0
    deviations: list[Deviation] = field(default_factory=list)

    def data_sets(self, source: Sequence[Node], out: Dataset, parent: int = 0, depth: int = 0) -> None:
        """Compare the attributes of one Data Set or Item that have rows; go on into the others' items."""
        for node in source:
            row = row_of(node.tag)
            if row is not None:
                type_ = self.types.get((parent, node.tag))
                expected = outcome(row, node.tag, node.vr, type_, self.options)
                self.count += 1
                if not self._is_met(expected, node, out, depth):
                    self._deviates(node, expected.value, out, depth, type_)
            elif isinstance(node.value, list):
                self._items(node, out, depth)

    def _deviates(self, node: Node, expected: str, out: Dataset, depth: int, type_: str | None = None) -> None:
        row = row_of(node.tag)
        name = f"{row.name if row else ''}({node.tag:08X}) {node.vr} Type {type_} depth {depth}"
        self.deviations.append(Deviation(self.where, name, expected, _seen(node, out)))

    def _items(self, node: Node, out: Dataset, depth: int) -> bool:
        """Compare item by item; False if the Sequence or one of its items isn't there."""
        assert isinstance(node.value, list)
        if node.tag not in out or out[node.tag].VR != "SQ" or len(out[node.tag].value) != len(node.value):
            if row_of(node.tag) is None:
                self._deviates(node, Outcome.ITEMS.value, out, depth)
            return False
        for source, item in zip(node.value, out[node.tag].value, strict=True):
            self.data_sets(source, item, node.tag, depth + 1)
        return True

    def _is_met(self, expected: Outcome, node: Node, out: Dataset, depth: int) -> bool:
        if expected is Outcome.REMOVED or node.tag not in out:
            return expected is Outcome.REMOVED and node.tag not in out
        if isinstance(node.value, list):
            return self._sequence_is_met(expected, node, out, depth)
        return self._leaf_is_met(expected, node.vr, node.value, _bytes(out, node.tag))

    def _leaf_is_met(self, expected: Outcome, vr: str, old: bytes, new: bytes) -> bool:
        if expected in {Outcome.KEPT, Outcome.CLEANED} and self.planted and PATIENT_ID.encode("ascii") in old:
            return _is_cleaned(old, new) if expected is Outcome.CLEANED else SECRETS[0] not in new
        if expected is Outcome.MAPPED:
            return self.witness.maps(old, new)
        if expected is Outcome.SHIFTED:
            return self.witness.shifted(vr, old, new)
        return {
            Outcome.EMPTIED: new == b"",
            Outcome.PSEUDONYM: _PSEUDONYM.fullmatch(new) is not None,
            Outcome.DUMMY: new not in {b"", old} and _is_valid(vr, new),
            Outcome.AGE: new == min(old, _OLDEST),
            Outcome.KEPT: new == old,
            Outcome.CLEANED: new == old,
        }[expected]

    def _sequence_is_met(self, expected: Outcome, node: Node, out: Dataset, depth: int) -> bool:
        if expected is Outcome.ITEMS:
            return self._items(node, out, depth)
        items = out[node.tag].value
        if expected is Outcome.EMPTIED:
            return not items
        assert isinstance(node.value, list)
        inside = b"\n".join(value for item in items for value in _leaves(item))
        if len(items) != len(node.value) or any(secret in inside for secret in SECRETS):
            return False
        if expected is Outcome.CONTENT:
            return STAYS in inside
        return all(self._is_dummied(source, item) for source, item in zip(node.value, items, strict=True))

    def _is_dummied(self, source: Sequence[Node], item: Dataset) -> bool:
        """Tell whether every attribute that could tell of somebody has another value, and is still there."""
        for node in source:
            if node.tag not in item:
                return False
            if isinstance(node.value, list):
                inner = item[node.tag].value
                if not all(self._is_dummied(*pair) for pair in zip(node.value, inner, strict=True)):
                    return False
            elif node.vr == "UI":
                if not self.witness.maps(node.value, _bytes(item, node.tag)):
                    return False
            elif node.vr in TEXT_VRS | {"DA", "PN"} and node.tag >> 8 != 0x0008_01:  # public codes say nothing
                new = _bytes(item, node.tag)
                if new in {b"", node.value} or not _is_valid(node.vr, new):
                    return False
        return True


def _is_cleaned(old: bytes, new: bytes) -> bool:
    """Tell whether the words stay and the identifier is gone."""
    words = old.replace(PATIENT_ID.encode("ascii"), b"").split()
    return SECRETS[0] not in new and all(word in new for word in words)


def _is_valid(vr: str, value: bytes) -> bool:
    pattern = _VALID_PATTERNS.get(vr)
    return bool(value) if pattern is None else pattern.fullmatch(value) is not None


def _bytes(ds: Dataset, tag: int) -> bytes:
    """Return a leaf's significant bytes."""
    raw = ds.get_item(tag)
    assert raw is not None
    value = raw.value
    if value is None:
        return b""
    assert isinstance(value, bytes), f"{tag:08X}"
    return value if raw.VR in {"OB", "OW", "UN", "US"} else value.rstrip(b" \0")


def _leaves(ds: Dataset) -> Iterator[bytes]:
    for tag in list(ds.keys()):
        if ds.get_item(tag).VR == "SQ":  # type: ignore[union-attr]
            for item in ds[tag].value:
                yield from _leaves(item)
        else:
            yield _bytes(ds, tag)


def _day(value: bytes) -> date:
    return date(int(value[:4]), int(value[4:6]), int(value[6:8]))


def _seen(node: Node, out: Dataset) -> str:
    """Say what is there without saying its value."""
    if node.tag not in out:
        return "nothing"
    if isinstance(node.value, list):
        return f"{len(out[node.tag].value)} items of {len(node.value)}"
    new = _bytes(out, node.tag)
    return "an empty value" if not new else "the source's value" if new == node.value else "another value"

"""What becomes of each element of a file, and why: the rows of `deid-node explain`."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from pydicom._private_dict import private_dictionaries

from deid.actions import Action
from deid.elements.dummies import DUMMY_BY_TAG, DUMMY_BY_VR
from deid.elements.marks import MARKS
from deid.elements.private import block_of, block_of_creator, creator_name, disclosed, is_creator
from deid.elements.pseudonyms import PATIENT_ID, value_text
from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.reader import read_data_set, read_part10
from deid.encoding.syntax import transfer_syntax
from deid.encoding.tags import SPECIFIC_CHARACTER_SET
from deid.encoding.text import decode_lenient
from deid.engine import deidentify, explain, explain_header
from deid.errors import Refused, SeriesNeeded
from deid.instance import Instance
from deid.search import TEXT_VRS
from deid.standard.private import private_rows
from deid.table import attribute_name, private_name, tag_text
from node.faces import without_faces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.context import Context
    from deid.encoding.element import Buffer
    from deid.report import Finding, PixelReport, Seen

ADDED, WITH_ITS_SEQUENCE = "+", "-"
"""Actions that no table has: the element is new; what happened to the Sequence around it happened to it."""

_PRIVATE = 0x10000
_CHARACTER_VRS = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_LONGEST_VALUE = 64
_MARKS_SOURCE = "de-identification attributes"
_FIRST_OVERLAY, _LAST_OVERLAY = 0x6000_0000, 0x60FF_FFFF
_NONE = DataSet()
_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)")
_PIXEL_DATA = (0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010)
_TAGS_OF_STEPS = {"faces": _PIXEL_DATA}


@dataclass(frozen=True, slots=True)
class Row:
    """One element.

    Attributes
    ----------
    path
        tags of the enclosing sequences, outermost first, then its own
    items
        of each enclosing sequence the number of the item, from 1
    vr
        as it came
    action, source
        what was to be done, and which row, option or override says so
    result
        what became of it: kept, empty (as it came), emptied, removed, dummy, pseudonym, shifted, capped, mapped,
        cleaned, rebuilt or added
    creator
        of a private element the Private Creator, which may be any text of the instance: see `is_known_creator`
    before, after
        values as text; patient data
    seen
        what was found in its texts: kinds, finders and confidences, never what it is
    """

    path: tuple[int, ...]
    items: tuple[int, ...]
    vr: str
    action: str
    result: str
    source: str
    creator: str = ""
    before: str = ""
    after: str = ""
    seen: tuple[Seen, ...] = ()

    @property
    def keyword(self) -> str:
        """The attribute's keyword in PS3.6; of a private element the name in pydicom's dictionary, if it has one."""
        tag = self.path[-1]
        if not tag & _PRIVATE:
            return attribute_name(tag) or "unknown"
        return "PrivateCreator" if is_creator(tag) else private_name(self.creator, tag)

    @property
    def place(self) -> str:
        """Its path: ``(0040,0275)[1].(0040,0007)``."""
        return place_text(self.path, self.items)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of an instance.

    Attributes
    ----------
    needs_series
        whether it could show a face, and is only cleaned together with its series; the rest is as if that were not so
    """

    sop_class_uid: str
    transfer_syntax: str
    rows: tuple[Row, ...]
    pixels: PixelReport | None = None
    needs_series: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """An attribute that a refusal names, and where the instance has it."""

    tag: int
    places: tuple[str, ...]


def explanation(file: Buffer, context: Context) -> Explanation:
    """Explain one file, element by element.

    Raises
    ------
    Refused
        It is no DICOM file, or it would not be cleaned.
    """
    part10 = read_part10(file, context.limits)
    instance = Instance(part10.transfer_syntax, part10.data_set_bytes)
    try:
        return _explained(instance, context)
    except SeriesNeeded:
        return replace(_explained(instance, without_faces(context)), needs_series=True)


def _explained(instance: Instance, context: Context) -> Explanation:
    findings = deque(explain(instance, context))
    result = deidentify(instance, context)
    clean = result.clean
    after = read_data_set(b"".join(clean.chunks), clean.transfer_syntax, context.limits)
    before = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    little_endian = transfer_syntax(instance.transfer_syntax).little_endian
    walk = _Walk(findings, clean.patient_id.encode("ascii", "replace"), little_endian)
    found = list(walk.rows(before, after, (), ()))
    added = (element for tag, element in after.elements.items() if tag not in before.elements)
    found += [_added(element, after) for element in added]
    found.sort(key=lambda row: row.path[0])  # stable: the elements of a sequence stay together
    return Explanation(clean.sop_class_uid, instance.transfer_syntax, tuple(found), result.report.pixels)


def header_rows(instance: Instance, context: Context) -> list[Row]:
    """Say of each element what would be done to it, also of an instance that is refused for its pixels or at the end.

    Raises
    ------
    Refused
        If its elements can't be read or cleaned.
    """
    found, after = explain_header(instance, context)
    before = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    little_endian = transfer_syntax(instance.transfer_syntax).little_endian
    walk = _Walk(deque(found), value_text(after, PATIENT_ID).encode("ascii", "replace"), little_endian)
    rows = list(walk.rows(before, after, (), ()))
    rows += [_added(element, after) for tag, element in after.elements.items() if tag not in before.elements]
    return sorted(rows, key=lambda row: row.path[0])


def source_rows(instance: Instance, context: Context) -> list[Row]:
    """Return the elements of an instance, of which nothing is known but what they are.

    Raises
    ------
    Refused
        If they can't be read.
    """
    before = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    walk = _Walk(deque(), b"", little_endian=transfer_syntax(instance.transfer_syntax).little_endian)
    rows = walk.rows(before, _NONE, (), ())
    return [replace(row, action="", result="", source="") for row in rows]


def spots(file: Buffer, refused: Refused, context: Context) -> list[Spot]:
    """Return the attributes that a refusal is about, with their places if the file can be read so far."""
    tags = [int(group + element, 16) for group, element in _TAG.findall(refused.detail)]
    try:
        part10 = read_part10(file, context.limits)
        data_set = read_data_set(part10.data_set_bytes, part10.transfer_syntax, context.limits)
    except Refused:
        return [Spot(tag, ()) for tag in tags]
    tags += [tag for tag in _TAGS_OF_STEPS.get(refused.detail, ()) if tag in data_set.elements]
    return [Spot(tag, tuple(_places(data_set, tag, (), ()))) for tag in tags]


def place_text(path: tuple[int, ...], items: tuple[int, ...]) -> str:
    """Return a path as text: ``(0040,0275)[1].(0040,0007)``."""
    around = [f"{tag_text(tag)}[{number}]" for tag, number in zip(path, items, strict=False)]
    return ".".join([*around, tag_text(path[-1])])


@cache
def is_known_creator(creator: str) -> bool:
    """Tell whether a list or a dictionary has a Private Creator: then it names a product, not a person."""
    return creator.casefold() in _known_creators()


@cache
def _known_creators() -> frozenset[str]:
    listed = {row.creator for row in private_rows()}
    return frozenset(creator.casefold() for creator in listed | set(private_dictionaries))


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through source, result and findings in step: the findings are in the order of the source's elements."""

    findings: deque[Finding]
    pseudonym: bytes
    little_endian: bool

    def rows(
        self, before: DataSet, after: DataSet, path: tuple[int, ...], items: tuple[int, ...], around: str = ""
    ) -> Iterator[Row]:
        """Yield a row for each element, those of items after their Sequence; `around` is the action of the latter."""
        creators: dict[int, str] = {}
        for tag, element in before.elements.items():
            here = (*path, tag)
            kept = after.elements.get(tag)
            finding = self.findings.popleft() if self.findings and self.findings[0].path == here else None
            done = finding.action if finding else around
            action, result, source = self._said(element, kept, finding, path, done)
            creator = _creator(element, creators) if tag & _PRIVATE else ""
            texts = (_shown(element, before), "" if kept is None else _shown(kept, after))
            seen = finding.seen if finding else ()
            yield Row(here, items, element.vr, action, result, source, creator, *texts, seen)
            cleaned = kept.value if kept is not None and isinstance(kept.value, list) else []
            for number, item in enumerate(self._items(element, before, here)):
                counterpart = cleaned[number] if number < len(cleaned) else _NONE
                yield from self.rows(item, counterpart, here, (*items, number + 1), done)

    def _said(
        self, element: Element, kept: Element | None, finding: Finding | None, path: tuple[int, ...], done: str
    ) -> tuple[str, str, str]:
        """Return action, result and source of an element."""
        if (*path, element.tag)[0] in MARKS:
            return (WITH_ITS_SEQUENCE, "removed", _with(path)) if path else (ADDED, "added", _MARKS_SOURCE)
        result = _result(element, kept, done, self.pseudonym)
        if finding is None:
            return WITH_ITS_SEQUENCE, result, _with(path)
        is_overlay = _FIRST_OVERLAY <= element.tag <= _LAST_OVERLAY
        if result == "removed" and finding.action == Action.K and is_overlay:
            return finding.action, result, "overlay without its data"
        return finding.action, result, finding.source

    def _items(self, element: Element, owner: DataSet, here: tuple[int, ...]) -> list[DataSet]:
        """Return the items of a Sequence, also of one that came as UN and was looked into."""
        if isinstance(element.value, list):
            return element.value
        if not self.findings or self.findings[0].path[: len(here)] != here:
            return []
        sequence = disclosed(element, "SQ", owner.charset, little_endian=self.little_endian)
        return sequence.value if sequence is not None and isinstance(sequence.value, list) else []


def _with(path: tuple[int, ...]) -> str:
    """Return the source of what happens to an element because of the Sequence around it."""
    return f"with {tag_text(path[-1])}" if path else "unknown"


def _creator(element: Element, creators: dict[int, str]) -> str:
    """Return the creator of a private element; note those that come by."""
    if is_creator(element.tag):
        creators[block_of_creator(element.tag)] = creator_name(element)
        return creator_name(element)
    return creators.get(block_of(element.tag), "")


def _added(element: Element, owner: DataSet) -> Row:
    source = "character_set utf-8" if element.tag == SPECIFIC_CHARACTER_SET else _MARKS_SOURCE
    return Row((element.tag,), (), element.vr, ADDED, "added", source, after=_shown(element, owner))


def _result(before: Element, after: Element | None, action: str, pseudonym: bytes) -> str:
    if after is None:
        return "removed"
    if not isinstance(after.value, Fragments) and not len(after.value):
        return "emptied" if isinstance(before.value, Fragments) or len(before.value) else "empty"
    if isinstance(after.value, list):
        return "kept"
    if isinstance(before.value, list | Fragments) or isinstance(after.value, Fragments):
        return "kept" if before.value == after.value else "rebuilt"
    old, new = (bytes(value).strip(b" \0") for value in (before.value, after.value))
    if old == new:
        return "kept"
    return "pseudonym" if new == pseudonym else _replacement(after, action)


def _replacement(after: Element, action: str) -> str:
    """Name what stands for a value now."""
    value = bytes(after.value)  # type: ignore[arg-type]  # a leaf
    dummy = DUMMY_BY_TAG.get(after.tag, DUMMY_BY_VR.get(after.vr, b""))
    if value.strip(b" \0") == dummy.strip(b" \0"):
        return "dummy"
    if after.vr == "UI" or action == Action.U:
        return "mapped"
    by_vr = {"DA": "shifted", "DT": "shifted", "AS": "capped"}
    if action == Action.C:
        return by_vr.get(after.vr, "shifted" if after.tag & _PRIVATE else "cleaned")
    return "rebuilt" if action == Action.K else "mapped"


def _places(data_set: DataSet, wanted: int, path: tuple[int, ...], items: tuple[int, ...]) -> Iterator[str]:
    for tag, element in data_set.elements.items():
        if tag == wanted:
            yield place_text((*path, tag), items)
        if isinstance(element.value, list):
            for number, item in enumerate(element.value, start=1):
                yield from _places(item, wanted, (*path, tag), (*items, number))


def _shown(element: Element, owner: DataSet) -> str:
    """Return a value as one short line without control characters."""
    if isinstance(element.value, list):
        return f"{len(element.value)} items"
    if isinstance(element.value, Fragments):
        return f"{len(element.value.items)} fragments"
    if element.vr not in _CHARACTER_VRS:
        return f"{len(element.value)} bytes"
    text, _ = decode_lenient(bytes(element.value[:1024]), element.vr, owner.charset)
    line = "".join(character if character.isprintable() else " " for character in text).strip()
    return line if len(line) <= _LONGEST_VALUE else f"{line[: _LONGEST_VALUE - 3]}..."

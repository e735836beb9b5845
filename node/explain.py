"""What becomes of each element of a file, and why: the rows of `deid-node explain`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.datadict import keyword_for_tag

from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.reader import read_data_set, read_part10
from deid.encoding.text import decode_lenient
from deid.engine import deidentify, explain
from deid.instance import Instance
from deid.search import TEXT_VRS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.context import Context
    from deid.encoding.element import Buffer
    from deid.report import Finding

_CHARACTER_VRS = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_LONGEST_VALUE = 64
_NONE = DataSet()


@dataclass(frozen=True, slots=True)
class Row:
    """One element.

    Attributes
    ----------
    path
        tags of the enclosing sequences, outermost first, then its own
    action, source
        what was to be done, and which row, option or override says so; ``+`` for an element that was added
    effect
        kept, replaced, emptied, removed, added, or sequence for one whose items follow
    before, after
        values as text; patient data
    """

    path: tuple[int, ...]
    vr: str
    action: str
    effect: str
    source: str
    before: str = ""
    after: str = ""

    @property
    def keyword(self) -> str:
        """The attribute's keyword in PS3.6, or what is known instead."""
        return "private" if self.path[-1] >> 16 & 1 else keyword_for_tag(self.path[-1]) or "unknown"


def rows(file: Buffer, context: Context) -> list[Row]:
    """Explain one file, element by element.

    Raises
    ------
    Refused
        It is no DICOM file, or it would not be cleaned.
    """
    part10 = read_part10(file, context.limits)
    instance = Instance(part10.transfer_syntax, part10.data_set_bytes)
    findings = deque(explain(instance, context))
    clean = deidentify(instance, context).clean
    after = read_data_set(b"".join(clean.chunks), clean.transfer_syntax, context.limits)
    before = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    found = list(_walk(before, after, findings, ()))
    added = (element for tag, element in after.elements.items() if tag not in before.elements)
    found += [_added(element, after) for element in added]
    return sorted(found, key=lambda row: row.path[0])  # stable: the elements of a sequence stay together


def _walk(before: DataSet, after: DataSet, findings: deque[Finding], path: tuple[int, ...]) -> Iterator[Row]:
    """Go through source, result and findings in step: the findings are in the order of the source's elements."""
    for tag, element in before.elements.items():
        here = (*path, tag)
        if not findings or findings[0].path != here:
            continue  # nobody looked at it: an element around it was removed
        finding = findings.popleft()
        kept = after.elements.get(tag)
        yield Row(
            here,
            element.vr,
            finding.action,
            _effect(element, kept),
            finding.source,
            _shown(element, before),
            "" if kept is None else _shown(kept, after),
        )
        if isinstance(element.value, list):
            cleaned = kept.value if kept is not None and isinstance(kept.value, list) else []
            for number, item in enumerate(element.value):
                yield from _walk(item, cleaned[number] if number < len(cleaned) else _NONE, findings, here)


def _added(element: Element, owner: DataSet) -> Row:
    return Row((element.tag,), element.vr, "+", "added", "de-identification attributes", after=_shown(element, owner))


def _effect(before: Element, after: Element | None) -> str:
    if after is None:
        return "removed"
    if isinstance(after.value, list):
        return "sequence" if after.value or not before.value else "emptied"
    if isinstance(after.value, Fragments) or isinstance(before.value, list | Fragments):
        return "kept" if type(after.value) is type(before.value) else "replaced"
    old, new = (bytes(value).strip(b" \0") for value in (before.value, after.value))
    if old == new:
        return "kept"
    return "replaced" if new else "emptied"


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

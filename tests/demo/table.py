"""Before and after, attribute by attribute, over all instances that went through."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

_WIDTHS = (34, 5, 8, 8, 8, 34, 34)
_TITLES = ("attribute", "in", "removed", "emptied", "changed", "before (example)", "after")
_FIRST = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "AccessionNumber", "StudyDate")


@dataclass
class Row:
    """One attribute over all instances."""

    present: int = 0
    removed: int = 0
    emptied: int = 0
    changed: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


def rows(pairs: Iterable[tuple[Dataset, Dataset]]) -> dict[str, Row]:
    """Compare sources with what became of them, at all depths of sequences."""
    table: dict[str, Row] = {}
    for before, after in pairs:
        _compare(before, after, "", table)
    return table


def _compare(before: Dataset, after: Dataset | None, path: str, table: dict[str, Row]) -> None:
    for tag, old in _elements(before):
        name = path + _name(tag)
        new = after[tag] if after is not None and tag in after else None
        if old.VR == "SQ" and new is not None and new.VR == "SQ":
            items = list(new.value)
            for number, item in enumerate(old.value):
                _compare(item, items[number] if number < len(items) else None, f"{name}/", table)
            continue
        _count(table.setdefault(name, Row()), _text(old), None if new is None else _text(new))


def _elements(ds: Dataset) -> Iterator[tuple[object, object]]:
    for tag in sorted(ds.keys()):
        with contextlib.suppress(Exception), warnings.catch_warnings():  # a value that pydicom can't read has no text
            warnings.simplefilter("ignore")
            yield tag, ds[tag]


def _name(tag: object) -> str:
    number = int(str(tag).strip("()").replace(",", "").replace(" ", ""), 16)
    if number >> 16 & 1:
        return f"private ({number >> 16:04x},xx{number & 0xFF:02x})"
    return keyword_for_tag(number) or f"({number >> 16:04x},{number & 0xFFFF:04x})"


def _text(element: object) -> str:
    value = element.value
    if value is None:
        return ""
    if element.VR == "SQ":
        return f"{len(value)} items"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)


def _count(row: Row, before: str, after: str | None) -> None:
    row.present += 1
    if after == before:
        return
    if after is None:
        row.removed += 1
    elif not after:
        row.emptied += 1
    else:
        row.changed += 1
    if before:
        row.examples.append((before, "(removed)" if after is None else after or "(empty)"))


def render(table: dict[str, Row], limit: int) -> Iterator[str]:
    """Yield the lines of a table of what changed: the patient first, then the most frequent."""
    touched = {name: row for name, row in table.items() if row.removed or row.emptied or row.changed}
    order = sorted(touched, key=lambda name: (_rank(name), -touched[name].present, name))
    yield _line(_TITLES)
    yield _line(tuple("─" * width for width in _WIDTHS))
    for name in order[:limit]:
        row = touched[name]
        before, after = row.examples[0] if row.examples else ("", "")
        yield _line((name, row.present, row.removed, row.emptied, row.changed, before, after))
    if len(order) > limit:
        yield f"… and {len(order) - limit} more attributes that were removed, emptied or changed (--all shows them)."
    yield f"{len(table) - len(touched)} attributes went through as they were."


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST) + name.count("/")


def _line(cells: tuple[object, ...]) -> str:
    return "  ".join(_fit(str(cell), width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _fit(text: str, width: int) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return (text if len(text) <= width else text[: width - 1] + "…").ljust(width)

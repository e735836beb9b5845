"""Plain text that lines up: no escape sequences, 100 columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

WIDTH = 100
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+")


def aligned(rows: Iterable[Sequence[str]], gap: int = 2) -> Iterator[str]:
    """Yield rows as lines whose cells begin in the same columns; the last cell may be of any length."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in cells), strict=True)]
    for row in cells:
        padded = (cell.ljust(width + gap) for cell, width in zip(row[:-1], widths, strict=True))
        yield f"{''.join(padded)}{row[-1]}".rstrip()


def broken(keyword: str, width: int) -> list[str]:
    """Break a keyword between its words so that no line is wider than `width`."""
    lines = [""]
    for word in _WORD.findall(keyword):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("  ")
        lines[-1] += word
    return lines


def paragraph(items: Iterable[str], indent: int, separator: str = ",") -> list[str]:
    """Return items in lines that leave room for an indent; none of them is broken."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(separator) + 1 + len(item) > WIDTH - indent - len(separator):
            lines[-1] += separator
            lines.append("")
        lines[-1] += f"{separator} {item}" if lines[-1] else item
    return lines

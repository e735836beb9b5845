"""What becomes of one instruction of another tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from node.layout import aligned


class Fidelity(StrEnum):
    """How much of an instruction is carried over."""

    CARRIED = "carried over"
    """The same is done here."""
    NEARLY = "nearly"
    """Something else is done here that protects at least as well; the note says what."""
    NODE = "by the node"
    """This node does that anyway, or it belongs into node.toml."""
    LOST = "not carried over"
    """It can't be said here; what is done instead protects at least as well, or it only ever added something."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of what a person should know of an import.

    Attributes
    ----------
    where
        the element, template or setting
    said
        what the script says there, in one line
    fidelity
        how much of that is carried over
    note
        what is done instead
    """

    where: str
    said: str
    fidelity: Fidelity
    note: str

    def line(self) -> str:
        """Return it as one line that can stand in a comment, whatever the script says."""
        return one_line(f"{self.fidelity}: {self.where}: {self.said}: {self.note}", _LONGEST_LINE)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a function or condition of the other tool's language."""

    function: str
    fidelity: Fidelity


@dataclass(frozen=True, slots=True)
class Imported:
    """A file for this node, made of another tool's.

    Attributes
    ----------
    kind
        what the file was, in words
    toml
        what to write
    uses
        each use of a function
    remarks
        what isn't carried over as it stands
    summary
        what there is now, in lines
    """

    kind: str
    toml: str
    uses: tuple[Use, ...]
    remarks: tuple[Remark, ...]
    summary: tuple[str, ...]


_LONGEST_QUOTE, _LONGEST_LINE = 60, 400


def one_line(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Return a text without line breaks and control characters, cut where it is too long."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def coverage(uses: Iterable[Use]) -> Iterator[str]:
    """Yield a table: each function, how often it is used, and how it was carried over."""
    counts: dict[str, dict[Fidelity, int]] = {}
    for use in uses:
        row = counts.setdefault(use.function, dict.fromkeys(Fidelity, 0))
        row[use.fidelity] += 1
    rows = [("function", "used", *Fidelity)]
    for function, row in sorted(counts.items()):
        rows.append((function, str(sum(row.values())), *(str(row[each] or "-") for each in Fidelity)))
    total = {each: sum(row[each] for row in counts.values()) for each in Fidelity}
    rows.append(("all", str(sum(total.values())), *(str(total[each]) for each in Fidelity)))
    yield from aligned(rows)


def remark_lines(remarks: Iterable[Remark]) -> Iterator[str]:
    """Yield the remarks as aligned lines, those that lose most first."""
    order = list(reversed(Fidelity))
    found = sorted(remarks, key=lambda remark: order.index(remark.fidelity))
    yield from aligned([(each.fidelity.value, each.where, each.said, each.note) for each in found])

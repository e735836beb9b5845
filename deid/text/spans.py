"""Parts of a text that identify somebody, and how what several finders say is made one."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class SpanKind(StrEnum):
    """What a span is, which decides what becomes of it."""

    NAME = "name"
    ID = "id"
    PLACE = "place"
    CONTACT = "contact"
    DATE = "date"
    UID = "uid"
    AGE = "age"


REPLACED = frozenset({SpanKind.DATE, SpanKind.UID, SpanKind.AGE})
"""Kinds that something else is written for; the others are taken out."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text; it says where, never what.

    Attributes
    ----------
    start, end
        of the half-open range, in characters
    kind
        what it is
    finder
        who found it; several with ``+`` between them
    confidence
        how probable it is, from 0 to 1, if the finder doubts at all
    """

    start: int
    end: int
    kind: SpanKind
    finder: str
    confidence: float | None = None


class Finder(Protocol):
    """Looks for what identifies somebody in a text."""

    @property
    def name(self) -> str:
        """How explanations call it."""

    def find(self, text: str) -> list[Span]:
        """Return the spans of `text`, in any order; they may overlap."""


_KNOWN, _PATTERNS = "known", "patterns"
_BETWEEN_PARTS_OF_ONE = re.compile(r"[\s,;^_./=&+'\u2019-]{0,3}")


def united(text: str, spans: Iterable[Span]) -> list[Span]:
    """Return disjoint spans in ascending order that cover the same characters.

    A span that something else is written for stays what it is if it covers all that it overlaps with and isn't
    equal to a name or an ID; what is partly of one and partly of another kind is taken out. Parts of one name or one
    address that only punctuation keeps apart become one.
    """
    out: list[Span] = []
    for span in sorted(_without_crossing_dates(list(spans)), key=lambda span: (span.start, -span.end)):
        if out and span.start < out[-1].end:
            out[-1] = _merged(out[-1], span)
        elif out and _belong_together(text, out[-1], span):
            out[-1] = _joined(out[-1], span, out[-1].kind)
        else:
            out.append(span)
    return out


def _without_crossing_dates(spans: list[Span]) -> list[Span]:
    """Drop a known date made of parts of two that were read as dates: it is theirs."""
    read = sorted((span.start, span.end) for span in spans if span.kind is SpanKind.DATE and span.finder == _PATTERNS)
    if not read:
        return spans
    return [span for span in spans if not _crosses(span, read)]


def _crosses(span: Span, ranges: list[tuple[int, int]]) -> bool:
    """Tell whether a known date overlaps with one of the ranges and isn't equal to it."""
    if span.kind is not SpanKind.DATE or span.finder != _KNOWN:
        return False
    at = bisect_left(ranges, (span.start, span.end))
    near = ranges[max(0, at - 1) : at + 2]
    return any(start < span.end and span.start < end and (start, end) != (span.start, span.end) for start, end in near)


def _merged(one: Span, other: Span) -> Span:
    """Return one span for two that overlap; `one` starts first, or at the same place and isn't shorter."""
    if one.kind is other.kind:
        return _joined(one, other, one.kind)
    is_within = other.end <= one.end
    is_same = is_within and one.start == other.start and one.end == other.end
    if one.kind in REPLACED and is_within and not is_same:
        return one
    kind = next((span.kind for span in (one, other) if span.kind not in REPLACED), SpanKind.ID)
    return _joined(one, other, kind)


def _joined(one: Span, other: Span, kind: SpanKind) -> Span:
    finders = dict.fromkeys([*one.finder.split("+"), *other.finder.split("+")])
    confidences = [each.confidence for each in (one, other) if each.confidence is not None]
    return Span(one.start, max(one.end, other.end), kind, "+".join(sorted(finders)), max(confidences, default=None))


def _belong_together(text: str, one: Span, other: Span) -> bool:
    if one.kind is not other.kind or one.kind in REPLACED:
        return False
    return other.start - one.end <= 3 and _BETWEEN_PARTS_OF_ONE.fullmatch(text, one.end, other.start) is not None

"""A text without its spans, and without the gaps they would leave."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from deid.text.dates import DateText, find_dates, moved_day, read_date, shifted
from deid.text.spans import Span, SpanKind

MOST_PAIRS = 8
_OVER = "90+"
_AS_AGE = "090Y"
_SPACES = " \t\r\n\f\xa0"
_LABEL_MARKS = ":#="
_SEPARATORS = frozenset(_SPACES + ",;/|^_-\u2013\u2014&+*~" + _LABEL_MARKS)
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", '"': '"', "'": "'", "\u201e": "\u201c", "\u00ab": "\u00bb"}
_OPENINGS = frozenset("([{<")
_ENDS = frozenset(".;!?)]}>")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_POSSESSIVE = re.compile(r"['\u2019]s(?![^\W_]|-)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Replacing:
    """What is written for dates and UIDs.

    Attributes
    ----------
    dates
        the patient's dates as ``YYYYMMDD``
    shift_days
        by how much dates are moved; None if they are taken out
    map_uid
        UID → the UID that stands for it
    """

    dates: Collection[str]
    shift_days: int | None
    map_uid: Callable[[str], str]


def redacted(text: str, spans: Iterable[Span], how: Replacing) -> str:
    """Return `text` with each span replaced or taken out.

    Parameters
    ----------
    text
        the text
    spans
        disjoint, in ascending order
    how
        what stands for dates and UIDs
    """
    dates: dict[tuple[int, int], DateText] | None = None
    pieces: list[str] = []  # alternately what stays and, between two, a gap
    position = 0
    current: list[str] = []
    for span in spans:
        if span.kind is SpanKind.DATE and dates is None:
            dates = {(dated.start, dated.end): dated for dated in find_dates(text, how.dates)}
        new = _replacement(text, span, how, dates or {})
        current.append(text[position : span.start])
        position = span.end
        if new is None:
            pieces.append("".join(current))
            current = []
        else:
            current.append(new)
    current.append(text[position:])
    pieces.append("".join(current))
    return _joined(pieces)


def _replacement(text: str, span: Span, how: Replacing, dates: dict[tuple[int, int], DateText]) -> str | None:
    """Return what is written for a span; None if nothing is."""
    part = text[span.start : span.end]
    if span.kind is SpanKind.UID:
        return how.map_uid(part)
    if span.kind is SpanKind.AGE:
        is_string = text[span.start - 1 : span.start] == "0" and text[span.end : span.end + 1] == "Y"
        return _AS_AGE[1:3] if is_string else _OVER
    if span.kind is not SpanKind.DATE or how.shift_days is None:
        return None
    dated = dates.get((span.start, span.end))
    if dated is not None:
        return _moved(text, dated, how)
    dated = read_date(part, how.dates)
    return None if dated is None else _moved(part, dated, how)


def _moved(text: str, dated: DateText, how: Replacing) -> str | None:
    """Move a date, unless it becomes, by chance, another date of the patient."""
    days = how.shift_days or 0
    day = moved_day(dated, days)
    if day is None or day.strftime("%Y%m%d") in how.dates:
        return None
    return shifted(text, dated, days) if days else text[dated.start : dated.end]


# What is left around a gap


def _joined(pieces: list[str]) -> str:
    """Put together what stays, with the one separator that stays between two pieces."""
    pieces = _without_bare_separators(pieces)
    left = pieces[0]
    out: list[str] = []
    for index, piece in enumerate(pieces[1:], 2):
        left, right = _without_pair(left, piece)
        if out and not left.strip(_SPACES):  # brackets around a gap went with it: this gap and the one before are one
            left = out.pop() + left
        is_start = not any(out) and not _LETTER_OR_DIGIT.search(left)
        left, between, right = _between(left, right, is_start=is_start, is_last=index == len(pieces))
        out.append(left + between)
        left = right
    out.append(left)
    return "".join(out)


def _without_bare_separators(pieces: list[str]) -> list[str]:
    """Make one gap of two that only separators are between; take away a possessive whose name is gone."""
    out = pieces[:1]
    before = ""
    for number, piece in enumerate(pieces[1:], 2):
        possessive = _POSSESSIVE.match(piece)
        rest = piece[possessive.end() :] if possessive else piece
        if number < len(pieces) and _SEPARATORS.issuperset(rest):
            before = _chosen(before, rest) if before else rest
        else:
            out.append(before + rest)
            before = ""
    return out


def _without_pair(left: str, right: str) -> tuple[str, str]:
    """Take away brackets or quotes that only the gap is in."""
    for _ in range(MOST_PAIRS):
        before, after = left.rstrip(_SPACES + ",;:"), right.lstrip(_SPACES + ",;.")
        closing = _PAIRS.get(before[-1:], "")
        if not closing or not after.startswith(closing):
            return left, right
        left, right = before[:-1], after[1:]
    return left, right


def _between(left: str, right: str, *, is_start: bool, is_last: bool) -> tuple[str, str, str]:
    """Return what stays before the gap, one separator of those around it, and what stays after it."""
    body_end, body_start = _end_of_body(left), _start_of_body(right)
    one, other = left[body_end:], right[:body_start]
    left, right = left[:body_end], right[body_start:]
    if not right and is_last:
        return left, _closing(other), ""
    if is_start and not left:
        return "", "", right.lstrip(".") if right[:1] == "." else right
    one = one.rstrip(_SPACES).rstrip(_LABEL_MARKS) + _last_space(one)
    if left and left[-1] in _OPENINGS:
        return left, "", right
    if right and right[0] in _ENDS:
        return left, "", right
    return left, _chosen(one, other), right


def _closing(separator: str) -> str:
    """Return what stays of the separator at the end of a text: the end of its line."""
    return "\n" if separator.endswith("\n") and not separator.strip() else ""


def _end_of_body(text: str) -> int:
    end = len(text)
    while end and text[end - 1] in _SEPARATORS:
        end -= 1
    return end


def _start_of_body(text: str) -> int:
    start = 0
    while start < len(text) and text[start] in _SEPARATORS:
        start += 1
    return start


def _last_space(separator: str) -> str:
    return separator[len(separator.rstrip(_SPACES)) :]


def _chosen(one: str, other: str) -> str:
    """Choose one of the separators on both sides of a gap: a line's end, then a mark, then a blank."""
    for separator in (one, other):
        if "\n" in separator or "\r" in separator:
            return separator
    marks = [separator for separator in (one, other) if separator.strip(_SPACES)]
    if marks:
        return _single(marks[0])
    return next((separator[0] for separator in (one, other) if separator), "")


def _single(separator: str) -> str:
    """Return one mark of a separator with the blanks around it."""
    core = separator.strip(_SPACES)
    before = separator[: len(separator) - len(separator.lstrip(_SPACES))][-1:]
    after = _last_space(separator)[:1]
    return before + core[0] + after

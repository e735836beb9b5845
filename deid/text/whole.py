"""What belongs to a name or a place that was found, and is too faint to be found itself.

A network is sure of *Wendel* in *Spital Wendel*, and in doubt of *Spital*, which stands in every other text, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from deid.text.spans import Span, SpanKind
from deid.vocabulary import belongs

_BEFORE = re.compile(r"(?<![\w'\u2019-])([^\W\d_]+)\.?[ \t]{1,2}\Z")
_BEHIND = re.compile(r"[ \t]{1,2}([^\W\d_]+)(?![\w'\u2019-])")
_INITIALS_BEHIND = re.compile(r",? ?(?:[^\W\d_]\.[ -]?){1,2}(?![^\W_])(?! [a-z])")
_INITIAL_BEHIND = re.compile(r"(?:,|,? )([B-EGHJKN-QSU-Z])(?=\Z|  |[ \t]*[\n,;|)\]^])")
_INITIAL_AFTER_COMMA = re.compile(r",[A-Z](?![^\W_]|[.,]\d)")
_AND = re.compile(r" (?:and|en|et|und|y|e|i|og|och|&) ")
_WORD = re.compile(r"[^\W\d_]+")
_IN_HOSPITALS = frozenset({SpanKind.PLACE, SpanKind.NAME, SpanKind.ID, SpanKind.CONTACT})
_LONGEST = 32


def whole(text: str, found: Sequence[Span]) -> list[Span]:
    """Return what was found with the words right beside it that are a part of its name.

    Of a place that is the word of a ward or an institution, the title in the name of a practice, and the *and* between
    its partners; of a person what tells a son from his father, and initials.

    Parameters
    ----------
    text
        the text
    found
        what was found in it, in order, without overlaps
    """
    out: list[Span] = []
    for number, span in enumerate(found):
        floor = out[-1].end if out else 0
        ceiling = found[number + 1].start if number + 1 < len(found) else len(text)
        start, end = _start(text, span, floor), _end(text, span, ceiling)
        if out and _is_one_institution(text, out[-1], start, end):
            out[-1] = replace(out[-1], end=end)
        else:
            out.append(replace(span, start=start, end=end))
    return out


def _start(text: str, span: Span, floor: int) -> int:
    """Return where something begins that a word before belongs to: what is taken for a name may be a ward's, too."""
    before = _BEFORE.search(text, max(floor, span.start - _LONGEST), span.start)
    if before is None or span.kind not in _IN_HOSPITALS:
        return span.start
    kinds = ("wards", "institutions", "titles") if span.kind is SpanKind.PLACE else ("wards",)
    return before.start(1) if belongs(before[1], *kinds) else span.start


def _end(text: str, span: Span, ceiling: int) -> int:
    if span.kind is SpanKind.PLACE:
        return _end_of_place(text, span.end, ceiling)
    return _end_of_name(text, span, ceiling) if span.kind is SpanKind.NAME else span.end


def _is_one_institution(text: str, last: Span, start: int, end: int) -> bool:
    """Tell whether *and* stands between two parts of the name of one: ``Redlands and Burnley Hospitals``."""
    if last.kind is not SpanKind.PLACE or _AND.fullmatch(text, last.end, start) is None:
        return False
    first, words = _WORD.search(text, last.start, last.end), _WORD.findall(text, start, end)
    is_plural = any(belongs(word, "partners") for word in words)
    return is_plural or (first is not None and belongs(first.group(), "partnerships"))


def _end_of_place(text: str, end: int, ceiling: int) -> int:
    """Return where a place ends; one that an initial sticks to is rather a name: ``Schwarzenbach,E``."""
    behind = _BEHIND.match(text, end, ceiling)
    if behind is not None and belongs(behind[1], "wards_behind", "institutions_behind"):
        return behind.end()
    initial = _INITIAL_AFTER_COMMA.match(text, end, ceiling)
    return initial.end() if initial else end


def _end_of_name(text: str, span: Span, ceiling: int) -> int:
    """Return where a name ends that *Filho* or an initial follows, written as it is: *hijo* may be anybody's son."""
    behind = _BEHIND.match(text, span.end, ceiling)
    is_small = text[span.start : span.end].islower()
    if behind is not None and belongs(behind[1], "generations") and behind[1].islower() == is_small:
        return behind.end()
    initials = _INITIALS_BEHIND.match(text, span.end, ceiling) or _INITIAL_BEHIND.match(text, span.end, ceiling)
    return span.end + len(initials.group().rstrip()) if initials and initials.group().isupper() else span.end

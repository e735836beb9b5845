"""What belongs to a name or a place that was found, and is too faint to be found itself.

A network is sure of *Wendel* in *Spital Wendel*, and in doubt of *Spital*, which stands in every other text, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from deid.text.names import is_title
from deid.text.spans import Span, SpanKind
from deid.vocabulary import belongs

_BEFORE = re.compile(r"(?<![\w'\u2019-])([^\W\d_]+)\.?[ \t]{1,2}\Z")
_BEHIND = re.compile(r"[ \t]{1,2}([^\W\d_]+)(?![\w'\u2019-])")
_INITIALS_BEHIND = re.compile(r",? ?(?:[^\W\d_]\.[ -]?){1,2}(?![^\W_])(?! [a-z])")
_INITIAL_BEHIND = re.compile(r"(?:,|,? )([B-EGHJKN-QSU-Z])(?=\Z|  |[ \t]*[\n,;|)\]^])")
_INITIAL_AFTER_COMMA = re.compile(r",[A-Z](?![^\W_]|[.,]\d)")
_LONGEST = 32


def whole(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """Yield what was found with the words right beside it that are a part of its name.

    Of a place that is the word of a ward or an institution and the title in the name of a practice; of a person what
    tells a son from his father.

    Parameters
    ----------
    text
        the text
    found
        what was found in it, in order, without overlaps
    """
    floor = 0
    for number, span in enumerate(found):
        ceiling = found[number + 1].start if number + 1 < len(found) else len(text)
        start, end = span.start, span.end
        if span.kind is SpanKind.PLACE:
            start, end = _start_of_place(text, start, floor), _end_of_place(text, end, ceiling)
        elif span.kind is SpanKind.NAME:
            end = _end_of_name(text, span, ceiling)
        yield replace(span, start=start, end=end)
        floor = end


def _start_of_place(text: str, start: int, floor: int) -> int:
    before = _BEFORE.search(text, max(floor, start - _LONGEST), start)
    is_part = before is not None and (belongs(before[1], "wards", "institutions") or is_title(before[1]))
    return before.start(1) if before is not None and is_part else start


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
    return len(text[: initials.end()].rstrip()) if initials and initials.group().isupper() else span.end

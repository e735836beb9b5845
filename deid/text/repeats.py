"""A name that was found for certain in one place of a text is that name elsewhere in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deid.text.lexicon import COMBINATIONS, Known
from deid.text.spans import Span, SpanKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deid.text.network import Word

_NAME = re.compile(r"(?<![^\W_])[^\W\d_]{3,}(?![^\W_])")
_MEANT = Known.WORD | Known.EPONYM


def said_again(
    text: str, found: Sequence[Span], words: Iterable[Word], known: Callable[[str], int], sure: float, enough: float
) -> list[Span]:
    """Return where else the names stand that were found for certain.

    A word that means something else as well has to be in doubt: of *Dr. Baker drained the Baker cyst* the cyst stays.

    Parameters
    ----------
    text
        the text
    found
        what a network found in it, in order
    words
        what it doubts there
    known
        tells what the lexicon knows of a word
    sure
        how probable a name must be
    enough
        and elsewhere, if it means something else as well

    Returns
    -------
    list of Span
        Of names, in order; none overlaps with what was found.
    """
    words = list(words)
    said = _said(text, found, words, sure)
    if not said:
        return []
    doubted = {(word.start, word.end) for word in words if word.probability >= enough}
    taken = {at for span in found for at in range(span.start, span.end)}
    out: list[Span] = []
    for match in _NAME.finditer(text):
        source = said.get(match.group().casefold())
        if source is None or match.start() in taken or (match.group().islower() and not source[1]):
            continue
        if match.span() in doubted or _means_nothing_else(known(match.group())):
            out.append(Span(*match.span(), SpanKind.NAME, source[0].finder, source[0].confidence))
    return out


def _said(text: str, found: Sequence[Span], words: list[Word], sure: float) -> dict[str, tuple[Span, bool]]:
    """Return the certain words of names, case-folded, where they were found, and whether in small letters."""
    names = [span for span in found if span.kind is SpanKind.NAME]
    out: dict[str, tuple[Span, bool]] = {}
    at = 0
    for word in words:
        while at < len(names) and names[at].end <= word.start:
            at += 1
        if at == len(names):
            break
        written = text[word.start : word.end]
        is_name = word.label == "NAME" and word.probability >= sure and names[at].start <= word.start
        if is_name and _NAME.fullmatch(written):
            before = out.get(written.casefold())
            out[written.casefold()] = (names[at], written.islower() or (before is not None and before[1]))
    return out


def _means_nothing_else(known: int) -> bool:
    return known >= COMBINATIONS or not known & _MEANT

"""What a dash between blanks or a comma parts is read apart.

A network that finds a number or an address takes a code beside it for a part of it: ``17.7 FC13 - 4646745``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING

from deid.text.spans import Span, SpanKind
from deid.vocabulary import is_common, is_vocabulary

if TYPE_CHECKING:
    from deid.text.network import Word

APART = re.compile(r"[ \t]+[-\u2013\u2014|][ \t]+")

_READ_APART = re.compile(APART.pattern + r"|[,;][ \t]+")
_NUMBERED = frozenset({SpanKind.ID, SpanKind.PLACE, SpanKind.CONTACT})
_WORD = re.compile(r"[^\W_]+")
_SHORT_CHARS = 3
_ENOUGH_SIDES = 2  # of them, one is always another
_Side = tuple[int, int]
_start, _end = itemgetter(0), itemgetter(1)


def told_apart(
    text: str, found: list[Span], read: Callable[[str], tuple[Word, ...]], enough: float, sure: float
) -> list[Span]:
    """Take away of what was found what is harmless when its side is read alone, if another side has something certain.

    Only codes and words that mean something else go: who or what place is unknown is often only told by what stands
    beside it. What is all of its side stays, too.

    Parameters
    ----------
    text
        the text
    found
        what a network found in it, in order
    read
        the network
    enough
        how probable a word must be that stays
    sure
        and one that another may be harmless beside
    """
    if not any(span.kind in _NUMBERED for span in found) or not _READ_APART.search(text):
        return found
    doubts = cache(lambda side: _doubts(text, side, read))
    sides = list(_sides(text))
    pieces = [piece for span in found for piece in _pieces(text, span, sides)]
    harmless = [_may_go(text, side, piece) and _most(doubts(side), piece) < enough for side, piece in pieces]
    if not any(harmless):
        return found
    certain: set[_Side] = set()
    for side, piece in pieces:
        if len(certain) < _ENOUGH_SIDES and _most(doubts(side), piece) >= sure:
            certain.add(side)
    kept = [
        piece
        for (side, piece), is_harmless in zip(pieces, harmless, strict=True)
        if not is_harmless or not certain - {side}
    ]
    return found if len(kept) == len(pieces) else kept


def _may_go(text: str, side: _Side, piece: Span) -> bool:
    if piece.kind not in _NUMBERED or (piece.start, piece.end) == side:
        return False
    return all(
        len(word) <= _SHORT_CHARS or not word.isalpha() or is_vocabulary(word) or is_common(word)
        for word in _WORD.findall(text, piece.start, piece.end)
    )


def _sides(text: str) -> Iterator[_Side]:
    start = 0
    for apart in _READ_APART.finditer(text):
        if start < apart.start():
            yield start, apart.start()
        start = apart.end()
    if start < len(text):
        yield start, len(text)


def _doubts(text: str, side: _Side, read: Callable[[str], tuple[Word, ...]]) -> list[tuple[int, int, float]]:
    """Return start, end and probability of a side's words, read alone."""
    start, end = side
    return [(start + word.start, start + word.end, word.probability) for word in read(text[start:end])]


def _pieces(text: str, span: Span, sides: list[_Side]) -> Iterator[tuple[_Side, Span]]:
    """Yield what of a span is on which side; the commas of an address part nothing: ``7 Chestnut St, ON G3T 0P4``."""
    crossed = sides[bisect_right(sides, span.start, key=_end) : bisect_left(sides, span.end, key=_start)]
    for side in _merged(text, span, crossed):
        yield side, replace(span, start=max(span.start, side[0]), end=min(span.end, side[1]))


def _merged(text: str, span: Span, sides: list[_Side]) -> list[_Side]:
    out: list[_Side] = []
    for side in sides:
        if out and span.kind is SpanKind.PLACE and text[out[-1][1]] == ",":
            out[-1] = out[-1][0], side[1]
        else:
            out.append(side)
    return out


def _most(doubts: list[tuple[int, int, float]], piece: Span) -> float:
    first, last = bisect_right(doubts, piece.start, key=_end), bisect_left(doubts, piece.end, key=_start)
    return max((doubt for _, _, doubt in doubts[first:last]), default=0.0)

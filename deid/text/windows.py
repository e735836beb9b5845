"""A long text in windows that a network can read: they overlap, and are cut where a line, a sentence or a word ends."""

from __future__ import annotations

from dataclasses import dataclass

from deid.text.wordpiece import LONGEST, Encoding

ROOM = LONGEST - 2
OVERLAP = 32
_LEAST = ROOM - 40  # pieces that a window has at least, so that there are never many more of them than needed

_SENTENCE_ENDS = frozenset(".!?;")


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces that are read together.

    Attributes
    ----------
    start, end
        of the pieces that are read
    first, last
        of the pieces that this window decides about: not those at its edges, which another sees better
    """

    start: int
    end: int
    first: int
    last: int


def windows(text: str, encoding: Encoding) -> list[Window]:
    """Return the windows of a text; each piece is decided about by one.

    Parameters
    ----------
    text
        the text
    encoding
        its pieces
    """
    length = len(encoding)
    starts, ends = [0], []
    while length - starts[-1] > ROOM:
        ends.append(_end(text, encoding, starts[-1]))
        starts.append(_start(encoding, ends[-1] - OVERLAP))
    ends.append(length)
    edges = [0, *((start + end + 1) // 2 for start, end in zip(starts[1:], ends, strict=False)), length]
    return [Window(*each) for each in zip(starts, ends, edges[:-1], edges[1:], strict=True)]


def _end(text: str, encoding: Encoding, start: int) -> int:
    """Return where to end a window: as late as possible after a line, else a sentence, else a blank, else a word."""
    best, best_rank = start + ROOM, 0
    for end in range(start + ROOM, start + _LEAST, -1):
        rank = _rank(text, encoding, end)
        if rank > best_rank:
            best, best_rank = end, rank
    return best


def _rank(text: str, encoding: Encoding, end: int) -> int:
    before, after = encoding.ends[end - 1], encoding.starts[end]
    between = text[before:after]
    if "\n" in between or "\r" in between:
        return 4
    if between:
        return 3 if text[before - 1 : before] in _SENTENCE_ENDS else 2
    return int(encoding.words[end] != encoding.words[end - 1])


def _start(encoding: Encoding, start: int) -> int:
    """Return where the word begins that a piece belongs to; a word that is very long is cut."""
    for first in range(start, start - OVERLAP, -1):
        if encoding.words[first] != encoding.words[first - 1]:
            return first
    return start

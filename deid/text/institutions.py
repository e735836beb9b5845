"""Hospitals, chains of practices and insurers that a list knows by name: ``Vall d'Hebron``, ``UCLH``.

What such an institution is called by means nothing else, whatever stands around it; which those are, and under which
other names they go, no form tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from deid.fold import folded
from deid.vocabulary import institutions

_NEXT = re.compile(r"(?:[ ]{1,2}|[ ]?['\u2019`._-][ ]?)([^\W\d_]+)")
# What is named after one is none: the UCSF criteria.
_NAMED_AFTER = re.compile(
    r"(?:[ _-][^\W\d_]+)?[ _-]"
    r"(?:scor|criteri|nomogram|risk|class|grad|protocol|stud|trial|scale|skala|index|test|pdgm)[^\W\d_]*",
    re.IGNORECASE,
)


@cache
def first_words() -> frozenset[str]:
    """Return the words that names of institutions begin with, case-folded, with their diacritics and without."""
    names = {name.partition("_")[0] for name in institutions(abbreviated=False)}
    return institutions(abbreviated=True) | names


def institution_at(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Find the longest name of an institution that begins at a word: with a capital, an abbreviation in capitals."""
    if not word.group()[0].isupper():
        return
    key = folded(word.group().casefold())
    if word.group().isupper() and key in institutions(abbreviated=True) and not _NAMED_AFTER.match(text, word.end()):
        yield word.span()
    for rest in _phrases().get(key, ()):
        end = _end_of(text, word.end(), rest)
        if end is not None and not _NAMED_AFTER.match(text, end):
            yield word.start(), end
            return


def _end_of(text: str, end: int, rest: tuple[str, ...]) -> int | None:
    """Return where a name ends whose other words stand from a position on; None if others stand there."""
    for word in rest:
        following = _NEXT.match(text, end)
        if following is None or folded(following[1].casefold()) != word:
            return None
        end = following.end()
    return None if text[end : end + 1].isalnum() else end


@cache
def _phrases() -> Mapping[str, list[tuple[str, ...]]]:
    """Return the first word of each name → its other words, without diacritics, long names first."""
    out: dict[str, list[tuple[str, ...]]] = {}
    for name in institutions(abbreviated=False):
        first, *rest = folded(name).split("_")
        out.setdefault(first, []).append(tuple(rest))
    return {first: sorted(set(rests), key=len, reverse=True) for first, rests in out.items()}

"""What is known of words: whether they occur as everyday or clinical words, eponyms, names of people, places.

The network is told so of each word that it reads: it has seen too little of the world to know that *Fleischner* is a
society's name, *Waran* a drug and *Okonkwo* a family.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Known(IntFlag):
    """What a word occurs as; a word of several kinds has several, one that nobody knows none."""

    NOTHING = 0
    WORD = 1
    """an everyday or clinical word, an abbreviation, a drug"""
    EPONYM = 2
    """in the name of a sign, view, disease, operation or product"""
    NAME = 4
    """a given or family name"""
    PLACE = 8
    """in the name of a town"""


COMBINATIONS = 16
"""How many values there are; of a word in no lexicon, `COMBINATIONS` and its look is said (`deid.text.letters`)."""


def parse_lexicon(text: str) -> Mapping[str, int]:
    """Read a lexicon: lines of a word in its normal form (see `deid.text.wordpiece`), a blank and `Known` as a number.

    Raises
    ------
    ValueError
        if a line is none of these
    """
    out: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        word, blank, known = line.partition(" ")
        if not word or not blank or not known.isdecimal() or int(known) >= COMBINATIONS:
            raise ValueError(f"line {number} of the lexicon is no word and number")
        out[word] = int(known)
    return out


def united(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    """Return what either of two lexicons knows of a word, `Known` by `Known`."""
    out = dict(one)
    for word, known in other.items():
        out[word] = out.get(word, 0) | known
    return out


def without(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    """Return a lexicon that knows nothing of the words of another."""
    return {word: known for word, known in one.items() if word not in other}

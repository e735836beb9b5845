"""Whether a line that was read in an image is masked or may stay.

By default all is masked, read or unreadable. A line stays only if the profile keeps markers and none of the reasons
below holds; the words of a vocabulary never outweigh an identifier. What a detector found and a reader couldn't read is
masked by whoever asks: there is no text to ask about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from deid.pixels.vocabulary import LONGEST_LINE, Markers

_LONG_NUMBER = re.compile(r"\d{6}")
_NUMBERS = r"(?<!\d)\d{1,4}"
_DATES = re.compile(
    rf"{_NUMBERS}\s?[./\\,_·-]\s?\d{{1,2}}\s?[./\\,_·-]\s?\d{{1,4}}(?!\d)"  # three numbers
    r"|(?<!\d)(?:0?[1-9]|1[0-2])\s?[./-]\s?(?:19|20)\d\d(?!\d)"  # a month and a year
    r"|(?<!\d)(?:19|20)\d\d\s?[./-]\s?(?:0?[1-9]|1[0-2])(?!\d)"
    r"|(?<!\d)\d{1,2}\s?[:.]\s?\d\d\s?[:.]\s?\d\d(?!\d)"  # a time
    r"|\d{1,4}\s?[年月日년월일]"
)
_LONG_WITHOUT_LETTERS = 3.0  # two of them widen a box
_LONG_FOR_EACH_LETTER = 1.2
_MOST_REMEMBERED = 4096


class Why(StrEnum):
    """Why a line is masked, or stays: what a report says of it."""

    MARKER = "marker"
    """It stays: all of it is in the profile's vocabulary, and nothing speaks against it."""
    UNREADABLE = "unreadable"
    """Nothing was read, or less than would fill the box."""
    UNSURE = "low-confidence"
    TEXT = "text"
    """It was read, and isn't all in the vocabulary, or the profile keeps none."""
    LONG_NUMBER = "long-number"
    """It has six digits in a row."""
    DATE = "date-like"
    IDENTIFIER = "identifier"
    """It holds an identifier of this instance's header."""
    NEAR_IDENTIFIER = "near-identifier"
    """It holds one nearly: with letters taken for others, left out or too many."""
    FOUND = "found-in-text"
    """The finders for free text see a name, a date, an ID or a place in it."""

    @property
    def stays(self) -> bool:
        """Tell whether the line is left as it is."""
        return self is Why.MARKER


def nothing(text: str) -> bool:
    """Find nothing in any text."""
    del text
    return False


@dataclass(frozen=True, slots=True, repr=False)
class Decider:
    """Decides about the lines of one instance.

    Attributes
    ----------
    markers
        the profile's vocabulary; None: no line stays
    min_confidence
        a line that was read with less never stays
    is_known
        tells whether a text holds an identifier of the instance
    is_near
        tells whether it does nearly (`deid.pixels.near.NearKnown`)
    finds
        tells whether the finders for free text see anything in it
    """

    markers: Markers | None
    min_confidence: float
    is_known: Callable[[str], bool] = nothing
    is_near: Callable[[str], bool] = nothing
    finds: Callable[[str], bool] = nothing
    _remembered: dict[str, Why] = field(default_factory=dict, init=False, compare=False)

    def __repr__(self) -> str:
        """Say nothing of what was read."""
        return "<Decider>"

    def decide(self, text: str, confidence: float, aspect: float = 0.0) -> Why:
        """Return why a line is masked or stays.

        Parameters
        ----------
        text
            as it was read
        confidence
            of the reader, from 0 to 1
        aspect
            length of the line's box divided by its height: a long box of which one letter was read holds something
            else; what was added at both ends, a height each, is allowed for. 0 if unknown
        """
        if not any(map(str.isalnum, text)):
            return Why.UNREADABLE
        if self.markers is None:
            return Why.TEXT
        if not confidence >= self.min_confidence:  # not a number is less too
            return Why.UNSURE
        letters = sum(2 if _is_wide(char) else 1 for char in text)
        if aspect > _LONG_WITHOUT_LETTERS + _LONG_FOR_EACH_LETTER * letters:
            return Why.UNREADABLE
        if text not in self._remembered:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[text] = self._of_text(self.markers, text)
        return self._remembered[text]

    def _of_text(self, markers: Markers, text: str) -> Why:
        """Return what the text alone says; the finders, which cost most, see only what would stay otherwise."""
        if len(text) > LONGEST_LINE:
            return Why.TEXT
        plain = unicodedata.normalize("NFKC", text)
        if _LONG_NUMBER.search(plain):
            return Why.LONG_NUMBER
        if _DATES.search(plain):
            return Why.DATE
        if not markers.explain(text):
            return Why.TEXT
        tests = (
            (self.is_known, Why.IDENTIFIER),
            (self.is_near, Why.NEAR_IDENTIFIER),
            (self.finds, Why.FOUND),
        )
        return next((why for test, why in tests if test(text)), Why.MARKER)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"

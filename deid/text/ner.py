"""The finder that reads: what a network takes for a name, a place, a number of somebody, whatever its form."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from deid.text.dates import read_date
from deid.text.names import is_after_title
from deid.text.network import Network, Word
from deid.text.spans import Span, SpanKind
from deid.text.vocabulary import is_common, is_vocabulary
from deid.texts import LOWEST_THRESHOLD, THRESHOLDS, TextClass

NAME = "ner"
SURE = 0.9
"""From here on a word that is clinical vocabulary is taken out of a description as well."""

OLDEST_AGE_THAT_STAYS, OLDEST_AGE = 89, 129

_KINDS: Mapping[str, SpanKind] = {
    "NAME": SpanKind.NAME,
    "DATE": SpanKind.DATE,
    "ID": SpanKind.ID,
    "PLACE": SpanKind.PLACE,
    "ORG": SpanKind.PLACE,
    "CONTACT": SpanKind.CONTACT,
    "AGE": SpanKind.AGE,
}
_FORMAL = frozenset({SpanKind.DATE, SpanKind.UID})
_LONGEST_FORMAL = 256
_KEPT_IF_VOCABULARY = frozenset({SpanKind.NAME, SpanKind.PLACE})

_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_TWO_NUMBERS = re.compile(r"(\d{1,4})/(\d{1,4})")
_LAST_MONTH = 12
_BETWEEN_WORDS = re.compile(r"[ \t]{0,3}[-\u2013'\u2019.,/^_&@:+]{0,2}[ \t]{0,3}")
_GLUE = re.compile(r"[-\u2013'\u2019./@:]{0,3}")
_POSSESSIVE = re.compile(r"['\u2019`][sS]?\Z")
_INITIAL_AT_END = re.compile(r"(?<![^\W_])[^\W\d_]\.\Z")
_OPENING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_CLOSING = {closing: opening for opening, closing in _OPENING.items()}
_TIME = re.compile(r"\d{1,2}[:.h]\d\d(?:[:.]\d\d)?(?:\s?[ap]\.?m\.?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ner:
    """A network, and how much of its doubt is enough.

    Attributes
    ----------
    network
        what reads
    thresholds
        those that a profile sets; the others are the network's own, else the usual ones
    """

    network: Network
    thresholds: Mapping[TextClass, float]

    @property
    def identity(self) -> str:
        """What all results depend on."""
        return f"{self.network.identity} {[self.threshold(each) for each in TextClass]}"

    def threshold(self, text_class: TextClass) -> float:
        """Return how probable it must be that a word identifies somebody, in texts of a class."""
        for each in (self.thresholds, self.network.thresholds, THRESHOLDS):
            if text_class in each:
                return each[text_class]
        raise KeyError(text_class)

    def find(self, text: str, text_class: TextClass) -> list[Span]:
        """Return what identifies somebody, in order, without overlaps.

        Parameters
        ----------
        text
            any text
        text_class
            chooses the threshold; from descriptions, clinical vocabulary is taken out only where it is almost certain
        """
        words = self.network.words(text)
        if not words:
            return []
        found = _spans(text, words, self.threshold(text_class))
        if text_class is TextClass.DESCRIPTIONS:
            return [span for span in found if not _is_vocabulary_only(text, span)]
        return found


def reconciled(text: str, read: list[Span], others: list[Span], dates: Collection[str]) -> list[Span]:
    """Return what a network found as it goes together with what was found by form or by the header.

    Parameters
    ----------
    text
        the text
    read
        what the network found
    others
        what the other finders found
    dates
        the patient's dates as ``YYYYMMDD``

    Returns
    -------
    list of Span
        The network's spans, without those that would only have a date or a UID taken out which has its own form, and is
        moved or mapped.
    """
    formal = sorted((span for span in others if span.kind in _FORMAL), key=lambda span: span.start)
    starts = [span.start for span in formal]
    out: list[Span] = []
    for span in read:
        near = formal[bisect_left(starts, span.start - _LONGEST_FORMAL) : bisect_left(starts, span.end)]
        inside = [each for each in near if span.start < each.end]
        if not inside or not _is_said_better(text, span, inside, dates):
            out.append(span)
    return out


def _is_said_better(text: str, span: Span, inside: list[Span], dates: Collection[str]) -> bool:
    """Tell whether dates and UIDs that a span overlaps with say all that it says."""
    if any(each.start <= span.start and span.end <= each.end for each in inside):
        is_uid = any(each.kind is SpanKind.UID for each in inside)
        return is_uid or span.kind is SpanKind.DATE or (span.confidence or 0.0) < SURE
    if span.kind is not SpanKind.DATE:
        return False
    if read_date(text[span.start : span.end], dates) is not None:
        return False
    return _is_harmless(_outside(text, span, inside))


def _outside(text: str, span: Span, inside: list[Span]) -> str:
    """Return what of a span is in none of others."""
    pieces: list[str] = []
    position = span.start
    for each in sorted(inside, key=lambda each: each.start):
        pieces.append(text[position : max(position, each.start)])
        position = max(position, each.end)
    return " ".join([*pieces, text[position : span.end]])


def _is_harmless(text: str) -> bool:
    """Tell whether there are only times and common words."""
    rest = _TIME.sub(" ", text)
    return not _DIGITS.search(rest) and all(is_common(word) for word in _LETTERS.findall(rest))


# From words to spans


def _spans(text: str, words: tuple[Word, ...], threshold: float) -> list[Span]:
    out: list[Span] = []
    for group in _groups(text, words, threshold):
        span = Span(
            group[0].start,
            group[-1].end,
            _KINDS[group[0].label],
            NAME,
            round(max(word.probability for word in group), 3),
        )
        trimmed = _trimmed(text, span)
        if trimmed is not None and not _is_fraction(text, trimmed):
            out.append(trimmed)
    return out


def _is_fraction(text: str, span: Span) -> bool:
    """Tell whether what was taken for a date is two numbers with a slash that are no month with a day or a year."""
    match = _TWO_NUMBERS.fullmatch(text, span.start, span.end) if span.kind is SpanKind.DATE else None
    if match is None:
        return False
    one, other = match.groups()
    months = range(1, _LAST_MONTH + 1)
    is_year_or_day = len(other) == 4 or (len(other) <= 2 and int(one) in months)
    return not (is_year_or_day or (len(one) in {1, 2, 4} and int(other) in months))


def _groups(text: str, words: tuple[Word, ...], threshold: float) -> Iterator[list[Word]]:
    """Yield the words of each thing that was found; what sticks to it needs but a fraction of the threshold."""
    faint = max(LOWEST_THRESHOLD, threshold / 4)
    group: list[Word] = []
    waiting: list[Word] = []  # faint words that stick to one another, and maybe to what comes next
    for word in words:
        is_sure = word.probability >= threshold
        if not is_sure and word.probability < faint:
            continue
        if group and _goes_on(text, group[-1], word, is_sure=is_sure):
            group.append(replace(word, label=group[0].label))
        elif is_sure:
            if group:
                yield group
            group = [word]
            while waiting and _sticks(text, waiting[-1], group[0]):
                group.insert(0, replace(waiting.pop(), label=word.label))
            waiting.clear()
        else:
            waiting.append(word)
    if group:
        yield group


def _goes_on(text: str, last: Word, word: Word, *, is_sure: bool) -> bool:
    if _sticks(text, last, word) and (not is_sure or word.label == last.label):
        return True
    is_same = is_sure and word.label == last.label and not word.begins
    return is_same and _BETWEEN_WORDS.fullmatch(text, last.end, word.start) is not None


def _sticks(text: str, one: Word, other: Word) -> bool:
    return _GLUE.fullmatch(text, one.end, other.start) is not None


def _trimmed(text: str, span: Span) -> Span | None:
    """Take away punctuation at the ends and a possessive; of an age leave the number; None if nothing is left."""
    start, end = span.start, span.end
    while start < end and not text[start].isalnum() and not _opens(text, start, end):
        start += 1
    possessive = _POSSESSIVE.search(text, start, end)
    end = possessive.start() if possessive else end
    while start < end and not text[end - 1].isalnum() and not _closes(text, start, end):
        if _INITIAL_AT_END.search(text, max(start, end - 3), end):
            break
        end -= 1
    if start >= end:
        return None
    trimmed = replace(span, start=start, end=end)
    return _of_age(text, trimmed) if span.kind is SpanKind.AGE else trimmed


def _opens(text: str, start: int, end: int) -> bool:
    """Tell whether a span begins with a bracket that closes within it; or a plus, before a number."""
    closing = _OPENING.get(text[start])
    return text.find(closing, start, end) > 0 if closing else text[start] == "+"


def _closes(text: str, start: int, end: int) -> bool:
    opening = _CLOSING.get(text[end - 1])
    return opening is not None and text.rfind(opening, start, end) >= 0


def _of_age(text: str, span: Span) -> Span | None:
    """Return the number, if it is one of those that identify."""
    digits = _DIGITS.search(text, span.start, span.end)
    if digits is None:
        return span
    number = digits.group().lstrip("0")
    if len(number) > 3 or not OLDEST_AGE_THAT_STAYS < int(number or 0) <= OLDEST_AGE:
        return None
    return replace(span, start=digits.end() - len(number), end=digits.end())


def _is_vocabulary_only(text: str, span: Span) -> bool:
    """Tell whether what was found is clinical words, probably meant as such."""
    if span.kind not in _KEPT_IF_VOCABULARY or (span.confidence or 0.0) >= SURE:
        return False
    part = text[span.start : span.end]
    if _DIGITS.search(part) or is_after_title(text, span.start):
        return False
    return all(len(word) == 1 or is_vocabulary(word) for word in _LETTERS.findall(part))

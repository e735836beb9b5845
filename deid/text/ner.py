"""The finder that reads: what a network takes for a name, a place, a number of somebody, whatever its form."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from deid.text.dates import read_date
from deid.text.edges import trimmed
from deid.text.enough import ACCOMPANIED, ACCOMPANIED_IN_DESCRIPTION, BESIDE, BETWEEN_WORDS, Enough
from deid.text.lexicon import Known
from deid.text.names import is_after_title, is_no_part_of_name
from deid.text.network import Network, Word
from deid.text.nobody import says_nothing
from deid.text.patterns import PatternFinder
from deid.text.repeats import said_again
from deid.text.sides import told_apart
from deid.text.spans import Span, SpanKind
from deid.text.whole import whole
from deid.texts import LOWEST_THRESHOLD, THRESHOLDS, TextClass
from deid.vocabulary import is_common, is_eponym, is_vocabulary

NAME = "ner"
SURE = 0.9
"""From here on a word that is clinical vocabulary is taken out of a description as well."""
PROBABLE = 0.75
"""From here on a word that is clinical vocabulary is taken out of any other text."""
ALONE = 0.5
"""This is enough for what is read without what a dash parts it from."""
DOUBTED = 0.1
"""From here on a word of every day that has the form of a name is taken for one."""
STICKING = 0.25
"""The part of the threshold that is enough for what sticks to something found."""

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
_NAMED = frozenset({SpanKind.NAME, SpanKind.PLACE})

_INITIALS = 2
_INITIAL = re.compile(r"[^\W\d_]\.")
_OF_ANATOMY = re.compile(r"[AMNV]\.", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_TOUCHING = re.compile(r"[ ._^'\u2019-]{0,2}")
_NEXT_WORD = re.compile(r",? ([^\W\d_]+)")
_GLUE = re.compile(r"[-\u2013'\u2019./@:]{0,3}")
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
    weighs_words
        whether more is needed of words that mean something else, and less of unknown ones
    """

    network: Network
    thresholds: Mapping[TextClass, float]
    weighs_words: bool = True

    @property
    def identity(self) -> str:
        """What all results depend on."""
        return f"{self.network.identity} {[self.threshold(each) for each in TextClass]} {self.weighs_words}"

    def threshold(self, text_class: TextClass) -> float:
        """Return how probable it must be that a word identifies somebody, in texts of a class."""
        for each in (self.thresholds, self.network.thresholds, THRESHOLDS):
            if text_class in each:
                return each[text_class]
        raise KeyError(text_class)

    def find(self, text: str, text_class: TextClass, others: Iterable[Span] = ()) -> list[Span]:
        """Return what identifies somebody, in order, without overlaps.

        Parameters
        ----------
        text
            any text
        text_class
            chooses the threshold; clinical vocabulary is taken out only where it is more certain than that, and of
            descriptions where it is almost certain
        others
            what other finders found in the text: near that, as near what is certain here, less is enough
        """
        words = self.network.words(text)
        if not words:
            return []
        weighs = self.weighs_words and text_class is not TextClass.LINES  # a line is often a name alone
        near = ACCOMPANIED_IN_DESCRIPTION if text_class is TextClass.DESCRIPTIONS else ACCOMPANIED
        enough = Enough(self.threshold(text_class), near, weighs)
        thresholds = enough.of(text, words)
        found = _kept(text, words, thresholds, text_class)
        certain = [span for span in others if span.kind is not SpanKind.UID]
        certain += [span for span in found if (span.confidence or 0.0) >= SURE]
        if certain:
            thresholds = enough.near_certain(words, thresholds, certain)
        elif not found:
            return []
        found = _kept(text, words, enough.beside(text, words, thresholds), text_class)
        if certain:
            found = told_apart(text, found, self.network.words, ALONE, SURE)
            again = said_again(text, found, words, self.network.pieces.known, SURE, BESIDE)
            found = sorted([*found, *again], key=lambda span: span.start)
        return whole(text, found)

    def agreed(self, text: str, text_class: TextClass, others: list[Span]) -> list[Span]:
        """Return what other finders found, without names by their form that are words and to the network no names.

        Parameters
        ----------
        text
            any text
        text_class
            lines of pixels stay as they are: what is read there may be misread
        others
            what other finders found in the text
        """
        if text_class is TextClass.LINES or not any(map(_is_by_form, others)):
            return others
        doubted = [(word.start, word.end) for word in self.network.words(text) if word.probability >= DOUBTED]
        return [
            span
            for span in others
            if not _is_by_form(span)
            or "^" in text[span.start : span.end]  # no words have that form
            or any(start < span.end and span.start < end for start, end in doubted)
            or any(self.network.pieces.known(word) != Known.WORD for word in _words_of(text, span))
        ]


def _is_by_form(span: Span) -> bool:
    return span.finder == PatternFinder.name and span.kind is SpanKind.NAME


def _words_of(text: str, span: Span) -> list[str]:
    return _LETTERS.findall(text, span.start, span.end)


def _kept(text: str, words: tuple[Word, ...], enough: list[float], text_class: TextClass) -> list[Span]:
    """Return what is probable enough, without what is doubtful."""
    is_description = text_class is TextClass.DESCRIPTIONS
    found = _spans(text, words, enough)
    sure = [not _is_doubtful(text, span, is_description=is_description) for span in found]
    return [span for number, span in enumerate(found) if sure[number] or _is_part_of_name(text, found, sure, number)]


def _is_doubtful(text: str, span: Span, *, is_description: bool) -> bool:
    return says_nothing(text, span, is_description=is_description) or _is_vocabulary_only(
        text, span, is_description=is_description
    )


def _is_part_of_name(text: str, found: list[Span], sure: list[bool], number: int) -> bool:
    """Tell whether a doubtful span touches a name or place: ``de`` is a part of ``de Brito``, a title of none."""
    span = found[number]
    if is_no_part_of_name(text[span.start : span.end]):
        return False
    for near in (number - 1, number + 1):
        if 0 <= near < len(found) and sure[near] and span.kind in _NAMED and found[near].kind in _NAMED:
            start, end = sorted((span.start, span.end, found[near].start, found[near].end))[1:3]
            if _TOUCHING.fullmatch(text, start, end):
                return True
    return False


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


def _spans(text: str, words: tuple[Word, ...], enough: list[float]) -> list[Span]:
    out: list[Span] = []
    for group in _groups(text, words, enough):
        span = Span(
            group[0].start,
            group[-1].end,
            _KINDS[group[0].label],
            NAME,
            round(max(word.probability for word in group), 3),
        )
        found = trimmed(text, span)
        if found is not None:
            out.append(found)
    return out


def _groups(text: str, words: tuple[Word, ...], enough: list[float]) -> Iterator[list[Word]]:
    """Yield the words of each thing that was found; what sticks to it needs but a fraction of what is enough."""
    group: list[Word] = []
    waiting: list[Word] = []  # faint words that stick to one another, and maybe to what comes next
    for word, threshold in zip(words, enough, strict=True):
        is_sure = word.probability >= threshold
        if not is_sure and word.probability < max(LOWEST_THRESHOLD, threshold * STICKING):
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
    return is_same and BETWEEN_WORDS.fullmatch(text, last.end, word.start) is not None


def _sticks(text: str, one: Word, other: Word) -> bool:
    return _GLUE.fullmatch(text, one.end, other.start) is not None


def _is_vocabulary_only(text: str, span: Span, *, is_description: bool) -> bool:
    """Tell whether what was found is clinical words, probably meant as such; outside descriptions one alone."""
    enough = SURE if is_description else PROBABLE
    if span.kind not in _NAMED or (span.confidence or 0.0) >= enough:
        return False
    part = text[span.start : span.end]
    following = _NEXT_WORD.match(text, span.end)
    if _DIGITS.search(part) or is_after_title(text, span.start) or (following and is_no_part_of_name(following[1])):
        return False
    words = _LETTERS.findall(part)
    if _INITIAL.match(part):  # M. Pons and J. Pfannenstiel, not M. Crohn
        is_short = _OF_ANATOMY.match(part) is not None
        return is_short and all(len(word) == 1 or is_eponym(word) for word in words) and len(part) > _INITIALS * 2
    is_short = len(part) <= _INITIALS or len(words) > 1
    return (is_description or not is_short) and all(len(word) == 1 or is_vocabulary(word) for word in words)

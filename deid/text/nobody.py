"""What a network found that identifies nobody, by what it is and what stands around it: a ratio, a title, a country."""

from __future__ import annotations

import re
from itertools import dropwhile

from deid.text.months import month_names
from deid.text.names import is_after_title, is_no_part_of_name
from deid.text.ratios import is_ratio
from deid.text.spans import Span, SpanKind
from deid.vocabulary import is_common, is_country, is_function_word, is_measured, is_vocabulary

_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_SIZE = re.compile(r"(?:[^\W\d_]+[ .:=]{0,3})?\d{1,3}(?:[.,]\d{1,2})?")
_SERIES = re.compile(r"([1-9]\d?)/([1-9]\d?)")
_WORD_BEFORE = re.compile(r"(?:([^\W\d_]+)\.?|[@(])[ \t]*\Z")
_CUES = frozenset(
    """
    from since to vs and pre post fu dated bx op seen vom seit bis depuis del dal dd sinds sedan siden tarihli due
    am v d le el il em z w den on of von du desde de fran från fra lmp edd born until before after
    """.split()  # noqa: SIM905  a table
)
_CODE_SYSTEMS = frozenset({"snomed", "meddra", "loinc", "rxnorm", "radlex", "umls"})
_AFTER_INJECTION = re.compile(r"p\.?[ \t]?i\.?", re.IGNORECASE)
_TIME_BEFORE = re.compile(r"\d[ \t]?(?:min|mins|minutes|h|hr|hrs|std|sec|s)\.?[ \t]*\Z", re.IGNORECASE)
_ROMANS = frozenset({"i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"})
_TIME = re.compile(r"(?:[01]?\d|2[0-3])[.:h][0-5]\d")
_TIME_LABEL_BEFORE = re.compile(
    r"(?<![^\W_])(?:saat|uhrzeit|godz|godzina|kl|klo|klokken|ore|hora|horas|heure|time|tid|tijd|\u010das|id\u0151)"
    r"[.:= \t]{1,3}\Z",
    re.IGNORECASE,
)
_TIMES = re.compile(r"\d{1,2}[:h]\d\d ?[-\u2013] ?\d{1,2}[:h]\d\d")
_TIMES_AROUND = re.compile(r"[\d:h\u2013-]*\Z")
_TRIAL = re.compile(r"NCT\d{8}")
_LYMPH_STATION = re.compile(r"stations?[ .]{0,2}\d{1,2}[LRlr]?", re.IGNORECASE)
_NODES = r"(?:(?:lymph )?nod(?:es?|al)|LNs?)(?![^\W_])"
_NODES_BEHIND = re.compile(rf" {_NODES}", re.IGNORECASE)
_NODES_BEFORE = re.compile(rf"(?<![^\W_])(?:EBUS|TBNA|{_NODES})[ \w]*\Z", re.IGNORECASE)
_FAR_LABEL_CHARS = 16
_TEETH = re.compile(
    r"[1-8][1-8](?:,? [1-8][1-8]){3,}|[1-4][1-8] (?:and|e|en|et|i|og|och|und|y|&) [1-4][1-8]", re.IGNORECASE
)
_ORDINAL = re.compile(r"\d{1,2}(?:st|nd|rd|th)", re.IGNORECASE)
_OF_ADDRESS_AFTER = re.compile(
    r" (?:floor|fl|flr|st|street|ave|avenue|road|rd|ward|storey|level)(?![^\W_])", re.IGNORECASE
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_BEFORE_CHARS = 16


def says_nothing(text: str, span: Span, *, is_description: bool) -> bool:
    """Tell whether what was found identifies nobody by what it is and what stands around it.

    Parameters
    ----------
    text
        the text
    span
        of a network, trimmed
    is_description
        whether the text is a description: 3/5 is three of five in it
    """
    words = _LETTERS.findall(text, span.start, span.end)
    if span.kind is SpanKind.DATE:
        return _is_no_date(text, span, words, is_description=is_description)
    if span.kind is SpanKind.CONTACT:
        return len(words) == 1 and len(words[0]) == span.end - span.start and is_vocabulary(words[0])
    if span.kind is SpanKind.ID:
        return is_of_code_system(text, span.start) or _TRIAL.fullmatch(text, span.start, span.end) is not None
    if span.kind not in {SpanKind.NAME, SpanKind.PLACE}:
        return False
    if _DIGITS.search(text, span.start, span.end):
        return _is_size(text, span, words) or _is_lymph_station(text, span) or _is_ordinal(text, span)
    is_letter = span.end - span.start == 1 and text[span.start].isascii()  # in other scripts one may be a name
    is_empty = is_letter or all(map(is_function_word, words))
    return is_empty or _is_after_injection(text, span) or _is_nobody(text, span, words)


def _is_nobody(text: str, span: Span, words: list[str]) -> bool:
    """Tell whether a word alone is a title or a label, or all of them are a country, maybe after a preposition."""
    if len(words) == 1 and is_no_part_of_name(words[0]):
        return True
    named = list(dropwhile(is_function_word, words))
    return is_country(*named, is_place=span.kind is SpanKind.PLACE) and not is_after_title(text, span.start)


def is_of_code_system(text: str, start: int) -> bool:
    """Tell whether what begins at a position is a code of a terminology: ``SNOMED 51185008``."""
    before = _WORD_BEFORE.search(text, max(0, start - _BEFORE_CHARS), start)
    return before is not None and before[1] is not None and before[1].casefold() in _CODE_SYSTEMS


def _is_lymph_station(text: str, span: Span) -> bool:
    """Tell whether a station is none of a hospital: ``the station 7 node``."""
    if _LYMPH_STATION.fullmatch(text, span.start, span.end) is None:
        return False
    before = _NODES_BEFORE.search(text, max(0, span.start - _BEFORE_CHARS), span.start)
    return before is not None or _NODES_BEHIND.match(text, span.end) is not None


def _is_ordinal(text: str, span: Span) -> bool:
    """Tell whether it is the 2nd of something, and no floor or street."""
    is_ordinal = _ORDINAL.fullmatch(text, span.start, span.end) is not None
    return is_ordinal and _OF_ADDRESS_AFTER.match(text, span.end) is None and text[span.end : span.end + 1] == " "


def _is_after_injection(text: str, span: Span) -> bool:
    """Tell whether it is ``p.i.`` after a time."""
    is_written = _AFTER_INJECTION.fullmatch(text, span.start, span.end) is not None
    return is_written and _TIME_BEFORE.search(text, max(0, span.start - _BEFORE_CHARS), span.start) is not None


def _is_no_date(text: str, span: Span, words: list[str], *, is_description: bool) -> bool:
    if is_ratio(text, span.start, span.end) or _is_of_times(text, span):
        return True
    if _TEETH.fullmatch(text, span.start, span.end) or _is_time(text, span):
        return True
    series = _SERIES.fullmatch(text, span.start, span.end) if is_description else None
    if series is not None and int(series[1]) <= int(series[2]):
        before = _WORD_BEFORE.search(text, max(0, span.start - _BEFORE_CHARS), span.start)
        return before is None or (before[1] is not None and before[1].casefold() not in _CUES)
    numbers = _DIGITS.findall(text, span.start, span.end)
    if not all(map(_YEAR.fullmatch, numbers)) or (len(numbers) > 1 and words):
        return False
    return all(map(_is_no_month, words))


def _is_time(text: str, span: Span) -> bool:
    """Tell whether it is a time after a word for one: ``Saat 12.07``, which is no 12th of July."""
    is_time = _TIME.fullmatch(text, span.start, span.end) is not None
    return is_time and _TIME_LABEL_BEFORE.search(text, max(0, span.start - _BEFORE_CHARS), span.start) is not None


def _is_of_times(text: str, span: Span) -> bool:
    """Tell whether it is a part of ``9:10-9:50``."""
    around = _TIMES_AROUND.search(text, max(0, span.start - _BEFORE_CHARS), span.start)
    times = _TIMES.match(text, around.start()) if around else None
    return times is not None and span.end <= times.end()


def _is_no_month(word: str) -> bool:
    key = word.casefold()
    return (is_function_word(key) or is_common(word)) and key not in month_names() and key not in _ROMANS


def _is_size(text: str, span: Span, words: list[str]) -> bool:
    """Tell whether a place is rather a number with what it measures: ``Peso 80``."""
    if _SIZE.fullmatch(text, span.start, span.end) is None:
        return False
    before = words or _LETTERS.findall(text, max(0, span.start - _FAR_LABEL_CHARS), span.start)[-1:]
    return bool(before) and is_measured(before[-1], "sizes")

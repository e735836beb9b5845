"""Numbers with slashes that are no dates: scores, images of a series, doses, versions, weeks, sizes."""

from __future__ import annotations

import re

from deid.vocabulary import is_measured

_LAST_MONTH, _LAST_DAY = 12, 31
_YEAR_DIGITS = 4

_TWO_NUMBERS = re.compile(r"(\d{1,4})\s?/\s?(\d{1,4})")
_WEEKS = re.compile(r"[1-9]\d?/52")  # 6/52 is six weeks
_NUMBERS = re.compile(r"\d+(?:\s?[./]\s?\d+)+")
_WORD_BEFORE = re.compile(r"([^\W\d_]+)[ \t]{0,2}([.:=#^_]?)[ \t]{0,2}\Z")
_NUMBER_BEFORE = re.compile(r"\d\s?/\Z")
_NUMBER_AFTER = re.compile(r"/\s?\d")
_UNIT_AFTER = re.compile(
    r"[ \t]?(?:mm|cm|ml|mls|mg|mcg|kg|ms|msec|sec|hz|mhz|kv|mas|mgy|gy|hu|bpm|mmhg|psi|views?|images?|phases?|cores?"
    r"|deg|degrees)\b"
    r"|[ \t]?[%\u00b0]",
    re.IGNORECASE,
)
_DATE_KEYS = ("dat", "dob", "birth", "born", "geb", "lmp", "edd", "fech", "tarih", "dt", "when")
_BEFORE_CHARS = 24


def is_ratio(text: str, start: int, end: int) -> bool:
    """Tell whether numbers with slashes or full stops between them are, by what stands around them, no date.

    Parameters
    ----------
    text
        the text
    start, end
        of the numbers
    """
    if _NUMBERS.fullmatch(text, start, end) is None:
        return False
    if "/" in text[start:end]:
        if _WEEKS.fullmatch(text, start, end) or _UNIT_AFTER.match(text, end) or _is_in_chain(text, start, end):
            return True
        if not _is_possible(text, start, end):
            return True
    return _is_after_measure(text, start, is_slashed="/" in text[start:end])


def _is_possible(text: str, start: int, end: int) -> bool:
    """Tell whether two numbers may be a day with a month, or a month with a year; more than two may be anything."""
    match = _TWO_NUMBERS.fullmatch(text, start, end)
    if match is None:
        return True
    one, other = match.groups()
    months = range(1, _LAST_MONTH + 1)
    if int(one) in months and len(one) <= 2 and len(other) in {1, 2, _YEAR_DIGITS}:
        return True
    if int(other) not in months or len(other) > 2:
        return False
    return len(one) == _YEAR_DIGITS or (len(one) <= 2 and 1 <= int(one) <= _LAST_DAY)


def _is_in_chain(text: str, start: int, end: int) -> bool:
    """Tell whether the numbers go on with slashes on either side: 12/25/50/100 per cent."""
    return bool(_NUMBER_AFTER.match(text, end) or _NUMBER_BEFORE.search(text, max(0, start - 3), start))


def _is_after_measure(text: str, start: int, *, is_slashed: bool) -> bool:
    before = _WORD_BEFORE.search(text, max(0, start - _BEFORE_CHARS), start)
    if before is None:
        return False
    word = before[1].casefold()
    if is_measured(word, "versions"):
        return True
    if not is_slashed:
        return False
    is_value = before[2] == "=" and not any(key in word for key in _DATE_KEYS)
    return is_value or is_measured(word, "ratios")

"""Where what a network found begins and ends.

A network marks whole words, and now and then one too many: the label before a value, the degree after a name, the
numbers of a score. What a list or the form of the words tells for certain is corrected here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from deid.text.names import is_no_part_of_name
from deid.text.sides import APART
from deid.text.spans import Span, SpanKind
from deid.vocabulary import is_common, is_country, is_function_word, is_state_code, is_vocabulary

OLDEST_AGE_THAT_STAYS, OLDEST_AGE = 89, 129

_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_DIGITS = re.compile(r"\d+")
_POSSESSIVE = re.compile(r"['\u2019`][sS]?\Z")
_INITIAL_AT_END = re.compile(r"(?<![^\W_])[^\W\d_]\.\Z")
_INITIALS_BEFORE = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.[ -]?){1,3}\Z")
_LABEL_AT_START = re.compile(r"[^\W\d_]+\.?[ \t]?[:=#][ \t]*(?=[^\W_])")
_LETTERS_BEFORE_NUMBER = re.compile(r"([^\W\d_]+)[. ]{1,2}(?=[+(\d])")
_OPENING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_CLOSING = {closing: opening for opening, closing in _OPENING.items()}
_ADDRESS = re.compile(r"\d{1,5}[A-Za-z]?[ \t]+[^\W\d_]")
_STREETS = frozenset(
    """
    street avenue road lane close court drive crescent way place terrace square boulevard row gardens mews grove circle
    parkway st ave rd ln ct dr cres ter sq blvd gdns pkwy
    """.split()  # noqa: SIM905  a table
)
_BETWEEN_PARTS = re.compile(r"[_^]")
_SHORT_CHARS, _MOST_OF_CODE_CHARS = 3, 5
_CODE_AFTER = re.compile(r"[ \t]+([^\W_]+(?:[_^][^\W_]+)+)(?![^\s])")
_FIRST_OF_CODE = re.compile(r"[ \t]+[A-Z]\d{1,3}\Z")
_CODES_AT_END = re.compile(r"[ \t]+[A-Z]\d{1,4}(?:\^[A-Z]\d{1,4})+\Z")
_UNITS = "mm|cm|ml|cc|mg|kg|min|sec|ms|kv|kvp|mas|mbq|mci|hu"
_NUMBER_AT_END = re.compile(r"(?<=[^\W_])[ \t]+\d{1,3}(?:\.\d{1,2})?\Z")
_MEASURE_AT_END = re.compile(rf"(?<=[^\W_])[ \t]+\d{{1,3}}(?:\.\d{{1,2}})?[ \t]?(?:{_UNITS})\Z", re.IGNORECASE)
_DECIMAL_AT_END = re.compile(r"[ \t]+\d{1,3}\.\d{1,2}")
_UNIT_AFTER = re.compile(rf"\.\d|[ \t]?(?:{_UNITS})(?![^\W_])", re.IGNORECASE)
_MEASURE_AFTER = re.compile(rf"[ \t]?(?:%|(?:{_UNITS})(?![^\W_]))", re.IGNORECASE)
_CODE_AFTER_NUMBER = re.compile(r"(?<=\d)-[A-Z0-9]{1,3}(?![\w-])")
_DAY = re.compile(r"\d{1,2}\.?")
_MONTH_AFTER = re.compile(r"(?:(?<=\.)|\.) ?(?:1[0-2]|0?[1-9])\.(?!\d)")
_NUMBERS = frozenset({SpanKind.ID, SpanKind.CONTACT})
_LABELLED = frozenset({SpanKind.ID, SpanKind.DATE})
_DIMENSIONS = frozenset({"2d", "3d", "4d"})
_STATE_AT_END = re.compile(r",[ \t]{1,2}([^\W\d_]+)\.?\Z")
_OF_ADDRESS = re.compile(r"[\d,]")
_EXTENSION = re.compile(r"[xX](?=\d{2,6}\Z)")
_BEFORE_CHARS = 16


def trimmed(text: str, span: Span) -> Span | None:
    """Return a span without what only stands beside what it is; None if nothing is left.

    Taken away are punctuation, a possessive, a label before it, of a name titles, degrees and labels at its ends, of an
    age all but the number. Initials before a name belong to it.
    """
    start, end = span.start, span.end
    while start < end and not text[start].isalnum() and not _opens(text, start, end):
        start += 1
    label = _LABEL_AT_START.match(text, start, end) if span.kind in _LABELLED else None
    start = label.end() if label else start
    if span.kind is not SpanKind.NAME:
        start, end = _on_its_side(text, start, end)
    if span.kind is SpanKind.PLACE:
        end = _without_state(text, start, end)
    is_address = span.kind is SpanKind.PLACE and _ADDRESS.match(text, start, end) is not None
    if is_address:
        end = _end_of_address(text, start, end)
    if is_address or span.kind in _NUMBERS:
        end = without_measure(text, start, _without_protocol(text, start, end))
    possessive = _POSSESSIVE.search(text, start, end)
    end = possessive.start() if possessive else end
    while start < end and not text[end - 1].isalnum() and not _closes(text, start, end):
        if _INITIAL_AT_END.search(text, max(0, start, end - 3), end):
            break
        end -= 1
    return _of_kind(text, replace(span, start=start, end=end)) if start < end else None


def _on_its_side(text: str, start: int, end: int) -> tuple[int, int]:
    """Take away what stands on the other side of a dash between blanks, if it is clinical or common words alone."""
    while (apart := APART.search(text, start, end)) and _are_words(text, start, apart.start()):
        start = apart.end()
    while (parts := list(APART.finditer(text, start, end))) and _are_words(text, parts[-1].end(), end):
        end = parts[-1].start()
    return start, end


def _without_state(text: str, start: int, end: int) -> int:
    """Return where a town ends that its state follows; in an address the state is a part of it."""
    state = _STATE_AT_END.search(text, start, end)
    if state is not None and _OF_ADDRESS.search(text, start, state.start()):
        return end
    is_state = state is not None and (is_country(state[1], is_place=True) or is_state_code(state[1]))
    return state.start() if state is not None and is_state else end


def _are_words(text: str, start: int, end: int) -> bool:
    words = _WORD.findall(text, start, end)
    return bool(words) and all(
        word.casefold() in _DIMENSIONS or (word.isalpha() and (is_vocabulary(word) or is_common(word)))
        for word in words
    )


def _end_of_address(text: str, start: int, end: int) -> int:
    """Return where the name of a street ends that clinical words or a code follow: ``12 Mill Lane t2_tse_sag_p3``."""
    words = list(_WORD.finditer(text, start, end))
    last = max((at for at, word in enumerate(words) if word.group().casefold() in _STREETS), default=len(words) - 1)
    after = words[last + 1 :]
    if not after:
        return end
    street_end = words[last].end()
    code = _CODE_AFTER.match(text, street_end)
    is_code = code is not None and all(map(_is_of_code, _BETWEEN_PARTS.split(code[1])))
    return street_end if is_code or _are_words(text, after[0].start(), end) else end


def _is_of_code(part: str) -> bool:
    """Tell whether it may be a part of a protocol's name: ``tse``, ``6mm``; no name and no number of somebody."""
    if part.isalpha():
        return len(part) <= _SHORT_CHARS or is_vocabulary(part)
    return len(part) <= _MOST_OF_CODE_CHARS and any(char.isalpha() for char in part)


def _without_protocol(text: str, start: int, end: int) -> int:
    """Return where a number ends that the first part of a protocol's code follows: ``0474/7725422 P19^P108^S817``."""
    code = _FIRST_OF_CODE.search(text, start, end) if text[end : end + 1] == "^" else None
    return code.start() if code and _DIGITS.search(text, start, code.start()) else end


def without_measure(text: str, start: int, end: int) -> int:
    """Return where a number or an address ends that a measure follows: ``12 Mill Lane 7.2 BREAST``, ``7418 25 mm``."""
    measure = _MEASURE_AT_END.search(text, start, end)
    if measure is not None and _DIGITS.search(text, start, measure.start()):
        return measure.start()
    last = _NUMBER_AT_END.search(text, start, end)
    if last is None or not _DIGITS.search(text, start, last.start()):  # Station 4.2 has no other number
        return end
    is_measure = _DECIMAL_AT_END.fullmatch(text, *last.span()) if "." not in text[start : last.start()] else None
    return last.start() if is_measure or _UNIT_AFTER.match(text, end) else end


def _of_kind(text: str, span: Span) -> Span | None:
    if span.kind is SpanKind.NAME:
        return _of_name(text, span)
    if span.kind is SpanKind.AGE:
        return _of_age(text, span)
    if span.kind is SpanKind.CONTACT:
        label = _LETTERS_BEFORE_NUMBER.match(text, span.start, span.end) or _EXTENSION.match(text, span.start, span.end)
        return replace(span, start=label.end()) if label else span
    if span.kind is SpanKind.ID:
        rest = _CODE_AFTER_NUMBER.match(text, span.end)
        return replace(span, end=rest.end()) if rest else span
    return _of_date(text, span) if span.kind is SpanKind.DATE else span


def _of_name(text: str, span: Span) -> Span:
    """Take titles, degrees, labels and codes away from the ends of a name of several words; take initials to it."""
    if "^" in text[span.start : span.end]:
        codes = _CODES_AT_END.search(text, span.start, span.end)
        return replace(span, end=codes.start()) if codes else span
    words = list(_WORD.finditer(text, span.start, span.end))
    first, last = 0, len(words) - 1
    while first < last and is_no_part_of_name(words[first].group()):
        first += 1
    while last > first and is_no_part_of_name(words[last].group()):
        last -= 1
    start = span.start if first == 0 else words[first].start()
    end = span.end if last == len(words) - 1 else words[last].end()
    initials = _INITIALS_BEFORE.search(text, max(0, start - _BEFORE_CHARS), start)
    if initials is not None and text[start].isupper() and initials.group().isupper():
        start = initials.start()
    return replace(span, start=start, end=end)


def _of_age(text: str, span: Span) -> Span | None:
    """Return the number, if it is one of those that identify and no measure."""
    digits = _DIGITS.search(text, span.start, span.end)
    if digits is None:
        return span
    if _MEASURE_AFTER.match(text, digits.end()):
        return None
    number = digits.group().lstrip("0")
    if len(number) > 3 or not OLDEST_AGE_THAT_STAYS < int(number or 0) <= OLDEST_AGE:
        return None
    return replace(span, start=digits.end() - len(number), end=digits.end())


def _of_date(text: str, span: Span) -> Span:
    """Take prepositions away from before a date: ``v. 3.5.``, ``den 3 maj``; take the month to a day: ``5. 6.``."""
    start, end = span.start, span.end
    if _DAY.fullmatch(text, start, end) and (month := _MONTH_AFTER.match(text, end)):
        end = month.end()
    for word in _LETTERS.finditer(text, span.start, span.end):
        is_first = not _WORD.search(text, start, word.start())
        if not is_first or not (is_function_word(word.group()) or word.group() in {"d", "dd", "v", "dt"}):
            break
        following = _WORD.search(text, word.end(), span.end)
        if following is None:
            break
        start = following.start()
    return replace(span, start=start, end=end)


def _opens(text: str, start: int, end: int) -> bool:
    """Tell whether a span begins with a bracket that closes within it; or a plus, before a number."""
    closing = _OPENING.get(text[start])
    return text.find(closing, start, end) > 0 if closing else text[start] == "+"


def _closes(text: str, start: int, end: int) -> bool:
    opening = _CLOSING.get(text[end - 1])
    return opening is not None and text.rfind(opening, start, end) >= 0

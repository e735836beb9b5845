"""Dates in texts: found in all the forms people write, and moved in place.

A date keeps its form: order, separators, leading zeros, language. Times stay, since whole days leave them alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from deid.text.months import is_unmistakable, month_names, month_number, renamed
from deid.text.ratios import is_ratio

FIRST_YEAR, LAST_YEAR = 1890, 2099
_LATEST_YEAR_UNKNOWN = 2035
_YEAR = r"(?:1[89]|20)\d\d"


@dataclass(frozen=True, slots=True)
class DateText:
    """A date and where its parts are in the text.

    Attributes
    ----------
    start, end
        of the whole, in characters
    parts
        what of the date (``y``, ``m``, ``d``, ``n`` for a month's name, ``r`` for its Roman number), and from where
        to where it is written
    day
        the date; where no day is written, the middle of the month, where no year is, a year of the patient's
    """

    start: int
    end: int
    parts: tuple[tuple[str, int, int], ...]
    day: date


# One expression per order; separators are the same on both sides. What comes before and after must not make it part of
# a longer number, a UID or a version.
_NUMERIC = re.compile(
    rf"(?<!\d)(?<!\d[.,])(?:"
    rf"(?P<y1>{_YEAR})(?P<s1>[-./_])(?P<m1>\d\d?)(?P=s1)(?P<d1>\d\d?)(?![\d])(?!\.\d)"
    rf"|(?P<a2>\d\d?)(?P<s2>[-/_]|\. ?)(?P<b2>\d\d?)(?P=s2)(?P<y2>{_YEAR})(?!\d)(?!\.\d)"
    rf"|(?<!\d[-/_])(?<![^\W_])(?<!\d{{4}} )(?P<a3>\d\d)(?P<s3>[-./])(?P<b3>\d\d)(?P=s3)(?P<y3>\d\d)(?!\d)(?![-./,]\d)"
    rf"|(?<!\d[-/_])(?<![^\W_])(?P<a4>\d\d?)/(?P<b4>\d\d?)/(?P<y4>\d\d)(?!\d)(?![-./,]\d)"
    rf"|(?P<run>\d{{8}})(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\.\d{{1,6}})?)?(?:[+-]\d{{4}})?)?(?!\d)(?!\.\d)"
    rf"|(?<![-/])(?P<y6>{_YEAR})-(?P<m6>0[1-9]|1[0-2])(?![-./\d])"
    rf"|(?<![-/])(?P<m7>0?[1-9]|1[0-2])/(?P<y7>{_YEAR})(?![-./\d])"
    rf")"
)
_ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_ROMAN = re.compile(
    r"(?<![\w.,/-])(\d\d?)(?P<mark>[ ./-]|\. )(VI{0,3}|I[VX]|I{1,3}|XI{0,2})(?P=mark)"
    rf"({_YEAR}|(?<=[.-])\d\d)(?!\w|[.,/-]\d)"
)
# Without a year only after a word that leads to a date; of slashes not what could be a score.
_CUED = re.compile(
    r"(?<![^\W_])(?:le|am|vom|bis|den|dnia|dn\.?|il|dia|em) {1,2}(?:"
    r"(\d\d?)\. ?(1[0-2]|0?[1-9])\.(?!\d)"
    r"|(\d\d?)[./-](1[0-2]|0[1-9])(?!\d|[./,-]\d)(?! ?(?:mm|cm|ml|mg|kg|gy|mgy|ms|s|min|h|tesla|t|%)(?![^\W_]))"
    r"|(1[3-9]|2\d|3[01])/([1-9])(?!\d|[./,-]\d))",
    re.IGNORECASE,
)
_WEEKDAYS = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun"
    r"|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|lunes|martes|mi[e\u00e9]rcoles|jueves|viernes|s[a\u00e1]bado|domingo|(?:lune|marte|mercole|giove|vener)d[i\u00ec]"
    r"|sabato|domenica|(?:segunda|ter\u00e7a|quarta|quinta|sexta)(?:-feira)?|(?:maan|dins|woens|donder|vrij|zater|zon)dag"
    r"|poniedzia\u0142ek|wtorek|\u015brod[a\u0119]|czwartek|pi\u0105tek|sobot[a\u0119]|niedziel[a\u0119]"
    r"|(?:m\u00e5n|tis|ons|tors|fre|l\u00f6r|s\u00f6n|tirs|l\u00f8r|s\u00f8n)dag"
    r"|pazartesi|sal\u0131|\u00e7ar\u015famba|per\u015fembe|cuma|cumartesi|pazar)"
)
_AFTER_WEEKDAY = re.compile(
    rf"(?<![^\W_]){_WEEKDAYS}[.,]? {{1,2}}(?P<a>\d\d?)(?P<mark>[./-])(?P<b>\d\d?)(?!\d|[./,-]\d)"
    r"(?<! [123]/[234])(?! ?(?:mm|cm|ml|mg|kg|gy|mgy|ms|s|min|h|t|%|x)(?![^\W_]))",  # half of something
    re.IGNORECASE,
)
_SPACED = re.compile(r"(\d{4}|\d\d?)\W{1,3}(\d\d?)\W{1,3}(\d{4}|\d\d)|(\d\d)(\d\d)(\d\d)")
_WORD_FOR_YEAR = re.compile(r" ?r\.|r(?![^\W_])| (?:roku|ROKU)(?![^\W_])")
_FULL_YEAR_CHARS = 4
_WITH_A_GLANCE = re.compile(r"\d")


def find_dates(text: str, known: Collection[str] = ()) -> list[DateText]:
    """Return the dates of `text` that are written with a month and a year or day.

    Parameters
    ----------
    text
        any text
    known
        the patient's dates as ``YYYYMMDD``: they decide between day and month, and the century
    """
    if _WITH_A_GLANCE.search(text) is None:
        return []
    finders = (_numeric_dates, _dates_with_names, _dates_with_romans, _dates_with_cues, _dates_after_weekdays)
    found = [dated for finder in finders for dated in finder(text, known)]
    out: list[DateText] = []
    for dated in sorted(found, key=lambda dated: (dated.start, -dated.end)):
        if not out or dated.start >= out[-1].end:
            out.append(_with_word_for_year(text, dated))
    return out


def _with_word_for_year(text: str, dated: DateText) -> DateText:
    """Take the word for year behind a year to the date, as Polish has it: ``5 maja 2019 r.``."""
    what, start, end = dated.parts[-1]
    if what != "y" or end != dated.end or end - start != _FULL_YEAR_CHARS:
        return dated
    match = _WORD_FOR_YEAR.match(text, end)
    return replace(dated, end=match.end()) if match else dated


def read_date(text: str, known: Collection[str]) -> DateText | None:
    """Return the date that `text` is as a whole, also one that only the patient's dates tell from other numbers."""
    match = _SPACED.fullmatch(text)
    if match is None:
        return next((dated for dated in find_dates(text, known) if dated.end - dated.start == len(text)), None)
    groups = [group for group in (1, 2, 3, 4, 5, 6) if match[group] is not None]
    for order in ("ymd", "dmy", "mdy"):
        parts = tuple((what, *match.span(group)) for what, group in zip(order, groups, strict=True))
        dated = _dated(text, parts, known)
        if dated is not None and _plain(dated.day) in known:
            return dated
    return None


def shifted(text: str, dated: DateText, days: int) -> str | None:
    """Return how the date is written when it is moved; None if there is no such day.

    Parameters
    ----------
    text
        what `dated` was found in
    dated
        a date
    days
        by how much
    """
    moved = moved_day(dated, days)
    if moved is None:
        return None
    is_padded = _is_padded(text, dated)
    out: list[str] = []
    position = dated.start
    for what, start, end in dated.parts:
        out.append(text[position:start])
        if what == "n":
            is_tight = text[start - 1 : start] != " " and text[end : end + 1] != " "
            out.append(renamed(text[start:end], moved.month, text, is_tight=is_tight))
        else:
            out.append(_written(what, text[start:end], moved, is_padded=is_padded))
        position = end
        if what == "d":
            position += _ordinal(text, end, moved.day, out)
    out.append(text[position : dated.end])
    return "".join(out)


def moved_day(dated: DateText, days: int) -> date | None:
    """Return the day that the date becomes; None if there is none."""
    try:
        return dated.day + timedelta(days=days)
    except OverflowError:
        return None


def _written(what: str, old: str, moved: date, *, is_padded: bool) -> str:
    if what == "y":
        return f"{moved.year:04d}"[-len(old) :]
    if what == "r":
        return _ROMANS[moved.month - 1]
    number = moved.day if what == "d" else moved.month
    return f"{number:02d}" if is_padded else str(number)


def _is_padded(text: str, dated: DateText) -> bool:
    """Tell whether days and months have leading zeros: yes, unless one is written without."""
    numbers = [text[start:end] for what, start, end in dated.parts if what in "dm"]
    return all(len(number) == 2 for number in numbers)


_ORDINAL = re.compile(r"(?:st|nd|rd|th|er)\b", re.IGNORECASE)


def _ordinal(text: str, end: int, day: int, out: list[str]) -> int:
    """Write the ending of an ordinal anew; return how much of the text that stands for."""
    match = _ORDINAL.match(text, end)
    if match is None:
        return 0
    if match.group().lower() == "er":  # French has one ordinal: premier
        out.append(match.group() if day == 1 else "")
        return len(match.group())
    new = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    out.append(new.upper() if match.group().isupper() else new)
    return len(match.group())


# Reading

_Part = tuple[str, int, int]


def _dated(
    text: str, parts: tuple[_Part, ...], known: Collection[str], whole: tuple[int, int] | None = None
) -> DateText | None:
    """Return the date written in `parts`, if there is such a day."""
    values = {what: text[start:end] for what, start, end in parts}
    month = _month(values)
    year = _year(values.get("y"), known)
    try:
        day = date(year, month or 0, int(values.get("d", "15")))
    except ValueError:
        return None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return None
    start, end = whole or (min(part[1] for part in parts), max(part[2] for part in parts))
    return DateText(start, end, parts, day)


def _month(values: Mapping[str, str]) -> int | None:
    if "r" in values:
        return _ROMANS.index(values["r"]) + 1
    return month_number(values["n"]) if "n" in values else int(values["m"])


def _year(digits: str | None, known: Collection[str]) -> int:
    latest = int(max(known, default=str(_LATEST_YEAR_UNKNOWN))[:4])
    if digits is None:
        return latest if known else 2001
    year = int(digits)
    if len(digits) == 4:
        return year
    return 2000 + year if 2000 + year <= latest + 1 else 1900 + year


def _plain(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _numeric_dates(text: str, known: Collection[str]) -> Iterator[DateText]:
    for match in _NUMERIC.finditer(text):
        dated = _of_numbers(text, match, known)
        if dated is not None:
            yield dated


def _of_numbers(text: str, match: re.Match[str], known: Collection[str]) -> DateText | None:
    def part(what: str, group: str) -> _Part:
        return (what, *match.span(group))

    if match["y1"]:
        return _dated(text, (part("y", "y1"), part("m", "m1"), part("d", "d1")), known)
    if match["run"]:
        return _of_run(text, match, known)
    for order in "67":
        if match[f"y{order}"]:
            if int(match[f"y{order}"]) % 50 == 0:  # 10/2000 is more often an echo and a repetition time
                return None
            parts = (part("m", f"m{order}"), part("y", f"y{order}"))
            return _dated(text, tuple(sorted(parts, key=lambda part: part[1])), known)
    order = next(order for order in "234" if match[f"y{order}"])
    if order != "2" and is_ratio(text, *match.span()):
        return None
    return _of_two_orders(text, part("d", f"a{order}"), part("m", f"b{order}"), (part("y", f"y{order}"),), known)


def _of_two_orders(
    text: str, one: _Part, two: _Part, year: tuple[_Part, ...], known: Collection[str]
) -> DateText | None:
    """Read day and month in the order that a known date has, else the European one, with slashes the American."""
    european = (("d", *one[1:]), ("m", *two[1:]), *year)
    american = (("m", *one[1:]), ("d", *two[1:]), *year)
    is_slashed = text[one[2] : one[2] + 1] == "/"
    orders = (american, european) if is_slashed else (european, american)
    read = [dated for parts in orders if (dated := _dated(text, parts, known)) is not None]
    return next((dated for dated in read if _plain(dated.day) in known), read[0] if read else None)


def _of_run(text: str, match: re.Match[str], known: Collection[str]) -> DateText | None:
    """Read eight digits: a date of DICOM, else day, month and year."""
    start = match.start("run")
    whole = (start, match.end("run"))
    bounds = {"ymd": (4, 6), "dmy": (2, 4), "mdy": (2, 4)}
    read: list[DateText] = []
    for order, (first, second) in bounds.items():
        edges = (start, start + first, start + second, start + 8)
        parts = tuple((what, edges[i], edges[i + 1]) for i, what in enumerate(order))
        dated = _dated(text, parts, known, whole)
        if dated is not None and dated.day.year >= 1900:
            read.append(dated)
    chosen = next((dated for dated in read if _plain(dated.day) in known), read[0] if read else None)
    has_time = match.end() > match.end("run")
    return None if chosen is None or (has_time and chosen.parts[0][0] != "y") else chosen


# Months by name

_LETTERS = re.compile(r"[^\W\d_]+")
_DAY_BEFORE = re.compile(
    r"(?<!\d)(?<!\d[.,/:])(\d\d?)(?P<ordinal>(?:st|nd|rd|th)|er|\u00ba|\u00aa|\u00b0|:?[ae])?"
    r"(?:[ \-/._]{0,2}|\.? (?:de|of|di|d')? ?)\Z",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(rf"(?<![\d.])({_YEAR})[ \-/._]{{0,2}}\Z")
_YEAR_AFTER = re.compile(
    rf"\.?,?(?:[ \-/_]{{0,2}}| (?:de|del|of|r\.|y\u0131l\u0131) )({_YEAR})(?!\d)(?!\.\d)", re.IGNORECASE
)
_SHORT_YEAR_AFTER = re.compile(r"(?:\.?[-/_ ]?'|\.?[-/_.]?)(\d\d)(?![^\W_])(?![.,:]\d)(?!\s?(?:mm|cm|ms|ml|%))")
_DAY_AFTER = re.compile(r"\.?[ \-_.]{1,2}(\d\d?)(?:st|nd|rd|th)?(?!\d)(?![.,:]\d)(?![^\W_])", re.IGNORECASE)
_DAY_AND_YEAR_AFTER = re.compile(
    rf"\.?[ \-_]{{0,2}}(\d\d?)(?:st|nd|rd|th)?(?:, ?|[ \-_/])({_YEAR})(?!\d)", re.IGNORECASE
)
_BEFORE_CHARS = 14


def _dates_with_romans(text: str, known: Collection[str]) -> Iterator[DateText]:
    """Read 18-VII-2019, in capitals alone; 2 X 2000 is more often a size."""
    for match in _ROMAN.finditer(text):
        if match["mark"] != " " or match[3] != "X":
            dated = _dated(text, (("d", *match.span(1)), ("r", *match.span(3)), ("y", *match.span(4))), known)
            if dated is not None:
                yield dated


def _dates_with_cues(text: str, known: Collection[str]) -> Iterator[DateText]:
    """Read a day and a month after a word that leads to them: ``le 12.04``, ``vom 3. 5.``, ``den 14/6``."""
    for match in _CUED.finditer(text):
        day, month = (group for group in range(1, 7) if match[group] is not None)
        dated = _dated(text, (("d", *match.span(day)), ("m", *match.span(month))), known)
        if dated is not None:
            yield dated


def _dates_after_weekdays(text: str, known: Collection[str]) -> Iterator[DateText]:
    """Read a day and a month after a weekday: ``Sat 9/7``, ``Montag, 3.5.``."""
    for match in _AFTER_WEEKDAY.finditer(text):
        dated = _of_two_orders(text, ("d", *match.span("a")), ("m", *match.span("b")), (), known)
        if dated is not None:
            yield dated


def _dates_with_names(text: str, known: Collection[str]) -> Iterator[DateText]:
    names = month_names()
    for word in _LETTERS.finditer(text):
        if word.group().casefold() in names:
            dated = _around(text, word, known)
            if dated is not None:
                yield dated


def _around(text: str, word: re.Match[str], known: Collection[str]) -> DateText | None:
    """Read what stands around the name of a month."""
    start, end = word.span()
    name: _Part = ("n", start, end)
    day = _DAY_BEFORE.search(text, max(0, start - _BEFORE_CHARS), start)
    for parts in _readings(text, word, name, day):
        first = min(part[1] for part in parts)
        last = max(part[2] for part in parts)
        dated = _dated(text, tuple(sorted(parts, key=lambda part: part[1])), known, (first, _with_ending(text, last)))
        if dated is not None:
            return dated
    return None


_ENGLISH_ORDINALS = frozenset({"st", "nd", "rd", "th"})


def _is_ordinal_of(ending: str | None, name: str) -> bool:
    """Tell whether a day's ending is one of the language of the month: the 3rd of Mar, 3:e maj."""
    if ending is None or name.casefold() not in month_names():
        return False
    languages = {form.language for form in month_names()[name.casefold()] if name.casefold() in form.casefolded}
    return ("en" in languages) if ending.casefold() in _ENGLISH_ORDINALS else bool(languages - {"en"})


def _with_ending(text: str, end: int) -> int:
    match = _ORDINAL.match(text, end)
    return match.end() if match and text[end - 1 : end].isdigit() else end


def _readings(text: str, word: re.Match[str], name: _Part, day: re.Match[str] | None) -> Iterator[tuple[_Part, ...]]:
    """Return the ways to read it, the surest first."""
    start, end = word.span()
    year = _YEAR_AFTER.match(text, end)
    if day and year:
        yield (("d", *day.span(1)), name, ("y", *year.span(1)))
    month_day_year = _DAY_AND_YEAR_AFTER.match(text, end)
    if month_day_year:
        yield (name, ("d", *month_day_year.span(1)), ("y", *month_day_year.span(2)))
    year_before = _YEAR_BEFORE.search(text, max(0, start - _BEFORE_CHARS), start)
    day_after = _DAY_AFTER.match(text, end)
    if year_before and day_after:
        yield (("y", *year_before.span(1)), name, ("d", *day_after.span(1)))
    if day and (short := _SHORT_YEAR_AFTER.match(text, end)):
        yield (("d", *day.span(1)), name, ("y", *short.span(1)))
    is_sure = is_unmistakable(word.group()) or bool(day and _is_ordinal_of(day["ordinal"], word.group()))
    if year and (is_sure or int(year[1]) % 50):
        yield (name, ("y", *year.span(1)))
    if not is_sure:
        return
    if day:
        yield (("d", *day.span(1)), name)
    if day_after:
        yield (name, ("d", *day_after.span(1)))

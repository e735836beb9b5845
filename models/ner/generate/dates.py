"""Days and how they are written: the forms of sixteen languages and the technical ones."""

from random import Random
from typing import NamedTuple

from models.ner.generate.chance import Weighted, number
from models.ner.generate.lists import pick
from models.ner.generate.pieces import Filler
from models.ner.generate.tables import Table

LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
TABLE = Table("dates")
ENGLISH = tuple(month.upper() for month in TABLE["short.en"])
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
# Numbers in every order with every mark between them.
ANY_ORDER = tuple(
    mark.join(order)
    for mark in (".", "/", "-", " ", "_", ". ", " / ", "\u2013", ",")
    for order in (
        ("{dd}", "{nn}", "{y}"),
        ("{d}", "{n}", "{y}"),
        ("{dd}", "{nn}", "{yy}"),
        ("{nn}", "{dd}", "{y}"),
        ("{y}", "{nn}", "{dd}"),
        ("{y}", "{n}", "{d}"),
        ("{yy}", "{nn}", "{dd}"),
    )
)
# How often {date} takes which form.
SHARES: Weighted[str] = Weighted(
    {
        "num": 40,
        "long": 22,
        "all": 10,
        "iso": 6,
        "dicom": 4,
        "technical": 7,
        "my": 4,
        "dm": 3,
        "weekday": 2,
        "range": 2,
    }
)


class Day(NamedTuple):
    """A day, and a time that technical forms add."""

    year: int
    month: int
    day: int
    second: int


def some_day(rng: Random) -> Day:
    """
    Draw a day from 1900 to 2026.

    Returns
    -------
    Day
        A recent one in half of all cases, as of an examination; else more like a birthday.
    """
    die = rng.random()
    year = number(rng, 2005, 2026) if die < 0.5 else number(rng, 1930, 2004) if die < 0.95 else number(rng, 1900, 1929)
    month = number(rng, 1, 12)
    last = LENGTHS[month - 1] - (month == 2 and year % 4 > 0)
    return Day(year, month, number(rng, 1, last), number(rng, 0, 86399))


def ordinal(day: int, lang: str) -> str:
    """
    Write a day as an ordinal.

    Returns
    -------
    str
        "3rd" in English; the first of a month in Romance languages.
    """
    if lang == "en":
        return f"{day}{'th' if 10 < day < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
    if day == 1:
        return "1er" if lang == "fr" else "1º"
    return str(day)


def fields(day: Day, rng: Random, lang: str) -> dict[str, object]:
    """
    Work out all that a form may ask for.

    Returns
    -------
    dict
        The fields that the tables of forms name.
    """
    year, month, date, second = day
    at = month - 1
    hour = second // 3600
    after = TABLE[f"after.{lang}"]
    alone = TABLE.get(f"alone.{lang}", after)
    short = TABLE[f"short.{lang}"]
    first = ordinal(date, lang)
    return {
        "d": date,
        "dd": f"{date:02d}",
        "n": month,
        "nn": f"{month:02d}",
        "m": after[at],
        "M": alone[at],
        "w": TABLE.get(f"within.{lang}", alone)[at],
        "a": (TABLE.get(f"longer.{lang}", short) if rng.random() < 0.3 else short)[at],
        "A": ENGLISH[at],
        "r": ROMAN[at],
        "y": year,
        "yy": f"{year % 100:02d}",
        "o": first,
        "f": first,
        "p": first,
        "H": f"{hour:02d}",
        "T": f"{second // 60 % 60:02d}",
        "S": f"{second % 60:02d}",
        "u": f"{second * 11 % 1000000:06d}",
    }


def clock(rng: Random, lang: str) -> str:
    """
    Write a time of day.

    Returns
    -------
    str
        A time in a form of the language.
    """
    form = pick(rng, TABLE.of("time", lang) if rng.random() < 0.85 else TABLE["time.*"])
    hour = number(rng, 0, 23)
    return form.format(
        H=f"{hour:02d}",
        h=hour,
        p=hour % 12 or 12,
        T=f"{number(rng, 0, 59):02d}",
        S=f"{number(rng, 0, 59):02d}",
        u=number(rng, 100, 999999),
    )


def weekday(rng: Random, lang: str) -> str:
    """
    Draw a weekday.

    Returns
    -------
    str
        Its name, or short.
    """
    return pick(rng, TABLE.of("weekday", lang))


def written(day: Day, form: str, rng: Random, lang: str) -> Filler:
    """
    Write a day.

    Parameters
    ----------
    day : Day
        The day.
    form : str
        any, long, num, iso, dicom, my, dm (GUIDE.md), or all, technical, weekday, range.
    rng : Random
        The source of chance.
    lang : str
        The language.

    Returns
    -------
    str or list of Piece
        The date; pieces where not all that is written is the date.
    """
    if f"after.{lang}" not in TABLE:
        lang = "en"
    if form == "any":
        form = SHARES.pick(rng)
    if form == "dicom":
        return f"{day.year}{day.month:02d}{day.day:02d}"
    if form == "iso":
        return f"{day.year}-{day.month:02d}-{day.day:02d}"
    if form == "weekday":
        return with_weekday(day, rng, lang)
    if form == "range":
        return with_end(day, rng, lang)
    return shape_of(form, rng, lang).format_map(fields(day, rng, lang))


def shape_of(form: str, rng: Random, lang: str) -> str:
    """
    Draw a shape of a form.

    Returns
    -------
    str
        What format_map fills.
    """
    if form == "all":
        return pick(rng, ANY_ORDER)
    return pick(rng, TABLE["technical"] if form == "technical" else TABLE.of(form, lang))


def with_weekday(day: Day, rng: Random, lang: str) -> Filler:
    """
    Write a day with its weekday in front, which is not part of the date.

    Returns
    -------
    list of Piece
        Weekday and date.
    """
    form = "long" if rng.random() < 0.6 else "num"
    date = shape_of(form, rng, lang).format_map(fields(day, rng, lang))
    between = pick(rng, (", ", " ", ", ", ", den ") if lang == "de" else (", ", " "))
    return [(weekday(rng, lang) + between, ""), (date, "DATE")]


def with_end(day: Day, rng: Random, lang: str) -> Filler:
    """
    Write a day and another a little later.

    Returns
    -------
    str or list of Piece
        One date where they share month and year ("3.-5. Mai 2019"), two with what stands between otherwise.
    """
    end = day._replace(day=min(28, day.day) + number(rng, 0, 3) if day.month == 2 else min(30, day.day + 4))
    if rng.random() < 0.4:
        dash = pick(rng, ("-", "\u2013", "/", " - "))
        shape = shape_of("long" if rng.random() < 0.7 else "num", rng, lang)
        for mark in ("{d}", "{dd}"):
            if shape.startswith((mark + ".", mark + " ")):
                tail = "." if shape.startswith(mark + ".") else ""
                front = f"{day.day}{tail if rng.random() < 0.7 else ''}{dash}"
                return front + shape.format_map(fields(end, rng, lang))
    shape = shape_of("num" if rng.random() < 0.7 else "all", rng, lang)
    first, last = (shape.format_map(fields(one, rng, lang)) for one in (day, end))
    between = pick(rng, (" - ", "-", " \u2013 ", " to ", " bis ", " / ", ", ", " & ", " vs ", " and "))
    return [(first, "DATE"), (between, ""), (last, "DATE")]

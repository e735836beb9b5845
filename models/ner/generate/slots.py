"""The slots of one line: each is filled once, so that the same slot says the same thing wherever it stands."""

from collections.abc import Callable
from functools import cache
from random import Random

from models.ner.generate import clinical, contacts, dates, organisations, people, places
from models.ner.generate.chance import number
from models.ner.generate.identifiers import identifier
from models.ner.generate.lists import pick, read
from models.ner.generate.pieces import Filler, Piece
from models.ner.generate.templates import Slot
from models.ner.generate.words import description, listed, word

NAME_FORMS = frozenset(("full", "first", "last", "comma", "caret", "under", "initials", "short"))
DATE_FORMS = frozenset(("long", "num", "iso", "dicom", "my", "dm"))
# Slots whose filler is a word of a list: words/<lang>/<slot>.txt.
WORD_SLOTS = frozenset((
    "title", "role", "relation", "duration", "organ", "finding", "disease", "drug", "dose", "procedure", "eponym",
    "device", "vendor", "model", "sequence", "country", "profession", "department", "trial",
))  # fmt: skip


class Line:
    """
    One text in the making: its language, its chance, and who and what it is about.

    Parameters
    ----------
    rng : Random
        The source of chance.
    lang : str
        The language.
    held_out : bool
        Whether names, places and organisations are those of the exam.
    """

    def __init__(self, rng: Random, lang: str, *, held_out: bool) -> None:
        self.rng = rng
        self.lang = lang
        self.held_out = held_out
        self.said: dict[str, tuple[Filler, str]] = {}
        self.persons: dict[str, people.Person] = {}
        self.days: dict[str, dates.Day] = {}

    def fill(self, slot: Slot) -> tuple[Filler, str]:
        """
        Fill a slot of a template.

        Returns
        -------
        tuple
            The filler and its label; the filler may be pieces with labels of their own.
        """
        found = self.said.get(slot.key)
        if found is None:
            make, label = MAKERS[slot.base]
            found = self.said[slot.key] = (make(self, slot.which, slot.form), label)
        return found

    def pieces(self, base: str, index: str = "", form: str = "") -> list[Piece]:
        """
        Fill a slot for a text that is built by rule.

        Returns
        -------
        list of Piece
            The filler with its label.
        """
        make, label = MAKERS[base]
        filler = make(self, index, form)
        return [(filler, label)] if isinstance(filler, str) else filler

    def fill_word(self, base: str) -> str:
        """
        Fill a slot that identifies nobody.

        Returns
        -------
        str
            Another filler at every call.
        """
        return str(MAKERS[base][0](self, "", ""))

    def person(self, index: str = "") -> people.Person:
        """
        Give the person of this number.

        Returns
        -------
        Person
            The same one for the whole line.
        """
        if index not in self.persons:
            self.persons[index] = people.person(self.rng, self.lang, self.held_out)
        return self.persons[index]

    def name(self, index: str = "", form: str = "any") -> str:
        """
        Write the person of this number.

        Returns
        -------
        str
            The name in this form.
        """
        return people.written(self.person(index), form or "any", self.rng, self.lang)

    def date(self, index: str = "", form: str = "any") -> Filler:
        """
        Write the day of this number.

        Returns
        -------
        str or list of Piece
            The date in this form.
        """
        if index not in self.days:
            self.days[index] = dates.some_day(self.rng)
        return dates.written(self.days[index], form or "any", self.rng, self.lang)

    def login(self, index: str = "") -> str:
        """
        Write a user name: of the line's own person, or of another.

        Returns
        -------
        str
            Like jdoe2.
        """
        key = index if self.rng.random() < 0.5 else f"login{index}"
        return people.login(self.person(key), self.rng)

    def city(self) -> str:
        """
        Draw a city.

        Returns
        -------
        str
            Its name.
        """
        return places.city(self.rng, self.lang, self.held_out)


Make = Callable[[Line, str, str], Filler]


def word_of(base: str) -> Make:
    """
    Make the maker of a slot that a word list fills.

    Returns
    -------
    callable
        It draws a word of the list.
    """
    return lambda line, _index, _form: word(line.rng, line.lang, base)


def code_of(base: str) -> Make:
    """
    Make the maker of a slot for a number or code.

    Returns
    -------
    callable
        It draws a code of the kind.
    """
    return lambda line, _index, _form: identifier(line.rng, line.lang, base)


def place_of(make: Callable[[Random, str, bool], str]) -> Make:
    """
    Make the maker of a slot for a place or an organisation.

    Returns
    -------
    callable
        It draws one, held out or not as the line is.
    """
    return lambda line, _index, _form: make(line.rng, line.lang, line.held_out)


@cache
def together(lang: str, slot: str) -> tuple[str, ...]:
    """
    Put the words of the list and those built in together.

    Returns
    -------
    tuple of str
        Each once; the built-in English ones where a language has none.
    """
    table = dates.TABLE if slot == "weekday" else clinical.TABLE
    words = read(f"{lang}/{slot}") + table.get(f"{slot}.{lang}", ())
    return tuple(dict.fromkeys(words or table[f"{slot}.en"]))


def built_in(base: str) -> Make:
    """
    Make the maker of a slot with words of both kinds.

    Returns
    -------
    callable
        It draws one of them.
    """
    return lambda line, _index, _form: pick(line.rng, together(line.lang, base))


def protocol(line: Line, _index: str, _form: str) -> str:
    """
    Draw a protocol: of the list, or made by grammar.

    Returns
    -------
    str
        Its code or name.
    """
    if line.rng.random() < 0.4 and listed(line.lang, "protocol"):
        return word(line.rng, line.lang, "protocol")
    return clinical.protocol(line.rng)


def year(line: Line, _index: str, _form: str) -> str:
    """
    Draw a year.

    Returns
    -------
    str
        Recent mostly; now and then two digits behind an apostrophe.
    """
    when = number(line.rng, 1990, 2026) if line.rng.random() < 0.75 else number(line.rng, 1930, 1990)
    return f"'{when % 100:02d}" if line.rng.random() < 0.05 else str(when)


MAKERS: dict[str, tuple[Make, str]] = {
    "name": (Line.name, "NAME"),
    "login": (lambda line, index, _form: line.login(index), "NAME"),
    "date": (Line.date, "DATE"),
    "phone": (lambda line, _index, _form: contacts.phone(line.rng, line.lang), "CONTACT"),
    "fax": (lambda line, _index, _form: contacts.phone(line.rng, line.lang), "CONTACT"),
    "pager": (lambda line, _index, _form: contacts.pager(line.rng), "CONTACT"),
    "email": (
        lambda line, index, _form: contacts.email(line.rng, line.lang, line.login(index), line.city()),
        "CONTACT",
    ),
    "url": (lambda line, _index, _form: contacts.url(line.rng, line.lang, line.city()), "CONTACT"),
    "ip": (lambda line, _index, _form: contacts.address_of_host(line.rng), "CONTACT"),
    "host": (lambda line, _index, _form: contacts.host(line.rng, line.lang, line.city()), "CONTACT"),
    "city": (place_of(places.city), "PLACE"),
    "street": (place_of(places.street), "PLACE"),
    "zip": (place_of(places.post_code), "PLACE"),
    "address": (place_of(places.address), "PLACE"),
    "ward": (place_of(places.ward), "PLACE"),
    "room": (place_of(places.room), "PLACE"),
    "hospital": (place_of(organisations.hospital), "ORG"),
    "practice": (place_of(organisations.practice), "ORG"),
    "lab": (place_of(organisations.lab), "ORG"),
    "university": (place_of(organisations.university), "ORG"),
    "employer": (place_of(organisations.employer), "ORG"),
    "insurer": (place_of(organisations.insurer), "ORG"),
    "age": (lambda line, _index, _form: str(number(line.rng, 1, 89)), ""),
    "age90": (lambda line, _index, _form: str(number(line.rng, 90, 109 if line.rng.random() < 0.2 else 99)), "AGE"),
    "n": (lambda line, _index, _form: clinical.amount(line.rng), ""),
    "mm": (lambda line, _index, _form: clinical.millimetres(line.rng), ""),
    "cm": (lambda line, _index, _form: clinical.centimetres(line.rng, line.lang), ""),
    "pct": (lambda line, _index, _form: str(number(line.rng, 1, 100)), ""),
    "level": (lambda line, _index, _form: clinical.level(line.rng), ""),
    "side": (built_in("side"), ""),
    "modality": (built_in("modality"), ""),
    "weekday": (built_in("weekday"), ""),
    "protocol": (protocol, ""),
    "version": (lambda line, _index, _form: clinical.version(line.rng), ""),
    "time": (lambda line, _index, _form: dates.clock(line.rng, line.lang), ""),
    "year": (year, ""),
    "desc": (lambda line, _index, _form: description(line.rng, line.held_out), ""),
}
MAKERS |= {base: (word_of(base), "") for base in WORD_SLOTS}
MAKERS |= {
    base: (code_of(base), "ID")
    for base in ("id", "mrn", "acc", "case", "insurance", "national", "specimen", "order", "serial")
}


def known(base: str, form: str) -> bool:
    """
    Tell whether GUIDE.md has a slot of this base and form.

    Returns
    -------
    bool
        True for name.last and the like.
    """
    if form:
        return form in {"name": NAME_FORMS, "date": DATE_FORMS}.get(base, ())
    return base in MAKERS

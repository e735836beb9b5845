"""Places smaller than a state, as texts name them: towns, streets, addresses, wards, rooms and beds."""

import functools
import random
import re
from collections.abc import Callable
from itertools import accumulate

from models.ner.generate import people
from models.ner.generate.lists import Slot, compiled, expand, is_held_out, part, pick, read

# The countries whose towns a language's texts mostly name.
COUNTRIES = {
    "en": "US GB IE CA AU NZ ZA",
    "de": "DE AT CH LU LI",
    "fr": "FR BE CH CA",
    "es": "ES MX AR CO CL",
    "it": "IT CH",
    "pt": "PT BR",
    "nl": "NL BE",
    "pl": "PL",
    "sv": "SE FI",
    "tr": "TR",
}
ABROAD = 0.12  # the share of towns from anywhere
CONTRACTED = {"de": "du ", "des": "des ", "à": "au ", "às": "aux "}
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")


@functools.cache
def _towns(lang: str, held_out: bool) -> tuple[tuple[str, ...], tuple[float, ...]]:  # noqa: FBT001 (it selects)
    """Return towns and their weights, added up: larger ones are named more often, but not by as much."""
    countries = set(COUNTRIES.get(lang, "").split())
    rows = [line.split("\t") for line in read("places/cities")]
    known = [row for row in rows if row[1] in countries] or rows
    chosen = [(name, int(people_in) ** 0.5) for name, _, people_in in known if is_held_out(name) == held_out]
    return tuple(name for name, _ in chosen), tuple(accumulate(weight for _, weight in chosen))


def city(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a town or a village."""
    names, weights = _towns("" if rng.random() < ABROAD else lang, held_out)
    return rng.choices(names, cum_weights=weights)[0]


@functools.cache
def words(lang: str, kind: str, held_out: bool) -> tuple[str, ...]:  # noqa: FBT001 (it selects)
    """Return the words or patterns of a kind in a language, or the English ones."""
    for known in (lang, "en"):
        found = part(held_out, f"places/{known}/{kind}", f"organisations/{known}/{kind}")
        if found:
            return found
    return ()


def _range(first: int, more: int) -> str:
    """Return the numbers of a house that has several."""
    return f"{first}-{first + more}"


NUMBERS: dict[str, Callable[[random.Random], str]] = {
    "digit": lambda rng: str(int(rng.random() * 10)),
    "floor": lambda rng: str(1 + int(rng.random() * 9)),
    "number": lambda rng: str(1 + int(rng.random() * rng.choice((9, 20, 40)))),
    "two": lambda rng: f"{1 + int(rng.random() * 60):02d}",
    "three": lambda rng: str(100 + int(rng.random() * 900)),
    "house": lambda rng: str(1 + int(rng.random() * rng.choice((20, 150, 300)))),
    "long_house": lambda rng: str(100 + int(rng.random() * rng.choice((900, 9900)))),
    "house_range": lambda rng: _range(1 + int(rng.random() * 120), pick(rng, (1, 2, 2, 4, 6))),
    "bed": lambda rng: str(1 + int(rng.random() * 6)),
    "letter": lambda rng: pick(rng, "ABCDEFABC"),
    "any_letter": lambda rng: pick(rng, "ABCDEFGHKLMNPRSTUWXZ"),
    "small_letter": lambda rng: pick(rng, "abcdabc"),
    "roman": lambda rng: pick(rng, ROMAN),
}


def filled(rng: random.Random, lang: str, kind: str, held_out: bool) -> str:  # noqa: FBT001 (it selects)
    """Return one text of a kind: a pattern of the language, filled.

    What an exam asks is a pattern that training never sees in one case of three, and else one with words it doesn't.
    """
    open_one = held_out and rng.random() < 0.67
    patterns = _open_patterns(lang, kind) if open_one else words(lang, kind, held_out)

    def fill(slot: str) -> str:
        if slot in NUMBERS:
            return NUMBERS[slot](rng)
        if slot in PERSONS:
            person = people.person(rng, lang, held_out)
            return PERSONS[slot](person)
        if slot == "city":
            return city(rng, lang, held_out)
        return filled(rng, lang, slot, held_out)

    text = expand(compiled(pick(rng, patterns)), rng, fill)
    return elided(text) if lang == "fr" else text


def elided(text: str) -> str:
    """Return a French text with the short forms before a name: "d'Amiens", "du Mans", "des Ulis"."""
    text = re.sub(r"\b(de|à) Le(s?) (?=[A-Z])", lambda match: CONTRACTED[match[1] + match[2]], text)
    return re.sub(r"\b([dD])e (?=[AEIOUYÉÈÊÂÎÔH])", r"\1'", text)


@functools.cache
def _open_patterns(lang: str, kind: str) -> tuple[str, ...]:
    """Return the patterns that have a slot, in or out of the training; a list without any gives its held-out words."""
    known = (*words(lang, kind, held_out=False), *words(lang, kind, held_out=True))
    slotted = tuple(text for text in known if any(isinstance(node, Slot) for node in compiled(text)))
    return slotted or words(lang, kind, held_out=True)


PERSONS: dict[str, Callable[[people.Person], str]] = {
    "family": lambda person: person.family,
    "given": lambda person: person.given[0] if person.given else person.family,
    "full": lambda person: f"{person.given[0] if person.given else ''} {person.family}".strip(),
    "initial": lambda person: person.family[0],
}


def street(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a street with a house number, or without."""
    return filled(rng, lang, "street", held_out)


def post_code(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a post code."""
    return filled(rng, lang, "post_code", held_out)


def address(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a full address."""
    return filled(rng, lang, "address", held_out)


def ward(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a ward with its name or number."""
    return filled(rng, lang, "ward", held_out)


def room(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a room or a bed with its number."""
    return filled(rng, lang, "room", held_out)


def country(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a country, which identifies nobody."""
    return filled(rng, lang, "country", held_out)

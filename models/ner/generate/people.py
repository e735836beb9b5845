"""Persons, and the ways in which their names are written."""

import functools
import gzip
import random
import unicodedata
from dataclasses import dataclass
from itertools import accumulate

from models.ner.generate.cultures import (
    ALONE,
    ANY_PREFIX,
    ANYWHERE,
    BABY,
    DEGREES,
    FAMILY_FIRST,
    FATHERS,
    HOMES,
    JOINED_FAMILIES,
    MIDDLE,
    NO_MIDDLE,
    PARTICLES,
    PREFIXES,
    SUFFIXES,
    TWO_FAMILIES,
    VIETNAMESE_MIDDLE,
    WORD_NAMES,
)
from models.ner.generate.lists import WORDS, is_held_out, part, pick, read

LETTERS = str.maketrans(
    {
        "ł": "l",
        "Ł": "L",
        "ø": "o",
        "Ø": "O",
        "ß": "ss",
        "đ": "d",
        "Đ": "D",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "þ": "th",
        "Þ": "Th",
        "æ": "ae",
    }
    | {"Æ": "Ae", "ð": "d", "ə": "e", "Ə": "E", "œ": "oe", "Œ": "Oe", "ŋ": "ng"}
)
UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa", "ø": "oe"}
)

_SHORTEST_RARE = 4
EPONYMOUS, RARE = 0.03, 0.07
"""how many persons of the training have such a surname; the exam's have those of the lists alone"""


@dataclass(frozen=True, slots=True)
class Person:
    """A person with the names that every form of writing draws from; one without given names has a single name."""

    given: tuple[str, ...]
    family: str
    culture: str
    sex: str


@functools.cache
def cultures() -> tuple[str, ...]:
    """Return every culture that has lists of given names."""
    folders = {file.parent.name for file in (WORDS / "names").rglob("given_f.txt")}
    return tuple(sorted(folders))


@functools.cache
def homes(lang: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the cultures that persons of a language come from, and their shares added up."""
    fields = HOMES.get(lang, "").split()
    known = [(name, int(share)) for name, share in zip(fields[::2], fields[1::2], strict=True) if name in cultures()]
    if not known:
        known = [(name, 1) for name in cultures()]
    return tuple(name for name, _ in known), tuple(accumulate(share for _, share in known))


@functools.cache
def names(culture: str, kind: str, held_out: bool) -> tuple[str, ...]:  # noqa: FBT001 (it selects)
    """Return a culture's names of a kind, collected and written by hand."""
    paths = [f"names/{culture}/{kind}", f"names/own/{culture}/{kind}"]
    if kind == "family" and (culture in FATHERS or not read(*paths)):
        paths = [f"names/{culture}/given_m", f"names/own/{culture}/given_m"]
    if kind == "family_f" and not read(*paths):
        return names(culture, "family", held_out)
    return part(held_out, *paths)


@functools.cache
def surnames() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what training alone uses: surnames that name a sign or a product as well, and rare ones."""
    with gzip.open(WORDS / "names" / "census.txt.gz", "rt", encoding="ascii") as lines:
        rare = [name for name in map(str.strip, lines) if len(name) >= _SHORTEST_RARE and not is_held_out(name)]
    known = {path.relative_to(WORDS).as_posix().removesuffix(".txt") for path in WORDS.rglob("*.txt")}
    eponyms = {each for each in known if "eponym" in each}
    named = {entry.casefold() for entry in read(*sorted(eponyms)) if entry[:1].isupper()}
    everyday = sorted(each for each in known - eponyms if each.startswith("common/"))
    words = {entry.casefold() for entry in read(*everyday)}
    eponymous = tuple(name.title() for name in rare if name in named and name not in words)
    return eponymous, tuple(name.title() for name in rare if name not in words)


def person(rng: random.Random, lang: str, held_out: bool = False) -> Person:  # noqa: FBT001, FBT002 (agreed)
    """Return a person, mostly of a culture of the language."""
    chance = rng.random
    sex = "f" if chance() < 0.5 else "m"
    if chance() < ANYWHERE:
        culture, words = pick(rng, cultures()), ()
    else:
        known, shares = homes(lang)
        culture = rng.choices(known, cum_weights=shares)[0]
        words = part(held_out, f"names/own/word/{lang}") if chance() < WORD_NAMES else ()
    given = pick(rng, names(culture, "given_" + sex, held_out))
    if words:
        if chance() < 0.15:
            given = pick(rng, part(held_out, f"names/own/word/{lang}_given") or (given,))
        family = pick(rng, words)
    else:
        family = _family(rng, culture, sex, held_out)
        die = 1.0 if held_out else chance()
        if die < EPONYMOUS + RARE:
            eponymous, rare = surnames()
            family = pick(rng, eponymous if die < EPONYMOUS else rare)
    if chance() < ALONE.get(culture, 0.0):
        return Person((), given, culture, sex)
    given = _joined(rng, given, culture)
    if culture in NO_MIDDLE or chance() >= MIDDLE.get(culture, 0.25):
        return Person((given,), family, culture, sex)
    return Person((given, _middle(rng, culture, sex, held_out)), family, culture, sex)


def _joined(rng: random.Random, given: str, culture: str) -> str:
    """Return a given name of two syllables or two names in one of the ways in which it is joined."""
    if "-" not in given or culture not in {"korean", "chinese", "cantonese", "taiwanese", "hawaiian"}:
        return given
    first, _, second = given.partition("-")
    return pick(rng, (given, given, f"{first}-{second.title()}", f"{first} {second.title()}", first + second))


def _middle(rng: random.Random, culture: str, sex: str, held_out: bool) -> str:  # noqa: FBT001 (it selects)
    """Return a second given name, or the patronymic that stands there."""
    if culture == "vietnamese":
        return pick(rng, VIETNAMESE_MIDDLE[sex])
    if culture not in {"russian", "ukrainian", "bulgarian"}:
        return pick(rng, names(culture, "given_" + sex, held_out))
    father = pick(rng, names(culture, "given_m", held_out))
    if father[-1] in "aeiouy":
        father = father[:-1] + "y"
        return father + ("evna" if sex == "f" else "evich")
    if culture == "bulgarian":
        return father + ("ova" if sex == "f" else "ov")
    return father + ("ovna" if sex == "f" else "ovich")


def _family(rng: random.Random, culture: str, sex: str, held_out: bool) -> str:  # noqa: FBT001 (it selects)
    """Return a family name with what belongs to it: particles, a second name, a patronymic."""
    chance = rng.random
    known = names(culture, "family_f" if sex == "f" and chance() < 0.8 else "family", held_out)
    family = pick(rng, known)
    if culture == "icelandic":
        return _patronymic(pick(rng, names(culture, "given_m", held_out)), sex)
    share, particles = PARTICLES.get(culture, (0.0, ()))
    particle = pick(rng, particles) if chance() < share and " " not in family and "'" not in family else ""
    if particle in {"d'", "D'"} and plain_initial(family) not in "AEIOUH":
        particle = ""
    if particle:
        inside = particle[-1].islower() and not particle.startswith(("Mc", "Mac", "Fitz", "D"))
        family = particle + (family.lower() if inside else family)
    if chance() < TWO_FAMILIES.get(culture, 0.0):
        return family + pick(rng, (" ", " ", " ", " ", "-", " y " if culture == "spanish" else " ")) + pick(rng, known)
    if chance() < JOINED_FAMILIES.get(culture, 0.02):
        return family + pick(rng, ("-", "-", "-", "-", "-", "-", " ", " ", " - ")) + pick(rng, known)
    return family


def _patronymic(father: str, sex: str) -> str:
    """Return the Icelandic name after a father."""
    for ending, genitive in (("ur", "s"), ("i", "a"), ("a", "u"), ("nn", "ns"), ("ll", "ls"), ("s", "s")):
        if father.endswith(ending):
            father = father.removesuffix(ending) + genitive
            break
    else:
        father += "s"
    return father + ("dóttir" if sex == "f" else "son")


@functools.cache
def nicknames() -> dict[str, tuple[str, ...]]:
    """Return the short and pet names for given names."""
    found = {}
    for line in read("names/nicknames"):
        name, _, short = line.partition("\t")
        found[name] = tuple(nick for nick in short.split() if is_held_out(nick) == is_held_out(name))
    return found


@functools.lru_cache(maxsize=20_000)
def ascii_letters(text: str, umlauts: bool) -> str:  # noqa: FBT001 (it selects)
    """Return a name in plain letters, umlauts as two letters or as one."""
    if umlauts:
        text = text.translate(UMLAUTS)
    marks = unicodedata.normalize("NFD", text.translate(LETTERS))
    return marks.encode("ascii", "ignore").decode()


def plain_initial(name: str) -> str:
    """Return a name's first letter without any mark, as a capital."""
    return ascii_letters(name, umlauts=False)[:1].upper()


def written(person: Person, form: str, rng: random.Random, lang: str) -> str:
    """Return a person's name in a form, without any title."""
    if form == "any":
        form = rng.choices(ANY, cum_weights=SHARES)[0]
    return FORMS[form](person, rng, lang) or person.family


def _initial(name: str) -> str:
    """Return a name's first letter, of both halves of one with a hyphen."""
    first, hyphen, second = name.partition("-")
    return f"{first[0].upper()}.-{second[0].upper()}." if hyphen and second else f"{first[0].upper()}."


def _given(person: Person, rng: random.Random) -> str:
    """Return the given names as a text has them: the first, all, or the second shortened."""
    if not person.given:
        return ""
    first, *others = person.given
    shorter = nicknames().get(first)
    if shorter and rng.random() < 0.08:
        return pick(rng, shorter)
    if not others or rng.random() < 0.3:
        return first
    if person.culture == "vietnamese" or rng.random() < 0.5:
        return " ".join(person.given)
    letter = _initial(others[0])
    return f"{first} {letter if rng.random() < 0.75 else letter[0]}"


def _last(person: Person, rng: random.Random, _lang: str) -> str:
    return person.family.upper() if rng.random() < 0.08 else person.family


def _first(person: Person, rng: random.Random, _lang: str) -> str:
    shorter = nicknames().get(person.given[0]) if person.given else None
    if shorter and rng.random() < 0.12:
        return pick(rng, shorter)
    return person.given[0] if person.given else person.family


def _full(person: Person, rng: random.Random, lang: str) -> str:
    chance = rng.random()
    if chance < 0.012:
        return f"{pick(rng, BABY.get(lang, BABY['en']))} {_last(person, rng, lang)}"
    given, family = _given(person, rng), person.family
    if chance < 0.08:
        family = family.upper()
    if not given:
        return family
    turned = rng.random() < (0.55 if person.culture in FAMILY_FIRST else 0.07)
    if turned:
        if person.culture == "vietnamese":
            given = " ".join(reversed(person.given))
        name = f"{family} {given}"
    elif chance > 0.97 and lang in SUFFIXES:
        name = f"{given} {family}{pick(rng, (' ', ' ', ', '))}{pick(rng, SUFFIXES[lang])}"
    else:
        name = f"{given} {family}"
    if 0.2 < chance < 0.24:  # as a registration desk types it: "Shea Colm P"
        name = f"{family} {given} {_initial(pick(rng, (given, family))).rstrip('. -')}"
    return name.upper() if 0.08 < chance < 0.12 else name


def _comma(person: Person, rng: random.Random, lang: str) -> str:
    given, chance = _given(person, rng), rng.random()
    family = person.family.upper() if chance < 0.2 else person.family
    if not given:
        return family
    if rng.random() < 0.12:
        given = _initial(given)
    if chance > 0.975 and lang in SUFFIXES:
        family = f"{family} {pick(rng, SUFFIXES[lang])}"
    name = family + pick(rng, (", ", ", ", ", ", ", ", ",", ",", " , ", ",  ")) + given
    return name.upper() if 0.2 < chance < 0.28 else name


def _short(person: Person, rng: random.Random, lang: str) -> str:
    if not person.given:
        return person.family
    family, chance = _last(person, rng, lang), rng.random
    letters = [_initial(name) for name in person.given[: 1 if chance() < 0.6 else 3]]
    joined = pick(rng, ("", " ", "")).join(letters)
    bare = joined.replace(".", "")
    if chance() < 0.12:
        joined = bare
    kind = chance()
    if kind < 0.6:
        return f"{joined} {family}"
    if kind < 0.84:
        return f"{family} {pick(rng, (joined, bare, bare))}"
    if kind < 0.9:
        return f"{family}, {joined}"
    if kind < 0.93:
        return f"{joined}{family}"
    return f"{person.given[0]} {family[0].upper()}{pick(rng, ('.', '.', ''))}"


def _initials(person: Person, rng: random.Random, _lang: str) -> str:
    main = person.family.rsplit(" ", 1)[-1].strip("-'")
    first = [name[0].upper() for name in person.given[: 1 if rng.random() < 0.7 else 3]]
    chance = rng.random()
    letters = [*first, main[0].upper()] if chance < 0.85 else [main[0].upper(), *first]
    if chance < 0.3:
        return ".".join(letters) + "."
    if chance < 0.36:
        return ". ".join(letters) + "."
    if chance < 0.4:
        return ".".join(letters)
    if chance < 0.48:
        return "".join(letters).lower()
    if 0.74 < chance < 0.85:  # the first letters of the family name, as departments list their staff
        start = main[: 2 if rng.random() < 0.7 else 3]
        return pick(rng, (start.upper(), start, start.lower())) + pick(rng, ("", first[0] if first else ""))
    return "".join(letters)


def _caret(person: Person, rng: random.Random, lang: str) -> str:
    family, chance = person.family, rng.random
    first = person.given[0] if person.given else ""
    middle = person.given[1] if len(person.given) > 1 else ""
    if middle and chance() < 0.4:
        middle = middle[0]
    if first and chance() < 0.05:
        first = first[0]
    prefix = pick(rng, PREFIXES.get(lang, ANY_PREFIX)) if chance() < 0.15 else ""
    suffix = pick(rng, DEGREES) if chance() < 0.06 else ""
    name = f"{family}^{first}^{middle}^{prefix}^{suffix}"
    kind = chance()
    if kind < 0.7:
        name = name.rstrip("^")
        name = name if "^" in name else name + "^"
    elif kind < 0.78:
        name = f"{family}^{first} {middle}".rstrip()
    elif kind < 0.82:
        rare = (f"{family}^^", f"{family}^", f"{family} {first}^", f"{family}^{first}^^", f"^{first or family}")
        name = pick(rng, rare)
    elif kind < 0.85:
        name = f"{family}^{first}="
    if chance() < 0.4:
        name = ascii_letters(name, chance() < 0.6)
    return name.upper() if chance() < 0.55 else name


def _under(person: Person, rng: random.Random, _lang: str) -> str:
    chance = rng.random
    first, family = (person.given[0] if person.given else ""), person.family.replace(" ", pick(rng, ("", "_", "-")))
    if chance() < 0.8:
        umlauts = chance() < 0.7
        first, family = ascii_letters(first, umlauts), ascii_letters(family, umlauts)
    if chance() < 0.18:
        first = first[:1]
    parts = [family, first] if chance() < 0.6 else [first, family]
    if len(person.given) > 1 and chance() < 0.15:
        parts.insert(chance() < 0.5 or 2, person.given[1][0])
    kind, joined = chance(), pick(rng, "____-.")
    if kind < 0.12:
        joined, parts = "", [text[:1].upper() + text[1:] for text in parts]
    name = joined.join(text.replace(" ", joined) for text in parts if text)
    if kind > 0.75:
        return name.upper()
    return name.lower() if kind > 0.5 else name


def login(person: Person, rng: random.Random) -> str:
    """Return a user name that a person may have."""
    chance = rng.random
    umlauts = chance() < 0.6
    family = "".join(c for c in ascii_letters(person.family, umlauts).lower() if c.isalpha())
    first = "".join(c for c in ascii_letters(person.given[0] if person.given else "", umlauts).lower() if c.isalpha())
    initial = first[:1]
    kind = int(chance() * 12)
    name = (
        initial + family, initial + family, initial + family[:7], family + initial, f"{first}.{family}".strip("."),
        f"{initial}.{family}".strip("."), f"{family}_{initial}", f"{first}_{family}", family[:3] + first[:2],
        family, first + family[:1], f"{family[:4]}{first[:2]}",
    )[kind]  # fmt: skip
    if chance() < 0.35:
        name += pick(rng, ("1", "2", "01", "3", "02", "12", "7", "99", "88", "_adm", "-rad", "03", "4"))
    return name.upper() if chance() < 0.15 else name


FORMS = {
    "full": _full,
    "first": _first,
    "last": _last,
    "comma": _comma,
    "caret": _caret,
    "under": _under,
    "initials": _initials,
    "short": _short,
}
ANY = ("full", "comma", "short", "last", "caret", "first", "under", "initials")
SHARES = tuple(accumulate((44, 16, 14, 12, 6, 4, 2, 2)))

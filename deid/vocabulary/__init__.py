"""Words that name nobody: of medicine, of imaging, of every day, and eponyms; a table of words for each language.

The lists are written by hand for this project. They protect from what only looks like a name: a word after a title, a
word close to the patient's name. What is exactly a known identifier is taken out whatever the lists say.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files

from deid.fold import folded

_PART = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+(?![a-zß-ÿ])")
_ENDINGS = ("s", "es", "n", "en", "e", "er", "al", "ic")
SHORTEST_STEM = 4

_LANGUAGES = (
    "imaging.toml",
    "english.toml",
    "german.toml",
    "romance.toml",
    "others.toml",
    "forms.toml",
)
_EPONYMS = "eponyms.toml"
_FORMS = "forms.toml"
_SURNAMES = "surnames.toml"
_MEASURES = "measures.toml"
_FUNCTION = "function.toml"
_COUNTRIES = "countries.toml"
_TERRITORIES = "territories.toml"
_BELONGING = "belonging.toml"
_INSTITUTIONS = "institutions.toml"
_ABBREVIATIONS = "abbreviations"


@cache
def _words_of(name: str, *tables: str) -> frozenset[str]:
    """Return the words of one file, or of some of its tables, case-folded, as written and without diacritics."""
    raw = tomllib.loads((files(__package__) / name).read_text(encoding="utf-8"))
    texts = [raw[table] for table in tables] if tables else raw.values()
    words = {word for text in texts for word in text.casefold().split()}
    return frozenset(words | {folded(word) for word in words})


@cache
def _common() -> frozenset[str]:
    return frozenset().union(*map(_words_of, _LANGUAGES))


@cache
def _all() -> frozenset[str]:
    return _common() | _words_of(_EPONYMS)


def words_of(kind: str) -> frozenset[str]:
    """Return all words of the lists: ``common`` ones, or ``eponyms``."""
    return _words_of(_EPONYMS) if kind == "eponyms" else _common()


@lru_cache(maxsize=65536)
def is_vocabulary(word: str) -> bool:
    """Tell whether a word, or each part of a compound, is in the lists, maybe with an ending.

    Parameters
    ----------
    word
        letters, in any case; hyphens and capitals within divide it
    """
    return _are_listed(word, _all())


@lru_cache(maxsize=65536)
def is_common(word: str) -> bool:
    """Tell whether a word is in the lists and no eponym, so that it's no name where a name is to be expected."""
    return _are_listed(word, _common())


@lru_cache(maxsize=4096)
def is_surname_too(word: str) -> bool:
    """Tell whether a common word is a surname as well: right after a title it is one."""
    return folded(word.casefold()) in _words_of(_SURNAMES)


def is_eponym(word: str) -> bool:
    """Tell whether a word is in the list of eponyms and no other: after ``M.``, for morbus, it names a disease."""
    return is_vocabulary(word) and not is_common(word)


def is_form_word(word: str) -> bool:
    """Tell whether a word is a label of a form, a degree or a closing, with which no name begins or ends."""
    return folded(word.casefold()) in _words_of(_FORMS)


def is_function_word(word: str) -> bool:
    """Tell whether a word, in small letters, is an article, a preposition or a conjunction."""
    return word in _words_of(_FUNCTION)


def is_country(*words: str, is_place: bool) -> bool:
    """Tell whether words are a country; `is_place` tells that it is nobody's name where it stands: a state, too."""
    name = folded("_".join(words).casefold())
    if name in _words_of(_COUNTRIES, "english", "others") or name in _words_of(_TERRITORIES, "plain", "phrases"):
        return True
    return is_place and (
        name in _words_of(_COUNTRIES, "called_so_too", "states") or name in _words_of(_TERRITORIES, "called_so_too")
    )


def is_state_code(word: str) -> bool:
    """Tell whether a word in capitals is short for a state, as behind a town and a comma: ``Duluth, MN``."""
    return word.isupper() and word.casefold() in _words_of(_COUNTRIES, "codes")


def is_measured(word: str, *kinds: str) -> bool:
    """Tell whether a word says what numbers after it measure.

    Parameters
    ----------
    word
        letters, in any case
    kinds
        some of ``ratios`` (*GCS 14/15*), ``versions`` (*rel 6/7*), ``sizes`` (*Peso 80*)
    """
    return folded(word.casefold()) in _words_of(_MEASURES, *kinds)


def belongs(word: str, *kinds: str) -> bool:
    """Tell whether a word is a part of a name that it stands beside.

    Parameters
    ----------
    word
        letters, in any case
    kinds
        some of ``wards``, ``wards_behind``, ``titles``, ``institutions``, ``institutions_behind``, ``partners``,
        ``partnerships``, ``generations``
    """
    return folded(word.casefold()) in _words_of(_BELONGING, *kinds)


def institutions(*, abbreviated: bool) -> frozenset[str]:
    """Return what institutions are called by, case-folded, words joined by ``_``: abbreviations, or all other names."""
    every = _words_of(_INSTITUTIONS)
    short = _words_of(_INSTITUTIONS, _ABBREVIATIONS)
    return short if abbreviated else every - short


def _are_listed(word: str, known: frozenset[str]) -> bool:
    parts = _PART.findall(word)
    return bool(parts) and all(_is_listed(part, known) or _is_camel(part, known) for part in parts)


def _is_listed(word: str, known: frozenset[str]) -> bool:
    plain = folded(word.casefold())
    if plain in known:
        return True
    return any(
        plain.endswith(ending) and len(plain) - len(ending) >= SHORTEST_STEM and plain[: -len(ending)] in known
        for ending in _ENDINGS
    )


def _is_camel(word: str, known: frozenset[str]) -> bool:
    parts = _CAMEL.findall(word)
    return len(parts) > 1 and "".join(parts) == word and all(_is_listed(part, known) for part in parts)

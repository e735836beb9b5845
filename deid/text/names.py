"""Names that what stands before them gives away: a title, a label, "reported by", or carets between two words.

Where a name ends, the vocabulary says: a word of medicine or of every day is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from deid.fold import folded
from deid.vocabulary import is_common, is_eponym, is_form_word, is_surname_too

MOST_WORDS = 4
MOST_WORDS_IN_CAPITALS = 2
SHORTEST_NAME = 2

_T = TypeVar("_T")
_Reader = Callable[[str, "re.Match[str]"], "Iterator[tuple[int, int]]"]

_TITLES = """
    dr dra drs dres prof professor doktor doctor dott dottor dottore dottoressa dottssa mrs mme mlle monsieur madame
    mademoiselle herr herrn hrn frau señor señora señorita signor signora signorina dhr mevr mevrouw
    meneer pani fru fröken bayan oberarzt oberärztin chefarzt chefärztin schwester pfleger hemşire lek hab dipl nurse
    sir
    """
# Also something else in other places: an imaging modality, a disease, a side, a direction, a muscle.
_TITLES_AS_TITLED = "mr ms miss pan bay hr sig uzm doç"
_TITLES_WITH_FULL_STOP = "m sr sra fr dhr mw med mag ing"
_LABELS = """
    name names surname lastname firstname forename nachname vorname familienname nom prénom nombre apellido apellidos
    nome cognome apelido sobrenome naam voornaam achternaam nazwisko imię namn efternamn förnamn
    ad ad\u0131 soyad soyad\u0131 isim patient patientin paciente paziente pacjent hasta pat pt
    physician doctor arzt médecin médico medico lekarz läkare
    doktor hekim referrer referring radiologist radiologe radiologue operator technologist technician tech mta mtra
    sonographer attending resident consultant ordering requesting befunder zuweiser überweiser einsender prescripteur
    mother father wife husband son daughter contact reader author observer
    """
_ALL_TITLES = frozenset(f"{_TITLES} {_TITLES_AS_TITLED} {_TITLES_WITH_FULL_STOP}".split())
_MORBUS = "m"
_HONORIFICS = "han\u0131m hanim han\u0131mefendi beyefendi"
_NO_PART_OF_NAME = frozenset(f"{_TITLES} mr ms miss hr med {_HONORIFICS}".split())
_BY = "by"
_BEFORE_BY = frozenset(
    """
    ref referred reported read dictated signed performed reviewed interpreted ordered requested scanned verified
    approved authorized authorised transcribed seen sent done acquired checked entered inj injected cannulated
    positioned repeated rescanned accepted agreed vetted protocolled protocoled consented supervised escorted
    accompanied cleared countersigned goes
    """.split()  # noqa: SIM905  a table
)
_GERMAN_BY = "durch von"
_BEFORE_GERMAN_BY = frozenset(
    ["überwiesen", "befundet", "diktiert", "freigegeben", "untersucht", "zugewiesen", "angefordert", "unterschrieben"]
)

_FULL_STOP = re.compile(r"\.(?:ssa|ra|in|a)?")
_MORE_TITLES = re.compile(
    r"[ .]{0,2}(?:(?:Prof|Dr|Drs|PD|Priv\.?-Doz|med|vet|rer|nat|habil|univ|Dipl|h\. ?c|Ing|hab|n\. ?med|lek|uzm|doç|"
    r"PROF|DR|MED)\b\.?[ -]{0,2}){1,5}"
)
_GAP = re.compile(r"[ .]{0,2}")
_LETTERS = re.compile(r"[^\W\d_]+")
_NAME_AND_BLANK = re.compile(r"(?<![\w'\u2019-])([^\W\d_]+(?:-[^\W\d_]+)?) \Z")
_LONGEST_BEFORE = 40
_TITLE_AND_GAP = re.compile(r"([^\W\d_]+)[ .]{1,2}")
_IS_LABEL = re.compile(r"\.? ?[:=]")
_POSSESSIVE = re.compile(r"['\u2019][sS]\Z")
_INITIALS = re.compile(r"(?:[^\W\d_]\.[ -]?){1,3}")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+){0,3}")
_PARTICLES = re.compile(
    r"(?:(?:van|von|der|den|de|del|della|di|da|dos|do|du|la|le|el|al|bin|ibn|ben|ten|ter|zu|zur|zum|af|av|y|e|und)[ ]"
    r"|d['\u2019]){1,3}",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"(?:, ?| |\.\s?|\^)")
_AFTER_LABEL = re.compile(
    r"(?:['\u2019]s)?(?: ?(?:name|physician|doctor|nom|nombre|nome|naam|arzt))?\.? ?[:=] {0,3}", re.IGNORECASE
)
_BY_AND_BLANK = re.compile(r" ?:? [\"'\u201c\u2018]?")
_BEFORE_CHARS = 20
_LAST_WORD = re.compile(r"([^\W\d_]+)\.? \Z")
_CARETS = re.compile(r"(?<![\w^-])[^\W\d_]{2,40}(?:\^[^\W\d_]{1,40}){1,4}\^{0,4}(?![\w^-])")


def is_no_part_of_name(word: str) -> bool:
    """Tell whether a word stands beside names and is a part of none: a title, a degree, a label."""
    key = word.casefold()
    return key in _NO_PART_OF_NAME or (is_form_word(key) and not is_surname_too(key))


def names_with_carets(text: str) -> Iterator[tuple[int, int]]:
    """Find ``DOE^JANE``: words between carets none of which is in the vocabulary."""
    for match in _CARETS.finditer(text):
        parts = match.group().strip("^").split("^")
        names = [parts[0], *(part for part in parts[1:] if not is_no_part_of_name(part))]
        if not any(is_common(part) for part in names) and all(part[0].isupper() for part in parts):
            yield match.span()


def is_after_title(text: str, start: int) -> bool:
    """Tell whether a title stands right before a position: ``Dr. Stein`` is no stone."""
    before = _LAST_WORD.search(text, max(0, start - _BEFORE_CHARS), start)
    return before is not None and before[1].casefold() in _ALL_TITLES


def _after_title(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
    stop = _FULL_STOP.match(text, word.end())
    yield from _name_at(text, stop.end() if stop else word.end(), has_stop=stop is not None)


def _after_titled(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Read on from a word that is a title only where it is written like one: ``Mr``, not ``MR``."""
    if word.group().istitle() or text[word.end() : word.end() + 2] == ". ":
        yield from _after_title(text, word)


def _after_title_with_stop(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
    if text[word.end() : word.end() + 1] != "." or not word.group()[0].isupper():
        return
    if word.group().casefold() == _MORBUS and _is_disease(text, word.end()):
        return
    yield from _name_at(text, word.end() + 1, has_stop=True)


def _is_disease(text: str, start: int) -> bool:
    """Tell whether an eponym follows ``M.``, maybe after ``di``: *M. di Paget* is no Monsieur."""
    gap = _GAP.match(text, start)
    start = gap.end() if gap else start
    particles = _PARTICLES.match(text, start)
    word = _LETTERS.match(text, particles.end() if particles else start)
    return word is not None and is_eponym(word.group())


def _before_honorific(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Read a name back from what is said after it: ``Elif hanimefendi``."""
    before = _NAME_AND_BLANK.search(text, max(0, word.start() - _LONGEST_BEFORE), word.start())
    if before is not None and _is_name(before[1], text, has_stop=False) and not is_no_part_of_name(before[1]):
        yield before.span(1)


def _after_label(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
    match = _AFTER_LABEL.match(text, word.end())
    if match is not None:
        yield from _name_at(text, match.end(), has_stop=True)


def _after_by(before: frozenset[str]) -> _Reader:
    def read(text: str, word: re.Match[str]) -> Iterator[tuple[int, int]]:
        previous = _LAST_WORD.search(text, max(0, word.start() - _BEFORE_CHARS), word.start())
        blank = _BY_AND_BLANK.match(text, word.end())
        if blank and previous and previous[1].casefold() in before:
            yield from _name_at(text, blank.end(), has_stop=False)

    return read


def _name_at(text: str, start: int, *, has_stop: bool) -> Iterator[tuple[int, int]]:
    """Read a name from `start` on: past titles, initials and particles, words that are no vocabulary."""
    titles = _MORE_TITLES.match(text, start)
    start = titles.end() if titles else start
    gap = _GAP.match(text, start)
    start = _past_titles(text, gap.end() if gap else start)
    if start and text[start - 1].isalpha():  # the title goes on as another word
        return
    first = _first_position(text, start)
    end, count, position = start, 0, first
    while count < MOST_WORDS:
        word = _WORD.match(text, position)
        if word is None or not _is_name(word.group(), text, has_stop=has_stop and count == 0):
            break
        if count and (_is_no_more_name(word.group()) or _IS_LABEL.match(text, word.end())):
            break
        if count >= MOST_WORDS_IN_CAPITALS and word.group().isupper():
            break
        end, count = word.end(), count + 1
        between = _BETWEEN.match(text, end)
        if between is None or (between.group().startswith(".") and len(word.group()) > 3):
            break
        position = _first_position(text, between.end())
    if count:
        possessive = _POSSESSIVE.search(text, start, end)
        yield start, possessive.start() if possessive else end


def _past_titles(text: str, start: int) -> int:
    """Pass over titles: ``Dr Mme Lasa``."""
    for _ in range(MOST_WORDS):
        title = _TITLE_AND_GAP.match(text, start)
        if title is None or title[1].casefold() not in _NO_PART_OF_NAME:
            break
        start = title.end()
    return start


def _is_no_more_name(word: str) -> bool:
    return word.casefold() in _ALL_TITLES or is_no_part_of_name(word)


def _first_position(text: str, start: int) -> int:
    """Pass over initials and particles."""
    for pattern in (_INITIALS, _PARTICLES, _INITIALS):
        match = pattern.match(text, start)
        start = match.end() if match else start
    return start


def _is_name(word: str, text: str, *, has_stop: bool) -> bool:
    """Tell whether a word can be a name: no vocabulary, and with a capital unless the text has none."""
    if len(word) < SHORTEST_NAME or (is_common(word) and not (has_stop and word.istitle() and is_surname_too(word))):
        return False
    return word[0].isupper() or (has_stop and text.islower())


def _triggers() -> Mapping[str, _Reader]:
    out: dict[str, _Reader] = {}
    tables: tuple[tuple[str, _Reader], ...] = (
        (_TITLES_WITH_FULL_STOP, _after_title_with_stop),
        (_TITLES_AS_TITLED, _after_titled),
        (_TITLES, _after_title),
        (_BY, _after_by(_BEFORE_BY)),
        (_GERMAN_BY, _after_by(_BEFORE_GERMAN_BY)),
        (_HONORIFICS, _before_honorific),
    )
    for words, reader in tables:
        out.update(dict.fromkeys(words.split(), reader))
    for word in _LABELS.split():
        out[word] = either(out[word], _after_label) if word in out else _after_label
    return out | {folded(word): reader for word, reader in out.items()}


def either(
    one: Callable[[str, re.Match[str]], Iterator[_T]], other: Callable[[str, re.Match[str]], Iterator[_T]]
) -> Callable[[str, re.Match[str]], Iterator[_T]]:
    """Return what reads on from a word in two ways."""

    def read(text: str, word: re.Match[str]) -> Iterator[_T]:
        yield from one(text, word)
        yield from other(text, word)

    return read


NAME_TRIGGERS: Mapping[str, _Reader] = _triggers()
"""Word, case-folded → what reads a name after it."""

"""Names of the months in European languages, and the name of another month in the same language, form and case."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from deid.fold import folded

SHORTEST_UNMISTAKABLE = 5
_SHORT_AND_UNMISTAKABLE = frozenset({"july", "june", "juli", "juni", "juin", "juny", "août", "aout"})

_LANGUAGE_SIGNS: Mapping[str, str] = {
    "de": "der die das und vom am mit ohne nach seit wegen bei geb uhr aufnahme untersuchung befund geboren",
    "fr": "le la les du et avec sans depuis né née pour examen patiente scanner irm",
    "es": "el los las y con sin desde nacido nacida paciente estudio fecha",
    "it": "il lo gli del della e con senza dal nato nata paziente esame",
    "pt": "o os do da e com sem desde nascido nascida paciente exame",
    "nl": "het een en met zonder sinds op geboren patiënt onderzoek van",
    "pl": "z bez od dnia oraz ur urodzony badanie pacjent w na",
    "sv": "och med utan sedan den född undersökning patienten på av",
    "tr": "ve ile tarihli doğum hasta tarihinde sonras\u0131",
    "da": "og med uden siden den født undersøgelse patienten på fra",
    "no": "og med uten siden den født undersøkelse pasienten på fra",
    "fi": "ja ilman alkaen syntynyt tutkimus potilas",
    "cs": "z bez od dne narozen vyšetření pacient v na",
    "hu": "és a az nélkül óta született vizsgálat beteg",
    "ro": "și cu fără din născut examinare pacient la",
    "ca": "els i amb sense des nascut pacient estudi",
    "en": "the of on and with without since from born patient exam dated",
}
_WORD = re.compile(r"[^\W\d_]+")
_READ_CHARS = 400
_ABBREVIATED = 3


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to name the twelve months in one language."""

    language: str
    names: tuple[str, ...]

    @property
    def casefolded(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in self.names)


@cache
def _forms_by_name() -> Mapping[str, tuple[_Form, ...]]:
    raw = tomllib.loads((files(__package__) / "months.toml").read_text(encoding="utf-8"))
    out: dict[str, tuple[_Form, ...]] = {}
    for language, forms in raw.items():
        for names in forms.values():
            form = _Form(language, tuple(names.split()))
            for name in form.names:
                for key in {name.casefold(), folded(name.casefold())}:
                    out[key] = (*out.get(key, ()), form)
    return out


def month_names() -> Mapping[str, tuple[_Form, ...]]:
    """Return all names, case-folded, as written and without diacritics."""
    return _forms_by_name()


def month_number(name: str) -> int | None:
    """Return 1 to 12 for the name of a month in any of the languages."""
    key = name.casefold()
    forms = _forms_by_name().get(key)
    return None if forms is None else _position(forms[0], key) + 1


def _position(form: _Form, key: str) -> int:
    return next(i for i, name in enumerate(form.names) if key in {name.casefold(), folded(name.casefold())})


def is_unmistakable(name: str) -> bool:
    """Tell whether a word is the name of a month wherever it stands; *mar* and *set* are other words too."""
    key = name.casefold()
    return (len(name) >= SHORTEST_UNMISTAKABLE and key != "march") or key in _SHORT_AND_UNMISTAKABLE


def renamed(name: str, month: int, text: str, *, is_tight: bool = False) -> str:
    """Return what `name` becomes if its month becomes `month`: same language, form and case.

    Parameters
    ----------
    name
        of a month
    month
        1 to 12
    text
        what it stands in; its words decide where several languages share a name
    is_tight
        whether it touches the day or year, as in 12-MAY-2010: a name that is its own abbreviation is taken for one
    """
    key = name.casefold()
    forms = _forms_by_name()[key]
    languages = {form.language for form in forms}
    chosen = forms[0] if len(languages) == 1 else max(forms, key=lambda form: _signs(form.language, text))
    if is_tight and len(name) == _ABBREVIATED:
        chosen = next(
            (form for form in reversed(forms) if form.language == chosen.language and _is_short(form)), chosen
        )
    new = chosen.names[month - 1]
    if text.isascii():
        new = folded(new)
    return _in_case_of(name, new)


def _is_short(form: _Form) -> bool:
    return all(len(name) == _ABBREVIATED for name in form.names)


def _signs(language: str, text: str) -> int:
    """Count the words of `text` that are signs of a language."""
    signs = _LANGUAGE_SIGNS.get(language, "").split()
    return sum(word in signs for word in _WORD.findall(text[:_READ_CHARS].casefold()))


def _in_case_of(name: str, new: str) -> str:
    if name.isupper():
        return new.upper()
    return new.title() if name[0].isupper() else new.lower()

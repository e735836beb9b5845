"""The header around a string: one that names the string's people as a modality would, or one of somebody else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from deid.encoding.element import DataSet, Element
from deid.text.dates import read_date
from tests.benchmarks.text_exam.questions import Question

STUDY_DATE, ACCESSION_NUMBER, INSTITUTION = 0x0008_0020, 0x0008_0050, 0x0008_0080
REFERRING, PERFORMING, OPERATORS = 0x0008_0090, 0x0008_1050, 0x0008_1070
PATIENT_NAME, PATIENT_ID, BIRTH_DATE = 0x0010_0010, 0x0010_0020, 0x0010_0030
OTHER_IDS, OTHER_NAMES = 0x0010_1000, 0x0010_1001

_VRS = {
    **dict.fromkeys((REFERRING, PERFORMING, OPERATORS, PATIENT_NAME, OTHER_NAMES), "PN"),
    **dict.fromkeys((STUDY_DATE, BIRTH_DATE), "DA"),
    **dict.fromkeys((PATIENT_ID, OTHER_IDS, INSTITUTION), "LO"),
    ACCESSION_NUMBER: "SH",
}
_LONGEST_SH = 16
_LATEST_BIRTH = 2007


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody whom no string is about."""

    name: str
    patient_id: str
    accession: str
    born: str
    referring: str
    institution: str


STRANGERS = (
    Stranger("Ravnsgaard^Eskild", "ZQ-8830417", "X2290184", "19480903", "Pomerantsev^Lidia", "Quellmoor Infirmary"),
    Stranger("Tchividjian^Anouk", "0077410923", "HX774410", "19870122", "Oyelaran^Bosede", "Clinique du Val Perdrix"),
    Stranger("Mierzejewska^Halszka", "M.55.2093", "RAD93-55107", "19720714", "Uusitalo^Veikko", "Szpital Wierzbowy"),
    Stranger("Achterkamp^Reinder", "AK7719203", "2040-77193", "19560330", "Zumthor^Regula", "Klinik Eschenfluh"),
    Stranger("Quispe Huanca^Nayra", "77-410-228", "IMG0077123", "19930508", "Ybarrondo^Koldo", "Policlinica Txoriarte"),
    Stranger("Vlachogiannis^Phaedra", "VG40031", "E7720941", "19641117", "Szentgyorgyi^Emese", "Kleomenis Clinic"),
    Stranger("Thistlewaite^Orson", "T-2281746", "90117732", "20010226", "Nwachukwu^Chidimma", "Ambergate Hospital"),
    Stranger("Gundersrud^Ragnfrid", "26094188", "NO88120-4", "19410926", "Fjeldstad^Aslak", "Vardefjell Sykehus"),
)

_GIVEN = """
    Agathe Bertil Corentin Dagmar Emeric Floriane Gunnar Hedda Ilse Jorunn Kasimir Leontine Mirela Nerea Otmar
    Petronela Quirin Rosalba Severin Tilde Urban Vendela Wilma Xenia Yannick Zdenka
    """
_FAMILY = """
    Aldershof Brennecke Castellane Dombrova Ehrenhorst Falkowitz Gravesend Holloway Iwanek Jessenius Kirchmann Lindqvist
    Morawetz Norrgard Osterlund Pellegrin Quensel Rostovic Sandoval Tennfjord Ulvaeus Verhoeven Westergren Xanthis
    Ysebaert Zelenka
    """
_INITIALS = re.compile(r"(?:[^\W\d_]\.[ -]?){1,4}|(?=[^a-z]+\Z)[^\W\d_]{2,3}")
_INITIAL = re.compile(r"(?:[^\W\d_]\.[ -]?){1,3}|[^\W\d_]")
_PARTICLE = re.compile(
    r"(?:v[ao]n|vom|ó|n[ií]|de[rnl]?|della|d[iau]|dos?|l[ae]|[ea]l|bin|te[nr]|zur?|a[fv])", re.IGNORECASE
)
_BIRTH = re.compile(
    r"(?:born|birth|birthday|dob|d\.o\.b|geb|geboren|geburtsdatum|gebdat|n[ée]e?|naissance|ddn|nac|nacimiento|nasc|"
    r"nascimento|nat[oa]|nascita|ur|urodzon[ya]|född|fødd?t?|doğum|d\.?t\.?|\*)"
    r"(?:[ .:=(]|on|il|le|am|el|em|den){0,4}\Z",
    re.IGNORECASE,
)


def strange(question: Question, chance: Random) -> DataSet:
    """Return the header of somebody whom the string doesn't name."""
    return _data_set(_of_stranger(question, chance))


def helpful(question: Question, chance: Random) -> DataSet:
    """Return a header that names the string's patient and staff, numbers, hospital and day of birth.

    Where the labels don't tell a patient from others, the first name is the patient's.
    """
    values = _of_stranger(question, chance)
    patients, staff, operators = _people(question, chance)
    for tag, names in ((PATIENT_NAME, patients[:1]), (OTHER_NAMES, patients[1:]), (REFERRING, staff[:1])):
        values[tag] = names or values.get(tag, [])
    values |= {PERFORMING: staff[1:], OPERATORS: operators}
    numbers = _texts(question, "ID")
    values[PATIENT_ID] = numbers[:1] or values[PATIENT_ID]
    short = [number for number in numbers[1:] if len(number) <= _LONGEST_SH][:1]
    values[ACCESSION_NUMBER] = short or values[ACCESSION_NUMBER]
    values[OTHER_IDS] = [number for number in numbers[1:] if number not in short]
    values[INSTITUTION] = _texts(question, "ORG")[:1] or values[INSTITUTION]
    values[BIRTH_DATE] = _birth_date(question) or values[BIRTH_DATE]
    return _data_set(values)


def _of_stranger(question: Question, chance: Random) -> dict[int, list[str]]:
    order = chance.sample(STRANGERS, len(STRANGERS))
    words = _words(question.text)
    other = next((each for each in order if not words & _words(f"{each.name} {each.referring}")), order[0])
    return {
        STUDY_DATE: [f"20{chance.randint(10, 24)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"],
        ACCESSION_NUMBER: [other.accession],
        INSTITUTION: [other.institution],
        REFERRING: [other.referring],
        PATIENT_NAME: [other.name],
        PATIENT_ID: [other.patient_id],
        BIRTH_DATE: [other.born],
    }


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))


def _data_set(values: dict[int, list[str]]) -> DataSet:
    elements = {
        tag: Element(tag, _VRS[tag], "\\".join(texts).encode()) for tag, texts in sorted(values.items()) if texts
    }
    return DataSet(elements, ("ISO_IR 192",))


def _texts(question: Question, type_: str) -> list[str]:
    found = (question.text[part.start : part.end] for part in question.parts if part.type == type_)
    return list(dict.fromkeys(" ".join(text.replace("\\", " ").split()) for text in found))


def _people(question: Question, chance: Random) -> tuple[list[str], list[str], list[str]]:
    """Return patients, staff, and staff of whom only a user name is known, as PN; relatives have no place there."""
    unsaid = _texts(question, "NAME")
    patients = [*_texts(question, "PATIENT"), *unsaid[:1]]
    staff = [*_texts(question, "STAFF"), *unsaid[1:]]
    users = [name for name in staff if re.search(r"\d", name)]
    named = [_unique(in_carets(name, chance) for name in people if name not in users) for people in (patients, staff)]
    return named[0], named[1], users


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def in_carets(written: str, chance: Random) -> str:
    """Return a name as a header would have it; initials stand for a whole name that the header knows."""
    name = " ".join(re.sub(r"[_=\s]+", " ", written).split()).strip(" ,;-")
    if "^" in name:
        return name.strip("^")
    if _INITIALS.fullmatch(name):
        return _spelled_out([letter for letter in name if letter.isalpha()])
    if "," in name:
        family, given = (part.strip() for part in name.split(",", 1))
    else:
        words = name.split(" ")
        first = next((at for at, word in enumerate(words) if _PARTICLE.fullmatch(word)), len(words) - 1)
        family, given = " ".join(words[first:]), " ".join(words[:first])
    if _INITIAL.fullmatch(given):
        given = _for_letter(_GIVEN, given[0])
    whole = f"{family.strip(' .')}^{given.strip(' .')}".strip("^")
    if chance.random() < 0.5:
        return whole.upper()
    return whole.title() if whole.islower() else whole


def _spelled_out(letters: list[str]) -> str:
    *given, family = letters
    return "^".join([_for_letter(_FAMILY, family), *(_for_letter(_GIVEN, letter) for letter in given)])


def _for_letter(names: str, letter: str) -> str:
    plain = unicodedata.normalize("NFD", letter)[0].upper()
    return next((name for name in names.split() if name[0] == plain), letter)


def _birth_date(question: Question) -> list[str]:
    """Return the first whole date that is said to be a birthday, or is so long ago that it must be one."""
    for part in question.parts:
        if part.type != "DATE":
            continue
        dated = read_date(question.text[part.start : part.end], ())
        if dated is None or {"y", "d"} - {what for what, _, _ in dated.parts}:
            continue
        before = question.text[max(0, part.start - 24) : part.start]
        if dated.day.year <= _LATEST_BIRTH or _BIRTH.search(before):
            return [dated.day.strftime("%Y%m%d")]
    return []

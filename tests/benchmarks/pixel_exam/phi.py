"""What scanners burn in of a patient: names, dates, numbers, places, of people invented for it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from tests.benchmarks.header_exam.cultures import CULTURES
from tests.benchmarks.header_exam.invent import Invention
from tests.people import Patient

NAME, BIRTH, DATE, ID, PLACE, PERSON, CONTACT, AGE = (
    *("name", "birth date", "date", "id", "institution", "staff", "contact", "age and sex"),
)
KINDS = (NAME, BIRTH, DATE, ID, PLACE, PERSON, CONTACT, AGE)
_OFTEN = (NAME, NAME, NAME, *KINDS, ID, DATE)
_NO_GLYPHS = frozenset("诸飞")  # in no font of the exam
_WRITABLE = tuple(
    culture
    for culture in CULTURES
    if not any(unicodedata.name(character, "").startswith(("ARABIC", "HEBREW")) for character in culture.families)
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HARMLESS = (
    *("R", "L", "AP", "PA", "LAT", "120 kV", "200 mAs", "TE 90", "TR 4500", "cm", "MI 1.1", "TIS 0.4", "Im 12/40"),
    *("SL 5.0 mm", "W 400 L 40", "FR 25Hz", "Zoom 1.2x", "ERECT", "MLO", "CC", "FOV 320", "Gain 52%"),
)
"""Markers and settings that identify nobody: whether they stay is counted, not asked for."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose images they are."""

    patient: Patient
    institution: str
    accession: str
    study_date: date
    staff: tuple[str, str]


def person(chance: Random) -> Person:
    """Invent somebody of some culture."""
    make = Invention(chance.randrange(2**32))
    culture = chance.choice(_WRITABLE)
    family, given = chance.choice(culture.families.split()), chance.choice(culture.givens.split())
    name = f"{family}^{given}"
    if chance.random() < 0.3:
        name = name.upper()
    pairs = [pair for pair in culture.ideographic if not _NO_GLYPHS & set("".join(pair))]
    if pairs and chance.random() < 0.6:
        name += "=" + "^".join(chance.choice(pairs))
    birth = date(1931, 1, 1) + timedelta(days=chance.randrange(33_000))
    patient = Patient(
        name,
        make.identifier(),
        birth.strftime("%Y%m%d"),
        chance.choice("MF"),
        ("ISO_IR 192",),
        make.address(),
        make.phone(),
    )
    studied = date(2004, 1, 1) + timedelta(days=chance.randrange(6900))
    return Person(patient, make.institution(), make.shaped("ACC-######"), studied, make.staff())


def lines(who: Person, chance: Random, count: int) -> list[tuple[str, str]]:
    """Return kinds and texts of as many lines, of different kinds as long as there are."""
    kinds = [chance.choice(_OFTEN) for _ in range(count)]
    return [(kind, _WRITE[kind](who, chance)) for kind in kinds]


def written_name(who: Person, chance: Random) -> str:
    """Return the name as one of the ways to write it."""
    groups = who.patient.name.split("=")
    if len(groups) > 1 and chance.random() < 0.6:
        return groups[1].replace("^", chance.choice(("", " ")))
    family, given = groups[0].split("^")[:2]
    return chance.choice(
        (
            f"{family}^{given}",
            f"{family}, {given}",
            f"{given} {family}",
            f"{family.upper()} {given.upper()}",
            f"{family.upper()}, {given[0]}.",
            f"{family}  {given}",
        )
    )


def written_date(day: date, chance: Random) -> str:
    """Return a date as one of the ways to write it."""
    return chance.choice(
        (
            f"{day:%Y-%m-%d}",
            f"{day:%m/%d/%Y}",
            f"{day:%d.%m.%Y}",
            f"{day:%Y%m%d}",
            f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}",
            f"{day.year} {_MONTHS[day.month - 1]} {day.day:02d}",
            f"{day:%d/%m/%y}",
        )
    )


def birth_date(who: Person) -> date:
    text = who.patient.birth_date
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def age(who: Person) -> int:
    return (who.study_date - birth_date(who)).days // 365 if who.study_date > birth_date(who) else 0


def _labelled(chance: Random, labels: tuple[str, ...], text: str) -> str:
    label = chance.choice(("", *labels))
    return f"{label}{text}"


def _name(who: Person, chance: Random) -> str:
    return _labelled(chance, ("", "", "Name: ", "Patient: ", "Pat. ", "NAME "), written_name(who, chance))


def _birth(who: Person, chance: Random) -> str:
    return _labelled(
        chance, ("DOB: ", "DOB ", "*", "geb. ", "Born ", "Date of Birth: "), written_date(birth_date(who), chance)
    )


def _date(who: Person, chance: Random) -> str:
    clock = (
        f" {chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
        if chance.random() < 0.4
        else ""
    )
    return _labelled(chance, ("", "Study Date: ", "Acq ", "Exam "), written_date(who.study_date, chance)) + clock


def _id(who: Person, chance: Random) -> str:
    if chance.random() < 0.3:
        return _labelled(chance, ("Acc# ", "Acc: "), who.accession)
    return _labelled(chance, ("ID: ", "MRN ", "Patient ID: ", "PID: ", "# "), who.patient.patient_id)


def _place(who: Person, chance: Random) -> str:
    return who.institution.upper() if chance.random() < 0.3 else who.institution


def _staff(who: Person, chance: Random) -> str:
    family, given = who.staff
    return chance.choice(
        (f"Dr. {given} {family}", f"Ref: {family}, {given}", f"Operator: {given[0]}. {family}", f"{family.upper()} MD")
    )


def _contact(who: Person, chance: Random) -> str:
    return _labelled(chance, ("Tel. ", "Phone: "), who.patient.phone) if chance.random() < 0.6 else who.patient.address


def _age(who: Person, chance: Random) -> str:
    years, sex = age(who), who.patient.sex
    return chance.choice(
        (
            f"{years:03d}Y {sex}",
            f"Age: {years}  Sex: {sex}",
            f"{sex}/{years}Y",
            f"{years} yrs, {'male' if sex == 'M' else 'female'}",
        )
    )


_WRITE = {
    NAME: _name,
    BIRTH: _birth,
    DATE: _date,
    ID: _id,
    PLACE: _place,
    PERSON: _staff,
    CONTACT: _contact,
    AGE: _age,
}

"""A crosswalk: the list that says which patient gets which new ID, accession number and shift of dates.

A row applies to an instance if all of its key cells that are filled agree with it (Patient ID, Issuer, Accession
Number). Of several such rows the most particular one counts: first those with an accession number, then those with an
issuer. Several patients may get one new ID (they are one patient then); two rows for the same patient are an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, TypeAlias

from deid.errors import Reason, Refused
from deid.identity import NewIdentity, unmapped
from node.identity_settings import Columns, IdentitySettings
from node.sheet import Problem, Row, Wrong, rows_of

if TYPE_CHECKING:
    from deid.identity import Subject
    from deid.keys import Keys

LARGEST_SHIFT_DAYS = 36_500

_USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "patient_id": ("Patient_ID", "Old_Patient_ID"),
    "issuer": ("Issuer", "Issuer_of_Patient_ID"),
    "accession_number": ("Accession_number", "Accession", "Old_accession_number"),
    "new_id": ("New_ID", "New_Patient_ID"),
    "date_shift_days": ("Date_shift_days", "Date_shift"),
    "new_accession": ("New_accession", "New_accession_number"),
}
_NEW_ID = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_NEW_ACCESSION = re.compile(r"[!-~](?:[ -~]{0,14}[!-~])?")
_SHIFT = re.compile(r"[+-]?\d{1,5}")
_NOT_IN_A_NEW_ID = frozenset("\\^=")
_LONGEST_KEY = 64


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Key:
    """Whom a row is for: filled cells; patient data."""

    patient_id: str = ""
    issuer: str = ""
    accession_number: str = ""


Places: TypeAlias = "dict[str, int]"  # name of a field → index of its column


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Crosswalk:
    """One version of a crosswalk; never changes.

    Attributes
    ----------
    by_key
        the rows
    tell_issuers_apart
        whether a row without an issuer is for instances without one only
    """

    by_key: Mapping[Key, NewIdentity] = field(default_factory=dict)
    tell_issuers_apart: bool = False

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        """Return who `subject` becomes.

        Raises
        ------
        Refused
            UNMAPPED_PATIENT if there is no row for them yet; NO_PATIENT if there is nothing to look for.
        """
        if not subject.patient_id and not subject.accession_number:
            raise Refused(Reason.NO_PATIENT, "neither (0010,0020) nor (0008,0050)")
        for key in self._candidates(subject):
            new = self.by_key.get(key)
            if new is not None:
                return new
        raise unmapped(subject, keys)

    def _candidates(self, subject: Subject) -> Iterator[Key]:
        """Yield the keys of rows that would apply, the most particular first."""
        patient_id, issuer, accession = subject.patient_id, subject.issuer, subject.accession_number
        issuers = (issuer,) if self.tell_issuers_apart else (issuer, "")
        if accession and patient_id:
            yield from (Key(patient_id, each, accession) for each in issuers)
        if accession:
            yield Key(accession_number=accession)
        if patient_id:
            yield from (Key(patient_id, each) for each in issuers)

    def behind(self, code: str) -> list[Key]:
        """Return whom a new ID or a new accession number stands for."""
        return sorted(key for key, new in self.by_key.items() if code in {new.pseudonym, new.accession_number})


def parse(data: bytes, suffix: str, settings: IdentitySettings) -> Crosswalk:
    """Read a crosswalk.

    Parameters
    ----------
    suffix
        of the file's name: ``.csv`` or ``.xlsx``

    Raises
    ------
    Wrong
        With the place of the first thing that is wrong.
    """
    rows = rows_of(data, suffix, settings.sheet)
    header = next(rows, None)
    if header is None:
        raise Wrong(Problem.NO_HEADER)
    places, width = _places(header, settings.columns)
    return Crosswalk(_collected(rows, places, width), settings.tell_issuers_apart)


def _places(header: Row, columns: Columns) -> tuple[Places, int]:
    """Find the columns by their names."""
    row, names = header
    known = {_plain(name): each for each, usual in _named(columns) for name in usual}
    ignored = {_plain(name) for name in columns.ignore}
    places: Places = {}
    for index, name in enumerate(names):
        found = known.get(_plain(name))
        if found in places:
            raise Wrong(Problem.TWICE, (row,), index + 1, _shown(found, columns))
        if found is not None:
            places[found] = index
        elif name and _plain(name) not in ignored:
            raise Wrong(Problem.UNKNOWN_COLUMN, (row,), index + 1)  # a file without a header has a patient here
    if "new_id" not in places:
        raise Wrong(Problem.NO_NEW_ID_COLUMN)
    if places.keys().isdisjoint({"patient_id", "accession_number"}):
        raise Wrong(Problem.NO_KEY_COLUMN)
    if any(getattr(columns, each) and each not in places for each in _USUAL_NAMES):
        raise Wrong(Problem.NO_SUCH_COLUMN)
    return places, len(names)


def _named(columns: Columns) -> Iterator[tuple[str, tuple[str, ...]]]:
    for each in fields(columns):
        if each.name in _USUAL_NAMES:
            own = getattr(columns, each.name)
            yield each.name, (own,) if own else _USUAL_NAMES[each.name]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _shown(name: str | None, columns: Columns) -> str:
    return "" if name is None else getattr(columns, name) or _USUAL_NAMES[name][0]


def _collected(rows: Iterable[Row], places: Places, width: int) -> dict[Key, NewIdentity]:
    by_key: dict[Key, NewIdentity] = {}
    row_of: dict[Key, int] = {}
    first_of: dict[str, tuple[int, int | None]] = {}
    for number, cells in rows:
        if any(cells[width:]):
            raise Wrong(Problem.TOO_MANY_CELLS, (number,))
        line = _Line(number, cells, places)
        key, new = line.key(), line.new_identity()
        if key in row_of:
            raise Wrong(Problem.DUPLICATE, (row_of[key], number))
        first, shift = first_of.setdefault(new.pseudonym, (number, new.shift_days))
        if shift != new.shift_days:
            raise Wrong(Problem.TWO_SHIFTS, (first, number))
        row_of[key], by_key[key] = number, new
    return by_key


@dataclass(frozen=True, slots=True, repr=False)
class _Line:
    """One row on its way in."""

    number: int
    cells: list[str]
    places: Places

    def text(self, name: str) -> str:
        index = self.places.get(name, len(self.cells))
        return self.cells[index] if index < len(self.cells) else ""

    def wrong(self, problem: Problem, name: str) -> Wrong:
        return Wrong(problem, (self.number,), self.places[name] + 1, _USUAL_NAMES[name][0])

    def key(self) -> Key:
        values = {}
        for name in ("patient_id", "issuer", "accession_number"):
            value = self.text(name)
            if len(value) > _LONGEST_KEY or "\\" in value or not value.isprintable():
                raise self.wrong(Problem.NOT_A_KEY, name)
            values[name] = value
        if not values["patient_id"] and values["issuer"]:
            raise Wrong(Problem.ISSUER_ALONE, (self.number,))
        if not values["patient_id"] and not values["accession_number"]:
            raise Wrong(Problem.NO_KEY, (self.number,))
        return Key(**values)

    def new_identity(self) -> NewIdentity:
        pseudonym, accession = self.text("new_id"), self.text("new_accession")
        if not _NEW_ID.fullmatch(pseudonym) or not _NOT_IN_A_NEW_ID.isdisjoint(pseudonym):
            raise self.wrong(Problem.NOT_A_NEW_ID, "new_id")
        if accession and (not _NEW_ACCESSION.fullmatch(accession) or "\\" in accession):
            raise self.wrong(Problem.NOT_A_NEW_ACCESSION, "new_accession")
        for new, name, old in ((pseudonym, "new_id", "patient_id"), (accession, "new_accession", "accession_number")):
            if new and _plain(new) == _plain(self.text(old)):
                raise self.wrong(Problem.THE_OLD_ONE, name)
        return NewIdentity(pseudonym, self._shift_days(), accession or None, is_chosen=True)

    def _shift_days(self) -> int | None:
        text = self.text("date_shift_days")
        if not text:
            return None
        days = int(text) if _SHIFT.fullmatch(text) else 0
        if not 0 < abs(days) <= LARGEST_SHIFT_DAYS:
            raise self.wrong(Problem.NOT_A_SHIFT, "date_shift_days")
        return days

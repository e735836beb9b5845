"""Where a project's new identities come from: the key, a crosswalk that is watched, or the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from deid.identity import Identity, KeyedIdentity, NewIdentity, Subject, person_of
from node.crosswalk_file import CrosswalkFile
from node.identity_settings import IdentityMode, IdentitySettings
from node.log import Event, Name, emit
from node.sheet import Flawed

if TYPE_CHECKING:
    from pathlib import Path

    from deid.keys import Keys
    from node.identity_table import IdentityTable


class Source(Protocol):
    """Gives the identity of a project as it is now."""

    def current(self) -> Identity:
        """Return it; what was returned never changes its mind."""
        ...

    def look(self) -> bool:
        """Look for news at once; say whether there were any."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """An identity that stays the same."""

    identity: Identity

    def current(self) -> Identity:
        """Return it."""
        return self.identity

    def look(self) -> bool:
        """Say that nothing is new."""
        return False


@dataclass(frozen=True, slots=True, eq=False)
class TableIdentity:
    """Chance: what was drawn at first sight of a patient."""

    table: IdentityTable
    project: str
    tell_issuers_apart: bool

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        """Return who `subject` became at first sight."""
        del keys
        person = person_of(subject, tell_issuers_apart=self.tell_issuers_apart)
        return self.table.assign(self.project, person, subject)


@dataclass(frozen=True, slots=True, eq=False)
class RememberedIdentity:
    """Keyed codes, of which the table keeps whose they are."""

    table: IdentityTable
    project: str
    tell_issuers_apart: bool
    keyed: KeyedIdentity = field(init=False)

    def __post_init__(self) -> None:
        """Make the codes as they would be without remembering."""
        object.__setattr__(self, "keyed", KeyedIdentity(self.tell_issuers_apart))

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        """Return the keyed code of `subject`; it is kept before it is used."""
        new = self.keyed.assign(subject, keys)
        person = person_of(subject, tell_issuers_apart=self.tell_issuers_apart)
        self.table.assign(self.project, person, subject, new)
        return new


def open_source(
    settings: IdentitySettings, project: str, spool: Path, secret: bytes, *, lenient: bool = False
) -> Source:
    """Open what the configuration names.

    Parameters
    ----------
    spool
        where the table is unless the configuration says otherwise
    lenient
        take a crosswalk that can't be read now for one without rows; the node looked at it when it started

    Raises
    ------
    Misconfigured
        If the crosswalk or the table cannot be used.
    """
    if settings.mode is IdentityMode.CROSSWALK:
        return CrosswalkFile(settings, lenient=lenient)
    if settings.mode is IdentityMode.KEYED and not settings.remember:
        return Constant(KeyedIdentity(settings.tell_issuers_apart))
    from node.identity_table import IdentityTable  # noqa: PLC0415  loads a library that the others don't need

    table = IdentityTable(settings.table_file(spool), secret)
    kind = TableIdentity if settings.mode is IdentityMode.TABLE else RememberedIdentity
    return Constant(kind(table, project, settings.tell_issuers_apart))


def look_and_say(project: str, source: Source) -> bool:
    """Look for a new version of a project's crosswalk, and say in the log what became of it."""
    if not source.look() or not isinstance(source, CrosswalkFile):
        return False
    if source.flaw is None:
        emit(Event.CROSSWALK_LOADED, project=Name(project), rows=source.rows)
    else:
        say_flaw(project, source.flaw)
    return True


def say_flaw(project: str, flawed: Flawed) -> None:
    """Say why the newest version of a crosswalk is not in force."""
    rows = dict(zip(("row", "other_row"), flawed.flaw.rows, strict=False))
    emit(
        Event.CROSSWALK_REJECTED, project=Name(project), problem=flawed.flaw.problem, column=flawed.flaw.column, **rows
    )

"""Who patients become, as the configuration says it: ``[projects.identity]`` below a ``[[projects]]``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from node.schema import Between, Text

if TYPE_CHECKING:
    from node.schema import Where

TABLE_FILE = "identities.db"


class IdentityMode(StrEnum):
    """Where a project's pseudonyms come from."""

    KEYED = "keyed"
    CROSSWALK = "crosswalk"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a crosswalk are called, where that is not their usual name; case and separators don't count.

    Attributes
    ----------
    ignore
        columns that are not for the node, such as remarks; any other unknown column is an error
    """

    patient_id: str = ""
    issuer: str = ""
    accession_number: str = ""
    new_id: str = ""
    date_shift_days: str = ""
    new_accession: str = ""
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Who the patients of a project become.

    Attributes
    ----------
    file
        of the crosswalk (.csv or .xlsx); of the table, or of what is remembered: None = identities.db in the spool
    sheet
        of an .xlsx file; empty for the first
    columns
        of the crosswalk
    tell_issuers_apart
        whether one Patient ID of two issuers is two patients
    remember
        keep, encrypted, who got which keyed pseudonym, so that `deid-node lookup` can tell
    key
        number of the key in the key file
    subkey
        projects with the same one give a patient the same codes; those of others cannot be linked with them
    """

    mode: IdentityMode = IdentityMode.KEYED
    file: Path | None = None
    sheet: str = ""
    columns: Columns = field(default_factory=Columns)
    tell_issuers_apart: bool = False
    remember: bool = False
    key: Annotated[int, Between(1, 9999)] = 1
    subkey: Annotated[str, Text(r"([A-Za-z0-9_.-]{1,64})?", "a name of letters, digits, '_', '-' and '.'")] = ""

    def unwritten(self) -> IdentitySettings:
        """Give the same without a table that would be written to: then by keyed codes."""
        if self.mode is IdentityMode.CROSSWALK:
            return self
        return IdentitySettings(tell_issuers_apart=self.tell_issuers_apart, key=self.key, subkey=self.subkey)

    def table_file(self, spool: Path) -> Path:
        """Give the file of the table, or of what is remembered."""
        return self.file or spool / TABLE_FILE


def check_identity(identity: IdentitySettings, where: Where) -> None:
    """Look whether the keys go together.

    Raises
    ------
    Misconfigured
        with the key and the remedy
    """
    mode = identity.mode
    if mode is IdentityMode.CROSSWALK:
        if identity.file is None:
            raise where.wrong("needs the key 'file', the .csv or .xlsx file of the crosswalk")
        if identity.file.suffix.lower() not in {".csv", ".xlsx"}:
            raise where.at("file").wrong("must be a .csv or an .xlsx file")
    elif identity.sheet or identity.columns != Columns():
        raise where.wrong(f"'sheet' and 'columns' are of a crosswalk, and mode is {mode.value!r}")
    if identity.remember and mode is not IdentityMode.KEYED:
        raise where.at("remember").wrong(f"is of mode 'keyed'; with {mode.value!r} `lookup` works without it")
    if identity.file is not None and mode is IdentityMode.KEYED and not identity.remember:
        raise where.at("file").wrong("is of no use with mode 'keyed', unless remember = true")

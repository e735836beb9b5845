"""Who got which pseudonym, kept encrypted: the random table, and what keyed projects remember.

SQLite, one file, one row for each patient of a project. A row is found by a keyed code of what tells the patient from
others, or of the pseudonym; what it holds is sealed with AES-GCM. Both keys are derived from the node's, so a copy of
the file says nothing without it. Rows are added and never changed, and are on the disk before `assign` returns.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deid.elements.dates import LARGEST_SHIFT_DAYS, SMALLEST_SHIFT_DAYS
from deid.identity import CODE_BYTES, NewIdentity, Subject, encoded, pseudonym_of
from deid.keys import subkey
from node.errors import Misconfigured, NoRoom, Transient
from node.part import sync_folder

SCHEMA_VERSION = 1

_SCHEMA = (
    """CREATE TABLE identities (
        patient   BLOB NOT NULL PRIMARY KEY,  -- HMAC of project, way of coding and person
        pseudonym BLOB NOT NULL,              -- HMAC of the pseudonym
        project   TEXT NOT NULL,
        sealed    BLOB NOT NULL,              -- nonce and AES-GCM of `_Row`, bound to the other columns
        UNIQUE (pseudonym, project)
    ) WITHOUT ROWID""",
    "CREATE TABLE about (sealed BLOB NOT NULL)",
    "PRAGMA user_version = 1",
)
_KEEP_ABOUT = "INSERT INTO about VALUES (?)"
_FIND = "SELECT pseudonym, project, sealed FROM identities WHERE patient = ?"
_FIND_PSEUDONYM = "SELECT patient, pseudonym, project, sealed FROM identities WHERE pseudonym = ? ORDER BY project"
_ADD = "INSERT OR IGNORE INTO identities (patient, pseudonym, project, sealed) VALUES (?, ?, ?, ?)"
_ABOUT = b"deid-node identities"
_BUSY_TIMEOUT_S = 30.0
_NONCE_BYTES = 12
_REMEMBERED = 4096
_DRAWS = 8


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """Whom a pseudonym stands for; patient data.

    Attributes
    ----------
    name, birth_date
        only where there is no Patient ID
    study_uid
        only where there is no name either
    """

    project: str
    patient_id: str
    issuer: str
    accession_number: str = ""
    name: str = ""
    birth_date: str = ""
    study_uid: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class _Row:
    """What is sealed."""

    pseudonym: str
    shift_days: int | None
    patient_id: str
    issuer: str
    name: str
    birth_date: str
    study_uid: str


class IdentityTable:
    """The table of one node, for one thread of any number of processes.

    Parameters
    ----------
    path
        of the database; it is made at the first `assign`
    secret
        the node's key

    Raises
    ------
    Misconfigured
        If the file is no such table, was written under another key, or is of a later version.
    """

    def __init__(self, path: Path, secret: bytes) -> None:
        self.path = path
        self._index_key = subkey(secret, "identities index")
        self._cipher = AESGCM(subkey(secret, "identities rows"))
        self._connection: sqlite3.Connection | None = None
        self._known: dict[bytes, NewIdentity] = {}
        if path.exists():
            with _database_errors(path):
                self._open()
            self.close()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def assign(self, project: str, person: str, subject: Subject, new: NewIdentity | None = None) -> NewIdentity:
        """Return who a patient became at first sight; if this is the first, `new`, or by default a draw by chance.

        Parameters
        ----------
        person
            what tells the patient from others
        subject
            what is kept of them

        Raises
        ------
        NoRoom, Transient
            If a new row cannot be made durable; then it is not there.
        Misconfigured
            If the row was written under another key.
        """
        # under another key of the project a patient has another code, and both are kept
        way = "drawn" if new is None else f"kept {new.pseudonym}"
        patient = self._code("patient", project, way, person)
        known = self._known.get(patient)
        if known is None:
            with _database_errors(self.path):
                known = self._assigned(patient, project, subject, new)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[patient] = known
        return known

    def _assigned(self, patient: bytes, project: str, subject: Subject, new: NewIdentity | None) -> NewIdentity:
        connection = self._open()
        for _ in range(_DRAWS):
            found = connection.execute(_FIND, (patient,)).fetchone()
            if found is not None:
                row = self._unsealed(patient, *found)
                return NewIdentity(row.pseudonym, row.shift_days)
            # Who comes second, in whatever process, changes nothing and reads the row of who came first. Nor is
            # anything added in the odd case that another patient of the project has the pseudonym: then draw again.
            connection.execute(_ADD, self._sealed(patient, project, _row(subject, new or drawn())))
        raise Transient("identities: no pseudonym is free")

    def behind(self, pseudonym: str) -> list[Record]:
        """Return whom a pseudonym stands for, in each project that has it.

        Raises
        ------
        Transient
            If the table could not be read just now.
        """
        if not self.path.exists():
            return []
        with _database_errors(self.path):
            found = self._open().execute(_FIND_PSEUDONYM, (self._code("pseudonym", pseudonym),)).fetchall()
            return [_record(self._unsealed(*row), row[2]) for row in found]

    def _code(self, kind: str, *texts: str) -> bytes:
        text = "\x1f".join((kind, *(f"{len(text)}:{text}" for text in texts)))
        return hmac.digest(self._index_key, encoded(text), hashlib.sha256)

    def _sealed(self, patient: bytes, project: str, row: _Row) -> tuple[bytes, bytes, str, bytes]:
        pseudonym = self._code("pseudonym", row.pseudonym)
        bound = patient + pseudonym + project.encode()
        return patient, pseudonym, project, _seal(self._cipher, json.dumps(asdict(row)).encode(), bound)

    def _unsealed(self, patient: bytes, pseudonym: bytes, project: str, sealed: bytes) -> _Row:
        return _Row(**json.loads(self._unseal(sealed, patient + pseudonym + project.encode())))

    def _unseal(self, sealed: bytes, bound: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        except InvalidTag:
            raise Misconfigured(
                f"identities {self.path}: written under another key, or damaged; restore the key that belongs to it"
            ) from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            is_new = not self.path.exists()
            if is_new:
                _create(self.path)
            connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            try:
                self._prepare(connection)
                if is_new:
                    sync_folder(self.path.parent)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            weakref.finalize(self, connection.close).atexit = False
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # One file, so that a copy is a backup; EXTRA: a commit survives a power cut in this mode too.
        connection.execute("PRAGMA synchronous = EXTRA")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise Misconfigured(f"identities {self.path}: written by a later version of deid-node")
        if version == 0:
            self._make(connection)
        self._unseal(connection.execute("SELECT sealed FROM about").fetchone()[0], _ABOUT)

    def _make(self, connection: sqlite3.Connection) -> None:
        """Make the tables, unless another process has just done so."""
        connection.execute("BEGIN EXCLUSIVE")
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(_KEEP_ABOUT, (_seal(self._cipher, _ABOUT, _ABOUT),))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def drawn() -> NewIdentity:
    """Draw a pseudonym and a shift that have nothing to do with any patient."""
    days = SMALLEST_SHIFT_DAYS + secrets.randbelow(LARGEST_SHIFT_DAYS - SMALLEST_SHIFT_DAYS + 1)
    return NewIdentity(pseudonym_of(secrets.token_bytes(CODE_BYTES)), -days)


def _row(subject: Subject, new: NewIdentity) -> _Row:
    unnamed = not subject.patient_id
    return _Row(
        new.pseudonym,
        new.shift_days,
        subject.patient_id,
        subject.issuer,
        subject.name if unnamed else "",
        subject.birth_date if unnamed else "",
        subject.study_uid if unnamed and not subject.name.strip("^= ") else "",
    )


def _record(row: _Row, project: str) -> Record:
    return Record(project, row.patient_id, row.issuer, "", row.name, row.birth_date, row.study_uid)


def _seal(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _create(path: Path) -> None:
    """Make an empty file that is the node's alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    """Say a full disk as NoRoom, other trouble of the moment as Transient, a broken file as Misconfigured."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise NoRoom("identities: no room") from None
        raise Transient(f"identities: {error.sqlite_errorname}") from None
    except sqlite3.DatabaseError:
        raise Misconfigured(f"identities {path}: damaged; stop the node and restore it from your backup") from None
    except OSError as error:
        raise Transient(f"identities {path}: {error.strerror}") from None

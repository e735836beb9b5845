"""New settings without a restart: SIGHUP, and how the roles agree on what is in force.

Each role reads the file itself. Work looks at all of it (profiles, crosswalks, key) and changes over first; receive and
forward follow once work says in the ledger that this very file is in force. So no instance comes for a project that
work does not know, and none is cleaned for a destination that forward is about to forget. A file that is wrong, or that
work cannot use, leaves everything as it is, and the log says why: file, line and remedy.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from node import log
from node.errors import Misconfigured, NodeError, NoRoom, Transient
from node.log import Event, Name
from node.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from node.ledger import Ledger

_SCHEMA: Final = """CREATE TABLE IF NOT EXISTS settings_in_force (
    role        TEXT NOT NULL PRIMARY KEY,
    digest      TEXT NOT NULL DEFAULT '',   -- of the file that is in force
    since       REAL NOT NULL DEFAULT 0,    -- seconds since 1970
    rejected    TEXT NOT NULL DEFAULT '',   -- digest of the last file that was rejected
    rejected_at REAL NOT NULL DEFAULT 0,
    why         TEXT NOT NULL DEFAULT ''    -- it was: file, line and remedy
) WITHOUT ROWID"""
_IS_THERE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'settings_in_force'"
_IN_FORCE: Final = """INSERT INTO settings_in_force (role, digest, since) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET digest = ?2, since = ?3"""
_REJECTED: Final = """INSERT INTO settings_in_force (role, rejected, rejected_at, why) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET rejected = ?2, rejected_at = ?3, why = ?4"""
_VERDICT: Final = "SELECT digest, since, rejected, rejected_at, why FROM settings_in_force WHERE role = ?"

_WORK: Final = "work"
_PATIENCE_S: Final = 60.0
"""How long work may take to say something of a file, before that is said in the log."""

FIXED: Final = ("key_file", "web", "audit")
FIXED_OF_SPOOL: Final = ("path",)
FIXED_OF_RECEIVE: Final = ("address", "port", "processes", "tls")
"""What counts from the next start only; the files that ``[receive.tls]`` names are watched anyway."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a role says of the settings; times in seconds since 1970.

    Attributes
    ----------
    digest
        of the file that is in force
    rejected, why
        digest of the last file that was rejected, and what is wrong with it
    """

    digest: str
    since_s: float
    rejected: str
    rejected_at_s: float
    why: str


class Agreement:
    """What the roles say to one another, in a table beside the jobs'."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        if not ledger.run(_IS_THERE).fetchall():
            ledger.run(_SCHEMA)

    def in_force(self, role: str, digest: str) -> None:
        """Say that a role works by a file."""
        self._ledger.run(_IN_FORCE, role, digest, time.time())

    def reject(self, role: str, digest: str, why: str) -> None:
        """Say that a role stays with what it has, since a file is wrong."""
        self._ledger.run(_REJECTED, role, digest, time.time(), why)

    def verdict(self, role: str) -> Verdict | None:
        """Return what a role has said; None if nothing yet."""
        rows = self._ledger.run(_VERDICT, role).fetchall()
        return Verdict(*rows[0]) if rows else None


class Reload:
    """What one role asks for new settings; the signal that asks for them comes in another thread.

    Parameters
    ----------
    settings
        in force
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked = threading.Event()
        self._asked_at_s = 0.0
        self._pending: tuple[Settings, str] | None = None
        self._warned = False
        self._kept: list[str] = []
        self._digest = digest_of(settings.config_path)

    @property
    def digest(self) -> str:
        """Of the file that is in force."""
        return self._digest

    @property
    def is_due(self) -> bool:
        """Whether new settings were asked for, or are there and wait for work."""
        return self._asked.is_set() or self._pending is not None

    def ask(self) -> None:
        """Hear that the file is to be read again; from any thread."""
        self._asked_at_s = time.time()
        self._asked.set()

    def read(self) -> tuple[Settings, str] | None:
        """Return new settings and the digest of their file, if they were asked for since and the file is right.

        What counts from the next start only is as it was.
        """
        if not self._asked.is_set():
            return None
        self._asked.clear()
        self._warned = False
        path = self._settings.config_path
        digest = digest_of(path)
        try:
            settings = load_settings(path)
            while digest != (now := digest_of(path)):  # somebody is just writing it
                digest, settings = now, load_settings(path)
        except Misconfigured as error:
            say_rejected(error)
            self._pending = None
            return None
        settings, self._kept = _merged(self._settings, settings)
        return settings, digest

    def follow(self, ledger: Ledger, check: Callable[[Settings], None]) -> Settings | None:
        """Return new settings once work goes by them; None as long as there are none.

        Parameters
        ----------
        check
            raises Misconfigured if this role cannot work by them: then it stays with what it has
        """
        self._pending = self.read() or self._pending
        if self._pending is None:
            return None
        settings, digest = self._pending
        verdict = Agreement(ledger).verdict(_WORK)
        has_waited_long = time.time() > self._asked_at_s + _PATIENCE_S
        if verdict and verdict.digest == digest:
            self._pending = None
            return self._checked(settings, digest, check)
        # A verdict from before the signal may be on the same file, but on another profile: work may yet say otherwise.
        if verdict and verdict.rejected == digest and (has_waited_long or verdict.rejected_at_s >= self._asked_at_s):
            self._pending = None
            log.emit(Event.SETTINGS_REJECTED, message=Name(verdict.why))
        elif has_waited_long and not self._warned:
            self._warned = True
            log.emit(Event.SETTINGS_AWAITED, waiting_for=Name(_WORK))
        return None

    def take(self, settings: Settings, digest: str) -> None:
        """Hear that what was read is in force now, and say so."""
        self._settings, self._digest = settings, digest
        log.set_level(settings.log)
        log.emit(Event.SETTINGS_RELOADED)
        if self._kept:
            log.emit(Event.SETTINGS_NEED_RESTART, keys=Name(", ".join(self._kept)))

    def _checked(self, settings: Settings, digest: str, check: Callable[[Settings], None]) -> Settings | None:
        try:
            check(settings)
        except Misconfigured as error:
            say_rejected(error)
            return None
        self.take(settings, digest)
        return settings


def digest_of(path: Path | None) -> str:
    """Return the digest of a configuration file; empty without one, or if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
    except OSError:
        return ""


def say_rejected(error: NodeError) -> None:
    """Say in one line of the log what is wrong; such messages carry names and numbers of the configuration alone."""
    log.emit(Event.SETTINGS_REJECTED, message=Name(str(error)))


def note(ledger: Ledger, act: Callable[[Agreement], None]) -> None:
    """Say something to the other roles, or nothing if the ledger cannot be written now: they ask again."""
    try:
        act(Agreement(ledger))
    except (NoRoom, Transient) as error:
        log.emit_error(Event.FAILED, error)


def _merged(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Return new settings with what cannot change in a running node as it was, and the keys of which that is so."""
    receive, of_receive = _kept(old.receive, new.receive, FIXED_OF_RECEIVE)
    spool, of_spool = _kept(old.spool, new.spool, FIXED_OF_SPOOL)
    merged, of_all = _kept(old, replace(new, receive=receive, spool=spool), FIXED)
    return merged, [*of_all, *(f"receive.{name}" for name in of_receive), *(f"spool.{name}" for name in of_spool)]


def _kept(old: T, new: T, names: Sequence[str]) -> tuple[T, list[str]]:
    changed = [name for name in names if getattr(old, name) != getattr(new, name)]
    changes: dict[str, Any] = {name: getattr(old, name) for name in changed}
    return replace(cast("Any", new), **changes), changed

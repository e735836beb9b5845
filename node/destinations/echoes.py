"""What the last echoes showed: a table of its own beside the jobs', written by the forward role, read by all.

from node.destinations import echoes
echoes.last(ledger)          # {name: LastEcho}; empty before the forward role has run
echoes.ask(ledger, name)     # the forward role asks that destination within a second (the button of the console)
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from node.destinations.echo import Echo, EchoResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.ledger import Ledger

_SCHEMA: Final = """CREATE TABLE IF NOT EXISTS echoes (
    destination TEXT NOT NULL PRIMARY KEY,
    at          REAL NOT NULL DEFAULT 0,      -- of the last echo; seconds since 1970, 0: none yet
    result      TEXT NOT NULL DEFAULT '',     -- node.destinations.echo.EchoResult
    after_s     REAL,                         -- how long the answer took
    detail      TEXT NOT NULL DEFAULT '',     -- what is wrong, for a person
    since       REAL NOT NULL DEFAULT 0,      -- since when it is well, or is not
    well_at     REAL NOT NULL DEFAULT 0,      -- when it was last well
    asked_for   REAL NOT NULL DEFAULT 0       -- when a person asked for an echo that is yet to be made; 0: nobody did
) WITHOUT ROWID"""
_IS_THERE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'echoes'"
_ALL: Final = "SELECT destination, at, result, after_s, detail, since, well_at FROM echoes WHERE at > 0"
_NOTE: Final = """INSERT INTO echoes (destination, at, result, after_s, detail, since, well_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?2, CASE WHEN ?6 THEN ?2 ELSE 0 END)
    ON CONFLICT DO UPDATE SET result = ?3, after_s = ?4, detail = ?5,
        since = CASE WHEN at = 0 OR (result IN ('answered', 'in-use')) <> ?6 THEN ?2 ELSE since END,
        well_at = CASE WHEN ?6 THEN ?2 ELSE well_at END,
        asked_for = CASE WHEN asked_for <= ?2 THEN 0 ELSE asked_for END, at = ?2"""
_ASK: Final = """INSERT INTO echoes (destination, asked_for) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET asked_for = excluded.asked_for"""
_ASKED: Final = "SELECT asked_for FROM echoes WHERE destination = ? AND asked_for > 0"
_NAMES: Final = "SELECT destination FROM echoes"
_FORGET: Final = "DELETE FROM echoes WHERE destination = ?"


@dataclass(frozen=True, slots=True)
class LastEcho:
    """What is known of a destination; times in seconds since 1970.

    Attributes
    ----------
    after_s
        how long the answer took; None if there was none, or nothing was asked
    since_s
        since when it is well, or is not
    well_at_s
        when it was last well; 0 if never
    """

    destination: str
    at_s: float
    result: EchoResult
    after_s: float | None
    detail: str
    since_s: float
    well_at_s: float

    @property
    def is_well(self) -> bool:
        """Whether instances can be delivered, as far as an echo can tell."""
        return self.result in (EchoResult.ANSWERED, EchoResult.IN_USE)


def last(ledger: Ledger) -> dict[str, LastEcho]:
    """Give what is known of each destination that was asked; nothing is written."""
    if not ledger.run(_IS_THERE).fetchall():
        return {}
    found = {}
    for name, at_s, result, after_s, detail, since_s, well_at_s in ledger.run(_ALL):
        found[name] = LastEcho(name, at_s, EchoResult(result), after_s, detail, since_s, well_at_s)
    return found


def ask(ledger: Ledger, destination: str) -> None:
    """Let the forward role ask a destination soon; what came of it is in `last` then."""
    prepare(ledger)
    ledger.run(_ASK, destination, time.time())


def prepare(ledger: Ledger) -> None:
    """Make the table, if it isn't there."""
    if not ledger.run(_IS_THERE).fetchall():
        ledger.run(_SCHEMA)


def is_asked_for(ledger: Ledger, destination: str) -> bool:
    """Say whether a person waits for an echo."""
    return bool(ledger.run(_ASKED, destination).fetchall())


def note(ledger: Ledger, echo: Echo) -> None:
    """Keep what an echo showed."""
    ledger.run(_NOTE, echo.destination, echo.at_s, echo.result.value, echo.after_s, echo.detail, echo.is_well)


def forget_others(ledger: Ledger, destinations: Iterable[str]) -> None:
    """Forget destinations that are not configured any more."""
    for name in {row[0] for row in ledger.run(_NAMES).fetchall()} - set(destinations):
        ledger.run(_FORGET, name)

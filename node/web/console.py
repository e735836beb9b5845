"""What all pages share: the settings, the ledger, who is logged in, and how a page is written."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import jinja2

from node.ledger import Ledger, open_ledger
from node.spool import Spool
from node.web import words
from node.web.history import History
from node.web.limits import LoginLimits
from node.web.sessions import Sessions
from node.web.users import Users
from node.web.viewer import Viewer

if TYPE_CHECKING:
    from node.settings import Settings

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"

T = TypeVar("T")


@dataclass(slots=True)
class Console:
    """The parts of the console; one for each process.

    Attributes
    ----------
    history
        of the sums, for the chart
    viewer
        what the review of the quarantine has read, drawn and tried out
    """

    settings: Settings
    spool: Spool
    ledger: Ledger
    users: Users
    sessions: Sessions
    limits: LoginLimits
    templates: jinja2.Environment
    remembered: Remembered
    history: History
    viewer: Viewer


def open_console(settings: Settings) -> Console:
    """Open what the pages need.

    Raises
    ------
    Misconfigured
        if the spool or the ledger can't be used
    """
    web, spool = settings.web, settings.spool
    return Console(
        settings,
        Spool(spool.path, spool.min_free_bytes),
        open_ledger(spool.path),
        Users(web.users_file),
        Sessions(web.idle_s, web.session_s),
        LoginLimits(),
        _templates(),
        Remembered(),
        History(),
        Viewer(settings),
    )


class Remembered:
    """Answers that may be some seconds old: however many look at a page, the ledger is asked once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._answers: dict[str, tuple[float, Any]] = {}

    def ask(self, key: str, at_most_s: float, ask: Callable[[], T]) -> T:
        """Give the answer of `ask`, or of an earlier call with the same `key` that is not older than `at_most_s`."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self._answers.get(key)
            if known is not None and time.monotonic() - known[0] < at_most_s:
                answer: T = known[1]
                return answer
            answer = ask()
            self._answers[key] = (time.monotonic(), answer)
            return answer

    def forget(self, key: str) -> None:
        """Ask anew the next time."""
        self._answers.pop(key, None)


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static_url
    environment.filters.update(words.FILTERS)
    return environment


@cache
def static_url(name: str) -> str:
    """Give the address of a file in ``static``; another content has another one, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def fresh_token() -> str:
    """Give a token that nobody guesses."""
    return secrets.token_urlsafe(32)

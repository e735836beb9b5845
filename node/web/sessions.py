"""Who is logged in. Sessions are kept in memory alone: after a restart everybody logs in again."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field

_MOST_SESSIONS = 1000
_MOST_NOTICES = 5


@dataclass(slots=True)
class Session:
    """One login.

    Attributes
    ----------
    csrf
        what each form of the session carries
    fingerprint
        of role and password when it began: another one ends it
    began_s, used_s
        of the monotonic clock
    notices
        for the next page: kind ("done", "failed") and text
    """

    user_name: str
    fingerprint: str
    csrf: str
    began_s: float
    used_s: float
    notices: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, kind: str, text: str) -> None:
        """Leave a notice for the next page."""
        self.notices[:] = [*self.notices[1 - _MOST_NOTICES :], (kind, text)]

    def heard(self) -> list[tuple[str, str]]:
        """Take the notices."""
        taken, self.notices = self.notices, []
        return taken


class Sessions:
    """All logins; tokens are known to browsers alone, here is only their hash."""

    def __init__(self, idle_s: float, session_s: float) -> None:
        self._idle_s, self._session_s = idle_s, session_s
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, user_name: str, fingerprint: str) -> tuple[str, Session]:
        """Begin a session; return the token for the browser, and the session."""
        token, now = secrets.token_urlsafe(32), time.monotonic()
        session = Session(user_name, fingerprint, secrets.token_urlsafe(32), now, now)
        with self._lock:
            self._sweep(now)
            while len(self._sessions) >= _MOST_SESSIONS:
                del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].used_s)]
            self._sessions[_hash(token)] = session
        return token, session

    def find(self, token: str, *, touch: bool = True) -> Session | None:
        """Give the session of a token, and begin its idle time anew unless a page asks by itself."""
        now = time.monotonic()
        with self._lock:
            session = self._sessions.get(_hash(token))
            if session is None or self._is_over(session, now):
                return None
            if touch:
                session.used_s = now
            return session

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_hash(token), None)

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.used_s > self._idle_s or now - session.began_s > self._session_s

    def _sweep(self, now: float) -> None:
        self._sessions = {key: each for key, each in self._sessions.items() if not self._is_over(each, now)}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()

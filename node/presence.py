"""Which node works on this spool, and how its roles are: a lock and a small file beside the spool's folders.

The lock says whether any process of a node lives: the roles inherit it from their supervisor, and the kernel drops it
with the last of them, however they end. The file says what the supervisor last knew. Nothing of an instance is in it.

Roles that are units of their own have no supervisor: each holds a lock of its own beside the ledger, which they share.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from node.errors import Misconfigured
from node.ledger import LEDGER_FOLDER
from node.modes import PRIVATE, mode_of_database_in

_LOCK = ".node.lock"
_STATE = ".node.json"
_ROLES = ("receive", "work", "forward")
_OPTIONAL_ROLES = ("web",)
_ONLOOKER_S = 0.5  # an onlooker holds the lock for microseconds
_ORPHANS_S = 40.0  # the roles of a killed supervisor have time to finish what they hold


@dataclass(frozen=True, slots=True)
class RoleState:
    """One role's process as its supervisor sees it; `since` is seconds since the epoch."""

    name: str
    state: str
    pid: int
    restarts: int
    since: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """What an onlooker sees: is a supervisor alive, which process is it, and how are its roles."""

    running: bool
    pid: int = 0
    roles: tuple[RoleState, ...] = ()


class Presence:
    """The supervisor's claim on a spool, from construction to `close`.

    Raises
    ------
    Misconfigured
        Another supervisor has this spool, or the folder cannot be written.

    Notes
    -----
    If the last supervisor was killed, its roles are waited for.
    """

    def __init__(self, spool: Path) -> None:
        self._state = spool / _STATE
        try:
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(spool / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(f"spool {spool} cannot be written ({error.strerror}); see [spool] path") from None
        if not self._locked_in_time(spool):
            os.close(self._lock)
            raise Misconfigured(f"another deid-node already works on the spool {spool}; stop it first")

    @property
    def fd(self) -> int:
        """The lock's file descriptor: a process that inherits it holds the lock as well."""
        return self._lock

    def _locked_in_time(self, spool: Path) -> bool:
        began_at = time.monotonic()
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                patience_s = _ORPHANS_S if _is_dead(_read(spool).pid) else _ONLOOKER_S
                if time.monotonic() - began_at > patience_s:
                    return False
                time.sleep(0.02)
            else:
                return True

    def write(self, roles: Iterable[RoleState]) -> None:
        """Replace what onlookers see; a full disk only makes it older."""
        text = json.dumps({"pid": os.getpid(), "roles": [asdict(role) for role in roles]})
        fresh = self._state.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._state)

    def close(self) -> None:
        """Give the spool up."""
        with contextlib.suppress(OSError):
            self._state.unlink(missing_ok=True)
        os.close(self._lock)


@contextlib.contextmanager
def claimed(spool: Path, role: str) -> Iterator[Callable[[], None]]:
    """Let onlookers see a role that has no supervisor; yields what is to be called once it is ready.

    Only where roles of several users share a folder for the ledger; elsewhere, and if that fails, nothing is seen.
    """
    held: list[int] = []

    def ready() -> None:
        with contextlib.suppress(OSError):
            held.append(_claim(_role_lock(spool, role)))

    try:
        yield ready
    finally:
        for lock in held:
            os.close(lock)


def _claim(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(lock, mode_of_database_in(path.parent))
        os.utime(lock)
    except OSError:
        os.close(lock)
        raise
    return lock


def _role_lock(spool: Path, role: str) -> Path:
    return spool / LEDGER_FOLDER / f"{role}.lock"


def look(spool: Path) -> Sighting:
    """Return what can be seen of the node on `spool`, without touching anything."""
    seen = _read(spool)
    if not _is_locked(spool / _LOCK) or _is_dead(seen.pid):
        return _look_at_units(spool)
    return seen


def _look_at_units(spool: Path) -> Sighting:
    """Return what can be seen of roles that have no supervisor; `since` is when they were ready, if they ever were."""
    roles = []
    for role in (*_ROLES, *_OPTIONAL_ROLES):
        path = _role_lock(spool, role)
        with contextlib.suppress(OSError):
            state = "ready" if _is_locked(path) else "stopped"
            roles.append(RoleState(role, state, 0, 0, path.stat().st_mtime))
    missing = [role for role in _ROLES if role not in {each.name for each in roles}]
    running = any(role.state == "ready" for role in roles)
    if not running:
        return Sighting(running=False)
    return Sighting(running=True, roles=(*roles, *(RoleState(role, "stopped", 0, 0, time.time()) for role in missing)))


def _read(spool: Path) -> Sighting:
    try:
        seen = json.loads((spool / _STATE).read_text(encoding="utf-8"))
        roles = tuple(RoleState(**role) for role in seen["roles"])
        return Sighting(running=True, pid=int(seen["pid"]), roles=roles)
    except (OSError, ValueError, KeyError, TypeError):
        return Sighting(running=True)  # a supervisor that is just starting has not written yet


def _is_dead(pid: int) -> bool:
    """Say whether a process is known to be gone; 0 stands for one that is not known."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # somebody else's
    return False


def _is_locked(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(lock)

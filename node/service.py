"""The composition root: what `deid-node serve` is made of, and what each role's process does around its work."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

from node import log
from node.audit.recorder import recording
from node.errors import NodeError
from node.key import create_key, load_key
from node.log import Event, Name
from node.notify import Notifier, WatchedStop
from node.presence import Presence, RoleState, claimed
from node.reload import Reload, say_rejected
from node.settings import Settings, load_settings
from node.supervisor import LIFELINE, READY, Patience, Supervisor, Task

_PR_SET_PDEATHSIG = 1

_COLLECT_AFTER = 50_000  # objects


class Role(StrEnum):
    """What a process of the node does."""

    RECEIVE = "receive"
    WORK = "work"
    FORWARD = "forward"
    WEB = "web"


# Imported by name, so that the receiver's process never loads the cleaning code, nor the worker's the network.
_MODULES = {
    Role.RECEIVE: "node.scp",
    Role.WORK: "node.worker",
    Role.FORWARD: "node.forwarder",
    Role.WEB: "node.web.server",
}


class _RoleModule(Protocol):
    def run(self, settings: Settings, stop: threading.Event, ready: Callable[[], None], *reload: Reload) -> None: ...


def supervise(settings: Settings, notifier: Notifier, announce: Callable[[str], None]) -> int:
    """Run all roles as child processes until told to stop.

    Parameters
    ----------
    settings : Settings
        As loaded; the children load the same file again.
    notifier : Notifier
        The service manager.
    announce : callable
        Given one line for a person when the node is ready.

    Returns
    -------
    int
        The exit code of `serve`.

    Raises
    ------
    Misconfigured
        The key is missing, or another node works on this spool.
    """
    secure_key(settings, announce)
    log.configure(settings.log, Name("supervisor"))
    presence = Presence(settings.spool.path)
    try:
        witness, children = _LogWitness(presence, settings, announce), tasks(settings)
        may_reload = None if _is_on_a_terminal() else _reloadable(settings)
        with recording(settings, [each.role for each in children], is_whole=True):
            return Supervisor(children, notifier, witness, inherited=[presence.fd], may_reload=may_reload).run()
    finally:
        presence.close()


def _is_on_a_terminal() -> bool:
    """Say whether a person looks on: then SIGHUP means that the terminal is gone, and no reload."""
    return sys.stderr.isatty()


def _reloadable(settings: Settings) -> Callable[[], bool]:
    """Return what says whether the configuration file is right; if it isn't, the log says so."""

    def is_right() -> bool:
        try:
            log.set_level(load_settings(settings.config_path).log)
        except NodeError as error:
            say_rejected(error)
            return False
        return True

    return is_right


def tasks(settings: Settings) -> list[Task]:
    """Return the children of the supervisor: one per role (web: if it has a port), as many receivers as wanted."""
    config = () if settings.config_path is None else ("--config", str(settings.config_path))
    roles = [Role.RECEIVE] * settings.receive.processes + [Role.WORK, Role.FORWARD]
    roles += [Role.WEB] * bool(settings.web.port)
    return [Task(role, (sys.executable, "-m", "node", "serve", "--role", role, *config)) for role in roles]


def secure_key(settings: Settings, announce: Callable[[str], None]) -> bytes:
    """Return the secret key; without a configuration file a missing one is made, and said so.

    Raises
    ------
    Misconfigured
        The key is missing although a configuration file names it, can be read by others, or is not a key.
    """
    if settings.config_path is None and not settings.key_file.exists():
        create_key(settings.key_file)
        announce(f"made a new key in {settings.key_file}: keep it, pseudonyms and dates depend on it")
    return load_key(settings.key_file)


def run_role(role: Role, settings: Settings, notifier: Notifier) -> int:
    """Do one role's work in this process until SIGTERM, or until the supervisor is gone.

    Returns
    -------
    int
        0 after a stop that was asked for.

    Raises
    ------
    Misconfigured
        The role cannot work with these settings.

    Notes
    -----
    Only the main thread can run it: it takes the process's signals.
    """
    log.configure(settings.log, role)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold instances
    _die_with_parent()
    gc.freeze()  # what the imports brought stays; instances leave no cycles behind
    gc.set_threshold(_COLLECT_AFTER)
    stop, reload = WatchedStop(notifier), Reload(settings)
    # The console begins anew: it stops, and whoever started it starts it again.
    reloads = () if role is Role.WEB or _is_on_a_terminal() else (reload,)
    on_hangup = reload.ask if reloads else None
    ready_fd, lifeline = _take_fd(READY), _take_fd(LIFELINE)

    def ready() -> None:
        if lifeline < 0:
            claim()
        notifier.ready(f"{role} ready")
        if ready_fd >= 0:
            with contextlib.suppress(OSError):
                os.write(ready_fd, b"1")

    with claimed(settings.spool.path, role) as claim, _stopped_by_signal_or_loss(stop, lifeline, notifier, on_hangup):
        try:
            module = cast("_RoleModule", importlib.import_module(_MODULES[role]))
            with recording(settings, [role], is_whole=lifeline < 0):
                module.run(settings, stop, ready, *reloads)
        except NodeError:
            raise
        except Exception as error:
            log.emit_error(Event.CRASHED, error)
            raise
    return 0


class _LogWitness:
    """Writes what happens to the roles into the log, the spool's state file and, once, to the terminal."""

    def __init__(self, presence: Presence, settings: Settings, announce: Callable[[str], None]) -> None:
        self._presence = presence
        self._settings = settings
        self._announce = announce

    def started(self, role: str, pid: int) -> None:
        log.emit(Event.CHILD_STARTED, child=Role(role), child_pid=pid)

    def ready(self, role: str, after_s: float) -> None:
        log.emit(Event.CHILD_READY, child=Role(role), after_s=round(after_s, 3))

    def exited(self, role: str, code: int, restart_after_s: float) -> None:
        log.emit(Event.CHILD_ENDED, child=Role(role), code=code)
        log.emit(Event.CHILD_RESTARTING, child=Role(role), after_s=round(restart_after_s, 3))

    def not_ready(self, role: str, restarts: int) -> None:
        log.emit(Event.STARTING, waiting_for=Role(role), restarts=restarts)

    def node_ready(self, after_s: float) -> None:
        log.emit(Event.READY, after_s=round(after_s, 3))
        receive = self._settings.receive
        self._announce(f"ready: {self._settings.ae_title} listens on {receive.address} port {receive.port}")

    def stopping(self) -> None:
        log.emit(Event.STOPPING)

    def killed(self, role: str) -> None:
        log.emit(Event.CHILD_KILLED, child=Role(role))

    def seen(self, roles: Sequence[RoleState]) -> None:
        self._presence.write(roles)


@contextlib.contextmanager
def _stopped_by_signal_or_loss(
    stop: threading.Event, lifeline: int, notifier: Notifier, on_hangup: Callable[[], None] | None
) -> Iterator[None]:
    """Set `stop` on SIGTERM or SIGINT, or at the lifeline's end; without a supervisor the end is also forced.

    SIGHUP calls `on_hangup`, or without it stops too.

    The signal handlers only wake a thread: an Event set inside a handler can deadlock with the wait it interrupts.
    """
    wakeup, written = os.pipe()
    os.set_blocking(written, False)
    old_wakeup = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    old = {n: signal.signal(n, lambda *_: None) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    done = threading.Event()
    hear = _Hear(stop, notifier, on_hangup)
    watcher = threading.Thread(target=_watch, args=(wakeup, lifeline, hear, done), name="stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        os.write(written, b"\0")
        watcher.join()
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wakeup)
        os.close(wakeup)
        os.close(written)


@dataclass(frozen=True, slots=True)
class _Hear:
    """What follows from signals."""

    role_stop: threading.Event
    notifier: Notifier
    on_hangup: Callable[[], None] | None

    def signals(self, numbers: bytes) -> None:
        """Stop, unless all of them ask for a reload."""
        if self.on_hangup and numbers and set(numbers) == {signal.SIGHUP}:
            self.on_hangup()
        else:
            self.stop()

    def stop(self) -> None:
        """Tell the role, and before it the manager."""
        if not self.role_stop.is_set():
            self.notifier.stopping()
            self.role_stop.set()


def _watch(wakeup: int, lifeline: int, hear: _Hear, done: threading.Event) -> None:
    watched = [wakeup] if lifeline < 0 else [wakeup, lifeline]
    while not done.is_set():
        readable, _, _ = select.select(watched, [], [])
        if lifeline in readable:
            hear.stop()
            # Nobody is left to send SIGKILL: an orphan must not hold the port and the locks of the next node.
            if not done.wait(Patience().stop_s):
                os._exit(1)
            return
        hear.signals(os.read(wakeup, 512))


def _take_fd(variable: str) -> int:
    """Return the file descriptor that the supervisor passed, hidden from this process's own children; -1 if none."""
    value = os.environ.pop(variable, "")
    if not value.isdecimal():
        return -1
    os.set_inheritable(int(value), False)  # noqa: FBT003  the system's own signature
    return int(value)


def _die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the supervisor's thread ends (Linux); the lifeline does the same elsewhere."""
    if LIFELINE in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

"""One process that keeps the roles' processes running, and ends with them.

A child hears that its supervisor is gone by the end of file on its *lifeline*; the supervisor hears that a child does
its work by one byte on the child's *ready pipe*. Everything happens in one thread around one `select`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from node.notify import Notifier, without_manager
from node.presence import RoleState

LIFELINE = "DEID_NODE_LIFELINE"
READY = "DEID_NODE_READY"
EXIT_MISCONFIGURED = 2

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the supervisor waits for what."""

    first_restart_s: float = 0.2
    max_restart_s: float = 30.0
    settled_s: float = 60.0
    stop_s: float = 30.0
    remind_s: float = 15.0

    def restart_after_s(self, failures: int) -> float:
        """Return the pause before the next start after so many failures in a row: doubling, capped."""
        return min(self.max_restart_s, self.first_restart_s * 2.0 ** min(failures - 1, 30))


_DEFAULT_PATIENCE = Patience()


class Witness(Protocol):
    """Who is told what becomes of the roles: the log in service, a list in a test."""

    def started(self, role: str, pid: int) -> None:
        """Hear that a role's process was started."""

    def ready(self, role: str, after_s: float) -> None:
        """Hear that a role does its work."""

    def exited(self, role: str, code: int, restart_after_s: float) -> None:
        """Hear that a process ended by itself (`code` is negative for a signal) or could not be started (errno)."""

    def not_ready(self, role: str, restarts: int) -> None:
        """Hear that a role keeps the node from being ready for longer than it should."""

    def node_ready(self, after_s: float) -> None:
        """Hear that all roles do their work, for the first time."""

    def stopping(self) -> None:
        """Hear that the roles are asked to stop."""

    def killed(self, role: str) -> None:
        """Hear that a role did not stop in time and was killed."""

    def seen(self, roles: Sequence[RoleState]) -> None:
        """Hear of every change of the roles' states."""


@dataclass(frozen=True, slots=True)
class Task:
    """One child to keep running: its name among the roles and its command line."""

    role: str
    command: tuple[str, ...]


class _Child:
    """The present and past processes of one task."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.process: subprocess.Popen[bytes] | None = None
        self.ready_fd = -1
        self.is_ready = False
        self.restarts = 0
        self.failures = 0
        self.started_at = 0.0
        self.restart_at = 0.0
        self.since = time.time()

    def start(self, lifeline: int, inherited: Sequence[int], now: float) -> int:
        """Start a process that has `lifeline`, `inherited` and a ready pipe of its own; return its pid."""
        self.started_at, self.since = now, time.time()
        self.ready_fd, told = os.pipe()
        os.set_blocking(self.ready_fd, False)
        environment = {**without_manager(os.environ), LIFELINE: str(lifeline), READY: str(told)}
        try:
            self.process = subprocess.Popen(
                self.task.command, stdin=subprocess.DEVNULL, pass_fds=(lifeline, told, *inherited), env=environment
            )
        finally:
            os.close(told)
        return self.process.pid

    def hear(self) -> bool:
        """Read the ready pipe; True if the child has just become ready."""
        try:
            said = os.read(self.ready_fd, 1)
        except BlockingIOError:
            return False
        self._forget_pipe()
        if said:
            self.is_ready, self.since = True, time.time()
        return bool(said)

    def buried(self, patience: Patience, now: float) -> int | None:
        """Return the exit code of a process that has ended since, and plan the next start; None if it lives."""
        code = None if self.process is None else self.process.poll()
        if code is None:
            return None
        self.plan_restart(patience, now)
        return code

    def plan_restart(self, patience: Patience, now: float) -> None:
        """Forget the process and set when the next one starts."""
        self._forget_pipe()
        self.process, self.is_ready, self.since = None, False, time.time()
        self.failures = 1 if now - self.started_at >= patience.settled_s else self.failures + 1
        self.restart_at = now + patience.restart_after_s(self.failures)
        self.restarts += 1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None:
            self.process.send_signal(number)

    def state(self, *, stopping: bool) -> RoleState:
        """Return what onlookers may know."""
        if self.process is None:
            return RoleState(self.task.role, "stopped" if stopping else "restarting", 0, self.restarts, self.since)
        state = "stopping" if stopping else "ready" if self.is_ready else "starting"
        return RoleState(self.task.role, state, self.process.pid, self.restarts, self.since)

    def _forget_pipe(self) -> None:
        if self.ready_fd >= 0:
            os.close(self.ready_fd)
            self.ready_fd = -1


class Supervisor:
    """Starts a child for each task, starts it again when it ends, and stops all on SIGTERM or SIGINT.

    Parameters
    ----------
    tasks : sequence of Task
        What to keep running.
    notifier : Notifier
        The service manager: READY once all roles are ready, WATCHDOG while all are alive, STOPPING.
    witness : Witness
        Told of everything that happens.
    patience : Patience
        Times; tests shorten them.
    inherited : sequence of int
        File descriptors that every child keeps open as long as it lives.
    may_reload : callable, optional
        Asked at SIGHUP whether the children shall hear it too: whether there are settings that they could reload.
        Without it SIGHUP stops all.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        notifier: Notifier,
        witness: Witness,
        patience: Patience = _DEFAULT_PATIENCE,
        inherited: Sequence[int] = (),
        may_reload: Callable[[], bool] | None = None,
    ) -> None:
        self._children = [_Child(task) for task in tasks]
        self._notifier = notifier
        self._witness = witness
        self._patience = patience
        self._inherited = tuple(inherited)
        self._may_reload = may_reload
        self._reload_asked = False
        self._began_at = time.monotonic()
        self._remind_at = self._began_at + self._patience.remind_s
        self._watchdog_at = self._began_at
        self._stop_asked = False
        self._was_ready = False
        self._waiting_for: tuple[str, ...] = ()
        self._result = 0

    def run(self) -> int:
        """Run until told to stop.

        Returns
        -------
        int
            0 after a stop that was asked for; 2 when a role found the configuration wrong before the node was
            ever ready.

        Notes
        -----
        Only the main thread can run it: it takes the process's signals.
        """
        # The supervisor alone holds the writing end; the kernel closes it however the supervisor ends.
        lifeline, held = os.pipe()
        try:
            with _signals(self._hear) as wakeup:
                for child in self._children:
                    self._start(child, lifeline)
                while not self._stop_asked:
                    self._wait(wakeup)
                    self._tend(lifeline)
                self._stop(wakeup)
        finally:
            os.close(held)
            os.close(lifeline)
        return self._result

    def _hear(self, number: int) -> None:
        if number == signal.SIGHUP and self._may_reload:
            self._reload_asked = True
        else:
            self._stop_asked = True

    def _pass_reload_on(self) -> None:
        if self._reload_asked and self._may_reload:
            self._reload_asked = False
            if self._may_reload():
                for child in self._children:
                    child.signal(signal.SIGHUP)

    def _start(self, child: _Child, lifeline: int) -> None:
        now = time.monotonic()
        try:
            pid = child.start(lifeline, self._inherited, now)
        except OSError as error:  # no memory, no process slot: as if it had died at once
            child.plan_restart(self._patience, now)
            self._witness.exited(child.task.role, error.errno or 1, self._patience.restart_after_s(child.failures))
        else:
            self._witness.started(child.task.role, pid)
        self._publish()

    def _wait(self, wakeup: int) -> None:
        """Sleep until a signal, a word on a ready pipe, or the next thing that is due."""
        now = time.monotonic()
        due = [child.restart_at for child in self._children if child.process is None]
        if self._notifier.watchdog_interval_s is not None and self._all_alive():
            due.append(self._watchdog_at)
        if not self._was_ready:
            due.append(self._remind_at)
        timeout_s = max(0.0, min(due) - now) if due else None
        pipes = [child.ready_fd for child in self._children if child.ready_fd >= 0]
        readable, _, _ = select.select([wakeup, *pipes], [], [], timeout_s)
        if wakeup in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 512)

    def _tend(self, lifeline: int) -> None:
        """Do all that is due: bury, start again, note who is ready, speak to the service manager."""
        for child in self._children:
            if child.ready_fd >= 0 and child.hear():
                self._witness.ready(child.task.role, time.monotonic() - child.started_at)
                self._publish()
            self._bury(child)
            if child.process is None and time.monotonic() >= child.restart_at and not self._stop_asked:
                self._start(child, lifeline)
        self._note_ready()
        self._pass_reload_on()
        self._remind()
        self._ping()

    def _bury(self, child: _Child) -> None:
        code = child.buried(self._patience, time.monotonic())
        if code is None:
            return
        self._witness.exited(child.task.role, code, self._patience.restart_after_s(child.failures))
        if code == EXIT_MISCONFIGURED and not self._was_ready:
            # Starting again cannot mend a wrong configuration; the child has said what is wrong.
            self._result, self._stop_asked = EXIT_MISCONFIGURED, True
        self._publish()

    def _note_ready(self) -> None:
        if not self._was_ready and all(child.is_ready for child in self._children):
            self._was_ready = True
            self._witness.node_ready(time.monotonic() - self._began_at)
            self._notifier.ready(self._summary())

    def _remind(self) -> None:
        now = time.monotonic()
        if self._was_ready or now < self._remind_at:
            return
        self._remind_at = now + self._patience.remind_s
        for child in self._children:
            if not child.is_ready:
                self._witness.not_ready(child.task.role, child.restarts)

    def _ping(self) -> None:
        interval_s, now = self._notifier.watchdog_interval_s, time.monotonic()
        if interval_s is not None and now >= self._watchdog_at and self._all_alive():
            self._watchdog_at = now + interval_s
            self._notifier.watchdog()

    def _all_alive(self) -> bool:
        return all(child.process is not None for child in self._children)

    def _publish(self) -> None:
        self._witness.seen([child.state(stopping=self._stop_asked) for child in self._children])
        waiting_for = tuple(child.task.role for child in self._children if not child.is_ready)
        if waiting_for != self._waiting_for and not self._stop_asked:
            self._waiting_for = waiting_for
            self._notifier.status(self._summary())

    def _summary(self) -> str:
        if not self._waiting_for:
            return "all roles ready"
        return "waiting for " + ", ".join(self._waiting_for)

    def _stop(self, wakeup: int) -> None:
        """SIGTERM to all, the time to finish what they hold, then SIGKILL to who is left."""
        self._notifier.stopping()
        self._witness.stopping()
        for child in self._children:
            child.signal(signal.SIGTERM)
        self._publish()
        deadline = time.monotonic() + self._patience.stop_s
        while self._bury_stopped() and (left_s := deadline - time.monotonic()) > 0:
            select.select([wakeup], [], [], left_s)
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 512)
        for child in self._children:
            if child.process is not None:
                self._witness.killed(child.task.role)
                child.process.kill()
                child.process.wait()

    def _bury_stopped(self) -> bool:
        """Collect who has stopped; True while somebody is left."""
        for child in self._children:
            if child.buried(self._patience, time.monotonic()) is not None:
                self._publish()
        return any(child.process is not None for child in self._children)


@contextlib.contextmanager
def _signals(heard: Callable[[int], None]) -> Iterator[int]:
    """Take the signals that stop or reload, and SIGCHLD; yields a file descriptor that becomes readable with each."""
    wakeup, written = os.pipe()
    for end in (wakeup, written):
        os.set_blocking(end, False)
    old_wakeup = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    # What was ignored stays ignored (nohup), except SIGTERM.
    wanted = [s for s in _SIGNALS if s is signal.SIGTERM or signal.getsignal(s) is not signal.SIG_IGN]
    old = {number: signal.signal(number, lambda which, _: heard(which)) for number in wanted}
    old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        yield wakeup
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wakeup)
        os.close(wakeup)
        os.close(written)

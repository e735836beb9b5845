"""The child's side of a pool's process: one task after the other, each answered; nothing of one left in memory.

It is told by `node.pool` what to do, and ends with its parent.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.errors import NodeError
from node.isolation import isolate
from node.log import silence_libraries

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

STEPS_BYTES = 4
"""Length of a message that counts steps; the one of an outcome is longer."""

_PR_SET_PDEATHSIG = 1
_TELL_EVERY_S = 0.1


class WorkerRaised(NodeError):
    """The task raised an error that can't be carried between processes; the message is its type's name."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a child does before its first task."""

    memory_limit_bytes: int
    file_limit_bytes: int
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child says of a task."""

    value: object = None
    error: BaseException | None = None

    def settle(self, future: Future[Any]) -> None:
        """Give it to whoever waits for it."""
        if self.error is None:
            future.set_result(self.value)
        else:
            future.set_exception(self.error)


@dataclass(slots=True)
class _Steps:
    """What a child tells of its steps, in messages that are few however many steps there are."""

    pipe: Connection
    untold: int = 0
    told_s: float = 0.0

    def note(self) -> None:
        self.untold += 1
        now_s = time.monotonic()
        if now_s >= self.told_s + _TELL_EVERY_S:
            self.pipe.send_bytes(self.untold.to_bytes(STEPS_BYTES))
            self.untold, self.told_s = 0, now_s


_steps: _Steps | None = None


def progressed() -> None:
    """Say that a part of the task is done, as one of many frames; outside of a pool's process it says nothing."""
    if _steps is not None:
        _steps.note()


def serve(pipe: Connection, parent: int, start: Start) -> None:
    """Be the child: one task after the other until the parent is gone."""
    global _steps  # noqa: PLW0603  one for each process
    try:
        _steps = _Steps(pipe)
        _bind_to(parent)
        missing = isolate(start.file_limit_bytes)
        silence_libraries()
        _limit(start.memory_limit_bytes)
        broken = _initialized(start)
        pipe.send_bytes(_pickled(Outcome(missing)))
        while True:
            call = pipe.recv_bytes()
            _steps.untold = 0
            answer = _pickled(broken or _outcome(call))
            del call
            pipe.send_bytes(answer)
    except (EOFError, OSError):
        os._exit(0)  # the parent is done with us
    except BaseException:  # noqa: BLE001  multiprocessing would print it, with values of the instance
        os._exit(1)


def _initialized(start: Start) -> Outcome | None:
    """Call the initializer; say what it raised."""
    if start.initializer is None:
        return None
    try:
        start.initializer(*start.initargs)
    except Exception as error:  # noqa: BLE001  it is handed to whoever waits for a task
        return Outcome(error=_stripped(error))
    return None


def _outcome(call: bytes) -> Outcome:
    try:
        fn, args, kwargs = pickle.loads(call)  # noqa: S301  our own parent wrote it
        return Outcome(fn(*args, **kwargs))
    except Exception as error:  # noqa: BLE001  it is handed to whoever waits for the task
        return Outcome(error=_stripped(error))


def _stripped(error: Exception) -> Exception:
    """Drop the frames: they hold the instance in memory."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _pickled(outcome: Outcome) -> bytes:
    """Pickle it so that it can be unpickled for sure: an error's class may not survive that, or a result."""
    try:
        answer = pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
        if outcome.error is not None:
            pickle.loads(answer)  # noqa: S301  written above
    except Exception as error:  # noqa: BLE001  pickling runs code of any class
        culprit = outcome.error or error
        return pickle.dumps(Outcome(error=WorkerRaised(type(culprit).__name__)), pickle.HIGHEST_PROTOCOL)
    return answer


def _bind_to(parent: int) -> None:
    """Die with the parent, and not before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(0)


def _limit(memory_limit_bytes: int) -> None:
    """Limit what can be allocated; files that are only mapped to be read don't count (RLIMIT_AS would count them)."""
    if memory_limit_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))

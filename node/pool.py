"""Work in child processes that may crash, hang or eat memory: an Executor that outlives all of that.

Unlike `concurrent.futures.ProcessPoolExecutor`, which breaks as a whole when one process dies, each task has a time
limit and a process of its own while it runs; who dies or is too slow takes only that task with it.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import queue
import resource
import select
import signal
import threading
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from node.errors import NodeError
from node.log import silence_libraries

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext, SpawnProcess

P = ParamSpec("P")
T = TypeVar("T")

_START_LIMIT_S = 120.0
_PR_SET_PDEATHSIG = 1


class WorkerDied(NodeError):
    """The process that ran the task died: a crash in native code, or the kernel ran out of memory."""


class WorkerTimedOut(NodeError):
    """The task ran longer than its limit; its process was killed."""


class WorkerRaised(NodeError):
    """The task raised an error that can't be carried between processes; the message is its type's name."""


@dataclass(frozen=True, slots=True)
class _Task:
    future: Future[Any]
    call: bytes


@dataclass(frozen=True, slots=True)
class _Start:
    """What a child does before its first task."""

    memory_limit_bytes: int
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]


class WorkerPool(Executor):
    """So many child processes, started when there is work for them.

    Parameters
    ----------
    processes
        at most
    time_limit_s
        for one task, None for no limit
    memory_limit_bytes
        of data for one process, beyond which its allocations fail with MemoryError; 0 for no limit
    initializer, initargs
        is called in each process before its first task; if it raises, so does every task

    Notes
    -----
    Functions and arguments travel by pickle. The children ignore SIGTERM and SIGINT, which a terminal or systemd sends
    to the whole group: their parent decides. They end with it, whatever it dies of.
    """

    def __init__(
        self,
        processes: int,
        *,
        time_limit_s: float | None = None,
        memory_limit_bytes: int = 0,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        if processes < 1:
            raise ValueError("a pool needs at least one process")
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.RLock()  # a future that is cancelled calls back at once
        self._closed = False
        self._in_hand = 0
        start = _Start(memory_limit_bytes, initializer, initargs)
        self._unstarted = [_Lane(number, self._tasks, start, time_limit_s) for number in range(processes)]
        self._lanes: list[_Lane] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a child process.

        Returns
        -------
        the future result; it raises what `fn` raises, or WorkerDied, WorkerTimedOut, WorkerRaised

        Raises
        ------
        RuntimeError
            after `shutdown`
        """
        future: Future[T] = Future()
        task = _Task(future, pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL))
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is shut down")
            self._in_hand += 1
            future.add_done_callback(self._note_done)
            if self._unstarted and self._in_hand > len(self._lanes):
                lane = self._unstarted.pop()
                self._lanes.append(lane)
                lane.thread.start()
            self._tasks.put(task)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  Executor's
        """Take no more tasks, and end the processes once those in hand (with `cancel_futures`: running) are done."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                self._cancel_waiting()
            for _ in self._lanes:
                self._tasks.put(None)
        if wait:
            for lane in self._lanes:
                lane.thread.join()

    def kill(self) -> None:
        """End all at once: what runs raises WorkerDied, what waits is cancelled."""
        self.shutdown(wait=False, cancel_futures=True)
        for lane in self._lanes:
            lane.kill()
        self.shutdown(wait=True)

    def process_ids(self) -> list[int]:
        """Give the ids of the child processes that are alive."""
        return [pid for lane in self._lanes if (pid := lane.process_id())]

    def _note_done(self, _future: Future[Any]) -> None:
        with self._lock:
            self._in_hand -= 1

    def _cancel_waiting(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            if task is not None:
                task.future.cancel()


class _Lane:
    """One child process, and the thread that feeds it."""

    def __init__(
        self, number: int, tasks: queue.SimpleQueue[_Task | None], start: _Start, time_limit_s: float | None
    ) -> None:
        self.thread = threading.Thread(target=self._run, name=f"pool-{number}", daemon=True)
        self._tasks = tasks
        self._start = start
        self._time_limit_s = time_limit_s
        self._child: _Child | None = None
        self._killed = False

    def process_id(self) -> int | None:
        """Give the id of the child, if there is one."""
        child = self._child
        with suppress(ValueError):  # it has just ended
            return child.process.pid if child is not None else None
        return None

    def kill(self) -> None:
        """Kill the child, if there is one."""
        self._killed = True
        child = self._child
        with suppress(ValueError):  # it has just ended
            if child is not None:
                child.process.kill()

    def _run(self) -> None:
        # This thread starts the children itself, and lives as long as they: PDEATHSIG looks at the parent's thread.
        try:
            while (task := self._tasks.get()) is not None:
                if task.future.set_running_or_notify_cancel():
                    self._do(task)
        finally:
            self._end(graceful=True)

    def _do(self, task: _Task) -> None:
        try:
            self._child = self._child or _Child(self._start)
            if self._killed:
                raise WorkerDied("killed before it began")  # noqa: TRY301  as any other death
            outcome = self._child.run(task.call, self._time_limit_s)
        except BaseException as error:  # noqa: BLE001  mostly WorkerDied; whatever it is, somebody waits for the future
            self._end(graceful=False)
            task.future.set_exception(error)
        else:
            outcome.settle(task.future)

    def _end(self, *, graceful: bool) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end(graceful=graceful)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a child says of a task."""

    value: object = None
    error: BaseException | None = None

    def settle(self, future: Future[Any]) -> None:
        if self.error is None:
            future.set_result(self.value)
        else:
            future.set_exception(self.error)


_SPAWN: SpawnContext = multiprocessing.get_context("spawn")
_spawning = threading.Lock()  # multiprocessing keeps its children in a set that isn't made for threads


class _Child:
    """A child process, seen from its parent."""

    def __init__(self, start: _Start) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(
            target=_serve, args=(theirs, os.getpid(), start), name="worker", daemon=True
        )
        with _spawning:
            self.process.start()
        theirs.close()  # so that its death is an end of file here
        self._answers = select.poll()  # kept: Connection.poll would make a selector for each call
        self._answers.register(self._pipe.fileno(), select.POLLIN)
        try:
            self._receive(_START_LIMIT_S)
        except BaseException:
            self.end(graceful=False)
            raise

    def run(self, call: bytes, time_limit_s: float | None) -> _Outcome:
        """Let the child do a task.

        Raises
        ------
        WorkerDied, WorkerTimedOut
            the child is of no more use
        """
        try:
            self._pipe.send_bytes(call)
        except OSError:
            raise WorkerDied(self._fate()) from None
        return self._receive(time_limit_s)

    def _receive(self, time_limit_s: float | None) -> _Outcome:
        try:
            if not self._answers.poll(None if time_limit_s is None else time_limit_s * 1000):
                raise WorkerTimedOut(f"longer than {time_limit_s:g} s")
            answer = self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise WorkerDied(self._fate()) from None
        outcome = pickle.loads(answer)  # noqa: S301  our own child wrote it
        if not isinstance(outcome, _Outcome):
            raise WorkerDied("said something else")
        return outcome

    def _fate(self) -> str:
        self.process.join(1.0)
        code = self.process.exitcode
        return f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"

    def end(self, *, graceful: bool) -> None:
        """Let the process end, or kill it."""
        self._pipe.close()
        if graceful:
            self.process.join(5.0)
        if self.process.exitcode is None:
            self.process.kill()
        self.process.join()
        self.process.close()


def _serve(pipe: Connection, parent: int, start: _Start) -> None:
    """Be the child: one task after the other until the parent is gone."""
    try:
        _bind_to(parent)
        silence_libraries()
        _limit(start.memory_limit_bytes)
        broken = _initialized(start)
        pipe.send_bytes(_pickled(_Outcome()))
        while True:
            call = pipe.recv_bytes()
            answer = _pickled(broken or _outcome(call))
            del call
            pipe.send_bytes(answer)
    except (EOFError, OSError):
        os._exit(0)  # the parent is done with us
    except BaseException:  # noqa: BLE001  multiprocessing would print it, with values of the instance
        os._exit(1)


def _initialized(start: _Start) -> _Outcome | None:
    """Call the initializer; say what it raised."""
    if start.initializer is None:
        return None
    try:
        start.initializer(*start.initargs)
    except Exception as error:  # noqa: BLE001  it is handed to whoever waits for a task
        return _Outcome(error=_stripped(error))
    return None


def _outcome(call: bytes) -> _Outcome:
    try:
        fn, args, kwargs = pickle.loads(call)  # noqa: S301  our own parent wrote it
        return _Outcome(fn(*args, **kwargs))
    except Exception as error:  # noqa: BLE001  it is handed to whoever waits for the task
        return _Outcome(error=_stripped(error))


def _stripped(error: Exception) -> Exception:
    """Drop the frames: they hold the instance in memory."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _pickled(outcome: _Outcome) -> bytes:
    """Pickle it so that it can be unpickled for sure: an error's class may not survive that, or a result."""
    try:
        answer = pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
        if outcome.error is not None:
            pickle.loads(answer)  # noqa: S301  written above
    except Exception as error:  # noqa: BLE001  pickling runs code of any class
        culprit = outcome.error or error
        return pickle.dumps(_Outcome(error=WorkerRaised(type(culprit).__name__)), pickle.HIGHEST_PROTOCOL)
    return answer


def _bind_to(parent: int) -> None:
    """Die with the parent, and not before it; leave no core, which would hold what was in memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit(memory_limit_bytes: int) -> None:
    """Limit what can be allocated; files that are only mapped to be read don't count (RLIMIT_AS would count them)."""
    if memory_limit_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))

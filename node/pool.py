"""Work in child processes that may crash, hang or eat memory: an Executor that outlives all of that.

Unlike `concurrent.futures.ProcessPoolExecutor`, which breaks as a whole when one process dies, each task has a time
limit and a process of its own while it runs; who dies or is too slow takes only that task with it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import select
import threading
import time
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from node.errors import NodeError
from node.isolation import say_missing
from node.pool_child import STEPS_BYTES, Outcome, Start, WorkerRaised, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnContext, SpawnProcess

    from node.isolation import Protection

__all__ = ["WorkerDied", "WorkerPool", "WorkerRaised", "WorkerTimedOut"]

P = ParamSpec("P")
T = TypeVar("T")

_START_LIMIT_S = 120.0


class WorkerDied(NodeError):
    """The process that ran the task died: a crash in native code, or the kernel ran out of memory."""


class WorkerTimedOut(NodeError):
    """The task ran longer than its limit, or made no progress for so long; its process was killed."""


@dataclass(frozen=True, slots=True)
class _Task:
    future: Future[Any]
    call: bytes


@dataclass(frozen=True, slots=True)
class _TimeLimit:
    """How long a task may take: both of these hold, None for no limit.

    Attributes
    ----------
    quiet_s
        from its beginning, or from its last step
    step_s
        that each step adds to the time for the whole, which is `quiet_s` without any
    """

    quiet_s: float | None
    step_s: float | None

    def left_s(self, began_s: float, last_s: float, steps: int) -> float | None:
        """Say how much is left; times are of the monotonic clock."""
        if self.quiet_s is None:
            return None
        end_s = last_s + self.quiet_s
        if self.step_s is not None:
            end_s = min(end_s, began_s + self.quiet_s + steps * self.step_s)
        return max(end_s - time.monotonic(), 0.0)


class WorkerPool(Executor):
    """So many child processes, started when there is work for them.

    Parameters
    ----------
    processes
        at most
    time_limit_s
        for one task that never calls `progressed`, or else between two calls of that; None for no limit
    step_time_limit_s
        that each call of `progressed` adds to the time for the whole task, None for no limit of that
    memory_limit_bytes
        of data for one process, beyond which its allocations fail with MemoryError; 0 for no limit
    file_limit_bytes
        that a file which a process writes can have at most; 0 for no limit
    initializer, initargs
        is called in each process before its first task; if it raises, so does every task

    Notes
    -----
    Functions and arguments travel by pickle; a task says with `node.pool_child.progressed` that it goes on. The
    children ignore SIGTERM and SIGINT, which a terminal or systemd sends to the whole group: their parent decides. They
    end with it, whatever it dies of. They are kept from all that reading instances does not need (`node.isolation`):
    there is no network for a task, and no other program.
    """

    def __init__(
        self,
        processes: int,
        *,
        time_limit_s: float | None = None,
        step_time_limit_s: float | None = None,
        memory_limit_bytes: int = 0,
        file_limit_bytes: int = 0,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        if processes < 1:
            raise ValueError("a pool needs at least one process")
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.RLock()  # a future that is cancelled calls back at once
        self._closed = False
        self._in_hand = 0
        start = Start(memory_limit_bytes, file_limit_bytes, initializer, initargs)
        limit = _TimeLimit(time_limit_s, step_time_limit_s)
        self._unstarted = [_Lane(number, self._tasks, start, limit) for number in range(processes)]
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

    def __init__(self, number: int, tasks: queue.SimpleQueue[_Task | None], start: Start, limit: _TimeLimit) -> None:
        self.thread = threading.Thread(target=self._run, name=f"pool-{number}", daemon=True)
        self._tasks = tasks
        self._start = start
        self._limit = limit
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
            outcome = self._child.run(task.call, self._limit)
        except BaseException as error:  # noqa: BLE001  mostly WorkerDied; whatever it is, somebody waits for the future
            self._end(graceful=False)
            task.future.set_exception(error)
        else:
            outcome.settle(task.future)

    def _end(self, *, graceful: bool) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end(graceful=graceful)


_SPAWN: SpawnContext = multiprocessing.get_context("spawn")
_spawning = threading.Lock()  # multiprocessing keeps its children in a set that isn't made for threads


class _Child:
    """A child process, seen from its parent."""

    def __init__(self, start: Start) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(
            target=serve, args=(theirs, os.getpid(), start), name="worker", daemon=True
        )
        with _spawning:
            self.process.start()
        theirs.close()  # so that its death is an end of file here
        self._answers = select.poll()  # kept: Connection.poll would make a selector for each call
        self._answers.register(self._pipe.fileno(), select.POLLIN)
        try:
            say_missing(cast("tuple[Protection, ...]", self._receive(_TimeLimit(_START_LIMIT_S, None)).value))
        except BaseException:
            self.end(graceful=False)
            raise

    def run(self, call: bytes, limit: _TimeLimit) -> Outcome:
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
        return self._receive(limit)

    def _receive(self, limit: _TimeLimit) -> Outcome:
        answer = self._answer(limit)
        outcome = pickle.loads(answer)  # noqa: S301  our own child wrote it
        if not isinstance(outcome, Outcome):
            raise WorkerDied("said something else")
        return outcome

    def _answer(self, limit: _TimeLimit) -> bytes:
        """Wait for an outcome, pickled, as long as the steps before it are in time."""
        began_s = last_s = time.monotonic()
        steps = 0
        try:
            while True:
                left_s = limit.left_s(began_s, last_s, steps)
                if not self._answers.poll(None if left_s is None else left_s * 1000):
                    raise WorkerTimedOut(f"after {time.monotonic() - began_s:.0f} s and {steps} steps")
                answer = self._pipe.recv_bytes()
                if len(answer) != STEPS_BYTES:
                    return answer
                steps += int.from_bytes(answer)
                last_s = time.monotonic()
        except (EOFError, OSError):
            raise WorkerDied(self._fate()) from None

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

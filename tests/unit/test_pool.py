"""Child processes that crash, hang or eat memory cost their own task and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from deid.errors import Reason, Refused
from node.pool import WorkerDied, WorkerPool, WorkerRaised, WorkerTimedOut
from node.pool_child import progressed

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
VALUE = "SENTINEL^JANE"


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, time_limit_s=30, memory_limit_bytes=1 << 30) as pool:
        yield pool


def own_pid() -> int:
    return os.getpid()


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def go_on(steps: int, pause_s: float, then_s: float = 0.0) -> int:
    for _ in range(steps):
        time.sleep(pause_s)
        progressed()
    time.sleep(then_s)
    return steps


def kill_yourself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def allocate(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def refuse() -> None:
    raise Refused(Reason.MALFORMED, "(0010,0010)")


class Unpicklable(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def raise_unpicklable() -> None:
    raise Unpicklable(VALUE, VALUE)


def return_unpicklable() -> object:
    return lambda: VALUE


def exit_at_once() -> None:
    raise SystemExit(VALUE)


_ready: list[str] = []


def prepare(word: str) -> None:
    _ready.append(word)


def prepared() -> list[str]:
    return _ready


def fail_to_prepare() -> None:
    raise Refused(Reason.NOT_DICOM)


def test_results_come_back_from_other_processes(pool: WorkerPool) -> None:
    assert pool.submit(own_pid).result() not in (os.getpid(), None)
    assert list(pool.map(pow, [2, 3, 4], [5, 2, 1])) == [32, 9, 4]
    assert pool.submit(int, "ff", base=16).result() == 255


def test_large_arguments_and_results_travel(pool: WorkerPool) -> None:
    data = os.urandom(5 << 20)
    assert pool.submit(bytes.__add__, data, b"!").result() == data + b"!"


def test_errors_come_back_as_they_were_raised(pool: WorkerPool) -> None:
    error = pool.submit(refuse).exception()
    assert isinstance(error, Refused)
    assert (error.reason, error.detail) == (Reason.MALFORMED, "(0010,0010)")


@pytest.mark.parametrize("task", [raise_unpicklable, return_unpicklable])
def test_what_cannot_travel_is_told_by_its_type_alone(pool: WorkerPool, task: object) -> None:
    error = pool.submit(task).exception()  # type: ignore[arg-type]
    assert isinstance(error, WorkerRaised)
    assert VALUE not in str(error)


@pytest.mark.parametrize("task", [kill_yourself, exit_at_once])
def test_a_process_that_dies_takes_one_task_with_it_and_is_replaced(pool: WorkerPool, task: object) -> None:
    futures = [pool.submit(sleep, 0.1), pool.submit(task), pool.submit(sleep, 0.1)]  # type: ignore[arg-type]
    assert isinstance(futures[1].exception(), WorkerDied)
    assert [futures[0].result(), futures[2].result()] == [0.1, 0.1]
    assert pool.submit(own_pid).result()
    assert len(pool.process_ids()) <= 2


def test_too_much_memory_is_a_memory_error_and_the_process_goes_on(pool: WorkerPool) -> None:
    assert isinstance(pool.submit(allocate, 2 << 30).exception(), MemoryError)
    assert pool.submit(allocate, 1 << 20).result() == 1 << 20


def test_a_task_that_takes_too_long_is_killed_and_the_next_one_runs() -> None:
    with WorkerPool(1, time_limit_s=0.5) as pool:
        before = pool.submit(own_pid).result()
        started = time.monotonic()
        assert isinstance(pool.submit(sleep, 60).exception(), WorkerTimedOut)
        assert time.monotonic() - started < 20
        assert pool.submit(own_pid).result() != before
        assert not psutil.pid_exists(before)


def test_a_task_that_makes_progress_may_take_longer_than_the_limit() -> None:
    with WorkerPool(1, time_limit_s=1.5, step_time_limit_s=10) as pool:
        assert pool.submit(go_on, 10, 0.4).result() == 10
        assert pool.submit(go_on, 3, 0.0, 0.3).result() == 3


def test_a_task_that_hangs_after_some_progress_is_killed_as_any_other() -> None:
    with WorkerPool(1, time_limit_s=1.5, step_time_limit_s=3600) as pool:
        started = time.monotonic()
        assert isinstance(pool.submit(go_on, 4, 0.3, 600.0).exception(), WorkerTimedOut)
        assert 2.0 < time.monotonic() - started < 20


def test_steps_that_are_too_slow_on_the_whole_end_a_task() -> None:
    with WorkerPool(1, time_limit_s=1.5, step_time_limit_s=0.01) as pool:
        started = time.monotonic()
        assert isinstance(pool.submit(go_on, 1000, 0.3).exception(), WorkerTimedOut)
        assert time.monotonic() - started < 20


def test_progress_beyond_a_pool_is_told_to_nobody() -> None:
    assert go_on(2, 0.0) == 2


def test_processes_are_started_as_they_are_needed_and_reused() -> None:
    with WorkerPool(3) as pool:
        assert pool.process_ids() == []
        assert len({pool.submit(own_pid).result() for _ in range(5)}) == 1
        wait([pool.submit(sleep, 0.3) for _ in range(3)])
        assert len(pool.process_ids()) >= 2


def test_each_process_is_prepared_before_its_first_task() -> None:
    with WorkerPool(1, initializer=prepare, initargs=("ready",)) as pool:
        assert pool.submit(prepared).result() == ["ready"]
        assert pool.submit(prepared).result() == ["ready"]


def test_a_preparation_that_fails_fails_every_task() -> None:
    with WorkerPool(1, initializer=fail_to_prepare) as pool:
        for _ in range(2):
            assert isinstance(pool.submit(own_pid).exception(), Refused)


def test_shutdown_ends_the_processes_and_takes_nothing_more() -> None:
    pool = WorkerPool(1)
    pid = pool.submit(own_pid).result()
    pool.shutdown()
    assert not psutil.pid_exists(pid)
    with pytest.raises(RuntimeError):
        pool.submit(own_pid)


def test_shutdown_lets_what_runs_finish_and_cancels_what_waits() -> None:
    pool = WorkerPool(1)
    pool.submit(own_pid).result()
    running, waiting = pool.submit(sleep, 0.5), pool.submit(sleep, 60)
    while not running.running():
        time.sleep(0.01)
    pool.shutdown(cancel_futures=True)
    assert running.result() == 0.5
    assert waiting.cancelled()


def test_kill_ends_all_at_once() -> None:
    pool = WorkerPool(1)
    pid = pool.submit(own_pid).result()
    running, waiting = pool.submit(sleep, 60), pool.submit(sleep, 60)
    while not running.running():
        time.sleep(0.01)
    pool.kill()
    assert isinstance(running.exception(), WorkerDied)
    assert waiting.cancelled()
    assert not psutil.pid_exists(pid)


def test_a_pool_without_processes_is_an_error() -> None:
    with pytest.raises(ValueError, match="process"):
        WorkerPool(0)


def test_terminal_and_systemd_signals_leave_the_decision_to_the_parent(pool: WorkerPool) -> None:
    pid = pool.submit(own_pid).result()
    task = pool.submit(sleep, 0.5)
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        for each in {pid, *pool.process_ids()}:
            os.kill(each, signal_number)
    assert task.result() == 0.5


def test_processes_leave_no_core(pool: WorkerPool) -> None:
    import resource

    assert pool.submit(resource.getrlimit, resource.RLIMIT_CORE).result() == (0, 0)


def test_processes_die_with_their_parent_and_print_nothing() -> None:
    program = (
        "import os, signal, time\nfrom node.pool import WorkerPool\n"
        "if __name__ == '__main__':\n"
        "    pool = WorkerPool(2)\n"
        "    futures = [pool.submit(time.sleep, 0.5) for _ in range(2)]\n"
        "    [future.result() for future in futures]\n"
        "    futures = [pool.submit(time.sleep, 600) for _ in range(2)]\n"
        "    print(*pool.process_ids(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2
    gone_by = time.monotonic() + 10
    while any(_lives(pid) for pid in pids) and time.monotonic() < gone_by:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in pids)
    assert done.stderr == ""


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

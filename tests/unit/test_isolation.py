"""A worker process has no network, starts no program, reaches no other process, and cleans all the same."""

from __future__ import annotations

import ctypes
import errno
import io
import mmap
import os
import platform
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from node import isolation, log, seccomp
from node.isolation import Protection, say_missing
from node.log import Name
from node.pool import WorkerDied, WorkerPool
from node.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}, reason="no filter for this machine"
)

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
FILE_LIMIT_BYTES = 1 << 20


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1, time_limit_s=60, file_limit_bytes=FILE_LIMIT_BYTES) as pool:
        yield pool


def _errno(action: Callable[[], object]) -> int:
    try:
        action()
    except OSError as error:
        return error.errno or -1
    return 0


def open_socket(family: int, kind: int) -> int:
    return _errno(lambda: socket.socket(family, kind))


def network_interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()] if not _errno(socket.if_nameindex) else []


def run_program() -> int:
    return _errno(lambda: subprocess.run(["/bin/true"], check=True))


def execute_in_place() -> int:
    return _errno(lambda: os.execv("/bin/true", ["/bin/true"]))  # noqa: S606  it must not happen


def fork() -> int:
    return _errno(os.fork)


def signal_other(pid: int, number: int) -> int:
    return _errno(lambda: os.kill(pid, number))


def signal_itself() -> str:
    os.kill(os.getpid(), signal.SIGTERM)  # ignored in a pool's process
    return "alive"


def call(number: int, *arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(each) for each in arguments))
    return ctypes.get_errno() if result == -1 else 0


def in_a_thread(action: Callable[..., Any], *arguments: Any) -> object:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(action(*arguments)))
    thread.start()
    thread.join()
    return results[0]


def map_writable_and_executable() -> int:
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    return _errno(lambda: mmap.mmap(-1, 4096, prot=everything))


def make_executable() -> int:
    page = mmap.mmap(-1, 4096)
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), ctypes.c_int(1 | 4))
    return ctypes.get_errno() if result else 0


def status_of_itself() -> str:
    return Path("/proc/self/status").read_text()


def limits() -> dict[str, tuple[int, int]]:
    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "size": resource.getrlimit(resource.RLIMIT_FSIZE),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    }


def dumpable() -> int:
    return int(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))


def write_too_much(folder: str) -> int:
    return _errno(lambda: (Path(folder) / "much").write_bytes(bytes(FILE_LIMIT_BYTES + 1)))


def abort() -> None:
    os.abort()


def syscall_number(name: str) -> int:
    number = seccomp._DENIED[name][int(platform.machine() == "aarch64")]
    assert number is not None
    return number


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_INET6, socket.SOCK_DGRAM),
        (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_PACKET, socket.SOCK_RAW),
        (socket.AF_NETLINK, socket.SOCK_RAW),
    ],
)
def test_a_worker_opens_no_socket(pool: WorkerPool, family: int, kind: int) -> None:
    assert pool.submit(open_socket, family, kind).result() == errno.EPERM
    assert pool.submit(in_a_thread, open_socket, family, kind).result() == errno.EPERM


def test_a_worker_runs_no_program(pool: WorkerPool) -> None:
    assert pool.submit(run_program).result() == errno.EPERM
    assert pool.submit(execute_in_place).result() == errno.EPERM
    assert pool.submit(fork).result() == errno.EPERM


def test_a_worker_signals_itself_alone(pool: WorkerPool) -> None:
    for number in (0, signal.SIGCONT):
        assert pool.submit(signal_other, os.getpid(), number).result() == errno.EPERM
        assert pool.submit(signal_other, 0, number).result() == errno.EPERM
        assert pool.submit(signal_other, -1, number).result() == errno.EPERM
    assert pool.submit(signal_itself).result() == "alive"


def test_a_worker_that_aborts_dies_by_the_signal(pool: WorkerPool) -> None:
    with pytest.raises(WorkerDied, match=str(int(signal.SIGABRT))):
        pool.submit(abort).result()


@pytest.mark.parametrize(
    "name", ["ptrace", "process_vm_readv", "mount", "bpf", "keyctl", "io_uring_setup", "unshare", "setuid", "connect"]
)
def test_a_worker_is_refused(pool: WorkerPool, name: str) -> None:
    assert pool.submit(call, syscall_number(name), 0, 0, 0, 0, 0).result() == errno.EPERM


def test_a_worker_writes_no_memory_that_it_could_run(pool: WorkerPool) -> None:
    assert map_writable_and_executable() == 0, "the test would show nothing"
    assert pool.submit(map_writable_and_executable).result() == errno.EPERM
    assert pool.submit(make_executable).result() == errno.EPERM


def test_a_worker_has_a_filter_and_gets_no_new_privileges(pool: WorkerPool) -> None:
    status = pool.submit(status_of_itself).result()
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)


def test_no_other_process_of_the_user_may_look_into_a_worker(pool: WorkerPool) -> None:
    assert pool.submit(dumpable).result() == 0
    # PR_SET_DUMPABLE: and it cannot be taken back
    number = seccomp._PRCTL[int(platform.machine() == "aarch64")]
    assert pool.submit(call, number, 4, 1, 0, 0, 0).result() == errno.EPERM


def test_a_worker_has_limits(pool: WorkerPool, tmp_path: Path) -> None:
    found = pool.submit(limits).result()
    assert found["core"] == (0, 0)
    assert found["size"] == (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES)
    assert max(found["files"]) <= 1024
    assert pool.submit(write_too_much, str(tmp_path)).result() == errno.EFBIG


def test_the_filter_denies_more_than_these_tests_try() -> None:
    """Interpreted here: for each call of the table, on both machines; what is not in it is allowed."""
    for column, machine in enumerate(("x86_64", "aarch64")):
        for name, numbers in seccomp._DENIED.items():
            if numbers[column] is not None:
                assert interpreted(machine, numbers[column]) == 0x00050000 | errno.EPERM, name
        assert interpreted(machine, seccomp._CLONE3[column]) == 0x00050000 | errno.ENOSYS
        assert interpreted(machine, 0 if column == 0 else 63) == 0x7FFF0000  # read
        assert interpreted(machine, seccomp._CLONE[column], 0x3D0F00) == 0x7FFF0000  # a thread, as glibc makes it
        assert interpreted(machine, seccomp._CLONE[column], 17) == 0x00050000 | errno.EPERM  # fork
        assert interpreted(machine, seccomp._PRLIMIT[column], 0) == 0x7FFF0000
        assert interpreted(machine, seccomp._PRLIMIT[column], PID + 1) == 0x00050000 | errno.EPERM
    assert interpreted("x86_64", 0x40000000 | 41) == 0x00050000 | errno.ENOSYS  # x32
    assert interpreted("x86_64", 0, arch=0x40000003) == 0x80000000  # int 0x80


PID = 4711


def interpreted(machine: str, number: int | None, argument: int = 0, arch: int | None = None) -> int:
    """Run the filter as the kernel would."""
    assert number is not None
    data = struct.pack("=IIQ6Q", number, arch or seccomp._AUDIT_ARCH[machine], 0, argument, 0, 0, 0, 0, 0)
    words = list(struct.iter_unpack("=HBBI", seccomp.program(machine, PID)))
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = words[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x54:
            accumulator &= value
        elif code == 0x15:
            at += if_true if accumulator == value else if_false
        elif code == 0x35:
            at += if_true if accumulator >= value else if_false
        else:
            assert code == 0x06
            return int(value)


@pytest.mark.parametrize(("column", "machine"), [(0, "x86_64"), (1, "aarch64")])
def test_the_numbers_are_those_of_the_kernel(column: int, machine: str) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"no {header}")
    numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    for name, pair in seccomp._DENIED.items():
        assert numbers.get(name) == (None if pair[column] is None else str(pair[column])), name


def test_what_the_kernel_refuses_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(isolation, "_said", set())
    log.configure(LogSettings(), Name("work"), said)
    try:
        for _ in range(2):
            say_missing([Protection.SYSTEM_CALLS])
    finally:
        log._log.logger = None
    assert said.getvalue().count('"protection": "system-calls"') == 1
    assert '"event": "protection-missing"' in said.getvalue()


def test_a_refusing_kernel_leaves_the_other_protections(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def refuse() -> None:
        raise OSError(errno.EINVAL, "")

    monkeypatch.setattr(isolation, "confine", refuse)
    monkeypatch.setattr(isolation, "_leave_network", lambda: None)
    monkeypatch.setattr(isolation, "_prctl", lambda option, value: taken.append((option, value)))
    monkeypatch.setattr(isolation, "_limit", lambda what, most: taken.append((what, most)))
    assert isolation.isolate(5) == (Protection.SYSTEM_CALLS,)
    assert (38, 1) in taken
    assert (4, 0) in taken
    assert (resource.RLIMIT_FSIZE, 5) in taken

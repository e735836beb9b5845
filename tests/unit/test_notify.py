"""What the service manager hears."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.notify import Notifier, WatchedStop, without_manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def test_ready_status_watchdog_and_stopping_reach_the_manager(manager: socket.socket) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.status("waiting for work")
    notifier.ready("all roles ready")
    notifier.watchdog()
    notifier.stopping()
    heard = [manager.recv(1024).decode() for _ in range(4)]
    assert heard == [
        "STATUS=waiting for work",
        "READY=1\nSTATUS=all roles ready",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_an_abstract_socket_is_reached() -> None:
    name = f"deid-node-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(5)
        Notifier(f"@{name}").watchdog()
        assert listener.recv(64) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_a_manager_that_is_not_there_disturbs_nobody(address: str) -> None:
    Notifier(address).ready("all roles ready")


def test_a_manager_that_does_not_read_blocks_nobody(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    for _ in range(2000):
        notifier.watchdog()


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(environment: dict[str, str], interval_s: float | None) -> None:
    assert Notifier.from_environment(environment).watchdog_interval_s == interval_s


def test_children_do_not_inherit_the_way_to_the_manager() -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2", "PATH": "/bin"}
    assert without_manager(environment) == {"PATH": "/bin"}


def test_a_role_that_asks_whether_to_stop_is_heard_to_live(manager: socket.socket) -> None:
    stop = WatchedStop(Notifier(manager.getsockname(), watchdog_interval_s=0.05))
    assert not stop.is_set()
    assert not stop.wait(0.2)
    heard = 0
    manager.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while manager.recv(1024) == b"WATCHDOG=1":
            heard += 1
    assert heard >= 3
    stop.set()
    assert stop.wait()
    assert stop.is_set()


def test_a_role_that_hangs_is_not_heard(manager: socket.socket) -> None:
    WatchedStop(Notifier(manager.getsockname(), watchdog_interval_s=0.05))
    manager.settimeout(0.3)
    with pytest.raises(TimeoutError):
        manager.recv(1024)


def test_a_wait_without_end_still_is_heard_and_ends_when_told(manager: socket.socket) -> None:
    stop = WatchedStop(Notifier(manager.getsockname(), watchdog_interval_s=0.05))
    waiting = threading.Thread(target=stop.wait)
    waiting.start()
    assert [manager.recv(1024) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    stop.set()
    waiting.join(5)
    assert not waiting.is_alive()


def test_without_a_watchdog_nothing_is_said(manager: socket.socket) -> None:
    stop = WatchedStop(Notifier(manager.getsockname()))
    assert not stop.wait(0.05)
    manager.settimeout(0.1)
    with pytest.raises(TimeoutError):
        manager.recv(1024)

"""What systemd is told about the node: sd_notify(3) in a few lines, without libsystemd.

Outside systemd (no ``NOTIFY_SOCKET``) every message is dropped in silence.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@dataclass(frozen=True, slots=True)
class Notifier:
    """The way to the service manager.

    Parameters
    ----------
    address : str
        Path of the manager's datagram socket; a leading ``@`` means the abstract name space; empty: nobody listens.
    watchdog_interval_s : float or None
        How often the manager wants to hear ``WATCHDOG=1``: half of what it allows. None: it does not ask.
    """

    address: str = ""
    watchdog_interval_s: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Notifier:
        """Read ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` as systemd sets them."""
        return cls(environment.get("NOTIFY_SOCKET", ""), _watchdog_interval_s(environment))

    def ready(self, status: str) -> None:
        """Say that the node does its work from now on."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Say in one line what the node is busy with; `systemctl status` shows it."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that the node is about to end."""
        self._send("STOPPING=1", "STATUS=stopping")

    def watchdog(self) -> None:
        """Say that the node is alive."""
        self._send("WATCHDOG=1", patience_s=0.0)  # the next one will do as well

    def _send(self, *lines: str, patience_s: float = 1.0) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        # A manager that went away or is slow must never stop or hold up the node.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(patience_s)
            sock.sendto("\n".join(lines).encode(), address)


class WatchedStop(threading.Event):
    """Tells a role to stop, and the manager that the role still asks whether it should: one that hangs does not.

    Parameters
    ----------
    notifier
        is told as often as the manager wants to hear it, by whatever thread asks then
    """

    def __init__(self, notifier: Notifier) -> None:
        super().__init__()
        self._notifier = notifier
        self._due_s = 0.0

    def is_set(self) -> bool:
        """Say whether to stop."""
        self._beat()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait to be told to stop, at most for so many seconds; say whether that has come."""
        interval_s = self._notifier.watchdog_interval_s
        self._beat()
        if interval_s is None:
            return super().wait(timeout)
        until_s = math.inf if timeout is None else time.monotonic() + timeout
        while not super().wait(max(0.0, min(until_s - time.monotonic(), interval_s))):
            self._beat()
            if time.monotonic() >= until_s:
                return super().is_set()
        return True

    def _beat(self) -> None:
        interval_s, now_s = self._notifier.watchdog_interval_s, time.monotonic()
        if interval_s is not None and now_s >= self._due_s:
            self._due_s = now_s + interval_s
            self._notifier.watchdog()


def without_manager(environment: Mapping[str, str]) -> MutableMapping[str, str]:
    """Return a copy for child processes, which must not speak to the manager in the supervisor's place."""
    return {name: value for name, value in environment.items() if name not in _VARIABLES}


def _watchdog_interval_s(environment: Mapping[str, str]) -> float | None:
    usec = environment.get("WATCHDOG_USEC", "")
    meant_for = environment.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0:
        return None
    if meant_for and meant_for != str(os.getpid()):
        return None
    return int(usec) / 2_000_000

"""On to an audit record repository: syslog (RFC 5424) over TLS (RFC 5425), as PS3.15 Section A.6 wants it.

The log itself is the queue: while the repository is away nothing is kept in memory, and nothing is lost. What was sent
counts as taken once the repository's machine has acknowledged all of it; after a broken connection the rest is sent
again, so that a message may come twice. syslog has no answers: what a repository loses after that it has lost.
"""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import struct
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from node.audit.message import this_machine
from node.audit.tail import Line, Tail
from node.errors import Misconfigured
from node.log import Event, emit, emit_error
from node.wire import Wire

if TYPE_CHECKING:
    import threading

    from node.audit.settings import RepositorySettings
    from node.settings import Settings

# PS3.15 Section A.6: facility 10 (security); severity 5 (notice), or 4 (warning) for what did not succeed
_NOTICE, _WARNING = 10 * 8 + 5, 10 * 8 + 4
_APP_NAME = "deid-node"
_MSG_ID = "DICOM+RFC3881"
_BOM = b"\xef\xbb\xbf"

_LOOK_EVERY_S = 0.5
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_BATCH = 200
_LOOK_AT_QUEUE_EVERY_S = 0.01
_FAREWELL_S = 1.0


def repository_context(settings: RepositorySettings) -> ssl.SSLContext:
    """Return the TLS context of a sender (RFC 5425 Section 4.2).

    Raises
    ------
    Misconfigured
        if the CA, the certificate or the key cannot be used
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.private_key)
    except OSError as error:
        files = ", ".join(str(each) for each in (settings.certificate, settings.private_key, settings.ca) if each)
        raise Misconfigured(f"audit.repository: {error.strerror or type(error).__name__}; check {files}") from None
    return context


def frame(line: Line) -> bytes:
    """Return an entry as a syslog message with its length before it; empty if it is none for a repository."""
    message, at = line.said.get("message"), line.said.get("at")
    if not isinstance(message, str) or not isinstance(at, str):
        return b""
    priority = _NOTICE if 'EventOutcomeIndicator="0"' in message else _WARNING
    header = f"<{priority}>1 {at} {_printable(this_machine())} {_APP_NAME} {os.getpid()} {_MSG_ID} - "
    text = header.encode("ascii") + _BOM + message.encode("utf-8")
    return b"%d %s" % (len(text), text)


def _printable(text: str) -> str:
    return "".join(each for each in text if "!" <= each <= "~")[:255] or "-"


class Courier:
    """Brings entries to the repository until `stop`; a runner of the forward role.

    Raises
    ------
    Misconfigured
        if the files that TLS needs cannot be used
    """

    def __init__(self, settings: Settings, repository: RepositorySettings, stop: threading.Event) -> None:
        repository_context(repository)
        self._repository = repository
        self._stop = stop
        self._tail = Tail(settings.spool.path)
        self._taken = self._tail.position
        self._wire: Wire | None = None
        self._failures = 0

    def run(self) -> None:
        """Send what there is, and what comes."""
        while not self._stop.wait(self._step()):
            pass
        self._close()
        self._tail.close()

    def interrupt(self) -> None:
        """Break off a `run` in another thread."""
        if (wire := self._wire) is not None:
            wire.interrupt()

    def _step(self) -> float:
        """Send a batch; return for how many seconds to rest."""
        try:
            lines = self._tail.lines(_BATCH)
            if lines:
                self._send(lines)
            elif self._wire is not None and self._wire.is_readable():
                self._close()  # the repository has ended it: nothing that it says means anything else
        except (OSError, Misconfigured) as error:
            return self._failed(error)
        return 0.0 if len(lines) == _BATCH else _LOOK_EVERY_S

    def _send(self, lines: list[Line]) -> None:
        if self._wire is not None and self._wire.is_readable():
            self._close()
        if self._wire is None:
            self._wire = self._connected()
        deadline = time.monotonic() + self._repository.timeout_s
        self._wire.send([frame(line) for line in lines], deadline)
        _wait_until_taken(self._wire, deadline)
        self._taken = self._tail.position
        self._tail.save()
        if skipped := sum(line.skipped for line in lines):
            emit(Event.AUDIT_DROPPED, count=skipped)
        if self._failures:
            self._failures = 0
            emit(Event.REPOSITORY_BACK)

    def _connected(self) -> Wire:
        repository = self._repository
        context = repository_context(repository)
        sock = socket.create_connection((repository.host, repository.port), timeout=repository.timeout_s)
        try:
            return Wire(context.wrap_socket(sock, server_hostname=repository.host))
        except BaseException:
            sock.close()
            raise

    def _failed(self, error: Exception) -> float:
        """Go back to what the repository has; return how long to leave it alone."""
        self._close()
        self._tail.go_back(self._taken)
        self._failures += 1
        if self._failures == 1:
            emit_error(Event.REPOSITORY_AWAY, error)
        return min(_FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_PAUSE_S)

    def _close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is None:
            return
        with suppress(OSError, ValueError):  # the latter: TLS is gone already
            wire.sock.settimeout(_FAREWELL_S)
            if isinstance(wire.sock, ssl.SSLSocket):
                wire.sock.unwrap()  # RFC 5425 Section 4.4: close_notify
        wire.close()


def _wait_until_taken(wire: Wire, deadline: float) -> None:
    """Wait until the other machine has acknowledged all that was sent.

    Raises
    ------
    OSError
        if it does not in time
    """
    while _unacknowledged_bytes(wire.sock):
        if time.monotonic() > deadline:
            raise TimeoutError("the repository takes nothing")
        time.sleep(_LOOK_AT_QUEUE_EVERY_S)
    if wire.is_readable():  # nothing but its end
        raise ConnectionResetError("the repository has gone")  # and with it, perhaps, what it had not read


def _unacknowledged_bytes(sock: socket.socket) -> int:
    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])

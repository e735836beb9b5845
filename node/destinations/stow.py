"""A way to a DICOMweb server: a connection that is kept open, and one STOW-RS request for each instance.

One instance for each request: then each has an answer of its own, and one that is refused costs the others nothing.
Nothing of the environment counts (no proxies, no .netrc), redirects are not followed, answers are read up to a limit.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
import ssl
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from deid.elements.file_meta import part10_header
from node.destinations.authorization import authorization
from node.destinations.stow_answer import HttpRefused, check_admission, status_of
from node.errors import Misconfigured, Transient, Unreachable
from node.log import Event, Name, emit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3.response import HTTPResponse

    from deid.encoding.element import Buffer
    from node.destinations.settings import HttpTls, StowDestination
    from node.scu import Outgoing
    from node.settings import ForwardSettings

_PIECE_BYTES: Final = 1 << 20
_MOST_ANSWER_BYTES: Final = 1 << 20
_READ_BYTES: Final = 64 << 10
_HTTP_ERRORS: Final = (HTTPError, HTTPException, OSError, ValueError)
"""What urllib3 and http.client raise; a ValueError: a host name that cannot be encoded."""


class NoAnswer(Transient):
    """The connection ended before an answer came; whether the instance was stored is unknown."""


class StowOutlet:
    """Instances go in, statuses come out. One thread uses it; any thread may `interrupt` it."""

    def __init__(self, destination: StowDestination, forward: ForwardSettings) -> None:
        self.destination = destination
        self._forward = forward
        parts = urlsplit(destination.url)
        self._host, self._port, self._is_https = parts.hostname or "", parts.port, parts.scheme == "https"
        self._path = parts.path.rstrip("/") + "/studies"
        self._connection: HTTPConnection | None = None
        self._authorization = ""
        self._works = False
        self._used_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection on which the server has let us in; may be asked from any thread."""
        return self._works

    def expect(self, sop_class_uid: str, transfer_syntax: str) -> None:
        """Nothing is negotiated."""

    def send(self, outgoing: Outgoing) -> int:
        """Store an instance at the destination and return the status that its answer comes to.

        Raises
        ------
        Unreachable
            if there is no connection, or the server does not let us in (`HttpRefused`)
        NoAnswer
            if no answer came; it may be stored nevertheless
        """
        boundary = secrets.token_hex(16)
        pieces = _multipart(outgoing, boundary)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Content-Length": str(sum(map(len, pieces))),
            "Accept": "application/dicom+json",
        }
        http_status, body = self._exchange("POST", headers, pieces)
        return status_of(http_status, body, outgoing.sop_instance_uid)

    def echo(self) -> int:
        """Ask for one study, and return the HTTP status of the answer; raises as `send` does.

        A server need not offer a search: what it answers then (400, 501) shows as well that it is there.
        """
        headers = {"Accept": "application/dicom+json"}
        return self._exchange("GET", headers, (), "?limit=1")[0]

    def release_if_idle(self) -> None:
        """Close the connection if nothing was sent for `idle_release_s`, or the server has closed it."""
        if self._connection is None:
            return
        is_idle = time.monotonic() - self._used_at >= self._forward.idle_release_s
        if is_idle or not self._connection.is_connected:
            self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection, self._works = self._connection, None, False
        if connection is not None:
            connection.close()
            emit(Event.CONNECTION_CLOSED, destination=Name(self.destination.name))

    def interrupt(self) -> None:
        """Break the connection under a `send` in another thread."""
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _exchange(
        self, method: str, headers: Mapping[str, str], pieces: tuple[Buffer, ...], query: str = ""
    ) -> tuple[int, bytes]:
        connection = self._connected()
        try:
            http_status, body = self._answered(connection, method, {**headers, **self._identity()}, pieces, query)
            check_admission(http_status, self.destination.url)
        except HttpRefused as error:
            self.close()
            emit(Event.HTTP_REFUSED, destination=Name(self.destination.name), http_status=error.http_status)
            raise
        except _HTTP_ERRORS as error:
            self.close()
            raise NoAnswer(f"{self.destination.url}: {_told(error)}") from None
        except BaseException:
            self.close()
            raise
        self._works = True
        if not connection.is_connected:  # the server wants no second request on it
            self.close()
        self._used_at = time.monotonic()
        return http_status, body

    def _identity(self) -> dict[str, str]:
        said = {"User-Agent": "deid-node", "Accept-Encoding": "identity"}
        return {**said, "Authorization": self._authorization} if self._authorization else said

    def _answered(
        self,
        connection: HTTPConnection,
        method: str,
        headers: Mapping[str, str],
        pieces: tuple[Buffer, ...],
        query: str,
    ) -> tuple[int, bytes]:
        body = _slices(pieces) if pieces else None
        # it may have answered before it has heard all, and closed
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, self._path + query, body, headers, preload_content=False, decode_content=False)
        response = connection.getresponse()
        return response.status, _read(response, time.monotonic() + self._forward.dimse_timeout_s)

    def _connected(self) -> HTTPConnection:
        if self._connection is not None:
            if self._connection.is_connected:
                return self._connection
            self.close()
        try:
            file = self.destination.authorization
            self._authorization = authorization(file) if file else ""
            connection = self._unconnected()
        except Misconfigured as error:  # a file that a person is just replacing must not end the role
            raise Unreachable(str(error)) from None
        try:
            connection.connect()
        except _HTTP_ERRORS as error:
            connection.close()
            raise Unreachable(f"{self.destination.url} does not answer: {_told(error)}") from None
        connection.timeout = self._forward.dimse_timeout_s
        self._connection = connection
        self._used_at = time.monotonic()
        emit(Event.CONNECTION_OPENED, destination=Name(self.destination.name))
        return connection

    def _unconnected(self) -> HTTPConnection:
        timeout_s = self._forward.connect_timeout_s
        if not self._is_https:
            return HTTPConnection(self._host, self._port or 80, timeout=timeout_s)
        context = https_context(self.destination.tls)
        return HTTPSConnection(self._host, self._port or 443, timeout=timeout_s, ssl_context=context)


def https_context(tls: HttpTls | None) -> ssl.SSLContext:
    """Return a context that authenticates the server (PS3.15 Section B.12: TLS 1.2 or newer).

    Raises
    ------
    Misconfigured
        if the CA, the certificate or the key cannot be used
    """
    ca, certificate = (tls.ca, tls.certificate) if tls else (None, None)
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls and certificate:
            context.load_cert_chain(certificate, tls.private_key)
    except OSError as error:
        files = ", ".join(str(file) for file in (ca, certificate) if file)
        raise Misconfigured(f"TLS: {error.strerror or type(error).__name__}; check {files}") from None
    return context


def _multipart(outgoing: Outgoing, boundary: str) -> tuple[Buffer, ...]:
    """Return the body of a request with one instance (PS3.18 Section 8.6.1.2.1); the data set is not copied."""
    header = part10_header(outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax)
    opening = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
    return (opening + header, *outgoing.data_set, f"\r\n--{boundary}--\r\n".encode("ascii"))


def _slices(pieces: tuple[Buffer, ...]) -> Iterator[bytes]:
    """Yield what is to be sent in pieces that each have the whole time-out: a slow server is no stalled one."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _PIECE_BYTES):
            # http.client sends whatever is a buffer; its types know bytes only
            yield view[start : start + _PIECE_BYTES]  # type: ignore[misc]


def _read(response: HTTPResponse, deadline: float) -> bytes:
    """Read an answer to its end, which leaves the connection ready for the next request.

    Raises
    ------
    OSError
        if it is longer than any answer to one instance, or is not there in time
    """
    body = b""
    while piece := response.read(_READ_BYTES):
        body += piece
        if len(body) > _MOST_ANSWER_BYTES or time.monotonic() > deadline:
            raise OSError(errno.EMSGSIZE, "the answer does not end")
    return body


def _told(error: Exception) -> str:
    """Return the system's own words for an error, never what a server sent."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
        if isinstance(cause, TimeoutError):
            return "timed out"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__

"""The way to a destination of any kind, as the lanes of the forward role and direct delivery use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from node.destinations.authorization import authorization
from node.destinations.folder import FolderOutlet, sweep
from node.destinations.settings import FolderDestination, StowDestination
from node.destinations.stow import StowOutlet, https_context
from node.log import Event, Name, emit
from node.wire import tls_context

if TYPE_CHECKING:
    from node.scu import Outgoing
    from node.settings import AnyDestination, ForwardSettings
    from node.transcode import Decode


class Outlet(Protocol):
    """Instances go in, statuses come out. One thread uses it; any thread may `interrupt` it, or ask `is_open`."""

    @property
    def destination(self) -> AnyDestination:
        """Where it leads."""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as we know."""

    def expect(self, sop_class_uid: str, transfer_syntax: str) -> None:
        """Hear what will be sent, so that it can be negotiated together."""

    def send(self, outgoing: Outgoing) -> int:
        """Store an instance and return the status of the answer (see `node.status`).

        Raises
        ------
        Unreachable
            if there is no connection; nothing was stored
        Transient, ProtocolError
            if no answer came; it may be stored nevertheless
        NoSyntax
            if the destination takes it in no form we can give it
        """

    def release_if_idle(self) -> None:
        """Close the connection if it has not been used for long, or the destination has ended it."""

    def close(self) -> None:
        """Close the connection, if there is one."""

    def interrupt(self) -> None:
        """Break off a `send` in another thread."""


def open_outlet(destination: AnyDestination, forward: ForwardSettings, decode: Decode) -> Outlet:
    """Return a way to a destination; nothing is connected yet."""
    if isinstance(destination, StowDestination):
        return StowOutlet(destination, forward)
    if isinstance(destination, FolderDestination):
        return FolderOutlet(destination)
    from node.channel import Channel  # noqa: PLC0415  loads what talks DIMSE

    return Channel(destination, forward, decode)


def check_outlet(destination: AnyDestination) -> None:
    """Look whether the files are there that a way to a destination needs, and clear up what was left behind.

    Raises
    ------
    Misconfigured
        if a certificate, a key, a CA or a credential cannot be used
    """
    if isinstance(destination, StowDestination):
        if destination.url.startswith("https:"):
            https_context(destination.tls)
        if destination.authorization:
            authorization(destination.authorization)
    elif isinstance(destination, FolderDestination):
        if count := sweep(destination.path):
            emit(Event.PARTS_SWEPT, count=count, destination=Name(destination.name))
    elif destination.tls:
        tls_context(destination.tls)

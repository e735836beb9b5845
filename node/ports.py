"""Whether a port can be listened on."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from node.presence import look

if TYPE_CHECKING:
    from node.settings import Settings

_BACKLOG = 128


def listening(address: str, port: int) -> socket.socket:
    """Return a socket that listens; the caller closes it.

    Raises
    ------
    OSError
        if it cannot be listened on; `said` tells why
    """
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def said(error: OSError) -> str:
    """Say why a port cannot be listened on."""
    return "somebody else listens there" if error.errno == errno.EADDRINUSE else str(error.strerror)


def port_trouble(settings: Settings, address: str, port: int) -> str:
    """Say why a port cannot be listened on; a node of this spool that runs already may have it."""
    if look(settings.spool.path).running:
        return ""
    try:
        listening(address, port).close()
    except OSError as error:
        return said(error)
    return ""

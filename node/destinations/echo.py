"""Is a destination there? C-ECHO for archives, a search for one study at DICOMweb servers, a file made in folders."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from node.destinations.folder import FolderOutlet
from node.destinations.settings import FolderDestination, StowDestination
from node.destinations.stow import StowOutlet
from node.destinations.stow_answer import HttpRefused
from node.dimse import ProtocolError
from node.errors import Misconfigured, Transient, Unreachable
from node.scu import ECHO, NothingAccepted, Rejected, open_association

if TYPE_CHECKING:
    from node.settings import AnyDestination, Destination, ForwardSettings


class EchoResult(StrEnum):
    """What came of an echo."""

    ANSWERED = "answered"
    """It is there."""
    IN_USE = "in-use"
    """It was not asked: an association or a connection to it is open."""
    UNREACHABLE = "unreachable"
    """Nobody answers, or what answers is no such server; of a folder: it is not there or cannot be written."""
    REFUSED = "refused"
    """It does not let us in: an association rejected, a wrong password, a wrong URL."""
    FAILED = "failed"
    """It answers that it cannot: another status than 0000, or an HTTP status from 500 on."""


@dataclass(frozen=True, slots=True)
class Echo:
    """What an echo of one destination showed.

    Attributes
    ----------
    at_s
        when it was asked, seconds since 1970
    after_s
        how long the answer took; None if there was none, or nothing was asked
    detail
        what is wrong, for a person; names out of the configuration and numbers, nothing of an instance
    """

    destination: str
    at_s: float
    result: EchoResult
    after_s: float | None = None
    detail: str = ""

    @property
    def is_well(self) -> bool:
        """Whether instances can be delivered, as far as an echo can tell."""
        return self.result in (EchoResult.ANSWERED, EchoResult.IN_USE)


def echo(destination: AnyDestination, patience: ForwardSettings) -> Echo:
    """Ask a destination of any kind for a sign of life, and wait for it."""
    at_s, began_s = time.time(), time.monotonic()
    try:
        detail = _trouble(destination, patience)
    except (Rejected, NothingAccepted, HttpRefused) as error:
        return Echo(destination.name, at_s, EchoResult.REFUSED, None, str(error))
    except (Unreachable, Transient, ProtocolError, Misconfigured, OSError) as error:
        return Echo(destination.name, at_s, EchoResult.UNREACHABLE, None, str(error))
    result = EchoResult.FAILED if detail else EchoResult.ANSWERED
    return Echo(destination.name, at_s, result, time.monotonic() - began_s, detail)


def ask(destination: Destination, patience: ForwardSettings) -> int:
    """Return the status of a C-ECHO (PS3.7 Section 9.1.5).

    Raises
    ------
    Unreachable
        Nobody answers, or the answer is no.
    """
    try:
        with open_association(destination, [ECHO], patience) as association:
            return association.echo()
    except (Transient, ProtocolError) as error:
        raise Unreachable(str(error)) from None


def _trouble(destination: AnyDestination, patience: ForwardSettings) -> str:
    if isinstance(destination, FolderDestination):
        FolderOutlet(destination).echo()
        return ""
    if isinstance(destination, StowDestination):
        outlet = StowOutlet(destination, patience)
        try:
            http_status = outlet.echo()
        finally:
            outlet.close()
        # 501: it offers no search, which is none of our business
        return f"{destination.url} answers HTTP {http_status}" if http_status >= 500 and http_status != 501 else ""
    status = ask(destination, patience)
    return f"{destination.address} answers the echo with {status:04X}" if status else ""

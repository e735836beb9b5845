"""The audit message of PS3.15 2024c Section A.5: RFC 3881 as the standard's schema (A.5.1) extends it.

Beside what the tables of A.5.3 ask for, one thing is left out with intent: the patient. Of instances that came in
nothing is said but how many there were; those that went out are named by their new Study Instance UIDs.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
from dataclasses import dataclass
from enum import Enum
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from node.audit import codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from node.audit.codes import Code
    from node.settings import Settings


class Action(Enum):
    """EventActionCode."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(Enum):
    """EventOutcomeIndicator."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"
    MAJOR_FAILURE = "12"


class ObjectType(Enum):
    """ParticipantObjectTypeCode."""

    PERSON = "1"
    SYSTEM = "2"
    ORGANIZATION = "3"


class ObjectRole(Enum):
    """ParticipantObjectTypeCodeRole."""

    REPORT = "3"
    SECURITY_USER = "11"
    SECURITY_RESOURCE = "13"
    JOB = "20"
    TABLE = "22"


@dataclass(frozen=True, slots=True)
class Source:
    """Who reports: the AE title of the node, and what the configuration calls the site."""

    node: str
    site: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Source:
        """Return what a node of these settings calls itself."""
        return cls(settings.ae_title, settings.audit.site)


@dataclass(frozen=True, slots=True)
class Participant:
    """A person, a process or a machine that takes part.

    Attributes
    ----------
    address
        IP address or name of its machine; empty if that doesn't matter
    is_requestor
        whether it has begun this
    """

    user: str
    role: Code | None = None
    address: str = ""
    name: str = ""
    is_requestor: bool = False


@dataclass(frozen=True, slots=True)
class Object:
    """What something was done to.

    Attributes
    ----------
    name
        ParticipantObjectName
    counts
        (SOP Class UID or empty, number of instances): of each one SOPClass element
    details
        (type, value): ParticipantObjectDetail
    is_anonymized
        whether its instances are; None if it has none
    """

    id: str
    id_type: Code
    name: str
    type: ObjectType = ObjectType.SYSTEM
    role: ObjectRole | None = None
    counts: Sequence[tuple[str, int]] = ()
    details: Sequence[tuple[str, str]] = ()
    is_anonymized: bool | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One audit message, without its time."""

    source: Source
    event: Code
    action: Action
    participants: Sequence[Participant]
    type: Code | None = None
    outcome: Outcome = Outcome.SUCCESS
    objects: Sequence[Object] = ()

    def xml(self, at: datetime) -> str:
        """Return it as one line of XML.

        Parameters
        ----------
        at
            when it happened; with a time zone
        """
        return "".join(self._pieces(at))

    def _pieces(self, at: datetime) -> Iterator[str]:
        event = _attributes(
            EventActionCode=self.action.value,
            EventDateTime=at.isoformat(timespec="milliseconds"),
            EventOutcomeIndicator=self.outcome.value,
        )
        yield f"<AuditMessage><EventIdentification{event}>{_coded('EventID', self.event)}"
        if self.type:
            yield _coded("EventTypeCode", self.type)
        yield "</EventIdentification>"
        for participant in self.participants:
            yield _participant(participant)
        source = _attributes(AuditEnterpriseSiteID=self.source.site, AuditSourceID=self.source.node)
        yield f'<AuditSourceIdentification{source}><AuditSourceTypeCode csd-code="4"/></AuditSourceIdentification>'
        for each in self.objects:
            yield from _object(each)
        yield "</AuditMessage>"


def this_process(source: Source, role: Code | None, *, is_requestor: bool = False) -> Participant:
    """Return this node as a participant: its process, its AE title in the standard's form, and its machine."""
    return Participant(f"{source.node}/{os.getpid()}", role, this_machine(), is_requestor=is_requestor)


@cache
def this_machine() -> str:
    """Return the name of this machine."""
    return socket.gethostname() or "localhost"


def this_program() -> str:
    """Return what the process was started as, without its arguments."""
    return os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119  no path: a text


def _participant(participant: Participant) -> str:
    attributes = _attributes(
        UserID=participant.user,
        UserName=participant.name,
        UserIsRequestor="true" if participant.is_requestor else "false",
        NetworkAccessPointID=participant.address,
        NetworkAccessPointTypeCode=_kind_of(participant.address),
    )
    role = _coded("RoleIDCode", participant.role) if participant.role else ""
    return f"<ActiveParticipant{attributes}>{role}</ActiveParticipant>"


def _kind_of(address: str) -> str:
    """Return the NetworkAccessPointTypeCode: 1 for a name, 2 for an IP address."""
    if not address:
        return ""
    try:
        ip_address(address)
    except ValueError:
        return "1"
    return "2"


def _object(each: Object) -> Iterator[str]:
    attributes = _attributes(
        ParticipantObjectID=each.id,
        ParticipantObjectTypeCode=each.type.value,
        ParticipantObjectTypeCodeRole=each.role.value if each.role else "",
    )
    yield f"<ParticipantObjectIdentification{attributes}>{_coded('ParticipantObjectIDTypeCode', each.id_type)}"
    yield f"<ParticipantObjectName>{escape(_printable(each.name))}</ParticipantObjectName>"
    for kind, value in each.details:
        encoded = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")
        yield f'<ParticipantObjectDetail{_attributes(type=kind)} value="{encoded}"/>'
    if each.counts or each.is_anonymized is not None:
        yield "<ParticipantObjectDescription>"
        for uid, count in each.counts:
            yield f"<SOPClass{_attributes(UID=uid, NumberOfInstances=str(count))}/>"
        if each.is_anonymized is not None:
            yield f"<Anonymized>{'true' if each.is_anonymized else 'false'}</Anonymized>"
        yield "</ParticipantObjectDescription>"
    yield "</ParticipantObjectIdentification>"


def _coded(element: str, code: Code) -> str:
    # the standard has no displayName; originalText is DICOM's Code Meaning
    return f"<{element} {_code_attributes(code)}/>"


@cache
def _code_attributes(code: Code) -> str:
    return _attributes(**{"csd-code": code.value}, codeSystemName=code.scheme, originalText=code.meaning).strip()


def _attributes(**values: str) -> str:
    """Write attributes; empty ones are left out."""
    return "".join(f" {name}={quoteattr(_printable(value))}" for name, value in values.items() if value)


def _printable(text: str) -> str:
    """Replace what XML 1.0 cannot hold, and what would break a line."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def project_object(project: str, stored: int, *, is_anonymized: bool) -> Object:
    """Return a project whose instances came in, or went out, as the object of a transfer."""
    name = project or "none"
    return Object(
        name, codes.PROJECT, "Project", role=ObjectRole.REPORT, counts=[("", stored)], is_anonymized=is_anonymized
    )

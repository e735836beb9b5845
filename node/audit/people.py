"""What people did: who signed in, who looked at what, who decided what.

Each of these is on the disk when it returns. Call it before what it tells of: if it raises, that must not happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from node.audit import chain, codes
from node.audit.codes import Code, Deed
from node.audit.message import (
    Action,
    Message,
    Object,
    ObjectRole,
    ObjectType,
    Outcome,
    Participant,
    Source,
    this_machine,
    this_process,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.audit.chain import Facts
    from node.jobs import JobId
    from node.settings import Settings

_MOST_JOBS = 500
"""Of one entry: it stays a line that can be read, and a message that a repository takes."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is at the other end.

    Attributes
    ----------
    name
        of an account that exists, never what somebody typed: that may be a password or a patient
    address
        IP address, or name, of their machine
    role
        in the words of the configuration
    """

    name: str
    address: str = ""
    role: str = ""


class Look(StrEnum):
    """What of an instance was shown."""

    HEADER = "header"
    IMAGE = "image"
    DRY_RUN = "dry-run"


class Decision(StrEnum):
    """What was decided about an instance in quarantine."""

    RELEASED = "released"
    MASKED = "masked"
    APPROVED = "approved"
    DISCARDED = "discarded"


def me() -> Person:
    """Return who has called this process from a terminal."""
    return Person(chain.user_name(), this_machine())


def signed_in(settings: Settings, person: Person) -> None:
    """Note that somebody signed in.

    Raises
    ------
    Transient
        If the log cannot be written.
    """
    _authentication(settings, person, Deed.SIGNED_IN)


def sign_in_failed(settings: Settings, address: str, name: str = "") -> None:
    """Note that somebody could not sign in; `name` only if there is such an account.

    Raises
    ------
    Transient
        If the log cannot be written.
    """
    _authentication(settings, Person(name or "unknown", address), Deed.SIGN_IN_FAILED)


def signed_out(settings: Settings, person: Person) -> None:
    """Note that somebody signed out, or was away for too long.

    Raises
    ------
    Transient
        If the log cannot be written.
    """
    _authentication(settings, person, Deed.SIGNED_OUT)


def looked_at(settings: Settings, person: Person, what: Look, jobs: Sequence[JobId] = ()) -> None:
    """Note that somebody is about to see patient data; `jobs` are those that it is from, if the node has them.

    Raises
    ------
    Transient
        If the log cannot be written: then nothing may be shown.
    """
    _access(settings, person, Deed.LOOKED_AT, Action.READ, what, jobs)


def decided(settings: Settings, person: Person, what: Decision, jobs: Sequence[JobId]) -> None:
    """Note that somebody is about to release, mask, approve or discard instances of the quarantine.

    Raises
    ------
    Transient
        If the log cannot be written: then it must not be done.
    """
    is_end = what is Decision.DISCARDED
    deed, action = (Deed.DISCARDED, Action.DELETE) if is_end else (Deed.DECIDED, Action.UPDATE)
    for start in range(0, len(jobs), _MOST_JOBS):
        _access(settings, person, deed, action, what, jobs[start : start + _MOST_JOBS])


def users_changed(settings: Settings, person: Person, account: str) -> None:
    """Note that an account is about to be made, changed or removed.

    Raises
    ------
    Transient
        If the log cannot be written.
    """
    objects = [Object(account, codes.USER, "User", ObjectType.PERSON, ObjectRole.SECURITY_USER)]
    _alert(settings, person, Deed.USERS_CHANGED, codes.USER_SECURITY_ATTRIBUTES_CHANGED, objects, {"account": account})


def key_changed(settings: Settings, person: Person, what: str, identifier: str) -> None:
    """Note that a key is about to be made, rotated, backed up or restored.

    Parameters
    ----------
    identifier
        of the key: a public code of it

    Raises
    ------
    Transient
        If the log cannot be written.
    """
    objects = [Object(identifier, codes.SETTINGS, "Key", role=ObjectRole.SECURITY_RESOURCE)]
    facts = {"change": what, "key": identifier}
    _alert(settings, person, Deed.KEY_CHANGED, codes.SECURITY_CONFIGURATION, objects, facts)


def looked_up(settings: Settings, person: Person, asked: int, pseudonyms: Sequence[str], *, denied: bool) -> None:
    """Note that somebody asks whom pseudonyms stand for; of what may be no pseudonym only how many.

    Raises
    ------
    Transient
        If the log cannot be written: then nothing may be told.
    """
    source, deed = Source.of(settings), Deed.LOOKUP_DENIED if denied else Deed.LOOKUP
    message = Message(
        source,
        codes.SECURITY_ALERT if denied else codes.PATIENT_RECORD,
        Action.EXECUTE if denied else Action.READ,
        _participants(source, person),
        codes.USE_OF_RESTRICTED_FUNCTION if denied else None,
        Outcome.SERIOUS_FAILURE if denied else Outcome.SUCCESS,
        [Object(each, codes.PSEUDONYM, "Pseudonym", ObjectType.PERSON) for each in pseudonyms],
    )
    chain.append(settings.spool.path, deed, {"asked": asked, "pseudonyms": list(pseudonyms)}, message)


def log_read(settings: Settings, person: Person) -> None:
    """Note that somebody is about to read the audit log.

    Raises
    ------
    Transient
        If the log cannot be written.
    """
    source = Source.of(settings)
    uri = (chain.audit_folder(settings.spool.path).absolute() / chain.AUDIT_FILE).as_uri()
    log = Object(uri, codes.URI, "Security Audit Log", role=ObjectRole.SECURITY_RESOURCE)
    message = Message(source, codes.AUDIT_LOG_USED, Action.READ, _participants(source, person), objects=[log])
    _append(settings, person, Deed.LOG_READ, message, {})


def _authentication(settings: Settings, person: Person, deed: Deed) -> None:
    source = Source.of(settings)
    message = Message(
        source,
        codes.USER_AUTHENTICATION,
        Action.EXECUTE,
        _participants(source, person),
        codes.LOGOUT if deed is Deed.SIGNED_OUT else codes.LOGIN,
        Outcome.MINOR_FAILURE if deed is Deed.SIGN_IN_FAILED else Outcome.SUCCESS,
    )
    _append(settings, person, deed, message, {})


def _access(
    settings: Settings, person: Person, deed: Deed, action: Action, what: StrEnum, jobs: Sequence[JobId]
) -> None:
    source = Source.of(settings)
    objects = [Object(job_id, codes.JOB, what.value, role=ObjectRole.JOB) for job_id in jobs]
    message = Message(source, codes.INSTANCES_ACCESSED, action, _participants(source, person), objects=objects)
    _append(settings, person, deed, message, {"of": what.value, "jobs": [str(job_id) for job_id in jobs]})


def _alert(settings: Settings, person: Person, deed: Deed, kind: Code, objects: Sequence[Object], facts: Facts) -> None:
    source = Source.of(settings)
    participants = _participants(source, person)
    message = Message(source, codes.SECURITY_ALERT, Action.EXECUTE, participants, kind, objects=objects)
    _append(settings, person, deed, message, facts)


def _participants(source: Source, person: Person) -> list[Participant]:
    asking = Participant(person.name, address=person.address, name=person.role, is_requestor=True)
    return [asking, this_process(source, codes.APPLICATION)]


def _append(settings: Settings, person: Person, deed: Deed, message: Message, facts: Facts) -> None:
    who = {"person": person.name, "address": person.address, "role": person.role}
    told = {key: value for key, value in who.items() if value}
    chain.append(settings.spool.path, deed, {**told, **facts}, message)

"""CONFORMANCE.md: its tables come out of the code.

``python -m node.statement`` fills them in anew; a test holds the file to what the code says. The text between them is
written by hand. A table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from pydicom._uid_dict import UID_dictionary

from deid.elements.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from deid.encoding.syntax import TRANSFER_SYNTAXES
from node import acceptance
from node.access.profiles import SUITES, TLS13
from node.commitment.messages import SOP_CLASS as COMMITMENT
from node.contexts import STORAGE_SOP_CLASSES, TRANSFER_SYNTAX_ORDER
from node.dimse import VERIFICATION
from node.jobs import NodeReason
from node.negotiation import MAX_CONTEXTS, MAX_RECEIVED_PDU_BYTES
from node.settings import Settings
from node.status import OUTCOMES, Outcome, Status

STATEMENT = Path(__file__).resolve().parents[1] / "CONFORMANCE.md"

Lines = Iterator[str]

_WHEN_REJECTED: Mapping[str, str] = {
    "APPLICATION_CONTEXT_NOT_SUPPORTED": "another application context than DICOM's",
    "CALLING_AE_NOT_RECOGNIZED": "no entry of `[[peers]]` has this AE title, address and certificate",
    "CALLED_AE_NOT_RECOGNIZED": "no project is called so",
    "USER_NOT_ACCEPTED": "the peer has to name a user, and did not, or with a wrong passcode",
    "PROTOCOL_VERSION_NOT_SUPPORTED": "a protocol version without bit 0",
    "TEMPORARY_CONGESTION": "a limit for a while, or no room",
    "LOCAL_LIMIT_EXCEEDED": "as many associations as are allowed are open",
}
_SOURCES = {1: "service user", 2: "service provider (ACSE)", 3: "service provider (presentation)"}
_OUTCOMES = {
    Outcome.STORED: "delivered",
    Outcome.RETRY: "sent again, with growing pauses, until `[forward] give_up_days`",
    Outcome.GIVE_UP: f"quarantined (`{NodeReason.REFUSED_BY_DESTINATION}`), for a person to look at",
}
_PARAMETERS = ("receive", "forward", "commitment", "work", "faces")


def filled(text: str) -> str:
    """Return a statement with its tables as the code has them.

    Raises
    ------
    LookupError
        A table is unknown, or has no end.
    """
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise LookupError(name)
        text = f"{before}{begin}\n" + "\n".join(table()) + f"\n{end}{after}"
    if unknown := set(re.findall(r"<!-- ([a-z-]+) -->", text)) - TABLES.keys():
        raise LookupError(min(unknown))
    return text


def main() -> None:
    """Write the statement."""
    STATEMENT.write_text(filled(STATEMENT.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"wrote {STATEMENT.name}\n")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Lines:
    head = list(heads)
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _name(uid: str) -> str:
    return UID_dictionary[uid][0] if uid in UID_dictionary else "newer than the dictionary here"


def _services() -> Lines:
    yield from _table(
        ("SOP Class", "UID", "as SCU", "as SCP"),
        [
            (_name(VERIFICATION), VERIFICATION, "yes", "yes"),
            (
                f"{len(STORAGE_SOP_CLASSES)} Storage SOP Classes (below)",
                "",
                "yes, of what was received",
                "yes",
            ),
            (_name(COMMITMENT), COMMITMENT, "option of a destination", "option of a project"),
        ],
    )


def _implementation() -> Lines:
    receive = Settings().receive
    yield from _table(
        ("", ""),
        [
            ("Application Context Name", acceptance.APPLICATION_CONTEXT),
            ("Implementation Class UID", IMPLEMENTATION_CLASS_UID),
            ("Implementation Version Name", IMPLEMENTATION_VERSION_NAME),
            ("Maximum PDU length received, as acceptor", f"{receive.max_pdu_bytes} bytes (`[receive] max_pdu_bytes`)"),
            ("Maximum PDU length received, as requestor", f"{MAX_RECEIVED_PDU_BYTES} bytes"),
            ("Asynchronous operations window", "not negotiated; one operation at a time"),
            ("Presentation contexts in an association", f"up to {MAX_CONTEXTS}"),
        ],
    )


def _sop_classes() -> Lines:
    rows = sorted((_name(uid), uid) for uid in STORAGE_SOP_CLASSES)
    yield from _table(("Storage SOP Class", "UID"), rows)


def _transfer_syntaxes() -> Lines:
    rows = []
    for uid in TRANSFER_SYNTAX_ORDER:
        syntax = TRANSFER_SYNTAXES[uid]
        kind = "native" if not syntax.encapsulated else "lossy" if syntax.lossy else "lossless"
        rows.append((_name(uid), uid, kind))
    yield from _table(("Transfer Syntax, the first that is proposed of these", "UID", "pixels"), rows)


def _rejections() -> Lines:
    rows = []
    for name, when in _WHEN_REJECTED.items():
        found = getattr(acceptance, name)
        kind = "permanent" if found.result == 1 else "transient"
        rows.append((f"{found.result} {kind}", f"{found.source} {_SOURCES[found.source]}", str(found.reason), when))
    yield from _table(("Result", "Source", "Reason", "when"), rows)


def _answers() -> Lines:
    rows = []
    for first, last, outcome in OUTCOMES:
        codes = f"{first:04X}" if first == last else f"{first:04X} to {last:04X}"
        rows.append((codes, _OUTCOMES[outcome]))
    rows.append(("no answer: abort, time-out, lost connection", _OUTCOMES[Outcome.RETRY]))
    rows.append(("any other", _OUTCOMES[Outcome.GIVE_UP]))
    yield from _table(("Status of the archive", "then the instance is"), rows)


def _statuses() -> Lines:
    said = (
        (Status.SUCCESS, "the instance is durable here; with direct delivery: at every destination"),
        (Status.OUT_OF_RESOURCES, "no room, or longer than `max_instance_bytes`; direct: a destination is away"),
        (Status.DATA_SET_MISMATCH, "the Data Set is of another SOP Class than the command"),
        (Status.CANNOT_UNDERSTAND, "the Data Set is cut short, or has no or other UIDs"),
        (Status.SOP_CLASS_NOT_SUPPORTED, "the command's SOP Class is not the presentation context's"),
        (Status.NOT_AUTHORIZED, "the project does not take this SOP Class, or not from this AE"),
    )
    yield from _table(("Status", "when"), [(f"{int(status):04X}", when) for status, when in said])


def _parameters() -> Lines:
    rows = []
    settings = Settings()
    for table in _PARAMETERS:
        values = getattr(settings, table)
        assert is_dataclass(values)  # noqa: S101  a table of the configuration
        for each in fields(values):
            value = getattr(values, each.name)
            if isinstance(value, bool | int | float | str):
                rows.append(
                    (f"`[{table}]`", f"`{each.name}`", f"{value:g}" if isinstance(value, float) else str(value))
                )
    yield from _table(("table", "key", "default"), rows)


def _tls() -> Lines:
    rows = [(profile.value, suites.section, ", ".join(suites.tls12)) for profile, suites in SUITES.items()]
    rows.append(("all of them", "TLS 1.3 (RFC 8446)", ", ".join(TLS13)))
    yield from _table(("`profile`", "PS3.15 Section", "cipher suites"), rows)


TABLES: Mapping[str, Callable[[], Lines]] = {
    "services": _services,
    "implementation": _implementation,
    "rejections": _rejections,
    "statuses": _statuses,
    "answers": _answers,
    "transfer-syntaxes": _transfer_syntaxes,
    "parameters": _parameters,
    "tls": _tls,
    "sop-classes": _sop_classes,
}

if __name__ == "__main__":
    main()

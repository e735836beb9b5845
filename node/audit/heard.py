"""What the node did, as its log says it: transfers that came in, and callers that were turned away.

The log's vocabulary holds nothing of a patient, so neither do these entries. Who is turned away often is told of once
at first and then once a minute with a count: nobody outside can fill the disk with lines.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.audit import codes
from node.audit.chain import Entry
from node.audit.codes import Deed
from node.audit.message import (
    Action,
    Message,
    Object,
    ObjectRole,
    Outcome,
    Participant,
    Source,
    project_object,
    this_process,
)
from node.log import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.log import Facts

_WINDOW_S = 60.0
_MOST_CALLERS = 500
_OTHERS = "others"

# PS3.8 Table 9-21: source 3 turns away because of congestion, which says nothing against the caller.
_CONGESTION = 3

_ENDS = frozenset(
    {
        Event.ASSOCIATION_RELEASED,
        Event.ASSOCIATION_ABORTED,
        Event.CONNECTION_LOST,
        Event.DEADLINE_MISSED,
        Event.PROTOCOL_ERROR,
    }
)
_REJECTIONS: Mapping[Event, str] = {
    Event.CONNECTION_REFUSED: "address not listed",
    Event.TLS_FAILED: "TLS failed",
    Event.ASSOCIATION_REJECTED: "association rejected",
}
_CHANGES: Mapping[Event, str] = {
    Event.CROSSWALK_LOADED: "crosswalk",
    Event.FILES_RELOADED: "TLS files",
    Event.SETTINGS_RELOADED: "node.toml",
}


@dataclass(slots=True)
class _Caller:
    """Who was turned away: how often since the last entry, and when the next may be written."""

    until_s: float
    count: int = 0


class Hearing:
    """Makes entries of what the log says; for any number of threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._callers: dict[tuple[str, str], _Caller] = {}

    def entries(self, event: Event, facts: Facts) -> list[Entry]:
        """Return what an event of the log means for the audit log."""
        if event in _ENDS:
            return self._received(facts)
        if event in _REJECTIONS:
            return self._rejected(_REJECTIONS[event], facts)
        if event in _CHANGES:
            return [self._changed(_CHANGES[event], facts)]
        return []

    def overdue(self, now_s: float | None = None) -> list[Entry]:
        """Return entries for those who were turned away since the last ones; monotonic seconds."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            due = [(key, caller) for key, caller in self._callers.items() if caller.until_s <= now_s]
            for key, _ in due:
                del self._callers[key]
        return [self._alert(*key, caller.count) for key, caller in due if caller.count]

    # -- transfers

    def _received(self, facts: Facts) -> list[Entry]:
        stored, refused = _count(facts, "stored"), _count(facts, "refused")
        found = [(stored, Outcome.SUCCESS), (refused, Outcome.MINOR_FAILURE)]
        return [self._transfer(facts, count, outcome) for count, outcome in found if count]

    def _transfer(self, facts: Facts, count: int, outcome: Outcome) -> Entry:
        address, project, peer = (str(facts.get(name, "")) for name in ("address", "project", "peer"))
        sender = Participant(peer or address, codes.SOURCE_ROLE, address, is_requestor=True)
        message = Message(
            self._source,
            codes.INSTANCES_TRANSFERRED,
            Action.CREATE,
            [sender, this_process(self._source, codes.DESTINATION_ROLE)],
            outcome=outcome,
            objects=[project_object(project, count, is_anonymized=False)],
        )
        is_stored = outcome is Outcome.SUCCESS
        told: dict[str, int | str] = {
            **({"peer": peer} if peer else {}),
            "address": address,
            "project": project,
            "stored" if is_stored else "refused": count,
        }
        return Entry(Deed.RECEIVED, told, message)

    # -- alerts

    def _rejected(self, why: str, facts: Facts) -> list[Entry]:
        if facts.get("source") == _CONGESTION:
            return []
        address = str(facts.get("address", ""))
        if "reason" in facts:
            why = f"{why}: {facts['reason']}"
        now_s = time.monotonic()
        with self._lock:
            key = (address, why)
            if key not in self._callers and len(self._callers) >= _MOST_CALLERS:
                key = (_OTHERS, why)
            caller = self._callers.get(key)
            if caller is not None and now_s < caller.until_s:
                caller.count += 1
                return []
            count = 1 + (caller.count if caller else 0)
            self._callers[key] = _Caller(now_s + _WINDOW_S)
        return [self._alert(*key, count)]

    def _alert(self, address: str, why: str, count: int) -> Entry:
        caller = Participant(address, None, "" if address == _OTHERS else address, is_requestor=True)
        message = Message(
            self._source,
            codes.SECURITY_ALERT,
            Action.EXECUTE,
            [this_process(self._source, codes.APPLICATION), caller],
            codes.NODE_AUTHENTICATION,
            Outcome.MINOR_FAILURE,
            [
                Object(
                    self._source.node,
                    codes.NODE_ID,
                    "Node",
                    role=ObjectRole.SECURITY_RESOURCE,
                    details=[("Alert Description", f"{why} ({count} times)")],
                )
            ],
        )
        return Entry(Deed.REJECTED, {"address": address, "why": why, "count": count}, message)

    def _changed(self, part: str, facts: Facts) -> Entry:
        project = str(facts.get("project", ""))
        message = Message(
            self._source,
            codes.SECURITY_ALERT,
            Action.EXECUTE,
            [this_process(self._source, codes.APPLICATION, is_requestor=True)],
            codes.SECURITY_CONFIGURATION,
            objects=[Object(part, codes.SETTINGS, "Configuration", role=ObjectRole.SECURITY_RESOURCE)],
        )
        return Entry(Deed.SETTINGS_CHANGED, {"part": part, "project": project}, message)


def _count(facts: Facts, name: str) -> int:
    value = facts.get(name, 0)
    return value if isinstance(value, int) else 0

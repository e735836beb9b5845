"""What goes out to one destination, told by study: its begin, and what has been stored a little later.

Not by instance: a study of thousands takes two or three lines. If the process dies in between, the line of the begin
has no other, and the ledger knows what was delivered.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from node.audit import codes, recorder
from node.audit.chain import Entry
from node.audit.codes import Deed
from node.audit.message import Action, Message, Object, ObjectRole, Outcome, Participant, this_process
from node.audit.study import study_instance_uid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from node.audit.message import Source
    from node.scu import Outgoing

_QUIET_S = 10.0
_AT_LEAST_EVERY_S = 60.0
_MOST_STUDIES = 100
_UNKNOWN = "unknown"


@dataclass(slots=True)
class _Tally:
    """What became of the instances of studies: numbers by study and SOP Class."""

    stored: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    since_s: float = 0.0
    last_s: float = 0.0

    @property
    def studies(self) -> int:
        return len({study for study, _ in (*self.stored, *self.failed)})


class Shipments:
    """Tells of what one thread sends.

    Parameters
    ----------
    destination
        its name in the configuration
    address
        its host, or the folder that it is
    is_export
        whether it leaves for files, and not for another node
    """

    def __init__(self, source: Source, destination: str, address: str, *, is_export: bool = False) -> None:
        self._source = source
        self._destination = destination
        self._address = address
        self._is_export = is_export
        self._begun: dict[str, float] = {}
        self._tally = _Tally()

    def study_of(self, outgoing: Outgoing) -> str:
        """Return the study of an instance."""
        return study_instance_uid(outgoing.data_set[0], outgoing.transfer_syntax) or _UNKNOWN

    def begin(self, study: str, at: datetime) -> None:
        """Tell that an instance of a study is about to be sent, if nothing of it was lately."""
        if study not in self._begun and not self._is_export:
            recorder.note(replace(self._entry(Deed.SENDING, {(study, ""): 0}, Outcome.SUCCESS), at=at))
        self._begun[study] = time.monotonic()

    def end(self, study: str, sop_class_uid: str, *, is_stored: bool) -> None:
        """Count an instance that was sent."""
        tally, now_s = self._tally, time.monotonic()
        (tally.stored if is_stored else tally.failed)[study, sop_class_uid] += 1
        tally.since_s, tally.last_s = tally.since_s or now_s, now_s
        if now_s - tally.since_s >= _AT_LEAST_EVERY_S or tally.studies >= _MOST_STUDIES:
            self.tell()

    def tell_if_quiet(self) -> None:
        """Tell what was counted if nothing was sent for some seconds."""
        if self._tally.last_s and time.monotonic() - self._tally.last_s >= _QUIET_S:
            self.tell()

    def tell(self) -> None:
        """Tell what was counted."""
        tally, self._tally = self._tally, _Tally()
        deed = Deed.EXPORTED if self._is_export else Deed.SENT
        if tally.stored:
            recorder.note(self._entry(deed, tally.stored, Outcome.SUCCESS))
        if tally.failed:
            recorder.note(self._entry(deed, tally.failed, Outcome.MINOR_FAILURE))
        before_s = time.monotonic() - _AT_LEAST_EVERY_S
        self._begun = {study: at_s for study, at_s in self._begun.items() if at_s > before_s}

    def _entry(self, deed: Deed, numbers: dict[tuple[str, str], int], outcome: Outcome) -> Entry:
        event, action = _EVENTS[deed]
        destination = Participant(self._destination, codes.DESTINATION_ROLE, self._address)
        sender = this_process(self._source, codes.SOURCE_ROLE, is_requestor=True)
        objects = _studies(numbers)
        message = Message(self._source, event, action, [sender, destination], outcome=outcome, objects=objects)
        facts: dict[str, int | str | Sequence[str]] = {
            "destination": self._destination,
            "studies": [each.id for each in objects],
        }
        if deed is not Deed.SENDING:
            facts["stored" if outcome is Outcome.SUCCESS else "failed"] = sum(numbers.values())
        return Entry(deed, facts, message)


_EVENTS = {
    Deed.SENDING: (codes.BEGIN_TRANSFERRING, Action.EXECUTE),
    Deed.SENT: (codes.INSTANCES_TRANSFERRED, Action.CREATE),
    Deed.EXPORTED: (codes.DATA_EXPORT, Action.READ),
}


def _studies(numbers: dict[tuple[str, str], int]) -> list[Object]:
    by_study: dict[str, list[tuple[str, int]]] = {}
    for (study, sop_class_uid), number in numbers.items():
        by_study.setdefault(study, []).append((sop_class_uid, number))
    return [
        Object(
            study,
            codes.STUDY_INSTANCE_UID,
            "Study",
            role=ObjectRole.REPORT,
            counts=[(uid, number) for uid, number in counts if number],
            is_anonymized=True,
        )
        for study, counts in by_study.items()
    ]

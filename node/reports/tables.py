"""The facts of instances in the ledger: noted when an instance is clean, read by study."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.jobs import CleanedJob

if TYPE_CHECKING:
    from concurrent.futures import Future

    from node.jobs import GatheredJob, JobId
    from node.ledger import Ledger

_FIND = "SELECT id FROM facts WHERE text = ?"
_MAKE = "INSERT INTO facts (text) VALUES (?) RETURNING id"
_NOTE = "INSERT INTO job_facts VALUES (?, ?) ON CONFLICT DO UPDATE SET facts = excluded.facts"

_STANDING = """SELECT s.project, s.study_uid, s.patient_id, j.state, j.reason, COUNT(*), t.text
    FROM study_instances i JOIN studies s ON s.id = i.study JOIN jobs j ON j.id = i.job
    LEFT JOIN job_facts f ON f.job = i.job LEFT JOIN facts t ON t.id = f.facts
    WHERE ?1 = '' OR s.project = ?1 GROUP BY s.id, j.state, j.reason, f.facts"""
_PAST = "SELECT project, study_uid, patient_id, name, n FROM past_facts WHERE ?1 = '' OR project = ?1"
_STRANGERS = """SELECT j.project, j.reason, COUNT(*) FROM jobs j LEFT JOIN study_instances i ON i.job = j.id
    WHERE j.state = 'quarantined' AND i.job IS NULL AND (?1 = '' OR j.project = ?1) GROUP BY 1, 2"""

_SENT, _QUARANTINED = "sent", "quarantined"
_INSTANCES = "instances"


@dataclass(slots=True)
class Tally:
    """What was done to the instances of one study, or of several.

    Attributes
    ----------
    facts
        of those that all destinations have
    sent, under_way
        instances at all destinations; received, and neither there nor in quarantine
    quarantined
        reason → instances in quarantine now
    """

    facts: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    under_way: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Add what was done to others."""
        self.facts.update(other.facts)
        self.sent += other.sent
        self.under_way += other.under_way
        self.quarantined.update(other.quarantined)


@dataclass(frozen=True, slots=True)
class StudyName:
    """Which study: by its project and its new names; without a UID what is no study, since it could not be read."""

    project: str
    study_uid: str = ""
    patient_id: str = ""


def facts_in(outcome: Future[CleanedJob | GatheredJob | None]) -> str:
    """Give the facts that a finished task told of its instance, empty if it is not clean."""
    if outcome.cancelled() or outcome.exception() is not None:
        return ""
    result = outcome.result()
    return result.facts if isinstance(result, CleanedJob) else ""


def note_facts(ledger: Ledger, job_id: JobId, facts: str) -> None:
    """Note what was done to an instance; if it was cleaned before, that no longer counts.

    Raises
    ------
    NoRoom, Transient
        if the ledger fails
    """
    if facts:
        rows = ledger.run(_FIND, facts).fetchall() or ledger.run(_MAKE, facts).fetchall()
        ledger.run(_NOTE, job_id, rows[0][0])


def tallies(ledger: Ledger, project: str = "") -> dict[StudyName, Tally]:
    """Give what was done to each study (of one project, or of all), in order of their names.

    Raises
    ------
    NoRoom, Transient
        if the ledger fails
    """
    found: dict[StudyName, Tally] = {}
    for *study, state, reason, n, text in ledger.run(_STANDING, project):
        tally = found.setdefault(StudyName(*study), Tally())
        if state == _SENT:
            tally.sent += n
            tally.facts.update({name: value * n for name, value in json.loads(text or "{}").items()})
        elif state == _QUARANTINED:
            tally.quarantined[reason] += n
        else:
            tally.under_way += n
    for *study, name, n in ledger.run(_PAST, project):
        tally = found.setdefault(StudyName(*study), Tally())
        if name == _INSTANCES:
            tally.sent += n
        else:
            tally.facts[name] += n
    for name, reason, n in ledger.run(_STRANGERS, project):
        found.setdefault(StudyName(name), Tally()).quarantined[reason] += n
    return dict(sorted(found.items(), key=lambda item: (item[0].project, item[0].patient_id, item[0].study_uid)))

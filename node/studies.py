"""Which clean study each instance belongs to, and how the studies stand: tables beside the jobs' (``counters.sql``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.jobs import JobId, State, arrived_at_s

if TYPE_CHECKING:
    from deid.naming import Names
    from node.ledger import Ledger

_STUDY = """INSERT INTO studies (project, study_uid, patient_id) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET project = project RETURNING id"""
_SERIES = """INSERT INTO study_series (study, series_uid) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET study = study RETURNING id"""
_KNOWN_STUDY = "SELECT id FROM studies WHERE project = ? AND study_uid = ? AND patient_id = ?"
_KNOWN_SERIES = "SELECT id FROM study_series WHERE study = ? AND series_uid = ?"
_INSTANCE = "INSERT INTO study_instances (job, study, series, instance_uid) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_IS_KNOWN = "SELECT 1 FROM study_instances WHERE job = ?"

_ROW = "SELECT id, project, study_uid, patient_id, instances, sent, refused FROM studies"
_FILTERS = {
    "": f"{_ROW} WHERE id < ? ORDER BY id DESC LIMIT ?",
    "refused": f"{_ROW} WHERE refused > 0 AND id < ? ORDER BY id DESC LIMIT ?",
    "open": f"{_ROW} WHERE sent + refused <> instances AND id < ? ORDER BY id DESC LIMIT ?",
}
FILTERS = tuple(_FILTERS)
"""All studies, those with refused instances, those with instances on their way."""

_FIND = f"""{_ROW} WHERE id IN (
    SELECT id FROM studies WHERE patient_id = ?1
    UNION SELECT id FROM studies WHERE study_uid = ?1
    UNION SELECT study FROM study_series WHERE series_uid = ?1
    UNION SELECT study FROM study_instances WHERE instance_uid = ?1
    UNION SELECT study FROM study_instances WHERE job = ?1
    ) ORDER BY id DESC LIMIT ?2"""  # noqa: S608  put together from what stands in this file
_ONE = f"{_ROW} WHERE id = ?"
_INSTANCES = """SELECT i.job, s.series_uid, i.instance_uid, j.state, j.reason, j.attempts, j.waits_for <> ''
    FROM study_instances i JOIN study_series s ON s.id = i.series JOIN jobs j ON j.id = i.job
    WHERE i.study = ? AND i.job > ? ORDER BY i.job LIMIT ?"""
_REFUSED_INSTANCES = _INSTANCES.replace("ORDER BY", "AND j.state = 'quarantined' ORDER BY")
_DELIVERIES = "SELECT destination, state, next_try, attempts, status FROM deliveries WHERE job = ? ORDER BY destination"
_STATES = """SELECT j.state, j.reason, COUNT(*) FROM study_instances i JOIN jobs j ON j.id = i.job
    WHERE i.study = ? GROUP BY 1, 2 ORDER BY 3 DESC"""

_BEFORE_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Study:
    """A clean study, as far as it has come.

    Attributes
    ----------
    key
        its number in the ledger
    study_uid, patient_id
        the new ones
    instances, sent, refused
        instances: that came, that all destinations have, that are in quarantine
    """

    key: int
    project: str
    study_uid: str
    patient_id: str
    instances: int
    sent: int
    refused: int

    @property
    def under_way(self) -> int:
        """Instances that are neither at their destinations nor in quarantine."""
        return self.instances - self.sent - self.refused


@dataclass(frozen=True, slots=True)
class DeliveryStanding:
    """How one delivery of an instance stands.

    Attributes
    ----------
    next_try_s
        seconds since 1970
    status
        the last answer; None: there was none
    """

    destination: str
    state: State
    next_try_s: float
    attempts: int
    status: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one instance is, and why."""

    job_id: JobId
    series_uid: str
    instance_uid: str
    state: State
    reason: str
    attempts: int
    was_held: bool
    deliveries: tuple[DeliveryStanding, ...] = ()

    @property
    def arrived_at_s(self) -> float:
        """When it came; seconds since 1970."""
        return arrived_at_s(self.job_id)


def note_names(ledger: Ledger, job_id: JobId, project: str, names: Names | None) -> None:
    """Note what an instance is called once it is clean; before its new state is noted, so that the sums are right.

    Raises
    ------
    NoRoom, Transient
        if the ledger fails
    """
    if names is None or ledger.run(_IS_KNOWN, job_id).fetchall():
        return
    study = _key(ledger, _KNOWN_STUDY, _STUDY, project, names.study_instance_uid, names.patient_id)
    series = _key(ledger, _KNOWN_SERIES, _SERIES, study, names.series_instance_uid)
    ledger.run(_INSTANCE, job_id, study, series, names.sop_instance_uid)


def _key(ledger: Ledger, find: str, make: str, *values: object) -> int:
    rows = ledger.run(find, *values).fetchall() or ledger.run(make, *values).fetchall()
    return int(rows[0][0])


def studies(ledger: Ledger, kind: str, limit: int, before: int | None = None) -> list[Study]:
    """List studies, the newest first.

    Parameters
    ----------
    kind
        one of `FILTERS`
    before
        the key of the last one that was listed already
    """
    rows = ledger.run(_FILTERS[kind], _BEFORE_ALL if before is None else before, limit)
    return [Study(*row) for row in rows]


def find(ledger: Ledger, text: str, limit: int) -> list[Study]:
    """Find studies by a new Patient ID, a new UID of study, series or instance, or the number of a job."""
    return [Study(*row) for row in ledger.run(_FIND, text, limit)]


def study(ledger: Ledger, key: int) -> Study | None:
    """Give one study."""
    rows = ledger.run(_ONE, key).fetchall()
    return Study(*rows[0]) if rows else None


def states(ledger: Ledger, key: int) -> list[tuple[State, str, int]]:
    """Count the instances of a study by state and reason."""
    found = study(ledger, key)
    if found is not None and found.sent == found.instances:  # most are; the rest has to be looked through
        return [(State.SENT, "", found.sent)]
    return [(State(state), reason, count) for state, reason, count in ledger.run(_STATES, key)]


def standings(ledger: Ledger, key: int, limit: int, after: str = "", *, refused_only: bool = False) -> list[Standing]:
    """Say where the instances of a study are, in order of arrival, from behind a job on."""
    found = ledger.run(_REFUSED_INSTANCES if refused_only else _INSTANCES, key, after, limit).fetchall()
    return [
        Standing(JobId(job), series, uid, State(state), reason, attempts, bool(held), _deliveries(ledger, job))
        for job, series, uid, state, reason, attempts, held in found
    ]


def deliveries(ledger: Ledger, job_id: JobId) -> tuple[DeliveryStanding, ...]:
    """Say how the deliveries of a job stand."""
    return _deliveries(ledger, job_id)


def _deliveries(ledger: Ledger, job: str) -> tuple[DeliveryStanding, ...]:
    return tuple(
        DeliveryStanding(destination, State(state), next_try, attempts, status)
        for destination, state, next_try, attempts, status in ledger.run(_DELIVERIES, job)
    )

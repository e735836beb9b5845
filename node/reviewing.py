"""Decisions of persons carried out by the work role, some instances at a time: it has other things to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deid.review import Review
from node import quarantine
from node.decisions import Act, Decision, Decisions, is_allowed
from node.log import Event, emit

if TYPE_CHECKING:
    from node.jobs import JobId
    from node.ledger import Ledger
    from node.spool import Spool

_AT_ONCE = 32  # instances that the role has time for between two turns


@dataclass(slots=True)
class _Progress:
    """How far the decision in hand has been carried out."""

    name: JobId
    decision: Decision
    next: int = 0
    done: int = 0


@dataclass(slots=True)
class Reviewing:
    """The decisions that wait; only the work role's thread asks it anything."""

    spool: Spool
    ledger: Ledger
    decisions: Decisions
    _progress: _Progress | None = field(default=None)

    def begin(self) -> None:
        """Take over from a predecessor: forget what was said of instances that are gone."""
        self.spool.reviews.sweep(self.spool.all_files())

    def look(self) -> bool:
        """Carry out some of what was decided; say whether there are jobs to clean.

        Raises
        ------
        NoRoom, Transient
            if the disk or the ledger fails; all can be done again
        """
        released, left = False, _AT_ONCE
        while left > 0 and (progress := self._in_hand()) is not None:
            decision = progress.decision
            while left > 0 and progress.next < len(decision.jobs):
                is_done = _apply(decision, decision.jobs[progress.next], self.spool, self.ledger)
                progress.next, progress.done, left = progress.next + 1, progress.done + is_done, left - 1
                released |= is_done
            if progress.next == len(decision.jobs):
                self._end(progress)
        return released

    @property
    def has_more(self) -> bool:
        """Whether a decision has been carried out in part."""
        return self._progress is not None

    def _in_hand(self) -> _Progress | None:
        """Give the oldest decision; what is none is dropped."""
        if self._progress is not None:
            return self._progress
        for name in self.decisions.names():
            try:
                decision = self.decisions.read(name)
            except ValueError:
                decision = None
                emit(Event.DECISION_REJECTED)
            if decision is not None:
                self._progress = _Progress(name, decision)
                return self._progress
            self.decisions.remove(name)
        return None

    def _end(self, progress: _Progress) -> None:
        self.decisions.remove(progress.name)
        self._progress = None
        act, done = progress.decision.act, progress.done
        emit(Event.DECISION_APPLIED, act=act, count=done, skipped=len(progress.decision.jobs) - done)


def _apply(decision: Decision, job_id: JobId, spool: Spool, ledger: Ledger) -> bool:
    """Do to one instance what was decided; say whether it was meant: it is not if it was refused anew since."""
    entry = quarantine.shown(spool, job_id)
    if entry is None or entry.quarantined_at_s > decision.at_s or not is_allowed(decision.act, entry.reason):
        return False
    if decision.act is Act.DISCARD:
        return quarantine.discard(spool, ledger, job_id)
    if decision.act is Act.RERUN:
        return quarantine.release(spool, ledger, job_id)
    review = Review(decision.boxes, approved=decision.act is Act.APPROVE)
    return quarantine.reviewed(spool, ledger, job_id, review)

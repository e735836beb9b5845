"""The quarantine: what was refused and why, the page of one instance, and what is decided about it."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from deid.review import UNREVIEWED
from node import quarantine as spooled
from node.audit.people import Decision as Audited
from node.decisions import DECISIONS, MOST_JOBS, Act, Decision, Decisions, is_allowed
from node.jobs import JobId
from node.pool import WorkerDied, WorkerRaised, WorkerTimedOut
from node.reviews import written_boxes
from node.web import reasons, refused
from node.web.gate import Denied
from node.web.looks import drawn_boxes, refused_job
from node.web.users import UserRole
from node.web.visits import get, post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from deid.review import DrawnBox
    from node.web.refused import RefusedJob
    from node.web.visits import Visit

_ROWS = 50
_SIZED_AT_ONCE = 100
_MOST_MASKED = 1000

_AUDITED = {
    Act.APPROVE: Audited.APPROVED,
    Act.MASK: Audited.MASKED,
    Act.RERUN: Audited.RELEASED,
    Act.DISCARD: Audited.DISCARDED,
}
_DONE = {
    Act.APPROVE: "approved, and cleaned again",
    Act.MASK: "masked and cleaned again",
    Act.RERUN: "cleaned again",
    Act.DISCARD: "discarded",
}


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a form is about, and where its page is."""

    jobs: tuple[JobId, ...]
    reason: str
    project: str
    act: Act
    boxes: tuple[DrawnBox, ...]
    at_s: float
    scope: str
    back: str


def overview(visit: Visit) -> Response:
    """Show what is in quarantine, by reason, and a list."""
    reason, project, after = visit.query("reason"), visit.query("project"), visit.query("after")
    ledger, spool = visit.console.ledger, visit.console.spool
    groups = visit.console.remembered.ask("quarantine", 2.0, lambda: refused.groups(ledger))
    found = refused.listed(ledger, reason, project, after, _ROWS + 1)
    details = {each.job_id: spool.record(each.job_id).detail for each in found[:_ROWS]}
    chosen = [
        each for each in groups if (not reason or each.reason == reason) and (not project or each.project == project)
    ]
    return visit.page(
        "review_list.html",
        groups=groups,
        rows=found[:_ROWS],
        details=details,
        decided=_waiting(visit),
        reason=reason,
        project=project,
        count=sum(each.count for each in chosen),
        next_page=urlencode({"reason": reason, "project": project, "after": found[_ROWS - 1].job_id})
        if len(found) > _ROWS
        else "",
        is_first=not after,
        now_s=time.time(),
        meaning=reasons.meaning,
        can_approve=bool(reason) and is_allowed(Act.APPROVE, reason),
    )


def instance(visit: Visit) -> Response:
    """Show one instance: its frames and header are asked for by the page, where the user may see them."""
    job = refused_job(visit)
    entry = spooled.shown(visit.console.spool, job.job_id)
    if entry is None:
        raise Denied(404, "It is not in quarantine (any more).")
    review = UNREVIEWED
    with suppress(OSError, ValueError):  # where roles are users of their own it may not be ours to read
        review = visit.console.spool.reviews.get(job.job_id)
    return visit.page(
        "review_instance.html",
        job=job,
        entry=entry,
        meaning=reasons.meaning(job.reason),
        remedy=reasons.remedy(job.reason),
        boxes=written_boxes(review.boxes),
        can_approve=is_allowed(Act.APPROVE, job.reason),
        series=len(refused.of_series(visit.console.ledger, job, MOST_JOBS)),
        alike=_count(visit, job),
        decided=_waiting(visit).get(job.job_id),
        now_s=time.time(),
    )


def decide_one(visit: Visit) -> Response:
    """Decide about the instance of a page, or about its series, or about all that were refused for its reason."""
    job, scope = refused_job(visit), visit.form.get("scope", "one")
    if scope == "series":
        jobs = refused.of_series(visit.console.ledger, job, MOST_JOBS)
    elif scope == "group":
        jobs = _of_group(visit, job.reason, job.project)
    else:
        jobs = [job.job_id]
    return _decide(visit, jobs, job.reason, job.project, f"/quarantine/{job.job_id}")


def decide_some(visit: Visit) -> Response:
    """Decide about the instances that were ticked in the list, or about a group of it."""
    reason, project = visit.form.get("reason", ""), visit.form.get("project", "")
    if visit.form.get("scope") == "group":
        if not reason:
            raise Denied(400, "Choose a reason first.")
        jobs = _of_group(visit, reason, project)
    else:
        jobs = []
        for text in visit.form_lists.get("job", []):
            with suppress(ValueError):
                jobs.append(JobId(text))
    return _decide(visit, jobs, reason, project, f"/quarantine?{urlencode({'reason': reason, 'project': project})}")


def _decide(visit: Visit, jobs: Sequence[JobId], reason: str, project: str, back: str) -> Response:
    """Ask once more where that is due, write it into the audit log, and then down."""
    act = _act(visit)
    if not jobs:
        return visit.redirect(back, failed="Tick the instances that are meant.")
    boxes = drawn_boxes(visit) if act in {Act.MASK, Act.APPROVE} else ()
    if act is Act.MASK and not boxes:
        return visit.redirect(back, failed="Draw a box over what is to be masked.")
    if act is Act.APPROVE and not is_allowed(act, reason):
        return visit.redirect(back, failed="What was refused for this reason can't be approved.")
    if boxes and len(jobs) > 1:
        jobs = _of_same_size(visit, jobs)
    scope = visit.form.get("scope", "one")
    chosen = _Chosen(tuple(jobs[:MOST_JOBS]), reason, project, act, boxes, _at_s(visit), scope, back)
    if (len(jobs) > 1 or act is Act.DISCARD) and visit.form.get("sure") != "yes":
        return visit.page("review_confirm.html", chosen=chosen, done=_DONE[act], written=written_boxes(boxes))
    visit.decides(_AUDITED[act], *chosen.jobs)
    decision = Decision(act, chosen.jobs, boxes, visit.user.name, chosen.at_s)
    _decisions(visit).put(decision)
    visit.console.remembered.forget("decisions")
    visit.console.remembered.forget("quarantine")
    said = "1 instance is" if len(chosen.jobs) == 1 else f"{len(chosen.jobs)} instances are"
    query = {name: value for name, value in (("reason", reason), ("project", project)) if value}
    return visit.redirect("/quarantine", done=f"{said} being {_DONE[act]}.", **query)


def _act(visit: Visit) -> Act:
    try:
        return Act(visit.form.get("act", ""))
    except ValueError:
        raise Denied(400, "Nobody knows what is to be done.") from None


def _at_s(visit: Visit) -> float:
    """Say when the page was made that was decided on: what was refused after that is not meant."""
    try:
        at_s = float(visit.form.get("at", ""))
    except ValueError:
        at_s = math.nan
    if not math.isfinite(at_s):
        raise Denied(400, "The page is of another version; reload it.")
    return min(at_s, time.time())


def _of_group(visit: Visit, reason: str, project: str) -> list[JobId]:
    return [each.job_id for each in refused.listed(visit.console.ledger, reason, project, "", MOST_JOBS)]


def _of_same_size(visit: Visit, jobs: Sequence[JobId]) -> list[JobId]:
    """Give those whose frames are of the same size as those of the instance on which the boxes were drawn."""
    drawn_on = visit.job_id()
    jobs = [drawn_on, *(job_id for job_id in jobs if job_id != drawn_on)]
    if len(jobs) > _MOST_MASKED:
        raise Denied(400, f"Boxes for more than {_MOST_MASKED} instances at once are too many to look into.")
    found: list[tuple[int, int] | None] = []
    try:
        for start in range(0, len(jobs), _SIZED_AT_ONCE):
            paths = [visit.console.spool.quarantine_path(each) for each in jobs[start : start + _SIZED_AT_ONCE]]
            found += visit.console.viewer.sizes(paths)
    except (WorkerDied, WorkerTimedOut, WorkerRaised):
        raise Denied(422, "One of them can't be read: mask them one by one.") from None
    return [job_id for job_id, size in zip(jobs, found, strict=True) if size is not None and size == found[0]]


def _count(visit: Visit, job: RefusedJob) -> int:
    groups = visit.console.remembered.ask("quarantine", 2.0, lambda: refused.groups(visit.console.ledger))
    return sum(each.count for each in groups if (each.reason, each.project) == (job.reason, job.project))


def _waiting(visit: Visit) -> dict[JobId, Act]:
    return visit.console.remembered.ask("decisions", 1.0, lambda: _decisions(visit).waiting())


def _decisions(visit: Visit) -> Decisions:
    return Decisions(visit.console.spool.path / DECISIONS)


ROUTES = (
    get("/quarantine", overview, UserRole.VIEWER),
    post("/quarantine/decide", decide_some, UserRole.REVIEWER),
    get("/quarantine/{job}", instance, UserRole.VIEWER),
    post("/quarantine/{job}/decide", decide_one, UserRole.REVIEWER),
)

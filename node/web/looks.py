"""What the page of a refused instance asks for: frames as they are and as they would leave, and the header.

Every answer here is patient data: only reviewers get it, and the audit log has it before anything is read.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from deid.errors import Refused
from deid.pixels.box import Box
from deid.pixels.view import View
from deid.review import Review
from deid.table import tag_text
from node.audit.people import Look
from node.decisions import Act, is_allowed
from node.pool import WorkerDied, WorkerRaised, WorkerTimedOut
from node.reviews import read_boxes
from node.web import reasons, refused
from node.web.gate import Denied
from node.web.users import UserRole
from node.web.viewer import Asked
from node.web.visits import get, post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.report import MaskedBox
    from deid.review import DrawnBox
    from node.web.refused import RefusedJob
    from node.web.visits import Visit

_LARGEST_PX = 4096
_SMALLEST_PX = 64
_WAIT_S = 2.0
_TAG = re.compile(r"\([0-9A-F]{4},[0-9A-F]{4}\)")


def facts(visit: Visit) -> Response:
    """Answer with what there is to be seen in a frame."""
    asked, frame = _looked(visit), visit.number("frame", 1) - 1
    with _said():
        found = visit.console.viewer.facts(asked, frame)
    return JSONResponse(None if found is None else asdict(found))


def frame(visit: Visit) -> Response:
    """Answer with a frame as PNG."""
    asked, index = _looked(visit), visit.number("frame", 1) - 1
    largest = min(max(visit.number("edge", 1024), _SMALLEST_PX), _LARGEST_PX)
    with _said():
        content = visit.console.viewer.png(asked, index, View(_window(visit), _part(visit), largest))
    return Response(content, media_type="image/png")


def trial(visit: Visit) -> Response:
    """Begin to clean an instance as somebody may decide, or say what came of that."""
    job = refused_job(visit)
    boxes = drawn_boxes(visit)
    review = Review(boxes, approved=is_allowed(Act.APPROVE, job.reason))
    _note(visit, job)
    asked = Asked(visit.console.spool.quarantine_path(job.job_id), job.project, review)
    with _said():
        found = visit.console.viewer.tried(asked, _WAIT_S)
    name = visit.console.viewer.draft(review)
    if found is None:
        return JSONResponse({"trial": name, "ready": False}, 202)
    said = reasons.meaning(found.refused.partition(":")[0]) if found.refused else ""
    return JSONResponse(
        {
            "trial": name,
            "ready": True,
            "refused": found.refused,
            "meaning": said,
            "doubt": reasons.meaning(found.doubt.partition(":")[0]) if found.doubt else "",
            "skipped": found.skipped,
            "needs_series": found.needs_series,
            "masked": [_masked(each) for each in found.masked],
        }
    )


def header(visit: Visit) -> Response:
    """Answer with the elements and what becomes of each: a part of a page."""
    job = refused_job(visit)
    visit.looks(Look.HEADER, job.job_id)
    with _said():
        found = visit.console.viewer.header(Asked(visit.console.spool.quarantine_path(job.job_id), job.project))
    named = set(_TAG.findall(visit.console.spool.record(job.job_id).detail))
    rows = [(row, not named.isdisjoint(map(tag_text, row.path))) for row in found.rows]
    return visit.page("review_header.html", header=found, rows=rows)


def refused_job(visit: Visit) -> RefusedJob:
    """Give the job that the path names.

    Raises
    ------
    Denied
        404, if it isn't in quarantine
    """
    job = refused.one(visit.console.ledger, visit.job_id())
    if job is None:
        raise Denied(404, "It is not in quarantine (any more).")
    return job


def drawn_boxes(visit: Visit) -> tuple[DrawnBox, ...]:
    """Give the boxes of a form.

    Raises
    ------
    Denied
        400, if they are none
    """
    try:
        return read_boxes(json.loads(visit.form.get("boxes") or "[]"))
    except ValueError:
        raise Denied(400, "The boxes can't be understood: reload the page and draw them again.") from None


def _looked(visit: Visit) -> Asked:
    """Say what is asked for, once the look is noted."""
    job, review = refused_job(visit), None
    if name := visit.query("trial"):
        review = visit.console.viewer.drafted(name)
        if review is None:
            raise Denied(410, "That is too long ago: have the result shown again.")
    _note(visit, job)
    return Asked(visit.console.spool.quarantine_path(job.job_id), job.project, review)


def _note(visit: Visit, job: RefusedJob) -> None:
    viewer, who = visit.console.viewer, visit.session.csrf
    if not viewer.is_first_look(who, job.job_id):
        return
    try:
        visit.looks(Look.IMAGE, job.job_id)
    except BaseException:
        viewer.forget_look(who, job.job_id)
        raise


@contextmanager
def _said() -> Iterator[None]:
    """Say in words why something can't be shown: codes and tags, no values."""
    try:
        yield
    except FileNotFoundError:
        raise Denied(404, "It is not in quarantine any more.") from None
    except Refused as error:
        raise Denied(422, f"{reasons.meaning(error.reason)} ({error})") from None
    except MemoryError:
        raise Denied(422, "It needs more memory than [work] memory_limit_bytes.") from None
    except WorkerTimedOut:
        raise Denied(422, "That takes too long.") from None
    except (WorkerDied, WorkerRaised):
        raise Denied(422, "The process that read it died of it.") from None


def _window(visit: Visit) -> tuple[float, float] | None:
    if not visit.query("width"):
        return None
    try:
        centre, width = float(visit.query("centre")), float(visit.query("width"))
    except ValueError:
        raise Denied(400, "The window is none.") from None
    if not (math.isfinite(centre) and math.isfinite(width)):
        raise Denied(400, "The window is none.")
    return centre, max(width, 1e-6)


def _part(visit: Visit) -> Box | None:
    text = visit.query("part")
    if not text:
        return None
    numbers = [int(each) for each in text.split(",") if each.isdecimal() and len(each) < 9]
    if len(numbers) != 4:
        raise Denied(400, "The part is none.")
    return Box(*numbers)


def _masked(each: MaskedBox) -> dict[str, object]:
    return {"box": each.box, "why": each.why, "name": each.name, "frames": each.frames}


ROUTES = (
    get("/quarantine/{job}/facts", facts, UserRole.REVIEWER),
    get("/quarantine/{job}/frame", frame, UserRole.REVIEWER),
    get("/quarantine/{job}/header", header, UserRole.REVIEWER),
    post("/quarantine/{job}/trial", trial, UserRole.REVIEWER),
)

"""Dry run: drop a file, see what would happen to it, element by element; nothing of it is stored."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import Counter
from typing import TYPE_CHECKING

from pydicom._uid_dict import UID_dictionary

from node.audit.people import Look
from node.errors import Transient
from node.pool import WorkerDied, WorkerRaised, WorkerTimedOut
from node.web import reasons
from node.web.gate import Denied
from node.web.trial import Trial, try_out
from node.web.users import UserRole
from node.web.visits import get, upload

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from node.settings import Settings
    from node.web.visits import Visit

_one_at_a_time = threading.Lock()
_WAIT_S = 60.0


def form(visit: Visit) -> Response:
    """Show the page."""
    return visit.page("dry_run.html", projects=[project.name for project in visit.settings.projects])


def tried(visit: Visit) -> Response:
    """Say what would happen to the file in the body; a part of a page."""
    project = visit.settings.project_named(visit.query("project"))
    if project is None:
        raise Denied(404, "There is no such project.")
    visit.looks(Look.DRY_RUN)
    file = bytes(visit.body)
    visit.body.clear()
    if not _one_at_a_time.acquire(timeout=_WAIT_S):
        raise Transient("somebody else's dry run is not done yet; try again in a moment")
    try:
        found = try_out(visit.settings, project, file)
    except WorkerTimedOut:
        found = Trial(refused="worker-timed-out")
    except WorkerDied:
        found = Trial(refused="worker-died")
    except (WorkerRaised, MemoryError):
        found = Trial(refused="internal-error")
    finally:
        _one_at_a_time.release()
    return visit.page(
        "dry_run_result.html",
        found=found,
        project=project,
        counts=Counter(row.result for row in found.rows).most_common(),
        meaning=reasons.meaning(found.refused.partition(":")[0]),
        picture=b64encode(found.picture).decode("ascii"),
        sop_class=_name(found.sop_class_uid),
        transfer_syntax=_name(found.transfer_syntax),
    )


def _name(uid: str) -> str:
    return str(UID_dictionary[uid][0]) if uid in UID_dictionary else uid


def routes(settings: Settings) -> tuple[Route, ...]:
    """Make the routes; how large a file may be is the configuration's to say."""
    return (
        get("/dry-run", form, UserRole.REVIEWER),
        upload("/dry-run", tried, UserRole.REVIEWER, settings.web.max_upload_bytes),
    )

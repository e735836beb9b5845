"""Studies: how each stands, found by what the archive calls it; where each instance is, and why."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from node import studies as index
from node.jobs import State
from node.web import reasons
from node.web.gate import Denied
from node.web.users import UserRole
from node.web.visits import get, post
from node.web.words import span

if TYPE_CHECKING:
    from starlette.responses import Response

    from node.studies import DeliveryStanding, Standing
    from node.web.visits import Visit

_ON_A_PAGE = 50
_INSTANCES_ON_A_PAGE = 100
_LONGEST = 64  # of a Patient ID or a UID (PS3.5 Section 6.2)

_WHY = {
    State.RECEIVED: "waits to be cleaned",
    State.CLEANING: "is being cleaned",
    State.HELD: "waits until the crosswalk has its patient",
    State.GATHERED: "waits for the rest of its series, since a face may show",
    State.SENT: "all destinations have it",
}


def listed(visit: Visit) -> Response:
    """Show the newest studies."""
    kind = visit.query("show")
    if kind not in index.FILTERS:
        raise Denied(404, "There is no such list.")
    found = index.studies(visit.console.ledger, kind, _ON_A_PAGE + 1, visit.number("before") or None)
    more = found[_ON_A_PAGE - 1].key if len(found) > _ON_A_PAGE else None
    return visit.page("studies.html", found=found[:_ON_A_PAGE], kind=kind, more=more, searched=False)


def searched(visit: Visit) -> Response:
    """Show what was searched for; a POST, so that what somebody types by mistake stands in no address."""
    text = visit.form.get("text", "").strip()
    found = index.find(visit.console.ledger, text, _ON_A_PAGE) if 0 < len(text) <= _LONGEST else []
    if len(found) == 1:
        return visit.redirect(f"/studies/{found[0].key}")
    return visit.page("studies.html", found=found, kind="", more=None, searched=True)


def shown(visit: Visit) -> Response:
    """Show one study."""
    key = visit.param_number("key")
    study = index.study(visit.console.ledger, key)
    if study is None:
        raise Denied(404, "There is no such study (any more): what was delivered is forgotten after a time.")
    after, refused_only = visit.query("after"), visit.query("show") == "refused"
    found = index.standings(visit.console.ledger, key, _INSTANCES_ON_A_PAGE + 1, after, refused_only=refused_only)
    more = found[_INSTANCES_ON_A_PAGE - 1].job_id if len(found) > _INSTANCES_ON_A_PAGE else None
    return visit.page(
        "study.html",
        study=study,
        states=index.states(visit.console.ledger, key),
        found=[(each, why(each)) for each in found[:_INSTANCES_ON_A_PAGE]],
        more=more,
        refused_only=refused_only,
        meaning=reasons.meaning,
    )


def why(each: Standing) -> str:
    """Say in words why an instance is where it is."""
    if each.state is State.QUARANTINED:
        return f"{each.reason}: {reasons.meaning(each.reason)}"
    if each.state in _WHY:
        tried = f"; tried {each.attempts} times" if each.attempts and each.state is State.RECEIVED else ""
        return _WHY[each.state] + tried
    return "; ".join(delivery_words(delivery) for delivery in each.deliveries)


def delivery_words(delivery: DeliveryStanding) -> str:
    """Say in words how a delivery stands."""
    name = delivery.destination
    if delivery.state is State.SENT:
        return f"{name} has it"
    if delivery.state is State.QUARANTINED:
        return f"given up for {name}"
    if delivery.state is State.SENDING:
        return f"on its way to {name}"
    if not delivery.attempts:
        return f"waits for {name}"
    last = "no answer" if delivery.status is None else f"status {delivery.status:04X}"
    wait_s = delivery.next_try_s - time.time()
    again = f"again in {span(wait_s)}" if 0 < wait_s < 1e9 else "again soon"
    return f"{name} failed {delivery.attempts} times ({last}), {again}"


ROUTES = (
    get("/studies", listed, UserRole.VIEWER),
    post("/studies", searched, UserRole.VIEWER),
    get("/studies/{key}", shown, UserRole.VIEWER),
)

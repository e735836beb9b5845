"""The overview: what is done now, where it is stuck, and whether there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.destinations import echoes
from node.web import reasons
from node.web.gate import Denied
from node.web.standing import standing
from node.web.users import UserRole
from node.web.visits import get, post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from node.web.history import Minute
    from node.web.visits import Visit

_HEIGHT, _STEP = 60.0, 10.0


def overview(visit: Visit) -> Response:
    """Show the page."""
    return _shown(visit, "overview.html")


def live(visit: Visit) -> Response:
    """Show what changes of it."""
    return _shown(visit, "overview_live.html")


def _shown(visit: Visit, template: str) -> Response:
    found = standing(visit.console)
    minutes = visit.console.history.minutes()
    return visit.page(
        template, found=found, bars=bars(minutes), minutes=minutes, meaning=reasons.meaning, lowest=_lowest(visit)
    )


def _lowest(visit: Visit) -> int:
    return visit.settings.spool.min_free_bytes


def bars(minutes: Sequence[Minute]) -> list[tuple[float, float, float, int]]:
    """Give a bar for each minute: x, y and height in the chart's own units, and how many were delivered."""
    delivered = [each.done["delivered"] for each in minutes]
    most = max([*delivered, 1])
    return [(i * _STEP, _HEIGHT - _HEIGHT * n / most, _HEIGHT * n / most, n) for i, n in enumerate(delivered)]


def echo(visit: Visit) -> Response:
    """Ask a destination for a sign of life."""
    name = visit.param("name")
    if name not in visit.settings.destinations:
        raise Denied(404, "There is no such destination.")
    echoes.ask(visit.console.ledger, name)
    return visit.redirect("/", done=f"{name} is being asked; the answer shows here in a moment.")


ROUTES = (
    get("/", overview, UserRole.VIEWER),
    get("/overview/live", live, UserRole.VIEWER),
    post("/destinations/{name}/echo", echo, UserRole.REVIEWER),
)

"""The audit log, newest first; who looks at it is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.audit import chain, people
from node.web.users import UserRole
from node.web.visits import get

if TYPE_CHECKING:
    from starlette.responses import Response

    from node.web.visits import Visit

_ON_A_PAGE = 50
_COLUMNS = frozenset({"number", "at", "what", "previous", "message", "user", "uid", "login", "login_uid"})


def shown(visit: Visit) -> Response:
    """Show a page of it."""
    before = visit.number("before") or None
    people.log_read(visit.settings, visit.person)
    found = chain.latest(visit.settings.spool.path, _ON_A_PAGE + 1, before)
    more = found[_ON_A_PAGE - 1].get("number") if len(found) > _ON_A_PAGE else None
    rows = [(each, _facts(each)) for each in found[:_ON_A_PAGE]]
    return visit.page("audit.html", rows=rows, more=more)


def checked(visit: Visit) -> Response:
    """Look whether its lines hold together."""
    people.log_read(visit.settings, visit.person)
    trail = chain.check(visit.settings.spool.path)
    if trail.broken_at is not None:
        return visit.redirect("/audit", failed=f"Line {trail.broken_at} does not follow from the one before.")
    return visit.redirect("/audit", done=f"All {trail.entries} entries follow from one another. The end: {trail.end}")


def _facts(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """Give what an entry says beside when and what, in few words."""
    said = [(key, value) for key, value in entry.items() if key not in _COLUMNS and value not in ("", [], None)]
    return [(key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in said]


ROUTES = (
    get("/audit", shown, UserRole.ADMIN),
    get("/audit/check", checked, UserRole.ADMIN),
)

"""Logging in and out."""

from __future__ import annotations

import hmac
import threading
from math import ceil
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from node.audit import people
from node.errors import NodeError
from node.web.console import fresh_token
from node.web.gate import (
    COOKIE,
    Denied,
    NotLoggedIn,
    admitted,
    caller_address,
    check_origin,
    fingerprint,
    person,
    set_cookie,
)
from node.web.users import UserRole, is_password
from node.web.visits import parsed, post, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from node.web.console import Console
    from node.web.visits import Visit

_LOGIN_COOKIE = "deid_login"
_LOGIN_BYTES = 8192
_WRONG = "The name or the password is wrong."
# A check takes 64 MiB, and who tries many passwords at the same time has to wait as one who tries them in turn.
_one_at_a_time = threading.Lock()


async def form(request: Request) -> Response:
    """Show the form, to who is not logged in yet."""
    console: Console = request.app.state.console
    try:
        admitted(console, request, UserRole.VIEWER)
    except NotLoggedIn:
        return _page(console)
    return RedirectResponse("/", 303)


async def log_in(request: Request) -> Response:
    """Take name and password."""
    console: Console = request.app.state.console
    if console.settings.web.proxy:
        raise Denied(403, "The proxy says who logs in.")
    check_origin(request)
    fields = parsed(await read_body(request, _LOGIN_BYTES))
    token = fields.get("csrf", [""])[-1].encode("utf-8", "replace")
    if not token or not hmac.compare_digest(token, request.cookies.get(_LOGIN_COOKIE, "").encode("utf-8", "replace")):
        return _page(console, 403, "The form was too old; please try again.")
    name, password = fields.get("name", [""])[-1].strip(), fields.get("password", [""])[-1]
    try:
        return await run_in_threadpool(_checked, console, request, name, password)
    except NodeError as error:
        raise Denied(503, str(error)) from None


def _checked(console: Console, request: Request, name: str, password: str) -> Response:
    address = caller_address(request)
    user = console.users.find(name)
    with _one_at_a_time:
        wait_s = console.limits.wait_s(name, address)
        is_right = wait_s <= 0 and is_password(user, password)
        if wait_s <= 0 and not is_right:
            console.limits.failed(name, address)
    if wait_s > 0:
        refusal = _page(console, 429, f"Too many failures. Try again in {ceil(wait_s)} s.")
        refusal.headers["Retry-After"] = str(ceil(wait_s))
        return refusal
    if not is_right or user is None:
        people.sign_in_failed(console.settings, address, name=user.name if user else "")
        return _page(console, 401, _WRONG)
    console.limits.succeeded(name)
    people.signed_in(console.settings, person(user, request))
    token, _ = console.sessions.begin(user.name, fingerprint(user))
    answer = RedirectResponse("/", 303)
    set_cookie(console, answer, token)
    answer.delete_cookie(_LOGIN_COOKIE, path="/login")
    return answer


def _page(console: Console, status: int = 200, wrong: str = "") -> HTMLResponse:
    csrf = fresh_token()
    has_users = any(user.has_password for user in console.users.all().values())
    template = console.templates.get_template("login.html")
    answer = HTMLResponse(template.render(wrong=wrong, csrf=csrf, has_users=has_users), status)
    answer.set_cookie(_LOGIN_COOKIE, csrf, max_age=3600, httponly=True, samesite="strict", path="/login")
    return answer


def log_out(visit: Visit) -> Response:
    """End the session."""
    visit.console.sessions.end(visit.request.cookies.get(COOKIE, ""))
    people.signed_out(visit.settings, visit.person)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


ROUTES = (
    Route("/login", form, methods=["GET"]),
    Route("/login", log_in, methods=["POST"]),
    post("/logout", log_out, UserRole.VIEWER),
)

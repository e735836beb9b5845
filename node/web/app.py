"""The console as an ASGI application: all routes, the headers of each answer, and pages for what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from node.web import audit_log, dry_run, effective, login, looks, metrics, overview, profiles, quarantine, studies
from node.web.console import STATIC
from node.web.gate import NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from node.web.console import Console

_PARTS = (login, overview, quarantine, looks, studies, profiles, audit_log, effective, metrics)

# No script, style or picture from elsewhere, none within a page; no frames; forms go home.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_KEPT = "public, max-age=31536000, immutable"


def make_app(console: Console) -> Starlette:
    """Make the application."""
    routes = [route for part in _PARTS for route in part.ROUTES]
    routes += dry_run.routes(console.settings)
    static = Mount("/static", StaticFiles(directory=STATIC), name="static")
    app = Starlette(routes=[*routes, static], exception_handlers=_HANDLERS)
    app.state.console = console
    app.add_middleware(_Headers)
    return app


class _Headers:
    """Puts the headers on each answer: pages are kept by nobody, static files for good (their address changes)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_kept = scope["path"].startswith("/static/") and b"v=" in scope["query_string"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, _KEPT if is_kept and message["status"] == 200 else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


def _add(message: MutableMapping[str, Any], cache_control: str) -> None:
    present = {name.lower() for name, _ in message["headers"]}
    for name, value in {**_HEADERS, "Cache-Control": cache_control}.items():
        if name.lower().encode() not in present:
            message["headers"].append((name.lower().encode(), value.encode()))


def _error_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  this is what it is for
    console: Console = request.app.state.console
    if request.headers.get("accept", "").startswith("text/html"):
        page = console.templates.get_template("error.html").render(status=error.status_code, text=error.detail)
        return HTMLResponse(page, error.status_code, headers=error.headers)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)


def _to_login(request: Request, error: Exception) -> Response:
    if request.method == "GET" and "x-live" not in request.headers and not request.url.path.startswith("/static/"):
        return RedirectResponse("/login", 303)
    return _error_page(request, error)


_HANDLERS: dict[Any, Callable[[Request, Exception], Response]] = {
    NotLoggedIn: _to_login,
    HTTPException: _error_page,
}

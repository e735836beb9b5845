"""Who may ask for what: sessions, roles, CSRF tokens, and proxies that say who somebody is."""

from __future__ import annotations

import hmac
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from node.audit.people import Person
from node.web.users import UserRole

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from node.web.console import Console
    from node.web.sessions import Session
    from node.web.users import User

COOKIE = "deid_session"
_PROXY_SESSION = "proxy_token"


class Denied(HTTPException):
    """No; status and text go to the browser."""


class NotLoggedIn(Denied):
    """Log in first."""

    def __init__(self) -> None:
        super().__init__(401, "Log in first.")


def admitted(console: Console, request: Request, role: UserRole) -> tuple[User, Session]:
    """Say who asks.

    Raises
    ------
    NotLoggedIn
        if nobody is logged in there
    Denied
        403, if that user may not
    """
    # a page that looks for news by itself is nobody who is there
    is_person = "x-live" not in request.headers
    session = console.sessions.find(request.cookies.get(COOKIE, ""), touch=is_person)
    named = proxied_user(console, request) if console.settings.web.proxy else None
    if console.settings.web.proxy and (session is None or named is None or session.user_name != named.name):
        session = _begun_for(console, request, named)
    user = None if session is None else console.users.find(session.user_name)
    if session is None or user is None or session.fingerprint != fingerprint(user):
        raise NotLoggedIn
    if not user.role.allows(role):
        raise Denied(403, f"Only who is {role.value} may do that.")
    return user, session


def fingerprint(user: User) -> str:
    """Give what ends a session when it changes."""
    return f"{user.role.value} {user.password_hash}"


def _begun_for(console: Console, request: Request, user: User | None) -> Session:
    if user is None:
        raise Denied(403, "The proxy names nobody who may use the console; see `deid-node users`.")
    token, session = console.sessions.begin(user.name, fingerprint(user))
    request.scope[_PROXY_SESSION] = token
    return session


def keep_session(console: Console, request: Request, answer: Response) -> None:
    """Give the browser the session that was begun for whom a proxy names, if one was."""
    token = str(request.scope.get(_PROXY_SESSION, ""))
    if token:
        set_cookie(console, answer, token)


def set_cookie(console: Console, answer: Response, token: str) -> None:
    """Give the browser a session: for this site alone, out of reach of scripts, until the browser is closed."""
    web = console.settings.web
    is_secure = web.tls is not None or web.proxy is not None
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=is_secure, path="/")


def proxied_user(console: Console, request: Request) -> User | None:
    """Give the user whom the proxy names.

    Raises
    ------
    Denied
        403, if it isn't the proxy that asks
    """
    proxy = console.settings.web.proxy
    assert proxy is not None  # noqa: S101  looked at by the caller
    address = caller_address(request)
    try:
        is_proxy = any(ip_address(address) in ip_network(each) for each in proxy.addresses)
    except ValueError:
        is_proxy = False
    if not is_proxy:
        raise Denied(403, "The console is behind a proxy.")
    names = request.headers.getlist(proxy.header)
    return console.users.find(names[0]) if len(names) == 1 else None


def caller_address(request: Request) -> str:
    """Give the address of who is connected."""
    return request.client.host if request.client else ""


def person(user: User, request: Request) -> Person:
    """Give a user as the audit log names them."""
    return Person(name=user.name, address=caller_address(request), role=user.role.value)


def check_origin(request: Request) -> None:
    """Turn away a POST of another site's page: browsers say where they have it from.

    Raises
    ------
    Denied
        403
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_here = site in {"same-origin", "none"} if site else origin in {None, _own(request)}
    if not is_here:
        raise Denied(403, "That came from another site.")


def _own(request: Request) -> str | None:
    """Give the origin that a page of ours has, as `request` says: browsers that don't say more are old."""
    origin = request.headers.get("origin")
    return origin if origin and urlsplit(origin).netloc == request.headers.get("host", "") else None


def check_form(request: Request, session: Session, token: str) -> None:
    """Turn away a POST that did not come from a page of the session.

    Raises
    ------
    Denied
        403
    """
    said = token or request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(said.encode("utf-8", "replace"), session.csrf.encode("ascii")):
        raise Denied(403, "The page is of an earlier session; go back, reload it and try again.")

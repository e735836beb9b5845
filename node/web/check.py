"""Whether the console could be used: what `deid-node check` says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.errors import Misconfigured
from node.ports import port_trouble
from node.web.users import read_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node.settings import Settings


def console_checks(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what was tried and what is wrong with it (empty: nothing); nothing where there is no console."""
    web = settings.web
    if web.port:
        yield f"console on {web.address} port {web.port}", port_trouble(settings, web.address, web.port)
        yield f"users of the console {web.users_file}", _users_trouble(settings)


def _users_trouble(settings: Settings) -> str:
    try:
        users = read_users(settings.web.users_file)
    except Misconfigured as error:
        return str(error)
    if not any(user.has_password or settings.web.proxy for user in users.values()):
        return "nobody can log in; add somebody: deid-node users add NAME --role admin"
    return ""

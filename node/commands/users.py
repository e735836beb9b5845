"""`users add`, `users list` and `users remove`: who may use the web console."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from node.audit import people
from node.commands.exits import Exit
from node.errors import Misconfigured
from node.layout import aligned
from node.settings import load_settings
from node.web.users import User, UserRole, changing, hashed, read_users

if TYPE_CHECKING:
    from argparse import Namespace

    from node.settings import Settings


def add(arguments: Namespace) -> int:
    """Add a user, or change one.

    Raises
    ------
    Misconfigured
        The name or the password is none, or the file can't be written.
    """
    settings = load_settings(arguments.config)
    role = UserRole(arguments.role)
    user = User(arguments.name, role) if arguments.no_password else User(arguments.name, role, hashed(_password()))
    with changing(settings.web.users_file) as users:
        users[user.name] = user
        _note(settings, user.name)
    return Exit.OK


def remove(arguments: Namespace) -> int:
    """Remove a user.

    Raises
    ------
    Misconfigured
        There is none of that name, or the file can't be written.
    """
    settings = load_settings(arguments.config)
    with changing(settings.web.users_file) as users:
        if arguments.name not in users:
            raise Misconfigured(f"there is no user {arguments.name!r}; see deid-node users list")
        del users[arguments.name]
        _note(settings, arguments.name)
    return Exit.OK


def listed(arguments: Namespace) -> int:
    """Print name and role of each user.

    Raises
    ------
    Misconfigured
        The file is wrong.
    """
    users = read_users(load_settings(arguments.config).web.users_file)
    rows = [(user.name, user.role.value, "" if user.has_password else "no password") for user in users.values()]
    if rows:
        sys.stdout.writelines(f"{line}\n" for line in aligned(sorted(rows)))
    return Exit.OK


def _note(settings: Settings, name: str) -> None:
    """Write the change into the audit log; before there is a spool there is nothing to audit."""
    if settings.spool.path.is_dir():
        people.users_changed(settings, people.me(), name)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != password:
        raise Misconfigured("the two are not the same; nothing is changed, try again")
    return password

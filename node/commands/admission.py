"""The arguments of `passcode`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from node.commands.parsers import add_command

if TYPE_CHECKING:
    from node.commands.parsers import Subparsers


def add_passcode(commands: Subparsers) -> None:
    """Add `passcode`."""
    parser = add_command(
        commands,
        "passcode",
        "passcode:passcode",
        "say who may name itself in the User Identity of an association, and with which passcode",
        "FILE is [receive] passcodes_file; it is made if it isn't there. The passcode is asked for twice; without a\n"
        "terminal it is the first line of the standard input. Only its scrypt hash is kept. A running node takes it.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("user", metavar="USER", help="as [[peers]] users names it")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--none", action="store_true", help="the name alone is enough: identifies, but proves nothing")
    what.add_argument("--remove", action="store_true", help="remove the user")

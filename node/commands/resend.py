"""`resend`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from node.commands.exits import Exit, NoSpool
from node.commands.parsers import add_command, add_config
from node.errors import Misconfigured

if TYPE_CHECKING:
    from argparse import Namespace

    from node.commands.parsers import Subparsers


def add_resend(commands: Subparsers) -> None:
    """Add `resend`."""
    parser = add_command(
        commands,
        "resend",
        "resend:run",
        "send what the destinations have not taken, now",
        "What waits for its next try is due at once, and what was given up or refused by a destination (the dead\n"
        "letters: `quarantine list` shows them) is cleaned and sent once more. Destinations that have an instance\n"
        "don't get it again. The node may run meanwhile.",
    )
    parser.add_argument("--destination", default="", metavar="NAME", help="only to this one")
    add_config(parser)


def run(arguments: Namespace) -> int:
    """Send what is still to be sent.

    Raises
    ------
    NoSpool
        No node has ever run with this configuration.
    Misconfigured
        There is no such destination.
    """
    from node.ledger import ledger_path, open_ledger  # noqa: PLC0415  `add_resend` is needed by every command
    from node.resend import resend  # noqa: PLC0415  likewise
    from node.settings import load_settings  # noqa: PLC0415  likewise
    from node.spool import Spool  # noqa: PLC0415  likewise

    settings = load_settings(arguments.config)
    name = arguments.destination
    if name and name not in settings.destinations:
        known = ", ".join(sorted(settings.destinations))
        raise Misconfigured(f"no destination is called {name!r}; there are {known}")
    if not ledger_path(settings.spool.path).exists():
        raise NoSpool(f"there is no spool {settings.spool.path}: start a node by `deid-node serve`")
    ledger = open_ledger(settings.spool.path)
    try:
        done = resend(Spool(settings.spool.path, settings.spool.min_free_bytes), ledger, name)
    finally:
        ledger.close()
    sys.stdout.write(f"{done.hastened} due now, {done.released} released\n")
    return Exit.OK

"""The arguments of `audit` and `key`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from node.audit.codes import Deed
from node.commands.arguments import positive
from node.commands.parsers import add_command, add_config, add_group

if TYPE_CHECKING:
    from node.commands.parsers import Subparsers


def add_audit(commands: Subparsers) -> None:
    """Add `audit` with its commands."""
    kinds = add_group(commands, "audit", "check or read the audit log")
    check = add_command(
        kinds,
        "check",
        "audit:check",
        "say whether the lines of the audit log hold together",
        "Prints the SHA-256 of the last line: keep it elsewhere and name it by --kept the next time, since last lines\n"
        "that are missing show by nothing else. Ends with 1 if a line was changed, removed or put in, or is not there.",
    )
    check.add_argument("--kept", default="", metavar="SHA256", help="of a line that must be there")
    check.add_argument(
        "--begins-after", default="", metavar="SHA256", help="of the last line of what you archived and took away"
    )
    show = add_command(
        kinds,
        "show",
        "audit:show",
        "print the audit log, the newest lines last",
        "Reading it is itself an entry. Nothing of a patient is in it but pseudonyms and new Study Instance UIDs.",
    )
    show.add_argument("--last", type=positive, default=50, metavar="N", help="how many lines (default: 50)")
    deeds = [deed.value for deed in Deed]
    show.add_argument("--what", action="append", choices=deeds, metavar="WHAT", help="only these, as sent; repeatable")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the lines as they are")
    form.add_argument("--xml", action="store_true", help="the audit messages of PS3.15 Section A.5")
    for each in (check, show):
        add_config(each)


def add_key(commands: Subparsers) -> None:
    """Add `key` with its commands."""
    kinds = add_group(commands, "key", "show, add, retire, back up or restore the node's keys")
    show = add_command(
        kinds,
        "show",
        "key:show",
        "list the keys by their public names, and which project uses which",
        "A public name says whether two nodes have the same key; nobody gets the key from it.",
    )
    add = add_command(
        kinds,
        "add",
        "key:add",
        "make one more key; nothing changes until a project names it",
        "Then set key = N in [projects.identity] of the projects that shall begin anew with it, and restart the node.\n"
        "Projects that go on with their old key stay linked with their old studies. Make a new backup.",
    )
    retire = add_command(
        kinds,
        "retire",
        "key:retire",
        "delete a key that no project uses any more",
        "From then on nobody can derive its pseudonyms, nor move dates back, but from a backup that still has it.",
    )
    retire.add_argument("number", type=positive, metavar="N", help="as `show` prints it")
    retire.add_argument("--yes", action="store_true", help="do not ask")
    backup = add_command(
        kinds,
        "backup",
        "key:backup",
        "write the keys and the tables of identities into one file, sealed by a passphrase",
        "The passphrase is asked for twice; without a terminal it is the first line of standard input. May run\n"
        "while the node does.",
    )
    restore = add_command(
        kinds,
        "restore",
        "key:restore",
        "put back what a backup holds, where nothing is in its place",
        "Writes to where the configuration says that key and tables are; overwrites nothing. The node must not run.",
    )
    for each in (backup, restore):
        each.add_argument("file", type=Path, metavar="FILE", help="the backup")
    for each in (show, add, retire, backup, restore):
        add_config(each)

"""The arguments of `init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from node.commands.arguments import ae_title, listener, remote, sender
from node.commands.parsers import add_command

if TYPE_CHECKING:
    from node.commands.parsers import Subparsers


def add_init(commands: Subparsers) -> None:
    """Add `init`."""
    parser = add_command(
        commands,
        "init",
        "init:init",
        "write a configuration and a new secret key into a folder, and ask for a first route",
        "Writes node.toml and key (mode 0600); overwrites neither. Who has the key can link pseudonyms to patients;\n"
        "who loses it can never again give a patient the same pseudonym. At a terminal it asks who sends and where\n"
        "to, and echoes the archive; with --from or --to nothing is asked. Without either and without a terminal\n"
        "the example is written as it is.",
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="default: this folder")
    parser.add_argument("--from", dest="sender", type=sender, metavar="AE@ADDRESS", help="who sends, as CT1@10.1.2.3")
    parser.add_argument("--to", dest="archive", type=remote, metavar="AE@host:port", help="the archive")
    parser.add_argument("--ae-title", type=ae_title, metavar="AE", help="what senders call (default: DEIDNODE)")
    parser.add_argument(
        "--listen", type=listener, metavar="ADDRESS:PORT", help="default: loopback, or all addresses if --from is not"
    )
    parser.add_argument(
        "--profile", metavar="P", help="a shipped profile's name or a TOML file (default: longitudinal)"
    )
    parser.add_argument(
        "--spool", type=Path, metavar="FOLDER", help="for patient data (default: spool beside node.toml)"
    )
    parser.add_argument("--defaults", action="store_true", help="ask nothing: write the example as it is")

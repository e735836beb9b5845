"""The arguments of `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from node.commands.parsers import add_command, add_config

if TYPE_CHECKING:
    from node.commands.parsers import Subparsers


def add_report(commands: Subparsers) -> None:
    """Add `report`."""
    parser = add_command(
        commands,
        "report",
        "report:report",
        "say what was done, by project and study: JSON, CSV, or a page to print",
        "Instances delivered, under way and in quarantine by reason, elements by action, options claimed, pixels\n"
        "masked. Patients and studies are named by their new identifiers; nothing of the original ones is in it.\n"
        "The numbers come from the ledger: a rebuilt one begins anew. Projects with direct delivery are not in it.",
    )
    parser.add_argument("--project", metavar="NAME", default="", help="only this one (default: all)")
    parser.add_argument("--studies", action="store_true", help="also each study")
    parser.add_argument("--format", choices=("json", "csv", "html"), default="json", help="default: json")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    add_config(parser)

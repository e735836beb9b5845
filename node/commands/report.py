"""`report`: what the node did."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from node.commands.exits import Exit, NoSpool
from node.errors import Misconfigured
from node.ledger import ledger_path, open_ledger
from node.reports.render import as_csv, as_html, as_json
from node.reports.summary import node_report
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace

_FORMATS = {"json": as_json, "csv": as_csv, "html": as_html}


def report(arguments: Namespace) -> int:
    """Write the report.

    Raises
    ------
    NoSpool
        No node has ever run with this configuration.
    Misconfigured
        There is no such project, or the file can't be written.
    """
    settings = load_settings(arguments.config)
    path = ledger_path(settings.spool.path)
    if not path.exists():
        raise NoSpool(f"there is no spool {settings.spool.path}: start a node by `deid-node serve`")
    ledger = open_ledger(settings.spool.path)
    try:
        found = node_report(settings, ledger, datetime.now(UTC).isoformat(timespec="seconds"), arguments.project)
    finally:
        ledger.close()
    text = _FORMATS[arguments.format](found, by_study=arguments.studies)
    if arguments.out is None:
        sys.stdout.write(text)
        return Exit.OK
    try:
        arguments.out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Misconfigured(f"{arguments.out} cannot be written ({error.strerror}); choose another file") from None
    return Exit.OK

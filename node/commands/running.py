"""`serve` and `status`."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from node.commands.exits import Exit
from node.notify import Notifier
from node.service import Role, run_role, supervise
from node.settings import load_settings
from node.status_report import collect, text

if TYPE_CHECKING:
    from argparse import Namespace


def serve(arguments: Namespace) -> int:
    """Run the node, or one role of it, until told to stop.

    Raises
    ------
    Misconfigured
        Configuration, profile or key are wrong, or another node works on the spool.
    """
    notifier = Notifier.from_environment(os.environ)
    settings = load_settings(arguments.config)
    if arguments.role is None:
        return supervise(settings, notifier, _announce)
    return run_role(Role(arguments.role), settings, notifier)


def _announce(line: str) -> None:
    sys.stdout.write(f"deid-node: {line}\n")
    sys.stdout.flush()


def status(arguments: Namespace) -> int:
    """Print how the node is.

    Raises
    ------
    Misconfigured
        The configuration is wrong.
    """
    settings = load_settings(arguments.config)
    report = collect(settings)
    sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n" if arguments.json else text(report))
    if not report.running:
        return Exit.NOT_RUNNING
    return Exit.OK if report.all_ready else Exit.FAILED

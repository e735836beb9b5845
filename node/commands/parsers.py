"""What the parsers of all commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from node.commands.exits import EXIT_CODES, Exit


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say it and end."""
        self.exit(Exit.USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[Parser]  # noqa: SLF001  argparse gives it no public name
else:
    Subparsers = argparse.Action


def add_command(commands: Subparsers, name: str, run: str, text: str, more: str = "") -> Parser:
    """Add one command: `text` is its line in the list, `more` what its own --help says beside it."""
    parser = _added(commands, name, text, more)
    parser.set_defaults(command=run)
    return parser


def _added(commands: Subparsers, name: str, text: str, more: str) -> Parser:
    return commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.\n\n{more}".rstrip(),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_group(commands: Subparsers, name: str, text: str, more: str = "") -> Subparsers:
    """Add a command that has commands of its own; `text` and `more` as of `add_command`."""
    parser = _added(commands, name, text, more)
    return parser.add_subparsers(title="what to do", metavar="WHAT", required=True, parser_class=Parser)


def add_config(parser: Parser) -> None:
    """Add the configuration file."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the node's TOML file (see config/node.toml); without it the built-in defaults, with all state in ./var",
    )

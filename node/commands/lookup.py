"""`lookup`: whom a pseudonym stands for."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from node import log
from node.commands.exits import Exit
from node.errors import Misconfigured
from node.key import load_key, read_key
from node.lookup import Answer, who_is
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from pathlib import Path

_COLUMNS = (
    "pseudonym",
    "project",
    "patient_id",
    "issuer",
    "accession_number",
    "patient_name",
    "birth_date",
    "study_uid",
)


def lookup(arguments: Namespace) -> int:
    """Print whom pseudonyms stand for.

    Raises
    ------
    Misconfigured
        The key is not given or wrong, or no project keeps who is who.
    Transient
        The audit log cannot be written.
    """
    log.silence_libraries()
    settings = load_settings(arguments.config)
    codes = [code.strip() for code in arguments.pseudonyms]
    answers = who_is(settings, _key(arguments.key), list(dict.fromkeys(codes)), arguments.project)
    sys.stdout.write("\t".join(_COLUMNS) + "\n")
    for answer in answers:
        sys.stdout.writelines(f"{line}\n" for line in _lines(answer))
    unknown = [answer.code for answer in answers if not answer.records]
    for code in unknown:
        sys.stderr.write(f"deid-node: {_plain(code)} is not known\n")
    return Exit.FAILED if unknown else Exit.OK


def _key(path: Path | None) -> bytes:
    if path is not None:
        return load_key(path)
    if not sys.stdin.isatty():
        raise Misconfigured("the key is needed: name its file by --key, or run this at a terminal to be asked")
    return read_key(getpass.getpass("key of this node (64 hexadecimal digits): "))


def _lines(answer: Answer) -> Iterator[str]:
    for record in answer.records:
        cells = (
            answer.code,
            record.project,
            record.patient_id,
            record.issuer,
            record.accession_number,
            record.name,
            record.birth_date,
            record.study_uid,
        )
        yield "\t".join(_plain(cell) for cell in cells)


def _plain(text: str) -> str:
    """Let no control character of an instance reach the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)

"""`text`, and `clean --text`: texts without an instance."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from deid.lines import class_named, text_rules
from deid.report import Seen
from deid.text import Cleaned, TextRules, clean_text
from node import log
from node.commands.exits import Exit
from node.commands.explain import seen_text
from node.commands.offline import recipe
from node.folders import check_file
from node.layout import aligned
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from deid.texts import TextClass

_DEFAULT_ATTRIBUTE = "ImageComments"
_STDIN = "-"


def text(arguments: Namespace) -> int:
    """Print a text without what identifies; on demand also what was found, which whoever typed it may see.

    Raises
    ------
    Misconfigured
        Profile, key, a model or the attribute are wrong.
    Refused
        The identities know no such patient.
    """
    rules, text_class = _rules(arguments)
    cleaned = clean_text(arguments.string, rules, text_class)
    _write(f"{cleaned.text}\n")
    if arguments.explain:
        for line in _found(arguments.string, cleaned):
            _write(f"{line}\n")
    return Exit.OK


def lines(arguments: Namespace) -> int:
    """Write the lines of a file, each cleaned by itself.

    Raises
    ------
    Misconfigured
        Profile, key, a model or the attribute are wrong.
    OSError
        The file cannot be read.
    """
    if str(arguments.text) != _STDIN:
        check_file(arguments.text)
    rules, text_class = _rules(arguments)
    with ExitStack() as stack:
        file = sys.stdin.buffer if str(arguments.text) == _STDIN else stack.enter_context(arguments.text.open("rb"))
        for line in file:
            body = line.rstrip(b"\r\n")
            value = body.decode("utf-8", "surrogateescape")
            _write(clean_text(value, rules, text_class).text + line[len(body) :].decode("ascii"))
    return Exit.OK


def _rules(arguments: Namespace) -> tuple[TextRules, TextClass]:
    log.silence_libraries()
    context = recipe(load_settings(arguments.config), arguments.profile).context()
    text_class = class_named(arguments.attribute or _DEFAULT_ATTRIBUTE)
    return text_rules(context, arguments.name or (), arguments.id or ()), text_class


def _found(text: str, cleaned: Cleaned) -> Iterator[str]:
    rows = []
    for span in cleaned.spans:
        seen = Seen(span.kind, span.finder, span.confidence)
        rows.append((f"{span.start}-{span.end}", seen_text(seen), text[span.start : span.end]))
    yield from aligned(rows) if rows else ("nothing found",)


def _write(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))

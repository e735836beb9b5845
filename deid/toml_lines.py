"""On which line of a TOML file each key stands: tomllib does not tell, and an operator wants to know.

For texts that tomllib has read: what is no TOML gives wrong lines at worst.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from typing import Final, NamedTuple

_TOKENS: Final = re.compile(
    r"""
    (?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5} | '{3}.*?'{3,5} | \"(?:[^\"\\\n]|\\.)*\" | '[^'\n]*')
    | (?P<skipped>[ \t\r]+ | \#[^\n]*)
    | (?P<newline>\n)
    | (?P<mark>[\[\]{},=])
    | (?P<bare>[^\s\[\]{},=\#\"']+)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = ("[", "{"), ("]", "}")


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def lines_of(text: str) -> Mapping[str, int]:
    """Return the lines, from 1, by the path of each key and element: ``peers.1.address``, elements counted from 1."""
    reader = _Reader(_tokens(text))
    reader.read()
    return reader.lines


def line_of(lines: Mapping[str, int], key: str) -> int | None:
    """Return the line of a key, or of what is around it; None if nothing of it stands in the file."""
    while key:
        if key in lines:
            return lines[key]
        key = key.rpartition(".")[0]
    return None


def line_said(text: str, message: str) -> int | None:
    """Return the line of the one key, or else the one value, of a file that a message about it names; None if unclear.

    Parameters
    ----------
    message
        what it allows or asks after (behind a semicolon) does not count
    """
    said = message.partition(";")[0]
    lines = lines_of(text)
    by_name: dict[str, set[int]] = {}
    for path, line in lines.items():
        for name in (path, path.rpartition(".")[2]):
            if not name.isdecimal() and re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", said):
                by_name.setdefault(name, set()).add(line)
    if by_name:
        found = by_name[max(by_name, key=len)]
    else:
        values = re.findall(r"'([^']+)'", said)
        rows = enumerate(text.split("\n"), 1)
        found = {line for line, row in rows for value in values if f'"{value}"' in row or f"'{value}'" in row}
    return found.pop() if len(found) == 1 else None


def _tokens(text: str) -> list[_Token]:
    found, line = [], 1
    for match in _TOKENS.finditer(text):
        kind = match.lastgroup or ""
        if kind != "skipped":
            found.append(_Token(kind, match[0], line))
        line += match[0].count("\n")
    return found


class _Reader:
    """Goes through the tokens once."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.lines: dict[str, int] = {}
        self._tokens = tokens
        self._at = 0
        self._tables: Counter[str] = Counter()  # of each array of tables

    def read(self) -> None:
        table = ""
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "newline":
                self._at += 1
            elif token.text == "[":
                table = self._header(token.line)
            else:
                self._pair(table)

    def _header(self, line: int) -> str:
        """Read ``[a.b]`` or ``[[a.b]]``; return the path of the table."""
        rest = self._tokens[self._at :]
        opened = len(list(takewhile(lambda token: token.text == "[", rest)))
        parts = _parts(list(takewhile(lambda token: token.text != "]", rest[opened:])))
        path = ""
        for part in parts[:-1]:
            path = _joined(path, part)
            self.lines.setdefault(path, line)
            path = _joined(path, str(self._tables[path])) if path in self._tables else path
        path = _joined(path, parts[-1]) if parts else path
        if opened == 2:
            self.lines.setdefault(path, line)
            self._tables[path] += 1
            path = _joined(path, str(self._tables[path]))
        self.lines[path] = line
        while self._at < len(self._tokens) and self._tokens[self._at].kind != "newline":
            self._at += 1
        return path

    def _pair(self, table: str) -> None:
        """Read ``key = value``."""
        first = self._tokens[self._at]
        key = list(takewhile(lambda token: token.text != "=" and token.kind != "newline", self._tokens[self._at :]))
        self._at += len(key) + 1
        path = table
        for part in _parts(key):
            path = _joined(path, part)
            self.lines.setdefault(path, first.line)
        self._value(path)

    def _value(self, path: str) -> None:
        """Read a value to its end, with the lines of what is in it."""
        opened = self._next()
        if opened is None or opened.text not in _OPENING:
            self._skip_plain()
            return
        self._at += 1
        element = 0
        while (token := self._next()) is not None and token.text not in _CLOSING:
            if token.text == ",":
                self._at += 1
            elif opened.text == "{":
                self._pair(path)
            else:
                element += 1
                inner = _joined(path, str(element))
                self.lines[inner] = token.line
                self._value(inner)
        self._at += 1

    def _skip_plain(self) -> None:
        """Go behind a value of one line; a date and a time may be two tokens."""
        first = self._at
        while self._at < len(self._tokens) and self._tokens[self._at].kind in ("text", "bare"):
            self._at += 1
        self._at = max(self._at, first + 1)

    def _next(self) -> _Token | None:
        """Return the next token that is no end of a line."""
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "newline":
            self._at += 1
        return self._tokens[self._at] if self._at < len(self._tokens) else None


def _parts(tokens: list[_Token]) -> list[str]:
    parts: list[str] = []
    for token in tokens:
        if token.kind == "text":
            parts.append(str(tomllib.loads(f"key = {token.text}")["key"]))
        elif token.kind == "bare":
            parts += [part for part in token.text.split(".") if part]
    return parts


def _joined(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part

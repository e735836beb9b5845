"""The language of RSNA CTP's DICOM anonymizer: text with calls of functions in it, as its wiki describes it.

``@function(argument,argument)``; ``@if`` and ``@select`` have two clauses in braces after them, ``@append`` one.
A backslash takes the next character as it is; quotes hide commas and brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Call", "ScriptSyntaxError", "parse_calls"]

_CLAUSES = {"if": 2, "select": 2, "append": 1}
_MOST_DEPTH = 32


class ScriptSyntaxError(ValueError):
    """A script is not written as CTP wants it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes
    ----------
    name
        without the ``@``
    arguments
        stripped, and without quotes around them
    clauses
        what stands in braces behind it, as text
    """

    name: str
    arguments: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()


def parse_calls(script: str) -> tuple[str | Call, ...]:
    """Read a script into literal texts and calls, in their order.

    Raises
    ------
    ScriptSyntaxError
        A bracket or brace is missing.
    """
    parts: list[str | Call] = []
    literal, at = "", 0
    while at < len(script):
        character = script[at]
        if character == "\\" and at + 1 < len(script):
            literal += script[at + 1]
            at += 2
        elif character == "@":
            call, at = _call(script, at + 1)
            parts += [literal] if literal.strip() else []
            parts.append(call)
            literal = ""
        else:
            literal += character
            at += 1
    return (*parts, literal) if literal.strip() else tuple(parts)


def _call(script: str, start: int) -> tuple[Call, int]:
    opened = script.find("(", start)
    if opened < 0:
        raise ScriptSyntaxError("a function has no bracket")
    name = "".join(script[start:opened].split()).lower()
    arguments = []
    at = opened + 1
    while True:
        end = _closing(script, at, ",)", "(")
        arguments.append(_unquoted(script[at:end].strip()))
        at = end + 1
        if script[end] == ")":
            break
    clauses = []
    for _ in range(_CLAUSES.get(name, 0)):
        brace = script.find("{", at)
        if brace < 0 or script[at:brace].strip():
            break  # CTP lets the second clause be left out
        end = _closing(script, brace + 1, "}", "{")
        clauses.append(script[brace + 1 : end])
        at = end + 1
    return Call(name, () if arguments == [""] else tuple(arguments), tuple(clauses)), at


def _closing(script: str, start: int, ends: str, opening: str) -> int:
    """Return where the first of `ends` stands that isn't within quotes or brackets."""
    depth = square = 0
    quoted = escaped = False
    for at in range(start, len(script)):
        character = script[at]
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in "[]":
            square += 1 if character == "[" else -1
        elif character == opening:
            depth += 1
            if depth > _MOST_DEPTH:
                raise ScriptSyntaxError("brackets are too deep")
        elif character in ends and square == 0:
            if depth == 0:
                return at
            depth -= character == ends[-1]
    raise ScriptSyntaxError(f"{ends[-1]} is missing")


def _unquoted(argument: str) -> str:
    return argument[1:-1] if len(argument) > 1 and argument[0] == argument[-1] == '"' else argument

"""Conditions in the language of RSNA CTP's DICOM filter: ``Modality.equals("US") * !([0028,0010].equals("480") + …)``.

``+`` is or, ``*`` and, ``!`` not, in rising precedence; ``true.`` and ``false.`` are words; two slashes begin a
comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from node.importing.conditions import (
    Alternatives,
    Condition,
    Unsayable,
    all_of,
    any_of,
    expression_patterns,
    matchable,
    negation,
)

__all__ = ["METHODS", "FilterSyntaxError", "methods_in", "parse_filter"]

_NAME = r"(?:\[[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\]|[A-Za-z][A-Za-z0-9]*|\[[^\]]*\])"
_TOKEN = re.compile(
    rf"\s+|//[^\n]*|(?P<operator>[+*!()])|(?P<word>true|false)\."
    rf'|(?P<name>{_NAME}(?:::{_NAME})*)\s*\.\s*(?P<method>[A-Za-z]+)\s*\(\s*"(?P<text>[^"]*)"\s*\)'
)
_ALWAYS: Alternatives = ((),)
_NEVER: Alternatives = ()
_MOST_DEPTH = 32

METHODS: Mapping[str, Callable[[str], tuple[str, ...]]] = {
    "contains": lambda text: (f"*{text}*",),
    "containsIgnoreCase": lambda text: (f"*{text}*",),
    "endsWith": lambda text: (f"*{text}",),
    "endsWithIgnoreCase": lambda text: (f"*{text}",),
    "equals": lambda text: (text,),
    "equalsIgnoreCase": lambda text: (text,),
    "matches": lambda text: expression_patterns(text, anywhere=False),
    "startsWith": lambda text: (f"{text}*",),
    "startsWithIgnoreCase": lambda text: (f"{text}*",),
}
"""Method → patterns of a template; ``isLessThan`` and ``isGreaterThan`` have none."""


class FilterSyntaxError(ValueError):
    """A condition isn't written as CTP wants it."""


def methods_in(source: str) -> list[str]:
    """Return the methods that a condition calls, in their order."""
    return [match["method"] for match in _TOKEN.finditer(source) if match["method"]]


def parse_filter(source: str) -> Alternatives:
    """Read a condition.

    Raises
    ------
    FilterSyntaxError
        It isn't written as CTP wants it.
    Unsayable
        A template can't say it.
    """
    tokens, at = [], 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise FilterSyntaxError(f"not understood at character {at + 1}")
        at = match.end()
        if match["operator"] or match["word"] or match["name"]:
            tokens.append(match)
    parser = _Parser(tokens)
    found = parser.either(0)
    if not parser.done:
        raise FilterSyntaxError("something stands after the end")
    return found


class _Parser:
    """Descends by precedence."""

    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens)

    def either(self, depth: int) -> Alternatives:
        parts = [self._both(depth)]
        while self._took("+"):
            parts.append(self._both(depth))
        return any_of(parts)

    def _both(self, depth: int) -> Alternatives:
        parts = [self._one(depth)]
        while self._took("*"):
            parts.append(self._one(depth))
        return all_of(parts)

    def _one(self, depth: int) -> Alternatives:
        if depth > _MOST_DEPTH:
            raise FilterSyntaxError("brackets are too deep")
        if self._took("!"):
            return negation(self._one(depth + 1))
        if self._took("("):
            found = self.either(depth + 1)
            if not self._took(")"):
                raise FilterSyntaxError(") is missing")
            return found
        if self.done:
            raise FilterSyntaxError("a condition is missing at the end")
        token = self._tokens[self._at]
        self._at += 1
        if token["word"]:
            return _ALWAYS if token["word"] == "true" else _NEVER
        if not token["name"]:
            raise FilterSyntaxError(f"{token['operator']} stands where a condition is expected")
        return ((_condition(token),),)

    def _took(self, operator: str) -> bool:
        if self.done or self._tokens[self._at]["operator"] != operator:
            return False
        self._at += 1
        return True


def _condition(token: re.Match[str]) -> Condition:
    method = METHODS.get(token["method"])
    if method is None:
        raise Unsayable(f"no comparison {token['method']}")
    if "::" in token["name"]:
        raise Unsayable("no attributes within Sequences")
    return Condition(matchable(token["name"]), method(token["text"]))

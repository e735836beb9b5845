"""Recipes of pydicom/deid: sections of filters whose labels say which images they are for, and where to blank them.

Lines of a label: ``contains FIELD TEXT`` and the like; one that begins with ``+`` goes with those before it by *and*,
with ``||`` by *or*, a plain one begins another alternative; ``||`` within a line joins alternatives of that line.
``coordinates`` are x0,y0,x1,y1, ``ctpcoordinates`` x,y,width,height.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from node.errors import Misconfigured
from node.importing.conditions import (
    Alternatives,
    Condition,
    Unsayable,
    all_of,
    any_of,
    expression_patterns,
    matchable,
)

__all__ = ["Label", "Recipe", "RecipeSyntaxError", "criteria_in", "parse_criteria", "read_recipe"]

_FORMAT = re.compile(r"FORMAT\s+dicom", re.IGNORECASE)
_COORDINATES = re.compile(r"(?P<kind>(?:ctp|keep|ctpkeep)?coordinates)\s+(?P<value>.+)", re.IGNORECASE)
_CRITERION = re.compile(r"(?P<kind>[a-z]+)\s+(?P<field>\S+)(?:\s+(?P<text>.+))?", re.IGNORECASE)
_NO_FIELD = ("missing", "empty", "present")


class RecipeSyntaxError(ValueError):
    """A criterion isn't written as pydicom/deid wants it."""


@dataclass(slots=True)
class Label:
    """One label: `criteria` and (kind, value) of its coordinates as they are written."""

    name: str
    criteria: list[str] = field(default_factory=list)
    coordinates: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Recipe:
    """The labels of all filters, and how many lines the other sections have."""

    labels: list[Label] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)


def read_recipe(text: str, name: str) -> Recipe:
    """Read a recipe.

    Raises
    ------
    Misconfigured
        It is none for DICOM.
    """
    recipe, section = Recipe(), ""
    lines = [_plain(line) for line in text.lstrip("\ufeff").splitlines()]
    lines = [line for line in lines if line]
    if not lines or not _FORMAT.fullmatch(lines[0]):
        raise Misconfigured(f"{name}: does not begin with FORMAT dicom, as a recipe of pydicom/deid does")
    for line in lines[1:]:
        if line.startswith("%"):
            section = line.split()[0]
        elif section != "%filter":
            recipe.others[section or "before all sections"] = recipe.others.get(section, 0) + 1
        elif line.upper().startswith("LABEL"):
            recipe.labels.append(Label(line[5:].strip()))
        elif recipe.labels:
            _take(line, recipe.labels[-1])
    return recipe


def _plain(line: str) -> str:
    """Leave a comment out: it begins with a # that has a space, or nothing, before it."""
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()


def _take(line: str, label: Label) -> None:
    if match := _COORDINATES.fullmatch(line):
        label.coordinates.append((match["kind"].lower(), match["value"].strip().lower()))
    else:
        label.criteria.append(line)


def criteria_in(label: Label) -> list[str]:
    """Return the kinds of criteria and coordinates that a label uses."""
    found = [
        part.strip("+ ").split(" ")[0].lower() for line in label.criteria for part in line.split("||") if part.strip()
    ]
    return [*found, *(kind for kind, _ in label.coordinates)]


def parse_criteria(lines: list[str]) -> Alternatives:
    """Read the criteria of a label.

    Raises
    ------
    RecipeSyntaxError
        One isn't written as pydicom/deid wants it.
    Unsayable
        A template can't say it.
    """
    groups: list[Alternatives] = []
    for line in lines:
        joined = line[0] if line.startswith("+") else "||" if line.startswith("||") else ""
        within = any_of([((_criterion(part),),) for part in line[len(joined) :].split("||")])
        if joined == "+" and groups:
            groups[-1] = all_of([groups[-1], within])
        elif joined == "||" and groups:
            groups[-1] = any_of([groups[-1], within])
        else:
            groups.append(within)
    return any_of(groups) if groups else ((),)


def _criterion(text: str) -> Condition:
    match = _CRITERION.fullmatch(text.strip())
    if match is None:
        raise RecipeSyntaxError("a criterion is not: kind, field, text")
    kind, value = match["kind"].lower(), (match["text"] or "").strip()
    if kind in _NO_FIELD:
        return Condition(matchable(match["field"]), ("",), negated=kind == "present")
    negated = kind.startswith("not")
    plain = kind.removeprefix("not")
    if plain not in {"contains", "equals"}:
        raise Unsayable(f"no criterion {kind}")
    if not value:
        raise RecipeSyntaxError(f"{kind} has no text")
    return Condition(matchable(match["field"]), expression_patterns(value, anywhere=plain == "contains"), negated)

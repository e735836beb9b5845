"""The settings as they count, each with its origin; nothing can be changed here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from node.web.users import UserRole
from node.web.visits import get

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.responses import Response

    from node.web.visits import Visit

_TOP = "node"


@dataclass(frozen=True, slots=True)
class Setting:
    """A key, its value as the file would have it, and whether the file has it."""

    key: str
    value: str
    in_file: bool


def shown(visit: Visit) -> Response:
    """Show the page."""
    path = visit.settings.config_path
    table = _table(path)
    groups: dict[str, list[Setting]] = {}
    for section, setting in effective(visit.settings, table):
        groups.setdefault(section, []).append(setting)
    return visit.page("settings.html", groups=groups, path=path, readable=path is None or table is not None)


def effective(settings: object, table: Mapping[str, Any] | None) -> Iterator[tuple[str, Setting]]:
    """Yield each setting with the table it stands in.

    Parameters
    ----------
    table
        of the file, None if it can't be read
    """
    for each in fields(settings):  # type: ignore[arg-type]  # a dataclass
        if each.name == "config_path":
            continue
        value, said = getattr(settings, each.name), (table or {}).get(each.name)
        yield from _below(each.name, value, said)


def _below(name: str, value: object, said: object) -> Iterator[tuple[str, Setting]]:
    if is_dataclass(value):
        for each in fields(value):
            yield from _inner(name, each.name, getattr(value, each.name), _get(said, each.name))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _below(f"{name}.{key}", each, _get(said, key))
    elif isinstance(value, tuple) and value and all(is_dataclass(each) for each in value):
        for index, each in enumerate(value):
            inner = said[index] if isinstance(said, list) and index < len(said) else None
            yield from _below(f"{name} {index + 1}", each, inner)
    else:
        yield _TOP, Setting(name, _text(value), said is not None)


def _inner(section: str, name: str, value: object, said: object) -> Iterator[tuple[str, Setting]]:
    if is_dataclass(value) or isinstance(value, Mapping):
        yield from _below(f"{section}.{name}", value, said)
    else:
        yield section, Setting(name, _text(value), said is not None)


def _get(table: object, key: str) -> object:
    return table.get(key) if isinstance(table, Mapping) else None


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(_text(each) for each in value) or "[]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError):
        return None


ROUTES = (get("/settings", shown, UserRole.VIEWER),)

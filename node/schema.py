"""TOML tables → frozen dataclasses: the fields' types and `Annotated` limits are the schema."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from deid.toml_lines import line_of
from node.credentials import credential
from node.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Between:
    """Limits of a number, both allowed."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Text:
    """What a text must look like: a pattern for the whole of it, and the same in words."""

    pattern: str
    words: str


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a configuration file, for messages; relative paths are taken from its folder.

    Attributes
    ----------
    lines
        of the keys, see `deid.toml_lines`
    """

    file: Path
    key: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def at(self, key: str) -> Where:
        """Go one key down."""
        return Where(self.file, f"{self.key}.{key}" if self.key else key, self.lines)

    def wrong(self, what: str, key: str = "") -> Misconfigured:
        """Say what is wrong here, on the line of this place or of a `key` in it."""
        line = line_of(self.lines, self.at(key).key if key else self.key)
        place = f"{self.file}:{line}" if line else f"{self.file}"
        return Misconfigured(f"{place}: {self.key}: {what}" if self.key else f"{place}: {what}")


def read(kind: type[T], table: object, where: Where, known: Mapping[str, object] | None = None) -> T:
    """Make a dataclass of a TOML table.

    Parameters
    ----------
    kind
        a dataclass whose fields are bool, int, float, str, Path, StrEnum, Literal of str, dataclasses, ``X | None``,
        tuples of these, or a Mapping from names to dataclasses with a field ``name``
    table
        as tomllib gives it
    where
        the table stands
    known
        field values that hold where the table says nothing

    Raises
    ------
    Misconfigured
        with the key and what is allowed there
    """
    if not isinstance(table, Mapping):
        raise where.wrong("must be a table")
    hints = get_type_hints(kind, include_extras=True)
    known = known or {}
    for key in table:
        if key not in hints or key in _NOT_IN_A_FILE:
            raise where.wrong(_unknown(str(key), [name for name in hints if name not in _NOT_IN_A_FILE]), str(key))
    values = {key: _value(hints[key], value, where.at(key)) for key, value in table.items()}
    values = {**known, **values}
    for each in fields(cast("Any", kind)):
        if each.default is MISSING and each.default_factory is MISSING and each.name not in values:
            raise where.wrong(f"needs the key {each.name!r}")
    return kind(**values)


_NOT_IN_A_FILE = frozenset({"config_path"})


def _unknown(key: str, allowed: list[str]) -> str:
    remedy = nearest(key, allowed) or f"allowed are {', '.join(sorted(allowed))}"
    return f"unknown key {key!r}; {remedy}"


def nearest(text: str, known: Collection[str]) -> str:
    """Return a question for the one of several names that is most like another; empty if none is."""
    near = difflib.get_close_matches(text, known, 1)
    return f"did you mean {near[0]!r}?" if near else ""


def _value(hint: Any, value: object, where: Where) -> object:  # noqa: ANN401  a type, as typing spells it
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *limits = get_args(hint)
        return _limited(_value(inner, value, where), limits, where)
    if origin in (Union, UnionType):
        return _value(next(kind for kind in get_args(hint) if kind is not type(None)), value, where)
    if origin is Literal:
        return _one_of(list(get_args(hint)), value, where)
    if origin is tuple:
        return _tuple(get_args(hint)[0], value, where)
    if origin is Mapping:
        return _named(get_args(hint)[1], value, where)
    return _plain(hint, value, where)


def _limited(value: object, limits: list[object], where: Where) -> object:
    for limit in limits:
        if isinstance(limit, Between) and not limit.least <= cast("float", value) <= limit.most:
            raise where.wrong(f"must be from {limit.least:g} to {limit.most:g}")
        if isinstance(limit, Text) and not re.fullmatch(limit.pattern, cast("str", value)):
            raise where.wrong(f"must be {limit.words}")
    return value


def _one_of(allowed: list[str], value: object, where: Where) -> str:
    if not isinstance(value, str) or value not in allowed:
        near = nearest(value, allowed) if isinstance(value, str) else ""
        raise where.wrong(f"must be one of {', '.join(map(repr, allowed))}" + (f"; {near}" if near else ""))
    return value


def _tuple(kind: Any, value: object, where: Where) -> tuple[object, ...]:  # noqa: ANN401  a type
    if not isinstance(value, list):
        raise where.wrong("must be a list")
    return tuple(_value(kind, each, where.at(str(index + 1))) for index, each in enumerate(value))


def _named(kind: Any, value: object, where: Where) -> dict[str, object]:  # noqa: ANN401  a type
    if not isinstance(value, Mapping):
        raise where.wrong("must be a table of tables")
    return {name: _read_named(kind, _table(each, where.at(name)), name, where.at(name)) for name, each in value.items()}


def _read_named(kind: Any, table: Mapping[str, object], name: str, where: Where) -> object:  # noqa: ANN401  a type
    """Read a table that has its name from outside; of several types of it, `kind` in it chooses one, or the first."""
    if get_origin(kind) in (Union, UnionType):
        by_kind = {_default(each, "kind"): each for each in get_args(kind)}
        chosen = _one_of(list(by_kind), table.get("kind", next(iter(by_kind))), where.at("kind"))
        kind = by_kind[chosen]
    return read(kind, {**table, "name": name}, where)


def _default(kind: Any, name: str) -> str:  # noqa: ANN401  a type
    return next(str(each.default) for each in fields(kind) if each.name == name)


def _table(value: object, where: Where) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise where.wrong("must be a table")
    return value


def _plain(kind: type, value: object, where: Where) -> object:
    if is_dataclass(kind):
        return read(kind, value, where)
    if issubclass(kind, StrEnum):
        return kind(_one_of([member.value for member in kind], value, where))
    accepted, words, convert = _PLAIN[kind]
    if type(value) not in accepted:  # exactly: True is no number
        raise where.wrong(f"must be {words}")
    return convert(value, where)


def _path(value: Any, where: Where) -> Path:  # noqa: ANN401  checked to be a str
    if not value:
        raise where.wrong("must be a path")
    return credential(value) or where.file.parent / Path(value).expanduser()


_PLAIN: Mapping[type, tuple[tuple[type, ...], str, Callable[[Any, Where], object]]] = {
    bool: ((bool,), "true or false", lambda value, _where: value),
    int: ((int,), "a whole number", lambda value, _where: value),
    float: ((int, float), "a number", lambda value, _where: float(value)),
    str: ((str,), "a text", lambda value, _where: value),
    Path: ((str,), "a path", _path),
}

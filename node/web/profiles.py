"""Profiles: what each does, read beside Table E.1-1, and how two of them differ."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import Misconfigured as DeidMisconfigured
from deid.options import OPTIONS
from deid.profile import Profile, load_profile
from deid.table import COLUMNS, attribute_name, by_type, lines, outside, private_lines, tag_text
from node import profile_diff, profile_text
from node.settings import profile_path, shipped_config
from node.web.gate import Denied
from node.web.users import UserRole
from node.web.visits import get

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from node.settings import Settings
    from node.web.visits import Visit


@dataclass(frozen=True, slots=True)
class Known:
    """A profile that can be looked at: a shipped one, or one that a project names.

    Attributes
    ----------
    projects
        that use it
    """

    name: str
    path: Path
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of Table E.1-1 with what the profile does."""

    tag: str
    name: str
    vr: str
    basic: str
    actions: str
    source: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """A profile, ready to be shown."""

    heading: tuple[str, ...]
    rows: tuple[_Row, ...]
    outside: tuple[str, ...]
    private: tuple[str, ...]
    overrides: tuple[str, ...]


def known(settings: Settings) -> dict[str, Known]:
    """Give the profiles that can be looked at, by the name that stands in an address."""
    paths = {path.stem: path for path in sorted((shipped_config() / "profiles").glob("*.toml"))}
    shipped = set(paths.values())
    own = {profile_path(project) for project in settings.projects} - shipped
    for number, path in enumerate(sorted(own), 1):
        paths[path.stem if path.stem not in paths else f"{path.stem}-{number}"] = path
    users = {path: tuple(p.name for p in settings.projects if profile_path(p) == path) for path in paths.values()}
    return {name: Known(name, path, users[path]) for name, path in paths.items()}


def listed(visit: Visit) -> Response:
    """Show all of them."""
    found = known(visit.settings)
    options = {name: _options(each.path) for name, each in found.items()}
    return visit.page("profiles.html", found=found, options=options, columns=COLUMNS, names=list(OPTIONS))


def _options(path: Path) -> frozenset[str] | str:
    """Give the options of a profile, or what is wrong with it."""
    try:
        return _profile(path, _stamp(path)).options
    except DeidMisconfigured as error:
        return str(error)


def shown(visit: Visit) -> Response:
    """Show one."""
    each = _known(visit.settings, visit.param("name"))
    others = [name for name in known(visit.settings) if name != each.name]
    try:
        found = _shown(each.path, _stamp(each.path))
    except DeidMisconfigured as error:
        raise Denied(409, str(error)) from None
    return visit.page("profile.html", each=each, found=found, others=others)


def compared(visit: Visit) -> Response:
    """Show how two differ."""
    first, second = (_known(visit.settings, visit.query(name)) for name in ("first", "second"))
    try:
        parts, settings = _difference(first.path, second.path, _stamp(first.path), _stamp(second.path))
    except DeidMisconfigured as error:
        raise Denied(409, str(error)) from None
    return visit.page("profile_diff.html", first=first, second=second, parts=parts, settings=settings)


def warm(settings: Settings) -> None:
    """Load all of them, so that nobody waits for that."""
    for each in known(settings).values():
        with suppress(DeidMisconfigured, OSError, Denied):
            _shown(each.path, _stamp(each.path))


def _known(settings: Settings, name: str) -> Known:
    try:
        return known(settings)[name]
    except KeyError:
        raise Denied(404, "There is no such profile.") from None


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        raise Denied(409, "The profile's file is not there.") from None


@lru_cache(maxsize=32)
def _profile(path: Path, _stamp: int) -> Profile:
    return load_profile(path)


@lru_cache(maxsize=32)
def _shown(path: Path, stamp: int) -> _Shown:
    profile = _profile(path, stamp)
    rows = tuple(
        _Row(
            tag_text(line.row.tag, line.row.mask),
            line.row.keyword or attribute_name(line.row.tag),
            line.row.vr,
            line.row.basic,
            by_type(line.actions),
            profile_text.short_source(line.source),
        )
        for line in lines(profile)
    )
    rest = ("X all of them, unless the instance's IOD has them",) if profile.policy.allow_list else ()
    return _Shown(
        tuple(profile_text.heading(profile)),
        rows,
        rest or tuple(profile_text.outside_table(outside(profile))),
        tuple(profile_text.private_summary(private_lines(profile))),
        tuple(profile_text.override_lines(profile.overrides)) if profile.overrides else (),
    )


@lru_cache(maxsize=32)
def _difference(
    one: Path, other: Path, stamp: int, other_stamp: int
) -> tuple[Mapping[str, list[profile_diff.Difference]], list[tuple[str, str, str]]]:
    first, second = _profile(one, stamp), _profile(other, other_stamp)
    parts = {
        "Table E.1-1": profile_diff.in_the_table(first, second),
        "Outside the table": profile_diff.outside_the_table(first, second),
        "Private elements": profile_diff.in_private(first, second),
    }
    return parts, profile_diff.settings(first, second)


ROUTES = (
    get("/profiles", listed, UserRole.VIEWER),
    get("/profiles/compare", compared, UserRole.VIEWER),
    get("/profiles/{name}", shown, UserRole.VIEWER),
)

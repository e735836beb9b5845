"""`profile list`, `profile show` and `profile diff`: what a profile does, read beside Table E.1-1."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import Refused
from deid.options import OPTIONS
from deid.overrides import sop_class_uid
from deid.profile import Profile, load_profile
from deid.standard import confidentiality_row, known_sop_classes
from deid.table import (
    attribute_name,
    attribute_tag,
    lines,
    nearest,
    outside,
    outside_attribute,
    private_lines,
    tag_text,
)
from node import profile_diff, profile_text
from node.commands.exits import Exit
from node.errors import Misconfigured
from node.layout import aligned, paragraph
from node.profile_json import line_values, outside_values, override_values, private_values, profile_values
from node.settings import Project, profile_path, shipped_config

if TYPE_CHECKING:
    from argparse import Namespace

_ALLOW_LIST = "all of them, unless the instance's IOD has them: --sop-class shows what one IOD has"


def listed(arguments: Namespace) -> int:
    """List the shipped profiles."""
    found = [(load_profile(path), _description(path)) for path in _shipped()]
    if arguments.format == "json":
        return _json([{**profile_values(profile), "description": text} for profile, text in found])
    for profile, text in found:
        options = [name for name in OPTIONS if name in profile.options] or ["no options"]
        about = [*paragraph(text.split(" "), 15, ""), *paragraph(options, 15)]
        _print(f"{name:<14} {line}" for name, line in zip_longest([profile.name], about, fillvalue=""))
    return Exit.OK


def show(arguments: Namespace) -> int:
    """Show what a profile does: all of it, with one attribute, or with private elements.

    Raises
    ------
    Misconfigured
        Profile, SOP Class or attribute are unknown.
    """
    profile, sop_class = load_profile(profile_file(arguments.name)), _sop_class(arguments.sop_class)
    show_part = _show_all
    if arguments.attribute is not None:
        show_part = partial(_show_attribute, arguments.attribute)
    elif arguments.private is not None:
        show_part = partial(_show_private, arguments.private)
    try:
        return show_part(profile, sop_class, as_json=arguments.format == "json")
    except Refused as refused:
        raise Misconfigured(f"profile {profile.name} refuses {arguments.sop_class}: {refused}") from None


def diff(arguments: Namespace) -> int:
    """Show what two profiles do differently, and why.

    Raises
    ------
    Misconfigured
        A profile or the SOP Class is unknown.
    """
    first, second = (load_profile(profile_file(name)) for name in (arguments.first, arguments.second))
    sop_class = _sop_class(arguments.sop_class)
    try:
        parts = {
            "Table E.1-1": profile_diff.in_the_table(first, second, sop_class),
            "Outside the table": profile_diff.outside_the_table(first, second, sop_class),
            "Private elements": profile_diff.in_private(first, second, sop_class),
        }
    except Refused as refused:
        raise Misconfigured(f"no rules for {arguments.sop_class}: {refused}") from None
    settings = profile_diff.settings(first, second)
    names = (first.name, second.name)
    if arguments.format == "json":
        return _json(_diff_values(names, settings, parts))
    if not settings and not any(parts.values()):
        _print([f"{names[0]} and {names[1]} do the same"])
    if settings:
        _section("Settings", aligned([("", *names), *settings]))
    for title, differences in parts.items():
        if differences:
            _section(title, profile_diff.text(differences, names))
    return Exit.OK


def profile_file(name: str) -> Path:
    """Return the file of a profile given by its shipped name or its path.

    Raises
    ------
    Misconfigured
        There is none.
    """
    path = profile_path(Project("shown", profile=name))
    if path.exists():
        return path
    shipped = ", ".join(each.stem for each in _shipped())
    if path.parent == shipped_config() / "profiles":
        raise Misconfigured(f"no profile is called {name!r}; there are {shipped}, or a TOML file's path")
    raise Misconfigured(f"there is no profile {path}; name a shipped one ({shipped}) or a TOML file that is there")


def shipped_profiles() -> list[tuple[str, str]]:
    """Return name and description of each shipped profile."""
    return [(path.stem, _description(path)) for path in _shipped()]


def _shipped() -> list[Path]:
    return sorted((shipped_config() / "profiles").glob("*.toml"))


def _description(path: Path) -> str:
    return str(tomllib.loads(path.read_text(encoding="utf-8")).get("description", ""))


def _sop_class(name: str | None) -> str:
    if name is None:
        return ""
    uid = sop_class_uid(name)
    if uid is None:
        raise Misconfigured(f"no storage SOP Class is called {name!r}{nearest(name, _sop_class_keywords())}")
    return uid


def _sop_class_keywords() -> list[str]:
    from pydicom._uid_dict import UID_dictionary  # noqa: PLC0415  for one message

    return [UID_dictionary[uid][4] for uid in known_sop_classes() if uid in UID_dictionary]


def _show_all(profile: Profile, sop_class: str, *, as_json: bool) -> int:
    rows, groups = lines(profile, sop_class), outside(profile, sop_class)
    private = private_lines(profile, "", sop_class)
    if as_json:
        return _json(
            {
                **profile_values(profile),
                "sop_class": sop_class,
                "table": [line_values(line) for line in rows],
                "outside": [outside_values(group) for group in groups],
                "private": [private_values(line) for line in private],
                "overrides": override_values(profile.overrides),
            }
        )
    _print(profile_text.heading(profile))
    table = [*profile_text.table(rows, by_place=bool(sop_class))]
    if not sop_class:
        table += profile_text.private_row("C" if "retain_safe_private" in profile.options else "X")
    _section("Table E.1-1", table)
    depends = profile.policy.allow_list and not sop_class
    _section("Outside the table", [f"X {_ALLOW_LIST}"] if depends else profile_text.outside_table(groups))
    _section("Private elements (see --private)", profile_text.private_summary(private))
    if profile.overrides:
        _section("Overrides", profile_text.override_lines(profile.overrides))
    return Exit.OK


def _show_attribute(text: str, profile: Profile, sop_class: str, *, as_json: bool) -> int:
    tag = attribute_tag(text)
    row = confidentiality_row(tag)
    if tag >> 16 & 1:
        raise Misconfigured(f"{tag_text(tag)} is private: what it is depends on its creator; see --private CREATOR")
    if row is None:
        group = outside_attribute(profile, tag, sop_class)
        if as_json:
            return _json({**profile_values(profile), "sop_class": sop_class, **outside_values(group)})
        rows = [("Tag", "Attribute", "VR", "Action", "Source")]
        rows.append((tag_text(tag), attribute_name(tag), group.vr, group.rule.action.value, group.rule.source))
        _print(aligned(rows))
        return Exit.OK
    found = [line for line in lines(profile, sop_class) if line.row == row]
    if as_json:
        return _json({**profile_values(profile), "sop_class": sop_class, **line_values(found[0])})
    _print(profile_text.table(found, by_place=bool(sop_class)))
    _print([f"Source: {found[0].source}"] if not sop_class else [])
    return Exit.OK


def _show_private(creator: str, profile: Profile, sop_class: str, *, as_json: bool) -> int:
    found = private_lines(profile, creator, sop_class)
    if as_json:
        return _json({**profile_values(profile), "private": [private_values(line) for line in found]})
    _print(profile_text.private_elements(found) if creator else profile_text.creators(found))
    return Exit.OK


_Parts = dict[str, list[profile_diff.Difference]]


def _diff_values(names: tuple[str, str], settings: list[tuple[str, str, str]], parts: _Parts) -> object:
    values: dict[str, object] = {"profiles": names}
    values["settings"] = {what: {"first": one, "second": other} for what, one, other in settings}
    for title, found in parts.items():
        values[title.lower().replace(" ", "_")] = [asdict(item) for item in found]
    return values


def _section(title: str, body: Iterable[str]) -> None:
    _print(["", title, ""])
    _print(body)


def _print(text: Iterable[str]) -> None:
    for line in text:
        sys.stdout.write(f"{line}\n")


def _json(values: object) -> int:
    sys.stdout.write(json.dumps(values, indent=2) + "\n")
    return Exit.OK

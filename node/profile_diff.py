"""What two profiles do differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deid.actions import Rule
from deid.options import OPTIONS
from deid.profile import Profile
from deid.table import attribute_name, by_type, lines, outside, private_lines, tag_text
from node.layout import aligned, broken
from node.profile_json import pixel_values
from node.profile_text import private_tag, short_source

_NAME_WIDTH = 31
_SHARED_ATTRIBUTES = 3


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the profiles does."""

    actions: str
    source: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the profiles do differently.

    Attributes
    ----------
    tag, name
        the attribute; of several private elements of one creator, their number and the creator
    first, second
        what the first and the second profile do
    """

    tag: str
    name: str
    first: Side
    second: Side


def settings(first: Profile, second: Profile) -> list[tuple[str, str, str]]:
    """Return what the profiles lay down differently for all attributes: what, in the first, in the second."""
    rows = [(name, _yes(name in first.options), _yes(name in second.options)) for name in OPTIONS]
    rows.append(("text", first.text, second.text))
    for name in sorted({*first.thresholds, *second.thresholds}):
        one, other = (f"{side.thresholds.get(name, 'usual')}" for side in (first, second))
        rows.append((f"text.thresholds.{name}", one, other))
    rows.append(("allow_list", _yes(first.policy.allow_list), _yes(second.policy.allow_list)))
    rows.append(("character_set", first.character_set, second.character_set))
    if first.pixels is not None and second.pixels is not None:
        one_by_key, other_by_key = pixel_values(first.pixels), pixel_values(second.pixels)
        rows += [(f"pixels.{key}", str(one_by_key[key]), str(other_by_key[key])) for key in one_by_key]
    return [row for row in rows if row[1] != row[2]]


def in_the_table(first: Profile, second: Profile, sop_class_uid: str = "") -> list[Difference]:
    """Return the rows of Table E.1-1 that the profiles apply differently.

    Raises
    ------
    Refused
        A profile has no rules for the SOP Class.
    """
    pairs = zip(lines(first, sop_class_uid), lines(second, sop_class_uid), strict=True)
    return [
        Difference(
            tag_text(one.row.tag, one.row.mask),
            one.row.keyword or attribute_name(one.row.tag),
            Side(by_type(one.actions), one.source),
            Side(by_type(other.actions), other.source),
        )
        for one, other in pairs
        if one.actions != other.actions
    ]


def outside_the_table(first: Profile, second: Profile, sop_class_uid: str = "") -> list[Difference]:
    """Return what the profiles do differently with attributes without a row, by VR where many share it.

    Raises
    ------
    Refused
        A profile has no rules for the SOP Class.
    """
    rules: list[dict[int, tuple[str, Rule]]] = [
        {tag: (group.vr, group.rule) for group in outside(profile, sop_class_uid) for tag in group.tags}
        for profile in (first, second)
    ]
    groups: dict[tuple[str, Rule, Rule], list[int]] = {}
    for tag, (vr, one) in rules[0].items():
        other = rules[1][tag][1]
        if (one.action, one.means) != (other.action, other.means):
            groups.setdefault((vr, one, other), []).append(tag)
    return [
        found for (vr, one, other), tags in groups.items() for found in _grouped(vr, tags, _side(one), _side(other))
    ]


def in_private(first: Profile, second: Profile, sop_class_uid: str = "") -> list[Difference]:
    """Return the listed private elements that the profiles treat differently, counted by creator.

    Raises
    ------
    Refused
        A profile has no rules for the SOP Class.
    """
    pairs = zip(private_lines(first, "", sop_class_uid), private_lines(second, "", sop_class_uid), strict=True)
    counts: Counter[tuple[str, Side, Side]] = Counter()
    where: dict[tuple[str, Side, Side], int] = {}
    for one, other in pairs:
        if one.rule.action != other.rule.action:
            key = (one.row.creator, _side(one.rule), _side(other.rule))
            counts[key] += 1
            where[key] = one.row.tag
    return [
        Difference(private_tag(where[key]) if count == 1 else f"{count} elements", f'"{key[0]}"', *key[1:])
        for key, count in counts.items()
    ]


def text(differences: Sequence[Difference], names: tuple[str, str]) -> Iterator[str]:
    """Yield differences as aligned lines."""
    rows = [("Tag", "Attribute", names[0], "source", names[1], "source")]
    for item in differences:
        name, *rest = broken(item.name, _NAME_WIDTH)
        first, second = item.first, item.second
        rows.append((item.tag, name, first.actions, _short(first), second.actions, _short(second)))
        rows += [("", more, "", "", "", "") for more in rest]
    yield from aligned(rows, gap=1)


def _grouped(vr: str, tags: Sequence[int], first: Side, second: Side) -> Iterator[Difference]:
    if len(tags) > _SHARED_ATTRIBUTES:
        yield Difference(f"{len(tags)} of", f"VR {vr}", first, second)
        return
    for tag in tags:
        yield Difference(tag_text(tag), attribute_name(tag), first, second)


def _yes(is_so: bool) -> str:  # noqa: FBT001  a word for it
    return "yes" if is_so else "no"


def _side(rule: Rule) -> Side:
    return Side(rule.action.value, rule.source)


def _short(side: Side) -> str:
    return short_source(side.source)

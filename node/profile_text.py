"""A profile as text: what `deid-node profile show` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from deid.actions import Action, Rule
from deid.options import BASIC_PROFILE, OPTIONS
from deid.overrides import Override
from deid.pixels.rules import PixelRules
from deid.profile import Profile
from deid.standard import EDITION, Row
from deid.table import (
    COLUMNS,
    PRIVATE_ATTRIBUTES,
    TYPES,
    Line,
    Outside,
    Place,
    PrivateLine,
    attribute_name,
    private_name,
    tag_text,
)
from node.layout import aligned, broken, paragraph

_NAME_WIDTH = 31
_LISTED_ATTRIBUTES = 40
_VRS_INDENT, _NAMES_INDENT = 4, 8
_ROW = "{:<11} {:<31} {:<5} {:<6} {:<19}  {:<11}  {}"


def heading(profile: Profile) -> Iterator[str]:
    """Yield what a profile is: the options, where each stands in the table, its code, and what it asks for."""
    claimed = {code.value for code in profile.method_codes}
    yield f"profile {profile.name}: {EDITION}"
    yield f"{BASIC_PROFILE.meaning} ({BASIC_PROFILE.value}), and of its options:"
    yield ""
    rows = [("column", "option", "code", "in this profile")]
    for name, option in OPTIONS.items():
        state = "no"
        if name in profile.options:
            step = f"; asks for the step {option.demand}" if option.demand in profile.demands else ""
            state = f"yes{step}" if option.code.value in claimed else f"yes, by {profile.text}; not claimed"
        rows.append((COLUMNS.get(name, "-"), name, option.code.value, state))
    yield from aligned(rows)
    if profile.policy.allow_list:
        yield ""
        yield "An allow-list: outside the table only what the instance's IOD has, of its texts only known terms."
    if profile.text == "ner" and profile.thresholds:
        yield ""
        values = ", ".join(f"{name} {value:g}" for name, value in profile.thresholds.items())
        yield f"The network's words are taken out of texts from these probabilities on: {values}."
    if profile.pixels is not None:
        yield ""
        yield from _pixels(profile.pixels)
    if profile.character_set == "utf-8":
        yield ""
        yield "All texts in UTF-8 (ISO_IR 192), whatever they came in."


def _pixels(rules: PixelRules) -> Iterator[str]:
    """Yield what is done with pixels beside masking the text that is found in them."""
    stays = "lines of the vocabulary of markers stay" if rules.markers is not None else "no line that is found stays"
    screens = ", ".join(f"{kind}: {treatment}" for kind, treatment in rules.screens.items())
    templates = f"{len(rules.files.templates)} device templates"
    yield from paragraph(["Pixels: every frame is looked at", stays, templates, f"screens {screens}"], 0, ";")
    if rules.skip:
        yield f"Nobody looks at what these rules are for: {', '.join(skip.name for skip in rules.skip)}."
    if rules.series_memory:
        yield "What is masked depends on the order in which a series' instances come (series_memory)."


def table(lines: Sequence[Line], *, by_place: bool = False) -> Iterator[str]:
    """Yield Table E.1-1 with what a profile does.

    Parameters
    ----------
    lines
        the rows
    by_place
        say what is done in one IOD, place by place, instead of for each Type
    """
    columns = list(COLUMNS.values())
    yield _row("", "", "", "", " ".join(name[0] for name in columns), "at Type", "")
    last = "Type Action" if by_place else " ".join(TYPES)
    yield _row("Tag", "Attribute", "VR", "Basic", " ".join(name[1] for name in columns), last, "Source")
    for line in lines:
        yield from _places(line) if by_place else _line(line.row, _by_type(line), short_source(line.source))


def private_row(rule: str) -> Iterator[str]:
    """Yield the table's row for private attributes; `rule` says what the profile does with them."""
    yield from _line(PRIVATE_ATTRIBUTES, " ".join(f"{rule:<{len(type_)}}" for type_ in TYPES), "private")


def outside_table(groups: Sequence[Outside]) -> Iterator[str]:
    """Yield the rules for attributes that the table has no row for, those that are few by name."""
    largest = {vr: max(of_vr, key=lambda group: len(group.tags)) for vr, of_vr in _by_vr(groups)}
    keyed = sorted(groups, key=lambda group: (group.rule.action, group.rule.source))
    for rule, same in groupby(keyed, key=lambda group: group.rule):
        alike = list(same)
        yield f"{rule.action} {rule.source}"
        yield from _indented([f"{group.vr} {len(group.tags)}" for group in alike], _VRS_INDENT)
        rare = [group for group in alike if group is not largest[group.vr] or group.vr in {"DA", "DT", "TM", "PN"}]
        names = [attribute_name(tag) for group in rare for tag in group.tags]
        if 0 < len(names) <= _LISTED_ATTRIBUTES:
            yield from _indented(names, _NAMES_INDENT)


def private_summary(lines: Iterable[PrivateLine]) -> Iterator[str]:
    """Yield how many private elements of each list are kept, shifted, replaced and removed."""
    counts = Counter((line.rule.action, line.row.source) for line in lines)
    yield from aligned(
        [
            ("action", "elements", "list"),
            *((action, str(count), source) for (action, source), count in sorted(counts.items())),
        ]
    )


def creators(lines: Iterable[PrivateLine]) -> Iterator[str]:
    """Yield one line for each Private Creator."""
    rows: list[tuple[str, ...]] = [("K", "C", "U", "X", "Private Creator")]
    for creator, own in groupby(lines, key=lambda line: line.row.creator):
        counts = Counter(line.rule.action for line in own)
        rows.append((*(str(counts[action] or ".") for action in (Action.K, Action.C, Action.U, Action.X)), creator))
    yield from aligned(rows)


def private_elements(lines: Iterable[PrivateLine]) -> Iterator[str]:
    """Yield one line for each element of a Private Creator's list."""
    for creator, own in groupby(lines, key=lambda line: line.row.creator):
        yield f'"{creator}"'
        rows = [("Tag", "VR", "Action", "Source", "Name")]
        for line in own:
            tag = private_tag(line.row.tag)
            name = private_name(creator, line.row.tag)
            rows.append((tag, line.row.vr, line.rule.action.value, line.rule.source.removeprefix("private "), name))
        yield from aligned(rows)


def override_lines(overrides: Sequence[Override]) -> Iterator[str]:
    """Yield the operator's own actions."""
    rows = [("Action", "SOP Class", "Attribute")]
    rows += [(item.action, item.sop_class or "all", item.attribute) for item in overrides]
    yield from aligned(rows)


def private_tag(tag: int) -> str:
    """Return the tag of a private element in whatever block: ``(0029,xx10)``."""
    return f"({tag >> 16:04X},xx{tag & 0xFF:02X})"


def short_source(source: str) -> str:
    """Return a rule's source in few columns: an option by its column, an override without its attribute."""
    if source == "not in a Data Set":
        return "no data"
    kind, _, option = source.partition(" ")
    if kind == "option":
        return f"option {COLUMNS.get(option, option)}"
    return kind if kind == "override" else source


def _row(*cells: str) -> str:
    return _ROW.format(*cells).rstrip()


def _line(row: Row, actions: str, source: str) -> Iterator[str]:
    cells = " ".join(row.options.get(option, ".") for option in COLUMNS)
    name = row.keyword or attribute_name(row.tag)
    first, *rest = broken(name, _NAME_WIDTH)
    yield _row(tag_text(row.tag, row.mask), first, row.vr.replace(" or ", "/"), row.basic, cells, actions, source)
    for line in rest:
        yield _row("", line, "", "", "", "", "")


def _places(line: Line) -> Iterator[str]:
    """Yield a row with the rule at the top level, then the Sequences where another one counts."""
    top = next((place for place in line.places if not place.parent), None)
    rule = top.rule if top else line.rules["3"]
    yield from _line(line.row, _at_place(top, rule), short_source(rule.source))
    for place in line.places:
        if place.parent and (place.rule.action, place.rule.source) != (rule.action, rule.source):
            first, *rest = broken(f"in {attribute_name(place.parent)}", _NAME_WIDTH)
            yield _row("", first, "", "", "", _at_place(place, place.rule), short_source(place.rule.source))
            yield from (_row("", more, "", "", "", "", "") for more in rest)


def _at_place(place: Place | None, rule: Rule) -> str:
    return f"{place.type if place else '-':<4} {rule.action.value}"


def _by_type(line: Line) -> str:
    return " ".join(f"{action.value:<{len(type_)}}" for type_, action in zip(TYPES, line.actions, strict=True))


def _by_vr(groups: Sequence[Outside]) -> Iterator[tuple[str, list[Outside]]]:
    for vr, of_vr in groupby(sorted(groups, key=lambda group: group.vr), key=lambda group: group.vr):
        yield vr, list(of_vr)


def _indented(items: Iterable[str], indent: int) -> Iterator[str]:
    yield from (" " * indent + line for line in paragraph(items, indent))

"""A profile as a table: the rows of Table E.1-1 with what the profile does, and its rules for everything else.

What commands print and what CONFORMANCE.md states is asked of the same `Rules` that clean instances.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from deid.actions import Action, Rule
from deid.errors import Misconfigured
from deid.profile import Profile
from deid.rules import Rules
from deid.standard import Row, attribute_places, confidentiality_row, confidentiality_rows
from deid.standard.private import PrivateRow, private_rows

__all__ = [
    "COLUMNS",
    "PRIVATE_ATTRIBUTES",
    "TYPES",
    "Line",
    "Outside",
    "Place",
    "PrivateLine",
    "attribute_name",
    "attribute_tag",
    "by_type",
    "lines",
    "nearest",
    "outside",
    "outside_attribute",
    "private_lines",
    "private_name",
    "tag_text",
]

TYPES = ("1", "1C", "2", "2C", "3")
"""Types of attributes (PS3.5 Section 7.4); what isn't in the IOD is treated as Type 3."""

COLUMNS: Mapping[str, str] = {
    "retain_safe_private": "SP",
    "retain_uids": "UI",
    "retain_device_identity": "DI",
    "retain_institution_identity": "II",
    "retain_patient_characteristics": "PC",
    "retain_long_full_dates": "FD",
    "retain_long_modified_dates": "MD",
    "clean_descriptors": "CD",
    "clean_structured_content": "CS",
    "clean_graphics": "CG",
}
"""Options with a column in Table E.1-1, in its order, and how they are called where there is little room."""

PRIVATE_ATTRIBUTES = Row(0x0001_0000, 0x0001_0000, "PrivateAttributes", "", "X", {"retain_safe_private": "C"})
"""The row of Table E.1-1 for all attributes in odd groups."""

_WHOLE, _WHOLE_GROUP = 0xFFFFFFFF, 0xFF000000
_TOP_LEVEL = 0
_FIRST_GROUP = 0x0008
_TAG = re.compile(r"\(?([0-9A-F]{2}(?:[0-9A-F]{2}|xx)),?([0-9A-F]{4}|xxxx)\)?", re.IGNORECASE)
_UNNAMED = {0x5000_0000: "CurveData"}


@dataclass(frozen=True, slots=True)
class Place:
    """An attribute in an IOD: the Sequence that holds it (0: top level), its Type there, and its rule."""

    parent: int
    type: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Line:
    """One row of Table E.1-1 and what a profile makes of it.

    Attributes
    ----------
    row
        the standard's
    rules
        Type → rule, wherever an IOD gives the attribute that Type
    places
        where the IOD of the SOP Class that was asked for has it, the top level first
    """

    row: Row
    rules: Mapping[str, Rule]
    places: tuple[Place, ...] = ()

    @property
    def source(self) -> str:
        """The row, option or override that decides; the same for all Types."""
        return self.rules["3"].source

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions for `TYPES`."""
        return tuple(self.rules[type_].action for type_ in TYPES)


@dataclass(frozen=True, slots=True)
class Outside:
    """Attributes that Table E.1-1 has no row for and that share VR and rule."""

    vr: str
    rule: Rule
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PrivateLine:
    """A private element that a list knows, and what a profile makes of it."""

    row: PrivateRow
    rule: Rule


def lines(profile: Profile, sop_class_uid: str = "") -> list[Line]:
    """Return Table E.1-1 as a profile applies it, in ascending order of tag.

    Parameters
    ----------
    profile
        whose actions
    sop_class_uid
        the SOP Class whose overrides and whose IOD's places count; empty: the profile's own overrides alone

    Raises
    ------
    Refused
        The SOP Class is not a known storage SOP Class, or the profile has an allow-list and there is none for it.
    """
    rules = _rules(profile, sop_class_uid)
    places = attribute_places(sop_class_uid) if sop_class_uid else {}
    return [_line(row, rules, places.get(row.tag, {})) for row in confidentiality_rows()]


def outside(profile: Profile, sop_class_uid: str = "") -> list[Outside]:
    """Return what a profile does at the top level with the attributes of PS3.6 that Table E.1-1 has no row for.

    Raises
    ------
    Refused
        The SOP Class is not a known storage SOP Class, or the profile has an allow-list and there is none for it.
    """
    rules = _rules(profile, sop_class_uid)
    groups: dict[tuple[str, Rule], list[int]] = {}
    for tag, vr in _tags_outside():
        groups.setdefault((vr, rules.rule(tag, vr.split(" or ")[0], _TOP_LEVEL)), []).append(tag)
    found = [Outside(vr, rule, tuple(tags)) for (vr, rule), tags in groups.items()]
    return sorted(found, key=lambda group: (group.vr, -len(group.tags)))


def outside_attribute(profile: Profile, tag: int, sop_class_uid: str = "") -> Outside:
    """Return what a profile does at the top level with one attribute that Table E.1-1 has no row for.

    Raises
    ------
    Refused
        The SOP Class is not a known storage SOP Class, or the profile has an allow-list and there is none for it.
    """
    vr = next((vr for known, vr in _tags_outside() if known == tag), "UN")
    rule = _rules(profile, sop_class_uid).rule(tag, vr.split(" or ")[0], _TOP_LEVEL)
    return Outside(vr, rule, (tag,))


def private_lines(profile: Profile, creator: str = "", sop_class_uid: str = "") -> list[PrivateLine]:
    """Return what a profile does with each private element that a list knows, by creator and tag.

    Parameters
    ----------
    profile
        whose actions
    creator
        only those of this Private Creator, upper and lower case alike; empty: all
    sop_class_uid
        the SOP Class whose overrides count too

    Raises
    ------
    Misconfigured
        No list knows the creator.
    Refused
        The SOP Class is not a known storage SOP Class, or the profile has an allow-list and there is none for it.
    """
    rules = _rules(profile, sop_class_uid)
    rows = [row for row in private_rows() if not creator or row.creator.casefold() == creator.casefold()]
    if not rows:
        known = sorted({row.creator for row in private_rows()})
        raise Misconfigured(f"no list knows the private creator {creator!r}{nearest(creator, known)}")
    rows.sort(key=lambda row: (row.creator.casefold(), row.creator, row.tag))
    return [PrivateLine(row, rules.private_rule(row.creator, row.tag, row.vr)) for row in rows]


def _rules(profile: Profile, sop_class_uid: str) -> Rules:
    return profile.rules(sop_class_uid) if sop_class_uid else Rules(profile.policy, "")


def _line(row: Row, rules: Rules, types: Mapping[int, str]) -> Line:
    vr = row.vr.split(" or ")[0]
    places = (Place(parent, type_, rules.rule(row.tag, vr, parent)) for parent, type_ in sorted(types.items()))
    return Line(row, {type_: rules.rule_of_type(row, type_) for type_ in TYPES}, tuple(places))


@cache
def _tags_outside() -> tuple[tuple[int, str], ...]:
    """Tags and VRs of the attributes of PS3.6 that instances can have and Table E.1-1 has no row for."""
    repeating = {int(text.replace("x", "0"), 16): entry for text, entry in RepeatersDictionary.items()}
    known = {tag: str(entry[0]) for tag, entry in sorted({**DicomDictionary, **repeating}.items())}
    return tuple(
        (tag, vr)
        for tag, vr in known.items()
        if tag >> 16 >= _FIRST_GROUP and vr != "NONE" and confidentiality_row(tag) is None
    )


def by_type(actions: Sequence[Action]) -> str:
    """Return actions for `TYPES` in one cell: ``X``, or ``X, 1 1C:D, 2 2C:Z`` with the exceptions to Type 3's."""
    usual = actions[-1]
    exceptions: dict[Action, list[str]] = {}
    for type_, action in zip(TYPES, actions, strict=True):
        if action is not usual:
            exceptions.setdefault(action, []).append(type_)
    return ", ".join([usual.value, *(f"{' '.join(types)}:{action}" for action, types in exceptions.items())])


# Names


def tag_text(tag: int, mask: int = _WHOLE) -> str:
    """Return a tag as PS3.6 writes it, with x where a group repeats."""
    if tag == PRIVATE_ATTRIBUTES.tag and mask == PRIVATE_ATTRIBUTES.mask:
        return "(odd group)"
    digits = f"{tag:08X}"
    if mask != _WHOLE:
        digits = digits[:2] + "xx" + (digits[4:] if mask != _WHOLE_GROUP else "xxxx")
    return f"({digits[:4]},{digits[4:]})"


def attribute_name(tag: int) -> str:
    """Return an attribute's keyword, empty for one that isn't known."""
    row = confidentiality_row(tag)
    return (row.keyword if row else "") or keyword_for_tag(tag) or _UNNAMED.get(row.tag if row else tag, "")


def private_name(creator: str, tag: int) -> str:
    """Return the name of a private element by pydicom's private dictionary, empty if it has none."""
    entries = private_dictionaries.get(creator, {})
    group, element = tag >> 16, tag & 0xFF
    entry = entries.get(f"{group:04X}xx{element:02X}") or entries.get(f"{group:04x}xx{element:02x}")
    return entry[2] if entry else ""


def attribute_tag(text: str) -> int:
    """Return the tag of a standard attribute given by keyword or tag.

    Raises
    ------
    Misconfigured
        There is no such attribute; the message names the nearest keyword.
    """
    match = _TAG.fullmatch(text)
    newer = {row.keyword: row.tag for row in confidentiality_rows() if row.keyword}
    tag = (
        int((match[1] + match[2]).lower().replace("x", "0"), 16) if match else tag_for_keyword(text) or newer.get(text)
    )
    if tag is None:
        keywords = {entry[4] for entry in DicomDictionary.values()} | newer.keys()
        raise Misconfigured(f"no attribute is called {text!r}{nearest(text, keywords)}")
    if not tag >> 16 & 1 and confidentiality_row(tag) is None and not keyword_for_tag(tag):
        raise Misconfigured(f"no attribute of the standard has the tag {tag_text(tag)}")
    return tag


def nearest(text: str, known: Iterable[str]) -> str:
    """Return the end of a message that says what `text` may have meant, empty if nothing is near."""
    by_folded = {name.casefold(): name for name in sorted(known) if name}
    near = difflib.get_close_matches(text.casefold(), by_folded, 1)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""

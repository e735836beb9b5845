"""From Table E.1-1, its options and an operator's overrides to one Rule for each element (PS3.15 Annex E)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydicom.datadict import get_entry, tag_for_keyword

from deid.errors import Misconfigured, Reason, Refused
from deid.standard import attribute_type, confidentiality_row, confidentiality_rows, is_known_sop_class
from deid.standard.beyond import REMOVED_BESIDE_THE_TABLE, UIDS_OF_NO_INSTANCE

if TYPE_CHECKING:
    from pathlib import Path

    from deid.standard import Row


class Action(StrEnum):
    """What to do with an element (PS3.15 Table E.1-1a)."""

    D = "D"
    """replace with a non-zero length dummy value that the VR allows"""
    Z = "Z"
    """replace with a zero length value, or a dummy"""
    X = "X"
    """remove"""
    K = "K"
    """keep; of a Sequence: keep, and go through its items"""
    C = "C"
    """replace with a value of similar meaning that doesn't identify"""
    U = "U"
    """replace with a consistent new UID; of a Sequence: go through its items, whose UIDs are replaced"""


@dataclass(frozen=True, slots=True)
class Code:
    """A code of CID 7050 De-identification Method (PS3.16); its scheme is DCM."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the Basic Profile (PS3.15 Section E.3).

    Attributes
    ----------
    code
        what De-identification Method Code Sequence says where the option was applied
    demand
        the step beyond the elements' table that the option can't be claimed without, empty if there is none
    """

    code: Code
    demand: str = ""


BASIC_PROFILE = Code("113100", "Basic Application Confidentiality Profile")

OPTIONS: Mapping[str, Option] = {
    "clean_pixel_data": Option(Code("113101", "Clean Pixel Data Option"), "pixels"),
    "clean_recognizable_visual_features": Option(Code("113102", "Clean Recognizable Visual Features Option"), "faces"),
    "clean_graphics": Option(Code("113103", "Clean Graphics Option"), "graphics"),
    "clean_structured_content": Option(Code("113104", "Clean Structured Content Option"), "structured_content"),
    "clean_descriptors": Option(Code("113105", "Clean Descriptors Option"), "text"),
    "retain_long_full_dates": Option(
        Code("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    ),
    "retain_long_modified_dates": Option(
        Code("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ),
    "retain_patient_characteristics": Option(Code("113108", "Retain Patient Characteristics Option")),
    "retain_device_identity": Option(Code("113109", "Retain Device Identity Option")),
    "retain_uids": Option(Code("113110", "Retain UIDs Option")),
    "retain_safe_private": Option(Code("113111", "Retain Safe Private Option"), "private"),
    "retain_institution_identity": Option(Code("113112", "Retain Institution Identity Option")),
}

_DATES = {"retain_long_full_dates": Action.K, "retain_long_modified_dates": Action.C}

# The first action of a compound code that is in the code, by the attribute's Type: D where a value is demanded, Z where
# the attribute is, X where neither is.
_PREFERENCE: Mapping[str | None, str] = {"1": "DZX", "1C": "DZX", "2": "ZDX", "2C": "ZDX", "3": "XZD", None: "XZD"}

_X_BY_TYPE: Mapping[str | None, Action] = {"1": Action.D, "2": Action.Z}

_NO_DATA_SET_GROUPS = frozenset({0x0000, 0x0002, 0xFFFC, 0xFFFE})
_TEMPORAL_VRS = frozenset({"DA", "DT", "TM"})
_MEMO_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one element, and why.

    Attributes
    ----------
    action
        what to do
    fallback
        what the Basic Profile does: to be done where `action` is C and this value can't be cleaned
    source
        ``E.1-1``, ``option …``, ``override …``, ``not in E.1-1``, ``private``, ``unknown`` or ``not in a Data Set``
    """

    action: Action
    fallback: Action
    source: str


_PRIVATE = Rule(Action.X, Action.X, "private")
_UNKNOWN = Rule(Action.X, Action.X, "unknown")
_NO_DATA = Rule(Action.X, Action.X, "not in a Data Set")


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's own action for an attribute, at every depth.

    Attributes
    ----------
    attribute
        as the operator wrote it: keyword or tag
    tag
        the attribute's tag
    action
        what to do with it whatever table and options say
    """

    attribute: str
    tag: int
    action: Action


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Profile with options and overrides.

    Attributes
    ----------
    name
        how configuration and reports call it
    options
        names of `OPTIONS`
    overrides
        in ascending order of tag
    """

    name: str
    options: frozenset[str] = frozenset()
    overrides: tuple[Override, ...] = ()
    _rules: dict[str, Rules] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_options(
        cls, name: str, options: Iterable[str] = (), overrides: Mapping[str, str] | None = None
    ) -> Profile:
        """Check and build a profile.

        Parameters
        ----------
        name
            how to call it
        options
            names of `OPTIONS`
        overrides
            keyword or tag ``(gggg,eeee)`` → one of D Z X K C U

        Raises
        ------
        Misconfigured
            An option, an attribute or an action is unknown, or two of them contradict each other.
        """
        chosen = frozenset(options)
        if unknown := sorted(chosen - set(OPTIONS)):
            raise Misconfigured(f"profile {name}: unknown option {unknown[0]!r}; allowed: {', '.join(OPTIONS)}")
        if chosen >= set(_DATES):
            raise Misconfigured(f"profile {name}: {' and '.join(_DATES)} contradict each other; choose one")
        parsed = sorted((_override(name, *item) for item in (overrides or {}).items()), key=lambda item: item.tag)
        for one, other in pairwise(parsed):
            if one.tag == other.tag:
                raise Misconfigured(f"profile {name}: {one.attribute} and {other.attribute} are the same attribute")
        return cls(name, chosen, tuple(parsed))

    @property
    def demands(self) -> frozenset[str]:
        """Steps beyond the elements' table that the options need before they can be claimed."""
        return frozenset(OPTIONS[option].demand for option in self.options) - {""}

    @property
    def method_codes(self) -> tuple[Code, ...]:
        """Codes of the Basic Profile and of all options (PS3.16 CID 7050), in ascending order."""
        return (BASIC_PROFILE, *sorted((OPTIONS[name].code for name in self.options), key=lambda code: code.value))

    def rules(self, sop_class_uid: str) -> Rules:
        """Rules for the instances of one SOP Class.

        Raises
        ------
        Refused
            The SOP Class is not a known storage SOP Class.
        """
        found = self._rules.get(sop_class_uid)
        if found is None:
            if not is_known_sop_class(sop_class_uid):
                raise Refused(Reason.UNSUPPORTED_SOP_CLASS)
            found = self._rules[sop_class_uid] = Rules(self, sop_class_uid)
        return found


class Rules:
    """One profile for one SOP Class: a Rule for every element there can be.

    The same few hundred elements come in every instance of a SOP Class: what was resolved once is looked up.
    """

    __slots__ = ("_memo", "_options", "_overrides", "_sop_class_uid")

    def __init__(self, profile: Profile, sop_class_uid: str) -> None:
        self._options = profile.options
        self._overrides = {override.tag: override for override in profile.overrides}
        self._sop_class_uid = sop_class_uid
        self._memo: dict[tuple[int, int, str], Rule] = {}

    def rule(self, tag: int, vr: str, parent: int) -> Rule:
        """Rule for an element.

        Parameters
        ----------
        tag
            its tag
        vr
            the VR it came with
        parent
            tag of the Sequence that holds it, 0 at the top level
        """
        try:
            return self._memo[parent, tag, vr]
        except KeyError:
            if len(self._memo) >= _MEMO_LIMIT:  # a hostile sender's elements must not fill the memory
                self._memo.clear()
            rule = self._memo[parent, tag, vr] = self._resolve(tag, vr, parent)
            return rule

    def _resolve(self, tag: int, vr: str, parent: int) -> Rule:
        group = tag >> 16
        if group in _NO_DATA_SET_GROUPS or tag & 0xFFFF == 0:
            return _NO_DATA
        if group & 1:
            return _PRIVATE
        row = confidentiality_row(tag)
        rule = _outside(tag, vr, self._options) if row is None else self._by_row(row, tag, parent)
        override = self._overrides.get(tag)
        if override is not None:
            return Rule(override.action, rule.fallback, f"override {override.attribute}")
        return rule

    def _by_row(self, row: Row, tag: int, parent: int) -> Rule:
        basic = resolve(row.basic, attribute_type(self._sop_class_uid, parent, tag))
        option = _deciding_option(row, self._options)
        if option is None:
            return Rule(basic, basic, "E.1-1")
        return Rule(Action(row.options[option]), basic, f"option {option}")


def resolve(code: str, type_: str | None) -> Action:
    """Decide a compound action code by the attribute's Type in the IOD (PS3.15 Table E.1-1a).

    Parameters
    ----------
    code
        as printed in the table: ``X``, ``Z/D``, ``X/Z/U*`` …
    type_
        Type of the attribute in the instance's IOD, None if it is not part of it

    Returns
    -------
    Action
        Of ``X/Z/U*`` U, so that references go on resolving. Of a compound the action that the Type demands, else the
        one that leaves least. Z is D where the Type demands a value: Table E.1-1a lets Z be a dummy. D and U stand,
        whatever the Type; X does unless the IOD demands the attribute (Type 1 or 2), where a dummy or nothing says no
        more than its absence and keeps the instance valid (PS3.15 Section E.1.1, on IOD conformance).
    """
    if code == "X/Z/U*":
        return Action.U
    if code == "X":
        return _X_BY_TYPE.get(type_, Action.X)
    choices = {*code.split("/")} | ({"D"} if "Z" in code and type_ in {"1", "1C"} else set())
    return Action(next((letter for letter in _PREFERENCE[type_] if letter in choices), code))


def _deciding_option(row: Row, chosen: frozenset[str]) -> str | None:
    """Name of the option whose cell overrides the Basic Profile.

    K goes before C, but no option other than those for dates decides on a date that they have a cell for: else the
    device's identity would keep true dates in an instance that says they are modified.
    """
    cells = [option for option in OPTIONS if option in chosen and option in row.options]
    dates = [option for option in cells if option in _DATES]
    return min(dates or cells, key=lambda option: row.options[option] != Action.K, default=None)


def _outside(tag: int, vr: str, options: frozenset[str]) -> Rule:
    """Rule for a standard element that Table E.1-1 has no row for: kept, unless its VR can only identify."""
    try:
        dictionary_vr = str(get_entry(tag)[0])
    except KeyError:
        return _UNKNOWN
    vrs = {vr, dictionary_vr}
    if tag in REMOVED_BESIDE_THE_TABLE or "PN" in vrs:
        return _standing(Action.X)
    if (vr == "SQ") != (dictionary_vr == "SQ"):
        return _standing(Action.X)  # a Sequence as opaque bytes, or items where there are none: nobody can look inside
    if "UI" in vrs and tag not in UIDS_OF_NO_INSTANCE:
        return _standing(Action.U, "retain_uids" if "retain_uids" in options else "")
    if vrs & _TEMPORAL_VRS:
        return _standing(Action.X, next((option for option in _DATES if option in options), ""))
    return _standing(Action.K)


def _standing(basic: Action, option: str = "") -> Rule:
    """Rule for an element outside the table, `option` being the one that applies to its VR."""
    if option:
        return Rule(_DATES.get(option, Action.K), basic, f"option {option}")
    return Rule(basic, basic, "not in E.1-1")


# Profiles in files

_KEYS = ("name", "description", "options", "overrides")


def load_profile(path: Path) -> Profile:
    """Read a profile from its TOML file.

    Raises
    ------
    Misconfigured
        The file can't be read, or says something that isn't known; the message names the file and what is allowed.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"profile {path}: {error}") from error
    if unknown := sorted(set(raw) - set(_KEYS)):
        raise Misconfigured(f"profile {path}: unknown key {unknown[0]!r}; allowed: {', '.join(_KEYS)}")
    name = _checked(path, raw, "name", str, path.stem)
    _checked(path, raw, "description", str, "")
    options = _checked(path, raw, "options", list, [])
    overrides = _checked(path, raw, "overrides", dict, {})
    for value in (*options, *overrides.values()):
        if not isinstance(value, str):
            raise Misconfigured(f"profile {path}: {value!r} must be text in quotes")
    return Profile.from_options(name, options, overrides)


def _checked(path: Path, raw: Mapping[str, Any], key: str, kind: type, default: object) -> Any:  # noqa: ANN401  TOML
    value = raw.get(key, default)
    if not isinstance(value, kind):
        raise Misconfigured(f"profile {path}: {key} must be a {kind.__name__}, not a {type(value).__name__}")
    return value


def _override(profile: str, attribute: str, action: str) -> Override:
    if action not in set(Action):
        raise Misconfigured(f"profile {profile}: {attribute} = {action!r}; allowed: {', '.join(Action)}")
    tag = _tag(profile, attribute)
    vr = _vr(tag)
    if vr is None:
        raise Misconfigured(f"profile {profile}: {attribute} is not an attribute of the standard")
    if action == Action.U and vr not in {"UI", "SQ"}:
        raise Misconfigured(f"profile {profile}: {attribute} holds no UID; U is for VR UI and SQ")
    return Override(attribute, tag, Action(action))


def _tag(profile: str, attribute: str) -> int:
    """Tag of a keyword, of ``(gggg,eeee)``, or of the keyword of a row newer than the dictionary."""
    digits = attribute.strip("()").replace(",", "")
    if attribute == f"({digits[:4]},{digits[4:]})" and len(digits) == 8:
        try:
            tag = int(digits, 16)
        except ValueError:
            tag = 0
    else:
        newer = {row.keyword: row.tag for row in confidentiality_rows()}
        tag = tag_for_keyword(attribute) or newer.get(attribute, 0)
    if tag >> 16 in _NO_DATA_SET_GROUPS or tag & 0xFFFF == 0:
        raise Misconfigured(f"profile {profile}: {attribute!r} is neither a keyword nor a tag such as (0010,0010)")
    if tag >> 16 & 1:
        raise Misconfigured(f"profile {profile}: {attribute} is private; private attributes are always removed")
    return tag


def _vr(tag: int) -> str | None:
    row = confidentiality_row(tag)
    if row is not None:
        return row.vr
    try:
        return str(get_entry(tag)[0])
    except KeyError:
        return None

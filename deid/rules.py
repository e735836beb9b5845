"""From Table E.1-1, options and overrides to one Rule for each element of a SOP Class (PS3.15 Annex E)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom.datadict import get_entry

from deid.actions import Action, Means, Rule
from deid.options import DATES, OPTIONS
from deid.overrides import NO_DATA_SET_GROUPS, Override, Overrides
from deid.standard import Row, attribute_type, confidentiality_row
from deid.standard.beyond import REMOVED_BESIDE_THE_TABLE, UIDS_OF_NO_INSTANCE, is_descriptor
from deid.standard.iods import attribute_outside_the_table
from deid.standard.private import Disposition, private_row, private_vr
from deid.texts import TextClass

__all__ = ["Policy", "Rules", "resolve"]

# The first action of a compound code that is in the code, by the attribute's Type: D where a value is demanded, Z where
# the attribute is, X where neither is.
_PREFERENCE: Mapping[str | None, str] = {"1": "DZX", "1C": "DZX", "2": "ZDX", "2C": "ZDX", "3": "XZD", None: "XZD"}

_X_BY_TYPE: Mapping[str | None, Action] = {"1": Action.D, "2": Action.Z}

_TEMPORAL_VRS = frozenset({"DA", "DT", "TM"})
_FREE_TEXT_VRS = frozenset({"AE", "LO", "LT", "SH", "ST", "UC", "UN", "UR", "UT"})
_MEMO_LIMIT = 65536
_DESCRIPTORS = "clean_descriptors"

_PRIVATE = Rule(Action.X, Action.X, "private")
_UNDEFINED = Rule(Action.X, Action.X, "private undefined")
_UNKNOWN = Rule(Action.X, Action.X, "unknown")
_NO_DATA = Rule(Action.X, Action.X, "not in a Data Set")
_NOT_IN_THE_IOD = Rule(Action.X, Action.X, "not in the IOD")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a profile lays down for all SOP Classes.

    Attributes
    ----------
    options
        names of `OPTIONS`
    overrides
        of the profile and of its SOP Classes
    text
        ``ner`` or ``rules``: what cleans a text
    allow_list
        only what Table E.1-1 names or the IOD has stays, and no free text
    character_set
        ``source`` or ``utf-8``: what texts are written in
    thresholds
        class of text → how probable it must be that a word identifies; for a class that isn't here, what is usual
    """

    options: frozenset[str] = frozenset()
    overrides: tuple[Override, ...] = ()
    text: str = "ner"
    allow_list: bool = False
    character_set: str = "source"
    thresholds: Mapping[TextClass, float] = field(default_factory=dict)


class Rules:
    """One profile for one SOP Class: a Rule for every element there can be.

    The same few hundred elements come in every instance of a SOP Class: what was resolved once is looked up.

    Attributes
    ----------
    reads_private
        whether a private element can stay: if so, `private_rule` decides with its creator, else all are removed
    text
        ``ner`` or ``rules``: what cleans a text
    """

    __slots__ = (
        "_allow_list",
        "_memo",
        "_options",
        "_overrides",
        "_private_memo",
        "_sop_class_uid",
        "reads_private",
        "text",
    )

    def __init__(self, policy: Policy, sop_class_uid: str) -> None:
        self._options = policy.options
        self._overrides = Overrides(policy.overrides, sop_class_uid)
        self._allow_list = policy.allow_list
        self._sop_class_uid = sop_class_uid
        self._memo: dict[tuple[int, int, str], Rule] = {}
        self._private_memo: dict[tuple[str, int, str], Rule] = {}
        self.reads_private = "retain_safe_private" in policy.options or self._overrides.reach_private
        self.text = policy.text

    def rule(self, tag: int, vr: str, parent: int) -> Rule:
        """Rule for an element; for a private one X, since its creator isn't known here.

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

    def private_rule(self, creator: str, tag: int, vr: str) -> Rule:
        """Rule for a private element (PS3.15 Section E.3.10).

        Parameters
        ----------
        creator
            value of the Private Creator of its block
        tag
            its tag, in whatever block
        vr
            its VR, the known one if it came as UN
        """
        key = (creator, tag, vr)
        rule = self._private_memo.get(key)
        if rule is None:
            if len(self._private_memo) >= _MEMO_LIMIT:
                self._private_memo.clear()
            rule = self._private_memo[key] = self._resolve_private(creator, tag, vr)
        return rule

    def type_of(self, tag: int, parent: int) -> str | None:
        """Type of a standard attribute in the instance's IOD, at this place; None if it isn't part of it there."""
        find = attribute_type if confidentiality_row(tag) is not None else attribute_outside_the_table
        return find(self._sop_class_uid, parent, tag)

    def private_vr(self, creator: str, tag: int) -> str:
        """VR that the lists or pydicom's private dictionary give a private element, ``UN`` if they don't know it."""
        return private_vr(creator, tag)

    def may_stay(self, tag: int, vr: str, parent: int) -> bool:
        """Tell whether a value like this is kept somewhere, so that finding it again is no finding.

        True of what is kept, and of private dates and UIDs where the profile keeps all dates or all UIDs.
        """
        if tag & 0x10000:
            option = "retain_long_full_dates" if vr in _TEMPORAL_VRS else "retain_uids" if vr == "UI" else ""
            return option in self._options
        return self.rule(tag, vr, parent).action is Action.K

    def _resolve(self, tag: int, vr: str, parent: int) -> Rule:
        group = tag >> 16
        if group in NO_DATA_SET_GROUPS or tag & 0xFFFF == 0:
            return _NO_DATA
        if group & 1:
            return _PRIVATE
        row = confidentiality_row(tag)
        dictionary_vr = _dictionary_vr(tag) or (row.vr if row else "")
        if row is not None:
            rule = self._by_row(row, attribute_type(self._sop_class_uid, parent, tag))
        elif dictionary_vr:
            rule = self._outside(tag, {vr, dictionary_vr}, parent)
        else:
            rule = _UNKNOWN
        return self._overridden(rule, tag, vr, dictionary_vr)

    def rule_of_type(self, row: Row, type_: str | None) -> Rule:
        """Rule for an attribute of Table E.1-1 wherever an IOD gives it this Type: for printing the table."""
        if row.tag >> 16 in NO_DATA_SET_GROUPS:
            return _NO_DATA
        vr = row.vr.split(" or ")[0]
        return self._overridden(self._by_row(row, type_), row.tag, vr, row.vr)

    def _overridden(self, rule: Rule, tag: int, vr: str, dictionary_vr: str) -> Rule:
        """Put an override over a standard element's rule, else cap its age."""
        override = self._overrides.attribute(tag)
        if override is None and dictionary_vr:
            override = self._overrides.vr(vr, dictionary_vr)
        if override is not None:
            return Rule(override.action, rule.fallback, override.source)
        return _with_age_capped(rule, vr)

    def _by_row(self, row: Row, type_: str | None) -> Rule:
        basic = resolve(row.basic, type_)
        option = _deciding_option(row, self._options)
        if option is None:
            return Rule(basic, basic, "E.1-1")
        return Rule(Action(row.options[option]), basic, f"option {option}")

    def _outside(self, tag: int, vrs: set[str], parent: int) -> Rule:
        """Rule for a standard element that Table E.1-1 has no row for."""
        rule = _by_vrs(tag, vrs, self._options)
        if not self._allow_list:
            return self._descriptor(rule, tag, vrs, parent)
        type_ = attribute_outside_the_table(self._sop_class_uid, parent, tag)
        if type_ is None:
            return _NOT_IN_THE_IOD
        if rule.action is Action.K and vrs & _FREE_TEXT_VRS:
            return Rule(Action.C, resolve("X/Z/D", type_), "not on the allow-list", Means.TERMS)
        return rule

    def _descriptor(self, rule: Rule, tag: int, vrs: set[str], parent: int) -> Rule:
        """Rule for what may be a text that somebody typed: cleaned as the descriptors in the table are."""
        if _DESCRIPTORS not in self._options or rule.action is not Action.K or not vrs <= _FREE_TEXT_VRS:
            return rule
        if not is_descriptor(tag):
            return rule
        type_ = attribute_outside_the_table(self._sop_class_uid, parent, tag)
        return Rule(Action.C, resolve("X/Z/D", type_), f"option {_DESCRIPTORS}")

    def _resolve_private(self, creator: str, tag: int, vr: str) -> Rule:
        override = self._overrides.private(creator, tag)
        if override is not None:
            return Rule(override.action, Action.X, override.source)
        if "retain_safe_private" not in self._options:
            return _PRIVATE
        row = private_row(creator, tag)
        if row is None:
            return _UNDEFINED
        rule = _by_disposition(row.for_vr(vr), vr, f"private {row.source}", self._options)
        if rule.action is not Action.X:
            override = self._overrides.vr(vr, row.vr if row.vr != "UN" else vr)
            if override is not None:
                return Rule(override.action, Action.X, override.source)
        return _with_age_capped(rule, vr)


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
    dates = [option for option in cells if option in DATES]
    return min(dates or cells, key=lambda option: row.options[option] != Action.K, default=None)


def _by_vrs(tag: int, vrs: set[str], options: frozenset[str]) -> Rule:
    """Rule for a standard element outside the table: kept, unless its VR can only identify.

    Where the VR it came with isn't the dictionary's, the worse of both counts.
    """
    if tag in REMOVED_BESIDE_THE_TABLE or "PN" in vrs:
        return _standing(Action.X)
    if "SQ" in vrs and len(vrs) > 1:
        return _standing(Action.X)  # a Sequence as opaque bytes, or items where there are none: nobody can look inside
    if "UI" in vrs:
        basic = Action.K if tag in UIDS_OF_NO_INSTANCE else Action.U
        return _standing(basic, "retain_uids" if "retain_uids" in options else "")
    if vrs & _TEMPORAL_VRS:
        return _standing(Action.X, _date_option(options))
    return _standing(Action.K)


def _standing(basic: Action, option: str = "") -> Rule:
    """Rule for an element outside the table, `option` being the one that applies to its VR."""
    if option:
        return Rule(DATES.get(option, Action.K), basic, f"option {option}")
    return Rule(basic, basic, "not in E.1-1")


def _date_option(options: frozenset[str]) -> str:
    """Name of the option for dates that is chosen, empty if none is."""
    return next((option for option in DATES if option in options), "")


def _by_disposition(disposition: Disposition, vr: str, source: str, options: frozenset[str]) -> Rule:
    """Rule for a private element that a list knows; what its VR says of names, dates and UIDs goes first."""
    dates = DATES.get(_date_option(options), Action.X)
    uids = Action.K if "retain_uids" in options else Action.U
    means = Means.EPOCH if disposition is Disposition.OFFSET_INTEGER else Means.VALUE
    kept = {"PN": Action.X, "UI": uids, **dict.fromkeys(_TEMPORAL_VRS, dates)}
    action = {
        Disposition.KEEP: kept.get(vr, Action.K),
        Disposition.DELETE: Action.X,
        Disposition.HASH: uids,
        Disposition.OFFSET: dates,
        Disposition.OFFSET_INTEGER: dates,
    }[disposition]
    return Rule(action, Action.X, source, means)


def _with_age_capped(rule: Rule, vr: str) -> Rule:
    """Clean an age instead of keeping it: over 89 it identifies (45 CFR 164.514(b)(2)(i)(C))."""
    return Rule(Action.C, rule.fallback, rule.source) if vr == "AS" and rule.action is Action.K else rule


def _dictionary_vr(tag: int) -> str:
    try:
        return str(get_entry(tag)[0])
    except KeyError:
        return ""

"""An operator's own actions: for an attribute, a repeating group, a private element or a VR.

They are for all instances, or for those of one SOP Class. The most specific goes first:

1. the attribute itself, by keyword or tag, or the private element by creator,
2. its repeating group,
3. its VR;

at each of these the SOP Class's own table goes before the profile's. Any of them goes before options and table. Two
things an override for a VR doesn't do: bring back what is unknown, or private and on no list; and keep an element whose
VR isn't the one that the standard gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import get_entry, tag_for_keyword

from deid.actions import Action
from deid.encoding.vr import LONG_VRS, SHORT_VRS
from deid.errors import Misconfigured
from deid.standard import confidentiality_row, confidentiality_rows, is_known_sop_class

__all__ = ["NO_DATA_SET_GROUPS", "Override", "Overrides", "parse_overrides", "sop_class_uid"]

NO_DATA_SET_GROUPS = frozenset({0x0000, 0x0002, 0xFFFC, 0xFFFE})

_ALLOWED = (
    "a keyword, a tag such as (0010,0010), a repeating group such as 60xx or (60xx,3000), a private element such as "
    '(0029,"SIEMENS CSA HEADER",10), or a VR such as PN'
)
_WHOLE = 0xFFFFFFFF
_REPEATING_MASK, _GROUP_MASK = 0xFF00FFFF, 0xFF000000
_BLOCK_BITS = 0xFF00
_VRS = LONG_VRS | SHORT_VRS
_UID_VRS = frozenset({"UI", "SQ"})

_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", re.IGNORECASE)
_REPEATING = re.compile(r"([56]0)xx|\(([56]0)xx,([0-9A-F]{4}|xxxx)\)", re.IGNORECASE)
_PRIVATE = re.compile(r'\(([0-9A-F]{4}),"(\s*[^"\\\s][^"\\]*)",(?:xx)?([0-9A-F]{2})\)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Override:
    """One action, at every depth.

    Attributes
    ----------
    attribute
        as the operator wrote it
    action
        what to do whatever table and options say
    tag, mask
        what it is for: the bits of a tag that `mask` names equal `tag`'s; of a private element 0xGGGG00EE
    creator
        the Private Creator, empty unless it is for a private element
    vr
        the VR, empty unless it is for one
    sop_class
        keyword or UID as the operator wrote it, empty for all
    """

    attribute: str
    action: Action
    tag: int = 0
    mask: int = _WHOLE
    creator: str = ""
    vr: str = ""
    sop_class: str = ""

    @property
    def source(self) -> str:
        """What a rule names as its reason."""
        return f"override {self.sop_class} {self.attribute}" if self.sop_class else f"override {self.attribute}"

    @property
    def place(self) -> tuple[int, int, str, str]:
        """What it is for, whichever way that is written."""
        return (self.tag, self.mask, self.creator.casefold(), self.vr)


class Overrides:
    """The overrides that count for one SOP Class."""

    __slots__ = ("_exact", "_private", "_repeating", "_vrs")

    def __init__(self, overrides: Iterable[Override], sop_class: str) -> None:
        own = [item for item in overrides if not item.sop_class or sop_class_uid(item.sop_class) == sop_class]
        own.sort(key=lambda item: bool(item.sop_class))  # the SOP Class's are put over the profile's
        public = [item for item in own if not item.creator and not item.vr]
        self._exact = {item.tag: item for item in public if item.mask == _WHOLE}
        self._private = {(item.creator.casefold(), item.tag): item for item in own if item.creator}
        self._vrs = {item.vr: item for item in own if item.vr}
        # (60xx,3000) says more than 60xx
        self._repeating = sorted(
            (item for item in public if item.mask != _WHOLE), key=lambda item: (-item.mask, not item.sop_class)
        )

    @property
    def reach_private(self) -> bool:
        """Tell whether one is for a private element."""
        return bool(self._private)

    def attribute(self, tag: int) -> Override | None:
        """Return the override for a standard attribute or its repeating group."""
        found = self._exact.get(tag)
        if found is None and self._repeating:
            found = next((item for item in self._repeating if tag & item.mask == item.tag), None)
        return found

    def private(self, creator: str, tag: int) -> Override | None:
        """Return the override for a private element."""
        return self._private.get((creator.strip(" \0").casefold(), tag & ~_BLOCK_BITS))

    def vr(self, vr: str, dictionary_vr: str) -> Override | None:
        """Return the override for an element's VR or for the one that the dictionary gives it.

        Where they differ, none that keeps counts: a name sent as LO is no LO.
        """
        if not self._vrs:
            return None
        agreed = vr == dictionary_vr or vr in dictionary_vr.split(" or ")
        found = [self._vrs[one] for one in dict.fromkeys((vr, dictionary_vr)) if one in self._vrs]
        return next((item for item in found if agreed or item.action is not Action.K), None)


def parse_overrides(profile: str, raw: Mapping[str, str], sop_class: str = "") -> tuple[Override, ...]:
    """Read a table of overrides; they come in ascending order of tag.

    Parameters
    ----------
    profile
        the profile's name, for messages
    raw
        attribute → one of D Z X K C U
    sop_class
        keyword or UID of the SOP Class they are for, empty for all

    Raises
    ------
    Misconfigured
        An attribute, an action or the SOP Class is unknown, or two of them are for the same.
    """
    if sop_class and sop_class_uid(sop_class) is None:
        raise Misconfigured(
            f"profile {profile}: sop_class.{sop_class} is no storage SOP Class; "
            'allowed: a keyword such as CTImageStorage, or a UID such as "1.2.840.10008.5.1.4.1.1.2"'
        )
    parsed = sorted((_override(profile, *item, sop_class) for item in raw.items()), key=lambda item: item.place)
    for one, other in pairwise(parsed):
        if one.place == other.place:
            raise Misconfigured(f"profile {profile}: {one.attribute} and {other.attribute} are the same attribute")
    return tuple(parsed)


@cache
def sop_class_uid(name: str) -> str | None:
    """Return the UID of a storage SOP Class by its UID or keyword, None if there is none."""
    by_keyword = {entry[4]: uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class"}
    uid = by_keyword.get(name, name)
    return uid if is_known_sop_class(uid) else None


def _override(profile: str, attribute: str, action: str, sop_class: str) -> Override:
    if action not in set(Action):
        raise Misconfigured(f"profile {profile}: {attribute} = {action!r}; allowed: {', '.join(Action)}")
    chosen = Action(action)
    if attribute in _VRS:
        override = Override(attribute, chosen, vr=attribute, sop_class=sop_class)
        vr = attribute
    elif match := _PRIVATE.fullmatch(attribute):
        group = int(match[1], 16)
        if not group & 1:
            raise Misconfigured(f"profile {profile}: {attribute}: group {match[1]} is even, private groups are odd")
        tag = group << 16 | int(match[3], 16)
        return Override(attribute, chosen, tag, _WHOLE & ~_BLOCK_BITS, match[2].strip(), sop_class=sop_class)
    elif match := _REPEATING.fullmatch(attribute):
        override, vr = _repeating(attribute, chosen, match, sop_class), ""
    else:
        tag = _tag(profile, attribute)
        vr = _vr(profile, attribute, tag)
        override = Override(attribute, chosen, tag, sop_class=sop_class)
    if chosen is Action.U and vr not in _UID_VRS:
        raise Misconfigured(f"profile {profile}: {attribute} holds no UID; U is for VR UI and SQ")
    return override


def _repeating(attribute: str, action: Action, match: re.Match[str], sop_class: str) -> Override:
    group = int(match[1] or match[2], 16) << 24
    element = match[3]
    if element is None or element.lower() == "xxxx":
        return Override(attribute, action, group, _GROUP_MASK, sop_class=sop_class)
    return Override(attribute, action, group | int(element, 16), _REPEATING_MASK, sop_class=sop_class)


def _tag(profile: str, attribute: str) -> int:
    """Tag of a keyword, of ``(gggg,eeee)``, or of the keyword of a row newer than the dictionary."""
    match = _TAG.fullmatch(attribute)
    if match is not None:
        tag = int(match[1] + match[2], 16)
    else:
        newer = {row.keyword: row.tag for row in confidentiality_rows() if row.keyword}
        tag = tag_for_keyword(attribute) or newer.get(attribute, 0)
    if tag >> 16 in NO_DATA_SET_GROUPS or tag & 0xFFFF == 0:
        raise Misconfigured(f"profile {profile}: {attribute!r} is unknown; allowed: {_ALLOWED}")
    if tag >> 16 & 1:
        raise Misconfigured(
            f"profile {profile}: {attribute} is private, and its creator may have any block; "
            f'allowed: ({match[1] if match else "gggg"},"its creator",{tag & 0xFF:02X})'
        )
    return tag


def _vr(profile: str, attribute: str, tag: int) -> str:
    row = confidentiality_row(tag)
    if row is not None:
        return row.vr
    try:
        return str(get_entry(tag)[0])
    except KeyError:
        raise Misconfigured(f"profile {profile}: {attribute} is not an attribute of the standard") from None

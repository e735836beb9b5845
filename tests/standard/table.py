"""What PS3.15 asks for each attribute: read from the table as data, decided here, not by `deid.rules`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_TABLES = _ROOT / "deid" / "standard"
SHARED = _ROOT.parent / "shared" / "standards"
_WHOLE = 0xFFFFFFFF

FULL_DATES, MODIFIED_DATES = "retain_long_full_dates", "retain_long_modified_dates"
OPTIONS = (
    "clean_pixel_data",
    "clean_recognizable_visual_features",
    "clean_graphics",
    "clean_structured_content",
    "clean_descriptors",
    FULL_DATES,
    MODIFIED_DATES,
    "retain_patient_characteristics",
    "retain_device_identity",
    "retain_uids",
    "retain_safe_private",
    "retain_institution_identity",
)
"""PS3.15 Section E.3, in the order of its codes 113101 to 113112."""

# The columns of Table E.1-1 as two publishers call them. Pixels and faces have none.
_COLUMNS = {
    "cleanDescriptors": "clean_descriptors",
    "cleanDescOpt": "clean_descriptors",
    "cleanGraphics": "clean_graphics",
    "cleanGraphOpt": "clean_graphics",
    "cleanStructuredContent": "clean_structured_content",
    "cleanStructContOpt": "clean_structured_content",
    "retainDeviceIdentity": "retain_device_identity",
    "rtnDevIdOpt": "retain_device_identity",
    "retainInstitutionIdentity": "retain_institution_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "retainLongFullDates": FULL_DATES,
    "rtnLongFullDatesOpt": FULL_DATES,
    "retainLongModifiedDates": MODIFIED_DATES,
    "rtnLongModifDatesOpt": MODIFIED_DATES,
    "retainPatientCharacteristics": "retain_patient_characteristics",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "retainUIDs": "retain_uids",
    "rtnUIDsOpt": "retain_uids",
}
_CELLS = {"K": "K", "C": "C", "keep": "K"}  # any other word of theirs says how something is cleaned

# PS3.15 Table E.1-1a for each Type: "X unless D is required to maintain IOD conformance (Type 3 versus Type 1)" and so
# on. Two choices of this project are in it. X alone, too, gives way to what the IOD demands: a dummy says no more than
# an absent attribute, and the instance stays valid. X/Z/U* replaces UIDs whatever the Type: references resolve.
_BY_TYPE: Mapping[str, Mapping[str | None, str]] = {
    "D": dict.fromkeys(("1", "1C", "2", "2C", "3", None), "D"),
    "U": dict.fromkeys(("1", "1C", "2", "2C", "3", None), "U"),
    "X/Z/U*": dict.fromkeys(("1", "1C", "2", "2C", "3", None), "U"),
    "X": {"1": "D", "1C": "X", "2": "Z", "2C": "X", "3": "X", None: "X"},
    "Z": {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "Z", None: "Z"},
    "Z/D": {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "Z", None: "Z"},
    "X/Z": {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "X", None: "X"},
    "X/D": {"1": "D", "1C": "D", "2": "D", "2C": "D", "3": "X", None: "X"},
    "X/Z/D": {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "X", None: "X"},
}
_COPIED = ("keyword", "vr", "basic", "options")
_STRICTEST_FIRST = ("1", "1C", "2", "2C", "3")

TEXT_VRS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_DATE_VRS = frozenset({"DA", "DT"})
_TIMEZONE = 0x0008_0201
_PSEUDONYMOUS = frozenset({0x0010_0010, 0x0010_0020})
_OVERLAY_COMMENTS = 0x6000_4000
NO_DATA_SET_GROUPS = frozenset({0x0000, 0x0002, 0xFFFC})


class Outcome(Enum):
    """What must have become of an attribute."""

    REMOVED = "removed"
    EMPTIED = "emptied"
    DUMMY = "dummy valid for its VR"
    PSEUDONYM = "the patient's pseudonym"
    KEPT = "kept byte for byte"
    AGE = "kept up to 89 years"
    SHIFTED = "shifted by the patient's days"
    MAPPED = "mapped UID"
    CLEANED = "cleaned text"
    ITEMS = "items, each attribute by its own row"
    DUMMY_ITEMS = "items of dummies"
    CONTENT = "content or graphics, cleaned"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of Table E.1-1: `tag` and `mask` as in PS3.5's repeating groups, `basic` and `options` as printed."""

    tag: int
    mask: int
    keyword: str
    vr: str
    basic: str
    options: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.keyword or f"{self.tag:08X}"


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of the project's own copy."""
    return tuple(
        Row(tag=int(raw["tag"], 16), mask=int(raw.get("mask", "FFFFFFFF"), 16), **{name: raw[name] for name in _COPIED})
        for raw in _json(_TABLES / "confidentiality.json")["rows"]
    )


def published_rows() -> dict[tuple[int, int], tuple[str, Mapping[str, str]]]:
    """Return action and options by (tag, mask) as published, read without the project's generator."""
    found: dict[tuple[int, int], tuple[str, Mapping[str, str]]] = {}
    for raw in _json(SHARED / "ps3.15_tableE1-1_merged.json")["rows"]:
        found[_place(raw["tag"])] = (raw["basicProfile"], _cells(raw["options"]))
    for raw in _json(SHARED / "ps3.15_tableE1-1_2024e_innolitics.json"):
        if "private" in raw["name"].lower() and "gggg" in raw["tag"].lower():
            continue
        place = _place(raw["tag"])
        cells = _cells({name: cell for name, cell in raw.items() if name in _COLUMNS})
        if place in found and not found[place][1]:
            found[place] = (found[place][0], cells)
    return found


def _cells(raw: Mapping[str, str]) -> Mapping[str, str]:
    return {_COLUMNS[name]: _CELLS.get(cell, "C") for name, cell in raw.items()}


def _place(text: str) -> tuple[int, int]:
    """Read ``(0008,0050)``, ``(50xx,xxxx)`` or ``(6000,3000) mask (FF00,FFFF)``."""
    digits = re.findall(r"[0-9A-Fa-fxXgGeE]{4}", text)
    if "mask" in text:
        return int(digits[0] + digits[1], 16), int(digits[2] + digits[3], 16)
    plain = (digits[0] + digits[1]).lower()
    if set(plain) - set("0123456789abcdefx"):
        return (-1, _WHOLE)  # (gggg,eeee): all private attributes
    mask = "".join("0" if digit == "x" else "F" for digit in plain)
    return int(plain.replace("x", "0"), 16), int(mask, 16)


@cache
def row_of(tag: int) -> Row | None:
    """Return the row for an attribute, None without one."""
    exact = _exact().get(tag)
    return exact or next((row for row in rows() if row.mask != _WHOLE and tag & row.mask == row.tag), None)


@cache
def _exact() -> dict[int, Row]:
    return {row.tag: row for row in rows() if row.mask == _WHOLE}


@cache
def types_of(sop_class_uid: str) -> Mapping[tuple[int, int], str]:
    """Return Types by (holding Sequence, attribute), the strictest of all modules."""
    raw = _types()
    found: dict[tuple[int, int], str] = {}
    for module in raw["iods"][raw["sop_classes"][sop_class_uid]]:
        for key, type_ in raw["modules"][module].items():
            parent, tag = (int(part, 16) for part in key.split("/"))
            found[parent, tag] = min(type_, found.get((parent, tag), "3"), key=_STRICTEST_FIRST.index)
    return found


def sop_classes() -> list[str]:
    """Return the SOP Classes whose IOD has Types."""
    return sorted(_types()["sop_classes"])


def outcome(row: Row, tag: int, vr: str, type_: str | None, options: Iterable[str]) -> Outcome:
    """Decide what must become of an attribute.

    Parameters
    ----------
    row
        its row
    tag, vr
        as it comes
    type_
        in the instance's IOD, at the place where it stands
    options
        the profile's
    """
    if tag >> 16 in NO_DATA_SET_GROUPS:
        return Outcome.REMOVED
    if row.tag == _OVERLAY_COMMENTS:  # of an overlay whose data nobody can clean, nothing stays (PS3.3 C.9.2)
        return Outcome.REMOVED
    basic = _BY_TYPE[row.basic][type_]
    option = _deciding(row, frozenset(options))
    letter = row.options[option] if option else basic
    if letter == "K":
        return Outcome.ITEMS if vr == "SQ" else Outcome.AGE if vr == "AS" else Outcome.KEPT
    if letter == "C":
        cleaned = _cleaned(option, tag, vr)
        if cleaned is not None:
            return cleaned
        letter = basic  # what is in none of those forms can't be cleaned with certainty
    return _done(letter, tag, vr)


def _deciding(row: Row, options: frozenset[str]) -> str:
    """Return the option that overrides the Basic Profile: keep before clean, but dates by the options for dates."""
    cells = [option for option in OPTIONS if option in options & row.options.keys()]
    dates = [option for option in cells if option in {FULL_DATES, MODIFIED_DATES}]
    kept = [option for option in cells if row.options[option] == "K"]
    return next(iter(dates or kept or cells), "")


def _cleaned(option: str, tag: int, vr: str) -> Outcome | None:
    """Return how a value can be cleaned, None if its VR leaves no way."""
    if vr == "SQ":
        return Outcome.ITEMS if option == "clean_descriptors" else Outcome.CONTENT
    if tag == _TIMEZONE or vr == "TM":
        return Outcome.KEPT  # whole days move neither a time nor a zone
    if vr in _DATE_VRS:
        return Outcome.SHIFTED
    return Outcome.CLEANED if vr in TEXT_VRS else None


def _done(letter: str, tag: int, vr: str) -> Outcome:
    if letter == "X":
        return Outcome.REMOVED
    if tag in _PSEUDONYMOUS:
        return Outcome.PSEUDONYM
    if letter == "Z":
        return Outcome.EMPTIED
    if vr == "UI":
        return Outcome.MAPPED
    if vr == "SQ":
        return Outcome.ITEMS if letter == "U" else Outcome.DUMMY_ITEMS
    return Outcome.DUMMY


@cache
def _types() -> Any:
    return _json(_TABLES / "attribute_types.json")


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

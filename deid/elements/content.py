"""Content trees and graphics made clean: PS3.15 Sections E.3.3 (Graphics) and E.3.4 (Structured Content).

No item is ever removed: relationships by reference name items by their position in the tree (PS3.3 Section C.17.3.2.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from deid.elements.ages import OLDEST_AGE_YEARS
from deid.elements.concepts import TREATMENT, Treatment
from deid.elements.dates import SHIFT_BY_VR, shift_value
from deid.elements.dummies import (
    CODE_MEANING,
    CODE_VALUE,
    CODING_SCHEME_DESIGNATOR,
    DUMMY_BY_VR,
    DUMMY_TEXT,
    dummy_element,
    is_public_code,
)
from deid.elements.pseudonyms import value_text
from deid.elements.uids import map_ui_value
from deid.elements.values import fitted
from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.text import decode_lenient, encode
from deid.errors import Reason, Refused

CONTENT_SEQUENCE = 0x0040_A730
ACQUISITION_CONTEXT_SEQUENCE = 0x0040_0555
SPECIMEN_PREPARATION_SEQUENCE = 0x0040_0610
SPECIMEN_PREPARATION_STEP_CONTENT_ITEM_SEQUENCE = 0x0040_0612
WAVEFORM_ANNOTATION_SEQUENCE = 0x0040_B020
GRAPHIC_ANNOTATION_SEQUENCE = 0x0070_0001

CONTENT_TAGS = frozenset(
    {
        CONTENT_SEQUENCE,
        ACQUISITION_CONTEXT_SEQUENCE,
        SPECIMEN_PREPARATION_SEQUENCE,
        WAVEFORM_ANNOTATION_SEQUENCE,
        GRAPHIC_ANNOTATION_SEQUENCE,
    }
)
"""The Sequences that `clean_content` knows: the rows of Table E.1-1 with a C for Structured Content or Graphics."""

_CONCEPT_NAME = 0x0040_A043
_UNITS = 0x0040_08EA
_NUMERIC_VALUE = 0x0040_A30A
_EQUIVALENT_CODES = 0x0008_0121
_LONGEST_CHARS = {"LO": 64, "SH": 16}
_UID_AND_MARKS = re.compile(r"[ ,;:/]*(?<![\d.])(?:2\.25\.\d{1,39}|[0-2](?:\.\d{1,39}){5,40})(?![\d.])[ ,;:/]*")
_MULTIPLE_VALUE_VRS = frozenset({"LO", "SH", "UC"})
CLEANED_TEXT_VRS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_PRECISER_NUMBERS = frozenset({0x0040_A161, 0x0040_A162, 0x0040_A163})
_UNITS_IN_A_YEAR = {"a": 1.0, "mo": 12.0, "wk": 365.25 / 7, "d": 365.25, "h": 365.25 * 24}
_OPTION_OF = {
    Treatment.DEVICE: "retain_device_identity",
    Treatment.INSTITUTION: "retain_institution_identity",
    Treatment.CHARACTERISTIC: "retain_patient_characteristics",
    Treatment.AGE: "retain_patient_characteristics",
}
_DECIMAL = re.compile(r"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class ContentRules:
    """What is done to content items.

    Attributes
    ----------
    clean_text
        what `deid.text` makes of a text
    rest
        cleans what of an item is no content, by the rules for any attribute; its second argument is the Sequence's tag.
        Returns a new Data Set
    pseudonym
        stands for the subject
    uid_key
        key of the UID mapping
    shift_days
        by how much dates are moved: None replaces dates and times by dummies, 0 lets them stay
    options
        of the profile, by name
    """

    clean_text: Callable[[str], str]
    rest: Callable[[DataSet, int], DataSet]
    pseudonym: str
    uid_key: bytes
    shift_days: int | None
    options: frozenset[str] = frozenset()

    def keeps(self, treatment: Treatment) -> bool:
        """Tell whether an option of the profile lets such a value stay."""
        return treatment is Treatment.BY_TYPE or _OPTION_OF.get(treatment) in self.options


def clean_content(element: Element, owner: DataSet, how: ContentRules) -> Element:
    """Return the clean counterpart of a Sequence of content items or of graphics.

    Parameters
    ----------
    element
        one of `CONTENT_TAGS`
    owner
        the Data Set or Item it belongs to
    how
        what is done

    Raises
    ------
    Refused
        If the element is none of those, or holds a text whose clean form its character set can't express.
    """
    del owner  # items carry their own character set
    if element.tag not in CONTENT_TAGS or not isinstance(element.value, list):
        raise Refused(Reason.STEP_UNAVAILABLE, f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) as content")
    table = _GRAPHIC if element.tag == GRAPHIC_ANNOTATION_SEQUENCE else _CONTENT
    return _with_clean_items(element, table, how)


_Clean: TypeAlias = "Callable[[Element, DataSet, Treatment, ContentRules], Element | None]"


def _with_clean_items(element: Element, table: Mapping[int, _Clean], how: ContentRules) -> Element:
    assert isinstance(element.value, list)  # noqa: S101  callers have looked
    return Element(element.tag, "SQ", [_clean_item(item, element.tag, table, how) for item in element.value])


def _clean_item(item: DataSet, parent: int, table: Mapping[int, _Clean], how: ContentRules) -> DataSet:
    """Clean the content of an item by the table, and all else by the rules of any attribute."""
    treatment = TREATMENT.get(_concept(item), Treatment.BY_TYPE)
    own: dict[int, Element] = {}
    rest = DataSet(charset=item.charset)
    for tag, element in item.elements.items():
        clean = table.get(tag)
        if clean is None:
            rest.elements[tag] = element
        elif (new := clean(element, item, treatment, how)) is not None:
            own[tag] = new
    out = how.rest(rest, parent)
    out.elements = dict(sorted((out.elements | own).items()))
    return out


def _concept(item: DataSet) -> tuple[str, str]:
    """Return scheme and value of the item's concept name."""
    name = item.elements.get(_CONCEPT_NAME)
    if name is None or not isinstance(name.value, list) or not name.value:
        return ("", "")
    code = name.value[0]
    return value_text(code, CODING_SCHEME_DESIGNATOR), value_text(code, CODE_VALUE)


# Texts and names


def clean_text_element(element: Element, owner: DataSet, clean_text: Callable[[str], str]) -> Element | None:
    """Return a text element with each value cleaned; the very same if there is nothing to clean.

    None if the value isn't what its VR says, or nothing is left of it.

    Raises
    ------
    Refused
        UNDECODABLE_TEXT, if the clean text can't be written in the character set.
    """
    fit = fitted(element, owner.charset)
    if fit is None or not isinstance(fit.value, bytes | memoryview):
        return None
    text, is_mislabelled = decode_lenient(fit.value, fit.vr, owner.charset)
    values = text.split("\\") if element.vr in _MULTIPLE_VALUE_VRS else [text]
    longest = _LONGEST_CHARS.get(element.vr)
    cleaned = [_no_longer(clean_text(value), value, longest) for value in values]
    if cleaned == values:
        return fit
    if not any(value.strip(" \0") for value in cleaned):
        return None
    if is_mislabelled:
        raise Refused(Reason.UNDECODABLE_TEXT, f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X})")
    return Element(element.tag, element.vr, encode("\\".join(cleaned), owner.charset))


def _no_longer(clean: str, source: str, longest: int | None) -> str:
    """Shorten what a longer name of a month, or a longer UID, makes too long for the VR (PS3.5 Table 6.2-1).

    The UID goes before any word does: cut, it would be none.
    """
    if longest is None or len(clean) <= longest or len(source) > longest:
        return clean
    return (_UID_AND_MARKS.sub(" ", clean).strip() or clean)[:longest]


def _text(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    vr = element.vr if element.vr in CLEANED_TEXT_VRS else "UT"
    if treatment is Treatment.PATIENT:
        return Element(element.tag, vr, how.pseudonym.encode("ascii"))
    if vr != element.vr or isinstance(element.value, list | Fragments) or not how.keeps(treatment):
        return Element(element.tag, vr, DUMMY_TEXT)
    # Text Value is of Type 1C, Unformatted Text Value of Type 1: never empty
    return clean_text_element(element, owner, how.clean_text) or Element(element.tag, vr, DUMMY_TEXT)


def _label(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    """Clean the text of a graphic, whatever the concept of an item is."""
    del treatment
    return _text(element, owner, Treatment.BY_TYPE, how)


def _person(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    del owner
    is_patient = treatment is Treatment.PATIENT
    return Element(element.tag, "PN", how.pseudonym.encode("ascii") if is_patient else DUMMY_TEXT)


# Dates, UIDs, numbers


def _date(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    del owner
    vr = element.vr if element.vr in SHIFT_BY_VR else _DATE_VR_OF[element.tag]
    moved = None
    is_readable = vr == element.vr and isinstance(element.value, bytes | memoryview)
    if is_readable and how.shift_days is not None and how.keeps(treatment):
        assert isinstance(element.value, bytes | memoryview)  # noqa: S101  has been looked at
        moved = shift_value(vr, bytes(element.value), how.shift_days)
    return Element(element.tag, vr, DUMMY_BY_VR[vr] if moved is None else moved)


def _observed_at(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    """Move Observation DateTime, which is about the item and not its value; without an option for dates it goes."""
    del treatment
    return None if how.shift_days is None else _date(element, owner, Treatment.BY_TYPE, how)


def _uid(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    """Map a UID, a device observer's too: the row of UID (0040,A124) knows no option but Retain UIDs."""
    del owner, treatment
    if "retain_uids" in how.options and element.vr == "UI":
        return element
    value = bytes(element.value) if isinstance(element.value, bytes | memoryview) else b""
    return Element(element.tag, "UI", map_ui_value(how.uid_key, value))


def _measured(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    """Keep the number, cap an age; without the option for a patient's characteristics there is no number."""
    del owner
    if not isinstance(element.value, list) or (treatment is not Treatment.BY_TYPE and not how.keeps(treatment)):
        return Element(element.tag, "SQ", [])
    items = [_clean_item(item, element.tag, _MEASURED, how) for item in element.value]
    if treatment is Treatment.AGE:
        for item in items:
            _cap_age(item)
    return Element(element.tag, "SQ", items)


def _number(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    """Keep the number of an item that has it without a Measured Value Sequence (PS3.3 Section C.7.6.14)."""
    if treatment is not Treatment.BY_TYPE and not how.keeps(treatment):
        return Element(element.tag, "DS", DUMMY_BY_VR["DS"])
    value = bytes(element.value) if isinstance(element.value, bytes | memoryview) else b""
    kept = Element(element.tag, "DS", value if _is_decimal(value) else DUMMY_BY_VR["DS"])
    if treatment is not Treatment.AGE:
        return kept
    item = DataSet({**owner.elements, _NUMERIC_VALUE: kept}, owner.charset)
    _cap_age(item)
    return item.elements[_NUMERIC_VALUE]


def _is_decimal(value: bytes) -> bool:
    """Tell whether a DS value holds numbers only."""
    return all(not part or _DECIMAL.fullmatch(part) for part in _decimal_parts(value))


def _decimal_parts(value: bytes) -> list[str]:
    return [part.strip(" \0") for part in value.decode("latin-1").split("\\")]


def _cap_age(item: DataSet) -> None:
    """Write 90 years for more, in the unit at hand; what writes the same number more precisely goes."""
    units = item.elements.get(_UNITS)
    codes = units.value if units is not None and isinstance(units.value, list) else []
    in_a_year = _UNITS_IN_A_YEAR.get(value_text(codes[0], CODE_VALUE), 1.0) if codes else 1.0
    oldest = (OLDEST_AGE_YEARS + 1) * in_a_year
    number = item.elements.get(_NUMERIC_VALUE)
    if number is None or not isinstance(number.value, bytes | memoryview):
        return
    parts = _decimal_parts(bytes(number.value))
    if any(part and float(part) >= oldest for part in parts):
        item.elements[_NUMERIC_VALUE] = Element(_NUMERIC_VALUE, "DS", f"{oldest:.0f}".encode("ascii"))
        for tag in _PRECISER_NUMBERS & item.elements.keys():
            del item.elements[tag]


# Codes


def _codes(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    """Keep public codes as any attribute; clean the words of local ones (PS3.3 Section 8)."""
    del owner, treatment
    if not isinstance(element.value, list):
        return Element(element.tag, "SQ", [])
    tables = [_PUBLIC_CODE if is_public_code(item) else _CODE for item in element.value]
    items = [_clean_item(item, element.tag, table, how) for item, table in zip(element.value, tables, strict=True)]
    return Element(element.tag, "SQ", items)


def _coded_value(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    if how.keeps(treatment):
        return _codes(element, owner, treatment, how)
    if treatment is Treatment.CHARACTERISTIC:
        return Element(element.tag, "SQ", [_unknown_sex()])
    return dummy_element(element, how.uid_key)


def _unknown_sex() -> DataSet:
    """Return what stands for a sex that may not stay (PS3.16 CID 7455)."""
    return DataSet(
        {
            CODE_VALUE: Element(CODE_VALUE, "SH", b"121103"),
            CODING_SCHEME_DESIGNATOR: Element(CODING_SCHEME_DESIGNATOR, "SH", b"DCM"),
            CODE_MEANING: Element(CODE_MEANING, "LO", b"Undetermined sex"),
        }
    )


def _items_of(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    del owner, treatment
    return _with_clean_items(element, _CONTENT, how) if isinstance(element.value, list) else None


def _graphics_of(element: Element, owner: DataSet, treatment: Treatment, how: ContentRules) -> Element | None:
    del owner, treatment
    return _with_clean_items(element, _GRAPHIC, how) if isinstance(element.value, list) else None


_DATE_VR_OF = {
    0x0040_A032: "DT",
    0x0040_A120: "DT",
    0x0040_A121: "DA",
    0x0040_A122: "TM",
    0x0040_A13A: "DT",
}

# PS3.3 Section C.17.3 and Table 10-2: the attributes that carry the value of a content item, one per value type.
_CONTENT: Mapping[int, _Clean] = {
    _CONCEPT_NAME: _codes,
    0x0040_A160: _text,  # TEXT
    0x0070_0006: _text,  # Unformatted Text Value of a waveform annotation
    0x0040_A123: _person,  # PNAME
    0x0040_A120: _date,  # DATETIME
    0x0040_A121: _date,  # DATE
    0x0040_A122: _date,  # TIME
    0x0040_A13A: _date,  # TCOORD
    0x0040_A032: _observed_at,
    0x0040_A124: _uid,  # UIDREF
    0x0040_A168: _coded_value,  # CODE
    0x0040_A195: _codes,  # modifiers of a waveform annotation
    _UNITS: _codes,
    0x0040_A300: _measured,  # NUM
    _NUMERIC_VALUE: _number,
    CONTENT_SEQUENCE: _items_of,
    SPECIMEN_PREPARATION_STEP_CONTENT_ITEM_SEQUENCE: _items_of,
}
_MEASURED: Mapping[int, _Clean] = {_NUMERIC_VALUE: _number, _UNITS: _codes}
_CODE: Mapping[int, _Clean] = {
    CODE_MEANING: _label,
    _EQUIVALENT_CODES: _codes,
}
_PUBLIC_CODE: Mapping[int, _Clean] = {_EQUIVALENT_CODES: _codes}

# PS3.3 Section C.10.5: the sequences of graphics, and the texts in them; lines and areas stay.
_GRAPHIC: Mapping[int, _Clean] = {
    0x0070_0008: _graphics_of,  # Text Object Sequence
    0x0070_0009: _graphics_of,  # Graphic Object Sequence
    0x0070_0209: _graphics_of,  # Compound Graphic Sequence
    0x0070_0287: _graphics_of,  # Major Ticks Sequence
    0x0070_0006: _label,  # Unformatted Text Value
    0x0070_0289: _label,  # Tick Label
}

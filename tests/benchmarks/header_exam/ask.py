"""Asks of each standard element what its attribute's row, or a Sequence above it, says must become of it."""

from __future__ import annotations

from enum import Enum, auto

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tests.benchmarks.header_exam import attributes
from tests.benchmarks.header_exam.key import Action
from tests.benchmarks.header_exam.sheet import Sheet

_WELL_KNOWN = "1.2.840.10008."
_OLDEST_AGE_YEARS = 89


class _Region(Enum):
    KEPT = auto()
    OPEN = auto()
    """nothing is asked to stay"""
    REMOVED = auto()
    """everything is asked to go"""


class Asker:
    """Goes through an instance. What is planted with its own checks is left out.

    Attributes
    ----------
    own_uids
        Study, Series and SOP Instance UIDs of the exam: those whose new value the mapping must know
    """

    def __init__(self, sheet: Sheet, own_uids: frozenset[str]) -> None:
        self._sheet = sheet
        self._own_uids = own_uids

    def ask(self, data_set: Dataset) -> None:
        self._ask(data_set, _Region.KEPT, top=True)

    def _ask(self, data_set: Dataset, region: _Region, *, top: bool = False) -> None:
        for element in data_set:
            if element.tag.is_private or self._sheet.is_asked(data_set, int(element.tag)):
                continue
            if element.VR == "SQ":
                for item in element.value:
                    self._ask(item, _inside(element.keyword, region))
            else:
                self._element(data_set, element, region)
                if top:
                    self._type(data_set, element)

    def _element(self, data_set: Dataset, element: DataElement, region: _Region) -> None:
        asked, keyword = self._sheet.ask, element.keyword
        tag, empty = int(element.tag), element.value in (None, "", [])
        if empty:
            if keyword in attributes.TECHNICAL and region is _Region.KEPT:
                asked(data_set, tag, Action.TAG_RETAINED)
        elif element.VR == "UI":
            self._uid(data_set, element, region)
        elif keyword == "PatientID" and region is _Region.KEPT:
            asked(data_set, tag, Action.PATID_CONSISTENT)
            asked(data_set, tag, Action.TEXT_REMOVED)
        elif keyword in attributes.REMOVED or (region is _Region.REMOVED and _is_words(element)):
            self._removed(data_set, element)
        elif keyword in attributes.DATES:
            asked(data_set, tag, Action.DATE_SHIFTED)
        elif keyword == "PatientAge" and int(str(element.value)[:3]) > _OLDEST_AGE_YEARS:
            asked(data_set, tag, Action.TEXT_REMOVED)  # HIPAA: all ages over 89
        elif region is _Region.KEPT and keyword in _STAYING:
            asked(data_set, tag, Action.TEXT_RETAINED)

    def _removed(self, data_set: Dataset, element: DataElement) -> None:
        tag = int(element.tag)
        self._sheet.ask(data_set, tag, Action.TEXT_REMOVED)
        if element.keyword == "PatientName":
            family = str(element.value).split("^", maxsplit=1)[0]
            self._sheet.ask(data_set, tag, Action.TEXT_REMOVED, family)

    def _uid(self, data_set: Dataset, element: DataElement, region: _Region) -> None:
        tag, values = int(element.tag), [str(value) for value in _each(element)]
        if element.keyword in attributes.KEPT_BY_OPTION or all(value.startswith(_WELL_KNOWN) for value in values):
            if region is _Region.KEPT:
                self._sheet.ask(data_set, tag, Action.TEXT_RETAINED)
            return
        self._sheet.ask(data_set, tag, Action.UID_CHANGED)
        if len(values) == 1 and values[0] in self._own_uids:
            self._sheet.ask(data_set, tag, Action.UID_CONSISTENT)

    def _type(self, data_set: Dataset, element: DataElement) -> None:
        if element.keyword in attributes.TYPE_1:
            self._sheet.ask(data_set, int(element.tag), Action.TEXT_NOTNULL)
        elif element.keyword in attributes.TYPE_2:
            self._sheet.ask(data_set, int(element.tag), Action.TAG_RETAINED)


_STAYING = (
    attributes.TECHNICAL
    | attributes.KEPT_BY_OPTION
    | attributes.CLEANED
    | attributes.TEXTS_OUTSIDE
    | attributes.TIMES_KEPT
)


def _inside(keyword: str, region: _Region) -> _Region:
    if region is _Region.REMOVED or keyword in attributes.SEQUENCES_REMOVED:
        return _Region.REMOVED
    return _Region.OPEN if keyword in attributes.SEQUENCES_OPEN else region


def _is_words(element: DataElement) -> bool:
    return element.VR in {"LO", "SH", "ST", "LT", "UT", "PN", "UC"} and element.keyword != "CodingSchemeDesignator"


def _each(element: DataElement) -> list[object]:
    return list(element.value) if element.VM > 1 else [element.value]

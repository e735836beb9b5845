"""Looking for a patient's identifiers in one element: the same rules while cleaning and in the last look."""

from __future__ import annotations

from collections.abc import Sequence

from deid.elements.dummies import CODE_MEANING, is_public_code
from deid.encoding.element import DataSet, Element
from deid.needles import Kind, Needle, first_in, first_in_ascii, first_in_disguise, lies_in, near_in, words
from deid.readings import readings
from deid.standard import is_defined_term
from deid.vocabulary import is_vocabulary

TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
NUMBER_VRS = frozenset({"DS", "IS"})
SHORTEST_NUMERIC_ID = 6
_WRITTEN_AS_NUMBERS = frozenset({Kind.CODE, Kind.DATE})


def finding_in(needles: Sequence[Needle], element: Element, owner: DataSet) -> Needle | None:
    """Return the first needle that lies in the element's text, or None.

    Parameters
    ----------
    needles
        candidates
    element
        a leaf of one of `TEXT_VRS` or `NUMBER_VRS`
    owner
        the Data Set or Item it belongs to

    Notes
    -----
    A Defined Term of the standard in a CS element (HEAD, CHEST, MR …) and the meaning of a public code are not
    findings for a part of a name: they would be there whoever the patient is. Two parts in such a meaning are, and one
    that is no word of any vocabulary.
    """
    if not isinstance(element.value, bytes | memoryview):
        return None
    data = bytes(element.value)
    near = near_in(needles, data)
    found = (_in_text(near, element, owner) or first_in_ascii(near, data)) if near else None
    return found or _in_disguise(needles, element.vr, data)


def _in_text(needles: Sequence[Needle], element: Element, owner: DataSet) -> Needle | None:
    texts = readings(element.value, element.vr, owner.charset)  # type: ignore[arg-type]  # a leaf
    if element.vr in NUMBER_VRS:
        return _whole_number(needles, texts[0])
    if element.vr == "CS":
        return _in_terms(needles, texts[0])
    if element.tag == CODE_MEANING and is_public_code(owner):
        found = (_in_meaning(needles, text) for text in texts)
    else:
        found = (first_in(needles, text) for text in texts)
    return next((needle for needle in found if needle is not None), None)


def _in_meaning(needles: Sequence[Needle], text: str) -> Needle | None:
    """Find anything but one part of a name that is a word; where a second one stands, it's no longer by chance."""
    parts = [needle for needle in needles if needle.kind is Kind.NAME_PART]
    others = [needle for needle in needles if needle.kind is not Kind.NAME_PART]
    text_words = words(text)
    in_it = [needle for needle in parts if lies_in(needle, text, text_words)]
    found = {needle.words for needle in in_it}
    is_by_chance = not found or (len(found) == 1 and all(map(is_vocabulary, found)))
    return first_in(others, text) or (None if is_by_chance else in_it[0])


def _in_disguise(needles: Sequence[Needle], vr: str, data: bytes) -> Needle | None:
    """Find a name or an ID where only a text has room for it."""
    return None if vr in NUMBER_VRS or vr == "CS" else first_in_disguise(needles, data)


def _in_terms(needles: Sequence[Needle], text: str) -> Needle | None:
    own_words = [value for value in text.split("\\") if not is_defined_term(value.strip(" \0"))]
    return first_in(needles, "\\".join(own_words))


def _whole_number(needles: Sequence[Needle], text: str) -> Needle | None:
    """Compare IDs of digits with each number as a whole: 1234 inside 0.12345 says nothing."""
    numbers = {words(value) for value in text.split("\\") if len(value.strip(" \0")) >= SHORTEST_NUMERIC_ID}
    return next((needle for needle in needles if needle.kind in _WRITTEN_AS_NUMBERS and needle.words in numbers), None)

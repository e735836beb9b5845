"""Which texts of an instance are of one kind, so that a network's doubt is weighed alike in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from pydicom.datadict import dictionary_keyword


class TextClass(StrEnum):
    """Where a text stands; each has a threshold of its own."""

    DESCRIPTIONS = "descriptions"
    """Names of series, studies, protocols, procedures: short, mostly harmless, and worth keeping."""
    COMMENTS = "comments"
    """Histories, reasons, remarks: whatever somebody typed."""
    STRUCTURED = "structured"
    """Texts of reports, annotations and presentation states."""
    PRIVATE = "private"
    """Texts of private elements."""
    LINES = "lines"
    """Lines read from pixels."""


THRESHOLDS: Mapping[TextClass, float] = {
    TextClass.DESCRIPTIONS: 0.7,
    TextClass.COMMENTS: 0.8,
    TextClass.STRUCTURED: 0.8,
    TextClass.PRIVATE: 0.8,
    TextClass.LINES: 0.4,
}
"""How probable it must be that a word identifies somebody for it to be taken out of a text in which nothing else does,
unless a profile says otherwise.
"""

LOWEST_THRESHOLD = 0.05
"""Words that a network thinks less of are forgotten."""


class CleanText(Protocol):
    """What the text step makes of a text."""

    def __call__(self, text: str, text_class: TextClass) -> str:
        """Return the text without what identifies; the very same if there is nothing."""


_PRIVATE = 0x10000
_SHORT_VRS = frozenset({"LO", "SH", "UC"})
_NAMED = ("Description", "Name", "Label", "Title", "Meaning")


@lru_cache(maxsize=4096)
def text_class(tag: int, vr: str) -> TextClass:
    """Return the class of an attribute outside content trees.

    Parameters
    ----------
    tag
        its tag
    vr
        its VR: what may be long is a comment, however it is called
    """
    if tag & _PRIVATE:
        return TextClass.PRIVATE
    try:
        keyword = dictionary_keyword(tag)
    except KeyError:
        keyword = ""
    return TextClass.DESCRIPTIONS if vr in _SHORT_VRS and keyword.endswith(_NAMED) else TextClass.COMMENTS

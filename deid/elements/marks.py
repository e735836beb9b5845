"""The attributes that say that, and how, an instance was de-identified (PS3.15 Section E.1.1, steps 9 to 11)."""

from __future__ import annotations

from collections.abc import Iterable

from deid.encoding.element import DataSet, Element
from deid.options import Code

PATIENT_IDENTITY_REMOVED = 0x0012_0062
DEIDENTIFICATION_METHOD = 0x0012_0063
DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x0012_0064
BURNED_IN_ANNOTATION = 0x0028_0301
RECOGNIZABLE_VISUAL_FEATURES = 0x0028_0302
LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED = 0x0028_0303

MARKS = frozenset(
    {
        PATIENT_IDENTITY_REMOVED,
        DEIDENTIFICATION_METHOD,
        DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
        LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    }
)
"""Those that every clean instance has. Burned In Annotation is the source's own where nobody looked at the pixels."""


def marks(profile: str, options: Iterable[str], codes: Iterable[Code], edition: str) -> Iterable[Element]:
    """Return the marks for a clean instance; what an earlier node claimed is not repeated.

    Parameters
    ----------
    profile
        its name
    options
        of the profile
    codes
        of the profile and of the options that were applied to this instance
    edition
        of the standard
    """
    yield Element(PATIENT_IDENTITY_REMOVED, "CS", b"YES")
    method = "\\".join(("deid-node", edition, f"profile {profile}"[:64]))
    yield Element(DEIDENTIFICATION_METHOD, "LO", method.encode("ascii", "replace"))
    yield Element(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, "SQ", [_code_item(code) for code in codes])
    yield Element(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, "CS", _temporal_information(frozenset(options)))


def nothing_burned_in() -> Element:
    """Return Burned In Annotation of an image whose pixels were cleaned (PS3.15 Section E.3.1)."""
    return Element(BURNED_IN_ANNOTATION, "CS", b"NO")


def nothing_recognizable() -> Element:
    """Return Recognizable Visual Features of an image whose face is gone, or that shows none (PS3.15 Section E.3.2)."""
    return Element(RECOGNIZABLE_VISUAL_FEATURES, "CS", b"NO")


def _temporal_information(options: frozenset[str]) -> bytes:
    if "retain_long_modified_dates" in options:
        return b"MODIFIED"
    return b"UNMODIFIED" if "retain_long_full_dates" in options else b"REMOVED"


def _code_item(code: Code) -> DataSet:
    values = ((0x0008_0100, "SH", code.value), (0x0008_0102, "SH", "DCM"), (0x0008_0104, "LO", code.meaning))
    return DataSet({tag: Element(tag, vr, value.encode("ascii")) for tag, vr, value in values})

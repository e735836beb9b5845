"""The attributes that say that, and how, an instance was de-identified (PS3.15 Section E.1.1, steps 9 to 11)."""

from __future__ import annotations

from collections.abc import Iterable

from deid.encoding.element import DataSet, Element
from deid.profile import Code, Profile

PATIENT_IDENTITY_REMOVED = 0x0012_0062
DEIDENTIFICATION_METHOD = 0x0012_0063
DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x0012_0064
LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED = 0x0028_0303

MARKS = frozenset(
    {
        PATIENT_IDENTITY_REMOVED,
        DEIDENTIFICATION_METHOD,
        DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
        LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    }
)


def marks(profile: Profile, edition: str) -> Iterable[Element]:
    """Return the marks for an instance cleaned by `profile`; what an earlier node claimed is not repeated."""
    yield Element(PATIENT_IDENTITY_REMOVED, "CS", b"YES")
    method = "\\".join(("deid-node", edition, f"profile {profile.name}"[:64]))
    yield Element(DEIDENTIFICATION_METHOD, "LO", method.encode("ascii", "replace"))
    yield Element(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, "SQ", [_code_item(code) for code in profile.method_codes])
    yield Element(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, "CS", _temporal_information(profile))


def _temporal_information(profile: Profile) -> bytes:
    if "retain_long_modified_dates" in profile.options:
        return b"MODIFIED"
    return b"UNMODIFIED" if "retain_long_full_dates" in profile.options else b"REMOVED"


def _code_item(code: Code) -> DataSet:
    values = ((0x0008_0100, "SH", code.value), (0x0008_0102, "SH", "DCM"), (0x0008_0104, "LO", code.meaning))
    return DataSet({tag: Element(tag, vr, value.encode("ascii")) for tag, vr, value in values})

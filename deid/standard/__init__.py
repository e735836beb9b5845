"""What the standard says, as tables: confidentiality actions, attribute Types, SOP Classes, Defined Terms.

The tables are JSON files beside this module, written by ``python -m deid.standard.generate``; README.md names their
sources, editions and licences. They are read once, at first use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydicom._uid_dict import UID_dictionary

from deid.standard.terms import is_defined_term

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EDITION",
    "NO_IOD_TABLE",
    "SUCCESSORS",
    "Row",
    "attribute_places",
    "attribute_type",
    "confidentiality_row",
    "confidentiality_rows",
    "iod_of",
    "is_defined_term",
    "is_known_sop_class",
    "known_sop_classes",
    "strictest",
]

EDITION = "PS3.15 2026c Table E.1-1 (options: 2024e)"

_STRICTNESS = ("1", "1C", "2", "2C", "3")

SUCCESSORS: Mapping[str, str] = {
    "1.2.840.10008.5.1.1.29": "1.2.840.10008.5.1.4.1.1.7",  # Hardcopy Grayscale → Secondary Capture
    "1.2.840.10008.5.1.1.30": "1.2.840.10008.5.1.4.1.1.7",  # Hardcopy Color → Secondary Capture
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame
    "1.2.840.10008.5.1.4.1.1.5": "1.2.840.10008.5.1.4.1.1.20",  # Nuclear Medicine
    "1.2.840.10008.5.1.4.1.1.6": "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound
    "1.2.840.10008.5.1.4.1.1.12.3": "1.2.840.10008.5.1.4.1.1.12.1",  # X-Ray Angiographic Bi-Plane
    "1.2.840.10008.5.1.4.1.1.77.1": "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Image Trial → VL Photographic
    "1.2.840.10008.5.1.4.1.1.77.2": "1.2.840.10008.5.1.4.1.1.77.1.4.1",  # VL Multi-frame Trial → Video Photographic
    "1.2.840.10008.5.1.4.1.1.88.1": "1.2.840.10008.5.1.4.1.1.88.11",  # Text SR Trial → Basic Text SR
    "1.2.840.10008.5.1.4.1.1.88.2": "1.2.840.10008.5.1.4.1.1.88.33",  # Audio SR Trial → Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.3": "1.2.840.10008.5.1.4.1.1.88.33",  # Detail SR Trial → Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.4": "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR Trial
    "1.2.840.10008.5.1.4.34.1": "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction Trial
    "1.2.840.10008.5.1.4.1.1.501.1": "1.2.840.10008.5.1.4.1.1.2",  # DICOS CT → CT
    "1.2.840.10008.5.1.4.1.1.501.2.1": "1.2.840.10008.5.1.4.1.1.1.1",  # DICOS DX For Presentation → DX
    "1.2.840.10008.5.1.4.1.1.501.2.2": "1.2.840.10008.5.1.4.1.1.1.1.1",  # DICOS DX For Processing → DX
}
"""Retired or foreign SOP Classes without an IOD table of their own, and the one whose Types stand for theirs."""

NO_IOD_TABLE = frozenset(
    {
        "1.2.840.10008.5.1.1.27",  # Stored Print (retired)
        "1.2.840.10008.5.1.4.1.1.8",  # Standalone Overlay (retired)
        "1.2.840.10008.5.1.4.1.1.9",  # Standalone Curve (retired)
        "1.2.840.10008.5.1.4.1.1.9.1",  # Waveform Trial (retired)
        "1.2.840.10008.5.1.4.1.1.10",  # Standalone Modality LUT (retired)
        "1.2.840.10008.5.1.4.1.1.11",  # Standalone VOI LUT (retired)
        "1.2.840.10008.5.1.4.1.1.129",  # Standalone PET Curve (retired)
        "1.2.840.10008.5.1.4.1.1.501.3",  # DICOS Threat Detection Report
        "1.2.840.10008.5.1.4.1.1.501.4",  # DICOS 2D AIT
        "1.2.840.10008.5.1.4.1.1.501.5",  # DICOS 3D AIT
        "1.2.840.10008.5.1.4.1.1.501.6",  # DICOS Quadrupole Resonance
        "1.2.840.10008.5.1.4.1.1.601.1",  # DICONDE Eddy Current
        "1.2.840.10008.5.1.4.1.1.601.2",  # DICONDE Eddy Current Multi-frame
    }
)
"""Storage SOP Classes that are known, but whose IOD no table describes: every attribute's Type is None."""

_NEVER_AN_INSTANCE = frozenset(
    {
        "1.2.840.10008.1.3.10",  # Media Storage Directory: a DICOMDIR is a file, not stored by C-STORE
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model (retired)
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of PS3.15 Table E.1-1.

    Attributes
    ----------
    tag
        the tag, or the lowest one that a repeating group's row stands for
    mask
        the bits of a tag that must equal `tag`'s; all of them unless the group repeats
    keyword
        PS3.6's keyword, empty for rows without one
    vr
        PS3.6's VR, several joined by ``" or "``
    basic
        the Basic Profile's action as printed, compounds such as ``X/Z/D`` included
    options
        option name → ``K`` or ``C``
    """

    tag: int
    mask: int
    keyword: str
    vr: str
    basic: str
    options: Mapping[str, str]


def confidentiality_rows() -> tuple[Row, ...]:
    """All rows of PS3.15 Table E.1-1 in ascending order of tag, the row for private attributes left out."""
    return _confidentiality()[0]


def confidentiality_row(tag: int) -> Row | None:
    """Return the row of PS3.15 Table E.1-1 that covers `tag`, repeating groups included; None without one."""
    _, exact, repeating = _confidentiality()
    row = exact.get(tag)
    if row is not None:
        return row
    return next((row for row in repeating if tag & row.mask == row.tag), None)


def is_known_sop_class(uid: str) -> bool:
    """Whether `uid` is a storage SOP Class of PS3.4 Annex B, retired ones, DICOS and DICONDE included."""
    return uid in known_sop_classes()


@cache
def known_sop_classes() -> frozenset[str]:
    """Every storage SOP Class known here: pydicom's dictionary and the IOD tables united."""
    named = {uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and "Storage" in entry[0]}
    return frozenset((named | set(_types()["sop_classes"])) - _NEVER_AN_INSTANCE)


def iod_of(sop_class_uid: str) -> str | None:
    """Name of the IOD whose table gives `sop_class_uid`'s Types, None if no table does."""
    name: str | None = _types()["sop_classes"].get(SUCCESSORS.get(sop_class_uid, sop_class_uid))
    return name


def attribute_type(sop_class_uid: str, parent_tag: int, tag: int) -> str | None:
    """Type of an attribute in a SOP Class's IOD (PS3.5 Section 7.4).

    Parameters
    ----------
    sop_class_uid
        the instance's SOP Class
    parent_tag
        tag of the Sequence that holds it directly, 0 at the top level
    tag
        the attribute; only those of Table E.1-1 have their Types in the tables

    Returns
    -------
    str or None
        ``1``, ``1C``, ``2``, ``2C`` or ``3``: the strictest of all the IOD's modules, be their usage M, C or U.
        None if the attribute isn't in the IOD, or the IOD isn't known.
    """
    iod = iod_of(sop_class_uid)
    return None if iod is None else _types_of(iod).get(parent_tag << 32 | tag)


def attribute_places(sop_class_uid: str) -> Mapping[int, Mapping[int, str]]:
    """Return where a SOP Class's IOD has the attributes of Table E.1-1: attribute → holding Sequence → Type.

    The top level counts as Sequence 0. Empty if no table describes the IOD.
    """
    iod = iod_of(sop_class_uid)
    found: dict[int, dict[int, str]] = {}
    for place, type_ in ({} if iod is None else _types_of(iod)).items():
        found.setdefault(place & 0xFFFFFFFF, {})[place >> 32] = type_
    return found


def strictest(*types: str) -> str:
    """Return the Type that demands most: 1 before 1C, 2, 2C and 3."""
    return min(types, key=_STRICTNESS.index)


@cache
def _confidentiality() -> tuple[tuple[Row, ...], Mapping[int, Row], tuple[Row, ...]]:
    """Rows, rows by tag, rows of repeating groups."""
    rows = tuple(_row(raw) for raw in _load("confidentiality.json")["rows"])
    exact = {row.tag: row for row in rows if row.mask == 0xFFFFFFFF}
    return rows, exact, tuple(row for row in rows if row.mask != 0xFFFFFFFF)


def _row(raw: Mapping[str, Any]) -> Row:
    mask = int(raw.get("mask", "FFFFFFFF"), 16)
    return Row(int(raw["tag"], 16), mask, raw["keyword"], raw["vr"], raw["basic"], raw["options"])


@cache
def _types() -> Any:  # noqa: ANN401  JSON
    return _load("attribute_types.json")


@cache
def _types_of(iod: str) -> Mapping[int, str]:
    """Types of one IOD by ``parent << 32 | tag``: its modules' maps laid over each other."""
    merged: dict[int, str] = {}
    for module in _types()["iods"][iod]:
        for key, type_ in _types()["modules"][module].items():
            parent, tag = key.split("/")
            place = int(parent, 16) << 32 | int(tag, 16)
            merged[place] = strictest(type_, merged.get(place, "3"))
    return merged


def _load(name: str) -> Any:  # noqa: ANN401  JSON
    return json.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))

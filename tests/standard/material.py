"""Data Sets that hold every attribute of Table E.1-1, encoded here: neither writer nor dictionary is relied on."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from tests.standard.table import TEXT_VRS, Row, rows

CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENT_ID, PATIENT_NAME = "MRN-4471902", "Vendrakesh^Olumina"
SECRETS = (b"4471902", b"Vendrakesh", b"Olumina")
STAYS = b"lobulated"
"""A clinical word: in what is cleaned it stays."""

SAFE_CREATOR, SAFE_VALUE = b"SIEMENS MR HEADER", b"1000"
SAFE, UNDEFINED, UNOWNED, CREATOR = 0x0019_100C, 0x0019_10FE, 0x0021_1001, 0x0019_0010
"""A private element of Table E.3.10-1, one of the same creator on no list, one of no creator."""

_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")
_SOP_CLASS_UID, _MODALITY = 0x0008_0016, 0x0008_0060
_OF_REPEATING_GROUPS = {
    0x5000_0000: ((0x5000_3000, "OW"), (0x501E_2500, "LO")),  # Curve Data, Curve Label
    0x6000_3000: ((0x6000_3000, "OW"), (0x601E_3000, "OW")),
    0x6000_4000: ((0x6000_4000, "LT"), (0x601E_4000, "LT")),
}
_VALUES = {
    0x0008_0201: b"+0100",  # Timezone Offset From UTC
    0x0010_0010: PATIENT_NAME.encode("ascii"),
    0x0010_0020: PATIENT_ID.encode("ascii"),
    0x0010_0040: b"F",  # Patient's Sex
    0x0010_1010: b"045Y",  # Patient's Age
    0x0010_21A0: b"NO",  # Smoking Status
    0x0010_2203: b"UNALTERED",  # Patient's Sex Neutered
    0x0072_005F: b"093Y",  # Selector AS Value
    0x0400_0565: b"COERCE",  # Reason for the Attribute Modification
}


@dataclass(frozen=True, slots=True)
class Node:
    """An element as it goes in: bytes, or the items of a Sequence."""

    tag: int
    vr: str
    value: bytes | list[list[Node]]


@cache
def word(number: int) -> str:
    """Return a word of no language, another for each number."""
    digest = hashlib.sha256(f"row {number}".encode("ascii")).digest()
    return "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[:5])


def _short_word(number: int) -> str:
    """Return four letters, others for each number, which leave room for an ID in 16 characters."""
    first, second = divmod(number, len(_SYLLABLES))
    return _SYLLABLES[first % len(_SYLLABLES)] + _SYLLABLES[second]


def places() -> list[tuple[Row, int, str]]:
    """Return each row with the attributes (tag and VR) that stand for it."""
    return [
        (row, tag, vr)
        for row in rows()
        for tag, vr in _OF_REPEATING_GROUPS.get(row.tag, ((row.tag, row.vr.split(" or ")[0]),))
    ]


def node_of(tag: int, vr: str, number: int, *, planted: bool) -> Node:
    """Return the attribute with a value of its own; `planted` puts the patient's ID into texts."""
    if vr == "SQ":
        return Node(tag, vr, _CONTENT[tag]() if tag in _CONTENT else [_item(number, planted=planted)])
    if tag in _VALUES:
        return Node(tag, vr, _VALUES[tag])
    return Node(tag, vr, _value(vr, number, planted=planted))


def everything(*, planted: bool) -> list[Node]:
    """Return all attributes of the table and some private ones."""
    nodes = [node_of(tag, vr, number, planted=planted) for number, (_, tag, vr) in enumerate(places())]
    return [*nodes, *private()]


def private() -> list[Node]:
    return [
        Node(CREATOR, "LO", SAFE_CREATOR),
        Node(SAFE, "IS", SAFE_VALUE),
        Node(UNDEFINED, "LO", b"fukamodiri"),
        Node(UNOWNED, "LO", b"gorubasive"),
    ]


def instance(sop_class_uid: str, nodes: Sequence[Node]) -> list[Node]:
    """Return a Data Set of the SOP Class: `nodes`, and what no instance is without."""
    own = {node.tag: node for node in nodes}
    for tag, vr, value in (
        (_SOP_CLASS_UID, "UI", sop_class_uid.encode("ascii")),
        (0x0008_0018, "UI", b"1.2.826.0.1.3680043.8.498.71.1"),
        (_MODALITY, "CS", b"CT"),
        (0x0010_0010, "PN", _VALUES[0x0010_0010]),
        (0x0010_0020, "LO", _VALUES[0x0010_0020]),
        (0x0020_000D, "UI", b"1.2.826.0.1.3680043.8.498.71.2"),
        (0x0020_000E, "UI", b"1.2.826.0.1.3680043.8.498.71.3"),
    ):
        own.setdefault(tag, Node(tag, vr, value))
    return list(own.values())


def encode(nodes: Sequence[Node]) -> bytes:
    """Encode as Explicit VR Little Endian (PS3.5 Section 7.1.2)."""
    return b"".join(_element(node) for node in sorted(nodes, key=lambda node: node.tag))


def _element(node: Node) -> bytes:
    if isinstance(node.value, list):
        value = b"".join(_header(0xFFFE_E000, "", len(data)) + data for data in map(encode, node.value))
    else:
        pad = b"\0" if node.vr in {"OB", "OW", "UI", "UN"} else b" "
        value = node.value + pad * (len(node.value) % 2)
    return _header(node.tag, node.vr, len(value)) + value


def _header(tag: int, vr: str, length: int) -> bytes:
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not vr:
        return start + struct.pack("<L", length)
    if vr in _LONG_VRS:
        return start + vr.encode("ascii") + b"\0\0" + struct.pack("<L", length)
    return start + vr.encode("ascii") + struct.pack("<H", length)


def _item(number: int, *, planted: bool) -> list[Node]:
    """Return an item whose attributes have rows of their own: U, Z, Z and X in the Basic Profile."""
    return [
        Node(0x0008_0014, "UI", _value("UI", 2000 + number, planted=False)),
        Node(0x0008_0020, "DA", _value("DA", 2000 + number, planted=False)),
        Node(0x0008_0090, "PN", _value("PN", 2000 + number, planted=False)),
        Node(0x0010_4000, "LT", _value("LT", 9000 + number, planted=planted)),
    ]


def _value(vr: str, number: int, *, planted: bool) -> bytes:
    if planted and vr in TEXT_VRS:
        text = f"{_short_word(number)} {PATIENT_ID}" if vr == "SH" else f"{word(number)} lobulated nodule {PATIENT_ID}"
        return text.encode("ascii")
    if vr in TEXT_VRS:
        return f"{word(number)} nodule"[:16].encode("ascii")
    if vr == "US":
        return struct.pack("<H", number)
    text = {
        "AE": word(number).upper(),
        "AS": f"{number % 80:03d}Y",
        "CS": word(number).upper(),
        "DA": _day(number),
        "DS": f"{number}.25",
        "DT": f"{_day(number)}{_time(number)}.{number:06d}+0100",
        "IS": str(number),
        "PN": f"{word(number)}^{word(number + 5000)}".title(),
        "TM": _time(number),
        "UI": f"1.2.826.0.1.3680043.8.498.70.{number}",
        "UR": f"https://example.org/{word(number)}",
    }.get(vr)
    return f"\1{number:05d}".encode("ascii") if text is None else text.encode("ascii")


def _day(number: int) -> str:
    return (date(2003, 5, 6) + timedelta(days=number)).strftime("%Y%m%d")


def _time(number: int) -> str:
    return f"{number % 24:02d}{number % 60:02d}{number % 59:02d}"


# PS3.3 Section C.17.3 and Section C.10.5: items whose values are cleaned by what they are


def _code(tag: int, value: str, scheme: str, meaning: str) -> Node:
    texts = ((0x0008_0100, "SH", value), (0x0008_0102, "SH", scheme), (0x0008_0104, "LO", meaning))
    return Node(tag, "SQ", [[Node(tag, vr, text.encode("ascii")) for tag, vr, text in texts]])


def _content_items() -> list[list[Node]]:
    finding = f"lobulated nodule, {PATIENT_ID}"
    return [
        [
            Node(0x0040_A010, "CS", b"CONTAINS"),
            Node(0x0040_A040, "CS", b"TEXT"),
            _code(0x0040_A043, "121071", "DCM", "Finding"),
            Node(0x0040_A160, "UT", finding.encode("ascii")),
        ],
        [
            Node(0x0040_A010, "CS", b"HAS OBS CONTEXT"),
            Node(0x0040_A040, "CS", b"PNAME"),
            _code(0x0040_A043, "121029", "DCM", "Subject Name"),
            Node(0x0040_A123, "PN", PATIENT_NAME.encode("ascii")),
        ],
    ]


def _preparation() -> list[list[Node]]:
    return [[Node(0x0040_0612, "SQ", _content_items())]]


def _waveform_annotation() -> list[list[Node]]:
    return [[Node(0x0040_A0B0, "US", b"\1\0\0\0"), Node(0x0070_0006, "ST", f"lobulated {PATIENT_ID}".encode("ascii"))]]


def _graphics() -> list[list[Node]]:
    text = [Node(0x0070_0006, "ST", f"lobulated {PATIENT_ID}".encode("ascii"))]
    return [[Node(0x0070_0002, "CS", b"LAYER1"), Node(0x0070_0008, "SQ", [text])]]


_CONTENT = {
    0x0040_0555: _content_items,  # Acquisition Context Sequence
    0x0040_0610: _preparation,  # Specimen Preparation Sequence
    0x0040_A730: _content_items,  # Content Sequence
    0x0040_B020: _waveform_annotation,  # Waveform Annotation Sequence
    0x0070_0001: _graphics,  # Graphic Annotation Sequence
}

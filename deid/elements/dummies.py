"""Dummy values: non-empty, valid for their VR, and the same for everybody (action D of PS3.15 Table E.1-1a)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from deid.elements.uids import map_ui_value
from deid.encoding.element import DataSet, Element, Fragments
from deid.errors import Reason, Refused
from deid.standard import is_defined_term

DUMMY_TEXT = b"REMOVED"

DUMMY_BY_VR: dict[str, bytes] = {
    "AE": DUMMY_TEXT,
    "AS": b"000Y",
    "AT": bytes(4),
    "CS": DUMMY_TEXT,
    "DA": b"20000101",
    "DS": b"0",
    "DT": b"20000101000000",
    "FD": bytes(8),
    "FL": bytes(4),
    "IS": b"0",
    "LO": DUMMY_TEXT,
    "LT": DUMMY_TEXT,
    "OB": bytes(2),
    "OD": bytes(8),
    "OF": bytes(4),
    "OL": bytes(4),
    "OV": bytes(8),
    "OW": bytes(2),
    "PN": DUMMY_TEXT,
    "SH": DUMMY_TEXT,
    "SL": bytes(4),
    "SS": bytes(2),
    "ST": DUMMY_TEXT,
    "SV": bytes(8),
    "TM": b"000000",
    "UC": DUMMY_TEXT,
    "UL": bytes(4),
    "UN": bytes(2),
    "UR": b"urn:removed",
    "US": bytes(2),
    "UT": DUMMY_TEXT,
    "UV": bytes(8),
}

# Where the standard enumerates the values, the dummy is one of them.
DUMMY_BY_TAG: dict[int, bytes] = {
    0x0008_0102: b"99DEID",  # Coding Scheme Designator: private ones begin with 99 (PS3.16 Section 8)
    0x0028_0008: b"1",  # Number of Frames
    0x0400_0565: b"CORRECT",  # Reason for the Attribute Modification, PS3.3 Table C.12-1
}

# Coding schemes whose codes and meanings are public vocabularies (PS3.16 Section 8).
PUBLIC_CODING_SCHEMES = frozenset(
    {
        "ACR",
        "BI",
        "CPT4",
        "DCM",
        "FMA",
        "I10",
        "I10P",
        "I9",
        "I9C",
        "ICD10",
        "ICDO3",
        "LN",
        "MA",
        "MDC",
        "MSH",
        "NCIt",
        "NEU",
        "POS",
        "RADELEMENT",
        "RADLEX",
        "RXNORM",
        "SCT",
        "SNM3",
        "SRT",
        "UCUM",
        "UMLS",
        "UO",
    }
)

CODE_VALUE = 0x0008_0100
CODING_SCHEME_DESIGNATOR = 0x0008_0102
CODING_SCHEME_VERSION = 0x0008_0103
CODE_MEANING = 0x0008_0104
# Numbers of the templates of PS3.16, types of compound graphics (PS3.3 Section C.10.5), layers as viewers call them.
_HARMLESS_CODE = re.compile(
    r"\d{1,5}|MULTILINE|INFINITELINE|(?:LAYER|OVERLAY|GRAPHICS?|ANNOTATIONS?|MEASUREMENTS?)[ _]?\d{0,2}"
)
_CODE_PREFIX = b"C"
_CODE_BYTES = 5
_CODE_ATTRIBUTES = frozenset({CODE_VALUE, CODING_SCHEME_DESIGNATOR, CODING_SCHEME_VERSION, CODE_MEANING})

# Numbers and tags that give a content tree or a graphic its form and say nothing of a person.
_MOST_TAGS_BYTES = 8
_STRUCTURAL_TAGS = frozenset(
    {
        0x0008_1160,  # Referenced Frame Number
        0x0040_A0B0,  # Referenced Waveform Channels
        0x0040_A132,  # Referenced Sample Positions
        0x0040_DB73,  # Referenced Content Item Identifier
        0x0062_000B,  # Referenced Segment Number
        0x0070_0020,  # Graphic Dimensions
        0x0070_0021,  # Number of Graphic Points
    }
)


def stand_in_for_codes(key: bytes, value: bytes) -> bytes:
    """Return a CS value in which a word that isn't the standard's gives way to a code made of it under `key`.

    Equal words become equal codes, so that what refers to a layer by its name still finds it.
    """
    return b"\\".join(_stand_in_for_code(part.strip(b" \0"), key) for part in value.split(b"\\"))


def _stand_in_for_code(word: bytes, key: bytes) -> bytes:
    text = word.decode("latin-1")
    if not word or _HARMLESS_CODE.fullmatch(text) or (text.isascii() and is_defined_term(text)):
        return word
    digest = hmac.digest(key, b"code\x1f" + word, hashlib.sha256)
    return _CODE_PREFIX + base64.b32encode(digest[:_CODE_BYTES])


def dummy_element(element: Element, uid_key: bytes) -> Element:
    """Return `element` with a dummy value; a sequence keeps its form, filled with dummies at every depth.

    UIDs are replaced by those that stand for them, which serve as dummies and still resolve.

    Raises
    ------
    Refused
        If no dummy exists for the VR.
    """
    if isinstance(element.value, list):
        return Element(element.tag, "SQ", [_dummy_item(item, uid_key) for item in element.value])
    if element.vr == "UI":
        return _mapped(element, uid_key)
    return Element(element.tag, element.vr, _dummy_value(element))


def _mapped(element: Element, uid_key: bytes) -> Element:
    assert isinstance(element.value, bytes | memoryview)  # noqa: S101  the reader gives UI nothing else
    return Element(element.tag, "UI", map_ui_value(uid_key, bytes(element.value)))


def _dummy_value(element: Element) -> bytes:
    if element.tag in DUMMY_BY_TAG:
        return DUMMY_BY_TAG[element.tag]
    dummy = DUMMY_BY_VR.get(element.vr)
    if dummy is None:
        raise Refused(Reason.MALFORMED, f"no dummy for ({element.tag >> 16:04X},{element.tag & 0xFFFF:04X})")
    return dummy


def is_public_code(item: DataSet) -> bool:
    """Tell whether an item of a code sequence (PS3.3 Section 8) takes its code from a public vocabulary."""
    scheme = item.elements.get(CODING_SCHEME_DESIGNATOR)
    if scheme is None or not isinstance(scheme.value, bytes | memoryview):
        return False
    return bytes(scheme.value).strip(b" \0").decode("latin-1") in PUBLIC_CODING_SCHEMES


def _dummy_item(item: DataSet, uid_key: bytes) -> DataSet:
    kept_codes = _CODE_ATTRIBUTES if is_public_code(item) else frozenset[int]()
    out = DataSet(charset=item.charset)
    for tag, element in item.elements.items():
        if tag >> 16 & 1:
            continue
        out.elements[tag] = element if tag in kept_codes else _nested_dummy(element, uid_key)
    return out


def _nested_dummy(element: Element, uid_key: bytes) -> Element:
    value = element.value
    if isinstance(value, list):
        return Element(element.tag, "SQ", [_dummy_item(item, uid_key) for item in value])
    if isinstance(value, Fragments) or not len(value):
        return element
    if element.vr == "CS":
        return Element(element.tag, "CS", stand_in_for_codes(uid_key, bytes(value)))
    if element.tag in _STRUCTURAL_TAGS or (element.vr == "AT" and len(value) <= _MOST_TAGS_BYTES):
        return element
    if element.vr == "UI":
        return _mapped(element, uid_key)
    dummy = _dummy_value(element)
    is_binary = not any(dummy)
    return Element(element.tag, element.vr, bytes(len(value)) if is_binary else dummy)

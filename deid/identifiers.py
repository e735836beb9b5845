"""What identifies this patient: harvested from the source before anything is removed.

Nothing here is ever logged, reported or pickled; the values live as long as the instance is being worked on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations

from pydicom._dicom_dict import DicomDictionary

from deid.elements.uids import is_well_known
from deid.encoding.element import DataSet, Element
from deid.encoding.text import encodings
from deid.needles import Kind, Needle, Needles, make_date_needle, make_needle
from deid.readings import readings
from deid.standard import confidentiality_row

SHORTEST_NAME_PART = 3
SHORTEST_CODE = 4
SHORTEST_PHRASE = 5
MOST_PARTS = 8

# Attributes whose whole value points at a person, a place or a record (the identifying rows of PS3.15 Table E.1-1;
# rows of free text are not here: their words are not identifiers).
_CODES = frozenset(
    {
        0x0008_0050,  # Accession Number
        0x0010_0020,  # Patient ID
        0x0010_1000,  # Other Patient IDs
        0x0010_1050,  # Insurance Plan Identification
        0x0010_1090,  # Medical Record Locator
        0x0010_2154,  # Patient's Telephone Numbers
        0x0010_2155,  # Patient's Telecom Information
        0x0018_1000,  # Device Serial Number
        0x0018_1002,  # Device UID
        0x0018_1004,  # Plate ID
        0x0018_1007,  # Cassette ID
        0x0018_1008,  # Gantry ID
        0x0020_0010,  # Study ID
        0x0038_0010,  # Admission ID
        0x0038_0060,  # Service Episode ID
        0x0040_0009,  # Scheduled Procedure Step ID
        0x0040_0253,  # Performed Procedure Step ID
        0x0040_1001,  # Requested Procedure ID
        0x0040_050A,  # Specimen Accession Number
        0x0040_0512,  # Container Identifier
        0x0040_0551,  # Specimen Identifier
        0x0040_06FA,  # Slide Identifier
        0x0040_1103,  # Person's Telephone Numbers
        0x0040_1104,  # Person's Telecom Information
        0x0040_2010,  # Order Callback Phone Number
        0x0040_2011,  # Order Callback Telecom Information
        0x0040_2016,  # Placer Order Number / Imaging Service Request
        0x0040_2017,  # Filler Order Number / Imaging Service Request
        0x0040_A354,  # Telephone Number (Trial)
        0x0050_001B,  # Container Component ID
        0x2200_0005,  # Barcode Value
        0x4008_0040,  # Results ID
        0x4008_0200,  # Interpretation ID
    }
)
# IDs of studies, machines and their parts, AE titles: some are plain words, CT or DETECTOR, and then they say nothing.
_NUMBERED = frozenset(
    {
        0x0008_0054,  # Retrieve AE Title
        0x0008_0055,  # Station AE Title
        0x0008_1000,  # Network ID
        0x0010_0021,  # Issuer of Patient ID
        0x0012_0020,  # Clinical Trial Protocol ID
        0x0012_0022,  # Issuer of Clinical Trial Protocol ID
        0x0012_0030,  # Clinical Trial Site ID
        0x0012_0032,  # Issuer of Clinical Trial Site ID
        0x0012_0040,  # Clinical Trial Subject ID
        0x0012_0041,  # Issuer of Clinical Trial Subject ID
        0x0012_0042,  # Clinical Trial Subject Reading ID
        0x0012_0043,  # Issuer of Clinical Trial Subject Reading ID
        0x0012_0055,  # Issuer of Clinical Trial Time Point ID
        0x0012_0071,  # Clinical Trial Series ID
        0x0012_0073,  # Issuer of Clinical Trial Series ID
        0x0012_0082,  # Clinical Trial Protocol Ethics Committee Approval Number
        0x0016_0051,  # Lens Serial Number
        0x0018_1005,  # Generator ID
        0x0018_1009,  # Unique Device Identifier
        0x0018_1010,  # Secondary Capture Device ID
        0x0018_1011,  # Hardcopy Creation Device ID
        0x0018_700A,  # Detector ID
        0x0018_9367,  # X-Ray Source ID
        0x0018_9371,  # X-Ray Detector ID
        0x0020_3401,  # Modifying Device ID
        0x0032_0012,  # Study ID Issuer
        0x0032_1021,  # Scheduled Study Location AE Title
        0x0038_0011,  # Issuer of Admission ID
        0x0038_0061,  # Issuer of Service Episode ID
        0x0040_0001,  # Scheduled Station AE Title
        0x0040_0241,  # Performed Station AE Title
        0x0074_1234,  # Receiving AE
        0x0074_1236,  # Requesting AE
        0x2100_0070,  # Originator
        0x2100_0140,  # Destination AE
        0x3008_0105,  # Source Serial Number
        0x300A_00B2,  # Treatment Machine Name
        0x300A_0611,  # RT Accessory Holder Slot ID
        0x300A_0615,  # RT Accessory Device Slot ID
        0x3010_001B,  # Device Alternate Identifier
        0x3010_0043,  # Manufacturer's Device Identifier
        0x4008_0042,  # Results ID Issuer
        0x4008_0202,  # Interpretation ID Issuer
    }
)
_PHRASES = frozenset(
    {
        0x0008_0080,  # Institution Name
        0x0008_0081,  # Institution Address
        0x0008_0092,  # Referring Physician's Address
        0x0008_0094,  # Referring Physician's Telephone Numbers
        0x0008_1010,  # Station Name
        0x0008_1040,  # Institutional Department Name
        0x0008_1041,  # Institutional Department Type Code Sequence
        0x0012_0031,  # Clinical Trial Site Name
        0x0012_0081,  # Clinical Trial Protocol Ethics Committee Name
        0x0010_1040,  # Patient's Address
        0x0010_1060,  # Patient's Mother's Birth Name
        0x0010_2150,  # Country of Residence
        0x0010_2152,  # Region of Residence
        0x0010_2297,  # Responsible Person
        0x0010_2299,  # Responsible Organization
        0x0032_1020,  # Scheduled Study Location
        0x0038_001E,  # Scheduled Patient Institution Residence
        0x0038_0300,  # Current Patient Location
        0x0038_0400,  # Patient's Institution Residence
        0x0040_0010,  # Scheduled Station Name
        0x0040_0011,  # Scheduled Procedure Step Location
        0x0040_0242,  # Performed Station Name
        0x0040_0243,  # Performed Location
        0x0040_1005,  # Requested Procedure Location
        0x0040_1102,  # Person's Address
        0x0040_2009,  # Order Enterer's Location
        0x0040_4036,  # Human Performer's Organization
        0x0040_A027,  # Verifying Organization
        0x0040_A353,  # Address (Trial)
        0x4008_011A,  # Distribution Address
    }
)
_LONG_ASCII = re.compile(rb"[A-Za-z]{6,}")
_LETTERS = re.compile(r"[^\W\d_]+")
_TITLES = frozenset(
    {
        "dr",
        "md",
        "phd",
        "prof",
        "mr",
        "mrs",
        "ms",
        "miss",
        "jr",
        "sr",
        "rn",
        "frau",
        "herr",
        "med",
    }
)
_EMPTY_WORDS = frozenset(
    {
        "anonymous",
        "anonymized",
        "anonymised",
        "anon",
        "unknown",
        "none",
        "null",
        "removed",
        "patient",
        "test",
        "name",
        "unnamed",
        "noname",
    }
)
_WORDS = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_DATE = re.compile(r"\d{8}")
_DIGIT = re.compile(r"\d")
_PUNCTUATION = re.compile(r"[\W_]+")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_FIRST_BEYOND_LATIN = 0x0250


@dataclass(slots=True, repr=False)
class Identifiers:
    """What identifies the patient of one instance.

    Attributes
    ----------
    needles
        every form to look for
    dates
        the original dates as ``YYYYMMDD``
    """

    needles: Needles = field(default_factory=Needles)
    dates: set[str] = field(default_factory=set)

    def __repr__(self) -> str:
        """Say how many, never which."""
        return f"<{len(self.needles)} identifiers>"


def harvest(data_set: DataSet, is_kept: Callable[[int, str, int], bool]) -> Identifiers:
    """Collect the identifiers of `data_set` at every depth.

    Parameters
    ----------
    data_set
        the source
    is_kept
        tells for (tag, vr, tag of the enclosing sequence) whether the profile keeps that attribute: what may stay is
        not looked for
    """
    found = Identifiers()
    devices: list[Needle] = []
    kept_words: set[str] = set()
    for parent, owner, element, forms_of in _candidates(data_set, 0, []):
        tag, vr = element.tag, element.vr
        stays = is_kept(tag, vr, parent)
        if stays and tag not in _OF_DEVICE_OR_PLACE:
            continue
        value = bytes(element.value)  # type: ignore[arg-type]  # a leaf
        forms = forms_of(value, vr, owner.charset)
        if stays:
            kept_words.update(needle.words for needle in forms)
        elif tag in _OF_DEVICE_OR_PLACE:
            devices.extend(forms)
        else:
            found.needles.update(forms)
            if forms_of is _forms_of_dates:
                found.dates.update(_days_in(value))
    # A station that the profile lets stay is no secret where a worklist repeats its name.
    found.needles.update(needle for needle in devices if needle.words not in kept_words)
    return found


def _candidates(
    data_set: DataSet, parent: int, out: list[tuple[int, DataSet, Element, _FormsOf]]
) -> list[tuple[int, DataSet, Element, _FormsOf]]:
    """Append what can hold an identifier, at every depth, with the tag of its sequence and its Data Set; return all."""
    by_vr, by_tag = _FORMS_BY_VR, _FORMS_BY_OWN_TAG
    for element in data_set.elements.values():
        value = element.value
        if isinstance(value, list):
            for item in value:
                _candidates(item, element.tag, out)
            continue
        of_vr, of_tag = by_vr.get(element.vr), by_tag.get(element.tag)
        if (of_vr is None and of_tag is None) or not isinstance(value, (bytes, memoryview)) or not len(value):
            continue
        if of_vr is not None:
            out.append((parent, data_set, element, of_vr))
        if of_tag is not None and of_tag is not of_vr:
            out.append((parent, data_set, element, of_tag))
    return out


def _needles(forms: Iterable[tuple[Kind, str]], codecs: tuple[str, ...] = ()) -> tuple[Needle, ...]:
    made = (make_needle(kind, text, codecs) for kind, text in dict.fromkeys(forms))
    return tuple(needle for needle in made if needle is not None)


# The instances of a series repeat the same values; their forms are worked out once.
_remembered = lru_cache(maxsize=4096)


@_remembered
def _forms_of_uids(value: bytes, vr: str, charset: tuple[str, ...]) -> tuple[Needle, ...]:
    del vr, charset
    uids = (part.strip(" \0") for part in value.decode("latin-1").split("\\"))
    return _needles((Kind.UID, uid) for uid in uids if len(uid) > SHORTEST_CODE and not is_well_known(uid))


@_remembered
def _forms_of_dates(value: bytes, vr: str, charset: tuple[str, ...]) -> tuple[Needle, ...]:
    del vr, charset
    return tuple(needle for day in dict.fromkeys(_days_in(value)) for needle in _needles_of_date(day))


def _days_in(value: bytes) -> Iterator[str]:
    for part in value.decode("latin-1").split("\\"):
        match = _DATE.match(part.strip(" \0").replace(".", ""))
        if match is not None:
            yield match.group()


def _needles_of_date(date: str) -> Iterator[Needle]:
    """Return a needle for each written form; all of them hold the year."""
    year, month, day = date[:4], date[4:6], date[6:]
    orders = ((year, month, day), (day, month, year), (month, day, year))
    for form in (date, *(separator.join(order) for separator in "-./ " for order in orders)):
        yield make_date_needle(form, form, year)
    if not 1 <= int(month) <= len(_MONTHS):
        return
    for name in dict.fromkeys((_MONTHS[int(month) - 1], _MONTHS[int(month) - 1][:3])):
        for number in dict.fromkeys((day, day.lstrip("0"))):
            for form in (f"{number} {name} {year}", f"{name} {number} {year}", f"{year} {name} {number}"):
                yield make_date_needle(form, name, year)


@_remembered
def _forms_of_names(value: bytes, vr: str, charset: tuple[str, ...]) -> tuple[Needle, ...]:
    names = (name for text in readings(value, vr, charset) for name in text.split("\\"))
    groups = (group.strip(" \0") for name in names for group in name.split("="))
    forms = [form for group in groups for form in _forms_of_name(group)]
    return _needles([*forms, *_ascii_parts(value)], encodings(charset))


def _ascii_parts(value: bytes) -> Iterator[tuple[Kind, str]]:
    """Yield the long words of ASCII in a name that isn't: a broken byte beside one makes another word of it."""
    parts = [part.decode("ascii") for part in _LONG_ASCII.findall(value)] if not value.isascii() else []
    yield from ((Kind.NAME_PART, part) for part in parts if part.casefold() not in _TITLES | _EMPTY_WORDS)


def _forms_of_name(group: str) -> Iterator[tuple[Kind, str]]:
    parts = [part for part in _WORDS.findall(group) if part.casefold() not in _TITLES | _EMPTY_WORDS]
    parts = [part for part in parts if _could_be_a_name(part)][:MOST_PARTS]
    alone = {part for part in parts if len(part) >= _shortest_part(part)}
    for part in parts:
        if part in alone:
            yield Kind.NAME_PART, part
    for pair in permutations(parts, 2):
        if len("".join(pair)) >= SHORTEST_CODE:
            yield Kind.NAME, "".join(pair)
            if not alone.issuperset(pair):  # else a part alone is found anyway
                yield Kind.NAME, " ".join(pair)


def _could_be_a_name(part: str) -> bool:
    """Tell a name from a number, and from what bytes of another script look like in Latin letters (B0M3)."""
    if not any(map(str.isdigit, part)):
        return True
    return max(map(len, _LETTERS.findall(part)), default=0) >= SHORTEST_NAME_PART


def _shortest_part(part: str) -> int:
    """Return how long a part must be to be looked for alone; an ideograph or syllable says more than a letter."""
    return SHORTEST_NAME_PART if ord(max(part)) < _FIRST_BEYOND_LATIN else 2


@_remembered
def _forms_of_codes(value: bytes, vr: str, charset: tuple[str, ...]) -> tuple[Needle, ...]:
    return _forms_of_text(Kind.CODE, SHORTEST_CODE, readings(value, vr, charset), charset)


@_remembered
def _forms_of_numbers(value: bytes, vr: str, charset: tuple[str, ...]) -> tuple[Needle, ...]:
    """Return the forms of IDs that are often plain words, which say nothing: only those with a digit."""
    texts = readings(value, vr, charset)
    numbered = ("\\".join(part for part in text.split("\\") if _DIGIT.search(part)) for text in texts)
    return _forms_of_text(Kind.CODE, SHORTEST_CODE, tuple(numbered), charset)


@_remembered
def _forms_of_phrases(value: bytes, vr: str, charset: tuple[str, ...]) -> tuple[Needle, ...]:
    return _forms_of_text(Kind.PHRASE, SHORTEST_PHRASE, readings(value, vr, charset), charset)


def _forms_of_text(kind: Kind, shortest: int, texts: tuple[str, ...], charset: tuple[str, ...]) -> tuple[Needle, ...]:
    parts = (part.strip(" \0") for text in texts for part in text.split("\\"))
    wanted = (part for part in parts if len(part) >= shortest and part.casefold() not in _EMPTY_WORDS)
    return _needles(((kind, form) for part in wanted for form in (part, _joined(part))), encodings(charset))


def _joined(part: str) -> str:
    """Return an ID without its punctuation; a text of several words as it is."""
    return part if " " in part else _PUNCTUATION.sub("", part) or part


_FormsOf = Callable[[bytes, str, "tuple[str, ...]"], "tuple[Needle, ...]"]

_FORMS_BY_VR: dict[str, _FormsOf] = {
    "PN": _forms_of_names,
    "UI": _forms_of_uids,
    "DA": _forms_of_dates,
    "DT": _forms_of_dates,
}
_FORMS_BY_TAG: dict[int, _FormsOf] = {
    **dict.fromkeys(_CODES, _forms_of_codes),
    **dict.fromkeys(_NUMBERED, _forms_of_numbers),
    **dict.fromkeys(_PHRASES, _forms_of_phrases),
}
# A name is one whatever VR it is sent with: a tag that PS3.6 gives to names, UIDs or dates counts like theirs.
_FORMS_BY_OWN_TAG: dict[int, _FormsOf] = {
    **{tag: _FORMS_BY_VR[entry[0]] for tag, entry in DicomDictionary.items() if entry[0] in _FORMS_BY_VR},
    **_FORMS_BY_TAG,
}
_DEVICE_OR_PLACE_OPTIONS = frozenset({"retain_device_identity", "retain_institution_identity"})
_OF_DEVICE_OR_PLACE = frozenset(
    tag
    for tag in _FORMS_BY_TAG
    if (row := confidentiality_row(tag)) is not None and not _DEVICE_OR_PLACE_OPTIONS.isdisjoint(row.options)
)

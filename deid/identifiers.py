"""What identifies this patient: harvested from the source before anything is removed.

Nothing here is ever logged, reported or pickled; the values live as long as the instance is being worked on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import permutations

from deid.elements.uids import is_well_known
from deid.encoding.element import DataSet, Element
from deid.encoding.text import decode_lenient, encodings
from deid.needles import Kind, Needles

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
        0x0040_2016,  # Placer Order Number / Imaging Service Request
        0x0040_2017,  # Filler Order Number / Imaging Service Request
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
        0x0010_1040,  # Patient's Address
        0x0010_1060,  # Patient's Mother's Birth Name
        0x0010_2150,  # Country of Residence
        0x0010_2152,  # Region of Residence
        0x0010_2297,  # Responsible Person
        0x0010_2299,  # Responsible Organization
        0x0038_0300,  # Current Patient Location
        0x0040_0243,  # Performed Location
    }
)
_DATE_VRS = frozenset({"DA", "DT"})
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
        "do",
        "frau",
        "herr",
        "hon",
        "rev",
        "sir",
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
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")


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
        return f"<{len(self.needles.by_form)} identifiers>"


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
    for parent, owner, element in _leaves(data_set, 0):
        collect = _COLLECT_BY_VR.get(element.vr, _collect_text)
        identifies = element.vr in _COLLECT_BY_VR or element.tag in _CODES or element.tag in _PHRASES
        if identifies and not is_kept(element.tag, element.vr, parent):
            collect(found, element, owner.charset)
    return found


def _leaves(data_set: DataSet, parent: int) -> Iterator[tuple[int, DataSet, Element]]:
    for element in data_set.elements.values():
        if isinstance(element.value, list):
            for item in element.value:
                yield from _leaves(item, element.tag)
        elif isinstance(element.value, bytes | memoryview) and len(element.value):
            yield parent, data_set, element


def _collect_uid(found: Identifiers, element: Element, charset: tuple[str, ...]) -> None:
    del charset
    for part in bytes(_leaf(element)).decode("latin-1").split("\\"):
        uid = part.strip(" \0")
        if len(uid) > SHORTEST_CODE and not is_well_known(uid):
            found.needles.add(Kind.UID, uid, ())


def _collect_date(found: Identifiers, element: Element, charset: tuple[str, ...]) -> None:
    del charset
    for part in bytes(_leaf(element)).decode("latin-1").split("\\"):
        match = _DATE.match(part.strip(" \0").replace(".", ""))
        if match is not None and match.group() not in found.dates:
            found.dates.add(match.group())
            year, month, day = match.groups()
            for form in _written_forms(year, month, day):
                found.needles.add(Kind.DATE, form, ())


def _written_forms(year: str, month: str, day: str) -> tuple[str, ...]:
    return (
        f"{year}{month}{day}",
        *(sep.join((year, month, day)) for sep in "-./ "),
        *(sep.join((day, month, year)) for sep in "-./ "),
        *(sep.join((month, day, year)) for sep in "-./ "),
    )


def _collect_names(found: Identifiers, element: Element, charset: tuple[str, ...]) -> None:
    value, codecs = _decoded(element, charset)
    for name in value.split("\\"):
        for group in name.split("="):
            _collect_name(found, group.strip(" \0"), codecs)


def _collect_name(found: Identifiers, group: str, codecs: tuple[str, ...]) -> None:
    parts = [part for part in _WORDS.findall(group) if part.casefold() not in _TITLES | _EMPTY_WORDS]
    parts = parts[:MOST_PARTS]
    alone = {part for part in parts if len(part) >= _shortest_part(part) and not part.isdigit()}
    for part in alone:
        found.needles.add(Kind.NAME_PART, part, codecs)
    for pair in permutations(parts, 2):
        if len("".join(pair)) >= SHORTEST_CODE:
            found.needles.add(Kind.NAME, "".join(pair), codecs)
            if not alone.issuperset(pair):  # else a part alone is found anyway
                found.needles.add(Kind.NAME, " ".join(pair), codecs)


def _shortest_part(part: str) -> int:
    """Return how long a part must be to be looked for alone; an ideograph or syllable says more than a letter."""
    return SHORTEST_NAME_PART if ord(max(part)) < 0x0250 else 2


def _collect_text(found: Identifiers, element: Element, charset: tuple[str, ...]) -> None:
    value, codecs = _decoded(element, charset)
    kind, shortest = (Kind.PHRASE, SHORTEST_PHRASE) if element.tag in _PHRASES else (Kind.CODE, SHORTEST_CODE)
    for part in value.split("\\"):
        text = part.strip(" \0")
        if len(text) >= shortest and text.casefold() not in _EMPTY_WORDS and any(map(str.isalnum, text)):
            found.needles.add(kind, text, codecs)


def _decoded(element: Element, charset: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    text, _ = decode_lenient(_leaf(element), element.vr, charset)
    return text, encodings(charset)


def _leaf(element: Element) -> bytes | memoryview:
    assert isinstance(element.value, bytes | memoryview)  # noqa: S101  `_leaves` yields nothing else
    return element.value


_COLLECT_BY_VR: dict[str, Callable[[Identifiers, Element, tuple[str, ...]], None]] = {
    "PN": _collect_names,
    "UI": _collect_uid,
    "DA": _collect_date,
    "DT": _collect_date,
}

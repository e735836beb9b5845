"""Words that nobody else uses, put wherever a patient can be named; and the look for them in what comes out.

Each stands in several attributes, as in real instances: what a mutant has lost in one place is still known by another.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from deid.encoding.element import DataSet
from deid.encoding.reader import read_data_set
from deid.encoding.vr import public_vr
from deid.errors import DeidError
from deid.identifiers import _CODES, _NUMBERED, _OF_DEVICE_OR_PLACE, _PHRASES
from deid.needles import words
from tests.fuzz.fields import BIG_ENDIAN, DEFLATED

NAME = "QUORVANDEL^ZYBRITHANE"
CODE = "SNTQX7741093"
DEVICE = "DVKRYL5530218"
PHRASE = "Velmarbrucker Ostwinkelhaus"
ROOT = "1.3.6.1.4.1.99999.7741."
_PLACES = tuple(word.lower().encode() for word in PHRASE.split())
_DEVICES_AND_PLACES = (DEVICE.lower().encode(), *_PLACES)
_OTHERS = tuple(word.lower().encode() for word in (*NAME.split("^"), CODE, ROOT))

Encoded: TypeAlias = "tuple[bytes, str]"
"""An encoded Data Set, and its transfer syntax."""

_NAMING_VRS = frozenset(("PN", "UI"))
_NAMING_TAGS = _CODES | _NUMBERED | _PHRASES
_FREE_TEXT = frozenset(("LO", "LT", "SH", "ST", "UC", "UT"))


def plant(ds: Dataset) -> None:
    """Replace each name, ID, place and UID by a sentinel, and add name and ID to the texts, at every depth."""
    for element in ds:
        vr, tag = element.VR, int(element.tag)
        if vr == "SQ":
            for item in element.value:
                plant(item)
        elif vr == "PN":
            element.value = NAME
        elif vr == "UI" and element.value:
            _map_uids(element)
        elif tag in _CODES or tag in _NUMBERED:
            code = DEVICE if tag in _OF_DEVICE_OR_PLACE else CODE
            element.value = code if vr in _FREE_TEXT or vr == "AE" else element.value
        elif tag in _PHRASES and vr in _FREE_TEXT:
            element.value = PHRASE if vr != "SH" else PHRASE[:16]
        elif vr in _FREE_TEXT and isinstance(element.value, str) and not element.tag.is_private_creator:
            _add_words(element)


def _map_uids(element: object) -> None:
    values = element.value if element.VM > 1 else [element.value]  # type: ignore[attr-defined]
    mapped = [uid if uid in UID_dictionary else ROOT + str(zlib.crc32(str(uid).encode())) for uid in values]
    element.value = mapped if len(mapped) > 1 else mapped[0]  # type: ignore[attr-defined]


def _add_words(element: object) -> None:
    room = {"SH": 16, "LO": 64}.get(element.VR, 1 << 10)  # type: ignore[attr-defined]
    text = f"{element.value} {NAME.replace('^', ' ')} {CODE}"  # type: ignore[attr-defined]
    if len(text) <= room:
        element.value = text  # type: ignore[attr-defined]


def left_in(data: bytes, syntax: str, *, devices_and_places_stay: bool = False) -> str:
    """Return which sentinel is in the encoded Data Set of an instance that came out, empty if none is.

    Parameters
    ----------
    devices_and_places_stay
        the profile keeps what stands of them
    """
    words = _OTHERS if devices_and_places_stay else (*_OTHERS, *_DEVICES_AND_PLACES)
    views: list[Callable[[], bytes]] = [lambda: data]
    if syntax == BIG_ENDIAN:
        views.append(lambda: _turned(data))
    if syntax == DEFLATED:
        views.append(lambda: zlib.decompress(data, wbits=-zlib.MAX_WBITS))
    for view in views:
        lowered = view().lower()
        for word in words:
            if word in lowered and re.search(re.escape(word) + rb"(?![0-9])" * word[-1:].isdigit(), lowered):
                return word.decode()  # an ID that a mutator has made longer is another one
    return ""


def _turned(data: bytes) -> bytes:
    size = len(data) & ~1
    out = bytearray(size)
    out[::2], out[1::2] = data[1:size:2], data[:size:2]
    return bytes(out)


def is_known(word: str, source: Encoded, out: Encoded) -> bool:
    """Tell whether an instance that came in still says of a word that it is a name, an ID or a UID.

    One that is left in nothing but texts that a profile keeps is a word like others. So is one word of a place: places
    are known as they are written, and half of one that a mutator has moved elsewhere isn't that place any more. All
    UIDs have the same root, and are known one by one.
    """
    try:
        naming = [text for text in _naming(read_data_set(*source)) if word in text]
        if word not in {ROOT, *(place.decode() for place in _PLACES)}:
            return bool(naming)
        places = {f" {words(part)} " for text in naming for part in text.split("\\")}
        return any(place in f" {words(text)} " for text in _leaves(read_data_set(*out)) for place in places)
    except DeidError:
        return True


def _is_naming(tag: int, vr: str) -> bool:
    """Tell whether an attribute names somebody; a text that is sent as UID is none, and names nobody."""
    public = public_vr(tag)
    return tag in _NAMING_TAGS or public in _NAMING_VRS or vr == "PN" or (vr == "UI" and public is None)


def _leaves(data_set: DataSet) -> Iterator[str]:
    for element in data_set.elements.values():
        if isinstance(element.value, list):
            for item in element.value:
                yield from _leaves(item)
        elif isinstance(element.value, bytes | memoryview):
            yield bytes(element.value).decode("latin-1").lower()


def _naming(data_set: DataSet) -> Iterator[str]:
    for element in data_set.elements.values():
        if isinstance(element.value, list):
            for item in element.value:
                yield from _naming(item)
        elif _is_naming(element.tag, element.vr):
            yield bytes(element.value).decode("latin-1").lower()  # type: ignore[arg-type]  # a leaf

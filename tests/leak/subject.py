"""The instances that sentinels are planted in: small, whole, of any SOP Class and transfer syntax, at any depth."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random

import numpy as np
from pydicom.datadict import DicomDictionary, dictionary_VR
from pydicom.uid import UID_dictionary

from deid.standard import confidentiality_row
from deid.standard.beyond import REMOVED_BESIDE_THE_TABLE
from tests import jpeg
from tests.leak import encode, sentinel
from tests.leak.encode import El, Encapsulated, Raw
from tests.leak.sentinel import Sentinel

CT = "1.2.840.10008.5.1.4.1.1.2"
UID_ROOT = "1.2.826.0.1.3680043.10."
DEPTHS = range(33)
_BEFORE_ANY = -1
# Sequences that stay whatever the profile, so that what lies in them is looked at and not removed with them.
_CONTAINERS = (
    *(0x0008_1140, 0x0008_2112, 0x0008_2218, 0x0008_9215, 0x0018_6011, 0x0028_3010, 0x0040_0555, 0x0054_0016),
    *(0x0062_0002, 0x3006_0039, 0x300A_00B0, 0x5200_9229, 0x5200_9230),
)
_TEXT_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})


@dataclass(frozen=True, slots=True)
class Plant:
    """One instance with a sentinel in it.

    Attributes
    ----------
    detail, encoding
        where and how, for the report
    sentinel
        what must not come out
    file
        the instance as of PS3.10
    is_valid
        the standard lets it be cleaned: that it is refused is worth saying
    """

    detail: str
    encoding: str
    sentinel: Sentinel
    file: bytes
    is_valid: bool


@dataclass(slots=True)
class Draw:
    """All chance in one plant, from one seed."""

    rng: Random
    syntax: str = encode.EXPLICIT
    charset: str = ""
    elements: dict[int, El | Raw] = field(default_factory=dict)

    def subject(self, sop_class: str = "", known: Mapping[int, bytes] | None = None, syntax: str = "") -> None:
        """Start an instance of a SOP Class (any, if none is given), `known` being what its header says."""
        rng = self.rng
        self.syntax = syntax or rng.choice((*encode.NATIVE, encode.JPEG_BASELINE, encode.RLE))
        sop_class = sop_class or rng.choice(storage_classes())
        self.put(*_header(rng, sop_class), *_pixels(rng, self.syntax))
        for tag, value in (known or {}).items():
            self.put(El(tag, vr_of(tag), even(value, vr_of(tag))))

    def put(self, *elements: El | Raw) -> None:
        """Add elements, or put them in others' place."""
        self.elements.update({element.tag: element for element in elements})

    def declare(self, charset: str) -> None:
        """Say which character set the values are in."""
        self.charset = charset
        if charset:
            self.put(El(0x0008_0005, "CS", even(charset.encode("latin-1"), "CS")))
        else:
            self.elements.pop(0x0008_0005, None)

    def put_at(self, depth: int, *elements: El) -> str:
        """Add elements `depth` sequences deep; return the path."""
        path, inner = [], list(elements)
        for _ in range(depth):
            tag = self.rng.choice(_CONTAINERS)
            path.append(tag)
            has_sibling = self.rng.random() < 0.2 and all(element.tag != 0x0008_0070 for element in inner)
            siblings = [El(0x0008_0070, "LO", b"ACME")] if has_sibling else []
            inner = [El(tag, "SQ", [sorted([*siblings, *inner], key=lambda el: el.tag)], self.rng.random() < 0.5)]
        self.put(*inner)
        return f"depth {depth}" if depth else "top"

    def file(self, tail: bytes = b"", preamble: bytes = bytes(128), meta: Iterable[El] = ()) -> bytes:
        """Return the instance; `tail` are bytes after its last element."""
        ordered = sorted(self.elements.values(), key=lambda element: element.tag)
        if self.syntax == encode.DEFLATED:
            data = encode.deflate(encode.data_set(ordered, encode.EXPLICIT) + tail)
        else:
            data = encode.data_set(ordered, self.syntax) + tail
        return encode.part10(data, self.syntax, preamble, tuple(meta))

    def plant(self, detail: str, encoding: str, wanted: Sentinel, *, is_valid: bool = True) -> Plant:
        """Return the instance with what was planted in it."""
        return Plant(detail, encoding, wanted, self.file(), is_valid)


def even(value: bytes, vr: str) -> bytes:
    """Pad a value as its VR demands."""
    return encode.even(value, b" " if vr in _TEXT_VRS else b"\0")


def vr_of(tag: int) -> str:
    """VR of a tag, one of them where there are several."""
    return dictionary_VR(tag).split(" or ", maxsplit=1)[0]


def name_of(tag: int) -> str:
    """Return how a report calls an attribute."""
    keyword = DicomDictionary[tag][4] if tag in DicomDictionary else ""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}".rstrip()


@cache
def storage_classes() -> tuple[str, ...]:
    """Return the storage SOP Classes of PS3.6."""
    family = "1.2.840.10008.5.1.4.1.1."
    found = (uid for uid, entry in UID_dictionary.items() if uid.startswith(family) and "Storage" in entry[0])
    return tuple(sorted(uid for uid in found if UID_dictionary[uid][1] == "SOP Class"))


@cache
def kept_attributes(vr: str) -> tuple[int, ...]:
    """Return the attributes of a VR that the Basic Profile keeps: outside Table E.1-1 and this project's list."""
    groups = set(range(0x0008, 0x4010)) - {0x0004}
    return tuple(
        tag
        for tag, entry in DicomDictionary.items()
        if entry[0] == vr and not entry[3] and tag >> 16 in groups and is_kept(tag)
    )


def is_kept(tag: int) -> bool:
    """Tell whether Table E.1-1 and this project's list say nothing of an attribute."""
    return confidentiality_row(tag) is None and tag not in REMOVED_BESIDE_THE_TABLE and tag != 0x0008_0005


def _header(rng: Random, sop_class: str) -> list[El]:
    """Return what every instance says: a patient, a study, a series, all of them new."""
    texts = {
        0x0008_0020: "20190315",
        0x0008_0030: "101112",
        0x0008_0050: f"ACC{rng.randrange(10**7)}",
        0x0008_0060: "CT",
        0x0008_0070: "ACME",
        0x0008_0080: f"{sentinel.word(rng)} Infirmary",
        0x0008_0090: f"{sentinel.word(rng)}^{sentinel.word(rng)}",
        0x0010_0010: f"{sentinel.word(rng)}^{sentinel.word(rng)}",
        0x0010_0020: f"PID{rng.randrange(10**8)}",
        0x0010_0030: "20190101",
        0x0010_0040: "O",
        0x0020_0010: f"ST{rng.randrange(10**6)}",
        0x0020_0011: "3",
        0x0020_0013: "7",
        0x0008_0016: sop_class,
    }
    uids = {tag: f"{UID_ROOT}{rng.randrange(10**12)}" for tag in (0x0008_0018, 0x0020_000D, 0x0020_000E, 0x0020_0052)}
    return [El(tag, vr_of(tag), even(value.encode("ascii"), vr_of(tag))) for tag, value in {**texts, **uids}.items()]


def image_attributes(
    rows: int = 16, columns: int = 16, allocated: int = 16, stored: int = 12, high: int | None = None, frames: int = 1
) -> list[El]:
    """Return the Image Pixel module of a grey image (PS3.3 Section C.7.6.3)."""
    numbers = {
        0x0028_0002: 1,
        0x0028_0010: rows,
        0x0028_0011: columns,
        0x0028_0100: allocated,
        0x0028_0101: stored,
        0x0028_0102: stored - 1 if high is None else high,
        0x0028_0103: 0,
    }
    return [
        El(0x0028_0004, "CS", b"MONOCHROME2 "),
        El(0x0028_0008, "IS", even(str(frames).encode("ascii"), "IS")),
        *(El(tag, "US", struct.pack("<H", number)) for tag, number in numbers.items()),
    ]


def _pixels(rng: Random, syntax: str) -> list[El]:
    if syntax == encode.JPEG_BASELINE:
        return [*image_attributes(allocated=8, stored=8), El(0x7FE0_0010, "OB", Encapsulated(b"", (jpeg_frame(),)))]
    if syntax == encode.RLE:
        return [*image_attributes(allocated=8, stored=8), El(0x7FE0_0010, "OB", Encapsulated(b"", (rle_frame(),)))]
    return [*image_attributes(), El(0x7FE0_0010, "OW", noise(rng, 16 * 16).tobytes())]


def noise(rng: Random, count: int, stored: int = 12) -> np.ndarray:
    """Return random samples of `stored` bits in words of 16."""
    return np.array([rng.randrange(1 << stored) for _ in range(count)], dtype="<u2")


@cache
def jpeg_frame() -> bytes:
    """Return a baseline JPEG stream of 16 x 16 pixels."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    return encode.even(jpeg.encode(ramp))


@cache
def rle_frame() -> bytes:
    """Return an RLE frame of 16 x 16 pixels: one segment of literal runs (PS3.5 Annex G)."""
    segment = b"".join(bytes([127]) + bytes(range(128)) for _ in range(2))
    return encode.even(struct.pack("<16L", 1, 64, *[0] * 14) + segment)

"""Attributes as hiding places: the rows of Table E.1-1, names, and values that aren't what their VR says."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from itertools import islice

from pydicom.datadict import DicomDictionary

from deid.standard import Row, confidentiality_rows
from tests.leak import encode, sentinel
from tests.leak.encode import El
from tests.leak.encodings import ALL, BYTES, DECLARED, MISLABELLED, Encoding
from tests.leak.sentinel import Sentinel
from tests.leak.subject import UID_ROOT, Draw, Plant, even, is_kept, kept_attributes, name_of, vr_of

_CURVE_DATA = 0x5000_3000
_BANDS = {"top": (0, 0), "near": (1, 4), "deep": (5, 32)}
_BY_CHARSET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_NUMBER_VRS = frozenset({"AT", "FD", "FL", "OD", "OF", "OL", "OV", "SL", "SS", "SV", "UL", "US", "UV"})
_BYTE_VRS = frozenset({"OB", "OW", "UN"})
# Whatever is in a sequence that the table removes or replaces has to go with it.
_IN_SEQUENCES = (0x0008_0104, 0x0008_0090, 0x0008_1155, 0x0018_0024, 0x0020_9056, 0x0040_A160, 0x0008_0100, 0x0018_0022)
_PN_IN_TABLE = 0x0008_0090
_IMAGES_ATTRIBUTES = 0x0028
_PRESENTATION_ROUNDS = 4


def rows() -> tuple[tuple[Row, str], ...]:
    """Return every row at the top, near it and deep."""
    return tuple((row, band) for row in confidentiality_rows() for band in _BANDS)


def in_row(draw: Draw, variant: tuple[Row, str]) -> Plant:
    """Plant in an attribute that the table names."""
    row, band = variant
    draw.subject()
    tag = row.tag if row.mask != 0xFFFF0000 and row.tag & 0xFFFF else _CURVE_DATA
    vr = row.vr.split(" or ", maxsplit=1)[0]
    element, encoding, wanted, is_valid = _filled(draw, tag, vr, row.basic)
    low, high = _BANDS[band]
    depth = draw.rng.randint(low, high - (vr == "SQ" and high > 0))
    path = draw.put_at(depth, element)
    return draw.plant(f"{name_of(tag)} {row.basic}, {path}", encoding, wanted, is_valid=is_valid)


def _filled(draw: Draw, tag: int, vr: str, action: str = "X") -> tuple[El, str, Sentinel, bool]:
    """Return an element with a sentinel as its VR allows, its encoding, the sentinel, whether the value is valid."""
    rng = draw.rng
    if vr == "SQ":
        inner = rng.choice(_IN_SEQUENCES) if "U" not in action else _PN_IN_TABLE
        element, encoding, wanted, is_valid = _filled(draw, inner, vr_of(inner))
        return El(tag, "SQ", [[element]], rng.random() < 0.5), encoding, wanted, is_valid
    if vr == "UI":
        wanted = sentinel.uid(rng)
        return El(tag, vr, even((UID_ROOT + wanted.parts[0]).encode("ascii"), vr)), "UID", wanted, True
    if vr in {"DA", "DT"}:
        when = sentinel.day(rng)
        value = f"{when:%Y%m%d}" + ("112233.5+0100" if vr == "DT" and rng.random() < 0.5 else "")
        return El(tag, vr, even(value.encode("ascii"), vr)), "date", sentinel.date_sentinel(when), True
    if vr in _NUMBER_VRS:
        wanted = sentinel.blob(rng)
        return El(tag, vr, wanted.blobs[0]), "binary", wanted, True
    return _with_text(draw, tag, vr, rng.choice(BYTES if vr in _BYTE_VRS else ALL))


def _with_text(draw: Draw, tag: int, vr: str, encoding: Encoding) -> tuple[El, str, Sentinel, bool]:
    wanted = sentinel.text(draw.rng, encoding.script)
    value = encoding.write(("^" if vr == "PN" else " ").join(wanted.parts))
    draw.declare(encoding.charset)
    is_valid = encoding.is_true and (vr in _BY_CHARSET or vr in _BYTE_VRS)
    return El(tag, vr, even(value, vr)), encoding.name, wanted, is_valid


def names() -> tuple[tuple[int, int, Encoding], ...]:
    """Return every attribute of VR PN, each in some character sets and component groups."""
    tags = [tag for tag, entry in DicomDictionary.items() if entry[0] == "PN"]
    encodings = (*DECLARED, *MISLABELLED)
    return tuple(
        (tag, group, encodings[(number * 5 + group * 7 + step) % len(encodings)])
        for number, tag in enumerate(tags)
        for group in range(3)
        for step in range(_PRESENTATION_ROUNDS)
    )


def in_name(draw: Draw, variant: tuple[int, int, Encoding]) -> Plant:
    """Plant in one component group of a person's name."""
    tag, group, encoding = variant
    draw.subject()
    draw.declare(encoding.charset)
    wanted = sentinel.text(draw.rng, encoding.script)
    value = encoding.write("=" * group + "^".join(wanted.parts))
    path = draw.put_at(draw.rng.choice((0, 0, 1, 2, 7, 20)), El(tag, "PN", even(value, "PN")))
    detail = f"{name_of(tag)}, group {group + 1}, {path}"
    return draw.plant(detail, encoding.name, wanted, is_valid=encoding.is_true)


def abuses() -> tuple[tuple[str, int], ...]:
    """Return attributes that are kept, of VRs that have no room for text."""
    return tuple(
        (vr, tag)
        for vr in ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR")
        for tag in kept_attributes(vr)[:: 1 + len(kept_attributes(vr)) // 60]
    )


def in_abuse(draw: Draw, variant: tuple[str, int]) -> Plant:
    """Plant a text that the VR doesn't allow."""
    vr, tag = variant
    draw.subject()
    encoding = draw.rng.choice((DECLARED[0], DECLARED[0], *ALL))
    element, name, wanted, _ = _with_text(draw, tag, vr, encoding)
    path = draw.put_at(draw.rng.choice((0, 0, 1, 3)), element)
    return draw.plant(f"{vr}, {name_of(tag)}, {path}", name, wanted, is_valid=False)


def wrong_vrs() -> tuple[tuple[int, str], ...]:
    """Return kept attributes of numbers and codes, and another VR to write them with."""
    tags = [tag for vr in ("US", "FD", "FL", "UL", "IS", "DS", "CS", "AT") for tag in kept_attributes(vr)[::7]]
    others = ("LT", "LO", "UT", "OB", "UN", "PN", "UC", "OW", "SH", "UR")
    return tuple((tag, others[number % len(others)]) for number, tag in enumerate(tags))


def in_wrong_vr(draw: Draw, variant: tuple[int, str]) -> Plant:
    """Plant in an attribute whose explicit VR isn't that of PS3.6."""
    tag, vr = variant
    draw.subject(syntax=draw.rng.choice((encode.EXPLICIT, encode.DEFLATED, encode.BIG_ENDIAN, encode.JPEG_BASELINE)))
    element, name, wanted, _ = _with_text(draw, tag, vr, draw.rng.choice(BYTES))
    draw.declare("")
    depth = draw.rng.choice((1, 2, 5)) if tag >> 16 == _IMAGES_ATTRIBUTES else draw.rng.choice((0, 0, 1, 3))
    path = draw.put_at(depth, element)
    return draw.plant(f"{vr_of(tag)} as {vr}, {name_of(tag)}, {path}", name, wanted, is_valid=False)


_Overrun = Callable[[Draw], tuple[bytes, Sentinel]]


def _after(first: bytes, separator: bytes) -> _Overrun:
    def value(draw: Draw) -> tuple[bytes, Sentinel]:
        wanted = sentinel.text(draw.rng)
        return first + separator + " ".join(wanted.parts).encode("ascii"), wanted

    return value


def _more_numbers(size_bytes: int) -> _Overrun:
    def value(draw: Draw) -> tuple[bytes, Sentinel]:
        wanted = sentinel.blob(draw.rng)
        return struct.pack("<H", 1).ljust(size_bytes, b"\0") + wanted.blobs[0], wanted

    return value


def _more_digits(draw: Draw) -> tuple[bytes, Sentinel]:
    wanted = sentinel.digits(draw.rng)
    return b"7\\" + wanted.parts[0].encode("ascii"), wanted


_OVERRUNS: tuple[tuple[str, str, _Overrun], ...] = (
    *((f"{vr} after NUL", vr, _after(b"A", b"\0")) for vr in ("CS", "LO", "SH", "ST", "LT", "UT", "UC")),
    *((f"{vr} after NUL", vr, _after(b"1", b"\0")) for vr in ("IS", "DS", "UI")),
    *((f"{vr} after spaces", vr, _after(b"1", b" " * 40)) for vr in ("IS", "DS", "CS")),
    *((f"{vr} too many values", vr, _after(b"A", b"\\")) for vr in ("LO", "SH", "CS")),
    *((f"{vr} too many values", vr, _more_digits) for vr in ("IS", "DS")),
    *((f"{vr} too many values", vr, _more_numbers(2)) for vr in ("US", "SS")),
    *((f"{vr} too many values", vr, _more_numbers(4)) for vr in ("UL", "SL", "FL", "AT")),
    ("FD too many values", "FD", _more_numbers(8)),
)


@cache
def _single_valued(vr: str) -> tuple[int, ...]:
    found = (tag for tag in kept_attributes(vr) if DicomDictionary[tag][1] == "1" and tag >> 16 != _IMAGES_ATTRIBUTES)
    return tuple(found)


def overruns() -> tuple[tuple[str, int, _Overrun], ...]:
    """Return ways of running over a value's end, each with attributes of one value that are kept."""
    spread = (
        (kind, tag, value)
        for kind, vr, value in _OVERRUNS
        for tag in islice(_single_valued(vr), 0, None, 1 + len(_single_valued(vr)) // 8)
    )
    modality = ("CS after NUL", 0x0008_0060, _after(b"CT", b"\0"))
    return (*spread, modality, ("US too many values", 0x0028_0010, _rows_and_more))


def _rows_and_more(draw: Draw) -> tuple[bytes, Sentinel]:
    wanted = sentinel.blob(draw.rng)
    return struct.pack("<H", 16) + wanted.blobs[0], wanted


def in_overrun(draw: Draw, variant: tuple[str, int, _Overrun]) -> Plant:
    """Plant behind the end of a value."""
    kind, tag, make = variant
    draw.subject()
    value, wanted = make(draw)
    vr = vr_of(tag)
    depth = 0 if tag in {0x0008_0060, 0x0028_0010} else draw.rng.choice((0, 0, 1, 4))
    path = draw.put_at(depth, El(tag, vr, even(value, vr)))
    return draw.plant(f"{kind}, {name_of(tag)}, {path}", "as is", wanted, is_valid=False)


_DATE_VALUES = {
    "plain": "{0:%Y%m%d}",
    "two values": "20190315\\{0:%Y%m%d}",
    "ACR-NEMA": "{0:%Y.%m.%d}",
    "range": "{0:%Y%m%d}-20190315",
    "ISO": "{0:%Y-%m-%d}",
    "US": "{0:%m/%d/%Y}",
    "EU": "{0:%d.%m.%Y}",
    "padded": "{0:%Y%m%d}    ",
    "twice": "{0:%Y%m%d}{0:%Y%m%d}",
}


def dates() -> tuple[tuple[int, str], ...]:
    """Return the attributes of dates that the table doesn't name, and forms for them."""
    tags = [tag for vr in ("DA", "DT") for tag in kept_attributes(vr)]
    forms = tuple(_DATE_VALUES)
    return tuple((tag, forms[(number + step) % len(forms)]) for number, tag in enumerate(tags) for step in (0, 3, 5))


def in_date(draw: Draw, variant: tuple[int, str]) -> Plant:
    """Plant a date."""
    tag, form = variant
    draw.subject()
    when = sentinel.day(draw.rng)
    value = _DATE_VALUES[form].format(when).encode("ascii")
    path = draw.put_at(draw.rng.choice((0, 1, 2, 9)), El(tag, vr_of(tag), even(value, "DA")))
    is_valid = form in {"plain", "padded"}
    return draw.plant(f"{form}, {name_of(tag)}, {path}", "date", sentinel.date_sentinel(when), is_valid=is_valid)


_UID_VALUES = ("plain", "of the standard's family", "second value", "text", "after its end", "holds a date")


def uids() -> tuple[tuple[int, str], ...]:
    """Return the attributes of UIDs, those of classes and syntaxes included, and what to write into them."""
    tags = [tag for tag, entry in DicomDictionary.items() if entry[0] == "UI" and tag >> 16 >= 8 and not entry[3]]
    outside = [tag for tag in tags if is_kept(tag) and tag != 0x0008_0016]
    return tuple(
        (tag, _UID_VALUES[(number + step) % len(_UID_VALUES)])
        for number, tag in enumerate(outside)
        for step in range(3)
    )


def in_uid(draw: Draw, variant: tuple[int, str]) -> Plant:
    """Plant a UID that isn't the standard's own."""
    tag, kind = variant
    draw.subject()
    value, wanted = _uid_value(draw, kind)
    path = draw.put_at(draw.rng.choice((0, 1, 2, 9)), El(tag, "UI", even(value.encode("ascii"), "UI")))
    return draw.plant(f"{kind}, {name_of(tag)}, {path}", "UID", wanted, is_valid=kind in {"plain", "holds a date"})


def _uid_value(draw: Draw, kind: str) -> tuple[str, Sentinel]:
    rng = draw.rng
    if kind == "of the standard's family":
        arcs = ".".join(str(rng.randrange(100, 1000)) for _ in range(4))
        return f"1.2.840.10008.5.1.4.{arcs}", Sentinel((arcs,))
    if kind == "text":
        wanted = sentinel.text(rng)
        return " ".join(wanted.parts), wanted
    if kind == "holds a date":
        when = sentinel.day(rng)
        return f"{UID_ROOT}{when:%Y%m%d}.1", sentinel.date_sentinel(when)
    wanted = sentinel.uid(rng)
    uid = UID_ROOT + wanted.parts[0]
    return {"second value": f"{UID_ROOT}1\\{uid}", "after its end": f"{UID_ROOT}1\0{uid}"}.get(kind, uid), wanted

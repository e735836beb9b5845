"""Private elements, unknown ones, sequences that pretend to be bytes, and sequences that hold what was before."""

from __future__ import annotations

from pydicom.datadict import DicomDictionary

from tests.leak import encode, sentinel
from tests.leak.encode import El
from tests.leak.encodings import BYTES, DECLARED, Encoding
from tests.leak.sentinel import Sentinel
from tests.leak.subject import UID_ROOT, Draw, Plant, even, kept_attributes, name_of, vr_of

_ODD_GROUPS = (
    *(0x0001, 0x0003, 0x0005, 0x0007, 0x0009, 0x000B, 0x0011, 0x0013, 0x0017, 0x0019, 0x0021, 0x0029, 0x0033, 0x0043),
    *(0x0045, 0x0051, 0x0071, 0x00E1, 0x0099, 0x0131, 0x01E1, 0x0405, 0x2001, 0x2005, 0x200D, 0x3003, 0x4001, 0x5001),
    *(0x6001, 0x7001, 0x7053, 0x7FDF, 0x7FE1, 0x8001, 0xC001, 0xE101, 0xFFFB, 0xFFFD, 0xFFFF),
)
_CREATORS = (b"SIEMENS CSA HEADER", b"GEMS_PARM_01", b"Philips Imaging DD 001", b"ACME 1.0", b"")
_PRIVATE_VRS = ("LO", "LT", "SH", "ST", "UT", "PN", "OB", "OW", "UN", "CS", "AE", "UC", "SQ")


def private_variants() -> tuple[tuple[int, str, str], ...]:
    """Return odd groups with a VR, and where in the block the sentinel is."""
    kinds = ("element", "creator", "orphan", "element", "unused block")
    return tuple(
        (group, _PRIVATE_VRS[(number * 3 + step) % len(_PRIVATE_VRS)], kinds[(number + step) % len(kinds)])
        for number, group in enumerate(_ODD_GROUPS)
        for step in range(6)
    )


def in_private(draw: Draw, variant: tuple[int, str, str]) -> Plant:
    """Plant in a private element, its creator, or an element without one."""
    group, vr, kind = variant
    draw.subject()
    encoding = draw.rng.choice(BYTES)
    value, wanted = _words(draw, encoding)
    block = group << 16 | 0x0010
    tag = group << 16 | 0x1000 | draw.rng.randrange(0x100)
    elements = {"orphan": [], "creator": [El(block, "LO", even(value, "LO"))]}.get(
        kind, [El(block, "LO", even(draw.rng.choice(_CREATORS), "LO"))]
    )
    if kind == "unused block":
        tag += 0x1000
    if kind != "creator":
        elements.append(_private_element(tag, vr, value))
    path = draw.put_at(draw.rng.choice((0, 0, 1, 2, 11)), *elements)
    return draw.plant(f"group {group:04X}, {kind}, {vr}, {path}", encoding.name, wanted, is_valid=group > 8)


def _private_element(tag: int, vr: str, value: bytes) -> El:
    if vr == "SQ":
        return El(tag, "SQ", [[El(0x0010_0010, "PN", even(value, "PN"))]], is_open=True)
    return El(tag, vr, even(value, vr))


def _words(draw: Draw, encoding: Encoding = DECLARED[0]) -> tuple[bytes, Sentinel]:
    wanted = sentinel.text(draw.rng, encoding.script)
    return encoding.write("^".join(wanted.parts)), wanted


_UN_HOSTS = (
    *(0x0009_1010, 0x0029_1020, 0x0008_1140, 0x0054_0016, 0x0008_2218, 0x0040_0275, 0x0008_0104, 0x0018_1400),
    *(0x0020_4000, 0x0028_3002, 0x0008_0061, 0x0020_0105),
)
_UN_FORMS = ("defined length", "undefined length", "nested", "explicit VR inside", "bytes")


def un_variants() -> tuple[tuple[int, str], ...]:
    """Return hosts of VR UN, private, sequences and others, and how they hide something."""
    return tuple((tag, form) for tag in _UN_HOSTS for form in _UN_FORMS)


def in_un(draw: Draw, variant: tuple[int, str]) -> Plant:
    """Plant a person's name in a sequence that is written as UN (PS3.5 Section 6.2.2)."""
    tag, form = variant
    draw.subject(syntax=draw.rng.choice((encode.EXPLICIT, encode.DEFLATED, encode.RLE, encode.BIG_ENDIAN)))
    value, wanted = _words(draw)
    inner = [[El(0x0008_0090, "PN", even(value, "PN"))]]
    if form == "nested":
        inner = [[El(0x0008_1140, "SQ", inner)]]
    if form == "bytes" or (tag >> 16 & 1 == 0 and vr_of(tag) != "SQ" and form == "explicit VR inside"):
        element = El(tag, "UN", even(value, "LO"))
    elif form == "explicit VR inside":
        element = El(tag, "UN", _explicit_items(inner))
    else:
        element = El(tag, "UN", inner, is_open=form != "defined length")
    path = draw.put_at(draw.rng.choice((0, 0, 1, 2)), *_with_creator(tag, element))
    is_valid = form in {"defined length", "undefined length", "nested"} and (tag >> 16 & 1 == 1 or vr_of(tag) == "SQ")
    is_text_kept = form in {"bytes", "explicit VR inside"} and not tag >> 16 & 1 and tag in _kept_texts()
    if is_text_kept:  # as UN or as LO, a text outside the table: only what the header names has to be found
        draw.put(El(0x0010_0010, "PN", even(value, "PN")))
    return draw.plant(
        f"{form} {vr_of(tag) if tag >> 16 & 1 == 0 else 'private'}, {name_of(tag)}, {path}",
        "ASCII",
        wanted,
        is_valid=is_valid,
    )


def _kept_texts() -> frozenset[int]:
    return frozenset(tag for vr in ("LO", "SH", "ST", "LT", "UT", "UC") for tag in kept_attributes(vr))


def _explicit_items(items: list[list[El]]) -> bytes:
    whole = encode.data_set([El(0x0009_1010, "SQ", items)], encode.EXPLICIT)
    return whole[12:]


def _with_creator(tag: int, element: El) -> list[El]:
    return [El(tag & 0xFFFF_0000 | 0x10, "LO", b"ACME 1.0"), element] if tag >> 16 & 1 else [element]


def unknown_variants() -> tuple[tuple[int, str], ...]:
    """Return tags of even groups that PS3.6 doesn't know."""
    tags = (
        0x0008_FFF0,
        0x0010_FFF1,
        0x0018_F123,
        0x0028_0009 + 0x7000,
        0x0042_FFFF,
        0x1234_5678,
        0x4321_0010 & ~0x10000,
    )
    known = set(DicomDictionary)
    vrs = ("LO", "UT", "PN", "OB", "UN", "SQ", "CS", "UI")
    return tuple((tag, vr) for tag in tags if tag not in known and not tag >> 16 & 1 for vr in vrs)


def in_unknown(draw: Draw, variant: tuple[int, str]) -> Plant:
    """Plant in an attribute that nobody knows."""
    tag, vr = variant
    draw.subject()
    encoding = draw.rng.choice(BYTES)
    value, wanted = _words(draw, encoding)
    path = draw.put_at(draw.rng.choice((0, 1, 5)), _private_element(tag, vr, value))
    return draw.plant(f"{name_of(tag)} {vr}, {path}", encoding.name, wanted)


_DEEP = (0x0010_0010, 0x0010_0020, 0x0008_1050, 0x0008_0014, 0x0040_A123, 0x0008_0080, 0x0040_A124, 0x0010_1001)


def depths() -> tuple[tuple[int, int], ...]:
    """Return every depth with some attributes."""
    return tuple((depth, _DEEP[(depth + step) % len(_DEEP)]) for depth in range(33) for step in range(4))


def at_depth(draw: Draw, variant: tuple[int, int]) -> Plant:
    """Plant in an attribute of the table at one depth."""
    depth, tag = variant
    draw.subject()
    vr = vr_of(tag)
    if vr == "UI":
        wanted = sentinel.uid(draw.rng)
        value = (UID_ROOT + wanted.parts[0]).encode("ascii")
    else:
        encoding = draw.rng.choice(DECLARED)
        draw.declare(encoding.charset)
        value, wanted = _words(draw, encoding)
    path = draw.put_at(depth, El(tag, vr, even(value, vr)))
    return draw.plant(f"{name_of(tag)}, {path}", "as declared", wanted)


_ORIGINALS = (0x0400_0561, 0x0400_0550, 0x0400_0500, 0x0018_A001, 0x0040_0275, 0x0008_1110, 0x0040_A370, 0x0008_1049)
_INNER = (0x0010_0010, 0x0010_0020, 0x0008_0050, 0x0008_0080, 0x0400_0564, 0x0018_1000, 0x0008_1010, 0x0400_0520)


def originals() -> tuple[tuple[int, int], ...]:
    """Return the sequences that keep what an instance said before, and what they may hold."""
    return tuple((tag, inner) for tag in _ORIGINALS for inner in _INNER)


def in_original(draw: Draw, variant: tuple[int, int]) -> Plant:
    """Plant in a sequence of former, encrypted or contributed attributes."""
    tag, inner = variant
    draw.subject()
    value, wanted = _words(draw)
    vr = vr_of(inner)
    leaf = El(inner, vr, even(value, vr))
    items = [[El(0x0400_0550, "SQ", [[leaf]])]] if tag == 0x0400_0561 and inner != 0x0400_0564 else [[leaf]]
    path = draw.put_at(draw.rng.choice((0, 0, 1, 3)), El(tag, "SQ", items, draw.rng.random() < 0.5))
    return draw.plant(f"{name_of(tag)} > {name_of(inner)}, {path}", "ASCII", wanted)


_SIGNATURES = (
    *(0x0400_0005, 0x0400_0015, 0x0400_0100, 0x0400_0105, 0x0400_0110, 0x0400_0115, 0x0400_0120, 0x0400_0305),
    *(0x0400_0310, 0x0400_0401, 0x0400_0402, 0x0400_0403, 0x0400_0404),
)
_SIGNATURE_SEQUENCES = (0xFFFA_FFFA, 0x4FFE_0001)


def signatures() -> tuple[tuple[int, int], ...]:
    """Return the attributes of digital signatures, in their two sequences and outside of them (0)."""
    return tuple((host, tag) for host in (*_SIGNATURE_SEQUENCES, 0) for tag in _SIGNATURES)


def in_signature(draw: Draw, variant: tuple[int, int]) -> Plant:
    """Plant in a digital signature or its certificate."""
    host, tag = variant
    draw.subject()
    vr = vr_of(tag)
    encoding = draw.rng.choice(BYTES if vr == "OB" else DECLARED[:1])
    if vr == "UI":
        wanted = sentinel.uid(draw.rng)
        leaf = El(tag, vr, even((UID_ROOT + wanted.parts[0]).encode("ascii"), vr))
    elif vr == "US":
        wanted = sentinel.blob(draw.rng)
        leaf = El(tag, vr, wanted.blobs[0])
    else:
        value, wanted = _words(draw, encoding)
        leaf = El(tag, vr, even(value, vr)) if vr != "SQ" else El(tag, vr, [[El(0x0008_0104, "LO", even(value, "LO"))]])
    element = El(host, "SQ", [[leaf]]) if host else leaf
    depth = draw.rng.choice((0, 0, 1))
    path = draw.put_at(depth, element)
    is_valid = bool(host)
    return draw.plant(
        f"{name_of(host) if host else 'alone'} > {name_of(tag)}, {path}", encoding.name, wanted, is_valid=is_valid
    )


_FOREIGN = (
    *(tag for tag in sorted(DicomDictionary) if tag >> 16 == 0x0004),
    *(
        0x0008_0054,
        0x0008_040B,
        0x0008_0407,
        0x0008_0408,
        0x0008_0409,
        0x0008_1190,
        0x0040_4073,
        0x0040_E010,
        0x0088_0130,
    ),
    *(0x0088_0140, 0x0040_E011, 0x0040_E030, 0x0040_E031, 0x0074_100A, 0x0028_7FE0, 0x0088_0906, 0x0008_3012),
    *(0x0000_0902, 0x0000_1031, 0x0002_0016, 0x0002_0102, 0x0006_0010),
)


def foreign() -> tuple[int, ...]:
    """Return attributes that have no place in an instance: directories, commands, meta, file names, addresses."""
    return tuple(tag for tag in _FOREIGN for _ in range(2))


def in_foreign(draw: Draw, tag: int) -> Plant:
    """Plant in an attribute of files, directories or messages."""
    draw.subject()
    vr = vr_of(tag) if tag in DicomDictionary else "LO"
    value, wanted = _words(draw)
    if vr in {"US", "UL", "FD"}:
        wanted = sentinel.blob(draw.rng)
        element = El(tag, vr, wanted.blobs[0])
    elif vr == "UI":
        wanted = sentinel.uid(draw.rng)
        element = El(tag, vr, even((UID_ROOT + wanted.parts[0]).encode("ascii"), vr))
    elif vr == "SQ":
        element = El(
            tag, vr, [[El(0x0004_1500, "CS", even(value.upper(), "CS")), El(0x0008_0090, "PN", even(value, "PN"))]]
        )
    else:
        element = El(tag, vr, even(value.replace(b"^", b"\\"), vr))
    path = draw.put_at(draw.rng.choice((0, 0, 1)) if tag >> 16 >= 4 else 0, element)
    return draw.plant(f"{name_of(tag)}, {path}", "ASCII", wanted, is_valid=False)

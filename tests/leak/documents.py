"""Documents and content: PDF, CDA, models; trees of SR; labels of RT, annotations, waveforms, slides."""

from __future__ import annotations

from pydicom.datadict import DicomDictionary

from tests.leak import encode, sentinel
from tests.leak.encode import El
from tests.leak.encodings import BYTES, DECLARED, DISGUISED, Encoding
from tests.leak.sentinel import Sentinel
from tests.leak.subject import UID_ROOT, Draw, Plant, even, is_kept, name_of, vr_of

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_PDF, _CDA, _STL, _OBJ, _MTL = (f"{_STORAGE}104.{number}" for number in range(1, 6))
_MIME = {_PDF: "application/pdf", _CDA: "text/XML", _STL: "model/stl", _OBJ: "model/obj", _MTL: "model/mtl"}
_DOCUMENTS = {
    _PDF: ("page", "Info dictionary", "XMP", "after EOF", "attachment name"),
    _CDA: ("patient", "text", "comment", "attribute"),
    _STL: ("header", "after triangles"),
    _OBJ: ("comment", "group name"),
    _MTL: ("comment", "file name"),
}
_BESIDE = (0x0042_0010, 0x0042_0012, 0x0042_0014, 0x0040_A043, 0x0068_7004)


def documents() -> tuple[tuple[str, str, Encoding], ...]:
    """Return kinds of document, and where in them a sentinel is."""
    inside = [
        (uid, kind, encoding)
        for uid, kinds in _DOCUMENTS.items()
        for kind in kinds
        for encoding in (*DECLARED[:4:2], *DISGUISED[:1], *DISGUISED[3:5])
    ]
    return (*inside, *((uid, f"{tag:08X}", DECLARED[0]) for uid in _DOCUMENTS for tag in _BESIDE[:3]))


def in_document(draw: Draw, variant: tuple[str, str, Encoding]) -> Plant:
    """Plant in an encapsulated document, or in an attribute that describes it."""
    uid, kind, encoding = variant
    draw.subject(uid, syntax=draw.rng.choice(encode.NATIVE))
    wanted = sentinel.text(draw.rng, encoding.script)
    value = encoding.write(" ".join(wanted.parts))
    for tag in [tag for tag in draw.elements if tag >> 16 in {0x0028, 0x7FE0}]:
        del draw.elements[tag]
    draw.put(El(0x0042_0012, "LO", even(_MIME[uid].encode("ascii"), "LO")))
    document = _document(uid, kind, value)
    draw.put(El(0x0042_0011, "OB", encode.even(document)))
    if len(kind) == 8 and kind.startswith("0042"):
        tag = int(kind, 16)
        vr = vr_of(tag)
        draw.put(El(tag, vr, even(value, vr)))
        if is_kept(tag):
            draw.put(El(0x0010_0010, "PN", even(b"^".join(value.split(b" ")), "PN")))
    return draw.plant(f"{_MIME[uid]}: {kind}", encoding.name, wanted)


def _document(uid: str, kind: str, value: bytes) -> bytes:
    if uid == _PDF:
        return _pdf(kind, value)
    if uid == _CDA:
        where = {kind: value}
        return (
            b'<?xml version="1.0"?><!-- %s --><ClinicalDocument xmlns="urn:hl7-org:v3" title="%s">'
            b"<recordTarget><patient><name>%s</name></patient></recordTarget><text>%s</text></ClinicalDocument>"
        ) % tuple(where.get(name, b"none") for name in ("comment", "attribute", "patient", "text"))
    if uid == _STL:
        header = value if kind == "header" else b""
        return header.ljust(80, b"\0")[:80] + bytes(4) + (value if kind != "header" else b"")
    word = {"comment": b"# ", "group name": b"g ", "file name": b"map_Kd "}[kind] if kind in _DOCUMENTS[uid] else b"# "
    return word + value + b"\nv 0 0 0\n"


def _pdf(kind: str, value: bytes) -> bytes:
    info = b"/Author(%s)" % value if kind == "Info dictionary" else b""
    xmp = b"<x:xmpmeta><dc:creator>%s</dc:creator></x:xmpmeta>" % value if kind == "XMP" else b""
    page = b"BT /F1 12 Tf (%s) Tj ET" % (value if kind == "page" else b"report")
    attachment = b"/EmbeddedFiles<</Names[(%s)6 0 R]>>" % value if kind == "attachment name" else b""
    return (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R%s>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R>>endobj\n4 0 obj<</Length %d>>stream\n%s\nendstream endobj\n"
        b"5 0 obj<<%s>>endobj\n%s\ntrailer<</Root 1 0 R/Info 5 0 R>>\n%%%%EOF\n%s"
    ) % (attachment, len(page), page, info, xmp, value if kind == "after EOF" else b"")


_SR, _PR, _KOS = f"{_STORAGE}88.33", f"{_STORAGE}11.1", f"{_STORAGE}88.59"
_RTSTRUCT, _RTPLAN, _RTIMAGE = f"{_STORAGE}481.3", f"{_STORAGE}481.5", f"{_STORAGE}481.1"
_ECG, _AUDIO, _WSI, _SEG, _ENHANCED_MR = (f"{_STORAGE}{tail}" for tail in ("9.1.1", "9.4.1", "77.1.6", "66.4", "4.1"))
_CONTENT, _CONCEPT, _CODE = 0x0040_A730, 0x0040_A043, 0x0040_A168
# (SOP Class, sequences from the top down, attribute).
_CONTENTS: tuple[tuple[str, tuple[int, ...], int], ...] = (
    *((uid, (_CONTENT,) * depth, 0x0040_A160) for uid in (_SR, _KOS) for depth in (1, 2, 5, 12)),
    *((_SR, (_CONTENT,) * depth, 0x0040_A123) for depth in (1, 2, 5, 12)),
    *(
        (_SR, (_CONTENT,), tag)
        for tag in (0x0040_A121, 0x0040_A120, 0x0040_A124, 0x0040_A032, 0x0040_A13A, 0x0040_DB00)
    ),
    *((_SR, (_CONTENT, _CONCEPT), tag) for tag in (0x0008_0100, 0x0008_0104, 0x0008_0119, 0x0008_0120, 0x0008_0102)),
    *((_SR, (_CONTENT, _CODE), tag) for tag in (0x0008_0100, 0x0008_0104)),
    *((_SR, (_CONTENT, 0x0040_A300), tag) for tag in (0x0040_A30A, 0x0040_A161)),
    (_SR, (_CONTENT, 0x0008_1199), 0x0008_1155),
    *((_SR, (0x0040_A073,), tag) for tag in (0x0040_A075, 0x0040_A027, 0x0040_A030)),
    *((_SR, (0x0040_A078,), tag) for tag in (0x0040_A123, 0x0008_0080)),
    (_SR, (0x0040_A375, 0x0008_1115), 0x0020_000E),
    (_KOS, (_CONCEPT,), 0x0008_0104),
    *((_PR, (0x0070_0001, 0x0070_0008), tag) for tag in (0x0070_0006, 0x0070_0010)),
    *((_PR, (0x0070_0001,), tag) for tag in (0x0070_0002, 0x0070_0207)),
    *((_PR, (0x0070_0001, 0x0070_0209), tag) for tag in (0x0070_0022, 0x0070_0295, 0x0070_0294)),
    *((_PR, (0x0070_0060,), tag) for tag in (0x0070_0002, 0x0070_0068)),
    *((_PR, (), tag) for tag in (0x0070_0080, 0x0070_0081, 0x0070_0082, 0x0070_0083, 0x0070_0084)),
    *((_PR, (0x0070_0086,), tag) for tag in (0x0040_1101, 0x0070_0081)),
    *((_RTSTRUCT, (), tag) for tag in (0x3006_0002, 0x3006_0004, 0x3006_0006, 0x3006_0008, 0x300E_0008)),
    *((_RTSTRUCT, (0x3006_0020,), tag) for tag in (0x3006_0026, 0x3006_0028, 0x3006_0038, 0x3006_0024)),
    *((_RTSTRUCT, (0x3006_0080,), tag) for tag in (0x3006_0085, 0x3006_0088, 0x3006_00A6)),
    *((_RTPLAN, (), tag) for tag in (0x300A_0002, 0x300A_0003, 0x300A_0004, 0x300A_0009, 0x300A_000E, 0x300A_0006)),
    *((_RTPLAN, (0x300A_00B0,), tag) for tag in (0x300A_00C2, 0x300A_00C3, 0x300A_00B2, 0x300A_00C7)),
    *((_RTPLAN, (0x300A_0070,), tag) for tag in (0x300A_0072, 0x300A_0071)),
    *((_RTPLAN, (0x300A_0010,), tag) for tag in (0x300A_0016, 0x300A_0013)),
    *((_RTPLAN, (0x300A_0180,), tag) for tag in (0x300A_0183, 0x300A_01B2, 0x300A_01D0)),
    *((_RTIMAGE, (), tag) for tag in (0x3002_0002, 0x3002_0003, 0x3002_0004, 0x3002_0020)),
    (_ECG, (0x0040_B020,), 0x0070_0006),
    (_ECG, (0x5400_0100,), 0x003A_0020),
    *((_ECG, (0x5400_0100, 0x003A_0200), tag) for tag in (0x003A_0203, 0x003A_0205)),
    *((_AUDIO, (), tag) for tag in (0x5000_200C, 0x5000_200E)),
    *((_WSI, (), tag) for tag in (0x0040_0512, 0x2200_0002, 0x2200_0005, 0x0040_0610)),
    *((_WSI, (0x0040_0560,), tag) for tag in (0x0040_0551, 0x0040_0554, 0x0040_0600, 0x0040_0602)),
    *((_WSI, (0x0040_0560, 0x0040_0610, 0x0040_0612), tag) for tag in (0x0040_A160, 0x0040_A123)),
    *((_WSI, (0x0040_0513,), tag) for tag in (0x0040_0031, 0x0040_0032)),
    *((_WSI, (0x0048_0105,), tag) for tag in (0x0048_0107, 0x0022_0001)),
    *((_SEG, (0x0062_0002,), tag) for tag in (0x0062_0005, 0x0062_0006, 0x0062_0020, 0x0062_0009)),
    *((_ENHANCED_MR, (0x0020_9222,), tag) for tag in (0x0020_9421, 0x0020_9164)),
    *((_ENHANCED_MR, (0x5200_9230, 0x0020_9111), tag) for tag in (0x0020_9056, 0x0018_9074, 0x0020_9158)),
)
_FREE_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})


def contents() -> tuple[tuple[str, tuple[int, ...], int, int], ...]:
    """Return SOP Classes with a place in their content, some times over."""
    return tuple((*content, turn) for content in _CONTENTS for turn in range(3))


def in_content(draw: Draw, variant: tuple[str, tuple[int, ...], int, int]) -> Plant:
    """Plant in an instance's content.

    What the Basic Profile replaces or removes as a whole (Content Sequence, Graphic Annotation Sequence …) must hold
    nothing, valid or not; a text that it keeps must hold nobody whom the header names. Numbers that refer (to samples,
    channels, frames) stay with what they belong to: they have no room for a text that could be told from numbers.
    """
    uid, path, tag, _ = variant
    draw.subject(uid)
    vr = "OB" if tag >> 16 == 0x5000 else vr_of(tag)
    element, encoding, wanted = _leaf(draw, tag, vr)
    is_open_text = vr in _FREE_TEXT | {"CS"} and all(map(is_kept, (*path, tag)))
    if is_open_text:
        name = "^".join(wanted.parts)
        draw.put(El(0x0010_0010, "PN", even(encoding.write(name), "PN")))
    for sequence in reversed(path):
        beside = [El(0x0040_A040, "CS", b"TEXT")] if sequence == _CONTENT else []
        element = El(sequence, "SQ", [[*beside, element] if element.tag > 0x0040_A040 else [element, *beside]])
    draw.put(element)
    where = " > ".join(name_of(step) for step in (*path, tag))
    source = ", a name of the header" if is_open_text else ""
    is_valid = vr in _FREE_TEXT | {"CS", "PN", "UI", "OB", "OW"}
    return draw.plant(f"{where}{source}", encoding.name, wanted, is_valid=is_valid)


def _leaf(draw: Draw, tag: int, vr: str) -> tuple[El, Encoding, Sentinel]:
    encoding = draw.rng.choice(BYTES if vr in {"OB", "OW"} else (DECLARED[0], *DECLARED))
    if vr == "UI":
        wanted = sentinel.uid(draw.rng)
        return El(tag, vr, even((UID_ROOT + wanted.parts[0]).encode("ascii"), vr)), encoding, wanted
    if vr in {"DA", "DT"}:
        when = sentinel.day(draw.rng)
        value = f"{when:%Y%m%d}{'101112' if vr == 'DT' else ''}".encode("ascii")
        return El(tag, vr, even(value, vr)), encoding, sentinel.date_sentinel(when)
    if vr in {"US", "UL", "FL", "FD", "SS", "SL"}:
        wanted = sentinel.blob(draw.rng)
        return El(tag, vr, wanted.blobs[0]), encoding, wanted
    if vr == "CS":
        wanted = sentinel.Sentinel((sentinel.word(draw.rng),))
        return El(tag, vr, even(wanted.parts[0].upper().encode("ascii"), vr)), DECLARED[0], wanted
    wanted = sentinel.text(draw.rng, encoding.script)
    value = encoding.write("^".join(wanted.parts))
    if vr not in {"OB", "OW"}:
        draw.declare(encoding.charset)
    if vr == "SQ":
        return El(tag, vr, [[El(0x0040_A123, "PN", even(value, "PN"))]]), encoding, wanted
    return El(tag, vr, even(value, vr)), encoding, wanted


assert all(tag in DicomDictionary or tag >> 16 == 0x5000 for _, path, tag in _CONTENTS for tag in (*path, tag))

"""Encapsulated documents (PS3.3 Sections A.45 and A.85): what can be cleaned with certainty, and what can't.

- Models (STL, OBJ, MTL) are written anew from what they say of geometry and material; names in them are replaced.
- CDA passes if it names nobody: searched, never changed, since its narrative and its entries say the same twice.
- PDF is always refused: what a page shows depends on its fonts' encodings, and a file keeps its earlier states.
- So is everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from xml.parsers import expat

import numpy as np

from deid.encoding.element import Buffer
from deid.errors import Reason, Refused
from deid.needles import Needle
from deid.text.known import KnownFinder
from deid.text.ner import Ner
from deid.text.patterns import PatternFinder
from deid.text.spans import SpanKind
from deid.texts import TextClass

_ELEMENT = "(0042,0011)"
_STL_HEADER_BYTES, _STL_COUNT_BYTES, _STL_TRIANGLE_BYTES, _STL_GEOMETRY_BYTES = 80, 4, 50, 48

STL_TYPES = frozenset({"model/stl", "application/sla", "model/x.stl-binary"})
OBJ_TYPES = frozenset({"model/obj"})
MTL_TYPES = frozenset({"model/mtl"})
CDA_TYPES = frozenset({"text/xml"})


def clean_document(
    mime: str, data: Buffer, needles: Iterable[Needle], rename: Callable[[str], str], ner: Ner | None = None
) -> bytes:
    """Return a document without what identifies.

    Parameters
    ----------
    mime
        MIME Type of Encapsulated Document
    data
        the document
    needles
        identifiers harvested from the header
    rename
        name in a model or material → the name that stands for it, the same in every file that refers to it
    ner
        what reads, if there is a network

    Raises
    ------
    Refused
        If it can't be cleaned with certainty, or names somebody.
    """
    kind = _kind(mime)
    if kind in STL_TYPES:
        return _clean_stl(data)
    if kind in OBJ_TYPES | MTL_TYPES:
        return _clean_lines(data, rename)
    judge_document(mime, data, needles, ner)
    return bytes(data)


def judge_document(mime: str, data: Buffer, needles: Iterable[Needle], ner: Ner | None = None) -> None:
    """Refuse a document, unless nothing in it can identify somebody as it is.

    Parameters
    ----------
    mime
        MIME Type of Encapsulated Document
    data
        the document
    needles
        identifiers harvested from the header
    ner
        what reads, if there is a network

    Raises
    ------
    Refused
        STEP_UNAVAILABLE for a type of document that can't be looked through, IDENTIFIER_LEFT for what was found in one
        that can, MALFORMED for one that isn't what its type says.
    """
    if _kind(mime) not in CDA_TYPES:
        raise Refused(Reason.STEP_UNAVAILABLE, f"{_ELEMENT} document")
    _Cda(needles, ner).read(bytes(data))


def _kind(mime: str) -> str:
    return mime.partition(";")[0].strip(" \0").lower()


# Models


def _clean_stl(data: Buffer) -> bytes:
    """Write a binary STL anew: an empty header, the triangles, no attributes, nothing after them."""
    view = memoryview(data)
    head = _STL_HEADER_BYTES + _STL_COUNT_BYTES
    if len(view) < head:
        raise Refused(Reason.MALFORMED, f"{_ELEMENT} STL")
    count_bytes = bytes(view[_STL_HEADER_BYTES:head])
    end = head + int.from_bytes(count_bytes, "little") * _STL_TRIANGLE_BYTES
    if end > len(view):
        raise Refused(Reason.TRUNCATED, f"{_ELEMENT} STL")
    triangles = np.frombuffer(view[head:end], np.uint8).reshape(-1, _STL_TRIANGLE_BYTES).copy()
    triangles[:, _STL_GEOMETRY_BYTES:] = 0
    return bytes(_STL_HEADER_BYTES) + count_bytes + triangles.tobytes()


_NUMBERS = re.compile(rb"[-+0-9./eE \t]*")
_WITH_NUMBERS = frozenset(
    b"v vt vn vp f l p deg bmat step curv curv2 surf parm trim hole scrv sp con mg lod ctech stech "
    b"Ns Ni d Tr illum sharpness Pr Pm Ps Pc Pcr aniso anisor".split()
)
_WITH_COLOUR = frozenset(b"Ka Kd Ks Ke Tf".split())
_WITH_NAME = frozenset(b"o g s usemtl mtllib newmtl usemap maplib".split())
_WITH_FILE = frozenset(b"map_Ka map_Kd map_Ks map_Ke map_Ns map_d map_bump map_Bump bump disp decal refl norm".split())
_WITH_WORDS: Mapping[bytes, re.Pattern[bytes]] = {
    b"s": re.compile(rb"[ \t]*(?:off|\d{1,9})[ \t]*"),
    b"cstype": re.compile(rb"[ \t]*(?:rat[ \t]+)?(?:bmatrix|bezier|bspline|cardinal|taylor)[ \t]*"),
    b"parm": re.compile(rb"[ \t]*[uv][-+0-9.eE \t]*"),
    b"d": re.compile(rb"[ \t]*(?:-halo)?[-+0-9.eE \t]*"),
    b"bevel": re.compile(rb"[ \t]*(?:on|off)[ \t]*"),
    b"c_interp": re.compile(rb"[ \t]*(?:on|off)[ \t]*"),
    b"d_interp": re.compile(rb"[ \t]*(?:on|off)[ \t]*"),
    b"end": re.compile(rb"[ \t]*"),
}
_EXTENSION = re.compile(r"\.(?:mtl|obj|png|jpg|jpeg|bmp|tif|tiff|tga)\Z", re.IGNORECASE)


def _clean_lines(data: Buffer, rename: Callable[[str], str]) -> bytes:
    """Write an OBJ or MTL anew, line by line; a line that isn't known is refused."""
    text = bytes(data).rstrip(b"\0 ").replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").replace(b"\r", b"\n")
    lines = (_clean_line(line.partition(b"#")[0].strip(), rename) for line in text.split(b"\n"))
    return b"".join(line + b"\n" for line in lines if line)


def _clean_line(line: bytes, rename: Callable[[str], str]) -> bytes:
    if not line:
        return b""
    word, _, rest = line.replace(b"\t", b" ").partition(b" ")
    words = _WITH_WORDS.get(word)
    if words is not None and words.fullmatch(rest):
        return line
    if word in _WITH_NUMBERS | _WITH_COLOUR and _NUMBERS.fullmatch(rest):
        return line
    if word in _WITH_NAME | _WITH_FILE:
        return word + b" " + _renamed(rest.strip(), rename, is_file=word in _WITH_FILE)
    raise Refused(Reason.MALFORMED, f"{_ELEMENT} OBJ or MTL")


def _renamed(names: bytes, rename: Callable[[str], str], *, is_file: bool) -> bytes:
    """Rename what a statement refers to; of a file the extension stays, its options are left out."""
    text = names.decode("utf-8", "surrogateescape")
    if not text:
        return b""
    wanted = [text.split(" ")[-1]] if is_file else [name for name in text.split(" ") if name]
    out: list[str] = []
    for name in wanted:
        extension = _EXTENSION.search(name)
        out.append(rename(name) + (extension.group().lower() if extension else ""))
    return " ".join(out).encode("ascii")


# Clinical documents

_PERSONAL = frozenset(
    [
        "name",
        "given",
        "family",
        "prefix",
        "suffix",
        "addr",
        "streetAddressLine",
        "city",
        "county",
        "state",
        "country",
        "postalCode",
        "houseNumber",
        "streetName",
        "unitID",
        "telecom",
        "birthTime",
        "birthplace",
    ]
)
_TIMES = frozenset(["effectiveTime", "time", "low", "high", "center", "birthTime", "signatureTime"])
_SAFE_URLS = ("http://www.w3.org/", "http://hl7.org/", "http://www.hl7.org/")
_OPAQUE_ATTRIBUTES = frozenset({"representation", "compression", "integrityCheck"})
_DEEPEST_XML = 200
_LARGEST_XML_BYTES = 64 << 20
_DOUBTFUL = 0.5


def _stricter(ner: Ner) -> Ner:
    """Let the network be listened to in a document as soon as it is more probable than not, unless somebody set it."""
    usual = {TextClass.DESCRIPTIONS: _DOUBTFUL}
    return replace(ner, thresholds={**usual, **ner.network.thresholds, **ner.thresholds}, weighs_words=False)


class _Cda:
    """Looks through a clinical document: every text, attribute, comment and instruction; entities are refused."""

    def __init__(self, needles: Iterable[Needle], ner: Ner | None) -> None:
        self._known = KnownFinder(needles)
        self._ner = _stricter(ner) if ner is not None else None
        self._patterns = PatternFinder()
        self._open: list[str] = []
        self._text: list[str] = []

    def read(self, data: bytes) -> None:
        if len(data) > _LARGEST_XML_BYTES:
            raise Refused(Reason.TOO_LARGE, f"{_ELEMENT} CDA")
        parser = expat.ParserCreate()
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.CommentHandler = self._look
        parser.ProcessingInstructionHandler = lambda target, text: self._look(f"{target} {text}")
        try:
            parser.Parse(data.rstrip(b"\0"), True)  # noqa: FBT003  expat's own interface
        except expat.ExpatError:
            raise Refused(Reason.MALFORMED, f"{_ELEMENT} CDA") from None
        if self._open:
            raise Refused(Reason.MALFORMED, f"{_ELEMENT} CDA")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._look_at_text()
        local = name.rpartition(":")[2]
        self._open.append(local)
        if len(self._open) > _DEEPEST_XML:
            raise Refused(Reason.TOO_DEEP, f"{_ELEMENT} CDA")
        self._look(local)
        for attribute, value in attributes.items():
            self._look_at_attribute(local, attribute.rpartition(":")[2], value)

    def _look_at_attribute(self, element: str, attribute: str, value: str) -> None:
        if attribute in _OPAQUE_ATTRIBUTES and value != "TXT":
            raise Refused(Reason.STEP_UNAVAILABLE, f"{_ELEMENT} CDA with encoded data")
        is_own = element in _PERSONAL | _TIMES and attribute == "value"
        if (is_own or (element == "id" and attribute == "extension")) and value.strip():
            raise Refused(Reason.IDENTIFIER_LEFT, f"{_ELEMENT} CDA")
        self._look(attribute)
        if not value.startswith(_SAFE_URLS):
            self._look(value)

    def _end(self, name: str) -> None:
        del name
        self._look_at_text()
        self._open.pop()

    def _look_at_text(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if not text.strip():
            return
        if self._open and self._open[-1] in _PERSONAL:
            raise Refused(Reason.IDENTIFIER_LEFT, f"{_ELEMENT} CDA")
        self._look(text)
        # A document that is refused can't be mended: what is doubtful passes, as in a description.
        if self._ner is not None and self._ner.find(text, TextClass.DESCRIPTIONS):
            raise Refused(Reason.IDENTIFIER_LEFT, f"{_ELEMENT} CDA")

    def _look(self, text: str) -> None:
        found = [span for span in self._patterns.find(text) if span.kind is not SpanKind.UID]  # code systems are OIDs
        if found or self._known.find(text):
            raise Refused(Reason.IDENTIFIER_LEFT, f"{_ELEMENT} CDA")


def _refuse_doctype(name: str, system_id: str | None, public_id: str | None, has_internal_subset: int) -> None:  # noqa: ARG001
    raise Refused(Reason.MALFORMED, f"{_ELEMENT} CDA with a document type")

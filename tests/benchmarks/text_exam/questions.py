"""Labelled strings: generated ones, hand-written ones, and real public descriptions, which identify nobody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from deid.errors import Misconfigured
from deid.lines import class_named
from deid.texts import TextClass
from models.ner.generate import samples
from models.ner.generate.words import descriptions

HERE = Path(__file__).parent
GENERATED, REAL = "generated", "real"
TYPES = ("PATIENT", "RELATIVE", "STAFF", "NAME", "DATE", "ID", "PLACE", "ORG", "CONTACT", "AGE")
NAMES = frozenset({"PATIENT", "RELATIVE", "STAFF", "NAME"})
KINDS = ("phi", "hard", "plain")

_SPAN = re.compile(r"\[\[([A-Z]+):(.*?)\]\]")
_ESCAPE = re.compile(r"\\([ntr\\])")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_CLASSES = {
    "TextValue": TextClass.STRUCTURED,
    "UnformattedTextValue": TextClass.STRUCTURED,
    "PrivateText": TextClass.PRIVATE,
    "OCRLine": TextClass.LINES,
}
_DESCRIPTIONS = ("SeriesDescription", "StudyDescription", "ProtocolName", "RequestedProcedureDescription")
_HISTORIES = ("AdditionalPatientHistory", "ReasonForStudy", "TextValue", "PatientComments")
_REMARKS = ("ImageComments", "StudyComments", "PatientComments", "AcquisitionComments", "PrivateText")
_FORMS = ("PatientComments", "TextValue", "PrivateText", "OCRLine")
_LINES = ("OCRLine", "OCRLine", "PrivateText")
_ANYWHERE = ("ImageComments", "ReasonForStudy", "TextValue", "StudyDescription", "MedicalAlerts")
_ATTRIBUTES = {  # where the generator's kinds stand
    **dict.fromkeys(("desc", "marked", "description*", "word*", "file"), _DESCRIPTIONS),
    **dict.fromkeys(("prose", "joined", "joined clean"), _HISTORIES),
    **dict.fromkeys(("note", "clean"), _REMARKS),
    **dict.fromkeys(("kv", "form", "form*"), _FORMS),
    **dict.fromkeys(("overlay", "screen", "carets"), _LINES),
}


class Part(NamedTuple):
    """A part of a text that identifies somebody."""

    start: int
    end: int
    type: str


@dataclass(frozen=True)
class Question:
    """A string, and what in it has to go.

    Attributes
    ----------
    text
        composed (NFC)
    parts
        disjoint, in ascending order; their types are among `TYPES`
    lang
        ISO 639-1
    attribute
        the keyword of the attribute that it stands in, or what stands for one (``PrivateText``, ``OCRLine``)
    kind
        of a hand-written string one of `KINDS`, of a generated one the generator's
    source
        `GENERATED`, `REAL` or the name of the file that it is from
    """

    text: str
    parts: tuple[Part, ...]
    lang: str
    attribute: str
    kind: str
    source: str

    @cached_property
    def text_class(self) -> TextClass:
        """The class of texts that the product takes it for."""
        if self.attribute in _CLASSES:
            return _CLASSES[self.attribute]
        try:
            return class_named(self.attribute)
        except Misconfigured:
            return TextClass.COMMENTS

    @property
    def is_by_hand(self) -> bool:
        return self.source not in {GENERATED, REAL}

    def marked(self) -> str:
        """Return the text with its parts marked, in one line."""
        out, position = [], 0
        for start, end, type_ in self.parts:
            out.append(f"{self.text[position:start]}[[{type_}:{self.text[start:end]}]]")
            position = end
        return in_a_line("".join([*out, self.text[position:]]))


def in_a_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def generated(seed: int, count: int) -> list[Question]:
    """Make strings of names, places, templates and layouts that training never sees."""
    chance = Random(f"attributes {seed}")
    out = []
    for sample in islice(samples(seed, held_out=True), count):
        attribute = chance.choice(_ATTRIBUTES.get(sample.kind, _ANYWHERE))
        parts = tuple(Part(*span) for span in sample.spans)
        made = composed(_pieces(sample.text, parts))
        out.append(Question(*made, sample.lang, attribute, sample.kind, GENERATED))
    return out


def real(seed: int, count: int) -> list[Question]:
    """Choose from the real public descriptions that training never sees; they were screened, and identify nobody."""
    unseen = descriptions(True)
    chosen = Random(f"real {seed}").sample(unseen, min(count, len(unseen)))
    texts = (unicodedata.normalize("NFC", text) for text in chosen)
    return [Question(text, (), "en", "SeriesDescription", "real", REAL) for text in texts]


def by_hand(folder: Path = HERE) -> list[Question]:
    """Read all sets of hand-written strings.

    Raises
    ------
    ValueError
        A line isn't as models/ner/GUIDE.md says.
    """
    return [question for path in sorted(folder.glob("strings_*.txt")) for question in read_strings(path)]


def read_strings(path: Path) -> Iterator[Question]:
    """Read one set.

    Raises
    ------
    ValueError
        A line isn't as models/ner/GUIDE.md says; the message names it.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            yield parsed(line, path.stem)
        except ValueError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from None


def parsed(line: str, source: str) -> Question:
    """Read one line: language, attribute, kind and text, with tabs between them.

    Raises
    ------
    ValueError
        It isn't as models/ner/GUIDE.md says.
    """
    fields = line.split("\t")
    if len(fields) != 4:
        raise ValueError(f"{len(fields)} fields instead of 4")
    lang, attribute, kind, written = fields
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}")
    text, parts = composed(_pieces_of_line(written))
    if bool(parts) != (kind == "phi"):
        raise ValueError(f"{len(parts)} parts are marked in a string of kind {kind}")
    return Question(text, parts, lang, attribute, kind, source)


def _pieces_of_line(written: str) -> Iterator[tuple[str, str]]:
    position = 0
    for match in _SPAN.finditer(written):
        yield _unescaped(written[position : match.start()]), ""
        type_, inner = match[1], _unescaped(match[2])
        if type_ not in TYPES:
            raise ValueError(f"no such type: {type_}")
        if not inner or inner != inner.strip():
            raise ValueError(f"a part that is empty, or begins or ends with a blank: {type_}")
        yield inner, type_
        position = match.end()
    rest = written[position:]
    if "[[" in rest:
        raise ValueError("a mark that doesn't end")
    yield _unescaped(rest), ""


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], text)


def _pieces(text: str, parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    position = 0
    for start, end, type_ in parts:
        yield text[position:start], ""
        yield text[start:end], type_
        position = end
    yield text[position:], ""


def composed(pieces: Iterator[tuple[str, str]]) -> tuple[str, tuple[Part, ...]]:
    """Return the text and its parts, piece by piece in composed form: the product says where things are in that."""
    text, parts = "", []
    for piece, type_ in pieces:
        new = unicodedata.normalize("NFC", piece)
        if type_:
            parts.append(Part(len(text), len(text) + len(new), type_))
        text += new
    return text, tuple(parts)

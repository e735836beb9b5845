"""What the standard keeps: there only identifiers are planted that the instance's own header names.

The Basic Profile keeps free text in attributes outside Table E.1-1. What a sentinel means there is nobody's to know,
unless the header says so: then the engine has to find it.
"""

from __future__ import annotations

from datetime import date
from itertools import count

from tests.leak import encode, sentinel
from tests.leak.encode import El
from tests.leak.encodings import DECLARED, DISGUISED, MISLABELLED, Encoding
from tests.leak.sentinel import Sentinel
from tests.leak.subject import UID_ROOT, Draw, Plant, even, kept_attributes, name_of, vr_of

_TEXT_VRS = ("LO", "SH", "ST", "LT", "UT", "UC", "LO", "SH")
_PN_SOURCES = (0x0010_0010, 0x0010_0010, 0x0008_0090, 0x0008_1050, 0x0008_1070, 0x0010_1001, 0x0010_1005, 0x0010_1060)
_NAME_FORMS = {
    "as is": "{0}^{1}",
    "comma": "seen {0}, {1} today",
    "capitals": "{2} {3}",
    "lower case": "{4} {5}",
    "underscores": "CT_{0}_{1}_3",
    "run together": "{0}{1}",
    "given name first": "{1} {0}",
    "before a digit": "{0}1",
    "possessive": "{0}'s",
    "family name alone": "of {0}.",
    "given name alone": "({1})",
    "initial": "{0} {6}.",
}
# Attributes whose value points at a record, a place or a machine, and so must not turn up in any text.
_ID_SOURCES = (
    *(0x0010_0020, 0x0010_0020, 0x0010_0020, 0x0008_0050, 0x0010_1000, 0x0010_1090, 0x0010_2154, 0x0010_1040),
    *(0x0020_0010, 0x0038_0010, 0x0038_0060, 0x0040_0009, 0x0040_0253, 0x0040_1001, 0x0040_2016, 0x0040_2017),
    *(0x0008_0080, 0x0008_0081, 0x0008_1010, 0x0008_1040, 0x0018_1000, 0x0018_1004, 0x0018_1007, 0x0018_1008),
    *(0x0018_700A, 0x0010_1050, 0x0040_0512, 0x0040_0551, 0x0038_0300, 0x0010_2155),
)
_ID_SHAPES = {
    "digits": "{digits}",
    "letters and digits": "MR{digits}",
    "with dashes": "{a}-{b}-{c}",
    "with a slash": "{a}/{b}{c}",
}
_ID_FORMS = {
    "alone": "{0}",
    "in a sentence": "scan for {0}, repeated",
    "in brackets": "[{0}]",
    "underscores": "A_{0}_B",
    "lower case": "id {1}",
    "without punctuation": "{2}",
}
_DATE_SOURCES = (0x0010_0030, 0x0008_0020, 0x0008_0022, 0x0008_002A)


def _targets(every: int) -> list[int]:
    return [tag for vr in dict.fromkeys(_TEXT_VRS) for tag in kept_attributes(vr)[::every]]


def _put_text(draw: Draw, tag: int, value: bytes) -> str:
    vr = vr_of(tag)
    return draw.put_at(draw.rng.choice((0, 0, 0, 1, 2, 6, 32)), El(tag, vr, even(value, vr)))


def name_variants() -> tuple[tuple[int, str, Encoding], ...]:
    """Return kept attributes of text, forms of a name, and how to write it."""
    forms = tuple(_NAME_FORMS)
    encodings = (DECLARED[0], *DECLARED, DECLARED[0], *DISGUISED)
    pairs = zip(_targets(1), count())
    return tuple((tag, forms[n % len(forms)], encodings[n // 2 % len(encodings)]) for tag, n in pairs)


def name_in_text(draw: Draw, variant: tuple[int, str, Encoding]) -> Plant:
    """Plant the name of somebody in the header into a text that is kept."""
    tag, form, encoding = variant
    wanted = sentinel.text(draw.rng, encoding.script)
    source = draw.rng.choice(_PN_SOURCES)
    is_disguised = encoding in DISGUISED
    plain = DECLARED[0].write if is_disguised else encoding.write
    draw.subject(known={source: plain("^".join(wanted.parts))})
    draw.declare(encoding.charset)
    family, given = wanted.parts
    words = (family, given, family.upper(), given.upper(), family.lower(), given.lower(), given[0])
    is_bare = is_disguised or encoding.script != "ascii"
    text = _NAME_FORMS["comma" if is_bare else form].format(*words)
    path = _put_text(draw, tag, _written(encoding, text, wanted) if is_disguised else encoding.write(text))
    kind = encoding.name if is_bare else form
    detail = f"{kind}, {name_of(tag)} from {name_of(source)}, {path}"
    return draw.plant(detail, encoding.name, wanted, is_valid=not is_disguised)


def _written(encoding: Encoding, text: str, wanted: Sentinel) -> bytes:
    """Write a disguised name: of what is not text, the name alone, so that nothing else tells."""
    return encoding.write(text if "UTF-16" in encoding.name else "^".join(wanted.parts))


def charset_lies() -> tuple[tuple[str, Encoding], ...]:
    """Return the ways in which a character set can mislead."""
    kinds = (
        "name and text wrongly declared",
        "text in other bytes than the name",
        "item with its own",
        "escape without end",
    )
    lies = [(kind, encoding) for kind in kinds for encoding in MISLABELLED]
    return (*lies, *(("sentinel as the character set", encoding) for encoding in (DECLARED[0], *DISGUISED)))


def in_charset_lie(draw: Draw, variant: tuple[str, Encoding]) -> Plant:
    """Plant a name of the header where its bytes aren't what is declared, or in Specific Character Set itself."""
    kind, encoding = variant
    wanted = sentinel.text(draw.rng, encoding.script)
    if kind == "sentinel as the character set":
        draw.subject()
        second = encoding.write(" ".join(wanted.parts)).decode("latin-1")
        draw.declare(f"ISO_IR 100\\{second}")
        return draw.plant(kind, encoding.name, wanted, is_valid=False)
    name, text = "^".join(wanted.parts), " ".join(wanted.parts)
    draw.subject(known={0x0010_0010: (encoding.write if "wrongly" in kind else _true(encoding).write)(name)})
    draw.declare(encoding.charset if "wrongly" in kind else _true(encoding).charset)
    tag = draw.rng.choice(kept_attributes("LO"))
    value = encoding.write(text) + (b"\x1b$B" if "escape" in kind else b"")
    inner = [El(tag, "LO", even(value, "LO"))]
    if kind == "item with its own":
        own = encoding.charset or "ISO_IR 100"
        inner.insert(0, El(0x0008_0005, "CS", even(own.encode("ascii"), "CS")))
        path = draw.put_at(draw.rng.choice((1, 3)), *inner)
    else:
        path = draw.put_at(draw.rng.choice((0, 1)), *inner)
    return draw.plant(f"{kind}: {encoding.name}, {name_of(tag)}, {path}", encoding.name, wanted, is_valid=False)


def _true(encoding: Encoding) -> Encoding:
    """Return a rightly declared way of writing the same alphabet."""
    return next(other for other in reversed(DECLARED) if other.script == encoding.script)


def id_variants() -> tuple[tuple[int, int, str, str], ...]:
    """Return kept attributes, IDs of the header, their shapes and how they are repeated."""
    shapes, forms = tuple(_ID_SHAPES), tuple(_ID_FORMS)
    texts = [
        (tag, _ID_SOURCES[n % len(_ID_SOURCES)], shapes[n % len(shapes)], forms[n // 3 % len(forms)])
        for tag, n in zip(_targets(2), count())
    ]
    numbers = [tag for vr in ("IS", "DS", "CS") for tag in kept_attributes(vr)[:: 1 + len(kept_attributes(vr)) // 12]]
    return (*texts, *((tag, 0x0010_0020, "digits", "alone") for tag in numbers))


def id_in_text(draw: Draw, variant: tuple[int, int, str, str]) -> Plant:
    """Plant an ID of the header into a text, a code or a number that is kept."""
    tag, source, shape, form = variant
    digits = sentinel.digits(draw.rng, 9).parts[0]
    value = _ID_SHAPES[shape].format(digits=digits, a=digits[:3], b=digits[3:5], c=digits[5:])
    bare = "".join(filter(str.isalnum, value))
    draw.subject(known={source: value.encode("ascii")})
    text = _ID_FORMS[form].format(value, value.lower(), bare)
    path = _put_text(draw, tag, text.encode("ascii"))
    wanted = Sentinel((value, bare))
    return draw.plant(f"{name_of(source)} {form}, {shape}, in {name_of(tag)}, {path}", "ASCII", wanted)


def date_variants() -> tuple[tuple[int, int, str], ...]:
    """Return kept attributes of text and numbers, dates of the header, and forms."""
    forms = tuple(sentinel.date_forms(date(2000, 1, 1)))
    texts = [
        (tag, _DATE_SOURCES[n % len(_DATE_SOURCES)], forms[n % len(forms)]) for tag, n in zip(_targets(5), count())
    ]
    numbers = [tag for vr in ("IS", "DS") for tag in kept_attributes(vr)[:: 1 + len(kept_attributes(vr)) // 6]]
    return (*texts, *((tag, 0x0010_0030, "DICOM") for tag in numbers))


def date_in_text(draw: Draw, variant: tuple[int, int, str]) -> Plant:
    """Plant a date of the header into a text or number that is kept."""
    tag, source, form = variant
    when = sentinel.day(draw.rng)
    draw.subject(known={source: f"{when:%Y%m%d}{'101112' if vr_of(source) == 'DT' else ''}".encode("ascii")})
    text = sentinel.date_forms(when)[form]
    if vr_of(tag) not in {"IS", "DS"}:
        text = draw.rng.choice(("{}", "since {}", "({})")).format(text)
    path = _put_text(draw, tag, text.encode("ascii"))
    return draw.plant(
        f"{form} in {vr_of(tag)}, {name_of(tag)} from {name_of(source)}, {path}", "ASCII", sentinel.date_sentinel(when)
    )


def uid_variants() -> tuple[tuple[int, int], ...]:
    """Return kept attributes of text, and UIDs of the header."""
    sources = (0x0020_000D, 0x0020_000E, 0x0008_0018, 0x0020_0052, 0x0008_3010, 0x0018_1002)
    return tuple((tag, sources[n % len(sources)]) for tag, n in zip(_targets(6), count()))


def uid_in_text(draw: Draw, variant: tuple[int, int]) -> Plant:
    """Plant a UID of the header into a text that is kept."""
    tag, source = variant
    wanted = sentinel.uid(draw.rng)
    uid = UID_ROOT + wanted.parts[0]
    draw.subject(known={source: uid.encode("ascii")})
    text = draw.rng.choice(("{}", "see {}.", "uid={};", "{}.dcm")).format(uid)
    path = _put_text(draw, tag, text.encode("ascii"))
    return draw.plant(f"in {vr_of(tag)}, {name_of(tag)} from {name_of(source)}, {path}", "UID", wanted)


def binary_variants() -> tuple[tuple[int, Encoding], ...]:
    """Return kept attributes of bytes, and encodings."""
    tags = [tag for vr in ("OB", "OW", "OF", "OD", "OL") for tag in kept_attributes(vr)]
    return tuple((tag, (DECLARED[0], *DISGUISED)[n % 7]) for n, tag in enumerate(tags * 2))


def name_in_bytes(draw: Draw, variant: tuple[int, Encoding]) -> Plant:
    """Plant the patient's name into bytes that are kept; to refuse is all that can be done."""
    tag, encoding = variant
    wanted = sentinel.text(draw.rng)
    draw.subject(known={0x0010_0010: "^".join(wanted.parts).encode("ascii")}, syntax=encode.EXPLICIT)
    value = encoding.write(" ".join(wanted.parts))
    path = draw.put_at(draw.rng.choice((0, 1)), El(tag, vr_of(tag), bytes(16) + value + bytes(-len(value) % 8)))
    return draw.plant(f"{encoding.name}, {name_of(tag)}, {path}", encoding.name, wanted, is_valid=False)

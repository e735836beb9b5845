"""Descriptions of series and studies: as they are, or with something identifying in front, behind or between."""

from random import Random

from models.ner.generate import clinical
from models.ner.generate.chance import Weighted, number
from models.ner.generate.lists import pick
from models.ner.generate.pieces import Piece
from models.ner.generate.slots import Line
from models.ner.generate.tables import Table
from models.ner.generate.words import description, word

# What stands between a description and something else.
MARKS = (
    " ",
    " ",
    " ",
    " ",
    " - ",
    "_",
    "_",
    "^",
    ", ",
    "/",
    "-",
    " / ",
    ": ",
    "; ",
    "  ",
    " | ",
    ".",
    " -",
    "- ",
    "+",
    " + ",
    "\n",
    "__",
    "^^",
    " . ",
    "=",
    "#",
)
FRAMES = Table("frames")
BRACKETS = (" (", ")"), (" [", "]"), (" <", ">"), ("(", ")"), (" *", "*"), (' "', '"'), (" {", "}")
# What is put to a description: slot and form.
EXTRAS: Weighted[tuple[str, str]] = Weighted(
    {
        ("name", "last"): 24,
        ("name", ""): 14,
        ("name", "full"): 6,
        ("name", "first"): 5,
        ("name", "comma"): 5,
        ("name", "initials"): 3,
        ("name", "under"): 3,
        ("name", "caret"): 4,
        ("name", "short"): 5,
        ("login", ""): 2,
        ("date", ""): 11,
        ("date", "dicom"): 2,
        ("date", "my"): 1,
        ("mrn", ""): 5,
        ("acc", ""): 4,
        ("id", ""): 3,
        ("case", ""): 1,
        ("city", ""): 5,
        ("hospital", ""): 5,
        ("practice", ""): 2,
        ("university", ""): 1,
        ("ward", ""): 2,
        ("room", ""): 1,
        ("phone", ""): 5,
        ("fax", ""): 1,
        ("email", ""): 4,
        ("street", ""): 5,
        ("address", ""): 3,
        ("national", ""): 2,
        ("insurance", ""): 2,
        ("order", ""): 1,
        ("specimen", ""): 1,
        ("serial", ""): 1,
        ("age90", ""): 0.5,
        ("host", ""): 0.5,
    }
)
SEQUENCE_BEGINS = (
    *("fl", "tfl", "se", "tse", "tir", "tirB", "spc", "spcir", "spcR", "ep", "epfid", "ep_b", "epse", "fisp", "tfi"),
    *("qfl", "swi", "h", "hfl", "me", "gre", "fm", "nav", "fl_tof"),
)
SEQUENCE_ENDS = ("r", "ns", "rs", "t", "p2", "s", "_b1000", "_pc", "I", "rr", "WE", "#", "m", "vfl", "5", "12", "b50t")
# Those that only words such as "by" or a title may stand before.
PERSONAL = frozenset(("name", "login"))


def described(line: Line) -> str:
    """
    Draw a description: a real one mostly, or one made by grammar or of the lists.

    Returns
    -------
    str
        It identifies nobody.
    """
    die = line.rng.random()
    if die < 0.7:
        return description(line.rng, line.held_out)
    if die < 0.85:
        return clinical.protocol(line.rng)
    if die < 0.89:
        return sequence_name(line.rng)
    return word(line.rng, line.lang, pick(line.rng, ("protocol", "sequence", "device", "procedure", "finding")))


def sequence_name(rng: Random) -> str:
    """
    Write a Sequence Name (0018,0024) as scanners do.

    Returns
    -------
    str
        Such as ``*tfl3d1_16ns``.
    """
    turbo = str(number(rng, 2, 257)) if rng.random() < 0.6 else ""
    ends = "".join(pick(rng, SEQUENCE_ENDS) for _ in range(number(rng, 0, 3)))
    name = pick(rng, SEQUENCE_BEGINS) + pick(rng, ("2d", "3d", "2d", "3d", "")) + pick(rng, ("1", "1", "", "3", "5"))
    return pick(rng, ("*", "*", "")) + name + (pick(rng, ("_", "", "_")) + turbo if turbo else "") + ends


def harmless(line: Line) -> str:
    """
    Draw something that stands by a description and identifies nobody.

    Returns
    -------
    str
        A number, a parameter, a version, an eponym, a maker, a year.
    """
    rng = line.rng
    die = number(rng, 0, 11)
    if die == 0:
        return " ".join(clinical.technical(rng))
    if die == 1:
        return "=".join(clinical.technical(rng))
    if die == 2:
        return clinical.version(rng)
    if die == 3:
        return line.fill_word("year")
    if die == 4:
        return line.fill_word("time")
    return (
        clinical.loose(rng)
        if die < 7
        else word(rng, line.lang, ("eponym", "device", "vendor", "model", "organ")[die - 7])
    )


def plain(line: Line) -> list[Piece]:
    """
    Make a description in which nothing identifies.

    Returns
    -------
    list of Piece
        One as it is mostly; two joined; or one with something harmless.
    """
    rng = line.rng
    die = rng.random()
    if die < 0.6:
        return [(description(rng, line.held_out), "")]
    if die < 0.75:
        return [(clinical.protocol(rng), "")]
    parts = [described(line) for _ in range(number(rng, 1, 3))]
    if len(parts) == 1 or rng.random() < 0.4:
        parts.insert(number(rng, 0, len(parts)), harmless(line))
    return [(pick(rng, MARKS).join(parts), "")]


def marked(line: Line) -> list[Piece]:
    """
    Make a description with one to three identifying parts.

    Returns
    -------
    list of Piece
        Descriptions and identifying parts, and what stands between them.
    """
    die = line.rng.random()
    parts: list[list[Piece]] = [[(described(line), "")]]
    if die < 0.15:
        parts.append([(described(line), "")])
    elif die < 0.3:
        parts.append([(harmless(line), "")])
    return put_beside(line, parts)


def put_beside(line: Line, parts: list[list[Piece]]) -> list[Piece]:
    """
    Put one to three identifying parts behind, before or between others.

    Parameters
    ----------
    line : Line
        The text in the making.
    parts : list of list of Piece
        What identifies nobody; changed.

    Returns
    -------
    list of Piece
        All of it, and what stands between.
    """
    rng = line.rng
    mark = pick(rng, MARKS)
    count = 1 if rng.random() < 0.7 else 2 if rng.random() < 0.8 else 3
    for at in range(count):
        base, form = EXTRAS.pick(rng)
        extra = line.pieces(base, "" if at == 0 else str(at + 1), form)
        place = number(rng, 0, len(parts)) if rng.random() < 0.4 else len(parts)
        parts.insert(place, dressed(extra, line, form if base in PERSONAL else None, front=place == 0))
    out: list[Piece] = []
    for at, part in enumerate(parts):
        if at and not part[0][0].startswith(" "):
            out.append((mark if rng.random() < 0.85 else pick(rng, MARKS), ""))
        out += part
    return out


def dressed(extra: list[Piece], line: Line, form: str | None, *, front: bool) -> list[Piece]:
    """
    Put a word such as "by" before something identifying, or brackets around it, or nothing.

    Parameters
    ----------
    extra : list of Piece
        What identifies.
    line : Line
        The text in the making.
    form : str or None
        The form of a person's name, None where it is no person.
    front : bool
        Whether it is the first part.

    Returns
    -------
    list of Piece
        The part as it stands by the description.
    """
    rng = line.rng
    die = rng.random()
    if form is not None and (die < 0.25 or form == "initials"):  # initials alone would be any two letters
        words = pick(rng, FRAMES.of("by", line.lang))
        return [(words.lstrip() if front else words, ""), *extra]
    if die > 0.92:
        left, right = pick(rng, BRACKETS)
        return [(left.lstrip() if front else left, ""), *extra, (right, "")]
    return extra

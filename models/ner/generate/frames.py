"""Texts in which only the context decides: names that are no persons, persons whose names are words, names alone."""

from models.ner.generate.chance import Weighted, number
from models.ner.generate.describe import described
from models.ner.generate.lists import is_held_out, pick
from models.ner.generate.pieces import Piece
from models.ner.generate.slots import Line
from models.ner.generate.tables import Table
from models.ner.generate.words import listed, word

TABLE = Table("frames")
# Surnames that are words, by whether they are the exam's.
WORDY = tuple(tuple(entry for entry in TABLE["wordy"] if is_held_out(entry) == held_out) for held_out in (False, True))
ALONE: Weighted[tuple[str, str]] = Weighted(
    {
        ("name", "last"): 16, ("name", "full"): 14, ("name", "comma"): 10, ("name", "short"): 8, ("name", ""): 12,
        ("name", "caret"): 8, ("name", "first"): 4, ("name", "under"): 3, ("login", ""): 1,
        ("date", ""): 9, ("date", "num"): 3, ("date", "dicom"): 2,
        ("mrn", ""): 3, ("acc", ""): 3, ("id", ""): 2, ("national", ""): 2, ("specimen", ""): 1.5,
        ("phone", ""): 3, ("email", ""): 2, ("url", ""): 1, ("ip", ""): 0.7, ("host", ""): 0.7,
        ("hospital", ""): 4, ("practice", ""): 2, ("university", ""): 1.5, ("lab", ""): 1, ("employer", ""): 0.5,
        ("insurer", ""): 1, ("address", ""): 3, ("street", ""): 1, ("city", ""): 1.5, ("ward", ""): 1.5,
        ("room", ""): 1,
    }
)  # fmt: skip
HARMLESS = (
    "organ", "finding", "disease", "drug", "device", "eponym", "procedure", "vendor", "model", "department",
    "sequence", "country", "profession", "trial", "role", "relation", "duration", "year", "time", "n", "level",
    "side", "weekday", "dose", "version", "protocol", "modality",
)  # fmt: skip


def around(pieces: list[Piece], line: Line) -> list[Piece]:
    """
    Put clinical words before or behind a frame, or none.

    Returns
    -------
    list of Piece
        The frame in a context.
    """
    rng = line.rng
    die = rng.random()
    if die < 0.4:
        return pieces
    other = described(line) if rng.random() < 0.4 else line.fill_word(pick(rng, HARMLESS))
    mark = pick(rng, (" ", ", ", " - ", "; ", " / ", ": ", ". ", "\n", " + ", ", "))
    return [(other + mark, ""), *pieces] if die < 0.7 else [*pieces, (mark + other, "")]


def eponym(line: Line) -> list[Piece]:
    """
    Write a surname or a city that names a sign, a method or a device: it identifies nobody.

    Returns
    -------
    list of Piece
        Nothing of it is marked.
    """
    rng = line.rng
    if rng.random() < 0.18:
        frames = TABLE.of("town", line.lang if rng.random() < 0.6 else "en")
        text = pick(rng, frames).format(line.city())
    else:
        frame = pick(rng, TABLE.of("eponym", line.lang if rng.random() < 0.85 else "en"))
        text = frame.format(*(surname(line, str(at)) for at in range(frame.count("{}"))))
    return around([(text, "")], line)


def surname(line: Line, index: str) -> str:
    """
    Draw a surname.

    Returns
    -------
    str
        Of a known eponym's kind: one word, whoever's it is.
    """
    if line.rng.random() < 0.12:
        return pick(line.rng, WORDY[line.held_out])
    return line.name(index, "last")


def wordy(line: Line) -> str:
    """
    Draw a surname that is a word, clinical or not.

    Returns
    -------
    str
        One word with a capital.
    """
    rng = line.rng
    if rng.random() < 0.3:
        found = word(rng, line.lang, "organ")
        if found.isalpha() and len(found) > 3 and is_held_out(found) == line.held_out:
            return found.capitalize()
    return pick(rng, WORDY[line.held_out])


def person(line: Line) -> list[Piece]:
    """
    Write a person whom only the context shows to be one.

    Returns
    -------
    list of Piece
        The frame, its names marked.
    """
    rng = line.rng
    frame = pick(rng, TABLE.of("person", line.lang))
    pieces: list[Piece] = []
    for at, part in enumerate(frame.split("{}")):
        if at:
            name = wordy(line) if rng.random() < 0.45 else line.name(str(at), "last")
            pieces.append((name, "NAME"))
        pieces.append((part, ""))
    if frame == "{}^{}":
        pieces = [("".join(text for text, _ in pieces), "NAME")]
    return around(pieces, line)


def both(line: Line) -> list[Piece]:
    """
    Write a person and an eponym in one text.

    Returns
    -------
    list of Piece
        Only the person's name is marked.
    """
    first, second = (person, eponym) if line.rng.random() < 0.5 else (eponym, person)
    return [*first(line), (pick(line.rng, (", ", ". ", "; ", " - ", "\n", " / ", " ")), ""), *second(line)]


def alone(line: Line) -> list[Piece]:
    """
    Write one thing alone.

    Returns
    -------
    list of Piece
        A name, a date, a number, a place: nothing else. A lone short number could be anything and is drawn anew.
    """
    while True:
        base, form = ALONE.pick(line.rng)
        pieces = line.pieces(base, "", form)
        text = "".join([text for text, _ in pieces])
        if len(text) > 5 or any(mark.isalpha() for mark in text):
            return pieces


def word_alone(line: Line) -> list[Piece]:
    """
    Write one or two clinical or technical words alone.

    Returns
    -------
    list of Piece
        Nothing is marked.
    """
    rng = line.rng
    text = line.fill_word(pick(rng, HARMLESS))
    if rng.random() < 0.35:
        text += pick(rng, (" ", ", ", " - ", "/", "_")) + line.fill_word(pick(rng, HARMLESS))
    return [(text, "")]


def names(line: Line) -> list[Piece]:
    """
    Write a list of two to six persons.

    Returns
    -------
    list of Piece
        Each name is a span of its own.
    """
    rng = line.rng
    form = pick(rng, ("full", "last", "last", "short", "comma", "initials", "first", "", "caret"))
    mark = pick(
        rng,
        ("; ", " / ", "\n", " & ", "/", " + ", "\\", " | ")
        if form in ("comma", "", "caret")
        else (", ", "; ", " / ", "/", "\n", " & ", " and ", " + ", ",", " - "),
    )
    title = pick(rng, TABLE.of("title", line.lang)) if rng.random() < 0.25 and form in ("full", "last", "short") else ""
    out: list[Piece] = [(pick(rng, ("", "", "", "cc: ", "Team: ", "Dr ", "Present: ", "Tech: ", "OP: ")), "")]
    for at in range(number(rng, 2, 6)):
        out += [(mark if at else "", ""), (title, ""), *line.pieces("name", f"list{at}", form)]
    return out


def ready(lang: str) -> list[str]:
    """
    Tell which lists a language lacks that this module and its neighbours draw from.

    Returns
    -------
    list of str
        The slots without a list.
    """
    made = ("year", "time", "n", "level", "side", "version", "modality", "weekday")
    return [slot for slot in HARMLESS if slot not in made and not listed(lang, slot)]

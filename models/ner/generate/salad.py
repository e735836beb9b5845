"""Notes of known words in any order, with numbers between them, and with a person among them or none.

What they mean makes no difference: each word is known to be a word, and only what isn't, or stands where a person
would, is one. Some words are made of parts of Greek and Latin and in no list: not all that is unknown is a name.
"""

from functools import cache
from random import Random

from models.ner.generate.chance import Weighted, shaped
from models.ner.generate.lists import common, pick, read
from models.ner.generate.pieces import Piece
from models.ner.generate.slots import Line
from models.ner.generate.tables import Table
from models.ner.generate.words import listed

CLINICAL = ("organ", "finding", "disease", "drug", "procedure", "department", "role", "relation", "profession")
EVERYDAY = ("verb", "noun", "adjective", "adverb", "instrument", "score", "gene", "organism")
"""lists of words that no template names, so that the salad alone has them; those of English everywhere as well"""
BRANDS = ("device", "vendor", "model", "sequence")
BETWEEN = (" ",) * 14 + (", ", ", ", ". ", "; ", " - ", " / ", "/", " + ", ": ", "_", "\n")
SIGNS = ("+", "-", "neg", "pos", "neg.", "pos.", "?", "(+)", "(-)", "II", "III")
OF_FINDINGS = (*(f" {mark}" for mark in SIGNS), "+ve", "")
BEFORE_RATIOS = {
    "en": "img image slice frame series BP GCS power grade view views pulses MRC scan pass dose of",
    "de": "Bild Serie RR GCS Aufnahme dyn. Kraftgrad KG Schicht Phase",
    "fr": "image série TA GCS coupe cliché force phase",
    "es": "imagen serie TA GCS corte fuerza fase dosis",
    "pt": "imagem série PA ECG corte força fase",
    "it": "immagine serie PA GCS forza fase scansione",
    "nl": "beeld serie RR EMV opname kracht fase",
    "pl": "obraz seria RR GCS zdj. faza siła",
    "sv": "bild serie BT RLS kraft fas",
    "tr": "görüntü seri TA GKS güç faz tekrar",
}
AFTER_RATIOS = ("", "", "", " mmHg", " days", " mm", " tbl", " cp", " mg", " ok", " weeks", " views", " h", " x")
MEASURES = Table("measures")
MEASURED: Weighted[str] = Weighted({"score": 4, "unit": 4, "fraction": 4, "code": 3, "ago": 2})
AFTER_LABELS = (" ", " ", " ", ": ", ":", " = ", "=", ", ", " (", "-")
BETWEEN_MEASURES = (", ", ", ", ", ", " ", " ", "; ", " / ", " | ", "  ", ". ", "\n", " - ", " + ")
MEASURED_ALONE, MEASURED_BESIDE = 0.4, 0.25
"""how many notes consist of measures: of those without a person, and of what stands beside one"""
COMPOUNDS = 0.6
"""how many of the German words made are compounds"""


@cache
def _listed(lang: str) -> tuple[str, ...]:
    return read(*(f"{lang}/{slot}" for slot in EVERYDAY), *(f"en/{slot}" for slot in EVERYDAY[-4:]))


@cache
def _words(lang: str) -> tuple[str, ...]:
    return read(*common(lang)) or read(*common("en"))


@cache
def _eponyms(lang: str) -> tuple[str, ...]:
    entries = read(*common(lang, "eponyms"), *common("en", "eponyms"))
    single = tuple(entry for entry in listed(lang, "eponym") if " " not in entry)
    return (*entries, *single)


def ratio(rng: Random) -> str:
    """
    Write a fraction that is no date, though it could be one.

    Returns
    -------
    str
        Such as ``3/5``.
    """
    kind = rng.random()
    if kind < 0.55:
        whole = rng.randrange(2, 13)
        return f"{rng.randrange(1, whole + 1)}/{whole}"
    if kind < 0.8:
        whole = rng.randrange(10, 400)
        return f"{rng.randrange(1, whole + 1)}/{whole}"
    if kind < 0.92:
        return f"{rng.randrange(90, 200)}/{rng.randrange(45, 115)}"
    return ".".join(str(rng.randrange(20)) for _ in range(rng.randrange(3, 5)))


def _number(rng: Random, lang: str) -> str:
    kind = rng.random()
    if kind < 0.5:
        label = pick(rng, BEFORE_RATIOS.get(lang, BEFORE_RATIOS["en"]).split())
        return (f"{label} " if rng.random() < 0.6 else "") + ratio(rng) + pick(rng, AFTER_RATIOS)
    if kind < 0.75:
        return str(rng.randrange(1, 400))
    return f"{rng.randrange(1, 200)}{pick(rng, ('.', ','))}{rng.randrange(10)}"


def measure(rng: Random, lang: str) -> str:
    """
    Write a score, a stage, a size, a fraction, a parameter or a time that has passed.

    Returns
    -------
    str
        Such as ``GCS 14/15``.
    """
    kind = MEASURED.pick(rng)
    shapes = MEASURES.of("ago", lang) if kind == "ago" else MEASURES[kind]
    return shaped(rng, pick(rng, shapes))


def coined(rng: Random, lang: str) -> str:
    """
    Make a clinical word that may be in no list.

    Returns
    -------
    str
        Such as ``spondylocystopexy`` or ``Leberzyste``.
    """
    if lang == "de" and rng.random() < COMPOUNDS:
        middle = pick(rng, MEASURES["front.de"]).lower() if rng.random() < 0.2 else ""
        return pick(rng, MEASURES["front.de"]) + middle + pick(rng, MEASURES["end.compound"])
    front = pick(rng, MEASURES["front.latin"])
    middle = pick(rng, MEASURES["middle.latin"]) if rng.random() < 0.25 else ""
    end = pick(rng, MEASURES.of("end", lang))
    whole = front + middle
    if whole[-1] in "aeiou" and end[0] in "aeiouéíúäü":
        whole = whole[:-1]
    return whole + end


def _cased(rng: Random, text: str, style: int) -> str:
    if style == 0:
        return text
    if style == 1:
        return text[:1].upper() + text[1:]
    return text.upper() if rng.random() < 0.5 else text


def _known(line: Line) -> str:
    """Draw a word of a list, or make one."""
    rng = line.rng
    die = rng.random()
    if die < 0.1:
        return coined(rng, line.lang)
    return pick(rng, _listed(line.lang) if die < 0.4 else _words(line.lang))


def _one(line: Line, style: int) -> str:
    rng = line.rng
    die = rng.random()
    if die < 0.62:
        return _cased(rng, _known(line), style)
    if die < 0.84:
        return line.fill_word(pick(rng, CLINICAL))
    if die < 0.88:
        return line.fill_word(pick(rng, BRANDS))
    if die < 0.93:
        return pick(rng, _eponyms(line.lang)) + pick(rng, OF_FINDINGS)
    return _number(rng, line.lang) if rng.random() < 0.5 else measure(rng, line.lang)


def _measured(line: Line) -> str:
    """Write measures, some of what they are of, and words between them."""
    rng = line.rng
    style = pick(rng, (0, 0, 1, 2))
    parts = []
    for _ in range(pick(rng, (1, 1, 2, 2, 3, 4, 6))):
        text = measure(rng, line.lang)
        die = rng.random()
        if die < 0.35:
            text = _one(line, style) + pick(rng, AFTER_LABELS) + text
            text += ")" if text.count("(") > text.count(")") else ""
        elif die < 0.55:
            text += f" {_one(line, style)}"
        parts.append(text)
    return pick(rng, BETWEEN_MEASURES).join(parts)


def _some(line: Line, least: int, most: int) -> str:
    rng = line.rng
    style = pick(rng, (0, 0, 1, 2))
    text = _one(line, max(style, 1) if rng.random() < 0.6 else style)
    for _ in range(rng.randrange(least, most) - 1):
        text += pick(rng, BETWEEN) + _one(line, style)
    return text


def _beside(line: Line) -> str:
    return _measured(line) if line.rng.random() < MEASURED_BESIDE else _some(line, 1, 6)


def words(line: Line) -> list[Piece]:
    """
    Write known words in any order.

    Returns
    -------
    list of Piece
        Nothing of it is marked.
    """
    return [(_measured(line) if line.rng.random() < MEASURED_ALONE else _some(line, 1, 9), "")]


def words_and_person(line: Line) -> list[Piece]:
    """
    Write known words in any order, a person among them.

    Returns
    -------
    list of Piece
        Only the person is marked.
    """
    rng = line.rng
    form = pick(rng, ("last", "last", "full", "full", "first", "comma", "short", ""))
    pieces: list[Piece] = []
    if rng.random() < 0.75:
        pieces.append((_beside(line) + pick(rng, BETWEEN), ""))
    pieces += line.pieces("name", "", form)
    if rng.random() < 0.75 or len(pieces) == 1:
        pieces.append((pick(rng, BETWEEN) + _beside(line), ""))
    return pieces


def eponyms(line: Line) -> list[Piece]:
    """
    Write known eponyms, one or some, with what was found.

    Returns
    -------
    list of Piece
        Nothing of it is marked.
    """
    rng = line.rng
    found = [pick(rng, _eponyms(line.lang)) + pick(rng, OF_FINDINGS) for _ in range(pick(rng, (1, 1, 1, 2, 2, 3)))]
    text = pick(rng, (", ", "/", " / ", " and ", " + ", " ", "-")).join(found)
    die = rng.random()
    if die < 0.35:
        text = _some(line, 1, 4) + pick(rng, BETWEEN) + text
    elif die < 0.7:
        text += pick(rng, (" ", " ", ", ")) + _some(line, 1, 4)
    elif die < 0.78:
        text += f" {rng.randrange(1985, 2026)}"
    return [(text, "")]

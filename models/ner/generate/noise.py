"""What happens to texts on their way: capitals, lost letters, typing and reading errors. Spans stay exact."""

import re
import unicodedata
from collections.abc import Callable
from random import Random

from models.ner.generate.chance import Weighted, number
from models.ner.generate.lists import pick
from models.ner.generate.pieces import Piece

Change = Callable[[list[Piece], Random, str], list[Piece]]

_LETTERS = "".join(chr(code) for code in range(0xC0, 0x250))
_ODD = {"\u00df": "ss", "\u0131": "i", "\u00d7": "x", "\u00f7": "/"}
_ODD |= {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "Þ": "Th"}
_ODD |= {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
BARE = str.maketrans({letter: _ODD.get(letter) or unicodedata.normalize("NFD", letter)[0] for letter in _LETTERS})
GERMAN = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "å": "aa",
        "Å": "Aa",
        "ø": "oe",
        "Ø": "Oe",
    }
)
LOST = re.compile(r"[^\x00-\x7f]")
READ_AS = {
    "0": "O", "O": "0", "o": "0", "1": "lI", "l": "1I", "I": "1l", "i": "1", "5": "S", "S": "5", "s": "5", "8": "B",
    "B": "8", "2": "Z", "Z": "2", "6": "G", "G": "6", "m": ("rn",), "M": ("IVI",), "w": ("vv",), "d": ("cl",),
    "g": "9q", "q": "g", "9": "g", "u": "v", "v": "u", "e": "c", "c": "e", "h": "b", "n": "r", "t": "f", "f": "t",
    ".": ",", ",": ".", ":": ";", "-": "_~", "/": "lI", "ä": "a", "ö": "o", "ü": "u", "D": "O", "Q": "O", "E": "F",
    "F": "P", "U": "V", "V": "Y",
}  # fmt: skip
NEAR = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "rzyg", "z": "txu", "u": "iyzj", "i": "uok", "o": "ipl",
    "p": "ol", "a": "sqy", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjn", "j": "hku", "k": "jlim",
    "l": "kop", "y": "xatu", "x": "yzcs", "c": "xvd", "v": "cbf", "b": "vng", "n": "bmh", "m": "nk", "1": "2",
    "2": "13", "3": "24", "4": "35", "5": "46", "6": "57", "7": "68", "8": "79", "9": "80", "0": "9",
}  # fmt: skip
NAMED = ("NAME", "PLACE", "ORG")


def letters(change: Callable[[str], str]) -> Change:
    """
    Make a change of the letters alone.

    Returns
    -------
    callable
        It changes every piece by itself.
    """
    return lambda pieces, _rng, _lang: [(change(text), label) for text, label in pieces]


def upper(pieces: list[Piece], rng: Random, lang: str) -> list[Piece]:
    """
    Write everything in capitals.

    Returns
    -------
    list of Piece
        The pieces; Turkish has its dotted capital in half of all cases.
    """
    if lang == "tr" and rng.random() < 0.5:
        return [(text.replace("i", "İ").replace("\u0131", "I").upper(), label) for text, label in pieces]
    return [(text.upper(), label) for text, label in pieces]


def lower(pieces: list[Piece], _rng: Random, _lang: str) -> list[Piece]:
    """
    Write everything small.

    Returns
    -------
    list of Piece
        The pieces.
    """
    return [(text.replace("İ", "i").lower(), label) for text, label in pieces]


def only(change: Change, *labels: str) -> Change:
    """
    Make a change of the spans with these labels alone.

    Returns
    -------
    callable
        It leaves all other pieces as they are.
    """

    def changed(pieces: list[Piece], rng: Random, lang: str) -> list[Piece]:
        return [change([piece], rng, lang)[0] if piece[1] in labels else piece for piece in pieces]

    return changed


def misread(pieces: list[Piece], rng: Random, _lang: str) -> list[Piece]:
    """
    Read some letters as others, as OCR does.

    Returns
    -------
    list of Piece
        The pieces, with a few or many errors.
    """
    rate = pick(rng, (0.02, 0.04, 0.08, 0.15))
    out = []
    for text, label in pieces:
        marks = [pick(rng, READ_AS[mark]) if rng.random() < rate and mark in READ_AS else mark for mark in text]
        out.append(("".join(marks), label))
    return out


def mistyped(pieces: list[Piece], rng: Random, _lang: str) -> list[Piece]:
    """
    Make one to three typing errors.

    Returns
    -------
    list of Piece
        The pieces; none is emptied.
    """
    out = list(pieces)
    for _ in range(number(rng, 1, 3)):
        at = number(rng, 0, len(out) - 1)
        text, label = out[at]
        if len(text) > 2:
            out[at] = (slipped(text, rng), label)
    return out


def slipped(text: str, rng: Random) -> str:
    """
    Make one typing error.

    Returns
    -------
    str
        The text with a letter left out, doubled, swapped with the next, or hit beside its key.
    """
    at = number(rng, 0, len(text) - 2)
    die = rng.random()
    mark = text[at]
    if die < 0.25:
        return text[:at] + text[at + 1 :]
    if die < 0.4:
        return text[:at] + mark + text[at:]
    if die < 0.7:
        return text[:at] + text[at + 1] + mark + text[at + 2 :]
    near = NEAR.get(mark.lower())
    if not near:
        return text
    hit = pick(rng, near)
    return text[:at] + (hit.upper() if mark.isupper() else hit) + text[at + 1 :]


def blanks(pieces: list[Piece], rng: Random, _lang: str) -> list[Piece]:
    """
    Lose or double blanks.

    Returns
    -------
    list of Piece
        The pieces; a blank inside of a span counts as well.
    """
    put = pick(rng, ("", "  ", "  ", "   "))
    rate = 0.15 if not put else 0.5
    return [
        (
            "".join([put if mark == " " and rng.random() < rate else mark for mark in text]) if " " in text else text,
            label,
        )
        for text, label in pieces
    ]


def swap_blanks(mark: str) -> Change:
    """
    Make a change of all blanks to a mark, as in names of files.

    Returns
    -------
    callable
        It changes every piece.
    """
    return letters(lambda text: text.replace(" ", mark))


def unpointed(pieces: list[Piece], _rng: Random, _lang: str) -> list[Piece]:
    """
    Leave punctuation out, though not inside of dates, numbers and addresses.

    Returns
    -------
    list of Piece
        The pieces.
    """
    return [(text.translate(POINTS), label) if not label or label in NAMED else (text, label) for text, label in pieces]


POINTS = str.maketrans("", "", ".,;:")


def padded(pieces: list[Piece], rng: Random, _lang: str) -> list[Piece]:
    """
    Put blanks, line breaks or punctuation around the text.

    Returns
    -------
    list of Piece
        The pieces.
    """
    front, back = pick(
        rng,
        (
            ("", " "),
            ("", "   "),
            (" ", ""),
            ("", "\n"),
            ("  ", " "),
            ("*", "*"),
            ('"', '"'),
            ("", "."),
            ("- ", ""),
            ("(", ")"),
        ),
    )
    return [(front, ""), *pieces, (back, "")]


def cut(pieces: list[Piece], rng: Random, _lang: str) -> list[Piece]:
    """
    Cut the text where a DICOM value must end.

    Returns
    -------
    list of Piece
        The pieces up to there; a span of which little would be left is left out.
    """
    whole = sum([len(text) for text, _ in pieces])
    left = pick(rng, [size for size in (16, 20, 32, 64, 64, 80, 128) if size < whole] or (whole,))
    out = []
    for text, label in pieces:
        kept = text[:left]
        if label and len(kept) < len(text) and (len(kept) < 3 or 2 * len(kept) < len(text)):
            break
        out.append((kept, label))
        left -= len(kept)
        if left <= 0:
            break
    return out if any(text.strip() for text, _ in out) else pieces


bare = letters(lambda text: text.translate(BARE))
german = letters(lambda text: text.translate(GERMAN).translate(BARE))

# The share of texts that nothing happens to, and what happens to the others.
UNTOUCHED = 0.5
CHANGES: Weighted[Change] = Weighted(
    {
        upper: 24,
        lower: 15,
        bare: 10,
        german: 5,
        letters(str.title): 4,
        only(upper, "NAME"): 6,
        only(lower, *NAMED): 6,
        only(bare, *NAMED): 3,
        letters(lambda text: LOST.sub("?", text)): 2,
        letters(lambda text: LOST.sub("", text)): 1,
        misread: 6,
        mistyped: 9,
        blanks: 7,
        swap_blanks("_"): 3,
        swap_blanks("^"): 1,
        unpointed: 6,
        padded: 5,
        cut: 7,
    }
)


def noisy(pieces: list[Piece], rng: Random, lang: str) -> list[Piece]:
    """
    Leave a text as it is, or let one to three things happen to it.

    Returns
    -------
    list of Piece
        The pieces.
    """
    if rng.random() < UNTOUCHED:
        return pieces
    count = 1 if rng.random() < 0.65 else 2 if rng.random() < 0.8 else 3
    for _ in range(count):
        pieces = CHANGES.pick(rng)(pieces, rng, lang)
    return pieces

"""Forms built at random: labels with their values, among labels whose values identify nobody."""

from models.ner.generate import clinical
from models.ner.generate.chance import Weighted, number
from models.ner.generate.describe import described
from models.ner.generate.lists import pick
from models.ner.generate.pieces import Piece
from models.ner.generate.slots import Line
from models.ner.generate.tables import Table

# What stands between a label and its value, and between one and the next.
COLONS = (
    ": ", ": ", ": ", ":", ":", "=", " = ", " - ", "\t", " ", " ", "  ", " : ", ": \t", "; ", "|", " -> ", "#", ".: ",
    ":  ", "", " (",
)  # fmt: skip
BREAKS = ("\n", "\n", "\n", ", ", "; ", " | ", "  ", " ", "\t", " / ", " - ", "|", ";", ". ", "\n\n", "\\", " * ", ",")
# How often which label is in a form.
SHARES: Weighted[str] = Weighted(
    {
        "name": 16, "date": 9, "study": 9, "mrn": 10, "acc": 7, "case": 4, "order": 3, "specimen": 2, "insurance": 2,
        "national": 2.5, "serial": 2, "staff": 16, "relative": 2, "hospital": 5, "practice": 2, "address": 2.5,
        "city": 2, "ward": 3, "room": 2, "phone": 4, "fax": 1, "email": 2, "host": 1, "insurer": 1.5, "employer": 1,
        "login": 2, "age90": 1, "ip": 0.5,
    }
)  # fmt: skip
# Slot and form behind a label, where they differ from the label's own name.
VALUES: dict[str, tuple[tuple[str, str], ...]] = {
    "name": tuple(("name", form) for form in ("", "full", "comma", "comma", "last", "caret", "initials")),
    "study": (("date", ""),),
    "staff": (*(("name", form) for form in ("", "last", "last", "short", "initials", "full")), ("login", "")),
    "relative": (("name", "full"), ("name", "first"), ("name", "")),
}
# Labels whose persons and days are not those of the patient.
OTHERS = frozenset(("staff", "relative", "study"))
CASES: Weighted[str] = Weighted({"as is": 70, "upper": 13, "lower": 11, "under": 6})
LABELS = Table("labels")
MACHINE = LABELS.below("machine")
KEYS = {lang: LABELS.below(f"key.{lang}") for lang in sorted({key.split(".")[0] for key in LABELS.below("key")})}
PLAIN = {lang: LABELS.below(f"plain.{lang}") for lang in KEYS}
FRAMES = Table("frames")


def styled(key: str, style: str) -> str:
    """
    Write a label in a form's style.

    Returns
    -------
    str
        The label.
    """
    if style == "upper":
        return key.upper()
    if style == "lower":
        return key.lower()
    return key.lower().replace(" ", "_") if style == "under" else key


def identifying(line: Line, index: str, *, machine: bool) -> tuple[str, list[Piece]]:
    """
    Draw a label whose value identifies, and its value.

    Returns
    -------
    tuple
        The label, and the pieces of the value; now and then a value that says nothing.
    """
    rng = line.rng
    keys = MACHINE if machine else KEYS.get(line.lang, KEYS["en"])
    kind = SHARES.pick(rng)
    while kind not in keys:
        kind = SHARES.pick(rng)
    key = pick(rng, keys[kind])
    if rng.random() < 0.07:
        return key, [(harmless(line), "")]
    base, form = pick(rng, VALUES.get(kind, ((kind, ""),)))
    if kind == "date":
        base, form = "date", pick(rng, ("", "num", "num", "long", "iso", "dicom")) if not machine else "dicom"
    value = line.pieces(base, kind + index if kind in OTHERS else index, form)
    if kind == "staff" and base == "name" and form != "initials":
        value = titled(value, line)
    return key, value


def titled(value: list[Piece], line: Line) -> list[Piece]:
    """
    Put a title before a name or a degree behind it, now and then.

    Returns
    -------
    list of Piece
        The name, with what is no part of it.
    """
    rng = line.rng
    die = rng.random()
    if die < 0.4:
        return [(pick(rng, FRAMES.of("title", line.lang)), ""), *value]
    if die < 0.5:
        return [*value, (pick(rng, FRAMES["degree"]), "")]
    return value


def harmless(line: Line) -> str:
    """
    Draw a value that identifies nobody, for a label that mostly has one that does.

    Returns
    -------
    str
        "n/a", a lone small number, a year, a description.
    """
    rng = line.rng
    die = rng.random()
    if die < 0.5:
        return pick(rng, LABELS.of("nothing", line.lang))
    if die < 0.62:
        return str(number(rng, 1, 20))
    if die < 0.72:
        return line.fill_word("year")
    if die < 0.86:
        return described(line)
    return line.fill_word(pick(rng, ("organ", "finding", "department", "relation", "device", "sequence")))


def telling_nothing(line: Line) -> tuple[str, list[Piece]]:
    """
    Draw a label whose value never identifies, and its value.

    Returns
    -------
    tuple
        The label and the value.
    """
    rng = line.rng
    if rng.random() < 0.3:
        key, value = clinical.technical(rng)
        return key, [(value, "")]
    keys = PLAIN.get(line.lang) or PLAIN["en"]
    kind = pick(rng, tuple(keys))
    key = pick(rng, keys[kind])
    if kind == "word":
        return key, [(pick(rng, LABELS.of("word", line.lang)), "")]
    if kind == "protocol":
        return key, [(described(line), "")]
    return key, [(line.fill_word(kind), "")]


def form(line: Line, share: float) -> list[Piece]:
    """
    Build a form.

    Parameters
    ----------
    line : Line
        The text in the making.
    share : float
        The share of labels whose values identify.

    Returns
    -------
    list of Piece
        One to eight labels with their values.
    """
    rng = line.rng
    machine = rng.random() < 0.18
    style = "as is" if machine else CASES.pick(rng)
    colon = pick(rng, COLONS)
    between = pick(rng, BREAKS)
    json = machine and rng.random() < 0.25
    out: list[Piece] = []
    for at in range(number(rng, 1, 3) if rng.random() < 0.6 else number(rng, 3, 8)):
        if at:
            out.append((between if not json else pick(rng, (", ", ",", ",\n")), ""))
        key, value = (
            identifying(line, str(at // 4 or ""), machine=machine) if rng.random() < share else telling_nothing(line)
        )
        if json:
            out += [(f'"{key}": "', ""), *value, ('"', "")]
        elif colon != "" or not key[-1].isalpha() or not value[0][0][:1].isalpha():
            out += [(styled(key, style) + colon, ""), *value]
        else:  # "PatientSchmidt" is nothing that anyone writes
            out += [(styled(key, style) + " ", ""), *value]
        if colon == " (" and not json:
            out.append((")", ""))
    return out


def filled(line: Line) -> list[Piece]:
    """
    Build a form in which most values identify.

    Returns
    -------
    list of Piece
        The form.
    """
    return form(line, 0.72)


def empty(line: Line) -> list[Piece]:
    """
    Build a form in which no label is one whose value identifies.

    Returns
    -------
    list of Piece
        The form.
    """
    return form(line, 0)

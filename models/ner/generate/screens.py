"""Lines as they are burned into images, names with carets, and names of files."""

from models.ner.generate.chance import Weighted, number, shaped
from models.ner.generate.clinical import TABLE
from models.ner.generate.describe import described
from models.ner.generate.lists import pick
from models.ner.generate.pieces import Piece
from models.ner.generate.slots import Line

SEXES = ("M", "F", "M/", "F/", "m", "w", "(M)", "(F)", "male", "W", "O")
LINES: Weighted[str] = Weighted(
    {
        "name": 20,
        "born": 12,
        "mrn": 14,
        "hospital": 9,
        "date": 10,
        "acc": 6,
        "staff": 5,
        "model": 3,
        "vendor": 2,
        "desc": 10,
        "screen": 55,
        "sex": 5,
        "login": 1,
    }
)


# What stands before it, which slot it is (and whose or which), and its forms.
BURNED: dict[str, tuple[tuple[str, ...], tuple[str, str], tuple[str, ...]]] = {
    "name": (("",), ("name", ""), ("comma", "caret", "full", "comma", "", "last")),
    "born": (
        ("*", "* ", "DOB: ", "", "geb. ", "DoB ", "BD ", "Birth: ", "F ", "M "),
        ("date", "born"),
        ("num", "num", "iso", "dicom", ""),
    ),
    "mrn": (("ID: ", "ID ", "", "", "MRN ", "Id:", "PID: ", "#"), ("mrn", ""), ("",)),
    "acc": (("Acc: ", "A#: ", "ACC ", "", "Acc.", "Acc:"), ("acc", ""), ("",)),
    "staff": (
        ("Dr. ", "Ref: ", "Op: ", "Tech: ", "Phys: ", "DR ", "Oper.: ", ""),
        ("name", "2"),
        ("", "last", "short"),
    ),
    "hospital": (("",), ("hospital", ""), ("",)),
    "login": (("", "User: "), ("login", ""), ("",)),
}


def overlay(line: Line) -> list[Piece]:
    """
    Build lines as they are burned into images.

    Returns
    -------
    list of Piece
        Two to nine of them, joined by line breaks or blanks.
    """
    rng = line.rng
    between = pick(rng, ("\n", "\n", "\n", " ", "  ", "   ", " | ", "\t"))
    out: list[Piece] = []
    for at in range(number(rng, 2, 9)):
        if at:
            out.append((between, ""))
        out += burned(line, LINES.pick(rng))
    return out


def burned(line: Line, kind: str) -> list[Piece]:
    """
    Make one line of an image.

    Returns
    -------
    list of Piece
        What a screen of a scanner shows.
    """
    rng = line.rng
    if kind in BURNED:
        fronts, (base, index), forms = BURNED[kind]
        return [(pick(rng, fronts), ""), *line.pieces(base, index, pick(rng, forms))]
    if kind == "date":
        time = pick(rng, (" ", "  ", ", ")) + line.fill_word("time")
        return [*line.pieces("date"), (time if rng.random() < 0.5 else "", "")]
    if kind == "screen":
        return [(shaped(rng, pick(rng, TABLE["screen"])), "")]
    if kind == "sex":
        age = shaped(rng, pick(rng, ("0##Y", "0##Y", "##Y", "##J", " ##", "##y", "0##M")))
        return [(pick(rng, SEXES) + pick(rng, (" ", "", "/")) + age, "")]
    return [(described(line) if kind == "desc" else line.fill_word(kind), "")]


def person_of_dicom(line: Line) -> list[Piece]:
    """
    Write a name, or a few, as DICOM's person names are.

    Returns
    -------
    list of Piece
        Names with carets, several joined by backslashes.
    """
    out = line.pieces("name", "", "caret")
    for index in range(number(line.rng, 1, 3) if line.rng.random() < 0.2 else 0):
        out += [(pick(line.rng, ("\\", "\\", ", ", "; ", "/")), ""), *line.pieces("name", str(index + 2), "caret")]
    return out


FILE_ENDS = (".dcm", ".nii.gz", ".zip", "", "", "", ".jpg", ".avi", ".pdf", ".nii", ".mha", ".png", ".xml", ".IMA")
FOLDERS = (
    "C:\\Users\\{}\\Desktop\\", "/home/{}/", "D:\\Export\\{}\\", "\\\\srv\\users\\{}\\", "/data/{}/",
    "/Users/{}/Downloads/", "C:\\Documents and Settings\\{}\\", "~{}/", "E:\\DICOM\\{}\\", "/mnt/pacs/{}/scans/",
)  # fmt: skip
FILE_PARTS: Weighted[tuple[str, str]] = Weighted(
    {
        ("name", "under"): 22,
        ("name", "last"): 14,
        ("name", "first"): 4,
        ("date", "dicom"): 16,
        ("date", "iso"): 5,
        ("date", ""): 2,
        ("mrn", ""): 8,
        ("acc", ""): 4,
        ("name", "initials"): 3,
    }
)


def file_name(line: Line) -> list[Piece]:
    """
    Build the name of a file: parts that identify among others, joined by underscores.

    Returns
    -------
    list of Piece
        The name, with its folder now and then.
    """
    rng = line.rng
    mark = pick(rng, ("_", "_", "_", "-", ".", " "))
    parts: list[list[Piece]] = []
    for at in range(number(rng, 1, 2) if rng.random() < 0.75 else 0):
        base, form_of = FILE_PARTS.pick(rng)
        parts.append(line.pieces(base, "" if base != "name" else str(at or ""), form_of))
    for _ in range(number(rng, 1, 3) if rng.random() < 0.85 or not parts else 0):
        die = rng.random()
        if die < 0.5:
            code = shaped(rng, pick(rng, TABLE["file"]))
        else:
            code = described(line).replace(" ", mark) if die < 0.75 else pick(rng, TABLE["area"])
        parts.insert(number(rng, 0, len(parts)), [(code, "")])
    out: list[Piece] = []
    if rng.random() < 0.12:
        left, right = pick(rng, FOLDERS).split("{}")
        out += [(left, ""), *line.pieces("login"), (right, "")]
    for at, part in enumerate(parts):
        out += [(mark, ""), *part] if at else part
    return [*out, (pick(rng, FILE_ENDS), "")]

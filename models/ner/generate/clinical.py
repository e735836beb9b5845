"""Clinical and technical fillers that identify nobody: numbers with units, levels, sides, times, protocol codes."""

from random import Random

from models.ner.generate.chance import Weighted, number, shaped
from models.ner.generate.lists import pick
from models.ner.generate.tables import Table

TABLE = Table("clinical")
PARAMETERS = tuple(TABLE.below("parameter").items())


def amount(rng: Random) -> str:
    """
    Draw a number.

    Returns
    -------
    str
        A small one mostly.
    """
    die = rng.random()
    return str(
        number(rng, 1, 9)
        if die < 0.4
        else number(rng, 2, 20)
        if die < 0.65
        else number(rng, 10, 150)
        if die < 0.9
        else number(rng, 1, 2000)
    )


def millimetres(rng: Random) -> str:
    """
    Draw a size in millimetres, without the unit.

    Returns
    -------
    str
        A whole number mostly.
    """
    return str(number(rng, 1, 99)) if rng.random() < 0.75 else f"{number(rng, 0, 40)}.{number(rng, 1, 9)}"


def centimetres(rng: Random, lang: str) -> str:
    """
    Draw a size in centimetres, without the unit.

    Returns
    -------
    str
        With a decimal comma where the language has one.
    """
    mark = "." if lang == "en" or rng.random() < 0.15 else ","
    return f"{number(rng, 0, 14)}{mark}{number(rng, 1, 9)}" if rng.random() < 0.8 else str(number(rng, 1, 20))


def level(rng: Random) -> str:
    """
    Draw a level of the spine.

    Returns
    -------
    str
        Like L4/5.
    """
    shape = pick(rng, TABLE["level"])
    if "#" not in shape:
        return shape
    upper = number(rng, 1, 6)
    return shape.replace("#", str(upper), 1).replace("#", str(upper + 1), 1)


def version(rng: Random) -> str:
    """
    Draw a version of software.

    Returns
    -------
    str
        Like 2.1.3 or VE11C.
    """
    return shaped(rng, pick(rng, TABLE["version"]))


def technical(rng: Random) -> tuple[str, str]:
    """
    Draw a parameter of an examination.

    Returns
    -------
    tuple of str
        Its key and its value.
    """
    key, shapes = pick(rng, PARAMETERS)
    return key, shaped(rng, pick(rng, shapes))


def loose(rng: Random) -> str:
    """
    Draw a number or code that stands about in clinical text.

    Returns
    -------
    str
        Like 7/10, G2P1, NYHA III.
    """
    return shaped(rng, pick(rng, TABLE["loose"]))


def mr_siemens(rng: Random) -> str:
    """
    Make the name of a sequence: t1_mprage_sag_p2_iso.

    Returns
    -------
    str
        The name.
    """
    parts = [pick(rng, TABLE["weight"]), pick(rng, TABLE["sequence"]), pick(rng, TABLE["plane"])]
    parts += [pick(rng, TABLE["extra"]) for _ in range(number(rng, 0, 3))]
    if rng.random() < 0.3:
        del parts[number(rng, 0, 2)]
    return "_".join(parts)


def mr_words(rng: Random) -> str:
    """
    Make the name of a sequence: AX T2 FLAIR FS.

    Returns
    -------
    str
        The name.
    """
    parts = [pick(rng, TABLE["plane"]), pick(rng, TABLE["weight"])]
    if rng.random() < 0.7:
        parts.append(pick(rng, TABLE["sequence"]).upper())
    parts += [pick(rng, TABLE["extra"]) for _ in range(number(rng, 0, 2))]
    if rng.random() < 0.35:
        parts.insert(number(rng, 0, len(parts)), pick(rng, TABLE["area"]))
    if rng.random() < 0.25:
        parts.reverse()
    return pick(rng, (" ", " ", " ", "-", "/", "  ")).join(parts)


def ct_recon(rng: Random) -> str:
    """
    Make the name of a reconstruction: Thorax 5.0 B31f, ABD 1.25mm STND.

    Returns
    -------
    str
        The name.
    """
    thick = pick(
        rng,
        (
            "5.0",
            "3.0",
            "1.0",
            "0.75",
            "0.6",
            "2.0",
            "1.25mm",
            "5mm",
            "2.5",
            "3 mm",
            "1,5",
            "5/5",
            "1x1",
            "10.0",
            "5.00",
        ),
    )
    parts = [pick(rng, TABLE["ct"]), thick, pick(rng, TABLE["kernel"])]
    if rng.random() < 0.3:
        parts.insert(1, pick(rng, TABLE["ct"]))
    if rng.random() < 0.3:
        parts.append(
            pick(
                rng,
                (
                    "3",
                    "2",
                    "70%",
                    "BestDiast 70 %",
                    "iMAR",
                    "ASiR 40%",
                    "MPR cor",
                    "0.75",
                    "HU",
                    "MIP",
                    "A",
                    "ax",
                    "I3",
                    "Sn",
                    "ORIG",
                ),
            )
        )
    if rng.random() < 0.1:
        parts.insert(0, "CT")
    return pick(rng, ("  ", " ", " ", " ", "_", ", ")).join(parts)


def ct_protocol(rng: Random) -> str:
    """
    Make the name of a protocol with carets: Thorax^1_ROUTINE (Adult), P4^P101^S108.

    Returns
    -------
    str
        The name.
    """
    die = rng.random()
    if die < 0.3:
        return shaped(rng, pick(rng, ("P#^P###^S###", "P#^P###", "Q##^S###", "##.#^S#", "P##^S####^I###", "S#^##")))
    area = pick(rng, TABLE["area"])
    if die < 0.75:
        mark = pick(rng, ("_", " ", "-"))
        exam = area if rng.random() < 0.4 else pick(rng, TABLE["exam"])
        return f"{area}^{number(rng, 1, 19)}{mark}{exam}{pick(rng, TABLE['adult'])}"
    mark = pick(rng, ("^", "^", "^^"))
    return mark.join(
        (area, pick(rng, TABLE["exam"]), pick(rng, (pick(rng, TABLE["ct"]), pick(rng, TABLE["extra"]), version(rng))))
    )


def localizer(rng: Random) -> str:
    """
    Make the name of a scout, a secondary capture or a calibration.

    Returns
    -------
    str
        Like 3-PL LOC.
    """
    return shaped(rng, pick(rng, TABLE["localizer"]))


def nuclear(rng: Random) -> str:
    """
    Make the name of a series of nuclear medicine: WB FDG 64 min p.i. AC.

    Returns
    -------
    str
        The name.
    """
    tracer = pick(rng, TABLE["tracer"])
    parts = [pick(rng, TABLE["scan"]), tracer] if rng.random() < 0.7 else [tracer, pick(rng, TABLE["scan"])]
    if rng.random() < 0.75:
        parts.append(shaped(rng, pick(rng, TABLE["after injection"])))
    keys = (key for key in ("counts", "area", "sequence") if rng.random() < 0.3)
    parts.extend(pick(rng, TABLE[key]).upper() if key == "sequence" else pick(rng, TABLE[key]) for key in keys)
    if rng.random() < 0.2:
        del parts[0]
    return pick(rng, (" ", " ", " ", " ", "_", ", ")).join(parts)


def mammography(rng: Random) -> str:
    """
    Make the name of a view of the breast: R CC TOMO.

    Returns
    -------
    str
        The name.
    """
    parts = [pick(rng, TABLE["breast view"])]
    if rng.random() < 0.6:
        parts.insert(0, pick(rng, ("R", "L", "RT", "LT", "Rt.", "Lt.", "re", "li", "Right", "Left")))
    keys = ("breast extra", "breast extra", "area")
    parts.extend(pick(rng, TABLE[key]) for key in keys if rng.random() < 0.35)
    if rng.random() < 0.12:
        parts.reverse()
    return pick(rng, (" ", " ", " ", "-", "_", "")).join(parts)


MAKERS: Weighted[int] = Weighted({0: 26, 1: 26, 2: 22, 3: 14, 4: 12, 5: 7, 6: 5})


def protocol(rng: Random) -> str:
    """
    Make a description or protocol code as consoles write them.

    Returns
    -------
    str
        The description; it identifies nobody.
    """
    return (mr_siemens, mr_words, ct_recon, ct_protocol, localizer, nuclear, mammography)[MAKERS.pick(rng)](rng)

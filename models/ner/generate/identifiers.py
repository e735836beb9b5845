"""Numbers and codes that stand for one person, visit, order, specimen or device: shapes of every make."""

from random import Random

from models.ner.generate import national
from models.ner.generate.chance import Weighted, number, shaped
from models.ner.generate.lists import pick
from models.ner.generate.tables import Table

SHAPES = Table("identifiers")

KINDS: Weighted[str] = Weighted(
    {
        "mrn": 30,
        "acc": 18,
        "case": 10,
        "order": 9,
        "specimen": 7,
        "insurance": 6,
        "national": 9,
        "serial": 4,
        "free": 7,
        "papers": 2,
        "plate": 1,
        "subject": 3,
        "long": 1,
    }
)


def free(rng: Random) -> str:
    """
    Draw a code of no known make: groups of letters and digits.

    Returns
    -------
    str
        A code with at least four digits.
    """
    mark = pick(rng, ("", "", "-", "-", "/", ".", "_", " "))
    groups = [pick(rng, ("@", "@@", "@@@", "&&", "@#", "##"))] if rng.random() < 0.6 else []
    groups.append("#" * number(rng, 4, 8))
    if rng.random() < 0.4:
        groups.append(pick(rng, ("#", "##", "@", "###", "§", "@#", "$")))
    return shaped(rng, mark.join(groups))


def identifier(rng: Random, lang: str, kind: str = "id") -> str:
    """
    Draw a number or code.

    Parameters
    ----------
    rng : Random
        The source of chance.
    lang : str
        The language, which decides the country of a national number.
    kind : str
        id for any, else one of GUIDE.md's slots; also free, papers, subject and long.

    Returns
    -------
    str
        The code without its label.
    """
    if kind == "id":
        kind = KINDS.pick(rng)
    if kind == "national" or (kind == "insurance" and rng.random() < 0.3):
        makers = national.OF.get(lang) if rng.random() < 0.85 else None
        return pick(rng, makers or national.EVERY)(rng)
    if kind == "free" or rng.random() < 0.08:
        return free(rng)
    return shaped(rng, pick(rng, SHAPES[kind]))

"""The word lists: words/<lang>/<slot>.txt, in English where a language has none, and the real descriptions."""

import gzip
import re
from functools import cache
from random import Random

from models.ner.generate.lists import WORDS, is_held_out, pick, read

# A run of six digits in a public description is mostly a date or a number of theirs: not for a negative example.
DOUBTFUL = re.compile(r"\d{6}|\d{4}[-/.]\d\d[-/.]\d\d")

# What all languages take from English as well.
EVERYWHERE = frozenset(("eponym", "device", "vendor", "model", "sequence", "protocol", "trial"))


@cache
def listed(lang: str, slot: str) -> tuple[str, ...]:
    """
    Read a word list.

    Returns
    -------
    tuple of str
        Its entries; the English ones where the language has no such list, none where there is no list at all.
    """
    if slot in EVERYWHERE:
        return read(f"{lang}/{slot}", f"en/{slot}")
    return read(f"{lang}/{slot}") or read(f"en/{slot}")


def word(rng: Random, lang: str, slot: str) -> str:
    """
    Draw a word for a slot.

    Returns
    -------
    str
        The word, in the language or in English.

    Raises
    ------
    FileNotFoundError
        There is no list for this slot, not even in English.
    """
    entries = listed(lang, slot)
    if not entries:
        raise FileNotFoundError(f"no word list for {slot}: {WORDS}/{lang}/{slot}.txt")
    return pick(rng, entries)


@cache
def descriptions(held_out: bool) -> tuple[str, ...]:  # noqa: FBT001 - which half is the only thing to say
    """
    Read the real public descriptions.

    Returns
    -------
    tuple of str
        The ones held out, or all others.
    """
    with gzip.open(WORDS / "descriptions.txt.gz", "rt", encoding="utf-8") as lines:
        entries = [line.rstrip("\n") for line in lines]
    return tuple(
        entry
        for entry in entries
        if entry.strip() and not entry.startswith("#") and not DOUBTFUL.search(entry) and is_held_out(entry) == held_out
    )


def description(rng: Random, held_out: bool) -> str:  # noqa: FBT001 - likewise
    """
    Draw a real public description.

    Returns
    -------
    str
        One of those held out, or of the others.
    """
    return pick(rng, descriptions(held_out))

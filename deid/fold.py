"""Letters without their marks, as names are typed where a keyboard doesn't have them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_WITHOUT_DECOMPOSITION = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ŋ": "n",
        "ħ": "h",
    }
    | {"Ø": "O", "Đ": "D", "Ð": "D", "Ł": "L", "Æ": "AE", "Œ": "OE", "Þ": "TH", "Ŋ": "N", "Ħ": "H"}
)
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


@lru_cache(maxsize=8192)
def folded(word: str) -> str:
    """Return `word` without diacritics: ``müller`` → ``muller``, ``łódź`` → ``lodz``."""
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word.translate(_WITHOUT_DECOMPOSITION))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def spellings(word: str) -> frozenset[str]:
    """Return the ways to write a case-folded `word` with fewer letters: as it is, without marks, spelled out."""
    if word.isascii():
        return frozenset({word})
    return frozenset({word, folded(word), folded(word.translate(_SPELLED_OUT))})

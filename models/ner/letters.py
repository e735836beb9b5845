"""Learn from the lexicon what names look like and what words: `python -m models.ner.letters` writes letters.bin.

Logistic regression on runs of letters. While the network learns, no word's look may come from weights that have seen
it, as those of a name that nobody knows haven't either: `looks` learns as often as there are parts, each time without
one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from deid.text.letters import SHORTEST, UNIT, WEIGHTS, Letters, norm, places_of
from deid.text.lexicon import Known, parse_lexicon
from models.ner.dataset import LETTERS, LEXICON

PARTS = 5
ROUNDS = 4
RATE = 0.3
SEED = 1
_LARGEST = 127

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Learnt:
    """Words of the lexicon that are surely one or the other.

    Attributes
    ----------
    words
        each
    places
        of the weights of its runs of letters
    is_name
        whether it is a person's or a town's name, and no word
    """

    words: Sequence[str]
    places: Sequence[NDArray[np.int64]]
    is_name: NDArray[np.bool_]

    @classmethod
    def of(cls, lexicon: Mapping[str, int]) -> Learnt:
        """Choose the words to learn from.

        Parameters
        ----------
        lexicon : mapping
            Word → `Known`.

        Returns
        -------
        Learnt
            In the lexicon's order.
        """
        named, meant = Known.NAME | Known.PLACE, Known.WORD | Known.EPONYM
        words = [
            word
            for word, known in lexicon.items()
            if len(word) >= SHORTEST and bool(known & named) != bool(known & meant) and known != Known.EPONYM
        ]
        places = [np.array(list(places_of(word)), np.int64) for word in words]
        return cls(words, places, np.array([bool(lexicon[word] & named) for word in words]))


def learnt(given: Learnt, chosen: NDArray[np.int64]) -> Weights:
    """Learn the weights; names count as much as words do, however many there are of each.

    Parameters
    ----------
    given : Learnt
        The words.
    chosen : array
        Which of them are learnt from.

    Returns
    -------
    array
        Weights in log odds, [`WEIGHTS`].
    """
    chance = np.random.default_rng(SEED)
    weights, squares = np.zeros(WEIGHTS), np.full(WEIGHTS, 0.1)
    share = given.is_name[chosen].mean()
    counts = np.where(given.is_name, 0.5 / share, 0.5 / (1 - share))
    for _ in range(ROUNDS):
        for at in chance.permutation(chosen):
            places = given.places[at]
            scale = norm(len(places))
            doubt = given.is_name[at] - 1 / (1 + np.exp(-weights[places].sum() / scale))
            step = counts[at] * doubt / scale
            squares[places] += step * step
            weights[places] += RATE * step / np.sqrt(squares[places])
    return weights


def written(weights: Weights) -> bytes:
    """Return weights as `Letters` takes them.

    Parameters
    ----------
    weights : array
        In log odds.

    Returns
    -------
    bytes
        The same in multiples of `UNIT`, a signed byte each.
    """
    return np.clip(np.rint(weights / UNIT), -_LARGEST, _LARGEST).astype(np.int8).tobytes()


def looks(lexicon: Mapping[str, int]) -> dict[str, int]:
    """Say what each word of the lexicon would look like if it weren't in it.

    Parameters
    ----------
    lexicon : mapping
        Word → `Known`.

    Returns
    -------
    dict
        Word → degree, of all words long enough.
    """
    given = Learnt.of(lexicon)
    part_of = np.array([_part(word) for word in given.words])
    out: dict[str, int] = {}
    for part in range(PARTS):
        letters = Letters(written(learnt(given, np.flatnonzero(part_of != part))))
        for word in lexicon:
            if len(word) >= SHORTEST and _part(word) == part:
                out[word] = letters.look(word)
    return out


def _part(word: str) -> int:
    return crc32(word.encode()) // 7 % PARTS


def write_letters(path: Path = LETTERS) -> None:
    """Learn from the whole lexicon, and write the weights down.

    Parameters
    ----------
    path : Path
        Where to.
    """
    given = Learnt.of(parse_lexicon(LEXICON.read_text(encoding="utf-8")))
    path.write_bytes(written(learnt(given, np.arange(len(given.words)))))


if __name__ == "__main__":
    write_letters()

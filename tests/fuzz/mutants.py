"""One mutant for each number: which instance is broken, how, and what comes of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.bombs import BOMBS, PIXELS, deflate
from tests.fuzz.draw import Draw, apart, edited, mended
from tests.fuzz.fields import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Seed
from tests.fuzz.mutators import HEADERS, Mutator

MUTATORS: dict[str, Mutator] = {**HEADERS, **PIXELS, **BOMBS}
_WEIGHTS = {"frame_bombs": 0.15, "numbers": 0.08, "depth": 0.25, "truncation": 0.6, "trailing_bytes": 0.6, "gaps": 0.4,
            "values": 2.0, "vr_lies": 1.5, "charset_lies": 1.5, "splice": 1.5}  # fmt: skip
_NAMES = tuple(MUTATORS)
_CHANCES = tuple(_WEIGHTS.get(name, 1.0) for name in _NAMES)
_HOW_MANY = (1, 1, 1, 2, 2, 3, 4)
_MENDED, _MISLABELLED, _DISHONEST = 0.7, 0.02, 0.1
_RLE = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken instance.

    Attributes
    ----------
    mutators
        what was done to it, sorted
    data
        its encoded Data Set, as it would come in a C-STORE
    """

    seed: str
    mutators: tuple[str, ...]
    syntax: str
    data: bytes


def mutant(seeds: Sequence[Seed], seed: int, index: int, *, pixels_alone: bool = False) -> Mutant:
    """Make the mutant with this number; the same arguments give the same bytes.

    Parameters
    ----------
    pixels_alone
        break pixels and what is said of them, and leave the rest
    """
    rng = random.Random(f"{seed}/{index}")
    draw = Draw(rng, rng.choice(seeds), seeds)
    if pixels_alone:
        names = [rng.choice(tuple(PIXELS)) for _ in range(rng.choice((1, 1, 2)))]
    else:
        names = rng.choices(_NAMES, _CHANCES, k=rng.choice(_HOW_MANY))
    names = sorted(set(names))
    edits = apart([edit for name in names for edit in MUTATORS[name](draw)])
    if rng.random() < _MENDED:
        edits = mended(draw, edits)
    data = edited(draw.seed.data, edits)
    syntax = draw.seed.syntax
    if rng.random() < _MISLABELLED:
        syntax = rng.choice((IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED, _RLE))
        names.append("syntax_lies")
    elif syntax == DEFLATED:
        is_honest = rng.random() > _DISHONEST
        data = deflate(draw, data, is_honest=is_honest)
        names += [] if is_honest else ["inflation"]
    return Mutant(draw.seed.name, tuple(names), syntax, data)

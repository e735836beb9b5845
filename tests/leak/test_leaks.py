"""Every hiding place with a few sentinels of each kind; ``python -m tests.leak`` plants thousands."""

from __future__ import annotations

from random import Random

import pytest

from tests.leak import sentinel
from tests.leak.encode import El
from tests.leak.encodings import ALL, Encoding
from tests.leak.exam import PROFILES, Outcome, examine
from tests.leak.places import PLACES, sample
from tests.leak.search import search
from tests.leak.subject import Draw

_PLANTS = 24
_SEED = 3


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("place", range(len(PLACES)), ids=[place.name for place in PLACES])
def test_no_sentinel_comes_out_of_this_place(place: int, profile: str) -> None:
    verdicts = [examine(task, profile) for task in sample(place, _SEED, _PLANTS)]
    out = [
        f"{verdict.kind}: {verdict.reason}"
        for verdict in verdicts
        if verdict.outcome in {Outcome.SURVIVED, Outcome.CRASHED}
    ]
    assert len(verdicts) >= min(_PLANTS, len(PLACES[place].variants()))
    assert not out


@pytest.mark.parametrize("place", range(len(PLACES)), ids=[place.name for place in PLACES])
def test_search_finds_what_was_not_cleaned(place: int) -> None:
    """The search is held to the plants themselves: what it can't see in the source proves nothing in the output."""
    for task in sample(place, _SEED, _PLANTS):
        plant = task.plant()
        syntax = _syntax(plant.file)
        assert search(plant.file, syntax, plant.sentinel).found, f"{plant.detail}, {plant.encoding}"


def _syntax(file: bytes) -> str:
    at = file.index(b"\x02\x00\x10\x00UI") + 6
    length = int.from_bytes(file[at : at + 2], "little")
    return file[at + 2 : at + 2 + length].rstrip(b"\0").decode("ascii")


@pytest.mark.parametrize("encoding", ALL, ids=lambda encoding: encoding.name)
def test_every_encoding_of_a_sentinel_is_seen_and_no_other_sentinel(encoding: Encoding) -> None:
    rng = Random(_SEED)
    draw = Draw(rng)
    draw.subject()
    wanted, other = sentinel.text(rng, encoding.script), sentinel.text(rng, encoding.script)
    draw.put(El(0x0020_4000, "LT", encoding.write(" ".join(wanted.parts)) + b" "))
    assert search(draw.file(), draw.syntax, wanted).found
    assert not search(draw.file(), draw.syntax, other).found


def test_equal_seeds_make_equal_plants() -> None:
    for place in range(len(PLACES)):
        task = sample(place, _SEED, 1)[0]
        assert task.plant() == task.plant()

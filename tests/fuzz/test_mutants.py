"""The mutants themselves: that they are what their numbers say, break what they should, and are told when they leak."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from node.pool import WorkerPool
from tests import factories
from tests.fuzz import dying
from tests.fuzz.datasets import Run, batches
from tests.fuzz.draw import Draw, apart, edited
from tests.fuzz.fields import BIG_ENDIAN, DEFLATED, EXPLICIT, Seed, walk
from tests.fuzz.mutants import MUTATORS, mutant
from tests.fuzz.pdus import script
from tests.fuzz.record import Record
from tests.fuzz.seeds import seeds
from tests.fuzz.sentinels import CODE, NAME, PHRASE, ROOT, is_known, left_in, plant

NO_CORPUS = Path("/nonexistent")


@pytest.fixture(scope="module")
def own() -> list[Seed]:
    return seeds(corpus=NO_CORPUS)


def test_seeds_are_of_many_encodings_and_every_byte_of_them_is_in_a_field(own: list[Seed]) -> None:
    assert len({seed.syntax for seed in own}) >= 18
    for seed in own:
        assert sum(field.end - field.start for field in seed.top) == len(seed.data)


def test_a_number_always_makes_the_same_mutant_and_another_one_another(own: list[Seed]) -> None:
    assert [mutant(own, 1, index) for index in range(50)] == [mutant(own, 1, index) for index in range(50)]
    assert len({mutant(own, 1, index).data for index in range(50)}) > 45
    assert mutant(own, 1, 3) != mutant(own, 2, 3)
    assert script(own, 1, 5) == script(own, 1, 5)


@pytest.mark.parametrize("name", MUTATORS)
def test_each_mutator_changes_bytes(own: list[Seed], name: str) -> None:
    changed = 0
    for number in range(40):
        rng = random.Random(number)
        draw = Draw(rng, rng.choice(own), own)
        changed += edited(draw.seed.data, apart(MUTATORS[name](draw))) != draw.seed.data
    assert changed >= 5


def test_mended_mutants_are_well_formed_around_what_was_broken(own: list[Seed]) -> None:
    readable = 0
    for index in range(200):
        broken = mutant(own, 4, index)
        try:
            walk(broken.data, broken.syntax)
        except ValueError:
            continue
        readable += 1
    assert readable > 60


@pytest.mark.parametrize("word", [*NAME.split("^"), CODE])
def test_a_sentinel_is_found_in_whatever_encoding_it_comes_out(word: str) -> None:
    text = b"xx" + word.encode() + b"yy"
    swapped = b"".join(text[at : at + 2][::-1] for at in range(0, len(text) & ~1, 2))
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert left_in(text, EXPLICIT) == left_in(swapped, BIG_ENDIAN) == word.lower()
    assert left_in(deflater.compress(text) + deflater.flush(), DEFLATED) == word.lower()
    assert left_in(b"nothing", EXPLICIT) == ""


def test_a_word_is_known_if_a_name_or_an_id_says_so_and_not_if_only_a_text_does() -> None:
    ds = factories.cr(size=8)
    plant(ds)
    source = (factories.data_set_bytes(ds), EXPLICIT)
    assert is_known("quorvandel", source, source)
    for element in ds.iterall():
        if element.VR == "PN":
            element.value = ""
    without = (factories.data_set_bytes(ds), EXPLICIT)
    assert b"QUORVANDEL" in without[0]
    assert not is_known("quorvandel", without, source)


def test_a_place_is_known_where_it_is_as_it_was_written() -> None:
    ds = factories.cr(size=8)
    ds.InstitutionName, ds.StationName = PHRASE, "ROOM 1"
    source = (factories.data_set_bytes(ds), EXPLICIT)
    ds.InstitutionName = PHRASE[:16]
    cut = (factories.data_set_bytes(ds), EXPLICIT)
    word = PHRASE.split()[0].lower()
    assert is_known(word, source, source)
    assert is_known(word, cut, cut)
    assert not is_known(word, source, cut)


def test_a_uid_is_known_if_that_uid_was_one() -> None:
    ds = factories.cr(size=8)
    ds.FrameOfReferenceUID = uid = f"{ROOT}4711"
    source = (factories.data_set_bytes(ds), EXPLICIT)
    del ds.FrameOfReferenceUID
    ds.StudyInstanceUID, ds.ProtocolName = f"{ROOT}4712", uid
    moved = (factories.data_set_bytes(ds), EXPLICIT)
    assert is_known(ROOT, source, moved)
    ds.StudyInstanceUID = "2.25.1"
    out = (factories.data_set_bytes(ds), EXPLICIT)
    assert is_known(ROOT, source, out)
    assert not is_known(ROOT, moved, out)


def test_the_next_run_goes_on_where_the_last_one_ended_and_adds_to_its_counts(tmp_path: Path) -> None:
    Record.read(tmp_path).note("data_sets", 1, 500, {"data_sets": 500, "leak": 0})
    again = Record.read(tmp_path)
    assert (again.first("data_sets", 1), again.first("data_sets", 2)) == (500, 0)
    again.note("data_sets", 1, 700, {"data_sets": 200, "leak": 1})
    assert Record.read(tmp_path).totals == {"data_sets": 700, "leak": 1}


def test_batches_are_cut_at_the_same_numbers_wherever_a_run_begins() -> None:
    whole = {index: batch.project for batch in batches(1, 0, 3000, reads_pixels=False) for index in batch.indices}
    later = {index: batch.project for batch in batches(1, 777, 500, reads_pixels=False) for index in batch.indices}
    assert len(whole) == 3000
    assert later == {index: whole[index] for index in range(777, 1277)}


@pytest.mark.timeout(600)  # processes are started anew five times
def test_a_mutant_on_which_a_process_dies_or_hangs_is_told_from_its_batch(
    tmp_path: Path, own: list[Seed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.cleaning._seeds", own)
    with WorkerPool(1, time_limit_s=4.0, initializer=dying.begin) as pool:
        run = Run(Record.read(tmp_path), "data_sets", 1, pool, dying.run_batch)
        outcome = run.go(batches(1, 0, 14, reads_pixels=False), 1)
    assert outcome.tally.outcomes == {"cleaned": 12, "died": 1, "hang": 1}
    assert [(each.kind, each.batch.first) for each in outcome.tally.findings] == [
        ("died", dying.DIES_ON),
        ("hang", dying.HANGS_ON),
    ]
    assert not outcome.is_good
    assert [path.exists() for path in outcome.kept] == [True, True]

from __future__ import annotations

import pytest

from deid.errors import Misconfigured
from tests.standard import table, walk
from tests.standard.walk import Tally


@pytest.fixture(scope="module")
def seen() -> Tally:
    """What all tests here saw of one patient's UIDs and dates."""
    return Tally()


def settle(seen: Tally, part: Tally, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what was counted, and fail with what deviates."""
    seen.witness.uids |= part.witness.uids
    seen.witness.shifts |= part.witness.shifts
    with capsys.disabled():
        print(f"\nTable E.1-1, {what}: {part.total} checks in {part.runs} instances")
    assert [str(deviation) for deviation in part.deviations[:20]] == []
    assert part.total


@pytest.mark.skipif(not table.SHARED.is_dir(), reason="the standard's tables as data are not beside this repository")
def test_projects_copy_of_the_table_is_what_is_published() -> None:
    ours = {(row.tag, row.mask): (row.basic, dict(row.options)) for row in table.rows()}
    published = {place: (basic, dict(cells)) for place, (basic, cells) in table.published_rows().items()}
    assert {place for place in ours if ours[place] != published.get(place)} == set()
    assert published.keys() == ours.keys()


def test_every_row_with_each_option_alone_at_each_depth(seen: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    part = Tally()
    walk.walk_alone(part)
    options = len(walk.single_options())
    settle(seen, part, f"{len(part.rows)} rows x {options} options alone x {walk.DEPTHS} depths", capsys)
    assert part.rows == {row.name for row in table.rows()}
    assert part.total >= len(part.rows) * options * walk.DEPTHS


def test_every_row_with_each_pair_of_options_at_each_depth(seen: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    part = Tally()
    walk.walk_pairs(part)
    settle(seen, part, f"{len(part.rows)} rows x {len(walk.pairs())} pairs of options x {walk.DEPTHS} depths", capsys)
    assert part.rows == {row.name for row in table.rows()}


def test_every_row_with_each_shipped_profile_at_each_depth(seen: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    part = Tally()
    walk.walk_shipped(part)
    profiles = walk.shipped()
    settle(seen, part, f"{len(part.rows)} rows x {len(profiles)} shipped profiles x {walk.DEPTHS} depths", capsys)
    assert part.refused.keys() <= {name for name, profile in profiles.items() if profile.demands}


def test_every_row_with_each_type_that_an_iod_gives_it(seen: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    part = Tally()
    walk.walk_all_types(part)
    settle(seen, part, f"{len(part.types)} pairs of row and Type in {len(walk.typed())} SOP Classes", capsys)
    assert {type_ for _, type_ in part.types} >= {"1", "1C", "2", "2C", "3"}


def test_one_patient_has_one_shift_and_each_uid_one_replacement_through_all_of_it(seen: Tally) -> None:
    if not seen.witness.uids:
        pytest.skip("needs the tests above")
    assert len(seen.witness.shifts) == 1
    assert not seen.witness.shifts & {0}
    assert seen.doubtful_uids == 0


def test_dates_kept_and_dates_modified_are_refused_together() -> None:
    with pytest.raises(Misconfigured):
        walk.with_options(tuple(sorted(walk.CONTRADICTORY)))

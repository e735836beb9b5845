"""Issue 7, line 6: whatever fails in whatever step, nothing raw or half done is forwarded, and quarantine says why."""

from __future__ import annotations

import os
from pathlib import Path

import pydicom
import pytest

from tests.acceptance.series import Series, data_set, send_all
from tests.archive import Archive
from tests.faults import steps
from tests.faults.steps import (
    FACES,
    HEADER,
    PIXELS,
    Case,
    Outcome,
    cases,
    face_cases,
    instances,
    pixel_cases,
    plan_cases,
)

ALL = bool(os.environ.get("ALL_STEPS"))
"""Also what hangs in each step, and what fails with networks loaded: `make steps`. They wait for minutes."""

TIME_LIMIT_S = 8.0
TIME_LIMIT_WITH_NETWORKS_S = 60.0


CASES = [case for case in cases() if ALL or case.how != "hang" or case.step in {"decode", "send"}]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("steps")
    paths = instances(folder / "modality", [case.marker for case in CASES])
    return steps.run(folder, paths, HEADER, TIME_LIMIT_S)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.marker)
def test_a_step_that_fails_sends_the_instance_to_quarantine_with_its_own_reason(outcome: Outcome, case: Case) -> None:
    assert outcome.reasons.get(case.marker) == case.reason


@pytest.mark.timeout(900)
def test_nothing_raw_or_partial_is_forwarded_and_all_the_others_are(outcome: Outcome) -> None:
    assert outcome.arrived == set()
    assert outcome.strange == set()
    assert outcome.missing == 0
    assert outcome.leftovers == []
    assert outcome.reasons.keys() == {case.marker for case in CASES}


@pytest.mark.timeout(900)
def test_an_error_is_told_by_its_type_and_its_place_without_its_text(outcome: Outcome) -> None:
    details = [outcome.details[case.marker] for case in CASES if case.how == "raise" and case.step != "send"]
    assert all(detail.startswith("ValueError at ") for detail in details)
    assert "FP^Patient" not in "".join(details) + outcome.log


@pytest.mark.skipif(not ALL, reason="takes minutes: make steps")
@pytest.mark.timeout(900)
def test_what_fails_while_pixels_are_cleaned_is_quarantined_with_its_own_reason(tmp_path: Path) -> None:
    paths = instances(tmp_path / "modality", [case.marker for case in pixel_cases()])
    outcome = steps.run(tmp_path, paths, PIXELS, TIME_LIMIT_WITH_NETWORKS_S, attempts=1)
    assert outcome.reasons == {case.marker: case.reason for case in pixel_cases()}
    assert (outcome.arrived, outcome.strange, outcome.missing, outcome.leftovers) == (set(), set(), 0, [])


@pytest.mark.timeout(900)
def test_a_series_that_fails_as_a_whole_is_quarantined_with_its_own_reason(tmp_path: Path) -> None:
    paths = instances(tmp_path / "modality", [case.marker for case in plan_cases()], others=False)
    outcome = steps.run(tmp_path, paths, FACES, TIME_LIMIT_S)
    assert outcome.reasons == {case.marker: case.reason for case in plan_cases()}
    assert (outcome.arrived, outcome.strange, outcome.leftovers) == (set(), set(), [])


@pytest.mark.timeout(900)
def test_a_slice_of_a_head_that_fails_is_quarantined_and_the_others_leave_defaced(tmp_path: Path) -> None:
    head = Series.of(tmp_path / "modality", seed=13, slices=60)
    marked = dict(zip(head.paths[20:40:5], face_cases(), strict=True))
    for path, case in marked.items():
        ds = pydicom.dcmread(path)
        ds.StationName = case.marker
        ds.save_as(path)
    with Archive(tmp_path / "archive") as archive, steps.failing():
        node = head.node(tmp_path / "node", archive.port, attempts=1, time_limit_s=TIME_LIMIT_S)
        with node:
            send_all(head.paths, node.port)
            node.wait_idle(300)
            found = {str(pydicom.dcmread(each.path).StationName): each.reason for each in node.quarantined()}
            assert node.leftovers() == []
        arrived = {path.stem: data_set(path) for path in archive.instances()}
        assert archive.conflicts() == []
    assert found == {case.marker: case.reason for case in marked.values()}
    plan = head.plan(head.paths)
    assert plan.kind == "deface"
    head.paths = [path for path in head.paths if path not in marked]
    assert arrived == head.defaced(plan)

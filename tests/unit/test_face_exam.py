"""The face exam marks rightly: what isn't done is found to be missing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.benchmarks.face_exam import detector, report
from tests.benchmarks.face_exam.baselines import BASELINES
from tests.benchmarks.face_exam.cases import cases, not_heads
from tests.benchmarks.face_exam.exam import Marked, brain_of
from tests.benchmarks.face_exam.left import Points, face_points, left, share_near
from tests.benchmarks.face_exam.report import Results
from tests.benchmarks.face_exam.timing import Measured
from tests.benchmarks.face_exam.volume import Volume, volume_of
from tests.heads import Head, Scan, instances

SCAN = Scan(shape=(44, 80, 80), step_mm=(5.0, 2.9, 2.9), centre_mm=(0.0, -8.0, -28.0))
HEAD = Head.of(21).with_(rests=frozenset())


def within(points: Points) -> NDArray[np.bool_]:
    own = HEAD.own(points.astype(np.float64))
    return np.asarray((own[:, 2] > -115) & (own[:, 2] < -25) & (-own[:, 1] > np.abs(own[:, 0])))


@pytest.fixture(scope="module")
def volume() -> Volume:
    return volume_of(list(instances(HEAD, SCAN)), -400)


@pytest.fixture(scope="module")
def points(volume: Volume) -> Points:
    return face_points(volume, within)


def own_of(volume: Volume) -> NDArray[np.float64]:
    return HEAD.own(volume.points_mm().astype(np.float64))


def test_face_that_nothing_was_done_to_is_left(volume: Volume, points: Points) -> None:
    assert len(points) > 1500
    assert left(volume, volume.stack, points).share > 0.99


def test_face_under_a_thick_mask_with_its_skin_replaced_is_gone(volume: Volume, points: Points) -> None:
    own = own_of(volume)
    box = (own[..., 1] < -20) & (own[..., 2] > -140) & (own[..., 2] < -8)
    values = np.where(box, np.float32(-60), volume.stack.values)
    assert left(volume, volume.with_values(values), points).share < 0.02


def test_skin_that_is_only_covered_is_left(volume: Volume, points: Points) -> None:
    own = own_of(volume)
    air = (volume.stack.values < -400) & (own[..., 1] < -20)
    values = np.where(air, np.float32(-60), volume.stack.values)
    assert left(volume, volume.with_values(values), points).share > 0.5


def test_skin_that_is_shaved_thinly_is_left(volume: Volume, points: Points) -> None:
    shaved = HEAD.with_(scale=tuple(0.985 * each for each in HEAD.scale))
    other = volume_of(list(instances(shaved, SCAN)), -400)
    assert left(volume, other.stack, points).share > 0.5


def test_half_a_face_is_half_left(volume: Volume, points: Points) -> None:
    own = own_of(volume)
    box = (own[..., 1] < -20) & (own[..., 0] > 0)
    values = np.where(box, np.float32(-60), volume.stack.values)
    assert left(volume, volume.with_values(values), points).share == pytest.approx(0.5, abs=0.12)


def test_distances_are_counted_to_three_millimetres() -> None:
    line = np.stack([np.arange(0, 6, 1.0), np.zeros(6), np.zeros(6)], axis=1).astype(np.float32)
    assert share_near(line, np.zeros((1, 3), np.float32)) == pytest.approx(4 / 6)
    assert share_near(line, np.zeros((0, 3), np.float32)) == 0


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda each: each.name)
def test_baselines_fill_the_air_and_the_skin_of_the_whole_rim(volume: Volume, points: Points, baseline: object) -> None:
    values = baseline.clean(volume.stack.values, 1, SCAN.step_mm[1])  # type: ignore[attr-defined]
    changed = values != volume.stack.values
    assert left(volume, volume.with_values(values), points).share < (0.3 if baseline.is_air else 0.1)  # type: ignore[attr-defined]
    own = own_of(volume)
    assert changed[(volume.stack.values < -900) & (own[..., 1] > 60)].mean() > 0.9
    if baseline.is_air:  # type: ignore[attr-defined]
        assert set(np.unique(values[changed])) == {-1000}
    else:
        assert values[changed].min() > -125
        assert values[changed].max() < 50


def test_brain_is_found_where_nobody_has_said_it(volume: Volume) -> None:
    case = next(each for each in cases(1) if each.name == "ct")
    found = brain_of(volume, case)
    own = own_of(volume)
    assert found.sum() > 0.3 * ((own**2).sum(axis=-1) < 60**2).sum()
    assert np.sqrt((own[found] ** 2).sum(axis=-1)).max() < 100


def mark(system: str = "drown", **changes: object) -> Marked:
    usual = {
        "case": "ct", "modality": "CT", "system": system, "left": 0.001, "level": "", "points": 9000, "changed": 0.1,
        "intracranial": 0, "brain": 1000, "beyond": 0.0, "lost": 0, "seconds": 1.0,
        "faces_seconds": 1.5, "refused": "", "kind": "deface",
    }  # fmt: skip
    return Marked(**{**usual, **changes})  # type: ignore[arg-type]


BASELINE = mark("slicer-deid", left=0.01, changed=0.7, beyond=0.5, seconds=2.0, faces_seconds=3.0, kind="")


def missed(*marks: Marked) -> list[str]:
    return [target.name for target in report.targets(Results(1, marks)) if not target.is_met]


def test_all_targets_are_met_by_what_is_right() -> None:
    assert missed(mark(), BASELINE) == []


@pytest.mark.parametrize(
    "wrong",
    [
        mark(left=0.021),
        mark(intracranial=1),
        mark(beyond=0.001),
        mark(lost=1),
        mark(refused="face-left", left=float("nan")),
        mark(kind="no-head"),
        mark(changed=0.71),
    ],
)
def test_each_fault_misses_a_target(wrong: Marked) -> None:
    assert missed(wrong, BASELINE)


def test_head_that_ends_above_its_face_needs_nothing() -> None:
    assert missed(mark(points=20, kind="no-head", left=0.5)) == ["face surface left in any head, drown"]


def test_detector_counts_faces_found_and_heads_known_again() -> None:
    def one(confidence: float, place: float | None) -> dict[str, object]:
        return {"confidence": confidence, "description": None if place is None else [place, 0.0]}

    found = {}
    for number, head in enumerate(("a", "b", "c", "d")):
        found[head, detector.BEFORE, "front"] = one(1.0, number)
        found[head, detector.AGAIN, "front"] = one(0.9, number + 0.1)
        found[head, detector.AFTER, "front"] = one(-1.0, 0.2)
    seen = detector._summed(found)
    assert (seen.detected[detector.BEFORE, "front"], seen.detected[detector.AFTER, "front"]) == (4, 0)
    assert seen.known == {detector.AGAIN: (4, 4), detector.AFTER: (1, 4)}
    assert seen.chance == 0.25
    assert seen.distance[detector.AGAIN] == pytest.approx(0.1)
    results = Results(1, [], seen={"drown": seen})
    assert all(target.is_met for target in report.targets(results))
    found["a", detector.AFTER, "front"] = one(0.8, 0.0)
    results = Results(1, [], seen={"drown": detector._summed(found)})
    assert [target.is_met for target in report.targets(results)] == [False, True]


def test_large_head_has_limits_of_time_and_memory() -> None:
    slow = Measured("drown", 300, 15.0, 18.0, 21.0, 2100.0, 3000.0, "deface")
    other = Measured("slicer-deid", 300, 14.0, 17.0, 20.0, 2100.0, 3000.0, "")
    names = [target.name for target in report.targets(Results(1, [], large=[slow])) if not target.is_met]
    assert len(names) == 2
    names = [target.name for target in report.targets(Results(1, [], large=[slow, other])) if not target.is_met]
    assert len(names) == 5


def test_series_without_a_face_that_is_touched_misses_a_target() -> None:
    results = Results(1, [], untouched={"chest": "", "leg": "touched: deface"}, corpus=(3, ["series-1:deface"]))
    assert [target.value for target in report.targets(results)] == [2]
    assert "others_touched=1 corpus_touched=1/3" in report.figures(results)


def test_exam_of_another_seed_has_other_heads_of_the_same_kinds() -> None:
    first, second = cases(1), cases(2)
    assert [each.name for each in first] == [each.name for each in second]
    assert first[0].data_sets()[50].PixelData != second[0].data_sets()[50].PixelData
    assert set(not_heads(1)) == set(not_heads(2))

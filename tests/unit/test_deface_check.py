"""The end of the face below, and the check that a chin can't hide from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deid.deface import planning
from deid.deface.anatomy import FRONT, UP, Anatomy, front_of, lowest_before_neck
from deid.deface.check import Left, face_end, left_of, seen_surface
from deid.deface.face import touched_by, zone_of
from deid.deface.fill import palette_of
from deid.deface.morphology import dilate
from deid.deface.rules import FaceRules
from deid.errors import Reason, Refused
from deid.faces import plan_series
from tests.heads import Head, Scan
from tests.unit.test_deface_series import context, encoded

SCAN = Scan(shape=(62, 84, 84), step_mm=(3.2, 2.8, 2.8), centre_mm=(0.0, -14.0, -28.0))
RULES = FaceRules()
SEED = b"seed"


def anatomy_of(monkeypatch: pytest.MonkeyPatch, subject: Head, scan: Scan = SCAN) -> Anatomy:
    found: list[Anatomy] = []

    def kept(head: Anatomy, rules: FaceRules, seed: bytes) -> np.ndarray:
        found.append(head)
        return touched_by(head, rules, seed)

    with monkeypatch.context() as patched:
        patched.setattr(planning, "touched_by", kept)
        plan_series(encoded(subject, scan), context())
    return found[0]


def left_with(head: Anatomy, chin: int) -> Left:
    short = replace(head, chin=chin)
    touched = touched_by(short, RULES, SEED)
    return left_of(short, touched, palette_of(short, touched, RULES, is_ct=True), is_ct=True)


@pytest.mark.parametrize("number", [1, 6, 8])
def test_the_lower_end_of_a_face_is_below_its_chin(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Head.of(number)
    head = anatomy_of(monkeypatch, subject)
    level = head.grid.cell(subject.patient(np.array([[0.0, -88.0, -117.0]])))[0, UP]
    assert head.chin <= level
    assert face_end(head) <= level + 4


def test_a_chin_that_is_left_is_seen_by_the_check_though_the_region_ends_above(monkeypatch: pytest.MonkeyPatch) -> None:
    head = anatomy_of(monkeypatch, Head.of(6))
    assert left_with(head, head.chin).share < 0.02
    cut = left_with(head, head.chin + 30)  # as where jaws with a gap between them were taken for the end
    assert cut.share > 0.1
    assert cut.worst > 0.9


def test_a_plan_that_would_leave_a_chin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_high(head: Anatomy, rules: FaceRules, seed: bytes) -> np.ndarray:
        return touched_by(replace(head, chin=head.chin + 30), rules, seed)

    monkeypatch.setattr(planning, "touched_by", too_high)
    with pytest.raises(Refused) as refused:
        plan_series(encoded(Head.of(6), SCAN), context())
    assert refused.value.reason is Reason.FACE_LEFT


def test_the_zone_of_a_face_goes_farther_back_beside_the_jaw_than_beside_the_eyes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = anatomy_of(monkeypatch, Head.of(6))
    zone = zone_of(head)[:, :, head.middle[2]]
    first = [int(row.argmax()) for row in zone[head.chin : head.brow]]
    assert first[-1] == head.ears
    assert head.ears - 12 <= first[0] <= head.ears - 6
    assert first == sorted(first)
    assert not zone[head.brow :].any()
    assert not zone[: head.chin].any()


def test_skin_is_not_taken_for_what_is_inside_the_skull(monkeypatch: pytest.MonkeyPatch) -> None:
    baby = Head.of(5).with_(scale=(0.66, 0.66, 0.63))
    head = anatomy_of(monkeypatch, baby, SCAN.with_(step_mm=(2.0, 2.0, 2.0), centre_mm=(0.0, -6.0, -18.0)))
    assert head.protected.any()
    assert not (head.protected & dilate(head.outside & head.seen, 1)).any()


def test_a_small_nose_lies_behind_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    baby = Head.of(5).with_(scale=(0.66, 0.66, 0.63))
    head = anatomy_of(monkeypatch, baby, SCAN.with_(step_mm=(2.0, 2.0, 2.0), centre_mm=(0.0, -6.0, -18.0)))
    tip = np.rint(head.grid.cell(baby.patient(np.array([[0.0, -108.0, -57.0]])))).astype(int)[0]
    touched = touched_by(head, RULES, SEED)
    before = touched[tip[UP], tip[FRONT] :, tip[2]]
    assert before[:4].all()  # nose or air, whatever the seed: 6 mm more than the tip


def test_what_is_seen_is_first_from_the_front_or_a_side() -> None:
    solid = np.zeros((1, 7, 7), np.bool_)
    solid[0, 2:5, 2:5] = True
    seen = seen_surface(solid)
    assert seen[0, 4, 2:5].all()
    assert seen[0, 2:5, 2].all()
    assert not seen[0, 2:4, 3].any()


def test_the_front_of_a_neck_is_behind_that_of_a_face() -> None:
    outside = np.ones((20, 30, 9), np.bool_)
    outside[8:, :25] = False  # a face
    outside[:8, :10] = False  # a neck
    front = front_of(outside, np.ones_like(outside), 4, 2)
    assert front.tolist() == [9.0] * 8 + [24.0] * 12
    assert lowest_before_neck(front, 20, 0, 8) == 8
    assert lowest_before_neck(np.full(20, -1.0), 20, 3, 8) == 3

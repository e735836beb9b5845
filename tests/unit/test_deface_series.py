"""Whole series through the step: heads lose their faces and nothing else, what is none stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from deid.context import Context
from deid.engine import deidentify
from deid.errors import Reason, Refused, SeriesNeeded
from deid.faces import FacePlan, plan_series, series_code_of
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import Profile
from tests.factories import to_bytes
from tests.heads import CHEST, LEG, SILENT, SKULL, WATER, Head, Scan, enhanced, instances, scanned
from tests.heads.scan import Subject

FACES = "clean_recognizable_visual_features"
KEYS = Keys.from_secret(bytes(range(32)))
SCAN = Scan(shape=(76, 80, 80), step_mm=(3.0, 3.0, 3.0))
HEAD = Head.of(11)


def context(**table: object) -> Context:
    profile = Profile.from_options("faces", [FACES], text="rules")
    return Context(profile.with_faces(table) if table else profile, KEYS)


def encoded(subject: Subject, scan: Scan, says: str = SILENT, **changes: object) -> list[Instance]:
    made = []
    for ds in instances(subject, scan, says=says):
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        made.append(Instance.from_part10(to_bytes(ds)))
    return made


def cleaned(instance: Instance, how: Context, plan: FacePlan) -> Dataset:
    return dcmread(BytesIO(b"".join(map(bytes, deidentify(instance, how, plan).clean.part10()))))


@pytest.fixture(scope="module")
def head() -> list[Instance]:
    return encoded(HEAD, SCAN)


@pytest.fixture(scope="module")
def plan(head: list[Instance]) -> FacePlan:
    return plan_series(head, context())


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, np.ndarray]:
    some = list(scanned(HEAD, SCAN))
    return np.concatenate([each.stored for each in some]), np.concatenate([each.intracranial for each in some])


def test_a_head_is_defaced_and_its_inside_is_not_touched(
    head: list[Instance], plan: FacePlan, truth: tuple[np.ndarray, np.ndarray]
) -> None:
    out = [cleaned(each, context(), plan) for each in head]
    before, inside = truth
    changed = np.stack([ds.pixel_array for ds in out]) != before
    surface, near, _ = plan.figures
    assert plan.kind == "deface"
    assert surface > 1000
    assert near <= 0.02 * surface
    assert changed.any()
    assert not (changed & inside).any()
    assert not changed[:, 56:].any()  # behind the ears
    assert {ds.RecognizableVisualFeatures for ds in out} == {"NO"}
    assert all("113102" in [item.CodeValue for item in ds.DeidentificationMethodCodeSequence] for ds in out)
    assert {ds.file_meta.TransferSyntaxUID for ds in out} == {head[0].transfer_syntax}


def test_a_plan_does_not_depend_on_the_order_of_instances(head: list[Instance], plan: FacePlan) -> None:
    assert plan_series(head[::-1], context()).to_bytes() == plan.to_bytes()


def test_a_plan_comes_back_from_its_bytes_and_no_other_bytes_do(plan: FacePlan) -> None:
    data = plan.to_bytes()
    assert FacePlan.from_bytes(data).to_bytes() == data
    for bad in (b"", data[:-1], data + b"\0", data[:60] + b"x" + data[61:], b"x" + data[1:]):
        with pytest.raises(ValueError, match="plan"):
            FacePlan.from_bytes(bad)


def test_an_instance_without_plan_waits_and_with_another_ones_plan_is_refused(
    head: list[Instance], plan: FacePlan
) -> None:
    with pytest.raises(SeriesNeeded) as needed:
        deidentify(head[0], context())
    assert needed.value.series_code == series_code_of(head[0], context()) == plan.series_code
    with pytest.raises(Refused) as refused:
        deidentify(head[0], context(), replace(plan, series_code="0" * 32))
    assert refused.value.reason is Reason.FACE_SERIES_UNFIT


def test_a_late_slice_is_defaced_by_its_place_and_one_from_elsewhere_is_refused(
    head: list[Instance], plan: FacePlan
) -> None:
    late = 30
    without = plan_series([*head[:late], *head[late + 1 :]], context())
    changed = cleaned(head[late], context(), without).pixel_array != dcmread_raw(head[late]).pixel_array
    expected = cleaned(head[late], context(), plan).pixel_array != dcmread_raw(head[late]).pixel_array
    assert changed.any()
    assert (changed != expected).mean() < 0.01
    below = encoded(HEAD, SCAN.with_(shape=(3, 80, 80), centre_mm=(0.0, -6.0, -190.0)))[0]
    with pytest.raises(Refused) as refused:
        deidentify(below, context(), plan)
    assert (refused.value.reason, refused.value.detail) == (Reason.FACE_SERIES_UNFIT, "outside-plan")


def dcmread_raw(instance: Instance) -> Dataset:
    ds = dcmread(BytesIO(bytes(instance.data)), force=True)
    ds.file_meta.TransferSyntaxUID = instance.transfer_syntax
    return ds


def test_a_localizer_and_another_frame_of_reference_in_a_series_are_refused(plan: FacePlan) -> None:
    one = SCAN.with_(shape=(1, 80, 80), centre_mm=(0.0, -6.0, -20.0))
    for changes in ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, {"FrameOfReferenceUID": "1.2.3"}):
        (odd,) = encoded(HEAD, one, **changes)
        with pytest.raises(Refused) as refused:
            deidentify(odd, context(), plan)
        assert refused.value.reason is Reason.FACE_SERIES_UNFIT


@pytest.mark.parametrize("subject", [CHEST, LEG, WATER, SKULL], ids=["chest", "leg", "water", "skull"])
def test_what_has_no_face_stays_as_it_is(subject: Subject) -> None:
    series = encoded(subject, SCAN.with_(shape=(60, 80, 80), step_mm=(4.0, 4.0, 4.0)))
    plan = plan_series(series, context())
    assert plan.kind == "no-head"
    out = cleaned(series[30], context(), plan)
    assert out.PixelData == dcmread_raw(series[30]).PixelData
    assert out.RecognizableVisualFeatures == "NO"


@pytest.mark.parametrize(
    "make",
    [
        lambda: encoded(HEAD, SCAN.with_(shape=(3, 80, 80))),
        lambda: encoded(HEAD, SCAN)[:30] + encoded(HEAD, SCAN)[40:],
    ],
    ids=["few", "gap"],
)
def test_an_incomplete_head_is_kept_back_or_done_slice_by_slice(make: Callable[[], list[Instance]]) -> None:
    series = make()
    with pytest.raises(Refused) as refused:
        plan_series(series, context())
    assert refused.value.reason is Reason.FACE_SERIES_UNFIT
    plan = plan_series(series, context(incomplete="slicewise"))
    assert plan.kind == "slicewise"
    assert plan.problem
    out = cleaned(series[1], context(incomplete="slicewise"), plan)
    assert (out.pixel_array != dcmread_raw(series[1]).pixel_array).any()


def test_a_lower_face_without_skull_is_kept_back() -> None:
    with pytest.raises(Refused) as refused:
        plan_series(encoded(HEAD, SCAN.with_(shape=(30, 80, 80), centre_mm=(0.0, -6.0, -92.0))), context())
    assert refused.value.detail == "face-without-skull"


def test_an_enhanced_head_is_defaced_in_its_frames() -> None:
    ds = enhanced(HEAD, SCAN)
    instance = Instance.from_part10(to_bytes(ds))
    plan = plan_series([instance], context())
    out = cleaned(instance, context(), plan)
    changed = out.pixel_array != ds.pixel_array
    assert plan.kind == "deface"
    assert changed.any(axis=(1, 2)).sum() > 20
    assert not changed.any(axis=(1, 2)).all()


def test_modes_and_ears_change_what_is_touched(head: list[Instance], plan: FacePlan) -> None:
    eroded = plan_series(head, context(mode="erode"))
    eared = plan_series(head, context(ears=True))
    assert eroded.palette is not None
    assert plan.palette is not None
    assert eroded.palette.max() < -500 < plan.palette.min()
    assert eared.touched_cells is not None
    assert plan.touched_cells is not None
    assert eared.touched_cells.sum() > plan.touched_cells.sum()


def test_other_keys_fill_in_other_values_in_the_same_places(head: list[Instance], plan: FacePlan) -> None:
    other = Context(context().profile, Keys.from_secret(b"another secret of enough bytes..."))
    again = plan_series(head, other)
    number = 30
    one, two = cleaned(head[number], context(), plan), cleaned(head[number], other, again)
    assert one.PixelData == cleaned(head[number], context(), FacePlan.from_bytes(plan.to_bytes())).PixelData
    assert one.PixelData != two.PixelData


def test_an_mr_head_is_defaced_and_its_inside_is_not_touched() -> None:
    scan = SCAN.with_(contrast="T1", plane="sagittal")
    series = encoded(HEAD, scan)
    plan = plan_series(series, context())
    inside = np.concatenate([each.intracranial for each in scanned(HEAD, scan)])
    before = np.stack([dcmread_raw(each).pixel_array for each in series])
    changed = np.stack([cleaned(each, context(), plan).pixel_array for each in series]) != before
    assert plan.kind == "deface"
    assert changed.any()
    assert not (changed & inside).any()

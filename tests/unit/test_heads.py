"""The heads that tests are made with: what they promise."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from tests.benchmarks.face_exam.left import face_points
from tests.benchmarks.face_exam.volume import volume_of
from tests.heads import CHEST, HONEST, LYING, NOT_HEADS, SILENT, Head, Scan, enhanced, files, instances, real, scanned

SMALL = Scan(shape=(24, 48, 48), step_mm=(10.0, 5.2, 5.2))


def values(subject: Head, scan: Scan, seed: int = 0) -> NDArray[np.float64]:
    return np.concatenate([some.stored for some in scanned(subject, scan, seed)]).astype(np.float64)


def test_same_seed_is_the_same_person_and_another_seed_another() -> None:
    assert files(Head.of(1), SMALL, seed=3) == files(Head.of(1), SMALL, seed=3)
    assert not np.array_equal(values(Head.of(1), SMALL), values(Head.of(2), SMALL))


def test_slice_depends_on_nothing_but_its_number() -> None:
    whole = values(Head.of(1), SMALL)
    some = np.concatenate([each.stored for each in scanned(Head.of(1), SMALL, numbers=range(7, 9))])
    assert np.array_equal(whole[7:9], some)


SCANS = {
    "axial": SMALL,
    "tilted": SMALL.with_(tilt_degrees=20.0),
    "downward": SMALL.with_(is_downward=True),
    "feet first, prone": SMALL.with_(position="FFP"),
    "on the side": SMALL.with_(position="HFDL"),
    "sagittal": SMALL.with_(plane="sagittal", shape=(22, 50, 50), step_mm=(9.0, 5.2, 5.2)),
    "coronal": SMALL.with_(plane="coronal", shape=(24, 48, 48)),
    "turned": SMALL.with_(turned_degrees=(15.0, -10.0, 30.0)),
    "uneven": SMALL.with_(shape=(26, 48, 48), step_mm=(7.0, 5.2, 5.2), uneven_mm=12.0),
}


@pytest.mark.parametrize("name", SCANS)
def test_nose_is_before_and_vertex_above_however_it_is_scanned(name: str) -> None:
    head = Head.of(4).with_(rests=frozenset(), turned_degrees=(0.0, 0.0, 0.0), at_mm=(0.0, 0.0, 0.0))
    scan = SCANS[name]
    volume = volume_of(list(instances(head, scan)), -400)
    points = volume.points_mm()[volume.stack.values > -400].astype(np.float64)
    nose = points[np.argmin(points[:, 1])]
    assert abs(nose[0]) < 16
    assert -102 > nose[1] > -135
    assert -85 < nose[2] < -40
    top = points[np.argmax(points[:, 2])]
    assert 66 < top[2] < 100


def test_truth_inside_the_skull_is_brain_within_bone() -> None:
    scan = SMALL.with_(noise=0.0)
    for some in scanned(Head.of(5), scan):
        units = some.stored.astype(float) + scan.intercept
        assert not (some.intracranial & ~some.head).any()
        if some.intracranial.sum() > 300:
            inside = units[some.intracranial]
            assert np.median(inside) == pytest.approx(34, abs=12)
            assert (inside > 400).mean() < 0.12
            assert (inside < -300).mean() < 0.02


def test_half_of_the_head_is_a_brain_of_a_litre_and_a_half() -> None:
    voxel_ml = np.prod(SMALL.step_mm) / 1000
    count = sum(int(some.intracranial.sum()) for some in scanned(Head.of(6), SMALL))
    assert 1000 < count * voxel_ml < 1800


@pytest.mark.parametrize("contrast", ["T1", "T2", "FLAIR", "PT"])
def test_bone_is_dark_in_all_but_ct(contrast: str) -> None:
    scan = SMALL.with_(contrast=contrast, noise=0.0)
    skin = values(Head.of(2), scan)
    bone = values(Head.of(2), SMALL.with_(noise=0.0)) + SMALL.intercept
    assert np.median(skin[bone > 900]) < 0.5 * np.median(skin[(bone > 0) & (bone < 100)])


def test_padding_lies_outside_of_the_circle() -> None:
    scan = SMALL.with_(is_circle=True, padding=-2000, is_signed=True)
    stored = values(Head.of(1), scan)
    assert (stored[:, 0, 0] == -2000).all()
    assert (stored[:, 24, 24] != -2000).all()
    ds = next(iter(instances(Head.of(1), scan)))
    assert (ds.PixelPaddingValue, ds.PixelRepresentation) == (-2000, 1)


def test_rescaling_gives_the_same_units() -> None:
    scan = SMALL.with_(noise=0.0)
    other = scan.with_(slope=0.5, intercept=-2000.0)
    assert np.allclose(values(Head.of(1), scan) - 1024, values(Head.of(1), other) * 0.5 - 2000, atol=1)


def test_enhanced_has_the_same_volume_in_one_instance() -> None:
    classic = volume_of(list(instances(Head.of(1), SMALL)), -400)
    one = volume_of([enhanced(Head.of(1), SMALL)], -400)
    assert np.array_equal(classic.stored, one.stored)
    assert np.allclose(classic.stack.origins, one.stack.origins, atol=1e-4)
    assert one.order != sorted(one.order)


def test_headers_tell_the_truth_or_nothing_or_something_else() -> None:
    said = {says: next(iter(instances(Head.of(1), SMALL, says=says))) for says in (HONEST, SILENT, LYING)}
    assert said[HONEST].BodyPartExamined == "HEAD"
    assert "BodyPartExamined" not in said[SILENT]
    assert "ProtocolName" not in said[SILENT]
    assert said[LYING].BodyPartExamined == "CHEST"


def test_files_come_in_no_order() -> None:
    numbers = [int(dcmread(BytesIO(file)).InstanceNumber) for file in files(Head.of(1), SMALL)]
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(1, 25))


@pytest.mark.parametrize("name", NOT_HEADS)
def test_what_is_no_head_has_no_skin_of_one(name: str) -> None:
    for some in scanned(NOT_HEADS[name], SMALL):
        assert not some.head.any()


def test_chest_has_lungs() -> None:
    scan = Scan(shape=(12, 64, 64), step_mm=(20.0, 7.0, 7.0), centre_mm=(0.0, 0.0, 0.0), noise=0.0)
    units = np.concatenate([each.stored for each in scanned(CHEST, scan)]).astype(float) - 1024
    assert ((units > -900) & (units < -750)).mean() > 0.03


@pytest.mark.usefixtures("corpus")
def test_real_heads_have_their_faces_where_they_are_said_to_be() -> None:
    for data_sets, front in ((list(real.headsq()), real.HEADSQ_FRONT), (real.ge(), real.GE_FRONT)):
        volume = volume_of(data_sets, -400)
        points = face_points(volume, front.holds)
        assert len(points) > 1500
        assert np.median(points[:, 1]) < front.middle_mm[1] - 50
        assert abs(np.median(points[:, 0]) - front.middle_mm[0]) < 8

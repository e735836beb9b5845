"""One head through the product and the baselines, and what is to be said of each result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from deid.context import Context
from deid.deface.volume import Stack
from deid.errors import Reason
from tests.benchmarks.face_exam.baselines import BASELINES, by_baseline, pixel_mm
from tests.benchmarks.face_exam.cases import Case
from tests.benchmarks.face_exam.left import Points, face_points, left
from tests.benchmarks.face_exam.systems import NO_HEAD, Cleaned, cleaned
from tests.benchmarks.face_exam.volume import AIR_HU, Volume, volume_of
from tests.factories import to_bytes

_BONE_HU, _BRAIN_HU = 250.0, (-20.0, 110.0)
_LEAST_BRAIN_CM2 = 40.0
_AIR_OF_PT = 170.0


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of one head.

    Attributes
    ----------
    system
        drown or erode for the product, or a baseline's name
    left
        share of the face's surface that is left
    level
        at which it shows most
    points
        how much of a face there was
    changed
        share of all voxels that aren't what they were
    intracranial, brain
        voxels inside the skull that were changed, and how many there are
    beyond
        share of the voxels beyond the face, behind the ears or above the brow, that were changed
    lost
        header values or geometry that aren't what they were
    seconds
        CPU time of what is done to faces, from decoded slices to changed ones: the product's includes finding the head
        and its own check, which a baseline hasn't; neither includes reading and decoding
    faces_seconds
        CPU time from files to files with nothing done to instances but to the pixels of their faces: the product reads
        each twice
    files_seconds
        the same with all that the product does to an instance, its header and the last look included; a baseline, as it
        is here, does no more
    refused
        why, empty if it wasn't
    """

    case: str
    modality: str
    system: str
    left: float
    level: str
    points: int
    changed: float
    intracranial: int
    brain: int
    beyond: float
    lost: int
    seconds: float
    refused: str = ""
    kind: str = ""
    faces_seconds: float = 0.0
    files_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Head:
    """A head before anything is done to it."""

    case: Case
    data_sets: list[Dataset]
    volume: Volume
    points: Points
    brain: NDArray[np.bool_]
    beyond: NDArray[np.bool_]


def head_of(case: Case) -> Head:
    """Make a head, or read it."""
    data_sets = case.data_sets()
    volume = volume_of(data_sets, {"CT": AIR_HU, "PT": _AIR_OF_PT}.get(case.modality))
    brain = case.intracranial() if case.intracranial is not None else brain_of(volume, case)
    beyond = case.beyond(volume.points_mm().reshape(-1, 3)).reshape(volume.stored.shape)
    return Head(case, data_sets, volume, face_points(volume, case.within), brain, beyond)


def by_product(head: Head, mode: str, context: Context, seed: int) -> tuple[Marked, Stack | None]:
    """Have a head cleaned, its instances in random order, and return the marks and what it looks like then."""
    shuffled = list(range(len(head.data_sets)))
    Random(f"order {seed}").shuffle(shuffled)
    done = cleaned([head.data_sets[number] for number in shuffled], context)
    if done.refused:
        return _unmarked(head, mode, done.work_s, done.refused), None
    back = sorted(range(len(shuffled)), key=lambda number: shuffled[number])
    after = volume_of([done.data_sets[number] for number in back], head.volume.air)
    lost = _lost(head, after) + (done.kind != NO_HEAD and not done.is_said)
    return _marked(
        head,
        mode,
        after.stack.values,
        after.stored != head.volume.stored,
        (done.work_s, done.faces_s, done.files_s),
        (lost, done.kind),
    ), after.stack


def by_baselines(head: Head, seed: int) -> list[Marked]:
    """Have a head cleaned by the baselines, which know CT alone."""
    files, before, marks = [to_bytes(ds) for ds in head.data_sets], head.volume.stack.values, []
    for baseline in BASELINES if head.case.modality == "CT" else ():
        values = baseline.clean(before, seed, pixel_mm(head.data_sets[0]))
        work_s, files_s = by_baseline(baseline, files, seed)
        marks.append(_marked(head, baseline.name, values, values != before, (work_s, files_s, files_s), (0, "")))
    return marks


def _marked(
    head: Head,
    system: str,
    values: NDArray[np.float32],
    changed: NDArray[np.bool_],
    seconds: tuple[float, float, float],
    rest: tuple[int, str],
) -> Marked:
    found = left(head.volume, head.volume.with_values(values), head.points)
    return Marked(
        head.case.name,
        head.case.modality,
        system,
        found.share,
        found.level,
        len(head.points),
        float(changed.mean()),
        int((changed & head.brain).sum()),
        int(head.brain.sum()),
        float((changed & head.beyond).sum() / max(int(head.beyond.sum()), 1)),
        rest[0],
        seconds[0],
        kind=rest[1],
        faces_seconds=seconds[1],
        files_seconds=seconds[2],
    )


def _unmarked(head: Head, system: str, seconds: float, why: str) -> Marked:
    brain = int(head.brain.sum())
    return Marked(
        head.case.name,
        head.case.modality,
        system,
        float("nan"),
        "",
        len(head.points),
        0.0,
        0,
        brain,
        0.0,
        0,
        seconds,
        why,
    )


def _lost(head: Head, after: Volume) -> int:
    """Count what of the geometry and of the rescaling isn't what it was."""
    before = head.volume.stack
    same: Mapping[str, bool] = {
        "order": after.order == head.volume.order,
        "origins": np.allclose(after.stack.origins, before.origins, atol=1e-4),
        "rows": np.allclose(after.stack.along_row, before.along_row, atol=1e-6),
        "columns": np.allclose(after.stack.along_column, before.along_column, atol=1e-6),
        "shape": after.stored.shape == head.volume.stored.shape,
    }
    unchanged = after.stored == head.volume.stored
    same_values = np.allclose(after.stack.values[unchanged], before.values[unchanged], atol=1e-3)
    return sum(not each for each in same.values()) + (not same_values)


def brain_of(volume: Volume, case: Case) -> NDArray[np.bool_]:
    """Return what lies inside the skull for sure, where nobody has said it: in slices above the face, within bone."""
    values = volume.stack.values
    found = np.zeros(values.shape, np.bool_)
    area_cm2 = float(np.linalg.norm(np.cross(volume.stack.along_row, volume.stack.along_column))) / 100
    points = volume.points_mm()
    kernel = np.ones((3, 3), np.uint8)
    for number, slice_ in enumerate(values):
        bone = cv2.morphologyEx((slice_ > _BONE_HU).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - np.pad(bone, 1), connectivity=4)
        for label in range(1, count):
            region = (labels == label)[1:-1, 1:-1]
            is_outside = labels[0, 0] == label
            if not is_outside and stats[label, cv2.CC_STAT_AREA] * area_cm2 >= _LEAST_BRAIN_CM2:
                found[number] |= region
    found &= (values > _BRAIN_HU[0]) & (values < _BRAIN_HU[1])
    return found & case.above(points.reshape(-1, 3)).reshape(values.shape)


def untouched(data_sets: list[Dataset], context: Context) -> tuple[bool, Cleaned]:
    """Have something cleaned that has no face, and tell whether all its values are what they were."""
    done = cleaned(data_sets, context)
    if done.refused or done.kind != NO_HEAD:
        return False, done
    pairs = zip(data_sets, done.data_sets, strict=True)
    return all(bytes(before.PixelData) == bytes(after.PixelData) for before, after in pairs), done


def cleaned_or_not(data_sets: list[Dataset], context: Context) -> str | None:
    """Return None if a series without a face leaves as it is, or is held back as no volume; else what it got."""
    done = cleaned(data_sets, context)
    if done.refused:
        return None if not done.refused.startswith(Reason.FACE_LEFT) else done.refused
    return None if done.kind == NO_HEAD else done.kind

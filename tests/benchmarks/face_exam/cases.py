"""Whose head, and how it is scanned: each case of an exam; and what is no head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tests.benchmarks.face_exam.left import Points, Within, face_points, share_near
from tests.benchmarks.face_exam.volume import Volume, volume_of
from tests.heads import LYING, NOT_HEADS, SILENT, Head, Scan, enhanced, instances, real, scanned
from tests.heads.series import HONEST

_CHIN, _BROW = -120.0, -21.0
_SIDE_DEGREES, _OFF_SKIN_MM = 55.0, 4.0
_FINE = Scan(shape=(100, 160, 160), step_mm=(2.0, 1.45, 1.45), centre_mm=(0.0, -14.0, -28.0))
_THICK = _FINE.with_(shape=(42, 160, 160), step_mm=(4.8, 1.45, 1.45))
_UNEVEN = _THICK.with_(shape=(40, 160, 160), step_mm=(3.5, 1.45, 1.45), uneven_mm=7.0, is_downward=True)
_PADDED = _FINE.with_(is_circle=True, padding=-2000, is_signed=True)
_SAGITTAL = _FINE.with_(plane="sagittal", shape=(84, 160, 144), step_mm=(2.2, 1.45, 1.45))
_CORONAL = _FINE.with_(plane="coronal", shape=(110, 150, 132), step_mm=(2.2, 1.45, 1.45))


@dataclass(frozen=True, slots=True)
class Case:
    """One head.

    Attributes
    ----------
    data_sets
        makes its series
    within
        which points belong to the front of the face
    intracranial
        makes the truth, (slices, rows, columns) along the normal; None where nobody knows it
    beyond
        which points lie behind the ears or well above the brow
    above
        which lie above the face for sure
    other
        makes the same series of another person in the same place
    """

    name: str
    modality: str
    data_sets: Callable[[], list[Dataset]]
    within: Within
    intracranial: Callable[[], NDArray[np.bool_]] | None
    beyond: Within
    above: Within
    other: Callable[[], list[Dataset]] | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """A way to make a case of a seed."""

    scan: Scan
    says: str = HONEST
    is_enhanced: bool = False
    is_baby: bool = False
    rests: frozenset[str] = frozenset({"board"})


_CT_KINDS = {
    "ct": _Kind(_FINE),
    "ct-thick-tilt": _Kind(_THICK.with_(tilt_degrees=18.0)),
    "ct-uneven-down": _Kind(_UNEVEN),
    "ct-coronal": _Kind(_CORONAL, SILENT),
    "ct-sagittal": _Kind(_SAGITTAL, SILENT),
    "ct-feet-prone": _Kind(_PADDED.with_(position="FFP", is_downward=True)),
    "ct-side-lying": _Kind(_FINE.with_(position="HFDL", slope=0.5, intercept=-2000.0), LYING),
    "ct-oblique": _Kind(_FINE.with_(turned_degrees=(14.0, -9.0, 20.0)), SILENT),
    "ct-cut-nose": _Kind(_FINE.with_(shape=(66, 160, 160), centre_mm=(0.0, -14.0, 14.0))),
    "ct-cut-front": _Kind(_FINE.with_(shape=(100, 140, 140), centre_mm=(0.0, 10.0, -28.0), is_circle=True, padding=0)),
    "ct-cut-top": _Kind(_FINE.with_(shape=(74, 160, 160), centre_mm=(0.0, -14.0, -60.0))),
    "ct-baby": _Kind(_FINE.with_(step_mm=(1.5, 1.0, 1.0), centre_mm=(0.0, -6.0, -18.0)), is_baby=True),
    "ct-tube-metal": _Kind(_FINE, rests=frozenset({"board", "tube", "metal"})),
    "ct-plaster": _Kind(_FINE, rests=frozenset({"board", "plaster"})),
    "ct-enhanced": _Kind(_FINE.with_(shape=(70, 144, 144), step_mm=(3.0, 1.6, 1.6)), is_enhanced=True),
}  # fmt: skip
_OTHER_KINDS = {
    "mr-t1-sagittal": _Kind(_SAGITTAL.with_(contrast="T1")),
    "mr-t2-thick": _Kind(_THICK.with_(contrast="T2")),
    "mr-flair-coronal": _Kind(_CORONAL.with_(contrast="FLAIR", turned_degrees=(12.0, 0.0, 5.0)), SILENT),
    "mr-enhanced": _Kind(_SAGITTAL.with_(contrast="T1"), is_enhanced=True),
    "pt": _Kind(_THICK.with_(contrast="PT", shape=(70, 110, 110), step_mm=(3.2, 2.1, 2.1))),
}


def cases(seed: int) -> list[Case]:
    """Return the heads of an exam, each another person."""
    kinds = {**_CT_KINDS, **_OTHER_KINDS}
    made = [_case(name, kind, Random(f"face exam {seed} {name}").randrange(10**6)) for name, kind in kinds.items()]
    return made + real_cases()


def real_cases() -> list[Case]:
    """Return the heads of the corpus, if it is there."""
    found = []
    if real.HEADSQ.is_file():
        found.append(_real("headsq", lambda: list(real.headsq()), real.HEADSQ_FRONT))
    if real.GE.is_dir():
        found.append(_real("ge-tilt-uneven", lambda: list(real.ge()), real.GE_FRONT))
    return found


def _real(name: str, data_sets: Callable[[], list[Dataset]], front: real.Front) -> Case:
    middle = np.array(front.middle_mm, np.float32)

    def within(points: Points) -> NDArray[np.bool_]:
        return front.holds(points)

    def beyond(points: Points) -> NDArray[np.bool_]:
        return np.asarray((points[:, 1] > middle[1] + 25) | (points[:, 2] > front.top_mm + 36))

    def above(points: Points) -> NDArray[np.bool_]:
        return np.asarray(points[:, 2] > front.top_mm - 5)

    return Case(name, "CT", data_sets, within, None, beyond, above, None)


def control_share(case: Case, volume: Volume, points: Points) -> float | None:
    """Return how much of a face lies within 3 mm of another person's in its place; None for real heads."""
    if case.other is None:
        return None
    other = volume_of(case.other(), volume.air)
    return share_near(points, face_points(other, case.within))


def _case(name: str, kind: _Kind, seed: int) -> Case:
    head = Head.of(seed).with_(rests=kind.rests)
    if kind.is_baby:
        head = head.with_(scale=(0.66, 0.66, 0.63))

    def data_sets() -> list[Dataset]:
        if kind.is_enhanced:
            return [enhanced(head, kind.scan, seed=seed)]
        return list(instances(head, kind.scan, seed=seed, says=kind.says))

    def truth() -> NDArray[np.bool_]:
        found = np.concatenate([each.intracranial for each in scanned(head, kind.scan, seed)])
        return found[::-1] if kind.scan.is_downward else found

    def within(points: Points) -> NDArray[np.bool_]:
        own = head.own(points.astype(np.float64))
        degrees = np.degrees(np.arctan2(np.abs(own[:, 0]), -own[:, 1]))
        x, y, z = own.astype(np.float32).T
        on_skin = head.skin(x, y, z) < _OFF_SKIN_MM  # a tube in the mouth is no face
        return np.asarray((z > _CHIN) & (z < _BROW) & (degrees < _SIDE_DEGREES) & on_skin)

    def beyond(points: Points) -> NDArray[np.bool_]:
        own = head.own(points.astype(np.float64))
        return np.asarray((own[:, 1] > 25) | (own[:, 2] > 15))

    def above(points: Points) -> NDArray[np.bool_]:
        return np.asarray(head.own(points.astype(np.float64))[:, 2] > _BROW)

    def other() -> list[Dataset]:
        another = Head.of(seed + 1).with_(at_mm=head.at_mm, turned_degrees=head.turned_degrees, rests=head.rests)
        return list(instances(another, kind.scan, seed=seed))

    has_control = kind.scan.modality == "CT" and kind is _CT_KINDS["ct"]
    return Case(name, kind.scan.modality, data_sets, within, truth, beyond, above, other if has_control else None)


def not_heads(seed: int) -> dict[str, Callable[[], list[Dataset]]]:
    """Return series without a face."""
    scans: Sequence[tuple[str, Scan]] = (
        ("", Scan(shape=(60, 128, 128), step_mm=(5.0, 3.4, 3.4), centre_mm=(0.0, 0.0, 0.0))),
        ("-mr", Scan(contrast="T1", shape=(48, 112, 112), step_mm=(5.5, 3.8, 3.8), centre_mm=(0.0, 0.0, 0.0))),
    )
    made = {}
    for name, body in NOT_HEADS.items():
        for suffix, scan in scans:
            says = Random(f"face exam {seed} {name}{suffix}").choice((HONEST, SILENT)) if suffix else SILENT
            made[name + suffix] = lambda body=body, scan=scan, says=says: list(
                instances(body, scan, seed=seed, says=says)
            )
    return made

"""The benchmark's instances: as large as real ones, spread over studies as a day's work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from tests import factories
from tests.factories import Study
from tests.people import PATIENTS

_CT_PER_STUDY = 25


def _study(number: int) -> Study:
    return replace(Study(PATIENTS[number % len(PATIENTS)]), number=1 + number // len(PATIENTS))


def _ct(count: int) -> Iterator[Dataset]:
    """528 KB each."""
    for number in range(count):
        yield factories.ct(_study(number // _CT_PER_STUDY), number % _CT_PER_STUDY, size=512)


def _mixed(count: int) -> Iterator[Dataset]:
    """Of 20 instances 12 CT (528 KB), 6 MR (135 KB), 1 CR (10 MB), 1 ultrasound loop (40 JPEG frames)."""
    for number in range(count):
        study, kind = _study(number // 20), number % 20
        if kind < 12:
            yield factories.ct(study, kind, series=40, size=512)
        elif kind < 18:
            yield factories.mr(study, kind, series=41, size=256)
        elif kind == 18:
            yield factories.cr(study, kind, series=42, size=2290)
        else:
            yield factories.us(study, kind, series=43, frames=40, size=(600, 800))


_MAKERS: dict[str, Callable[[int], Iterator[Dataset]]] = {"ct": _ct, "mixed": _mixed}


def write(folder: Path, kind: str, count: int) -> list[Path]:
    """Write `count` instances of `kind` ("ct" or "mixed") and return their paths, in order of study."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(_MAKERS[kind](count)):
        paths.append(folder / f"{kind}-{number:05d}.dcm")
        paths[-1].write_bytes(factories.to_bytes(ds))
    return paths

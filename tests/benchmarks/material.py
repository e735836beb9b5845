"""The benchmark's instances: as large as real ones, spread over studies as a day's work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tests import factories
from tests.benchmarks.pixel_exam import fonts, scenes
from tests.factories import Study
from tests.people import PATIENTS

_CT_PER_STUDY = 25
_TEXT_EVERY = 10
_SIZE_PX = 512
_LETTERS_PX, _MARGIN_PX = 18, 6


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


def _ocr(count: int) -> Iterator[Dataset]:
    """CT of 512 by 512, 528 KB each: bodies with the noise that they have, text burned into each tenth."""
    for number, ds in enumerate(_ct(count)):
        scene = _body(number)
        if number % _TEXT_EVERY == _TEXT_EVERY - 1:
            scene = _with_text(scene, ds)
        ds.PixelData = scene.frames.astype("<u2").tobytes()
        yield ds


def _body(number: int) -> scenes.Scene:
    chance = np.random.default_rng(number)
    while (scene := scenes.ct(chance)).shape != (_SIZE_PX, _SIZE_PX):
        pass
    return scene


def _with_text(scene: scenes.Scene, ds: Dataset) -> scenes.Scene:
    """Write four lines into the upper left corner, as a console does."""
    frames, top = scene.frames.copy(), _MARGIN_PX
    for text in (f"ID: {ds.PatientID}", f"{ds.PatientBirthDate} {ds.PatientSex}", ds.StudyDate, ds.InstitutionName):
        letters = fonts.drawn(str(text), fonts.Face(fonts.HERSHEY, "0", _LETTERS_PX)) > 0.5
        rows, columns = letters.shape
        frames[0, top : top + rows, _MARGIN_PX : _MARGIN_PX + columns][letters] = (1 << scene.bits) - 1
        top += rows + _MARGIN_PX
    return replace(scene, frames=frames)


_MAKERS: dict[str, Callable[[int], Iterator[Dataset]]] = {"ct": _ct, "mixed": _mixed, "ocr": _ocr}


def write(folder: Path, kind: str, count: int) -> list[Path]:
    """Write `count` instances of `kind` ("ct", "mixed" or "ocr") and return their paths, in order of study."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(_MAKERS[kind](count)):
        paths.append(folder / f"{kind}-{number:05d}.dcm")
        paths[-1].write_bytes(factories.to_bytes(ds))
    return paths

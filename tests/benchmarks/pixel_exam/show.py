"""Pictures of an image before and after, for eyes."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from tests.benchmarks.pixel_exam.decode import frames_of
from tests.benchmarks.pixel_exam.exam import Question
from tests.benchmarks.pixel_exam.marks import Marked

_MISSED, _MASKED, _HARMLESS = (255, 0, 0), (0, 200, 0), (90, 140, 255)
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


def pictured(file: bytes, question: Question, frame: int) -> NDArray[np.uint8]:
    """Return a frame as its window shows it, (rows, columns, 3); of lines outside the window in the full range."""
    data_set = pydicom.dcmread(BytesIO(file))
    values = frames_of(file)[frame]
    photometric = str(data_set.PhotometricInterpretation)
    if values.ndim == 3:
        rgb = convert_color_space(values, photometric, "RGB") if photometric.startswith("YBR_FULL") else values
        return rgb.astype(np.uint8)
    if photometric == "PALETTE COLOR":
        lut = apply_color_lut(values, data_set)
        return (lut if lut.dtype == np.uint8 else lut >> 8).astype(np.uint8)[..., :3]
    low, high = question.low, question.high
    if any(line.window == "outside" for line in question.lines):
        low, high = float(values.min()), float(values.max())
    grey = np.clip((values.astype(np.float64) - low) / max(high - low, 1e-9), 0, 1)
    if photometric == "MONOCHROME1":
        grey = 1 - grey
    return np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2)


def save(folder: Path, marked: Marked, clean: bytes | None) -> Path:
    """Write a picture: before, with frames around the lines (red: missed), and after."""
    from PIL import Image

    question = marked.question
    missed = [each for each in marked.phi if not each.is_masked]
    frame = missed[0].line.frames[0] if missed else 0
    file = question.file.read_bytes()
    sides: list[NDArray[Any]] = [pictured(file, question, frame)]
    framed = sides[0].copy()
    for each in marked.lines:
        if frame in each.line.frames:
            colour = _HARMLESS if each.line.is_harmless else _MASKED if each.is_masked else _MISSED
            _frame(framed, each.line.box, colour)
    sides[0] = framed
    if clean is not None:
        sides.append(pictured(clean, question, frame))
    name = _UNSAFE.sub("-", f"{question.number:04d} {question.scene} {question.syntax.name}").strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    Image.fromarray(np.concatenate(sides, axis=1)).save(path)
    return path


def _frame(picture: NDArray[np.uint8], box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    rows, columns = picture.shape[:2]
    x0, y0, x1, y1 = max(box[0] - 3, 0), max(box[1] - 3, 0), min(box[2] + 2, columns - 1), min(box[3] + 2, rows - 1)
    picture[y0, x0 : x1 + 1] = picture[y1, x0 : x1 + 1] = colour
    picture[y0 : y1 + 1, x0] = picture[y0 : y1 + 1, x1] = colour

"""The kind of images that the best published reading of burned-in text was measured on, and the same measure.

The public set has CT slices, scouts, a DX and single slices of a tomosynthesis: the pictures that their windows show,
with labelled lines of the header in a corner (sans-serif of some 11 pixels, 14 from line to line). Its measure: what
was recognised, lower-cased, has to be a string that is there, exactly; precision and recall of each file, their means
over all files, F1 of these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.pixel_exam import phi
from tests.benchmarks.pixel_exam.contrast import INK, contrast_of, levels
from tests.benchmarks.pixel_exam.draw import PLAIN, Line
from tests.benchmarks.pixel_exam.exam import Question
from tests.benchmarks.pixel_exam.files import SYNTAXES, written
from tests.benchmarks.pixel_exam.fonts import TRUETYPE, Face, drawn
from tests.benchmarks.pixel_exam.real import real
from tests.benchmarks.pixel_exam.scenes import Scene, chest, ct, dbt, scout

PUBLISHED_F1, MOST_CPU_S = 0.83, 0.6
_FONTS = tuple(f"matplotlib/mpl-data/fonts/ttf/DejaVuSans{style}.ttf" for style in ("", "", "", "Mono", "-Bold"))
_DX = "1.2.840.10008.5.1.4.1.1.1.1"
_NUMBERED_FROM = 100_000
_PATIENCE = 200
_LEGIBLE = 0.25
_BETWEEN_PX = 3

Read = Callable[[bytes], "list[Reading]"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A line that was found and read: its corners' extremes x0, y0, x1, y1, and what it reads."""

    box: tuple[int, int, int, int]
    text: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What reading alone made of the set.

    Attributes
    ----------
    precision, recall
        means over all files
    values
        F1 of what stands behind the labels, which is what the published figures count
    spaceless
        F1 of whole lines, blanks left out of account
    placed
        share of lines whose ink lies under what was found
    cpu_s
        for a file
    """

    files: int
    lines: int
    precision: float
    recall: float
    values: float
    spaceless: float
    placed: float
    cpu_s: float

    @property
    def f1(self) -> float:
        return _f1(self.precision, self.recall)


def files(seed: int, count: int, folder: Path) -> list[Question]:
    """Make the set."""
    return [_file(seed, number, folder) for number in range(count)]


def _file(seed: int, number: int, folder: Path) -> Question:
    chance = Random(f"seed set {seed} {number}")
    scene = _extracted(_SCENES[number % len(_SCENES)](chance))
    who = phi.person(chance)
    while len(who.patient.name.split("=")) > 1 or not who.patient.name.isascii():
        who = phi.person(chance)
    lines = _labelled(scene, _texts(who, chance), chance)
    path = folder / f"seed-{number:05d}.dcm"
    path.write_bytes(written(scene, SYNTAXES[0], who, chance, is_helpful=True))
    shape = (1, *scene.shape)
    return Question(
        _NUMBERED_FROM + number, path, scene.name, scene.modality, scene.is_real, SYNTAXES[0], scene.photometric,
        scene.bits, shape, scene.low, scene.high, tuple(lines),
    )  # fmt: skip


def _made(maker: Callable[[np.random.Generator], Scene]) -> Callable[[Random], Scene]:
    return lambda chance: maker(np.random.default_rng(chance.randrange(2**63)))


def _slice(chance: Random) -> Scene:
    """A real CT slice, or an abdomen made."""
    for _ in range(_PATIENCE):
        scene = real(chance)
        if scene.modality == "CT" and min(scene.shape) >= 400:
            return replace(scene, frames=scene.frames[:1])
    return _made(ct)(chance)


def _dx(chance: Random) -> Scene:
    scene = _made(chest)(chance)
    return replace(scene, frames=scene.frames[:, ::2, ::2].copy(), modality="DX", sop_class=_DX)


def _dbt(chance: Random) -> Scene:
    scene = _made(dbt)(chance)
    return replace(scene, frames=scene.frames[:1])


_SCENES: Sequence[Callable[[Random], Scene]] = (_slice, _slice, _made(ct), _made(scout), _dx, _dbt)


def _texts(who: phi.Person, chance: Random) -> list[tuple[str, str]]:
    family, given = who.patient.name.split("^")[:2]
    fields = {
        "Institution Name": who.institution,
        "Study Date": f"{who.study_date:%Y %b %d}",
        "Patient ID": who.patient.patient_id,
        "Name": f"{family} {given}".upper(),
        "Age": str(phi.age(who)),
        "DOB": f"{phi.birth_date(who):%m/%d/%Y}",
        "Sex": who.patient.sex,
    }
    chosen = [label for label in fields if chance.random() < 0.85] or ["Name"]
    return [(label, fields[label]) for label in chosen]


def _extracted(scene: Scene) -> Scene:
    """Return the picture that the window shows, as the public set's makers took it out of its file to write on it."""
    shown = levels(scene, scene.frames[:1])
    frames = np.rint(255 * (1 - shown if scene.photometric == "MONOCHROME1" else shown)).astype(np.uint8)
    return replace(scene, frames=frames, bits=8, low=0, high=255, slope=1.0, intercept=0.0, photometric="MONOCHROME2")


def _labelled(scene: Scene, texts: list[tuple[str, str]], chance: Random) -> list[Line]:
    """Draw the lines into a corner of the only frame, white if they can be read so, else black or where it is best."""
    size = chance.choice((11, 11, 12, 13, 14, 16))
    face = Face(TRUETYPE, chance.choice(_FONTS), size)
    covered = [drawn(f"{label}: {text}", face) for label, text in texts]
    rows, columns = scene.shape
    wide, high = max(each.shape[1] for each in covered), (size + _BETWEEN_PX) * len(covered)
    corners = [(x, y) for x in (8, columns - wide - 8) for y in (8, rows - high - 8)]
    chance.shuffle(corners)
    ways = [(corner, value) for value in (255, 0) for corner in corners]
    drafts = [_drafted(scene.frames[0], texts, covered, size, *way) for way in ways]
    best = max(drafts, key=lambda draft: _least(draft[0]))
    lines, scene.frames[0] = next((draft for draft in drafts if _least(draft[0]) >= _LEGIBLE), best)
    return lines


def _drafted(
    frame: NDArray[np.uint8],
    texts: Sequence[tuple[str, str]],
    covered: Sequence[NDArray[np.float32]],
    size: int,
    corner: tuple[int, int],
    value: int,
) -> tuple[list[Line], NDArray[np.uint8]]:
    """Return the lines in a corner, and the frame with them."""
    (x, y), frame = corner, frame.copy()
    lines = []
    for (label, text), coverage in zip(texts, covered, strict=True):
        height, wide = coverage.shape
        part = frame[y : y + height, x : x + wide]
        mixed = np.rint(part * (1.0 - coverage) + value * coverage).astype(np.uint8)
        whole = f"{label}: {text}"
        contrast = contrast_of(coverage, part / 255, mixed / 255, len(whole))[0]
        part[:] = mixed
        box = (x, y, x + wide, y + height)
        lines.append(Line(whole, label, (0,), box, coverage >= INK, contrast, size, "0", PLAIN, TRUETYPE))
        y += size + _BETWEEN_PX
    return lines, frame


def _least(lines: Sequence[Line]) -> float:
    return min(line.contrast for line in lines)


def scored(questions: Sequence[Question], read: Read) -> Scored:
    """Have all files read, and score what was."""
    precisions, recalls, cpu, placed = [], [], [], []
    by_value, by_letters = [], []
    read(questions[0].file.read_bytes())  # loads the networks
    for question in questions:
        file = question.file.read_bytes()
        began = time.process_time()
        found = read(file)
        cpu.append(time.process_time() - began)
        truth = [line.text.lower() for line in question.lines]
        said = [reading.text.strip().lower() for reading in found]
        precision, recall = _exact(truth, said)
        precisions.append(precision)
        recalls.append(recall)
        by_value.append(_exact([_value(text) for text in truth], [_value(text) for text in said]))
        by_letters.append(_exact([_letters(text) for text in truth], [_letters(text) for text in said]))
        placed += [_is_under(line, found) for line in question.lines]
    return Scored(
        len(questions),
        len(placed),
        float(np.mean(precisions)),
        float(np.mean(recalls)),
        _f1(*np.mean(by_value, axis=0)),
        _f1(*np.mean(by_letters, axis=0)),
        float(np.mean(placed)),
        float(np.mean(cpu)),
    )


def _exact(truth: list[str], said: list[str]) -> tuple[float, float]:
    """Return precision and recall as the published comparison does."""
    hits = sum(text in truth for text in said)
    return hits / len(said) if said else 0.0, min(hits / len(truth), 1.0) if truth else 0.0


def _value(text: str) -> str:
    return text.partition(":")[2].strip() or text


def _letters(text: str) -> str:
    return "".join(text.split())


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _is_under(line: Line, found: Sequence[Reading]) -> bool:
    x0, y0, x1, y1 = line.box
    under: NDArray[Any] = np.zeros(line.ink.shape, np.bool_)
    for reading in found:
        left, top, right, bottom = reading.box
        under[max(top - y0, 0) : max(bottom - y0, 0), max(left - x0, 0) : max(right - x0, 0)] = True
    del x1, y1
    return bool((under & line.ink).sum() >= 0.95 * line.ink.sum())

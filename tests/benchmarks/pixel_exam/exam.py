"""One exam: images with lines drawn into them, and images without, each a file; the same seed gives the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from tests.benchmarks.pixel_exam.draw import Line, Painter
from tests.benchmarks.pixel_exam.files import SYNTAXES, Syntax, written
from tests.benchmarks.pixel_exam.phi import HARMLESS, lines, person
from tests.benchmarks.pixel_exam.real import real
from tests.benchmarks.pixel_exam.scenes import SCENES, Scene

CLEAN_EVERY = 3
_REAL_SHARE = 0.45
_HIDDEN_SHARE = 0.14
_SYNTAXES_WITHOUT_CODEC = 0.3


@dataclass(frozen=True, slots=True)
class Question:
    """One image.

    Attributes
    ----------
    file
        where it lies
    lines
        what was drawn into it; nothing into a clean one
    low, high
        its window, in stored values
    """

    number: int
    file: Path
    scene: str
    modality: str
    is_real: bool
    syntax: Syntax
    photometric: str
    bits: int
    shape: tuple[int, int, int]
    low: float
    high: float
    lines: tuple[Line, ...]

    @property
    def is_clean(self) -> bool:
        return not self.lines

    @property
    def phi(self) -> tuple[Line, ...]:
        """The lines that identify."""
        return tuple(line for line in self.lines if not line.is_harmless)


def questions(seed: int, count: int, folder: Path) -> Iterator[Question]:
    """Make an exam, image by image: there may be more than memory has room for."""
    for number in range(count):
        yield question(seed, number, folder)


def question(seed: int, number: int, folder: Path) -> Question:
    """Make one image of an exam, independent of all others."""
    chance = Random(f"pixel exam {seed} {number}")
    scene = _scene(seed, number, chance)
    who = person(chance)
    drawn: tuple[Line, ...] = ()
    if number % CLEAN_EVERY:
        scene, drawn = _painted(scene, lines(who, chance, chance.choice((1, 1, 2, 3, 4, 5))), chance)
    syntax = _syntax(scene, chance)
    file = folder / f"{number:05d}.dcm"
    data = written(scene, syntax, who, chance, is_helpful=chance.random() < 0.5)
    file.write_bytes(data)
    return Question(
        number,
        file,
        scene.name,
        scene.modality,
        scene.is_real,
        syntax,
        scene.photometric,
        scene.bits,
        (len(scene.frames), *scene.shape),
        scene.low,
        scene.high,
        drawn,
    )


def _scene(seed: int, number: int, chance: Random) -> Scene:
    if chance.random() < _REAL_SHARE:
        return real(chance)
    order = list(SCENES)
    Random(f"scenes {seed} {number // len(order)}").shuffle(order)  # each as often as any other
    return order[number % len(order)](np.random.default_rng(chance.randrange(2**63)))


def _painted(scene: Scene, texts: list[tuple[str, str]], chance: Random) -> tuple[Scene, tuple[Line, ...]]:
    painter = Painter(scene, chance)
    can_hide = not scene.is_coloured and scene.palette is None and scene.bits > 8 and scene.frames.dtype.kind != "f"
    if can_hide and chance.random() < _HIDDEN_SHARE:
        painter.hidden_block(texts)
    if not painter.lines:
        painter.block(texts)
    if not painter.lines:  # too long for a small image
        painter.block([(kind, text.split(" ")[0][:12]) for kind, text in texts[:1]])
    if painter.lines and chance.random() < 0.25:
        painter.block([("harmless", chance.choice(HARMLESS))], is_harmless=True)
    return painter.scene, tuple(painter.lines)


def _syntax(scene: Scene, chance: Random) -> Syntax:
    fitting = [syntax for syntax in SYNTAXES if syntax.suits(scene)]
    native = [syntax for syntax in fitting if syntax.encode is None]
    encapsulated = [syntax for syntax in fitting if syntax.encode is not None]
    if not encapsulated or chance.random() < _SYNTAXES_WITHOUT_CODEC:
        return chance.choice(native)
    return chance.choice(encapsulated)

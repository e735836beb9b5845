"""Lines of text drawn into stored values, before anything is encoded, and the exact ink of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.pixel_exam.contrast import INK, LUMINANCE, contrast_of, levels
from tests.benchmarks.pixel_exam.fonts import KINDS, Face, drawn, face_for, trimmed
from tests.benchmarks.pixel_exam.scenes import Scene

Box = tuple[int, int, int, int]

_ON_DARK = ((255, 255, 255), (255, 255, 255), (255, 255, 0), (0, 255, 0), (0, 255, 255), (255, 170, 60), (255, 90, 90))
_ON_LIGHT = ((0, 0, 0), (0, 0, 0), (0, 0, 160), (120, 0, 0), (0, 80, 0))
_TURNS = {"0": 0, "90": 1, "180": 2, "270": 3}
SLIGHT = "slight"
PLAIN, OUTLINED, BOXED = "plain", "outlined", "boxed"
HIDDEN, SHOWN = "outside", "inside"
_TRIES = 12
_VISIBLE = 0.04  # contrast that a fifth of the letters must have for a line to be drawn at all
_GAP_PX = 3
_DIFFERENCE = 0.01  # of the range of all values
_ALIKE = 0.9  # of the ink has to make a difference in a frame as well as in the first


@dataclass(frozen=True, slots=True)
class Line:
    """One drawn line.

    Attributes
    ----------
    frames
        the frames that have it, and where it makes a difference
    box
        x0, y0, x1, y1 around its ink
    ink
        (rows, columns) of the box, True where it is drawn and makes a difference
    contrast
        0 to 1, in the window: four fifths of its letters have more; of a line outside the window in the range of all
        stored values
    window
        `SHOWN` or `HIDDEN`
    is_harmless
        a marker or setting that identifies nobody
    """

    text: str
    kind: str
    frames: tuple[int, ...]
    box: Box
    ink: NDArray[np.bool_]
    contrast: float
    size_px: int
    rotation: str
    style: str
    face: str
    window: str = SHOWN
    is_harmless: bool = False


@dataclass(frozen=True, slots=True)
class _Ink:
    """How to draw: levels are of the display, 0 to 1, or colours."""

    level: float
    colour: tuple[int, int, int]
    style: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """A line that is to be drawn."""

    text: str
    kind: str
    coverage: NDArray[np.float32]
    place: tuple[int, int]
    frames: tuple[int, ...]
    ink: _Ink
    face: Face
    rotation: str = "0"


class Painter:
    """Draws into a copy of a scene's frames and keeps where there is something already."""

    def __init__(self, scene: Scene, chance: Random) -> None:
        self.frames = scene.frames.copy()
        self.lines: list[Line] = []
        self._scene = scene
        self._chance = chance
        self._occupied = np.zeros(scene.shape, np.bool_)

    @property
    def scene(self) -> Scene:
        return replace(self._scene, frames=self.frames)

    def block(self, texts: list[tuple[str, str]], *, is_harmless: bool = False) -> None:
        """Draw lines under each other into a corner, or one by one anywhere."""
        chance = self._chance
        size, kind, rotation, style = (
            _size(chance, self._scene),
            chance.choice(KINDS),
            _rotation(chance),
            _style(chance),
        )
        contrast = _wanted_contrast(chance)
        frames = _some_frames(chance, len(self.frames))
        in_corner = chance.random() < 0.7
        corner, place = (chance.random() < 0.5, chance.random() < 0.5), None
        margin = chance.randrange(2, 14)
        for number, (what, text) in enumerate(texts):
            face = face_for(text, chance, size, kind)
            coverage = turned(drawn(text, face), rotation, chance)
            if in_corner:
                place = self._next_in_corner(coverage.shape, corner, margin, rotation, place, number)
            else:
                place = self._anywhere(coverage.shape)
            if place is None:
                continue
            ink = self._ink_for(coverage.shape, place, contrast, style)
            line = self._paint(_Draft(text, what, coverage, place, frames, ink, face, rotation))
            if line is not None:
                self.lines.append(replace(line, is_harmless=is_harmless))

    def hidden_block(self, texts: list[tuple[str, str]]) -> None:
        """Draw lines that show in another window only: this one's lower end rises above them. Only where it is dark."""
        chance, scene = self._chance, self._scene
        least, most = float(self.frames.min()), float(self.frames.max())
        ceiling = least + 0.6 * (most - least)
        size, kind = _size(chance, scene), chance.choice(KINDS)
        drawn_lines, top = [], scene.low
        for what, text in texts:
            face = face_for(text, chance, size, kind)
            coverage = drawn(text, face)
            place = self._anywhere(coverage.shape)
            if place is None:
                continue
            ground = float(np.percentile(_cut(self.frames[0], place, coverage.shape), 95))
            value = ground + chance.uniform(0.1, 0.3) * (most - least)
            if value > ceiling:
                continue
            level = (value - scene.low) / (scene.high - scene.low)
            frames = tuple(range(len(self.frames)))
            ink = _Ink(level, (0, 0, 0), PLAIN)
            line = self._paint(_Draft(text, what, coverage, place, frames, ink, face), (least, most))
            if line is not None:
                drawn_lines.append(replace(line, window=HIDDEN))
                top = max(top, value + 0.02 * (most - least))
        if drawn_lines:
            self.lines += drawn_lines
            self._scene = replace(scene, low=top, high=max(scene.high, top + 0.25 * (most - least)))

    # Where

    def _next_in_corner(
        self,
        shape: tuple[int, ...],
        corner: tuple[bool, bool],
        margin: int,
        rotation: str,
        before: tuple[int, int] | None,
        number: int,
    ) -> tuple[int, int] | None:
        rows, columns = self._scene.shape
        is_bottom, is_right = corner
        y = rows - margin - shape[0] if is_bottom else margin
        x = columns - margin - shape[1] if is_right else margin
        step = _GAP_PX + number % 2
        for _ in range(_TRIES):
            if self._is_free((y, x), shape):
                return y, x
            if rotation in {"90", "270"}:
                x += (-1 if is_right else 1) * (min(shape[1], 40) + step)
            else:
                y += (-1 if is_bottom else 1) * (min(shape[0], 40) + step)
        del before
        return None

    def _anywhere(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        rows, columns = self._scene.shape
        if not shape[0] or shape[0] + 4 > rows or shape[1] + 4 > columns:
            return None
        for _ in range(_TRIES):
            place = self._chance.randrange(2, rows - shape[0] - 1), self._chance.randrange(2, columns - shape[1] - 1)
            if self._is_free(place, shape):
                return place
        return None

    def _is_free(self, place: tuple[int, int], shape: tuple[int, ...]) -> bool:
        (y, x), (rows, columns) = place, self._scene.shape
        if not shape[0] or y < 1 or x < 1 or y + shape[0] + 1 > rows or x + shape[1] + 1 > columns:
            return False
        gap = _GAP_PX
        return not self._occupied[max(y - gap, 0) : y + shape[0] + gap, max(x - gap, 0) : x + shape[1] + gap].any()

    # How

    def _ink_for(self, shape: tuple[int, ...], place: tuple[int, int], contrast: float, style: str) -> _Ink:
        chance = self._chance
        ground = float(np.median(levels(self._scene, _cut(self.frames[0], place, shape))))
        colour = chance.choice(_ON_DARK if ground < 0.55 else _ON_LIGHT)
        if style == BOXED:
            return _Ink(float(ground < 0.5), (0, 0, 0) if ground >= 0.5 else (255, 255, 255), style)
        if contrast >= 1:
            return _Ink(float(ground < 0.55), colour, style)
        up = ground + contrast <= 1 and (chance.random() < 0.7 or ground - contrast < 0)
        level = min(max(ground + (contrast if up else -contrast), 0.0), 1.0)
        if self._scene.is_coloured and contrast < 0.6:
            colour = (round(255 * level),) * 3
        return _Ink(level, colour, style)

    def _paint(self, draft: _Draft, full_range: tuple[float, float] | None = None) -> Line | None:
        """Draw one line into its frames; nothing if nobody would see any of it."""
        coverage, ink, (y, x) = draft.coverage, draft.ink, draft.place
        if not coverage.size:
            return None
        if self._is_hard_edged:
            coverage = (coverage >= 0.5).astype(np.float32)
        value, other = self._value(ink.level, ink.colour), self._value(1.0 - round(ink.level), _opposite(ink.colour))
        rim = np.clip(_grown(coverage) - coverage, 0, 1) if ink.style == OUTLINED else None
        contrast, best = self._contrast(replace(draft, coverage=coverage), value, other, full_range)
        if best < _VISIBLE:
            return None
        rows, columns = coverage.shape
        changed = []
        for frame in draft.frames:
            before = _cut(self.frames[frame], draft.place, coverage.shape).copy()
            if ink.style == BOXED:
                pad = _GAP_PX - 1
                self.frames[frame, max(y - pad, 0) : y + rows + pad, max(x - pad, 0) : x + columns + pad] = other
            if rim is not None:
                self._blend(frame, draft.place, rim, other)
            self._blend(frame, draft.place, coverage, value)
            changed.append(self._has_changed(before, _cut(self.frames[frame], draft.place, coverage.shape)))
        self._occupied[y : y + rows, x : x + columns] = True
        inked = coverage >= INK if rim is None else (coverage >= INK) | (rim >= 0.5)
        if ink.style != BOXED:
            inked &= changed[0]
        least = _ALIKE * inked.sum()
        frames = [frame for frame, here in zip(draft.frames, changed, strict=True) if (here & inked).sum() >= least]
        box, face = (x, y, x + columns, y + rows), draft.face
        return Line(
            draft.text,
            draft.kind,
            tuple(frames if ink.style != BOXED else draft.frames),
            box,
            inked,
            contrast,
            face.size_px,
            draft.rotation,
            ink.style,
            face.kind,
        )

    def _contrast(
        self, draft: _Draft, value: Any, other: Any, full_range: tuple[float, float] | None
    ) -> tuple[float, float]:
        """Return the contrasts of a line that isn't drawn yet, in the window or in the range of all values."""
        scene = self._scene
        if full_range is not None:
            scene = replace(scene, low=full_range[0], high=full_range[1])
        part = _cut(self.frames[draft.frames[0]], draft.place, draft.coverage.shape)
        if draft.ink.style != PLAIN:
            part = np.broadcast_to(np.asarray(other).astype(part.dtype), part.shape)
        ground, shown = (levels(scene, each) for each in (part, self._mixed(part, draft.coverage, value)))
        is_upright = draft.rotation in {"90", "270"}
        return contrast_of(draft.coverage, ground, shown, len(draft.text), is_upright=is_upright)

    def _has_changed(self, before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell where drawing made a difference: white on white there is nothing to be masked."""
        scene = self._scene
        if scene.is_coloured:
            return np.asarray(np.abs(after.astype(int) - before).max(axis=-1) >= _DIFFERENCE * 255)
        whole = replace(scene, low=float(self.frames.min()), high=float(self.frames.max()))
        return np.asarray(np.abs(levels(whole, after) - levels(whole, before)) >= _DIFFERENCE)

    @property
    def _is_hard_edged(self) -> bool:
        return self._scene.palette is not None or self._scene.bits == 1

    def _value(self, level: float, colour: tuple[int, int, int]) -> Any:
        """Return the stored value of a level, or of a colour."""
        scene = self._scene
        if scene.is_coloured:
            return np.array(colour, np.float64)
        if scene.palette is not None:
            return int(np.abs(scene.palette @ LUMINANCE - 255 * level).argmin())
        value = scene.low + level * (scene.high - scene.low)
        if self.frames.dtype.kind == "f":
            return value
        least, most = representable(self.frames.dtype, scene.bits)
        if level >= 1 and self._chance.random() < 0.4:  # as consoles do that know no window
            value = most if self.frames.dtype.kind == "u" else self.frames.max()
        return float(np.clip(np.rint(value), least, most))

    def _blend(self, frame: int, place: tuple[int, int], coverage: NDArray[np.float32], value: Any) -> None:
        part = _cut(self.frames[frame], place, coverage.shape)
        part[:] = self._mixed(part, coverage, value)

    def _mixed(self, part: NDArray[Any], coverage: NDArray[np.float32], value: Any) -> NDArray[Any]:
        weight = coverage[..., None] if self._scene.is_coloured else coverage
        mixed = part * (1.0 - weight) + np.asarray(value) * weight
        return (mixed if part.dtype.kind == "f" else np.rint(mixed)).astype(part.dtype)


def representable(dtype: np.dtype[Any], bits: int) -> tuple[int, int]:
    """Return the least and the largest number of so many stored bits."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)


def _cut(frame: NDArray[Any], place: tuple[int, int], shape: tuple[int, ...]) -> NDArray[Any]:
    y, x = place
    return frame[y : y + shape[0], x : x + shape[1]]


def _opposite(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    return (0, 0, 0) if np.array(colour) @ LUMINANCE > 127 else (255, 255, 255)


def _grown(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the coverage spread by one pixel to all sides, within the same box."""
    padded = np.pad(coverage, 1)
    rows, columns = coverage.shape
    return np.max([padded[dy : dy + rows, dx : dx + columns] for dy in range(3) for dx in range(3)], axis=0)


def turned(coverage: NDArray[np.float32], rotation: str, chance: Random) -> NDArray[np.float32]:
    """Return a turned text; slightly is by 1 to 6 degrees either way."""
    if rotation != SLIGHT:
        return np.ascontiguousarray(np.rot90(coverage, _TURNS[rotation]))
    from PIL import Image

    angle = chance.choice((-1, 1)) * chance.uniform(1, 6)
    if not coverage.size:
        return coverage
    image = Image.fromarray((coverage * 255).astype(np.uint8)).rotate(angle, Image.Resampling.BICUBIC, expand=True)
    return trimmed(np.asarray(image, np.float32) / 255)


def _size(chance: Random, scene: Scene) -> int:
    side = min(scene.shape)
    for limit, low, high in ((160, 8, 11), (320, 8, 16), (640, 8, 34), (1100, 9, 44)):
        if side <= limit:
            return round(low * (high / low) ** chance.random())
    return round(14 * (48 / 14) ** chance.random())


def _rotation(chance: Random) -> str:
    drawn_by_chance = chance.random()
    if drawn_by_chance < 0.84:
        return "0"
    return chance.choice(("90", "90", "270", "270", "180", SLIGHT, SLIGHT))


def _style(chance: Random) -> str:
    return chance.choice((*(PLAIN,) * 7, OUTLINED, OUTLINED, BOXED))


def _wanted_contrast(chance: Random) -> float:
    kind = chance.random()
    if kind < 0.6:
        return 1.0
    if kind < 0.8:
        return chance.uniform(0.4, 0.8)
    return chance.uniform(0.18, 0.4) if kind < 0.93 else chance.uniform(0.08, 0.18)


def _some_frames(chance: Random, count: int) -> tuple[int, ...]:
    kind = chance.random()
    if count == 1 or kind < 0.75:
        return tuple(range(count))
    first = chance.randrange(count)
    return (first,) if kind < 0.9 else tuple(range(first, count))

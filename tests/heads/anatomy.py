"""Heads: skull, brain, face and what lies in it, each seed another person. Millimetres, x left, y back, z up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

import numpy as np
from numpy.typing import NDArray

from tests.heads.canvas import Canvas, Floats, Point, cone, ellipsoid, ring, union, without

_BASE_Y = (-110.0, -46.0, -34.0, -20.0, 8.0, 24.0, 90.0)
_BASE_Z = (-20.0, -22.0, -36.0, -45.0, -45.0, -62.0, -64.0)
_CENTRE: Point = (0.0, 2.0, 4.0)
_BRAIN: Point = (64.0, 82.0, 68.0)
SIDES = (-1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Face:
    """What tells one person from another, each about 0 and at most about 2."""

    nose: float = 0.0
    tip: float = 0.0
    eyes: float = 0.0
    jaw: float = 0.0
    chin: float = 0.0
    cheeks: float = 0.0
    lips: float = 0.0
    brow: float = 0.0
    ears: float = 0.0
    fat: float = 0.0
    skull: float = 0.0

    @classmethod
    def of(cls, chance: Random) -> Face:
        return cls(*(max(-1.8, min(1.8, chance.gauss(0, 0.8))) for _ in range(11)))


@dataclass(frozen=True)
class Head:
    """A person's head.

    Attributes
    ----------
    scale
        across, from front to back, in height; a baby's is about 0.65
    turned_degrees
        nodded, tilted, turned
    at_mm
        where its middle lies in the patient's coordinates
    rests
        what is around it: "board" (a headrest and a table's edge), "tube" (through the mouth), "plaster" (over the
        forehead), "metal" (in the teeth)
    has_skin
        without, it is a phantom of the skull, filled with water
    """

    seed: int = 0
    face: Face = field(default_factory=Face)
    scale: Point = (1.0, 1.0, 1.0)
    turned_degrees: Point = (0.0, 0.0, 0.0)
    at_mm: Point = (0.0, 0.0, 0.0)
    rests: frozenset[str] = frozenset({"board"})
    has_skin: bool = True

    @classmethod
    def of(cls, seed: int) -> Head:
        """Return a person."""
        chance = Random(f"head {seed}")
        size = chance.gauss(1, 0.03)
        scale = tuple(size * max(0.93, min(1.07, chance.gauss(1, 0.02))) for _ in range(3))
        turned = tuple(max(-12.0, min(12.0, chance.gauss(0, spread))) for spread in (5, 3, 4))
        at = tuple(chance.uniform(-8, 8) for _ in range(3))
        return cls(seed, Face.of(chance), scale, turned, at)  # type: ignore[arg-type]

    def with_(self, **changes: object) -> Head:
        return replace(self, **changes)  # type: ignore[arg-type]

    @cached_property
    def _turn(self) -> NDArray[np.float64]:
        nod, tilt, turn = np.radians(self.turned_degrees)
        about_x = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
        about_y = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
        about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        return np.asarray(about_z @ about_y @ about_x)

    def own(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn points of the patient's coordinates, (..., 3), into the head's own."""
        return np.asarray(((points_mm - np.array(self.at_mm)) @ self._turn) / np.array(self.scale))

    def patient(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn points of the head's own coordinates into the patient's."""
        return np.asarray((points * np.array(self.scale)) @ self._turn.T + np.array(self.at_mm))

    def skin(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return how far outside of the skin points are."""
        f = self.face
        x, y, z = self._bent(x, y, z)
        wide, grown = 0.5 * f.fat, f.skull * 0.8
        d = ellipsoid(_CENTRE, (75.5 + grown, 93.5 + grown, 79.5 + grown))(x, y, z)
        d = union(d, ellipsoid((0, -38, 10), (58 + grown, 54, 46))(x, y, z), 18)
        d = union(d, ellipsoid((0, -36, -55), (58 + 2 * f.jaw + wide, 53 + wide, 64))(x, y, z), 14)
        d = union(d, ellipsoid((0, -48, -91), (45 + 4 * f.jaw, 40, 26))(x, y, z), 16)
        d = union(d, ellipsoid((0, -62, -83), (33 + f.jaw, 29, 25))(x, y, z), 16)
        d = union(d, ellipsoid((0, -79 - 2.5 * f.chin, -107), (19 + 2 * f.chin, 14, 12 + f.chin))(x, y, z), 12)
        d = _mirrored(d, (33 + f.jaw, -66 - f.cheeks, -56), (23, 21 + 1.5 * f.cheeks, 20), 11, (x, y, z))
        for side in SIDES:
            brow = cone((side * 9, -88 - f.brow, -17), (side * 38, -77, -15), 6.5 + 0.8 * f.brow)
            d = union(d, brow(x, y, z), 8)
        d = self._with_features(d, x, y, z)
        return self._with_neck(d, x, y, z)

    def _with_features(self, d: Floats, x: Floats, y: Floats, z: Floats) -> Floats:
        f, at = self.face, (x, y, z)
        eye = self.eye_mm
        d = _carved(d, (eye, -92, -30), (17, 12.5, 9), 7, at)
        d = _mirrored(d, (eye, -71, -30), (15, 12, 9), 4, at)
        d = _carved(d, (eye, -85, -33), (12, 5, 0.9), 1.2, at)
        d = _carved(d, (eye, -84, -23.5), (14, 4, 1.2), 2.5, at)
        d = union(d, ellipsoid((0, -84, -52), (11 + f.tip, 17 + f.nose, 19))(*at), 8)
        tip = (0.0, -110 - 3.5 * f.nose - 1.5 * f.tip, -57 - 2.5 * f.nose)
        d = union(d, cone((0, -89 - f.nose, -25), tip, 5 + 0.4 * f.tip, 8 + f.tip)(*at), 8)
        d = _mirrored(d, (8.5 + f.tip, -97, -62 - 2 * f.nose), (6.5, 11, 6.5), 6, at)
        d = _carved(d, (6 + 0.6 * f.tip, -104 - 2 * f.nose, -69.5 - 2.3 * f.nose), (3.4, 6, 5), 2, at)
        lips = 1 + 0.16 * f.lips
        d = union(d, ellipsoid((0, -87.5, -79), (21 + f.lips, 9, 5 * lips))(*at), 4)
        d = union(d, ellipsoid((0, -86.5, -88), (18 + f.lips, 9, 5.5 * lips))(*at), 4)
        d = without(d, ellipsoid((0, -97, -83.3), (19 + f.lips, 6, 0.9))(*at), 1.5)
        d = without(d, ellipsoid((0, -99, -97), (15, 6, 3))(*at), 6)
        ear = 1 + 0.08 * f.ears
        d = _mirrored(d, (73.0, 8, -36), (8.0, 16 * ear, 29 * ear), 5, at)
        return _carved(d, (80.5, 2, -38), (4.5, 9, 15), 3, at)

    def _with_neck(self, d: Floats, x: Floats, y: Floats, z: Floats) -> Floats:
        neck = cone((0, 22, -70), (0, 34, -240), 50, 58)(x, y, z)
        d = union(d, neck, 20)
        if len(z) and float(z.min()) < -175:
            d = union(d, ellipsoid((0, 34, -270), (215, 92, 78))(x, y, z), 40)
        return d

    @property
    def part(self) -> str:
        """What an honest header calls it."""
        return "HEAD" if self.has_skin else "PHANTOM"

    @property
    def eye_mm(self) -> float:
        """How far an eye's middle is from the head's."""
        return 31.5 + 1.6 * self.face.eyes

    def inside(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return how far outside of the skull's hollow points are."""
        x, y, z = self._bent(x, y, z)
        base = np.interp(y, _BASE_Y, _BASE_Z).astype(np.float32)
        return -union(-ellipsoid(_CENTRE, _BRAIN)(x, y, z), -(base - z), 8)

    def _bent(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Move points a little, each seed in its own way: nobody is wholly even."""
        chance = Random(f"bent {self.seed}")
        a, b, c = (chance.uniform(0, 6.28) for _ in range(3))
        m = 1.3
        return (
            x + np.float32(m) * np.sin(z / 41 + a).astype(np.float32),
            y + np.float32(m) * np.sin(x / 37 + b).astype(np.float32),
            z + np.float32(m) * np.sin(y / 43 + x / 71 + c).astype(np.float32),
        )

    def paint(self, canvas: Canvas) -> None:
        """Lay all tissues."""
        x, y, z = canvas.x, canvas.y, canvas.z
        skin, inside = self.skin(x, y, z), self.inside(x, y, z)
        thick = 6.0 + 0.7 * self.face.skull
        if self.has_skin:
            _paint_soft(canvas, skin, 3.2 + 0.9 * self.face.fat)
            canvas.head |= skin < 0
        self._paint_skull(canvas, skin, inside, thick)
        if self.has_skin:
            _paint_brain(canvas, inside)
        else:
            canvas.put("water", inside)
        canvas.intracranial |= inside < 0
        if self.has_skin:
            self._paint_hollows(canvas)
            self._paint_eyes(canvas, skin)
        self._paint_around(canvas, skin)

    def _paint_skull(self, canvas: Canvas, skin: Floats, inside: Floats, thick: float) -> None:
        x, y, z = canvas.x, canvas.y, canvas.z
        under = skin + 3.0
        canvas.put("bone", np.maximum(np.maximum(inside - thick, -inside), under))
        vault = np.maximum(np.abs(inside - thick / 2) - (thick / 2 - 1.7), -18 - z)
        canvas.put("marrow", np.maximum(vault, under))
        for shape, centre, reach in self._face_bones():
            canvas.put_small("bone", shape, centre, reach, np.maximum(under, -inside))
        for shape, centre, reach in self._teeth():
            canvas.put_small("metal" if "metal" in self.rests else "teeth", shape, centre, reach, under)
        canal = cone((0, 22, -58), (0, 34, -240), 9)
        around = cone((0, 24, -72), (0, 36, -240), 17)
        low = canvas.near((-60, -40, -250), (60, 95, -50))
        if len(low):
            xs, ys, zs = x[low], y[low], z[low]
            discs = 9.0 - np.abs(np.mod(zs, 19) - 9.5) - 2.0
            spine = np.maximum(np.maximum(around(xs, ys, zs), -canal(xs, ys, zs)), -discs)
            _put_at(canvas, low, "bone", np.maximum(spine, under[low]))
            hollow = canal(xs, ys, zs)
            _put_at(canvas, low, "csf", hollow)
            _put_at(canvas, low, "cord", hollow + 4)

    def _face_bones(self) -> list[tuple[object, Point, float]]:
        f = self.face
        bones: list[tuple[object, Point, float]] = [
            (_front(ring((0, -44, -107), (38 + 3 * f.jaw, 37 + f.chin), 5, 11), -12), (0, -44, -107), 62),
            (_front(ring((0, -44, -74), (31, 40), 5, 9), -20), (0, -44, -74), 60),
            (cone((0, -86, -24), (0, -97 - 2 * f.nose, -42), 3.5, 2.5), (0, -91, -33), 22),
            (cone((-36, -78, -15), (36, -78, -15), 6), (0, -78, -15), 55),
            (ellipsoid((0, -40, -46), (26, 22, 5)), (0, -40, -46), 30),
        ]
        for s in SIDES:
            bones += [
                (cone((s * (44 + 3 * f.jaw), -8, -52), (s * (42 + 3 * f.jaw), -18, -100), 5), (s * 43, -13, -76), 36),
                (cone((s * 40, -70, -46), (s * 62, -20, -46), 4.5, 3), (s * 51, -45, -46), 42),
                (cone((s * 18, -78, -46), (s * 46, -70, -42), 4), (s * 32, -74, -44), 26),
                (cone((s * 50, -68, -20), (s * 47, -68, -44), 4), (s * 48, -68, -32), 22),
                (cone((s * 62, 4, -48), (s * 24, -2, -44), 12, 7), (s * 43, 1, -46), 36),
                (ellipsoid((s * 60, 22, -62), (9, 12, 18)), (s * 60, 22, -62), 24),
                (cone((s * 17, -78, -45), (s * 20, -76, -72), 3.5), (s * 18, -77, -58), 20),
            ]
        return bones

    def _teeth(self) -> list[tuple[object, Point, float]]:
        return [
            (_front(ring((0, -44, -83), (30, 39), 3.5, 3.5), -35), (0, -44, -83), 50),
            (_front(ring((0, -44, -91), (29, 37), 3.5, 3.5), -35), (0, -44, -91), 50),
        ]

    def _paint_hollows(self, canvas: Canvas) -> None:
        """Lay sinuses and airways; nostrils and ears open to the outside."""
        for s in SIDES:
            canvas.put_small("air", ellipsoid((s * 29, -60, -58), (12, 15, 12)), (s * 29, -60, -58), 20)
            canvas.put_small("air", ellipsoid((s * 9, -82, -12), (7, 4, 6)), (s * 9, -82, -12), 10)
            canvas.put_small("air", ellipsoid((s * 7, -58, -34), (4, 18, 7)), (s * 7, -58, -34), 20)
            canvas.put_small("air", ellipsoid((s * 7, -28, -43), (5, 7, 5)), (s * 7, -28, -43), 10)
            canvas.put_small("air", ellipsoid((s * 5, -65, -58), (2.6, 33, 11)), (s * 5, -65, -58), 36)
            nostril = (s * (6 + 0.6 * self.face.tip), -104 - 2 * self.face.nose, -69.5 - 2.3 * self.face.nose)
            canvas.put_small("air", cone(nostril, (s * 5, -88, -60), 2.6), (s * 5, -96, -65), 24)
            canvas.put_small("air", cone((s * 86, 3, -42), (s * 40, 1, -43), 2.8), (s * 63, 2, -42), 28)
            canvas.put_small("air", ellipsoid((s * 60, 22, -58), (5, 7, 10)), (s * 60, 22, -58), 12)
        canvas.put_small("air", cone((0, -30, -56), (0, -22, -92), 8, 6), (0, -26, -74), 36)
        canvas.put_small("air", cone((0, -22, -92), (0, -4, -240), 6, 8), (0, -13, -166), 90)

    def _paint_eyes(self, canvas: Canvas, skin: Floats) -> None:
        under, e = skin + 1.5, self.eye_mm
        for s in SIDES:
            canvas.put_small("fat", cone((s * e, -66, -31), (s * 12, -38, -32), 15, 5), (s * 22, -62, -31), 44, under)
            canvas.put_small("nerve", cone((s * e, -60, -31), (s * 10, -36, -32), 2.2), (s * 20, -52, -31), 24)
            canvas.put_small("muscle", ellipsoid((s * e, -69, -31), (13.2, 13.2, 13.2)), (s * e, -69, -31), 16, under)
            canvas.put_small("vitreous", ellipsoid((s * e, -69, -31), (11.6, 11.6, 11.6)), (s * e, -69, -31), 14, under)
            canvas.put_small("lens", ellipsoid((s * e, -78, -31), (4.5, 2, 4.5)), (s * e, -78, -31), 6)

    def _paint_around(self, canvas: Canvas, skin: Floats) -> None:
        x, y, z = canvas.x, canvas.y, canvas.z
        if "board" in self.rests:
            shell = np.abs(np.sqrt(x * x + (y + 14) ** 2) - 128) - 4
            canvas.put("board", np.maximum(np.maximum(shell, 48 - y), -skin))
            canvas.put("foam", np.maximum(np.maximum(np.abs(shell + 12) - 5, 48 - y), 2 - skin))
        if "plaster" in self.rests:
            canvas.put("plaster", np.maximum(np.maximum(np.abs(skin - 2.5) - 2.4, np.abs(z - 20) - 16), y + 10))
        if "tube" in self.rests:
            inner = (0.0, -70.0, -84.0)
            for end, middle in (((6.0, -150.0, -92.0), (3, -110, -88)), ((0.0, -24.0, -96.0), (0, -47, -90))):
                canvas.put_small("tube", cone(inner, end, 5.5), middle, 52)
                canvas.put_small("lumen", cone(inner, end, 3.6), middle, 52)


def _mirrored(d: Floats, centre: Point, radii: Point, blend: float, at: tuple[Floats, Floats, Floats]) -> Floats:
    x, y, z = at
    return union(d, ellipsoid(centre, radii)(np.abs(x), y, z), blend)


def _carved(d: Floats, centre: Point, radii: Point, blend: float, at: tuple[Floats, Floats, Floats]) -> Floats:
    x, y, z = at
    return without(d, ellipsoid(centre, radii)(np.abs(x), y, z), blend)


def _front(shape: object, back: float) -> object:
    """The part of a shape before a plane."""
    return lambda x, y, z: np.maximum(shape(x, y, z), y - back)  # type: ignore[operator]


def _put_at(canvas: Canvas, at: NDArray[np.intp], tissue: str, distance: Floats) -> None:
    cover = np.clip(0.5 - distance / canvas.edge_mm, 0, 1)
    canvas.values[at] += cover * (canvas.tissues[tissue] - canvas.values[at])


def _paint_soft(canvas: Canvas, skin: Floats, fat_mm: float) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    canvas.put("skin", skin)
    canvas.put("fat", skin + 1.9)
    lobes = np.sin(x / 5.1) * np.sin(y / 6.3 + 1) * np.sin(z / 5.7 + 2)
    cheeks = 4.0 * np.clip((-40 - z) / 30, 0, 1)  # more of it below the eyes
    canvas.put("muscle", skin + 1.9 + fat_mm + cheeks + 1.5 * lobes)
    canvas.put("fat", np.maximum(2.8 - 4 * lobes, skin + 6))


def _paint_brain(canvas: Canvas, inside: Floats) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    canvas.put("dura", inside)
    canvas.put("csf", inside + 1.2)
    folds = np.sin(x / 4.3 + 1.7 * np.sin(y / 7.1)) * np.sin(y / 5.0 + 1.3 * np.sin(z / 6.1)) * np.sin(z / 4.6)
    canvas.put("grey", inside + 3 + 7 * np.maximum(folds - 0.25, 0))
    canvas.put("white", inside + 9 + 3 * folds)
    canvas.put("dura", np.maximum(np.maximum(np.abs(x) - 1.0, inside + 1), 20 - z))
    for s in SIDES:
        ventricle = cone((s * 10, -28, 14), (s * 16, 32, 10), 5.5)
        canvas.put_small("csf", ventricle, (s * 13, 2, 12), 42)
        canvas.put_small("grey", ellipsoid((s * 18, -6, 0), (10, 16, 10)), (s * 18, -6, 0), 18)

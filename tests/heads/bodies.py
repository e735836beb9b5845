"""What is no head, or none with a face: chest, abdomen, leg, and phantoms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.heads.anatomy import SIDES, Head
from tests.heads.canvas import Canvas, cone, ellipsoid, ring


@dataclass(frozen=True)
class Body:
    """A body in the patient's own coordinates.

    Attributes
    ----------
    part
        what an honest header calls it
    """

    painted: Callable[[Canvas, int], None]
    part: str = ""
    seed: int = 0

    def own(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = 1 + 0.02 * (self.seed % 5 - 2)
        return np.asarray(points_mm / scale)

    def paint(self, canvas: Canvas) -> None:
        self.painted(canvas, self.seed)


def _trunk(canvas: Canvas, half_mm: tuple[float, float]) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    u, v = x / half_mm[0], y / half_mm[1]
    outer = ((u * u + v * v) ** 0.5 - 1) * half_mm[1]
    canvas.put("skin", outer)
    canvas.put("fat", outer + 2)
    canvas.put("muscle", outer + 16)
    spine = np.hypot(x, y - half_mm[1] + 52)
    canvas.put("bone", np.maximum(spine - 20, np.abs(np.mod(z, 28) - 14) - 11))
    canvas.put("marrow", np.maximum(spine - 16, np.abs(np.mod(z, 28) - 14) - 10))
    canvas.put("csf", np.hypot(x, y - half_mm[1] + 28) - 8)
    canvas.put("board", np.maximum(np.maximum(np.abs(y - half_mm[1] - 9) - 6, np.abs(x) - 220), 1 - outer))


def _chest(canvas: Canvas, seed: int) -> None:
    _trunk(canvas, (165.0, 110.0))
    x, y, z = canvas.x, canvas.y, canvas.z
    for s in SIDES:
        lung = ellipsoid((s * 70, 0, 0), (54, 84, 150))(x, y, z)
        canvas.put("muscle", lung - 6)
        ribs = np.maximum(np.abs(lung - 9) - 3.5, np.abs(np.mod(z + 0.4 * y, 26) - 13) - 5)
        canvas.put("bone", ribs)
        canvas.put("lung", lung)
    canvas.put("blood", ellipsoid((22, -34, -30), (52, 42, 60))(x, y, z))
    canvas.put("air", cone((0, 5, 40), (0, -5, 260), 8)(x, y, z))


def _abdomen(canvas: Canvas, seed: int) -> None:
    _trunk(canvas, (160.0, 112.0))
    x, y, z = canvas.x, canvas.y, canvas.z
    canvas.put("fat", ellipsoid((0, -16, 0), (126, 72, 300))(x, y, z))
    canvas.put("liver", ellipsoid((-62, -14, 50), (68, 62, 80))(x, y, z))
    canvas.put("gland", ellipsoid((92, 22, 50), (30, 42, 48))(x, y, z))
    for s in SIDES:
        canvas.put("gland", ellipsoid((s * 64, 40, 0), (26, 24, 52))(x, y, z))
        canvas.put("bone", np.maximum(np.abs(ellipsoid((s * 82, 22, -150), (52, 62, 80))(x, y, z)) - 5, z + 80))
    for number in range(6):
        at = (-60 + 26 * number, -52 + 9 * (number % 3), -20 - 25 * (number % 2))
        loop = ellipsoid(at, (15, 14, 22))(x, y, z)
        canvas.put("muscle", loop)
        canvas.put("air" if number % 2 else "csf", loop + 3)


def _water(canvas: Canvas, seed: int) -> None:
    wall = np.maximum(np.hypot(canvas.x, canvas.y) - 100, np.abs(canvas.z) - 90)
    canvas.put("plaster", wall)
    canvas.put("water", wall + 6)


def _leg(canvas: Canvas, seed: int) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    for s in SIDES:
        u = x - s * 92
        outer = np.hypot(u, y) - (70 + 0.06 * z)
        canvas.put("skin", outer)
        canvas.put("fat", outer + 2)
        canvas.put("muscle", outer + 14)
        bone = np.hypot(u, y) - 16
        canvas.put("bone", bone)
        canvas.put("marrow", bone + 6)


def _hip(canvas: Canvas, seed: int) -> None:
    """A ring of bone with something round in it and air about it, as a head has."""
    _trunk(canvas, (155.0, 105.0))
    x, y, z = canvas.x, canvas.y, canvas.z
    canvas.put("bone", ring((0, 0, 0), (105, 70), 5, 60)(x, y, z))
    canvas.put("csf", ellipsoid((0, -30, 0), (40, 34, 36))(x, y, z))


CHEST, ABDOMEN, WATER, LEG, PELVIS = (
    Body(painted, part)
    for painted, part in (
        (_chest, "CHEST"), (_abdomen, "ABDOMEN"), (_water, "PHANTOM"), (_leg, "LEG"), (_hip, "PELVIS"),
    )
)  # fmt: skip
SKULL = Head(seed=3, has_skin=False, rests=frozenset())
"""A skull filled with water, as it is bought to try scanners: bone, and nothing on it."""
NOT_HEADS = {
    "chest": CHEST,
    "abdomen": ABDOMEN,
    "pelvis": PELVIS,
    "leg": LEG,
    "water": WATER,
    "skull": SKULL,
}

"""Bodies painted by distance: each shape says how far points are from it, and tissues are laid over another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Point = tuple[float, float, float]
Distance = Callable[[Floats, Floats, Floats], Floats]
"""From points (x, y, z, each (n,)) to how far outside of a shape they are, in mm; negative inside."""


def ellipsoid(centre: Point, radii: Point) -> Distance:
    """Nearly the distance: right at the surface, and of the right sign everywhere."""

    def distance(x: Floats, y: Floats, z: Floats) -> Floats:
        u, v, w = ((p - c) / r for p, c, r in zip((x, y, z), centre, radii, strict=True))
        length = np.sqrt(u * u + v * v + w * w)
        slope = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (w / radii[2]) ** 2)
        return length * (length - 1) / np.maximum(slope, 1e-6)

    return distance


def cone(start: Point, end: Point, radius: float, other: float | None = None) -> Distance:
    """A rod with round ends, as thick at its end as `other` says."""
    axis = np.subtract(end, start).astype(np.float32)
    square = float(axis @ axis)

    def distance(x: Floats, y: Floats, z: Floats) -> Floats:
        u, v, w = x - start[0], y - start[1], z - start[2]
        along = np.clip((u * axis[0] + v * axis[1] + w * axis[2]) / square, 0, 1)
        far = np.sqrt((u - along * axis[0]) ** 2 + (v - along * axis[1]) ** 2 + (w - along * axis[2]) ** 2)
        return far - (radius if other is None else radius + along * (other - radius))

    return distance


def ring(centre: Point, radii: tuple[float, float], half: float, height: float, axis: int = 2) -> Distance:
    """An elliptic band around an axis: `half` its wall, `height` from its middle to its edge."""
    across = [number for number in range(3) if number != axis]

    def distance(x: Floats, y: Floats, z: Floats) -> Floats:
        moved = [p - c for p, c in zip((x, y, z), centre, strict=True)]
        u, v = moved[across[0]] / radii[0], moved[across[1]] / radii[1]
        length = np.sqrt(u * u + v * v)
        slope = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2)
        wall = np.abs(length * (length - 1) / np.maximum(slope, 1e-6)) - half
        return np.maximum(wall, np.abs(moved[axis]) - height)

    return distance


def union(one: Floats, other: Floats, blend: float) -> Floats:
    """Both, their edge rounded over some mm."""
    part = np.clip(0.5 + 0.5 * (other - one) / blend, 0, 1)
    return other + (one - other) * part - blend * part * (1 - part)


def without(one: Floats, other: Floats, blend: float) -> Floats:
    """The first less the second, their edge rounded."""
    return -union(-one, other, blend)


@dataclass
class Canvas:
    """Points to be painted.

    Attributes
    ----------
    x, y, z
        (n,): where, in the body's own millimetres
    edge_mm
        over how many mm one tissue turns into another: the voxels' size
    tissues
        what each is worth
    values
        (n,), so far
    intracranial, head
        (n,): what truly is inside the skull, but air in the bone below, and what is inside the skin
    """

    x: Floats
    y: Floats
    z: Floats
    edge_mm: float
    tissues: Mapping[str, float]
    values: Floats = field(init=False)
    intracranial: NDArray[np.bool_] = field(init=False)
    head: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.values = np.full(self.x.shape, self.tissues["air"], np.float32)
        self.intracranial = np.zeros(self.x.shape, np.bool_)
        self.head = np.zeros(self.x.shape, np.bool_)

    def put(self, tissue: str, distance: Floats, factor: Floats | None = None) -> None:
        """Lay a tissue where a distance is negative."""
        cover = np.clip(0.5 - distance / self.edge_mm, 0, 1)
        worth: float | Floats = self.tissues[tissue] if factor is None else self.tissues[tissue] * factor
        self.values += cover * (worth - self.values)

    def near(self, low: Point, high: Point) -> NDArray[np.intp]:
        """Return which points lie in a box."""
        inside = (self.x > low[0]) & (self.x < high[0])
        inside &= (self.y > low[1]) & (self.y < high[1]) & (self.z > low[2]) & (self.z < high[2])
        return np.flatnonzero(inside)

    def put_small(self, tissue: str, shape: Distance, centre: Point, reach: float, most: Floats | None = None) -> None:
        """Lay a small shape, looked for only as far as it reaches; `most` (n,) is what it may not get out of."""
        low = (centre[0] - reach, centre[1] - reach, centre[2] - reach)
        at = self.near(low, (centre[0] + reach, centre[1] + reach, centre[2] + reach))
        if len(at):
            distance = shape(self.x[at], self.y[at], self.z[at])
            if most is not None:
                distance = np.maximum(distance, most[at])
            cover = np.clip(0.5 - distance / self.edge_mm, 0, 1)
            self.values[at] += cover * (self.tissues[tissue] - self.values[at])
            if tissue == "air":
                self.intracranial[at] &= distance > self.edge_mm / 2

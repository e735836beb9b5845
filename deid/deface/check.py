"""What is left of a face: the surface of the result beside the surface that was there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deid.deface.anatomy import FRONT, UP, Anatomy
from deid.deface.face import zone_of
from deid.deface.morphology import Mask, dilate, joined_to, squared_distance
from deid.deface.rules import Mode

NEAR_MM = 3.0
_AWAY_FROM_EDGE_MM = 4.0


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a face.

    Attributes
    ----------
    surface
        cells of the face's surface before
    near
        of these, how many have surface within 3 mm after
    protected
        cells inside the skull that are touched
    """

    surface: int
    near: int
    protected: int

    @property
    def share(self) -> float:
        """Return which share of the surface is left."""
        return self.near / self.surface if self.surface else 0.0


def left_of(head: Anatomy, touched: Mask, mode: Mode) -> Left:
    """Measure what is left of a face once the cells are touched.

    Parameters
    ----------
    head
        as it was
    touched
        (cells of the grid) what is changed
    mode
        into what
    """
    zone = zone_of(head)
    edge = head.cells(_AWAY_FROM_EDGE_MM)
    inner = np.zeros_like(zone)
    inner[head.chin + edge : head.brow - edge, head.ears + edge :] = True
    inner &= ~dilate(~head.seen, edge)
    before = surface_of(head.tissue & head.seen, head.seen) & inner & dilate(head.outside & ~head.tissue, 1)
    kept = head.tissue & head.seen & ~touched
    after = surface_of(kept | touched if mode is Mode.DROWN else kept, head.seen)
    reach = NEAR_MM / head.grid.step_mm
    near = before & (squared_distance(after, int(reach) + 1) <= reach * reach)
    return Left(int(before.sum()), int(near.sum()), int((touched & head.protected).sum()))


def surface_of(solid: Mask, seen: Mask) -> Mask:
    """Return the cells of a solid that can be seen from outside, where the field of view doesn't end."""
    border = np.zeros_like(solid)
    for axis in range(solid.ndim):
        ends = np.moveaxis(border, axis, 0)
        ends[0] = ends[-1] = True
    air = joined_to((border | ~seen) & ~solid, ~solid) & seen
    return solid & dilate(air, 1)


assert (UP, FRONT) == (0, 1)  # noqa: S101  what the zone is cut by

"""A plan from the frames of a series, which come in any order and are not kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid.deface import ct, mr
from deid.deface.anatomy import Anatomy, head_grid
from deid.deface.candidates import CT, PT
from deid.deface.check import Left, left_of
from deid.deface.face import touched_by
from deid.deface.fill import palette_of
from deid.deface.geometry import Header
from deid.deface.head import COARSE_MM, find_skull, has_ring
from deid.deface.jaw import has_jaw
from deid.deface.morphology import Mask, bounds
from deid.deface.plan import Box, FacePlan, Kind, reference_code
from deid.deface.rules import FaceRules, Incomplete, Mode
from deid.deface.sampling import sample_all, seen_part
from deid.deface.vectors import Vector, length
from deid.deface.volume import STEP_MM, Gathering, Grid, Problem, Stack, grid_of
from deid.errors import Reason, Refused

_MOST_LEFT = {Mode.DROWN: 0.02, Mode.ERODE: 0.1}
_MOST_OF_PLACE = {Mode.DROWN: 0.5, Mode.ERODE: 0.75}
_SMALLEST_FACE_MM2 = 1000.0
_MOST_LOOKED_AT = 40
_LEAST_TOLERANCE_MM = 2.0
_SAME_PLACE_MM = 0.1
_FROM_MM, _TO_MM = (-np.inf, -30.0, -np.inf), (18.0, np.inf, np.inf)  # of a head, up, to the front and to the left


class Planner:
    """Takes in the frames of one series, then makes its plan.

    Parameters
    ----------
    series_code
        whose
    modality
        CT, MR or PT
    rules
        of the profile
    seed
        secret; what values are drawn by
    """

    def __init__(self, series_code: str, modality: str, rules: FaceRules, seed: bytes) -> None:
        self.series_code = series_code
        self.modality = modality
        self._rules = rules
        self._seed = seed
        self._gathering = Gathering(modality != CT)
        self._reference = ""
        self._is_hinted = False

    def add(self, header: Header, values: NDArray[np.float32], code: bytes) -> None:
        """Take in one frame.

        Parameters
        ----------
        header
            of the frame
        values
            (rows, columns) in units of the modality
        code
            a digest that tells it from all others
        """
        self._reference = header.frame_of_reference
        self._is_hinted |= header.is_hinted
        self._gathering.add(header, values, code)

    def plan(self) -> FacePlan:
        """Return the plan.

        Raises
        ------
        Refused
            FACE_SERIES_UNFIT, if the frames are no volume, or it can't be told how a head in it lies, and the profile
            keeps such series back; FACE_LEFT, if more of the face would be left than may be
        """
        try:
            return self._of_volume()
        except Refused as refused:
            if refused.reason is not Reason.FACE_SERIES_UNFIT or self._rules.incomplete is Incomplete.QUARANTINE:
                raise
            return self._made(Kind.SLICEWISE, (), problem=refused.detail)

    def _of_volume(self) -> FacePlan:
        stacks, problem = self._gathering.stacks()
        if not stacks:
            raise Refused(Reason.FACE_SERIES_UNFIT, problem or Problem.TOO_FEW)
        boxes = tuple(_box(stack) for stack in stacks)
        head = self._head(stacks, problem)
        if head is None:
            return self._made(Kind.NO_HEAD, boxes)
        touched = touched_by(head, self._rules, self._seed)
        is_ct = self.modality == CT
        palette = palette_of(head, touched, self._rules, is_ct=is_ct)
        left = left_of(head, touched, palette, is_ct=is_ct)
        if left.surface * head.grid.step_mm**2 < _SMALLEST_FACE_MM2:
            return self._made(Kind.NO_HEAD, boxes)
        if left.share > _MOST_LEFT[self._rules.mode] or left.worst > _MOST_OF_PLACE[self._rules.mode] or left.protected:
            share = f"{left.near} of {left.surface} cells, {left.worst:.2f} of a place"
            raise Refused(Reason.FACE_LEFT, f"{share}, {left.protected} inside the skull")
        return self._made(Kind.DEFACE, boxes, cells=_cropped(head.grid, touched), palette=palette, left=left)

    def _head(self, stacks: Sequence[Stack], problem: Problem | None) -> Anatomy | None:
        """Return the head in the volume; None if there is none, or no face."""
        if problem is None:
            if self.modality == CT:
                return _head_in_ct(stacks)
            return mr.head_in(stacks, is_hinted=self._is_hinted, is_pt=self.modality == PT)
        if self._is_hinted or self.modality != CT or any(map(_has_ring, stacks)):
            raise Refused(Reason.FACE_SERIES_UNFIT, problem)
        return None

    def _made(
        self,
        kind: Kind,
        boxes: tuple[Box, ...],
        *,
        problem: str = "",
        cells: tuple[Grid, Mask] | None = None,
        palette: NDArray[np.float32] | None = None,
        left: Left | None = None,
    ) -> FacePlan:
        return FacePlan(
            series_code=self.series_code,
            kind=kind,
            modality=self.modality,
            mode=self._rules.mode,
            kernel_mm=self._rules.kernel_mm,
            problem=problem,
            reference=reference_code(self._seed, self._reference),
            boxes=boxes,
            seed=self._seed,
            palette=palette,
            grid=None if cells is None else cells[0],
            touched_cells=None if cells is None else cells[1],
            figures=() if left is None else (left.surface, left.near, left.protected),
        )


def _head_in_ct(stacks: Sequence[Stack]) -> Anatomy | None:
    grid = grid_of(stacks, COARSE_MM)
    values = sample_all(stacks, grid)
    skull = find_skull(values, grid)
    if skull is None:
        if has_jaw(values, grid):
            raise Refused(Reason.FACE_SERIES_UNFIT, Problem.NO_SKULL)
        return None
    body_mm = np.array([np.maximum(skull.body_mm[0], _FROM_MM), np.minimum(skull.body_mm[1], _TO_MM)])
    grid = seen_part(head_grid(skull.centre, skull.axes, STEP_MM, body_mm), stacks)
    return ct.anatomy_of(sample_all(stacks, grid), grid, skull.centre)


def _has_ring(stack: Stack) -> bool:
    step = (length(stack.along_row) + length(stack.along_column)) / 2
    return any(has_ring(values, float(step)) for values in stack.values[:: 1 + len(stack.values) // _MOST_LOOKED_AT])


def _box(stack: Stack) -> Box:
    rows, columns = stack.values.shape[1:]
    spacing = float(length(stack.along_column)), float(length(stack.along_row))
    lean: Vector = stack.origins[-1] - stack.origins[0]
    long = float(length(lean))
    across = lean / long if long > 0 else stack.normal
    axes = np.array([stack.along_row / spacing[1], stack.along_column / spacing[0], across])
    size = np.array([columns * spacing[1], rows * spacing[0], long])
    gap = float(np.diff(stack.positions_mm).max()) if len(stack.positions_mm) > 1 else 0.0
    within = max(gap + max(spacing), _LEAST_TOLERANCE_MM)
    # Across them no further than the middle to where the next frame would be: nothing of the face is known there.
    tolerance = np.array([within, within, max(gap / 2, _SAME_PLACE_MM)])
    return Box(stack.origins[0], axes, size, tolerance)


def _cropped(grid: Grid, mask: Mask) -> tuple[Grid, Mask]:
    """Return the cells around a mask, with one of none on each side."""
    box = bounds(mask)
    first = [low - 1 for low, _ in box]
    cells = np.pad(mask[tuple(slice(low, high) for low, high in box)], 1)
    return Grid(grid.point(first), grid.axes, (cells.shape[0], cells.shape[1], cells.shape[2])), cells

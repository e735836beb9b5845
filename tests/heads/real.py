"""The corpus' heads: real people's, looked at by eye once to say where the face is. Skipped where the corpus isn't."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import FileDataset

from tests.factories import STUDY, Study
from tests.heads.scan import Scan
from tests.heads.series import HONEST, _instance

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
HEADSQ = CORPUS / "headvol_raw" / "vtk_headsq_64x64x93.npz"
GE = CORPUS / "dcm_qa_ct" / "In"

_OFFSET = 1024
_SIDE_DEGREES = 55.0


@dataclass(frozen=True, slots=True)
class Front:
    """Where a face is, in the patient's coordinates.

    Attributes
    ----------
    middle_mm
        of the head, on the level of the eyes
    top_mm, bottom_mm
        brow and chin, along z
    rises
        how much higher they are for each mm further back: heads are nodded
    """

    middle_mm: tuple[float, float, float]
    top_mm: float
    bottom_mm: float
    rises: float = 0.0

    def holds(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which points, (n, 3), belong to the front of the face."""
        x, y, z = (points[:, axis] - self.middle_mm[axis] for axis in range(3))
        level = points[:, 2] - self.rises * y
        degrees = np.degrees(np.arctan2(np.abs(x), -y))
        return np.asarray((level > self.bottom_mm) & (level < self.top_mm) & (degrees < _SIDE_DEGREES) & np.isfinite(z))


def headsq(study: Study = STUDY, *, says: str = HONEST) -> Iterator[FileDataset]:
    """Yield VTK's headsq as a CT series: its rows go from the back to the front, its slices downwards."""
    with np.load(HEADSQ) as file:
        values, step_mm = file["a"], tuple(float(each) for each in file["spacing"])
    # Rows that go forward and slices that go down are a head looked at from the feet, lying on its face.
    scan = Scan(
        shape=values.shape, step_mm=(step_mm[0], step_mm[1], step_mm[2]), position="HFP", is_downward=True,
        intercept=-_OFFSET, is_signed=True, centre_mm=(0.0, 0.0, 0.0),
    )  # fmt: skip
    for number, stored in enumerate(values):
        yield _instance(stored, scan, study, number, 41, (says, "HEAD"))


def ge() -> list[FileDataset]:
    """Return a head of 28 slices, 4 and 7 mm apart, with a tilted gantry, cut at the nose."""
    return [dcmread(path) for path in sorted(GE.rglob("*.dcm"))]


GE_FRONT = Front((0.0, 0.0, 10.0), 26.0, -4.0)
HEADSQ_FRONT = Front((1.5, 8.0, 30.0), 45.0, -56.0)

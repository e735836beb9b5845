"""Heads for tests, and what is none: seeded bodies, scanned in any way, as DICOM series, with the truth about voxels.

    files(Head.of(7), Scan(tilt_degrees=18.0, plane="axial"))

gives the files of a CT series in random order; `instances` yields the data sets one after the other, for volumes that
would not fit in memory twice; `scanned` yields the values with the true masks. All depends on seeds alone.
"""

from tests.heads.anatomy import Face, Head
from tests.heads.bodies import ABDOMEN, CHEST, LEG, NOT_HEADS, PELVIS, SKULL, WATER, Body
from tests.heads.scan import Scan, Slices, Subject, scanned
from tests.heads.series import HONEST, LYING, SILENT, enhanced, files, instances

__all__ = [
    "ABDOMEN", "CHEST", "HONEST", "LEG", "LYING", "NOT_HEADS", "PELVIS", "SILENT", "SKULL", "WATER", "Body", "Face",
    "Head", "Scan", "Slices", "Subject", "enhanced", "files", "instances", "scanned",
]  # fmt: skip

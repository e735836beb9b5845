"""A scanned document, as a person has to look at it: frames of paper with typed text and something drawn by hand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from deid.pixels.box import Box
from tests.factories import STUDY, Study, base, pixels, update

_MULTI_FRAME_GRAYSCALE_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"
ROWS, COLUMNS = 360, 480
SCRIBBLE = Box(300, 250, 440, 320)
"""Where the signature is; no network takes it for text."""


def page(number: int) -> NDArray[np.uint8]:
    """Return one frame."""
    paper = np.full((ROWS, COLUMNS), 235, np.uint8)
    for line in range(5):
        cv2.line(paper, (40, 110 + 24 * line), (400 - 30 * line, 110 + 24 * line), 150, 1)
    cv2.putText(paper, f"PAGE {number}", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 40, 2, cv2.LINE_AA)
    turns = np.linspace(0, 14, 200)
    x = 310 + turns * 8.5 + 12 * np.sin(3 * turns)
    y = 285 + 22 * np.cos(2.3 * turns + number)
    cv2.polylines(paper, [np.stack((x, y), axis=1).astype(np.int32)], False, 60, 2, cv2.LINE_AA)
    return paper


def scanned_document(study: Study = STUDY, seed: int = 0, *, frames: int = 3, series: int = 9) -> FileDataset:
    """Return it: the profile `tcia` keeps such an image back until a person has seen it."""
    ds = base(study, _MULTI_FRAME_GRAYSCALE_BYTE, "OT", seed, series)
    pixels(ds, np.stack([page(number) for number in range(1, frames + 1)]).astype(np.uint16), 8)
    update(
        ds,
        NumberOfFrames=frames,
        ConversionType="SD",
        BurnedInAnnotation="YES",
        PresentationLUTShape="IDENTITY",
        RescaleIntercept="0",
        RescaleSlope="1",
        RescaleType="US",
        PageNumberVector=list(range(1, frames + 1)),
        FrameIncrementPointer=0x00182001,
        PatientOrientation="",
        Laterality="",
    )
    return ds

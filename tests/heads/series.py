"""Scans as DICOM series: slice by slice in any order, or all frames in one instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from tests.factories import STUDY, Study, base, code, ct, item, mr, pt, to_bytes, uid, update
from tests.heads.scan import Scan, Subject, scanned

HONEST, SILENT, LYING = "honest", "silent", "lying"
"""What a header says of the body part: the truth, nothing, or that it is another."""

_HEAD = "HEAD"
_MAKERS = {"CT": ct, "MR": mr, "PT": pt}
_ENHANCED = {"CT": "1.2.840.10008.5.1.4.1.1.2.1", "MR": "1.2.840.10008.5.1.4.1.1.4.1"}
_SAID_OF_THE_BODY = (
    "AnatomicRegionSequence",
    "BodyPartExamined",
    "PerformedProcedureStepDescription",
    "PerformedProtocolCodeSequence",
    "ProcedureCodeSequence",
    "ProtocolName",
    "RequestedProcedureDescription",
    "SeriesDescription",
    "StudyDescription",
    "ReasonForStudy",
    "AdditionalPatientHistory",
    "AdmittingDiagnosesDescription",
)


def instances(
    subject: Subject,
    scan: Scan,
    study: Study = STUDY,
    seed: int = 0,
    *,
    series: int = 21,
    says: str = HONEST,
    numbers: range | None = None,
) -> Iterator[FileDataset]:
    """Yield a series slice by slice, in the order of the scan; only some slices are in memory.

    Parameters
    ----------
    numbers
        which slices; None for all
    """
    for some in scanned(subject, scan, seed, numbers):
        for number, stored in zip(some.numbers, some.stored, strict=True):
            yield _instance(stored, scan, study, number, series, (says, getattr(subject, "part", _HEAD)))


def files(
    subject: Subject, scan: Scan, study: Study = STUDY, seed: int = 0, *, series: int = 21, says: str = HONEST
) -> list[bytes]:
    """Return a series as Part 10 files, shuffled: no order of arrival can be relied upon."""
    made = [to_bytes(each) for each in instances(subject, scan, study, seed, series=series, says=says)]
    Random(f"order {seed}").shuffle(made)
    return made


def _instance(
    stored: NDArray[Any], scan: Scan, study: Study, number: int, series: int, says: tuple[str, str]
) -> FileDataset:
    ds = _MAKERS[scan.modality](study, number, series=series)
    _say(ds, *says)
    row, column, _ = scan.directions
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL" if scan.modality == "CT" else "M"],
        ImagePositionPatient=_numbers(scan.first_mm(number)),
        ImageOrientationPatient=_numbers([*row, *column]),
        PixelSpacing=_numbers(scan.step_mm[1:]),
        SliceThickness=f"{scan.step_mm[0]:.6g}",
        SliceLocation=f"{scan.offsets_mm[number]:.6g}",
        FrameOfReferenceUID=uid("frame", study.uid, series),
        PatientPosition=scan.position,
    )
    if scan.modality == "CT":
        update(ds, GantryDetectorTilt=f"{scan.tilt_degrees:.6g}")
    if scan.modality != "MR":
        update(ds, RescaleSlope=f"{scan.slope:.6g}", RescaleIntercept=f"{_intercept(scan):.6g}")
    _set_pixels(ds, stored, scan)
    return ds


def _intercept(scan: Scan) -> float:
    return scan.intercept if scan.modality == "CT" else 0.0


def _set_pixels(ds: Dataset, stored: NDArray[Any], scan: Scan) -> None:
    update(
        ds,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=stored.shape[-2],
        Columns=stored.shape[-1],
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=int(scan.is_signed),
    )
    for keyword in ("PixelPaddingValue", "SmallestImagePixelValue", "LargestImagePixelValue"):
        if keyword in ds:
            del ds[keyword]
    if scan.padding is not None:
        ds.add_new(0x0028_0120, "SS" if scan.is_signed else "US", scan.padding)
    ds.PixelData = stored.astype("<i2" if scan.is_signed else "<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _say(ds: Dataset, says: str, part: str = _HEAD) -> None:
    if says == LYING:
        update(ds, BodyPartExamined="CHEST", ProtocolName="Thorax routine", SeriesDescription="Lung 1.0")
        return
    for keyword in _SAID_OF_THE_BODY:
        if keyword in ds:
            del ds[keyword]
    if says == HONEST:
        name = part.capitalize()
        update(ds, BodyPartExamined=part, ProtocolName=f"{name} routine", SeriesDescription=f"{name} 1.0")


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[str]:
    return [f"{float(value):.9g}"[:16] for value in values]


def enhanced(subject: Subject, scan: Scan, study: Study = STUDY, seed: int = 0, *, series: int = 31) -> FileDataset:
    """Return all slices of a CT or MR as one enhanced instance, its frames in random order."""
    order = list(range(scan.shape[0]))
    Random(f"frames {seed}").shuffle(order)
    stored = np.concatenate([some.stored for some in scanned(subject, scan, seed)])[order]
    ds = base(study, _ENHANCED[scan.modality], scan.modality, 0, series)
    row, column, _ = scan.directions
    common = item(
        PixelMeasuresSequence=[item(PixelSpacing=_numbers(scan.step_mm[1:]), SliceThickness=f"{scan.step_mm[0]:.6g}")],
        PlaneOrientationSequence=[item(ImageOrientationPatient=_numbers([*row, *column]))],
        FrameAnatomySequence=[
            item(FrameLaterality="U", AnatomicRegionSequence=[code("69536005", "SCT", "Head")]),
        ],
        PixelValueTransformationSequence=[
            item(RescaleIntercept=f"{_intercept(scan):.6g}", RescaleSlope=f"{scan.slope:.6g}", RescaleType="HU"),
        ],
    )
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        NumberOfFrames=len(order),
        FrameOfReferenceUID=uid("frame", study.uid, series),
        SharedFunctionalGroupsSequence=[common],
        PerFrameFunctionalGroupsSequence=[
            item(
                PlanePositionSequence=[item(ImagePositionPatient=_numbers(scan.first_mm(number)))],
                FrameContentSequence=[item(StackID="1", InStackPositionNumber=number + 1)],
            )
            for number in order
        ],
    )
    _set_pixels(ds, stored, scan)
    return ds

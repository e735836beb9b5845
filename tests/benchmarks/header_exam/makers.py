"""One maker for each kind of instance in the exam: the IOD's own content, before any header is planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from tests import factories, objects
from tests.factories import Study, code, item, update

Maker = Callable[[Study, int], FileDataset]


def _digital(study: Study, seed: int) -> FileDataset:
    """Return a Digital X-Ray Image, for presentation."""
    ds = factories.base(study, "1.2.840.10008.5.1.4.1.1.1.1", "DX", seed, 31)
    factories.pixels(ds, factories.noise((48, 48), seed))
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", ""],
        PresentationIntentType="FOR PRESENTATION",
        AcquisitionDate=study.date,
        AcquisitionTime="101500",
        BodyPartExamined="CHEST",
        ViewPosition="PA",
        KVP="125",
        Exposure=2,
        DetectorType="SCINTILLATOR",
        DetectorID="",
        DateOfLastDetectorCalibration=study.date,
        ImagerPixelSpacing=[0.14, 0.14],
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=-1,
        PresentationLUTShape="IDENTITY",
        PatientOrientation=["L", "F"],
        ImageLaterality="U",
        AnatomicRegionSequence=[code("51185008", "SCT", "Thorax")],
        AcquisitionContextSequence=[],
        LossyImageCompression="00",
    )
    return ds


def _nuclear(study: Study, seed: int) -> FileDataset:
    """Return a Nuclear Medicine Image, static."""
    ds = factories.base(study, "1.2.840.10008.5.1.4.1.1.20", "NM", seed, 32)
    factories.pixels(ds, factories.noise((2, 32, 32), seed, 16), 16)
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        NumberOfFrames=2,
        FrameIncrementPointer=[0x0054_0010, 0x0054_0020],
        EnergyWindowVector=[1, 1],
        DetectorVector=[1, 2],
        AcquisitionDate=study.date,
        AcquisitionTime="143000",
        ActualFrameDuration=300000,
        CollimatorType="PARA",
        RadiopharmaceuticalInformationSequence=[
            item(
                Radiopharmaceutical="Tc99m MDP",
                RadiopharmaceuticalStartTime="113000",
                RadiopharmaceuticalStartDateTime=f"{study.date}113000",
                RadionuclideTotalDose="740",
                RadionuclideCodeSequence=[code("72454003", "SCT", "^99m^Technetium")],
            ),
        ],
        PixelSpacing=[2.4, 2.4],
    )
    return ds


def _angiography(study: Study, seed: int) -> FileDataset:
    """Return an X-Ray Angiographic Image, two frames."""
    ds = factories.base(study, "1.2.840.10008.5.1.4.1.1.12.1", "XA", seed, 33)
    factories.pixels(ds, factories.noise((2, 48, 48), seed, 8).astype(np.uint8), 8)
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        NumberOfFrames=2,
        FrameTime="66.7",
        FrameIncrementPointer=0x0018_1063,
        AcquisitionDate=study.date,
        AcquisitionTime="154501.120",
        KVP="74",
        XRayTubeCurrent=430,
        ExposureTime=6,
        PositionerPrimaryAngle="-29.9",
        DistanceSourceToDetector="1120",
        DistanceSourceToPatient="785",
        FieldOfViewShape="ROUND",
        PatientOrientation="",
        LossyImageCompression="00",
        FrameAcquisitionDateTime=f"{study.date}154501.120",
    )
    return ds


def _ct(study: Study, seed: int) -> FileDataset:
    return factories.ct(study, seed, size=32)


def _computed(study: Study, seed: int) -> FileDataset:
    return factories.cr(study, seed, size=32)


def _mr(study: Study, seed: int) -> FileDataset:
    ds = factories.mr(study, seed, size=32)
    update(ds, SAR="0.21", NumberOfAverages="2", SpacingBetweenSlices="3.6", AcquisitionMatrix=[0, 256, 192, 0])
    return ds


def _report(study: Study, seed: int) -> FileDataset:
    return objects.structured_report(study, seed, depth=2 + study.number % 7)


def _ultrasound(study: Study, seed: int) -> FileDataset:
    return factories.us(study, seed, frames=2, size=(48, 64), compression="rle" if study.number % 2 else "jpeg")


@dataclass(frozen=True, slots=True)
class Part:
    """What a study has of one kind.

    Attributes
    ----------
    vendors
        under which modality the private blocks of its vendors stand
    instances
        how many, in one series
    """

    maker: Maker
    vendors: str
    instances: int = 1


PARTS: Mapping[str, Part] = {
    "CT": Part(_ct, "CT", 3),
    "MR": Part(_mr, "MR", 2),
    "PT": Part(factories.pt, "PT", 2),
    "CR": Part(_computed, "CR"),
    "DX": Part(_digital, "DX"),
    "MG": Part(factories.mg, "MG"),
    "US": Part(_ultrasound, "US"),
    "NM": Part(_nuclear, "NM"),
    "XA": Part(_angiography, "XA"),
    "SC": Part(factories.sc, "OT"),
    "EMR": Part(objects.enhanced_mr, "MR"),
    "ECT": Part(objects.enhanced_ct, "CT"),
    "SEG": Part(objects.segmentation, "SEG"),
    "RTSTRUCT": Part(objects.rt_structure_set, "RTSTRUCT"),
    "SR": Part(_report, "SR"),
    "PR": Part(objects.presentation_state, "PR"),
}

# What refers to the study's CT slices is only made where there are any
NEEDS_CT = frozenset({"SEG", "RTSTRUCT", "SR", "PR"})


def bare(data_set: Dataset) -> None:
    """Take out the private blocks that the factories put in: the exam has its own."""
    for element in list(data_set):
        if element.tag.is_private:
            del data_set[element.tag]
        elif element.VR == "SQ":
            for inner in element.value:
                bare(inner)

"""A patient's instances that refer to one another: images, radiotherapy, segments, reports, selections; two studies.

`python -m tests.study_set PROFILE OUT FILE…` cleans files in the order given, as one process of several would.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from deid.context import Context
from deid.engine import Instance, deidentify
from deid.keys import Keys
from deid.profile import load_profile
from tests import factories, objects
from tests.factories import STUDY, Study, base, code, item, reference, uid, update
from tests.objects import ct_uid

UID_ROOT = b"1.2.826.0.1.3680043.8.498."
"""Under which all UIDs of the set are; no output has one."""

SLICES = 3
PRIVATE_CREATOR, PRIVATE_REFERENCE = "GEMS_PARM_01", 0x88
"""A private UID that TCIA's knowledge base says to replace."""

PRIOR = replace(STUDY, number=2)
_CT, _SEG, _SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.33"
_STRUCTURES, _PLAN, _DOSE = (f"1.2.840.10008.5.1.4.1.1.481.{number}" for number in (3, 5, 2))
_REGISTRATION, _SELECTION = "1.2.840.10008.5.1.4.1.1.66.1", "1.2.840.10008.5.1.4.1.1.88.59"
_ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
_IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def study_set() -> dict[str, FileDataset]:
    """Return the instances by what they are."""
    made = {f"ct{seed}": slice_of(STUDY, seed) for seed in range(SLICES)}
    made |= {
        "prior": slice_of(PRIOR, 0),
        "structures": objects.rt_structure_set(STUDY, slices=SLICES),
        "plan": rt_plan(),
        "dose": rt_dose(),
        "segments": segmentation(),
        "report": report(),
        "presentation": objects.presentation_state(STUDY),
        "selection": selection(),
        "registration": registration(),
        "enhanced": enhanced_mr(),
    }
    return made


def series_uid(sop_class: str, series: int, study: Study = STUDY) -> str:
    return uid("series", study.uid, sop_class, series)


def instance_uid(sop_class: str, series: int, study: Study = STUDY) -> str:
    return uid(sop_class, study.uid, series, 0)


def slice_of(study: Study, seed: int) -> FileDataset:
    """Return a CT Image that names the first slice of its series, its own study, and that slice in text and private."""
    ds = factories.ct(study, seed)
    ds.ImageComments = f"planned on {ct_uid(study, 0)}"
    ds.private_block(0x0043, PRIVATE_CREATOR, create=True).add_new(PRIVATE_REFERENCE, "UI", ct_uid(study, 0))
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = ct_uid(study, 0)
    ds.ReferencedStudySequence[0].ReferencedSOPInstanceUID = study.uid
    return ds


def rt_plan() -> FileDataset:
    """Return an RT Plan for the structure set, with a dose reference and one beam of two control points."""
    ds = base(STUDY, _PLAN, "RTPLAN", 0, 30)
    point = item(
        ControlPointIndex=0,
        NominalBeamEnergy="6",
        GantryAngle="0",
        GantryRotationDirection="NONE",
        BeamLimitingDeviceAngle="0",
        BeamLimitingDeviceRotationDirection="NONE",
        PatientSupportAngle="0",
        PatientSupportRotationDirection="NONE",
        TableTopEccentricAngle="0",
        TableTopEccentricRotationDirection="NONE",
        TableTopVerticalPosition=None,
        TableTopLongitudinalPosition=None,
        TableTopLateralPosition=None,
        IsocenterPosition=[0, 0, 0],
        CumulativeMetersetWeight="0",
        BeamLimitingDevicePositionSequence=[
            item(RTBeamLimitingDeviceType=kind, LeafJawPositions=[-50, 50]) for kind in ("X", "Y")
        ],
    )
    return update(  # type: ignore[return-value]
        ds,
        FrameOfReferenceUID=STUDY.frame_of_reference_uid,
        PositionReferenceIndicator="",
        RTPlanLabel="PLAN A",
        RTPlanDate=STUDY.date,
        RTPlanTime="150000",
        RTPlanGeometry="PATIENT",
        ApprovalStatus="UNAPPROVED",
        DoseReferenceSequence=[
            item(
                DoseReferenceNumber=1,
                DoseReferenceUID=uid("dose reference"),
                DoseReferenceStructureType="SITE",
                DoseReferenceType="TARGET",
            ),
        ],
        FractionGroupSequence=[
            item(
                FractionGroupNumber=1,
                NumberOfFractionsPlanned=20,
                NumberOfBeams=1,
                NumberOfBrachyApplicationSetups=0,
                ReferencedBeamSequence=[item(ReferencedBeamNumber=1, BeamMeterset="100")],
            ),
        ],
        PatientSetupSequence=[item(PatientSetupNumber=1, PatientPosition="HFS")],
        BeamSequence=[
            item(
                BeamNumber=1,
                BeamName="AP",
                BeamType="STATIC",
                RadiationType="PHOTON",
                TreatmentMachineName="LINAC 3",
                PrimaryDosimeterUnit="MU",
                SourceAxisDistance="1000",
                TreatmentDeliveryType="TREATMENT",
                NumberOfWedges=0,
                NumberOfCompensators=0,
                NumberOfBoli=0,
                NumberOfBlocks=0,
                FinalCumulativeMetersetWeight="1",
                NumberOfControlPoints=2,
                ReferencedPatientSetupNumber=1,
                BeamLimitingDeviceSequence=[
                    item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=1) for kind in ("X", "Y")
                ],
                ControlPointSequence=[point, item(ControlPointIndex=1, CumulativeMetersetWeight="1")],
            ),
        ],
        ReferencedStructureSetSequence=[reference(_STRUCTURES, instance_uid(_STRUCTURES, 23))],
    )


def rt_dose() -> FileDataset:
    """Return an RT Dose of the plan on the CT's grid."""
    ds = base(STUDY, _DOSE, "RTDOSE", 0, 31)
    factories.pixels(ds, np.full((2, 8, 8), 700, np.uint16), 16)
    update(
        ds,
        FrameOfReferenceUID=STUDY.frame_of_reference_uid,
        PositionReferenceIndicator="",
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        ImagePositionPatient=[-125, -125, 0],
        PixelSpacing=[10, 10],
        SliceThickness=None,
        NumberOfFrames=2,
        FrameIncrementPointer=0x3004000C,
        GridFrameOffsetVector=[0, 1.25],
        DoseUnits="GY",
        DoseType="PHYSICAL",
        DoseSummationType="PLAN",
        DoseGridScaling="0.0005",
        ReferencedRTPlanSequence=[reference(_PLAN, instance_uid(_PLAN, 30))],
    )
    return ds


def segmentation() -> FileDataset:
    """Return a Segmentation of the CT that also names an image of the prior study; its segment can be tracked."""
    ds = objects.segmentation(STUDY)
    update(ds.SegmentSequence[0], TrackingID="nodule 1", TrackingUID=uid("tracking"))
    ds.StudiesContainingOtherReferencedInstancesSequence = [
        item(StudyInstanceUID=PRIOR.uid, ReferencedSeriesSequence=[_instances(PRIOR, [ct_uid(PRIOR, 0)])])
    ]
    groups = ds.PerFrameFunctionalGroupsSequence[0]
    groups.DerivationImageSequence[0].SourceImageSequence.append(
        update(
            reference(_CT, ct_uid(PRIOR, 0)),
            PurposeOfReferenceCodeSequence=[code("121322", "DCM", "Source image for image processing operation")],
        )
    )
    return ds


def report() -> FileDataset:
    """Return a Comprehensive 3D SR whose measurements name the segment, its source series and a place in space."""
    ds = objects.structured_report(STUDY)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
    segment = reference(_SEG, instance_uid(_SEG, 22))
    segment.ReferencedSegmentNumber = 1
    ds.ContentSequence.append(
        _content(
            "CONTAINER",
            code("125007", "DCM", "Measurement Group"),
            ContinuityOfContent="SEPARATE",
            ContentSequence=[
                _uid_reference("HAS OBS CONTEXT", code("112040", "DCM", "Tracking Unique Identifier"), uid("tracking")),
                _content("IMAGE", code("121191", "DCM", "Referenced Segment"), ReferencedSOPSequence=[segment]),
                _uid_reference("CONTAINS", code("121232", "DCM", "Source series for segmentation"), series_uid(_CT, 2)),
                _content(
                    "SCOORD3D",
                    code("111030", "DCM", "Image Region"),
                    GraphicType="POINT",
                    GraphicData=[1.0, 2.0, 3.0],
                    ReferencedFrameOfReferenceUID=STUDY.frame_of_reference_uid,
                ),
            ],
        )
    )
    ds.CurrentRequestedProcedureEvidenceSequence = [
        _evidence(STUDY, _CT, 2, [ct_uid(STUDY, seed) for seed in range(SLICES)])
    ]
    ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence.append(
        _series(STUDY, _SEG, 22, [instance_uid(_SEG, 22)])
    )
    return ds


def selection() -> FileDataset:
    """Return a Key Object Selection of a slice, the segments and the report."""
    ds = base(STUDY, _SELECTION, "KO", 0, 32)
    report_class = "1.2.840.10008.5.1.4.1.1.88.34"
    chosen = [
        ("IMAGE", _CT, ct_uid(STUDY, 1)),
        ("IMAGE", _SEG, instance_uid(_SEG, 22)),
        ("COMPOSITE", report_class, instance_uid(_SR, 24)),
    ]
    evidence = _evidence(STUDY, _CT, 2, [ct_uid(STUDY, 1)])
    evidence.ReferencedSeriesSequence.append(_series(STUDY, _SEG, 22, [instance_uid(_SEG, 22)]))
    of_report = _series(STUDY, _SR, 24, [instance_uid(_SR, 24)])
    of_report.ReferencedSOPSequence[0].ReferencedSOPClassUID = report_class
    evidence.ReferencedSeriesSequence.append(of_report)
    return update(  # type: ignore[return-value]
        ds,
        ReferencedPerformedProcedureStepSequence=[],
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=[code("113000", "DCM", "Of Interest")],
        ContentTemplateSequence=[item(MappingResource="DCMR", TemplateIdentifier="2010")],
        CurrentRequestedProcedureEvidenceSequence=[evidence],
        ContentSequence=[
            item(RelationshipType="CONTAINS", ValueType=kind, ReferencedSOPSequence=[reference(sop_class, instance)])
            for kind, sop_class, instance in chosen
        ],
    )


def registration() -> FileDataset:
    """Return a Spatial Registration of the prior study's Frame of Reference to this study's."""
    ds = base(STUDY, _REGISTRATION, "REG", 0, 33)
    frames = ((STUDY, ct_uid(STUDY, 0)), (PRIOR, ct_uid(PRIOR, 0)))
    return update(  # type: ignore[return-value]
        ds,
        FrameOfReferenceUID=STUDY.frame_of_reference_uid,
        PositionReferenceIndicator="",
        Laterality="",
        ContentLabel="REGISTRATION",
        ContentDescription="",
        ContentCreatorName="",
        RegistrationSequence=[
            item(
                FrameOfReferenceUID=study.frame_of_reference_uid,
                ReferencedImageSequence=[reference(_CT, image)],
                MatrixRegistrationSequence=[
                    item(
                        RegistrationTypeCodeSequence=[],
                        MatrixSequence=[
                            item(
                                FrameOfReferenceTransformationMatrixType="RIGID",
                                FrameOfReferenceTransformationMatrix=_IDENTITY,
                            ),
                        ],
                    ),
                ],
            )
            for study, image in frames
        ],
        ReferencedSeriesSequence=[_instances(STUDY, [ct_uid(STUDY, 0)])],
        StudiesContainingOtherReferencedInstancesSequence=[
            item(StudyInstanceUID=PRIOR.uid, ReferencedSeriesSequence=[_instances(PRIOR, [ct_uid(PRIOR, 0)])])
        ],
    )


def enhanced_mr() -> FileDataset:
    """Return an Enhanced MR of the prior study, planned on frames of its own and on a slice of the other study."""
    ds = objects.enhanced_mr(PRIOR)
    own = reference(_ENHANCED_MR, ds.SOPInstanceUID)
    own.ReferencedFrameNumber = [2]
    purpose = [code("121311", "DCM", "Localizer")]
    ds.SharedFunctionalGroupsSequence[0].ReferencedImageSequence = [
        update(one, PurposeOfReferenceCodeSequence=purpose) for one in (own, reference(_CT, ct_uid(STUDY, 2)))
    ]
    ds.ReferencedImageEvidenceSequence = [
        _evidence(PRIOR, _ENHANCED_MR, 20, [ds.SOPInstanceUID]),
        _evidence(STUDY, _CT, 2, [ct_uid(STUDY, 2)]),
    ]
    return ds


def _content(value_type: str, name: Dataset, **values: object) -> Dataset:
    return item(RelationshipType="CONTAINS", ValueType=value_type, ConceptNameCodeSequence=[name], **values)


def _uid_reference(relationship: str, name: Dataset, value: str) -> Dataset:
    return item(RelationshipType=relationship, ValueType="UIDREF", ConceptNameCodeSequence=[name], UID=value)


def _evidence(study: Study, sop_class: str, series: int, instances: list[str]) -> Dataset:
    """Return an item of the Hierarchical SOP Instance Reference Macro (PS3.3 Table C.17-3)."""
    return item(StudyInstanceUID=study.uid, ReferencedSeriesSequence=[_series(study, sop_class, series, instances)])


def _series(study: Study, sop_class: str, series: int, instances: list[str]) -> Dataset:
    return item(
        SeriesInstanceUID=series_uid(sop_class, series, study),
        ReferencedSOPSequence=[reference(sop_class, one) for one in instances],
    )


def _instances(study: Study, instances: list[str]) -> Dataset:
    """Return an item of the Series and Instance Reference Macro (PS3.3 Table 10-4)."""
    return item(
        SeriesInstanceUID=series_uid(_CT, 2, study),
        ReferencedInstanceSequence=[reference(_CT, one) for one in instances],
    )


def main(profile: str, out: str, *files: str) -> None:
    context = Context(load_profile(Path(profile)), Keys.from_secret(bytes(range(32))))
    for file in map(Path, files):
        clean = deidentify(Instance.from_part10(file.read_bytes()), context).clean
        (Path(out) / file.name).write_bytes(b"".join(clean.part10()))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Makers of the objects that are more than one image: functional groups, references, reports, waveforms.

They refer to the instances that `tests.factories.ct` makes for the same study, so that references can be followed
through the node. Valid for their IOD (`dciodvfy`) like those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from tests.factories import STUDY, Study, base, code, item, noise, pixels, reference, uid, update

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_CT = "1.2.840.10008.5.1.4.1.1.2"


def ct_uid(study: Study, seed: int, series: int = 2) -> str:
    """Return the SOP Instance UID of `ct(study, seed, series=series)`."""
    return uid(_CT, study.uid, series, seed)


def _ct_series_uid(study: Study, series: int = 2) -> str:
    return uid("series", study.uid, _CT, series)


def _evidence(study: Study, slices: int) -> Dataset:
    """Return an item of the Hierarchical SOP Instance Reference Macro (PS3.3 Table C.17-3)."""
    return item(
        StudyInstanceUID=study.uid,
        ReferencedSeriesSequence=[
            item(
                SeriesInstanceUID=_ct_series_uid(study),
                ReferencedSOPSequence=[reference(_CT, ct_uid(study, seed)) for seed in range(slices)],
            ),
        ],
    )


def _multi_frame(ds: FileDataset, study: Study, frames: int, frame_type: str, frame_types: list[str]) -> None:
    """Multi-frame Functional Groups and Multi-frame Dimension modules, one dimension along z."""
    organization = uid("dimension", ds.SOPInstanceUID)
    update(
        ds,
        NumberOfFrames=frames,
        PatientPosition="HFS",
        FrameOfReferenceUID=study.frame_of_reference_uid,
        PositionReferenceIndicator="",
        DimensionOrganizationSequence=[item(DimensionOrganizationUID=organization)],
        DimensionIndexSequence=[
            item(
                DimensionOrganizationUID=organization,
                DimensionIndexPointer=0x00200032,
                FunctionalGroupPointer=0x00209113,
            ),
        ],
        SharedFunctionalGroupsSequence=[
            item(
                PixelMeasuresSequence=[item(SliceThickness="1.25", PixelSpacing=[0.5, 0.5])],
                PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            ),
        ],
        PerFrameFunctionalGroupsSequence=[
            item(
                FrameContentSequence=[
                    item(
                        StackID="1",
                        InStackPositionNumber=frame + 1,
                        DimensionIndexValues=[frame + 1],
                        FrameAcquisitionDateTime=f"{study.date}0915{frame:02d}",
                        FrameReferenceDateTime=f"{study.date}0915{frame:02d}",
                        FrameAcquisitionDuration=250.0,
                    ),
                ],
                PlanePositionSequence=[item(ImagePositionPatient=[-125, -125, 1.25 * frame])],
            )
            for frame in range(frames)
        ],
    )
    if frame_type:
        shared = ds.SharedFunctionalGroupsSequence[0]
        setattr(shared, frame_type, [item(FrameType=frame_types, **_DESCRIPTION)])


_DESCRIPTION: dict[str, object] = {
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
}


def enhanced_mr(study: Study = STUDY, seed: int = 0, *, series: int = 20, frames: int = 4) -> FileDataset:
    """Return an Enhanced MR Image."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.4.1", "MR", seed, series)
    kind = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    pixels(ds, noise((frames, 32, 32), seed))
    _multi_frame(ds, study, frames, "MRImageFrameTypeSequence", kind)
    update(
        ds,
        ImageType=kind,
        **_DESCRIPTION,
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="T1",
        AcquisitionNumber=1,
        AcquisitionDateTime=f"{study.date}091500",
        AcquisitionDuration=12.5,
        ContentQualification="PRODUCT",
        ResonantNucleus="1H",
        KSpaceFiltering="NONE",
        MagneticFieldStrength=3.0,
        ApplicableSafetyStandardAgency="IEC",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        PresentationLUTShape="IDENTITY",
        PulseSequenceName="SE",
        MRAcquisitionType="2D",
        EchoPulseSequence="SPIN",
        MultipleSpinEcho="NO",
        MultiPlanarExcitation="NO",
        PhaseContrast="NO",
        TimeOfFlightContrast="NO",
        SteadyStatePulseSequence="NONE",
        EchoPlanarPulseSequence="NO",
        SaturationRecovery="NO",
        SpectrallySelectedSuppression="NONE",
        OversamplingPhase="NONE",
        GeometryOfKSpaceTraversal="RECTILINEAR",
        SegmentedKSpaceTraversal="SINGLE",
        RectilinearPhaseEncodeReordering="LINEAR",
        NumberOfKSpaceTrajectories=1,
        AcquisitionContextSequence=[],
    )
    shared = ds.SharedFunctionalGroupsSequence[0]
    update(shared.MRImageFrameTypeSequence[0], ComplexImageComponent="MAGNITUDE", AcquisitionContrast="T1")
    update(
        shared,
        FrameAnatomySequence=[item(AnatomicRegionSequence=[code("12738006", "SCT", "Brain")], FrameLaterality="U")],
        FrameVOILUTSequence=[item(WindowCenter="600", WindowWidth="1200")],
        PixelValueTransformationSequence=[item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")],
        MRTimingAndRelatedParametersSequence=[
            item(
                RepetitionTime="500",
                FlipAngle="90",
                EchoTrainLength=1,
                RFEchoTrainLength=1,
                GradientEchoTrainLength=0,
                GradientOutputType="DB_DT",
                GradientOutput=30.0,
                SpecificAbsorptionRateSequence=[
                    item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=0.4),
                ],
                OperatingModeSequence=[
                    item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL"),
                    item(OperatingModeType="RF", OperatingMode="IEC_NORMAL"),
                    item(OperatingModeType="GRADIENT", OperatingMode="IEC_NORMAL"),
                ],
            ),
        ],
        MRFOVGeometrySequence=[
            item(
                InPlanePhaseEncodingDirection="ROW",
                MRAcquisitionFrequencyEncodingSteps=32,
                MRAcquisitionPhaseEncodingStepsInPlane=32,
                PercentSampling="100",
                PercentPhaseFieldOfView="100",
            ),
        ],
        MREchoSequence=[item(EffectiveEchoTime=14.0)],
        MRModifierSequence=[
            item(
                InversionRecovery="NO",
                FlowCompensation="NONE",
                Spoiling="NONE",
                T2Preparation="NO",
                SpectrallySelectedExcitation="NONE",
                SpatialPresaturation="NONE",
                PartialFourier="NO",
                ParallelAcquisition="NO",
            ),
        ],
        MRImagingModifierSequence=[
            item(
                MagnetizationTransfer="NONE",
                BloodSignalNulling="NO",
                Tagging="NONE",
                TransmitterFrequency=123.2,
                PixelBandwidth="130",
            ),
        ],
        MRReceiveCoilSequence=[
            item(
                ReceiveCoilName="HEAD 32",
                ReceiveCoilManufacturerName="ACME Imaging",
                ReceiveCoilType="MULTICOIL",
                QuadratureReceiveCoil="NO",
                MultiCoilDefinitionSequence=[item(MultiCoilElementName="H1", MultiCoilElementUsed="YES")],
            ),
        ],
        MRTransmitCoilSequence=[
            item(TransmitCoilName="BODY", TransmitCoilManufacturerName="ACME Imaging", TransmitCoilType="BODY"),
        ],
        MRAveragesSequence=[item(NumberOfAverages="1")],
    )
    return ds


def enhanced_ct(study: Study = STUDY, seed: int = 0, *, series: int = 21, frames: int = 4) -> FileDataset:
    """Return an Enhanced CT Image."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.2.1", "CT", seed, series)
    kind = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    pixels(ds, noise((frames, 32, 32), seed))
    _multi_frame(ds, study, frames, "CTImageFrameTypeSequence", kind)
    update(
        ds,
        ImageType=kind,
        **_DESCRIPTION,
        AcquisitionNumber=1,
        AcquisitionDateTime=f"{study.date}091500",
        AcquisitionDuration=4.5,
        ContentQualification="PRODUCT",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        PresentationLUTShape="IDENTITY",
        AcquisitionContextSequence=[],
    )
    update(
        ds.SharedFunctionalGroupsSequence[0],
        FrameAnatomySequence=[item(AnatomicRegionSequence=[code("51185008", "SCT", "Thorax")], FrameLaterality="U")],
        FrameVOILUTSequence=[item(WindowCenter="40", WindowWidth="400")],
        PixelValueTransformationSequence=[item(RescaleIntercept="-1024", RescaleSlope="1", RescaleType="HU")],
        IrradiationEventIdentificationSequence=[item(IrradiationEventUID=uid("event", study.uid, series))],
        CTAcquisitionTypeSequence=[item(AcquisitionType="SEQUENCED", ConstantVolumeFlag="NO", FluoroscopyFlag="NO")],
        CTAcquisitionDetailsSequence=[
            item(
                RotationDirection="CW",
                RevolutionTime=0.5,
                SingleCollimationWidth=0.625,
                TotalCollimationWidth=40.0,
                TableHeight="147.5",
                GantryDetectorTilt="0",
                DataCollectionDiameter="500",
            ),
        ],
        CTPositionSequence=[
            item(
                TablePosition=12.5,
                DataCollectionCenterPatient=[0.0, 0.0, 0.0],
                ReconstructionTargetCenterPatient=[0.0, 0.0, 0.0],
            ),
        ],
        CTTableDynamicsSequence=[item(TableSpeed=0.0)],
        CTGeometrySequence=[item(DistanceSourceToDetector="949", DistanceSourceToDataCollectionCenter=541.0)],
        CTReconstructionSequence=[
            item(
                ReconstructionAlgorithm="FILTER_BACK_PROJ",
                ConvolutionKernel="LUNG",
                ConvolutionKernelGroup="LUNG",
                ReconstructionDiameter="250",
                ReconstructionPixelSpacing=[0.5, 0.5],
                ReconstructionAngle=360.0,
                ImageFilter="NONE",
            ),
        ],
        CTExposureSequence=[
            item(
                ExposureTimeInms=700.0,
                XRayTubeCurrentInmA=180.0,
                ExposureInmAs=28.0,
                ExposureModulationType="NONE",
                CTDIvol=3.4,
                CTDIPhantomTypeCodeSequence=[code("113691", "DCM", "IEC Body Dosimetry Phantom")],
            ),
        ],
        CTXRayDetailsSequence=[item(KVP="120", FocalSpots=[0.7], FilterType="NONE", FilterMaterial="ALUMINUM")],
    )
    return ds


def segmentation(study: Study = STUDY, seed: int = 0, *, series: int = 22, frames: int = 2) -> FileDataset:
    """Return a binary Segmentation of the study's CT series."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.66.4", "SEG", seed, series)
    mask = np.packbits(noise((frames, 64, 64), seed) > 2048, axis=None, bitorder="little")
    _multi_frame(ds, study, frames, "", [])
    update(
        ds,
        ImageType=["DERIVED", "PRIMARY"],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=64,
        Columns=64,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelRepresentation=0,
        LossyImageCompression="00",
        SegmentationType="BINARY",
        ContentLabel="NODULE",
        ContentDescription="Drawn by Dr. Tannhauser",
        ContentCreatorName="Tannhauser^Ilse",
        SegmentSequence=[
            item(
                SegmentNumber=1,
                SegmentLabel="Nodule",
                SegmentDescription=f"Nodule of {study.patient.patient_id}",
                SegmentAlgorithmType="SEMIAUTOMATIC",
                SegmentAlgorithmName="lasso",
                SegmentedPropertyCategoryCodeSequence=[code("49755003", "SCT", "Morphologically Abnormal Structure")],
                SegmentedPropertyTypeCodeSequence=[code("27925004", "SCT", "Nodule")],
            ),
        ],
        ReferencedSeriesSequence=[
            item(
                SeriesInstanceUID=_ct_series_uid(study),
                ReferencedInstanceSequence=[reference(_CT, ct_uid(study, seed)) for seed in range(frames)],
            ),
        ],
        PixelData=mask.tobytes(),
    )
    ds["PixelData"].VR = "OB"
    ds.DimensionIndexSequence[0].DimensionDescriptionLabel = "z"
    ds.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = [item(ReferencedSegmentNumber=1)]
    for frame, groups in enumerate(ds.PerFrameFunctionalGroupsSequence):
        update(
            groups,
            DerivationImageSequence=[
                item(
                    DerivationCodeSequence=[code("113076", "DCM", "Segmentation")],
                    SourceImageSequence=[
                        update(
                            reference(_CT, ct_uid(study, frame)),
                            PurposeOfReferenceCodeSequence=[
                                code("121322", "DCM", "Source image for image processing operation"),
                            ],
                        ),
                    ],
                ),
            ],
        )
    return ds


def rt_structure_set(study: Study = STUDY, seed: int = 0, *, series: int = 23, slices: int = 3) -> FileDataset:
    """Return an RT Structure Set with one contour on each of the study's first CT slices."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", seed, series)
    frame_of_reference = study.frame_of_reference_uid
    update(
        ds,
        FrameOfReferenceUID=frame_of_reference,
        PositionReferenceIndicator="",
        StructureSetLabel="PLAN A",
        StructureSetName=f"for {study.patient.patient_id}",
        StructureSetDate=study.date,
        StructureSetTime="140000",
        ApprovalStatus="APPROVED",
        ReviewDate=study.date,
        ReviewTime="150000",
        ReviewerName="Okonjo-Bright^Tamsin",
        ReferencedFrameOfReferenceSequence=[
            item(
                FrameOfReferenceUID=frame_of_reference,
                RTReferencedStudySequence=[
                    update(
                        reference("1.2.840.10008.3.1.2.3.1", study.uid),
                        RTReferencedSeriesSequence=[
                            item(
                                SeriesInstanceUID=_ct_series_uid(study),
                                ContourImageSequence=[reference(_CT, ct_uid(study, n)) for n in range(slices)],
                            ),
                        ],
                    ),
                ],
            ),
        ],
        StructureSetROISequence=[
            item(
                ROINumber=1,
                ReferencedFrameOfReferenceUID=frame_of_reference,
                ROIName="GTV",
                ROIDescription="drawn for Mrs. Brackenridge",
                ROIGenerationAlgorithm="MANUAL",
            ),
        ],
        ROIContourSequence=[
            item(
                ReferencedROINumber=1,
                ROIDisplayColor=[255, 0, 0],
                ContourSequence=[
                    item(
                        ContourGeometricType="CLOSED_PLANAR",
                        NumberOfContourPoints=3,
                        ContourData=[0, 0, 1.25 * n, 10, 0, 1.25 * n, 0, 10, 1.25 * n],
                        ContourImageSequence=[reference(_CT, ct_uid(study, n))],
                    )
                    for n in range(slices)
                ],
            ),
        ],
        RTROIObservationsSequence=[
            item(
                ObservationNumber=1,
                ReferencedROINumber=1,
                RTROIInterpretedType="GTV",
                ROIInterpreter="Okonjo-Bright^Tamsin",
            ),
        ],
    )
    return ds


def _content(relationship: str, value_type: str, name: Dataset, **values: object) -> Dataset:
    return item(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=[name], **values)


def structured_report(study: Study = STUDY, seed: int = 0, *, series: int = 24, depth: int = 4) -> FileDataset:
    """Return a Comprehensive SR: an observer by name, findings in nested containers, image references."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.88.33", "SR", seed, series)
    finding = _content(
        "CONTAINS", "TEXT", code("121071", "DCM", "Finding"), TextValue=f"Nodule, {study.patient.patient_id}"
    )
    image = item(
        RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[reference(_CT, ct_uid(study, 0))]
    )
    content = [finding, image]
    for level in range(depth):
        content = [
            _content(
                "CONTAINS",
                "CONTAINER",
                code("121070", "DCM", "Findings"),
                ContinuityOfContent="SEPARATE",
                ObservationDateTime=f"{study.date}1200{level:02d}",
                ContentSequence=content,
            ),
        ]
    update(
        ds,
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[code("18782-3", "LN", "Radiology Study observation")],
        ContinuityOfContent="SEPARATE",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        VerifyingObserverSequence=[
            item(
                VerifyingOrganization=ds.InstitutionName,
                VerificationDateTime=f"{study.date}160000",
                VerifyingObserverName="Okonjo-Bright^Tamsin",
                VerifyingObserverIdentificationCodeSequence=[],
            ),
        ],
        AuthorObserverSequence=[
            item(
                ObserverType="PSN",
                PersonName="Abernethy^Fiona",
                PersonIdentificationCodeSequence=[],
                InstitutionName=ds.InstitutionName,
                InstitutionCodeSequence=[],
            ),
        ],
        PerformedProcedureCodeSequence=[code("CTABD", "99OST", "CT abdomen")],
        ReferencedPerformedProcedureStepSequence=[],
        CurrentRequestedProcedureEvidenceSequence=[_evidence(study, 1)],
        ContentSequence=[
            _content(
                "HAS OBS CONTEXT",
                "PNAME",
                code("121008", "DCM", "Person Observer Name"),
                PersonName="Abernethy^Fiona",
            ),
            _content(
                "HAS OBS CONTEXT", "DATE", code("121031", "DCM", "Subject Birth Date"), Date=study.patient.birth_date
            ),
            *content,
        ],
    )
    return ds


def presentation_state(study: Study = STUDY, seed: int = 0, *, series: int = 25) -> FileDataset:
    """Return a Grayscale Softcopy Presentation State with text and a polyline on a CT slice."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.11.1", "PR", seed, series)
    image = reference(_CT, ct_uid(study, 0))
    update(
        ds,
        Laterality="",
        ContentLabel="ANNOTATED",
        ContentDescription="For the tumour board",
        ContentCreatorName="Tannhauser^Ilse",
        PresentationCreationDate=study.date,
        PresentationCreationTime="170000",
        ReferencedSeriesSequence=[
            item(SeriesInstanceUID=_ct_series_uid(study), ReferencedImageSequence=[image]),
        ],
        GraphicLayerSequence=[item(GraphicLayer="MARKS", GraphicLayerOrder=1)],
        GraphicAnnotationSequence=[
            item(
                GraphicLayer="MARKS",
                TextObjectSequence=[
                    item(
                        UnformattedTextValue=f"{study.patient.patient_id} 12 mm",
                        BoundingBoxAnnotationUnits="PIXEL",
                        BoundingBoxTopLeftHandCorner=[4.0, 4.0],
                        BoundingBoxBottomRightHandCorner=[40.0, 12.0],
                        BoundingBoxTextHorizontalJustification="LEFT",
                    ),
                ],
                GraphicObjectSequence=[
                    item(
                        GraphicAnnotationUnits="PIXEL",
                        GraphicDimensions=2,
                        NumberOfGraphicPoints=2,
                        GraphicData=[4.0, 20.0, 40.0, 20.0],
                        GraphicType="POLYLINE",
                        GraphicFilled="N",
                    ),
                ],
            ),
        ],
        DisplayedAreaSelectionSequence=[
            item(
                DisplayedAreaTopLeftHandCorner=[1, 1],
                DisplayedAreaBottomRightHandCorner=[64, 64],
                PresentationSizeMode="SCALE TO FIT",
                PresentationPixelAspectRatio=[1, 1],
            ),
        ],
        PresentationLUTShape="IDENTITY",
    )
    return ds


def ecg(study: Study = STUDY, seed: int = 0, *, series: int = 26, samples: int = 1000) -> FileDataset:
    """Return a 12-lead ECG Waveform."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", seed, series)
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    wave = np.random.default_rng(seed).integers(-500, 500, (samples, len(leads)), dtype=np.int16)
    group = item(
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=len(leads),
        NumberOfWaveformSamples=samples,
        SamplingFrequency="500",
        MultiplexGroupLabel="RHYTHM",
        ChannelDefinitionSequence=[
            item(
                WaveformChannelNumber=number + 1,
                ChannelLabel=lead,
                ChannelSourceSequence=[code(f"2:{number + 1}", "MDC", f"Lead {lead}")],
                ChannelSensitivity="1",
                ChannelSensitivityUnitsSequence=[code("uV", "UCUM", "microvolt")],
                ChannelSensitivityCorrectionFactor="1",
                ChannelBaseline="0",
                ChannelSampleSkew="0",
                WaveformBitsStored=16,
            )
            for number, lead in enumerate(leads)
        ],
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
        WaveformData=wave.tobytes(),
    )
    group["WaveformData"].VR = "OW"
    update(
        ds,
        AcquisitionDateTime=f"{study.date}101500",
        AcquisitionContextSequence=[],
        WaveformSequence=[group],
        WaveformAnnotationSequence=[
            item(UnformattedTextValue=f"{study.patient.patient_id} sinus rhythm", ReferencedWaveformChannels=[1, 0]),
        ],
    )
    return ds


def encapsulated_pdf(study: Study = STUDY, seed: int = 0, *, series: int = 27) -> FileDataset:
    """Return an Encapsulated PDF whose page names the patient."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.104.1", "DOC", seed, series)
    text = f"BT /F1 12 Tf 72 720 Td (Report for {study.patient.patient_id}) Tj ET"
    page = (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        "/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
        f"4 0 obj<</Length {len(text)}>>stream\n{text}\nendstream endobj\n"
        "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    ).encode("ascii")
    update(
        ds,
        AcquisitionDateTime=f"{study.date}101500",
        ConversionType="WSD",
        BurnedInAnnotation="YES",
        DocumentTitle=f"Report {study.accession}",
        ConceptNameCodeSequence=[code("18748-4", "LN", "Diagnostic imaging report")],
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=page + b"\0" * (len(page) % 2),
        EncapsulatedDocumentLength=len(page),
    )
    return ds

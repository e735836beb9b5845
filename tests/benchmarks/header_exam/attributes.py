"""What must become of a standard attribute, read from the tables of the standard and not from the engine.

PS3.15 Table E.1-1 (2024e, rows new in 2025 and 2026 from the current edition) with the columns Basic Profile, Clean
Descriptors, Retain Longitudinal with Modified Dates, Retain Patient Characteristics and Retain Device Identity; what
the table leaves open is as TCIA does it: times are kept, content trees and image references are gone through. Where
the two contradict each other, or where either outcome is right, there is no check on what stays.
"""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    """Return the words of `text`, each once."""
    return frozenset(text.split())


# X, Z, D and their compounds without an option of ours: attribute -> what is planted into it (a method of Invention)
REMOVED: dict[str, str] = {
    "AccessionNumber": "identifier",
    "AddressTrial": "address",
    "AdmissionID": "identifier",
    "BranchOfService": "institution",
    "CameraOwnerName": "note",
    "ClinicalTrialCoordinatingCenterName": "institution",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber": "identifier",
    "ClinicalTrialProtocolEthicsCommitteeName": "institution",
    "ClinicalTrialProtocolID": "identifier",
    "ClinicalTrialProtocolName": "institution",
    "ClinicalTrialSeriesID": "identifier",
    "ClinicalTrialSiteID": "identifier",
    "ClinicalTrialSiteName": "institution",
    "ClinicalTrialSponsorName": "institution",
    "ClinicalTrialSubjectID": "identifier",
    "ClinicalTrialSubjectReadingID": "identifier",
    "ClinicalTrialTimePointID": "identifier",
    "ConfidentialityConstraintOnPatientDataDescription": "note",
    "ConsultingPhysicianName": "person",
    "ContainerComponentID": "identifier",
    "ContainerIdentifier": "identifier",
    "ContentCreatorName": "person",
    "CountryOfResidence": "town",
    "CurrentObserverTrial": "note",
    "CurrentPatientLocation": "department",
    "DistributionAddress": "town",
    "DistributionName": "person",
    "FillerOrderNumberImagingServiceRequest": "identifier",
    "HumanPerformerName": "person",
    "HumanPerformerOrganization": "institution",
    "ImagePresentationComments": "note",
    "InstitutionAddress": "address",
    "InstitutionName": "institution",
    "InstitutionalDepartmentName": "department",
    "InsurancePlanIdentification": "identifier",
    "InterpretationAuthor": "person",
    "InterpretationID": "identifier",
    "InterpretationIDIssuer": "institution",
    "InterpretationRecorder": "person",
    "InterpretationTranscriber": "person",
    "IssuerOfAdmissionID": "institution",
    "IssuerOfPatientID": "institution",
    "IssuerOfServiceEpisodeID": "institution",
    "MedicalRecordLocator": "identifier",
    "MilitaryRank": "note",
    "ModifiedImageDescription": "note",
    "NameOfPhysiciansReadingStudy": "person",
    "NamesOfIntendedRecipientsOfResults": "person",
    "OperatorsName": "person",
    "OrderCallbackPhoneNumber": "phone",
    "OrderEnteredBy": "person",
    "OrderEntererLocation": "department",
    "OtherPatientIDs": "identifier",
    "OtherPatientNames": "person",
    "PatientAddress": "address",
    "PatientBirthDate": "day",
    "PatientBirthName": "person",
    "PatientBirthTime": "time",
    "PatientInstitutionResidence": "institution",
    "PatientMotherBirthName": "person",
    "PatientName": "person",
    "PatientReligiousPreference": "note",
    "PatientTelecomInformation": "email",
    "PatientTelephoneNumbers": "phone",
    "PatientTransportArrangements": "note",
    "PerformedLocation": "identifier",
    "PerformedProcedureStepID": "identifier",
    "PerformingPhysicianName": "person",
    "PersonAddress": "address",
    "PersonName": "person",
    "PersonTelecomInformation": "email",
    "PersonTelephoneNumbers": "phone",
    "PhysicianApprovingInterpretation": "person",
    "PhysiciansOfRecord": "person",
    "PlacerOrderNumberImagingServiceRequest": "identifier",
    "ReferringPhysicianAddress": "address",
    "ReferringPhysicianName": "person",
    "ReferringPhysicianTelephoneNumbers": "phone",
    "RegionOfResidence": "town",
    "RequestedProcedureID": "identifier",
    "RequestedProcedureLocation": "department",
    "RequestingPhysician": "person",
    "RequestingService": "department",
    "ResponsibleOrganization": "institution",
    "ResponsiblePerson": "person",
    "ResultsID": "identifier",
    "ResultsIDIssuer": "institution",
    "ReviewerName": "person",
    "ROIInterpreter": "person",
    "ScheduledPatientInstitutionResidence": "institution",
    "ScheduledPerformingPhysicianName": "person",
    "ScheduledProcedureStepID": "identifier",
    "ServiceEpisodeID": "identifier",
    "SlideIdentifier": "identifier",
    "SpecimenAccessionNumber": "identifier",
    "SpecimenIdentifier": "identifier",
    "StudyID": "identifier",
    "StudyIDIssuer": "institution",
    "TextComments": "note",
    "TextString": "note",
    "TopicAuthor": "note",
    "TopicKeywords": "institution",
    "TopicSubject": "note",
    "TopicTitle": "note",
    "VerbalSourceTrial": "person",
    "VerifyingObserverName": "person",
    "VerifyingOrganization": "institution",
}

# Clean Descriptors: what doesn't identify stays
CLEANED = words_of(
    """
    AcquisitionComments AcquisitionDeviceProcessingDescription AcquisitionProtocolDescription AdditionalPatientHistory
    AdmittingDiagnosesDescription ClinicalTrialSeriesDescription CommentsOnRadiationDose
    CommentsOnThePerformedProcedureStep ContrastBolusAgent ContributionDescription DerivationDescription
    DischargeDiagnosisDescription FrameComments IdentifyingComments ImageComments ImagingServiceRequestComments
    Impressions InterpretationDiagnosisDescription InterpretationText LabelText MedicalAlerts PatientComments
    PerformedProcedureStepDescription ProtocolName ReasonForStudy ReasonForTheImagingServiceRequest
    ReasonForTheRequestedProcedure ReasonForVisit RequestedContrastAgent RequestedProcedureComments
    RequestedProcedureDescription RequestedSeriesDescription ResultsComments ROIDescription ROIGenerationDescription
    ROIName ROIObservationDescription ROIObservationLabel RTPlanDescription RTPlanLabel RTPlanName
    ScheduledProcedureStepDescription SeriesDescription ServiceEpisodeDescription SpecimenDetailedDescription
    SpecimenShortDescription StructureSetDescription StructureSetLabel StructureSetName StudyComments StudyDescription
    VisitComments
    """
)

# Not in the table, of a VR that can hold anything: kept, and nothing may be left in them that identifies
TEXTS_OUTSIDE = frozenset({"ContentDescription", "ContentLabel", "SegmentDescription", "SegmentLabel", "TextValue"})

# Retain Patient Characteristics, Retain Device Identity: K
KEPT_BY_OPTION = words_of(
    """
    EthnicGroup PatientAge PatientSex PatientSexNeutered PatientSize PatientWeight PregnancyStatus SmokingStatus
    CassetteID DetectorID DeviceDescription DeviceLabel DeviceSerialNumber DeviceUID GantryID GeneratorID LensMake
    LensModel LensSerialNumber ManufacturerDeviceClassUID ManufacturerDeviceIdentifier PerformedStationName PlateID
    ScheduledProcedureStepLocation ScheduledStationName ScheduledStudyLocation SourceManufacturer SourceSerialNumber
    StationName TreatmentMachineName UniqueDeviceIdentifier XRayDetectorID XRayDetectorLabel XRaySourceID
    """
)

# Not in the table, and of a kind that says nothing about a person: technique, geometry, codes
TECHNICAL = words_of(
    """
    AcquisitionContrast AcquisitionDuration AcquisitionMatrix AcquisitionNumber AcquisitionType ActualFrameDuration
    AnatomicRegionSequence BitsAllocated BitsStored BodyPartExamined BreastImplantPresent CTDIvol
    CodeMeaning CodeValue CodingSchemeDesignator CollimatorType Columns CompletionFlag ComplexImageComponent
    ContinuityOfContent ContourData ContourGeometricType ContourNumber ConversionType ConvolutionKernel CorrectedImage
    CountsSource DataCollectionDiameter DecayCorrection DecayFactor DetectorType DimensionIndexValues
    DistanceSourceToDetector DistanceSourceToPatient EchoTime EchoTrainLength Exposure ExposureTime FieldOfViewShape
    FilterType FlipAngle FrameReferenceTime FrameTime FrameType GantryDetectorTilt HighBit ImageIndex ImageLaterality
    ImageOrientationPatient ImagePositionPatient ImageType ImagerPixelSpacing InversionTime KVP LossyImageCompression
    LossyImageCompressionMethod LossyImageCompressionRatio MRAcquisitionType MagneticFieldStrength Manufacturer
    ManufacturerModelName Modality NumberOfAverages NumberOfFrames NumberOfSlices NumberOfWaveformSamples NumericValue
    OrganExposed PartialView PatientOrientation PatientPosition PhotometricInterpretation PhysicalDeltaX
    PixelBandwidth PixelIntensityRelationship PixelPresentation PixelRepresentation PixelSpacing PlanarConfiguration
    PositionerPrimaryAngle PositionerType PresentationIntentType PresentationLUTShape ROIDisplayColor
    ROIGenerationAlgorithm ROINumber RTROIInterpretedType RadionuclideHalfLife RadionuclideTotalDose
    Radiopharmaceutical ReceiveCoilName ReferencedFrameNumber ReferencedROINumber ReferencedSOPClassUID
    ReferencedSegmentNumber RelationshipType RepetitionTime RescaleIntercept RescaleSlope RescaleType RevolutionTime
    RotationDirection Rows SAR SOPClassUID SamplesPerPixel SamplingFrequency ScanOptions ScanningSequence
    SegmentAlgorithmName SegmentAlgorithmType SegmentNumber SegmentationType SequenceName SequenceVariant SeriesNumber
    SeriesType SliceLocation SliceThickness SoftwareVersions SpacingBetweenSlices TableHeight TableSpeed TransducerData
    Units ValueType VerificationFlag ViewPosition VolumetricProperties WindowCenter WindowWidth XRayTubeCurrent
    """
)

# Modified dates: every date of the table moves, its times stay (TCIA: @keep), but for those of calibrations
TIMES_KEPT = words_of(
    """
    AcquisitionTime AdmittingTime ContentTime ContrastBolusStartTime ContrastBolusStopTime CurveTime
    InstanceCreationTime IssueTimeOfImagingServiceRequest OverlayTime PerformedProcedureStepEndTime
    PerformedProcedureStepStartTime PresentationCreationTime RTPlanTime RadiopharmaceuticalStartTime
    RadiopharmaceuticalStopTime ReviewTime ScheduledProcedureStepStartTime SeriesTime StructureSetTime StudyTime
    Time TimeOfSecondaryCapture TreatmentTime
    """
)
DATES = words_of(
    """
    AcquisitionDate AcquisitionDateTime AdmittingDate ApprovalStatusDateTime CalibrationDate CalibrationDateTime
    ContentDate ContributionDateTime CurveDate Date DateOfInstallation DateOfLastCalibration
    DateOfLastDetectorCalibration DateOfManufacture DateOfSecondaryCapture DateTime DateTimeOfLastCalibration
    DecayCorrectionDateTime DischargeDate EndAcquisitionDateTime ExpectedCompletionDateTime FrameAcquisitionDateTime
    FrameReferenceDateTime InstanceCoercionDateTime InstanceCreationDate IssueDateOfImagingServiceRequest
    LastMenstrualDate ModifiedImageDate ObservationDateTime OverlayDate PerformedProcedureStepEndDate
    PerformedProcedureStepEndDateTime PerformedProcedureStepStartDate PerformedProcedureStepStartDateTime
    PresentationCreationDate ROIDateTime RTPlanDate RadiopharmaceuticalStartDateTime RadiopharmaceuticalStopDateTime
    ReviewDate SOPAuthorizationDateTime ScheduledAdmissionDate ScheduledProcedureStepEndDate
    ScheduledProcedureStepStartDate ScheduledProcedureStepStartDateTime ScheduledStudyStartDate SeriesDate
    StartAcquisitionDateTime StructureSetDate StudyArrivalDate StudyCompletionDate StudyDate StudyReadDate
    StudyVerifiedDate SubstanceAdministrationDateTime TreatmentDate VerificationDateTime
    """
)

# Type 1 and Type 2 of the modules that the exam's IODs share, and of their own (PS3.3)
TYPE_1 = words_of(
    """
    BitsAllocated BitsStored Columns CompletionFlag ContentLabel ConversionType CountsSource HighBit ImageType Modality
    PhotometricInterpretation PixelRepresentation PresentationCreationDate PresentationCreationTime
    PresentationIntentType ROINumber Rows SOPClassUID SOPInstanceUID SamplesPerPixel SegmentLabel SegmentNumber
    SegmentationType SeriesInstanceUID SeriesType StructureSetLabel StudyInstanceUID Units ValueType VerificationFlag
    """
)
TYPE_2 = words_of(
    """
    AccessionNumber AcquisitionNumber ContentCreatorName InstanceNumber KVP Manufacturer PatientBirthDate PatientID
    PatientName PatientSex ROIName RTROIInterpretedType ReferringPhysicianName SeriesNumber StructureSetDate
    StructureSetTime StudyDate StudyID StudyTime
    """
)

# X, D or Z without an option: nothing of what is in them may stay
SEQUENCES_REMOVED = words_of(
    """
    ActualHumanPerformersSequence AuthorObserverSequence ConsultingPhysicianIdentificationSequence
    ContentCreatorIdentificationCodeSequence CustodialOrganizationSequence InstitutionCodeSequence
    InstitutionalDepartmentTypeCodeSequence IssuerOfAdmissionIDSequence IssuerOfServiceEpisodeIDSequence
    IssuerOfTheContainerIdentifierSequence ModifiedAttributesSequence OperatorIdentificationSequence
    OriginalAttributesSequence OtherPatientIDsSequence ParticipantSequence PatientInsurancePlanCodeSequence
    PatientPrimaryLanguageCodeSequence PerformingPhysicianIdentificationSequence PersonIdentificationCodeSequence
    PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence
    ReferringPhysicianIdentificationSequence ScheduledHumanPerformersSequence
    VerifyingObserverIdentificationCodeSequence
    """
)

# Removed, emptied or gone through: all three are right, so there is no check on what stays in them
SEQUENCES_OPEN = words_of(
    """
    AcquisitionContextSequence GraphicAnnotationSequence IconImageSequence IssuerOfTheSpecimenIdentifierSequence
    ReferencedPatientSequence ReferencedPerformedProcedureStepSequence ReferencedStudySequence
    SpecimenPreparationSequence VerifyingObserverSequence WaveformAnnotationSequence
    """
)

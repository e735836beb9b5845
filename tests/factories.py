"""Makers of synthetic instances: seeded, valid for their IOD (`dciodvfy`), full of invented identifiers.

Every maker takes a `Study` and a `seed` and returns a data set that `pydicom.dcmwrite` can write. The same arguments
give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    generate_uid,
)

from tests import jpeg
from tests.people import PATIENTS, Patient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_INSTITUTION = "St. Elowen Infirmary"
_PHYSICIAN = "Tannhauser^Ilse^^Prof."
_OPERATOR = "Quisenberry^Rupert"


@dataclass(frozen=True, slots=True)
class Study:
    """One study of one patient; everything in it derives from these."""

    patient: Patient = PATIENTS[0]
    number: int = 1

    @property
    def date(self) -> str:
        day = date(2019, 2, 26) + timedelta(days=113 * (self.number % 24) + len(self.patient.patient_id))
        return day.strftime("%Y%m%d")

    @property
    def uid(self) -> str:
        return uid("study", self.patient.patient_id, self.number)

    @property
    def frame_of_reference_uid(self) -> str:
        return uid("frame", self.patient.patient_id, self.number)

    @property
    def accession(self) -> str:
        return f"ACC{self.number:03d}{sum(map(ord, self.patient.patient_id)):05d}"


STUDY = Study()
"""The first study of the first patient."""


def uid(*parts: object) -> str:
    """Return the UID that belongs to `parts`."""
    return str(generate_uid(entropy_srcs=["deid-node", *map(str, parts)]))


def item(**values: object) -> Dataset:
    """Return an item with elements by keyword."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def update(ds: Dataset, **values: object) -> Dataset:
    """Set elements by keyword and return the same data set."""
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of the Code Sequence Macro (PS3.3 Table 8.8-1)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def to_bytes(ds: Dataset) -> bytes:
    """Return the Part 10 file."""
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def data_set_bytes(ds: Dataset) -> bytes:
    """Return the encoded data set alone, as it travels in C-STORE."""
    data = to_bytes(ds)
    length = int.from_bytes(data[140:144], "little")
    return data[144 + length :]


def _age(patient: Patient, study_date: str) -> str:
    return f"{min(int(study_date[:4]) - int(patient.birth_date[:4]), 999):03d}Y"


def base(study: Study, sop_class: str, modality: str, seed: int, series: int) -> FileDataset:
    """Patient, General Study, General Series, General Equipment and SOP Common modules."""
    patient = study.patient
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid(sop_class, study.uid, series, seed)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = "1.2.826.0.1.3680043.8.498.1"
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    charset = list(patient.charset)
    update(
        ds,
        SpecificCharacterSet=charset if len(charset) > 1 else charset[0],
        SOPClassUID=sop_class,
        SOPInstanceUID=meta.MediaStorageSOPInstanceUID,
        StudyInstanceUID=study.uid,
        SeriesInstanceUID=uid("series", study.uid, sop_class, series),
        StudyDate=study.date,
        SeriesDate=study.date,
        ContentDate=study.date,
        StudyTime="081502.250000",
        SeriesTime="081955",
        ContentTime=f"0824{seed % 60:02d}",
        AccessionNumber=study.accession,
        Modality=modality,
        Manufacturer="ACME Imaging",
        ManufacturerModelName="Lumen 7",
        DeviceSerialNumber="SN-730081",
        SoftwareVersions=["7.4.1", "svc-12"],
        StationName="OSTCT02",
        InstitutionName=_INSTITUTION,
        InstitutionAddress="1 Hollowbrook Road, Ostermere",
        InstitutionalDepartmentName="Radiology West",
        ReferringPhysicianName=_PHYSICIAN,
        PerformingPhysicianName="Abernethy^Fiona",
        OperatorsName=_OPERATOR,
        StudyDescription="Follow-up of known lesion",
        SeriesDescription=f"{modality} series {series}",
        PatientName=patient.name,
        PatientID=patient.patient_id,
        PatientBirthDate=patient.birth_date,
        PatientSex=patient.sex,
        PatientAge=_age(patient, study.date),
        PatientAddress=patient.address,
        PatientTelephoneNumbers=patient.phone,
        OtherPatientIDsSequence=[
            item(PatientID=f"{patient.patient_id}-OLD", TypeOfPatientID="TEXT", IssuerOfPatientID="Ostermere Trust"),
        ],
        StudyID=f"S{study.number}",
        SeriesNumber=series,
        InstanceNumber=seed + 1,
        RequestAttributesSequence=[
            item(
                ScheduledProcedureStepID=f"SPS{study.number}",
                RequestedProcedureID=f"RP{study.number}",
                ScheduledProcedureStepDescription="As asked by Dr. Tannhauser",
            ),
        ],
    )
    return ds


def private(ds: Dataset, patient: Patient) -> None:
    """Add a private block with a name in it, once at the top and once in an item."""
    block = ds.private_block(0x0019, "ACME LUMEN 1.1", create=True)
    block.add_new(0x01, "LO", f"reconstructed for {patient.patient_id}")
    block.add_new(0x02, "DS", "1.25")
    nested = Dataset()
    nested.private_block(0x0021, "ACME LUMEN 2.0", create=True).add_new(0x10, "LO", patient.patient_id)
    block.add_new(0x03, "SQ", [nested])


def noise(shape: tuple[int, ...], seed: int, bits: int = 12) -> NDArray[np.uint16]:
    """Return a phantom: a bright ellipse in noise, shape `shape`, values below 2**bits."""
    rows, columns = shape[-2:]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    body = (x * x / 0.6 + y * y / 0.8 < 1) * (1 << (bits - 1))
    speckle = np.random.default_rng(seed).integers(0, 1 << (bits - 2), shape, dtype=np.uint16)
    return (speckle + body).astype(np.uint16)


def pixels(ds: Dataset, frames: NDArray[np.uint16], bits: int = 12, photometric: str = "MONOCHROME2") -> None:
    """Image Pixel module for unsigned grey frames, shape ([frames,] rows, columns)."""
    rows, columns = frames.shape[-2:]
    wide = bits > 8
    update(
        ds,
        SamplesPerPixel=1,
        PhotometricInterpretation=photometric,
        Rows=rows,
        Columns=columns,
        BitsAllocated=16 if wide else 8,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    ds.PixelData = frames.astype("<u2" if wide else "u1").tobytes()
    if not wide and len(ds.PixelData) % 2:
        ds.PixelData += b"\0"
    ds["PixelData"].VR = "OW" if wide else "OB"


def plane(ds: Dataset, study: Study, seed: int, spacing_mm: float, thickness_mm: float) -> None:
    """Frame of Reference and Image Plane modules."""
    update(
        ds,
        FrameOfReferenceUID=study.frame_of_reference_uid,
        PositionReferenceIndicator="",
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        ImagePositionPatient=[-125, -125, round(seed * thickness_mm, 3)],
        PixelSpacing=[spacing_mm, spacing_mm],
        SliceThickness=str(thickness_mm),
        SliceLocation=str(round(seed * thickness_mm, 3)),
    )


def ct(study: Study = STUDY, seed: int = 0, *, series: int = 2, size: int = 64) -> FileDataset:
    """Return a CT Image with some 155 top-level elements, as scanners send them; `size` 512 is the benchmark's."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.2", "CT", seed, series)
    plane(ds, study, seed, 0.488281, 1.25)
    pixels(ds, noise((size, size), seed))
    update(ds, **_CT_FIXED)
    update(
        ds,
        AcquisitionDate=study.date,
        AcquisitionTime="082201.5",
        AcquisitionDateTime=f"{study.date}082201.500000",
        InstanceCreationDate=study.date,
        InstanceCreationTime="083000",
        PerformedProcedureStepStartDate=study.date,
        PerformedProcedureStepStartTime="081502",
        PerformedProcedureStepEndDate=study.date,
        PerformedProcedureStepEndTime="084502",
        PerformedProcedureStepID=f"PPS{study.number}",
        ScheduledProcedureStepStartDate=study.date,
        ScheduledProcedureStepStartTime="080000",
        DateOfLastCalibration="20190107",
        TimeOfLastCalibration="063000",
        IrradiationEventUID=uid("event", study.uid, series),
        SynchronizationFrameOfReferenceUID=uid("sync", study.uid),
        ReferencedStudySequence=[reference("1.2.840.10008.3.1.2.3.1", uid("ref", study.uid))],
        ReferencedImageSequence=[
            update(
                reference(ds.SOPClassUID, uid("localizer", study.uid)),
                PurposeOfReferenceCodeSequence=[code("121311", "DCM", "Localizer")],
            ),
        ],
        CTDIPhantomTypeCodeSequence=[code("113691", "DCM", "IEC Body Dosimetry Phantom")],
        AnatomicRegionSequence=[code("51185008", "SCT", "Thorax")],
        ProcedureCodeSequence=[code("CTABD", "99OST", "CT abdomen")],
        InstitutionCodeSequence=[code("ELOWEN", "99OST", _INSTITUTION)],
        PerformedProtocolCodeSequence=[code("LUNGLO", "99OST", "Low dose lung")],
        ReferringPhysicianIdentificationSequence=[_person("TANN-01")],
        OperatorIdentificationSequence=[_person("QUIS-77")],
        MedicalRecordLocator=f"LOC/{study.patient.patient_id}",
        IssuerOfPatientID="Ostermere Trust",
        PatientMotherBirthName="Featherstonehaugh",
        PatientComments=f"Prefers to be called by first name. {study.patient.patient_id}",
        RequestingPhysician="Lindqvist^Sunniva",
        PhysiciansOfRecord="Lindqvist^Sunniva",
        NameOfPhysiciansReadingStudy="Okonjo-Bright^Tamsin",
    )
    private(ds, study.patient)
    return ds


_CT_FIXED: dict[str, object] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "TimezoneOffsetFromUTC": "+0100",
    "LossyImageCompression": "00",
    "BurnedInAnnotation": "NO",
    "AcquisitionNumber": 1,
    "ImageComments": "",
    "ProtocolName": "6.1 Low dose lung",
    "BodyPartExamined": "CHEST",
    "PatientPosition": "HFS",
    "ScanOptions": "HELICAL MODE",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "ReconstructionDiameter": "250",
    "DistanceSourceToDetector": "949.147",
    "GantryDetectorTilt": "0",
    "TableHeight": "147.5",
    "RotationDirection": "CW",
    "ExposureTime": 700,
    "XRayTubeCurrent": 180,
    "Exposure": 28,
    "FilterType": "BODY FILTER",
    "ConvolutionKernel": "LUNG",
    "RevolutionTime": 0.5,
    "CTDIvol": 3.41,
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
    "WindowCenter": ["40", "-600"],
    "WindowWidth": ["400", "1500"],
    "WindowCenterWidthExplanation": ["MEDIASTINUM", "LUNG"],
    "PixelPaddingValue": 0,
    "SmallestImagePixelValue": 0,
    "LargestImagePixelValue": 4095,
    "PatientWeight": "71.5",
    "PatientSize": "1.68",
    "EthnicGroup": "declined",
    "Occupation": "Beekeeper",
    "SmokingStatus": "NO",
    "Allergies": "Iodine, mild",
    "MedicalAlerts": "Pacemaker",
    "AdditionalPatientHistory": "Nodule seen elsewhere",
    "AdmittingDiagnosesDescription": "Cough",
    "AdmissionID": "ADM-99172",
    "PatientState": "stable",
    "CurrentPatientLocation": "Ward 7",
    "PatientInstitutionResidence": "home",
    "ReasonForStudy": "Staging",
    "RequestedProcedureDescription": "CT thorax",
    "PerformedProcedureStepDescription": "CT thorax low dose",
    "PerformedStationAETitle": "OSTCT02",
    "PerformedStationName": "OSTCT02",
    "ScheduledStudyLocation": "Room 3",
    "CommentsOnThePerformedProcedureStep": "none",
    "ContrastBolusAgent": "",
    "ContrastBolusRoute": "IV",
    "PatientIdentityRemoved": "NO",
    "FillerOrderNumberImagingServiceRequest": "F-220331",
    "PlacerOrderNumberImagingServiceRequest": "P-118820",
    "SpecialNeeds": "hearing aid",
    "PatientReligiousPreference": "none stated",
    "CountryOfResidence": "Ostermark",
    "ResponsiblePerson": "Brackenridge^Lorcan",
    "ResponsiblePersonRole": "SPOUSE",
    "InsurancePlanIdentification": "OKK 33-1",
    "OtherPatientNames": "Featherstonehaugh^Odalys",
    "PatientBirthTime": "0415",
}


def reference(sop_class: str, sop_instance: str) -> Dataset:
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=sop_instance)


def _person(identifier: str) -> Dataset:
    """Return an item of the Person Identification Macro (PS3.3 Table 10-1)."""
    return item(
        PersonIdentificationCodeSequence=[code(identifier, "99OST", "Staff member")],
        PersonAddress="1 Hollowbrook Road, Ostermere",
        PersonTelephoneNumbers="+49 30 5550 2290",
        InstitutionName=_INSTITUTION,
    )


def mr(study: Study = STUDY, seed: int = 0, *, series: int = 3, size: int = 64) -> FileDataset:
    """Return an MR Image; `size` 256 is the benchmark's."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.4", "MR", seed, series)
    plane(ds, study, seed, 0.9375, 3.0)
    pixels(ds, noise((size, size), seed))
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "M", "SE"],
        AcquisitionDate=study.date,
        AcquisitionTime="090112",
        ScanningSequence="SE",
        SequenceVariant="SK",
        ScanOptions="",
        MRAcquisitionType="2D",
        SequenceName="*se2d1",
        RepetitionTime="500",
        EchoTime="14",
        EchoTrainLength=1,
        MagneticFieldStrength="3",
        FlipAngle="90",
        PatientPosition="HFS",
        PatientWeight="71.5",
        ProtocolName=f"t1_se_tra {study.patient.patient_id}",
        BodyPartExamined="BRAIN",
        WindowCenter="600",
        WindowWidth="1200",
    )
    private(ds, study.patient)
    return ds


def cr(study: Study = STUDY, seed: int = 0, *, series: int = 4, size: int = 128) -> FileDataset:
    """Return a Computed Radiography image; `size` 2290 is the benchmark's 10 MB."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.1", "CR", seed, series)
    pixels(ds, noise((size, size), seed), photometric="MONOCHROME1")
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY"],
        BodyPartExamined="CHEST",
        ViewPosition="PA",
        PatientOrientation=["L", "F"],
        ImagerPixelSpacing=[0.1, 0.1],
        PlateID="PL-00318",
        CassetteID="CAS 12",
        AcquisitionDate=study.date,
        AcquisitionTime="101500",
        AcquisitionDeviceProcessingDescription="CHEST PA",
        KVP="125",
        ImageComments=f"repeat, see {study.accession}",
        BurnedInAnnotation="YES",
    )
    return ds


def mg(study: Study = STUDY, seed: int = 0, *, series: int = 5) -> FileDataset:
    """Return a Digital Mammography image, for presentation."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.1.2", "MG", seed, series)
    pixels(ds, noise((96, 64), seed))
    view = code("399162004", "SCT", "cranio-caudal")
    view.ViewModifierCodeSequence = []
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY"],
        PresentationIntentType="FOR PRESENTATION",
        AcquisitionDate=study.date,
        AcquisitionTime="110312",
        PatientOrientation=["A", "R"],
        ImageLaterality="L",
        BodyPartExamined="BREAST",
        BreastImplantPresent="NO",
        PartialView="NO",
        ViewCodeSequence=[view],
        AnatomicRegionSequence=[code("76752008", "SCT", "Breast")],
        PositionerType="MAMMOGRAPHIC",
        PositionerPrimaryAngle="0",
        OrganExposed="BREAST",
        DetectorType="DIRECT",
        DetectorID="DET-9917",
        ImagerPixelSpacing=[0.07, 0.07],
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=1,
        RescaleIntercept="0",
        RescaleSlope="1",
        RescaleType="US",
        PresentationLUTShape="IDENTITY",
        LossyImageCompression="00",
        BurnedInAnnotation="NO",
        WindowCenter="2048",
        WindowWidth="4096",
        AcquisitionContextSequence=[],
        KVP="28",
    )
    return ds


def pt(study: Study = STUDY, seed: int = 0, *, series: int = 6) -> FileDataset:
    """Return a PET image with its radiopharmaceutical's dates and times."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.128", "PT", seed, series)
    plane(ds, study, seed, 4.07, 3.0)
    pixels(ds, noise((64, 64), seed, 16), 16)
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY"],
        AcquisitionDate=study.date,
        AcquisitionTime="094000",
        PatientWeight="71.5",
        SeriesType=["STATIC", "IMAGE"],
        Units="BQML",
        CountsSource="EMISSION",
        CorrectedImage=["DECY", "ATTN"],
        DecayCorrection="START",
        CollimatorType="NONE",
        NumberOfSlices=47,
        RescaleIntercept="0",
        RescaleSlope="1.37",
        FrameReferenceTime="30000",
        ActualFrameDuration="60000",
        DecayFactor="1.01",
        ImageIndex=seed + 1,
        BodyPartExamined="CHEST",
        RadiopharmaceuticalInformationSequence=[
            item(
                Radiopharmaceutical="FDG",
                RadiopharmaceuticalStartTime="083000",
                RadiopharmaceuticalStartDateTime=f"{study.date}083000",
                RadionuclideTotalDose="350000000",
                RadionuclideHalfLife="6586.2",
                RadionuclideCodeSequence=[code("77004003", "SCT", "^18^Fluorine")],
                RadiopharmaceuticalCodeSequence=[code("35321007", "SCT", "Fluorodeoxyglucose F^18^")],
            ),
        ],
        PatientOrientationCodeSequence=[
            update(
                code("102538003", "SCT", "recumbent"),
                PatientOrientationModifierCodeSequence=[code("40199007", "SCT", "supine")],
            ),
        ],
        PatientGantryRelationshipCodeSequence=[code("102540001", "SCT", "headfirst")],
    )
    return ds


def us(
    study: Study = STUDY,
    seed: int = 0,
    *,
    series: int = 7,
    frames: int = 3,
    size: tuple[int, int] = (96, 128),
    compression: str = "jpeg",
) -> FileDataset:
    """Return an Ultrasound Multi-frame image, JPEG Baseline or RLE (`compression` is "jpeg" or "rle")."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.3.1", "US", seed, series)
    stack = (noise((frames, *size), seed, 8)).astype(np.uint8)
    pixels(ds, stack, 8)
    update(
        ds,
        ImageType=["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"],
        NumberOfFrames=frames,
        FrameTime="40",
        FrameIncrementPointer=0x00181063,
        AcquisitionDate=study.date,
        AcquisitionTime="131011",
        PatientOrientation="",
        Laterality="",
        LossyImageCompression="00",
        SequenceOfUltrasoundRegions=[
            item(
                RegionSpatialFormat=1,
                RegionDataType=1,
                RegionFlags=0,
                RegionLocationMinX0=8,
                RegionLocationMinY0=16,
                RegionLocationMaxX1=size[1] - 8,
                RegionLocationMaxY1=size[0] - 8,
                PhysicalUnitsXDirection=3,
                PhysicalUnitsYDirection=3,
                PhysicalDeltaX=0.02,
                PhysicalDeltaY=0.02,
            ),
        ],
        TransducerData=["C5-2", "", ""],
    )
    if compression == "rle":
        ds.compress(RLELossless, generate_instance_uid=False)
        return ds
    encoded = [jpeg.encode(frame) for frame in stack]
    update(
        ds,
        LossyImageCompression="01",
        LossyImageCompressionRatio=str(round(stack.nbytes / sum(map(len, encoded)), 2)),
        LossyImageCompressionMethod="ISO_10918_1",
    )
    ds.PixelData = encapsulate(encoded)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return ds


def sc(study: Study = STUDY, seed: int = 0, *, series: int = 8) -> FileDataset:
    """Return a Secondary Capture image in colour."""
    ds = base(study, "1.2.840.10008.5.1.4.1.1.7", "OT", seed, series)
    pixels(ds, noise((64, 3 * 64), seed, 8), 8)
    update(
        ds,
        Columns=64,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        ConversionType="WSD",
        DateOfSecondaryCapture=study.date,
        TimeOfSecondaryCapture="120000",
        SecondaryCaptureDeviceID="WS-0031",
        SecondaryCaptureDeviceManufacturer="ACME Imaging",
        PatientOrientation="",
        Laterality="",
        ImageComments=f"Screen shot, {study.patient.name.split('=')[0].replace('^', ' ')}",
    )
    return ds


def all_patients_studies(count: int = 2) -> Iterator[Study]:
    """Yield `count` studies of every patient."""
    for patient in PATIENTS:
        for number in range(1, count + 1):
            yield replace(Study(patient), number=number)

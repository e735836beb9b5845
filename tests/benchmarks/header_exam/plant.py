"""Headers: what real devices, worklists and people leave in them, with what must become of each piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileDataset

from tests.benchmarks.header_exam import attributes
from tests.benchmarks.header_exam.invent import Invention
from tests.benchmarks.header_exam.key import Action, Kind
from tests.benchmarks.header_exam.sheet import Sheet
from tests.benchmarks.header_exam.validator import text_is_gone, text_stays
from tests.factories import Study, code, item

# Longest values (PS3.5 Table 6.2-1) of what is planted
_LONGEST: Mapping[str, int] = {"SH": 16, "LO": 64, "CS": 16, "ST": 1024, "LT": 10240, "UT": 10240, "PN": 64}

# In nearly every header of these files; the others come and go
_ALWAYS = attributes.words_of(
    """
    AccessionNumber InstitutionName InstitutionAddress OperatorsName PerformingPhysicianName ReferringPhysicianName
    StudyID PatientBirthDate
    """
)

# Descriptions that a study has once and an operator types; the others are rarer
_USUAL_TEXT = ("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription")

_NESTED_ONLY = frozenset({"PersonName", "VerifyingObserverName", "VerifyingOrganization"})
_CONTENT_TIMES = frozenset({"Date", "DateTime", "Time", "VerificationDateTime", "ObservationDateTime"})
_CONTENT_TEXTS = frozenset({"ContentDescription", "ROIName", "SegmentDescription", "SegmentLabel", "TextValue"})

_DEVICE: Mapping[str, Callable[[Invention], object]] = {
    "DeviceSerialNumber": lambda make: make.shaped("SN######"),
    "StationName": lambda make: make.shaped("CTAWP#####"),
    "GantryID": lambda make: make.shaped("GANTRY##"),
    "GeneratorID": lambda make: make.shaped("GEN-####"),
    "PlateID": lambda make: make.shaped("PL######"),
    "CassetteID": lambda make: make.shaped("CAS ####"),
    "DetectorID": lambda make: make.shaped("DET??###"),
    "ScheduledStationName": lambda make: make.shaped("SUITE##"),
    "PerformedStationName": lambda make: make.shaped("ROOM##"),
    "ScheduledProcedureStepLocation": lambda make: make.shaped("BAY##"),
    "UniqueDeviceIdentifier": lambda make: make.shaped("(01)##############"),
    "DeviceUID": lambda make: make.uid(),
    "EthnicGroup": lambda make: make.rng.choice(("declined", "mixed", "group 4")),
    "SmokingStatus": lambda make: make.rng.choice(("YES", "NO", "UNKNOWN")),
    "PregnancyStatus": lambda make: make.rng.choice((1, 2, 3, 4)),
    "PatientSize": lambda make: f"1.{make.rng.randrange(40, 99)}",
    "PatientWeight": lambda make: f"{make.rng.randrange(40, 120)}.{make.rng.randrange(10)}",
}

_UIDS = (
    *("InstanceCreatorUID", "SynchronizationFrameOfReferenceUID", "IrradiationEventUID", "StorageMediaFileSetUID"),
    *("ConcatenationUID", "AcquisitionUID", "TransactionUID", "TargetUID", "TrackingUID", "SpecimenUID", "FiducialUID"),
    *("PaletteColorLookupTableUID", "TemplateExtensionCreatorUID", "FrameOfReferenceUID"),
)

# How identifiers get into descriptions: the clean text is what must be left
_FORMS = ("{clean} for {hidden}", "{hidden} {clean}", "{clean} - {hidden}", "{clean}, {hidden}", "{clean} [{hidden}]")


class Planter:
    """Plants one instance's header."""

    def __init__(self, make: Invention, sheet: Sheet, study: Study, accession: str, issuer: str) -> None:
        self._make = make
        self._sheet = sheet
        self._patient = study.patient
        self._study = study
        self._accession = accession
        self._issuer = issuer

    def plant(self, data_set: FileDataset) -> None:
        """Plant the top level and the Sequences that come with worklists and devices."""
        self._renew_items(data_set)
        self._identifiers(data_set)
        self._kept(data_set)
        self._dates(data_set)
        for keyword in self._make.rng.sample(_UIDS, self._make.rng.randrange(3, 9)):
            self._set(data_set, keyword, self._make.uid())
        self._texts(data_set)
        self._sequences(data_set)

    def known(self) -> tuple[str, ...]:
        """Return what identifies the patient, as people write it."""
        name = self._patient.name.split("=")[0].split("^")
        whole = f"{name[0]} {name[1]}"
        return tuple(text for text in (self._patient.patient_id, whole, f"{name[1]} {name[0]}") if text.isascii())

    def _set(self, data_set: Dataset, keyword: str, value: object) -> None:
        vr = dictionary_VR(keyword)
        if isinstance(value, str) and vr in _LONGEST:
            value = value[: _LONGEST[vr]].strip()
        setattr(data_set, keyword, value)

    def _identifiers(self, data_set: Dataset) -> None:
        make = self._make
        for keyword, source in attributes.REMOVED.items():
            if keyword in _NESTED_ONLY or keyword in {"PatientName", "PatientBirthDate"}:
                continue
            if keyword in _ALWAYS or keyword in data_set or make.chance(0.22):
                self._set(data_set, keyword, getattr(make, source)())
        data_set.AccessionNumber = self._accession
        data_set.IssuerOfPatientID = self._issuer

    def _kept(self, data_set: Dataset) -> None:
        for keyword, source in _DEVICE.items():
            if keyword in data_set or self._make.chance(0.4):
                self._set(data_set, keyword, source(self._make))

    def _dates(self, data_set: Dataset) -> None:
        make = self._make
        for keyword in sorted(attributes.DATES | attributes.TIMES_KEPT):
            if keyword not in data_set and (keyword in _CONTENT_TIMES or not make.chance(0.15)):
                continue
            self._set(data_set, keyword, self._time_value(keyword))

    # Text

    def _texts(self, data_set: Dataset) -> None:
        for keyword in sorted(attributes.CLEANED):
            usual = keyword in _USUAL_TEXT or keyword in data_set
            if usual or self._make.chance(0.18):
                self._text(data_set, keyword)

    def _text(self, data_set: Dataset, keyword: str) -> None:
        """Put in a description, one in four with something that identifies."""
        vr = dictionary_VR(keyword)
        longest = _LONGEST[vr]
        wordy = longest > 64 and self._make.chance(0.6)
        clean = self._make.remark() if wordy else self._make.description(min(longest, 40))
        if longest < 64 or self._make.chance(0.75):
            setattr(data_set, keyword, clean)
            return
        self._hide(data_set, keyword, clean, longest)

    def _hide(self, data_set: Dataset, keyword: str, clean: str, longest: int) -> None:
        kind, hidden = self._hidden()
        text = self._make.rng.choice(_FORMS).format(clean=clean, hidden=hidden)
        if len(text) > longest or not _solvable(clean, hidden):
            setattr(data_set, keyword, clean)
            return
        setattr(data_set, keyword, text)
        tag = tag_for_keyword(keyword) or 0
        self._sheet.ask(data_set, tag, Action.TEXT_RETAINED, clean, kind)
        self._sheet.ask(data_set, tag, Action.TEXT_REMOVED, hidden, kind)

    def _hidden(self) -> tuple[Kind, str]:
        """Return something that identifies, and what it takes to know it."""
        make = self._make
        kind = make.rng.choice((Kind.KNOWN, Kind.PATTERN, Kind.MEANING))
        family, given = make.staff()
        choices: Mapping[Kind, Iterable[str]] = {
            Kind.KNOWN: (*self.known(), self._accession),
            Kind.PATTERN: (make.day_in_text(), make.phone(), make.email(), make.uid(), make.shaped("MRN-#######")),
            Kind.MEANING: (f"{given} {family}", family, make.institution(), make.street()),
        }
        return kind, make.rng.choice(tuple(choices[kind]))

    def _renew_items(self, data_set: Dataset, *, top: bool = True) -> None:
        """Put the exam's own people, dates and descriptions into the items that the IOD came with."""
        for element in list(data_set):
            if element.VR == "SQ":
                for inner in element.value:
                    self._renew_items(inner, top=False)
            elif element.keyword in _CONTENT_TEXTS:
                self._text(data_set, element.keyword)
            elif not top and element.value:
                self._renew(data_set, element.keyword)

    def _renew(self, data_set: Dataset, keyword: str) -> None:
        if keyword in attributes.REMOVED:
            self._set(data_set, keyword, getattr(self._make, attributes.REMOVED[keyword])())
        elif keyword in attributes.CLEANED:  # a description that holds nothing: what is planted comes with `_sequences`
            self._set(data_set, keyword, self._make.description(40))
        elif keyword in attributes.DATES | attributes.TIMES_KEPT:
            self._set(data_set, keyword, self._time_value(keyword))

    def _time_value(self, keyword: str) -> str:
        """Return a date, a time or both; most dates are the study's."""
        make, vr = self._make, dictionary_VR(keyword)
        if vr == "TM":
            return make.time()
        if make.chance(0.6):
            return self._study.date if vr == "DA" else self._study.date + make.time()
        return make.day() if vr == "DA" else make.moment()

    # Sequences

    def _sequences(self, data_set: Dataset) -> None:
        rng = self._make.rng
        for build in rng.sample(_SEQUENCES, rng.randrange(2, len(_SEQUENCES) + 1)):
            build(self, data_set)

    def person_identification(self, data_set: Dataset) -> None:
        make = self._make
        for keyword in make.rng.sample(_PERSONS, 2):
            person = item(
                PersonIdentificationCodeSequence=[code(make.shaped("##????"), "99STAFF", " ".join(make.staff()))],
                PersonAddress=make.address(),
                PersonTelephoneNumbers=make.phone()[:16],
                InstitutionName=make.institution(),
                InstitutionAddress=make.address(),
            )
            setattr(data_set, keyword, [person])

    def other_ids(self, data_set: Dataset) -> None:
        make = self._make
        data_set.OtherPatientIDsSequence = [
            item(PatientID=make.identifier(), IssuerOfPatientID=make.institution(), TypeOfPatientID="TEXT")
            for _ in range(make.rng.randrange(1, 4))
        ]

    def request(self, data_set: Dataset) -> None:
        make = self._make
        request = item(
            AccessionNumber=make.identifier()[:16],
            StudyInstanceUID=data_set.StudyInstanceUID,
            RequestedProcedureID=make.identifier()[:16],
            ScheduledProcedureStepID=make.identifier()[:16],
            ScheduledProtocolCodeSequence=[code(make.shaped("P###"), "99PROT", make.description(40))],
        )
        self._text(request, "ScheduledProcedureStepDescription")
        self._text(request, "RequestedProcedureDescription")
        data_set.RequestAttributesSequence = [request]

    def procedure_codes(self, data_set: Dataset) -> None:
        make = self._make
        for keyword in ("ProcedureCodeSequence", "RequestedProcedureCodeSequence", "PerformedProtocolCodeSequence"):
            setattr(data_set, keyword, [code(make.shaped("C####"), "99PROC", make.description(40))])
        data_set.AdmittingDiagnosesCodeSequence = [code("254637007", "SCT", "Non-small cell lung cancer")]

    def contributing_equipment(self, data_set: Dataset) -> None:
        make = self._make
        equipment = item(
            PurposeOfReferenceCodeSequence=[code("109103", "DCM", "Modifying Equipment")],
            Manufacturer=make.rng.choice(("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "CANON_MEC")),
            InstitutionName=make.institution(),
            InstitutionAddress=make.address(),
            StationName=make.shaped("WS###"),
            OperatorsName=make.person(),
            SoftwareVersions=make.shaped("v#.##"),
            ContributionDateTime=make.moment(),
        )
        self._text(equipment, "ContributionDescription")
        data_set.ContributingEquipmentSequence = [equipment]

    def original_attributes(self, data_set: Dataset) -> None:
        make = self._make
        old = item(PatientID=make.identifier(), PatientName=make.person(), AccessionNumber=make.identifier()[:16])
        data_set.OriginalAttributesSequence = [
            item(
                ModifiedAttributesSequence=[old],
                AttributeModificationDateTime=make.moment(),
                ModifyingSystem=make.town(),
                SourceOfPreviousValues=make.institution(),
                ReasonForTheAttributeModification="COERCE",
            ),
        ]

    def source_images(self, data_set: Dataset) -> None:
        make = self._make
        for keyword in ("SourceImageSequence", "ReferencedImageSequence"):
            setattr(
                data_set,
                keyword,
                [
                    item(
                        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2",
                        ReferencedSOPInstanceUID=make.rng.choice((data_set.SOPInstanceUID, make.uid())),
                        PurposeOfReferenceCodeSequence=[code("121322", "DCM", "Source of Measurement")],
                    )
                    for _ in range(make.rng.randrange(1, 4))
                ],
            )

    def deep(self, data_set: Dataset) -> None:
        """Nest protocol context items, the deepest with names and dates in it."""
        make = self._make
        inner = item(
            ValueType="PNAME",
            ConceptNameCodeSequence=[code("121008", "DCM", "Person Observer Name")],
            PersonName=make.person(),
            DateTime=make.moment(),
            UID=make.uid(),
            ReferencedSOPSequence=[
                item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=make.uid()),
            ],
            NumericValue=f"{make.number():.3f}",
        )
        for _ in range(make.rng.randrange(1, 9)):
            inner = item(
                ValueType="CODE",
                ConceptNameCodeSequence=[code(make.shaped("11####"), "DCM", make.description(40))],
                ContentItemModifierSequence=[inner],
            )
        protocol = code(make.shaped("P###"), "99PROT", make.description(40))
        protocol.ProtocolContextSequence = [inner]
        data_set.PerformedProtocolCodeSequence = [protocol]


_PERSONS = (
    "ReferringPhysicianIdentificationSequence",
    "OperatorIdentificationSequence",
    "PerformingPhysicianIdentificationSequence",
    "PhysiciansReadingStudyIdentificationSequence",
    "ConsultingPhysicianIdentificationSequence",
)
_SEQUENCES: tuple[Callable[[Planter, Dataset], None], ...] = (
    Planter.person_identification,
    Planter.other_ids,
    Planter.request,
    Planter.procedure_codes,
    Planter.contributing_equipment,
    Planter.original_attributes,
    Planter.source_images,
    Planter.deep,
)


def _solvable(clean: str, hidden: str) -> bool:
    """Say whether leaving exactly the clean text would pass both checks."""
    return text_is_gone(clean, hidden) is True and text_stays(clean, clean) is True

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid.context import Context
from deid.elements.uids import new_uid
from deid.engine import Instance, Result, deidentify, explain
from deid.errors import Reason, Refused, SeriesNeeded
from deid.keys import Keys
from deid.profile import Profile

CT = "1.2.840.10008.5.1.4.1.1.2"
KEYS = Keys.from_secret(b"a secret of sixteen bytes or more")
BASIC = Context(Profile.from_options("basic", ()), KEYS)
LONGITUDINAL = Context(Profile.from_options("longitudinal", ("retain_long_modified_dates",)), KEYS)


def make(**attributes: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CT
    ds.SOPInstanceUID = "1.2.276.1.3"
    ds.StudyInstanceUID = "1.2.276.1.1"
    ds.SeriesInstanceUID = "1.2.276.1.2"
    ds.Modality = "CT"
    ds.PatientName = "Doe^Jane"
    ds.PatientID = "MRN-4711"
    ds.StudyDate = "20040119"
    ds.StudyTime = "072730"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def encode(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> Instance:
    buffer = DicomBytesIO()
    buffer.is_little_endian = syntax != ExplicitVRBigEndian
    buffer.is_implicit_VR = syntax == ImplicitVRLittleEndian
    write_dataset(buffer, ds)
    return Instance(syntax, buffer.getvalue())


def clean(ds: Dataset, context: Context = BASIC, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    return parse(deidentify(encode(ds, syntax), context))


def parse(result: Result) -> Dataset:
    return dcmread(BytesIO(b"".join(result.clean.part10())))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_name_and_id_become_one_pseudonym_and_the_syntax_stays(syntax: str) -> None:
    out = clean(make(), syntax=syntax)

    assert out.file_meta.TransferSyntaxUID == syntax
    assert out.PatientID.startswith("DN-")
    assert out.PatientName == out.PatientID
    assert out.Modality == "CT"


def test_uids_are_mapped_with_the_key_and_classes_stay() -> None:
    out = clean(make())

    assert out.SOPClassUID == CT
    assert out.SOPInstanceUID == new_uid(KEYS.uid, "1.2.276.1.3")
    assert out.file_meta.MediaStorageSOPInstanceUID == out.SOPInstanceUID
    assert out.StudyInstanceUID == new_uid(KEYS.uid, "1.2.276.1.1")


def test_references_still_resolve_after_cleaning_each_instance_alone() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID = CT
    reference.ReferencedSOPInstanceUID = "1.2.276.1.3"
    other = make(SOPInstanceUID="1.2.276.1.4", ReferencedImageSequence=Sequence([reference]))

    out = clean(other)

    assert out.ReferencedImageSequence[0].ReferencedSOPInstanceUID == clean(make()).SOPInstanceUID
    assert out.ReferencedImageSequence[0].ReferencedSOPClassUID == CT


def test_dates_move_together_when_the_option_says_so() -> None:
    out = clean(make(SeriesDate="20040120", PatientBirthDate="19700101"), LONGITUDINAL)

    assert out.StudyDate != "20040119"
    assert int(out.SeriesDate) - int(out.StudyDate) in {1, 70, 71, 72, 73, 8870}
    assert out.StudyTime == "072730"
    assert out.PatientBirthDate == ""
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"


def test_basic_profile_leaves_no_date() -> None:
    out = clean(make())

    assert out.StudyDate == ""
    assert out.LongitudinalTemporalInformationModified == "REMOVED"


def test_marks_name_only_what_ran() -> None:
    out = clean(make(DeidentificationMethod="by Jane's nurse"), LONGITUDINAL)

    assert out.PatientIdentityRemoved == "YES"
    assert [code.CodeValue for code in out.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert "nurse" not in str(out.DeidentificationMethod)


def test_private_elements_are_removed_at_every_depth() -> None:
    inner = Dataset()
    inner.add_new(0x00090010, "LO", "ACME")
    inner.add_new(0x00091001, "LO", "secret")
    inner.CodeValue = "1"
    ds = make(AnatomicRegionSequence=Sequence([inner]))
    ds.add_new(0x00190010, "LO", "ACME")
    ds.add_new(0x00191001, "PN", "Doe^Jane")

    out = clean(ds)

    assert not [element for element in out.iterall() if element.tag.is_private]
    assert out.AnatomicRegionSequence[0].CodeValue == "1"


def test_kept_text_that_names_the_patient_is_replaced() -> None:
    out = clean(make(Manufacturer="DOE Imaging", ManufacturerModelName="Scan 3000"))

    assert out.Manufacturer == "REMOVED"
    assert out.ManufacturerModelName == "Scan 3000"


def test_defined_term_that_is_also_a_name_stays() -> None:
    out = clean(make(PatientName="Head^Phantom", BodyPartExamined="HEAD"))

    assert out.BodyPartExamined == "HEAD"


def test_overlay_goes_with_all_its_group() -> None:
    ds = make()
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60000011, "US", 8)
    ds.add_new(0x60000022, "LO", "drawn by Doe")
    ds.add_new(0x60003000, "OW", b"\xff" * 8)

    assert not [element for element in clean(ds) if element.tag.group == 0x6000]


def test_pixel_data_passes_bit_for_bit() -> None:
    pixels = bytes(range(256)) * 2
    out = clean(make(Rows=16, Columns=16, BitsAllocated=16, PixelData=pixels))

    assert out.PixelData == pixels


def test_same_input_and_key_give_equal_bytes() -> None:
    one = deidentify(encode(make()), LONGITUDINAL).clean.chunks
    two = deidentify(encode(make()), LONGITUDINAL).clean.chunks

    assert b"".join(one) == b"".join(two)


def test_source_is_unchanged() -> None:
    instance = encode(make())
    before = bytes(instance.data)
    deidentify(instance, LONGITUDINAL)

    assert bytes(instance.data) == before


def test_two_nameless_patients_do_not_share_a_pseudonym() -> None:
    one = clean(make(PatientID="", PatientName=""))
    two = clean(make(PatientID="", PatientName="", StudyInstanceUID="1.2.276.9.9"))

    assert one.PatientID != two.PatientID


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"SOPInstanceUID": ""}, Reason.MISSING_UID),
        ({"SOPClassUID": "1.2.3.4"}, Reason.UNSUPPORTED_SOP_CLASS),
    ],
)
def test_instance_without_a_known_identity_is_refused(attributes: dict[str, str], reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        clean(make(**attributes))
    assert refused.value.reason is reason


def test_part_of_a_head_needs_its_series() -> None:
    with pytest.raises(SeriesNeeded) as needed:
        clean(
            make(BitsAllocated=8, PixelData=b"\0\0"),
            Context(Profile.from_options("wish", ("clean_recognizable_visual_features",)), KEYS),
        )
    assert len(needed.value.series_code) == 32


def test_option_without_its_step_lets_pass_what_does_not_need_it() -> None:
    out = clean(make(StudyDescription=""), Context(Profile.from_options("wish", ("clean_descriptors",)), KEYS))

    assert "StudyDescription" in out


def test_explain_names_every_element_with_its_source() -> None:
    findings = explain(encode(make(Manufacturer="ACME")), BASIC)
    by_tag = {finding.path: finding for finding in findings}

    assert by_tag[(0x00100010,)].action == "Z"
    assert by_tag[(0x00080070,)].action == "K"
    assert all(finding.source for finding in findings)


def test_a_value_that_is_none_of_its_vr_is_replaced_as_its_type_demands() -> None:
    ds = make(Manufacturer="ACME\0Jane")
    for tag in (0x0018_0050, 0x0020_0100, 0x0008_0008):  # Slice Thickness, Temporal Position Identifier, Image Type
        ds[tag] = RawDataElement(Tag(tag), "LT", 26, b"some words of nobody known", 0, False, True)
    instance = encode(ds)
    out = parse(deidentify(instance, BASIC))
    actions = {finding.path: (finding.action, finding.source) for finding in explain(instance, BASIC)}

    assert out.Manufacturer == "ACME"
    assert out["SliceThickness"].is_empty  # Type 2
    assert "TemporalPositionIdentifier" not in out  # Type 3
    assert out.ImageType == "REMOVED"  # Type 1
    assert [out[tag].VR for tag in ("SliceThickness", "ImageType")] == ["DS", "CS"]
    assert actions[(0x0018_0050,)] == ("Z", "not of its VR")
    assert actions[(0x0020_0100,)] == ("X", "not of its VR")
    assert actions[(0x0008_0008,)] == ("D", "not of its VR")


def test_a_disguised_name_in_a_text_or_in_bytes_is_replaced() -> None:
    hidden = b64encode(b"Smithers^Waylon").decode("ascii")
    ds = make(PatientName="Smithers^Waylon", DeviceDescription="x", Manufacturer=hidden)
    ds.add_new(0x0070_0256, "OB", bytes(4) + "Smithers".encode("utf-16-le"))
    out = clean(ds)

    assert out.Manufacturer == "REMOVED"
    assert out[0x0070_0256].value == bytes(2)


def test_the_uid_of_a_class_that_nobody_registered_is_mapped() -> None:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.276.9.9"
    item.ReferencedSOPInstanceUID = "1.2.276.9.10"
    out = clean(make(ReferencedImageSequence=[item]))

    assert out.ReferencedImageSequence[0].ReferencedSOPClassUID == new_uid(KEYS.uid, "1.2.276.9.9")
    assert out.SOPClassUID == CT


def test_a_malformed_time_zone_is_no_reason_to_refuse() -> None:
    assert "TimezoneOffsetFromUTC" not in clean(make(TimezoneOffsetFromUTC="+1:00 Doe"), LONGITUDINAL)


def test_attributes_of_signatures_and_directories_go_wherever_they_stand() -> None:
    ds = make(StorageMediaFileSetID="DOE", FileSetID="DOE", MACIDNumber=7)
    ds.add_new(0x4FFE_0001, "SQ", Sequence([Dataset()]))
    out = clean(ds)

    assert not {"StorageMediaFileSetID", "FileSetID", "MACIDNumber", "MACParametersSequence"} & set(out.dir())


RULES = Context(
    Profile.from_options("rules", ("clean_descriptors",), {"EncapsulatedDocument": "C"}, text="rules"), KEYS
)
ENCAPSULATED_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
ENCAPSULATED_STL = "1.2.840.10008.5.1.4.1.1.104.3"


def test_encapsulated_document_is_a_dummy_unless_an_override_wants_it_cleaned() -> None:
    ds = make(
        SOPClassUID=ENCAPSULATED_CDA, MIMETypeOfEncapsulatedDocument="text/xml", EncapsulatedDocument=b"<a>liver</a>"
    )

    assert clean(ds).EncapsulatedDocument == bytes(2)
    assert clean(ds, RULES).EncapsulatedDocument == b"<a>liver</a>"


@pytest.mark.parametrize(
    ("sop_class", "mime", "document", "reason"),
    [
        (ENCAPSULATED_CDA, "text/xml", b"<a>Jane Doe</a>\0", Reason.IDENTIFIER_LEFT),
        (ENCAPSULATED_PDF, "application/pdf", b"%PDF-1.4 Jane Doe\0", Reason.STEP_UNAVAILABLE),
    ],
)
def test_document_that_may_identify_is_refused(sop_class: str, mime: str, document: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        clean(make(SOPClassUID=sop_class, MIMETypeOfEncapsulatedDocument=mime, EncapsulatedDocument=document), RULES)
    assert refused.value.reason is reason


def test_header_and_attribute_bytes_of_a_model_go() -> None:
    triangle = bytes(range(48)) + b"JD"
    document = b"scan of Jane Doe".ljust(80) + (1).to_bytes(4, "little") + triangle
    ds = make(SOPClassUID=ENCAPSULATED_STL, MIMETypeOfEncapsulatedDocument="model/stl", EncapsulatedDocument=document)

    assert clean(ds, RULES).EncapsulatedDocument == bytes(80) + document[80:84] + triangle[:48] + bytes(2)

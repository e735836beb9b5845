from __future__ import annotations

from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from deid.elements.concepts import CONCEPTS, Treatment
from deid.elements.content import CONTENT_TAGS, ContentRules, clean_content, clean_text_element
from deid.elements.dates import shift_da
from deid.elements.uids import map_ui_value, map_uid
from deid.encoding.element import DataSet, Element
from deid.encoding.reader import Limits, read_data_set
from deid.encoding.writer import write_data_set
from deid.errors import Reason, Refused
from deid.needles import Kind, Needles
from deid.text import TextRules, clean_text
from tests.factories import code, item
from tests.objects import presentation_state, structured_report

KEY = b"k" * 32
DAYS = -1000
EXPLICIT = "1.2.840.10008.1.2.1"
NEEDLES = Needles()
NEEDLES.add(Kind.NAME_PART, "Zyxwvut")
NEEDLES.add(Kind.CODE, "4711-AB")
TEXT_RULES = TextRules(NEEDLES, (), partial(map_uid, KEY), DAYS)


def rest(data_set: DataSet, parent: int) -> DataSet:
    """Do what the engine's walk does to what is no content: map UIDs, keep the rest."""
    del parent
    out = DataSet(charset=data_set.charset)
    for tag, element in data_set.elements.items():
        value = element.value
        if isinstance(value, list):
            value = [rest(item, tag) for item in value]
        elif element.vr == "UI":
            value = map_ui_value(KEY, bytes(value))
        out.elements[tag] = Element(tag, element.vr, value)
    return out


HOW = ContentRules(
    clean_text=lambda text: clean_text(text, TEXT_RULES).text,
    rest=rest,
    pseudonym="DN-ABC",
    uid_key=KEY,
    shift_days=DAYS,
)
ALL_KEPT = frozenset({"retain_device_identity", "retain_institution_identity", "retain_patient_characteristics"})


def parsed(ds: Dataset) -> DataSet:
    file = pydicom.filebase.DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    pydicom.filewriter.write_dataset(file, ds)
    return read_data_set(file.getvalue(), EXPLICIT, Limits())


def cleaned(ds: Dataset, keyword: str, how: ContentRules = HOW) -> Any:
    """Clean one Sequence of a pydicom data set and read it with pydicom again."""
    source = parsed(ds)
    tag = pydicom.datadict.tag_for_keyword(keyword)
    before = write_data_set(source, EXPLICIT)
    clean = clean_content(source.elements[tag], source, how)
    assert write_data_set(source, EXPLICIT) == before
    data = b"".join(write_data_set(DataSet({tag: clean}, source.charset), EXPLICIT))
    out = pydicom.dcmread(BytesIO(data), force=True)
    return out[tag].value


Name = tuple[str, str, str]
FINDING: Name = ("121071", "DCM", "Finding")


def sr_item(value_type: str, name: Name = FINDING, **values: object) -> Dataset:
    return item(RelationshipType="CONTAINS", ValueType=value_type, ConceptNameCodeSequence=[code(*name)], **values)


def one(
    value_type: str,
    name: Name = FINDING,
    how: ContentRules = HOW,
    **values: object,
) -> Any:
    ds = Dataset()
    ds.ContentSequence = [sr_item(value_type, name, **values)]
    return cleaned(ds, "ContentSequence", how)[0]


def test_each_value_type_is_cleaned_its_own_way() -> None:
    text = one("TEXT", TextValue="Nodule of Zyxwvut, 3 mm, 11 May 2010")
    assert text.TextValue == "Nodule of, 3 mm, 15 August 2007"
    assert one("PNAME", PersonName="Anybody^Else").PersonName == "REMOVED"
    assert one("DATE", Date="20100511").Date == "20070815"
    assert one("DATETIME", DateTime="20100511143000.5").DateTime == "20070815143000.5"
    assert one("TIME", Time="143000").Time == "143000"
    assert map_uid(KEY, "1.2.3.4") == one("UIDREF", UID="1.2.3.4").UID
    assert one("UIDREF", UID="1.2.840.10008.5.1.4.1.1.2").UID == "1.2.840.10008.5.1.4.1.1.2"
    assert one("TCOORD", ReferencedDateTime="20100511").ReferencedDateTime == "20070815"
    assert one("NUM", MeasuredValueSequence=[_measured("12.5", "mm")]).MeasuredValueSequence[0].NumericValue == 12.5


def _measured(number: str, unit: str) -> Dataset:
    return item(NumericValue=number, MeasurementUnitsCodeSequence=[code(unit, "UCUM", unit)])


def test_text_that_names_nobody_is_the_very_same_element() -> None:
    element = Element(0x0040_A160, "UT", b"Nodule, 3 mm \x00")
    assert clean_text_element(element, DataSet(), HOW.clean_text) is element


def test_text_of_which_nothing_is_left_is_a_dummy_since_it_must_not_be_empty() -> None:
    assert one("TEXT", TextValue="Zyxwvut").TextValue == "REMOVED"


def text_of(element: Element) -> object:
    clean = clean_text_element(element, DataSet(), HOW.clean_text)
    assert clean is not None
    return clean.value


def test_each_value_of_a_text_is_cleaned_by_itself() -> None:
    assert text_of(Element(0x0008_1080, "LO", b"Zyxwvut\\CT chest\\4711-AB PET")) == b"\\CT chest\\PET"


def test_a_text_that_grows_keeps_to_the_length_of_its_vr() -> None:
    element = Element(0x0008_0050, "SH", b"X 3 May 2010 ok!")
    assert text_of(element) == b"X 7 August 2007 "


def test_rather_than_a_word_the_longer_uid_goes_from_a_text_that_grows() -> None:
    text = "2.25.950230054756764621676737115851 LAT LOW DOSE abdomen"
    element = Element(0x0008_103E, "LO", text.encode())
    clean = clean_text_element(element, DataSet(), HOW.clean_text)
    assert clean is not None
    assert bytes(clean.value) == b"LAT LOW DOSE abdomen"
    alone = Element(0x0008_103E, "LO", b"2.25.950230054756764621676737115851 low")
    mapped = clean_text_element(alone, DataSet(), HOW.clean_text)
    assert mapped is not None
    assert bytes(mapped.value).rstrip().endswith(b" low")
    assert bytes(mapped.value).startswith(b"2.25.")


def test_what_follows_the_end_of_a_text_is_cut_off() -> None:
    items = [DataSet({0x0040_A160: Element(0x0040_A160, "UT", b"fine\0Somebody ")})]
    clean = clean_content(Element(0x0040_A730, "SQ", items), DataSet(), HOW)
    assert clean.value[0].elements[0x0040_A160].value == b"fine"  # type: ignore[union-attr,index]


def test_text_that_is_not_of_its_vr_or_of_which_nothing_is_left_is_none() -> None:
    for value in (b"Zyxwvut \xfc\xff", b"Zyxwvut", b"Zyxwvut\\4711-AB"):
        assert clean_text_element(Element(0x0008_1080, "LO", value), DataSet(), HOW.clean_text) is None


def test_text_in_undeclared_utf_8_that_has_to_change_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        text_of(Element(0x0040_A160, "UT", "Zyxwvut hört".encode()))
    assert refused.value.reason is Reason.UNDECODABLE_TEXT


def test_without_an_option_for_dates_there_are_dummies_and_no_observation_time() -> None:
    how = replace(HOW, shift_days=None)
    assert one("DATE", how=how, Date="20100511").Date == "20000101"
    assert one("TIME", how=how, Time="143000").Time == "000000"
    assert "ObservationDateTime" not in one("TEXT", how=how, TextValue="x", ObservationDateTime="20100511")
    assert one("TEXT", TextValue="x", ObservationDateTime="2010").ObservationDateTime == "2007"


def test_full_dates_stay() -> None:
    assert one("DATE", how=replace(HOW, shift_days=0), Date="20100511").Date == "20100511"


def test_a_date_nobody_can_read_is_a_dummy() -> None:
    items = [DataSet({0x0040_A121: Element(0x0040_A121, "DA", b"Zyxwvut")})]
    clean = clean_content(Element(0x0040_A730, "SQ", items), DataSet(), HOW)
    assert clean.value[0].elements[0x0040_A121].value == b"20000101"  # type: ignore[union-attr,index]


def test_subject_is_the_pseudonym_and_the_birth_date_nobodys() -> None:
    assert one("PNAME", ("121029", "DCM", "Subject Name"), PersonName="Zyxwvut^A").PersonName == "DN-ABC"
    assert one("TEXT", ("121030", "DCM", "Subject ID"), TextValue="4711-AB").TextValue == "DN-ABC"
    full = replace(HOW, shift_days=0)
    assert one("DATE", ("121031", "DCM", "Subject Birth Date"), full, Date="19310517").Date == "20000101"


SERIAL = ("121016", "DCM", "Device Observer Serial Number")
ORGANIZATION = ("121009", "DCM", "Person Observer's Organization Name")


@pytest.mark.parametrize("name", [SERIAL, ORGANIZATION])
def test_what_an_option_keeps_is_a_dummy_without_it(name: tuple[str, str, str]) -> None:
    assert one("TEXT", name, TextValue="SN 0815").TextValue == "REMOVED"
    assert one("TEXT", name, replace(HOW, options=ALL_KEPT), TextValue="SN 0815").TextValue == "SN 0815"


@pytest.mark.parametrize(
    ("options", "is_kept"), [(ALL_KEPT - {"retain_uids"}, False), (frozenset({"retain_uids"}), True)]
)
def test_device_observer_uid_is_mapped_as_any_uid(options: frozenset[str], is_kept: bool) -> None:
    name = ("121012", "DCM", "Device Observer UID")
    new = "1.2.3.4" if is_kept else map_uid(KEY, "1.2.3.4")
    found = one("UIDREF", name, replace(HOW, options=options), UID="1.2.3.4").UID
    assert found == new


AGE = ("121033", "DCM", "Subject Age")


@pytest.mark.parametrize(
    ("number", "unit", "left"),
    [("89", "a", 89), ("89.9", "a", 89.9), ("90", "a", 90), ("97", "a", 90), ("1200", "mo", 1080), ("300", "mo", 300)],
)
def test_age_over_89_is_capped_in_its_own_unit(number: str, unit: str, left: float) -> None:
    how = replace(HOW, options=ALL_KEPT)
    measured = one("NUM", AGE, how, MeasuredValueSequence=[_measured(number, unit)]).MeasuredValueSequence[0]
    assert measured.NumericValue == left


def test_capped_age_has_no_second_and_preciser_number() -> None:
    value = _measured("97", "a")
    value.FloatingPointValue = 97.25
    kept = one("NUM", AGE, replace(HOW, options=ALL_KEPT), MeasuredValueSequence=[value]).MeasuredValueSequence[0]
    assert "FloatingPointValue" not in kept


def test_characteristics_are_empty_or_unknown_without_their_option() -> None:
    assert not one("NUM", AGE, MeasuredValueSequence=[_measured("45", "a")]).MeasuredValueSequence
    sex = one("CODE", ("121032", "DCM", "Subject Sex"), ConceptCodeSequence=[code("M", "DCM", "Male")])
    assert sex.ConceptCodeSequence[0].CodeValue == "121103"


def test_public_codes_stay_and_words_of_local_ones_are_cleaned() -> None:
    public = one("CODE", ConceptCodeSequence=[code("39607008", "SCT", "Lung")]).ConceptCodeSequence[0]
    assert (public.CodeValue, public.CodeMeaning) == ("39607008", "Lung")
    local = one("CODE", ConceptCodeSequence=[code("X1", "99OST", "seen by Zyxwvut")]).ConceptCodeSequence[0]
    assert (local.CodeValue, local.CodeMeaning) == ("X1", "seen by")
    named = one("TEXT", ("X2", "99OST", "Note on Zyxwvut"), TextValue="fine")
    assert named.ConceptNameCodeSequence[0].CodeMeaning == "Note on"


def test_a_person_given_by_a_local_code_is_a_dummy() -> None:
    person = one("CODE", ("121081", "DCM", "Physician"), ConceptCodeSequence=[code("DR7", "99OST", "Dr. Zyxwvut")])
    assert person.ConceptCodeSequence[0].CodeMeaning == "REMOVED"


def test_number_that_is_none_is_a_dummy() -> None:
    element = Element(0x0040_A30A, "DS", b"Zyxwvut")
    ds = DataSet({0x0040_A730: Element(0x0040_A730, "SQ", [DataSet({0x0040_A30A: element})])})
    clean = clean_content(ds.elements[0x0040_A730], ds, HOW)
    assert clean.value[0].elements[0x0040_A30A].value == b"0"  # type: ignore[union-attr,index]


def test_text_in_a_binary_vr_is_a_dummy() -> None:
    items = [DataSet({0x0040_A160: Element(0x0040_A160, "UN", b"Zyxwvut")})]
    clean = clean_content(Element(0x0040_A730, "SQ", items), DataSet(), HOW)
    element = clean.value[0].elements[0x0040_A160]  # type: ignore[union-attr,index]
    assert (element.vr, element.value) == ("UT", b"REMOVED")


def _shape(items: Any) -> list[Any]:
    return [(part.get("ValueType"), _shape(part.get("ContentSequence", []))) for part in items]


def test_the_tree_keeps_its_form_so_that_items_are_found_by_position() -> None:
    ds = structured_report(depth=6)
    clean = cleaned(ds, "ContentSequence")
    assert _shape(clean) == _shape(ds.ContentSequence)
    reference = item(RelationshipType="SELECTED FROM", ReferencedContentItemIdentifier=[1, 3, 1])
    ds.ContentSequence[2].ContentSequence.append(reference)
    again = cleaned(ds, "ContentSequence")
    assert again[2].ContentSequence[-1].ReferencedContentItemIdentifier == [1, 3, 1]


def test_whole_report_names_nobody_and_its_images_are_mapped() -> None:
    ds = structured_report()
    birth_date = ds.ContentSequence[1].Date
    clean = cleaned(ds, "ContentSequence")
    assert clean[0].PersonName == "REMOVED"
    assert clean[1].Date not in {birth_date, shift_da(birth_date, DAYS)}
    deepest, original = clean[2], ds.ContentSequence[2]
    while "ReferencedSOPSequence" not in deepest:
        deepest, original = deepest.ContentSequence[-1], original.ContentSequence[-1]
    was = original.ReferencedSOPSequence[0]
    now = deepest.ReferencedSOPSequence[0]
    assert now.ReferencedSOPInstanceUID == map_uid(KEY, was.ReferencedSOPInstanceUID)
    assert now.ReferencedSOPClassUID == was.ReferencedSOPClassUID


def test_graphics_stay_and_their_texts_are_cleaned() -> None:
    ds = presentation_state()
    graphic = ds.GraphicAnnotationSequence[0]
    graphic.TextObjectSequence[0].UnformattedTextValue = "4711-AB 12 mm"
    graphic.TextObjectSequence.append(item(UnformattedTextValue="Zyxwvut"))
    ticks = [item(TickPosition=0.5, TickLabel="Zyxwvut 5")]
    graphic.CompoundGraphicSequence = [item(UnformattedTextValue="Zyxwvut 7 mm", MajorTicksSequence=ticks)]
    clean = cleaned(ds, "GraphicAnnotationSequence")[0]
    assert [text.UnformattedTextValue for text in clean.TextObjectSequence] == ["12 mm", "REMOVED"]
    assert clean.GraphicObjectSequence[0].GraphicData == graphic.GraphicObjectSequence[0].GraphicData
    compound = clean.CompoundGraphicSequence[0]
    assert (compound.UnformattedTextValue, compound.MajorTicksSequence[0].TickLabel) == ("7 mm", "5")


def test_waveform_annotation_is_cleaned() -> None:
    ds = Dataset()
    ds.WaveformAnnotationSequence = [item(UnformattedTextValue="Zyxwvut sinus rhythm", AnnotationGroupNumber=1)]
    clean = cleaned(ds, "WaveformAnnotationSequence")[0]
    assert (clean.UnformattedTextValue, clean.AnnotationGroupNumber) == ("sinus rhythm", 1)


def test_specimen_preparation_is_cleaned_step_by_step() -> None:
    steps = [
        sr_item("TEXT", ("121041", "DCM", "Specimen Identifier"), TextValue="S-10-4711"),
        sr_item(
            "CODE", ("111701", "DCM", "Processing type"), ConceptCodeSequence=[code("65801008", "SCT", "Excision")]
        ),
        sr_item("DATETIME", ("111702", "DCM", "DateTime of processing"), DateTime="20100511"),
    ]
    ds = Dataset()
    ds.SpecimenPreparationSequence = [item(SpecimenPreparationStepContentItemSequence=steps)]
    identifier, kind, when = cleaned(ds, "SpecimenPreparationSequence")[0].SpecimenPreparationStepContentItemSequence
    assert identifier.TextValue == "REMOVED"
    assert kind.ConceptCodeSequence[0].CodeMeaning == "Excision"
    assert when.DateTime == "20070815"


def test_acquisition_context_is_cleaned() -> None:
    ds = Dataset()
    ds.AcquisitionContextSequence = [
        item(ValueType="NUMERIC", ConceptNameCodeSequence=[code(*AGE)], NumericValue="97"),
        item(ValueType="TEXT", ConceptNameCodeSequence=[code("X", "99OST", "Note")], TextValue="for Zyxwvut, rest"),
    ]
    age, note = cleaned(ds, "AcquisitionContextSequence", replace(HOW, options=ALL_KEPT))
    assert age.NumericValue == 90
    assert note.TextValue == "for, rest"


def test_what_is_no_content_is_refused() -> None:
    assert 0x0040_A730 in CONTENT_TAGS
    for element in (Element(0x0008_1140, "SQ", []), Element(0x0040_A730, "UN", b"x")):
        with pytest.raises(Refused):
            clean_content(element, DataSet(), HOW)


def test_concepts_are_those_of_the_standard() -> None:
    from pydicom.sr._concepts_dict import concepts

    meanings = {
        (scheme, value): meaning
        for scheme, names in concepts.items()
        for codes in names.values()
        for value, (meaning, _) in codes.items()
    }
    dcm = [concept for concept in CONCEPTS if concept.scheme == "DCM"]
    assert all(meanings[concept.scheme, concept.value] == concept.meaning for concept in dcm)
    assert len({(concept.scheme, concept.value) for concept in CONCEPTS}) == len(CONCEPTS)
    assert all(concept.treatment is not Treatment.BY_TYPE for concept in CONCEPTS)

from __future__ import annotations

import re
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from deid.context import Context
from deid.elements.dates import shift_da, shift_days
from deid.elements.pseudonyms import subject_of
from deid.encoding.element import DataSet, Element
from deid.engine import Instance, deidentify, explain
from deid.errors import Reason, Refused
from deid.identity import KeyedIdentity, NewIdentity, Subject, check_chosen, unmapped
from deid.keys import Keys
from deid.profile import Profile
from tests import factories

KEYS = Keys.from_secret(b"k" * 32)


def pseudonym(**values: str) -> str:
    tags = {
        "patient_id": 0x0010_0020,
        "issuer": 0x0010_0021,
        "name": 0x0010_0010,
        "birth_date": 0x0010_0030,
        "study": 0x0020_000D,
    }
    elements = {tags[name]: Element(tags[name], "LO", value.encode()) for name, value in values.items()}
    return KeyedIdentity().assign(subject_of(DataSet(elements)), KEYS).pseudonym


def test_same_patient_id_has_the_same_pseudonym_whatever_the_name() -> None:
    assert pseudonym(patient_id="4711", name="Doe^Jane") == pseudonym(patient_id="4711 ", name="DOE^J")


def test_a_device_that_sends_no_issuer_does_not_split_the_patient() -> None:
    assert pseudonym(patient_id="4711", issuer="North") == pseudonym(patient_id="4711")


def test_without_an_id_name_and_birth_date_tell_patients_apart() -> None:
    assert pseudonym(name="Doe^Jane", birth_date="19700101") == pseudonym(name="DOE^JANE", birth_date="19700101")
    assert pseudonym(name="Doe^Jane", birth_date="19700101") != pseudonym(name="Doe^Jane", birth_date="19700102")


def test_without_any_identity_the_study_is_the_patient() -> None:
    assert pseudonym(name="^^", study="1.2.3") == pseudonym(study="1.2.3")
    assert pseudonym(study="1.2.3") != pseudonym(study="1.2.4")


def test_an_id_and_a_name_of_the_same_letters_are_not_the_same_patient() -> None:
    assert pseudonym(patient_id="doe") != pseudonym(name="doe")


def test_pseudonym_depends_on_the_key_and_fits_the_vr() -> None:
    subject = Subject(patient_id="4711")
    one = KeyedIdentity().assign(subject, KEYS)
    other = KeyedIdentity().assign(subject, Keys.from_secret(b"x" * 32))

    assert one.pseudonym != other.pseudonym
    assert one.shift_days != other.shift_days
    assert len(one.pseudonym) <= 64
    assert one.pseudonym.isascii()


def test_one_id_of_two_issuers_is_two_patients_only_where_that_is_asked_for() -> None:
    north, south = Subject(patient_id="4711", issuer="North"), Subject(patient_id="4711", issuer="South")
    apart = KeyedIdentity(tell_issuers_apart=True)

    assert KeyedIdentity().assign(north, KEYS) == KeyedIdentity().assign(south, KEYS)
    assert apart.assign(north, KEYS).pseudonym != apart.assign(south, KEYS).pseudonym
    assert apart.assign(Subject(patient_id="4711"), KEYS) == KeyedIdentity().assign(north, KEYS)


def test_no_other_pair_of_id_and_issuer_is_the_same_patient() -> None:
    apart = KeyedIdentity(tell_issuers_apart=True)
    pairs = [("a", "b\x1fc"), ("a\x1fb", "c"), ("1\x1fa", "b"), ("a", "b")]
    pseudonyms = {apart.assign(Subject(patient_id=one, issuer=two), KEYS).pseudonym for one, two in pairs}
    assert len(pseudonyms) == len(pairs)


class Chosen:
    """An identity that people chose: the same for everybody."""

    def __init__(self, new: NewIdentity) -> None:
        self.new = new

    def assign(self, subject: Subject, keys: Keys) -> NewIdentity:
        del subject, keys
        return self.new


LONGITUDINAL = Profile.from_options("longitudinal", ("retain_long_modified_dates",))


def cleaned(raw: Dataset, new: NewIdentity, profile: Profile = LONGITUDINAL) -> Dataset:
    instance = Instance("1.2.840.10008.1.2.1", factories.data_set_bytes(raw))
    clean = deidentify(instance, Context(profile, KEYS, identity=Chosen(new))).clean
    return dcmread(BytesIO(b"".join(clean.part10())))


def test_pseudonym_shift_and_accession_number_of_an_identity_are_used() -> None:
    raw = factories.ct()
    clean = cleaned(raw, NewIdentity("TRIAL-7", -100, "NEW-1"))

    assert (clean.PatientID, str(clean.PatientName)) == ("TRIAL-7", "TRIAL-7")
    assert clean.AccessionNumber == "NEW-1"
    assert clean.StudyDate == shift_da(raw.StudyDate, -100)


def test_without_a_shift_of_its_own_a_pseudonym_gives_one_to_all_ids_of_a_patient() -> None:
    one, other = factories.ct(), factories.update(factories.ct(), PatientID="OTHER-NUMBER-9")
    shifted = {cleaned(raw, NewIdentity("TRIAL-7")).StudyDate for raw in (one, other)}

    assert shifted == {shift_da(one.StudyDate, shift_days(KEYS.date, "pseudonym\x1fTRIAL-7"))}


def test_without_a_new_accession_number_the_rule_says_what_becomes_of_it() -> None:
    raw = factories.ct()
    assert cleaned(raw, NewIdentity("TRIAL-7")).AccessionNumber == ""


@pytest.mark.parametrize("action", ["X", "Z", "D", "K"])
def test_the_new_accession_number_wins_over_the_rule(action: str) -> None:
    profile = Profile.from_options("own", ("retain_long_modified_dates",), {"AccessionNumber": action})
    clean = cleaned(factories.ct(), NewIdentity("TRIAL-7", -100, "NEW-1"), profile)
    assert clean.AccessionNumber == "NEW-1"


def test_items_that_repeat_the_accession_number_get_the_new_one_and_other_requests_do_not() -> None:
    raw = factories.ct()
    same = factories.item(AccessionNumber=raw.AccessionNumber, RequestedProcedureID="RP-1")
    foreign = factories.item(AccessionNumber="QUITE-OTHER", RequestedProcedureID="RP-2")
    raw.RequestAttributesSequence = [same, foreign]
    profile = Profile.from_options("own", (), {"RequestAttributesSequence": "K"})
    first, second = cleaned(raw, NewIdentity("TRIAL-7", -100, "NEW-1"), profile).RequestAttributesSequence

    assert first.AccessionNumber == "NEW-1"
    assert second.AccessionNumber == ""
    assert [element.tag for element in first] == sorted(element.tag for element in first)


def test_an_instance_without_an_accession_number_gets_none() -> None:
    raw = factories.ct()
    del raw.AccessionNumber
    assert "AccessionNumber" not in cleaned(raw, NewIdentity("TRIAL-7", -100, "NEW-1"))


def test_explain_says_that_the_crosswalk_gave_the_accession_number() -> None:
    instance = Instance("1.2.840.10008.1.2.1", factories.data_set_bytes(factories.ct()))
    identity = Chosen(NewIdentity("TRIAL-7", -100, "NEW-1"))
    (finding,) = [
        finding
        for finding in explain(instance, Context(LONGITUDINAL, KEYS, identity=identity))
        if finding.path == (0x0008_0050,)
    ]
    assert (finding.action, finding.source) == ("D", "crosswalk")


@pytest.mark.parametrize(
    "new",
    [
        NewIdentity("MRN-4471902", is_chosen=True),
        NewIdentity("mrn4471902", is_chosen=True),
        NewIdentity("P_4471902_MRN 4471902", is_chosen=True),
        NewIdentity("Odalys-1", is_chosen=True),
        NewIdentity("BRACKENRIDGE", is_chosen=True),
        NewIdentity("P19610317", is_chosen=True),
        NewIdentity("P-1", accession_number="ACC00100541", is_chosen=True),
        NewIdentity("ACC00100541", is_chosen=True),
    ],
)
def test_a_chosen_code_that_holds_what_it_replaces_is_refused(new: NewIdentity) -> None:
    subject = Subject("MRN-4471902", "", "Brackenridge^Odalys^Wren", "19610317", "1.2", "ACC00100541")
    with pytest.raises(Refused) as refused:
        check_chosen(new, subject)
    assert refused.value.reason is Reason.IDENTIFIER_LEFT
    assert not re.search("4471902|odalys|brackenridge|19610317|541", str(refused.value), re.IGNORECASE)


@pytest.mark.parametrize("pseudonym", ["TRIAL-1001", "P-7", "WREN-LI", "DN-AAAA"])
def test_a_chosen_code_that_only_looks_a_little_alike_is_taken(pseudonym: str) -> None:
    check_chosen(NewIdentity(pseudonym, is_chosen=True), Subject("1001", "", "Li^An", "", "1.2", "77"))


def test_what_waits_for_the_same_mapping_has_the_same_code_and_the_code_says_nothing() -> None:
    subject = Subject("MRN-4471902", "North", "Brackenridge^Odalys", "19610317", "1.2", "ACC1")
    other_study = Subject("MRN-4471902", "North", "Brackenridge^Odalys", "19610317", "1.3", "ACC2")
    refused = unmapped(subject, KEYS)

    assert refused.reason is Reason.UNMAPPED_PATIENT
    assert re.fullmatch("[0-9a-f]{16}", refused.detail)
    assert unmapped(subject, KEYS).detail == refused.detail
    assert unmapped(other_study, KEYS).detail != refused.detail
    assert unmapped(subject, Keys.from_secret(b"x" * 32)).detail != refused.detail


def test_a_study_of_mixed_patient_ids_stays_one_study_and_each_instance_has_its_own_patient() -> None:
    one = factories.ct(seed=1)
    other = factories.update(factories.ct(seed=2), PatientID="OTHER-NUMBER-9")
    context = Context(LONGITUDINAL, KEYS)
    outs = []
    for raw in (one, other):
        instance = Instance("1.2.840.10008.1.2.1", factories.data_set_bytes(raw))
        outs.append(dcmread(BytesIO(b"".join(deidentify(instance, context).clean.part10()))))

    assert outs[0].StudyInstanceUID == outs[1].StudyInstanceUID != one.StudyInstanceUID
    assert outs[0].PatientID != outs[1].PatientID


def test_neither_subject_nor_patient_shows_itself() -> None:
    assert "4711" not in repr(Subject(patient_id="4711"))

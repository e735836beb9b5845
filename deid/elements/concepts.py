"""Concepts whose values identify somebody, wherever a content item has them (PS3.16 Annexes A and D, SNOMED CT, LOINC).

PS3.15 Section E.3.4 leaves to the implementation which content items are to be cleaned; this table is that decision.
What is not in it is decided by its value type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Treatment(Enum):
    """What happens to the value of a content item."""

    BY_TYPE = "as its value type says: texts cleaned, dates moved, UIDs mapped, names replaced, numbers kept"
    PATIENT = "the pseudonym stands for it"
    DUMMY = "a dummy stands for it"
    BIRTH_DATE = "a dummy, whatever is done to other dates: Table E.1-1 has no option for Patient's Birth Date"
    DEVICE = "kept with the Retain Device Identity Option, else a dummy"
    INSTITUTION = "kept with the Retain Institution Identity Option, else a dummy"
    CHARACTERISTIC = "kept with the Retain Patient Characteristics Option, else empty or unknown"
    AGE = "as CHARACTERISTIC, and at most 90 years"


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept name and what is done to its value.

    Attributes
    ----------
    scheme, value
        Coding Scheme Designator and Code Value
    meaning
        Code Meaning
    treatment
        what is done
    source
        the template of PS3.16 that has it, or the vocabulary that defines it
    """

    scheme: str
    value: str
    meaning: str
    treatment: Treatment
    source: str


def _rows(treatment: Treatment, source: str, text: str, scheme: str = "DCM") -> tuple[Concept, ...]:
    rows = (line.strip().split(" ", 1) for line in text.strip().splitlines())
    return tuple(Concept(scheme, value, meaning, treatment, source) for value, meaning in rows)


CONCEPTS: tuple[Concept, ...] = (
    *_rows(
        Treatment.PATIENT,
        "TID 1007 Subject Context, Patient",
        """
        121029 Subject Name
        121030 Subject ID
        """,
    ),
    *_rows(Treatment.BIRTH_DATE, "TID 1007 Subject Context, Patient", "121031 Subject Birth Date"),
    *_rows(
        Treatment.CHARACTERISTIC,
        "TID 1007 Subject Context, Patient",
        """
        121032 Subject Sex
        """,
    ),
    *_rows(Treatment.AGE, "TID 1007 Subject Context, Patient", "121033 Subject Age"),
    *_rows(Treatment.DUMMY, "TID 1008 Subject Context, Fetus", "121036 Mother of fetus"),
    *_rows(
        Treatment.DUMMY,
        "TID 1003 Person Observer Identifying Attributes",
        """
        121008 Person Observer Name
        128774 Person Observer's Login Name
        128775 Identifier within Person Observer's Role
        """,
    ),
    *_rows(
        Treatment.INSTITUTION,
        "TID 1003 Person Observer Identifying Attributes",
        "121009 Person Observer's Organization Name",
    ),
    *_rows(
        Treatment.DEVICE,
        "TID 1004 Device Observer Identifying Attributes",
        """
        121012 Device Observer UID
        121013 Device Observer Name
        121016 Device Observer Serial Number
        """,
    ),
    *_rows(
        Treatment.INSTITUTION,
        "TID 1004 Device Observer Identifying Attributes",
        "121017 Device Observer Physical Location During Observation",
    ),
    *_rows(
        Treatment.DUMMY,
        "TID 1005 Procedure Study Context",
        """
        121020 Placer Number
        121021 Filler Number
        121022 Accession Number
        """,
    ),
    *_rows(
        Treatment.DUMMY,
        "TID 1009 Subject Context, Specimen",
        """
        121041 Specimen Identifier
        111700 Specimen Container Identifier
        """,
    ),
    *_rows(
        Treatment.DUMMY,
        "PS3.16 Annex D",
        """
        121040 Specimen Accession Number
        121043 Slide Identifier
        111705 Parent Specimen Identifier
        111706 Issuer of Parent Specimen Identifier
        111724 Issuer of Specimen Identifier
        """,
    ),
    *_rows(
        Treatment.DEVICE,
        "TID 1010 Subject Context, Device",
        """
        121193 Device Subject Name
        121196 Device Subject Serial Number
        121198 Device Subject UID
        """,
    ),
    *_rows(
        Treatment.INSTITUTION,
        "TID 1010 Subject Context, Device",
        "121197 Device Subject Physical Location during observation",
    ),
    *_rows(
        Treatment.DUMMY,
        "TID 1020 Person Participant",
        """
        113870 Person Name
        113871 Person ID
        113872 Person ID Issuer
        """,
    ),
    *_rows(Treatment.INSTITUTION, "TID 1020 Person Participant", "113873 Organization Name"),
    *_rows(
        Treatment.DEVICE,
        "TID 1021 Device Participant",
        """
        113877 Device Name
        113880 Device Serial Number
        121148 Unit Serial Identifier
        """,
    ),
    *_rows(
        Treatment.DUMMY,
        "PS3.16 Annex D",
        """
        121081 Physician
        121095 Referring
        121114 Performing Physician
        121152 Person administering drug/contrast
        121434 Service Delivery Location
        121435 Service Performer
        """,
    ),
    *_rows(
        Treatment.INSTITUTION,
        "PS3.16 Annex D",
        "121121 Room identification",
    ),
    *_rows(
        Treatment.DUMMY,
        "PS3.16 Annex D",
        """
        113511 Radiopharmaceutical Dispense Unit Identifier
        113516 Prescription Identifier
        """,
    ),
    # Templates of patient characteristics, as TID 3602, take these from vocabularies beside DCM.
    *_rows(
        Treatment.AGE,
        "SNOMED CT",
        """
        397669002 Age
        424144002 Current chronological age
        """,
        "SCT",
    ),
    *_rows(Treatment.AGE, "LOINC", "30525-0 Age", "LN"),
    *_rows(
        Treatment.CHARACTERISTIC,
        "SNOMED CT",
        """
        50373000 Body height
        27113001 Body weight
        60621009 Body mass index
        301898006 Body surface area
        """,
        "SCT",
    ),
    *_rows(
        Treatment.CHARACTERISTIC,
        "LOINC",
        """
        8302-2 Patient Height
        29463-7 Patient Weight
        8277-6 Body Surface Area
        39156-5 Body Mass Index
        """,
        "LN",
    ),
    *_rows(Treatment.BIRTH_DATE, "LOINC", "21112-8 Birth date", "LN"),
)

TREATMENT: Mapping[tuple[str, str], Treatment] = {
    (concept.scheme, concept.value): concept.treatment for concept in CONCEPTS
}
"""Scheme and code value → what is done."""

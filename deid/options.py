"""The options of the Basic Profile (PS3.15 Section E.3) and the codes that say they were applied (PS3.16 CID 7050)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deid.actions import Action


@dataclass(frozen=True, slots=True)
class Code:
    """A code of CID 7050 De-identification Method (PS3.16); its scheme is DCM."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the Basic Profile (PS3.15 Section E.3).

    Attributes
    ----------
    code
        what De-identification Method Code Sequence says where the option was applied
    demand
        the step beyond the elements' table that the option can't be claimed without, empty if there is none
    """

    code: Code
    demand: str = ""


BASIC_PROFILE = Code("113100", "Basic Application Confidentiality Profile")

OPTIONS: Mapping[str, Option] = {
    "clean_pixel_data": Option(Code("113101", "Clean Pixel Data Option"), "pixels"),
    "clean_recognizable_visual_features": Option(Code("113102", "Clean Recognizable Visual Features Option"), "faces"),
    "clean_graphics": Option(Code("113103", "Clean Graphics Option"), "graphics"),
    "clean_structured_content": Option(Code("113104", "Clean Structured Content Option"), "structured_content"),
    "clean_descriptors": Option(Code("113105", "Clean Descriptors Option"), "text"),
    "retain_long_full_dates": Option(
        Code("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    ),
    "retain_long_modified_dates": Option(
        Code("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ),
    "retain_patient_characteristics": Option(Code("113108", "Retain Patient Characteristics Option")),
    "retain_device_identity": Option(Code("113109", "Retain Device Identity Option")),
    "retain_uids": Option(Code("113110", "Retain UIDs Option")),
    "retain_safe_private": Option(Code("113111", "Retain Safe Private Option")),
    "retain_institution_identity": Option(Code("113112", "Retain Institution Identity Option")),
}

DATES: Mapping[str, Action] = {"retain_long_full_dates": Action.K, "retain_long_modified_dates": Action.C}
"""What the options for dates do to a date; they exclude each other."""

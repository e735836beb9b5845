"""What an instance is called once it is clean: also of one that is refused, or that waits for its series."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.elements.pseudonyms import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    subject_of,
    value_text,
)
from deid.elements.uids import new_uid
from deid.encoding.reader import read_data_set
from deid.errors import Refused
from deid.identity import check_chosen

if TYPE_CHECKING:
    from deid.context import Context
    from deid.instance import CleanInstance, Instance

_UID = re.compile(r"(?=.{1,64}$)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+")  # PS3.5 Section 9.1


@dataclass(frozen=True, slots=True)
class Names:
    """The new Patient ID and UIDs of an instance; none of them is of its sender."""

    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def names_of_clean(clean: CleanInstance) -> Names:
    """Give the names of an instance that may leave."""
    return Names(clean.patient_id, clean.study_instance_uid, clean.series_instance_uid, clean.sop_instance_uid)


def names_of(instance: Instance, context: Context) -> Names | None:
    """Give the names that an instance would have; None if it doesn't say who or what it is, or nobody knows who.

    Profiles that let UIDs stay have them here too: who is refused has no new ones then, and None is given.
    """
    if "retain_uids" in context.profile.options:
        return None
    try:
        source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
        subject = subject_of(source)
        new = context.identity.assign(subject, context.keys)
        check_chosen(new, subject)
    except Refused:
        return None
    old = [value_text(source, tag) for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)]
    if not all(_UID.fullmatch(uid) for uid in old):
        return None
    study, series, sop = (new_uid(context.keys.uid, uid) for uid in old)
    return Names(new.pseudonym, study, series, sop)

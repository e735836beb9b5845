"""Texts that come without an instance, cleaned as if they stood in one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydicom.datadict import dictionary_VR, tag_for_keyword

from deid.context import Context
from deid.elements.pseudonyms import PATIENT_ID, PATIENT_NAME, subject_of
from deid.elements.uids import map_uid
from deid.encoding.element import DataSet, Element
from deid.errors import Misconfigured
from deid.identifiers import harvest
from deid.identity import shift_of
from deid.text import TextRules
from deid.texts import TextClass, text_class

_OTHER_PATIENT_IDS = 0x0010_1000


def text_rules(context: Context, names: Sequence[str] = (), ids: Sequence[str] = ()) -> TextRules:
    """Return what is known of a patient, and what is done to texts about them.

    Parameters
    ----------
    context
        as for an instance
    names, ids
        Patient's Names and Patient IDs; the first ID is the one that dates move by. Without any, dates that would be
        moved are taken out: there is nobody whose dates they could stay with

    Raises
    ------
    Misconfigured
        The profile has texts read by a network, and that is missing or altered.
    Refused
        The identities know no such patient.
    """
    source = _data_set(names, ids)
    options = context.profile.options
    shift: int | None = 0 if "retain_long_full_dates" in options else None
    if source.elements and "retain_long_modified_dates" in options:
        shift = shift_of(context.identity.assign(subject_of(source), context.keys), context.keys)
    found = harvest(source, lambda _tag, _vr, _parent: False)
    map_text_uid = str if "retain_uids" in options else partial(map_uid, context.keys.uid)
    return TextRules(found.needles, found.dates, map_text_uid, shift, ner=context.ner())


def class_named(name: str) -> TextClass:
    """Return the class of the texts of an attribute, given by its keyword; or the class itself, given by its name.

    Raises
    ------
    Misconfigured
        There is none.
    """
    if name in set(TextClass):
        return TextClass(name)
    tag = tag_for_keyword(name)
    if tag is None:
        raise Misconfigured(
            f"no attribute has the keyword {name!r}, and no class of texts is called so; "
            f"give a keyword such as StudyDescription, or one of {', '.join(TextClass)}"
        )
    return text_class(tag, dictionary_VR(tag))


def _data_set(names: Sequence[str], ids: Sequence[str]) -> DataSet:
    values = {
        PATIENT_NAME: ("PN", "\\".join(names)),
        PATIENT_ID: ("LO", "".join(ids[:1])),
        _OTHER_PATIENT_IDS: ("LO", "\\".join(ids[1:])),
    }
    elements = {
        tag: Element(tag, vr, value.encode("utf-8", "surrogateescape")) for tag, (vr, value) in values.items() if value
    }
    return DataSet(elements, ("ISO_IR 192",))

"""Which instances can hold a part of a face that the whole series would show."""

from __future__ import annotations

from deid.encoding.element import DataSet
from deid.errors import Reason, Refused

_STORAGE = "1.2.840.10008.5.1.4.1.1."
CT, MR, PT = "CT", "MR", "PT"
MODALITIES = {
    **dict.fromkeys((f"{_STORAGE}2", f"{_STORAGE}2.1", f"{_STORAGE}2.2"), CT),
    **dict.fromkeys((f"{_STORAGE}4", f"{_STORAGE}4.1", f"{_STORAGE}4.4"), MR),
    **dict.fromkeys((f"{_STORAGE}128", f"{_STORAGE}130", f"{_STORAGE}128.1"), PT),
}
"""SOP Class UID of slices and volumes, as they are, enhanced and legacy converted (PS3.4 Annex B) → what made them."""

_OTHER_VOLUMES = frozenset(f"{_STORAGE}{number}" for number in ("4.3", "13.1.1", "13.1.2"))
"""Enhanced MR Color, X-Ray 3D Angiographic and X-Ray 3D Craniofacial: heads that nothing here knows how to look at."""

_SHOW_HEADS = frozenset({CT, MR, PT, "NM"})
"""Modalities whose other images, such as renders and screens of heads, can't be looked at either."""

_MODALITY = 0x0008_0060
_PIXELS = (0x7FE0_0010, 0x7FE0_0008, 0x7FE0_0009)
_SERIES_INSTANCE_UID = 0x0020_000E


def series_of(source: DataSet, sop_class_uid: str) -> str | None:
    """Return the series that has to be known before this instance can be told to show no face.

    What the header says of body part or protocol doesn't count: it may be silent, or wrong. What can't be told to show
    no face is refused: a render of a head from a scanner is a Secondary Capture of its Modality.

    Parameters
    ----------
    source
        the instance as it came
    sop_class_uid
        its SOP Class

    Returns
    -------
    str
        its Series Instance UID; None if no series is needed, as it is no slice or volume that could be part of a head

    Raises
    ------
    Refused
        STEP_UNAVAILABLE, for a volume of a kind that can't be looked at, and any other image of a Modality that shows
        heads; MISSING_UID, for a slice without series
    """
    if not any(_has_value(source, tag) for tag in _PIXELS):
        return None
    if sop_class_uid not in MODALITIES:
        if sop_class_uid in _OTHER_VOLUMES or _text(source, _MODALITY) in _SHOW_HEADS:
            raise Refused(Reason.STEP_UNAVAILABLE, "faces")
        return None
    uid = _text(source, _SERIES_INSTANCE_UID)
    if not uid:
        raise Refused(Reason.MISSING_UID, "(0020,000E)")
    return uid


def _text(source: DataSet, tag: int) -> str:
    element = source.elements.get(tag)
    raw = bytes(element.value) if element is not None and isinstance(element.value, bytes | memoryview) else b""
    return raw.decode("latin-1").strip(" \0")


def _has_value(source: DataSet, tag: int) -> bool:
    element = source.elements.get(tag)
    if element is None:
        return False
    return not isinstance(element.value, bytes | memoryview) or len(element.value) > 0

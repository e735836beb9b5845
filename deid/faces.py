"""Faces of whole series: which instances need a plan, how it is made from them, and how it is applied to each.

`deid.deface` knows volumes, `deid.pixels` frames; neither knows the other, and here they meet.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.context import Context
from deid.deface.candidates import MODALITIES, series_of
from deid.deface.geometry import headers
from deid.deface.plan import FacePlan
from deid.deface.planning import Planner
from deid.deface.volume import Gathering
from deid.elements.pseudonyms import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, value_text
from deid.encoding.element import DataSet
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.errors import Reason, Refused
from deid.instance import Instance
from deid.pixels.background import stored_values
from deid.pixels.format import Format
from deid.pixels.frames import rebuild_pixel_data
from deid.pixels.replace import write_values
from deid.pixels.stored import Frames

__all__ = ["FacePlan", "add_frames", "deface", "plan_series", "series_code_of"]

_SOP_CLASS_UID = 0x0008_0016
_FRAMES_OF_SERIES = "frames of another series"
_CODE_BYTES = 16
_PURPOSE = b"face series "


def series_code(source: DataSet, sop_class_uid: str, context: Context) -> str | None:
    """Return the code of the series whose plan an instance needs; None if it needs none.

    Raises
    ------
    Refused
        As `deid.deface.candidates.series_of`.
    """
    if context.profile.faces is None:
        return None
    uid = series_of(source, sop_class_uid)
    if uid is None:
        return None
    code = hmac.digest(context.keys.uid, _PURPOSE + uid.encode("latin-1"), hashlib.sha256)
    return code[:_CODE_BYTES].hex()


def series_code_of(instance: Instance, context: Context) -> str | None:
    """Return the code of the series whose plan an instance needs: 32 hexadecimal digits; None if it needs none.

    Raises
    ------
    Refused
        If the instance can't be read, or would need a plan that can't be made.
    """
    source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    return series_code(source, value_text(source, _SOP_CLASS_UID), context)


def plan_series(instances: Iterable[Instance], context: Context) -> FacePlan:
    """Find out what has to be done to the faces of a series.

    Each instance is read once, in any order, and none is held; equal instances in any order give equal plans.

    Parameters
    ----------
    instances
        all there are of one series
    context
        whose profile has the option ``clean_recognizable_visual_features``

    Raises
    ------
    Refused
        FACE_SERIES_UNFIT, if they are no volume and the profile keeps such series back, or not of one series;
        FACE_LEFT, if a face could be seen after all; whatever else an instance that can't be read or decoded is
        refused for
    """
    rules = context.profile.faces
    assert rules is not None  # noqa: S101  the caller has a profile with the option
    planner: Planner | None = None
    for instance in instances:
        source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
        sop_class_uid = value_text(source, _SOP_CLASS_UID)
        code = series_code(source, sop_class_uid, context)
        if code is None:
            continue
        modality = MODALITIES[sop_class_uid]
        if planner is None:
            planner = Planner(code, modality, rules, _seed(context, source))
        if (planner.series_code, planner.modality) != (code, modality):
            raise Refused(Reason.FACE_SERIES_UNFIT, _FRAMES_OF_SERIES)
        add_frames(planner, source, transfer_syntax(instance.transfer_syntax))
        context.progress()
    if planner is None:
        raise Refused(Reason.FACE_SERIES_UNFIT, "no frames")
    return planner.plan()


def _seed(context: Context, source: DataSet) -> bytes:
    """Return what the values that are filled in are drawn by: nobody without the key can draw them again."""
    uid = value_text(source, SERIES_INSTANCE_UID).encode("latin-1", "replace")
    return hmac.digest(context.keys.uid, b"face fill " + uid, hashlib.sha256)


def add_frames(planner: Planner | Gathering, source: DataSet, syntax: TransferSyntax) -> None:
    """Hand the frames of an instance, in units of its modality, to what gathers them.

    Raises
    ------
    Refused
        There are no grey values, they can't be decoded, or nothing says where they lie.
    """
    frames = _frames_of(source, syntax)
    uid = value_text(source, SOP_INSTANCE_UID).encode("latin-1", "replace")
    for number, header in enumerate(headers(source, len(frames))):
        code = hashlib.sha256(uid + number.to_bytes(4)).digest()[:_CODE_BYTES]
        values = stored_values(frames.array(number), frames.form)
        planner.add(header, _in_units(values, frames.form, header.slope, header.intercept), code)


def _frames_of(source: DataSet, syntax: TransferSyntax) -> Frames:
    """Return the frames of an instance, whose Data Set stays as it is."""
    own = DataSet(dict(source.elements), source.charset)
    own.elements = {tag: element for tag, element in own.elements.items() if not isinstance(element.value, list)}
    rebuild_pixel_data(own, syntax)
    frames = Frames.of(own, syntax)
    if frames is None or frames.form.samples != 1:
        raise Refused(Reason.FACE_SERIES_UNFIT, "no grey values")
    return frames


def _in_units(values: NDArray[Any], form: Format, slope: float, intercept: float) -> NDArray[np.float32]:
    """Return stored values as Hounsfield numbers or other units; padding becomes the lowest of the rest."""
    units = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if form.padding_value is None or form.float_bits:
        return np.asarray(np.nan_to_num(units, posinf=0.0, neginf=0.0), np.float32)
    padding = form.padding_value
    if form.is_signed and padding >= 1 << 15:
        padding -= 1 << 16
    is_padding = values == padding
    if is_padding.any() and not is_padding.all():
        units[is_padding] = units[~is_padding].min()
    return units


def deface(source: DataSet, clean: DataSet, syntax: TransferSyntax, plan: FacePlan) -> TransferSyntax:
    """Do to the frames of an instance what the plan of its series says.

    Parameters
    ----------
    source
        the instance as it came: where its frames lie
    clean
        its clean counterpart, whose pixels were rebuilt, and perhaps masked; changed in place
    syntax
        of `clean`
    plan
        of the series

    Returns
    -------
    TransferSyntax
        that the instance is in now

    Raises
    ------
    Refused
        FACE_SERIES_UNFIT, if the plan doesn't know what to do with a frame; PIXELS_NOT_CLEANABLE, if there is no way
        to write them
    """
    frames = Frames.of(clean, syntax)
    if frames is None:
        return syntax
    changed: dict[int, _Change] = {}
    for number, header in enumerate(headers(source, len(frames))):
        values = None
        if plan.looks_at_values:
            stored = stored_values(frames.array(number), frames.form)
            values = _in_units(stored, frames.form, header.slope, header.intercept)
        touched = plan.touched(header, values, (frames.form.rows, frames.form.columns))
        if touched is not None and touched.any():
            changed[number] = _Change(touched, plan.fill(header, touched, values), header.slope, header.intercept)
    return write_values(frames, sorted(changed), lambda number, stored: changed[number].of(stored, frames.form))


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a frame.

    Attributes
    ----------
    touched
        (rows, columns)
    units
        the new values of the touched pixels, in units of the modality
    slope, intercept
        what makes a stored value a unit
    """

    touched: NDArray[np.bool_]
    units: NDArray[np.float32]
    slope: float
    intercept: float

    def of(self, stored: NDArray[Any], form: Format) -> NDArray[Any]:
        """Return the frame with new values where it is touched, and all others as they were, which is asserted."""
        wanted = (self.units - np.float32(self.intercept)) / np.float32(self.slope)
        filled = stored.copy()
        if form.float_bits:
            filled[self.touched] = wanted.astype(stored.dtype)
        else:
            low = -(1 << form.bits_stored - 1) if form.is_signed else 0
            high = low + (1 << form.bits_stored) - 1
            numbers = np.rint(wanted).clip(low, high).astype(np.int64) << form.low_bit
            filled[self.touched] = numbers.astype(stored.dtype)
        if not np.array_equal(filled[~self.touched], stored[~self.touched]):
            raise Refused(Reason.FACE_LEFT, "values outside the face have changed")
        return filled

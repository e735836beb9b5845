"""The product's own path over a series: a plan of all instances, then each instance by it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from deid.context import Context
from deid.deface.geometry import Header
from deid.deface.plan import FacePlan, Kind
from deid.deface.volume import Gathering
from deid.elements.file_meta import part10_header
from deid.elements.pseudonyms import SOP_INSTANCE_UID, value_text
from deid.encoding.element import DataSet
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.encoding.writer import write_data_set
from deid.engine import deidentify
from deid.errors import Refused
from deid.faces import add_frames, deface, plan_series
from deid.instance import Instance
from deid.keys import Keys
from deid.pixels.frames import rebuild_pixel_data
from deid.profile import Profile
from tests.factories import to_bytes

DROWN, ERODE = "drown", "erode"
MODES = (DROWN, ERODE)
OPTION = "clean_recognizable_visual_features"
CODE = "113102"
_SOP_CLASS_UID = 0x0008_0016


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a series.

    Attributes
    ----------
    data_sets
        in the order in which they were given; none if refused
    kind
        what the plan does; empty if refused
    refused
        why, empty if it wasn't
    files_s
        CPU seconds from files to files, with all else that the product does to an instance
    faces_s, beside_s
        CPU seconds from files to files if nothing is done to the instances but to their faces, and if not even that
    """

    data_sets: list[Dataset]
    kind: str
    refused: str
    files_s: float
    faces_s: float = 0.0
    beside_s: float = 0.0

    @property
    def work_s(self) -> float:
        """What the faces took, from decoded slices to changed ones, with finding the head and the step's own check."""
        return max(self.faces_s - self.beside_s, 0.0)

    @property
    def is_said(self) -> bool:
        """Tell whether each instance says that features were cleaned, by code and by attribute."""
        return bool(self.data_sets) and all(
            str(ds.get("RecognizableVisualFeatures", "")) == "NO"
            and CODE in {str(item.CodeValue) for item in ds.get("DeidentificationMethodCodeSequence", [])}
            for ds in self.data_sets
        )


def context_of(mode: str, seed: int) -> Context:
    """Return what the product needs: the profile does nothing to pixels but faces."""
    profile = Profile.from_options("face exam", [OPTION, "retain_uids"], text="rules").with_faces({"mode": mode})
    return Context(profile, Keys.from_secret(hashlib.sha256(f"face exam {seed}".encode()).digest()))


def cleaned(data_sets: Sequence[Dataset], context: Context) -> Cleaned:
    """Have a series cleaned."""
    files = [to_bytes(ds) for ds in data_sets]
    began = time.process_time()
    try:
        plan, made = by_product(lambda: map(Instance.from_part10, files), context)
    except Refused as error:
        took_s = time.process_time() - began
        return Cleaned([], "", f"{error.reason} {error.detail}".strip(), took_s, took_s)
    files_s = time.process_time() - began
    faces_s, beside_s = faces_alone(lambda: map(Instance.from_part10, files), context)
    return Cleaned([dcmread(BytesIO(each)) for each in made], str(plan.kind), "", files_s, faces_s, beside_s)


def by_product(instances: Callable[[], Iterable[Instance]], context: Context) -> tuple[FacePlan, list[bytes]]:
    """Return the plan of a series, and its files cleaned; what gives the instances is asked for them twice.

    Raises
    ------
    Refused
        The product won't have it.
    """
    plan = plan_series(instances(), context)
    return plan, [b"".join(deidentify(instance, context, plan).clean.part10()) for instance in instances()]


def faces_alone(instances: Callable[[], Iterable[Instance]], context: Context) -> tuple[float, float]:
    """Return CPU seconds from files to files with what a baseline does, and no more: no headers, no last look.

    Returns
    -------
    tuple
        with faces, and for the same reading, decoding and writing without them
    """
    began = time.process_time()
    plan = plan_series(instances(), context)
    for instance in instances():
        _written(instance, context, plan)
    done = time.process_time()
    for instance in instances():
        source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
        add_frames(cast("Gathering", _Nothing()), source, transfer_syntax(instance.transfer_syntax))
    for instance in instances():
        _written(instance, context, None)
    return done - began, time.process_time() - done


def _written(instance: Instance, context: Context, plan: FacePlan | None) -> bytes:
    source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    clean, syntax = DataSet(dict(source.elements), source.charset), transfer_syntax(instance.transfer_syntax)
    rebuild_pixel_data(clean, syntax)
    if plan is not None:
        syntax = deface(source, clean, syntax, plan)
    uids = value_text(source, _SOP_CLASS_UID), value_text(source, SOP_INSTANCE_UID)
    return b"".join([part10_header(*uids, syntax.uid), *write_data_set(clean, syntax.uid)])


class _Nothing:
    """Takes frames and keeps none."""

    def add(self, header: Header, values: NDArray[np.float32], code: bytes) -> None:
        pass


DEFACED, NO_HEAD = str(Kind.DEFACE), str(Kind.NO_HEAD)

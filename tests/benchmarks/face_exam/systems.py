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
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.engine import deidentify
from deid.errors import Refused
from deid.faces import add_frames, plan_series
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import Profile
from tests.factories import to_bytes

DROWN, ERODE = "drown", "erode"
MODES = (DROWN, ERODE)
OPTION = "clean_recognizable_visual_features"
CODE = "113102"


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
    reading_s, rest_s
        CPU seconds of these to have the frames read and decoded for the plan, and what cleaning the instances takes
        without any regard to faces
    """

    data_sets: list[Dataset]
    kind: str
    refused: str
    files_s: float
    reading_s: float = 0.0
    rest_s: float = 0.0

    @property
    def work_s(self) -> float:
        """What the faces took, from decoded slices to changed ones, with finding the head and the step's own check."""
        return max(self.files_s - self.reading_s - self.rest_s, 0.0)

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
        return Cleaned([], "", f"{error.reason} {error.detail}".strip(), time.process_time() - began)
    files_s = time.process_time() - began
    reading_s, rest_s = beside_faces(lambda: map(Instance.from_part10, files), context)
    return Cleaned([dcmread(BytesIO(each)) for each in made], str(plan.kind), "", files_s, reading_s, rest_s)


def by_product(instances: Callable[[], Iterable[Instance]], context: Context) -> tuple[FacePlan, list[bytes]]:
    """Return the plan of a series, and its files cleaned; what gives the instances is asked for them twice.

    Raises
    ------
    Refused
        The product won't have it.
    """
    plan = plan_series(instances(), context)
    return plan, [b"".join(deidentify(instance, context, plan).clean.part10()) for instance in instances()]


def beside_faces(instances: Callable[[], Iterable[Instance]], context: Context) -> tuple[float, float]:
    """Return CPU seconds: to read and decode all frames, and to clean all instances with no regard to faces."""
    without = Context(Profile.from_options("face exam", ["retain_uids"], text="rules"), context.keys)
    began = time.process_time()
    for instance in instances():
        source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
        add_frames(cast("Gathering", _Nothing()), source, transfer_syntax(instance.transfer_syntax))
    read = time.process_time()
    for instance in instances():
        b"".join(deidentify(instance, without).clean.part10())
    return read - began, time.process_time() - read


class _Nothing:
    """Takes frames and keeps none."""

    def add(self, header: Header, values: NDArray[np.float32], code: bytes) -> None:
        pass


DEFACED, NO_HEAD = str(Kind.DEFACE), str(Kind.NO_HEAD)

"""The product's own path over a series: a plan of all instances, then each instance by it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

from deid.context import Context
from deid.deface.plan import FacePlan, Kind
from deid.engine import deidentify
from deid.errors import Refused
from deid.faces import plan_series
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
    plan_s, clean_s, rest_s
        CPU seconds for the plan, for all instances, and for these without any regard to faces
    """

    data_sets: list[Dataset]
    kind: str
    refused: str
    plan_s: float
    clean_s: float
    rest_s: float = 0.0

    @property
    def step_s(self) -> float:
        """What the faces took."""
        return self.plan_s + max(self.clean_s - self.rest_s, 0.0)

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
    instances = [Instance.from_part10(to_bytes(ds)) for ds in data_sets]
    without = Context(Profile.from_options("face exam", ["retain_uids"], text="rules"), context.keys)
    began = time.process_time()
    try:
        plan = plan_series(instances, context)
        planned = time.process_time()
        made = [_read(instance, context, plan) for instance in instances]
    except Refused as error:
        return Cleaned([], "", f"{error.reason} {error.detail}".strip(), time.process_time() - began, 0.0)
    done = time.process_time()
    for instance in instances:
        _read(instance, without, None)
    return Cleaned(made, str(plan.kind), "", planned - began, done - planned, time.process_time() - done)


def _read(instance: Instance, context: Context, plan: FacePlan | None) -> Dataset:
    return dcmread(BytesIO(b"".join(deidentify(instance, context, plan).clean.part10())))


DEFACED, NO_HEAD = str(Kind.DEFACE), str(Kind.NO_HEAD)

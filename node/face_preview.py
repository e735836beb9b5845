"""What defacing does to the heads of a folder, as pictures: each from the front and from the side, before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from deid.deface.candidates import CT
from deid.deface.plan import FacePlan, Kind
from deid.deface.render import View, render
from deid.deface.slices import otsu
from deid.deface.volume import Gathering, Stack
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.errors import Refused
from deid.faces import add_frames, deface, plan_series, series_code_of
from deid.instance import Instance
from deid.pixels.frames import rebuild_pixel_data
from deid.pixels.opencv import cv2
from node.errors import Misconfigured
from node.folders import files_below
from node.offline import read_mapped

if TYPE_CHECKING:
    from deid.context import Context

VIEWS: Final = {"front": View.FRONT, "profile": View.PROFILE}
BEFORE, AFTER = "before", "after"
_SIZE_PX = 320
_AIR_HU = -400.0
_AIR_OF_SIGNAL = 0.5


@dataclass(frozen=True, slots=True)
class FacePreview:
    """One series before and after.

    Attributes
    ----------
    series_code
        whose; nobody without the key can tell the series by it
    kind
        what the plan of the series does; None if there is none
    refused
        why, empty if there is one
    instances
        how many files belong to it
    pictures
        by view and state, (rows, columns) of grey; none of a series that isn't altered. Patient data
    """

    series_code: str
    kind: Kind | None
    refused: str
    instances: int
    pictures: dict[tuple[str, str], NDArray[np.uint8]]

    def pngs(self) -> Iterator[tuple[str, bytes]]:
        """Yield names of files, and what belongs in them."""
        for (view, state), picture in self.pictures.items():
            _, encoded = cv2.imencode(".png", picture)
            yield f"{self.series_code[:12]}-{view}-{state}.png", bytes(encoded)


def face_previews(folder: Path, context: Context) -> Iterator[FacePreview]:
    """Deface the series of a folder and draw them; nothing is kept.

    Parameters
    ----------
    folder
        with files of PS3.10, at any depth; what can't be part of a head is passed over
    context
        with what they are cleaned

    Raises
    ------
    Misconfigured
        The profile doesn't have faces cleaned.
    OSError
        A file cannot be read.
    """
    if context.profile.faces is None:
        raise Misconfigured(f"profile {context.profile.name} doesn't have faces cleaned")
    by_series: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(folder):
        try:
            code = series_code_of(Instance.from_part10(read_mapped(path), context.limits), context)
        except Refused:
            continue  # no DICOM file, or none that can be cleaned: `clean` says why
        if code is not None:
            by_series[code].append(path)
    for code, paths in sorted(by_series.items()):
        yield _preview(code, paths, context)


def _preview(code: str, paths: list[Path], context: Context) -> FacePreview:
    try:
        plan = plan_series(_instances(paths, context), context)
        if plan.kind is Kind.NO_HEAD:
            return FacePreview(code, plan.kind, "", len(paths), {})
        pictures = _pictures(paths, context, plan)
    except Refused as refused:
        return FacePreview(code, None, str(refused), len(paths), {})
    return FacePreview(code, plan.kind, "", len(paths), pictures)


def _instances(paths: Iterable[Path], context: Context) -> Iterator[Instance]:
    for path in paths:
        yield Instance.from_part10(read_mapped(path), context.limits)


def _pictures(paths: list[Path], context: Context, plan: FacePlan) -> dict[tuple[str, str], NDArray[np.uint8]]:
    states = {
        BEFORE: _stack(paths, context, plan.modality, None),
        AFTER: _stack(paths, context, plan.modality, plan),
    }
    before = states[BEFORE]
    if before is None:
        return {}
    air = _AIR_HU if plan.modality == CT else _AIR_OF_SIGNAL * otsu(before.values.reshape(-1))
    return {
        (name, state): render(stack, air, view, _SIZE_PX)
        for name, view in VIEWS.items()
        for state, stack in states.items()
        if stack is not None
    }


def _stack(paths: list[Path], context: Context, modality: str, plan: FacePlan | None) -> Stack | None:
    """Return the largest volume of some files, as they are, or by a plan; None if they are none."""
    gathering = Gathering(by_kind=modality != CT)
    for instance in _instances(paths, context):
        syntax = transfer_syntax(instance.transfer_syntax)
        data_set = read_data_set(instance.data, instance.transfer_syntax, context.limits)
        if plan is not None:
            source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
            rebuild_pixel_data(data_set, syntax)
            syntax = deface(source, data_set, syntax, plan)
        add_frames(gathering, data_set, syntax)
    stacks, _ = gathering.stacks()
    return stacks[0] if stacks and len(stacks[0].positions_mm) > 1 else None

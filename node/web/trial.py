"""What would happen to a file: in a process of its own that ends with it, with a key that nobody keeps."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.context import Context
from deid.errors import DeidError, Refused
from deid.keys import Keys
from deid.profile import load_profile
from deid.table import tag_text
from node.errors import NodeError
from node.explain import explanation, spots
from node.pool import WorkerPool
from node.pool_child import progressed
from node.preview import preview
from node.settings import profile_path

if TYPE_CHECKING:
    from node.explain import Row
    from node.settings import Project, Settings

_FILE_LIMIT_BYTES = 1 << 20  # the process has no business with files
_MOST_ROWS = 4000
_LARGEST_PICTURE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class TrialRow:
    """An element; `before` and `after` are patient data."""

    depth: int
    tag: str
    keyword: str
    vr: str
    action: str
    result: str
    source: str
    before: str
    after: str
    seen: str


@dataclass(frozen=True, slots=True)
class TrialMask:
    """A box that would be masked: first column and row, those behind the last, why, and in which frames."""

    box: tuple[int, int, int, int]
    why: str
    frames: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What would happen.

    Attributes
    ----------
    refused
        reason and detail, empty if it would not be
    places
        where the instance has what the refusal is about
    more_rows
        that are not shown
    frames, masked_frames
        how many there are; 0 if the profile looks at no pixels
    picture
        a frame before and after as PNG, empty if there is none to be shown
    """

    refused: str = ""
    places: tuple[str, ...] = ()
    sop_class_uid: str = ""
    transfer_syntax: str = ""
    needs_series: bool = False
    rows: tuple[TrialRow, ...] = ()
    more_rows: int = 0
    frames: int = 0
    masked_frames: int = 0
    masks: tuple[TrialMask, ...] = ()
    picture: bytes = b""


def try_out(settings: Settings, project: Project, file: bytes) -> Trial:
    """Try what a project does with a file; nothing of it is kept.

    Raises
    ------
    WorkerDied, WorkerTimedOut, NodeError
        if looking at it takes the process with it, takes too long, or fails
    """
    work = settings.work
    pool = WorkerPool(
        1,
        time_limit_s=work.time_limit_s,
        step_time_limit_s=work.time_limit_per_frame_s,
        memory_limit_bytes=work.memory_limit_bytes,
        file_limit_bytes=_FILE_LIMIT_BYTES,
    )
    try:
        return pool.submit(_tried, settings, project, file).result()
    finally:
        pool.kill()


def _tried(settings: Settings, project: Project, file: bytes) -> Trial:
    """Do it; here runs what the file may take over."""
    # the node's own key is not here, and nobody learns here which pseudonym a patient gets
    keys = Keys.from_secret(secrets.token_bytes(32))
    context = Context(load_profile(profile_path(project)), keys, models=settings.models.folder, progress=progressed)
    try:
        found = explanation(file, context)
    except Refused as refused:
        places = [f"{tag_text(spot.tag)} at {place}" for spot in spots(file, refused, context) for place in spot.places]
        return Trial(refused=str(refused), places=tuple(places[:20]))
    pixels = found.pixels
    masks = pixels.masked if pixels else ()
    return Trial(
        sop_class_uid=found.sop_class_uid,
        transfer_syntax=found.transfer_syntax,
        needs_series=found.needs_series,
        rows=tuple(_row(row) for row in found.rows[:_MOST_ROWS]),
        more_rows=max(0, len(found.rows) - _MOST_ROWS),
        frames=pixels.frames if pixels else 0,
        masked_frames=pixels.masked_frames if pixels else 0,
        masks=tuple(TrialMask(each.box, str(each.why), _frames(each.frames)) for each in masks),
        picture=_picture(file, context, masks[0].frames[0][0] if masks else 1) if pixels and pixels.frames else b"",
    )


def _row(row: Row) -> TrialRow:
    return TrialRow(
        depth=len(row.items),
        tag=tag_text(row.path[-1]),
        keyword=f"{row.keyword} ({row.creator})" if row.creator else row.keyword,
        vr=row.vr,
        action=row.action,
        result=row.result,
        source=row.source,
        before=row.before,
        after=row.after,
        seen=", ".join(f"{each.kind} by {each.finder}" for each in row.seen),
    )


def _frames(frames: tuple[tuple[int, int], ...]) -> str:
    runs = [f"{first}" if first == last else f"{first}-{last}" for first, last in frames[:6]]
    return ", ".join([*runs, "…"] if len(frames) > len(runs) else runs)


def _picture(file: bytes, context: Context, frame: int) -> bytes:
    try:
        png = preview(file, context, frame).png()
    except (DeidError, NodeError):  # it is there without one
        return b""
    return png if len(png) <= _LARGEST_PICTURE_BYTES else b""

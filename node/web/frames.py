"""What the console's own processes do with instances: read them, draw frames, try out what a decision would come to.

Everything in here runs in a process of `node.web.viewer`, never in the one that talks to browsers: these are data of
whoever has sent them. The key is one of chance, made anew with each process: codes and dates are of the right form, but
not those under which anybody's data leave, so no page says which patient got which pseudonym.
"""

from __future__ import annotations

import mmap
import os
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deid.context import Context
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.engine import Result, deidentify
from deid.errors import Reason, Refused, SeriesNeeded
from deid.instance import Instance
from deid.keys import Keys
from deid.pixels.format import Format
from deid.pixels.frames import rebuild_pixel_data
from deid.pixels.stored import Frames
from deid.pixels.view import Facts, View, facts, picture, png
from deid.profile import load_profile
from deid.review import APPROVABLE, Review
from node.explain import header_rows, source_rows
from node.faces import without_faces
from node.pool_child import progressed
from node.raw import origin_of
from node.settings import profile_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deid.encoding.element import Buffer, DataSet
    from deid.report import MaskedBox
    from node.explain import Row
    from node.settings import Settings

MOST_ROWS = 5000
_MOST_OPEN = 2
_SECRET_BYTES = 32

_contexts: dict[str, Context] = {}
_open: OrderedDict[Asked, _Opened] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Asked:
    """An instance as it came, or as it would leave.

    Attributes
    ----------
    path
        of the raw file
    project
        by whose profile it would be cleaned
    review
        what a person would decide; None: as it came
    """

    path: Path
    project: str
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What a decision would come to.

    Attributes
    ----------
    refused
        why it would be refused (again): reason, and its detail; empty if it would leave
    doubt
        why it would be refused unless a person approves of it, likewise
    masked
        what would be masked
    skipped
        whether nobody would look for text
    needs_series
        it could show a face, and is only cleaned together with its series; the rest is as if that were not so
    """

    refused: str = ""
    doubt: str = ""
    masked: tuple[MaskedBox, ...] = ()
    skipped: bool = False
    needs_series: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """The elements of an instance.

    Attributes
    ----------
    rows
        all of them, or the first `MOST_ROWS`
    refused
        why it can't be said what would become of them; empty if it can
    """

    rows: tuple[Row, ...]
    refused: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class _Opened:
    data_set: DataSet
    frames: Frames | None
    tried: Tried


def prepare(settings: Settings) -> None:
    """Load the projects' profiles, once for each process."""
    keys = Keys.from_secret(os.urandom(_SECRET_BYTES))
    for project in settings.projects:
        profile = load_profile(profile_path(project))
        _contexts[project.name] = Context(profile, keys, models=settings.models.folder, progress=progressed)


def frame_facts(asked: Asked, frame: int) -> Facts | None:
    """Say what there is to be seen in a frame, by its index; None if the instance has none.

    Raises
    ------
    Refused
        If it can't be read or decoded, or would be refused.
    FileNotFoundError
        If it is gone.
    """
    opened = _opened(asked)
    return None if opened.frames is None else facts(opened.data_set, opened.frames, frame)


def frame_png(asked: Asked, frame: int, view: View) -> bytes:
    """Draw a frame; errors as of `frame_facts`."""
    opened = _opened(asked)
    if opened.frames is None:
        raise Refused(Reason.MALFORMED, opened.tried.refused or "no frames")
    return png(picture(opened.data_set, opened.frames, frame, view))


def tried(asked: Asked) -> Tried:
    """Clean it as the work role would, and keep the result to be looked at."""
    return _opened(asked).tried


def header(asked: Asked) -> Header:
    """Say what would become of each element.

    Raises
    ------
    Refused
        If it can't even be read.
    """
    instance, context = _instance(asked.path), _context(asked.project)
    try:
        rows, refused = header_rows(instance, context), ""
    except Refused as error:
        rows, refused = source_rows(instance, context), str(error)
    return Header(tuple(rows[:MOST_ROWS]), refused, len(rows) > MOST_ROWS)


def sizes(paths: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Say how many rows and columns the frames of some instances have; None of what can't be read or is gone."""
    return [_size(path) for path in paths]


def _size(path: Path) -> tuple[int, int] | None:
    progressed()
    try:
        instance = _instance(path)
        data_set = read_data_set(instance.data, instance.transfer_syntax)
        form = Format.of(data_set, transfer_syntax(instance.transfer_syntax))
    except (Refused, OSError):
        return None
    return None if form is None else (form.rows, form.columns)


def _context(project: str) -> Context:
    if project not in _contexts:
        raise Refused(Reason.STEP_UNAVAILABLE, "no such project")
    return _contexts[project]


def _instance(path: Path) -> Instance:
    raw = _mapped(path)
    origin = origin_of(raw)
    return Instance(origin.transfer_syntax, raw[origin.offset :])


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return memoryview(b"")  # nothing can be mapped
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _opened(asked: Asked) -> _Opened:
    """Open it, or take it from memory, unless its file is gone: then nobody is to see it any more."""
    asked.path.stat()
    opened = _open.pop(asked, None)
    if opened is None:
        while len(_open) >= _MOST_OPEN:
            _open.popitem(last=False)
        opened = _as_it_came(asked) if asked.review is None else _as_it_would_leave(asked, asked.review)
    _open[asked] = opened
    return opened


def _as_it_came(asked: Asked) -> _Opened:
    instance = _instance(asked.path)
    return _Opened(*_frames(instance.data, instance.transfer_syntax), Tried())


def _frames(data: Buffer, syntax_uid: str) -> tuple[DataSet, Frames | None]:
    data_set, syntax = read_data_set(data, syntax_uid), transfer_syntax(syntax_uid)
    rebuild_pixel_data(data_set, syntax)
    return data_set, Frames.of(data_set, syntax)


def _as_it_would_leave(asked: Asked, review: Review) -> _Opened:
    instance, context = _instance(asked.path), _context(asked.project)
    try:
        result, needs_series, doubt = _cleaned(instance, context, review)
    except Refused as refused:
        empty = read_data_set(b"", instance.transfer_syntax)
        return _Opened(empty, None, Tried(refused=str(refused)))
    clean, pixels = result.clean, result.report.pixels
    data_set, frames = _frames(b"".join(clean.chunks), clean.transfer_syntax)
    masked, skipped = ((), False) if pixels is None else (pixels.masked, bool(pixels.skipped))
    return _Opened(data_set, frames, Tried("", doubt, masked, skipped, needs_series))


def _cleaned(instance: Instance, context: Context, review: Review) -> tuple[Result, bool, str]:
    """Clean it; say whether it needs its series, and what it would be refused for if nobody approved of it."""
    if not review.approved:
        return *_cleaned_alone(instance, context, review), ""
    try:
        return *_cleaned_alone(instance, context, replace(review, approved=False)), ""
    except Refused as refused:
        if refused.reason not in APPROVABLE:
            raise
        return *_cleaned_alone(instance, context, review), str(refused)


def _cleaned_alone(instance: Instance, context: Context, review: Review) -> tuple[Result, bool]:
    try:
        return deidentify(instance, context, review=review), False
    except SeriesNeeded:
        return deidentify(instance, without_faces(context), review=review), True

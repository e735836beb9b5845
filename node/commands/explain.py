"""`explain`: what becomes of each element of one file."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydicom._uid_dict import UID_dictionary

from deid.errors import Refused
from deid.standard import EDITION
from deid.table import attribute_name, tag_text
from node import log
from node.commands.exits import Exit
from node.commands.offline import recipe
from node.explain import Explanation, Row, Spot, explanation, is_known_creator, spots
from node.folders import check_file
from node.layout import aligned
from node.offline import read_mapped
from node.settings import load_settings

if TYPE_CHECKING:
    from argparse import Namespace

    from deid.context import Context
    from deid.report import MaskedBox, PixelReport, Seen

_LISTED_PLACES = 5
_LISTED_RUNS = 6


def explain(arguments: Namespace) -> int:
    """Print what becomes of each element.

    Raises
    ------
    Misconfigured
        Profile or key are wrong.
    OSError
        The file cannot be read.
    """
    log.silence_libraries()
    settings = load_settings(arguments.config)
    check_file(arguments.file)
    context = recipe(settings, arguments.profile).context()
    file = read_mapped(arguments.file)
    try:
        found = explanation(file, context)
    except Refused as refused:
        where = spots(file, refused, context)
        _print([json.dumps(_refusal_values(refused, where), indent=2)] if arguments.json else _refusal(refused, where))
        return Exit.FAILED
    if arguments.json:
        _print([json.dumps(_values(found, context, values=arguments.values), indent=2)])
    else:
        _print(_text(found, context, values=arguments.values))
    return Exit.OK


def _text(found: Explanation, context: Context, *, values: bool) -> Iterator[str]:
    yield f"profile {context.profile.name}: {EDITION}"
    yield f"{_name(found.sop_class_uid)}, {_name(found.transfer_syntax)}"
    if found.needs_series:
        yield "series needed: it could show a face, so its pixels are cleaned with those of its whole series, by the"
        yield "node or by deid-node clean FOLDER OUT; what follows is all else"
    yield ""
    cells = [("tag", "VR", "action", "result", "source", "attribute")]
    cells += [_cells(row, values=values) for row in found.rows]
    yield from _with_items(aligned(cells), found.rows)
    yield ""
    if found.pixels is not None:
        yield from mask_lines(found.pixels, found.pixels.masked)
        yield ""
    counts = Counter(row.result for row in found.rows)
    yield ", ".join(f"{number} {result}" for result, number in counts.most_common())


def _cells(row: Row, *, values: bool) -> tuple[str, str, str, str, str, str]:
    where = f"{'  ' * len(row.items)}{tag_text(row.path[-1])}"
    name = " ".join(filter(None, (row.keyword, _creator(row, values=values), _seen(row))))
    if values:
        name = f"{name}  [{row.before}] -> [{row.after}]"
    return where, row.vr, row.action, row.result, row.source, name


def _seen(row: Row) -> str:
    """Return what was found in a text: each kind with its finder, and how sure that is."""
    return f"found: {', '.join(map(seen_text, row.seen))}" if row.seen else ""


def seen_text(seen: Seen) -> str:
    """Return kind, finder and confidence of something found: ``name by ner 0.97``."""
    sure = "" if seen.confidence is None else f" {seen.confidence:.2f}"
    return f"{seen.kind} by {seen.finder}{sure}"


def mask_lines(report: PixelReport, masked: Iterable[MaskedBox]) -> Iterator[str]:
    """Yield what was done to the frames: how many, by which rule, then each box with its reason and its frames."""
    done = f"{report.frames} frames, {report.masked_frames} masked; {report.kept} lines stay"
    if report.skipped:
        done = f"{report.frames} frames, nobody looked at them: skipped by the rule {report.skipped!r}"
    yield f"{done}; a screen by the rule {report.screen!r}" if report.screen else done
    for each in masked:
        x0, y0, x1, y1 = each.box
        name = f" {each.name!r}" if each.name else ""
        yield f"  {x0},{y0} to {x1},{y1}  {each.why}{name}  frames {_runs(each.frames)}"


def _runs(frames: tuple[tuple[int, int], ...]) -> str:
    runs = [f"{first}" if first == last else f"{first}-{last}" for first, last in frames[:_LISTED_RUNS]]
    more = sum(last - first + 1 for first, last in frames[_LISTED_RUNS:])
    return ", ".join([*runs, f"and {more} more"] if more else runs)


def _creator(row: Row, *, values: bool) -> str:
    """Return a private element's creator; one that nobody knows is a value like any other."""
    if not row.path[-1] >> 16 & 1:
        return ""
    if not row.creator:
        return "private, without creator"
    shown = values or is_known_creator(row.creator)
    return f'private "{row.creator}"' if shown else "private, unknown creator"


def _with_items(lines: Iterator[str], rows: Iterable[Row]) -> Iterator[str]:
    """Put a line before each item but the first of a Sequence, after the line with the columns' names."""
    yield next(lines)
    begun = set()
    for row, line in zip(rows, lines, strict=True):
        item = (row.path[:-1], row.items)
        if item not in begun and row.items and row.items[-1] > 1:
            yield f"{'  ' * len(row.items)}item {row.items[-1]}"
        begun.add(item)
        yield line


def _values(found: Explanation, context: Context, *, values: bool) -> object:
    return {
        "profile": context.profile.name,
        "edition": EDITION,
        "sop_class_uid": found.sop_class_uid,
        "transfer_syntax": found.transfer_syntax,
        "pixels": None if found.pixels is None else asdict(found.pixels),
        "needs_series": found.needs_series,
        "elements": [_row_values(row, values=values) for row in found.rows],
    }


def _row_values(row: Row, *, values: bool) -> dict[str, object]:
    element: dict[str, object] = {
        "path": row.place,
        "keyword": row.keyword,
        "vr": row.vr,
        "action": row.action,
        "result": row.result,
        "source": row.source,
    }
    if row.seen:
        element["found"] = [asdict(each) for each in row.seen]
    if row.creator and (values or is_known_creator(row.creator)):
        element["creator"] = row.creator
    return {**element, "before": row.before, "after": row.after} if values else element


def _refusal(refused: Refused, where: Iterable[Spot]) -> Iterator[str]:
    yield f"refused\t{refused}"
    for spot in where:
        yield f"\t{tag_text(spot.tag)} {attribute_name(spot.tag) or 'private or unknown'}"
        yield from (f"\tat {place}" for place in spot.places[:_LISTED_PLACES])
        if len(spot.places) > _LISTED_PLACES:
            yield f"\tand {len(spot.places) - _LISTED_PLACES} more places"


def _refusal_values(refused: Refused, where: Iterable[Spot]) -> object:
    attributes = [
        {"tag": tag_text(spot.tag), "keyword": attribute_name(spot.tag), "places": spot.places} for spot in where
    ]
    return {"refused": {"reason": refused.reason.value, "detail": refused.detail, "attributes": attributes}}


def _name(uid: str) -> str:
    return UID_dictionary[uid][0] if uid in UID_dictionary else uid


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")

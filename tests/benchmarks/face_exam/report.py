"""Tables of an exam, its targets, and the line that a script reads.

Seconds are CPU time of one process. ``CPU s`` is from decoded slices in memory to changed ones. The product finds out
within it whether and where there is a head, and checks what it has done; a baseline does neither. That takes it about
as long for a small head as for a large one, and a baseline as long as there are pixels: but for the large one, heads
here have a tenth of those that a head in practice has.
``faces s`` is from DICOM files in memory to such files, with nothing done to them but to their pixels, by all: a
baseline reads and writes each once, by pydicom, as its original does; the product reads each twice. ``files s`` is the
same for a baseline, and for the product all that it does to an instance: header, identifiers, last look. The large head
is done by each system in a process of its own, from mapped files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.benchmarks.face_exam.detector import AFTER, AGAIN, BEFORE, VIEWS, Seen
from tests.benchmarks.face_exam.exam import Marked
from tests.benchmarks.face_exam.systems import DROWN, MODES, NO_HEAD
from tests.benchmarks.face_exam.timing import MOST_MIB, MOST_S, Measured
from tests.benchmarks.target import Target

MOST_LEFT = 0.02
MOST_DETECTED, MOST_TIMES_CHANCE = 0.1, 3.0
FEWEST_POINTS = 300
"""Less of a face than so many points isn't measured: the field of view ends above it."""


@dataclass(frozen=True, slots=True)
class Results:
    """All that an exam has found.

    Attributes
    ----------
    marks
        of heads, by all systems
    controls
        share of a face that would be left if it had been swapped for another's
    untouched
        of what is no head: whether it is what it was, and otherwise why not
    corpus
        of the corpus' other series: how many there are, and which of them were touched
    """

    seed: int
    marks: Sequence[Marked]
    controls: Sequence[float] = ()
    untouched: Mapping[str, str] = field(default_factory=dict)
    corpus: tuple[int, Sequence[str]] = (0, ())
    seen: Mapping[str, Seen] = field(default_factory=dict)
    large: Sequence[Measured] = ()

    def of(self, system: str) -> list[Marked]:
        return [mark for mark in self.marks if mark.system == system]

    def measured(self, system: str) -> list[Marked]:
        """Return the marks that show how much is left: of faces that are there and weren't refused."""
        return [mark for mark in self.of(system) if not mark.refused and mark.points >= FEWEST_POINTS]


def heads(results: Results) -> Iterator[str]:
    """Yield what became of each head in each mode."""
    yield (
        f"{'head':20}{'mode':8}{'points':>8}{'left %':>9}  {'shows most':14}{'changed %':>10}{'intracranial':>13}"
        f"{'of':>10}{'beyond %':>10}{'header':>8}{'CPU s':>8}"
    )
    for mark in (mark for mark in results.marks if mark.system in MODES):
        shown = f"{100 * mark.left:9.2f}  {mark.level:14}" if not mark.refused else f"{'-':>9}  {'refused':14}"
        yield (
            f"  {mark.case:18}{mark.system:8}{mark.points:8}{shown}{100 * mark.changed:10.2f}{mark.intracranial:13}"
            f"{mark.brain:10}{100 * mark.beyond:10.3f}{mark.lost:8}{mark.seconds:8.1f}  {mark.refused or mark.kind}"
        )
    if results.controls:
        share = 100 * float(np.mean(results.controls))
        yield f"  control: of a face within 3 mm of another person's in its place: {share:.1f} %"


def comparison(results: Results) -> Iterator[str]:
    """Yield the product beside the baselines, over the heads that all of them can do."""
    common = _common(results)
    yield (
        f"{'on ' + str(len(common)) + ' CT heads':20}{'left %':>9}{'worst %':>9}{'changed %':>11}{'intracranial':>14}"
        f"{'beyond %':>10}{'CPU s':>8}{'faces s':>9}{'files s':>9}"
    )
    for system in _systems(results):
        marks = [mark for mark in results.of(system) if mark.case in common]
        if marks:
            yield (
                f"  {system:18}{100 * np.mean([mark.left for mark in marks]):9.2f}"
                f"{100 * max(mark.left for mark in marks):9.2f}{100 * np.mean([mark.changed for mark in marks]):11.2f}"
                f"{sum(mark.intracranial for mark in marks):14}{100 * np.mean([mark.beyond for mark in marks]):10.2f}"
                f"{_seconds(marks):8.2f}{_faces_seconds(marks):9.2f}"
                f"{sum(mark.files_seconds for mark in marks):9.2f}"
            )
    yield "  CPU s: from decoded slices to changed ones; the product's with finding the head and its own check"
    yield "  faces s: from files to files, pixels alone; files s: the product's with headers and the last look"


def _systems(results: Results) -> list[str]:
    return list(dict.fromkeys(mark.system for mark in results.marks))


def _common(results: Results) -> list[str]:
    baselines = [system for system in _systems(results) if system not in MODES]
    named = [{mark.case for mark in results.measured(system)} for system in (*baselines, DROWN)]
    return sorted(set.intersection(*named)) if baselines and named else []


def others(results: Results) -> Iterator[str]:
    """Yield what became of what is no head."""
    yield f"{'no head, no face':20}"
    for name, why in results.untouched.items():
        yield f"  {name:18}{why or 'as it was'}"
    count, touched = results.corpus
    yield f"  {'corpus':18}{count} series without a face, {len(touched)} touched {' '.join(touched)}"


def detector(results: Results) -> Iterator[str]:
    """Yield what a detector of faces makes of the pictures."""
    for mode, seen in results.seen.items():
        yield f"{'dlib, ' + mode:20}{'heads':>7}" + "".join(
            f"{view + ', ' + state:>16}" for view in VIEWS for state in _STATES
        )
        found = "".join(f"{seen.detected[state, view]:16}" for view in VIEWS for state in _STATES)
        yield f"  {'faces found':18}{seen.heads:7}{found}"
        for state, name in ((AGAIN, "drawn again"), (AFTER, "after")):
            right, asked = seen.known[state]
            yield (
                f"  {name:18}the right one of all heads: {right} of {asked} (by chance {asked * seen.chance:.1f}); "
                f"apart {seen.distance[state]:.3f} in the middle"
            )


_STATES = (BEFORE, AFTER)


def large(results: Results) -> Iterator[str]:
    """Yield what a large head takes."""
    if results.large:
        name = f"{results.large[0].slices} slices of 512 x 512"
        yield f"{name:30}{'CPU s':>7}{'faces s':>9}{'files s':>9}{'own MiB':>9}{'with files':>12}"
    for each in results.large:
        yield (
            f"  {each.system:28}{each.work_s:7.2f}{each.faces_s:9.2f}{each.files_s:9.2f}{each.anonymous_mib:9.0f}"
            f"{each.resident_mib:12.0f}"
            f"  {each.refused or each.kind}"
        )


def targets(results: Results) -> list[Target]:
    """Return what is to be reached."""
    aims = []
    drowned, all_marks = results.measured(DROWN), [mark for mark in results.marks if mark.system in MODES]
    if all_marks:
        worst = max((mark.left for mark in drowned), default=math.nan)
        aims += [
            Target("face surface left in any head, drown", worst, MOST_LEFT, is_most=True),
            Target("voxels changed inside skulls", sum(mark.intracranial for mark in all_marks), 0, is_most=True),
            Target("voxels changed behind ears or well above brows", _beyond(all_marks), 0, is_most=True),
            Target("geometries or headers altered", sum(mark.lost for mark in all_marks), 0, is_most=True),
            Target("heads with a face refused", sum(bool(mark.refused) for mark in all_marks), 0, is_most=True),
            Target("heads with a face let through", sum(_is_missed(mark) for mark in all_marks), 0, is_most=True),
        ]
    if results.untouched:
        altered = sum(bool(why) for why in results.untouched.values()) + len(results.corpus[1])
        aims.append(Target("series without a face that were touched", altered, 0, is_most=True))
    for mode, seen in results.seen.items():
        if mode == DROWN:
            after = max(seen.detected[AFTER, view] for view in VIEWS) / max(seen.heads, 1)
            right, asked = seen.known[AFTER]
            aims.append(Target("faces a detector finds after", after, MOST_DETECTED, is_most=True))
            times = right / max(asked * seen.chance, 1.0)
            aims.append(Target("heads known again after, times chance", times, MOST_TIMES_CHANCE, is_most=True))
    aims += _ahead(results)
    return aims + _of_large(results.large)


def _of_large(large: Sequence[Measured]) -> list[Target]:
    """Return what is to be reached with a large head."""
    mine = next((each for each in large if each.system in MODES), None)
    if mine is None:
        return []
    aims = [
        Target("CPU s for 300 x 512 x 512, from files to files", mine.files_s, MOST_S, is_most=True),
        Target("own MiB for 300 x 512 x 512", mine.anonymous_mib, MOST_MIB, is_most=True),
    ]
    for other in (each for each in large if each is not mine):
        aims += [
            Target(f"CPU s for it, of {other.system}'s", mine.work_s / other.work_s, 1, is_most=True),
            Target(f"faces, files to files, of {other.system}'s", mine.faces_s / other.faces_s, 1, is_most=True),
            Target(f"all, files to files, of {other.system}'s", mine.files_s / other.files_s, 1, is_most=True),
        ]
    return aims


def _beyond(marks: Sequence[Marked]) -> int:
    return sum(mark.beyond > 0 for mark in marks)


def _is_missed(mark: Marked) -> bool:
    return mark.kind == NO_HEAD and mark.points >= FEWEST_POINTS


def _ahead(results: Results) -> list[Target]:
    """Return that the product isn't behind any baseline on the same heads."""
    common, aims = set(_common(results)), []
    mine = [mark for mark in results.of(DROWN) if mark.case in common]
    for system in (each for each in _systems(results) if each not in MODES and common):
        theirs = [mark for mark in results.of(system) if mark.case in common]
        worst = max(mark.left for mark in theirs)
        aims += [
            Target(f"worst face left, less {system}'s", max(each.left for each in mine) - worst, 0, is_most=True),
            Target(f"voxels changed, of {system}'s", _changed(mine) / _changed(theirs), 1, is_most=True),
            Target(f"voxels changed beyond, of {system}'s", _outside(mine) / _outside(theirs), 1, is_most=True),
            Target(f"CPU s, of {system}'s", _seconds(mine) / _seconds(theirs), 1, is_most=True),
            Target(f"faces s, of {system}'s", _faces_seconds(mine) / _faces_seconds(theirs), 1, is_most=True),
        ]
    return aims


def _changed(marks: Sequence[Marked]) -> float:
    return float(np.mean([mark.changed for mark in marks]))


def _seconds(marks: Sequence[Marked]) -> float:
    return sum(mark.seconds for mark in marks)


def _faces_seconds(marks: Sequence[Marked]) -> float:
    return sum(mark.faces_seconds for mark in marks)


def _outside(marks: Sequence[Marked]) -> float:
    return float(np.mean([mark.beyond for mark in marks]))


def figures(results: Results) -> str:
    """Return the line that a script reads."""
    said: dict[str, object] = {"seed": results.seed}
    for mode in MODES:
        if marks := results.measured(mode):
            said |= {
                f"{mode}_heads": len(marks),
                f"{mode}_left": f"{np.mean([mark.left for mark in marks]):.4f}",
                f"{mode}_worst_left": f"{max(mark.left for mark in marks):.4f}",
                f"{mode}_intracranial": sum(mark.intracranial for mark in marks),
                f"{mode}_changed": f"{_changed(marks):.4f}",
                f"{mode}_refused": sum(bool(mark.refused) for mark in results.of(mode)),
            }
    if results.untouched:
        said["others_touched"] = sum(bool(why) for why in results.untouched.values())
        said["corpus_touched"] = f"{len(results.corpus[1])}/{results.corpus[0]}"
    if (seen := results.seen.get(DROWN)) is not None:
        said |= {
            "detected_before": seen.detected[BEFORE, "front"],
            "detected_after": seen.detected[AFTER, "front"],
            "known_again": f"{seen.known[AGAIN][0]}/{seen.known[AGAIN][1]}",
            "known_after": f"{seen.known[AFTER][0]}/{seen.known[AFTER][1]}",
        }
    for each in results.large:
        name = each.system.replace("-", "_")
        said |= {f"large_{name}_cpu_s": f"{each.work_s:.2f}", f"large_{name}_faces_s": f"{each.faces_s:.2f}"}
        said |= {f"large_{name}_files_s": f"{each.files_s:.2f}"}
        said |= {f"large_{name}_mib": f"{each.anonymous_mib:.0f}"}
    said["targets_missed"] = sum(not target.is_met for target in targets(results))
    return "face-exam " + " ".join(f"{key}={value}" for key, value in said.items())

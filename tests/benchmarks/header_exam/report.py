"""Tables of an exam: no values of any instance, only actions, tags and counts."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.header_exam.key import REMOVALS, Action, Kind
from tests.benchmarks.header_exam.systems import Handed
from tests.benchmarks.header_exam.validator import Marked, Score, by_series, of_kind, score

STRUCTURED_TARGET_PERCENT = 99.9
FREE_TEXT_TARGET_PERCENT = 99.5
_MOST_TAGS = 40
_IN_TEXT = frozenset({Action.TEXT_RETAINED, Action.TEXT_REMOVED})


@dataclass(frozen=True, slots=True)
class Graded:
    """What a system handed in, marked."""

    handed: Handed
    marked: list[Marked]

    def of(self, action: Action | None = None, *, free_text: bool | None = None) -> Score:
        """Score of one action, or of all; in free text, in everything else, or in both."""
        marked = self.marked if free_text is None else of_kind(self.marked, free_text=free_text)
        return score(mark for mark in marked if action is None or mark.check.action is action)

    @property
    def removed(self) -> Score:
        """Of the structured checks, those that ask for something to go."""
        return score(m for m in of_kind(self.marked, free_text=False) if m.check.action in REMOVALS)

    @property
    def series(self) -> Score:
        return score(by_series(self.marked))

    @property
    def meets_the_target(self) -> bool:
        structured = self.of(free_text=False).percent
        return structured >= STRUCTURED_TARGET_PERCENT and self.removed.failed == 0

    @property
    def meets_the_target_of_texts(self) -> bool:
        return self.of(free_text=True).percent >= FREE_TEXT_TARGET_PERCENT


def lines(graded: Graded, *, everything: bool = False) -> Iterator[str]:
    """Yield one system's report."""
    files = graded.handed.files
    yield f"{graded.handed.name}: {len(files)} instances, {files.count(None)} not handed in"
    for reason, count in graded.handed.refusals.most_common():
        yield f"  {count:5}  {reason}"
    yield ""
    yield f"{'action':18}{'structured':>22}{'free text':>22}"
    for action in Action:
        both = (graded.of(action, free_text=False), graded.of(action, free_text=True))
        if any(part.total for part in both):
            yield f"{action:18}" + "".join(f"{_shown(part):>22}" for part in both)
    yield f"{'all':18}" + "".join(f"{_shown(graded.of(free_text=part)):>22}" for part in (False, True))
    yield ""
    yield from _grouped(graded, "free text, by what it takes to know", _kind)
    yield from _grouped(graded, "modality", lambda mark: mark.question.modality)
    yield from _failures(graded.marked, sys.maxsize if everything else _MOST_TAGS)
    yield f"as MIDI-B reports: by instance {graded.of().percent:.2f} %, by series {graded.series.percent:.2f} %"


def _shown(part: Score) -> str:
    return f"{part.percent:.2f} % of {part.total}" if part.total else "-"


def _kind(mark: Marked) -> str:
    return f"{mark.check.kind} {mark.check.action}" if mark.check.kind is not Kind.STRUCTURED else ""


def _grouped(graded: Graded, title: str, group: Callable[[Marked], str]) -> Iterator[str]:
    groups: dict[str, list[Marked]] = defaultdict(list)
    for mark in graded.marked:
        groups[group(mark)].append(mark)
    yield title
    for name in sorted(filter(None, groups)):
        yield f"  {name:34}{_shown(score(groups[name])):>22}"
    yield ""


def _failures(marked: Sequence[Marked], most: int) -> Iterator[str]:
    failed = Counter(
        (mark.check.kind.free_text, str(mark.check.action), mark.check.path)
        for mark in marked
        if mark.outcome is not True
    )
    yield f"failed: {failed.total()} checks of {len(failed)} elements (structured ones first)"
    ranked = sorted(failed.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    for (free_text, action, path), count in ranked[:most]:
        yield f"  {count:5}  {'text' if free_text else '    '}  {action:18}{path}"
    if len(failed) > most:
        yield f"         and {len(failed) - most} elements more (--all)"
    yield ""


def comparison(all_graded: Sequence[Graded]) -> Iterator[str]:
    """Yield the table of one system beside the others; the first is the project's."""
    yield f"{'':34}" + "".join(f"{graded.handed.name:>28}" for graded in all_graded)
    missing = (f"{graded.handed.files.count(None)} of {len(graded.handed.files)}" for graded in all_graded)
    yield f"{'not handed in':34}" + "".join(f"{part:>28}" for part in missing)
    for free_text in (None, False, True):
        where = {None: "", False: " (structured)", True: " (free text)"}[free_text]
        for action in Action:
            parts = [graded.of(action, free_text=free_text) for graded in all_graded]
            if parts[0].total and (free_text is not False or action in _IN_TEXT):
                behind = free_text is None and parts[0].percent < max(part.percent for part in parts)
                yield f"{action + where:34}" + "".join(f"{_shown(part):>28}" for part in parts) + "  behind" * behind
    for label, part in (("all, by instance", lambda g: score(g.marked)), ("all, by series", lambda g: g.series)):
        yield f"{label:34}" + "".join(f"{_shown(part(graded)):>28}" for graded in all_graded)


def is_ahead(all_graded: Sequence[Graded]) -> bool:
    """Say whether no other system does better in any action, and every one does worse on the whole.

    Structured and free text count together, as they do at MIDI-B: alone in free text, whoever leaves everything as it
    is retains 100 %, and whoever drops everything removes 100 %.
    """
    first, *others = all_graded
    return all(first.of(action).percent >= other.of(action).percent for other in others for action in Action) and all(
        first.of().percent > other.of().percent for other in others
    )


def figures(graded: Graded, read: Graded, seed: int, *, ahead: bool | None) -> str:
    """Return the line that a script reads: of the engine by its rules, and of what its network made of free text."""
    structured, text = graded.of(free_text=False), read.of(free_text=True)
    said = {
        "seed": seed,
        "instances": len(graded.handed.files),
        "refused": graded.handed.files.count(None),
        "modalities": len({mark.question.modality for mark in graded.marked}),
        "checks": len(graded.marked),
        "structured_percent": f"{structured.percent:.3f}",
        "structured_failed": structured.failed,
        "structured_removed_percent": f"{graded.removed.percent:.3f}",
        "free_text_percent": f"{text.percent:.3f}",
        "free_text_removed_percent": f"{read.of(Action.TEXT_REMOVED, free_text=True).percent:.3f}",
        "free_text_retained_percent": f"{read.of(Action.TEXT_RETAINED, free_text=True).percent:.3f}",
        "free_text_by_rules_percent": f"{graded.of(free_text=True).percent:.3f}",
        "structured_beside_texts_percent": f"{read.of(free_text=False).percent:.3f}",
        "instance_percent": f"{score(graded.marked).percent:.3f}",
        "series_percent": f"{graded.series.percent:.3f}",
        "ahead_of_peers": "not-asked" if ahead is None else str(ahead).lower(),
    }
    return "header_exam " + " ".join(f"{key}={value}" for key, value in said.items())

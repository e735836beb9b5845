"""Run the leak exam: ``python -m tests.leak --seed 1 --count 10000``; exit code 1 if a sentinel survived."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.leak import exam
from tests.leak.exam import Outcome, Verdict
from tests.leak.places import ELSEWHERE, PLACES, again, tasks

_MOST_EXAMPLES = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant, clean, look, and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.leak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000, help="sentinels at least")
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0 for one per core")
    parser.add_argument("--place", default="", help="only the places whose name holds this")
    parser.add_argument("--all", action="store_true", help="print every survivor, not some of each kind")
    parser.add_argument("--again", default="", metavar="SEED", help="only this plant, with every profile: 1/0/4/2")
    chosen = parser.parse_args(arguments)
    if chosen.again:
        return _print_again(chosen.again)
    start = time.monotonic()
    wanted = {number for number, place in enumerate(PLACES) if chosen.place.lower() in place.name.lower()}
    planned = [task for task in tasks(chosen.seed, chosen.count) if task.place in wanted]
    verdicts = list(exam.run(planned, chosen.jobs))
    _print_table(verdicts)
    _print_refusals(verdicts)
    _print_survivors(verdicts, sys.maxsize if chosen.all else _MOST_EXAMPLES)
    return _print_total(verdicts, chosen.seed, time.monotonic() - start)


def _print_again(seed: str) -> int:
    found = [exam.examine(again(seed), profile) for profile in exam.PROFILES]
    for verdict in found:
        print(f"{verdict.profile}: {verdict.outcome}: {verdict.detail}; {verdict.encoding}; {verdict.reason}")
    return int(any(verdict.outcome in {Outcome.SURVIVED, Outcome.CRASHED} for verdict in found))


def _print_table(verdicts: list[Verdict]) -> None:
    counts = Counter((verdict.place, verdict.outcome) for verdict in verdicts)
    print(f"{'hiding place':44} {'planted':>8} {'survived':>8} {'refused':>8} {'clean':>8}")
    for place in dict.fromkeys(verdict.place for verdict in verdicts):
        survived, refused, clean = (
            counts[place, outcome] for outcome in (Outcome.SURVIVED, Outcome.REFUSED, Outcome.CLEAN)
        )
        total = sum(counts[place, outcome] for outcome in Outcome)
        print(f"{place:44} {total:8} {survived:8} {refused:8} {clean:8}")
    for place, reason in ELSEWHERE.items():
        print(f"{place:44} not here: {reason}")


def over_refused(verdicts: list[Verdict]) -> list[tuple[str, str, int]]:
    """Return (place and kind, reason, count) where every plant in valid instances was refused."""
    outcomes, reasons = defaultdict[str, Counter[Outcome]](Counter), dict[str, str]()
    for verdict in verdicts:
        if verdict.is_valid:
            key = f"{verdict.place}: {verdict.kind}"
            outcomes[key][verdict.outcome] += 1
            reasons[key] = verdict.reason
    refused = ((key, counts) for key, counts in outcomes.items() if set(counts) == {Outcome.REFUSED})
    return [(key, reasons[key], counts[Outcome.REFUSED]) for key, counts in refused]


def _print_refusals(verdicts: list[Verdict]) -> None:
    refusals = Counter((v.place, v.reason, v.is_valid) for v in verdicts if v.outcome is Outcome.REFUSED)
    print("\nrefused, by reason (valid: the standard would let such an instance be cleaned)")
    examples = {(v.place, v.reason, v.is_valid): v for v in verdicts if v.outcome is Outcome.REFUSED}
    for key, number in sorted(refusals.items()):
        place, reason, is_valid = key
        example = f"{examples[key].task.seed} {examples[key].detail}; {examples[key].encoding}" if is_valid else ""
        print(f"  {place:44} {reason:28} {'valid  ' if is_valid else 'invalid'} {number:6} {example}".rstrip())
    found = over_refused(verdicts)
    if found:
        print("\nover-refused: valid instances, none of which was cleaned")
    for kind, reason_, number in found:
        print(f"  {kind}: {reason_} x {number}")


def _print_survivors(verdicts: list[Verdict], most: int) -> None:
    by_kind = defaultdict[tuple[str, str], list[Verdict]](list)
    for verdict in verdicts:
        if verdict.outcome in {Outcome.SURVIVED, Outcome.CRASHED}:
            by_kind[verdict.place, verdict.kind].append(verdict)
    for (place, kind), found in by_kind.items():
        print(f"\n{found[0].outcome.upper()} x {len(found)}: {place}: {kind}")
        for verdict in found[:most]:
            print(f"  {verdict.task.seed} {verdict.profile}: {verdict.detail}; {verdict.encoding}; {verdict.reason}")


def _print_total(verdicts: list[Verdict], seed: int, seconds: float) -> int:
    counts = Counter(verdict.outcome for verdict in verdicts)
    frames = sum(verdict.frames_decoded for verdict in verdicts)
    bad = counts[Outcome.SURVIVED] + counts[Outcome.CRASHED]
    print(
        f"\nseed={seed} planted={len(verdicts)} survived={counts[Outcome.SURVIVED]} refused={counts[Outcome.REFUSED]} "
        f"clean={counts[Outcome.CLEAN]} crashed={counts[Outcome.CRASHED]} over_refused={len(over_refused(verdicts))} "
        f"frames_decoded={frames} seconds={seconds:.0f}"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

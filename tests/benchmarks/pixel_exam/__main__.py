"""`make pixel-exam`: PHI drawn into images of all kinds, and images without any, through the product's own path."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deid.errors import Misconfigured, Reason
from tests.benchmarks.pixel_exam import fonts, memory, peers, report, seedset, syntaxes
from tests.benchmarks.pixel_exam.exam import Question, question
from tests.benchmarks.pixel_exam.marks import Marked
from tests.benchmarks.pixel_exam.reading import reading_alone
from tests.benchmarks.pixel_exam.report import Marks
from tests.benchmarks.pixel_exam.show import save
from tests.benchmarks.pixel_exam.systems import PIXELS, PRODUCT, SYSTEMS, System, product, sit, stand_in
from tests.benchmarks.target import Target

NO_STEP = 2
_BEFORE_ALL = -1
PARTS = ("images", "seed", "syntaxes", "memory")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pixel_exam", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed is another exam")
    parser.add_argument("--images", type=int, default=400, help="how many images, a third of them without text")
    parser.add_argument("--files", type=int, default=36, help="how many files of the seed set's kind")
    parser.add_argument("--profile", default=PIXELS, help="of config/profiles, a path, or tcia's with rules for texts")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be given again")
    parser.add_argument("--system", choices=SYSTEMS, default=PRODUCT, help="a stand-in shows what the marks are worth")
    parser.add_argument("--peers", action="store_true", help="also Presidio and Tesseract, on some of the images")
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="write a picture of each image that isn't right")
    return parser.parse_args(arguments)


def _sat(chosen: argparse.Namespace, system: System, folder: Path) -> tuple[list[Question], list[Marked]]:
    """Have the images cleaned one after the other; none but the one at hand is in memory."""
    questions, marked = [], []
    for number in range(chosen.images):
        asked = question(chosen.seed, number, folder)
        questions.append(asked)
        marked.append(sit(system, asked))
        if chosen.show is not None and _is_wrong(marked[-1]):
            _show(chosen.show, marked[-1], system)
    return questions, marked


def _is_wrong(marked: Marked) -> bool:
    return not marked.is_wholly_clean or marked.altered > 0 or (marked.question.is_clean and not marked.is_untouched)


def _show(folder: Path, marked: Marked, system: System) -> None:
    clean = None
    if not marked.refused:
        clean = system.clean(marked.question.file.read_bytes(), marked.question)
    save(folder, marked, clean)


def _seed_set(chosen: argparse.Namespace, system: System, folder: Path) -> seedset.Scored | None:
    asked = seedset.files(chosen.seed, chosen.files, folder)
    masked = Marks([sit(system, each) for each in asked]).lines()
    try:
        found = seedset.scored(asked, reading_alone())
    except (ImportError, Misconfigured) as error:
        print(f"seed set's kind: not read: {error}")
        return None
    print("\n".join(["", *report.of_seed_set(found, masked)]), flush=True)
    return found


def _syntaxes() -> list[Target]:
    built, refused, corpus = list(syntaxes.built()), list(syntaxes.refusals()), list(syntaxes.of_corpus())
    print("\n".join(["", *syntaxes.table("a box masked in every kind of image", built)]))
    print("\n".join(["", *syntaxes.of_refusals(refused)]))
    if corpus:
        print("\n".join(["", *syntaxes.table("the same in the corpus, of each kind one", corpus)]))
    sys.stdout.flush()
    return syntaxes.targets(built, corpus, refused)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if all targets are met and no peer is ahead, 1 if not, 2 if there is no step to be examined."""
    chosen = _arguments(arguments)
    parts = chosen.part or PARTS
    fonts.fetch()
    try:
        system = product(chosen.profile, chosen.seed) if chosen.system == PRODUCT else stand_in(chosen.system)
        with tempfile.TemporaryDirectory(prefix="pixel-exam-") as name:
            return _examined(chosen, parts, system, Path(name))
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return NO_STEP


def _examined(chosen: argparse.Namespace, parts: Sequence[str], system: System, folder: Path) -> int:
    first = sit(system, question(chosen.seed, _BEFORE_ALL, folder))  # what is loaded once isn't counted
    if first.refused.startswith(Reason.STEP_UNAVAILABLE):
        print(f"nothing masks pixels: {first.refused}", file=sys.stderr)
        return NO_STEP
    questions, marked = _sat(chosen, system, folder) if "images" in parts else ([], [])
    marks = Marks(marked)
    if marked:
        tables = (report.overview, report.by_class, report.by_modality, report.by_syntax)
        print("\n".join(line for table in tables for line in ["", *table(marks)]), flush=True)
    seed_set = _seed_set(chosen, system, folder) if "seed" in parts else None
    more = _syntaxes() if "syntaxes" in parts and chosen.system == PRODUCT else []
    largest = {}
    if "memory" in parts and chosen.system == PRODUCT:
        largest = {each: memory.measured(each, chosen.profile, chosen.seed) for each in memory.FILES}
        print("\n".join(["", *report.of_memory(largest)]), flush=True)
    ahead = None
    if chosen.peers and questions:
        some = peers.sampled(questions, chosen.seed)
        mine, theirs = [marked[each.number] for each in some], peers.sat(some, folder)
        print("\n".join(["", *peers.comparison(mine, theirs)]), flush=True)
        ahead = peers.is_ahead(mine, theirs)
    aims = [*report.targets(marks, seed_set, largest), *more]
    print("\n".join(["", "targets", *(aim.line() for aim in aims)]))
    print("", report.figures(chosen.seed, marks, seed_set, largest, ahead=ahead), sep="\n")
    return 0 if all(aim.is_met for aim in aims) and ahead is not False else 1


if __name__ == "__main__":
    sys.exit(main())

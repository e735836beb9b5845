"""`make header-exam`: a fresh exam from a seed, sat by the engine (and its peers), marked as MIDI-B marks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.benchmarks.header_exam import report
from tests.benchmarks.header_exam.exam import Sitting, sit
from tests.benchmarks.header_exam.key import write_answers, write_mapping
from tests.benchmarks.header_exam.report import Graded
from tests.benchmarks.header_exam.systems import Handed, identities, ours, peers
from tests.benchmarks.header_exam.validator import validate


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="header_exam", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="another seed is another exam")
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--profile", default="tcia-header", help="of config/profiles, or a path")
    parser.add_argument("--peers", action="store_true", help="also dicognito and dicom-anonymizer, from PyPI")
    parser.add_argument("--out", type=Path, help="keep originals, results, answer key and mappings in this folder")
    parser.add_argument("--all", action="store_true", help="list every element that failed, the peers' too")
    return parser.parse_args()


def _grade(handed: Handed, sittings: Sequence[Sitting], folder: Path | None) -> Graded:
    questions = [sitting.question for sitting in sittings]
    mapping, answers = identities(handed, questions)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        write_mapping(mapping.uids, folder / "uid_mapping.csv")
        write_mapping(mapping.patient_ids, folder / "patid_mapping.csv")
        _write(handed.files, folder / "data")
    return Graded(handed, validate(questions, answers, mapping))


def _write(files: Iterable[bytes | None], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        if file is not None:
            (folder / f"{number:05d}.dcm").write_bytes(file)


def main() -> int:
    """Return 0 if the targets are met, of the header by rules and of free text by the network, and no peer is ahead."""
    chosen = _arguments()
    sittings = sit(chosen.seed, chosen.patients)
    if chosen.out:
        _write((sitting.file for sitting in sittings), chosen.out / "original")
        write_answers((sitting.question for sitting in sittings), chosen.out / "answers.db")
    graded = [_grade(ours(sittings, chosen.profile, chosen.seed), sittings, chosen.out and chosen.out / "deid-node")]
    print("\n".join(report.lines(graded[0], everything=chosen.all)))
    read = _grade(ours(sittings, chosen.profile, chosen.seed, reads=True), sittings, None)
    print("\n".join(["", *report.lines(read, everything=chosen.all)]))
    ahead = None
    if chosen.peers:
        for handed in peers(sittings):
            graded.append(_grade(handed, sittings, chosen.out and chosen.out / handed.name.split()[0]))
            if chosen.all:
                print("\n".join(["", *report.lines(graded[-1], everything=True)]))
        print("\n".join(["", *report.comparison(graded)]))
        ahead = report.is_ahead(graded)
    print("", report.figures(graded[0], read, chosen.seed, ahead=ahead), sep="\n")
    is_met = graded[0].meets_the_target and read.meets_the_target_of_texts
    return 0 if is_met and ahead is not False else 1


if __name__ == "__main__":
    sys.exit(main())
